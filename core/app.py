"""The bot: what plugins register with, what handlers reach the world through, and the threads that run it."""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta, timezone

import telebot

from core import buttons as keyboards
from core.handling import rights as people
from core.handling.dispatch import Dispatcher
from core.log import hide
from core.process import clustered_intake, outbox_worker
from core.process.loops import Loop, Paced
from core.services import Services
from core.telegram import telebot_bridge, webhook
from core.telegram.intake import Updates
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, UnknownOutcome
from core.texts import Lang, untagged
from storage.base import db
from storage.base.db import StorageDown
from storage.journal import drafts, inbox, outbox, runtime_settings
from storage.money import seals
from storage.orders import claims, health
from storage.people import staff, users

log = logging.getLogger(__name__)
RUSSIAN_READERS = ("ru", "uk", "be", "kk", "ky", "tg", "uz", "hy", "az")  # guessed from language_code until they choose
BASE_KINDS = ["message", "edited_message", "callback_query", "pre_checkout_query", "my_chat_member"]
MAX_TEXT = 4096  # Bot API: UTF-16 units after entity parsing
GOODBYE_S, DRAIN_S, CLOSE_S = 1, 4, 3  # of the 10 s a platform leaves between SIGTERM and SIGKILL
WEBHOOK_LOOK_S = 60


@dataclass(slots=True)
class Entry:
    """One registered handler and what it takes to be called."""

    handler: object
    right: str | None = None
    groups: bool = False
    about: str | None = None
    order: int = 50
    types: dict = field(default_factory=dict)
    blocked: bool = False


@dataclass(slots=True)
class MenuItem:
    """A button of the main menu or the admin menu."""

    key: str
    data: str
    row: int
    values: object = None


class Bot(Services):
    """Registration for plugins (`register(bot)`), and the running bot for the core, listeners and periodic work."""

    def __init__(self, settings, texts, sender, clock):
        self.settings = settings
        self.texts = texts
        self.sender = sender
        self.clock = clock
        self.username = ""
        self.handlers = {"command": {}, "button": {}, "step": {}, "update": {}}
        self.menus = {"main": [], "admin": []}
        self.listeners = {}
        self.payment_methods = {}
        self.deep_links = {}
        self.under_results = []
        self.tables = []
        self.free_offers = []
        self.headlines = []
        self.gates = []
        self.periodic = []
        self.checks = {}
        self.pages = {}
        self.outcomes = Counter()  # how updates ended, since the start
        self.generation = None
        self.telebot = telebot.TeleBot(settings["TELEGRAM_BOT_TOKEN"] or "0:none", threaded=False, validate_token=False)
        self._dispatcher = Dispatcher(self)
        self.updates = None
        self.loops = self._workers = ()
        self.leads_since = self.wrote_at = clock.now()
        self.unwritable = False  # the last try to write a row has failed
        self.stopping = threading.Event()
        self.shares = settings["BOT_MODE"] == "webhook" and not settings["DATABASE_URL"].startswith("sqlite")
        self.leads, self.works = True, False  # whether it does the leader's part; whether it does anything yet

    # what a plugin calls in `register`

    def setting(self, name, kind=str, **rules):
        """Declare a setting and return its value."""
        return self.settings.declare(name, kind, **rules)

    def command(self, name, handler, about=None, right=None, groups=False, order=50, blocked=False):
        """Handle `/name`; with `about` (a text key) it stands in /help and in Telegram's command menu, by `order`.

        With a `right` (`core/handling/rights.py`) only for those who have it; `blocked` people reach it too.
        """
        self._register("command", name, Entry(handler, right, groups, about, order, blocked=blocked))

    def button(self, route, handler, right=None, groups=False, blocked=False, **arguments):
        """Handle taps on `plugin:action` buttons; `arguments` names and types what follows in the data.

        A button whose handler wants a right is drawn only for those who have it.
        """
        self._register("button", route, Entry(handler, right, groups, types=arguments, blocked=blocked))

    def step(self, name, handler, right=None, blocked=False):
        """Handle the next input of a dialogue opened with `ctx.ask(name, …)`."""
        self._register("step", name, Entry(handler, right, blocked=blocked))

    def update(self, kind, handler):
        """Handle another kind of update (`pre_checkout_query`), or content nobody asked for (`photo`, `text`)."""
        self._register("update", kind, handler)

    def menu(self, key, data, row):
        """Add a button to the main menu, in the given row."""
        self.menus["main"].append(MenuItem(key, data, row))

    def admin_menu(self, key, data, row, values=None):
        """Add a button to the admin menu, for those with its handler's right; `values(bot)` fills in its label."""
        self.menus["admin"].append(MenuItem(key, data, row, values))

    def under_result(self, row, buttons):
        """Put buttons under every result: `buttons(bot, job)` returns the list for the given row."""
        self.under_results.append((row, buttons))

    def gate(self, check):
        """Call `check(bot, user, now)` before every order; it raises UserError to refuse one."""
        self.gates.append(check)

    def table(self, model, migrations=()):
        """Have a table of the plugin's own, made and migrated at start (`core.tables.Table` is its base)."""
        self.tables.append((model, migrations))

    def payment_method(self, name, key, start, when=None):
        """Add a way to pay: `key` is its button's text, or `key(ctx, amount)` returns it with its values (minor units).

        `start(ctx, amount)` is called once an amount is chosen.
        With `when`, the name of a setting, it is offered while that setting is something.
        """
        self._put("way to pay", self.payment_methods, name, (key, start, when))

    def free_offer(self, offer):
        """Ask `offer(bot, user_id, model, now)` for each quote: {"day", "limit", "left"} makes the order free."""
        self.free_offers.append(offer)

    def headline(self, line):
        """Add what `line(ctx)` returns (a text from `ctx.say`, or nothing) to the main menu's text."""
        self.headlines.append(line)

    def deep_link(self, letter, handler):
        """Call `handler(ctx, rest)` for `/start` links whose payload begins with this letter.

        When it returns something true it has shown what the link is for, and the main menu is not.
        """
        self._put("links", self.deep_links, letter, handler)

    def every(self, seconds, name, work):
        """Call `work(bot, now)` periodically."""
        self.periodic.append((seconds, name, work))

    def check(self, name, work):
        """Add a line to `doctor`: `work(bot)` returns None when all is well, else a text key or (text key, values)."""
        self._put("check", self.checks, name, work)

    def page(self, path, view):
        """Serve GET `path` on PORT: `view(bot, leads, visit)` returns what Flask answers, also while standing by.

        `visit` is a `core.process.web.Visit`: who asks.
        """
        self._put("page", self.pages, path, view)

    def on(self, kind, listener):
        """Call `listener(bot, fact, now)` after a fact, at least once, inside a transaction of its own."""
        self.listeners.setdefault(kind, []).append(listener)

    def _register(self, kind, name, entry):
        self._put(kind, self.handlers[kind], name, entry)

    @staticmethod
    def _put(what, table, name, value):
        if name in table:
            places = " and ".join(map(_place, (table[name], value)))
            raise ValueError(f"two plugins want the {what} {name!r}: {places}")
        table[name] = value

    # what handlers and loops use

    def lang_of(self, user):
        """Return the language a user reads (chosen, or guessed from Telegram's hint), which knows their time zone.

        The operator's zone is no guess for the staff.
        """
        guess = "ru" if (user.language_code or "").split("-")[0] in RUSSIAN_READERS else "en"
        return Lang(user.lang or guess, self.zone_of(user), user.utc_offset is None and not self.may(user, "staff"))

    def zone_of(self, user):
        """Return the time zone of a user: their own, or the operator's."""
        if user.utc_offset is None:
            return self.texts.zone
        return timezone(timedelta(minutes=user.utc_offset))

    def menu_rows(self, name="main"):
        """Return a menu's keyboard from what plugins registered."""
        items = sorted(self.menus[name], key=lambda item: item.row)
        numbers = sorted({item.row for item in items})
        return [
            [keyboards.button(i.key, i.data, **(i.values(self) if i.values else {})) for i in items if i.row == number]
            for number in numbers
        ]

    def result_rows(self, job):
        """Return the keyboard under a result from what plugins registered, two a row: a phone cuts labels of three."""
        rows = {}
        for row, buttons in self.under_results:
            rows.setdefault(row, []).extend(buttons(self, job))
        cells = [cell for row in sorted(rows) for cell in rows[row]]
        return [cells[i : i + 2] for i in range(0, len(cells), 2)]

    def home(self):
        """Return the keyboard that leads to the main menu."""
        return [keyboards.button("common.menu", keyboards.MENU)]

    def trouble(self, about="0"):
        """Return the keyboard under bad news: a person to ask (`about`: job12, pay7), and the menu."""
        return [[keyboards.button("common.support", keyboards.HELP, about), *self.home()]]

    def markup(self, lang, buttons, reader=None):
        """Return a keyboard for the Bot API, or None for no keyboard.

        Buttons whose plugin is not there, or for which the `reader` has no right, are left out.
        """
        rows = []
        for row in keyboards.rows(buttons):
            cells = [self._cell(lang, cell) for cell in row if self._is_served(cell, reader)]
            if cells:
                rows.append(cells)
        return {"inline_keyboard": rows} if rows else None

    def _is_served(self, cell, reader):
        if cell.data is None:
            return True
        entry = self.handlers["button"].get(keyboards.split(cell.data)[0])
        return entry is not None and (reader is None or self.may(reader, entry.right))

    def _cell(self, lang, cell):
        shown = {"text": self.texts.plain(lang, cell.key, **cell.values)}
        if cell.url:
            return shown | {"url": cell.url}
        if cell.copy:
            return shown | {"copy_text": {"text": cell.copy}}
        return shown | {"callback_data": cell.data}

    def send_html(self, chat_id, text, wait=True, **params):
        """Send a text, in several messages if it is too long, plainly if its markup is refused; return the last.

        With `wait=False` a 429 is raised at once instead of being waited for.
        """
        *first, last = _pieces(text)
        for piece in first:
            self._send_piece(chat_id, piece, wait=wait)
        return self._send_piece(chat_id, last, wait=wait, **params)

    def _send_piece(self, chat_id, piece, **params):
        try:
            return self.sender.call("sendMessage", chat_id=chat_id, text=piece, parse_mode="HTML", **params)
        except TelegramError as error:
            if "can't parse entities" not in error.description:
                raise
            log.error("markup was refused, sent plainly: %s", error)
            return self.sender.call("sendMessage", chat_id=chat_id, text=untagged(piece), **params)

    def notify(self, user_id, key, *, unique, now, buttons=None, media=None, ref=None, chat_id=None, **values):
        """Queue a message that must arrive, once under its unique key; `ref` keeps it at hand to be edited later.

        With `chat_id` it goes to that group instead of the user, in the user's language.
        """
        kept = keyboards.plain(buttons)
        outbox.put(unique, user_id, key, now=now, values=values, buttons=kept, media=media, ref=ref, chat_id=chat_id)

    def edit_quietly(self, chat_id, message_id, lang, key, buttons, values):
        """Edit a message of ours if that still works; what it says is not worth a second try."""
        params = {"text": self.texts.html(lang, key, **values), "reply_markup": self.markup(lang, buttons)}
        self._quietly("editMessageText", chat_id=chat_id, message_id=message_id, parse_mode="HTML", **params)

    def show_typing(self, chat_id):
        """Show in a chat that something is being done there."""
        self._quietly("sendChatAction", chat_id=chat_id, action="typing")

    def delete_quietly(self, chat_id, message_id):
        """Delete a message of ours if that still works (Bot API: within 48 h)."""
        self._quietly("deleteMessage", chat_id=chat_id, message_id=message_id)

    def _quietly(self, method, **params):
        try:
            self.sender.call(method, wait=False, **params)
        except (TelegramError, NotSent, UnknownOutcome) as error:
            log.debug("let go: %s", error)

    def may(self, user, right):
        """Tell whether a user has a right, by the row as it was read for this update."""
        return people.may(self.settings, user, right)

    def desk(self, right):
        """Return whom of the staff to tell, as (user, chat id) pairs for `notify`: the group, or each with the right."""
        return people.desk(self, right)

    def alert(self, key, *, cause, buttons=None, **values):
        """Tell the staff of a cause of alarm: one message a cause and not one an event, outside the quiet hours."""
        people.alert(self, key, cause, values, buttons)

    def examine(self):
        """Yield (name, text key, its values) for every check; the key is None where all is well."""
        for name, work in self.checks.items():
            try:
                found = work(self)
            except Exception as error:  # a check that cannot be made is a finding, not the end of the others
                log.exception("the check %r failed", name)
                found = "common.check_failed", {"name": name, "error": f"{type(error).__name__}: {error}"}
            key, values = (found, {}) if found is None or isinstance(found, str) else found
            yield name, key, values

    def wake(self):
        """Have the loops look for new work at once."""
        for loop in self._workers:
            loop.wake()

    # running

    def prepare(self, threads=128):
        """Make the parts that need every plugin registered."""
        self.updates = (clustered_intake.Shared if self.shares else Updates)(
            self.sender,
            self.handle,
            self.clock,
            threads=threads,
            kinds=self.kinds(),
            set_aside=self._apologise,
            done=lambda: self._inbox.wake(),
            refused=lambda: self.outcomes.update(["unreadable"]),
            can_write=self.can_write,
        )
        self.loops = self._make_loops()
        self._inbox = next(loop for loop in self.loops if loop.name == "inbox")
        self._workers = [loop for loop in self.loops if loop.name in ("outbox", "facts", "poller", "delivery")]

    def kinds(self):
        """Return the update kinds to ask Telegram for: the core's own and what plugins handle."""
        own = [kind for kind in self.handlers["update"] if kind.endswith(("_query", "_member"))]
        return sorted({*BASE_KINDS, *own, *telebot_bridge.kinds(self.telebot)})

    def periodic_loop(self, seconds, name, work):
        """Return the loop, not yet started, of a piece of periodic work."""
        step = (lambda now: work(self, now)) if seconds < 60 else Paced(lambda now: work(self, now), seconds)
        return Loop(name, step, seconds, self.clock)

    def _make_loops(self):
        def loop(name, step, every_s, rest_s=0):
            return Loop(name, step, every_s, self.clock, rest_s)

        loops = [
            loop("webhook", lambda now: webhook.ensure(self, now), WEBHOOK_LOOK_S),
            loop("inbox", self.updates.tidy, 0.5, rest_s=0.05),
            loop("adopt", (lambda now: clustered_intake.look(self, now)) if self.shares else self.updates.adopt, 2),
            loop("write test", Paced(self._test_write, 15), 15),
            loop("hanging", self.updates.unstick, 15),
            loop("outbox", outbox_worker.OutboxWorker(self).step, 1),
            loop("facts", lambda now: outbox_worker.run_events(self, now), 1),
            loop("poller", self.generation.poller.step, 0.25),
            loop("delivery", self.generation.delivery.step, 0.5),
            loop("watchdog", self.generation.settle_overdue, 10),
            loop("pause", self.generation.check_pause, 30),
            loop("seals", Paced(seals.Sealer().step, 60), 60),
            loop("drafts", Paced(lambda now: drafts.drop_expired(now) and None, 600), 600),
        ]
        if self.shares:
            loops.append(loop("claims", lambda now: clustered_intake.renew(self, now), clustered_intake.RENEW_S))
        if self.settings["BOT_MODE"] == "polling":
            loops[0] = loop("fetch", self.updates.fetch, 0)
        return loops + [self.periodic_loop(*each) for each in self.periodic]

    def can_write(self, now=None):
        """Tell whether a row can be written now, and remember it for /health."""
        now = now or self.clock.now()
        try:
            health.try_write(now)
        except StorageDown as error:
            log.error("the database cannot be written: %s", error)
            self.unwritable = True
            return False
        self.wrote_at, self.unwritable = now, False
        return True

    def _test_write(self, now):
        self.can_write(now)

    def handle(self, update):
        """Handle one update through the wrapper, then let the loops see what it left to do."""
        before = db.writes()
        self._dispatcher.handle(update)
        if db.writes() != before:
            self.wake()

    def _apologise(self, update, reason):
        """Say sorry for an update that was set aside, with a code for its `reason`, and tell the staff."""
        code = self.error_reports.keep(hide(reason, self.settings.secrets()), self.clock.now())
        log.error("update %s was set aside; /error %s shows why", update["update_id"], code)
        body = next((value for value in update.values() if isinstance(value, dict)), {})
        user = users.by_telegram_id(body["from"]["id"]) if "from" in body else None
        unique = f"aside:{update['update_id']}"
        if "callback_query" in update and "id" in body:
            self._quietly("answerCallbackQuery", callback_query_id=body["id"])
        if user is not None:
            self.notify(user.id, "common.sorry", unique=unique, now=self.clock.now(), buttons=self.trouble(), code=code)
        self.alert("common.alert_aside", cause="aside", update=update["update_id"], code=code)

    def introduce(self):
        """Learn our name from Telegram, and give it the commands of every language and of the owners."""
        self.username = self.sender.call("getMe")["username"]
        for lang in (None, "ru"):
            self.sender.call("setMyCommands", commands=self.commands_in(lang or "en"), language_code=lang)
        for owner in self.settings["ADMIN_IDS"]:
            people.show_commands(self, owner)

    def introduce_staff(self):
        """Give Telegram the commands of the staff; only the database knows them, so it has to be open."""
        for member in staff.members():
            people.show_commands(self, member.telegram_id, member)

    def commands(self, may=None):
        """Return (name, text key) of everybody's commands and those whose right is `may(right)`, everyday ones first."""
        entries = [(e.right or "", e.order, name, e.about) for name, e in self.handlers["command"].items() if e.about]
        entries.sort(key=lambda entry: (bool(entry[0]), *entry[1:]))
        return [(name, about) for right, _order, name, about in entries if not right or (may and may(right))]

    def commands_in(self, lang, may=None):
        """Return the same as Telegram's command menu wants it."""
        return [{"command": name, "description": self.texts.plain(lang, about)} for name, about in self.commands(may)]

    def recover(self):
        """Pick up what a former run left: updates, then jobs."""
        left = self.updates.recover()
        outbox.again(self.clock.now())
        jobs = self.generation.recover()
        log.info("recovered %d updates and %d jobs", left, jobs)

    def start(self, leads=True):
        """Start every thread, to lead; else those of a copy that works beside the leader (`core/process/clustered_intake.py`)."""
        self.leads, self.works, self.settings.stored = leads, True, runtime_settings.get
        self.leads_since = self.wrote_at = self.clock.now()
        for loop in self.loops:
            if leads or loop.name in clustered_intake.LOOPS:
                loop.start()

    def stop(self, leads=True):
        """Stop fetching, let what was accepted finish, and end within the time a platform leaves.

        Who has lost the lead says nothing to Telegram: another copy may be fetching already.
        """
        self.stopping.set()
        for loop in self.loops:
            loop.stop()
        self.updates.end()
        if leads:
            self.updates.say_goodbye()
            self.loops[0].join(GOODBYE_S)
            self.updates.say_goodbye()
        end = time.monotonic() + DRAIN_S
        self.updates.executor.drain(DRAIN_S)
        loops = self.loops if leads else self.loops[1:]  # a poll nobody has ended may take its time
        cut = [loop.name for loop in loops if not loop.join(max(0, end - time.monotonic()))]
        if cut:
            log.warning("ended in the middle of: %s", ", ".join(cut))
        self.updates.executor.close()
        self.updates.express.close()
        self.generation.close(CLOSE_S)
        try:
            self.updates.forget_finished()
            if self.shares:
                claims.release(self.updates.name)
            left = inbox.oldest_wait()
        except StorageDown as error:
            log.warning("stopped without the database: %s", error)
        else:
            log.info("stopped; %s", "updates are left for the next start" if left else "nothing is left to do")


def _place(registered):
    """Return the file and line of the function in what a plugin has registered."""
    found = getattr(registered, "handler", registered)
    found = found[1] if isinstance(found, tuple) else found
    code = getattr(found, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(found)


def _pieces(text):
    """Cut a text into parts Telegram accepts, at the ends of lines where there are any (tags never span our lines)."""
    pieces, rest = [], text
    while 2 * len(rest) > MAX_TEXT and len(untagged(rest).encode("utf-16-le")) > 2 * MAX_TEXT:
        cut = _cut(rest)
        pieces.append(rest[:cut])
        rest = rest[cut:].lstrip("\n")
    return [*pieces, rest]


def _cut(text):
    """Return where to cut a text that is too long: after a line, else after a word, else where nothing is torn."""
    head = text.encode("utf-16-le")[: 2 * MAX_TEXT].decode("utf-16-le", "ignore")
    cut = max(head.rfind("\n"), 0) or max(head.rfind(" "), 0) or len(head)
    entity = head.rfind("&", cut - 8, cut)  # &quot; and its like are one character
    return entity if entity > 0 and ";" not in head[entity:cut] else cut

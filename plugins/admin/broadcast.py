"""/broadcast: one message to many. It asks for the message: text, photo, video and link buttons go out as they are.
What is written after the command is one, too, and so is a message that is replied to with it.

The message itself is the preview, with its buttons below it (`broadcast_buttons.py`) and the controls in the next one; an
audience, a confirmation with the number of people and a realistic time; then progress, pause and stop. Each recipient is
a row that is marked before Telegram is asked: a crash resumes, and nobody gets it twice.
Copies that may or may not have arrived are in doubt: counted, listed, and sent once more only by hand.
Texts: broadcast.* in data/texts/<lang>/admin/broadcast.po.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from core.buttons import MENU, button, danger, pager, primary, route
from core.errors import UserError
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, UnknownOutcome

UNDER, LATER, UNSCHEDULE = (route(name, optional=True) for name in ("under:ask", "later:ask", "later:cancel"))

log = logging.getLogger(__name__)
PER_SECOND = 28.6  # Telegram: about 30 messages a second overall; answers to people take precedence over the broadcast
ROOM = 29  # messages of the last second, answers among them, after which the broadcast waits
BATCH = 14  # half a second's worth: the most that a crash leaves in doubt
THREADS = 6
OPEN_ENDS = ("doubt", "failed")  # what can be listed, and sent once more by hand
PAGE = 20
STEP_S = 0.5  # the longest wait without checking whether the bot is about to stop
AUDIENCES = ("all", "active:7", "active:30", "paid", "unpaid")  # and readers of each language


def register(bot):
    """Declare the command, the draft's buttons and the periodic sending."""
    bot.repeatable()
    bot.command("broadcast", begin, about="broadcast.about", right="broadcast")
    bot.button("broadcast:list", show_list, right="broadcast")
    bot.button("broadcast:draft", show_draft, right="broadcast", number=int)
    bot.button("broadcast:to", choose, right="broadcast", number=int, place=int)
    bot.button("broadcast:ids", ask_ids, right="broadcast", number=int)
    bot.step("broadcast:typed", take_ids, right="broadcast")
    bot.step("broadcast:message", take_message, right="broadcast")
    bot.button("broadcast:preview", preview, right="broadcast", number=int)
    bot.button("broadcast:check", check, right="broadcast", number=int)
    bot.button("broadcast:start", start, right="broadcast", number=int, version=int)
    for act in ("pause", "resume", "stop"):
        bot.button(f"broadcast:{act}", ACTS[act], right="broadcast", number=int)
    bot.button("broadcast:who", show_who, right="broadcast", number=int, state=str, page=int)
    bot.button("broadcast:again", again, right="broadcast", number=int, state=str)
    bot.admin_menu("broadcast.menu", "broadcast:list", row=3)
    bot.every(1, "broadcast", Sending().step)


def begin(ctx):
    """Take a copy of the message replied to as the one to send: later edits cannot change what was confirmed."""
    replied = ctx.message.get("reply_to_message")
    if replied is None and not ctx.args:
        ctx.ask("broadcast:message", "broadcast.how", [button("common.back", "broadcast:list")])
        return
    _take(ctx, replied)


def take_message(ctx):
    """Take the next message, whatever it is, for the one to send: it is no order."""
    ctx.done("broadcast")
    _take(ctx, ctx.message)


def _take(ctx, message):
    """Make a draft of a message, or of what was written after the command."""
    links = links_in(message) if message else []
    copied = _copy(ctx, ctx.chat_id, message["message_id"], _markup(links)) if message else _written(ctx)
    found = ctx.broadcasts.create(ctx.user.id, ctx.chat_id, copied, ctx.now, links)
    show_draft(ctx, found.id)


def _written(ctx):
    """Send what was written after the command to oneself, with its formatting, and return its message id."""
    whole = ctx.message["text"]
    start = len(whole[: whole.rindex(ctx.args)].encode("utf-16-le")) // 2  # Bot API counts UTF-16 units
    entities = [
        one | {"offset": one["offset"] - start} for one in ctx.message.get("entities", ()) if one["offset"] >= start
    ]
    params = {"chat_id": ctx.chat_id, "text": ctx.args, "entities": entities or None}
    return ctx.bot.sender.call("sendMessage", **params)["message_id"]


def links_in(message):
    """Return the rows of a message's buttons that open an address; others would not work from the bot."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    links = [[{"text": cell["text"], "url": cell["url"]} for cell in row if cell.get("url")] for row in rows]
    return [row for row in links if row]


def _markup(links):
    return {"inline_keyboard": links} if links else None


def _copy(ctx, chat_id, message_id, markup):
    """Send a copy to oneself and return its message id."""
    try:
        return ctx.copy(chat_id, message_id, markup)
    except TelegramError as error:
        log.info("a copy was refused: %s", error)
        raise UserError("broadcast.gone") from None


def show_list(ctx):
    """List the newest broadcasts."""
    found = ctx.broadcasts.newest()
    rows = [
        button(
            "broadcast.row",
            "broadcast:draft",
            b.id,
            number=b.id,
            when=b.created_at,
            state=ctx.texts.plain(ctx.lang, f"broadcast.state_{b.state}"),
        )
        for b in found
    ]
    ctx.edit("broadcast.list", [*rows, [button("common.back", "admin:show"), button("common.menu", MENU)]])


def _get(ctx, number):
    found = ctx.broadcasts.get(number)
    if found is None:
        raise UserError("common.old_button")
    return found


def show_draft(ctx, number):
    """Show a draft with its audience, or the progress of a broadcast."""
    found = _get(ctx, number)
    if found.state == "scheduled":
        rows = [
            danger("broadcast.unschedule", UNSCHEDULE, number),
            [button("common.back", "broadcast:list"), button("common.menu", MENU)],
        ]
        values = {"when": found.send_at, "audience": _words(ctx.texts, ctx.lang, found.audience)}
        ctx.edit(
            "broadcast.is_scheduled", rows, number=number, n=ctx.broadcasts.count(found.audience, ctx.now), **values
        )
        return
    if found.state != "draft":
        key, rows, values = _progress(ctx.bot, found)
        ctx.edit(key, rows, **values)
        return
    people = ctx.broadcasts.count(found.audience, ctx.now)
    cells = [
        button(
            "broadcast.choice",
            "broadcast:to",
            number,
            place,
            mark="✓ " if found.audience == audience else "",
            audience=_words(ctx.texts, ctx.lang, audience),
        )
        for place, audience in enumerate(_audiences(ctx.texts))
    ]
    rows = [
        cells[:1],
        *(cells[i : i + 2] for i in range(1, len(cells), 2)),
        [
            button("broadcast.ids", "broadcast:ids", number),
            button("broadcast.buttons", UNDER, number),
            button("broadcast.preview", "broadcast:preview", number),
        ],
        button("broadcast.send", "broadcast:check", number, n=people),
        [button("common.back", "broadcast:list"), button("common.menu", MENU)],
    ]
    ctx.edit("broadcast.draft", rows, number=number, audience=_words(ctx.texts, ctx.lang, found.audience), n=people)


def _audiences(texts):
    """Return the audiences on the screen; a language's readers chose it, or their Telegram hints at it."""
    default, *others = texts.languages
    codes = {lang: texts.codes_of(lang) for lang in others}
    rest = [code for found in codes.values() for code in found]
    return [
        *AUDIENCES,
        f"lang:{default}:!{','.join(rest)}",
        *(f"lang:{lang}:{','.join(codes[lang])}" for lang in others),
    ]


def _words(texts, lang, audience):
    """Return an audience in people's words."""
    kind, _colon, rest = audience.partition(":")
    if kind == "lang":
        return texts.name_of(rest.partition(":")[0])
    if kind == "active":
        return texts.plain(lang, "broadcast.to_active", n=int(rest))
    if kind == "ids":
        return texts.plain(lang, "broadcast.to_ids", n=len(rest.split(",")))
    return texts.plain(lang, f"broadcast.to_{audience.replace(':', '_')}")


def choose(ctx, number, place):
    """Choose the audience."""
    audiences = _audiences(ctx.texts)
    if not 0 <= place < len(audiences):
        raise UserError("common.old_button")
    _set(ctx, number, audiences[place])


def _set(ctx, number, audience):
    if not ctx.broadcasts.set_audience(number, audience):
        raise UserError("common.old_button")
    show_draft(ctx, number)


def ask_ids(ctx, number):
    """Ask for Telegram ids."""
    _get(ctx, number)
    ctx.ask(
        "broadcast:typed",
        "broadcast.ask_ids",
        [button("common.back", "broadcast:draft", number)],
        data={"number": number},
    )


def take_ids(ctx):
    """Take typed ids as the audience."""
    number, parts = ctx.draft.data["number"], ctx.text.replace(",", " ").split()
    if not parts or len(parts) > 500 or not all(part.isdecimal() and len(part) < 19 for part in parts):
        raise UserError("broadcast.wrong_ids", buttons=[button("common.back", "broadcast:draft", number)])
    ctx.done("broadcast")
    _set(ctx, number, "ids:" + ",".join(parts))


def preview(ctx, number):
    """Send a copy to oneself, exactly as everybody will get it."""
    found = _get(ctx, number)
    _copy(ctx, found.chat_id, found.message_id, _markup(found.links))


def check(ctx, number):
    """Ask for confirmation, with the number of people and a realistic time."""
    found = _get(ctx, number)
    people = ctx.broadcasts.count(found.audience, ctx.now)
    if not people:
        raise UserError("broadcast.nobody")
    rows = [
        primary("broadcast.go", "broadcast:start", number, found.version, n=people),
        button("broadcast.later", LATER, number),
        button("common.back", "broadcast:draft", number),
    ]
    ctx.edit(
        "broadcast.check",
        rows,
        audience=_words(ctx.texts, ctx.lang, found.audience),
        n=people,
        minutes=max(1, -(-people // (60 * PER_SECOND))),
    )


def start(ctx, number, version):
    """Start sending what was confirmed, to the confirmed audience; the screen becomes the progress message."""
    screen = ctx.message["message_id"] if ctx.message else None
    if ctx.broadcasts.start(number, version, screen, ctx.now, ctx.user.id) is None:
        _get(ctx, number)
        ctx.toast("common.changed_meanwhile", alert=True)
    show_draft(ctx, number)


def pause(ctx, number):
    """Pause it; copies already on their way are still sent."""
    _move(ctx, number, ["running"], "paused")


def resume(ctx, number):
    """Continue where it was paused."""
    _move(ctx, number, ["paused"], "running")


def stop(ctx, number):
    """End it for good."""
    _move(ctx, number, ["running", "paused"], "stopped")


ACTS = {"pause": pause, "resume": resume, "stop": stop}


def _move(ctx, number, states, state):
    if not ctx.broadcasts.move(number, states, state, ctx.now, ctx.user.id):
        raise UserError("common.old_button")
    show_draft(ctx, number)


def _progress(bot, found):
    """Return (key, rows, values) of a broadcast's progress screen."""
    counts = bot.broadcasts.progress(found.id)
    values = {name: counts.get(name, 0) for name in ("sent", "blocked", *OPEN_ENDS)}
    left, total = counts.get("pending", 0) + counts.get("sending", 0), sum(counts.values())
    values |= {"number": found.id, "left": left, "total": total}
    hold = {"running": "pause", "paused": "resume"}.get(found.state)
    acts = [button(f"broadcast.{hold}", f"broadcast:{hold}", found.id)] if hold else []
    acts += [danger("broadcast.stop", "broadcast:stop", found.id)] if hold else []
    open_ends = [
        button(f"broadcast.who_{state}", "broadcast:who", found.id, state, 0, n=counts[state])
        for state in OPEN_ENDS
        if counts.get(state) and not found.totals
    ]
    end = [button("common.back", "broadcast:list"), button("common.menu", MENU)]
    return f"broadcast.is_{found.state}", [acts, *open_ends, end], values


def show_who(ctx, number, state, page):
    """List the people whose copy is in doubt or was not sent, with a button to send it once more."""
    found, count = _get(ctx, number), ctx.broadcasts.progress(number).get(state, 0)
    if state not in OPEN_ENDS or found.totals or not count or not 0 <= page <= count // PAGE:
        raise UserError("common.old_button")
    people = ctx.broadcasts.recipients(number, state, PAGE, page * PAGE)
    lines = [ctx.say("broadcast.person", name=user.first_name, id=user.telegram_id or 0) for user in people]
    ended = found.state in ("done", "stopped")
    rows = [button("broadcast.again", "broadcast:again", number, state, n=count)] if ended else []
    pages = pager(page, -(-count // PAGE), "broadcast:who", number, state)
    back = [button("common.back", "broadcast:draft", number), button("common.menu", MENU)]
    ctx.edit(f"broadcast.list_{state}", [*rows, *pages, back], number=number, n=count, lines=ctx.lines(lines))


def again(ctx, number, state):
    """Send once more to those whose copy is in doubt or was not sent."""
    if state not in OPEN_ENDS or not ctx.broadcasts.again(number, [state], ctx.now, ctx.user.id):
        raise UserError("common.old_button")
    show_draft(ctx, number)


class Turns:
    """Paces the copies: one at a time, evenly, behind answers to people, and none while Telegram asks for a pause."""

    def __init__(self, bot):
        self._sender, self._clock, self._stopping = bot.sender, bot.clock, bot.status.stopping
        self._next = bot.clock.monotonic() + 1  # an earlier run may have just sent as much as is allowed
        self._guard = threading.Lock()

    def wait(self, chat):
        """Wait for a turn, and until the chat has had no message for a second; answers to it wait meanwhile.

        Return False if the bot is about to stop: then there are no more turns.
        """
        self._sender.hold(chat, 1)
        while chat in self._sender.lately():
            if not self._sleep(0.1):
                return False
            self._sender.hold(chat, 1)
        with self._guard:
            while (pause := self._next - self._clock.monotonic()) > 0 or len(self._sender.lately()) >= ROOM:
                if not self._sleep(min(STEP_S, max(0.01, pause))):
                    return False
            if self._stopping.is_set():
                return False
            self._sender.reserve(chat)
            self._next = max(self._next, self._clock.monotonic() - 1) + 1 / PER_SECOND
            return True

    def _sleep(self, seconds):
        """Wait a moment; return whether the bot goes on."""
        if not self._stopping.is_set():
            self._clock.sleep(seconds)
        return not self._stopping.is_set()

    def hold(self, seconds):
        """Give no turns for some seconds."""
        with self._guard:
            self._next = max(self._next, self._clock.monotonic() + seconds)


class Sending:
    """Sends the running broadcast at Telegram's pace, a few copies a step."""

    def __init__(self):
        self._turns = None
        self._pool = None
        self._shown = None
        self._unmarked = []  # (broadcast, outcomes) that no row says yet

    def step(self, bot, now):
        """Send the next copies of the running broadcast; return whether there may be more."""
        self._mark(bot, now)
        if self._turns is None:
            if count := bot.broadcasts.doubt():
                log.warning("%s copies were on their way when the last run ended: they are in doubt", count)
            self._turns = Turns(bot)
        found = bot.broadcasts.running()
        if found is None or bot.status.stopping.is_set():
            return False
        people = bot.broadcasts.claim(found.id, BATCH)
        if people:
            self._send(bot, found, people)
            self._mark(bot, now)
        elif bot.broadcasts.move(found.id, ["running"], "done", now):
            log.info("broadcast %s is done", found.id)
        self._show(bot, found.id, now, last=not people)
        return bool(people)

    def _mark(self, bot, now):
        """Record what became of copies; until that has worked, nothing more is sent."""
        while self._unmarked:
            bot.broadcasts.mark(*self._unmarked[0], now)
            self._unmarked.pop(0)

    def _send(self, bot, found, people):
        """Copy the message to some people and note the outcomes; whatever interrupts this leaves the rest in doubt."""
        outcomes = {user_id: "doubt" for user_id, _telegram_id in people}
        self._unmarked.append((found.id, outcomes))

        def send(person):
            outcomes[person[0]] = self._one(bot, found, *person)

        if bot.status.threaded:
            self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="broadcast")
            list(self._pool.map(send, people))
        else:
            for person in people:
                send(person)

    def _one(self, bot, found, user_id, telegram_id):
        place = {"chat_id": telegram_id, "from_chat_id": found.chat_id, "message_id": found.message_id}
        while self._turns.wait(telegram_id):
            try:
                bot.sender.call("copyMessage", reply_markup=_markup(found.links), wait=False, reserved=True, **place)
                bot.sender.hold(telegram_id, 1)  # as before it, in `wait`
                return "sent"
            except TelegramError as error:
                if error.retry_after is not None:
                    self._turns.hold(error.retry_after)
                    continue
                if error.is_gone:
                    return "blocked"
                log.warning("broadcast %s to user %s: %s", found.id, user_id, error)
                return "failed"
            except NotSent:
                self._turns.hold(1)
            except UnknownOutcome:
                return "doubt"  # it may have arrived: at most once
        return "pending"

    def _show(self, bot, number, now, last):
        """Edit the author's progress message every few seconds."""
        if not last and self._shown is not None and (now - self._shown).total_seconds() < 3:
            return
        self._shown = now
        found = bot.broadcasts.get(number)
        author = bot.users.get(found.author_id)
        if found.screen_id:
            bot.edit_quietly(author.telegram_id, found.screen_id, bot.lang_of(author), *_progress(bot, found))

"""/broadcast: one message to many. Reply to any message with it: text, photo, video, buttons are copied as they are.

Preview to oneself, an audience, a confirmation with the count and the honest time; then progress, pause and stop.
Each recipient is a row that is marked before Telegram is asked: a crash resumes, and nobody gets it twice.
Texts: broadcast.* in data/texts/<lang>/broadcast.po.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from core.buttons import button
from core.errors import UserError
from core.sender import TelegramError
from core.transport import NotSent, UnknownOutcome

log = logging.getLogger(__name__)
PER_SECOND = 28.6  # Telegram: about 30 messages a second overall; what people are answered comes out of the broadcast
ROOM = 29  # messages of the last second, answers among them, after which the broadcast waits
BATCH = 14  # half a second's worth: what a crash leaves in doubt at the most
THREADS = 6
AUDIENCES = ("all", "active:7", "active:30", "paid", "unpaid", "lang:ru", "lang:en")


def register(bot):
    """Declare the command, the draft's buttons and the periodic sending."""
    bot.command("broadcast", begin, about="broadcast.about", right="broadcast")
    bot.button("broadcast:list", show_list, right="broadcast")
    bot.button("broadcast:draft", show_draft, right="broadcast", number=int)
    bot.button("broadcast:to", choose, right="broadcast", number=int, place=int)
    bot.button("broadcast:ids", ask_ids, right="broadcast", number=int)
    bot.step("broadcast:typed", take_ids, right="broadcast")
    bot.button("broadcast:preview", preview, right="broadcast", number=int)
    bot.button("broadcast:check", check, right="broadcast", number=int)
    bot.button("broadcast:start", start, right="broadcast", number=int, version=int)
    for act in ("pause", "resume", "stop"):
        bot.button(f"broadcast:{act}", ACTS[act], right="broadcast", number=int)
    bot.admin_menu("broadcast.menu", "broadcast:list", row=3)
    bot.every(1, "broadcast", Sending().step)


def begin(ctx):
    """Take the message replied to as the one to send, as a copy of ours: what was confirmed can't be edited any more."""
    replied = ctx.message.get("reply_to_message")
    if replied is None:
        raise UserError("broadcast.how", buttons=[button("common.back", "broadcast:list")])
    found = ctx.broadcasts.create(ctx.user.id, ctx.chat_id, _copy(ctx, ctx.chat_id, replied["message_id"]), ctx.now)
    show_draft(ctx, found.id)


def _copy(ctx, chat_id, message_id):
    """Send a copy to oneself and return its message id."""
    try:
        return ctx.copy(chat_id, message_id)
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
    ctx.edit("broadcast.list", [*rows, [button("common.back", "admin:show"), button("common.menu", "start:menu")]])


def _get(ctx, number):
    found = ctx.broadcasts.get(number)
    if found is None:
        raise UserError("common.old_button")
    return found


def show_draft(ctx, number):
    """Show a draft with its audience, or how far a broadcast is."""
    found = _get(ctx, number)
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
        for place, audience in enumerate(AUDIENCES)
    ]
    rows = [
        cells[:1],
        cells[1:3],
        cells[3:5],
        cells[5:7],
        button("broadcast.ids", "broadcast:ids", number),
        button("broadcast.preview", "broadcast:preview", number),
        button("broadcast.send", "broadcast:check", number, n=people),
        [button("common.back", "broadcast:list"), button("common.menu", "start:menu")],
    ]
    ctx.edit("broadcast.draft", rows, number=number, audience=_words(ctx.texts, ctx.lang, found.audience), n=people)


def _words(texts, lang, audience):
    """Return an audience for people."""
    kind, _colon, rest = audience.partition(":")
    if kind == "active":
        return texts.plain(lang, "broadcast.to_active", n=int(rest))
    if kind == "ids":
        return texts.plain(lang, "broadcast.to_ids", n=len(rest.split(",")))
    return texts.plain(lang, f"broadcast.to_{audience.replace(':', '_')}")


def choose(ctx, number, place):
    """Choose whom it is for."""
    if not 0 <= place < len(AUDIENCES):
        raise UserError("common.old_button")
    _set(ctx, number, AUDIENCES[place])


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
    _copy(ctx, found.chat_id, found.message_id)


def check(ctx, number):
    """Ask once more, with the count and the honest time."""
    found = _get(ctx, number)
    people = ctx.broadcasts.count(found.audience, ctx.now)
    if not people:
        raise UserError("broadcast.nobody")
    rows = [
        button("broadcast.go", "broadcast:start", number, found.version, n=people),
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
    """Start sending what was confirmed, to whom it was confirmed; the screen becomes the progress message."""
    screen = ctx.message["message_id"] if ctx.message else None
    if ctx.broadcasts.start(number, version, screen, ctx.now, ctx.user.id) is None:
        _get(ctx, number)
        ctx.toast("common.changed_meanwhile", alert=True)
    show_draft(ctx, number)


def pause(ctx, number):
    """Hold it; what is going out goes out."""
    _move(ctx, number, ["running"], "paused")


def resume(ctx, number):
    """Go on where it was held."""
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
    values = {name: counts.get(name, 0) for name in ("sent", "blocked", "failed")}
    values |= {
        "number": found.id,
        "left": counts.get("pending", 0) + counts.get("sending", 0),
        "total": sum(counts.values()),
    }
    rows = {
        "running": [
            [
                button("broadcast.pause", "broadcast:pause", found.id),
                button("broadcast.stop", "broadcast:stop", found.id),
            ]
        ],
        "paused": [
            [
                button("broadcast.resume", "broadcast:resume", found.id),
                button("broadcast.stop", "broadcast:stop", found.id),
            ]
        ],
    }.get(found.state, [])
    end = [button("common.back", "broadcast:list"), button("common.menu", "start:menu")]
    return f"broadcast.is_{found.state}", [*rows, end], values


class Turns:
    """Lets copies go one at a time, evenly, behind the answers to people, and none while Telegram wants a pause."""

    def __init__(self, bot):
        self._sender, self._clock = bot.sender, bot.clock
        self._next = bot.clock.monotonic() + 1  # a former run may have sent as much as it could just now
        self._guard = threading.Lock()

    def wait(self, chat):
        """Wait for one's turn, and until the chat has not been written to for a second; answers to it wait meanwhile."""
        self._sender.hold(chat, 1)
        while chat in self._sender.lately():
            self._clock.sleep(0.1)
            self._sender.hold(chat, 1)
        with self._guard:
            self._sleep_until(self._next)
            while len(self._sender.lately()) >= ROOM:
                self._clock.sleep(0.03)
            self._sender.reserve(chat)
            self._next = max(self._next, self._clock.monotonic() - 1) + 1 / PER_SECOND

    def _sleep_until(self, turn):
        pause = turn - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)

    def hold(self, seconds):
        """Let nobody go for this long."""
        with self._guard:
            self._next = max(self._next, self._clock.monotonic() + seconds)


class Sending:
    """Sends the running broadcast at Telegram's pace, a few copies a step."""

    def __init__(self):
        self._turns = None
        self._pool = None
        self._shown = None

    def step(self, bot, now):
        """Send the next copies of the running broadcast; return whether there may be more."""
        found = bot.broadcasts.running()
        if found is None:
            return False
        self._turns = self._turns or Turns(bot)
        people = bot.broadcasts.claim(found.id, BATCH)
        if people:
            bot.broadcasts.mark(found.id, self._send(bot, found, people))
        elif bot.broadcasts.move(found.id, ["running"], "done", now):
            log.info("broadcast %s is done", found.id)
        self._show(bot, found.id, now, last=not people)
        return bool(people)

    def _send(self, bot, found, people):
        """Copy the message to some people; return {user id: outcome}."""
        if bot.updates.threaded:
            self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="broadcast")
            outcomes = self._pool.map(lambda person: self._one(bot, found, *person), people)
        else:
            outcomes = [self._one(bot, found, *person) for person in people]
        return dict(zip((user for user, _telegram_id in people), outcomes, strict=True))

    def _one(self, bot, found, user_id, telegram_id):
        while True:
            self._turns.wait(telegram_id)
            try:
                bot.sender.call(
                    "copyMessage",
                    chat_id=telegram_id,
                    from_chat_id=found.chat_id,
                    message_id=found.message_id,
                    wait=False,
                    reserved=True,
                )
                bot.sender.hold(telegram_id, 1)  # as before it, in `wait`
                return "sent"
            except TelegramError as error:
                if error.retry_after is not None:
                    self._turns.hold(error.retry_after)
                    continue
                if error.is_gone:
                    bot.users.mark_blocked(telegram_id, True)
                    return "blocked"
                log.warning("broadcast %s to user %s: %s", found.id, user_id, error)
                return "failed"
            except NotSent:
                self._turns.hold(1)
            except UnknownOutcome:
                return "failed"  # it may have arrived: at most once

    def _show(self, bot, number, now, last):
        """Edit the author's progress message every few seconds."""
        if not last and self._shown is not None and (now - self._shown).total_seconds() < 3:
            return
        self._shown = now
        found = bot.broadcasts.get(number)
        author = bot.users.get(found.author_id)
        if found.screen_id:
            bot.edit_quietly(author.telegram_id, found.screen_id, bot.lang_of(author), *_progress(bot, found))

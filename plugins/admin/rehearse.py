"""/rehearse: an owner has every assumption about Telegram and KIE checked with the operator's keys, beside the work.

The leader does it, a call at a time, and sends the outcome with the file; after a kill it begins again, and counts what
was spent. The assumptions, their texts and `python bot.py rehearse` are in tools/rehearsal.
Texts: rehearse.* in data/texts/<lang>/admin/rehearse.po.
"""

import logging
from datetime import datetime

from core.buttons import button, mark, way_out
from core.telegram.transport import TelegramFailed

log = logging.getLogger(__name__)
NAME = (
    "admin/rehearse"  # of its store: what was asked for, how the last one ended, and the newest callback that was seen
)
CALLBACK = "/rehearsal"  # where KIE calls back; the same as tools/rehearsal/marks.py
EVERY_S, TRIES = 2, 3
STEP = 5  # findings between two edits of the progress
SHOWN = 8  # differences in the message; the file has all


def register(bot):
    """Declare the command, its button, the leader's part, and the address of the callback."""
    bot.repeatable()
    bot.command("rehearse", ask, about="rehearse.about", right="owner")
    bot.button("rehearse:start", start, right="owner", seen=str)
    bot.every(EVERY_S, "rehearsal", work)
    bot.endpoint(CALLBACK, called, methods=("GET", "POST"))


def ask(ctx):
    """Say what it does and costs, and ask."""
    rehearsal = ctx.bot.rehearsal
    cost = rehearsal.cost()
    rows = [button("rehearse.start", "rehearse:start", _terms(rehearsal)), way_out("admin:show")]
    values = {"n": rehearsal.COUNT, "credits": str(cost), "ceiling": str(rehearsal.CEILING)}
    ctx.reply("rehearse.ask", rows, last=_last(ctx), **values)


def _last(ctx):
    """Return the line about the last rehearsal in the chat."""
    last = ctx.bot.store(NAME).get("last", {})
    if last.get("differs") is None:
        return ctx.say("rehearse.never")
    return ctx.say("rehearse.last", when=datetime.fromisoformat(last["at"]), differs=last["differs"])


def _terms(rehearsal):
    """Return the mark of what a question names: another cost is another question."""
    return mark(rehearsal.COUNT, rehearsal.cost(), rehearsal.CEILING)


def start(ctx, seen):
    """Have the leader begin, unless a rehearsal is under way or costs something else by now."""
    if seen != _terms(ctx.bot.rehearsal):
        ctx.toast("common.changed_meanwhile", alert=True)
        ask(ctx)
        return
    store = ctx.bot.store(NAME)
    if store.get("asked"):
        ctx.toast("rehearse.under_way")
        return
    screen = ctx.edit("rehearse.begun", None, done=0, n=ctx.bot.rehearsal.COUNT, differs=0)
    asked = {"user": ctx.user.id, "screen": screen, "begun": 0, "at": ctx.now.isoformat()}
    act = {"actor_id": ctx.user.id, "what": "rehearse", "now": ctx.now}
    store.change("asked", lambda there: there or asked, act)


def work(bot, now):
    """Do what was asked for; the count of attempts is written first, as the rehearsal may be what ends the process."""
    store = bot.store(NAME)
    asked = store.get("asked")
    if not asked:
        return
    user = bot.users.get(asked["user"])
    if user is None or user.telegram_id is None:
        store.drop("asked")
        return
    if asked["begun"] >= TRIES:
        _show(bot, user, asked, "rehearse.ended")
        _end(bot, asked, now, "rehearse.given_up")
        return
    store.put("asked", asked | {"begun": asked["begun"] + 1})
    try:
        run = bot.rehearsal.begin(user.telegram_id)
    except bot.rehearsal.Busy:
        _show(bot, user, asked, "rehearse.ended")
        _end(bot, asked, now, "rehearse.busy")
        return
    try:
        if _is_whole(bot, run, user, asked):
            _tell(bot, run, user, asked, bot.clock.now())
    finally:
        run.close()


def _is_whole(bot, run, user, asked):
    """Go through the rehearsal and show its progress; return False if the bot is stopping."""
    for done, _finding in enumerate(run, start=1):
        if bot.status.stopping.is_set():
            return False
        if done % STEP == 0 and done < bot.rehearsal.COUNT:
            differs = run.counts()[bot.rehearsal.DIFFERS]
            _show(bot, user, asked, "rehearse.begun", done=done, n=bot.rehearsal.COUNT, differs=differs)
    _show(bot, user, asked, "rehearse.ended")
    return True


def _show(bot, user, asked, key, **values):
    bot.edit_quietly(user.telegram_id, asked["screen"], bot.lang_of(user), key, None, values)


def _tell(bot, run, user, asked, now):
    """Send the file, and the outcome as a message that must arrive."""
    rehearsal, lang = bot.rehearsal, bot.lang_of(user)
    counts = run.counts()
    found = [rehearsal.describe(lang, one) for one in run.findings if one.verdict == rehearsal.DIFFERS]
    lines = [
        bot.texts.plain(lang, "rehearse.line", what=what, part=part, why=why[0] if why else "–")
        for what, part, why in found[:SHOWN]
    ]
    try:
        with run.path.open("rb") as stream:
            files = {"document": (rehearsal.NAME, stream, "application/json")}
            bot.sender.call("sendDocument", files=files, chat_id=str(user.telegram_id), timeout_s=120)
    except TelegramFailed as error:
        log.warning("the file of the rehearsal could not be sent: %s", error)
    values = counts | {"n": rehearsal.COUNT, "spent": str(run.spent), "lines": "\n".join(lines)}
    _end(bot, asked, now, "rehearse.ill" if found else "rehearse.well", **values)


def _end(bot, asked, now, key, **values):
    """Tell whoever asked, and be done with it."""
    bot.notify(asked["user"], key, unique=f"rehearse:{asked['at']}", now=now, buttons=bot.home(), **values)
    bot.store(NAME).put("last", {"at": now.isoformat(), "differs": values.get("differs")})
    bot.store(NAME).drop("asked")


def called(bot, call):
    """Note KIE's callback of a rehearsal; a GET returns what was noted, 202 while there is nothing."""
    word = call.query.get("mark", "")
    if not bot.rehearsal.is_ours(word):
        return "", 404
    store = bot.store(NAME)
    if call.method == "POST":
        store.put("callback", {"mark": word, "seen": bot.rehearsal.seen(call.body, call.headers, call.now)})
        return {"code": 200, "msg": "success"}
    kept = store.get("callback", {})
    return kept["seen"] if kept.get("mark") == word else ({}, 202)

"""A broadcast at a time: what was confirmed waits, and goes out to the audience as it is then.

The time is by the clock of whoever sets it: `18:30`, the next time it is that late, or `24.12 18:30`.
Texts: later.* in data/texts/<lang>/admin/broadcast_time.po.
"""

import logging
import re
from datetime import datetime, timedelta

from core.buttons import button, primary
from core.errors import UserError

log = logging.getLogger(__name__)
DRAFT = "broadcast:draft"
TIME = re.compile(r"(?:(\d{1,2})[./](\d{1,2})(?:[./](\d{4}))?[ ,]+)?(\d{1,2}):(\d{2})")
LONGEST = timedelta(days=180)


def register(bot):
    """Declare the question, the confirmation, and the look at what is due."""
    bot.repeatable()
    bot.button("later:ask", ask, right="broadcast", number=int)
    bot.button("later:set", put, right="broadcast", number=int, version=int, at=int)
    bot.button("later:cancel", cancel, right="broadcast", number=int)
    bot.step("later:typed", take, right="broadcast")
    bot.every(5, "broadcast times", start_due)


def ask(ctx, number):
    """Ask for the time."""
    ctx.ask("later:typed", "later.ask", [button("common.back", DRAFT, number)], data={"number": number}, now=ctx.now)


def take(ctx):
    """Read the time, and ask once more."""
    number = ctx.draft.data["number"]
    at = read(ctx.text, ctx.now, ctx.bot.zone_of(ctx.user))
    if at is None:
        raise UserError("later.wrong", buttons=[button("common.back", DRAFT, number)])
    ctx.done("later")
    found = ctx.broadcasts.get(number)
    people = ctx.broadcasts.count(found.audience, ctx.now)
    yes = primary("later.yes", "later:set", number, found.version, int(at.timestamp()), when=at)
    ctx.reply("later.check", [yes, button("common.back", DRAFT, number)], when=at, n=people)


def read(text, now, zone):
    """Return the time that a text names, aware, if it is to come within half a year; else None."""
    found = TIME.fullmatch(text.strip())
    if found is None:
        return None
    day, month, year, hour, minute = (int(part) if part else None for part in found.groups())
    here = now.astimezone(zone)
    try:
        at = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if day is not None:
            at = at.replace(year=year or here.year, month=month, day=day)
            at = at.replace(year=at.year + 1) if at <= here and year is None else at
    except ValueError:
        return None
    at = at + timedelta(days=1) if day is None and at <= here else at
    return at if here < at <= here + LONGEST else None


def put(ctx, number, version, at):
    """Keep what was confirmed for its time."""
    when = datetime.fromtimestamp(at, ctx.now.tzinfo)
    screen = ctx.message["message_id"]
    if when <= ctx.now or not ctx.broadcasts.schedule(number, version, when, screen, ctx.now, ctx.user.id):
        ctx.toast("common.changed_meanwhile", alert=True)
    ctx.go(DRAFT, number=number)


def cancel(ctx, number):
    """Make it a draft again."""
    if not ctx.broadcasts.unschedule(number, ctx.now, ctx.user.id):
        ctx.toast("common.changed_meanwhile", alert=True)
    ctx.go(DRAFT, number=number)


def start_due(bot, now):
    """Start what is due; its author's screen becomes the progress message."""
    for found in bot.broadcasts.due(now):
        if bot.broadcasts.start(found.id, found.version, found.screen_id, now, found.author_id) is not None:
            log.info("broadcast %s begins at its time", found.id)

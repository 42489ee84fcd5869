"""/timezone: a person's offset from UTC; every time in the chat is shown in it.

Setting: TIME_ZONE (of the core), for those who have not chosen one.
Texts: timezone.* in data/texts/<lang>/timezone.po.
"""

import re

from core.buttons import button
from core.errors import UserError

COMMON = (0, 120, 180, 240, 300, 360, 420, 600)
LARGEST = 14 * 60


def register(bot):
    """Declare the command and its buttons."""
    bot.repeatable()
    bot.command("timezone", command, about="timezone.about", order=12)
    bot.button("timezone:set", choose, minutes=int)


def command(ctx):
    """Set the offset after the command, or offer the common ones."""
    if not ctx.args:
        cells = [button("label", "timezone:set", minutes, label=_shown(minutes)) for minutes in COMMON]
        ctx.reply("timezone.choose", [cells[:3], cells[3:6], cells[6:], *ctx.bot.home()], now=ctx.now)
        return
    found = re.fullmatch(r"(?:UTC|GMT)?\s*([+\-−]?)(\d{1,2})(?::(\d{2}))?", ctx.args.strip(), re.I)
    if found is None:
        raise UserError("timezone.wrong")
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    choose(ctx, -minutes if found[1] in ("-", "−") else minutes)


def _shown(minutes):
    return f"{'−' if minutes < 0 else '+'}{abs(minutes) // 60}:{abs(minutes) % 60:02}"


def choose(ctx, minutes):
    """Remember the offset and show the time in it."""
    if abs(minutes) > LARGEST:
        raise UserError("timezone.wrong")
    ctx.user = ctx.users.change(ctx.user, utc_offset=minutes)
    ctx.edit("timezone.chosen", ctx.bot.home(), now=ctx.now)

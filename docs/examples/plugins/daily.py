"""Daily bonus: /daily gives a person a little money once per UTC day.

Setting: DAILY_BONUS, in minor units (kopecks) per day; 0, the default, turns it off.
Texts: daily.* in data/texts/<lang>/daily.po.
"""

from datetime import timedelta

from core.buttons import MENU, button
from core.tables import transaction


def register(bot):
    """Declare the setting, the command and the button; called once at start."""
    if bot.setting("DAILY_BONUS", int, default=0, minimum=0):
        bot.command("daily", offer, about="daily.about")
        bot.button("daily:claim", claim)


def offer(ctx):
    """Show today's bonus with the button that claims it."""
    rows = [button("daily.claim", "daily:claim"), button("common.menu", MENU)]
    ctx.reply("daily.offer", rows, name=ctx.user.first_name, amount=ctx.settings["DAILY_BONUS"])


def claim(ctx):
    """Post today's bonus to the ledger, once per person and day.

    `persons.once` records it per person and UTC date, so a double tap, an update that Telegram sends again, or a new
    account after /deleteme adds nothing. Both are written in one transaction: neither happens without the other.
    """
    bonus, today = ctx.settings["DAILY_BONUS"], f"daily:{ctx.now:%Y-%m-%d}"
    with transaction():
        due = ctx.persons.once(ctx.user.id, today)
        if due:
            ctx.ledger.post(ctx.user.id, bonus, kind="bonus", key=f"{today}:{ctx.user.id}")
    if due:
        ctx.reply("daily.claimed", ctx.bot.home(), amount=bonus, balance=ctx.ledger.balance(ctx.user.id))
    else:
        ctx.toast("daily.already", n=hours_left(ctx.now))


def hours_left(now):
    """Return the hours from `now` (aware, UTC) to the next UTC midnight, rounded up."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return -(-(midnight - now) // timedelta(hours=1))

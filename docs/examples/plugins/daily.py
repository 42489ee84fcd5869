"""Daily bonus: /daily gives a person a little money once per UTC day.

Setting: DAILY_BONUS, in minor units (kopecks) per day; 0, the default, turns it off.
Texts: daily.* in data/texts/<lang>/daily.po.
"""

from datetime import timedelta

from core.buttons import button


def register(bot):
    """Declare the setting, the command and the button; called once at start."""
    if bot.setting("DAILY_BONUS", int, default=0, minimum=0):
        bot.command("daily", offer, about="daily.about")
        bot.button("daily:claim", claim)


def offer(ctx):
    """Show today's bonus with the button that claims it."""
    rows = [button("daily.claim", "daily:claim"), button("common.menu", "start:menu")]
    ctx.reply("daily.offer", rows, name=ctx.user.first_name, amount=ctx.settings["DAILY_BONUS"])


def claim(ctx):
    """Post today's bonus to the ledger.

    The key names the person and the UTC date, so a double tap, or an update that Telegram sends again, finds the
    entry already there and adds nothing.
    """
    bonus, key = ctx.settings["DAILY_BONUS"], f"daily:{ctx.user.id}:{ctx.now:%Y-%m-%d}"
    entry, created = ctx.ledger.post(ctx.user.id, bonus, kind="bonus", key=key)
    if created:
        ctx.reply("daily.claimed", ctx.bot.home(), amount=entry.amount, balance=ctx.ledger.balance(ctx.user.id))
    else:
        ctx.toast("daily.already", n=hours_left(ctx.now))


def hours_left(now):
    """Return the hours from `now` (aware, UTC) to the next UTC midnight, rounded up."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return -(-(midnight - now) // timedelta(hours=1))

"""/privacy says what is kept; /deleteme forgets a person: names, texts and files go, money rows stay under a number.

Refused while an order, a top-up or a refund is open. The balance that would be lost is shown first.
Setting: KEEP_DAYS, after which texts and files of orders and screenshots are forgotten; 0, the default, keeps them.
Texts: privacy.* in data/texts/<lang>/privacy.po.
"""

from datetime import timedelta

from core.buttons import button
from core.errors import UserError


def register(bot):
    """Declare the commands and, with KEEP_DAYS, the daily forgetting."""
    bot.command("privacy", show, about="privacy.about", order=80, blocked=True)
    bot.command("deleteme", ask, about="privacy.about_delete", order=81)
    bot.button("privacy:ask", ask)
    bot.button("privacy:erase", erase, balance=int)
    if bot.setting("KEEP_DAYS", int, default=0, minimum=0):
        bot.every(24 * 3600, "retention", forget_old)


def show(ctx):
    """Say what is kept, for how long, and who gets it."""
    days = ctx.settings["KEEP_DAYS"]
    kept = ctx.say("privacy.days", n=days) if days else ctx.say("privacy.until_deleted")
    ctx.reply("privacy.text", [button("privacy.delete", "privacy:ask"), *ctx.bot.home()], kept=kept)


def ask(ctx):
    """Say what would be lost, and ask."""
    _refuse_unfinished(ctx)
    balance = ctx.ledger.balance(ctx.user.id)
    key = "privacy.ask_balance" if balance else "privacy.ask"
    ctx.edit(key, [button("privacy.yes", "privacy:erase", balance), *ctx.bot.home()], balance=balance)


def _refuse_unfinished(ctx):
    unfinished = "account" if ctx.user.sales_paused else ctx.privacy.open_of(ctx.user.id)
    if unfinished:
        raise UserError(f"privacy.open_{unfinished}", buttons=ctx.bot.home())


def erase(ctx, balance):
    """Forget the person, if what was shown still holds."""
    if ctx.ledger.balance(ctx.user.id) != balance:
        ask(ctx)
        return
    _refuse_unfinished(ctx)
    if not ctx.privacy.erase(ctx.user.id, ctx.now):
        raise UserError("common.old_button")
    ctx.edit("privacy.done", number=ctx.user.id)


def forget_old(bot, now):
    """Forget the texts and files of what ended KEEP_DAYS ago."""
    bot.privacy.forget_old(now - timedelta(days=bot.settings["KEEP_DAYS"]))

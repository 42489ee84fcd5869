"""A third way to pay: in cash, at the counter. The person says a number, the cashier writes /paid NUMBER.

Setting: COUNTER_ADDRESS, where the counter is; empty, the default, turns this way off.
Texts: counter.* in data/texts/<lang>/counter.po.
"""

from core.errors import OwnCheque, UserError


def register(bot):
    """Declare the way to pay and the cashier's command."""
    if bot.setting("COUNTER_ADDRESS", default=""):
        bot.payment_method("counter", "counter.button", start)
        bot.command("paid", take_cash, about="counter.about", right="topups")


def start(ctx, amount):
    """Create the row first: its number is what the person says at the counter."""
    topup = ctx.payments.create(ctx.user.id, "counter", amount, now=ctx.now)
    ctx.edit("counter.go", ctx.bot.home(), number=topup.id, amount=amount, address=ctx.settings["COUNTER_ADDRESS"])


def take_cash(ctx):
    """Credit the row's amount; its key makes a second /paid with the same number do nothing.

    The payments plugin tells the payer: its listener receives every credit.
    """
    topup = ctx.payments.get(int(ctx.args)) if ctx.args.isdecimal() and len(ctx.args) < 16 else None
    if topup is None or topup.method != "counter":
        raise UserError("counter.unknown", number=ctx.args)
    try:
        topup, created = ctx.payments.credit(topup.id, f"counter:{topup.id}", ctx.now, actor=ctx.user.id)
    except OwnCheque:
        raise UserError("common.own_cheque") from None
    ctx.reply("counter.credited" if created else "counter.already", number=topup.id, amount=topup.amount)

"""Pay with Telegram Stars. The invoice row comes first and its id is the payload; Telegram's charge id is the key.

What is credited is what the row says, never what a session says, and once a charge, however often it is told; a
payment that was taken back is booked however Telegram tells of it. What Telegram did not tell: `reconcile.py`.
Setting: STARS_RATE, units of the balance's currency for one Star; 0 turns Stars off; it can be changed from the chat.
Texts: stars.* in data/texts/<lang>/stars.po.
"""

import logging
from decimal import ROUND_CEILING, Decimal

log = logging.getLogger(__name__)
MOST = 100_000  # Stars in one invoice: limits.tginfo.me


def register(bot):
    """Declare the setting, the way to pay, and the updates of a payment."""
    limits = {"minimum": Decimal(0), "maximum": Decimal(100_000)}
    bot.setting("STARS_RATE", Decimal, default=Decimal("1.6"), advanced=False, chat=True, **limits)
    bot.payment_method("stars", label, start, when="STARS_RATE")
    bot.update("pre_checkout_query", check)
    bot.update("successful_payment", credit)
    bot.update("refunded_payment", take_back)


def _stars(ctx, amount):
    """Return how many Stars pay for an amount, rounded up."""
    return int((Decimal(amount) / 100 / ctx.settings["STARS_RATE"]).to_integral_value(ROUND_CEILING))


def label(ctx, amount):
    """Return the button's text key and values: what an amount costs in Stars."""
    return "stars.button", {"stars": _stars(ctx, amount)}


def start(ctx, amount):
    """Write the invoice row, then send the invoice."""
    stars = _stars(ctx, amount)
    if stars > MOST:
        ctx.toast("stars.too_many", alert=True)
        return
    topup = ctx.payments.create(ctx.user.id, "stars", amount, now=ctx.now, stars=stars)
    title = ctx.texts.plain(ctx.lang, "stars.title", amount=amount)
    ctx.invoice(
        title=title,
        description=ctx.texts.plain(ctx.lang, "stars.description", amount=amount),
        payload=str(topup.id),
        currency="XTR",
        prices=[{"label": title, "amount": stars}],
        start_parameter=f"t{topup.id}",
    )


def check(ctx):
    """Answer the pre-checkout: the row must be there, be this payer's, and ask for these Stars."""
    query = ctx.body
    topup = _row(ctx, query["invoice_payload"])
    fits = (
        topup is not None
        and topup.user_id == ctx.user.id
        and (query["currency"], query["total_amount"]) == ("XTR", topup.stars)
        and not ctx.user.banned
    )
    ctx.answer_checkout(fits, None if fits else "stars.refused")


def _row(ctx, payload):
    if not payload.isdecimal() or len(payload) > 18:
        return None
    topup = ctx.payments.get(int(payload))
    return topup if topup is not None and topup.method == "stars" else None


def credit(ctx):
    """Credit the payer what the invoice row says."""
    payment = ctx.body["successful_payment"]
    topup = _row(ctx, payment["invoice_payload"])
    charge, stars = payment["telegram_payment_charge_id"], payment["total_amount"]
    if topup is None or (payment["currency"], stars) != ("XTR", topup.stars):
        log.error("a payment without an invoice of ours: charge %s, %s Stars", charge, stars)
        ctx.bot.alert("stars.alert_strange", cause=f"charge:{charge}", stars=stars, id=ctx.user.telegram_id)
        ctx.reply("stars.strange", ctx.bot.trouble())
        return
    _topup, created = ctx.payments.credit_stars(charge, topup.id, ctx.user.id, stars, ctx.now)
    ctx.answered = True  # the receipt comes from the credited fact
    log.info("charge %s: %s", charge, "credited" if created else "was credited before")


def take_back(ctx):
    """Book what Telegram says has gone back: our own refund is confirmed by it, anything else is a chargeback."""
    charge = ctx.body["refunded_payment"]["telegram_payment_charge_id"]
    ctx.answered = True  # the news comes from the fact
    log.info("charge %s went back: %s", charge, ctx.returns.taken_back(charge, ctx.now) or "known, or none of ours")

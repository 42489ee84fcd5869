"""Pay with Telegram Stars. The invoice row comes first, and its id is the payload; Telegram's charge id is the key.

A pre-checkout is accepted only while its invoice holds: for a day, at today's rate, once. The acceptance is stored
before Telegram is answered, and fixes what the charge is credited. A refusal says why and offers a fresh invoice. A
charge that was never accepted is credited at today's rate and reported to the staff; a subscription's renewals
(`is_recurring`) are credited as the person agreed. A payment taken back is booked however Telegram reports it;
`payments/reconcile.py` finds what Telegram did not report.
Setting: STARS_RATE, units of the balance's currency for one Star; 0 turns Stars off; it can be changed from the chat.
Texts: stars.* in data/texts/<lang>/payments/stars.po.
"""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from core.buttons import button, route

PERSON = route("users:card", optional=True)

log = logging.getLogger(__name__)
MOST = 100_000  # Stars in one invoice: limits.tginfo.me
VALID = timedelta(hours=24)  # of an invoice
FORGOTTEN = timedelta(days=8)  # after that, no list of Telegram's brings up a payment we have not heard of


def register(bot):
    """Declare the setting, the way to pay, and the updates of a payment."""
    bot.repeatable()
    limits = {"minimum": Decimal(0), "maximum": Decimal(100_000)}
    bot.setting("STARS_RATE", Decimal, default=Decimal("1.6"), advanced=False, chat=True, **limits)
    bot.payment_method("stars", label, start, when="STARS_RATE")
    bot.update("pre_checkout_query", check)
    bot.update("successful_payment", credit)
    bot.update("refunded_payment", take_back)
    bot.on("payment.unchecked", tell_unchecked)
    bot.every(24 * 3600, "checkouts", lambda bot, now: bot.payments.forget_checkouts(now - FORGOTTEN) and None)


def _stars(ctx, amount):
    """Return how many Stars an amount costs, rounded up."""
    return ctx.payments.stars_for(amount, ctx.settings["STARS_RATE"])


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
    """Answer the pre-checkout: accept the payer's own invoice while it would be the same today."""
    query = ctx.body
    topup = _row(ctx, query["invoice_payload"])
    ours = (
        topup is not None
        and topup.user_id == ctx.user.id
        and (query["currency"], query["total_amount"]) == ("XTR", topup.stars)
        and not ctx.user.banned
    )
    reason = _outdated(ctx, topup) if ours else "stars.refused"
    if not reason and not ctx.payments.accept(query["id"], topup.id, ctx.user.id, ctx.now, ctx.now - VALID):
        reason = "stars.paid_before"  # at this very moment, or deleted with its person's data
    ctx.answer_checkout(not reason, reason)
    if not reason:
        ctx.payments.accepted(query["id"])
    elif ours:
        _offer_again(ctx, topup.amount, reason)


def _outdated(ctx, topup):
    """Return why an invoice no longer holds, as a text key; None while it does."""
    if not ctx.settings["STARS_RATE"]:
        return "stars.off"
    if topup.state != "new":
        return "stars.paid_before"
    if topup.created_at < ctx.now - VALID:
        return "stars.too_old"
    return None if _stars(ctx, topup.amount) == topup.stars else "stars.new_rate"


def _offer_again(ctx, amount, reason):
    """Say why the payment did not go through, with the button for a fresh invoice."""
    if ctx.settings["STARS_RATE"]:
        again = button("stars.again", "payments:pay", "stars", amount, stars=_stars(ctx, amount))
    else:
        again = button("stars.another_way", "payments:amount", amount)
    ctx.reply("stars.not_paid", [again, *ctx.bot.home()], reason=ctx.say(reason))


def _row(ctx, payload):
    if not payload.isdecimal() or len(payload) > 18:
        return None
    topup = ctx.payments.get(int(payload))
    return topup if topup is not None and topup.method == "stars" else None


def credit(ctx):
    """Credit the payer with what was accepted or agreed, or with what the Stars are worth today."""
    payment = ctx.body["successful_payment"]
    topup = _row(ctx, payment["invoice_payload"])
    charge, stars = payment["telegram_payment_charge_id"], payment["total_amount"]
    if topup is None or (payment["currency"], stars) != ("XTR", topup.stars):
        log.error("a payment without an invoice of ours: charge %s, %s Stars", charge, stars)
        ctx.bot.alert("common.alert_strange", cause=f"charge:{charge}", stars=stars, id=ctx.user.telegram_id)
        ctx.reply("stars.strange", ctx.bot.trouble())
        return
    renewal = bool(payment.get("is_recurring")) and not payment.get("is_first_recurring")
    terms = {"paid_at": datetime.fromtimestamp(ctx.body["date"], UTC), "agreed": renewal}
    terms["rate"] = ctx.settings["STARS_RATE"]
    _charge, created = ctx.payments.credit_stars(charge, topup.id, ctx.user.id, stars, ctx.now, **terms)
    ctx.answered = True  # the receipt comes from the event `payment.credited`
    log.info("charge %s: %s", charge, "credited" if created else "was credited before")


def tell_unchecked(bot, event, now):
    """Tell the staff about a charge whose pre-checkout was not accepted here."""
    user = bot.users.get(event.user)
    values = {"name": user.first_name, "id": user.telegram_id or 0, "number": event.topup}
    values |= {name: getattr(event, name) for name in ("amount", "invoiced", "stars")}
    for reader, chat_id in bot.recipients("people"):
        rows = [] if chat_id else [[button("common.user", PERSON, user.id)], *bot.home()]
        unique = f"unchecked:{event.charge}:{chat_id or reader.id}"
        bot.notify(reader.id, "stars.unchecked", unique=unique, now=now, chat_id=chat_id, buttons=rows, **values)


def take_back(ctx):
    """Book what Telegram reports as gone back: this confirms our own refund; anything else is a chargeback."""
    charge = ctx.body["refunded_payment"]["telegram_payment_charge_id"]
    ctx.answered = True  # the message comes from the event
    log.info("charge %s went back: %s", charge, ctx.refunds.taken_back(charge, ctx.now) or "known, or none of ours")

"""/monthly: a fixed sum to the balance every 30 days, as a Telegram Stars subscription.

Telegram renews it by itself; the person ends it here or in Telegram, the staff from the person's card. What it costs in Stars is
fixed when it begins. Bot API: the period is 30 days, the price at most 10,000 Stars (createInvoiceLink); ended by
editUserStarSubscription, what is paid stays until its end.
Setting: MONTHLY_AMOUNT, whole units of the currency a month; 0, the default, turns it off; it can be changed from the chat.
Texts: monthly.* in data/texts/<lang>/payments/monthly.po.
"""

import logging
from datetime import UTC, datetime

from core.buttons import button, link, primary, route, way_out
from core.errors import UserError
from core.telegram.sender import TelegramError

BALANCE = route("balance:show", optional=True)
PERSON = route("users:card", optional=True)

log = logging.getLogger(__name__)
MONTH_S = 2_592_000  # Bot API, createInvoiceLink: the only period there is
MOST = 10_000  # Stars, Bot API, createInvoiceLink
NAME = "subscription"  # in the plugin's store, of a person: {charge, until, amount, stars, stopped}


def register(bot):
    """Declare the setting, the screens, and what Telegram tells of a subscription."""
    bot.repeatable()
    bot.setting("MONTHLY_AMOUNT", int, default=0, minimum=0, maximum=10**6, chat=True)
    bot.command("monthly", show, about="monthly.about", order=6)
    bot.button("monthly:show", show)
    bot.button("monthly:begin", begin)
    bot.button("monthly:change", change, stopped=int)
    bot.button("monthly:end", end, right="money", user=int, seen=int)
    bot.update("successful_payment", note, order=40)


def _of(bot, user_id, now):
    """Return the subscription of a person that is paid for, or None."""
    found = bot.store("payments/monthly").of(user_id).get(NAME)
    return found if found and found["until"] > now.timestamp() else None


def _stars(ctx):
    return ctx.payments.stars_for(ctx.settings["MONTHLY_AMOUNT"] * 100, ctx.settings["STARS_RATE"])


def show(ctx):
    """Show the subscription there is, or offer one."""
    found = _of(ctx.bot, ctx.user.id, ctx.now)
    if found is not None:
        key = "monthly.stopped" if found["stopped"] else "monthly.active"
        word = "monthly.again" if found["stopped"] else "monthly.stop"
        rows = [button(word, "monthly:change", 0 if found["stopped"] else 1), way_out(BALANCE)]
        until = datetime.fromtimestamp(found["until"], UTC)
        ctx.edit(key, rows, amount=found["amount"], stars=found["stars"], until=until)
    elif not _is_offered(ctx):
        raise UserError("monthly.off", buttons=ctx.bot.home())
    else:
        rows = [primary("monthly.begin", "monthly:begin", stars=_stars(ctx)), way_out(BALANCE)]
        ctx.edit("monthly.offer", rows, amount=ctx.settings["MONTHLY_AMOUNT"] * 100, stars=_stars(ctx))


def _is_offered(ctx):
    rate = ctx.settings["STARS_RATE"] if "STARS_RATE" in ctx.settings.declared else 0
    return bool(ctx.settings["MONTHLY_AMOUNT"] and rate) and _stars(ctx) <= MOST


def begin(ctx):
    """Write the row first, then make the link that names it: each month is credited what it says."""
    if _of(ctx.bot, ctx.user.id, ctx.now) is not None or not _is_offered(ctx):
        show(ctx)
        return
    amount, stars = ctx.settings["MONTHLY_AMOUNT"] * 100, _stars(ctx)
    topup = ctx.payments.create(ctx.user.id, "stars", amount, now=ctx.now, stars=stars)
    title = ctx.texts.plain(ctx.lang, "monthly.title", amount=amount)
    url = ctx.bot.sender.call(
        "createInvoiceLink",
        title=title,
        description=ctx.texts.plain(ctx.lang, "monthly.description", amount=amount),
        payload=str(topup.id),
        currency="XTR",
        prices=[{"label": title, "amount": stars}],
        subscription_period=MONTH_S,
    )
    ctx.edit("monthly.go", [link("monthly.pay", url, stars=stars), way_out("monthly:show")], amount=amount, stars=stars)


def note(ctx):
    """Keep what Telegram tells of a subscription's payment; the credit is the business of `payments/stars.py`."""
    payment = ctx.body["successful_payment"]
    if "subscription_expiration_date" in payment and payment["invoice_payload"].isdecimal():
        topup = ctx.payments.get(int(payment["invoice_payload"][:18]))
        store = ctx.bot.store("payments/monthly").of(ctx.user.id)
        known = store.get(NAME) or {}
        charge = known.get("charge") if not payment.get("is_first_recurring") else None
        about = {"charge": charge or payment["telegram_payment_charge_id"], "stopped": False}
        about |= {"until": payment["subscription_expiration_date"], "stars": payment["total_amount"]}
        store.put(NAME, about | {"amount": topup.amount if topup else 0})
    return ctx.PASS


def change(ctx, stopped):
    """End the renewal, or let it go on again."""
    found = _of(ctx.bot, ctx.user.id, ctx.now)
    if found is None:
        raise UserError("common.old_button")
    _tell_telegram(ctx, ctx.user, found, bool(stopped))
    show(ctx)


def _tell_telegram(ctx, user, found, stopped, act=None):
    """Have Telegram end or resume a subscription, and keep that it has; an `act` of the staff is logged."""
    about = {"user_id": user.telegram_id, "telegram_payment_charge_id": found["charge"]}
    try:
        ctx.bot.sender.call("editUserStarSubscription", is_canceled=stopped, **about)
    except TelegramError as error:
        log.error("the subscription %s could not be changed: %s", found["charge"], error)
        raise UserError("monthly.refused", buttons=ctx.bot.home()) from None
    ctx.bot.store("payments/monthly").of(user.id).put(NAME, found | {"stopped": stopped}, act)


def end(ctx, user, seen):
    """End somebody's subscription that is paid until `seen` (seconds), for the staff; they are told."""
    person, found = ctx.users.get(user), _of(ctx.bot, user, ctx.now)
    if person is None or found is None or found["stopped"]:
        raise UserError("monthly.none")
    if int(found["until"]) != seen:
        ctx.toast("common.changed_meanwhile", alert=True)
        return
    _tell_telegram(ctx, person, found, True, {"actor_id": ctx.user.id, "what": "monthly_end", "now": ctx.now})
    until = ctx.texts.plain(ctx.bot.lang_of(person), "monthly.day", when=datetime.fromtimestamp(found["until"], UTC))
    ctx.notify(
        user, "monthly.ended", unique=f"monthly:{found['charge']}:{found['until']}", buttons=ctx.bot.home(), until=until
    )
    ctx.edit("monthly.ended_desk", [way_out(PERSON, user)], name=person.first_name)

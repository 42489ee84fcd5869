"""Payments by providers as people see them: the link, what became of it, and what did not go as it should.

The rows, the polls and the credits are the core's (`core/services/providers`); a provider is a plugin of its own.
Whoever pays by a link, the money comes to the balance of who asked for it.
Texts: online.* in data/texts/<lang>/payments/online.po.
"""

from core.buttons import FRESH, button, link, route
from core.errors import UserError
from core.services import providers
from core.services.providers import payments

BALANCE = route("balance:show", optional=True)
TOP_UP = route("payments:show", optional=True)
WAYS = route("payments:amount", optional=True)
DESK = "online:desk"
RECEIPT = route("receipts:show", optional=True)


def register(bot):
    """Declare the screens, what follows the news of a payment, and doctor's reminder of Telegram's terms."""
    bot.repeatable()
    bot.button("online:start", start, name=str, way=str, amount=int)
    bot.button("online:check", check, topup=int)
    bot.on("payment.ready", tell_ready)
    bot.on("payment.credited", close_screen)
    bot.on("payment.late", tell_late)
    bot.on("payment.stopped", tell_stopped)
    bot.on("payment.mismatch", tell_mismatch)
    bot.check("payments outside Telegram", terms)
    bot.privacy_line(lambda ctx: ctx.say("online.privacy") if bot.payment_providers else None)


def terms(bot):
    """Remind of what an operator takes upon himself who takes money outside Telegram."""
    names = ", ".join(providers.title(bot, name) for name in bot.payment_providers)
    return ("online.terms", {"names": names}) if names else None


def start(ctx, name, way, amount):
    """Write the row, answer the tap, then ask the provider for a link; an open payment of the same sum is shown again."""
    provider = ctx.bot.payment_providers.get(name)
    if provider is None or ".".join(filter(None, (name, way))) not in ctx.bot.payment_methods:
        raise UserError("common.old_button")  # such as one under a payment of a way that is closed by now
    least, most = _limits(ctx, provider)
    if not least <= amount <= most:
        raise UserError(
            "online.out_of_range", [button("online.other_sum", TOP_UP), *ctx.bot.home()], least=least, most=most
        )
    text = ctx.texts.plain(ctx.lang, "online.description", amount=amount)
    payment = payments.begin(ctx.bot, provider, ctx.user, way, amount, text, ctx.now)
    screen = None
    if payment.state in ("created", "unknown"):
        screen = ctx.edit("online.preparing", amount=amount)
        ctx.finish_tap()
        payment = payments.ask(ctx.bot, provider, payment, ctx.now, late=False)
    _show(ctx, payment, screen, is_off=provider.refused is not None)


def _limits(ctx, provider):
    """Return the least and the most that a provider takes within the shop's own limits, which may be gone with their plugin."""
    least, most = provider.least, provider.most
    if {"TOPUP_MIN", "TOPUP_MAX"} <= set(ctx.settings.declared):
        least, most = max(least, ctx.settings["TOPUP_MIN"] * 100), min(most, ctx.settings["TOPUP_MAX"] * 100)
    return least, most


def _show(ctx, payment, screen, is_off):
    """Show where a payment stands just after it was asked for."""
    values = _values(payment)
    if payment.state == "pending" and payment.url:
        shown = ctx.edit(
            "online.go", _link(payment), message_id=screen, **values, **_about_link(ctx.bot, payment, ctx.lang)
        )
        ctx.provider_payments.note_screen(payment.topup_id, shown)
    elif payment.state == "cancelled":
        ctx.edit("online.refused", _again(payment), message_id=screen, **values)
    elif is_off:
        ctx.edit("online.off", [button("online.another_way", TOP_UP), *ctx.bot.home()], message_id=screen, **values)
    else:
        ctx.edit("online.wait", ctx.bot.home(), message_id=screen, **values)


def _values(payment):
    return {"number": payment.topup_id, "amount": payment.topup.amount}


def _about_link(bot, payment, lang):
    """Return how long a link lives, and whether it takes no real money."""
    until = bot.texts.plain(lang, "online.until", when=payment.expires_at)
    return {"until": until, "test": bot.texts.plain(lang, "online.test") if payment.test else ""}


def _link(payment):
    pay = link("online.pay", payment.url, amount=payment.topup.amount)
    check = button("online.check", "online:check", payment.topup_id)
    other = button("online.another_way", WAYS, payment.topup.amount)
    back = button("common.back", TOP_UP)
    return [pay, check, [other, back], [button("common.balance", BALANCE), button("common.menu", FRESH)]]


def _again(payment):
    """Return the buttons that lead on from a payment that will not come."""
    provider, way, amount = payment.provider, payment.way, payment.topup.amount
    return [
        button("online.again", "online:start", provider, way, amount, amount=amount),
        [button("online.another_way", WAYS, amount), button("common.menu", FRESH)],
    ]


def check(ctx, topup):
    """Have the provider asked now: that only hurries what happens by itself."""
    payment = ctx.provider_payments.get(topup, ctx.user.id)
    if payment is None:
        raise UserError("common.old_button")
    if payment.state == "pending":
        payments.hurry(payment, ctx.now)
    ctx.toast(f"online.is_{payment.state}", alert=True)


# the news of a payment


def tell_ready(bot, event, now):
    """Bring a link that took its time."""
    payment = bot.provider_payments.get(event.topup)
    if payment.state == "pending" and payment.url:
        values = _values(payment) | _about_link(bot, payment, bot.lang_of(payment.topup.user))
        unique = f"link:{event.topup}"
        bot.notify(event.user, "online.go", unique=unique, now=now, buttons=_link(payment), **values)


def close_screen(bot, event, now):
    """Take the link away once it is paid; the staff hears of money for somebody who was forgotten meanwhile."""
    payment = bot.provider_payments.get(event.topup)
    if payment is not None and payment.topup.user.telegram_id is None:
        _tell_desk(bot, payment, "online.desk_forgotten", f"forgotten:{event.id}", now)
    elif payment is not None:
        _redraw(bot, payment, "online.paid", [button("online.receipt", RECEIPT, event.topup), *bot.home()])


def _redraw(bot, payment, key, buttons):
    user = payment.topup.user
    if payment.screen and user.telegram_id:
        lang, values = bot.lang_of(user), _values(payment)
        bot.edit_quietly(user.telegram_id, payment.screen, lang, key, buttons, values)


def tell_late(bot, event, now):
    """Tell the payer and the staff of money that came for a payment that was given up."""
    payment = bot.provider_payments.get(event.topup)
    unique, values = f"late:{event.id}", _values(payment)
    bot.notify(event.user, "online.late", unique=unique, now=now, buttons=bot.home(), **values)
    _tell_desk(bot, payment, "online.desk_late", unique, now)


def tell_stopped(bot, event, now):
    """Tell the payer why a payment will not come; of one nobody has paid, only the link is taken away."""
    payment = bot.provider_payments.get(event.topup)
    if event.state == "expired":
        _redraw(bot, payment, "online.expired", _again(payment))
        return
    reason = bot.texts.plain(bot.lang_of(payment.topup.user), event.why) if bot.texts.has(event.why) else ""
    _redraw(bot, payment, "online.closed", _again(payment))
    unique = f"stopped:{event.id}"
    bot.notify(
        event.user, "online.stopped", unique=unique, now=now, buttons=_again(payment), reason=reason, **_values(payment)
    )


def tell_mismatch(bot, event, now):
    """Tell the payer that a person has to look, and the staff what differs."""
    payment, unique = bot.provider_payments.get(event.topup), f"mismatch:{event.id}"
    key = "online.mismatch_amount" if event.trouble == "amount" and event.received else "online.mismatch"
    more = {"received": event.received or 0}
    rows = bot.trouble(f"pay{event.topup}")
    bot.notify(event.user, key, unique=unique, now=now, buttons=rows, **_values(payment), **more)
    _tell_desk(bot, payment, "online.desk_mismatch", unique, now, differs=event.trouble, said=event.said, **more)


def _tell_desk(bot, payment, key, unique, now, differs=None, **values):
    user = payment.topup.user
    values |= {"name": user.first_name, "id": user.telegram_id or 0, "provider": providers.title(bot, payment.provider)}
    for reader, chat_id in bot.recipients("topups"):
        rows = [] if chat_id else [[button("online.desk_open", DESK)], *bot.home()]
        if differs:
            values["trouble"] = bot.texts.plain(bot.lang_of(reader), f"online.differs_{differs}")
        one = f"{unique}:{chat_id or reader.id}"
        bot.notify(reader.id, key, unique=one, now=now, chat_id=chat_id, buttons=rows, **_values(payment), **values)

"""The staff's part of payments by providers: what came otherwise than asked for, and money given back, whole or in part.

What came is credited as it is, or set apart when it is settled otherwise, such as given back in the provider's cabinet. A
refund is booked before the provider is asked, under its own key; while it does not answer, it is asked again, and when it
refuses, the money returns to the balance. Any part that goes back takes the payment's bonuses with it.
Texts: payback.* in data/texts/<lang>/payments/online_desk.po.
"""

import secrets

from core import amounts
from core.buttons import button, danger, route, way_out
from core.errors import NotEnoughMoney, OwnCheque, UserError
from core.handling import rights
from core.services import providers
from core.services.providers import refunds

ADMIN = route("admin:show", optional=True)
PERSON = route("users:card", optional=True)
SHOWN = 6
MAX_REASON = 200


def register(bot):
    """Declare the list of what has to be decided, and the steps of a refund."""
    bot.repeatable()
    bot.button("online:desk", desk, right="topups")
    bot.button("online:credit", credit, right="topups", topup=int)
    bot.button("online:apart", set_apart, right="topups", topup=int)
    bot.step("online:sum", take_sum, right="topups")
    bot.button("payback:list", show, right="money", user=int)
    bot.button("payback:ask", ask, right="money", user=int, topup=int)
    bot.button("payback:all", take_all, right="money")
    bot.step("payback:amount", take_amount, right="money")
    bot.step("payback:reason", take_reason, right="money")
    bot.step("payback:sum", take_own_sum, right="money")
    bot.button("payback:go", go, right="money", draft=int, version=int)
    bot.admin_menu("payback.menu", "online:desk", row=1, values=count)


def count(bot):
    """Fill in the admin menu's label; without providers there is no such button."""
    return {"count": len(bot.provider_payments.mismatches(limit=99))} if bot.payment_providers else None


# what came otherwise


def desk(ctx):
    """List what has to be decided."""
    found = ctx.provider_payments.mismatches(limit=SHOWN)
    rows = []
    for payment in found:
        cells = [button("payback.apart", "online:apart", payment.topup_id, number=payment.topup_id)]
        if payment.trouble == "amount" and payment.received:
            cells.insert(0, button("payback.credit", "online:credit", payment.topup_id, amount=payment.received))
        rows.append(cells)
    lines = [ctx.say("payback.line", **_about(ctx, payment)) for payment in found]
    ctx.edit("payback.desk" if found else "payback.nothing", [*rows, way_out(ADMIN)], lines=ctx.lines(lines))


def _about(ctx, payment):
    user, trouble = payment.topup.user, ctx.texts.plain(ctx.lang, f"online.differs_{payment.trouble}")
    about = {"number": payment.topup_id, "trouble": trouble, "provider": providers.title(ctx.bot, payment.provider)}
    about |= {"amount": payment.topup.amount, "received": payment.received or 0}
    return about | {"name": user.first_name, "id": user.telegram_id or 0, "external": payment.external_id or "–"}


def credit(ctx, topup):
    """Credit what has come."""
    _settle(ctx, topup, True)


def set_apart(ctx, topup):
    """Close a payment whose money is settled otherwise."""
    _settle(ctx, topup, False)


def _settle(ctx, topup, is_credit, alone=False):
    try:
        settled = ctx.provider_payments.settle(topup, ctx.user.id, ctx.now, credit=is_credit, alone=alone)
    except ValueError:
        raise UserError("common.old_button") from None
    except OwnCheque:
        worth = ctx.provider_payments.get(topup).received
        rights.ask_sum(ctx, "topups", "online:sum", worth, {"topup": topup}, way_out("online:desk"))
        return
    ctx.toast("payback.decided" if settled else "payback.was_decided")
    desk(ctx)


def take_sum(ctx):
    """Credit a payment of one's own, alone in the shop, once its sum was typed."""
    data = rights.read_sum(ctx, "topups", way_out("online:desk"))
    ctx.done("online")
    _settle(ctx, data["topup"], True, alone=True)


# money given back


def show(ctx, user):
    """List a user's newest payments by providers."""
    found = ctx.provider_payments.of_user(user, limit=SHOWN)
    rows = [
        button(
            "payback.row",
            "payback:ask",
            user,
            p.topup_id,
            number=p.topup_id,
            amount=p.topup.credited,
            provider=providers.title(ctx.bot, p.provider),
        )
        for p in found
    ]
    ctx.edit("payback.list" if found else "payback.none", [*rows, way_out(PERSON, user)])


def ask(ctx, user, topup):
    """Ask how much of a payment goes back."""
    payment = ctx.provider_payments.get(topup, user)
    if payment is None or payment.provider not in ctx.bot.payment_providers:
        raise UserError("common.old_button")
    left = ctx.provider_refunds.left(topup)
    back = way_out("payback:list", user)
    on_its_way = any(one.state == "asked" for one in ctx.provider_refunds.of_payment(topup))
    if on_its_way or not left:
        raise UserError("payback.on_its_way" if on_its_way else "payback.nothing_left")
    rows = [button("payback.all", "payback:all", amount=left), back]
    ctx.ask("payback:amount", "payback.ask", rows, data={"topup": topup, "user": user}, number=topup, left=left)


def take_all(ctx):
    """Give back all that is left."""
    draft = ctx.drafts.get(ctx.user.id, "payback", ctx.now)
    if draft is None or "topup" not in draft.data:
        raise UserError("common.old_button")
    _ask_reason(ctx, draft.data, ctx.provider_refunds.left(draft.data["topup"]))


def take_amount(ctx):
    """Read how much goes back."""
    amount, data = amounts.read(ctx.text), ctx.draft.data
    left = ctx.provider_refunds.left(data["topup"])
    if amount is None or amount > left:
        raise UserError("payback.want_amount", buttons=[way_out("payback:list", data["user"])], left=left)
    _ask_reason(ctx, data, amount)


def _ask_reason(ctx, data, amount):
    rows = [way_out("payback:list", data["user"])]
    ctx.ask(
        "payback:reason",
        "payback.ask_reason",
        rows,
        data=data | {"amount": amount},
        amount=amount,
        number=data["topup"],
    )


def take_reason(ctx):
    """Keep the reason and ask once more, with what it would cost the operator."""
    data = ctx.draft.data
    if not ctx.text.strip():
        raise UserError("payback.want_reason", buttons=[way_out("payback:list", data["user"])])
    _check(ctx, data | {"reason": ctx.text.strip()[:MAX_REASON]}, ctx.reply)


def _check(ctx, data, draw):
    payment = ctx.provider_payments.get(data["topup"])
    loss = ctx.provider_refunds.would_lose(data["topup"], data["amount"])
    data = {"key": secrets.token_hex(16)} | data | {"loss": loss}  # the key stays when the loss is shown again
    draft = ctx.drafts.put(ctx.user.id, "payback", ctx.now, data=data, step=None)
    key = "payback.confirm_loss" if loss else "payback.confirm"
    rows = [danger(key, "payback:go", draft.id, draft.version), way_out("payback:list", data["user"])]
    note = refunds.note(ctx.bot, payment, data["amount"])
    values = {"name": payment.topup.user.first_name, "amount": data["amount"], "reason": data["reason"], "loss": loss}
    values |= {
        "number": data["topup"],
        "provider": providers.title(ctx.bot, payment.provider),
        "note": ctx.say(note[0], **note[1]) if note else "",
    }
    draw("payback.check_loss" if loss else "payback.check", rows, **values)


def go(ctx, draft, version):
    """Give back what was confirmed."""
    found = ctx.drafts.get(ctx.user.id, "payback", ctx.now)
    if found is None or (found.id, found.version) != (draft, version) or "loss" not in found.data:
        raise UserError("payback.done_before")
    _give_back(ctx, found.data)


def take_own_sum(ctx):
    """Give oneself a payment back, alone in the shop, once its sum was typed."""
    _give_back(ctx, rights.read_sum(ctx, "money", way_out("payback:list", ctx.user.id)), alone=True)


def _give_back(ctx, data, alone=False):
    """Book the confirmed refund and ask the provider for it; a loss larger than the confirmed one is shown again."""
    about = (data["topup"], data["amount"], ctx.user.id, data["reason"], ctx.now)
    try:
        booked = ctx.provider_refunds.ask(*about, key=data["key"], loss_allowed=data["loss"], alone=alone)
    except OwnCheque:
        back = way_out("payback:list", data["user"])
        rights.ask_sum(ctx, "money", "payback:sum", data["amount"], data, back)
        return
    except NotEnoughMoney:
        _check(ctx, data, ctx.edit)
        return
    ctx.done("payback")
    if booked is None:
        raise UserError("payback.done_before")
    ctx.finish_tap()
    payment = ctx.provider_payments.get(data["topup"])
    state = refunds.give_back(ctx.bot, ctx.bot.payment_providers[payment.provider], booked[0], ctx.now)
    ctx.edit(f"payback.is_{state}", [way_out(PERSON, data["user"])], amount=data["amount"], number=data["topup"])

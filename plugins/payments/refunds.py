"""Stars refunded from the user card: chosen, explained, confirmed once.

A refund is booked before Telegram is asked, so the money cannot be spent meanwhile; if Telegram does not answer, it is
asked again every minute, and if it refuses, the money returns to the balance. The payment's bonuses go and return with
it. What the balances do not cover is the operator's loss and is confirmed as such. A payer who has been forgotten since
is found in Telegram's list. One's own payment is refunded by somebody else; an owner who is alone types the sum.
Texts: refunds.* in data/texts/<lang>/payments/refunds.po.
"""

import logging

from core.buttons import button, danger, mark, route, way_out
from core.errors import NotEnoughMoney, OwnCheque, UserError
from core.handling import rights
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, TelegramFailed, UnknownOutcome

PERSON = route("users:card", optional=True)
BY_PROVIDERS = route("payback:list", optional=True)
END_MONTHLY = route("monthly:end", optional=True)

log = logging.getLogger(__name__)
SHOWN = 6
PAGE = 100  # Bot API, getStarTransactions: 1–100, in chronological order
KNOWN = 200  # payments that are searched for the one on an old list
MAX_REASON = 200


def register(bot):
    """Declare the list of a user's Stars payments and the steps of a refund."""
    bot.repeatable()
    bot.button("refunds:list", show, right="money", user=int)
    bot.button("refunds:ask", ask, right="money", user=int, charge=str)
    bot.step("refunds:reason", take_reason, right="money")
    bot.step("refunds:sum", take_sum, right="money")
    bot.button("refunds:go", refund, right="money", draft=int, version=int)
    bot.every(60, "refunds", ask_again)


def show(ctx, user):
    """List a user's newest payments in Stars."""
    found = ctx.payments.charges(user_id=user, limit=SHOWN)
    rows = [
        button(
            "refunds.row",
            "refunds:ask",
            user,
            mark(charge.charge_id),
            number=charge.topup.id,
            amount=charge.credit.amount,
            stars=charge.stars,
            mark=ctx.texts.plain(ctx.lang, f"refunds.mark_{charge.refund or 'none'}"),
        )
        for charge in found
    ]
    if ctx.bot.payment_providers:
        rows.append(button("refunds.by_providers", BY_PROVIDERS, user))
    if subscription := ctx.bot.store("payments/monthly").of(user).get("subscription"):
        rows.append(danger("refunds.monthly", END_MONTHLY, user, int(subscription["until"])))
    ctx.edit("refunds.list" if found else "refunds.none", [*rows, way_out(PERSON, user)])


def ask(ctx, user, charge):
    """Ask why this payment is refunded."""
    found = ctx.payments.charges(user_id=user, limit=KNOWN)
    charge = next((one for one in found if mark(one.charge_id) == charge), None)
    if charge is None:
        raise UserError("common.old_button")
    if charge.refund:
        raise UserError(f"refunds.was_{charge.refund}")
    data = {"charge": charge.charge_id, "user": user}
    ctx.ask(
        "refunds:reason",
        "refunds.ask",
        [way_out("refunds:list", user)],
        data=data,
        number=charge.topup_id,
        amount=charge.credit.amount,
        stars=charge.stars,
        when=charge.created_at,
    )


def take_reason(ctx):
    """Keep the reason and ask for confirmation, with what it would cost the operator."""
    if not ctx.text.strip():
        raise UserError("refunds.want_reason", buttons=[way_out("refunds:list", ctx.draft.data["user"])])
    _check(ctx, ctx.draft.data | {"reason": ctx.text.strip()[:MAX_REASON]}, ctx.reply)


def _check(ctx, data, draw):
    charge = ctx.refunds.charge(data["charge"])
    loss, held = ctx.refunds.would_lose(charge.charge_id), ctx.jobs.funds(charge.user_id).held
    draft = ctx.drafts.put(ctx.user.id, "refunds", ctx.now, data=data | {"loss": loss}, step=None)
    person = ctx.users.get(charge.user_id)
    rows = [
        danger("refunds.confirm_loss" if loss else "refunds.confirm", "refunds:go", draft.id, draft.version),
        way_out("refunds:list", person.id),
    ]
    draw(
        "refunds.check_loss" if loss else "refunds.check",
        rows,
        name=person.first_name,
        amount=charge.credit.amount,
        stars=charge.stars,
        loss=loss,
        held=ctx.say("refunds.held", amount=held) if loss and held else "",
        reason=data["reason"],
    )


def refund(ctx, draft, version):
    """Refund what was confirmed."""
    found = ctx.drafts.get(ctx.user.id, "refunds", ctx.now)
    if found is None or (found.id, found.version) != (draft, version) or "loss" not in found.data:
        raise UserError("refunds.done_before")
    _refund(ctx, found.data)


def take_sum(ctx):
    """Refund one's own payment, alone in the shop, after its sum was typed."""
    _refund(ctx, rights.read_sum(ctx, "money", way_out("refunds:list", ctx.user.id)), alone=True)


def _refund(ctx, data, alone=False):
    """Book the confirmed refund and ask Telegram for it; a larger loss than the confirmed one is shown again."""
    charge = ctx.refunds.charge(data["charge"])
    payer = _known_payer(ctx, charge.charge_id)
    try:
        booked = ctx.refunds.ask_refund(
            data["charge"], ctx.user.id, data["reason"], ctx.now, loss_allowed=data["loss"], alone=alone
        )
    except OwnCheque:
        back = way_out("refunds:list", charge.user_id)
        rights.ask_sum(ctx, "money", "refunds:sum", charge.credit.amount, data, back)
        return
    except NotEnoughMoney:
        _check(ctx, data, ctx.edit)
        return
    ctx.done("refunds")
    if booked is None:
        raise UserError("refunds.done_before")
    state = _ask_telegram(ctx.bot, charge, payer, ctx.now)
    ctx.edit(f"refunds.{state}", [way_out(PERSON, charge.user_id)], amount=charge.credit.amount, stars=charge.stars)


def _known_payer(ctx, charge_id):
    """Return the payer's Telegram id, before anything is booked; raise UserError if it is not available."""
    try:
        payer = _payer(ctx.bot, charge_id)
    except TelegramFailed as error:
        log.warning("who paid %s could not be looked up: %s", charge_id, error)
        raise UserError("refunds.later") from None
    if payer is None:
        raise UserError("refunds.no_payer")
    return payer


def _payer(bot, charge_id):
    """Return the payer's Telegram id: known, or found in Telegram's list and kept with the charge; else None."""
    payer = bot.refunds.payer(charge_id)
    offset = 0
    while payer is None:
        page = bot.sender.call("getStarTransactions", offset=offset, limit=PAGE)["transactions"]
        sources = [
            one["source"] for one in page if one["id"] == charge_id and one.get("source", {}).get("type") == "user"
        ]
        if sources:
            payer = sources[0]["user"]["id"]
            bot.refunds.keep_payer(charge_id, payer)
        elif len(page) < PAGE:
            break
        offset += PAGE
    return payer


def _ask_telegram(bot, charge, payer, now):
    """Ask Telegram to refund the Stars; return "done", "refused", or "asked" if it has to be asked again.

    Asking twice is safe: Telegram answers CHARGE_ALREADY_REFUNDED.
    """
    try:
        bot.sender.call("refundStarPayment", user_id=payer, telegram_payment_charge_id=charge.charge_id)
    except TelegramError as error:
        if error.code != 400:
            log.warning("refund of %s: %s", charge.charge_id, error)
            return "asked"
        if "ALREADY_REFUNDED" not in error.description:
            log.error("refund of %s refused: %s", charge.charge_id, error)
            bot.refunds.refund_refused(charge.charge_id, now)
            bot.alert("refunds.alert_refused", cause=f"refund:{charge.charge_id}", number=charge.topup_id)
            return "refused"
    except (NotSent, UnknownOutcome) as error:
        log.warning("refund of %s: %s", charge.charge_id, error)
        return "asked"
    bot.refunds.refund_done(charge.charge_id)
    return "done"


def ask_again(bot, now):
    """Repeat the refund requests that Telegram has not answered."""
    for charge in bot.refunds.refunds_asked():
        try:
            payer = _payer(bot, charge.charge_id)
        except TelegramFailed as error:
            log.warning("who paid %s could not be looked up: %s", charge.charge_id, error)
            continue
        if payer is not None:
            _ask_telegram(bot, charge, payer, now)

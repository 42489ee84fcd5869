"""Money taken back: an approval undone, Stars refunded by an admin, Stars taken back from outside.

Each is a forced debit under its own key; what the balance lacks is written off, and sales to that person pause until an
admin decides. Every bonus earned by the payment goes with it, in the same transaction (`storage/money/bonuses.py`). A
refund is booked first and requested from Telegram afterwards; after a crash in between, `Charge.refund = asked`, and it
is requested again:

    (nothing) ──admin──▶ asked ──Telegram says yes──▶ done
                           └─────Telegram says no───▶ refused   (booked back)
    (nothing), refused ──from outside──▶ done                   (a chargeback)
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import BonusState, EntryKind, RefundState, TopUpState
from storage.base.tables import Charge, TopUp, User
from storage.journal import audit_log, erasable_text, events
from storage.journal.event_kinds import PaymentRestored, PaymentReturned
from storage.money import bonuses, ledger, persons
from storage.money.payments import charges_with_credit


def undo(topup_id: int, actor_id: int, reason: str, now: datetime) -> tuple[TopUp, int] | None:
    """approved → undone: take an approved transfer back; return (row, write-off), or None if it is not approved."""
    with transaction():
        rows = TopUp.update(state=TopUpState.UNDONE).where(TopUp.id == topup_id, TopUp.state == TopUpState.APPROVED)
        topup = next(iter(rows.returning(TopUp).execute()), None)
        if topup is None:
            return None
        topup.digest = erasable_text.keep(reason, topup.user_id)
        TopUp.update(digest=topup.digest).where(TopUp.id == topup.id).execute()
        details: dict[str, Any] = {"ref": f"topup:{topup.id}", "actor": actor_id, "reason": reason, "now": now}
        loss = ledger.force(topup.user_id, topup.credited, kind=EntryKind.TOPUP, key=f"undo:{topup.id}", **details)
        audit_log.note(
            actor_id, "undo", now, user=topup.user_id, ref=details["ref"], words=reason, amount=topup.credited
        )
        announce_return(topup.id, topup.user_id, topup.credited, loss, now, by=actor_id)
        return topup, loss + bonuses.take_back(f"topup:{topup.id}", "undo", now, actor=actor_id, reason=reason)


def announce_return(topup_id: int, user_id: int, amount: int, loss: int, now: datetime, by: int | None = None) -> None:
    """Pause sales if the money was spent already or the payer took it back themselves; emit the event."""
    paused = bool(loss) or by is None
    if paused:
        persons.mark(user_id, sales_paused=True)
    data: dict[str, Any] = {
        "user": user_id,
        "topup": topup_id,
        "amount": amount,
        "loss": loss,
        "by": by,
        "paused": paused,
    }
    events.emit(PaymentReturned(**data), now)


def charge(charge_id: str) -> Charge | None:
    """Return a payment in Stars with its user, invoice and credit, or None."""
    with connection():
        return charges_with_credit().where(Charge.charge_id == charge_id).first()


def _charge(charge_id: str) -> Charge:
    return charges_with_credit().where(Charge.charge_id == charge_id).get()


def would_lose(charge_id: str) -> int:
    """Return what would be written off now for a refund of a payment and its bonuses, in minor units."""
    with connection():
        payment, owed = _charge(charge_id), Counter[int]()
        owed[payment.user_id] = payment.credit.amount
        for bonus in bonuses.of_payment(f"stars:{charge_id}"):
            owed[bonus.user_id] += bonus.amount if bonus.state == BonusState.POSTED else 0
        return sum(max(0, amount - ledger.balance(user)) for user, amount in owed.items())


def ask_refund(
    charge_id: str, actor_id: int, reason: str, now: datetime, *, loss_allowed: int = 0, alone: bool = False
) -> tuple[Charge, int] | None:
    """Book a refund, before Telegram is asked for it; return (charge, write-off), or None if there was one before.

    Raise NotEnoughMoney, with nothing changed, if the write-off would exceed `loss_allowed` (minor units), and OwnCheque
    for the actor's own payment, unless proven to be `alone` in the shop.
    """
    with transaction():
        asked = Charge.update(refund=RefundState.ASKED).where(Charge.charge_id == charge_id, Charge.refund.is_null())
        if not asked.execute():
            return None
        payment = _charge(charge_id)
        own = audit_log.refuse_own(actor_id, payment.user_id, alone)
        amount, ref = payment.credit.amount, f"topup:{payment.topup_id}"
        details: dict[str, Any] = {"ref": ref, "actor": actor_id, "reason": reason}
        loss = ledger.force(
            payment.user_id, amount, kind=EntryKind.REFUND, key=f"refund:{charge_id}", now=now, **details
        )
        audit_log.note(actor_id, "refund", now, user=payment.user_id, ref=ref, words=reason, amount=amount, own=own)
        announce_return(payment.topup_id, payment.user_id, amount, loss, now, by=actor_id)
        loss += bonuses.take_back(f"stars:{charge_id}", "refund", now, actor=actor_id, reason=reason)
        if loss > loss_allowed:
            raise ledger.NotEnoughMoney(loss - loss_allowed)
        return payment, loss


def _is_asked(charge_id: str) -> tuple[Any, Any]:
    return Charge.charge_id == charge_id, Charge.refund == RefundState.ASKED


def refund_done(charge_id: str) -> bool:
    """asked → done: Telegram has returned the Stars; return whether it was asked for."""
    with transaction():
        done = Charge.update(refund=RefundState.DONE).where(*_is_asked(charge_id))
        return bool(done.execute())


def refund_refused(charge_id: str, now: datetime) -> Charge | None:
    """asked → refused: Telegram does not return the Stars, so the booking is reversed; return the charge or None."""
    with transaction():
        refused = Charge.update(refund=RefundState.REFUSED).where(*_is_asked(charge_id))
        if not refused.execute():
            return None
        payment = _charge(charge_id)
        amount, ref = payment.credit.amount, f"topup:{payment.topup_id}"
        keys = {"debit_key": f"refund:{charge_id}", "key": f"unrefund:{charge_id}"}
        ledger.give_again(payment.user_id, amount, kind=EntryKind.REFUND, now=now, ref=ref, **keys)
        bonuses.give_again(f"stars:{charge_id}", now)
        events.emit(PaymentRestored(user=payment.user_id, topup=payment.topup_id, amount=amount), now)
        return payment


def refunds_asked() -> list[Charge]:
    """Return the charges whose refund Telegram has not answered yet, with their users, invoices and credits."""
    with connection():
        if _any_asked.first() is None:  # nearly always, and asked each minute
            return []
        return list(charges_with_credit().where(Charge.refund == RefundState.ASKED))


@Prepared[tuple[str]]
def _any_asked() -> "ModelSelect[Charge]":
    return Charge.select(Charge.charge_id).where(Charge.refund == RefundState.ASKED).limit(1)


def taken_back(charge_id: str, now: datetime) -> str | None:
    """Note that, according to Telegram, a payment went back: confirm our own refund, or book a chargeback.

    Return "refund" or "chargeback" if that is news, None if it is known or the payment is not ours.
    """
    with transaction():
        if refund_done(charge_id):
            return "refund"
        new = Charge.refund.is_null() | (Charge.refund == RefundState.REFUSED)
        if not Charge.update(refund=RefundState.DONE).where(Charge.charge_id == charge_id, new).execute():
            return None
        payment = _charge(charge_id)
        amount, ref = payment.credit.amount, f"topup:{payment.topup_id}"
        details: dict[str, Any] = dict(kind=EntryKind.CHARGEBACK, key=f"chargeback:{charge_id}", ref=ref)
        loss = ledger.force(payment.user_id, amount, now=now, **details)
        announce_return(payment.topup_id, payment.user_id, amount, loss, now)
        bonuses.take_back(f"stars:{charge_id}", "chargeback", now)
        return "chargeback"


def payer(charge_id: str) -> int | None:
    """Return the payer's Telegram id, which is kept for a while after an erasure; None once it is forgotten."""
    with connection():
        query = Charge.select(fn.COALESCE(User.telegram_id, Charge.payer)).join(User)
        return query.where(Charge.charge_id == charge_id).scalar()


def keep_payer(charge_id: str, telegram_id: int) -> None:
    """Note the payer's Telegram id from Telegram's list, for a refund that may have to be requested again."""
    with transaction():
        Charge.update(payer=telegram_id).where(Charge.charge_id == charge_id).execute()


def mark_listed(charge_ids: Collection[str]) -> None:
    """Note that Telegram's list of transactions has these charges."""
    with transaction():
        Charge.update(listed=True).where(Charge.charge_id.in_(charge_ids), ~Charge.listed).execute()


def unlisted(before: datetime) -> int:
    """Return how many charges from before a time are missing in Telegram's list."""
    return int(_unlisted.scalar(before))


@Prepared[tuple[int]]
def _unlisted(before: datetime) -> "ModelSelect[Charge]":
    return Charge.select(fn.COUNT(Charge.charge_id)).where(~Charge.listed, Charge.created_at <= before)

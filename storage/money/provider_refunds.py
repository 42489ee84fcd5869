"""Refunds of payments by providers: the whole or a part, keyed; and what went back without us.

A refund is booked first and asked of the provider afterwards, under its own key, again and again until it answers. One of a
payment at a time is on its way:

    (nothing) ──staff──▶ asked ──the provider gives back, or its sum of what went back covers it──▶ done
                           └──────it refuses──▶ refused   (booked back)
    (nothing) ──seen at the provider──▶ done   (`outside`)

Any part that goes back takes all bonuses of the payment with it.
"""

from collections import Counter
from datetime import datetime
from typing import Any

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import BonusState, EntryKind, ProviderState, RefundState
from storage.base.tables import ProviderPayment, ProviderRefund, TopUp, User
from storage.journal import audit_log, events
from storage.journal.event_kinds import PaymentRestored
from storage.money import bonuses, ledger
from storage.money.refunds import announce_return

GONE = bonuses.GONE


def _query() -> "ModelSelect[ProviderRefund]":
    query = ProviderRefund.select(ProviderRefund, TopUp, User).join(TopUp, on=ProviderRefund.topup)
    return query.join(User, on=TopUp.user)


def of_payment(topup_id: int) -> list[ProviderRefund]:
    """Return a payment's refunds, oldest first."""
    with connection():
        return list(ProviderRefund.select().where(ProviderRefund.topup == topup_id).order_by(ProviderRefund.id))


def _sum(topup_id: int, *states: RefundState) -> int:
    query = ProviderRefund.select(fn.SUM(ProviderRefund.amount))
    return int(query.where(ProviderRefund.topup == topup_id, ProviderRefund.state.in_(states)).scalar() or 0)


def returned(topup_id: int) -> int:
    """Return how much of a payment has gone back by now, in minor units; the same while a refund is on its way."""
    with connection():
        return _sum(topup_id, RefundState.DONE)


def left(topup_id: int) -> int:
    """Return how much of a payment can still go back, in minor units; 0 for one that was never credited."""
    with connection():
        credited = TopUp.select(TopUp.credited).where(TopUp.id == topup_id).tuples().scalar() or 0
        return max(0, credited - _sum(topup_id, *GONE))


def would_lose(topup_id: int, amount: int) -> int:
    """Return what would be written off now for a refund of an amount, bonuses included, in minor units."""
    with connection():
        topup, owed = TopUp.get_by_id(topup_id), Counter[int]()
        owed[topup.user_id] = amount
        for bonus in bonuses.of_payment(f"pay:{topup_id}"):
            owed[bonus.user_id] += bonus.amount if bonus.state == BonusState.POSTED else 0
        return sum(max(0, amount - ledger.balance(user)) for user, amount in owed.items())


def ask(
    topup_id: int,
    amount: int,
    actor_id: int,
    reason: str,
    now: datetime,
    *,
    key: str,
    loss_allowed: int = 0,
    alone: bool = False,
) -> tuple[ProviderRefund, int] | None:
    """Book a refund, before the provider is asked for it; return (refund, write-off).

    None if the same `key` was booked before, if another refund of the payment is on its way, or if less is left. Raise
    NotEnoughMoney, with nothing changed, if the write-off would exceed `loss_allowed` (minor units), and OwnCheque for the
    actor's own payment, unless proven to be `alone` in the shop.
    """
    with transaction():
        payment = _lock(topup_id)
        on_its_way = _sum(topup_id, RefundState.ASKED)
        if payment.state != ProviderState.PAID or on_its_way or not 0 < amount <= left(topup_id):
            return None
        row: dict[str, Any] = dict(topup=topup_id, amount=amount, key=key, outside=False, state=RefundState.ASKED)
        made = (
            ProviderRefund.insert(**row, look_at=now, created_at=now).on_conflict_ignore().returning(ProviderRefund.id)
        )
        found = [number for (number,) in made.tuples().execute()]
        if not found:
            return None
        user_id, ref = payment.topup.user_id, f"topup:{topup_id}"
        own = audit_log.refuse_own(actor_id, user_id, alone)
        details: dict[str, Any] = {"ref": ref, "actor": actor_id, "reason": reason}
        loss = ledger.force(user_id, amount, kind=EntryKind.REFUND, key=f"refund:pay:{found[0]}", now=now, **details)
        audit_log.note(actor_id, "payback", now, user=user_id, ref=ref, words=reason, amount=amount, own=own)
        announce_return(topup_id, user_id, amount, loss, now, by=actor_id)
        loss += bonuses.take_back(f"pay:{topup_id}", f"pay{found[0]}", now, actor=actor_id, reason=reason)
        if loss > loss_allowed:
            raise ledger.NotEnoughMoney(loss - loss_allowed)
        return _query().where(ProviderRefund.id == found[0]).get(), loss


def _lock(topup_id: int) -> ProviderPayment:
    """Lock a payment's row before its refunds are counted; return it with its top-up."""
    ProviderPayment.update(looks=ProviderPayment.looks).where(ProviderPayment.topup == topup_id).execute()
    query = ProviderPayment.select(ProviderPayment, TopUp).join(TopUp, on=ProviderPayment.topup)
    return query.where(ProviderPayment.topup == topup_id).get()


def due(provider: str, now: datetime, limit: int = 20) -> list[ProviderRefund]:
    """Return the refunds to ask the provider for, oldest first."""
    numbers = [number for (number,) in _due.rows(provider, now, limit)]
    if not numbers:
        return []
    with connection():
        return list(_query().where(ProviderRefund.id.in_(numbers)).order_by(ProviderRefund.id))


@Prepared[tuple[int]]
def _due(provider: str, now: datetime, limit: int) -> "ModelSelect[ProviderRefund]":
    query = ProviderRefund.select(ProviderRefund.id).join(TopUp, on=ProviderRefund.topup)
    query = query.where(TopUp.method == provider, ProviderRefund.state == RefundState.ASKED)
    return query.where(ProviderRefund.look_at <= now).order_by(ProviderRefund.id).limit(limit)


def claim(refund: ProviderRefund, until: datetime) -> bool:
    """Count a call about a refund before it is made; return whether it is the caller's to make, until a time."""
    with transaction():
        same = ProviderRefund.looks == refund.looks, ProviderRefund.state == RefundState.ASKED
        query = ProviderRefund.update(looks=ProviderRefund.looks + 1, look_at=until)
        return bool(query.where(ProviderRefund.id == refund.id, *same).execute())


def put_off(refund_id: int, look_at: datetime, said: str = "", external_id: str | None = None) -> None:
    """Ask about a refund again later."""
    with transaction():
        news: dict[str, Any] = {"look_at": look_at, "said": said or ProviderRefund.said}
        news |= {"external_id": external_id} if external_id else {}
        asked = ProviderRefund.id == refund_id, ProviderRefund.state == RefundState.ASKED
        ProviderRefund.update(**news).where(*asked).execute()


def done(refund_id: int, external_id: str | None, now: datetime) -> bool:
    """asked → done: the provider has given the money back; return whether it was asked for."""
    with transaction():
        topup_id = ProviderRefund.select(ProviderRefund.topup).where(ProviderRefund.id == refund_id).tuples().scalar()
        payment = _lock(topup_id)
        query = ProviderRefund.update(state=RefundState.DONE, external_id=external_id, look_at=None)
        if not query.where(ProviderRefund.id == refund_id, ProviderRefund.state == RefundState.ASKED).execute():
            return False
        _close(payment)
        return True


def is_done(refund_id: int) -> bool:
    """Return whether a refund has gone back."""
    with connection():
        mine = ProviderRefund.id == refund_id, ProviderRefund.state == RefundState.DONE
        return ProviderRefund.select().where(*mine).exists()


def _close(payment: ProviderPayment) -> None:
    """paid → refunded, once all of it has gone back."""
    if _sum(payment.topup_id, RefundState.DONE) == payment.topup.credited:
        query = ProviderPayment.update(state=ProviderState.REFUNDED, look_at=None)
        query.where(ProviderPayment.topup == payment.topup_id, ProviderPayment.state == ProviderState.PAID).execute()


def _confirm(payment: ProviderPayment, refunded: int) -> None:
    """asked → done, if the provider was asked for it and its sum of what went back covers it."""
    asked = ProviderRefund.topup == payment.topup_id, ProviderRefund.state == RefundState.ASKED
    covered = ProviderRefund.amount <= refunded - _sum(payment.topup_id, RefundState.DONE)
    query = ProviderRefund.update(state=RefundState.DONE, look_at=None)
    if query.where(*asked, covered, ProviderRefund.looks > 0).execute():
        _close(payment)


def refused(refund_id: int, said: str, now: datetime) -> ProviderRefund | None:
    """asked → refused: the provider keeps the money, so the booking is reversed; return the refund or None."""
    with transaction():
        topup_id = ProviderRefund.select(ProviderRefund.topup).where(ProviderRefund.id == refund_id).tuples().scalar()
        payment = _lock(topup_id)
        query = ProviderRefund.update(state=RefundState.REFUSED, said=said, look_at=None)
        if not query.where(ProviderRefund.id == refund_id, ProviderRefund.state == RefundState.ASKED).execute():
            return None
        refund = _query().where(ProviderRefund.id == refund_id).get()
        user_id, ref = payment.topup.user_id, f"topup:{topup_id}"
        keys = {"debit_key": f"refund:pay:{refund_id}", "key": f"unrefund:pay:{refund_id}"}
        ledger.give_again(user_id, refund.amount, kind=EntryKind.REFUND, now=now, ref=ref, **keys)
        if not _sum(topup_id, *GONE):
            bonuses.give_again(f"pay:{topup_id}", now, cause=f"pay{refund_id}")
        events.emit(PaymentRestored(user=user_id, topup=topup_id, amount=refund.amount), now)
        return refund


def from_outside(payment: ProviderPayment, refunded: int, now: datetime) -> int:
    """Book what has gone back at the provider and is not known here; return how much, in minor units.

    `refunded` is the provider's sum. While a refund of ours is on its way nobody can tell which is which, so it waits: it is
    done once the sum covers it, and only what exceeds it came from outside.
    """
    with transaction():
        topup_id = payment.topup_id
        payment = _lock(topup_id)
        _confirm(payment, refunded)
        before = _sum(topup_id, RefundState.DONE)
        news = min(refunded, payment.topup.credited or 0) - before
        if news <= 0 or _sum(topup_id, RefundState.ASKED):
            return 0
        row: dict[str, Any] = dict(topup=topup_id, amount=news, key=f"outside:{topup_id}:{before + news}", outside=True)
        refund = ProviderRefund.create(**row, state=RefundState.DONE, created_at=now)
        user_id, ref = payment.topup.user_id, f"topup:{topup_id}"
        key = f"chargeback:pay:{refund.id}"
        loss = ledger.force(user_id, news, kind=EntryKind.CHARGEBACK, key=key, now=now, ref=ref)
        announce_return(topup_id, user_id, news, loss, now)
        bonuses.take_back(f"pay:{topup_id}", f"pay{refund.id}", now)
        _close(payment)
        return news

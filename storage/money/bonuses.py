"""Bonuses earned by payments: a row from the start, an entry when due, taken back when their payment is returned.

    waiting ──due──▶ posted ──payment returned──▶ taken      (if Telegram refuses the refund, back again:
       └─────payment returned─────▶ void                      void → waiting, taken → posted)

`origin` is the key of the payment's own entry (`stars:{charge}`, `topup:{id}`). Posting and taking back
both lock the payment's row first, so a bonus never outlives its payment, however late it is posted.
"""

from datetime import datetime
from typing import Any, NamedTuple

from peewee import ModelSelect, fn

from storage.base.db import EPOCH, MICROSECOND, connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import BonusState, EntryKind, RefundState, TopUpState
from storage.base.tables import Bonus, Charge, ProviderPayment, ProviderRefund, TopUp
from storage.journal import events
from storage.journal.event_kinds import BonusPosted, BonusRestored, BonusReturned
from storage.money import ledger, persons
from storage.money.ledger import Total

KINDS = (EntryKind.BONUS, EntryKind.PROMO, EntryKind.REFERRAL)  # of entries
STARS, PROVIDER = "stars:", "pay:"
GONE = (RefundState.ASKED, RefundState.DONE)  # refund states of what does not count as a payment any more


class OnTheWay(NamedTuple):
    """Waiting bonuses: their sum in minor units, and when the first is due (None if there are none)."""

    amount: int
    first_at: datetime | None


def promise(
    user_id: int,
    amount: int,
    *,
    kind: str,
    key: str,
    origin: str,
    topup: int,
    now: datetime,
    due_at: datetime | None = None,
) -> Bonus:
    """Promise a user a bonus (minor units, > 0) for a payment, once under the key of its entry; return the row.

    It is posted at once, or by `post_due` at `due_at`. If the payment has been returned, it is void.
    """
    if kind not in KINDS:
        raise ValueError(f"not a kind of bonus: {kind!r}")
    with transaction():
        state = BonusState.WAITING if _stands(origin, topup) else BonusState.VOID
        row = dict(user=user_id, amount=amount, kind=kind, key=key, origin=origin, topup=topup, state=state)
        made = Bonus.insert(**row, due_at=due_at or now, created_at=now).on_conflict_ignore().returning(Bonus)
        bonus = next(iter(made.execute()), None)
        if bonus is None:
            return Bonus.get(Bonus.key == key)
        if bonus.state == BonusState.WAITING and bonus.due_at <= now:
            _post(bonus, now)
        return bonus


def _stands(origin: str, topup_id: int) -> bool:
    """Lock a payment's row, and return whether the payment still counts."""
    if origin.startswith(STARS):
        locked = Charge.update(listed=Charge.listed).where(Charge.charge_id == origin.removeprefix(STARS))
        charge = next(iter(locked.returning(Charge).execute()))
        return charge.refund not in GONE
    if origin.startswith(PROVIDER):
        ProviderPayment.update(looks=ProviderPayment.looks).where(ProviderPayment.topup == topup_id).execute()
        gone = ProviderRefund.select().where(ProviderRefund.topup == topup_id, ProviderRefund.state.in_(GONE))
        return not gone.exists()
    locked = TopUp.update(reminded=TopUp.reminded).where(TopUp.id == topup_id)
    return next(iter(locked.returning(TopUp).execute())).state != TopUpState.UNDONE


def _move(bonus: Bonus, before: BonusState, after: BonusState) -> bool:
    """Make the conditional update behind every arrow; return whether the bonus moved."""
    moved = Bonus.update(state=after).where(Bonus.id == bonus.id, Bonus.state == before).execute()
    bonus.state = after if moved else bonus.state
    return bool(moved)


def _post(bonus: Bonus, now: datetime) -> None:
    if _move(bonus, BonusState.WAITING, BonusState.POSTED):
        details: dict[str, Any] = dict(kind=bonus.kind, key=bonus.key, ref=f"topup:{bonus.topup_id}")
        ledger.post(bonus.user_id, bonus.amount, now=now, **details)


def post_due(now: datetime, limit: int = 100) -> int:
    """Post the bonuses that are due, each in its own transaction with its event; return how many."""
    due = _due.rows(now, limit)
    for bonus in due:
        with transaction():
            if _stands(bonus.origin, bonus.topup_id):
                _post(bonus, now)
                if bonus.state == BonusState.POSTED:
                    _tell(BonusPosted, bonus, now)
    return len(due)


@Prepared[Bonus]
def _due(now: datetime, limit: int) -> "ModelSelect[Bonus]":
    return Bonus.select().where(Bonus.state == BonusState.WAITING, Bonus.due_at <= now).order_by(Bonus.id).limit(limit)


def _tell(event: type[BonusPosted], bonus: Bonus, now: datetime, **more: Any) -> None:
    data: dict[str, Any] = {"bonus": bonus.id, "user": bonus.user_id, "what": bonus.kind, "amount": bonus.amount}
    events.emit(event(topup=bonus.topup_id, **data, **more), now)


def take_back(origin: str, cause: str, now: datetime, *, actor: int | None = None, reason: str | None = None) -> int:
    """Take back every bonus a payment earned, whoever got it; return the write-off in minor units.

    For use within the transaction that returns the payment. `cause` (undo, refund, chargeback, pay{refund}) is part of the
    key. Sales to a person who has already spent the bonus pause.
    """
    total = 0
    for bonus in of_payment(origin):
        if _move(bonus, BonusState.WAITING, BonusState.VOID):
            _tell(BonusReturned, bonus, now, loss=0, posted=False)
        elif _move(bonus, BonusState.POSTED, BonusState.TAKEN):
            details = dict(kind=EntryKind.TAKEBACK, key=f"bonus:{bonus.id}:{cause}", ref=f"topup:{bonus.topup_id}")
            loss = ledger.force(bonus.user_id, bonus.amount, now=now, actor=actor, reason=reason, **details)
            if loss:
                persons.mark(bonus.user_id, sales_paused=True)
            _tell(BonusReturned, bonus, now, loss=loss, posted=True)
            total += loss
    return total


def give_again(origin: str, now: datetime, cause: str = "refund") -> None:
    """Restore a payment's bonuses after its refund, their `cause`, was refused; within that transaction."""
    for bonus in of_payment(origin):
        if _move(bonus, BonusState.TAKEN, BonusState.POSTED):
            keys = {"debit_key": f"bonus:{bonus.id}:{cause}", "key": f"bonus:{bonus.id}:un{cause}"}
            ref = f"topup:{bonus.topup_id}"
            ledger.give_again(bonus.user_id, bonus.amount, kind=EntryKind.TAKEBACK, now=now, ref=ref, **keys)
            _tell(BonusRestored, bonus, now)
        elif _move(bonus, BonusState.VOID, BonusState.WAITING):
            _tell(BonusRestored, bonus, now)


def of_payment(origin: str) -> list[Bonus]:
    """Return the bonuses earned by a payment, oldest first."""
    with connection():
        return list(Bonus.select().where(Bonus.origin == origin).order_by(Bonus.id))


def get(bonus_id: int) -> Bonus | None:
    """Return a bonus, or None."""
    with connection():
        return Bonus.get_or_none(Bonus.id == bonus_id)


@Prepared[tuple[Any, Any]]
def _waiting_of(user_id: int, kind: str) -> "ModelSelect[Bonus]":
    waiting = Bonus.user == user_id, Bonus.kind == kind, Bonus.state == BonusState.WAITING
    return Bonus.select(fn.SUM(Bonus.amount), fn.MIN(Bonus.due_at)).where(*waiting)


def on_the_way(user_id: int, kind: str) -> OnTheWay:
    """Return the sum of a user's waiting bonuses of a kind, and when the first is due."""
    total, first = _waiting_of.first(user_id, kind) or (None, None)
    return OnTheWay(int(total or 0), None if first is None else EPOCH + first * MICROSECOND)


def earned(user_id: int, kind: str) -> Total:
    """Return the number and the sum of a user's posted bonuses of a kind."""
    with connection():
        query = Bonus.select(fn.COUNT(Bonus.id), fn.SUM(Bonus.amount))
        count, total = (
            query.where(Bonus.user == user_id, Bonus.kind == kind, Bonus.state == BonusState.POSTED).tuples().first()
        )
        return Total(count, int(total or 0))

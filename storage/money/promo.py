"""Promo codes: created and stopped by admins, redeemed under keys and counted by conditional updates.

An `amount` code credits at once; a `percent` code waits for the user's next top-up and becomes its bonus. A code that is
stopped or has expired pays nothing any more, not even to those who wait (`lapsed`). Codes are compared in capitals.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from peewee import Expression, ModelSelect, Value, fn

from storage.base.db import connection, transaction
from storage.base.states import BonusState, EntryKind, PromoKind, PromoUseState
from storage.base.tables import Bonus, Promo, PromoUse
from storage.journal import audit_log
from storage.money import bonuses, ledger, persons

MOST_PERCENT = 200  # that a code may give without an owner's confirmation


class NoSuchCode(Exception):
    """There is no such code, or it was stopped, has expired or is used up."""


class UsedBefore(Exception):
    """The person has redeemed this code as often as allowed."""


class Applied(NamedTuple):
    """What became of a waiting percentage: its bonus, or the code that had lapsed; often there was none."""

    bonus: Bonus | None
    lapsed: str | None


class OneWaits(Exception):
    """Another percentage is already waiting for the user's next top-up."""


def create(
    code: str,
    kind: str,
    value: int,
    *,
    total_limit: int,
    author: int,
    now: datetime,
    user_limit: int = 1,
    expires_at: datetime | None = None,
    confirmed: bool = False,
    waits: bool = False,
    own: bool = False,
) -> bool:
    """Create a code; return False if it exists already.

    `confirmed`: an owner allows it to give more than MOST_PERCENT. A code that `waits` cannot be redeemed until somebody
    else confirms it; `own` marks a large one that needed no confirmation, as its owner is alone in the shop.
    """
    if kind == PromoKind.PERCENT and value > MOST_PERCENT and not confirmed:
        raise ValueError(f"{value}% is more than {MOST_PERCENT}% and not confirmed by an owner")
    row = dict(code=code.upper(), kind=kind, value=value, total_limit=total_limit, user_limit=user_limit, waits=waits)
    with transaction():
        made = Promo.insert(**row, author=author, expires_at=expires_at, created_at=now).on_conflict_ignore()
        promo = next(iter(made.returning(Promo).execute()), None)
        if promo is not None:
            _note(author, "promo_waits" if waits else "promo", promo, now, own=own)
        return promo is not None


def _note(actor: int, what: str, promo: Promo, now: datetime, **more: Any) -> None:
    """Log an act on a code, with its value, how often it can be used, and how often by one person."""
    worth: dict[str, Any] = {"amount": promo.value} if promo.kind == PromoKind.AMOUNT else {}
    words = f"× {promo.total_limit}" if worth else f"{promo.value} % × {promo.total_limit}"
    words += "" if promo.user_limit == 1 else f" / {promo.user_limit}"
    audit_log.note(actor, what, now, ref=f"promo:{promo.code}", words=words, **worth, **more)


def confirm(code: str, actor: int, now: datetime) -> bool:
    """Allow a waiting code to be redeemed; return False if it does not wait. Raise OwnCheque for one's own code."""
    with transaction():
        done = Promo.update(waits=False).where(Promo.code == code, Promo.waits, ~Promo.stopped).returning(Promo)
        promo = next(iter(done.execute()), None)
        if promo is not None:
            audit_log.refuse_own(actor, promo.author_id, False)
            _note(actor, "promo_confirm", promo, now)
        return promo is not None


def redeem(code: str, user_id: int, now: datetime, *, alone: bool = False) -> tuple[Promo, PromoUse]:
    """Redeem a code; return (promo, use), where the use is `done`, or `waiting` for the next top-up.

    Raise NoSuchCode, UsedBefore, OneWaits, or OwnCheque for a code of one's own, unless proven to be `alone` in the shop.
    """
    with transaction():
        promo = _count_use(code.upper(), now)
        own = audit_log.refuse_own(promo.author_id, user_id, alone)
        theirs = PromoUse.user.in_(persons.accounts(user_id))
        number = PromoUse.select().where(PromoUse.promo == promo.code, theirs).count() + 1
        if number > promo.user_limit:
            raise UsedBefore(code)
        percent = promo.kind == PromoKind.PERCENT
        if percent:
            _lapse(PromoUse.user == user_id, PromoUse.promo.not_in(_paying(now)))
        row = dict(promo=promo.code, user=user_id, number=number, created_at=now)
        row["state"], row["amount"] = (PromoUseState.WAITING, None) if percent else (PromoUseState.DONE, promo.value)
        use = next(iter(PromoUse.insert(**row).on_conflict_ignore().returning(PromoUse).execute()), None)
        if use is None:  # a unique index allows one waiting code per user
            raise OneWaits(code)
        if not percent:
            details: dict[str, Any] = dict(kind=EntryKind.PROMO, key=f"promo:{use.id}", ref=f"promo:{promo.code}")
            ledger.post(user_id, promo.value, now=now, **details)
        if own:
            _note(user_id, "promo_own", promo, now, user=user_id, own=True)
        return promo, use


def _pays(now: datetime) -> Expression:
    """Return the condition that a code is neither stopped nor expired."""
    return ~Promo.stopped & (Promo.expires_at.is_null() | (Promo.expires_at > now))


def _paying(now: datetime) -> "ModelSelect[Promo]":
    return Promo.select(Promo.code).where(_pays(now))


def _lapse(*which: Any) -> list[int]:
    """waiting → lapsed; return the ids of the users concerned."""
    lapsed = PromoUse.update(state=PromoUseState.LAPSED).where(PromoUse.state == PromoUseState.WAITING, *which)
    return [user for (user,) in lapsed.returning(PromoUse.user).tuples().execute()]


def _count_use(code: str, now: datetime) -> Promo:
    rows = (
        Promo.update(uses=Promo.uses + 1)
        .where(Promo.code == code, ~Promo.waits, Promo.uses < Promo.total_limit, _pays(now))
        .returning(Promo)
        .execute()
    )
    promo = next(iter(rows), None)
    if promo is None:
        raise NoSuchCode(code)
    return promo


def waiting(user_id: int) -> PromoUse | None:
    """Return the user's redemption that waits for a top-up, or None."""
    with connection():
        return PromoUse.get_or_none(PromoUse.user == user_id, PromoUse.state == PromoUseState.WAITING)


def apply(user_id: int, amount: int, *, topup: int, origin: str, now: datetime) -> Applied:
    """Give the bonus that was waiting for a top-up of `amount` minor units, if any.

    `origin` is the key of the payment's entry: the bonus goes back with that payment. If the code no longer pays, the
    redemption lapses here.
    """
    with transaction():
        use = waiting(user_id)
        if use is None:
            return Applied(None, None)
        bonus = amount * Promo.get_by_id(use.promo_id).value // 100
        this = PromoUse.id == use.id, PromoUse.state == PromoUseState.WAITING
        done = PromoUse.update(state=PromoUseState.DONE, amount=bonus).where(*this)
        if not done.where(PromoUse.promo.in_(_paying(now))).execute():
            return Applied(None, use.promo_id if _lapse(PromoUse.id == use.id) else None)
        if not bonus:
            return Applied(None, None)
        details: dict[str, Any] = dict(kind=EntryKind.PROMO, key=f"promo:{use.id}", origin=origin, topup=topup)
        return Applied(bonuses.promise(user_id, bonus, now=now, **details), None)


def stop(code: str, actor: int, now: datetime) -> list[int] | None:
    """Stop a code; return the ids of the users it was waiting for, or None if there is no such code to stop."""
    with transaction():
        if not Promo.update(stopped=True).where(Promo.code == code.upper(), ~Promo.stopped).execute():
            return None
        audit_log.note(actor, "promo_stop", now, ref=f"promo:{code.upper()}")
        return _lapse(PromoUse.promo == code.upper())


def get(code: str) -> Promo | None:
    """Return a code, or None."""
    with connection():
        return Promo.get_or_none(Promo.code == code.upper())


def every(limit: int = 20) -> list[Promo]:
    """Return the newest codes."""
    with connection():
        return list(Promo.select().order_by(Promo.created_at.desc()).limit(limit))


def uses(actor: int, now: datetime) -> Iterator[tuple[str, int, int, str, int | None, datetime]]:
    """Yield (code, user id, number, state, amount, time) of every redemption, and log the export."""
    audit_log.note(actor, "export_promo", now)
    with connection():
        query = PromoUse.select().order_by(PromoUse.id)
        for use in query.iterator():
            yield use.promo_id, use.user_id, use.number, use.state, use.amount, use.created_at


def given(code: str) -> int:
    """Return what a code has given, in minor units, without what was taken back with its payment."""
    with connection():
        uses = PromoUse.select(fn.SUM(PromoUse.amount)).where(PromoUse.promo == code)
        back = Bonus.select(Bonus.key).where(Bonus.state.in_((BonusState.TAKEN, BonusState.VOID)))
        return int(uses.where(Value("promo:").concat(PromoUse.id.cast("TEXT")).not_in(back)).scalar() or 0)

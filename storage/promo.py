"""Promo codes: created and stopped by admins, redeemed under keys and counted by conditional updates.

An `amount` code credits at once; a `percent` code waits for the user's next top-up. Codes are compared in capitals.
"""

from peewee import fn

from storage import ledger, persons
from storage.db import connection, transaction
from storage.tables import Promo, PromoUse


class NoSuchCode(Exception):
    """There is no such code (any more), or it is used up."""


class UsedBefore(Exception):
    """The person has redeemed this code as often as allowed."""


class OneWaits(Exception):
    """A percentage is waiting for the user's next top-up already."""


def create(code, kind, value, *, total_limit, author, now, user_limit=1, expires_at=None):
    """Make a code; return False if it is there already."""
    row = dict(code=code.upper(), kind=kind, value=value, total_limit=total_limit, user_limit=user_limit)
    with transaction():
        made = Promo.insert(**row, author=author, expires_at=expires_at, created_at=now).on_conflict_ignore()
        return bool(list(made.returning(Promo.code).tuples().execute()))


def redeem(code, user_id, now):
    """Redeem a code for a person once more; return (promo, use), the use `done` or `waiting` for the next top-up."""
    with transaction():
        promo = _count_use(code.upper(), now)
        own = PromoUse.user.in_(persons.accounts(user_id))
        number = PromoUse.select().where(PromoUse.promo == promo.code, own).count() + 1
        if number > promo.user_limit:
            raise UsedBefore(code)
        if promo.kind == "percent" and waiting(user_id) is not None:
            raise OneWaits(code)
        state = "waiting" if promo.kind == "percent" else "done"
        amount = promo.value if promo.kind == "amount" else None
        use = PromoUse.create(promo=promo.code, user=user_id, number=number, state=state, amount=amount, created_at=now)
        if promo.kind == "amount":
            _credit(use, promo.value, now)
        return promo, use


def _count_use(code, now):
    rows = (
        Promo.update(uses=Promo.uses + 1)
        .where(
            Promo.code == code,
            ~Promo.stopped,
            Promo.uses < Promo.total_limit,
            Promo.expires_at.is_null() | (Promo.expires_at > now),
        )
        .returning(Promo)
        .execute()
    )
    promo = next(iter(rows), None)
    if promo is None:
        raise NoSuchCode(code)
    return promo


def _credit(use, amount, now):
    ledger.post(use.user_id, amount, kind="promo", key=f"promo:{use.id}", now=now, ref=f"promo:{use.promo_id}")


def waiting(user_id):
    """Return the user's redeemed percentage that waits for a top-up, or None."""
    with connection():
        return PromoUse.get_or_none(PromoUse.user == user_id, PromoUse.state == "waiting")


def apply(user_id, topup, now):
    """Credit the waiting percentage of a top-up (minor units); return the amount, 0 when none waits."""
    with transaction():
        use = waiting(user_id)
        if use is None:
            return 0
        amount = topup * Promo.get_by_id(use.promo_id).value // 100
        done = PromoUse.update(state="done", amount=amount).where(PromoUse.id == use.id, PromoUse.state == "waiting")
        if not done.execute() or not amount:
            return 0
        _credit(use, amount, now)
        return amount


def stop(code):
    """Stop a code; return False if it was stopped or never was."""
    with transaction():
        return bool(Promo.update(stopped=True).where(Promo.code == code.upper(), ~Promo.stopped).execute())


def every(limit=20):
    """Return the newest codes."""
    with connection():
        return list(Promo.select().order_by(Promo.created_at.desc()).limit(limit))


def uses():
    """Yield (code, user id, number, state, amount, time) of every redemption, for an export."""
    with connection():
        query = PromoUse.select().order_by(PromoUse.id)
        for use in query.iterator():
            yield use.promo_id, use.user_id, use.number, use.state, use.amount, use.created_at


def given(code):
    """Return what a code has given away, in minor units."""
    with connection():
        return int(PromoUse.select(fn.SUM(PromoUse.amount)).where(PromoUse.promo == code).scalar() or 0)

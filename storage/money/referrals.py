"""Who invited whom: one row per invited user; the database refuses self-invitations.

Somebody who comes back after an erasure cannot be invited again.
"""

from datetime import datetime
from typing import NamedTuple

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import Referral
from storage.money import persons


class Summary(NamedTuple):
    """People invited, shares promised for them, and the sum of those shares in minor units."""

    invited: int
    paid: int
    amount: int


def invite(invited_id: int, inviter_id: int, now: datetime) -> bool:
    """Record an invitation; return False if the person had an account or an invitation before, or is the inviter."""
    if invited_id == inviter_id or persons.been_here(invited_id):
        return False
    with transaction():
        row = Referral.insert(invited=invited_id, inviter=inviter_id, created_at=now)
        return bool(list(row.on_conflict_ignore().returning(Referral.invited).tuples().execute()))


def inviter_of(user_id: int) -> int | None:
    """Return the user id of the inviter, or None."""
    with connection():
        return Referral.select(Referral.inviter).where(Referral.invited == user_id).tuples().scalar()


def mark_paid(invited_id: int, amount: int) -> bool:
    """Note the share promised for an invited user; return False if it was noted before."""
    with transaction():
        query = Referral.update(paid=amount).where(Referral.invited == invited_id, Referral.paid.is_null())
        return bool(query.execute())


def summary(inviter_id: int) -> Summary:
    """Sum up an inviter's invitations."""
    with connection():
        query = Referral.select(fn.COUNT(Referral.invited), fn.COUNT(Referral.paid), fn.SUM(Referral.paid))
        invited, paid, total = query.where(Referral.inviter == inviter_id).tuples().first()
        return Summary(invited, paid, int(total or 0))

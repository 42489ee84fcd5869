"""Who invited whom. One row an invited person; the database refuses inviting oneself.

Somebody who has erased themselves and comes back is not invited again: their invitation went with the rest.
"""

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import Referral
from storage.money import persons


def invite(invited_id, inviter_id, now):
    """Record an invitation; return False if the person was here or was invited before, or is the inviter."""
    if invited_id == inviter_id or persons.been_here(invited_id):
        return False
    with transaction():
        row = Referral.insert(invited=invited_id, inviter=inviter_id, created_at=now)
        return bool(list(row.on_conflict_ignore().returning(Referral.invited).tuples().execute()))


def inviter_of(user_id):
    """Return the internal id of the inviter, or None."""
    with connection():
        return Referral.select(Referral.inviter).where(Referral.invited == user_id).tuples().scalar()


def mark_paid(invited_id, amount):
    """Note the bonus once; return False if it was noted before."""
    with transaction():
        query = Referral.update(paid=amount).where(Referral.invited == invited_id, Referral.paid.is_null())
        return bool(query.execute())


def summary(inviter_id):
    """Return (people invited, bonuses paid, their sum in minor units)."""
    with connection():
        query = Referral.select(fn.COUNT(Referral.invited), fn.COUNT(Referral.paid), fn.SUM(Referral.paid))
        invited, paid, total = query.where(Referral.inviter == inviter_id).tuples().get()
        return invited, paid, int(total or 0)

"""What the staff may do to users' accounts, each with its row in the audit log, in one transaction."""

from datetime import datetime
from typing import Any

from storage.base.db import connection, transaction
from storage.base.states import EntryKind, TopUpState
from storage.base.tables import Entry, Referral, TopUp, User
from storage.journal import audit_log, outbox
from storage.money import ledger
from storage.money.ledger import Posted
from storage.people import users

ROLES = ("admin", "cashier", "support")


def members() -> list[User]:
    """Return the users who have a role, sorted by name."""
    with connection():
        return list(User.select().where(User.role.is_null(False)).order_by(User.first_name, User.id))


def grant(user_id: int, role: str | None, actor_id: int, now: datetime) -> User:
    """Give a role, or take it away (None); return the changed user. Raise ValueError for one's own role."""
    if user_id == actor_id:
        raise ValueError("nobody gives a role to themselves")
    if role not in (*ROLES, None):
        raise ValueError(f"no such role: {role!r}")
    with transaction():
        audit_log.note(actor_id, "role", now, user=user_id, words=role)
        return users.change(User.get_by_id(user_id), role=role)


def correct(
    user_id: int, amount: int, reason: str, actor_id: int, key: str, now: datetime, *, alone: bool = False
) -> Posted:
    """Credit (> 0) or debit (< 0) a balance with a reason, once under its key.

    Raise NotEnoughMoney, or OwnCheque for one's own balance unless proven to be `alone` in the shop.
    """
    own = audit_log.refuse_own(actor_id, user_id, alone)
    with transaction():
        details: dict[str, Any] = {"actor": actor_id, "reason": reason, "alone": alone}
        posted = ledger.post(user_id, amount, kind=EntryKind.ADMIN, key=key, now=now, **details)
        if posted.created:
            what = "credit" if amount > 0 else "debit"
            audit_log.note(actor_id, what, now, user=user_id, words=reason, amount=abs(amount), own=own)
        return posted


def write(
    user_id: int, text: str, words: str, actor_id: int, key: str, now: datetime, *, buttons: list[Any] | None = None
) -> None:
    """Send a user a message, once under its key: the text with the key `text`, with `words` in it."""
    with transaction():
        if outbox.put(key, user_id, text, now=now, values={"words": words}, buttons=buttons):
            audit_log.note(actor_id, "message", now, user=user_id, words=words)


def remark(user_id: int, words: str, actor_id: int, now: datetime) -> None:
    """Keep a note about a user for the staff."""
    audit_log.note(actor_id, "note", now, user=user_id, words=words)


def collect(user_id: int, reason: str, actor_id: int, key: str, now: datetime) -> tuple[Entry | None, bool]:
    """Pay a user's debt from their balance, as far as it goes, once under its key; return (entry or None, created)."""
    with transaction():
        entry, created = ledger.collect(user_id, key=key, now=now, actor=actor_id, reason=reason)
        if entry is not None and created:
            audit_log.note(actor_id, "collect", now, user=user_id, words=reason, amount=-entry.amount)
        return entry, created


def block(user_id: int, banned: bool, reason: str, actor_id: int, now: datetime) -> User:
    """Ban a person or lift the ban; return the changed user."""
    with transaction():
        audit_log.note(actor_id, "block" if banned else "unblock", now, user=user_id, words=reason)
        return users.change(User.get_by_id(user_id), banned=banned)


def resume_sales(user_id: int, reason: str, actor_id: int, now: datetime) -> User:
    """Resume sales to a person after a forced debit; return the changed user."""
    with transaction():
        audit_log.note(actor_id, "resume", now, user=user_id, words=reason)
        return users.change(User.get_by_id(user_id), sales_paused=False)


def inviter_of(user_id: int) -> User | None:
    """Return the user who invited this one, or None."""
    with connection():
        return User.select().join(Referral, on=Referral.inviter).where(Referral.invited == user_id).first()


def decided(user_id: int) -> dict[str, int]:
    """Return {state: number} of a user's approved, rejected and undone transfers."""
    states = (TopUpState.APPROVED, TopUpState.REJECTED, TopUpState.UNDONE)
    with connection():
        rows = TopUp.select(TopUp.state).where(TopUp.user == user_id, TopUp.state.in_(states)).tuples().execute()
        decisions = [state for (state,) in rows]
    return {state: decisions.count(state) for state in states}

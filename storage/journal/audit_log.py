"""The audit log: a row for each act of the staff, written in the same transaction as the change itself."""

from datetime import datetime

from storage.base.db import connection, transaction
from storage.base.tables import Act, User
from storage.journal import erasable_text, events
from storage.journal.event_kinds import AmountActed


class OwnCheque(Exception):
    """An act would pay the person who does it; somebody else has to do it. Nothing was changed."""


def refuse_own(actor_id: int | None, payee_id: int | None, alone: bool) -> bool:
    """Return whether an act pays the person who does it; raise OwnCheque if so, unless they are `alone` in the shop."""
    own = actor_id is not None and actor_id == payee_id
    if own and not alone:
        raise OwnCheque(f"user {actor_id} would pay themselves")
    return own


def note(
    actor_id: int,
    what: str,
    now: datetime,
    *,
    user: int | None = None,
    ref: str | None = None,
    words: str | None = None,
    amount: int | None = None,
    own: bool = False,
) -> None:
    """Log an act: who did `what` (one word) to whom, about which `ref`, and why; `own` if it paid the actor.

    With an amount (minor units), the event `act.amount` lets others be told of it.
    """
    row = dict(actor=actor_id, what=what, user=user, ref=ref, amount=amount, own=own, created_at=now)
    with transaction():
        digest = erasable_text.keep(words, user)
        act = Act.create(**row, digest=digest)
        if amount:
            events.emit(AmountActed(act=act.id), now)


def get(act_id: int) -> Act | None:
    """Return an act with its actor, or None."""
    with connection():
        return Act.select(Act, User).join(User, on=Act.actor).where(Act.id == act_id).first()


def recent(limit: int = 10, before: int | None = None, user: int | None = None, what: str | None = None) -> list[Act]:
    """Return the newest acts with their actors; optionally older than act id `before`, about a user, of one kind."""
    with connection():
        query = Act.select(Act, User).join(User, on=Act.actor).order_by(Act.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Act.id < before)
        if user is not None:
            query = query.where(Act.user == user)
        return list(query if what is None else query.where(Act.what == what))

"""The log of what the operator's people did: a row of every act, written in the transaction of what it tells of."""

from datetime import datetime

from storage.base.db import connection, transaction
from storage.base.tables import Act, User
from storage.journal import events
from storage.journal import words as kept_words
from storage.journal.event_kinds import AmountActed


class OwnCheque(Exception):
    """An act would pay who does it: somebody else has to do it. Nothing was done."""


def refuse_own(actor_id: int | None, payee_id: int | None, alone: bool) -> bool:
    """Raise OwnCheque when people would pay themselves; return whether they do so, `alone` in the shop."""
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
    """Write down an act: who, what (one word), to whom, about what, and why; `own` if it paid who did it.

    One of an amount is a fact as well, `act.amount`, so that others can be told of it.
    """
    row = dict(actor=actor_id, what=what, user=user, ref=ref, amount=amount, own=own, created_at=now)
    with transaction():
        digest = kept_words.keep(words, user)
        act = Act.create(**row, digest=digest)
        if amount:
            events.emit(AmountActed(act=act.id), now)


def get(act_id: int) -> Act | None:
    """Return an act with its actor, or None."""
    with connection():
        return Act.select(Act, User).join(User, on=Act.actor).where(Act.id == act_id).first()


def recent(limit: int = 10, before: int | None = None, user: int | None = None, what: str | None = None) -> list[Act]:
    """Return the newest acts with their actors, older than act id `before`, about one user or of one kind if asked."""
    with connection():
        query = Act.select(Act, User).join(User, on=Act.actor).order_by(Act.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Act.id < before)
        if user is not None:
            query = query.where(Act.user == user)
        return list(query if what is None else query.where(Act.what == what))

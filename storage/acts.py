"""The log of what the operator's people did: a row of every act, written in the transaction of what it tells of."""

from storage import words as kept_words
from storage.db import connection, transaction
from storage.tables import Act, User


def note(actor_id, what, now, *, user=None, ref=None, words=None, amount=None):
    """Write down an act: who, what (one word), to whom, about what, and why."""
    with transaction():
        digest = kept_words.keep(words, user)
        row = dict(actor=actor_id, what=what, user=user, ref=ref, digest=digest, amount=amount, created_at=now)
        Act.insert(**row).execute()


def recent(limit=10, before=None, user=None, what=None):
    """Return the newest acts with their actors, older than act id `before`, about one user or of one kind if asked."""
    with connection():
        query = Act.select(Act, User).join(User, on=Act.actor).order_by(Act.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Act.id < before)
        if user is not None:
            query = query.where(Act.user == user)
        return list(query if what is None else query.where(Act.what == what))

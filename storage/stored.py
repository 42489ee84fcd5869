"""Settings changed from the chat: they win over the environment and take effect at once.

Reads are cached (`storage/cached.py`); a change in this process drops the cache when it is committed.
"""

from storage import acts
from storage.cached import Cached
from storage.db import afterwards, connection, transaction
from storage.tables import Stored

SHOWN = 200  # characters of a value in the log of acts


def _read():
    with connection():
        return dict(Stored.select(Stored.name, Stored.value).tuples())


_cache = Cached(_read)
forget = _cache.forget


def get(name, default=None):
    """Return the stored text of a setting, or `default`."""
    return _cache.get().get(name, default)


def put(name, value, *, now, actor=None):
    """Store a setting as text; an `actor` stands in the log of acts."""
    row = dict(name=name, value=str(value), actor=actor, updated_at=now)
    with transaction():
        Stored.insert(**row).on_conflict(
            conflict_target=[Stored.name],
            preserve=[Stored.value, Stored.actor, Stored.updated_at],
        ).execute()
        if actor is not None:
            acts.note(actor, "setting", now, ref=name, words=str(value)[:SHOWN])
        forget()
        afterwards(forget)  # whoever read in between has read what was there before

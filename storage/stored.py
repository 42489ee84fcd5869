"""Settings changed from the chat: they win over the environment and take effect at once.

Reads are cached for at most 300 s; a change in this process drops the cache.
"""

import time

from storage import acts
from storage.db import connection, transaction
from storage.tables import Entry, Stored

CACHE_S = 300
CURRENCY = "BOOKS_CURRENCY"
SHOWN = 200  # characters of a value in the log of acts
_cache = {"at": None, "values": {}}


def get(name, default=None):
    """Return the stored text of a setting, or `default`."""
    if _cache["at"] is None or time.monotonic() - _cache["at"] > CACHE_S:
        with connection():
            _cache.update(values=dict(Stored.select(Stored.name, Stored.value).tuples()), at=time.monotonic())
    return _cache["values"].get(name, default)


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


def currency(wanted, now):
    """Return the currency the books are kept in: what was written down before the first entry, else `wanted` from now on."""
    with transaction():
        row = Stored.get_or_none(Stored.name == CURRENCY)
        if row is not None and (row.value == wanted or Entry.select().exists()):
            return row.value
        put(CURRENCY, wanted, now=now)
        return wanted


def forget():
    """Drop the cache."""
    _cache["at"] = None

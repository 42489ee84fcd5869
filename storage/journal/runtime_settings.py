"""Settings changed from the chat: they win over the environment and take effect at once.

Reads are cached (`storage/base/cached.py`); a change in this process drops the cache when it is committed.
"""

from storage.base.cached import Cached
from storage.base.db import EPOCH, MICROSECOND, afterwards, connection, transaction
from storage.base.tables import Entry, Stored
from storage.journal import audit_log

CURRENCY = "BOOKS_CURRENCY"
SHOWN = 200  # characters of a value in the log of acts


def _read():
    with connection():
        return dict(Stored.select(Stored.name, Stored.value).tuples())


_cache = Cached(_read)
forget = _cache.forget


def get(name, default=None):
    """Return the stored text of a setting, or `default`."""
    return _cache.get().get(name, default)


def put(name, value, *, now, actor=None, act="setting", words=None):
    """Store a setting as text; an `actor` stands in the log of acts.

    The `act` is its word there, with `words` in place of the value; what is no setting of people's has one of its own.
    """
    row = dict(name=name, value=str(value), actor=actor, updated_at=now)
    with transaction():
        Stored.insert(**row).on_conflict(
            conflict_target=[Stored.name],
            preserve=[Stored.value, Stored.actor, Stored.updated_at],
        ).execute()
        if actor is not None:
            _note(actor, name, act, str(value) if words is None else words, now)
        _changed()


def _changed():
    """Drop the cache now and once more after the commit: whoever read in between has read what was there before."""
    forget()
    afterwards(forget)


def version(name):
    """Return a number that is another one after every change of a setting; 0 while it was never stored."""
    with connection():
        row = Stored.get_or_none(Stored.name == name)
        return 0 if row is None else (row.updated_at - EPOCH) // MICROSECOND


def clear(name, seen, *, now, actor, act="reset"):
    """Empty a setting that has not changed since the `seen` version; tell whether it was so."""
    with transaction():
        emptied = Stored.update(value="", actor=actor, updated_at=now).where(
            Stored.name == name, Stored.updated_at == seen, Stored.value != ""
        )
        cleared = bool(emptied.execute())
        if cleared:
            _note(actor, name, act, None, now)
        _changed()
    return cleared


def _note(actor, name, act, words, now):
    """Write down the act; only what people call a setting goes by its name."""
    ref = name if act in ("setting", "reset") else None
    audit_log.note(actor, act, now, ref=ref, words=words and words[:SHOWN])


def currency(wanted, now):
    """Return the currency the books are kept in: what was written down before the first entry, else `wanted` from now on."""
    with transaction():
        row = Stored.get_or_none(Stored.name == CURRENCY)
        if row is not None and (row.value == wanted or Entry.select().exists()):
            return row.value
        put(CURRENCY, wanted, now=now)
        return wanted

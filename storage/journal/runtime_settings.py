"""Settings changed from the chat: they win over the environment and take effect at once.

Reads are cached (`storage/base/cached.py`); a change in this process invalidates the cache when it is committed.
"""

from datetime import datetime

from storage.base.cached import Cached
from storage.base.db import EPOCH, MICROSECOND, afterwards, connection, transaction
from storage.base.tables import Entry, Stored
from storage.journal import audit_log

CURRENCY = "BOOKS_CURRENCY"
SHOWN = 200  # characters of a value in the audit log


def _read() -> dict[str, str]:
    with connection():
        return dict(Stored.select(Stored.name, Stored.value).tuples().execute())


_cache = Cached(_read)
forget = _cache.forget


def get(name: str, default: str | None = None) -> str | None:
    """Return the stored text of a setting, or `default`."""
    return _cache.get().get(name, default)


def put(
    name: str, value: object, *, now: datetime, actor: int | None = None, act: str = "setting", words: str | None = None
) -> None:
    """Store a setting as text; with an `actor`, the change is in the audit log.

    `act` is its name there, and `words` replace the value; settings that people do not see have acts of their own.
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


def _changed() -> None:
    """Invalidate the cache now and after the commit: a read in between has seen the old value."""
    forget()
    afterwards(forget)


def version(name: str) -> int:
    """Return a number that differs after every change of a setting; 0 if it was never stored."""
    with connection():
        row = Stored.get_or_none(Stored.name == name)
        return 0 if row is None else (row.updated_at - EPOCH) // MICROSECOND


def clear(name: str, seen: int, *, now: datetime, actor: int, act: str = "reset") -> bool:
    """Empty a setting if it has not changed since the `seen` version; return whether it was emptied."""
    with transaction():
        emptied = Stored.update(value="", actor=actor, updated_at=now).where(
            Stored.name == name, Stored.updated_at == seen, Stored.value != ""
        )
        cleared = bool(emptied.execute())
        if cleared:
            _note(actor, name, act, None, now)
        _changed()
    return cleared


def _note(actor: int, name: str, act: str, words: str | None, now: datetime) -> None:
    """Log the act; `ref` names the setting only if people know it as one."""
    ref = name if act in ("setting", "reset") else None
    audit_log.note(actor, act, now, ref=ref, words=words and words[:SHOWN])


def currency(wanted: str, now: datetime) -> str:
    """Return the currency of the books: the one fixed before the first entry, otherwise `wanted`, from now on."""
    with transaction():
        row = Stored.get_or_none(Stored.name == CURRENCY)
        if row is not None and (row.value == wanted or Entry.select().exists()):
            return row.value
        put(CURRENCY, wanted, now=now)
        return wanted

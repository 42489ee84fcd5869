"""Small values that plugins keep by name, per person or for nobody in particular, without a table of their own.

Plugins use them as `bot.store` and `ctx.store` (`core/services/store.py`).
"""

from collections.abc import Callable
from typing import Any

from peewee import ModelSelect

from storage.base.db import is_postgres, transaction
from storage.base.prepared import Prepared
from storage.base.tables import KeptValue
from storage.journal import audit_log

NOBODY = 0


def get(plugin: str, name: str, person: int = NOBODY) -> Any:
    """Return what is kept, as plain data, or None."""
    row = _one.first(plugin, name, person)
    return None if row is None else row.value


def put(plugin: str, name: str, value: Any, person: int = NOBODY, act: dict[str, Any] | None = None) -> None:
    """Keep a value (anything JSON can hold), replacing the previous one; an `act` (as `audit_log.note` takes it) is logged."""
    with transaction():
        row = KeptValue.insert(plugin=plugin, name=name, person=person, value=value)
        key = [KeptValue.plugin, KeptValue.name, KeptValue.person]
        row.on_conflict(conflict_target=key, preserve=[KeptValue.value]).execute()
        if act is not None:
            audit_log.note(**act, user=person or None)


def change(
    plugin: str, name: str, work: Callable[[Any], Any], person: int = NOBODY, act: dict[str, Any] | None = None
) -> Any:
    """Replace a value by `work(value or None)` and return the new one; nobody else can change it in between.

    An `act` is logged if the value is another one then.
    """
    with transaction():
        blank = KeptValue.insert(plugin=plugin, name=name, person=person, value=None)
        blank.on_conflict_ignore().execute()
        query = KeptValue.select().where(*_place(plugin, name, person))
        row = (query.for_update() if is_postgres() else query).get()
        changed = work(row.value)
        put(plugin, name, changed, person, act if changed != row.value else None)
        return changed


def drop(plugin: str, name: str, person: int = NOBODY) -> bool:
    """Delete a value; return whether there was one."""
    with transaction():
        return bool(KeptValue.delete().where(*_place(plugin, name, person)).execute())


def everybodys(plugin: str, name: str) -> dict[int, Any]:
    """Return {user id: value} of everybody with a value under this name."""
    return {row.person: row.value for row in _everybodys.rows(plugin, name)}


@Prepared[KeptValue]
def _one(plugin: str, name: str, person: int) -> "ModelSelect[KeptValue]":
    return KeptValue.select().where(*_place(plugin, name, person))


@Prepared[KeptValue]
def _everybodys(plugin: str, name: str) -> "ModelSelect[KeptValue]":
    return KeptValue.select().where(KeptValue.plugin == plugin, KeptValue.name == name, KeptValue.person != NOBODY)


def _place(plugin: str, name: str, person: int) -> tuple[Any, ...]:
    return KeptValue.plugin == plugin, KeptValue.name == name, KeptValue.person == person

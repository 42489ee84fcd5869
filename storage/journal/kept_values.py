"""Small things that plugins keep under a name, of a person or of nobody, without a table of their own."""

from collections.abc import Callable
from typing import Any

from storage.base.db import connection, is_postgres, transaction
from storage.base.tables import KeptValue

NOBODY = 0


def get(plugin: str, name: str, person: int = NOBODY) -> Any:
    """Return what is kept, as plain data, or None."""
    with connection():
        row = KeptValue.get_or_none(*_place(plugin, name, person))
        return None if row is None else row.value


def put(plugin: str, name: str, value: Any, person: int = NOBODY) -> None:
    """Keep a value (what JSON can say) in the place of the former."""
    with transaction():
        row = KeptValue.insert(plugin=plugin, name=name, person=person, value=value)
        key = [KeptValue.plugin, KeptValue.name, KeptValue.person]
        row.on_conflict(conflict_target=key, preserve=[KeptValue.value]).execute()


def change(plugin: str, name: str, work: Callable[[Any], Any], person: int = NOBODY) -> Any:
    """Put `work(value or None)` in a value's place and return it; nobody else can change it in between."""
    with transaction():
        blank = KeptValue.insert(plugin=plugin, name=name, person=person, value=None)
        blank.on_conflict_ignore().execute()
        query = KeptValue.select().where(*_place(plugin, name, person))
        row = (query.for_update() if is_postgres() else query).get()
        changed = work(row.value)
        put(plugin, name, changed, person)
        return changed


def drop(plugin: str, name: str, person: int = NOBODY) -> bool:
    """Keep a value no longer; return whether there was one."""
    with transaction():
        return bool(KeptValue.delete().where(*_place(plugin, name, person)).execute())


def everybodys(plugin: str, name: str) -> dict[int, Any]:
    """Return {user id: value} of all people for whom something is kept under a name."""
    with connection():
        rows = KeptValue.select().where(KeptValue.plugin == plugin, KeptValue.name == name, KeptValue.person != NOBODY)
        return {row.person: row.value for row in rows}


def _place(plugin: str, name: str, person: int) -> tuple[Any, ...]:
    return KeptValue.plugin == plugin, KeptValue.name == name, KeptValue.person == person

"""Plugins' own tables: who owns them, what an erasure does to them, and where their rows are while the plugin is away.

A backup includes them. If it is restored without their plugin, the rows are parked as plain data, and return to the
table at the first start with it.
"""

import itertools
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.engines import Engine, over
from storage.base.tables import KeptValue, Parked, Stored

OWNER, VERSION = "owner:", "table:"  # prefixes of the names in `stored` that describe a table
PREFIX = "plugin_"  # prefix of the tables' own names
PARKED = "parked"  # the table that holds their rows while the plugin is away
BATCH = 500


class Owned(NamedTuple):
    """What is known about a plugin's table, even while the plugin is away."""

    plugin: str
    people: list[str]  # its columns that name a user
    erase: str  # what becomes of somebody's rows when they are erased: "delete", "keep" or "call"


def describe(table: str, owned: Owned) -> None:
    """Record who owns a table and what an erasure does to it."""
    if known().get(table) == owned:
        return
    with transaction():
        row = Stored.insert(name=OWNER + table, value=json.dumps(owned._asdict()), updated_at=datetime.now(UTC))
        row.on_conflict(conflict_target=[Stored.name], preserve=[Stored.value, Stored.updated_at]).execute()


def known() -> dict[str, Owned]:
    """Return {table: Owned} of all plugin tables on record."""
    with connection():
        rows = Stored.select().where(Stored.name.startswith(OWNER))
        return {row.name.removeprefix(OWNER): Owned(**json.loads(row.value)) for row in rows}


def away(present: Collection[str], plugins: Collection[str]) -> dict[str, list[str]]:
    """Return {plugin: its tables} of what is kept for absent plugins.

    That is: the values of plugins not in `plugins`, and the tables on record that are not `present`.
    """
    with connection():
        rows = KeptValue.select(KeptValue.plugin).distinct()
        found: dict[str, list[str]] = {row.plugin: [] for row in rows if row.plugin not in plugins}
    for table, owned in known().items():
        if table not in present:
            found.setdefault(owned.plugin, []).append(table)
    return found


def forget_person(user_id: int) -> None:
    """Delete an erased person's kept values, and their rows, even parked ones, in plugins' tables that ask for it."""
    with transaction() as real:
        KeptValue.delete().where(KeptValue.person == user_id).execute()
        engine, tables = over(real), set(real.get_tables())
        for table, owned in known().items():
            for column in owned.people if owned.erase == "delete" else ():
                if table in tables:
                    engine.execute(f'DELETE FROM "{table}" WHERE "{column}" = {engine.MARK}', [user_id])
                else:
                    ours = [
                        row.id for row in Parked.select().where(Parked.origin == table) if row.cells[column] == user_id
                    ]
                    Parked.delete().where(Parked.id.in_(ours)).execute()


def park(engine: Engine, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Park the rows of a table that does not exist here, as the dump has them; return how many there were."""
    number(engine)
    count, rows = 0, iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        cells = [{"origin": table, "cells": dict(zip(columns, row, strict=True))} for row in batch]
        Parked.insert_many(cells).execute()
        count += len(batch)
    return count


def number(engine: Engine) -> None:
    """Continue the ids of parked rows after the highest, as restored rows bring their own."""
    if PARKED in engine.tables() and (last := Parked.select(fn.MAX(Parked.id)).scalar()):
        engine.set_last_id(PARKED, last)


def unpark(table: str) -> None:
    """Move the parked rows of a table that was just created back into it."""
    with transaction() as real:
        engine, last = over(real), 0
        while batch := list(Parked.select().where(Parked.origin == table).order_by(Parked.id).limit(BATCH)):
            columns = list(batch[0].cells)
            engine.insert(table, columns, [[row.cells[name] for name in columns] for row in batch])
            Parked.delete().where(Parked.id.in_([row.id for row in batch])).execute()
            last = max([last, *(row.cells["id"] for row in batch if isinstance(row.cells.get("id"), int))])
        if last:
            engine.set_last_id(table, last)


def parked() -> dict[str, int]:
    """Return {table: number of parked rows}."""
    with connection():
        rows = Parked.select(Parked.origin, fn.COUNT(Parked.id)).group_by(Parked.origin).tuples()
        return dict(rows.execute())


def purge(plugin: str) -> list[str]:
    """Remove everything a plugin has kept: its tables, parked rows and values; return the tables."""
    tables = [table for table, owned in known().items() if owned.plugin == plugin]
    with transaction() as real:
        for table in tables:
            real.execute_sql(f'DROP TABLE IF EXISTS "{table}"')
        Parked.delete().where(Parked.origin.in_(tables)).execute()
        Stored.delete().where(
            Stored.name.in_([mark + table for table in tables for mark in (OWNER, VERSION)])
        ).execute()
        KeptValue.delete().where(KeptValue.plugin == plugin).execute()
    return tables

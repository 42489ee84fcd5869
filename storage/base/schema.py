"""Migrations of the bot's own tables and of plugins' tables.

Migrations in `storage/migrations/` run in order at start, each in a transaction, and are recorded in
`schema_migration`. Every run ends by recreating the triggers that keep the books append-only
(`storage/base/guards.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from playhouse.migrate import SchemaMigrator
from playhouse.migrate import migrate as migrate_operations
from playhouse.migrations import Runner

from storage.base import guards, plugin_tables
from storage.base.db import Table, connection, transaction
from storage.base.tables import Stored

# A plugin's step from one version of its table to the next: it returns operations of playhouse.migrate.
Migration = Callable[[SchemaMigrator], Iterable[Any]]


class PluginTable(NamedTuple):
    """A plugin's table: its class, the steps to its newest version, and whose it is."""

    model: type[Table]
    migrations: Sequence[Migration]
    owned: plugin_tables.Owned


MIGRATIONS = Path(__file__).parents[1] / "migrations"


class SchemaError(Exception):
    """The tables in the database do not fit this program."""


class NewerSchema(SchemaError):
    """The database was written by a newer version of the bot or of a plugin; this one must not touch it."""


class TableDiffers(SchemaError):
    """A plugin's table has other columns than its class."""


def migrate(target: str | None = None) -> list[str]:
    """Apply the missing migrations (up to `target`, if given) and return the names of those that ran."""
    with connection() as db:
        runner = Runner(db, str(MIGRATIONS))
        applied = []
        if not all(row.applied for row in _rows(runner)):
            guards.lower(db)  # a migration may have to rewrite guarded rows
            applied = runner.up(target)
        guards.raise_up(db)
        return applied


def known() -> set[str]:
    """Return the names of this version's migrations."""
    return {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}


def pending() -> list[str]:
    """Return the names of the migrations this database lacks; raise NewerSchema if it has unknown ones."""
    with connection() as db:
        return [row.name for row in _rows(Runner(db, str(MIGRATIONS))) if not row.applied]


def _rows(runner: Runner) -> list[Any]:
    """Return what is known of each migration; raise NewerSchema if the database has one that this version lacks."""
    rows: list[Any] = runner.status()
    if unknown := [row.name for row in rows if row.path is None]:
        raise NewerSchema(f"the database has {unknown[-1]}, which this version does not know; upgrade the bot")
    return rows


def adopt(model: type[Table], migrations: Sequence[Migration] = ()) -> int:
    """Create a plugin's own table, or bring it to the plugin's version; return that version.

    The n-th migration leads to version n + 1. A new table is created in its current form. Each step is a transaction
    that also records the version.
    """
    name = f"table:{model._meta.table_name}"
    with connection() as db:
        row = Stored.get_or_none(Stored.name == name)
        newest = 1 + len(migrations)
        at = int(row.value) if row else 0
        if at > newest:
            raise NewerSchema(f"{name} has version {at}, this plugin knows {newest}; upgrade the plugin")
        if at and not db.table_exists(model._meta.table_name):
            at = _bring_back(db, model, at, newest)
        if at == 0:
            with transaction():
                db.create_tables([model])
                _mark(name, newest)
        migrator = SchemaMigrator.from_database(db)
        for version, change in enumerate(migrations[at - 1 :] if at else (), start=at + 1):
            with transaction():
                migrate_operations(*change(migrator))
                _mark(name, version)
        _check_columns(db, model)
        return newest


def _bring_back(db: Any, model: type[Table], at: int, newest: int) -> int:
    """Recreate a table whose plugin was away when a backup was restored, with its parked rows; return its version."""
    table = model._meta.table_name
    if at != newest:
        raise TableDiffers(
            f"the rows of {table} are of version {at}, this plugin's table is of version {newest}: start the bot once"
            " with the plugin's version that made the backup"
        )
    with transaction():
        db.create_tables([model])
        plugin_tables.unpark(table)
    return newest


def _check_columns(db: Any, model: type[Table]) -> None:
    """Raise TableDiffers if a plugin's table lacks a column of its class: one was added without a migration."""
    meta: Any = model._meta
    if lacking := set(meta.columns) - {column.name for column in db.get_columns(meta.table_name)}:
        names = ", ".join(sorted(lacking))
        raise TableDiffers(
            f"the table {meta.table_name} is without {names}; want a migration of the plugin's (docs/plugins.md)"
        )


def _mark(name: str, version: int) -> None:
    row = Stored.insert(name=name, value=str(version), updated_at=datetime.now(UTC))
    row.on_conflict(conflict_target=[Stored.name], preserve=[Stored.value, Stored.updated_at]).execute()

"""Triggers that keep the books append-only in both databases, and the check that nobody has removed them.

They refuse UPDATE, DELETE and TRUNCATE of entries, acts, sources, seals and closings. Peewee alters SQLite tables by rebuilding
them, which loses the triggers, so after every migration and at every start those that are not there as they should be are created
again.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
    CompositeKey,
    Database,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
)

from storage.base.db import Table, is_postgres, transaction
from storage.base.engines import Engine, over
from storage.base.tables import (
    Account,
    Act,
    Bonus,
    Charge,
    Checkout,
    Closing,
    Entry,
    EntrySum,
    FreeDay,
    FreeRun,
    Job,
    Once,
    OrderSum,
    OutcomeSum,
    Person,
    Promo,
    PromoUse,
    ProviderPayment,
    ProviderRefund,
    Referral,
    ResultMessage,
    Revision,
    Sale,
    Seal,
    Source,
    TopUp,
    User,
    Words,
)

GUARDED = ("entry", "act", "source", "seal", "closing", "entry_sum", "order_sum", "outcome_sum")
MONEY = (  # the tables that are checked
    Account, Act, Bonus, Charge, Checkout, Entry, FreeDay, FreeRun, Job, Once, Person, Promo, PromoUse, Referral, ResultMessage, Revision, Sale, Seal, Source, TopUp,
    User, Words, ProviderPayment, ProviderRefund, Closing, EntrySum, OrderSum, OutcomeSum,
)  # fmt: skip
FUNCTION = "books_are_append_only"
BODY = " BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END "
OLD_FUNCTION = "entry_is_append_only"  # its name in the first version
MOST = 10**15  # minor units: nobody has more, and sums of larger amounts would overflow


def _sqlite_triggers(table: str) -> dict[str, str]:
    return {
        f"{table}_no_{action.lower()}": f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for action in ("UPDATE", "DELETE")
    }


def _postgres_triggers(table: str) -> dict[str, str]:
    execute = f"EXECUTE FUNCTION {FUNCTION}()"
    return {
        f"{table}_no_update": f"CREATE TRIGGER {table}_no_update BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW {execute}",
        f"{table}_no_truncate": f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT {execute}",
    }


def lower(db: Database) -> None:
    """Drop the triggers, for a migration that rewrites what they guard."""
    with transaction():
        for table in set(db.get_tables()).intersection(GUARDED):
            for name in {**_sqlite_triggers(table), **_postgres_triggers(table)}:
                db.execute_sql(f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if is_postgres() else ""))


def raise_up(db: Database) -> None:
    """Create the triggers again on the tables that exist, unless all are there as they should be."""
    if not any(_triggers(over(db))):
        return
    existing = set(db.get_tables())
    with transaction():
        lower(db)
        if is_postgres():
            db.execute_sql(f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $${BODY}$$")
            db.execute_sql(f"DROP FUNCTION IF EXISTS {OLD_FUNCTION}()")
        for table in sorted(existing.intersection(GUARDED)):
            made = _postgres_triggers(table) if is_postgres() else _sqlite_triggers(table)
            for statement in made.values():
                db.execute_sql(statement)


# the check


def broken_keys(engine: Engine) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, row) for every row that is there despite a rule: it refers to none, or has another's key."""
    for row in engine.loose_references():
        yield "a row refers to one that is there", row
    for (key,) in engine.doubled("entry", "key"):
        yield "a key is unique", ("entry", key)


def missing_rules(engine: Engine) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, row) for every trigger, key, constraint and column type of the books that is not as created."""
    yield from _triggers(engine)
    for model in MONEY:
        table = model._meta.table_name
        there = engine.unique(table)
        for columns in _keys(model):
            if columns not in there:
                yield "a key is unique", (table, ", ".join(sorted(columns)))
        yield from _constraints(engine, model, table)
        kinds = engine.columns(table)
        for field in model._meta.sorted_fields:
            kind = kinds.get(field.column_name, "missing")
            if engine.postgres and kind not in POSTGRES_KINDS[_storage_class(field)]:
                yield "a column has its type", (table, field.column_name, kind)


def _constraints(engine: Engine, model: type[Table], table: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the foreign keys and checks that are gone; SQLite can lose them only when a table is rebuilt."""
    meta = model._meta
    wanted = {field.column_name for field in meta.sorted_fields if isinstance(field, ForeignKeyField)}
    for column in sorted(wanted - engine.references(table)):
        yield "a reference is checked", (table, column)
    stated = [*(meta.constraints or ()), *(one for field in meta.sorted_fields for one in field.constraints or ())]
    checks = [one for one in stated if "CHECK" in one.sql.upper()]  # a default is a constraint of Peewee's, too
    if engine.checks(table) < len(checks):
        yield "a column has its check", (table, len(checks), engine.checks(table))


POSTGRES_KINDS = {"integer": ("bigint", "integer", "smallint"), "boolean": ("boolean",), "text": ("text", "jsonb")}


def _triggers(engine: Engine) -> Iterator[tuple[str, tuple[Any, ...]]]:
    present = set(engine.triggers())
    wanted = {pair for table in GUARDED for pair in _wanted(engine, table).items()}
    for name, _definition in sorted(wanted - present):
        yield "the triggers of the books are in place", (name,)
    for pair in sorted(present - wanted):
        yield "nothing is there that changes, hides or adds rows", pair


def _wanted(engine: Engine, table: str) -> dict[str, str]:
    """Return {trigger: its definition as `Engine.triggers` gives it}."""
    if not engine.postgres:
        return _sqlite_triggers(table)
    # pg_trigger.tgtype: 1 for each row, 2 before, 8 delete, 16 update, 32 truncate; O: fires as usual
    kinds = {f"{table}_no_update": 1 + 2 + 8 + 16, f"{table}_no_truncate": 2 + 32}
    return {name: f"{table} {kind} O {BODY}" for name, kind in kinds.items()}


def _keys(model: type[Table]) -> Iterator[frozenset[str]]:
    """Yield the sets of columns that must be unique."""
    meta = model._meta
    if isinstance(meta.primary_key, CompositeKey):
        yield frozenset(meta.fields[name].column_name for name in meta.primary_key.field_names)
    for field in meta.sorted_fields:
        if field.primary_key or field.unique:
            yield frozenset([field.column_name])
    for index in meta.indexes:
        if isinstance(index, tuple) and index[1]:
            yield frozenset(meta.fields[name].column_name for name in index[0])


def _storage_class(field: Any) -> str:
    """Return a column's kind of value: integer, boolean or text; a foreign key has that of its target."""
    while hasattr(field, "rel_field"):
        field = field.rel_field
    if isinstance(field, BooleanField):
        return "boolean"
    whole = isinstance(field, BigIntegerField | IntegerField | SmallIntegerField)
    return "integer" if whole or field.field_type in ("BIGAUTO", "BIGINT") else "text"


@cache
def wrong_values(postgres: bool) -> list[tuple[str, str]]:
    """Return (promise, query) that find values of the wrong type, missing values and impossible amounts."""
    found = []
    for model in MONEY:
        meta = model._meta
        tests = [test for field in meta.sorted_fields for test in _tests(field, postgres)]
        first = meta.sorted_fields[0].column_name
        query = f"SELECT '{meta.table_name}', {first} FROM \"{meta.table_name}\" WHERE {' OR '.join(tests)}"
        found.append(("every value has its type", query))
    return found


AMOUNTS = ("amount", "balance", "price", "charged", "credited", "paid", "stars", "value", "received")


def _tests(field: Any, postgres: bool) -> Iterator[str]:
    column, kind = f'"{field.column_name}"', _storage_class(field)
    if not postgres:
        other = f"typeof({column}) <> '{'integer' if kind == 'boolean' else kind}'"
        yield f"{column} IS NOT NULL AND {other}" if field.null else other
    elif not field.null:
        yield f"{column} IS NULL"
    if kind == "integer" and field.column_name in AMOUNTS:
        yield f"{column} NOT BETWEEN -{MOST} AND {MOST}"

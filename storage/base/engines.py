"""SQLite and PostgreSQL behind one interface, for the dump and for `verify`."""

import base64
import itertools
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote

from peewee import Database

READ_AT_ONCE = 2000

Row = Sequence[Any]


class UnknownDatabase(Exception):
    """A URL is of neither SQLite nor PostgreSQL."""


def check_address(url: str) -> None:
    """Raise UnknownDatabase unless the URL is of SQLite or PostgreSQL."""
    if not url.startswith(("sqlite:///", "postgres://", "postgresql://")):
        kind = url.partition(":")[0]
        raise UnknownDatabase(f"{kind}: is no database this bot knows; want sqlite:///path or postgresql://…")


def open_engine(url: str) -> "Engine":
    """Open the database at a URL, over a new connection."""
    check_address(url)
    if url.startswith("sqlite:"):
        return Sqlite(sqlite3.connect(unquote(url.removeprefix("sqlite:///")), timeout=15, isolation_level=None))
    import psycopg

    url = url.replace("postgres://", "postgresql://", 1)
    return Postgres(psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c timezone=UTC"))


def over(db: Database) -> "Engine":
    """Return the engine over a Peewee database's open connection, within its transaction."""
    connection = db.connection()
    return Sqlite(connection) if isinstance(connection, sqlite3.Connection) else Postgres(connection)


class Engine(ABC):
    """One open database; an open connection of sqlite3 or psycopg."""

    MARK: ClassVar[str] = "?"  # of a parameter
    CONVERT: ClassVar[dict[str, Callable[[Any], Any]]]  # column type → from a dump's value to the database's
    postgres: ClassVar[bool] = False
    error: Any  # the class of the errors this database raises

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @abstractmethod
    def begin_reading(self) -> None:
        """Start a transaction that reads one snapshot; writers can go on."""

    @abstractmethod
    def loosen(self) -> None:
        """Let tables be filled in any order during a restore, until `check_references` is called."""

    @abstractmethod
    def check_references(self) -> None:
        """Check foreign keys again; raise IntegrityError for a row that refers to a missing one."""

    @abstractmethod
    def loose_references(self) -> Iterable[tuple[Any, ...]]:
        """Return (table, row, table referred to) of references to missing rows, if the database can contain any."""

    @abstractmethod
    def tables(self) -> list[str]:
        """Return the names of all tables."""

    @abstractmethod
    def columns(self, table: str) -> dict[str, str]:
        """Return {column: type}."""

    @abstractmethod
    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield a table's rows; JSON columns as text."""

    @abstractmethod
    def unique(self, table: str) -> set[frozenset[str]]:
        """Return the sets of columns that are unique in a table."""

    @abstractmethod
    def indexes(self) -> list[tuple[str, str]]:
        """Return (name, statement that makes it) of every index that is none of a constraint."""

    @abstractmethod
    def doubled(self, table: str, column: str) -> Iterable[Row]:
        """Return the values that occur twice in a column despite its unique index, if that is possible."""

    @abstractmethod
    def references(self, table: str) -> set[str]:
        """Return the columns whose foreign keys the database checks."""

    @abstractmethod
    def checks(self, table: str) -> int:
        """Return the number of a table's CHECK constraints."""

    @abstractmethod
    def triggers(self) -> list[tuple[str, str]]:
        """Return (name, definition) of every trigger, and of whatever else changes, hides or adds rows."""

    @abstractmethod
    def last_ids(self) -> dict[str, int]:
        """Return {table: the last id it has assigned}, even if that row is gone."""

    @abstractmethod
    def set_last_id(self, table: str, last: int) -> None:
        """Make a table continue its ids after this one."""

    @abstractmethod
    def analyze(self) -> None:
        """Update the planner's statistics after a restore."""

    @abstractmethod
    def _stream(self, statement: str) -> Any:
        """Return a cursor that reads a query's rows as they are fetched."""

    def close(self) -> None:
        """Close the connection, rolling back what was not committed."""
        self._connection.close()

    def execute(self, statement: str, values: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
        """Run a statement and return its cursor; without values, `%` and `?` are not placeholders."""
        return self._connection.execute(statement, *([values] if values else []))

    def stream(self, statement: str) -> Iterator[list[Row]]:
        """Yield the rows of a query in small batches, as lists of rows; within a transaction."""
        cursor = self._stream(statement)
        while rows := cursor.fetchmany(READ_AT_ONCE):
            yield rows
        cursor.close()

    def count(self, table: str) -> int:
        """Return the number of a table's rows."""
        (count,) = self.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()
        return int(count)

    def clear(self, table: str) -> None:
        """Delete the rows that the creation of a table has written."""
        if self.count(table):
            self.execute(f'DELETE FROM "{table}"')

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows of a dump's values: numbers, texts, and bytes as base64."""
        kinds = self.columns(table)
        convert = [(at, self.CONVERT[kinds[name]]) for at, name in enumerate(columns) if kinds[name] in self.CONVERT]
        names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join([self.MARK] * len(columns))
        rows = [self._converted(row, convert) for row in rows] if convert else rows
        self._connection.cursor().executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)

    @staticmethod
    def _converted(row: Row, convert: Sequence[tuple[int, Callable[[Any], Any]]]) -> Row:
        values = list(row)
        for at, do in convert:
            values[at] = None if values[at] is None else do(values[at])
        return values

    def drop_indexes(self) -> list[str]:
        """Drop every index that is none of a constraint, and return the statements that make them again.

        Made when the rows are there, an index is sorted once, and not searched for each row.
        """
        found = self.indexes()
        for name, _made in found:
            self.execute(f'DROP INDEX "{name}"')
        return [made for _name, made in found]


class Sqlite(Engine):
    """A SQLite file. For a restore its foreign keys are off, and checked once at the end."""

    CONVERT = {"BLOB": base64.b64decode}
    error = sqlite3.Error

    def doubled(self, table: str, column: str) -> list[Row]:
        rows = self.execute(f'SELECT "{column}" FROM "{table}" GROUP BY "{column}" HAVING COUNT(*) > 1')
        return list(rows)

    def begin_reading(self) -> None:
        # Invalid UTF-8 must be reported, not stop the reading.
        self._connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        self.execute("BEGIN")

    def loosen(self) -> None:
        pass  # the restore has switched foreign keys off already: SQLite cannot do it inside a transaction

    def _stream(self, statement: str) -> Any:
        return self._connection.execute(statement)

    def tables(self) -> list[str]:
        rows = self.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        )
        return [name for (name,) in rows]

    def columns(self, table: str) -> dict[str, str]:
        return {name: kind for _place, name, kind, *_rest in self.execute(f'PRAGMA table_info("{table}")')}

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        names = ", ".join(f'"{name}"' for name in columns)
        yield from self.execute(f'SELECT {names} FROM "{table}"')

    def unique(self, table: str) -> set[frozenset[str]]:
        keys = {frozenset(name for _place, name, *_rest, key in self.execute(f'PRAGMA table_info("{table}")') if key)}
        for _place, index, is_unique, _origin, is_partial in self.execute(f'PRAGMA index_list("{table}")').fetchall():
            if is_unique and not is_partial:
                keys.add(frozenset(row[2] for row in self.execute(f'PRAGMA index_info("{index}")')))
        return keys

    def indexes(self) -> list[tuple[str, str]]:
        return list(self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))

    def references(self, table: str) -> set[str]:
        return {row[3] for row in self.execute(f'PRAGMA foreign_key_list("{table}")')}

    def checks(self, table: str) -> int:
        row = self.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return row[0].upper().count("CHECK") if row else 0

    def triggers(self) -> list[tuple[str, str]]:
        return list(self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))

    def last_ids(self) -> dict[str, int]:
        return dict(self.execute("SELECT name, seq FROM sqlite_sequence"))

    def set_last_id(self, table: str, last: int) -> None:
        self.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def analyze(self) -> None:
        pass  # SQLite plans well enough without statistics

    def loose_references(self) -> list[tuple[Any, ...]]:
        # SQLite checks foreign keys only on connections that ask for it.
        return [tuple(row[:3]) for row in self.execute("PRAGMA foreign_key_check")]

    def check_references(self) -> None:
        for table, _row, other in self.loose_references():
            raise sqlite3.IntegrityError(f"a row of {table} refers to a row of {other} that is not there")


class Postgres(Engine):
    """A PostgreSQL database. Foreign keys are dropped for a restore and created again at its end."""

    MARK = "%s"
    postgres = True
    CONVERT = {"bytea": base64.b64decode, "boolean": bool}

    def __init__(self, connection: Any) -> None:
        import psycopg

        super().__init__(connection)
        self.error = psycopg.Error
        self._references: list[tuple[str, str, str]] = []
        self._numbers = itertools.count()

    def begin_reading(self) -> None:
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.execute("SET LOCAL cursor_tuple_fraction = 1")  # plan for reading all rows, not for the first ones early

    def loosen(self) -> None:
        self.execute("SET LOCAL statement_timeout = 0")  # a restore may take a while
        self.execute("SET LOCAL cursor_tuple_fraction = 1")
        self._references = self.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        ).fetchall()
        for table, name, _definition in self._references:
            self.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')

    def tables(self) -> list[str]:
        rows = self.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        return [name for (name,) in rows]

    def columns(self, table: str) -> dict[str, str]:
        rows = self.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        return dict(rows)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        kinds = self.columns(table)
        names = ", ".join(f'"{name}"' + ("::text" if kinds[name] in ("json", "jsonb") else "") for name in columns)
        for rows in self.stream(f'SELECT {names} FROM "{table}"'):
            yield from rows

    def _stream(self, statement: str) -> Any:
        cursor = self._connection.cursor(name=f"stream_{next(self._numbers)}")
        cursor.itersize = READ_AT_ONCE
        return cursor.execute(statement)

    def indexes(self) -> list[tuple[str, str]]:
        rows = self.execute(
            "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
        return list(rows)

    def doubled(self, table: str, column: str) -> tuple[Row, ...]:
        return ()  # a unique index cannot be fooled here

    def unique(self, table: str) -> set[frozenset[str]]:
        rows = self.execute(
            "SELECT array_agg(a.attname::text) FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            " WHERE i.indrelid = quote_ident(%s)::regclass AND i.indisunique AND i.indisvalid AND i.indislive"
            " AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid",
            (table,),
        )
        return {frozenset(names) for (names,) in rows}

    def references(self, table: str) -> set[str]:
        rows = self.execute(
            "SELECT a.attname::text FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)"
            " WHERE c.conrelid = quote_ident(%s)::regclass AND c.contype = 'f' AND c.convalidated",
            (table,),
        )
        return {name for (name,) in rows}

    def loose_references(self) -> list[tuple[Any, ...]]:
        return []  # the database checks every write, and `references` tells whether it still does

    def checks(self, table: str) -> int:
        (count,) = self.execute(
            "SELECT COUNT(*) FROM pg_constraint WHERE conrelid = quote_ident(%s)::regclass AND contype = 'c' AND convalidated",
            (table,),
        ).fetchone()
        return int(count)

    def triggers(self) -> list[tuple[str, str]]:
        # PostgreSQL's internal triggers, which check foreign keys, are listed only if they are disabled.
        rows = self.execute(
            "SELECT t.tgname, concat_ws(' ', c.relname, t.tgtype, t.tgenabled, p.prosrc)"
            " || CASE WHEN t.tgqual IS NULL AND t.tgattr::text = '' THEN '' ELSE ' (with conditions)' END"
            " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND (NOT t.tgisinternal OR t.tgenabled <> 'O')"
            " UNION ALL SELECT rulename, definition FROM pg_rules WHERE schemaname = current_schema()"
            " UNION ALL SELECT policyname, 'hides rows of ' || tablename FROM pg_policies"
            " WHERE schemaname = current_schema()"
            " UNION ALL SELECT relname, 'hides rows' FROM pg_class WHERE relrowsecurity"
            " AND relnamespace = current_schema()::regnamespace"
            " UNION ALL SELECT inhrelid::regclass::text, 'adds rows to ' || inhparent::regclass FROM pg_inherits"
            " JOIN pg_class p ON p.oid = inhparent AND p.relnamespace = current_schema()::regnamespace"
        )
        return list(rows)

    def _sequences(self) -> list[tuple[str, str]]:
        rows = self.execute(
            "SELECT c.relname, pg_get_serial_sequence(quote_ident(c.relname), a.attname) FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
            " AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
        )
        return list(rows)

    def last_ids(self) -> dict[str, int]:
        ids = {}
        for table, sequence in self._sequences():
            last, used = self.execute(f"SELECT last_value, is_called FROM {sequence}").fetchone()
            if used:
                ids[table] = last
        return ids

    def set_last_id(self, table: str, last: int) -> None:
        sequence = dict(self._sequences()).get(table)
        if sequence and last:  # a table that has assigned none starts at 1 anyway
            self.execute("SELECT setval(%s::regclass, %s)", (sequence, last))

    def analyze(self) -> None:
        self.execute("ANALYZE")

    def check_references(self) -> None:
        for table, name, definition in self._references:
            self.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')

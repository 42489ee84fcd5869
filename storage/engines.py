"""What a dump needs of SQLite and PostgreSQL, in the same words, each over a connection of its own."""

import base64
import sqlite3
from urllib.parse import unquote

READ_AT_ONCE = 500


def open_engine(url):
    """Open a database by its address."""
    if url.startswith("sqlite:"):
        return Sqlite(unquote(url.removeprefix("sqlite:///")))
    return Postgres(url.replace("postgres://", "postgresql://", 1))


class Engine:
    """The common part; `execute` returns a cursor."""

    MARK = "?"

    def close(self):
        """Close the connection; what was not committed is undone."""
        self._connection.close()

    def execute(self, statement, values=()):
        """Run a statement."""
        return self._connection.execute(statement, values)

    def count(self, table):
        """Return the number of a table's rows."""
        return self.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0]

    def clear(self, table):
        """Remove a new table's rows: marks that came with the making of it."""
        if self.count(table):
            self.execute(f'DELETE FROM "{table}"')

    def insert(self, table, columns, rows):
        """Insert rows of plain values."""
        kinds = self.columns(table)
        bring = [self.CONVERT.get(kinds[name], _same) for name in columns]
        names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join([self.MARK] * len(columns))
        values = [[None if value is None else do(value) for do, value in zip(bring, row, strict=True)] for row in rows]
        self._connection.cursor().executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', values)

    def commit(self):
        """Keep what was written."""
        self.execute("COMMIT")


def _same(value):
    return value


class Sqlite(Engine):
    """A SQLite file. Foreign keys are off for this connection, and checked once at the end."""

    CONVERT = {"BLOB": base64.b64decode}

    def __init__(self, path):
        self._connection = sqlite3.connect(path, timeout=15, isolation_level=None)

    def begin_reading(self):
        """Hold one snapshot from now on (WAL: writers are not in the way)."""
        self.execute("BEGIN")

    def begin_writing(self):
        """Begin the one transaction of a restore."""
        self.execute("BEGIN IMMEDIATE")

    def tables(self):
        """Return the names of all tables."""
        found = self.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        )
        return [name for (name,) in found]

    def columns(self, table):
        """Return {column: declared type}."""
        return {name: kind for _place, name, kind, *_rest in self.execute(f'PRAGMA table_info("{table}")')}

    def rows(self, table, columns):
        """Yield a table's rows."""
        names = ", ".join(f'"{name}"' for name in columns)
        yield from self.execute(f'SELECT {names} FROM "{table}"')

    def last_ids(self):
        """Return {table: the last id it has given}, also of rows that are gone."""
        return dict(self.execute("SELECT name, seq FROM sqlite_sequence"))

    def set_last_id(self, table, last):
        """Have a table go on after this id."""
        self.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def check_references(self):
        """Raise IntegrityError for a row that refers to none."""
        broken = self.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise sqlite3.IntegrityError(f"a row of {broken[0]} refers to a row of {broken[2]} that is not there")


class Postgres(Engine):
    """A PostgreSQL database. Foreign keys are taken away for the restore and made again at its end."""

    MARK = "%s"
    CONVERT = {"bytea": base64.b64decode, "boolean": bool}

    def __init__(self, url):
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c timezone=UTC")
        self._references = []

    def begin_reading(self):
        """Hold one snapshot from now on."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_writing(self):
        """Begin the one transaction of a restore, in which tables may come in any order."""
        self.execute("BEGIN")
        self._references = self.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        ).fetchall()
        for table, name, _definition in self._references:
            self.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')

    def tables(self):
        """Return the names of all tables."""
        found = self.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        return [name for (name,) in found]

    def columns(self, table):
        """Return {column: type}."""
        found = self.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        return dict(found)

    def rows(self, table, columns):
        """Yield a table's rows; JSON comes as text, as SQLite has it."""
        kinds = self.columns(table)
        names = ", ".join(f'"{name}"' + ("::text" if kinds[name] in ("json", "jsonb") else "") for name in columns)
        with self._connection.cursor(name="dump") as cursor:
            cursor.itersize = READ_AT_ONCE
            yield from cursor.execute(f'SELECT {names} FROM "{table}"')

    def _sequences(self):
        return self.execute(
            "SELECT c.relname, pg_get_serial_sequence(quote_ident(c.relname), a.attname) FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
            " AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
        ).fetchall()

    def last_ids(self):
        """Return {table: the last id it has given}, also of rows that are gone."""
        found = {}
        for table, sequence in self._sequences():
            last, used = self.execute(f"SELECT last_value, is_called FROM {sequence}").fetchone()
            if used:
                found[table] = last
        return found

    def set_last_id(self, table, last):
        """Have a table go on after this id."""
        sequence = dict(self._sequences()).get(table)
        if sequence:
            self.execute("SELECT setval(%s::regclass, %s)", (sequence, last))

    def check_references(self):
        """Make the foreign keys again; raise IntegrityError for a row that refers to none."""
        for table, name, definition in self._references:
            self.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')

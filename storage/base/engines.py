"""What a dump and the proof of the books need of SQLite and PostgreSQL, in the same words."""

import base64
import itertools
import sqlite3
from urllib.parse import unquote

READ_AT_ONCE = 2000


class UnknownDatabase(Exception):
    """An address names neither of the two databases."""


def check_address(url):
    """Raise UnknownDatabase for an address of another kind of database."""
    if not url.startswith(("sqlite:///", "postgres://", "postgresql://")):
        kind = url.partition(":")[0]
        raise UnknownDatabase(f"{kind}: is no database this bot knows; want sqlite:///path or postgresql://…")


def open_engine(url):
    """Open a database by its address, over a connection of its own."""
    check_address(url)
    if url.startswith("sqlite:"):
        return Sqlite(sqlite3.connect(unquote(url.removeprefix("sqlite:///")), timeout=15, isolation_level=None))
    import psycopg

    url = url.replace("postgres://", "postgresql://", 1)
    return Postgres(psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c timezone=UTC"))


def over(db):
    """Return the engine over the open connection of a Peewee database, inside its transaction."""
    connection = db.connection()
    return Sqlite(connection) if isinstance(connection, sqlite3.Connection) else Postgres(connection)


class Engine:
    """The common part; `execute` returns a cursor."""

    MARK = "?"
    postgres = False

    def __init__(self, connection):
        self._connection = connection

    def close(self):
        """Close the connection; what was not committed is undone."""
        self._connection.close()

    def execute(self, statement, values=None):
        """Run a statement; without values its signs mean themselves."""
        return self._connection.execute(statement, *([values] if values else []))

    def stream(self, statement):
        """Yield the rows of a query in small batches, as lists of rows; inside a transaction."""
        cursor = self._stream(statement)
        while rows := cursor.fetchmany(READ_AT_ONCE):
            yield rows
        cursor.close()

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


def _same(value):
    return value


class Sqlite(Engine):
    """A SQLite file. For a restore its foreign keys are off, and checked once at the end."""

    CONVERT = {"BLOB": base64.b64decode}
    error = sqlite3.Error

    def doubled(self, table, column):
        """Return the values that are there twice, whatever the index of the column claims."""
        return self.execute(f'SELECT "{column}" FROM "{table}" GROUP BY "{column}" HAVING COUNT(*) > 1').fetchall()

    def begin_reading(self):
        """Hold one snapshot from now on (WAL: writers are not in the way)."""
        self._connection.text_factory = lambda raw: raw.decode(
            errors="surrogateescape"
        )  # what is no text is found, too
        self.execute("BEGIN")

    def loosen(self):
        """Let tables be filled in any order: references are off already, which no transaction can change."""

    def _stream(self, statement):
        return self._connection.execute(statement)

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

    def unique(self, table):
        """Return the sets of columns that are unique in a table."""
        found = {frozenset(name for _place, name, *_rest, key in self.execute(f'PRAGMA table_info("{table}")') if key)}
        for _place, index, is_unique, _origin, is_partial in self.execute(f'PRAGMA index_list("{table}")').fetchall():
            if is_unique and not is_partial:
                found.add(frozenset(row[2] for row in self.execute(f'PRAGMA index_info("{index}")')))
        return found

    def references(self, table):
        """Return the columns whose references the database checks."""
        return {row[3] for row in self.execute(f'PRAGMA foreign_key_list("{table}")')}

    def checks(self, table):
        """Return the number of a table's CHECKs."""
        found = self.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return found[0].upper().count("CHECK") if found else 0

    def triggers(self):
        """Return (trigger, its definition) of all there are."""
        return self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()

    def last_ids(self):
        """Return {table: the last id it has given}, also of rows that are gone."""
        return dict(self.execute("SELECT name, seq FROM sqlite_sequence"))

    def set_last_id(self, table, last):
        """Have a table go on after this id."""
        self.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def analyze(self):
        """Do nothing: SQLite plans well enough without knowing its tables."""

    def loose_references(self):
        """Return (table, its row, the table it refers to in vain): who writes over a connection of their own may do so."""
        return [tuple(row[:3]) for row in self.execute("PRAGMA foreign_key_check")]

    def check_references(self):
        """Raise IntegrityError for a row that refers to none."""
        for table, _row, other in self.loose_references():
            raise sqlite3.IntegrityError(f"a row of {table} refers to a row of {other} that is not there")


class Postgres(Engine):
    """A PostgreSQL database. Foreign keys are taken away for the restore and made again at its end."""

    MARK = "%s"
    postgres = True
    CONVERT = {"bytea": base64.b64decode, "boolean": bool}

    def __init__(self, connection):
        super().__init__(connection)
        self._references = []
        self._numbers = itertools.count()

    @property
    def error(self):
        """What the database raises."""
        import psycopg

        return psycopg.Error

    def begin_reading(self):
        """Hold one snapshot from now on."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.execute("SET LOCAL cursor_tuple_fraction = 1")  # every row is wanted, not the first ones soon

    def loosen(self):
        """Let tables be filled in any order, inside the transaction of a restore, however long that takes."""
        self.execute("SET LOCAL statement_timeout = 0")
        self.execute("SET LOCAL cursor_tuple_fraction = 1")
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
        for rows in self.stream(f'SELECT {names} FROM "{table}"'):
            yield from rows

    def _stream(self, statement):
        cursor = self._connection.cursor(name=f"stream_{next(self._numbers)}")
        cursor.itersize = READ_AT_ONCE
        return cursor.execute(statement)

    def doubled(self, table, column):
        """Return nothing: here an index is what it is called."""
        return ()

    def unique(self, table):
        """Return the sets of columns that are unique in a table."""
        found = self.execute(
            "SELECT array_agg(a.attname::text) FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            " WHERE i.indrelid = quote_ident(%s)::regclass AND i.indisunique AND i.indisvalid AND i.indislive"
            " AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid",
            (table,),
        )
        return {frozenset(names) for (names,) in found}

    def references(self, table):
        """Return the columns whose references the database checks."""
        found = self.execute(
            "SELECT a.attname::text FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)"
            " WHERE c.conrelid = quote_ident(%s)::regclass AND c.contype = 'f' AND c.convalidated",
            (table,),
        )
        return {name for (name,) in found}

    def loose_references(self):
        """Return nothing: the database checks its references itself, and `references` tells whether it still does."""
        return []

    def checks(self, table):
        """Return the number of a table's CHECKs."""
        return self.execute(
            "SELECT COUNT(*) FROM pg_constraint WHERE conrelid = quote_ident(%s)::regclass AND contype = 'c' AND convalidated",
            (table,),
        ).fetchone()[0]

    def triggers(self):
        """Return (trigger or rule, its definition); of the database's own, for references, what is switched off."""
        return self.execute(
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
        ).fetchall()

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
        if sequence and last:  # a table that has given none begins at 1 by itself
            self.execute("SELECT setval(%s::regclass, %s)", (sequence, last))

    def analyze(self):
        """Have the database know its new tables before it plans queries over them."""
        self.execute("ANALYZE")

    def check_references(self):
        """Make the foreign keys again; raise IntegrityError for a row that refers to none."""
        for table, name, definition in self._references:
            self.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')

"""The database: opening it, transactions, and the column types all tables share.

SQLite: WAL, `synchronous=FULL`, foreign keys, recursive triggers (or INSERT OR REPLACE would slip past the
ledger's triggers); write transactions begin IMMEDIATE and queue on one fair in-process lock, so the busy
timeout is left for other processes. PostgreSQL: a pool of connections, each held for one operation only,
never while a handler waits for the network.
"""

import collections
import os
import sqlite3
import threading
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import peewee
from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    DatabaseError,
    DatabaseProxy,
    InterfaceError,
    Model,
    NodeList,
    SqliteDatabase,
)
from playhouse.pool import MaxConnectionsExceeded

from storage.base.clean import clean

database = DatabaseProxy()
_url = None  # of the database in use
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
POOL_SIZE = 20
BUSY_S = 15  # for other processes with SQLite
SCRUB_WAIT_MS = 200  # all writers wait for it
STATEMENT_TIMEOUT_MS = 30_000
DEAD_MS = 20_000  # a server that acknowledges nothing for so long is away


# What no operation is to blame for: https://sqlite.org/rescode.html …
SQLITE_TROUBLE = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
})  # fmt: skip
# … and https://www.postgresql.org/docs/current/errcodes-appendix.html: the connection, a rollback by the server
# (a deadlock, say), resources such as the disk, an intervention of the operator's, the system.
POSTGRES_TROUBLE = ("08", "40", "53", "57", "58")
READ_ONLY = "25006"  # the server has become a replica: another connection may lead to the new one


class StorageDown(Exception):
    """The database cannot be reached, or cannot read or write now; nothing of this operation was kept.

    Nobody's fault: what meets it is put back, without counting a try.
    """


class FairLock:
    """A lock that is handed over in the order it was asked for; a thread may take it again while holding it."""

    def __init__(self):
        self._guard = threading.Lock()
        self._waiting = collections.deque()
        self._owner = None
        self._depth = 0

    def __enter__(self):
        me = threading.get_ident()
        with self._guard:
            if self._owner in (None, me):
                self._owner, self._depth = me, self._depth + 1
                return self
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        turn.acquire()  # released by the owner before us, which has already made us the owner
        return self

    def __exit__(self, *_exc):
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            self._owner = None
            if self._waiting:
                self._owner, turn = self._waiting.popleft()
                self._depth = 1
                turn.release()


_write_lock = FairLock()
_thread = threading.local()


class _Written(threading.local):
    """Counts the write transactions each thread has begun: the same number again means that nothing was written."""

    count = 0


written = _Written()


class IdField(BigAutoField):
    """A row's number, never given twice: SQLite would hand a deleted row's on, and with it every key made of it."""

    def ddl(self, ctx):
        """Return the column's definition."""
        column = super().ddl(ctx)
        return column if is_postgres() else NodeList((column, SQL("AUTOINCREMENT")))


class UtcField(BigIntegerField):
    """An aware UTC time, stored as microseconds since 1970 in both databases."""

    def db_value(self, value):
        """Return the whole microseconds of an aware datetime; a naive one is a bug and raises."""
        if value is None or isinstance(value, int):
            return value
        return (value - EPOCH) // MICROSECOND

    def python_value(self, value):
        """Return the aware datetime of stored microseconds."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class TextField(peewee.TextField):
    """A text, cleaned of what one of the two databases does not take."""

    def adapt(self, value):
        """Return the text as it can be kept."""
        return clean(super().adapt(value))


class JSONField(peewee.JSONField):
    """Plain data; its texts are cleaned like a `TextField`'s."""

    def db_value(self, value):
        """Return the data as it can be kept."""
        return super().db_value(clean(value))


class Table(Model):
    """What all our tables share: the database, and table names in the singular."""

    class Meta:
        database = database
        legacy_table_names = False


def connect(url):
    """Open `url` (`sqlite:///path` or `postgresql://…`) for the whole process and return the database."""
    real = use(url)
    with connection():
        real.execute_sql("SELECT 1")
    return real


def use(url):
    """Have the process use `url` from now on, without asking whether it answers; return the database.

    The one in use stays as it is: libpq does not survive that a connection is closed while another thread asks it.
    """
    global _url
    if url == _url:
        return database.obj
    kind = urlparse(url).scheme
    if kind == "sqlite":
        real = _sqlite(unquote(url.removeprefix("sqlite:///")))
    elif kind in ("postgres", "postgresql"):
        real = _postgres(url)
    else:
        raise ValueError(f"unknown database kind {kind!r}; want sqlite or postgresql")
    disconnect()
    database.initialize(real)
    _url = url
    return real


def address():
    """Return the address of the database in use."""
    return _url


def disconnect():
    """Close what this thread and the pool hold open; no other thread may be at work."""
    global _url
    _url = None
    if hasattr(database.obj, "close_all"):
        database.obj.close_all()
    elif database.obj is not None and not database.obj.is_closed():
        database.obj.close()


def leave():
    """Close the calling thread's own connection before the thread ends: Python would keep it for long."""
    if not is_postgres() and not database.obj.is_closed():
        database.obj.close()


def flatten():
    """Bring what SQLite keeps in its journal into the one file, for whoever copies or moves it after we have ended."""
    if not is_postgres():
        with connection() as db:
            db.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")  # waits for nobody: another copy may lead by now
        disconnect()


def scrub():
    """Empty SQLite's journal: it has what was overwritten in the file. Return False while a reader is in the way."""
    with connection() as db:
        if is_postgres() or db.in_transaction():
            return is_postgres()
        with _write_lock:
            db.execute_sql(f"PRAGMA busy_timeout = {SCRUB_WAIT_MS}")
            busy, *_pages = db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            db.execute_sql(f"PRAGMA busy_timeout = {1000 * BUSY_S}")
            return not busy


def is_postgres():
    """Tell which of the two databases is open."""
    return not isinstance(database.obj, SqliteDatabase)


def private_folder(path):
    """Make a folder, and those above it that are missing, for its owner alone."""
    missing = [folder for folder in (Path(path), *Path(path).parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def private_file(path, flags):
    """Open a file as `open(…, opener=private_file)` wants it: a new one is for its owner alone."""
    return os.open(path, flags, 0o600)


def _sqlite(path):
    private_folder(Path(path).parent)
    if path != ":memory:" and os.access(Path(path).parent, os.W_OK):
        open(path, "ab", opener=private_file).close()  # SQLite makes its journals as private as the file is
    pragmas = {
        "journal_mode": "wal",
        "synchronous": "full",
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "secure_delete": 1,  # what is deleted is overwritten
        "cache_size": -1024,  # KiB a connection; there is one connection a thread
    }
    return SqliteDatabase(path, pragmas=pragmas, timeout=BUSY_S, lock_type="IMMEDIATE", autoconnect=False)


def _postgres(url):
    from playhouse.pool import PooledPostgresqlDatabase

    class Pool(PooledPostgresqlDatabase):
        def _is_closed(self, conn):
            return conn.closed  # peewee's asks the server each time, in a lock that all threads wait for

    return Pool(
        url.replace("postgres://", "postgresql://", 1),
        max_connections=POOL_SIZE,
        timeout=30,
        stale_timeout=300,
        autoconnect=False,
        prefer_psycopg3=True,
        options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        connect_timeout=5,
        tcp_user_timeout=DEAD_MS,
        application_name="bot",
    )


@contextmanager
def connection():
    """Have a connection for the block. Nested blocks share it; PostgreSQL's goes back to the pool at the end.

    Raise StorageDown when the database is away, or cannot read or write now.
    """
    db = database.obj
    if getattr(_thread, "inside", None) is db:
        yield db
        return
    pooled = is_postgres()
    try:
        if db.is_closed():
            db.connect()
        _thread.inside = db
        yield db
    except (DatabaseError, InterfaceError, MaxConnectionsExceeded) as error:
        lost, trouble = pooled and (db.is_closed() or db.connection().closed), _trouble(error)
        if lost or getattr(trouble, "sqlstate", None) == READ_ONLY:
            _leave_server(db)
        if lost or trouble:
            raise StorageDown(str(trouble or error)) from error
        raise
    finally:
        _thread.inside = None
        if pooled and not db.is_closed():
            db.close()


def _trouble(error):
    """Return the error that speaks of the database's own state, and not of what it was asked; None when none does.

    It may be one that a failed rollback came of: where SQLite's disk is full there is nothing left to roll back.
    """
    while error is not None and not _is_trouble(error):
        error = error.__context__
    return error


def _is_trouble(error):
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_TROUBLE
    return (getattr(error, "sqlstate", None) or "").startswith((*POSTGRES_TROUBLE, READ_ONLY))


def _leave_server(db):
    """Give up all connections to a server that is not the one to write to any more."""
    if not db.is_closed():
        db.manual_close()  # it must not go back to the pool
    db.close_idle()  # and the others are most likely the same


@contextmanager
def transaction():
    """Run the block as one durable write transaction; inside another one it is a part that rolls back alone.

    So who catches an error of the inner block, and goes on, keeps nothing of it.
    """
    written.count += 1
    with connection() as db:
        if db.in_transaction():
            with db.atomic():
                yield db
            return
        try:
            with nullcontext() if is_postgres() else _write_lock, db.atomic():
                yield db
        finally:
            waiting, _thread.afterwards = getattr(_thread, "afterwards", ()), ()
            for call in waiting:
                call()


def afterwards(call):
    """Call something once this thread's transaction has ended, either way; outside of one at once."""
    if database.obj.is_closed() or not database.obj.in_transaction():
        call()
    else:
        _thread.afterwards = (*getattr(_thread, "afterwards", ()), call)

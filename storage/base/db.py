"""The database: opening it, transactions, and the column types all tables share.

SQLite: WAL, `synchronous=FULL`, foreign keys, recursive triggers (or INSERT OR REPLACE would bypass the
ledger's triggers); write transactions begin IMMEDIATE and queue on one fair in-process lock, so the busy
timeout is only for other processes. PostgreSQL: a pool of connections, each held for one operation only,
never while a handler waits for the network.
"""

import collections
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlparse

import peewee
from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    Database,
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
_url: str | None = None  # of the database in use
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
POOL_SIZE = 20
BUSY_S = 15  # how long SQLite waits for other processes
SCRUB_WAIT_MS = 200  # short, because all writers wait meanwhile
STATEMENT_TIMEOUT_MS = 30_000
DEAD_MS = 20_000  # a server that acknowledges nothing for this long counts as gone


# Errors that are not the statement's fault: https://sqlite.org/rescode.html …
SQLITE_TROUBLE = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
})  # fmt: skip
# … and https://www.postgresql.org/docs/current/errcodes-appendix.html: the connection, a rollback by the server
# (such as a deadlock), resources such as the disk, operator intervention, the system.
POSTGRES_TROUBLE = ("08", "40", "53", "57", "58")
READ_ONLY = "25006"  # the server has become a replica: a new connection may reach the new primary


class StorageDown(Exception):
    """The database cannot be reached, or cannot read or write now; this operation was rolled back.

    Whatever was being handled is not at fault: it is put back without counting an attempt.
    """


class FairLock:
    """A reentrant lock that is granted in the order it was asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: collections.deque[tuple[int, threading.Lock]] = collections.deque()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> Self:
        me = threading.get_ident()
        with self._guard:
            if self._owner in (None, me):
                self._owner, self._depth = me, self._depth + 1
                return self
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        turn.acquire()  # released by the previous owner, which has already made us the owner
        return self

    def __exit__(self, *_exc: object) -> None:
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


class _Thread(threading.local):
    inside: Any = None  # the database of the `connection` block it is in
    afterwards: tuple[Callable[[], object], ...] = ()


class _Written(threading.local):
    """Counts the write transactions each thread has begun; an unchanged number means that nothing was written."""

    count = 0


written = _Written()


_thread = _Thread()


if TYPE_CHECKING:  # peewee's stubs give the types of peewee's own fields only
    from peewee import BigAutoField as _Id
    from peewee import DateTimeField as _Utc
    from peewee import JSONField as JSONField
    from peewee import TextField as TextField

    IdField, UtcField = _Id, _Utc
else:

    class IdField(BigAutoField):
        """A row's number, never reused: SQLite would reuse a deleted row's, and ledger keys are made of these ids."""

        def ddl(self, ctx):
            column = super().ddl(ctx)
            return column if is_postgres() else NodeList((column, SQL("AUTOINCREMENT")))

    class UtcField(BigIntegerField):
        """An aware UTC time, stored as microseconds since 1970 in both databases; a naive one raises."""

        def db_value(self, value):
            if value is None or isinstance(value, int):
                return value
            return (value - EPOCH) // MICROSECOND

        def python_value(self, value):
            return None if value is None else EPOCH + timedelta(microseconds=value)

    class TextField(peewee.TextField):
        """A text, cleaned of what one of the two databases does not accept."""

        def adapt(self, value):
            return clean(super().adapt(value))

    class JSONField(peewee.JSONField):
        """Plain data, its texts cleaned like those of a `TextField`."""

        def db_value(self, value):
            return super().db_value(clean(value))


class Table(Model):
    """Base class of all tables: the database, and table names in the singular."""

    class Meta:
        database = database
        legacy_table_names = False

    if TYPE_CHECKING:  # peewee's stubs declare it in a way that mypy cannot read

        @classmethod
        def delete(cls) -> peewee.ModelDelete: ...


def connect(url: str) -> Database:
    """Open `url` (`sqlite:///path` or `postgresql://…`) for the whole process and return the database."""
    real = use(url)
    with connection():
        real.execute_sql("SELECT 1")
    return real


def use(url: str) -> Any:
    """Make the process use `url` from now on, without checking that it answers; return the database.

    Nothing happens if `url` is in use already: libpq crashes if a connection is closed while another thread uses it.
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


def address() -> str:
    """Return the URL of the database in use, as it was given to `connect`."""
    if _url is None:
        raise RuntimeError("no database is open")
    return _url


def disconnect() -> None:
    """Close the connections of this thread and the pool; no other thread may be using the database."""
    global _url
    _url = None
    if hasattr(database.obj, "close_all"):
        database.obj.close_all()
    elif database.obj is not None and not database.obj.is_closed():
        database.obj.close()


def leave() -> None:
    """Close the calling thread's own connection before the thread ends; otherwise it would linger."""
    if not is_postgres() and not database.obj.is_closed():
        database.obj.close()


def flatten() -> None:
    """Merge SQLite's journal into the database file, for anyone who copies or moves the file after the bot has stopped."""
    if not is_postgres():
        with connection() as db:
            db.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")  # waits for nobody: another copy may be the leader by now
        disconnect()


def scrub() -> bool:
    """Empty SQLite's journal, which still holds erased data; return False if a reader prevented it."""
    with connection() as db:
        if is_postgres() or db.in_transaction():
            return is_postgres()
        with _write_lock:
            db.execute_sql(f"PRAGMA busy_timeout = {SCRUB_WAIT_MS}")
            busy, *_pages = db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            db.execute_sql(f"PRAGMA busy_timeout = {1000 * BUSY_S}")
            return not busy


def is_postgres() -> bool:
    """Tell which of the two databases is open."""
    return not isinstance(database.obj, SqliteDatabase)


def private_folder(path: str | Path) -> None:
    """Create a folder and its missing parents, accessible to the owner only."""
    missing = [folder for folder in (Path(path), *Path(path).parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def private_file(path: str, flags: int) -> int:
    """Open a file for `open(…, opener=private_file)`; a new one is readable by its owner only."""
    return os.open(path, flags, 0o600)


def _sqlite(path: str) -> SqliteDatabase:
    private_folder(Path(path).parent)
    if path != ":memory:" and os.access(Path(path).parent, os.W_OK):
        open(path, "ab", opener=private_file).close()  # SQLite gives its journals the permissions of the file
    pragmas = {
        "journal_mode": "wal",
        "synchronous": "full",
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "secure_delete": 1,  # what is deleted is overwritten
        "cache_size": -1024,  # KiB per connection, and each thread has a connection
    }
    return SqliteDatabase(path, pragmas=pragmas, timeout=BUSY_S, lock_type="IMMEDIATE", autoconnect=False)


def _postgres(url: str) -> Any:
    from playhouse.pool import PooledPostgresqlDatabase

    class Pool(PooledPostgresqlDatabase):
        def _is_closed(self, conn: Any) -> bool:
            return conn.closed  # peewee's own check asks the server each time, while all threads wait for a lock

    make: Any = Pool  # playhouse has no types
    return make(
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


class connection:
    """Hold a connection for the block. Nested blocks share it; PostgreSQL's goes back to the pool at the end.

    Raise StorageDown when the database cannot be reached, or cannot read or write now.

    A class, as each update takes several, and to begin and end a generator's block costs more.
    """

    __slots__ = ("_db", "_is_outer")

    def __enter__(self) -> Database:
        db = self._db = database.obj
        self._is_outer = _thread.inside is not db
        if self._is_outer:
            if db.is_closed():
                try:
                    db.connect()
                except BaseException as error:
                    _leave(db, error)
                    raise
            _thread.inside = db
        return db

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._is_outer:
            _leave(self._db, error)


def _leave(db: Any, error: BaseException | None) -> None:
    """End a connection's block; raise StorageDown if its error is the database's."""
    pooled = is_postgres()
    try:
        if isinstance(error, DatabaseError | InterfaceError | MaxConnectionsExceeded):
            lost, trouble = pooled and (db.is_closed() or db.connection().closed), _trouble(error)
            if lost or getattr(trouble, "sqlstate", None) == READ_ONLY:
                _leave_server(db)
            if lost or trouble:
                raise StorageDown(str(trouble or error)) from error
    finally:
        _thread.inside = None
        if pooled and not db.is_closed():
            db.close()


def _trouble(error: BaseException | None) -> BaseException | None:
    """Return the error in the chain that is about the database's own state and not about the statement, or None.

    It may be hidden behind a failed rollback: when SQLite's disk is full, there is nothing left to roll back.
    """
    while error is not None and not _is_trouble(error):
        error = error.__context__
    return error


def _is_trouble(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_TROUBLE
    return (getattr(error, "sqlstate", None) or "").startswith((*POSTGRES_TROUBLE, READ_ONLY))


def _leave_server(db: Any) -> None:
    """Drop all connections to a server that can no longer be written to."""
    if not db.is_closed():
        db.manual_close()  # it must not go back to the pool
    db.close_idle()  # the idle ones most likely lead to the same server


@contextmanager
def transaction() -> Iterator[Database]:
    """Run the block as one durable write transaction; inside another transaction, as a savepoint.

    If an error of the inner block is caught outside it, only the inner block is rolled back.
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
            waiting, _thread.afterwards = _thread.afterwards, ()
            for call in waiting:
                call()


def afterwards(call: Callable[[], object]) -> None:
    """Call something when this thread's transaction has ended, committed or not; without one, call it at once."""
    if database.obj.is_closed() or not database.obj.in_transaction():
        call()
    else:
        _thread.afterwards = (*_thread.afterwards, call)

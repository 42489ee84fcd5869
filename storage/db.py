"""The database: opening it, transactions, and the column types all tables share.

SQLite: WAL, `synchronous=FULL`, foreign keys, recursive triggers (or INSERT OR REPLACE would slip past the
ledger's triggers); write transactions begin IMMEDIATE and queue on one fair in-process lock, so the busy
timeout is left for other processes. PostgreSQL: a pool of connections, each held for one operation only,
never while a handler waits for the network.
"""

import collections
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    DatabaseProxy,
    InterfaceError,
    Model,
    NodeList,
    OperationalError,
    SqliteDatabase,
)

database = DatabaseProxy()
_url = None  # of the database in use
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
POOL_SIZE = 20
STATEMENT_TIMEOUT_MS = 30_000
DEAD_MS = 20_000  # a server that acknowledges nothing for so long is away


class StorageDown(Exception):
    """The database could not be reached or dropped the connection; nothing of this operation was kept."""


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
        "cache_size": -1024,  # KiB a connection; there is one connection a thread
    }
    return SqliteDatabase(path, pragmas=pragmas, timeout=15, lock_type="IMMEDIATE", autoconnect=False)


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

    Raise StorageDown when the server is away or went away; SQLite's errors come as they are.
    """
    db = database.obj
    if not db.is_closed():
        yield db
        return
    pooled = is_postgres()
    try:
        db.connect()
    except (OperationalError, InterfaceError) as error:
        if pooled:
            raise StorageDown(str(error)) from error
        raise
    try:
        yield db
    except (OperationalError, InterfaceError) as error:
        if pooled and not db.is_closed() and db.connection().closed:
            db.manual_close()  # a connection the server has closed must not go back to the pool
            db.close_idle()  # and the others are most likely gone, too
            raise StorageDown(str(error)) from error
        raise
    finally:
        if pooled and not db.is_closed():
            db.close()


def writes():
    """Return how many write transactions this thread has begun: the same number again means that nothing was written."""
    return getattr(_thread, "writes", 0)


@contextmanager
def transaction():
    """Run the block as one durable write transaction; inside another one it is a part that rolls back alone.

    So who catches an error of the inner block, and goes on, keeps nothing of it.
    """
    _thread.writes = writes() + 1
    with connection() as db:
        if db.in_transaction() or is_postgres():
            with db.atomic():
                yield db
        else:
            with _write_lock, db.atomic():
                yield db

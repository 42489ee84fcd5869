"""One leader: a lock of the operating system beside SQLite, an advisory lock in PostgreSQL.

The loser stands by and takes over when the lock is free. There is no fallback from one to the other. PostgreSQL's lock
lives on a connection of its own, with keepalives of a few seconds on both ends; if that fails, the leader stops itself,
as another copy may hold the lock by then. A pooler in transaction mode may run every statement in another session,
which would keep the lock for ever or lose it at once, so it is refused.
"""

import re
import select
import zlib
from pathlib import Path

import portalocker

from core.settings import SettingsError
from storage.base.db import private_file, private_folder

ANSWER_S = 3  # for the server to say that the lock's connection lives
POOLERS = re.compile(r"-pooler\.|:6543/|[?&]pgbouncer=true")  # Neon, Supabase, Prisma's mark
NO_POOLER = (
    "DATABASE_URL: found a connection pooler in transaction mode (PgBouncer, Supabase's port 6543, Neon's -pooler"
    " host); want the direct address, or a pooler in session mode"
)
HOPELESS = re.compile(
    r"password authentication failed|no password supplied|(database|role) .* does not exist|does not support SSL"
)


class LockLost(Exception):
    """The connection for the leader's lock is gone, or cannot be made."""


class FileLock:
    """A lock on `bot.lock` in the data directory."""

    def __init__(self, folder):
        try:
            private_folder(folder)
            self._stream = open(Path(folder) / "bot.lock", "a", opener=private_file)  # noqa: SIM115, open as long as we live
        except OSError as error:
            raise SettingsError([f"DATA_DIR: found {folder!r} ({error}); want a folder the bot may write to"]) from None

    def acquire(self):
        """Take the lock if it is free; return whether we have it."""
        try:
            portalocker.lock(self._stream, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.LockException:
            return False
        return True

    def check(self):
        """Do nothing: the system keeps a file lock as long as the process lives."""

    def release(self):
        """Let the next one take over."""
        portalocker.unlock(self._stream)


class AdvisoryLock:
    """A session advisory lock on an unpooled connection."""

    KEY = (zlib.crc32(b"kie-bot") & 0x7FFFFFFF, 1)  # two 32-bit halves: the 64-bit form overflows easily
    # Both ends notice within seconds that the other is gone: libpq's settings, then the server's own for this session
    OURS = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 3000}
    THEIRS = "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=3000"

    def __init__(self, url):
        self._url = url.replace("postgres://", "postgresql://", 1)
        self._connection = None
        if POOLERS.search(url):
            raise SettingsError([NO_POOLER])

    def acquire(self):
        """Take the lock if it is free; return whether we have it. Raise LockLost while the server cannot be reached."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = self._connect()
                self._refuse_pooler()
            return self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", self.KEY).fetchone()[0]
        except psycopg.OperationalError as error:
            self.release()
            if HOPELESS.search(str(error)):
                raise SettingsError([f"DATABASE_URL: the server says: {error}"]) from None
            raise LockLost(str(error)) from error

    def _connect(self):
        import psycopg

        try:
            return psycopg.connect(self._url, autocommit=True, connect_timeout=5, options=self.THEIRS, **self.OURS)
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" in str(error):  # PgBouncer's words
                raise SettingsError([NO_POOLER]) from None
            raise

    def _refuse_pooler(self):
        """Raise SettingsError if two connections share a session, or one changes its session between two statements."""
        ours = self._session(self._connection)
        with self._connect() as other:
            other.autocommit = False
            if self._session(other) == ours or self._session(self._connection) != ours:
                raise SettingsError([NO_POOLER])

    @staticmethod
    def _session(connection):
        return connection.execute("SELECT pg_backend_pid()").fetchone()[0]

    def check(self):
        """Query the server over the lock's own connection; raise LockLost if it is gone or does not answer in time."""
        import psycopg

        wire = self._connection.pgconn
        try:
            wire.send_query(b"SELECT 1")
            wire.flush()
            while wire.is_busy():
                if not select.select([wire.socket], [], [], ANSWER_S)[0]:
                    raise LockLost(f"no answer in {ANSWER_S} s")
                wire.consume_input()
            while wire.get_result() is not None:
                pass
            if self._connection.closed:
                raise LockLost("the server has ended the connection")
        except psycopg.OperationalError as error:
            raise LockLost(str(error)) from error

    def release(self):
        """Let the next one take over."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def make(database_url, data_dir):
    """Return the lock that goes with the database."""
    return FileLock(data_dir) if database_url.startswith("sqlite") else AdvisoryLock(database_url)

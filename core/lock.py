"""One leader: a lock of the operating system beside SQLite, an advisory lock in PostgreSQL.

The loser stands by and takes over when the lock is free. There is no fallback from one to the other. PostgreSQL's
lock lives on a connection of its own with keepalives of seconds; when that fails the leader stops itself, for
another may hold the lock by then.
"""

import logging
import zlib
from pathlib import Path

import portalocker

log = logging.getLogger(__name__)


class LockLost(Exception):
    """The connection that held the leader's lock is gone."""


class FileLock:
    """A lock on `bot.lock` in the data directory."""

    def __init__(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._stream = (folder / "bot.lock").open("a")

    def acquire(self):
        """Take the lock if it is free; tell whether we have it."""
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
        self._stream.close()


class AdvisoryLock:
    """A session advisory lock on an unpooled connection."""

    KEY = (zlib.crc32(b"kie-bot") & 0x7FFFFFFF, 1)  # two 32-bit halves: the 64-bit form overflows easily

    def __init__(self, url):
        self._url = url
        self._connection = None

    def acquire(self):
        """Take the lock if it is free; tell whether we have it."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url.replace("postgres://", "postgresql://", 1),
                    autocommit=True,
                    connect_timeout=5,
                    keepalives_idle=2,
                    keepalives_interval=1,
                    keepalives_count=3,
                    tcp_user_timeout=4000,
                )
            return self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", self.KEY).fetchone()[0]
        except psycopg.OperationalError as error:
            log.warning("the database cannot be reached: %s", error)
            self._connection = None
            return False

    def check(self):
        """Ask over the lock's own connection; raise LockLost when it is gone."""
        import psycopg

        try:
            self._connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise LockLost(str(error)) from error

    def release(self):
        """Let the next one take over."""
        if self._connection is not None:
            self._connection.close()


def make(database_url, data_dir):
    """Return the lock that goes with the database."""
    return FileLock(data_dir) if database_url.startswith("sqlite") else AdvisoryLock(database_url)

"""Starts the bot as `python bot.py` does, but with a clock that can run fast, and a kill that can be planned.

Environment (all optional):
    CLOCK_SPEED, CLOCK_START   the bot's time runs so many times faster since this moment (epoch seconds)
    CLOCK_AHEAD_S              the bot's time is so many seconds ahead
    DOOM_FILE                  a file of two lines, a number N and a mark: once an update with the mark is about to be
                               written to the inbox, the process kills itself before the N-th step from there on
    PLANT                      a guard to take out: unique, where, inbox (see `PLANTS`); what catches that is sound

A step is a write to the database (INSERT, UPDATE, DELETE), a COMMIT after writes, or an HTTP call. Killing before
every step in turn covers every moment at which what the world knows differs.
The hooks sit in the libraries (Peewee, `http.client` for KIE, httptools for Telegram), not in the bot.
"""

import http.client
import os
import re
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import httptools  # noqa: E402
import peewee  # noqa: E402

import bot  # noqa: E402
from core.process.loops import Clock  # noqa: E402

WRITES = ("INSERT", "UPDATE", "DELETE")
INTO_INBOX = re.compile(r'INSERT (OR IGNORE )?INTO "?inbox\b')


class FastClock(Clock):
    """The real time, running `speed` times faster since `start`, and `ahead_s` ahead."""

    def __init__(self):
        self._speed = float(os.environ.get("CLOCK_SPEED", "1"))
        self._start = float(os.environ.get("CLOCK_START", time.time()))
        self._ahead_s = float(os.environ.get("CLOCK_AHEAD_S", "0"))

    def now(self):
        seconds = self._start + (time.time() - self._start) * self._speed + self._ahead_s
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)

    def monotonic(self):
        return time.monotonic() * self._speed

    def sleep(self, seconds):
        time.sleep(seconds / self._speed)


class Doom:
    """Counts the steps once the mark was seen, and kills the process before the N-th."""

    def __init__(self, path):
        self._path = Path(path)
        self._left = None
        self._guard = threading.Lock()
        self._dirty = threading.local()

    def install(self):
        """Put the hooks into the libraries."""
        execute, commit = peewee.Database.execute_sql, peewee.Database.commit
        put, parser = http.client.HTTPConnection.putrequest, httptools.HttpResponseParser

        def execute_sql(database, sql, params=None):
            if sql.startswith(WRITES):
                self._look_for_mark(sql, params)
                self.step()
                self._dirty.is_set = True
            return execute(database, sql, params)

        def commit_all(database):
            if getattr(self._dirty, "is_set", False):
                self.step()
                self._dirty.is_set = False
            return commit(database)

        def putrequest(connection, *args, **kwargs):
            self.step()
            return put(connection, *args, **kwargs)

        def begin_exchange(*args):  # our transport makes a parser for each call it is about to send
            self.step()
            return parser(*args)

        peewee.Database.execute_sql, peewee.Database.commit = execute_sql, commit_all
        httptools.HttpResponseParser = begin_exchange
        http.client.HTTPConnection.putrequest = putrequest

    def _look_for_mark(self, sql, params):
        if not INTO_INBOX.match(sql) or not self._path.exists():
            return
        number, mark = self._path.read_text().split("\n", 1)
        if any(isinstance(value, str) and mark in value for value in params):
            self._path.unlink()
            self._left = int(number)

    def step(self):
        """Count one step, and kill the process if it is the one."""
        with self._guard:
            if self._left is None:
                return
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def without_unique():
    """Remove the key that makes an entry happen only once."""
    from storage.base import db, schema

    migrate = schema.migrate

    def migrate_and_drop():
        applied = migrate()
        with db.transaction() as database:
            database.execute_sql('DROP INDEX IF EXISTS "entry_key"')
        return applied

    schema.migrate = migrate_and_drop


def without_where():
    """Remove the conditions from the updates that move jobs and decide on payments."""
    from storage.base.tables import Job, TopUp
    from storage.money import payments
    from storage.orders import jobs

    def move(job_id, _states, **fields):
        return next(iter(Job.update(**fields).where(Job.id == job_id).returning(Job).execute()), None)

    def decide(topup_id, state, actor_id, now, **fields):
        query = TopUp.update(state=state, decided_by=actor_id, decided_at=now, **fields).where(TopUp.id == topup_id)
        return next(iter(query.returning(TopUp).execute()), None)

    jobs._move, payments._decide = move, decide


def without_inbox():
    """Remove the commit of updates before the next offset is requested."""
    from storage.journal import inbox

    inbox.store = lambda rows, now: None


PLANTS = {"unique": without_unique, "where": without_where, "inbox": without_inbox}


def main():
    """Apply the environment's options and run the bot."""
    bot.Clock = FastClock
    if os.environ.get("DOOM_FILE"):
        Doom(os.environ["DOOM_FILE"]).install()
    if os.environ.get("PLANT"):
        PLANTS[os.environ["PLANT"]]()
    return bot.main([])


if __name__ == "__main__":
    sys.exit(main())

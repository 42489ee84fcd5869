"""While the database cannot write, work is put back without counting as a failed attempt, and /health says so."""

import contextlib
import os
import resource

import psycopg
import pytest
import requests

from bench.process import free_port
from storage.base import db, schema
from storage.base.tables import Fact
from storage.journal import events, inbox, outbox, runtime_settings
from storage.journal.event_kinds import LetterWritten, MessageSent
from storage.money import ledger
from storage.orders import health
from storage.people import users
from tests.process import Process
from tests.shop import assert_books_are_right, job_of, order, user_of
from tests.test_storage import NOW
from tests.till import invoice

LONG_S = 90


@pytest.fixture
def url(database_url):
    """The address of an open, migrated database of each kind."""
    db.connect(database_url)
    schema.migrate()
    runtime_settings.forget()
    yield database_url
    db.disconnect()


@pytest.fixture
def alice(url):
    """Somebody with 10 units."""
    user = users.seen(users.Sender(1, "Alice"), NOW)
    ledger.post(user.id, 1000, kind="gift", key="start", now=NOW)
    return user


class Full:
    """A database without room for more; PostgreSQL's has become read-only."""

    def __init__(self, url):
        self._url = url

    def __enter__(self):
        if db.is_postgres():
            self._switch("SET default_transaction_read_only = on")
        else:
            self._pages("page_count")

    def __exit__(self, *_exc):
        self.end()

    def end(self):
        """Make room."""
        if db.is_postgres():
            self._switch("RESET default_transaction_read_only")
        else:
            self._pages("2000000000")

    def _switch(self, words):
        read_only(self._url, words)
        wait_for_new_connections(words)

    def _pages(self, most):
        """Bound this thread's connection, which is the only one that writes here."""
        with db.connection() as real:
            if most == "page_count":
                most = real.execute_sql("PRAGMA page_count").fetchone()[0]
            real.execute_sql(f"PRAGMA max_page_count = {most}")


def read_only(url, words):
    """Change a setting of this database, for all its connections: those that are open are ended."""
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as other:
        other.execute(f'ALTER DATABASE "{other.info.dbname}" {words}')
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def wait_for_new_connections(words):
    """Wait until this process's pool has connections on which a setting has changed."""
    wanted = "on" if words.startswith("SET") else "off"
    found = None
    while found != wanted:
        with contextlib.suppress(db.StorageDown), db.connection() as real:
            found = real.execute_sql("SHOW default_transaction_read_only").fetchone()[0]


def test_what_cannot_be_written_is_the_databases_trouble_and_nothing_of_it_is_kept(url, alice):
    with Full(url), pytest.raises(db.StorageDown, match="full|read-only"):
        while True:
            outbox.put(os.urandom(8).hex(), alice.id, "balance.shown" * 1000, now=NOW)
    ledger.post(alice.id, 500, kind="gift", key="more", now=NOW)
    assert ledger.balance(alice.id) == 1500, "the next one works"


def test_a_write_test_finds_a_disk_on_which_small_changes_still_fit(url, alice):
    health.try_write(NOW)
    with Full(url), pytest.raises(db.StorageDown):
        for number in range(100):  # what the last test has made free is used up by then
            health.try_write(NOW)
            events.emit(MessageSent(ref=f"{number}" + "x" * 5000, user=number), NOW)
    health.try_write(NOW)


def test_reading_goes_on_where_writing_does_not(url, alice):
    with Full(url):
        assert ledger.balance(alice.id) == 1000


def test_a_bug_of_ours_is_none_of_the_databases_trouble(url):
    with pytest.raises(db.DatabaseError), db.transaction() as real:
        real.execute_sql("SELECT * FROM no_such_table")


def test_a_database_opened_for_reading_only_says_so(url, alice):
    if db.is_postgres():
        statement = "SET default_transaction_read_only = on"
    else:
        statement = "PRAGMA query_only = 1"
    with pytest.raises(db.StorageDown), db.transaction() as real:
        real.execute_sql(statement.replace("default_", "") if db.is_postgres() else statement)
        real.execute_sql("DELETE FROM draft")
    with db.connection() as real:
        real.execute_sql("SELECT 1" if db.is_postgres() else "PRAGMA query_only = 0")


def test_what_postgresql_has_no_room_for_is_nobodys_fault(url):
    if not db.is_postgres():
        pytest.skip("a limit of PostgreSQL's")
    with pytest.raises(db.StorageDown, match="temp_file_limit"), db.transaction() as real:
        real.execute_sql("SET LOCAL temp_file_limit = '64kB'")
        real.execute_sql("SET LOCAL work_mem = '64kB'")
        real.execute_sql("SELECT * FROM generate_series(1, 300000) AS n ORDER BY n DESC").fetchall()


def test_a_file_that_is_no_database_is_the_databases_trouble(tmp_path):
    path = tmp_path / "bot.db"
    path.write_bytes(b"no database at all" * 1000)
    real = db.database.obj
    try:
        with pytest.raises(db.StorageDown):
            db.connect(f"sqlite:///{path}")
    finally:
        db.disconnect()
        db.database.initialize(real)


# the bot, step by step


class ReadOnly:
    """A database that takes no write at all, as a replica does."""

    def __init__(self, url):
        self._url = url

    def __enter__(self):
        self._set("SET default_transaction_read_only = on", 1)

    def __exit__(self, *_exc):
        self.end()

    def end(self):
        """Let it be written again."""
        self._set("RESET default_transaction_read_only", 0)

    def _set(self, words, query_only):
        if db.is_postgres():
            read_only(self._url, words)
            wait_for_new_connections(words)
        else:
            with db.connection() as real:  # this thread's, which is the only one that writes here
                real.execute_sql(f"PRAGMA query_only = {query_only}")


def lifted_after(bot, trouble, seconds):
    """Have a trouble end once the bot has waited so many seconds; return the list of its waits."""
    waits, sleep = [], bot.clock.sleep

    def count(pause):
        waits.append(pause)
        if len(waits) == seconds:
            trouble.end()
        sleep(pause)

    bot.clock.sleep = count
    return waits


def test_stars_paid_while_the_database_cannot_write_are_credited_without_a_try(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    invoice(alice)
    updates = bot.runtime.updates
    bot.telegram.pump = lambda: (updates.fetch(wait_s=0), updates.express.run_waiting())
    assert alice.pay()["state"] == "paid"
    updates.fetch(wait_s=0)  # the message about the payment is a row, and in its lane
    trouble = ReadOnly(bot.url)
    with trouble:
        waits = lifted_after(bot, trouble, 10)
        updates.executor.run_waiting()
    assert len(waits) >= 10
    assert [(row.attempts, row.aside) for row in inbox.left()] == [(0, False)]
    bot.telegram.pump = bot.pump
    bot.pump()
    assert bot.balance(alice) == 30_000 and "+300 ₽" in alice.last and "⚠" not in boss.last
    assert_books_are_right()


def test_health_is_bad_while_no_row_can_be_written(start_bot):
    bot = start_bot()
    trouble = ReadOnly(bot.url)
    with trouble:
        assert not bot.runtime.can_write() and bot.bot.status.unwritable
    assert bot.runtime.can_write() and not bot.bot.status.unwritable


def test_what_telegram_has_taken_is_not_sent_again_because_no_row_could_say_so(start_bot):
    bot = start_bot()
    alice = bot.rich()
    trouble, now = ReadOnly(bot.url), bot.clock.now()
    long = {"text": "x" * 3000}
    outbox.put("one", user_of(bot, alice).id, "job.text_result", now=now, values={**long, "caption": ""}, ref="r:1")
    before = len(alice.received)
    outbox_step = next(loop for loop in bot.runtime.loops if loop.name == "outbox").step
    with trouble:
        for _ in range(4):
            with pytest.raises(db.StorageDown):
                outbox_step(bot.clock.now())
    assert len(alice.received) == before + 1
    bot.pump()
    assert len(alice.received) == before + 1
    assert [row.state for row in bot.bot.outbox.sent_for("r:1")] == ["sent"]


def test_a_result_is_not_brought_again_because_no_row_could_say_so(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.telegram.pump = lambda: None
    steps = {loop.name: loop.step for loop in bot.runtime.loops}
    while not job_of(bot, alice).delivery:
        bot.clock.forward(5)
        steps["poller"](bot.clock.now())
    trouble = ReadOnly(bot.url)
    with trouble:
        for _ in range(4):
            steps["delivery"](bot.clock.now())
    assert len(bot.telegram.calls("sendPhoto")) == 1 and job_of(bot, alice).delivery == "pending"
    assert job_of(bot, alice).delivery_tries == 0
    steps["delivery"](bot.clock.now())
    assert len(bot.telegram.calls("sendPhoto")) == 1 and job_of(bot, alice).delivery == "sent"


def test_a_listener_that_meets_it_has_not_failed(start_bot):
    bot = start_bot()
    now = bot.clock.now()
    events.emit(LetterWritten(letter=10**6), now)
    trouble = ReadOnly(bot.url)
    steps = {loop.name: loop.step for loop in bot.runtime.loops}
    with trouble, pytest.raises(db.StorageDown):
        steps["events"](now)
    with db.connection():
        assert {fact.tries for fact in Fact.select()} <= {0}


# the bot as a process


@pytest.fixture
def telegram(servers):
    """The local Bot API server, on the real clock."""
    servers[0].call("POST", "/clock", json={"real": True})
    return servers[0]


@pytest.fixture
def process(servers, telegram, database_url, tmp_path):
    """A running bot with a port; killed at the end."""
    port = free_port()
    running = Process(*servers, tmp_path, PORT=str(port), DATABASE_URL=database_url)
    running.port, running.url = port, database_url
    running.wait_for("is ready")
    yield running
    running.kill()


class NoRoom:
    """The process cannot make SQLite's journal any larger: its disk is full. PostgreSQL has become read-only."""

    def __init__(self, process, tmp_path):
        self._process, self._journal = process, tmp_path / "bot.db-wal"

    def __enter__(self):
        if self._process.url.startswith("sqlite"):
            self._limit(self._journal.stat().st_size)
        else:
            read_only(self._process.url, "SET default_transaction_read_only = on")

    def __exit__(self, *_exc):
        if self._process.url.startswith("sqlite"):
            self._limit(resource.RLIM_INFINITY)
        else:
            read_only(self._process.url, "RESET default_transaction_read_only")

    def _limit(self, size):
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def status(process):
    """Return the status code of /health."""
    return requests.get(f"http://127.0.0.1:{process.port}/health", timeout=10).status_code


def test_a_full_disk_is_waited_for_and_said_and_nothing_is_lost(process, telegram, tmp_path):
    alice, bob = telegram.person("Alice", language_code="en"), telegram.person("Bob", language_code="en")
    alice.send("/start")
    alice.wait_for("Hi, Alice!", LONG_S)
    assert status(process) == 200
    with NoRoom(process, tmp_path):
        alice.send("/balance")
        bob.send("/start")
        telegram.wait(lambda: status(process) == 503, LONG_S, "503")
        assert not bob.received
    bob.wait_for("Hi, Bob!", LONG_S)
    alice.wait_for("0 ₽", LONG_S)
    telegram.wait(lambda: status(process) == 200, LONG_S, "200 again")
    assert len(bob.received) == 1 and "set aside" not in process.log
    assert process.log.count("cannot lead now") < LONG_S, "it does not try again at once"

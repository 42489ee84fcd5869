"""What grows with the data: every screen's queries and time on an empty database and on a full one.

    python bench/scale.py                                        100,000 users, 1,000,000 entries, 300,000 jobs
    python bench/scale.py --database postgresql --times 10       ten times that, once, by hand (TMPDIR says where)

The full one is measured before its first closing, too, which is how a bot without sums would answer. The bot runs in this process, one update at a time, against the local Bot API server; the time is its handler's, the
median of several. A query that has to read a whole table shows as `scan`.
"""

import argparse
import re
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import peewee  # noqa: E402

from bench import grown  # noqa: E402
from bench.contest import FIRST, Server, databases, machine, ours  # noqa: E402
from bench.grown import MODEL  # noqa: E402
from demo.kit import Telegram  # noqa: E402

USERS, ENTRIES, JOBS = 100_000, 1_000_000, 300_000
ADMIN = FIRST  # the first person is the admin
ROUNDS = 9
SCAN = re.compile(r'(?:SCAN|Seq Scan on) "?(\S+?)"?(?:\s|$)')  # in SQLite's and PostgreSQL's words


class Queries:
    """Counts the statements that reach the database, at the one place where Peewee sends them."""

    def __init__(self):
        self.seen = []
        execute = peewee.Database.execute_sql

        def execute_sql(database, sql, params=None):
            self.seen.append((sql, params))
            return execute(database, sql, params)

        peewee.Database.execute_sql = execute_sql

    def reads(self):
        """Return the SELECTs since the last call."""
        found = [(sql, params) for sql, params in self.seen if sql.lstrip().startswith(("SELECT", "WITH"))]
        self.seen = []
        return found


class Visit:
    """The bot in this process, and two people who use it."""

    def __init__(self, server, url, folder):
        import bot as program
        from core.process.loops import Clock

        _command, environ = ours(server, url, folder)
        environ |= {"ADMIN_IDS": str(ADMIN), "USER_JOBS": "1000", "USER_STARTS": "1000", "LOG_LEVEL": "ERROR"}
        self.runtime = program.build(environ, Clock(), threads=0)
        self.bot = self.runtime.bot
        program.open_storage(self.bot.settings, self.bot.tables, self.bot.texts)
        self.runtime.introduce()
        telegram = Telegram(server.url, self._work)
        self.boss = telegram.person("Boss", id=ADMIN, language_code="en")
        self.person = telegram.person("Person", id=FIRST + 77, language_code="en")
        self.took_s = 0.0

    def _work(self):
        while self.runtime.updates.fetch(wait_s=0):
            start = time.perf_counter()
            self.runtime.updates.executor.run_waiting()
            self.took_s = time.perf_counter() - start
            self.runtime.updates.tidy()


def actions(visit):
    """Return {name: what to do}."""
    from storage.orders import jobs

    boss, person, bot = visit.boss, visit.person, visit.bot
    numbers = iter(range(1, 1000))

    def order():
        person.send(f"/models {MODEL}")
        person.tap(f"models:open:{MODEL}")
        person.send(f"a fox {next(numbers)}")
        person.tap("▶")

    def settle():
        order()
        job, now = jobs.last_of(bot.users.by_telegram_id(person.id).id, MODEL), bot.clock.now()
        assert jobs.begin(job.id, now) and jobs.start(job.id, f"task{job.id}", now + timedelta(hours=1), now)
        start = time.perf_counter()
        assert jobs.succeed(job.id, {"urls": []}, charged=job.price, cost=0, now=now)
        visit.took_s = time.perf_counter() - start

    return {
        "/start": lambda: person.send("/start"),
        "/balance": lambda: person.send("/balance"),
        "order": order,
        "settle": settle,
        "/history": lambda: person.send("/history"),
        "user search": lambda: boss.send("/user Name77"),
        "/admin": lambda: boss.send("/admin"),
        "/stats 30d": lambda: boss.send("/stats 30d"),
    }


def scans(reads):
    """Return the tables that these statements read from end to end, according to the database's plan."""
    from storage.base import db

    prefix = "EXPLAIN " if db.is_postgres() else "EXPLAIN QUERY PLAN "
    found = set()
    with db.connection() as database:
        for sql, params in reads:
            for row in database.execute_sql(prefix + sql, params).fetchall():
                scanned = SCAN.search(str(row[-1]))
                if scanned and "USING" not in str(row[-1]):
                    found.add(scanned[1])
    return sorted(found)


def measure(url, folder, rounds):
    """Return {action: (queries, seconds, tables that are scanned)}."""
    server = Server()
    try:
        visit, counted, found = Visit(server, url, folder), Queries(), {}
        visit.boss.send("/start")
        visit.person.send("/start")
        visit.bot.ledger.post(
            visit.bot.users.by_telegram_id(visit.person.id).id, 10_000_000, kind="admin", key="rich",
            now=visit.bot.clock.now(),
        )  # fmt: skip
        for name, act in actions(visit).items():
            act()
            counted.reads()
            act()
            reads, times = counted.reads(), []
            for _ in range(3 if name == "/stats 30d" else rounds):
                act()
                times.append(visit.took_s)
            found[name] = (len(reads), statistics.median(times), scans(reads))
            counted.reads()
        return found
    finally:
        server.stop()


def close_all():
    """Have the leader sum what there is; return (closings, seconds)."""
    from storage.money import closings

    start, made = time.perf_counter(), 1
    while closings.close(datetime.now(UTC)):
        made += 1
    return made, time.perf_counter() - start


def main():
    """Measure all three and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--times", type=float, default=1, help="how many times the usual size")
    options = parser.parse_args()
    users, entries, jobs = (int(n * options.times) for n in (USERS, ENTRIES, JOBS))
    from storage.base import db

    with databases(options.database, 0) as (addresses, folder):
        empty = measure(addresses["ours"], folder, ROUNDS)
        db.disconnect()
    with databases(options.database, 0) as (addresses, folder):
        grown.fill(addresses["ours"], users, entries, jobs)
        unsummed = measure(addresses["ours"], folder, ROUNDS)
        made, took_s = close_all()
        full = measure(addresses["ours"], folder, ROUNDS)
        db.disconnect()
    print(machine())
    print(f"{users:,} users, {entries:,} entries, {jobs:,} jobs, {options.database}")
    print(f"{'':14}{'queries':>8}{'empty ms':>10}{'no sums':>10}{'full ms':>10}{'ratio':>7}  scans")
    for name, (queries, seconds, tables) in full.items():
        before, without = empty[name][1], unsummed[name][1]
        print(
            f"{name:14}{queries:8}{before * 1000:10.1f}{without * 1000:10.1f}{seconds * 1000:10.1f}"
            f"{seconds / before:7.1f}  {', '.join(tables)}"
        )
    print(f"the first summing: {made} closings in {took_s:.1f} s, {entries / took_s:,.0f} entries a second")


if __name__ == "__main__":
    main()

"""What grows with the data: every screen's queries and time on an empty database and on a full one.

    python bench/scale.py                                        100,000 users, 1,000,000 entries, 300,000 jobs
    python bench/scale.py --database postgresql --times 10       ten times that, once, by hand

The bot runs in this process, one update at a time, against the local Bot API server; the time is its handler's, the
median of several. A query that has to read a whole table shows as `scan`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import peewee  # noqa: E402

from bench.contest import FIRST, Server, databases, machine, ours  # noqa: E402
from bench.process import BOT, ROOT  # noqa: E402
from demo.kit import Telegram  # noqa: E402

USERS, ENTRIES, JOBS = 100_000, 1_000_000, 300_000
ADMIN = FIRST  # the first person is the admin
ROUNDS = 9
VERIFY_MB = 150  # the limit
MODEL = "z-image"
BATCH = 20_000
SEALS = 2_000
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


def fill(url, users, entries, jobs):
    """Write people with money and orders: each has a top-up, and orders that were captured."""
    from storage.base import db

    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    day = 86_400_000_000
    db.connect(url)
    per_user, others = jobs // users, entries // users - 2 * (jobs // users) - 1
    people = range(2, users + 2)
    _write("user", people, lambda n: (
        n, FIRST + n, f"Name{n % 977}", f"name{n}", "en", f"c{n}", False, False, False, now - n * day // users, now - n
    ), "id telegram_id first_name username language_code code banned blocked_bot sales_paused created_at seen_at")  # fmt: skip
    _write("account", people, lambda n: (n, 1000 + others), "user_id balance")
    numbers = range(1, users * per_user + 1)
    _write("job", numbers, lambda n: (
        n, n % users + 2, MODEL, json.dumps({"prompt": f"a fox {n}"}), 100, 100, 4_000_000, "succeeded", f"q{n}", f"s{n}",
        f"t{n}", 0, now - n * day // jobs, now - n * day // jobs, now - n * day // jobs, 60, "sent", 0,
        json.dumps([{"kind": "photo", "file_id": "x"}]), now - n * 60 * day // jobs,
    ), "id user_id model inputs price charged cost state quote secret task_id tries submit_at submitted_at finished_at"
       " usual_s delivery delivery_tries sent created_at")  # fmt: skip
    columns = "user_id amount kind key ref created_at"
    _write(
        "entry",
        people,
        lambda n: (n, 1000 + 100 * per_user, "bonus", f"in{n}", None, now - n * 90 * day // users),
        columns,
    )
    _write(
        "entry",
        numbers,
        lambda n: (n % users + 2, -100, "hold", f"hold:{n}", f"job:{n}", now - n * 60 * day // jobs),
        columns,
    )
    _write(
        "entry",
        numbers,
        lambda n: (n % users + 2, 0, "capture", f"settle:{n}", f"job:{n}", now - n * day // jobs),
        columns,
    )
    more = range(users * others)
    _write(
        "entry", more, lambda n: (n % users + 2, 1, "bonus", f"more{n}", None, now - n * 90 * day // len(more)), columns
    )
    with db.transaction() as database:
        database.execute_sql(
            "INSERT INTO source (key, user_id, kind, amount, created_at)"
            " SELECT key, user_id, kind, amount, created_at FROM entry WHERE kind = 'bonus'"
        )
    _seal(entries)
    if db.is_postgres():
        with db.connection() as database:
            database.execute_sql("ANALYZE")  # as its autovacuum does; SQLite has nothing like it
            for table in ("user", "job"):
                database.execute_sql(
                    f"""SELECT setval(pg_get_serial_sequence('"{table}"', 'id'), (SELECT MAX(id) FROM "{table}"))"""
                )
    db.disconnect()


def _seal(entries):
    """Seal everything, some entries at a time."""
    from storage.money import seals

    last, step = seals.look().entry, max(1, entries // SEALS)
    for end in (*range(step, last, step), last):
        seals.seal(seals.Seen(end, 0, 0, ()), datetime.now(UTC))


def _write(table, numbers, row, columns):
    from storage.base import db

    names = columns.split()
    with db.transaction() as database:
        marks = ", ".join([database.param] * len(names))
        statement = f'INSERT INTO "{table}" ({", ".join(names)}) VALUES ({marks})'
        cursor = database.cursor()
        for at in range(0, len(numbers), BATCH):
            cursor.executemany(statement, [row(n) for n in numbers[at : at + BATCH]])


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
    from storage.money import verify
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

    def prove():
        start = time.perf_counter()
        problems = list(verify.verify())
        visit.took_s = time.perf_counter() - start
        assert not problems, problems[:3]

    return {
        "/start": lambda: person.send("/start"),
        "/balance": lambda: person.send("/balance"),
        "order": order,
        "settle": settle,
        "/history": lambda: person.send("/history"),
        "user search": lambda: boss.send("/user Name77"),
        "/admin": lambda: boss.send("/admin"),
        "/stats 30d": lambda: boss.send("/stats 30d"),
        "verify": prove,
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
            for _ in range(3 if name in ("verify", "/stats 30d") else rounds):
                act()
                times.append(visit.took_s)
            found[name] = (len(reads), statistics.median(times), scans(reads))
            counted.reads()
        return found
    finally:
        server.stop()


def verify(url, folder):
    """Run `python bot.py verify` as an operator would; return its seconds and its peak memory in MB."""
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "DATA_DIR": str(folder)}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(BOT), "verify"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    peak_kb = 0
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak_kb = int(found[1]) if found else peak_kb  # a process that is ending has none
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"verify ended with {process.returncode}")
    return time.perf_counter() - start, peak_kb / 1024


def main():
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--times", type=float, default=1, help="how many times the usual size")
    options = parser.parse_args()
    users, entries, jobs = (int(n * options.times) for n in (USERS, ENTRIES, JOBS))
    from storage.base import db

    found = []
    for full in (False, True):
        with databases(options.database, 0) as (addresses, folder):
            if full:
                fill(addresses["ours"], users, entries, jobs)
            found.append(measure(addresses["ours"], folder, ROUNDS))
            db.disconnect()
            took_s, peak_mb = verify(addresses["ours"], folder)
    print(machine())
    print(f"{users:,} users, {entries:,} entries, {jobs:,} jobs, {options.database}")
    print(f"{'':14}{'queries':>8}{'empty ms':>10}{'full ms':>10}{'ratio':>7}  scans")
    for name, (queries, seconds, tables) in found[1].items():
        before = found[0][name][1]
        print(
            f"{name:14}{queries:8}{before * 1000:10.1f}{seconds * 1000:10.1f}{seconds / before:7.1f}  {', '.join(tables)}"
        )
    print(f"python bot.py verify: {took_s:.1f} s, at most {peak_mb:.0f} MB (the aim is {VERIFY_MB})")


if __name__ == "__main__":
    main()

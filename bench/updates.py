"""Replies per second and CPU per update: ours beside three frameworks that do the same work.

    python bench/updates.py [--updates 2000] [--users 2000] [--rounds 5] [--only ours,aiogram] [--database sqlite|postgresql]

Every contestant is a process of its own that polls the local Bot API server (also a process), reads one row and
answers with HTML and a keyboard. The updates wait at the server before the contestant starts; the clock runs from its
first reply to its last. Rounds alternate between the contestants; the table shows medians and ratios to the best peer.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.process import free_port  # noqa: E402

TOKEN = "1:DEMO-token-of-no-use-anywhere"
FIRST = 6_000_000_000
PEERS = {name: ROOT / "bench" / "peers" / f"{name}_peer.py" for name in ("telebot", "aiogram", "ptb")}
LONGEST_S = 120


class Server:
    """The local Bot API server in a process of its own."""

    def __init__(self, token=TOKEN):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "demo", "--port", str(port), "--token", token]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _until(self._answers, "the local Bot API server")

    def _answers(self):
        try:
            return requests.get(f"{self.url}/demo/state", timeout=5).ok
        except requests.ConnectionError:
            return False

    def people(self, count):
        """Add people with known ids."""
        with requests.Session() as session:
            for number in range(count):
                body = {"id": FIRST + number, "first_name": f"Person {number}", "language_code": "en"}
                session.post(f"{self.url}/demo/people", json=body, timeout=30).raise_for_status()

    def say(self, count, users):
        """Let people write /balance, one after the other."""
        with requests.Session() as session:
            for number in range(count):
                path = f"{self.url}/demo/people/{FIRST + number % users}/send"
                session.post(path, json={"text": "/balance"}, timeout=30).raise_for_status()

    def replies(self):
        """Return the times of the replies so far, oldest first, in seconds."""
        calls = requests.get(f"{self.url}/demo/calls", params={"method": "sendMessage"}, timeout=30).json()["calls"]
        return [call["at"] for call in calls]

    def stop(self):
        """End the process."""
        self._process.kill()
        self._process.wait()


def _until(condition, what):
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {LONGEST_S} s")
        time.sleep(0.05)


def run(name, folder, updates, users):
    """Measure one contestant once; return (replies per second, CPU seconds per 1,000 updates, RSS in MB)."""
    server = Server()
    try:
        server.people(users)
        command, environ = _ours(server, folder) if name == "ours" else _peer(name, server, folder)
        server.say(updates, users)
        with open(f"/tmp/bench-{name}.log", "ab") as output:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=os.environ | environ, stdout=output, stderr=output
            )
        try:
            _until(lambda: len(server.replies()) >= updates, f"{name}'s last reply")
            at, cpu, rss = server.replies(), *_usage(process.pid)
        finally:
            process.kill()
            process.wait()
        return (updates - 1) / (at[-1] - at[0]), cpu / updates * 1000, rss
    finally:
        server.stop()


def _usage(pid):
    """Return (CPU seconds, RSS in MB) of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peer(name, server, folder):
    return [str(PEERS[name])], {"TOKEN": TOKEN, "API": server.url, "DATABASE": str(folder / "peer.db")}


def _ours(server, folder):
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": server.url,
        "KIE_API_KEY": "none",
        "KIE_API_URL": "http://127.0.0.1:9",
        "DATABASE_URL": f"sqlite:///{folder}/ours.db",
        "DATA_DIR": str(folder),
        "USD_RATE": "90",
        "FLOOD_MESSAGES": "1000000",
        "LOG_LEVEL": "WARNING",
    }
    return [str(ROOT / "bot.py")], environ


def prepare(folder, users):
    """Fill both databases with the same people."""
    from datetime import UTC, datetime

    from storage import db, schema
    from storage import users as people
    from storage.tables import Fact

    with sqlite3.connect(folder / "peer.db") as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE account (user_id INTEGER PRIMARY KEY, balance INTEGER)")
        rows = [(FIRST + number, number * 100) for number in range(users)]
        connection.executemany("INSERT INTO account VALUES (?, ?)", rows)
    db.connect(f"sqlite:///{folder}/ours.db")
    schema.migrate()
    now = datetime.now(UTC)
    with db.transaction():
        for number in range(users):
            people.seen(people.Sender(FIRST + number, f"Person {number}", None, "en"), now)
        Fact.delete().execute()  # they came long ago: what follows from it is done
    db.disconnect()


def main():
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="ours,telebot,aiogram,ptb")
    options = parser.parse_args()
    names = options.only.split(",")
    results = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        prepare(folder, options.users)
        for _round in range(options.rounds):
            for name in names:
                results[name].append(run(name, folder, options.updates, options.users))
    print(
        f"{options.updates} /balance of {options.users} users, {options.rounds} rounds, {os.cpu_count()} cores, SQLite"
    )
    print(f"{'':10}{'replies/s':>10}{'CPU s/1000':>12}{'RSS MB':>8}")
    middle = {name: [statistics.median(row[i] for row in rows) for i in range(3)] for name, rows in results.items()}
    for name, (rate, cpu, rss) in middle.items():
        print(f"{name:10}{rate:10.0f}{cpu:12.2f}{rss:8.0f}")
    peers = [name for name in names if name != "ours"]
    if "ours" in middle and peers:
        best = max(peers, key=lambda name: middle[name][0])
        print(
            f"ours / {best}: {middle['ours'][0] / middle[best][0]:.2f} × the replies, "
            f"{middle['ours'][1] / middle[best][1]:.2f} × the CPU"
        )


if __name__ == "__main__":
    main()

"""What the contests share: contestants as separate processes, the local Bot API server, databases.

Every contestant polls, reads one row and answers /balance with HTML and a keyboard. Ours is the whole bot; the peers in
`bench/peers/` are the same small bot written with other frameworks.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from bench.process import free_port

ROOT = Path(__file__).parent.parent
TOKEN = "1:DEMO-token-of-no-use-anywhere"
FIRST = 6_000_000_000  # id of the first person
PEERS = {name: ROOT / "bench" / "peers" / f"{name}_peer.py" for name in ("telebot", "aiogram", "ptb")}
LONGEST_S = 120


class Server:
    """The local Bot API server in a separate process; `round_trip_s` is added to every call."""

    def __init__(self, round_trip_s=0.0, people=0, admin=None):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "demo", "--port", str(port), "--token", TOKEN]
        command += ["--admin", str(admin)] if admin else []
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._session = requests.Session()
        wait_until(self._answers, "the local Bot API server")
        if people:
            self.post("crowd", first=FIRST, count=people)
        if round_trip_s:
            self.post("trouble", method="*", kind="slow", times=10**9, delay_s=round_trip_s)

    def _answers(self):
        try:
            return requests.get(f"{self.url}/demo/state", timeout=5).ok
        except requests.ConnectionError:
            return False

    def post(self, path, **body):
        """Call the control plane."""
        answer = self._session.post(f"{self.url}/demo/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def everyone_says(self, text, people, first=FIRST):
        """Make so many people write the same at once."""
        self.post("crowd", first=first, count=people, text=text)

    def calls(self):
        """Return how many calls the bot has made so far."""
        return self._session.get(f"{self.url}/demo/pending", timeout=30).json()["calls"]

    def log(self, method):
        """Return the newest calls of a method, oldest first."""
        return self._session.get(f"{self.url}/demo/calls", params={"method": method}, timeout=30).json()["calls"]

    def replies(self):
        """Return the times of the newest replies, oldest first, in seconds."""
        return [call["at"] for call in self.log("sendMessage")]

    def stop(self):
        """End the process."""
        self._session.close()
        self._process.kill()
        self._process.wait()


@dataclass
class Contestant:
    """A bot written with one of the frameworks, in a separate process."""

    process: subprocess.Popen

    def usage(self):
        """Return (CPU seconds so far, RSS in MB), from /proc."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        ticks = os.sysconf("SC_CLK_TCK")
        return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def contestant(name, server, addresses, folder):
    """Run a contestant against the server for the block."""
    command, environ = ours(server, addresses["ours"], folder) if name == "ours" else _peer(name, server, addresses)
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SYSTEMROOT") if key in os.environ}
    with (folder / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=kept | environ, stdout=output, stderr=output
        )
        try:
            yield Contestant(process)
        finally:
            process.kill()
            process.wait()


def _peer(name, server, addresses):
    return [str(PEERS[name])], {"TOKEN": TOKEN, "API": server.url, "DATABASE": addresses["peer"]}


def ours(server, address, folder):
    """Return (command, environment) of our bot."""
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": server.url,
        "KIE_API_KEY": "none",
        "KIE_API_URL": "http://127.0.0.1:9",
        "DATABASE_URL": address,
        "DATA_DIR": str(folder),
        "USD_RATE": "90",
        "WELCOME_RUNS": "0",
        "FLOOD_MESSAGES": "1000000",
        "LOG_LEVEL": "WARNING",
    }
    return [str(ROOT / "bot.py")], environ


@contextlib.contextmanager
def databases(kind, people):
    """Yield ({"ours": address, "peer": address}, folder): two databases of one kind that know the same people."""
    with tempfile.TemporaryDirectory() as path, contextlib.ExitStack() as stack:
        folder = Path(path)
        if kind == "postgresql":
            from bench.crash import postgres

            fresh = stack.enter_context(postgres(folder / "postgres"))
            addresses = {"ours": fresh("ours"), "peer": fresh("peer"), "fresh": fresh}
        else:
            addresses = {"ours": f"sqlite:///{folder}/ours.db", "peer": str(folder / "peer.db")}
        _fill_peer(addresses["peer"], people)
        _fillours(addresses["ours"], people)
        yield addresses, folder


def _fill_peer(address, people):
    rows = [(FIRST + number, number * 100) for number in range(people)]
    table = "CREATE TABLE account (user_id BIGINT PRIMARY KEY, balance BIGINT)"
    if address.startswith("postgresql"):
        import psycopg

        with psycopg.connect(address) as connection:
            connection.execute(table)
            connection.cursor().executemany("INSERT INTO account VALUES (%s, %s)", rows)
        return
    with contextlib.closing(sqlite3.connect(address)) as connection, connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute(table)
        connection.executemany("INSERT INTO account VALUES (?, ?)", rows)


def _fillours(address, people):
    from storage.base import db, schema
    from storage.base.tables import Fact
    from storage.people import users

    db.connect(address)
    schema.migrate()
    now = datetime.now(UTC)
    with db.transaction():
        for number in range(people):
            users.seen(users.Sender(FIRST + number, f"Person {number}", None, "en"), now)
        Fact.delete().execute()  # they came long ago: their consequences are done
    db.disconnect()


def wait_until(condition, what, longest_s=LONGEST_S):
    """Wait for a condition; end the program if it is not met in time."""
    deadline = time.monotonic() + longest_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {longest_s} s")
        time.sleep(0.05)


def machine():
    """Return one line about the machine."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "CPU: ?")
    return f"{os.cpu_count()} × {model.partition(':')[2].strip()}, Python {sys.version.split()[0]}"

"""How heavy the idle bot is and how soon it works: memory, and time from its start to the first getUpdates.

    python bench/start.py                    5 starts each: the bot on SQLite, `import telebot` alone, the peers
    python bench/start.py --turns 1 --skip-peers

The local Telegram and the KIE stub run in a separate process, so they do not count. Memory is the resident set (VmRSS)
once the bot has been idle for a while; time runs from the start of the process to the arrival of its first getUpdates.
The bot's very first start, which creates its database, does not count.

Exits with 1 if a median is above the limits: 80 MB (MB = 1024 * 1024 bytes) and 1.5 s.
"""

import argparse
import importlib.util
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.process import BOT, ROOT  # noqa: E402
from demo import kit  # noqa: E402

TOKEN = "1:DEMO-token-of-no-use-anywhere"
MARK_MB, MARK_S = 80, 1.5
IDLE_S = 5  # after the first getUpdates, and after the second, which each of them sends within seconds
PATIENCE_S = 60
SERVERS = """
import json, sys
from demo import server
from kie.stub import server as stub
telegram, kie = server.start(token=sys.argv[1]), stub.start()
print(json.dumps([telegram.url, kie.api_url, kie.upload_url]), flush=True)
sys.stdin.read()
"""
TELEBOT = "import sys, telebot; print('imported', flush=True); sys.stdin.read()"
PEERS = {
    "pyTelegramBotAPI": ("telebot_peer", "telebot"),
    "python-telegram-bot": ("ptb_peer", "telegram"),
    "aiogram": ("aiogram_peer", "aiogram"),
}


class Servers:
    """The local Telegram and the KIE stub in another process."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVERS, TOKEN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.telegram_url, self.kie_url, self.upload_url = json.loads(self._process.stdout.readline())
        self.telegram = kit.Telegram(self.telegram_url)
        self._known = 0  # calls before the measured start

    def expect(self):
        """Watch for the next getUpdates: it is made to fail once, as a poll is listed only when it ends."""
        self._known = self.telegram.call_count
        self.telegram.fail_next("getUpdates", "502")

    def fetched(self):
        """Return whether it has come."""
        return any(not call["ok"] for call in self.telegram.calls("getUpdates", after=self._known))

    def stop(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def megabytes(process):
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def once(servers, command, environ, idle_s):
    """Start a bot; return (seconds to its first getUpdates, MB after `idle_s` more)."""
    servers.expect()
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        while not servers.fetched():
            if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise RuntimeError(f"{command} does not fetch: {process.communicate()[1][-2000:]}")
            time.sleep(0.01)
        took = time.monotonic() - began
        time.sleep(idle_s)
        return took, megabytes(process)
    finally:
        process.send_signal(signal.SIGTERM)
        _end(process)


def _end(process):
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stderr.close()


def bare(turns):
    """Return the same figures for `import telebot` alone; its time ends with the import."""
    found = []
    for _ in range(turns):
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", TELEBOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.readline()
        found.append((time.monotonic() - began, megabytes(process)))
        process.stdin.close()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    return found


def environment(servers, folder):
    """Return the environment of the bot, as small as a real one."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": servers.telegram_url, "KIE_API_KEY": "stub-key", "KIE_STUB": "1",
        "KIE_API_URL": servers.kie_url, "KIE_UPLOAD_URL": servers.upload_url, "DATA_DIR": str(folder), "USD_RATE": "90",
    }  # fmt: skip


def ours(servers, turns, folder, idle_s):
    """Return (seconds, MB) of each start of the bot on SQLite, without the first one."""
    environ, command = environment(servers, folder), [sys.executable, str(BOT)]
    once(servers, command, environ, 0)
    return [once(servers, command, environ, idle_s) for _ in range(turns)]


def peer(servers, turns, folder, idle_s, script):
    """Return the same of one of the bots in bench/peers."""
    rows = Path(folder) / f"{script}.db"
    connection = sqlite3.connect(rows)
    connection.execute("CREATE TABLE account (user_id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
    connection.close()
    more = {"API": servers.telegram_url, "TOKEN": TOKEN, "DATABASE": str(rows)}
    command = [sys.executable, str(ROOT / "bench" / "peers" / f"{script}.py")]
    return [once(servers, command, environment(servers, folder) | more, idle_s) for _ in range(turns)]


def median(found):
    """Return the medians of (seconds, MB) pairs."""
    return tuple(statistics.median(column) for column in zip(*found, strict=True))


def measure(turns, skip_peers=False, idle_s=IDLE_S):
    """Return {what: median (seconds, MB)} of so many starts of each."""
    servers = Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = {"the bot, SQLite": ours(servers, turns, folder, idle_s), "import telebot alone": bare(turns)}
            for name, (script, module) in PEERS.items():
                if not skip_peers and importlib.util.find_spec(module):
                    found[name] = peer(servers, turns, folder, idle_s, script)
        return {name: median(each) for name, each in found.items()}
    finally:
        servers.stop()


def main():
    """Read the command line and print the table; exit with 1 above a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--skip-peers", action="store_true")
    options = parser.parse_args()
    found = measure(options.turns, options.skip_peers)
    bare_s, bare_mb = found["import telebot alone"]
    print(f"{'':24}{'first fetch':>12}{'memory':>10}{'of telebot alone':>20}")
    for name, (seconds, mb) in found.items():
        print(f"{name:24}{seconds:>10.2f} s{mb:>7.1f} MB{seconds / bare_s:>12.1f} ×{mb / bare_mb:>5.1f} ×")
    seconds, mb = found["the bot, SQLite"]
    print(f"marks: {MARK_S} s, {MARK_MB} MB; medians of {options.turns}")
    return int(seconds > MARK_S or mb > MARK_MB)


if __name__ == "__main__":
    sys.exit(main())

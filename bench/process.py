"""The real bot as a process of its own: started, killed at any moment, started again, asked for its books."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
BOT, LAUNCHER = ROOT / "bot.py", ROOT / "bench" / "doomed.py"
STOP_S = 30  # for a polite end; the bot itself gives its handlers 8 s


def free_port():
    """Return a TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Process:
    """One bot after the other on the same settings; their logs go into one file."""

    def __init__(self, environ, log_path, script=BOT):
        self.environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")} | environ
        self.log_path, self.script = Path(log_path), script
        self.starts = self.deaths = 0
        self._process, self._keeper, self._kept = None, None, threading.Event()
        self._guard = threading.Lock()

    def start(self, script=None, **more):
        """Start the bot, by default with the same script and settings as ever."""
        self.starts += 1
        with self.log_path.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, str(script or self.script)], cwd=ROOT, env=self.environ | more,
                stdout=stream, stderr=stream,
            )  # fmt: skip

    def keep_alive(self):
        """Start the bot again at once whenever it dies, until `stop` or `end`."""
        self._kept.set()
        self._keeper = threading.Thread(target=self._restart_for_ever, name="keeper", daemon=True)
        self._keeper.start()

    def _restart_for_ever(self):
        while self._kept.is_set():
            with self._guard:
                if self._kept.is_set() and self._process.poll() is not None:
                    self.deaths += 1
                    self.start()
            time.sleep(0.01)

    def wait_until_ready(self, patience_s=60):
        """Wait until the bot leads and handles updates, as /health says on its PORT; return whether it came to that."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(requests.RequestException, ValueError):
                if requests.get(f"http://127.0.0.1:{self.environ['PORT']}/health", timeout=2).json().get("leader"):
                    return True
            time.sleep(0.05)
        return False

    def start_first(self):
        """Start the bot and wait for it, so that what uses it finds a database; raise when it does not come."""
        self.start()
        if not self.wait_until_ready():
            raise RuntimeError(f"the bot does not start: {self.log_path.read_text(errors='replace')[-2000:]}")

    def kill(self):
        """Kill the process as a power switch would: SIGKILL, nothing is cleaned up."""
        with self._guard:
            self._process.kill()
            self._process.wait()

    def stop(self):
        """Ask the bot to end, wait for it, and return its exit code."""
        self._kept.clear()
        with self._guard:
            self._process.send_signal(signal.SIGTERM)
            try:
                return self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                return -signal.SIGKILL

    def end(self):
        """Kill the process if it still runs, for good."""
        self._kept.clear()
        self.kill()

    def verify(self):
        """Run `python bot.py verify` and return (exit code, what it printed)."""
        done = subprocess.run(
            [sys.executable, str(BOT), "verify"],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, (done.stdout or done.stderr).strip()

    def errors(self):
        """Return {message: count} of the error lines in the log, numbers taken out."""
        found = {}
        for line in self.log_path.read_text(errors="replace").splitlines():
            _before, mark, message = line.partition(" ERROR ")
            if mark:
                shape = "".join("#" if char.isdigit() else char for char in message)[:110]
                found[shape] = found.get(shape, 0) + 1
        return found

"""The real bot as a separate process: started, killed at any moment, started again, asked for its books."""

import contextlib
import os
import random
import re
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
PORTS = (10_000, 32_000)  # Linux assigns those from 32768 on (ip_local_port_range)
STOP_S = 30  # for a regular end; the bot itself gives its handlers 8 s


def free_port():
    """Return a TCP port that is free and that the system does not assign to others before a bot uses it."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Process:
    """One bot after another with the same settings; their logs go into one file."""

    def __init__(self, environ, log_path, script=BOT):
        self.environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")} | environ
        self.log_path, self.script = Path(log_path), script
        self.starts = self.deaths = 0
        self.falls = []  # exit codes of bots that ended although nobody killed them
        self._process, self._keeper, self._kept = None, None, threading.Event()
        self._guard = threading.Lock()

    @property
    def pid(self):
        """The process id of the bot that was started last."""
        return self._process.pid

    def start(self, script=None, **more):
        """Start the bot, by default with the same script and settings as before."""
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
        """Wait until the bot leads and handles updates, as /health says on its PORT; return whether it did."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(requests.RequestException, ValueError):
                if requests.get(f"http://127.0.0.1:{self.environ['PORT']}/health", timeout=2).json().get("leader"):
                    return True
            time.sleep(0.05)
        return False

    def start_first(self):
        """Start the bot and wait for it, so that others find a database; raise if it does not start."""
        self.start()
        if not self.wait_until_ready():
            raise RuntimeError(f"the bot does not start: {self.log_path.read_text(errors='replace')[-2000:]}")

    def kill(self):
        """Kill the process like a power cut: SIGKILL, nothing is cleaned up."""
        with self._guard:
            if self._process.poll() is not None and self._process.returncode != -signal.SIGKILL:
                self.falls.append(self._process.returncode)
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

    def complaints(self):
        """Return {message: count} of the warnings and errors in the log, without numbers."""
        found = {}
        for line in self.log_path.read_text(errors="replace").splitlines():
            complaint = re.search(r" (WARNING|ERROR) (.*)", line)
            if complaint:
                shape = re.sub(r"\d", "#", complaint[0].strip())[:140]
                found[shape] = found.get(shape, 0) + 1
        return found

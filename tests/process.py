"""`python bot.py` as a separate process, between the local servers or with no server at all."""

import os
import signal
import subprocess
import sys
import threading
import time

from tests.kit import ROOT, TOKEN

PATIENCE_S = 20
KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "SYSTEMROOT")


def environment(**settings):
    """Return an environment with nothing of ours in it but `settings`."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | settings


def run(*arguments, folder=None, **settings):
    """Run `python bot.py` to its end and return (exit code, what it wrote)."""
    command = [sys.executable, str(ROOT / "bot.py"), *arguments]
    done = subprocess.run(
        command, env=environment(**settings), cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.returncode, done.stdout + done.stderr


class Process:
    """A running bot; `log` is what it has written so far."""

    def __init__(self, telegram, kie, folder, *arguments, **settings):
        address = {
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": telegram.url, "KIE_STUB": "1", "KIE_API_KEY": "stub-secret-key",
            "KIE_API_URL": kie.url, "KIE_UPLOAD_URL": kie.url, "DATA_DIR": str(folder), "USD_RATE": "90",
            "WELCOME_RUNS": "0",
        }  # fmt: skip
        self._lines = []
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bot.py"), *arguments], env=environment(**address | settings), cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.append(line)

    @property
    def log(self):
        """What it has written."""
        return "".join(self._lines)

    @property
    def pid(self):
        """The process's number."""
        return self._process.pid

    @property
    def is_running(self):
        """Tell whether it still runs."""
        return self._process.poll() is None

    def wait_for(self, word):
        """Wait until the log has a word."""
        deadline = time.monotonic() + PATIENCE_S
        while word not in self.log:
            assert self.is_running and time.monotonic() < deadline, f"no {word!r} in the log:\n{self.log}"
            self._process.poll()
            threading.Event().wait(0.02)

    def wait(self, seconds):
        """Wait until it ends by itself; return its exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def terminate(self):
        """Ask it to end as a platform does; return (exit code, seconds it took)."""
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self.wait(PATIENCE_S), time.monotonic() - started

    def kill(self):
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self._process.stdout.close()

"""The server's own time, so that a test moves through a day in a moment and nothing sleeps.

Seconds since 1970, UTC, as in the Bot API. The clock follows the real one until it is set; from then on it stands still
and moves only when told to.
"""

import asyncio
import time


class Clock:
    """Tells the server's time, and waits by it."""

    def __init__(self):
        self._ahead_s = 0.0
        self._stopped_at = None
        self._moved = asyncio.Event()

    def now(self):
        """Return the server's time in seconds (float) since 1970."""
        return time.time() + self._ahead_s if self._stopped_at is None else self._stopped_at

    @property
    def is_stopped(self):
        """Return whether the clock moves only when it is told to."""
        return self._stopped_at is not None

    def date(self):
        """Return the server's time in whole seconds, as the Bot API writes dates."""
        return int(self.now())

    def forward(self, seconds):
        """Move the clock forward by `seconds`; a running clock keeps running."""
        if self._stopped_at is None:
            self._ahead_s += seconds
        else:
            self._stopped_at += seconds
        self._wake()

    def stop_at(self, now):
        """Set the clock to `now` and stop it there."""
        self._stopped_at = float(now)
        self._wake()

    def run_real(self):
        """Return to the real time."""
        self._ahead_s, self._stopped_at = 0.0, None
        self._wake()

    def dump(self):
        """Return the two numbers that describe the clock, for the state file."""
        return {"ahead_s": self._ahead_s, "stopped_at": self._stopped_at}

    def load(self, saved):
        """Restore what `dump` returned."""
        self._ahead_s, self._stopped_at = saved["ahead_s"], saved["stopped_at"]

    async def wait(self, done, seconds):
        """Wait for the event `done`; return False once `seconds` have passed by this clock or by the real one."""
        deadline, real_deadline = self.now() + seconds, time.monotonic() + seconds
        while not done.is_set():
            left = min(deadline - self.now(), real_deadline - time.monotonic())
            if left <= 0:
                return False
            waits = [asyncio.ensure_future(done.wait()), asyncio.ensure_future(self._moved.wait())]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
        return True

    def _wake(self):
        """Let everyone who waits check the clock again."""
        self._moved.set()
        self._moved = asyncio.Event()

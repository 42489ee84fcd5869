"""Time, and the threads that call a step again and again.

Every loop's step takes the time as an argument, so a test runs a day in a moment.
"""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)
LONGEST_PAUSE_S = 30  # after failures, for loops that run more often than that


class Clock:
    """The real time."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for some seconds."""
        time.sleep(seconds)


class Paced:
    """Periodic work that keeps its pace however often it is called; a true result makes it due again at once."""

    def __init__(self, work, every_s):
        self._work = work
        self._pause = timedelta(seconds=every_s * 0.9)  # a thread's wait may end a little early
        self._due = None

    def __call__(self, now):
        """Do the work if it is due."""
        if self._due is not None and now < self._due:
            return False
        more = self._work(now)
        self._due = None if more else now + self._pause
        return more


class Loop:
    """A thread that calls `step(now)` every `every_s` seconds, or at once when it is woken.

    A step that raises is logged and tried again after a growing pause; the thread lives on. A step that returns
    something true has more to do and is called again at once. `rest_s` is the minimum time between two steps.
    `failed(loop)` is called after each failure.
    """

    def __init__(self, name, step, every_s, clock, rest_s=0, failed=lambda loop: None):
        self.name = name
        self.step = step
        self.failures, self.error = 0, None  # consecutive failures, and the last error
        self.pause_s = 0  # after a failure: longer each time, up to LONGEST_PAUSE_S or `every_s`, whichever is more
        self._failed = failed
        self._every_s = every_s
        self._rest_s = rest_s
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self):
        """Start the thread, unless it has been started."""
        if self._thread.ident is None:
            self._thread.start()

    def wake(self):
        """Make the thread do its next step now."""
        self._wake.set()

    def stop(self):
        """Ask the thread to end after its current step."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout_s):
        """Wait for the thread to end; return whether it has."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def attempt(self):
        """Do one step; log and report an error. Return whether there is more to do at once."""
        try:
            more, self.failures, self.pause_s = self.step(self._clock.now()), 0, 0
        except Exception as error:  # the loop must outlive any error of its step
            self.failures, self.error = self.failures + 1, error
            self.pause_s = min(max(LONGEST_PAUSE_S, self._every_s), 0.5 * 2 ** min(self.failures, 30))
            log.exception("%s failed, time %d in a row", self.name, self.failures)
            self._tell()
            return False
        return more

    def _tell(self):
        try:
            self._failed(self)
        except Exception:  # e.g. the database is down; the log has it
            log.exception("nobody could be told that %s fails", self.name)

    def _run(self):
        while not self._stopping.is_set():
            self._wake.clear()
            if self.attempt():
                self._wake.set()
            self._stopping.wait(self.pause_s or self._rest_s)
            self._wake.wait(0 if self.failures else self._every_s)

"""Limits that protect the operator from one busy person.

A flood of messages gets one polite warning, then silence for a while: the one exception to "never silent". Taps are
still answered and money is always handled; what is counted here is messages.
Setting: FLOOD_MESSAGES, messages a person may send in ten seconds.
"""

import collections
import threading

WINDOW_S = 10
SILENCE_S = 30
KEPT = 10_000  # people remembered; beyond it the longest silent are forgotten


class Flood:
    """Counts the latest messages of each person."""

    def __init__(self, limit):
        self._limit = limit
        self._seen = collections.OrderedDict()  # person → [start of the window, messages in it, silent until]
        self._guard = threading.Lock()

    def check(self, person, now_s):
        """Count a message; return "ok", "warn" (say so once) or "silent"."""
        with self._guard:
            found = self._seen.setdefault(person, [now_s, 0, 0.0])
            self._seen.move_to_end(person)
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            if now_s < found[2]:
                return "silent"
            if now_s - found[0] >= WINDOW_S:
                found[0], found[1] = now_s, 0
            found[1] += 1
            if found[1] <= self._limit:
                return "ok"
            found[0], found[1], found[2] = now_s + SILENCE_S, 0, now_s + SILENCE_S
            return "warn"


class Pace:
    """Lets callers through one at a time, evenly, and holds all of them back when Telegram says so."""

    def __init__(self, per_second, clock):
        self._gap = 1 / per_second
        self._clock = clock
        self._next = clock.monotonic()
        self._guard = threading.Lock()

    def wait(self):
        """Wait for one's turn."""
        with self._guard:
            turn = max(self._next, self._clock.monotonic())
            self._next = turn + self._gap
        pause = turn - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)

    def hold(self, seconds):
        """Let nobody through for this long."""
        with self._guard:
            self._next = max(self._next, self._clock.monotonic() + seconds)

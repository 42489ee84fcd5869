"""A value read from the rows and kept in memory, which several threads may fill and drop at the same time."""

import time

CACHE_S = 300


class Cached:
    """What `read()` returns, kept for CACHE_S seconds at most.

    `forget()` makes void what has been read, and what is being read at that moment: a read counts only if nothing
    was forgotten since it began.
    """

    def __init__(self, read, monotonic=lambda: time.monotonic()):
        self._read = read
        self._monotonic = monotonic
        self._version = object()
        self._kept = (None, 0, None)  # version, when it was read, value: replaced as a whole

    def get(self):
        """Return the value, read anew when it is old or forgotten."""
        version, at, value = self._kept
        if version is not self._version or self._monotonic() - at > CACHE_S:
            version, at = self._version, self._monotonic()  # before the read, or a `forget` during it would be lost
            value = self._read()
            self._kept = (version, at, value)
        return value

    def forget(self):
        """Have the next question read anew."""
        self._version = object()

"""A value read from the database and cached in memory; any thread may read or invalidate it."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

CACHE_S = 300

T = TypeVar("T")


class Cached(Generic[T]):
    """What `read()` returns, kept for at most CACHE_S seconds.

    `forget()` invalidates what was read, and also a read that is under way: its value is returned but not kept.
    """

    def __init__(self, read: Callable[[], T], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._version = object()
        self._kept: tuple[object, float, Any] = (None, 0, None)  # version, time of the read, value: replaced as a whole

    def get(self) -> T:
        """Return the value, read again when it is too old or was invalidated."""
        version, at, value = self._kept
        if version is not self._version or self._monotonic() - at > CACHE_S:
            version, at = self._version, self._monotonic()  # before the read, or a `forget` during it would be lost
            value = self._read()
            self._kept = (version, at, value)
        fresh: T = value
        return fresh

    def forget(self) -> None:
        """Make the next `get` read again."""
        self._version = object()

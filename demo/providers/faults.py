"""Fault injection: what goes wrong where, and how many times.

A trouble has a place (`at`: a call such as "create", "callback", or "*" for every call), a short word (`kind`) and a number
of `times`; 0 means until it is cancelled. `for_s` makes it last that many seconds of the service's clock instead. `done` says
whether the work is done although the answer is lost or wrong. `delay_s` is in real seconds for an
answer and in the service's for a callback.
"""

from dataclasses import asdict, dataclass

REFUSALS = {"401", "403", "429", "500", "502", "503"}  # "502" is a proxy's HTML page, "503" has no body
SILENT = {"drop", "hang"}  # the connection is cut, or no byte comes
SPOILT = {"cut", "list", "text", "wrong-type", "empty"}  # answers that cannot be read
ANY = REFUSALS | SILENT | SPOILT | {"slow"}
NOT_DONE = REFUSALS | {"hang"}  # these leave nothing done, unless ordered with `done`
CALLBACKS = {"twice", "four", "late", "early", "never", "old-body"}


class BadTrouble(ValueError):
    """An unknown trouble; the message lists the known ones."""


@dataclass
class Trouble:
    """One ordered trouble; `left` counts down, None is endless; `until` is a time of the service's clock."""

    at: str
    kind: str
    left: int | None
    until: float | None
    done: bool
    delay_s: float | None


class Troubles:
    """The ordered troubles, oldest first. `kinds` is {place: its kinds}; those of "*" are for every call."""

    def __init__(self, kinds, clock):
        self._kinds, self._clock, self._orders = kinds, clock, []

    def add(self, at, kind, times=1, done=None, delay_s=None, for_s=None):
        """Order a trouble, or raise BadTrouble."""
        everywhere = self._kinds["*"] if at != "callback" else set()
        known = self._kinds.get(at, set()) | (everywhere if at in self._kinds else set())
        if kind not in known:
            raise BadTrouble(f"at {at!r} there is no {kind!r}; known: {sorted(known or self._kinds)}")
        until = None if for_s is None else self._clock.now() + for_s
        left = None if until is not None or not times else int(times)
        done = kind not in NOT_DONE if done is None else bool(done)
        self._orders.append(Trouble(at, kind, left, until, done, delay_s))

    def take(self, at, kinds=None, but=()):
        """Return the first order for this place (one of `kinds`, none of `but`) and count it down, or None."""
        now = self._clock.now()
        self._orders = [order for order in self._orders if order.until is None or now < order.until]
        for order in self._orders:
            here = order.at == at or (order.at == "*" and at != "callback")
            if not here or order.kind in but or (kinds is not None and order.kind not in kinds):
                continue
            if order.left is not None:
                order.left -= 1
                if order.left <= 0:
                    self._orders.remove(order)
            return order
        return None

    def clear(self):
        """Cancel every order."""
        self._orders.clear()

    def listed(self):
        """Return the orders as plain dicts."""
        return [asdict(order) for order in self._orders]

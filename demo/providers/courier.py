"""Callbacks: posted to the shop's address, and repeated at each provider's intervals until they are accepted."""

import asyncio
import heapq
import ipaddress
import itertools
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import aiohttp


@dataclass
class Delivery:
    """One callback: its body as of the change, and each attempt as {at, status}; status None means no answer in time."""

    id: str  # of the payment (or what else it is about)
    event: str
    body: str
    headers: dict
    waits: list  # seconds between the attempts still to come
    tries: list = field(default_factory=list)


class Courier:
    """Delivers callbacks when the service's clock says so; `ended(delivery)` is called for those that were never accepted."""

    def __init__(self, clock, settings, taken, ended):
        self._clock, self._settings, self._taken, self._ended = clock, settings, taken, ended
        self._queue, self._count, self._running = [], itertools.count(), set()
        self.http = None  # an aiohttp.ClientSession, once the server runs
        self.deliveries = []

    def plan(self, delivery, delay_s=0):
        """Schedule the first attempt."""
        self.deliveries.append(delivery)
        self._push(self._clock.now() + delay_s, delivery)

    def next_due(self):
        """Return when the next attempt is due, or None."""
        return self._queue[0][0] if self._queue else None

    def deliver_due(self):
        """Start the attempts that are due."""
        while self._queue and self._queue[0][0] <= self._clock.now():
            job = asyncio.ensure_future(self._try(heapq.heappop(self._queue)[2]))
            self._running.add(job)
            job.add_done_callback(self._running.discard)

    async def drain(self):
        """Start what is due, and wait until everything under way is answered."""
        self.deliver_due()
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def forget(self):
        """Cancel scheduled deliveries and forget past ones."""
        self._queue.clear()
        self.deliveries.clear()

    def dump(self):
        """Return what is still to be delivered, for the state file."""
        return [[at, asdict(delivery)] for at, _, delivery in self._queue]

    def load(self, saved):
        """Restore what `dump` returned."""
        for at, delivery in saved:
            self.deliveries.append(Delivery(**delivery))
            self._push(at, self.deliveries[-1])

    def _push(self, at, delivery):
        heapq.heappush(self._queue, (at, next(self._count), delivery))

    async def _try(self, delivery):
        status = await self.post(delivery.body.encode(), delivery.headers)
        delivery.tries.append({"at": self._clock.now(), "status": status})
        if self._taken(status):
            return
        if delivery.waits:
            self._push(self._clock.now() + delivery.waits.pop(0), delivery)
        else:
            self._ended(delivery)

    async def post(self, content, headers, method="POST"):
        """Call the shop's address; return its HTTP status, or None if there was none in time."""
        url = self._settings["callback_url"]
        if not url or not is_local(url):
            return None
        limit = aiohttp.ClientTimeout(total=self._settings["callback_timeout_s"])
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.request(method, url, data=content, headers=headers, timeout=limit) as answer:
                return answer.status
        return None


def is_local(url):
    """Return whether a URL points to this machine: a stand-in calls no other."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

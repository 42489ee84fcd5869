"""Two proxies for HTTP: a bad network, which spoils a share of the calls to one server, and a load balancer.

A call can be lost before it arrives or after it was carried out; to the bot both look the same.
"""

import asyncio
import itertools
import random
import threading
from collections import Counter

import aiohttp
from aiohttp import web

GARBAGE = b"\x00\x01<html>not json"
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
DRIP_PIECES = 20
DROPPED = ("Transfer-Encoding", "Content-Length", "Connection", "Content-Encoding", "Keep-Alive")
FAULTS = {  # name → weight
    "reset before": 4, "reset after": 4, "5xx before": 3, "5xx after": 3, "hang before": 1, "hang after": 1,
    "garbage": 3, "cut": 2, "drip": 3,
}  # fmt: skip


class Proxy:
    """Sits between the bot and `target`; `share` of the calls are spoilt, 0 lets all pass."""

    def __init__(self, target, *, share=0.2, hang_s=2.0, drip_s=1.0, seed=1):
        self.share, self.counts = share, Counter()
        self._target, self._hang_s, self._drip_s = target.rstrip("/"), hang_s, drip_s
        self._rng = random.Random(seed)
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)
        self._thread.start()
        self._started.wait()

    def stop(self):
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        ) as self._session:
            runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._started.set()
            await self._stop.wait()
            await runner.cleanup()

    def _fate(self):
        self.counts["calls"] += 1
        if self._rng.random() >= self.share:
            return ""
        fault = self._rng.choices(list(FAULTS), list(FAULTS.values()))[0]
        self.counts[fault] += 1
        return fault

    async def _handle(self, request):
        fault, body = self._fate(), await request.read()
        if fault.endswith("before"):
            return await self._refuse(request, fault)
        try:
            status, headers, content = await self._pass_on(request, body)
        except aiohttp.ClientError:
            return self._abort(request)
        if fault.endswith("after"):
            return await self._refuse(request, fault)
        if fault == "garbage":
            return web.Response(body=GARBAGE, content_type="application/json")
        if fault in ("drip", "cut"):
            return await self._drip(request, status, headers, content, fault == "cut")
        return web.Response(status=status, headers=headers, body=content)

    async def _pass_on(self, request, body):
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        url = self._target + request.path_qs
        async with self._session.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name not in DROPPED}
            return answer.status, kept, await answer.read()

    async def _refuse(self, request, fault):
        if fault.startswith("5xx"):
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        if fault.startswith("hang"):
            await asyncio.sleep(self._hang_s)
        return self._abort(request)

    def _abort(self, request):
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _drip(self, request, status, headers, content, is_cut):
        """Send an answer slowly in small pieces, or only half of it."""
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(content)
        size = max(1, -(-len(content) // DRIP_PIECES))
        try:
            await response.prepare(request)
            for start in range(0, len(content) // 2 if is_cut else len(content), size):
                await response.write(content[start : start + size])
                await asyncio.sleep(self._drip_s / DRIP_PIECES)
        except ConnectionError:
            return response
        if is_cut:
            return self._abort(request)
        await response.write_eof()
        return response


class Balancer(Proxy):
    """Passes each call to the next of several servers, skipping those where nobody listens."""

    def __init__(self, targets):
        self._targets, self._count = itertools.cycle(targets), len(targets)
        super().__init__("", share=0)

    async def _pass_on(self, request, body):
        for _ in range(self._count - 1):
            self._target = next(self._targets)
            try:
                return await super()._pass_on(request, body)
            except aiohttp.ClientConnectorError:
                self.counts["skipped"] += 1
        self._target = next(self._targets)
        return await super()._pass_on(request, body)

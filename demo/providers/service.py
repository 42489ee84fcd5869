"""What both stand-ins share: a server in a thread of its own, its clock, its log of calls, and fault injection.

A provider brings a World (below) and a table of calls. It listens on 127.0.0.1 only and calls no other machine.
"""

import asyncio
import base64
import collections
import json
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from demo.clock import Clock
from demo.providers import admin, page
from demo.providers.courier import Courier, Delivery
from demo.providers.faults import Troubles
from demo.providers.state import StateFile

TICK_S = 0.05  # between looks at what is due
CLOSE_S = 0.2
HANG_S = 3600  # an answer that never comes: clients give up long before
SLOW_S = 1
CALLS_KEPT = 20_000
BODY_MAX = 1 << 20
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"


class ApiError(Exception):
    """An answer that refuses a call; it is empty if `body` is None."""

    def __init__(self, status, body):
        super().__init__(status, body)
        self.status, self.body = status, body


@dataclass
class Call:
    """A call of the API as a handler sees it: `body` is parsed, `groups` come from the path, `key` is the Idempotence-Key."""

    method: str
    path: str
    query: dict
    body: object = None
    groups: tuple = ()
    key: str = ""


class World:
    """A provider's state without HTTP. Subclasses keep the payments."""

    KINDS = {}  # {place: kinds of trouble}
    WORK = ()  # kinds that change the work itself, not the answer
    ACTS = {}  # {name: function of (world, payment, body), or of (world, body)}

    def __init__(self, settings):
        self.clock, self._first = Clock(), dict(settings)
        self.settings = dict(settings)
        self.troubles = Troubles(self.KINDS, self.clock)
        self.courier = Courier(self.clock, self.settings, self.taken, self.unheard)
        self.calls = collections.deque(maxlen=CALLS_KEPT)
        self.changed = lambda: None
        self.origin = ""
        self.forget()

    def reset(self):
        """Reset everything: no payments, no troubles, the initial settings, real time."""
        self.settings.clear()
        self.settings.update(self._first)
        self.troubles.clear()
        self.courier.forget()
        self.calls.clear()
        self.clock.run_real()
        self.forget()

    def send(self, about, message, waits, old=None):
        """Plan the callback (event, body, headers) about a payment, with the trouble ordered for it.

        Without an address none is sent. `old` is an outdated one, for what arrives out of order.
        """
        order = self.troubles.take("callback", CALLBACK_TIMES)
        kind = order.kind if order else ""
        if not self.settings["callback_url"]:
            return
        messages = [message] * CALLBACK_TIMES.get(kind, 1) + ([old] if old and kind == "old-body" else [])
        late_s = order.delay_s if order and order.delay_s is not None else LATE_S
        for one in messages:
            self.courier.plan(Delivery(about, *one, list(waits)), late_s if kind == "late" else 0)

    async def advance(self, seconds):
        """Let `seconds` pass; everything due on the way happens at its time."""
        target = self.clock.now() + seconds
        while (at := self._next_due(target)) is not None:
            self.clock.forward(max(0, at - self.clock.now()))
            self.settle()
            await self.courier.drain()
        self.clock.forward(max(0, target - self.clock.now()))
        self.settle()
        await self.courier.drain()

    def _next_due(self, target):
        moments = [at for at in (self.next_due(), self.courier.next_due()) if at is not None and at <= target]
        return min(moments, default=None)

    def taken(self, status):
        """Return whether a callback with this answer was delivered."""
        raise NotImplementedError

    def unheard(self, delivery):
        """Note a callback that was never accepted."""

    def forget(self):
        """Forget all payments."""
        raise NotImplementedError

    def next_due(self):
        """Return the next time at which something happens by itself, or None."""
        raise NotImplementedError

    def settle(self):
        """Do what is due by now."""
        raise NotImplementedError


CALLBACK_TIMES = {"never": 0, "twice": 2, "four": 4, "late": 1, "old-body": 1}  # how often each is sent
LATE_S = 23 * 3600


class Service:
    """A running stand-in: `.url` (what the bot calls), `.origin`, `.stop()`."""

    def __init__(self, world, api, base, port=0, state_path=None):
        self.world, self._api = world, api
        self.state = StateFile(state_path, world) if state_path else None
        listener = listen(port, self.state and self.state.port())
        self.port = listener.getsockname()[1]
        self.origin = world.origin = f"http://127.0.0.1:{self.port}"
        self.url = self.origin + base
        ready = Future()
        name = f"{type(world).__module__.rpartition('.')[2]} stand-in"
        self._thread = threading.Thread(target=self._run, args=(listener, ready), name=name, daemon=True)
        self._thread.start()
        self._loop, self._stopping = ready.result()

    def stop(self):
        """Close every connection and end the thread; a second call does nothing."""
        with suppress(RuntimeError):  # the loop is closed, as it was stopped before
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def join(self):
        """Wait until the server is stopped."""
        self._thread.join()

    def _run(self, listener, ready):
        try:
            asyncio.run(self._serve(listener, ready))
        except Exception as error:  # whatever it is, it belongs to the thread that waits for the start
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, listener, ready):
        stopping = asyncio.Event()
        if self.state:
            self.state.load()
        async with aiohttp.ClientSession() as self.world.courier.http:
            app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
            admin.add_routes(app, self.world)
            page.add_routes(app, self.world)
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_S)
            await runner.setup()
            await web.SockSite(runner, listener).start()
            ticking = asyncio.create_task(self._tick())
            ready.set_result((asyncio.get_running_loop(), stopping))
            await stopping.wait()
            ticking.cancel()
            await runner.cleanup()
        if self.state:
            self.state.save()

    async def _tick(self):
        while True:
            self.world.settle()
            self.world.courier.deliver_due()
            await asyncio.sleep(TICK_S)

    @web.middleware
    async def _guard(self, request, handler):
        """Refuse requests from other sites' pages (CSRF, DNS rebinding)."""
        hosts = [f"127.0.0.1:{self.port}", f"localhost:{self.port}"]
        if request.headers.get("Host") not in hosts:
            return web.Response(status=403, text="this server is for this machine only")
        if request.headers.get("Origin") not in (None, *(f"http://{host}" for host in hosts)):
            return web.Response(status=403, text="this page may not call the stand-in")
        return await handler(request)

    async def _answer(self, request):
        """Answer a call of the API, with the trouble ordered for it."""
        entry = self._note(request)
        self.world.settle()
        try:
            place, handler, call = await self._api.open(self.world, request)
            entry["body"] = call.body
            answer = await self._work(request, place, handler, call)
        except ApiError as refused:
            answer = respond(refused.body, refused.status)
        entry["status"] = answer.status
        return answer

    async def _work(self, request, place, handler, call):
        order = self.world.troubles.take(place, but=self.world.WORK)
        if order and not order.done:
            return await self._spoil(request, order, None)
        try:
            status, body = 200, handler(self.world, call)
        except ApiError as refused:
            status, body = refused.status, refused.body
        self.world.changed()
        if status == 200 and place == "create" and self.world.troubles.take("callback", ("early",)):
            self.world.pay_at_once()
            await self.world.courier.drain()
        if order:
            return await self._spoil(request, order, body, status)
        return respond(body, status)

    async def _spoil(self, request, order, body, status=200):
        """Answer as a trouble says; `body` is None if nothing was done."""
        if order.kind == "hang":
            await asyncio.sleep(order.delay_s or HANG_S)
        if order.kind in ("hang", "drop"):
            if request.transport:
                request.transport.abort()
            return web.Response()
        if order.kind == "slow":
            await asyncio.sleep(order.delay_s or SLOW_S)
            return respond(body, status)
        if order.kind in UNREADABLE:
            text, code, content_type = UNREADABLE[order.kind]
            text = json.dumps(body)[:-10] if order.kind == "cut" else text
            text = json.dumps(body) if order.kind == "wrong-type" else text
            return web.Response(status=code, text=text, content_type=content_type)
        return respond(*self._api.troubled(self.world, order.kind, body, status))

    def _note(self, request):
        """Record a call for tests, without the secret."""
        entry = {"at": self.world.clock.now(), "method": request.method, "path": request.path, "body": None}
        entry |= {"query": dict(request.query), "key": request.headers.get("Idempotence-Key"), "status": None}
        entry["user"] = user_of(request.headers)
        self.world.calls.append(entry)
        return entry


def listen(port, last_port):
    """Return a socket at `port`; if that is 0, at the last port, so that old links still work, or at any free one."""
    if not port and last_port:
        with suppress(OSError):  # it is taken now
            return socket.create_server(("127.0.0.1", last_port))
    return socket.create_server(("127.0.0.1", port))


UNREADABLE = {
    "502": (BAD_GATEWAY, 502, "text/html"),
    "503": ("", 503, "text/plain"),
    "cut": ("", 200, "application/json"),
    "list": ("[]", 200, "application/json"),
    "text": ("OK", 200, "application/json"),
    "empty": ("", 200, "application/json"),
    "wrong-type": ("", 200, "text/html"),
}


def respond(body, status=200):
    """Return a JSON answer, empty without a body."""
    if body is None:
        return web.Response(status=status)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(body=text.encode(), status=status, content_type="application/json", charset="utf-8")


def user_of(headers):
    """Return the user that HTTP Basic names, or None."""
    with suppress(ValueError):
        scheme, _, code = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return base64.b64decode(code, validate=True).decode().partition(":")[0]
    return None

"""The control plane of a stand-in, for tests and the demo: JSON over HTTP, under /control/.

GET  payments · calls (of the API) · callbacks · books · settings · trouble · clock
POST payments/{id}/{act} {…} (pay, decline, expire, …: see the provider's ACTS) · do/{act} {…} (not about one payment) ·
     callbacks {id, …} (send one now, forged if you like) · message {id, event} (what a callback would be, not sent) ·
     settings {…} · trouble {at, kind, times, done?, delay_s?, for_s?} · clock {forward_s | now | real} · reset.
DELETE trouble

An act returns once the callbacks it has caused are answered.
"""

import json
from dataclasses import asdict

from aiohttp import web

from demo.providers.faults import BadTrouble


class Refused(Exception):
    """An act that cannot be done; the text says why."""


class Admin:
    """The control plane of one World."""

    def __init__(self, world):
        self._world = world

    async def payments(self, _request):
        """List the payments, oldest first, as the API shows them now."""
        return self._world.listed()

    async def calls(self, _request):
        """List the calls of the API, oldest first."""
        return list(self._world.calls)

    async def callbacks(self, _request):
        """List the callbacks, oldest first, with their tries."""
        return [asdict(delivery) for delivery in self._world.courier.deliveries]

    async def books(self, _request):
        """Return what the provider has taken and given back, for reconciliation."""
        return self._world.books()

    async def act(self, request):
        """Act on a payment (the id "newest" means the newest), and wait until the callbacks it causes are answered."""
        world, body = self._world, await _object(request)
        act = world.ACTS.get(request.match_info["act"])
        if act is None:
            raise Refused(f"unknown act; known: {sorted(world.ACTS)}")
        if callback := body.pop("callback", None):
            world.troubles.add("callback", callback)
        about = request.match_info.get("id")
        args = (world, world.payment(about), body) if about else (world, body)
        result = act(*args)
        world.changed()
        await world.courier.drain()
        return result

    async def message(self, request):
        """Return a callback as it would be sent now: {event, body, headers}."""
        body = await _object(request)
        event, text, headers = self._world.message(self._world.payment(body.pop("id", "newest")), **body)
        return {"event": event, "body": text, "headers": headers}

    async def send(self, request):
        """Send one callback now, forged if there is `raw`, `headers`, `method` or `changes`; return the answer's status."""
        body = await _object(request)
        raw, method, more = body.pop("raw", None), body.pop("method", "POST"), body.pop("headers", {})
        text, headers = "", {}
        if raw is None:
            _, text, headers = self._world.message(self._world.payment(body.pop("id", "newest")), **body)
        content = (text if raw is None else raw).encode()
        return {"status": await self._world.courier.post(content, headers | more, method)}

    async def settings(self, request):
        """Return the settings; a POST changes some by name."""
        if request.method == "POST":
            changes = await _object(request)
            if strange := set(changes) - set(self._world.settings):
                raise Refused(f"unknown settings {sorted(strange)}; known: {sorted(self._world.settings)}")
            self._world.settings.update(changes)
            self._world.changed()
        return self._world.settings

    async def trouble(self, request):
        """List the ordered troubles; POST orders one, DELETE cancels all."""
        if request.method == "POST":
            self._world.troubles.add(**await _object(request))
        elif request.method == "DELETE":
            self._world.troubles.clear()
        return self._world.troubles.listed()

    async def clock(self, request):
        """Return the time in seconds since 1970; POST moves it, and everything due on the way happens."""
        clock = self._world.clock
        if request.method == "POST":
            body = await _object(request)
            if body.get("real"):
                clock.run_real()
            if "now" in body:
                await self._set(float(body["now"]))
            await self._world.advance(float(body.get("forward_s", 0)))
            self._world.changed()
        return {"now": clock.now()}

    async def _set(self, now):
        """Stop the clock at `now`; if it stood still before that, everything due in between happens."""
        if not self._world.clock.is_stopped or now < self._world.clock.now():
            self._world.clock.stop_at(now)
        await self._world.advance(now - self._world.clock.now())

    async def reset(self, _request):
        """Reset everything."""
        self._world.reset()
        self._world.changed()
        return {}


def add_routes(app, world):
    """Add the control plane to the app."""
    admin = Admin(world)
    routes = [
        ("GET", "payments", admin.payments),
        ("POST", "payments/{id}/{act}", admin.act),
        ("POST", "do/{act}", admin.act),
        ("GET", "calls", admin.calls),
        ("GET", "callbacks", admin.callbacks),
        ("POST", "callbacks", admin.send),
        ("POST", "message", admin.message),
        ("GET", "books", admin.books),
        ("GET", "settings", admin.settings),
        ("POST", "settings", admin.settings),
        ("GET", "trouble", admin.trouble),
        ("POST", "trouble", admin.trouble),
        ("DELETE", "trouble", admin.trouble),
        ("GET", "clock", admin.clock),
        ("POST", "clock", admin.clock),
        ("POST", "reset", admin.reset),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, f"/control/{path}", _answered(handler))


def _answered(handler):
    async def answer(request):
        try:
            return web.json_response(await handler(request))
        except (Refused, BadTrouble, ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    return answer


async def _object(request):
    if not request.can_read_body:
        return {}
    body = json.loads(await request.text())
    if not isinstance(body, dict):
        raise Refused("want a JSON object")
    return body

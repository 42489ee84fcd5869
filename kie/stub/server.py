"""A stand-in for KIE AI: an HTTP server that behaves like the service, including its failures.

Tests and the demo run against it, so no test needs a key, money or the network.
Start it inside a program with `start()`, or alone with `python -m kie.stub.server --port N`.
It validates, bills, calls back and lets files expire as KIE does, on a clock that can be
moved; failures are ordered over HTTP (see kie/stub/admin.py, and kie/stub/control.py for
Python). It binds 127.0.0.1 and calls no other machine.

Its parts: facts (models, prices), tasks (clock, account, tasks), faults (failures), jobs, chat, files,
discovery (the service), callbacks, media (the results), admin (control).
"""

import argparse
import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from kie.stub import admin as stub_admin
from kie.stub import chat as stub_chat
from kie.stub import discovery as stub_discovery
from kie.stub import facts as stub_facts
from kie.stub import files as stub_files
from kie.stub import jobs as stub_jobs
from kie.stub.callbacks import Courier
from kie.stub.http import COURIER, ORIGIN, OUTGOING, PAGES, WORLD, Handler, not_found
from kie.stub.tasks import World

DATA = Path(__file__).resolve().parents[2] / "data"
FACTS, CHAT_FACTS = DATA / "models.json", DATA / "chat_models.json"
TICK_S = 0.05  # between checks whether a task or callback is due
LARGEST_BODY = 210 * 1024 * 1024  # the largest upload that a KIE model accepts is 200 MB


# The loop, what ends it, and the application
Ready = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, web.Application]]


class Stub:
    """A running stub: its addresses, `freeze(now)` and `stop()`. Only web pages of the origins in `pages` may call it."""

    def __init__(
        self, origin: str, key: str, pages: set[str], stop: Callable[[], None], freeze: Callable[[float], None]
    ) -> None:
        self.api_url, self.upload_url, self.files_url = origin, f"{origin}/upload", f"{origin}/files"
        self.key, self.pages, self._stop, self._freeze = key, pages, stop, freeze

    def stop(self) -> None:
        self._stop()

    def freeze(self, now: float) -> None:
        """Stop the clock at `now` (epoch seconds) before the next request, from any thread."""
        self._freeze(now)


def start(
    port: int = 0,
    *,
    facts: str | Path | None = None,
    clock: Callable[[], float | datetime] | None = None,
    key: str = "stub-key",
    seconds: Sequence[float] = (3, 8),
    callback_key: str | None = None,
    side: int = 1024,
    pages: Iterable[str] = (),
) -> Stub:
    """Start a stub in its own daemon thread and return it, ready to be called.

    `port` 0 picks a free one. `facts` is a models file (default: data/models.json). `clock` returns the time, as epoch
    seconds or an aware datetime. `seconds` is the range of a task's duration. `callback_key` signs callbacks. `side` is the
    longer side of pictures in pixels: small ones are painted in a tenth of the time. `pages` are the origins of web pages
    that may call it.
    """
    known = stub_facts.load(facts or FACTS)
    chat_models = {entry["id"]: entry for entry in json.loads(CHAT_FACTS.read_text(encoding="utf-8"))["models"]}
    more: dict[str, Any] = {"key": key, "seconds": seconds, "callback_key": callback_key, "side": side}
    world = World(known, chat_models=chat_models, clock=clock, **more)
    listener = socket.create_server(("127.0.0.1", port))
    ready, origins = Ready(), set(pages)
    thread = threading.Thread(target=_run, args=(world, listener, origins, ready), name="kie-stub", daemon=True)
    thread.start()
    loop, stopping, app = ready.result()

    def stop() -> None:
        with suppress(RuntimeError):  # the loop is closed, as it was stopped before
            loop.call_soon_threadsafe(stopping.set)
        thread.join()

    def freeze(now: float) -> None:
        loop.call_soon_threadsafe(stub_admin.stop_at, app, now)

    return Stub(_origin(listener), key, origins, stop, freeze)


def _origin(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _run(world: World, listener: socket.socket, pages: set[str], ready: Ready) -> None:
    try:
        asyncio.run(_serve(world, listener, pages, ready))
    except Exception as error:  # whatever it is, it must reach the thread that waits in start()
        if ready.done():
            raise
        ready.set_exception(error)


async def _serve(world: World, listener: socket.socket, pages: set[str], ready: Ready) -> None:
    stopping = asyncio.Event()
    async with aiohttp.ClientSession() as outgoing:
        app = _app(world, outgoing, _origin(listener), pages)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        ticking = asyncio.create_task(_tick(app))
        ready.set_result((asyncio.get_running_loop(), stopping, app))
        await stopping.wait()
        ticking.cancel()
        await runner.cleanup()


def _app(world: World, outgoing: aiohttp.ClientSession, origin: str, pages: set[str]) -> web.Application:
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[stub_admin.guard, _spring_404, _log, _settled])
    app[WORLD], app[OUTGOING], app[ORIGIN], app[PAGES] = world, outgoing, origin, pages
    app[COURIER] = Courier(world, outgoing, lambda task: stub_jobs.result_json(app, task))
    for part in (stub_jobs, stub_chat, stub_files, stub_discovery, stub_admin):
        part.add_routes(app)
    return app


async def _tick(app: web.Application) -> None:
    while True:
        stub_admin.wake(app)
        await asyncio.sleep(TICK_S)


@web.middleware
async def _spring_404(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer unknown paths as KIE does."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return not_found(request.path)


@web.middleware
async def _settled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bring the tasks up to date before a request is handled."""
    stub_admin.wake(request.app)
    return await handler(request)


@web.middleware
async def _log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the request for tests, without the API key: only whether there was one."""
    if request.path.startswith("/stub/"):
        return await handler(request)
    entry = {
        "at": request.app[WORLD].clock.now(),
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "user_agent": request.headers.get("User-Agent", ""),
        "authorized": "Authorization" in request.headers,
        "body": None,
        "status": None,
    }
    request.app[WORLD].requests.append(entry)
    if request.content_type == "application/json":
        with suppress(ValueError):
            entry["body"] = await request.json()
    answer = await handler(request)
    entry["status"] = answer.status
    return answer


def main() -> None:
    """Run a stub until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--facts", help="a models file; default: data/models.json")
    parser.add_argument("--key", default="stub-key")
    parser.add_argument("--page", action="append", default=[], metavar="ORIGIN", help="of a page that may call it")
    parser.add_argument("--callback-key", help="sign callbacks with this key")
    parser.add_argument("--seconds", nargs=2, type=float, default=(3, 8), metavar=("MIN", "MAX"), help="of a task")
    options = parser.parse_args()
    more: dict[str, Any] = {"seconds": options.seconds, "callback_key": options.callback_key, "pages": options.page}
    stub = start(options.port, facts=options.facts, key=options.key, **more)
    sys.stdout.write(f"KIE_API_URL={stub.api_url}\nKIE_UPLOAD_URL={stub.upload_url}\nKIE_API_KEY={stub.key}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    stub.stop()


if __name__ == "__main__":
    main()

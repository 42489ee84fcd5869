"""The local server: the Bot API, the control plane and the chat page on one port of 127.0.0.1.

It has its own event loop in its own thread, so that a test, a demo or a benchmark starts it with one line.
"""

import asyncio
import secrets
import threading
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from demo import api, control, groups
from demo.chats import World
from demo.params import BODY_MAX
from demo.rules import ApiError, split_url
from demo.state import StateFile

CLOSE_S = 0.2  # for open connections when the server stops
PAGE = Path(__file__).parent / "page"
PAGE_TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png",
    ".ogg": "audio/ogg", ".ico": "image/x-icon", ".woff2": "font/woff2", ".json": "application/json",
}  # fmt: skip
SAVE_S = 5  # for the state to be written
LOCAL = ("127.0.0.1", "localhost")
OWN = (None, "same-origin", "none")  # Sec-Fetch-Site of programs, of the page itself, and of people who type an address


def start(
    port=0, state_path=None, token=None, kie_url=None, admin_ids=(), people=(), backstage=None, providers=None, group=""
):
    """Start a server on 127.0.0.1 and return it as a Server; without a `token` it makes one that nobody can guess.

    `port` 0 picks a free one. `state_path` names the state file (files go into a folder beside it); without it
    everything is in memory. `admin_ids` become people with the role admin; `people` are first names of people to start
    with if there is nobody but admins, `group` is the name of a group of all of them. `backstage` (see backstage.py) knows the bot behind the page. `providers` is
    {name: origin} of the payment providers that run beside it (see providers/).
    """
    return Server(port, state_path, token or new_token(), kie_url, admin_ids, people, backstage, providers, group)


def new_token():
    """Return a bot token that is valid for this run only."""
    return f"1:DEMO-{secrets.token_urlsafe(24)}"


class Server:
    """A running server: `.url`, `.origins` (of its page), `.token`, `.stop()`."""

    def __init__(self, port, state_path, token, kie_url, admin_ids, people, backstage=None, providers=None, group=""):
        self.token, self.kie_url, self._people, self._group = token, kie_url, people, group
        self.backstage = backstage
        self.providers = providers or {}
        self.world = World(token, admin_ids, f"{state_path}.files" if state_path else None)
        self.state = StateFile(state_path, self.world) if state_path else None
        self.stopping = False
        self._started, self._failed = threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(port,), name="demo server", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failed:
            raise self._failed

    @property
    def listeners(self):
        """Return the open streams of events."""
        return self.world.listeners

    def stop(self):
        """Write the state, close every connection and end the thread; a second call does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def save(self):
        """Write the state now, from any thread; what is under way goes on."""
        asyncio.run_coroutine_threadsafe(self._save(), self._loop).result(SAVE_S)

    async def _save(self):
        if self.state:
            self.state.save()

    def join(self):
        """Wait until the server is stopped."""
        self._thread.join()

    def set_time(self, now):
        """Stop the clock at `now` (seconds since 1970) before the next request, from any thread."""
        self._loop.call_soon_threadsafe(control.post_clock, self, {"now": now})

    def announce(self, event, data):
        """Tell the open pages something, from any thread."""
        self._loop.call_soon_threadsafe(self.world.announce, event, data)

    def reset(self):
        """Forget everything that happened."""
        self.world.updates.set_webhook(None)
        self.world.updates.end_poll()
        self.world.forget()
        self._populate()
        self.world.announce("bot", {"chat_id": None})

    def _run(self, port):
        try:
            asyncio.run(self._serve(port))
        except Exception as error:  # whatever it is, it must reach the thread that waits for the start
            if self._started.is_set():
                raise
            self._failed = error
        finally:
            self._started.set()

    async def _serve(self, port):
        """Serve until told to stop."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(
            web.Server(self._handle, request_factory=_request), access_log=None, shutdown_timeout=CLOSE_S
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.port = runner.addresses[0][1]
        self.origins = tuple(f"http://{host}:{self.port}" for host in LOCAL)
        if self.state:
            self.state.load()
        self._populate()
        self._started.set()
        await self._stop.wait()
        await self._close(runner)

    async def _close(self, runner):
        self.stopping = True
        self.world.updates.end_poll("the server stops")
        for listener in self.listeners:
            listener.wake.set()
        await runner.cleanup()
        await self._save()
        self.world.updates.set_webhook(None)

    def _populate(self):
        """Add the initial people and their group, if there is nobody yet, and connect the webhook's answers."""
        if all(person.role == "admin" for person in self.world.people.values()):
            for name in self._people:
                self.world.add_person(name)
            if self._group:
                groups.add(self.world, self._group, self.world.people)
        self.world.updates.answered = lambda name, params: api.call_from_webhook(self.world, name, params)

    async def _handle(self, request):
        """Answer one request; a request made by another site's page is refused, whatever it is for."""
        path = request.path
        is_page = not path.startswith(("/bot", "/file/bot", "/demo/"))
        if not self._is_local(request) or not (is_page or request.headers.get("Sec-Fetch-Site") in OWN):
            return control.problem(403, "this server is for programs on this machine and for its own page only")
        if path.startswith("/bot"):
            return await self._bot(request, path)
        if path.startswith("/file/bot"):
            token, _, rest = path.removeprefix("/file/bot").partition("/")
            return api.serve_file(self.world, rest) if token == self.token else _unauthorized()
        return serve_page(path) if is_page else await control.answer(self, request)

    async def _bot(self, request, path):
        """Answer a call of the Bot API: `/bot<token>/<method>`."""
        token, _, method = path[4:].partition("/")
        if token != self.token:
            return _unauthorized()
        return await api.answer(self.world, request, method)

    def _is_local(self, request):
        """Return whether a request comes from this server's own page or from no page at all (DNS rebinding, CSRF)."""
        origin = request.headers.get("Origin")
        return _is_here(request.headers.get("Host", ""), self.port) and origin in (None, *self.origins)


def _is_here(host, port):
    parts = split_url(f"//{host}")
    return parts.hostname in LOCAL and host.rpartition(":")[2] == str(port)


def _request(message, payload, protocol, writer, task, loop=None):
    """Make a request that may carry the largest upload."""
    return web.BaseRequest(
        message, payload, protocol, writer, task, protocol._loop if loop is None else loop, client_max_size=BODY_MAX
    )


def _unauthorized():
    return api.respond(ApiError(401, "Unauthorized").body())


def serve_page(path):
    """Return a file of the chat page."""
    name = "index.html" if path == "/" else unquote(path).removeprefix("/page/")
    file = (PAGE / name).resolve()
    if not file.is_relative_to(PAGE.resolve()) or file.suffix not in PAGE_TYPES or not file.is_file():
        return control.problem(404, f"no page {path}")
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file.read_bytes(), content_type=PAGE_TYPES[file.suffix], charset="utf-8", headers=headers)

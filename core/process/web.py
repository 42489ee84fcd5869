"""The web side: /health for platforms and monitors, /telegram for updates, /kie/<secret> for KIE's callbacks, and what
plugins add. Flask on waitress.

The port is open before the bot leads, and limits what may come through it (`core/process/connection_limits.py`). A callback is only
a hint: it triggers a poll of the job, and only what the poll reads counts.
"""

import ipaddress
import logging
import re
import threading
from dataclasses import dataclass

from flask import Flask, jsonify, request
from werkzeug.exceptions import BadRequest

from core.process.connection_limits import Server
from core.telegram import intake, webhook
from kie.api.callback_signature import is_genuine
from kie.api.task_response import task_of
from storage.base import db
from storage.orders import health, jobs

log = logging.getLogger(__name__)
STALE_FETCH_S = 180  # a long poll lasts 50 s; after three of them without an answer something is wrong
STALE_WRITE_S = 90  # a row is written every 15 s
THREADS = 8
SECRET = re.compile(r"[A-Za-z0-9_-]{1,100}")
# Any of these headers says that a request was forwarded, whatever the connection's own address is.
FORWARDING = """Forwarded X-Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-By
    X-Real-Ip X-Client-Ip X-Cluster-Client-Ip True-Client-Ip Cf-Connecting-Ip Fly-Client-Ip Via""".split()


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page may know about the visitor: the headers, and whether it is a program on this machine itself."""

    headers: object
    is_local: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What a service sends to an endpoint."""

    method: str
    path: str
    query: object  # the address's parameters, by name
    headers: object  # by name, in any case
    body: bytes  # as it came, for signatures
    client: str  # the caller's address, also behind a trusted proxy
    now: object  # the time, aware


class Web:
    """Serves the port from its own threads. `runtime` is set while it works, `standby` is the one that waits to lead.

    `beside` means that another copy leads meanwhile; if not, `trouble` says what this one waits for. `trusted` are the
    networks of our own proxies.
    """

    def __init__(self, host, port, clock, version, trusted=()):
        self.runtime = self.standby = None
        self.stopping = self.beside = False
        self.trouble = "it is starting"
        self._clock = clock
        self._version = version
        self._started = clock.now()
        self._trusted = trusted
        more = {"host": host, "port": port, "threads": THREADS, "ident": None, "monotonic": clock.monotonic}
        self._server = Server(self._app(), trusted=trusted, exempt=(webhook.PATH,), **more)
        self.port = self._server.effective_port
        threading.Thread(target=self._server.run, name="web", daemon=True).start()

    def close(self):
        """Stop serving: the server's own thread does it, as it would otherwise wait for a closed socket."""
        self._server.task_dispatcher.shutdown()  # first its workers, as they wake that thread as well
        with self._server.trigger.lock:  # or a wake-up under way could close everything first
            self._server.trigger.thunks.append(self._server.close)
            self._server.trigger.pull_trigger()

    def _app(self):
        app = Flask("bot")
        app.get("/health")(self.health)
        app.post("/kie/<secret>")(self.callback)
        app.post(webhook.PATH)(self.update)
        app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])(self.page)
        app.errorhandler(db.StorageDown)(lambda _error: ("the database is away", 503))
        return app

    def health(self):
        """Report how the bot is: 200 while it can serve, or stands by beside a copy that does; 503 when it cannot."""
        now, runtime = self._clock.now(), self.runtime
        report = {"leader": self._leads(), "version": self._version, "uptime": _age(now, self._started)} | self._kinds()
        try:
            with db.connection() as database:
                database.execute_sql("SELECT 1")
            waiting = {"status": "standby"} if self.beside else {"status": "degraded", "reason": self.trouble}
            report |= waiting if runtime is None else self._figures(runtime.bot, now)
        except Exception as error:  # whatever the database says, the answer is "degraded", not a stack trace
            log.warning("health: %s", error)
            report |= {"status": "degraded", "reason": "the database does not answer"}
        if self.stopping:
            report |= {"status": "down", "reason": "it is stopping"}
        return jsonify(report), 200 if report["status"] in ("ok", "standby") else 503

    def _kinds(self):
        """Return what is so in every state."""
        if (bot := self._known()) is None:
            return {}
        settings = bot.settings
        kind = "sqlite" if settings["DATABASE_URL"].startswith("sqlite") else "postgresql"
        return {
            "mode": settings["BOT_MODE"],
            "kie_mode": "stub" if settings["KIE_STUB"] else "real",
            "storage": {"kind": kind},
        }

    def _known(self):
        """Return the bot that works, or else the one that stands by; None before there is either."""
        runtime = self.runtime or self.standby
        return runtime and runtime.bot

    def _leads(self):
        return self.runtime is not None and self.runtime.status.leads

    def _figures(self, bot, now):
        figures, status = health.figures(), bot.status
        written, fetched = _age(now, status.wrote_at), _age(now, status.fetched_at)
        silent = (_age(now, status.leads_since) if fetched is None else fetched) if status.leads else 0
        state = {"status": "ok"}
        if status.refused:
            state = {"status": "down", "reason": "Telegram refuses the token"}
        elif silent > STALE_FETCH_S:
            state = {"status": "degraded", "reason": f"Telegram has not answered for {silent} s"}
        elif status.unwritable or written > STALE_WRITE_S:
            state = {"status": "degraded", "reason": "no rows can be written"}
        return state | {
            "storage": self._kinds()["storage"] | {"written_s_ago": written},
            "fetched_s_ago": fetched,
            "inbox_age_s": _age(now, figures["inbox"][1]),
            "open_jobs": figures["jobs"][0],
            "oldest_job_s": _age(now, figures["jobs"][1]),
        }

    def page(self, path):
        """Show what a plugin has registered for this path."""
        bot = self._known()
        endpoint = bot.endpoints.get(f"/{path}") if bot else None
        if endpoint is not None:
            return self._serve(bot, *endpoint)
        view = bot.pages.get(f"/{path}") if bot and request.method == "GET" else None
        if view is None:
            return "", 405 if bot and f"/{path}" in bot.pages else 404
        return view(bot, self._leads(), Visit(request.headers, self._is_local()))

    def _serve(self, bot, methods, handler):
        """Let a plugin handle a call; its rows are committed before the answer goes out."""
        if request.method not in methods:
            return "", 405
        peer = request.remote_addr
        client = (
            self._server.client_behind(request.headers.get("X-Forwarded-For", ""))
            if self._server.is_trusted(peer)
            else peer
        )
        now = self._clock.now()
        call = Call(
            request.method, request.path, request.args, request.headers, request.get_data(), client or peer, now
        )
        try:
            with db.transaction():
                answer = handler(bot, call)
        except db.StorageDown:
            raise
        except Exception:  # whatever it is, the caller will try again
            log.exception("the endpoint %s failed", request.path)
            return "", 500
        bot.wake()
        return answer if answer is not None else ("", 200)

    def _is_local(self):
        """Return whether the request is from a program on this machine, and not forwarded."""
        peer = ipaddress.ip_address(request.remote_addr)
        return peer.is_loopback and not self._trusted and not any(name in request.headers for name in FORWARDING)

    def update(self):
        """Take an update from Telegram: 200 once its row is written, even while this copy stands by."""
        bot, runtime = self._known(), self.runtime
        if bot is None or bot.settings["BOT_MODE"] != "webhook":
            return "", 404
        if not webhook.is_telegram(bot.settings["TELEGRAM_BOT_TOKEN"], request.headers.get(webhook.HEADER, "")):
            return "not Telegram", 401
        update = _json()
        number = update.get("update_id") if isinstance(update, dict) else None
        if not isinstance(number, int) or not 0 <= number < 1 << 63:
            return "not an update", 400
        if runtime is not None:
            runtime.updates.accept([update])
        else:
            intake.keep([update], self._clock.now())
        return "", 200

    def callback(self, secret):
        """Trigger a poll of the job with this address: 200 whatever the body says, or KIE would retry for nothing."""
        runtime, now = self.runtime, self._clock.now()
        if runtime is None:
            return jsonify({"code": 503, "msg": "standby"}), 503  # KIE tries again, and finds the copy that works
        named = task_of(_json())
        bot = runtime.bot
        key = bot.settings["KIE_WEBHOOK_KEY"]
        if key and not is_genuine(key, named, request.headers, now):
            log.warning("a callback without KIE's fresh signature was let go")
            return jsonify({"code": 401, "msg": "signature"}), 401
        job = jobs.by_secret(secret) if SECRET.fullmatch(secret) else None
        if job is not None:
            bot.generation.called_back(job, named, now)
        return jsonify({"code": 200, "msg": "success"})


def _json():
    """Return the body's JSON; anything else, or absurd nesting, is answered with 400."""
    try:
        return request.get_json(force=True)
    except RecursionError:
        raise BadRequest("nested too deeply") from None


def _age(now, since):
    return None if since is None else int((now - since).total_seconds())

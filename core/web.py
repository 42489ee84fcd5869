"""The web side: /health for platforms and monitors, /telegram for updates, /kie/<secret> for KIE's callbacks, and what
plugins add. Flask on waitress.

The port is open before the bot leads. A callback is only a hint: it wakes the job's poll, and what the poll reads
counts.
"""

import logging
import threading

from flask import Flask, jsonify, request
from waitress.server import create_server

from core import updates, webhook
from kie.callbacks import is_genuine
from kie.record import task_of
from storage import db, health, jobs

log = logging.getLogger(__name__)
STALE_FETCH_S = 180  # a long poll lasts 50 s; after three of them without an answer something is wrong
STALE_WRITE_S = 90  # a row is written every 15 s
MAX_BODY = 1024 * 1024  # bytes; updates and callbacks have a few kilobytes
THREADS = 8


class Web:
    """Serves the port from its own threads. `bot` is there while it works; `standby` is the bot that waits to lead."""

    def __init__(self, host, port, clock, version):
        self.bot = self.standby = None
        self.stopping = False
        self._clock = clock
        self._version = version
        self._started = clock.now()
        self._server = create_server(
            self._app(), host=host, port=port, threads=THREADS, max_request_body_size=MAX_BODY, ident=None
        )
        self.port = self._server.effective_port
        threading.Thread(target=self._server.run, name="web", daemon=True).start()

    def close(self):
        """Stop serving: the server's own thread does it, which else would wait for a closed socket."""
        self._server.task_dispatcher.shutdown()  # first its workers, who wake that thread, too
        with self._server.trigger.lock:  # or a wake-up under way has it all closed before ours is written
            self._server.trigger.thunks.append(self._server.close)
            self._server.trigger.pull_trigger()

    def _app(self):
        app = Flask("bot")
        app.get("/health")(self.health)
        app.post("/kie/<secret>")(self.callback)
        app.post(webhook.PATH)(self.update)
        app.get("/<path:path>")(self.page)
        app.errorhandler(db.StorageDown)(lambda _error: ("the database is away", 503))
        return app

    def health(self):
        """Say how the bot is: 200 while it can serve or stands by, 503 when it cannot."""
        now, bot = self._clock.now(), self.bot
        report = {"leader": self._leads(), "version": self._version, "uptime": _age(now, self._started)}
        try:
            with db.connection() as database:
                database.execute_sql("SELECT 1")
            report |= {"status": "standby"} if bot is None else self._figures(bot, now)
        except Exception as error:  # whatever the database says, the answer is "degraded", not a stack trace
            log.warning("health: %s", error)
            report["status"] = "degraded"
        if self.stopping:
            report["status"] = "down"
        return jsonify(report), 200 if report["status"] in ("ok", "standby") else 503

    def _leads(self):
        return self.bot is not None and self.bot.leads

    def _figures(self, bot, now):
        figures, written, fetched = health.figures(), _age(now, bot.wrote_at), _age(now, bot.updates.fetched_at)
        waiting = bot.leads and (_age(now, bot.leads_since) if fetched is None else fetched) > STALE_FETCH_S
        return {
            "status": "degraded" if waiting or bot.unwritable or written > STALE_WRITE_S else "ok",
            "mode": bot.settings["BOT_MODE"],
            "kie_mode": "stub" if bot.settings["KIE_STUB"] else "real",
            "storage": {"kind": "postgresql" if db.is_postgres() else "sqlite", "written_s_ago": written},
            "fetched_s_ago": fetched,
            "inbox_age_s": _age(now, figures["inbox"][1]),
            "open_jobs": figures["jobs"][0],
            "oldest_job_s": _age(now, figures["jobs"][1]),
        }

    def page(self, path):
        """Show what a plugin has registered for this path."""
        bot = self.bot or self.standby
        view = bot.pages.get(f"/{path}") if bot else None
        return view(bot, self._leads()) if view else ("", 404)

    def update(self):
        """Take an update from Telegram: 200 once its row is written, also while this copy stands by."""
        bot = self.bot or self.standby
        if bot is None or bot.settings["BOT_MODE"] != "webhook":
            return "", 404
        if not webhook.is_telegram(bot.settings["TELEGRAM_BOT_TOKEN"], request.headers.get(webhook.HEADER, "")):
            return "not Telegram", 401
        update = request.get_json(force=True, silent=True)
        if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
            return "not an update", 400
        if bot is self.bot:
            bot.updates.accept([update])
        else:
            updates.keep([update], self._clock.now())
        return "", 200

    def callback(self, secret):
        """Wake the job whose address this is; nearly always 200, so that KIE does not come again for nothing."""
        bot, now, named = self.bot, self._clock.now(), task_of(request.get_json(force=True, silent=True))
        if bot is None:
            return jsonify({"code": 503, "msg": "standby"}), 503  # KIE tries again, and finds the copy that works
        key = bot.settings["KIE_WEBHOOK_KEY"]
        if key and not is_genuine(key, named, request.headers, now):
            log.warning("a callback without KIE's fresh signature was let go")
            return jsonify({"code": 401, "msg": "signature"}), 401
        job = jobs.by_secret(secret)
        if job is not None:
            bot.generation.called_back(job, named, now)
        return jsonify({"code": 200, "msg": "success"})


def _age(now, since):
    return None if since is None else int((now - since).total_seconds())

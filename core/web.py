"""The web side: /health for platforms and monitors, /kie/<secret> for KIE's callbacks. Flask on waitress.

A callback is only a hint: it wakes the job's poll, and what the poll reads counts.
"""

import logging
import threading

from flask import Flask, jsonify, request
from waitress.server import create_server

from kie.record import task_of
from storage import inbox, jobs
from storage.db import connection

log = logging.getLogger(__name__)
STALE_FETCH_S = 180  # a long poll lasts 50 s; after three of them without an answer something is wrong


class Web:
    """Serves the port from its own threads; `state` is standby until the bot leads."""

    def __init__(self, host, port, clock, version):
        self.bot = None
        self._clock = clock
        self._version = version
        self._started = clock.now()
        self._server = create_server(self._app(), host=host, port=port, threads=4)
        self.port = self._server.effective_port
        threading.Thread(target=self._server.run, name="web", daemon=True).start()

    def close(self):
        """Stop serving."""
        self._server.close()

    def _app(self):
        app = Flask("bot")
        app.get("/health")(self.health)
        app.post("/kie/<secret>")(self.callback)
        return app

    def health(self):
        """Say how the bot is: 200 while it can serve or stands by, 503 when it cannot."""
        report = {"version": self._version, "uptime_s": int((self._clock.now() - self._started).total_seconds())}
        if self.bot is None:
            return jsonify(report | {"status": "standby", "leader": False})
        try:
            with connection() as db:
                db.execute_sql("SELECT 1")
            report |= self._figures()
        except Exception as error:  # whatever the database says, the answer is "degraded", not a stack trace
            log.warning("health: %s", error)
            return jsonify(report | {"status": "degraded", "leader": True}), 503
        return jsonify(report), 200 if report["status"] == "ok" else 503

    def _figures(self):
        now, fetched, oldest = self._clock.now(), self.bot.updates.fetched_at, inbox.oldest_wait()
        deaf = fetched is None or (now - fetched).total_seconds() > STALE_FETCH_S
        return {
            "status": "degraded" if deaf else "ok",
            "leader": True,
            "kie_mode": "stub" if self.bot.settings["KIE_STUB"] else "real",
            "fetched_s_ago": None if fetched is None else int((now - fetched).total_seconds()),
            "inbox_age_s": None if oldest is None else int((now - oldest).total_seconds()),
            "open_jobs": jobs.count_open(),
        }

    def callback(self, secret):
        """Wake the job whose address this is; always 200, so that KIE does not come again for nothing."""
        job = jobs.by_secret(secret) if self.bot is not None else None
        if job is not None:
            named = task_of(request.get_json(force=True, silent=True))
            self.bot.generation.called_back(job, named, self._clock.now())
        return jsonify({"code": 200, "msg": "success"})

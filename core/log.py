"""Logging: one line per event, text or JSON, with every secret hidden at the root handler.

`requests` and `http.client` put addresses into their errors, and a bot's address contains its token; so the filter
works on the finished line, traceback included.
"""

import json
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

TOKEN = re.compile(r"(?<!\d)\d{5,}(?::|%3A)[A-Za-z0-9_-]{20,}")  # the shape of any bot token, ours or not
HIDDEN = "•••"
# What a thread is working on, such as u700000001: shown in all its lines
trace = ContextVar("trace", default="")


class SafeFormatter(logging.Formatter):
    """Formats a record, then hides the secrets in the result."""

    def __init__(self, secrets: Iterable[str] = (), as_json: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(trace)s%(message)s")
        spellings = {
            one for secret in secrets for one in (secret, quote(secret, safe=""), urlsplit(secret).password) if one
        }
        self.secrets = sorted((one for one in spellings if len(one) >= 6), key=len, reverse=True)
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line."""
        record.trace = f"[{trace.get()}] " if trace.get() else ""
        line = self._json(record) if self.as_json else super().format(record)
        return hide(line, self.secrets)

    def _json(self, record: logging.LogRecord) -> str:
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace.get():
            row["trace"] = trace.get()
        row.update(getattr(record, "fields", {}))
        if record.exc_info:
            row["traceback"] = self.formatException(record.exc_info)
        return json.dumps(row, ensure_ascii=False, default=str)


def hide(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with the given secrets, and anything that looks like a bot token, hidden."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return TOKEN.sub(HIDDEN, text)


def setup(level: str, as_json: bool, secrets: Iterable[str]) -> None:
    """Send all logging to standard error through the formatter that hides `secrets`."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(secrets, as_json))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("urllib3", "TeleBot", "peewee", "waitress", "werkzeug", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of errors that it raises as well
    for theirs in list(logging.getLogger("TeleBot").handlers):  # telebot adds one of its own, without our filter
        logging.getLogger("TeleBot").removeHandler(theirs)

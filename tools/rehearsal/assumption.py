"""What an assumption is, and the stage on which it is tried: the calls to both services, and what earlier ones found."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import requests

from core import log
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent
from kie.api.client import Client
from kie.api.errors import KieError, Refused
from kie.api.errors import NotSent as KieNotSent
from kie.api.task_response import loads
from tools.rehearsal import shapes
from tools.rehearsal.journal import CEILING, CeilingReached

HOLDS, DIFFERS, NOT_TRIED = "holds", "differs", "not_tried"
FILE_S = 30  # for a file, and for our own address
# The parts of the bot that rest on assumptions, each with its module; the words are rehearsal.part_*
PARTS = {
    "start": "core/process/runtime.py",
    "sender": "core/telegram/sender.py",
    "messages": "core/bot.py",
    "screens": "core/ctx.py",
    "taps": "core/handling/dispatch.py",
    "files": "core/services/media.py",
    "delivery": "core/services/delivery.py",
    "stars": "plugins/payments/stars.py",
    "monthly": "plugins/payments/monthly.py",
    "reconcile": "plugins/payments/reconcile.py",
    "refunds": "plugins/payments/refunds.py",
    "ideas": "plugins/ideas/gallery.py",
    "webhook": "core/telegram/webhook.py",
    "menu": "core/handling/rights.py",
    "broadcast": "plugins/admin/broadcast.py",
    "doctor": "plugins/admin/doctor.py",
    "kie_errors": "kie/api/errors.py",
    "orders": "core/services/generation.py",
    "poller": "kie/api/task_response.py",
    "prices": "kie/catalogue/pricing.py",
    "overrun": "plugins/admin/overrun.py",
    "uploads": "core/services/media.py",
    "chat": "kie/api/chat_response.py",
    "catalogue": "kie/sync/discovery.py",
    "callbacks": "core/process/web.py",
}


@dataclass(frozen=True, slots=True)
class Assumption:
    """One assumption: `call(stage)` makes a small real call, whose answer must have the shape `wants`.

    `name` is the text rehearsal.<name>, `part` what rests on it (PARTS). `wants` may be a function of the stage. `costs`
    is a function of the stage that returns the most credits the call can take; None: it is free.
    """

    name: str
    part: str
    call: Callable[["Stage"], Any]
    wants: Any
    costs: Callable[["Stage"], Decimal] | None = None


@dataclass(slots=True)
class Finding:
    """What became of an assumption: `differences` are (path, expected, what came), `reason` a text key with `values`."""

    name: str
    part: str
    verdict: str
    differences: list = field(default_factory=list)
    reason: str = ""
    values: dict = field(default_factory=dict)
    ms: int = 0
    answers: list = field(default_factory=list)  # {"call", "ms", "shape" …} of every call


class NotTried(Exception):
    """The assumption cannot be tried; `key` is the text that says why."""

    def __init__(self, key, **values):
        super().__init__(key)
        self.key, self.values = key, values


class Strange(Exception):
    """What came tells by itself how it differs: (path, expected, what came)."""


class Stage:
    """Where assumptions are tried: both services, the journal, and the answers of earlier assumptions (`kept`)."""

    def __init__(self, bot, journal, owner, *, webhook=False, free=False):
        self.bot, self.settings, self.clock = bot, bot.settings, bot.clock
        self.journal, self.owner, self.webhook, self.free = journal, owner, webhook, free
        self.kept, self.answers = {}, []
        self.private = log.SafeFormatter([*bot.settings.secrets(), *_private(bot.settings, owner)]).secrets
        self._clients = {}
        self._last = None

    def close(self):
        """Close the connections to KIE."""
        for client in self._clients.values():
            client.close()

    def try_one(self, assumption):
        """Try an assumption and return its Finding."""
        self.answers, began = [], time.monotonic()
        finding = Finding(assumption.name, assumption.part, HOLDS)
        try:
            if assumption.costs is not None:
                self._intend(assumption)
            answer = assumption.call(self)
            wants = assumption.wants
            wants = wants(self) if callable(wants) and not isinstance(wants, type) else wants
            found = shapes.differences(wants, answer)
            finding.differences = sorted(found, key=lambda one: one[0] == "outcome")  # what it comes of is more telling
            self.kept[assumption.name] = answer
        except NotTried as why:
            finding.verdict, finding.reason, finding.values = NOT_TRIED, why.key, why.values
        except (NotSent, KieNotSent) as error:
            finding.verdict, finding.reason, finding.values = NOT_TRIED, "rehearsal.away", {"error": str(error)}
        except Strange as error:
            finding.differences = [error.args]
        except Exception as error:  # whatever came instead of the expected answer is the finding
            finding.differences = [("", shapes.described(dict), f"{type(error).__name__}: {error}"[: shapes.LONGEST])]
        if finding.differences:
            finding.verdict = DIFFERS
            finding.differences = [tuple(map(self.hide, one)) for one in finding.differences]
        finding.ms, finding.answers = round((time.monotonic() - began) * 1000), self.answers
        return finding

    def hide(self, text):
        """Return a text without our secrets, addresses and names."""
        return log.hide(text, self.private)

    def _intend(self, assumption):
        if self.free:
            raise NotTried("rehearsal.free_only")
        try:
            self.journal.intend(assumption.name, assumption.costs(self))
        except CeilingReached:
            raise NotTried("rehearsal.ceiling", ceiling=str(CEILING), spent=str(self.journal.spent())) from None

    def answer_of(self, name):
        """Return the answer of an earlier assumption; without one, this assumption is not tried."""
        if name not in self.kept:
            raise NotTried("rehearsal.after", name=name)
        return self.kept[name]

    def note(self, call, answer, **more):
        """Record how an answer looked."""
        self.answers.append({"call": call, **more, "shape": shapes.recorded(answer)})

    # Telegram

    def telegram(self, method, files=None, **params):
        """Call a method and return its result; a message that comes of it is deleted at the end."""
        began = time.monotonic()
        try:
            result = self.bot.sender.call(method, files, **params)
        except TelegramError as error:
            said = {name: value for name, value in error.result_json.items() if value is not None}
            self.note(method, said, ms=_ms(began), status=error.code)
            if error.code == 429:
                raise _flooded(error) from None
            raise
        self.note(method, result, ms=_ms(began), status=200)
        for message in result if isinstance(result, list) else [result]:
            if isinstance(message, dict) and type(message.get("message_id")) is int and not method.startswith("edit"):
                self.journal.note_message(self.owner, message["message_id"])
        return result

    def refusal(self, method, files=None, **params):
        """Call a method that has to be refused; return {error_code, description, parameters}, or what came instead."""
        try:
            return self.telegram(method, files, **params)
        except TelegramError as error:
            return {"error_code": error.code, "description": error.description}

    def send(self, method="sendMessage", files=None, **params):
        """Send the owner something without a sound, and return the message."""
        if self.owner is None:
            raise NotTried("rehearsal.no_owner")
        if not isinstance(self.kept.get("telegram_owner"), dict):
            raise NotTried("rehearsal.after", name="telegram_owner")
        return self.telegram(method, files, chat_id=self.owner, disable_notification=True, **params)

    # KIE

    def client(self, key=None, upload=False):
        """Return a client of KIE's, with a wrong key or for the upload host if it is said so."""
        if (key, upload) not in self._clients:
            found = self.settings
            api = found["KIE_UPLOAD_URL"] if upload else found["KIE_API_URL"]
            more = {"also_from": (found["KIE_UPLOAD_URL"], found["TELEGRAM_API_URL"]), "heard": self._hear}
            made = Client(api, found["KIE_UPLOAD_URL"], key or found["KIE_API_KEY"], **more)
            self._clients[key, upload] = made
        return self._clients[key, upload]

    def _hear(self, exchange):
        self._last = exchange
        body = loads(exchange.text)
        call = f"{exchange.method} {exchange.path}"
        call = call.replace(urlsplit(self.settings["KIE_UPLOAD_URL"]).path or "\0", "", 1) if "upload" in call else call
        more = {"ms": round(exchange.seconds * 1000), "status": exchange.status, "type": exchange.content_type}
        self.note(call, "no JSON" if body is None and exchange.text else body, **more)

    def kie(self, work):
        """Do `work()` with a client; return KIE's last answer with "HTTP", "type" and the "outcome" our client sees.

        The outcome is "ok", or a word for why not: a Reason for a refusal, else the name of the error.
        """
        self._last, outcome = None, "ok"
        try:
            work()
        except KieNotSent:
            raise
        except Refused as error:
            outcome = str(error.reason)
        except KieError as error:
            outcome = type(error).__name__
        if self._last is None:
            return {"outcome": outcome}
        body = loads(self._last.text)
        shown = body if isinstance(body, dict) else {"body": body}
        return shown | {"HTTP": self._last.status, "type": self._last.content_type, "outcome": outcome}

    def file(self, url, most=20 * 1024 * 1024):
        """Fetch a file as deliveries do, without the key; return {type, size, data}, or the "outcome" if it fails."""
        began = time.monotonic()
        try:
            with self.client().fetch(url, most) as download:
                data = b"".join(download.iter_bytes)
        except KieNotSent:
            raise
        except KieError as error:
            return {"outcome": type(error).__name__, "HTTP": error.code}
        self.answers.append({"call": "GET file", "ms": _ms(began), "status": 200, "type": download.content_type})
        return {"outcome": "ok", "type": download.content_type, "size": len(data), "data": data}

    def get(self, url):
        """Read one of our own addresses as the internet does; return (status, data or None)."""
        try:
            with requests.get(url, timeout=FILE_S, allow_redirects=False) as answer:
                return answer.status_code, loads(answer.text)
        except requests.RequestException as error:
            raise NotTried("rehearsal.away", error=type(error).__name__) from None


def _flooded(error):
    """Return what to raise for a flood limit: it is no difference, unless it does not say how long it lasts."""
    if type(error.retry_after) is int:
        return NotTried("rehearsal.away", error=str(error))
    return Strange("parameters.retry_after", shapes.described(int), shapes.shown(shapes.Absent, int))


def _ms(began):
    return round((time.monotonic() - began) * 1000)


def _private(settings, owner):
    """Return what is nobody's business, though it is no secret: our addresses and the owner."""
    addresses = [settings[name] for name in ("PUBLIC_URL", "DATABASE_URL", "TELEGRAM_API_URL", "KIE_API_URL")]
    hosts = [urlsplit(address).netloc for address in addresses if address]
    return [part for part in (*addresses, *hosts, str(owner or "")) if part]

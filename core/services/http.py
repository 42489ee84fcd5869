"""`bot.http`: how plugins call other services over HTTP.

A call has a time limit as a whole, and its answer a size limit; redirects are not followed, cookies not kept, and
neither queries nor bodies are logged. Nothing is repeated except a GET that was not sent.
"""

import json
import logging
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from kie.api import call_errors
from kie.api.deadline import DeadlineAdapter

log = logging.getLogger(__name__)
CONNECT_S, LIMIT_S = 5.0, 30.0
MOST_BYTES, CHUNK = 1024 * 1024, 65536


class ServiceFailed(call_errors.CallFailed):
    """A call has failed; base of both errors."""


class NotSent(ServiceFailed, call_errors.NotSent):
    """Nothing reached the service: repeating is safe."""


class UnknownOutcome(ServiceFailed, call_errors.UnknownOutcome):
    """The call may or may not have been carried out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's answer."""

    status: int
    headers: Any  # by name, in any case
    body: bytes

    @property
    def ok(self) -> bool:
        """Return whether the status is below 400."""
        return self.status < 400

    def json(self) -> Any:
        """Return the body's data; raise ValueError if it is not JSON."""
        return json.loads(self.body)


class Http:
    """Calls to one service, with paths relative to its base address; the values of its headers are secrets."""

    def __init__(self, base: str, headers: dict[str, str] | None = None, limit_s: float = LIMIT_S) -> None:
        self._base, self._headers, self._limit_s = base.rstrip("/"), headers or {}, limit_s
        self._name = urlsplit(base).hostname

    def get(self, path: str, **params: Any) -> Answer:
        """Read something, with `params` in the address; raise NotSent or UnknownOutcome."""
        for last in (False, True):
            try:
                return self._call("GET", path, params=params)
            except NotSent:
                if last:
                    raise
        raise AssertionError("unreachable")

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        """Send data as JSON with further headers; raise NotSent or UnknownOutcome.

        A str is JSON already, such as a provider's `order.body`; bytes go as they are, of no type unless a header names one.
        It is never repeated; if the service supports idempotency keys, give one in a header.
        """
        if isinstance(data, str):
            data, headers = data.encode(), {"Content-Type": "application/json"} | headers
        body = {"data": data} if isinstance(data, bytes) else {"json": data}
        return self._call("POST", path, headers=headers, **body)

    def _call(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, DeadlineAdapter(self._limit_s, max_retries=0))
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            options = {"timeout": (CONNECT_S, self._limit_s), "allow_redirects": False, "stream": True}
            try:
                answer = session.request(
                    method, f"{self._base}{path}", headers=self._headers | (headers or {}), **options, **more
                )
                with answer:
                    return Answer(answer.status_code, answer.headers, self._read(answer, method))
            except requests.ConnectTimeout as error:
                raise self._failed(NotSent, method, error) from None
            except requests.ConnectionError as error:
                kind = (
                    NotSent
                    if "NewConnectionError" in repr(error) or "NameResolution" in repr(error)
                    else UnknownOutcome
                )
                raise self._failed(kind, method, error) from None
            except (requests.RequestException, HTTPError, OSError) as error:
                raise self._failed(UnknownOutcome, method, error) from None

    def _read(self, answer: requests.Response, method: str) -> bytes:
        body = b""
        for chunk in answer.iter_content(CHUNK):
            body += chunk
            if len(body) > MOST_BYTES:
                raise UnknownOutcome(f"{method} {self._name}: the answer is longer than {MOST_BYTES} bytes")
        return body

    def _failed(self, kind: type[ServiceFailed], method: str, error: Exception) -> ServiceFailed:
        log.warning("%s %s: %s", method, self._name, type(error).__name__)
        return kind(f"{method} {self._name}: {type(error).__name__}")

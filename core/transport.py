"""HTTP to the Bot API: one kept-alive connection a thread, plugged in behind pyTelegramBotAPI's request hook.

Calls without files go over the standard library's `http.client`, which costs a third of the CPU of `requests`;
TLS is verified as usual. Calls with files, and every call when the environment names a proxy, go through
`requests`. The hook is process-global, so addresses that are not ours are passed on to `requests` too.
"""

import http.client
import json
import select
import ssl
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import requests
from telebot import apihelper

IDLE_S = 60  # a connection idle for longer is not trusted any more
HEADERS = {"Content-Type": "application/json", "Connection": "keep-alive"}


class NotSent(Exception):
    """Nothing reached Telegram: repeating is safe."""


class UnknownOutcome(Exception):
    """The call may or may not have been carried out: Telegram was asked, but no answer came."""


class Answer:
    """The part of a response that pyTelegramBotAPI reads."""

    __slots__ = ("status_code", "text", "reason")

    def __init__(self, status_code, text, reason=""):
        self.status_code = status_code
        self.text = text
        self.reason = reason

    def json(self):
        """Return the parsed body."""
        return json.loads(self.text)


class Transport:
    """Carries Bot API calls to one base address."""

    def __init__(self, base):
        self._base = base
        self._url = urlsplit(base)
        self._local = threading.local()
        self._proxied = bool(_proxy_for(self._url))
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None

    def install(self):
        """Take over the library's HTTP, for addresses under our base."""
        apihelper.API_URL = self._base + "/bot{0}/{1}"
        apihelper.FILE_URL = self._base + "/file/bot{0}/{1}"
        apihelper.CUSTOM_REQUEST_SENDER = self.request
        apihelper.format_header_param = None  # or it takes the quotes from file names in urllib3, for the whole process

    def close(self):
        """Close the calling thread's connections."""
        self._drop()
        session = getattr(self._local, "session", None)
        if session is not None:
            session.close()
            self._local.session = None

    def request(self, method, url, params=None, files=None, timeout=(15, 30), proxies=None):
        """Make one call and return its answer; raise NotSent or UnknownOutcome, without the address in their text.

        It is always a POST, whatever `method` says: parameters stay out of the address.
        """
        name = url.rsplit("/", 1)[-1]
        if files or self._proxied or not url.startswith(self._base):
            return self._with_requests(url, name, params, files, timeout, proxies)
        body = json.dumps(params or {}, default=_jsonable).encode()
        connection = self._connection(timeout, name)
        try:
            connection.request("POST", url[len(self._base) - len(self._url.path) :], body=body, headers=HEADERS)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            self._drop()
            raise UnknownOutcome(f"{name}: {type(error).__name__}") from None
        self._local.used_at = time.monotonic()
        return Answer(response.status, text, response.reason)

    def _connection(self, timeout, name):
        connect_s, read_s = timeout
        connection = getattr(self._local, "connection", None)
        if connection is not None and (self._is_stale(connection) or time.monotonic() - self._local.used_at > IDLE_S):
            self._drop()
            connection = None
        if connection is None:
            connection = self._open(connect_s, name)
        connection.sock.settimeout(read_s)
        return connection

    def _open(self, connect_s, name):
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        extra = {"context": self._tls} if self._tls else {}
        connection = kind(self._url.hostname, self._url.port, timeout=connect_s, **extra)
        try:
            connection.connect()
        except OSError as error:
            raise NotSent(f"{name}: {type(error).__name__}") from None
        self._local.connection = connection
        self._local.used_at = time.monotonic()
        return connection

    @staticmethod
    def _is_stale(connection):
        """Tell whether the server has closed an idle connection (then it is readable, with nothing to read)."""
        return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])

    def _drop(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _with_requests(self, url, name, params, files, timeout, proxies):
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        try:
            response = session.post(url, data=params, files=files, timeout=timeout, proxies=proxies)
        except requests.ConnectTimeout as error:
            raise NotSent(f"{name}: {type(error).__name__}") from None
        except requests.ConnectionError as error:
            kind = NotSent if "NewConnectionError" in repr(error) else UnknownOutcome
            raise kind(f"{name}: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise UnknownOutcome(f"{name}: {type(error).__name__}") from None
        return Answer(response.status_code, response.text, response.reason)


def _jsonable(value):
    """Let the library's own types stand in parameters."""
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


def _proxy_for(url):
    if urllib.request.proxy_bypass(url.hostname):
        return None
    return urllib.request.getproxies().get(url.scheme)

"""HTTP to the Bot API: one kept-alive connection per thread, plugged in behind pyTelegramBotAPI's request hook.

A call without files is one packet out and one answer parsed in C (httptools), which costs a fraction of the CPU of
`requests` and two thirds of `http.client`'s; TLS is verified as usual. Calls with files, and every call when the
environment names a proxy, go through `requests`. The hook is process-global, so addresses that are not ours go there
too.
"""

import socket
import ssl
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import httptools
import requests
from requests_toolbelt import MultipartEncoder
from telebot import apihelper
from urllib3.util import wait_for_read

from core.telegram import json_text
from kie.api import call_errors

IDLE_S = 60  # a connection idle for longer is not trusted any more
CHUNK = 65536
FILE_CHUNK = 262144  # with the usual 16 KB a video costs four times as much CPU
FADING = 1.001  # the minimum grows by this factor with each call, so that it fades


class TelegramFailed(call_errors.CallFailed):
    """A call to Telegram has failed; base of all its errors."""


class NotSent(TelegramFailed, call_errors.NotSent):
    """Nothing reached Telegram: repeating is safe."""


class UnknownOutcome(TelegramFailed, call_errors.UnknownOutcome):
    """The call may or may not have been carried out: Telegram was asked, but no answer came."""


class Answer:
    """The part of a response that we and pyTelegramBotAPI read."""

    __slots__ = ("content", "reason", "status_code")

    def __init__(self, status_code, content, reason=""):
        self.status_code = status_code
        self.content = content
        self.reason = reason

    @property
    def text(self):
        """Return the body as text."""
        return self.content.decode()

    def json(self):
        """Return the parsed body; raise ValueError if it is not JSON."""
        return json_text.parse(self.content)


class Reply:
    """What the parser finds in one response."""

    def __init__(self):
        self.parser = httptools.HttpResponseParser(self)
        self.parts = []
        self.is_whole = self.lasts = False

    def on_headers_complete(self):
        """Note whether the connection may be used again: the parser can tell only until the end."""
        self.lasts = self.parser.should_keep_alive()

    def on_body(self, body):
        self.parts.append(body)

    def on_message_complete(self):
        self.is_whole = True


class Connection:
    """A socket to the server; after an error it must be closed."""

    def __init__(self, host, port, tls, timeout_s):
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.used_at = time.monotonic()

    def is_stale(self):
        """Return whether it was idle for too long or closed by the server (then it is readable, but empty)."""
        return time.monotonic() - self.used_at > IDLE_S or wait_for_read(self.socket, timeout=0)

    def exchange(self, message, timeout_s):
        """Send a request and return its Answer and whether the connection may be used again.

        Raise OSError, also if the server closes the connection half-way, or httptools.HttpParserError.
        """
        reply = Reply()
        self.socket.settimeout(timeout_s)
        self.socket.sendall(message)
        while not reply.is_whole:
            received = self.socket.recv(CHUNK)
            if not received:
                raise ConnectionResetError("the server has closed the connection")
            reply.parser.feed_data(received)
        self.used_at = time.monotonic()
        return Answer(reply.parser.get_status_code(), b"".join(reply.parts)), reply.lasts

    def close(self):
        self.socket.close()


class Transport:
    """Carries Bot API calls to one base address."""

    def __init__(self, base):
        self._base = base
        self._url = urlsplit(base)
        self._local = threading.local()
        self._proxied = bool(_proxy_for(self._url))
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self.pause_s = 0.0  # recent minimum latency, seconds
        self._place = len(base) - len(self._url.path)  # where the path begins in an address of ours

    def install(self, request):
        """Make the library send its calls through `request`."""
        apihelper.API_URL = self._base + "/bot{0}/{1}"
        apihelper.FILE_URL = self._base + "/file/bot{0}/{1}"
        apihelper.CUSTOM_REQUEST_SENDER = request
        apihelper.format_header_param = None  # or it strips quotes from file names in urllib3, process-wide

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
        body = json_text.written(params or {}, _jsonable)
        head = f"POST {url[self._place :]} HTTP/1.1\r\nHost: {self._url.netloc}\r\nContent-Type: application/json\r\n"
        connect_s, read_s = timeout
        connection = self._connection(connect_s, name)
        try:
            message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            asked_at = time.monotonic()
            answer, lasts = connection.exchange(message, read_s)
            took = time.monotonic() - asked_at
            self.pause_s = min(took, self.pause_s * FADING) if self.pause_s else took
        except (OSError, httptools.HttpParserError) as error:
            self._drop()
            raise UnknownOutcome(f"{name}: {type(error).__name__}") from None
        if not lasts:
            self._drop()
        return answer

    def _connection(self, connect_s, name):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            if not connection.is_stale():
                return connection
            self._drop()
        port = self._url.port or (443 if self._tls else 80)
        try:
            connection = Connection(self._url.hostname, port, self._tls, connect_s)
        except OSError as error:
            raise NotSent(f"{name}: {type(error).__name__}") from None
        self._local.connection = connection
        return connection

    def _drop(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _with_requests(self, url, name, params, files, timeout, proxies):
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            for scheme in ("https://", "http://"):
                session.get_adapter(scheme).init_poolmanager(1, 1, blocksize=FILE_CHUNK)
        form = _form(params, files) if files else None
        body = {"data": form, "headers": {"Content-Type": form.content_type}} if form else {"data": params}
        try:
            response = session.post(url, timeout=timeout, proxies=proxies, **body)
        except requests.ConnectTimeout as error:
            raise NotSent(f"{name}: {type(error).__name__}") from None
        except requests.ConnectionError as error:
            kind = NotSent if "NewConnectionError" in repr(error) else UnknownOutcome
            raise kind(f"{name}: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise UnknownOutcome(f"{name}: {type(error).__name__}") from None
        return Answer(response.status_code, response.content, response.reason)


def _form(params, files):
    """Return a form that is read while it is sent: `files=` of requests would hold a video in memory twice."""
    fields = {name: str(value) for name, value in (params or {}).items()}
    for name, file in files.items():
        filename, content, *mime = file if isinstance(file, tuple) else (name, file)
        if hasattr(content, "seek"):
            content.seek(0)  # it may have been sent before
        fields[name] = (filename, content, *mime)
    return MultipartEncoder(fields)


def _jsonable(value):
    """Let parameters contain the library's own types."""
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


def _proxy_for(url):
    if urllib.request.proxy_bypass(url.hostname):
        return None
    return urllib.request.getproxies().get(url.scheme)

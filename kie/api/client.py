"""KIE AI over HTTP: create a task, read its state, upload an input, fetch a result.

Every call has timeouts, none is repeated here, and each error says what may be done next (`kie.api.errors`). The key goes
to the two KIE hosts only, never to a file host, into a log or into an error's text. Prompts are never logged. Base URLs
are arguments, so that a stub can stand in for the service.
"""

import json
import logging
import mimetypes
import re
import shutil
import ssl
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import PurePath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_toolbelt import MultipartEncoder
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import MaxRetryError, NewConnectionError

from kie.api.deadline import DeadlineAdapter
from kie.api.errors import Expired, KieError, NotPublic, NotSent, Reason, Refused, TooLarge, Unknown
from kie.api.public_addresses import PublicAdapter
from kie.api.recording import Exchange
from kie.api.task_response import Record, message_of, parse_record, read_envelope

__all__ = [
    "Client",
    "Download",
    "Expired",
    "KieError",
    "NotPublic",
    "NotSent",
    "Record",
    "Refused",
    "TooLarge",
    "Unknown",
    "parse_record",
]

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
MOST_BYTES = 1 << 40  # no limit, for a result that is not read
UPLOAD_IN_MEMORY_BYTES = 1024 * 1024  # a larger upload of unknown length is buffered on disk
MOST_ANSWER = 16 * 1024 * 1024  # bytes of an API answer; the largest known one is half a megabyte
# For a whole answer: with the read timeout alone, a server that sends byte by byte could hold a thread for ever.
ANSWER_LIMIT_S, DOWNLOAD_LIMIT_S = 60, 600
# The CDN of KIE's results answers 403 to Python's default User-Agent.
USER_AGENT = "Mozilla/5.0 (compatible; kie-client)"
# HTTP statuses that mean a refusal even without KIE's envelope (from a gateway); with others the outcome is unknown.
_REFUSING_STATUSES = {
    400: Reason.OTHER,
    401: Reason.KEY,
    403: Reason.KEY,
    404: Reason.OTHER,
    405: Reason.OTHER,
    413: Reason.FILE,
    415: Reason.OTHER,
}


@dataclass(frozen=True, slots=True)
class Download:
    """An open download: its type (lower case, without parameters), its size if announced, and its bytes."""

    content_type: str
    size: int | None
    iter_bytes: Iterator[bytes]


class Client:
    """A thread-safe client with one bounded pool of connections.

    A `requests.Session` may be shared as long as nothing changes it: its pool is made for threads, and cookies, its only
    mutable part, are switched off here. `pool` limits the open connections to each host; other threads wait for one.
    Results are fetched from public addresses, from KIE's host and from the hosts of the URLs in `also_from`. `heard` is
    called with every answer of the API, whatever it says.
    """

    def __init__(
        self,
        api_url: str,
        upload_url: str,
        key: str,
        *,
        also_from: Iterable[str] = (),
        connect_timeout_s: float = 5,
        read_timeout_s: float = 30,
        pool: int = 16,
        heard: Callable[[Exchange], object] | None = None,
    ) -> None:
        key = key.strip()
        if not re.fullmatch(r"[\x21-\x7e]+", key):  # http.client would quote a bad header, with the key, in its error
            raise ValueError("the KIE key must be printable ASCII without spaces")
        self._api_url, self._upload_url = api_url.rstrip("/"), upload_url.rstrip("/")
        self._auth = _Bearer(key)
        self._timeout = (connect_timeout_s, read_timeout_s)
        self._heard = heard
        self._session = _session(pool)
        known = [urlsplit(url).hostname for url in (api_url, *also_from)]
        self._outside = _session(pool, lambda **more: PublicAdapter(known, **more))

    def create(self, model: str, inputs: dict[str, Any], callback_url: str | None = None) -> str:
        """Start a task and return its id; raise Refused, NotSent or Unknown.

        It uses a new connection: if the server closes a kept-alive one at that moment, the request is lost in a way that
        looks like Unknown, and an unknown outcome costs an operator's time.
        """
        body = {"model": model, "input": inputs}
        if callback_url:
            body["callBackUrl"] = callback_url
        with _session(1) as session:
            envelope = self._call("POST", f"{self._api_url}/api/v1/jobs/createTask", session=session, json=body)
        data = envelope.get("data")
        task_id = data.get("taskId") if isinstance(data, dict) else None
        if not isinstance(task_id, str) or not task_id:
            raise Unknown("the reply says 200 and names no task", 200)
        log.info("task %s created for model %s", task_id, model)
        return task_id

    def post(self, path: str, body: dict[str, Any], *, read_timeout_s: float, limit_s: float) -> tuple[int, str]:
        """Post a question that is answered in the same call; return the HTTP status and the text, whatever they say.

        The answer must be whole within `limit_s` (above 0), with no silence over `read_timeout_s`. As in `create`, the
        connection is a new one. Raise NotSent or Unknown.
        """
        with _session(1, partial(DeadlineAdapter, limit_s)) as session:
            timeout = (min(self._timeout[0], limit_s), min(read_timeout_s, limit_s))
            url = f"{self._api_url}{path}"
            response, text = self._send("POST", url, session=session, timeout=timeout, limit_s=limit_s, json=body)
        return response.status_code, text

    def record(self, task_id: str) -> Record:
        """Return the state of a task; raise Refused (MISSING if there is no record), NotSent or Unknown."""
        url = f"{self._api_url}/api/v1/jobs/recordInfo"
        response, text = self._send("GET", url, params={"taskId": task_id})
        raise_for_status(response.status_code, text)
        return parse_record(text)

    def server_time(self) -> datetime:
        """Return the time (aware) of KIE's server; raise NotSent or Unknown."""
        response, _text = self._send("HEAD", self._api_url)
        try:
            return parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError) as error:
            raise Unknown("the reply names no time", response.status_code) from error

    def credits(self) -> Decimal:
        """Return the credits left in the KIE account, which all users of the key share."""
        data = self._call("GET", f"{self._api_url}/api/v1/chat/credit").get("data")
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            raise Unknown("the reply has no balance", 200)
        return Decimal(str(data))

    def upload(self, stream: BinaryIO, *, filename: str, mime: str, folder: str = "bot") -> str:
        """Upload a binary stream as one file and return its public URL (good for about 24 hours).

        The file is streamed, never held in memory as a whole. KIE gets a random name with the ending of `filename`:
        equal names overwrite each other there, and people's file names are private. Raise Refused, NotSent or Unknown;
        an upload is free, so it may always be repeated.
        """
        ending = PurePath(filename).suffix.lower()
        if not re.fullmatch(r"\.\w{1,8}", ending):
            ending = mimetypes.guess_extension(mime) or ""
        name = uuid.uuid4().hex + ending
        with _seekable(stream) as source:
            form = MultipartEncoder({"uploadPath": folder.strip("/"), "fileName": name, "file": (name, source, mime)})
            url = f"{self._upload_url}/api/file-stream-upload"
            envelope = self._call("POST", url, data=form, headers={"Content-Type": form.content_type})
        data = envelope.get("data")
        link = data.get("downloadUrl") if isinstance(data, dict) else None
        if envelope.get("success") is False or not isinstance(link, str) or not link:
            raise Unknown("the upload's reply has no downloadUrl", 200)
        return link

    @contextmanager
    def fetch(self, url: str, max_bytes: int) -> Iterator[Download]:
        """Open a download of at most `max_bytes`, without the key; redirects are followed.

        Raise NotPublic if it would lead into our own network, Expired for 403, 404 and 410, TooLarge at once or while
        reading, and another KieError for everything else, including a body shorter than announced.
        """
        with _named_errors():
            headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
            response = self._outside.get(url, headers=headers, timeout=self._timeout, stream=True)
        with response:
            if response.status_code in (403, 404, 410):
                raise Expired("the file is gone", response.status_code)
            if response.status_code != 200:
                raise Unknown("the file host failed", response.status_code)
            size = _announced_size(response)
            if size is not None and size > max_bytes:
                raise TooLarge(f"{size} bytes announced, {max_bytes} allowed")
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            yield Download(content_type, size, _limited(response, max_bytes))

    def serves(self, url: str) -> bool:
        """Return whether a result's URL still works; raise a KieError if that is unknown."""
        try:
            with self.fetch(url, MOST_BYTES):
                return True
        except Expired:
            return False

    def look_up(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the data of a discovery answer (GET), or of a price feed answer (POST, with a body)."""
        url = f"{self._api_url}/{path}"
        return (self._call("GET", url) if body is None else self._call("POST", url, json=body)).get("data")

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()
        self._outside.close()

    def _call(self, method: str, url: str, **kwargs: Any) -> dict[str, Any]:
        """Send a request and return the envelope of a successful reply; raise Refused, NotSent or Unknown."""
        response, text = self._send(method, url, **kwargs)
        raise_for_status(response.status_code, text)
        envelope = read_envelope(text)
        if envelope["code"] != 200:
            raise Refused(message_of(envelope), envelope["code"])
        return envelope

    def _send(
        self,
        method: str,
        url: str,
        *,
        session: requests.Session | None = None,
        timeout: tuple[float, float] | None = None,
        limit_s: float = ANSWER_LIMIT_S,
        **kwargs: Any,
    ) -> tuple[requests.Response, str]:
        """Send a request; return the reply and its text, read as UTF-8 whatever charset a gateway claims."""
        options: dict[str, Any] = {"auth": self._auth, "allow_redirects": False, "stream": True, **kwargs}
        began = time.monotonic()
        with _named_errors():
            response = (session or self._session).request(method, url, timeout=timeout or self._timeout, **options)
        with response:
            try:
                body = b"".join(_limited(response, MOST_ANSWER, limit_s))
            except TooLarge as error:
                raise Unknown(f"no usable reply ({error})", response.status_code) from None
        text = body.decode("utf-8", "replace")
        if self._heard is not None:
            sent, content_type = kwargs.get("json", kwargs.get("params")), response.headers.get("Content-Type", "")
            path = urlsplit(url).path
            self._heard(
                Exchange(method, path, sent, response.status_code, content_type, text, time.monotonic() - began)
            )
        return response, text


class _Bearer(requests.auth.AuthBase):
    """The key as `auth=` of a request, which also keeps requests from using a .netrc login instead."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _session(pool: int, kind: Callable[..., HTTPAdapter] = HTTPAdapter) -> requests.Session:
    """Return a session with a limited pool, no automatic retries (a repeated POST costs money) and no cookies."""
    session = requests.Session()
    adapter = kind(pool_connections=8, pool_maxsize=pool, max_retries=0, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn errors of requests and urllib3 into NotSent and Unknown, whose text has only the error's name."""
    try:
        yield
    except (requests.RequestException, Urllib3Error) as error:
        kind = NotSent if _never_sent(error) else Unknown
        raise kind(f"no usable reply ({type(error).__name__})") from error


def _never_sent(error: Exception) -> bool:
    """Return whether a request failed before any byte of it can have reached the server.

    That includes a proxy error (urllib3 raises it if the tunnel was not opened), and a URL (ValueError) or body
    (InvalidJSONError, such as a NaN) that requests refuses to send.
    """
    exceptions = requests.exceptions
    if isinstance(error, (requests.ConnectTimeout, exceptions.ProxyError, exceptions.InvalidJSONError, ValueError)):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, NewConnectionError):  # refused, unreachable, and (a subclass) an unknown host name
        return True
    inner = reason.args[0] if isinstance(reason, Exception) and reason.args else None
    return isinstance(inner, ssl.SSLCertVerificationError)


def raise_for_status(status: int, text: str) -> None:
    """Raise if the HTTP status alone is decisive; a 4xx with KIE's envelope is not."""
    if status == 200:
        return
    if status == 429:
        raise Refused("too many requests", 429)
    if status in _REFUSING_STATUSES:
        if not _has_code(text):
            raise Refused(f"HTTP {status} without KIE's envelope", status, _REFUSING_STATUSES[status])
    else:
        raise Unknown(f"HTTP {status}", status)


def _has_code(text: str) -> bool:
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(envelope, dict) and "code" in envelope


def _announced_size(response: requests.Response) -> int | None:
    value = response.headers.get("Content-Length", "")
    return int(value) if value.isdecimal() else None


def _limited(response: requests.Response, max_bytes: int, limit_s: float = DOWNLOAD_LIMIT_S) -> Iterator[bytes]:
    """Yield the body as it arrives; raise TooLarge beyond `max_bytes`, Unknown if it is cut off or takes too long."""
    deadline, total = time.monotonic() + limit_s, 0
    with _named_errors():
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            total += len(chunk)
            if total > max_bytes:
                raise TooLarge(f"more than {max_bytes} bytes")
            if time.monotonic() > deadline:
                raise Unknown(f"the transfer took over {limit_s} s")
            yield chunk


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[Any]:
    """Yield the stream, or a temporary copy of one that cannot seek, as its length must be known."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=UPLOAD_IN_MEMORY_BYTES) as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy

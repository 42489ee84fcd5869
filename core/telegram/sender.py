"""All calls to Telegram go through here: retries that are safe, 429, and errors by name.

A 429 says how many seconds to wait; only that chat is held back for so long. A call whose outcome is unknown is
repeated only if doing it twice changes nothing.
"""

import collections
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from telebot.apihelper import ApiTelegramException

from core.log import trace
from core.telegram.transport import Answer, NotSent, TelegramFailed, Transport, UnknownOutcome
from kie.api import call_errors

if TYPE_CHECKING:
    from core.process.loops import Clock

REPEATABLE = frozenset(
    """
    getUpdates getMe getFile getChat getChatMember getChatAdministrators getWebhookInfo getStarTransactions getMyStarBalance
    setMyCommands deleteMyCommands setChatMenuButton setMyDescription setMyShortDescription setWebhook
    deleteWebhook answerCallbackQuery answerPreCheckoutQuery sendChatAction editMessageText editMessageCaption
    editMessageReplyMarkup deleteMessage refundStarPayment
    """.split()
)
MESSAGES = ("send", "copy", "forward")  # prefixes of the methods that Telegram counts (core.telegram.org/bots/faq)
TRIES = 4
CONNECT_S, READ_S = 15, 30
LONGEST_HOLD_S = 60
HELD_MOST = 1000  # chats; beyond this, those no longer held are forgotten
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024  # Bot API: getFile serves files of up to 20 MB


class TelegramError(TelegramFailed, call_errors.Refused, ApiTelegramException):  # type: ignore[misc]  # untyped there
    """Telegram has refused. `code` is its error code, `description` its words, without our token.

    It is also pyTelegramBotAPI's own error, so that code written for the library catches it.
    """

    def __init__(self, method: str, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        Exception.__init__(self, f"{method}: {code} {description}")
        self.function_name, self.result = method, None
        self.result_json = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
        self.code = self.error_code = code
        self.description = description
        self.retry_after = (parameters or {}).get("retry_after")
        self.migrate_to = (parameters or {}).get("migrate_to_chat_id")

    @property
    def is_gone(self) -> bool:
        """Return whether the chat cannot be written to: blocked, deactivated, deleted."""
        low = self.description.lower()
        return self.code == 403 or "chat not found" in low or "user is deactivated" in low

    @property
    def is_server(self) -> bool:
        """Return whether it is a temporary problem of Telegram's own."""
        return self.code >= 500 or self.code == 429

    @property
    def is_unchanged(self) -> bool:
        """Return whether an edit was refused because nothing would change."""
        return "message is not modified" in self.description


class TooBig(Exception):
    """A user's file is larger than Telegram lets bots download."""


class Sender:
    """Calls Bot API methods for one token."""

    def __init__(self, token: str, base: str, clock: "Clock") -> None:
        self._token = token
        self._base = base
        self._clock = clock
        self._held = {}  # chat id → monotonic second until which it is held back
        self._sent = collections.deque(maxlen=1000)  # when the messages of the last second were answered
        self._under_way = []
        self._local = threading.local()
        self._guard = threading.Lock()
        self.transport = Transport(base)
        self.transport.install(self._for_library)

    def call(
        self,
        method: str,
        files: dict[str, Any] | None = None,
        timeout_s: float | None = None,
        wait: bool = True,
        reserved: bool = False,
        **params: Any,
    ) -> Any:
        """Call a method and return its result as plain data.

        Raise TelegramError, UnknownOutcome, or NotSent after several tries. With `wait=False` a 429 is raised at once
        instead of being waited out. A `reserved` message has already been counted, by `reserve`.
        """
        params = {name: value for name, value in params.items() if value is not None}
        chat = params.get("chat_id")
        for attempt in range(1, TRIES + 1):
            if wait:
                self._wait_for(chat)
            try:
                with self._counted(method, chat, reserved and attempt == 1):
                    return self._once(method, dict(params), files, timeout_s)
            except TelegramError as error:
                if error.retry_after is None or not wait or attempt == TRIES:
                    raise
                self.hold(chat, error.retry_after)
            except (NotSent, UnknownOutcome) as error:
                if attempt == TRIES or (isinstance(error, UnknownOutcome) and method not in REPEATABLE):
                    raise
                self._clock.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    def _for_library(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        files: dict[str, Any] | None = None,
        timeout: tuple[float, float] = (CONNECT_S, READ_S),
        proxies: dict[str, str] | None = None,
    ) -> Answer:
        """Make a call of pyTelegramBotAPI's like one of ours: held back, repeated and refused in the same way."""
        if not url.startswith(f"{self._base}/bot{self._token}/"):  # the hook is process-wide
            return self.transport.request(method, url, params, files, timeout, proxies)
        result = self.call(url.rsplit("/", 1)[-1], files, **(params or {}))
        return Answer(200, json.dumps({"ok": True, "result": result}).encode())

    def _once(self, method: str, params: dict[str, Any], files: dict[str, Any] | None, timeout_s: float | None) -> Any:
        connect_s, read_s = (timeout_s, timeout_s) if timeout_s else (CONNECT_S, READ_S)
        if method == "getUpdates":
            params["timeout"] = timeout_s
            connect_s, read_s = CONNECT_S, max(READ_S, timeout_s + 5)  # the server answers when its wait is over
        if files:
            params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        url = f"{self._base}/bot{self._token}/{method}"
        answer = self.transport.request("POST", url, params, files, (connect_s, read_s))
        try:
            found = answer.json()
            if found["ok"]:
                return found["result"]
            error = TelegramError(method, found["error_code"], found["description"], found.get("parameters"))
        except (ValueError, KeyError, TypeError):
            raise UnknownOutcome(f"{method}: not a Bot API answer") from None
        raise error

    @contextmanager
    def _counted(self, method: str, chat: Any, reserved: bool) -> Iterator[None]:
        if not method.startswith(MESSAGES) or method == "sendChatAction":
            yield
            return
        if not reserved:
            self.reserve(chat)
        self._local.said_for = trace.get()
        try:
            yield
            self._local.answered = trace.get(), str(chat)
        finally:
            with self._guard:
                self._under_way.remove(chat)
                self._sent.append((self._clock.monotonic(), chat))

    def said_for(self) -> str | None:
        """Return the update (`core.log.trace`) for which this thread last tried to send a message."""
        return getattr(self._local, "said_for", None)

    def has_answered(self, chat: Any) -> bool:
        """Return whether any call has answered this thread's current update in a chat."""
        return getattr(self._local, "answered", None) == (trace.get(), str(chat))

    def reserve(self, chat: Any) -> None:
        """Count a message as under way that `call(…, reserved=True)` is certain to send."""
        with self._guard:
            self._under_way.append(chat)

    def lately(self) -> list[Any]:
        """Return the chats of the messages under way and of those answered in the last second, whoever sent them.

        Telegram allows about 30 a second, one of them per chat, and counts a message before we have its answer.
        """
        with self._guard:
            while self._sent and self._sent[0][0] <= self._clock.monotonic() - 1:
                self._sent.popleft()
            return [chat for _at, chat in self._sent] + self._under_way

    def hold(self, chat: Any, seconds: float) -> None:
        """Send nothing to a chat for some seconds; its messages wait."""
        now = self._clock.monotonic()
        until = now + min(seconds, LONGEST_HOLD_S)
        with self._guard:
            if len(self._held) > HELD_MOST:
                self._held = {held: end for held, end in self._held.items() if end > now}
            self._held[chat] = max(until, self._held.get(chat, 0))

    def held_s(self, chat: Any) -> float:
        """Return for how many more seconds a chat is held back, 0 if it is not."""
        return max(0, self._held.get(chat, 0) - self._clock.monotonic())

    def _wait_for(self, chat: Any) -> None:
        while (left := self._held.get(chat, 0) - self._clock.monotonic()) > 0:
            self._clock.sleep(left)  # meanwhile it may have been held for longer
        if chat in self._held:
            with self._guard:
                if self._held.get(chat, 0) <= self._clock.monotonic():
                    self._held.pop(chat, None)

    def download(self, file_id: str, sink: Any) -> None:
        """Copy a user's file into `sink` and return its size in bytes; raise TooBig over 20 MB.

        The address contains the token, so it is used here and passed on to nobody.
        """
        try:
            path = self.call("getFile", file_id=file_id)["file_path"]
        except TelegramError as error:
            if "file is too big" in error.description:
                raise TooBig from None
            raise
        size = 0
        try:
            with requests.get(f"{self._base}/file/bot{self._token}/{path}", stream=True, timeout=(5, 30)) as response:
                if response.status_code != 200:
                    raise TelegramError("download", response.status_code, "the file is not there any more")
                for chunk in response.iter_content(65536):
                    size += len(chunk)
                    if size > MAX_DOWNLOAD_BYTES:
                        raise TooBig
                    sink.write(chunk)
        except requests.RequestException as error:
            raise NotSent(f"download: {type(error).__name__}") from None
        return size

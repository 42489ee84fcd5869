"""`bot` as plugins and services see it: what `register` may call (`core/registry.py`), and ways to reach people."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

import telebot
from telebot.types import JsonSerializable

from core import buttons as keyboards
from core.buttons import Button, Keyboard
from core.handling import rights as people
from core.registry import Registry
from core.services.http import Http
from core.services.operations import Operations
from core.services.store import Store
from core.settings import Settings
from core.status import Status
from core.telegram.sender import Sender, TelegramError
from core.telegram.transport import TelegramFailed
from core.texts import Lang, Texts, untagged
from storage.base import db
from storage.base.tables import User
from storage.journal import outbox

if TYPE_CHECKING:
    from core.process.loops import Clock
    from core.services.generation import Generation

log = logging.getLogger(__name__)
Markup = dict[str, Any] | None  # a keyboard in the Bot API's form
MAX_TEXT = 4096  # Bot API: UTF-16 units after entity parsing


class Bot(Registry, Operations):
    """The bot as plugins and services see it; `core/process/runtime.py` starts and stops it."""

    def __init__(self, settings: Settings, texts: Texts, sender: Sender, clock: "Clock", status: Status) -> None:
        token = settings["TELEGRAM_BOT_TOKEN"] or "0:none"
        super().__init__(settings, telebot.TeleBot(token, threaded=False, validate_token=False))
        self.texts = texts
        self.sender = sender
        self.clock = clock
        self.status = status
        self.id = int(token.partition(":")[0])
        self.username = ""
        self.generation: Generation
        self.rehearsal: Any  # tools/rehearsal, which the core does not know; set at the start
        # makes the loops look for new work at once; set by the runtime
        self.wake: Callable[[], object] = lambda: None
        self.hand_over: Callable[..., None]  # `Dispatcher.hand_over`; set by the runtime

    def lang_of(self, user: User) -> Lang:
        """Return a user's language (chosen, or guessed from Telegram's hint), with their time zone.

        A time zone that the user has not chosen counts as guessed, except for the staff.
        """
        chosen = user.lang if user.lang in self.texts.languages else None
        return Lang(
            chosen or self.texts.guess(user.language_code),
            self.zone_of(user),
            user.utc_offset is None and not self.may(user, "staff"),
        )

    def zone_of(self, user: User) -> tzinfo:
        """Return the time zone of a user: their own, or the operator's."""
        if user.utc_offset is None:
            return self.texts.zone
        return timezone(timedelta(minutes=user.utc_offset))

    def store(self, plugin: str) -> Store:
        """Return a plugin's store, for its listeners and periodic work; handlers have `ctx.store`."""
        return Store(plugin)

    def home(self) -> list[Button]:
        """Return the keyboard that leads to the main menu."""
        return [keyboards.button("common.menu", keyboards.MENU)]

    def to_private(self) -> list[Button]:
        """Return the keyboard that leads from a group to the private chat."""
        return [keyboards.link("common.open_chat", f"https://t.me/{self.username}")]

    def trouble(self, about: str = "0") -> list[list[Button]]:
        """Return the keyboard for bad news: a person to ask (`about`: job12, pay7), and the menu."""
        return [[keyboards.button("common.support", keyboards.HELP, about), *self.home()]]

    def markup(self, lang: Lang, buttons: Keyboard | JsonSerializable | None, reader: User | None = None) -> Markup:
        """Return a keyboard for the Bot API, or None for no keyboard.

        Buttons whose plugin is missing, or which the `reader` has no right to, are left out. pyTelegramBotAPI's own
        keyboards (`types.InlineKeyboardMarkup`, `types.ReplyKeyboardMarkup` …) are passed on as they are.
        """
        if isinstance(buttons, JsonSerializable):
            own: dict[str, Any] = json.loads(buttons.to_json())  # type: ignore[no-untyped-call]
            return own
        rows = []
        for row in keyboards.rows(buttons):
            cells = [self._cell(lang, cell) for cell in row if self._is_served(cell, reader)]
            if cells:
                rows.append(cells)
        return {"inline_keyboard": rows} if rows else None

    def _is_served(self, cell: Button, reader: User | None) -> bool:
        if cell.data is None:
            return True
        entry = self.handlers["button"].get(keyboards.split(cell.data)[0])
        return entry is not None and (reader is None or self.may(reader, entry.right))

    def _cell(self, lang: Lang, cell: Button) -> dict[str, Any]:
        shown: dict[str, Any] = {"text": self.texts.plain(lang, cell.key, **cell.values)}
        shown |= {"style": cell.style} if cell.style else {}
        if cell.url:
            return shown | {"url": cell.url}
        if cell.copy:
            return shown | {"copy_text": {"text": cell.copy}}
        return shown | {"callback_data": cell.data}

    def send_html(self, chat_id: int, text: str, wait: bool = True, **params: Any) -> dict[str, Any]:
        """Send a text and return the last message: several if it is too long, without markup if Telegram refuses that.

        With `wait=False` a 429 is raised at once instead of being waited out.
        """
        *first, last = _pieces(text)
        for piece in first:
            self._send_piece(chat_id, piece, wait=wait)
        return self._send_piece(chat_id, last, wait=wait, **params)

    def _send_piece(self, chat_id: int, piece: str, **params: Any) -> Any:
        try:
            return self.sender.call("sendMessage", chat_id=chat_id, text=piece, parse_mode="HTML", **params)
        except TelegramError as error:
            if "can't parse entities" not in error.description:
                raise
            log.error("markup was refused, sent plainly: %s", error)
            return self.sender.call("sendMessage", chat_id=chat_id, text=untagged(piece), **params)

    def notify(
        self,
        user_id: int,
        key: str,
        *,
        unique: str,
        now: datetime,
        buttons: Keyboard | None = None,
        media: Any = None,
        ref: str | None = None,
        chat_id: int | None = None,
        **values: Any,
    ) -> None:
        """Queue a message that must arrive, once under its unique key; with a `ref` it is kept, to be edited later.

        With `chat_id` it goes to that group instead of the user, in the user's language.
        """
        kept = keyboards.plain(buttons)
        outbox.put(unique, user_id, key, now=now, values=values, buttons=kept, media=media, ref=ref, chat_id=chat_id)

    def post(
        self,
        chat_id: int,
        key: str,
        *,
        unique: str,
        now: datetime,
        buttons: Keyboard | None = None,
        media: Any = None,
        **values: Any,
    ) -> None:
        """Queue a post to a channel or a group (its numeric id) that must arrive, once under its unique key.

        It is in the default language. If the chat refuses it, it waits for the next start, and the staff is alerted.
        """
        outbox.put(
            unique, None, key, now=now, values=values, buttons=keyboards.plain(buttons), media=media, chat_id=chat_id
        )

    def http(self, base: str, headers: dict[str, str] | None = None, limit_s: float = 30.0) -> Http:
        """Return an HTTP client for one service; `headers` are sent with every call and never logged."""
        return Http(base, headers, limit_s)

    def edit_quietly(
        self, chat_id: int, message_id: int, lang: Lang, key: str, buttons: Keyboard | None, values: dict[str, Any]
    ) -> None:
        """Edit a message of ours if that still works; a failure is not worth a second try.

        A listener's edit is made once its transaction has ended.
        """
        text, markup = self.texts.html(lang, key, **values), self.markup(lang, buttons)
        params: dict[str, Any] = {"text": text, "reply_markup": markup}
        params |= {"chat_id": chat_id, "message_id": message_id, "parse_mode": "HTML"}
        db.afterwards(lambda: self.call_quietly("editMessageText", **params))

    def show_typing(self, chat_id: int) -> None:
        """Show "typing…" in a chat."""
        self.call_quietly("sendChatAction", chat_id=chat_id, action="typing")

    def delete_quietly(self, chat_id: int, message_id: int) -> None:
        """Delete a message of ours if that still works (Bot API: within 48 h)."""
        self.call_quietly("deleteMessage", chat_id=chat_id, message_id=message_id)

    def call_quietly(self, method: str, **params: Any) -> None:
        """Make a call whose failure does not matter."""
        try:
            self.sender.call(method, wait=False, **params)
        except TelegramFailed as error:
            log.debug("let go: %s", error)

    def may(self, user: User, right: str | None) -> bool:
        """Return whether a user has a right, judging by the row read for this update."""
        return people.may(self.settings, user, right)

    def recipients(self, right: str) -> list[tuple[User, int | None]]:
        """Return the staff to tell, as (user, chat id) pairs for `notify`: the group, or everybody with the right."""
        return people.recipients(self, right)

    def alert(self, key: str, *, cause: str, buttons: Keyboard | None = None, **values: Any) -> None:
        """Alert the staff: one message per cause, not per event, outside the quiet hours."""
        people.alert(self, key, cause, values, buttons)

    def examine(self) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        """Yield (name, text key, its values) for every check; the key is None where all is well."""
        for name, work in self.checks.items():
            try:
                found = work(self)
            except Exception as error:  # a check that fails is itself a finding, and must not stop the others
                log.exception("the check %r failed", name)
                found = "common.check_failed", {"name": name, "error": f"{type(error).__name__}: {error}"}
            key, values = (found, {}) if found is None or isinstance(found, str) else found
            yield name, key, values


def _pieces(text: str) -> list[str]:
    """Split a text into pieces that Telegram accepts, at line ends if possible (our tags never span lines)."""
    pieces: list[str] = []
    rest = text
    while 2 * len(rest) > MAX_TEXT and len(untagged(rest).encode("utf-16-le")) > 2 * MAX_TEXT:
        cut = _cut(rest)
        pieces.append(rest[:cut])
        rest = rest[cut:].lstrip("\n")
    return [*pieces, rest]


def _cut(text: str) -> int:
    """Return where to cut a text that is too long: at a line end, else after a word, else between characters."""
    head = text.encode("utf-16-le")[: 2 * MAX_TEXT].decode("utf-16-le", "ignore")
    cut = max(head.rfind("\n"), 0) or max(head.rfind(" "), 0) or len(head)
    entity = head.rfind("&", cut - 8, cut)  # &quot; and its like are one character
    return entity if entity > 0 and ";" not in head[entity:cut] else cut

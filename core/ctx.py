"""`ctx`: everything a handler may use about one update, and the ways to answer it."""

import functools
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup
from telebot.types import JsonSerializable

from core.buttons import CARD, Keyboard
from core.errors import UserError
from core.registry import PASS
from core.services import forms
from core.services.operations import Operations
from core.services.store import Store
from core.telegram import telebot_bridge
from core.telegram.mentions import answer_to
from core.telegram.sender import TelegramError
from core.texts import Lang
from storage.base.tables import Outbox, Sale, User
from storage.money import ledger, sales

if TYPE_CHECKING:
    from core.bot import Bot

log = logging.getLogger(__name__)
MAX_TEXT, MAX_CAPTION, MAX_TOAST = 4096, 1024, 200  # Bot API, UTF-16 units after parsing


class BoundLedger:
    """The ledger at the time of the update, for the plugin that handles it."""

    def __init__(self, now: datetime, user: User, plugin: str) -> None:
        self.post = functools.partial(ledger.post, now=now)
        self._now, self._user, self._plugin = now, user, plugin

    def charge(self, amount: int, *, key: str, what: str) -> Sale:
        """Charge the person for something the plugin sells, once under the plugin's own `key`.

        `what` is the key of the text that names it among their entries. Raise NotEnoughMoney and charge nothing if the
        balance does not cover it.
        """
        return sales.charge(self._user.id, amount, plugin=self._plugin, what=what, key=key, now=self._now)

    def give_back(self, key: str) -> Sale | None:
        """Give a sale's money back, once; return the sale, or None if there was nothing to give back."""
        return sales.give_back(self._plugin, key, self._now)

    balance = staticmethod(ledger.balance)
    entries = staticmethod(ledger.entries)
    sums_by_kind = staticmethod(ledger.sums_by_kind)


class Ctx(Operations):
    """One update of one person."""

    PASS = PASS

    def __init__(self, bot: "Bot", user: User, update_id: int, kind: str, body: dict[str, Any]) -> None:
        self.bot = bot
        self.user = user
        self.update_id = update_id
        self.kind = kind
        self.body = body
        self.tap = body if kind == "callback_query" else None
        self.message: Any = body.get("message") if self.tap else (body if "chat" in body else None)
        self.chat_id: Any = self.message["chat"]["id"] if self.message else user.telegram_id
        self.private = self.message is None or self.message["chat"]["type"] == "private"
        self.text = (self.message or {}).get("text", "") if not self.tap else ""
        self.args = ""
        self.called: Any = None  # of a group's message to the bot: a `mentions.Called`
        self.plugin = ""  # whose handler was called
        self.entry: Any = None  # what was registered with that handler
        self.draft: Any = None  # the row of the open dialogue, if this update answers one
        self.now = bot.clock.now()
        self.settings = bot.settings
        self.texts = bot.texts
        self.generation = bot.generation
        self.answered = False  # something visible has been sent
        self.refused = False  # Telegram has refused an answer
        self._toast: tuple[str, bool] | None = None
        self._finished = False  # the tap is answered
        self._lang_of: User | None = None

    @property
    def lang(self) -> Lang:
        """The person's language: chosen, or guessed from Telegram's hint."""
        if self._lang_of is not self.user:  # a handler that changes the user puts a new row there
            self._lang, self._lang_of = self.bot.lang_of(self.user), self.user
        return self._lang

    def may(self, right: str | None) -> bool:
        """Return whether the person has a right (`core/handling/rights.py`)."""
        return self.bot.may(self.user, right)

    @property
    def is_new(self) -> bool:
        """Return whether this update created the user."""
        return self.user.born_of == self.update_id

    @functools.cached_property
    def event(self) -> Any:
        """The update's content as pyTelegramBotAPI's own type, such as `types.Message` or `types.InlineQuery`."""
        return telebot_bridge.event(self.update_id, self.kind, self.body)

    @property
    def _reader(self) -> User | None:
        """Who sees what is shown here: the person, or None in a group."""
        return self.user if self.private else None

    @functools.cached_property
    def ledger(self) -> BoundLedger:  # type: ignore[override]
        """The ledger, with entries dated now."""
        return BoundLedger(self.now, self.user, self.plugin)

    @property
    def store(self) -> Store:
        """Small values the plugin keeps: `ctx.store.put(name, value)`, `ctx.store.of(ctx.user.id).get(name)`."""
        return Store(self.plugin)

    def say(self, key: str, **values: Any) -> Markup:
        """Return a text as HTML in the person's language, to be inserted into another text."""
        return Markup(self.texts.html(self.lang, key, **values))

    def lines(self, parts: Iterable[str]) -> Markup:
        """Return texts from `say` as lines of one text."""
        return Markup("\n").join(parts)

    def reply(self, key: str, buttons: Keyboard | JsonSerializable | None = None, **values: Any) -> int:
        """Send a text as a new message and return its id; in a group it is a reply to the message it answers."""
        text, markup = self.texts.html(self.lang, key, **values), self.bot.markup(self.lang, buttons, self._reader)
        answered = None if self.private or self.tap else answer_to(self.message["message_id"])
        place: dict[str, Any] = {"message_thread_id": self.thread_id, "reply_parameters": answered}
        sent = self.bot.send_html(self.chat_id, text, reply_markup=markup, **place)
        self.answered = True
        return sent["message_id"]

    @property
    def thread_id(self) -> int | None:
        """The topic of a forum that the update is from."""
        return self.message.get("message_thread_id") if self.message and self.message.get("is_topic_message") else None

    def edit(self, key: str, buttons: Keyboard | None = None, message_id: int | None = None, **values: Any) -> int:
        """Edit a screen in place (the tapped one, or a message of ours) and return its message id.

        If it can no longer be edited, a new one is sent.
        """
        if self.tap and self.message and "text" in self.message and message_id is None:
            message_id = self.message["message_id"]
        if message_id and self._edit(message_id, key, buttons, values):
            return message_id
        return self.reply(key, buttons, **values)

    def _edit(self, message_id: int, key: str, buttons: Keyboard | None, values: dict[str, Any]) -> bool:
        text, markup = self.texts.html(self.lang, key, **values), self.bot.markup(self.lang, buttons, self._reader)
        try:
            self.bot.sender.call(
                "editMessageText",
                chat_id=self.chat_id,
                message_id=message_id,
                text=text,
                parse_mode="HTML",
                reply_markup=markup,
            )
        except TelegramError as error:
            if not error.is_unchanged:
                if error.is_gone:
                    raise
                log.info("a screen could not be edited, sending a new one: %s", error)
                return False
            if self.tap and self._toast is None:
                self.toast("common.here")
        self.answered = True
        return True

    def toast(self, key: str, alert: bool = False, **values: Any) -> None:
        """Answer the tap with a short notice above the chat; without a tap, send it as a message."""
        if self.tap is None:
            self.reply(key, **values)
            return
        self._toast = (self.texts.plain(self.lang, key, **values)[:MAX_TOAST], alert)
        self.answered = True

    def ask(
        self,
        step: str,
        key: str,
        buttons: Keyboard | None = None,
        message_id: int | None = None,
        data: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        """Show a question and listen for its answer; `step` is `plugin:name`, `data` is kept in the plugin's draft."""
        shown = self.edit(key, buttons, message_id=message_id, **values)
        plugin = step.split(":")[0]
        self.draft = self.drafts.put(self.user.id, plugin, self.now, step=step, data=data or {}, message_id=shown)

    def go(self, route: str, **args: Any) -> None:
        """Run the handler of another button, as if it had been tapped here; raise UserError if nobody serves it."""
        entry = self.bot.handlers["button"].get(route)
        if entry is None:
            raise UserError("common.old_button")
        entry.handler(self, **args)

    def done(self, plugin: str) -> None:
        """Close a plugin's dialogue."""
        self.drafts.drop(self.user.id, plugin)

    def delete(self, message_id: int | None) -> None:
        """Delete a message of ours if that is still possible."""
        if message_id:
            self.bot.delete_quietly(self.chat_id, message_id)

    def notify(self, user_id: int, key: str, *, unique: str, **more: Any) -> None:
        """Queue a message that must arrive, to any user, once under its unique key; see `Bot.notify`."""
        self.bot.notify(user_id, key, unique=unique, now=self.now, **more)

    def order(self, model: str, **inputs: Any) -> None:
        """Show the card of a model (its id or code) with these inputs filled in, and its price on the order button.

        Raise UserError if it is not on offer, if it has no such input (the log says so), or if one is not valid.
        """
        generation, inputs_of = cast(Any, self.generation), cast(Any, forms)
        known = generation.catalog.models
        found = known.get(model) or next((one for one in known.values() if one.code == model), None)
        if found is None:
            raise UserError("job.gone")
        values = {name: inputs_of.read(inputs_of.input_of(found, name), value) for name, value in inputs.items()}
        self.draft = generation.fill(self.user.id, found, values, self.now)
        self.go(CARD)

    def in_private(self) -> None:
        """From here on, answer in the person's private chat: what follows is not for the group."""
        if not self.private:
            self.chat_id, self.message, self.private = self.user.telegram_id, None, True

    def edit_buttons(self, buttons: Keyboard) -> None:
        """Change only the keyboard of the tapped message."""
        markup = self.bot.markup(self.lang, buttons, self._reader)
        self._change("editMessageReplyMarkup", message_id=self.message["message_id"], reply_markup=markup)

    def close_copy(self, row: Outbox, key: str, buttons: Keyboard | None = None, **values: Any) -> None:
        """Add a line to a sent message that was queued with a `ref`, and change its buttons."""
        reader: Any = self.users.get(cast(int, row.user_id))
        lang = self.bot.lang_of(reader)
        text = self.texts.html(lang, row.text, **row.values) + "\n" + self.texts.html(lang, key, **values)
        method, field = ("editMessageCaption", "caption") if row.media else ("editMessageText", "text")
        place: dict[str, Any] = {"chat_id": row.chat_id or reader.telegram_id, "message_id": row.message_id}
        markup = self.bot.markup(lang, buttons, None if row.chat_id else reader)
        shown: dict[str, Any] = {field: text}
        self._change(method, **place, parse_mode="HTML", reply_markup=markup, **shown)

    def _change(self, method: str, chat_id: int | None = None, **params: Any) -> None:
        """Make an edit; a refusal is ignored, e.g. because nothing changes or the message was deleted."""
        try:
            self.bot.sender.call(method, chat_id=chat_id or self.chat_id, **params)
        except TelegramError as error:
            if error.is_gone:
                raise
            log.info("an edit was refused: %s", error)
        self.answered = True

    def answer_inline(self, results: Iterable[Any], **more: Any) -> None:
        """Answer an inline query with results: pyTelegramBotAPI's `InlineQueryResult…`, or dicts in the Bot API's form.

        `more`: `cache_time` in seconds, `is_personal`, `next_offset`, `button` (Bot API, answerInlineQuery).
        """
        shown = [result if isinstance(result, dict) else result.to_dict() for result in results]
        self.bot.sender.call("answerInlineQuery", inline_query_id=self.body["id"], results=shown, **more)
        self.answered = True

    def invoice(self, **fields: Any) -> None:
        """Send an invoice."""
        self.bot.sender.call("sendInvoice", chat_id=self.chat_id, provider_token="", **fields)
        self.answered = True

    def answer_checkout(self, ok: bool, key: str = "") -> None:
        """Answer a pre-checkout query; `key` is the text with the reason for a refusal."""
        reason = None if ok else self.texts.plain(self.lang, key)
        query = self.body["id"]
        self.bot.sender.call("answerPreCheckoutQuery", pre_checkout_query_id=query, ok=ok, error_message=reason)
        self.answered = True

    def send_file(
        self, kind: str, file_id: str, key: str | None = None, buttons: Keyboard | None = None, **values: Any
    ) -> int:
        """Send a file that Telegram already has, with a caption if a text `key` is given; return the message's id."""
        sent: dict[str, Any] = {kind: file_id}
        if key is not None:
            sent |= {"caption": self.texts.html(self.lang, key, **values), "parse_mode": "HTML"}
        markup = self.bot.markup(self.lang, buttons, self._reader)
        message = self.bot.sender.call("send" + kind.title(), chat_id=self.chat_id, reply_markup=markup, **sent)
        self.answered = True
        return cast(int, message["message_id"])

    def send_document(self, name: str, data: Any, mime: str, caption: str | None = None) -> None:
        """Send bytes as a file; `caption` is a text key."""
        files = {"document": (name, data, mime)}
        words = caption and self.texts.plain(self.lang, caption)
        self.bot.sender.call("sendDocument", files=files, chat_id=str(self.chat_id), caption=words, timeout_s=120)
        self.answered = True

    def send_photo(self, data: bytes) -> None:
        """Send bytes as a picture."""
        files = {"photo": ("picture.png", data, "image/png")}
        self.bot.sender.call("sendPhoto", files=files, chat_id=str(self.chat_id), timeout_s=120)
        self.answered = True

    def copy(self, chat_id: int, message_id: int, markup: dict[str, Any] | None = None) -> int:
        """Send a copy of a message from another chat and return its id.

        Telegram drops its buttons, so `markup` gives them (in the Bot API's form).
        """
        place: dict[str, Any] = {"from_chat_id": chat_id, "message_id": message_id}
        sent = self.bot.sender.call("copyMessage", chat_id=self.chat_id, reply_markup=markup, **place)
        self.answered = True
        return sent["message_id"]

    def show_file(self, kind: str, file_id: str, key: str, buttons: Keyboard | None, **values: Any) -> int:
        """Replace the tapped screen by a file that Telegram has, with a caption; if that fails, send it below.

        Return the message's id.
        """
        return cast(int, self.show_media(kind, file_id, key, buttons, **values)["message_id"])

    def show_media(
        self, kind: str, file: str | bytes, key: str, buttons: Keyboard | None, **values: Any
    ) -> dict[str, Any]:
        """Do the same with a file that Telegram has, or a picture's bytes; without a tap, send it.

        Return the message as Telegram has it.
        """
        words: dict[str, Any] = {"caption": self.texts.html(self.lang, key, **values), "parse_mode": "HTML"}
        markup, known = self.bot.markup(self.lang, buttons, self._reader), isinstance(file, str)
        place: dict[str, Any] = {"chat_id": self.chat_id if known else str(self.chat_id), "reply_markup": markup}
        files = None if known else {kind: ("picture.png", file, "image/png")}
        media = {"type": kind, "media": file if known else f"attach://{kind}", **words}
        sent = self._edit_media(media, files, place) if self.tap else None
        if sent is None:
            whole: dict[str, Any] = words | ({kind: file} if known else {})
            sent = self.bot.sender.call("send" + kind.title(), files=files, **place, **whole)
        self.answered = True
        return cast(dict[str, Any], sent)

    def _edit_media(self, media: dict[str, Any], files: Any, place: dict[str, Any]) -> dict[str, Any] | None:
        """Turn the tapped message into a file and return it; None if that cannot be done."""
        try:
            place = place | {"message_id": self.message["message_id"], "media": media}
            return cast(dict[str, Any], self.bot.sender.call("editMessageMedia", files=files, **place))
        except TelegramError as error:
            if error.is_gone:
                raise
            if error.is_unchanged:
                self.toast("common.here")
                return cast(dict[str, Any], self.message)
            log.info("a screen could not be turned into a file: %s", error)
            return None

    def finish_tap(self) -> None:
        """Answer the tap, once, with the toast if there is one; a tap that is too old to be answered is ignored.

        Call it before waiting for another service.
        """
        if self.tap is None or self._finished:
            return
        self._finished = True
        text, alert = self._toast or (None, None)
        try:
            self.bot.sender.call("answerCallbackQuery", callback_query_id=self.tap["id"], text=text, show_alert=alert)
        except TelegramError as error:
            log.debug("a tap could not be answered: %s", error)

"""Telegram's limits and its error texts.

Sources: the Bot API documentation (core.telegram.org/bots/api), the source of the Bot API server
(tdlib/telegram-bot-api, Client.cpp), and the list of limits at limits.tginfo.me for what neither names.
"""

import json
import re
from urllib.parse import urlsplit

TEXT_MAX = 4096  # UTF-16 units after entity parsing (Bot API, sendMessage)
CAPTION_MAX = 1024  # the same (Bot API, sendPhoto)
CALLBACK_DATA_MAX = 64  # bytes (Bot API, InlineKeyboardButton)
TOAST_MAX = 200  # characters (Bot API, answerCallbackQuery)
COPY_TEXT_MAX = 256  # characters (Bot API, CopyTextButton)
ROW_MAX, BUTTONS_MAX, MARKUP_MAX = 8, 100, 10_240  # buttons, buttons, bytes of JSON (limits.tginfo.me)
ALBUM_MIN, ALBUM_MAX = 2, 10  # (Bot API, sendMediaGroup)
ENTITIES_MAX = 100  # the rest is dropped silently (limits.tginfo.me)

DOWNLOAD_MAX = 20_000_000  # bytes of a getFile ("up to 20MB")
PHOTO_URL_MAX, FILE_URL_MAX = 5_000_000, 20_000_000  # bytes of a file sent by URL (Bot API, Sending files)
PHOTO_UPLOAD_MAX, FILE_UPLOAD_MAX = 10_000_000, 50_000_000  # bytes of an upload (the same)
PHOTO_SIDES_MAX, PHOTO_RATIO_MAX = 10_000, 20  # width + height, and the longer over the shorter (Bot API, sendPhoto)

DELETE_S = 48 * 3600  # a message can be deleted for 48 hours (Bot API, deleteMessage)
TAP_ANSWER_S = 15  # how long a tap can be answered: not documented, about a quarter of a minute in practice
CHECKOUT_S = 10  # answerPreCheckoutQuery: "within 10 seconds after the pre-checkout query was sent"

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
STYLES = ("danger", "success", "primary", None)  # Bot API 9.4, InlineKeyboardButton.style
ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


class ApiError(Exception):
    """What a Bot API call answers instead of a result: HTTP status `code`, `description` and `parameters`."""

    def __init__(self, code, description, **parameters):
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters

    def body(self):
        """Return the JSON object that the caller gets."""
        body = {"ok": False, "error_code": self.code, "description": self.description}
        return body | {"parameters": self.parameters} if self.parameters else body


def bad(text):
    """Return the ApiError of a bad request; Telegram's texts begin in lower case after the colon."""
    return ApiError(400, f"Bad Request: {text}")


def too_many(retry_after):
    """Return the 429 that asks to wait `retry_after` whole seconds."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


def utf16(text):
    """Return the length of `text` in UTF-16 units, as Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_part(text, offset, length):
    """Return the part of a text that an entity marks, in UTF-16 units."""
    raw = text.encode("utf-16-le", "surrogatepass")[2 * offset : 2 * (offset + length)]
    return raw.decode("utf-16-le", "replace")


def read_markup(value):
    """Return a checked reply markup from its JSON (text or parsed), or None if there is none."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise bad("can't parse reply keyboard markup JSON object") from None
    if not isinstance(value, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" in value:
        return read_inline_keyboard(value["inline_keyboard"])
    if "keyboard" in value:
        return read_reply_keyboard(value)
    return value if value.get("remove_keyboard") or value.get("force_reply") else None


def read_inline_keyboard(rows):
    """Return `{"inline_keyboard": rows}` after checking every button and the size of the whole."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    rows = [[read_button(button) for button in row] for row in rows if row]
    for at, button in enumerate(button for row in rows for button in row):
        if "pay" in button and at:
            raise bad("BUTTON_POS_INVALID")
    check_size(rows)
    return {"inline_keyboard": rows} if rows else None


def check_size(rows):
    """Raise for a keyboard that Telegram would call too long."""
    too_wide = any(len(row) > ROW_MAX for row in rows)
    size_bytes = len(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    if too_wide or sum(map(len, rows)) > BUTTONS_MAX or size_bytes > MARKUP_MAX:
        raise bad("reply markup is too long")


def read_button(button):
    """Return one inline button, or raise with Telegram's words for what is wrong with it."""
    if not isinstance(button, dict):
        raise bad("can't parse InlineKeyboardButton: expected an Object")
    if not isinstance(button.get("text"), str) or not button["text"]:
        raise bad('can\'t parse InlineKeyboardButton: Field "text" must be of type String')
    if button.get("style") not in STYLES:
        raise bad("can't parse InlineKeyboardButton: invalid button style specified")
    kind = next((kind for kind in BUTTON_KINDS if button.get(kind) is not None), None)
    if kind is None:
        raise bad("can't parse InlineKeyboardButton: Text buttons are unallowed in the inline keyboard")
    BUTTON_KINDS[kind](button[kind])
    return {key: value for key, value in button.items() if value is not None}


def _check_data(data):
    if not isinstance(data, str) or not 1 <= len(data.encode("utf-8", "replace")) <= CALLBACK_DATA_MAX:
        raise bad("BUTTON_DATA_INVALID")


def _check_url(url):
    if not isinstance(url, str) or not is_link(url):
        raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def _check_web_app(web_app):
    url = web_app.get("url") if isinstance(web_app, dict) else None
    if not isinstance(url, str) or not url.startswith("https://"):
        raise bad(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")


def _check_copy_text(copy_text):
    text = copy_text.get("text") if isinstance(copy_text, dict) else None
    if not isinstance(text, str) or not 1 <= len(text) <= COPY_TEXT_MAX:
        raise bad("BUTTON_COPY_TEXT_INVALID")


def _accept(value):
    """Accept a value that has no rule of its own."""


BUTTON_KINDS = {
    "callback_data": _check_data,
    "url": _check_url,
    "web_app": _check_web_app,
    "copy_text": _check_copy_text,
    "pay": _accept,
    "switch_inline_query": _accept,
    "switch_inline_query_current_chat": _accept,
    "switch_inline_query_chosen_chat": _accept,
    "login_url": _accept,
    "callback_game": _accept,
}


def read_reply_keyboard(markup):
    """Return a reply keyboard with its buttons as objects."""
    rows = markup["keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad('field "keyboard" of the ReplyKeyboardMarkup must be an Array of Arrays')
    rows = [[{"text": button} if isinstance(button, str) else button for button in row] for row in rows]
    if not all(isinstance(button, dict) and isinstance(button.get("text"), str) for row in rows for button in row):
        raise bad('can\'t parse KeyboardButton: Field "text" must be of type String')
    return markup | {"keyboard": rows}


def split_url(url):
    """Return the parts of a URL; for an invalid one, empty parts."""
    try:
        return urlsplit(url)
    except ValueError:  # e.g. half an IPv6 address
        return urlsplit("")


def is_link(url):
    """Return whether Telegram accepts `url` as a link: http, https or tg, and a host with a dot in it."""
    parts = split_url(url if "://" in url or url.startswith("tg:") else f"http://{url}")
    if parts.scheme in ("tg", "ton"):
        return True
    return parts.scheme in ("http", "https") and bool(re.fullmatch(r"[^\s.]+(\.[^\s.]+)+\.?", parts.hostname or ""))

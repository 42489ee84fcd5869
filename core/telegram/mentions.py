"""Which messages of a group are for the bot (those that mention it, and replies to what it has said), and answers to them."""

import re
from typing import Any, NamedTuple

NAME = r"[ ,]*(?<![\w@/.])@{}\b[ ,:;\n\t–—-]*"  # with what separates it from the words before and after


class Called(NamedTuple):
    """What somebody says to the bot in a group, without its name, and whether the name was there."""

    words: str
    by_name: bool


def called(message: dict[str, Any], bot_id: int, username: str) -> Called | None:
    """Return what a group's message says to the bot, or None if it is talk among people."""
    text = message.get("text") or message.get("caption") or ""
    words, *parts = re.split(NAME.format(re.escape(username)), text, flags=re.IGNORECASE)
    if not parts and message.get("reply_to_message", {}).get("from", {}).get("id") != bot_id:
        return None
    for part in parts:
        words += f" {part}" if words and part[:1].isalnum() else part
    return Called(words.strip(), bool(parts))


def answer_to(message_id: int) -> dict[str, Any]:
    """Return the Bot API's `reply_parameters` of an answer, which also goes out if that message was deleted."""
    return {"message_id": message_id, "allow_sending_without_reply": True}

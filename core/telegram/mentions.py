"""Which messages of a group are for the bot (those that mention it, and replies to what it has said), and answers to them."""

from typing import Any, NamedTuple

AROUND = " ,:;\n\t–—-"  # what separates a name from the words after it


class Called(NamedTuple):
    """What somebody says to the bot in a group, without its name, and whether the name was there."""

    words: str
    by_name: bool


def called(message: dict[str, Any], bot_id: int, username: str) -> Called | None:
    """Return what a group's message says to the bot, or None if it is talk among people."""
    kind = "text" if "text" in message else "caption"
    text = message.get(kind, "")
    names = [
        entity
        for entity in message.get("entities" if kind == "text" else "caption_entities", ())
        if _names_us(text, entity, bot_id, username)
    ]
    replied = message.get("reply_to_message") or {}
    if not names and ("from" not in replied or replied["from"].get("id") != bot_id):
        return None
    for entity in sorted(names, key=lambda entity: -entity["offset"]):
        text = _without(text, entity)
    return Called(text.strip(), bool(names))


def answer_to(message_id: int) -> dict[str, Any]:
    """Return the Bot API's `reply_parameters` of an answer, which also goes out if that message was deleted."""
    return {"message_id": message_id, "allow_sending_without_reply": True}


def _names_us(text: str, entity: dict[str, Any], bot_id: int, username: str) -> bool:
    if entity["type"] == "text_mention":
        return bool(entity.get("user", {}).get("id") == bot_id)
    return entity["type"] == "mention" and _parts(text, entity)[1].lower() == f"@{username}".lower()


def _without(text: str, entity: dict[str, Any]) -> str:
    before, _name, after = _parts(text, entity)
    before, after = before.rstrip(" ,"), after.lstrip(AROUND)
    return f"{before} {after}" if before and after[:1].isalnum() else before + after


def _parts(text: str, entity: dict[str, Any]) -> tuple[str, str, str]:
    """Return a text before, in and after an entity (Bot API, MessageEntity: offsets in UTF-16 units)."""
    raw, start = text.encode("utf-16-le", "surrogatepass"), 2 * entity["offset"]
    end = start + 2 * entity["length"]
    before, inside, after = (part.decode("utf-16-le", "replace") for part in (raw[:start], raw[start:end], raw[end:]))
    return before, inside, after

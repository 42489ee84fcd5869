"""Which updates a handler of `bot.update` wants to see."""

import re
from collections.abc import Callable
from typing import Any

from core.registration_checks import CONTENT

Filter = Callable[[Any], bool]


def both(pattern: str | None, reply_to: str | None) -> Filter | None:
    """Return a filter for a pattern and for the message replied to, or None if neither is given.

    Raise ValueError for a pattern that is not a valid regular expression.
    """
    try:
        words = re.compile(pattern, re.IGNORECASE) if pattern is not None else None
    except re.error as error:
        raise ValueError(f"the pattern {pattern!r} is no regular expression: {error}") from None
    if words is None and reply_to is None:
        return None

    def fits(ctx: Any) -> bool:
        message = ctx.message or {}
        text = message.get("text") or message.get("caption") or ""
        return (words is None or bool(words.search(text))) and (reply_to is None or _replies(message, reply_to))

    return fits


def content_of(message: dict[str, Any]) -> str:
    """Return what kind of content a message has: the first of CONTENT that fits, `other` if none does."""
    return next((name for name in CONTENT if name in message), "other")


def _replies(message: dict[str, Any], to: str) -> bool:
    original = message.get("reply_to_message")
    return original is not None and to in ("any", content_of(original))

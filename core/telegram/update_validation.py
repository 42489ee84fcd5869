"""Validates and cleans updates on their way in, and assigns each to its lane: the queue of its chat.

An update must say what it is about in numbers that both databases can store: its own id, its chat's, its sender's. One
that does not is refused before it becomes a row, so that it cannot block others. Texts are cleaned of characters that a
database does not accept.
"""

import logging

from core.telegram import json_text
from storage.base.clean import clean

log = logging.getLogger(__name__)
EXPRESS = 2**60  # added to a person's id (Bot API: at most 52 bits) it is the lane of their pre-checkouts
MOST = 2**53  # no id is larger (Bot API: at most 52 significant bits)


class Unreadable(ValueError):
    """What came is not an update that can be stored and handled."""


def admit(updates, refused=lambda: None):
    """Return the valid updates, each as (update, lane, body); the others are logged, and `refused()` counts them."""
    admitted = []
    for update in updates:
        try:
            admitted.append(read(update))
        except Unreadable as error:
            log.error("an update was refused at the door: %s", error)
            refused()
    return admitted


def read(update):
    """Return (update, lane, body) of a raw update, cleaned; raise Unreadable."""
    try:
        body = json_text.written(update).decode()
        if "\\u0000" in body or "\\ud" in body:  # what no database takes; `\\ud` begins half an emoji
            update = clean(update)
            body = json_text.written(update).decode()
    except (RecursionError, TypeError, ValueError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    if not isinstance(update, dict):
        raise Unreadable(f"{type(update).__name__} instead of an update")
    id_in(update, "update_id")
    return update, lane_of(update), body


def id_in(data, name="id"):
    """Return the id in one of Telegram's objects; raise Unreadable if there is none."""
    found = data.get(name) if isinstance(data, dict) else None
    if type(found) is not int or abs(found) > MOST:
        raise Unreadable(f"{name} is {str(found)[:60]!r}")
    return found


def lane_of(update):
    """Return the lane of an update: its chat, else its sender; pre-checkouts have a lane apart from their sender's."""
    for kind, about in update.items():
        if not isinstance(about, dict):
            continue
        whose = about.get("from", about.get("user"))
        sender = None if whose is None else id_in(whose)
        if kind == "pre_checkout_query":
            return EXPRESS + id_in(about.get("from"))
        place = about if "chat" in about else about.get("message")
        if isinstance(place, dict) and "chat" in place:
            return id_in(place["chat"])
        if sender is not None:
            return sender
    return 0

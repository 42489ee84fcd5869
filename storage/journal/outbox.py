"""Messages that must arrive: written with their cause, kept until Telegram has answered.

Delivery is at least once: if the outcome of a send is unknown, it is repeated.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from peewee import ModelSelect

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import OutboxState
from storage.base.tables import Media, Outbox
from storage.journal import events
from storage.journal.event_kinds import MessageLost, MessageSent

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)


def put(
    key: str,
    user_id: int | None,
    text: str,
    *,
    now: datetime,
    values: dict[str, Any] | None = None,
    buttons: list[Any] | None = None,
    media: Media | None = None,
    ref: str | None = None,
    chat_id: int | None = None,
) -> bool:
    """Queue a message under a unique key; return False if the key is there already.

    With a `ref` the row is kept, so that the message can be edited later. With `chat_id` it goes to that group, in the
    user's language; without a user, in the bot's default one.
    """
    row = dict(key=key, user=user_id, chat_id=chat_id, text=text, values=values or {}, buttons=buttons or [])
    with transaction():
        made = Outbox.insert(**row, media=media, ref=ref, send_at=now).on_conflict_ignore()
        return bool(list(made.returning(Outbox.id).tuples().execute()))


def due(now: datetime, limit: int = 20) -> list[Outbox]:
    """Return the messages that are due, oldest first."""
    return _due.rows(now, limit)


@Prepared[Outbox]
def _due(now: datetime, limit: int) -> "ModelSelect[Outbox]":
    query = Outbox.select().where(Outbox.state == OutboxState.PENDING, Outbox.send_at <= now)
    return query.order_by(Outbox.send_at, Outbox.id).limit(limit)


def sent(row: Outbox, message_id: int | None, now: datetime, as_text: bool = False) -> None:
    """Close a message that Telegram has accepted; without a `ref` its words are deleted.

    `as_text`: the words were sent as a separate message, below the picture or without it.
    """
    gone: dict[str, Any] = {"values": {}, "buttons": []} if row.ref is None else {}
    alone: dict[str, Any] = {"media": None} if as_text else {}
    _close(row, now, OutboxState.SENT, message_id=message_id, **gone, **alone)


def dropped(row: Outbox, now: datetime) -> None:
    """Close a message that can never arrive (the bot is blocked, the chat is gone)."""
    _close(row, now, OutboxState.DROPPED)


def set_aside(row: Outbox, now: datetime) -> None:
    """Set aside a message that cannot be sent as it is, until the next start."""
    _close(row, now, OutboxState.ASIDE)


def put_apart(row: Outbox) -> None:
    """Park a message whose plugin is away until the next start."""
    with transaction():
        pending = Outbox.id == row.id, Outbox.state == OutboxState.PENDING
        Outbox.update(state=OutboxState.APART).where(*pending).execute()


def apart() -> int:
    """Return how many messages wait for their plugin to come back."""
    with connection():
        return Outbox.select().where(Outbox.state == OutboxState.APART).count()


def _close(row: Outbox, now: datetime, state: OutboxState, **fields: Any) -> None:
    """Close a pending message; with a `ref`, emit `message.sent` or `message.lost`."""
    with transaction():
        query = Outbox.update(state=state, **fields).where(Outbox.id == row.id, Outbox.state == OutboxState.PENDING)
        if query.execute() and row.ref is not None and row.user_id is not None:
            ended = MessageSent if state == OutboxState.SENT else MessageLost
            events.emit(ended(ref=row.ref, user=row.user_id), now)


def postponed(row: Outbox, now: datetime, at_least_s: float = 0) -> None:
    """Retry a message later, after a wait that grows each time."""
    wait = max(timedelta(seconds=at_least_s), min(LONGEST_WAIT, FIRST_WAIT * 2**row.tries))
    with transaction():
        Outbox.update(tries=Outbox.tries + 1, send_at=now + wait).where(Outbox.id == row.id).execute()


def held(row: Outbox, until: datetime) -> None:
    """Make a message wait for its chat, without counting a try."""
    with transaction():
        Outbox.update(send_at=until).where(Outbox.id == row.id).execute()


def again(now: datetime) -> int:
    """Retry what was set aside (e.g. before an upgrade) or waits for its plugin; return how many messages."""
    with transaction():
        aside = Outbox.state.in_((OutboxState.ASIDE, OutboxState.APART))
        return Outbox.update(state=OutboxState.PENDING, send_at=now, tries=0).where(aside).execute()


def alive(refs: Collection[str]) -> set[str]:
    """Return those of the `refs` that have a message which was not dropped."""
    with connection():
        rows = (
            Outbox.select(Outbox.ref).where(Outbox.ref.in_(refs), Outbox.state != OutboxState.DROPPED) if refs else []
        )
        return {row.ref for row in rows}


def states(ref: str) -> set[str]:
    """Return the states of the messages with a `ref`."""
    with connection():
        return {row.state for row in Outbox.select(Outbox.state).where(Outbox.ref == ref).distinct()}


def rounds(ref: str) -> int:
    """Return how many messages with a `ref` were dropped; the keys of new copies are made from it."""
    with connection():
        return Outbox.select().where(Outbox.ref == ref, Outbox.state == OutboxState.DROPPED).count()


def to_person(row: Outbox) -> None:
    """Send a message that a group does not accept to its user instead."""
    with transaction():
        Outbox.update(chat_id=None).where(Outbox.id == row.id).execute()


def readdress(old: int, new: int | None) -> None:
    """Send pending messages of a group to its new chat, or, with None, to their users; a post stays without either."""
    of_group = [Outbox.chat_id == old, Outbox.state == OutboxState.PENDING]
    if new is None:
        of_group.append(Outbox.user.is_null(False))
    with transaction():
        Outbox.update(chat_id=new).where(*of_group).execute()


def withdraw(ref: str) -> None:
    """Drop the messages with a `ref` that have not been sent yet."""
    with transaction():
        Outbox.update(state=OutboxState.DROPPED).where(Outbox.ref == ref, Outbox.state == OutboxState.PENDING).execute()


def sent_for(ref: str) -> list[Outbox]:
    """Return the messages sent with a `ref`, e.g. each admin's copy of a request."""
    with connection():
        return list(Outbox.select().where(Outbox.ref == ref, Outbox.state == OutboxState.SENT))

"""Messages that must arrive: written with their cause, kept until Telegram has answered.

Delivery is at least once: a send whose outcome is unknown is made again.
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
    user_id: int,
    text: str,
    *,
    now: datetime,
    values: dict[str, Any] | None = None,
    buttons: list[Any] | None = None,
    media: Media | None = None,
    ref: str | None = None,
    chat_id: int | None = None,
) -> bool:
    """Queue a message under a unique key; `ref` keeps the row to edit it later. Return False for a repeat.

    With `chat_id` it goes to that group, in the user's language.
    """
    row = dict(key=key, user=user_id, chat_id=chat_id, text=text, values=values or {}, buttons=buttons or [])
    with transaction():
        made = Outbox.insert(**row, media=media, ref=ref, send_at=now).on_conflict_ignore()
        return bool(list(made.returning(Outbox.id).tuples().execute()))


def due(now: datetime, limit: int = 20) -> list[Outbox]:
    """Return messages whose time has come, oldest first."""
    return _due.rows(now, limit)


@Prepared[Outbox]
def _due(now: datetime, limit: int) -> "ModelSelect[Outbox]":
    query = Outbox.select().where(Outbox.state == OutboxState.PENDING, Outbox.send_at <= now)
    return query.order_by(Outbox.send_at, Outbox.id).limit(limit)


def sent(row: Outbox, message_id: int | None, now: datetime, as_text: bool = False) -> None:
    """Close a message Telegram has taken; without a `ref` nobody needs its words any more.

    `as_text`: the words are a message of their own, below the picture or without it.
    """
    gone: dict[str, Any] = {"values": {}, "buttons": []} if row.ref is None else {}
    alone: dict[str, Any] = {"media": None} if as_text else {}
    _close(row, now, OutboxState.SENT, message_id=message_id, **gone, **alone)


def dropped(row: Outbox, now: datetime) -> None:
    """Close a message that can never arrive (blocked, no such chat)."""
    _close(row, now, OutboxState.DROPPED)


def set_aside(row: Outbox, now: datetime) -> None:
    """Take a message that cannot be sent as it is out of the others' way, until the next start."""
    _close(row, now, OutboxState.ASIDE)


def _close(row: Outbox, now: datetime, state: OutboxState, **fields: Any) -> None:
    """End a pending message; with a `ref`, others hear of it: `message.sent` or `message.lost`."""
    with transaction():
        query = Outbox.update(state=state, **fields).where(Outbox.id == row.id, Outbox.state == OutboxState.PENDING)
        if query.execute() and row.ref is not None:
            ended = MessageSent if state == OutboxState.SENT else MessageLost
            events.emit(ended(ref=row.ref, user=row.user_id), now)


def postponed(row: Outbox, now: datetime, at_least_s: float = 0) -> None:
    """Try a message again later, each time after a longer wait."""
    wait = max(timedelta(seconds=at_least_s), min(LONGEST_WAIT, FIRST_WAIT * 2**row.tries))
    with transaction():
        Outbox.update(tries=Outbox.tries + 1, send_at=now + wait).where(Outbox.id == row.id).execute()


def held(row: Outbox, until: datetime) -> None:
    """Have a message wait for its chat; that is no try."""
    with transaction():
        Outbox.update(send_at=until).where(Outbox.id == row.id).execute()


def again(now: datetime) -> int:
    """Try once more what was set aside, e.g. before an upgrade; return how many there are."""
    with transaction():
        aside = Outbox.state == OutboxState.ASIDE
        return Outbox.update(state=OutboxState.PENDING, send_at=now, tries=0).where(aside).execute()


def alive(refs: Collection[str]) -> set[str]:
    """Return those of the `refs` that have a message on its way, sent or set aside: one that was not just dropped."""
    with connection():
        found = (
            Outbox.select(Outbox.ref).where(Outbox.ref.in_(refs), Outbox.state != OutboxState.DROPPED) if refs else []
        )
        return {row.ref for row in found}


def states(ref: str) -> set[str]:
    """Return the states of the messages under a `ref`."""
    with connection():
        return {row.state for row in Outbox.select(Outbox.state).where(Outbox.ref == ref).distinct()}


def rounds(ref: str) -> int:
    """Return how many messages under a `ref` were dropped: the next copies have other keys than those."""
    with connection():
        return Outbox.select().where(Outbox.ref == ref, Outbox.state == OutboxState.DROPPED).count()


def to_person(row: Outbox) -> None:
    """Send what a group does not take to the user it would be in the language of."""
    with transaction():
        Outbox.update(chat_id=None).where(Outbox.id == row.id).execute()


def readdress(old: int, new: int | None) -> None:
    """Send what waits for a group to its new chat, or with None to the people themselves."""
    with transaction():
        Outbox.update(chat_id=new).where(Outbox.chat_id == old, Outbox.state == OutboxState.PENDING).execute()


def withdraw(ref: str) -> None:
    """Drop the messages under a `ref` that have not been sent yet."""
    with transaction():
        Outbox.update(state=OutboxState.DROPPED).where(Outbox.ref == ref, Outbox.state == OutboxState.PENDING).execute()


def sent_for(ref: str) -> list[Outbox]:
    """Return the messages sent under a `ref`, e.g. every admin's copy of a request."""
    with connection():
        return list(Outbox.select().where(Outbox.ref == ref, Outbox.state == OutboxState.SENT))

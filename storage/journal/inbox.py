"""Updates, kept as rows from the moment they arrive until they have been handled."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from peewee import SQL, ModelSelect, fn

from storage.base.db import UtcField, connection, transaction
from storage.base.prepared import SIZES, Prepared, padded
from storage.base.tables import Inbox, User

MAX_ATTEMPTS = 3
AT_ONCE = SIZES[-1]  # rows of one statement; after an outage they are many
MINUTE_US = SQL("60000000")
INSERT = (
    "INSERT INTO inbox (update_id, lane, body, received_at, attempts, aside) VALUES"  # peewee takes three times as long
)


def store(rows: Sequence[tuple[int, int, str]], now: datetime) -> None:
    """Keep updates, each `(update_id, lane, body)`, in one transaction; known ones are ignored."""
    values = [value for row in rows for value in (*row, UtcField().db_value(now))]
    with transaction() as db:
        row = f"({', '.join([db.param] * 4)}, 0, FALSE)"
        db.execute_sql(f"{INSERT} {', '.join([row] * len(rows))} ON CONFLICT DO NOTHING", values)


def left() -> list[Inbox]:
    """Return the updates that a previous run did not finish, oldest first."""
    with connection():
        return list(Inbox.select().where(~Inbox.aside).order_by(Inbox.update_id))


@Prepared[tuple[int]]
def _ids() -> "ModelSelect[Inbox]":
    return Inbox.select(Inbox.update_id).where(~Inbox.aside).order_by(Inbox.update_id)


def ids() -> list[int]:
    """Return the ids of the updates that wait or are being handled, oldest first."""
    return [update_id for (update_id,) in _ids.rows()]


def get(update_ids: Iterable[int]) -> list[Inbox]:
    """Return those of these updates that still have to be handled, oldest first."""
    with connection():
        return list(Inbox.select().where(Inbox.update_id.in_(list(update_ids)), ~Inbox.aside).order_by(Inbox.update_id))


def attempt_all(update_ids: Iterable[int]) -> None:
    """Count an attempt for each of these updates."""
    with transaction():
        Inbox.update(attempts=Inbox.attempts + 1).where(Inbox.update_id.in_(list(update_ids))).execute()


def attempt(update_id: int) -> int:
    """Count an attempt, before handling, and return its number; 0 if the update is gone."""
    with transaction():
        rows = (
            Inbox.update(attempts=Inbox.attempts + 1)
            .where(Inbox.update_id == update_id, ~Inbox.aside)
            .returning(Inbox.attempts)
            .tuples()
            .execute()
        )
        return next((attempts for (attempts,) in rows), 0)


def done(update_ids: Iterable[int]) -> None:
    """Delete updates that have been handled."""
    handled = list(update_ids)
    with transaction():
        for start in range(0, len(handled), AT_ONCE):
            part = padded(handled[start : start + AT_ONCE])
            note_seen(part)
            _deletion(len(part)).run(*part)


def note_seen(update_ids: Sequence[int]) -> None:
    """Note when people were seen in their private chats, to the minute, within the transaction that deletes these updates.

    A transaction of its own for each would take longer than most answers.
    """
    _note_seen(len(update_ids)).run(*update_ids)


@lru_cache(maxsize=8)
def _deletion(count: int) -> Prepared[Inbox]:
    return Prepared(lambda *ids: Inbox.delete().where(Inbox.update_id.in_(ids)), count)


@lru_cache(maxsize=8)
def _note_seen(count: int) -> Prepared[User]:
    since = Inbox.received_at.cast("BIGINT") - User.seen_at.cast("BIGINT")
    is_theirs = Inbox.lane == User.telegram_id  # the lane of a private chat is the person's id
    query = User.update(seen_at=Inbox.received_at).from_(Inbox).where(is_theirs, since >= MINUTE_US)
    return Prepared(lambda *ids: query.where(Inbox.update_id.in_(ids)), count)


def set_aside(update_id: int) -> None:
    """Set an update aside for the admin: it cannot be handled, and is never tried again."""
    with transaction():
        Inbox.update(aside=True).where(Inbox.update_id == update_id).execute()


def oldest_wait() -> datetime | None:
    """Return when the oldest unhandled update arrived, or None."""
    with connection():
        return Inbox.select(fn.MIN(Inbox.received_at)).where(~Inbox.aside).scalar()

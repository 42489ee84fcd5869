"""Which message shows which result, so that a reply to it refers to exactly that result."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.tables import Job, Media, ResultMessage

NOTE = """
    INSERT INTO result_message (chat_id, message_id, user_id, job_id, part) VALUES ({})
    ON CONFLICT (chat_id, message_id)
    DO UPDATE SET user_id = excluded.user_id, job_id = excluded.job_id, part = excluded.part"""  # plain SQL: Peewee takes longer to compile it than the database to run it


class Shown(NamedTuple):
    """An order that a message shows; `part` is the number of the result, None for all of them."""

    job: Job
    part: int | None


def note(user_id: int, job_id: int, chat_id: int, parts: Mapping[int, int | None]) -> None:
    """Record that messages ({message id: part}) of a chat show a result now, whatever they showed before."""
    with transaction():
        _write([(chat_id, message_id, user_id, job_id, part) for message_id, part in parts.items()])


def note_sent(job: Job, sent: list[Media]) -> None:
    """Record the messages of a delivery: one per result in order, and one more below an album.

    Call it in the transaction of the delivery.
    """
    count, chat_id = len(job.result["urls"]) or 1, job.chat_id or job.user.telegram_id
    _write(
        [
            (chat_id, media["message_id"], job.user_id, job.id, place if place < count else None)
            for place, media in enumerate(sent)
        ]
    )


def _write(rows: list[tuple[Any, ...]]) -> None:
    with connection() as db:
        for row in rows:
            db.execute_sql(NOTE.format(", ".join([db.param] * len(row))), row)


def find(user_id: int, chat_id: int, message_id: int) -> Shown | None:
    """Return what a message shows, or None unless it is a result of this person."""
    with connection():
        row = ResultMessage.get_or_none(
            ResultMessage.chat_id == chat_id, ResultMessage.message_id == message_id, ResultMessage.user == user_id
        )
        job = row and Job.get_or_none(Job.id == row.job_id, Job.user == user_id)
        return Shown(job, row.part) if row and job else None


def last(user_id: int, chat_id: int) -> Shown | None:
    """Return what the newest message of a chat that shows a result of this person shows, or None."""
    with connection():
        rows = ResultMessage.select().where(ResultMessage.chat_id == chat_id, ResultMessage.user == user_id)
        row = rows.order_by(ResultMessage.message_id.desc()).first()
        job = row and Job.get_or_none(Job.id == row.job_id, Job.user == user_id)
        return Shown(job, row.part) if row and job else None


def in_group(chat_id: int, message_id: int) -> Shown | None:
    """Return what a message of a group shows, whosever order it was, or None."""
    with connection():
        row = ResultMessage.get_or_none(ResultMessage.chat_id == chat_id, ResultMessage.message_id == message_id)
        job = row and Job.get_or_none(Job.id == row.job_id, Job.chat_id == chat_id)
        return Shown(job, row.part) if row and job else None


def has_any(user_id: int) -> bool:
    """Return whether the person has had a result that can be replied to."""
    return _any.first(user_id) is not None


_any = Prepared[tuple[int]](
    lambda user: ResultMessage.select(ResultMessage.message_id).where(ResultMessage.user == user).limit(1)
)

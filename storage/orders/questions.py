"""Questions to chat models: jobs with a `topic`, which is the id of the first question of their conversation.

    queued → submitting → succeeded      (submitting: the model is being asked, in the call that brings the answer)
       │         └→ failed
       └→ cancelled

A call whose outcome is unknown is never repeated: its question fails and the hold is released. Each person has at most
one open question, so the turns of a topic are in the order of their ids.
"""

from datetime import datetime, timedelta

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import OPEN_JOBS, JobState
from storage.base.tables import Job, User
from storage.orders import jobs

PATIENCE = timedelta(minutes=10)  # how long a question may wait to be asked


class AlreadyAsking(Exception):
    """The user has an open question."""


def ask(
    user_id: int, name: str, quote: jobs.Quote, *, now: datetime, usual_s: int, limit: int, starts: int
) -> tuple[Job, bool]:
    """Create a queued question with its hold and return (question, created); a `name` that is known returns its question.

    `quote.topic` is None for the first question of a topic. Raise AlreadyAsking, jobs.TooManyJobs, jobs.TooManyStarts,
    ledger.NotEnoughMoney or free.NoneLeft, each of which leaves everything as it was.
    """
    with transaction():
        known = Job.get_or_none(Job.quote == name, Job.user == user_id)
        if known is not None:
            return known, False
        job = jobs.create(user_id, name, quote, now=now, usual_s=usual_s, patience=PATIENCE)
        if job.topic is None:
            Job.update(topic=job.id).where(Job.id == job.id).execute()
            job.topic = job.id
        open_ones = Job.select().where(Job.user == user_id, Job.state.in_(OPEN_JOBS))  # after the hold, which locks
        if open_ones.where(Job.topic.is_null(False)).count() > 1:
            raise AlreadyAsking
        if open_ones.count() > limit:
            raise jobs.TooManyJobs
        jobs.refuse_haste(user_id, starts, now)
        return job, True


def models_due(now: datetime) -> list[str]:
    """Return the models that questions wait for."""
    return [model for (model,) in _models_due.rows(now)]


@Prepared[tuple[str]]
def _models_due(now: datetime) -> "ModelSelect[Job]":
    waiting = Job.state == JobState.QUEUED, Job.topic.is_null(False), Job.submit_at <= now
    return Job.select(Job.model).where(*waiting).group_by(Job.model)


def due(model: str, now: datetime, limit: int) -> list[Job]:
    """Return the questions to ask a model now, the oldest first, each with its user."""
    with connection():
        waiting = Job.state == JobState.QUEUED, Job.topic.is_null(False), Job.model == model, Job.submit_at <= now
        return list(Job.select(Job, User).join(User).where(*waiting).order_by(Job.id).limit(limit))


def interrupted(before: datetime) -> list[Job]:
    """Return the questions that have been asked since before a time, so that no call can be under way any more."""
    return _interrupted.rows(before)


@Prepared[Job]
def _interrupted(before: datetime) -> "ModelSelect[Job]":
    return Job.select().where(Job.state == JobState.SUBMITTING, Job.submitted_at <= before, Job.topic.is_null(False))


def turns(topic: int, before: int | None, limit: int) -> list[Job]:
    """Return the answered questions of a topic, older than a job id if given, the newest first."""
    with connection():
        query = Job.select().where(Job.topic == topic, Job.result.is_null(False))
        if before is not None:
            query = query.where(Job.id < before)
        return list(query.order_by(Job.id.desc()).limit(limit))


def charged(topic: int, until: int) -> int:
    """Return what the questions of a topic have cost up to a job id, in minor units."""
    with connection():
        return int(Job.select(fn.SUM(Job.charged)).where(Job.topic == topic, Job.id <= until).scalar() or 0)

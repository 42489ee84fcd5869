"""Signs of trouble with orders: some that make no progress, models that fail."""

from datetime import datetime, timedelta
from typing import NamedTuple

from peewee import ModelSelect, fn

from storage.base.db import connection
from storage.base.prepared import Prepared
from storage.base.states import DeliveryState, JobState
from storage.base.tables import Job

QUEUED, SUBMITTING, DELIVERY = timedelta(minutes=15), timedelta(minutes=10), timedelta(minutes=30)
OVERDUE = timedelta(minutes=5)
OWN_FAULT = (
    "moderation",
    "file",
    "file_too_big",
    "validation",
    "credits",
    "key",
)  # failures that say nothing about the model


class Outcomes(NamedTuple):
    """How many orders succeeded and how many failed."""

    succeeded: int
    failed: int


class Orders(NamedTuple):
    """A user's orders: how many, how many failed, and the sum charged in minor units."""

    orders: int
    failed: int
    charged: int


def stuck(now: datetime) -> int:
    """Return how many orders have been queued, submitting, past their deadline or undelivered for too long."""
    return int(_stuck.scalar(now - QUEUED, now - SUBMITTING, now - OVERDUE, now - DELIVERY))


@Prepared[tuple[int]]
def _stuck(queued: datetime, submitting: datetime, overdue: datetime, delivering: datetime) -> "ModelSelect[Job]":
    waiting = (Job.state == JobState.QUEUED) & (Job.created_at < queued)
    sending = (Job.state == JobState.SUBMITTING) & (Job.submitted_at < submitting)
    running = Job.state.in_((JobState.RUNNING, JobState.LOST)) & (Job.deadline_at < overdue)
    arriving = (Job.delivery == DeliveryState.PENDING) & (Job.finished_at < delivering)
    return Job.select(fn.COUNT(Job.id)).where(waiting | sending | running | arriving)


def outcomes(since: datetime) -> dict[str, Outcomes]:
    """Return {model: Outcomes} of the orders that ended since a time, except failures that are not the model's."""
    outcomes: dict[str, Outcomes] = {}
    for model, state, count in _ended.rows(since):
        done, failed = outcomes.get(model, (0, 0))
        outcomes[model] = (
            Outcomes(done + count, failed) if state == JobState.SUCCEEDED else Outcomes(done, failed + count)
        )
    return outcomes


@Prepared[tuple[str, str, int]]
def _ended(since: datetime) -> "ModelSelect[Job]":
    counted = (Job.state == JobState.SUCCEEDED) | ((Job.state == JobState.FAILED) & Job.reason.not_in(OWN_FAULT))
    query = Job.select(Job.model, Job.state, fn.COUNT(Job.id)).where(Job.finished_at >= since, counted)
    return query.group_by(Job.model, Job.state)


def orders_of(user_id: int) -> Orders:
    """Sum up a user's orders."""
    with connection():
        rows = (
            Job.select(Job.state, fn.COUNT(Job.id), fn.SUM(Job.charged)).where(Job.user == user_id).group_by(Job.state)
        )
        states = {state: (count, int(charged or 0)) for state, count, charged in rows.tuples().execute()}
        total = sum(count for count, _charged in states.values())
        failed, _charged = states.get(JobState.FAILED, (0, 0))
        return Orders(total, failed, sum(charged for _count, charged in states.values()))

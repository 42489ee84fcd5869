"""Signs of trouble, read from the rows: orders that stand still, models that fail."""

from datetime import timedelta

from peewee import fn

from storage.base.db import connection
from storage.base.tables import Job

QUEUED, SUBMITTING, DELIVERY = timedelta(minutes=15), timedelta(minutes=10), timedelta(minutes=30)
OVERDUE = timedelta(minutes=5)
OWN_FAULT = ("moderation", "file", "file_too_big", "validation", "credits", "key")  # says nothing about the model


def stuck(now):
    """Return how many orders stand still: queued, being sent, past their deadline or undelivered for too long."""
    with connection():
        waiting = (Job.state == "queued") & (Job.created_at < now - QUEUED)
        sending = (Job.state == "submitting") & (Job.submitted_at < now - SUBMITTING)
        running = Job.state.in_(("running", "lost")) & (Job.deadline_at < now - OVERDUE)
        arriving = (Job.delivery == "pending") & (Job.finished_at < now - DELIVERY)
        return Job.select().where(waiting | sending | running | arriving).count()


def outcomes(since):
    """Return {model: (succeeded, failed)} of orders that ended since a time; failures of people's own making not."""
    with connection():
        counted = (Job.state == "succeeded") | ((Job.state == "failed") & Job.reason.not_in(OWN_FAULT))
        query = Job.select(Job.model, Job.state, fn.COUNT(Job.id)).where(Job.finished_at >= since, counted)
        found = {}
        for model, state, count in query.group_by(Job.model, Job.state).tuples():
            done, failed = found.get(model, (0, 0))
            found[model] = (done + count, failed) if state == "succeeded" else (done, failed + count)
        return found


def orders_of(user_id):
    """Return (orders, failed ones, sum charged in minor units) of a user."""
    with connection():
        rows = (
            Job.select(Job.state, fn.COUNT(Job.id), fn.SUM(Job.charged)).where(Job.user == user_id).group_by(Job.state)
        )
        found = {state: (count, int(charged or 0)) for state, count, charged in rows.tuples()}
        total = sum(count for count, _charged in found.values())
        return total, found.get("failed", (0, 0))[0], sum(charged for _count, charged in found.values())

"""Statistics for admins over a span of time, and rows to export."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, SQL, ModelSelect, fn

from storage.base.db import EPOCH, connection
from storage.base.states import JobState
from storage.base.tables import Entry, Job, TopUp, User, Words
from storage.journal import audit_log
from storage.money.payments import CREDITS
from storage.orders.jobs import JobSums

DAY_US = SQL("86400000000")  # microseconds; not a parameter, as PostgreSQL compares the text of grouped expressions


Export = tuple[tuple[str, ...], "ModelSelect[Any]"]  # the header of a CSV file, and the query of its rows


class ModelSums(NamedTuple):
    """A model's orders: how many, how many succeeded, and the sum charged in minor units."""

    model: str
    orders: int
    succeeded: int
    charged: int


def money_by_day(since: datetime, kinds: Collection[str]) -> dict[int, dict[str, int]]:
    """Return {day (days since 1970, UTC): {kind: sum in minor units}} of the entries of some kinds since a time."""
    with connection():
        day = _day(Entry.created_at)
        query = (
            Entry.select(day, Entry.kind, fn.SUM(Entry.amount))
            .where(Entry.created_at >= since, Entry.kind.in_(kinds))
            .group_by(day, Entry.kind)
        )
        days: dict[int, dict[str, int]] = {}
        for number, kind, total in query.tuples().execute():
            days.setdefault(int(number), {})[kind] = int(total)
        return days


def jobs_by_day(since: datetime) -> dict[int, JobSums]:
    """Return {day: JobSums} of the jobs that ended since a time: only those that succeeded count, but each one's cost does."""
    with connection():
        day, done = _day(Job.finished_at), fn.SUM((Job.state == JobState.SUCCEEDED).cast("INTEGER"))
        query = Job.select(day, done, fn.SUM(Job.charged), fn.SUM(Job.cost))
        query = query.where(Job.finished_at >= since).group_by(day)
        return {
            int(d): JobSums(int(n), int(charged or 0), int(cost or 0))
            for d, n, charged, cost in query.tuples().execute()
        }


def _day(column: Any) -> Any:
    """Return the SQL of a UtcField's day, computed from the stored microseconds."""
    return (column.cast("BIGINT") / DAY_US).cast("BIGINT")


def jobs_by_model(since: datetime, limit: int = 8) -> list[ModelSums]:
    """Return the models ordered since a time, the most ordered first."""
    with connection():
        done = fn.SUM((Job.state == JobState.SUCCEEDED).cast("INTEGER"))
        query = (
            Job.select(Job.model, fn.COUNT(Job.id), done, fn.SUM(Job.charged))
            .where(Job.created_at >= since)
            .group_by(Job.model)
            .order_by(fn.COUNT(Job.id).desc(), Job.model)
            .limit(limit)
        )
        return [
            ModelSums(model, n, int(ok or 0), int(charged or 0)) for model, n, ok, charged in query.tuples().execute()
        ]


def median_seconds(since: datetime) -> float | None:
    """Return the median time from a job's start to its result since a time, in seconds, or None."""
    with connection():
        took = Job.finished_at.cast("BIGINT") - Job.submitted_at.cast("BIGINT")
        query = Job.select(took).where(
            Job.finished_at >= since, Job.state == JobState.SUCCEEDED, Job.submitted_at.is_null(False)
        )
        count = query.count()
        if not count:
            return None
        middle = query.order_by(took).limit(1).offset((count - 1) // 2).tuples().first()[0]
        return (middle if isinstance(middle, int) else (middle - EPOCH).total_seconds() * 1e6) / 1e6


def payers(since: datetime) -> tuple[int, int]:
    """Return (users created since a time, those of them who have paid since)."""
    with connection():
        brought = (Entry.created_at >= since) & Entry.kind.in_(CREDITS) & (Entry.amount > 0)
        paid = Entry.select(fn.COUNT(fn.DISTINCT(Entry.user))).join(User, on=Entry.user)
        return (
            User.select().where(User.created_at >= since).count(),
            paid.where(brought, User.created_at >= since).scalar(),
        )


def export(table: str, since: datetime, actor: int, now: datetime) -> Iterator[tuple[Any, ...]]:
    """Yield the header and the rows of `entries`, `jobs`, `users` or `topups` since a time, and log the export."""
    columns, query = {
        "entries": _entries,
        "jobs": _jobs,
        "users": _users,
        "topups": _topups,
    }[table](since)
    audit_log.note(actor, f"export_{table}", now)
    yield columns
    with connection():
        yield from query.tuples().iterator()


def _entries(since: datetime) -> Export:
    query = Entry.select(
        Entry.id, Entry.created_at, User.telegram_id, Entry.amount, Entry.kind, Entry.key, Entry.actor, Words.text
    )
    query = query.join(User, JOIN.LEFT_OUTER, on=(Entry.user == User.id)).where(Entry.created_at >= since)
    query = query.join_from(Entry, Words, JOIN.LEFT_OUTER, on=(Entry.digest == Words.digest))
    return ("id", "time", "telegram_id", "amount", "kind", "key", "actor", "reason"), query.order_by(Entry.id)


def _jobs(since: datetime) -> Export:
    query = Job.select(
        Job.id, Job.created_at, User.telegram_id, Job.model, Job.state, Job.price, Job.charged, Job.cost, Job.reason
    )
    query = query.join(User).where(Job.created_at >= since)
    names = ("id", "time", "telegram_id", "model", "state", "price", "charged", "cost_microcredits", "reason")
    return names, query.order_by(Job.id)


def _users(since: datetime) -> Export:
    query = User.select(User.id, User.created_at, User.telegram_id, User.first_name, User.username, User.lang)
    return ("id", "time", "telegram_id", "first_name", "username", "lang"), query.where(User.created_at >= since)


def _topups(since: datetime) -> Export:
    query = TopUp.select(
        TopUp.id, TopUp.created_at, User.telegram_id, TopUp.method, TopUp.amount, TopUp.credited, TopUp.state
    )
    query = query.join(User, on=TopUp.user).where(TopUp.created_at >= since)
    return ("id", "time", "telegram_id", "method", "amount", "credited", "state"), query.order_by(TopUp.id)

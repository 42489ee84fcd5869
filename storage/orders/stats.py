"""Figures over a span of time until now, as the screens of the staff show them; and rows to export.

Whole hours that are closed come from their sums, the rest from its rows (`storage/money/closings.py`): each is exactly
what its rows alone would give, however many there are.
"""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from peewee import JOIN, ModelSelect

from storage.base.db import connection
from storage.base.states import OPEN_JOBS, JobState
from storage.base.tables import Entry, Job, TopUp, User, Words
from storage.journal import audit_log
from storage.money import closings
from storage.money.closings import AFTER, BEFORE, COST, ENDED, ORDER, QUARTER, SUMMED
from storage.money.ledger import Total

DAY = 96  # quarters of an hour
DONE = f"CASE WHEN j.state = '{JobState.SUCCEEDED}' THEN 1 ELSE 0 END"
SETTLED = f"FROM entry e JOIN job j ON {ORDER} WHERE {ENDED} AND"  # the orders that ended with some entries
WASTED = f"j.state <> '{JobState.SUCCEEDED}' AND j.cost > 0"  # word for word as the indexes `job_wasted…` have it
OPEN = ", ".join(f"'{state}'" for state in OPEN_JOBS)

# The orders made since a time: (model, state, how many, charged, cost).
MADE = f"""
    SELECT model, state, orders AS n, charged, cost FROM order_sum WHERE {SUMMED}
    UNION ALL SELECT j.model, j.state, 1, j.charged, {COST} FROM job j WHERE j.created_at >= :since AND j.created_at < :edge
    UNION ALL SELECT j.model, j.state, 1, j.charged, {COST} {SETTLED} e.id > :entry AND +j.created_at >= :edge
    UNION ALL SELECT j.model, j.state, 1, j.charged, NULL FROM job j WHERE j.state IN ({OPEN}) AND +j.created_at >= :edge
    UNION ALL SELECT j.model, j.state, 0, 0, j.cost FROM job j WHERE {WASTED} AND j.created_at >= :since"""
# The orders that ended since a time: (day, how many succeeded, charged, cost).
OUTCOMES = f"""
    SELECT quarter / {DAY} AS day, succeeded AS n, charged, cost FROM outcome_sum WHERE {SUMMED}
    UNION ALL SELECT j.finished_at / {DAY * QUARTER}, {DONE}, j.charged, {COST} {SETTLED} {BEFORE}
    UNION ALL SELECT j.finished_at / {DAY * QUARTER}, {DONE}, j.charged, {COST} {SETTLED} {AFTER}
    UNION ALL SELECT j.finished_at / {DAY * QUARTER}, 0, 0, j.cost FROM job j WHERE {WASTED} AND j.finished_at >= :since"""
BEYOND = f"""
    SELECT overruns AS n, overrun FROM outcome_sum WHERE {SUMMED}
    UNION ALL SELECT 1, j.overrun {SETTLED} j.overrun > 0 AND {BEFORE}
    UNION ALL SELECT 1, j.overrun {SETTLED} j.overrun > 0 AND {AFTER}"""
TOOK = (
    f"SELECT NULL, (j.finished_at - j.submitted_at) / 1000000 {SETTLED} {DONE} = 1 AND j.submitted_at IS NOT NULL AND"
)
TIMES = f"SELECT times, NULL FROM outcome_sum WHERE {SUMMED} UNION ALL {TOOK} {BEFORE} UNION ALL {TOOK} {AFTER}"
PAYERS = """
    SELECT COUNT(DISTINCT e.user_id) FROM entry e JOIN "user" u ON u.id = e.user_id
    WHERE e.kind IN ('topup', 'stars') AND e.amount > 0 AND e.created_at >= :since AND +u.created_at >= :since"""


Export = tuple[tuple[str, ...], "ModelSelect[Any]"]  # the header of a CSV file, and the query of its rows


class JobSums(NamedTuple):
    """Orders: how many, the sum charged in minor units, and what KIE took in millionths of a credit."""

    jobs: int
    charged: int
    cost: int


class ModelSums(NamedTuple):
    """A model's orders: how many, how many succeeded, and the sum charged in minor units."""

    model: str
    orders: int
    succeeded: int
    charged: int


def money_by_day(since: datetime, kinds: Collection[str]) -> dict[int, dict[str, int]]:
    """Return {day (days since 1970, UTC): {kind: sum in minor units}} of the entries of some kinds since a time."""
    days: dict[int, dict[str, int]] = {}
    for day, kind, total, _number in closings.entry_sums(since, f"quarter / {DAY}, kind", list(kinds)):
        days.setdefault(day, {})[kind] = int(total)
    return days


def jobs_by_day(since: datetime) -> dict[int, JobSums]:
    """Return {day: JobSums} of the jobs that ended since a time: only those that succeeded count, but each one's cost does."""
    rows = closings.query(f"SELECT day, SUM(n), SUM(charged), SUM(cost) FROM ({OUTCOMES}) x GROUP BY day", since)
    return {day: _sums(*values) for day, *values in rows}


def _sums(jobs: int, charged: int | None, cost: int | None) -> JobSums:
    return JobSums(int(jobs), int(charged or 0), int(cost or 0))


def figures(since: datetime) -> dict[str, JobSums]:
    """Return {state: JobSums} of the orders since a time."""
    rows = closings.query(f"SELECT state, SUM(n), SUM(charged), SUM(cost) FROM ({MADE}) x GROUP BY state", since)
    return {state: _sums(*values) for state, *values in rows}


def spent_credits(since: datetime) -> int:
    """Return what KIE took for the orders since a time, in millionths of a credit."""
    return sum(state.cost for state in figures(since).values())


def jobs_by_model(since: datetime, limit: int = 8) -> list[ModelSums]:
    """Return the models ordered since a time, the most ordered first."""
    done = f"SUM(CASE WHEN state = '{JobState.SUCCEEDED}' THEN n ELSE 0 END)"
    rows = closings.query(
        f"SELECT model, SUM(n), {done}, SUM(charged) FROM ({MADE}) x GROUP BY model ORDER BY 2 DESC, 1 LIMIT {limit:d}",
        since,
    )
    return [ModelSums(model, int(n), int(ok), int(charged or 0)) for model, n, ok, charged in rows]


def popularity(now: datetime, days: int = 30) -> dict[str, int]:
    """Return {model: number of orders} of the last days."""
    rows = closings.query(f"SELECT model, SUM(n) FROM ({MADE}) x GROUP BY model", now - timedelta(days=days))
    return {model: int(n) for model, n in rows}


def overruns(since: datetime) -> Total:
    """Return number and sum of the overruns of orders that ended since a time."""
    ((count, total),) = closings.query(f"SELECT SUM(n), SUM(overrun) FROM ({BEYOND}) x", since)
    return Total(int(count or 0), int(total or 0))


def median_seconds(since: datetime) -> int | None:
    """Return the median time from a job's start to its result since a time, in whole seconds, or None."""
    took: dict[str, int] = {}
    for times, each in closings.query(TIMES, since):
        for seconds, orders in (json.loads(times) if times else {str(each): 1}).items():
            took[seconds] = took.get(seconds, 0) + orders
    left = (sum(took.values()) - 1) // 2
    for whole in sorted(map(int, took)):
        left -= took[str(whole)]
        if left < 0:
            return whole
    return None


def payers(since: datetime) -> tuple[int, int]:
    """Return (users created since a time, those of them who have paid since)."""
    ((fresh,),) = closings.query('SELECT COUNT(*) FROM "user" WHERE created_at >= :since', since)
    ((paid,),) = closings.query(PAYERS, since)
    return fresh, paid


# rows to export


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

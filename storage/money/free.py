"""Free orders: limited for each person, and for the whole bot on each day; a failed order gives its own back.

Rows are counted under a `day`: a calendar day, or WELCOME for a person's first ones, which are given only once. They
belong to the person behind all their accounts, so an erasure brings nothing back.
"""

from datetime import datetime
from typing import Any, TypedDict

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import FreeDay, FreeRun, Job
from storage.money import persons

WELCOME = "welcome"


class NoneLeft(Exception):
    """The person, or the whole bot, has used up the free orders."""


class Offer(TypedDict):
    """What makes an order free, as it is kept with the quote."""

    day: str
    limit: int  # per person under this `day`
    left: int  # when it was shown
    ceiling: int  # for the whole bot on the day of the order


def used(user_id: int, day: str) -> int:
    """Return how many free orders the person behind a user has had under a `day`."""
    with connection():
        return FreeRun.select().where(FreeRun.user.in_(persons.accounts(user_id)), FreeRun.day == day).count()


def given(now: datetime) -> int:
    """Return how many free orders the whole bot has given on this day (UTC)."""
    with connection():
        return FreeDay.select(FreeDay.runs).where(FreeDay.day == _today(now)).scalar() or 0


def cost(now: datetime) -> int:
    """Return what KIE has taken so far for the free orders of this day, in millionths of a credit."""
    with connection():
        taken = Job.select(fn.SUM(Job.cost)).join(FreeRun).where(FreeRun.counted_on == _today(now)).scalar()
        return int(taken or 0)


def take(user_id: int, offer: Offer, job_id: int, now: datetime) -> None:
    """Count a free order, within the transaction that creates the job; raise NoneLeft if none is left.

    It gets the lowest free number, which a unique key keeps from being taken twice; the day's count grows only while it
    is below the ceiling.
    """
    day, ceiling = offer["day"], offer.get("ceiling", 0)  # a quote of an older version has none, and is shown anew
    with transaction():
        query = FreeRun.select(FreeRun.number).where(FreeRun.user.in_(persons.accounts(user_id)), FreeRun.day == day)
        taken = {number for (number,) in query.tuples().execute()}
        number = next((n for n in range(1, offer["limit"] + 1) if n not in taken), None)
        fields = dict(user=user_id, day=day, number=number, job=job_id, counted_on=_today(now))
        row: Any = FreeRun.insert(**fields) if number else None
        if row is None or not list(row.on_conflict_ignore().returning(FreeRun.id).tuples().execute()):
            raise NoneLeft(day)
        if not _count(_today(now), ceiling):
            raise NoneLeft(_today(now))


def _count(day: str, ceiling: int) -> bool:
    """Count one more for the whole bot; return False at the ceiling."""
    row = FreeDay.insert(day=day, runs=1)
    more = {"update": {FreeDay.runs: FreeDay.runs + 1}, "where": FreeDay.runs < ceiling}
    query = row.on_conflict(conflict_target=[FreeDay.day], **more)
    return ceiling > 0 and bool(list(query.returning(FreeDay.runs).tuples().execute()))


def give_back(job_id: int) -> bool:
    """Give back the free order of a failed job; return whether it was one."""
    with transaction():
        rows = FreeRun.delete().where(FreeRun.job == job_id).returning(FreeRun).execute()
        gone = next(iter(rows), None)
        if gone is not None and gone.counted_on:
            FreeDay.update(runs=FreeDay.runs - 1).where(FreeDay.day == gone.counted_on).execute()
        return gone is not None


def _today(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"

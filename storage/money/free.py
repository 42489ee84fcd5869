"""Free orders: a limited number per person and day, counted by their rows; a failed order's row is deleted."""

from storage.base.db import connection, transaction
from storage.base.tables import FreeRun
from storage.money import persons


class NoneLeft(Exception):
    """The person has used up the day's free orders."""


def used(user_id: int, day: str) -> int:
    """Return how many free orders the person behind a user has had on a day."""
    with connection():
        return FreeRun.select().where(FreeRun.user.in_(persons.accounts(user_id)), FreeRun.day == day).count()


def take(user_id: int, day: str, limit: int, job_id: int) -> None:
    """Count a free order, within the transaction that creates the job; raise NoneLeft if none is left.

    It gets the lowest free number, which a unique key keeps from being taken twice.
    """
    with transaction():
        query = FreeRun.select(FreeRun.number).where(FreeRun.user.in_(persons.accounts(user_id)), FreeRun.day == day)
        taken = {number for (number,) in query.tuples().execute()}
        number = next((n for n in range(1, limit + 1) if n not in taken), None)
        row = FreeRun.insert(user=user_id, day=day, number=number, job=job_id) if number else None
        if row is None or not list(row.on_conflict_ignore().returning(FreeRun.id).tuples().execute()):
            raise NoneLeft(day)


def give_back(job_id: int) -> bool:
    """Give back the free order of a failed job; return whether it was one."""
    with transaction():
        return bool(FreeRun.delete().where(FreeRun.job == job_id).execute())

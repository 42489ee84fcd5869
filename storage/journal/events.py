"""Events: what happened, committed with its cause; listeners run afterwards, at least once.

A listener's effects and its mark in `fact_done` share a transaction, so the effects happen once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from peewee import ModelSelect

from storage.base.db import transaction
from storage.base.prepared import Prepared
from storage.base.tables import Fact, FactDone

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


def emit(kind: str, now: datetime, **data: Any) -> None:
    """Record an event, within the transaction of its cause."""
    with transaction():
        Fact.insert(kind=kind, data=data, run_at=now).execute()


def due(now: datetime, limit: int = 50) -> list[Fact]:
    """Return the events whose listeners are due, oldest first."""
    return _due.rows(now, limit)


@Prepared[Fact]
def _due(now: datetime, limit: int) -> "ModelSelect[Fact]":
    return Fact.select().where(Fact.run_at <= now).order_by(Fact.id).limit(limit)


def run_once(fact: Fact, name: str, listener: Callable[[Fact], object]) -> None:
    """Run a listener and mark it as done, in one transaction; one that is marked already is not run again."""
    with transaction():
        mark = FactDone.insert(fact_id=fact.id, listener=name).on_conflict_ignore().returning(FactDone.listener)
        if list(mark.tuples().execute()):
            listener(fact)


def done(fact: Fact) -> None:
    """Delete an event that all its listeners have handled."""
    with transaction():
        Fact.delete().where(Fact.id == fact.id).execute()
        FactDone.delete().where(FactDone.fact_id == fact.id).execute()


def postponed(fact: Fact, now: datetime) -> int:
    """Try an event's failed listeners again later, after a wait that grows each time; return the number of tries."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 4**fact.tries)
    with transaction():
        Fact.update(tries=Fact.tries + 1, run_at=now + wait).where(Fact.id == fact.id).execute()
    return fact.tries + 1

"""Events, committed with their cause; listeners run afterwards, at least once. `event_kinds.py` lists them.

A listener's effects and its mark in `fact_done` share a transaction, so the effects happen once.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from peewee import ModelSelect

from storage.base.db import transaction
from storage.base.prepared import Prepared, inserted
from storage.base.tables import Fact, FactDone
from storage.journal.event_kinds import Event

_heard: frozenset[str] | None = None
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


def emit(event: Event, now: datetime) -> None:
    """Record an event, within the transaction of its cause, if there are listeners for its kind."""
    if _heard is None or event.kind in _heard:
        with transaction():
            inserted(Fact, {"kind": event.kind, "data": event.data(), "run_at": now})


def hear(kinds: Iterable[str] | None) -> None:
    """From now on, record only these kinds, which have listeners; None: all kinds."""
    global _heard
    _heard = None if kinds is None else frozenset(kinds)


def due(now: datetime, limit: int = 50) -> list[Fact]:
    """Return the events whose listeners are due, oldest first."""
    return _due.rows(now, limit)


@Prepared[Fact]
def _due(now: datetime, limit: int) -> "ModelSelect[Fact]":
    return Fact.select().where(Fact.run_at <= now).order_by(Fact.id).limit(limit)


def run_once(fact: Fact, name: str, listener: Callable[[], object]) -> None:
    """Run a listener and mark it as done, in one transaction; one that is marked already is not run again."""
    with transaction():
        mark = FactDone.insert(fact_id=fact.id, listener=name).on_conflict_ignore().returning(FactDone.listener)
        if list(mark.tuples().execute()):
            listener()


def done(fact: Fact) -> None:
    """Delete an event that all its listeners have handled."""
    with transaction():
        Fact.delete().where(Fact.id == fact.id).execute()
        FactDone.delete().where(FactDone.fact_id == fact.id).execute()


def postponed(fact: Fact, now: datetime) -> int:
    """Retry an event's failed listeners later, after a wait that grows each time; return the number of tries."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 4**fact.tries)
    with transaction():
        Fact.update(tries=Fact.tries + 1, run_at=now + wait).where(Fact.id == fact.id).execute()
    return fact.tries + 1

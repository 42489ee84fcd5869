"""Events, committed with their cause; listeners run after them, at least once. What there is: `event_kinds.py`.

A listener's effects and its mark in `fact_done` share a transaction, so they happen once.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from peewee import ModelSelect

from storage.base.db import transaction
from storage.base.prepared import Prepared
from storage.base.tables import Fact, FactDone
from storage.journal.event_kinds import Event

_heard: frozenset[str] | None = None
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


def emit(event: Event, now: datetime) -> None:
    """Record an event inside the transaction of its cause, if anybody listens to its kind."""
    if _heard is None or event.kind in _heard:
        with transaction():
            Fact.insert(kind=event.kind, data=event.data(), run_at=now).execute()


def hear(kinds: Iterable[str] | None) -> None:
    """Record only these kinds from now on: those that have a listener. Until it is said, all of them."""
    global _heard
    _heard = None if kinds is None else frozenset(kinds)


def due(now: datetime, limit: int = 50) -> list[Fact]:
    """Return facts whose listeners have work left, oldest first."""
    return _due.rows(now, limit)


@Prepared[Fact]
def _due(now: datetime, limit: int) -> "ModelSelect[Fact]":
    return Fact.select().where(Fact.run_at <= now).order_by(Fact.id).limit(limit)


def run_once(fact: Fact, name: str, listener: Callable[[], object]) -> None:
    """Run a listener's effects together with its mark; a listener that is done already is not run again."""
    with transaction():
        mark = FactDone.insert(fact_id=fact.id, listener=name).on_conflict_ignore().returning(FactDone.listener)
        if list(mark.tuples().execute()):
            listener()


def done(fact: Fact) -> None:
    """Forget a fact all of whose listeners have run."""
    with transaction():
        Fact.delete().where(Fact.id == fact.id).execute()
        FactDone.delete().where(FactDone.fact_id == fact.id).execute()


def postponed(fact: Fact, now: datetime) -> int:
    """Try the listeners that failed again later, each time after a longer wait; return the number of tries."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 4**fact.tries)
    with transaction():
        Fact.update(tries=Fact.tries + 1, run_at=now + wait).where(Fact.id == fact.id).execute()
    return fact.tries + 1

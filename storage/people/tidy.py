"""Deleting rows that are no longer needed: sent, handled or set aside long ago, but never books or open work."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from peewee import Expression, ModelSelect, Value

from storage.base.db import transaction
from storage.base.prepared import Prepared
from storage.base.states import LetterState, OutboxState, TopUpState
from storage.base.tables import Alarm, Fact, FactDone, Inbox, Letter, Outbox, Sketch, TopUp, Trouble
from storage.money.payments import SKETCHES
from storage.people import broadcasts

SOME = 500  # rows at a time, so that others do not wait long for the write lock
Old = tuple[Any, Prepared[tuple[Any]]]  # the key of a table, and the query of some that may go


def _old(key: Any, which: Callable[..., Any], count: int = 1) -> Old:
    return key, Prepared(lambda *values: key.model.select(key).where(which(*values)).limit(SOME), count)


def _is_open_request() -> Expression:
    """Return the condition of messages that will still be edited: copies of requests that wait for a decision."""
    waiting = TopUp.select(Value("topup:").concat(TopUp.id.cast("TEXT"))).where(TopUp.state == TopUpState.PENDING)
    return Outbox.ref.is_null(False) & Outbox.ref.in_(waiting)


def _is_sent(before: datetime) -> Expression:
    return (Outbox.state != OutboxState.PENDING) & (Outbox.send_at < before) & ~_is_open_request()


def _is_read(before: datetime) -> Expression:
    return (Letter.state == LetterState.PASSED) & (Letter.created_at < before)


OLD = {
    "outbox": _old(Outbox.id, _is_sent),
    "inbox": _old(Inbox.update_id, lambda before: Inbox.aside & (Inbox.received_at < before)),
    "trouble": _old(Trouble.code, lambda before: Trouble.created_at < before),
    "alarm": _old(Alarm.cause, lambda before: Alarm.last_at < before),
    "letter": _old(Letter.id, _is_read),
}
TOLD = _old(FactDone.fact_id, lambda: FactDone.fact_id.not_in(Fact.select(Fact.id)), 0)
SKETCHED = _old(Sketch.topup, lambda oldest: Sketch.topup < oldest)


def sweep(before: datetime) -> dict[str, int]:
    """Delete what was done before a time; return {table: rows deleted}."""
    gone = {table: _delete(*old, before) for table, old in OLD.items()}
    gone["fact_done"] = _delete(*TOLD)
    gone["sketch"] = _delete(*SKETCHED, _oldest_sketch.scalar(SKETCHES - 1) or 0)
    gone["recipient"] = broadcasts.sum_up(before)
    return {table: count for table, count in gone.items() if count}


@Prepared[tuple[int]]
def _oldest_sketch(newer: int) -> "ModelSelect[Sketch]":
    """The smallest top-up id whose sketch is still compared."""
    return Sketch.select(Sketch.topup).order_by(Sketch.topup.desc()).offset(newer).limit(1)


def _delete(key: Any, some: Prepared[tuple[Any]], *values: Any) -> int:
    """Delete the rows that `some` finds until there are none; return how many there were."""
    count = 0
    while True:
        with transaction():
            ids = [value for (value,) in some.rows(*values)]
            if not ids:
                return count
            count += key.model.delete().where(key.in_(ids)).execute()

"""Deleting rows that are no longer needed: sent, handled or set aside long ago, but never books or open work."""

from datetime import datetime
from typing import Any

from peewee import Expression, Value

from storage.base.db import transaction
from storage.base.states import LetterState, OutboxState, TopUpState
from storage.base.tables import Alarm, Fact, FactDone, Inbox, Letter, Outbox, Sketch, TopUp, Trouble
from storage.money.payments import SKETCHES
from storage.people import broadcasts

SOME = 500  # rows at a time, so that others do not wait long for the write lock


def sweep(before: datetime) -> dict[str, int]:
    """Delete what was done before a time; return {table: rows deleted}."""
    gone = {
        "outbox": _delete(
            Outbox.id, (Outbox.state != OutboxState.PENDING) & (Outbox.send_at < before) & ~_is_open_request()
        ),
        "fact_done": _delete(FactDone.fact_id, FactDone.fact_id.not_in(Fact.select(Fact.id))),
        "inbox": _delete(Inbox.update_id, Inbox.aside & (Inbox.received_at < before)),
        "trouble": _delete(Trouble.code, Trouble.created_at < before),
        "alarm": _delete(Alarm.cause, Alarm.last_at < before),
        "letter": _delete(Letter.id, (Letter.state == LetterState.PASSED) & (Letter.created_at < before)),
        "sketch": _delete(Sketch.topup, Sketch.topup < _oldest_sketch()),
        "recipient": broadcasts.sum_up(before),
    }
    return {table: count for table, count in gone.items() if count}


def _is_open_request() -> Expression:
    """Return the condition of messages that will still be edited: copies of requests that wait for a decision."""
    waiting = TopUp.select(Value("topup:").concat(TopUp.id.cast("TEXT"))).where(TopUp.state == TopUpState.PENDING)
    return Outbox.ref.is_null(False) & Outbox.ref.in_(waiting)


def _oldest_sketch() -> int:
    """Return the smallest top-up id whose sketch is still compared."""
    newest = Sketch.select(Sketch.topup).order_by(Sketch.topup.desc()).offset(SKETCHES - 1).limit(1)
    with transaction():
        row = newest.tuples().first()
    return row[0] if row else 0


def _delete(key: Any, which: Any) -> int:
    """Delete the rows that meet a condition, SOME at a time; return how many there were."""
    table, count = key.model, 0
    while True:
        with transaction():
            ids = [value for (value,) in table.select(key).where(which).limit(SOME).tuples().execute()]
            if not ids:
                return count
            count += table.delete().where(key.in_(ids)).execute()

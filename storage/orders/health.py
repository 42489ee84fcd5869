"""Health of the database and the queues: a test write, and how many rows wait, and since when."""

import secrets
from datetime import datetime
from typing import Any, NamedTuple

from peewee import fn

from storage.base.db import Table, connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import OPEN_JOBS, DeliveryState, OutboxState
from storage.base.tables import Inbox, Job, Outbox, Stored

WRITE_TEST = "write_test"
ROOM = 16_384  # bytes: more than a page of either database, and random, so that it cannot be compressed


class Waiting(NamedTuple):
    """How many rows wait, and since when the oldest of them (None if there is none)."""

    rows: int
    since: datetime | None


def try_write(now: datetime) -> None:
    """Prove that there is room by writing a large row, then make it small again; raise if that fails."""
    with transaction():
        for value in (secrets.token_hex(ROOM // 2), now.isoformat()):
            _written.run(value, now)


@Prepared[Stored]
def _written(value: str, now: datetime) -> Any:
    row = Stored.insert(name=WRITE_TEST, value=value, updated_at=now)
    return row.on_conflict(conflict_target=[Stored.name], preserve=[Stored.value, Stored.updated_at])


def figures() -> dict[str, Waiting]:
    """Return {name: Waiting} of inbox, set-aside updates, open jobs, deliveries and messages."""
    with connection():
        return {
            "inbox": _waiting(Inbox, Inbox.received_at, ~Inbox.aside),
            "aside": _waiting(Inbox, Inbox.received_at, Inbox.aside),
            "jobs": _waiting(Job, Job.created_at, Job.state.in_(OPEN_JOBS)),
            "deliveries": _waiting(Job, Job.finished_at, Job.delivery == DeliveryState.PENDING),
            "messages": _waiting(Outbox, Outbox.send_at, Outbox.state == OutboxState.PENDING),
        }


def _waiting(model: type[Table], since: Any, where: Any) -> Waiting:
    count, oldest = model.select(fn.COUNT(since), fn.MIN(since)).where(where).tuples().first()
    return Waiting(count, oldest)

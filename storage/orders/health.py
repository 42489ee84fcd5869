"""How the rows are: can they be written, how much waits and since when."""

import secrets

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import Inbox, Job, Outbox, Stored
from storage.orders.jobs import OPEN

WRITE_TEST = "write_test"
ROOM = 16_384  # bytes: more than a page of either database, and random, so that it is not made smaller


def try_write(now):
    """Write a row that takes new room, as proof that there is some, and make it small again; raise when it can't be done."""
    with transaction():
        for value in (secrets.token_hex(ROOM // 2), now.isoformat()):
            row = Stored.insert(name=WRITE_TEST, value=value, updated_at=now)
            row.on_conflict(conflict_target=[Stored.name], preserve=[Stored.value, Stored.updated_at]).execute()


def figures():
    """Return counts and the times since when: inbox, jobs, deliveries, messages; a time is None when nothing waits."""
    with connection():
        return {
            "inbox": _waiting(Inbox, Inbox.received_at, ~Inbox.aside),
            "aside": _waiting(Inbox, Inbox.received_at, Inbox.aside),
            "jobs": _waiting(Job, Job.created_at, Job.state.in_(OPEN)),
            "deliveries": _waiting(Job, Job.finished_at, Job.delivery == "pending"),
            "messages": _waiting(Outbox, Outbox.send_at, Outbox.state == "pending"),
        }


def _waiting(model, since, where):
    """Return (how many, since when)."""
    return model.select(fn.COUNT(since), fn.MIN(since)).where(where).tuples()[0]

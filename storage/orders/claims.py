"""Claims: which of several running copies works on what. PostgreSQL only; a single copy claims nothing.

A claim is a row's `claimed_by` and `lease_until`. Taking, renewing and ending a claim is a single statement, and the rows
it returns say whether it was ours; no lock is held in between. Any copy may take over an expired lease: its holder is
dead, or cannot reach the database. Times are the copies' own: their clocks must agree to two seconds.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from storage.base import schema
from storage.base.db import UtcField, connection
from storage.base.schema import PluginTable
from storage.base.states import JobState
from storage.base.tables import Job, Stored
from storage.journal import runtime_settings
from storage.journal.inbox import MINUTE_US

TERMS = "LEADER"  # the runtime setting with the mode and schema that all copies must share
AT_ONCE = 100  # jobs a copy takes at once, so that the others get some, too
SEEN = 1000  # unclaimed lanes returned at once
# `mine` is the oldest update of its lane, and no update of that lane is claimed.
HEAD = """
    NOT mine.aside AND (mine.claimed_by IS NULL OR mine.lease_until < %(now)s) AND NOT EXISTS (
        SELECT 1 FROM inbox AS other WHERE other.lane = mine.lane AND NOT other.aside
        AND (other.update_id < mine.update_id OR other.lease_until >= %(now)s))"""
WAITING = f"SELECT lane FROM inbox AS mine WHERE {HEAD} ORDER BY update_id LIMIT {SEEN}"
CLAIM = f"""
    UPDATE inbox AS mine SET claimed_by = %(who)s, lease_until = %(until)s,
        attempts = attempts + CASE WHEN claimed_by IS NULL THEN 0 ELSE 1 END
    WHERE lane = %(lane)s AND {HEAD} RETURNING update_id, body, attempts"""
DONE = f"""
    WITH gone AS (
        DELETE FROM inbox WHERE update_id = %(update)s AND claimed_by = %(who)s RETURNING lane, received_at
    ), seen AS (
        UPDATE "user" SET seen_at = gone.received_at FROM gone
        WHERE telegram_id = gone.lane AND gone.received_at - seen_at >= {MINUTE_US.sql}
    ) SELECT 1 FROM gone"""  # seen as in `inbox.note_seen`
KEEP = "UPDATE inbox SET lease_until = %(until)s WHERE claimed_by = %(who)s AND update_id = ANY(%(updates)s)"
GIVE_BACK = """
    UPDATE inbox SET claimed_by = NULL, lease_until = NULL
    WHERE claimed_by = %(who)s AND update_id = ANY(%(updates)s)"""
TAKE_JOBS = f"""
    UPDATE job SET claimed_by = %(who)s, lease_until = %(until)s WHERE id IN (
        SELECT id FROM job WHERE state = '{JobState.RUNNING}' AND (claimed_by IS NULL OR lease_until < %(now)s)
        ORDER BY id LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED) RETURNING id"""
OURS = f"claimed_by = %(who)s AND state = '{JobState.RUNNING}' AND id = ANY(%(jobs)s)"
# A row that is being changed is renewed the next time: waiting for several locks could end in a deadlock.
KEEP_JOBS = f"""
    UPDATE job SET lease_until = %(until)s WHERE id IN (SELECT id FROM job WHERE {OURS} FOR UPDATE SKIP LOCKED)"""
RELEASE = "UPDATE inbox SET claimed_by = NULL, lease_until = NULL WHERE claimed_by = %(who)s"
RELEASE_JOBS = f"""
    UPDATE job SET claimed_by = NULL, lease_until = NULL WHERE claimed_by = %(who)s AND state = '{JobState.RUNNING}'"""


class Claimed(NamedTuple):
    """A claimed update; `attempts` counts how often its handling was interrupted or has failed."""

    update_id: int
    body: str
    attempts: int


def _run(statement: str, **values: Any) -> Any:
    """Run one statement in its own transaction; return its rows, or how many rows it changed."""
    for name in values.keys() & {"now", "until"}:
        values[name] = UtcField().db_value(values[name])
    with connection() as db:
        cursor = db.execute_sql(statement, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def new_name() -> str:
    """Return a unique name for this copy."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def waiting(now: datetime) -> list[int]:
    """Return the lanes whose oldest update is unclaimed, the longest waiting first, at most SEEN."""
    return [lane for (lane,) in _run(WAITING, now=now)]


def claim(lane: int, who: str, now: datetime, until: datetime) -> Claimed | None:
    """Claim the oldest update of a lane; None if there is none, or another copy has it.

    Taking over an expired lease counts as an attempt.
    """
    return next((Claimed(*row) for row in _run(CLAIM, lane=lane, who=who, now=now, until=until)), None)


def done(update_id: int, who: str) -> bool:
    """Delete a handled update; return whether the claim was still ours."""
    return bool(_run(DONE, update=update_id, who=who))


def keep(who: str, updates: Iterable[int], until: datetime) -> None:
    """Renew the leases of those of these updates that are still ours."""
    _run(KEEP, who=who, updates=list(updates), until=until)


def give_back(who: str, updates: Iterable[int]) -> None:
    """Release these updates without counting an attempt."""
    _run(GIVE_BACK, who=who, updates=list(updates))


def take_jobs(who: str, now: datetime, until: datetime) -> list[Job]:
    """Claim running jobs that are unclaimed, at most AT_ONCE; return the columns of each that polling needs."""
    ids = [job_id for (job_id,) in _run(TAKE_JOBS, who=who, now=now, until=until)]
    with connection():
        query = Job.select(Job.id, Job.task_id, Job.usual_s, Job.submitted_at).where(Job.id.in_(ids))
        return list(query) if ids else []


def keep_jobs(who: str, jobs: Iterable[int], until: datetime) -> set[int]:
    """Renew the leases of these jobs; return the ids of those that are running and still ours."""
    jobs = list(jobs)
    _run(KEEP_JOBS, who=who, jobs=jobs, until=until)
    return {job_id for (job_id,) in _run(f"SELECT id FROM job WHERE {OURS}", who=who, jobs=jobs)}


def release(who: str) -> None:
    """Release everything that a copy has claimed, before it ends."""
    _run(RELEASE, who=who)
    _run(RELEASE_JOBS, who=who)


def terms(mode: str, tables: Iterable[PluginTable]) -> str:
    """Return what all copies at work must share: the mode (with the currency), and the schema of every table.

    `tables` are the plugins' own.
    """
    versions = [f"{one.model._meta.table_name}:{1 + len(one.migrations)}" for one in tables]
    return " ".join([mode, max(schema.known()), *sorted(versions)])


def invite(terms: str, now: datetime) -> None:
    """Publish, as the leader, the terms on which other copies may work."""
    runtime_settings.put(TERMS, terms, now=now)


def is_invited(terms: str) -> bool:
    """Return whether the leader's terms, read now, are the same as ours."""
    with connection() as db:
        row = Stored.name == TERMS, Stored.value == terms
        return db.table_exists("stored") and Stored.select().where(*row).exists()

"""Claims: which of several running copies works on what. Only PostgreSQL has them; a copy alone claims nothing.

A claim is a row's `claimed_by` and `lease_until`. Taking, keeping and ending one is a single statement, and the rows it
returns say whether it was ours; no lock is held between them. A lease that has run out may be taken over by
anyone: its copy is dead, or cannot reach the database. Times are the copies' own: their clocks must agree to a few
seconds.
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

TERMS = "LEADER"  # the stored row: on what terms the leader has others work beside it
AT_ONCE = 100  # jobs a copy takes, so that the others get some, too
SEEN = 1000  # chats that want somebody: who asks for one takes nothing yet
# `mine` is the oldest update of its chat and unclaimed, as are all the others of that chat.
HEAD = """
    NOT mine.aside AND (mine.claimed_by IS NULL OR mine.lease_until < %(now)s) AND NOT EXISTS (
        SELECT 1 FROM inbox AS other WHERE other.lane = mine.lane AND NOT other.aside
        AND (other.update_id < mine.update_id OR other.lease_until >= %(now)s))"""
WAITING = f"SELECT lane FROM inbox AS mine WHERE {HEAD} ORDER BY update_id LIMIT {SEEN}"
CLAIM = f"""
    UPDATE inbox AS mine SET claimed_by = %(who)s, lease_until = %(until)s,
        attempts = attempts + CASE WHEN claimed_by IS NULL THEN 0 ELSE 1 END
    WHERE lane = %(lane)s AND {HEAD} RETURNING update_id, body, attempts"""
DONE = "DELETE FROM inbox WHERE update_id = %(update)s AND claimed_by = %(who)s"
KEEP = "UPDATE inbox SET lease_until = %(until)s WHERE claimed_by = %(who)s AND update_id = ANY(%(updates)s)"
GIVE_BACK = """
    UPDATE inbox SET claimed_by = NULL, lease_until = NULL
    WHERE claimed_by = %(who)s AND update_id = ANY(%(updates)s)"""
TAKE_JOBS = f"""
    UPDATE job SET claimed_by = %(who)s, lease_until = %(until)s WHERE id IN (
        SELECT id FROM job WHERE state = '{JobState.RUNNING}' AND (claimed_by IS NULL OR lease_until < %(now)s)
        ORDER BY id LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED) RETURNING id"""
OURS = f"claimed_by = %(who)s AND state = '{JobState.RUNNING}' AND id = ANY(%(jobs)s)"
# A row that somebody is changing is kept the next time: waiting for several at once could end in a deadlock.
KEEP_JOBS = f"""
    UPDATE job SET lease_until = %(until)s WHERE id IN (SELECT id FROM job WHERE {OURS} FOR UPDATE SKIP LOCKED)"""
RELEASE = "UPDATE inbox SET claimed_by = NULL, lease_until = NULL WHERE claimed_by = %(who)s"
RELEASE_JOBS = f"""
    UPDATE job SET claimed_by = NULL, lease_until = NULL WHERE claimed_by = %(who)s AND state = '{JobState.RUNNING}'"""


class Claimed(NamedTuple):
    """An update in hand; `attempts` counts how often its handling has been cut or has failed."""

    update_id: int
    body: str
    attempts: int


def _run(statement: str, **values: Any) -> Any:
    """Run one statement, which is a transaction of its own; return its rows, or how many it changed."""
    for name in values.keys() & {"now", "until"}:
        values[name] = UtcField().db_value(values[name])
    with connection() as db:
        cursor = db.execute_sql(statement, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def new_name() -> str:
    """Return a name for a copy, of which there will be no second one."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def waiting(now: datetime) -> list[int]:
    """Return the lanes whose oldest update nobody has in hand, the longest waiting first, SEEN at most."""
    return [lane for (lane,) in _run(WAITING, now=now)]


def claim(lane: int, who: str, now: datetime, until: datetime) -> Claimed | None:
    """Take the oldest update of a lane and return it as Claimed; None when there is none, or another copy has it.

    Taking over a lease that has run out counts as an attempt.
    """
    return next((Claimed(*row) for row in _run(CLAIM, lane=lane, who=who, now=now, until=until)), None)


def done(update_id: int, who: str) -> bool:
    """Forget a handled update; tell whether the claim was still ours."""
    return bool(_run(DONE, update=update_id, who=who))


def keep(who: str, updates: Iterable[int], until: datetime) -> None:
    """Have the leases of these updates run until a later time, where they are still ours."""
    _run(KEEP, who=who, updates=list(updates), until=until)


def give_back(who: str, updates: Iterable[int]) -> None:
    """Let anyone have these updates, without blame."""
    _run(GIVE_BACK, who=who, updates=list(updates))


def take_jobs(who: str, now: datetime, until: datetime) -> list[Job]:
    """Take running jobs that nobody looks after, AT_ONCE at most; return of each what a watch takes."""
    ids = [job_id for (job_id,) in _run(TAKE_JOBS, who=who, now=now, until=until)]
    with connection():
        found = Job.select(Job.id, Job.task_id, Job.usual_s, Job.submitted_at).where(Job.id.in_(ids))
        return list(found) if ids else []


def keep_jobs(who: str, jobs: Iterable[int], until: datetime) -> set[int]:
    """Have the leases of these jobs run until a later time; return the ids of those that run and are still ours."""
    jobs = list(jobs)
    _run(KEEP_JOBS, who=who, jobs=jobs, until=until)
    return {job_id for (job_id,) in _run(f"SELECT id FROM job WHERE {OURS}", who=who, jobs=jobs)}


def release(who: str) -> None:
    """Give back everything of a copy that ends."""
    _run(RELEASE, who=who)
    _run(RELEASE_JOBS, who=who)


def terms(mode: str, tables: Iterable[PluginTable]) -> str:
    """Return what copies that work together must have in common: the mode (with the currency), and every table's schema.

    `tables` are the plugins' own, as (model, migrations).
    """
    versions = [f"{model._meta.table_name}:{1 + len(changes)}" for model, changes in tables]
    return " ".join([mode, max(schema.known()), *sorted(versions)])


def invite(terms: str, now: datetime) -> None:
    """Say, as the leader, on what terms others may work: the mode, and the schema the rows have now."""
    runtime_settings.put(TERMS, terms, now=now)


def is_invited(terms: str) -> bool:
    """Tell whether the leader works on the same terms as we would, as the row says at this moment."""
    with connection() as db:
        row = Stored.name == TERMS, Stored.value == terms
        return db.table_exists("stored") and Stored.select().where(*row).exists()

"""Versions: which order was made from which result. The first order of a tree is v1; later ones take the next numbers.

An order gets its number when it is placed, so that messages that mention it stay true, and loses it if it fails or is
cancelled; it then keeps its place in the tree without a number.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from peewee import fn

from storage.base.db import connection
from storage.base.prepared import Prepared
from storage.base.tables import Job, Revision

FIRST = 1


class Strange(Exception):
    """The earlier result belongs to somebody else."""


class Version(NamedTuple):
    """An order in its tree: its number, and that of the version it was made from (None for the first one)."""

    job: Job
    number: int
    parent: int | None


def add(job: Job, parent: dict[str, Any]) -> None:
    """Record that a new order is made from {"job", "part"}, an earlier result; raise Strange if it is another person's.

    Call it in the transaction of the order, whose hold serialises a person's orders.
    """
    older = Job.get_or_none(Job.id == parent["job"], Job.user == job.user_id)
    if older is None:
        raise Strange(parent["job"])
    root = root_of(older.id)
    Revision.insert(job=job.id, root=root, parent=older.id, part=parent["part"], number=_next(root)).execute()


def let_go(job_id: int) -> None:
    """Take back the number of an order that failed or was cancelled."""
    Revision.update(number=None).where(Revision.job == job_id).execute()


def number_again(job_id: int) -> None:
    """Give a number to an order that was given up but has succeeded after all."""
    for row in Revision.select().where(Revision.job == job_id, Revision.number.is_null()):
        Revision.update(number=_next(row.root_id)).where(Revision.job == job_id).execute()


def get(job_id: int) -> Revision | None:
    """Return what an order was made from, or None for a first one."""
    return _get.first(job_id)


_get = Prepared[Revision](lambda job: Revision.select().where(Revision.job == job))


def of(job: Job) -> Revision | None:
    """Return the same for a job's row, looked up once per row."""
    if "grown" not in job.__dict__:
        job.grown = get(job.id)
    return job.grown


def root_of(job_id: int) -> int:
    """Return the id of the first order in an order's tree."""
    row = get(job_id)
    return row.root_id if row else job_id


def next_number(job_id: int) -> int:
    """Return the number of the next version in an order's tree."""
    with connection():
        return _next(root_of(job_id))


def _next(root: int) -> int:
    newest = Revision.select(fn.MAX(Revision.number)).where(Revision.root == root).scalar()
    return (newest or FIRST) + 1


def numbers(job_ids: Collection[int]) -> dict[int, int]:
    """Return {order: its number} of those made from an earlier result that have a number."""
    with connection():
        query = Revision.select(Revision.job, Revision.number)
        found = query.where(Revision.job.in_(list(job_ids)), Revision.number.is_null(False))
        return dict(found.tuples().execute())


def tree(user_id: int, job_id: int) -> list[Version]:
    """Return the versions in the tree of a person's own order, first to last; none if it is somebody else's."""
    with connection():
        root = root_of(job_id)
        rows = list(Revision.select().where(Revision.root == root, Revision.number.is_null(False)))
        known = {root: FIRST} | {row.job_id: row.number or FIRST for row in rows}
        parents = {row.job_id: known.get(row.parent_id) for row in rows}
        jobs = Job.select().where(Job.id.in_(list(known)), Job.user == user_id)
        found = [Version(job, known[job.id], parents.get(job.id)) for job in jobs]
        return sorted(found, key=lambda version: version.number)


def count(job_id: int) -> int:
    """Return how many versions an order's tree has, including the first."""
    with connection():
        return 1 + Revision.select().where(Revision.root == root_of(job_id), Revision.number.is_null(False)).count()

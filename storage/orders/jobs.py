"""Jobs: the orders of users, from their hold to their end. Every arrow is one conditional update.

    queued → submitting → running → succeeded → (delivery: pending → sent | undeliverable)
       │         └→ lost ───┴──→ failed
       └→ cancelled                       (failed, cancelled: the hold is released in the same transaction)

A question to a chat model is a job with a `topic`, answered in the call itself (`storage/orders/questions.py`).

A function that moves a job returns the moved row, or None if the job was not in the expected state: somebody else
has moved it, and there is nothing to do.
"""

import collections
import secrets
import statistics
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from peewee import JOIN, ModelSelect, Select, fn

from storage.base.db import EPOCH, MICROSECOND, connection, transaction
from storage.base.prepared import Prepared, column_values, inserted
from storage.base.states import OPEN_JOBS, BonusState, DeliveryState, JobState
from storage.base.tables import Account, Bonus, Draft, Job, Media, Result, User
from storage.journal import events
from storage.journal.event_kinds import JobCreated, JobDelivered
from storage.money import free, ledger
from storage.orders import result_messages, revisions

OPEN = OPEN_JOBS
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
LATE = ("deadline", "lost")  # reasons of failure after which a result may still come
LATE_WATCH = timedelta(days=1)
QUEUE_PATIENCE = timedelta(hours=2)  # how long an order may wait to be sent, including pauses of sales
MOST_TRIES = 5  # attempts at preparing an order
TRY_AGAIN = timedelta(seconds=12)  # wait after the first attempt; it grows by as much with each further one
DELIVERY_FIRST_WAIT, DELIVERY_LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)
DELIVERY_TRIES = 30
PROGRESS, PROGRESS_PER_S = timedelta(seconds=5), 4  # between two edits of one message; edits of all of them together
NO_PROGRESS: dict[str, Any] = {"progress_id": None, "progress_at": None}
IN_PRIVATE: dict[str, Any] = {"chat_id": None, "reply_to": None, "thread_id": None}


class Neighbours(NamedTuple):
    """The ids of the next newer and the next older job of the same user; None at either end."""

    newer: int | None
    older: int | None


class Quote(NamedTuple):
    """A price for exact inputs: what an order of it is made of."""

    model: str
    values: dict[str, Any]
    price: int
    free: free.Offer | None
    expected: int | None
    topic: int | None = None  # of a further question of a conversation
    place: dict[str, int | None] | None = None  # of an order in a group: {"chat_id", "reply_to", "thread_id"}
    parent: dict[str, Any] | None = None  # {"job", "part"} of the earlier result that it is made from


class StaleQuote(Exception):
    """The quote is no longer the draft's current one, and no job was made from it."""


class TooManyJobs(Exception):
    """The user already has as many open jobs as allowed."""


class TooManyStarts(Exception):
    """The user has already started as many orders in the last minute as allowed."""


def _quote_of(draft: Draft, rung: int | None) -> Quote | None:
    """Return the quote that a draft shows: the card's, or that of a `rung` of its ladder; None if it shows none."""
    if rung is None:
        data, model, price = draft.data, draft.model, draft.price
    else:
        rungs = draft.data.get("rungs", [])
        data = rungs[rung] if 0 <= rung < len(rungs) else {}
        model, price = data.get("model"), data.get("price")
    if model is None or price is None:
        return None
    more = {"place": draft.data.get("place"), "parent": data.get("parent") or draft.data.get("parent")}
    return Quote(model, data["values"], price, data.get("free"), data.get("expected"), **more)


def order(
    user_id: int,
    draft_id: int,
    version: int,
    *,
    now: datetime,
    usual_s: int,
    limit: int,
    starts: int,
    rung: int | None = None,
) -> tuple[Job, bool]:
    """Turn a draft's quote (or that of a `rung` of its ladder) into a queued job with its hold; return (job, created).

    `limit` is how many open jobs a user may have, `starts` how many orders they may start a minute. A repeated quote
    returns its existing job, and of one ladder only one rung is ordered. Raise StaleQuote, TooManyJobs, TooManyStarts or
    ledger.NotEnoughMoney, each of which leaves everything as it was.
    """
    name = f"{draft_id}.{version}"
    with transaction():
        draft = _take_draft(user_id, draft_id, version)
        if draft is None:
            job = Job.get_or_none(Job.quote == name, Job.user == user_id)
            if job is None:
                raise StaleQuote(name)
            return job, False
        quote = _quote_of(draft, rung)
        if quote is None:
            raise StaleQuote(name)
        return _order(user_id, name, quote, now=now, usual_s=usual_s, limit=limit, starts=starts), True


def repeat(
    user_id: int, job_id: int, quote: Quote, *, now: datetime, usual_s: int, limit: int, starts: int
) -> tuple[Job, bool]:
    """Order once more what an ended order of the user asked for, at a fresh quote, and once: return (job, created).

    Raise StaleQuote if it has not ended, and what `order` raises; each leaves everything as it was.
    """
    name = f"again:{job_id}"
    with transaction() as db:
        ended = Job.select().where(Job.id == job_id, Job.user == user_id, Job.state.in_(ENDED))
        if (ended.for_update() if db.for_update else ended).first() is None:  # locked: of two taps the second waits
            raise StaleQuote(name)
        known = Job.get_or_none(Job.quote == name)
        if known is not None:
            return known, False
        return _order(user_id, name, quote, now=now, usual_s=usual_s, limit=limit, starts=starts), True


def _order(user_id: int, name: str, quote: Quote, *, now: datetime, usual_s: int, limit: int, starts: int) -> Job:
    """Create a person's job within their limits, in an open transaction."""
    job = create(user_id, name, quote, now=now, usual_s=usual_s, patience=QUEUE_PATIENCE)
    if quote.parent:
        _note_parent(job, quote.parent)
    if count_open(user_id) > limit:  # after the hold: its row lock serialises a user's orders
        raise TooManyJobs
    refuse_haste(user_id, starts, now)
    return job


def _note_parent(job: Job, parent: dict[str, Any]) -> None:
    try:
        revisions.add(job, parent)
    except revisions.Strange as error:
        raise StaleQuote(job.quote) from error


def create(user_id: int, name: str, quote: Quote, *, now: datetime, usual_s: int, patience: timedelta) -> Job:
    """Create a queued job with its hold, within an open transaction; raise NotEnoughMoney or free.NoneLeft."""
    fields: dict[str, Any] = dict(user=user_id, model=quote.model, inputs=quote.values, price=quote.price, quote=name)
    fields |= dict(expected=quote.expected, topic=quote.topic, secret=secrets.token_urlsafe(24))
    times = dict(submit_at=now, created_at=now, deadline_at=now + patience, usual_s=usual_s)
    job: Job = inserted(Job, fields | times | (quote.place or {}))
    ledger.hold(user_id, job.price, job_id=job.id, now=now)
    if quote.free:
        free.take(user_id, quote.free, job.id, now)
    events.emit(JobCreated(job=job.id, user=user_id), now)
    return job


def refuse_haste(user_id: int, starts: int, now: datetime) -> None:
    """Raise TooManyStarts if a user has begun more than so many orders within a minute; the newest one is counted."""
    if _count_since.scalar(user_id, now - timedelta(minutes=1)) > starts:
        raise TooManyStarts


@Prepared[tuple[int]]
def _count_since(user_id: int, since: datetime) -> "ModelSelect[Job]":
    return Job.select(fn.COUNT(Job.id)).where(Job.user == user_id, Job.created_at > since)


def _take_draft(user_id: int, draft_id: int, version: int) -> Draft | None:
    """Delete a draft if it is still what was shown, and return it; the next card starts afresh."""
    return _taken.first(draft_id, user_id, version)


@Prepared[Draft]
def _taken(draft_id: int, user_id: int, version: int) -> Any:
    shown = Draft.id == draft_id, Draft.user == user_id, Draft.version == version
    return Draft.delete().where(*shown).returning(Draft)


def _move(job_id: int, states: Collection[str], **fields: Any) -> Job | None:
    """Make the conditional update behind every arrow."""
    return _arrow(tuple(states), tuple(fields)).first(job_id, *column_values(Job, fields))


@cache
def _arrow(states: tuple[str, ...], names: tuple[str, ...]) -> Prepared[Job]:
    def build(job_id: int, *values: Any) -> Any:
        query = Job.update(**dict(zip(names, values, strict=True)))
        return query.where(Job.id == job_id, Job.state.in_(states)).returning(Job)

    return Prepared(build, 1 + len(names))


def attempt(job: Job, now: datetime) -> Job | None:
    """Count an attempt at preparing a queued job, before it is made; return the job, or None if it must not be made.

    If the attempt fails, or kills the process, the job's next turn comes after all others.
    """
    with transaction():
        return _attempted.first(job.id, job.tries, now + TRY_AGAIN * (job.tries + 1))


@Prepared[Job]
def _attempted(job_id: int, tries: int, submit_at: datetime) -> Any:
    still = Job.id == job_id, Job.state == JobState.QUEUED, Job.tries == tries, Job.tries < MOST_TRIES
    return Job.update(tries=Job.tries + 1, submit_at=submit_at).where(*still).returning(Job)


def begin(job_id: int, now: datetime) -> Job | None:
    """queued → submitting, recorded before KIE is called; the job is prepared, so its attempts start again at 0."""
    with transaction():
        return _move(job_id, [JobState.QUEUED], state=JobState.SUBMITTING, submitted_at=now, tries=0)


def requeue(job_id: int, submit_at: datetime) -> Job | None:
    """submitting → queued, to be sent later: KIE refused it for now, or nothing reached KIE."""
    with transaction():
        return _requeued.first(job_id, submit_at)


@Prepared[Job]
def _requeued(job_id: int, submit_at: datetime) -> Any:
    query = Job.update(state=JobState.QUEUED, submit_at=submit_at, refusals=Job.refusals + 1)
    return query.where(Job.id == job_id, Job.state == JobState.SUBMITTING).returning(Job)


def start(job_id: int, task_id: str, deadline_at: datetime, now: datetime) -> Job | None:
    """submitting or lost → running: KIE has accepted the job as this task."""
    with transaction():
        fields = dict(task_id=task_id, deadline_at=deadline_at, progress_at=now)
        return _move(job_id, [JobState.SUBMITTING, JobState.LOST], state=JobState.RUNNING, **fields)


def lose(job_id: int, deadline_at: datetime) -> Job | None:
    """submitting → lost: the create may have reached KIE, so it must never be repeated."""
    with transaction():
        return _move(job_id, [JobState.SUBMITTING], state=JobState.LOST, deadline_at=deadline_at)


def name_late(job_id: int, task_id: str) -> bool:
    """Note the task of a lost job that was given up: its result can still be fetched; return whether it is news."""
    with transaction():
        query = Job.update(task_id=task_id)
        return bool(
            query.where(
                Job.id == job_id, Job.state == JobState.FAILED, Job.reason == "lost", Job.task_id.is_null()
            ).execute()
        )


def succeed(
    job_id: int,
    result: Result,
    *,
    charged: int,
    cost: int | None,
    now: datetime,
    overrun: int | None = None,
    states: Collection[str] = (JobState.RUNNING,),
) -> Job | None:
    """running → succeeded: capture `charged` (at most the price) and make the result due for delivery.

    `cost` is what KIE took, in millionths of a credit, `overrun` how much of it is not covered, in minor units.
    """
    with transaction():
        job = _move(
            job_id,
            states,
            state=JobState.SUCCEEDED,
            result=result,
            charged=charged,
            cost=cost,
            overrun=overrun,
            finished_at=now,
            progress_at=now,
            delivery=DeliveryState.PENDING,
            deliver_at=now,
        )
        if job is not None:
            ledger.capture(job.user_id, job.price, charged, job_id=job.id, now=now)
        return job


def fail(
    job_id: int,
    reason: str,
    *,
    now: datetime,
    detail: str | None = None,
    cost: int | None = None,
    overrun: int | None = None,
    states: Collection[str] = OPEN,
) -> Job | None:
    """Any open state → failed, with its hold released."""
    with transaction():
        job = _move(
            job_id,
            states,
            state=JobState.FAILED,
            reason=reason,
            detail=detail,
            cost=cost,
            overrun=overrun,
            charged=0,
            finished_at=now,
            progress_at=now,
        )
        if job is not None:
            ledger.release(job.user_id, job.price, job_id=job.id, now=now)
            free.give_back(job.id)
            revisions.let_go(job.id)
        return job


def cancel(job_id: int, user_id: int, now: datetime) -> Job | None:
    """queued → cancelled, for the user's own job, with its hold released."""
    with transaction():
        if Job.select().where(Job.id == job_id, Job.user == user_id).exists():
            job = _move(
                job_id, [JobState.QUEUED], state=JobState.CANCELLED, charged=0, finished_at=now, progress_at=now
            )
            if job is not None:
                ledger.release(job.user_id, job.price, job_id=job.id, now=now)
                free.give_back(job.id)
                revisions.let_go(job.id)
            return job
        return None


def arrive_late(job_id: int, result: Result, *, cost: int | None, now: datetime) -> Job | None:
    """Make a result that came after the release due for delivery, free and once; the job stays failed."""
    with transaction():
        rows = (
            Job.update(result=result, cost=cost, delivery=DeliveryState.PENDING, deliver_at=now)
            .where(Job.id == job_id, Job.state == JobState.FAILED, Job.reason.in_(LATE), Job.delivery.is_null())
            .returning(Job)
            .execute()
        )
        job = next(iter(rows), None)
        if job is not None:
            revisions.number_again(job.id)
        return job


def get(job_id: int, user_id: int | None = None) -> Job | None:
    """Return a job with its user, or None; with `user_id` only that user's own."""
    job = _with_user.first(job_id)
    return job if job is not None and user_id in (None, job.user_id) else None


@Prepared[Job]
def _with_user(job_id: int) -> "ModelSelect[Job]":
    return Job.select(Job, User).join(User).where(Job.id == job_id)


def by_secret(secret: str) -> Job | None:
    """Return the job whose callback address carries this secret, or None."""
    with connection():
        return Job.get_or_none(Job.secret == secret)


def count_open(user_id: int | None = None) -> int:
    """Return the number of open jobs, of one user or of all."""
    return (_count_open.scalar() if user_id is None else _count_open_of.scalar(user_id)) or 0


@Prepared[tuple[int]]
def _count_open() -> "ModelSelect[Job]":
    return Job.select(fn.COUNT(Job.id)).where(Job.state.in_(OPEN))


@Prepared[tuple[int]]
def _count_open_of(user_id: int) -> "ModelSelect[Job]":
    return Job.select(fn.COUNT(Job.id)).where(Job.state.in_(OPEN), Job.user == user_id)


def _queue() -> tuple[Any, tuple[Any, ...]]:
    """Return (query, order by) of the queue: round-robin between users, the one whose last turn is longest ago first.

    Jobs that could not be prepared at their last attempt come after all others.
    """
    earlier = Job.alias()
    served = earlier.select(fn.MAX(earlier.submitted_at)).where(earlier.user == Job.user)
    turn = fn.ROW_NUMBER().over(partition_by=[Job.user], order_by=[Job.tries, Job.id])
    line = Job.select(Job.id, Job.tries, turn.alias("turn"), served.alias("served"))
    line = line.where(Job.state == JobState.QUEUED, Job.topic.is_null())
    return line, (line.c.tries, line.c.turn, line.c.served.asc(nulls="first"), line.c.id)


def queued(now: datetime, limit: int) -> list[Job]:
    """Return jobs to send, round-robin between users: everyone's first job before anyone's second."""
    return _queued.rows(now, limit)


@Prepared[Job]
def _queued(now: datetime, limit: int) -> "ModelSelect[Job]":
    line, order_by = _queue()
    query = Job.select().join(line, JOIN.INNER, on=(Job.id == line.c.id)).where(Job.submit_at <= now)
    return query.order_by(*order_by).limit(limit)


def place(job: Job) -> int:
    """Return a queued job's place in the queue, from 1; 0 if it is not queued."""
    return _place.scalar(job.id) or 0


@Prepared[tuple[int]]
def _place(job_id: int) -> Select:
    line, order_by = _queue()
    numbered = Select([line], [line.c.id, fn.ROW_NUMBER().over(order_by=order_by).alias("place")])
    return Select([numbered], [numbered.c.place]).where(numbered.c.id == job_id)


def watched(now: datetime) -> Iterator[tuple[Job, bool]]:
    """Yield (job, late) to poll after a start: running jobs, and failed ones whose result may still come.

    The rows have only the columns that polling needs: ten thousand whole rows would leave the process's memory fragmented.
    """
    with connection():
        jobs = Job.select(Job.id, Job.task_id, Job.usual_s, Job.submitted_at)
        late = (
            (Job.state == JobState.FAILED)
            & Job.reason.in_(LATE)
            & Job.task_id.is_null(False)
            & Job.delivery.is_null()
            & (Job.finished_at > now - LATE_WATCH)
        )
        for job in jobs.where(Job.state == JobState.RUNNING).iterator():
            yield job, False
        for job in jobs.where(late).iterator():
            yield job, True


def interrupted(before: datetime) -> list[int]:
    """Return the ids of jobs that have been submitting since before a time, so no call can still be under way."""
    return [i for (i,) in _interrupted.rows(before)]


@Prepared[tuple[int]]
def _interrupted(before: datetime) -> "ModelSelect[Job]":
    return Job.select(Job.id).where(Job.state == JobState.SUBMITTING, Job.submitted_at <= before, Job.topic.is_null())


def overdue(now: datetime) -> list[Job]:
    """Return queued, running and lost jobs past their deadline."""
    return _overdue.rows(now)


@Prepared[Job]
def _overdue(now: datetime) -> "ModelSelect[Job]":
    waiting = (JobState.QUEUED, JobState.RUNNING, JobState.LOST)
    return Job.select().where(Job.state.in_(waiting), Job.deadline_at <= now)


def to_show_progress(now: datetime, limit: int = 10) -> list[Job]:
    """Return jobs whose progress message is due to be edited (or removed, if they have ended).

    It is due again after five seconds while at most twenty are shown; more of them make four edits a second together.
    """
    ids = [i for (i,) in _progressing.rows(now, limit)]
    if not ids:
        return []
    with transaction():
        pause = max(PROGRESS, timedelta(seconds=(_shown.scalar() or 0) / PROGRESS_PER_S))
        _show_again(len(ids)).run(now + pause, *ids)
        return _these(len(ids)).rows(*ids)


@Prepared[tuple[int]]
def _shown() -> "ModelSelect[Job]":
    return Job.select(fn.COUNT(Job.id)).where(Job.progress_id.is_null(False))


@cache
def _show_again(count: int) -> Prepared[Job]:
    return Prepared(lambda at, *ids: Job.update(progress_at=at).where(Job.id.in_(ids)), 1 + count)


@cache
def _these(count: int) -> Prepared[Job]:
    """The jobs with these ids, the oldest delivery first, each with its user."""
    query = Job.select(Job, User).join(User).order_by(Job.deliver_at, Job.id)
    return Prepared(lambda *ids: query.where(Job.id.in_(ids)), count)


@Prepared[tuple[int]]
def _progressing(now: datetime, limit: int) -> "ModelSelect[Job]":
    query = Job.select(Job.id).where(Job.progress_id.is_null(False), Job.progress_at <= now)
    return query.order_by(Job.progress_at).limit(limit)


def note_progress(job_id: int, message_id: int | None, at: datetime | None) -> None:
    """Remember the message that shows a job's progress, and when it is due to be edited; None forgets it."""
    with transaction():
        _progress.run(message_id, at, job_id)


@Prepared[Job]
def _progress(message_id: int, at: datetime, job_id: int) -> Any:
    return Job.update(progress_id=message_id, progress_at=at).where(Job.id == job_id)


def to_deliver(now: datetime, limit: int = 8) -> list[Job]:
    """Return finished jobs whose result is due to be sent, oldest first."""
    ids = [i for (i,) in _to_deliver.rows(now, limit)]
    return _these(len(ids)).rows(*ids) if ids else []


@Prepared[tuple[int]]
def _to_deliver(now: datetime, limit: int) -> "ModelSelect[Job]":
    query = Job.select(Job.id).where(Job.delivery == DeliveryState.PENDING, Job.deliver_at <= now)
    return query.order_by(Job.deliver_at, Job.id).limit(limit)


def delivered(job_id: int, sent: list[Media], now: datetime, job: Job | None = None) -> bool:
    """delivery: pending → sent, keeping the files as Telegram stored them.

    With the `job`, joined with its user, also which messages of the private chat show what.
    """
    with transaction():
        moved = bool(_sent.run(*column_values(Job, {"sent": sent}), job_id))
        if moved:
            if job is not None:
                result_messages.note_sent(job, sent)
            events.emit(JobDelivered(job=job_id), now)
        return moved


@Prepared[Job]
def _sent(sent: list[Media], job_id: int) -> Any:
    query = Job.update(delivery=DeliveryState.SENT, sent=sent)
    return query.where(Job.id == job_id, Job.delivery == DeliveryState.PENDING)


def undeliverable(job_id: int) -> bool:
    """delivery: pending → undeliverable; money is not touched."""
    with transaction():
        query = Job.update(delivery=DeliveryState.UNDELIVERABLE)
        return bool(query.where(Job.id == job_id, Job.delivery == DeliveryState.PENDING).execute())


def to_private(job_id: int, now: datetime) -> bool:
    """Bring a result that its group does not accept to the private chat, at once; what is in the group is forgotten."""
    with transaction():
        query = Job.update(deliver_at=now, delivery_tries=0, **IN_PRIVATE | NO_PROGRESS)
        in_group = Job.id == job_id, Job.delivery == DeliveryState.PENDING, Job.chat_id.is_null(False)
        return bool(query.where(*in_group).execute())


def move_chat(old: int, new: int) -> int:
    """Follow a group into its new chat, where its messages have other ids; return how many orders have moved."""
    with transaction():
        return Job.update(**IN_PRIVATE | NO_PROGRESS | {"chat_id": new}).where(Job.chat_id == old).execute()


def redeliver(job_id: int, user_id: int, now: datetime) -> bool:
    """delivery: undeliverable → pending, as the user asks for it again: in the private chat."""
    with transaction():
        query = Job.update(delivery=DeliveryState.PENDING, deliver_at=now, delivery_tries=0, **IN_PRIVATE)
        lost = Job.delivery == DeliveryState.UNDELIVERABLE
        return bool(query.where(Job.id == job_id, Job.user == user_id, lost).execute())


def postpone_delivery(job: Job, now: datetime) -> bool:
    """Retry a delivery later, after a wait that grows each time; return False if the tries are used up."""
    if job.delivery_tries + 1 >= DELIVERY_TRIES:
        return False
    wait = min(DELIVERY_LONGEST_WAIT, DELIVERY_FIRST_WAIT * 2**job.delivery_tries)
    with transaction():
        Job.update(delivery_tries=Job.delivery_tries + 1, deliver_at=now + wait).where(Job.id == job.id).execute()
    return True


def of_user(
    user_id: int,
    limit: int = 6,
    before: int | None = None,
    states: Collection[str] | None = None,
    questions: bool = False,
) -> list[Job]:
    """Return a user's newest jobs, at most `limit`, older than job id `before` and in some `states` if given.

    Questions to chat models are among them only if they are asked for.
    """
    with connection():
        query = Job.select().where(Job.user == user_id).order_by(Job.id.desc()).limit(limit)
        if not questions:
            query = query.where(Job.topic.is_null())
        if before is not None:
            query = query.where(Job.id < before)
        if states is not None:
            query = query.where(Job.state.in_(states))
        return list(query)


def neighbours(user_id: int, job_id: int) -> Neighbours:
    """Return a user's jobs next to a job id."""
    with connection():
        mine = Job.select(Job.id).where(Job.user == user_id, Job.topic.is_null())
        newer = mine.where(Job.id > job_id).order_by(Job.id).first()
        older = mine.where(Job.id < job_id).order_by(Job.id.desc()).first()
        return Neighbours(newer.id if newer else None, older.id if older else None)


def recent_models(user_id: int, limit: int = 3) -> list[str]:
    """Return the ids of the models a user ordered last, newest first."""
    with connection():
        newest = fn.MAX(Job.id)
        query = (
            Job.select(Job.model)
            .where(Job.user == user_id, Job.topic.is_null())
            .group_by(Job.model)
            .order_by(newest.desc())
            .limit(limit)
        )
        return [model for (model,) in query.tuples().execute()]


@Prepared[tuple[str]]
def _last_model(user_id: int) -> "ModelSelect[Job]":
    return Job.select(Job.model).where(Job.user == user_id, Job.topic.is_null()).order_by(Job.id.desc()).limit(1)


def last_model(user_id: int) -> str | None:
    """Return the id of the model a user ordered last, or None."""
    return _last_model.scalar(user_id)


def last_of(user_id: int, model: str) -> Job | None:
    """Return a user's newest job of a model, or None."""
    with connection():
        return Job.select().where(Job.user == user_id, Job.model == model).order_by(Job.id.desc()).first()


class Funds(NamedTuple):
    """A user's money in minor units: what they have, and beside it what open jobs hold and what bonuses will bring."""

    balance: int
    held: int
    coming: int
    first_at: datetime | None  # when the first bonus is due


def funds(user_id: int) -> Funds:
    """Return a user's money."""
    balance, held, coming, first = _funds.first(user_id) or (0, None, None, None)
    first_at = None if first is None else EPOCH + first * MICROSECOND
    return Funds(balance, int(held or 0), int(coming or 0), first_at)


@Prepared[tuple[int, Any, Any, int | None]]
def _funds(user: int) -> "ModelSelect[Account]":
    held = Job.select(fn.SUM(Job.price)).where(Job.user == user, Job.state.in_(OPEN))
    coming, first = (
        Bonus.select(found).where(Bonus.user == user, Bonus.state == BonusState.WAITING)
        for found in (fn.SUM(Bonus.amount), fn.MIN(Bonus.due_at))
    )
    return Account.select(Account.balance, held, coming, first).where(Account.user == user)


def spent(user_id: int, since: datetime) -> int:
    """Return what a user's orders, questions among them, that ended since a time were charged, in minor units."""
    with connection():
        query = Job.select(fn.SUM(Job.charged)).where(Job.user == user_id, Job.finished_at >= since)
        return int(query.scalar() or 0)


def usual_seconds(newest: int = 2000, least: int = 5) -> dict[str, int]:
    """Return {model: median seconds from create to result} of the newest jobs, for models with at least `least` of them."""
    taken = collections.defaultdict(list)
    with connection():
        query = Job.select(Job.model, Job.submitted_at, Job.finished_at).order_by(Job.id.desc()).limit(newest)
        for model, submitted_at, finished_at in query.where(Job.state == JobState.SUCCEEDED).tuples().execute():
            taken[model].append((finished_at - submitted_at).total_seconds())
    return {model: max(1, round(statistics.median(all))) for model, all in taken.items() if len(all) >= least}

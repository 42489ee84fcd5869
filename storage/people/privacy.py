"""Erasing a person's data. Money rows stay under the internal id, which leads at most to a hash.

An erasure leaves two things for a while: the Telegram id with the charges of somebody who has paid recently, so that a
refund can reach them, and the prompts of orders that KIE is working on.
"""

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from peewee import Expression, fn

from storage.base import db, plugin_tables
from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import OPEN_JOBS, DeliveryState, JobState, OutboxState, RefundState, TopUpState
from storage.base.tables import (
    Account,
    Alarm,
    Broadcast,
    Charge,
    Draft,
    Inbox,
    Job,
    Letter,
    Outbox,
    ResultMessage,
    Sketch,
    TopUp,
    User,
)
from storage.journal import erasable_text, events, letters
from storage.journal.event_kinds import UserErased
from storage.orders import jobs

NOBODY = {
    "telegram_id": None,
    "first_name": "",
    "username": None,
    "language_code": None,
    "lang": None,
    "utc_offset": None,
    "role": None,
    "born_of": None,
}
SOME = 500  # rows at a time, as the number of values in a statement is limited
NO_WORDS: dict[str, Any] = {
    "inputs": {},
    "result": None,
    "detail": None,
    "sent": None,
    "chat_id": None,
    "reply_to": None,
    "thread_id": None,
}  # a job without its prompts, files and results, and where it was ordered
PAYER_KEPT = timedelta(days=21)  # after the last payment in Stars: a chargeback is likely for so long
_journal = {"stale": True}  # whether erased data may still be in SQLite's journal; after a start, from a previous run


def open_of(user_id: int) -> str | None:
    """Return what keeps a user from being erased ("topup": a transfer that waits for a decision), or None."""
    with connection():
        pending = TopUp.select().where(TopUp.user == user_id, TopUp.state == TopUpState.PENDING)
        return "topup" if pending.exists() else None


def left_by(user_id: int, now: datetime) -> tuple[int, datetime | None]:
    """Return what an erasure would leave: (open orders, until when the Telegram id stays with the payments, or None)."""
    with connection():
        newest = Charge.select(fn.MAX(Charge.created_at)).where(Charge.user == user_id).scalar()
        until = newest + PAYER_KEPT if newest else now
        return jobs.count_open(user_id), until if until > now else None


def erase(user_id: int, now: datetime) -> bool:
    """Empty every field that tells who a user is or what they wrote; return False if something is unfinished.

    Queued orders are cancelled; those at KIE go on and are not delivered. The account's row is locked, so that no order
    can begin in between. The event `user.erased` tells plugins.
    """
    with transaction():
        telegram_id = User.select(User.telegram_id).where(User.id == user_id).scalar()
        if telegram_id is None or open_of(user_id) is not None:
            return False
        for (job_id,) in Job.select(Job.id).where(Job.user == user_id, Job.state == JobState.QUEUED).tuples().execute():
            jobs.cancel(job_id, user_id, now)
        Account.update(balance=Account.balance).where(Account.user == user_id).execute()
        _keep_payer(user_id, telegram_id, now)
        User.update(code=secrets.token_urlsafe(9), **NOBODY).where(User.id == user_id).execute()
        Draft.delete().where(Draft.user == user_id).execute()
        ResultMessage.delete().where(ResultMessage.user == user_id).execute()
        due = Job.user == user_id, Job.delivery == DeliveryState.PENDING
        Job.update(delivery=DeliveryState.UNDELIVERABLE).where(*due).execute()
        Job.update(progress_id=None, **NO_WORDS).where(Job.user == user_id, Job.state.not_in(OPEN_JOBS)).execute()
        _forget_topups(TopUp.user == user_id)
        unpaid = TopUp.user == user_id, TopUp.state == TopUpState.NEW
        TopUp.update(state=TopUpState.CANCELLED).where(*unpaid).execute()
        erasable_text.forget(user_id)
        _forget_letters(user_id)
        Outbox.delete().where(Outbox.user == user_id).execute()
        _forget_id(telegram_id)
        plugin_tables.forget_person(user_id)
        events.emit(UserErased(user=user_id), now)
    _journal["stale"] = True
    db.scrub()
    return True


def _keep_payer(user_id: int, telegram_id: int, now: datetime) -> None:
    """Keep the payer's Telegram id if a refund is likely; `forget_kept` deletes it later."""
    going = (Charge.user == user_id) & (Charge.refund.is_null() | (Charge.refund == RefundState.ASKED))
    if Charge.select().where(going, Charge.user.in_(_may_be_refunded(now - PAYER_KEPT))).exists():
        Charge.update(payer=telegram_id).where(going).execute()


def _may_be_refunded(since: datetime) -> Any:
    """Return the query of the users who have paid since then, have open orders, or have a refund on its way."""
    late = Charge.alias()
    paid = late.select(late.user).where((late.created_at > since) | (late.refund == RefundState.ASKED))
    return paid.union_all(Job.select(Job.user).where(Job.state.in_(OPEN_JOBS)))


def _forget_id(telegram_id: int) -> None:
    """Erase the Telegram id outside the account: in updates set aside, alarms and lists of broadcasts."""
    word = str(telegram_id)
    Inbox.delete().where(Inbox.aside, (Inbox.lane == telegram_id) | Inbox.body.contains(word)).execute()
    for alarm in Alarm.select():
        if word in json.dumps(alarm.values):
            values = {name: 0 if str(value) == word else value for name, value in alarm.values.items()}
            Alarm.update(values=values).where(Alarm.cause == alarm.cause).execute()
    for sent in Broadcast.select().where(Broadcast.audience.startswith("ids:"), Broadcast.audience.contains(word)):
        others = [one for one in sent.audience.removeprefix("ids:").split(",") if one.strip() != word]
        Broadcast.update(audience=f"ids:{','.join(others) or 0}").where(Broadcast.id == sent.id).execute()


def _forget_letters(user_id: int) -> None:
    """Delete a user's letters and their copies, which contain the name."""
    ids = [letter_id for (letter_id,) in Letter.select(Letter.id).where(Letter.user == user_id).tuples().execute()]
    for some in (ids[i : i + SOME] for i in range(0, len(ids), SOME)):
        Outbox.delete().where(Outbox.ref.in_([letters.ref(one) for one in some])).execute()
    Letter.delete().where(Letter.user == user_id).execute()


def _forget_topups(which: Expression) -> None:
    """Delete screenshots, and the staff's copies of requests, which contain names."""
    ids = [topup_id for (topup_id,) in TopUp.select(TopUp.id).where(which).tuples().execute()]
    for some in (ids[i : i + SOME] for i in range(0, len(ids), SOME)):
        Sketch.delete().where(Sketch.topup.in_(some)).execute()
        Outbox.delete().where(
            Outbox.ref.in_([f"topup:{one}" for one in some]), Outbox.state != OutboxState.PENDING
        ).execute()
        TopUp.update(proof=None, proof_id=None).where(TopUp.id.in_(some)).execute()


def forget_kept(now: datetime) -> None:
    """Delete what erasures had to leave, once it is not needed: payers' ids, and the prompts of orders that have ended."""
    with transaction():
        _without_payers.run(now - PAYER_KEPT)
        done = _without_words.run()
    _journal["stale"] |= bool(done)


@Prepared[Charge]
def _without_payers(since: datetime) -> Any:
    return Charge.update(payer=None).where(Charge.payer.is_null(False), Charge.user.not_in(_may_be_refunded(since)))


@Prepared[Job]
def _without_words() -> Any:
    erased = User.select(User.id).where(User.telegram_id.is_null())
    ended = Job.state.not_in(OPEN_JOBS) & (Job.delivery.is_null() | (Job.delivery != DeliveryState.PENDING))
    words = (Job.inputs != {}) | Job.result.is_null(False) | Job.detail.is_null(False)
    return Job.update(progress_id=None, **NO_WORDS).where(Job.user.in_(erased), ended, words)


def clear_journal() -> None:
    """Empty SQLite's journal if it may hold erased data; if a reader prevents it, the next call tries again."""
    if _journal["stale"] and db.scrub():
        _journal["stale"] = False


def forget_old(before: datetime) -> int:
    """Delete the prompts, files, results and screenshots of what ended before a time; return the number of jobs."""
    with transaction():
        old = (Job.finished_at < before) & (Job.delivery.is_null() | (Job.delivery != DeliveryState.PENDING))
        which = old, Job.state.not_in(OPEN_JOBS), Job.inputs != {}
        ResultMessage.delete().where(ResultMessage.job.in_(Job.select(Job.id).where(*which))).execute()
        count = Job.update(**NO_WORDS).where(*which).execute()
        _forget_topups((TopUp.decided_at < before) & TopUp.proof_id.is_null(False))
        Outbox.delete().where(Outbox.state != OutboxState.PENDING, Outbox.send_at < before).execute()
        return count

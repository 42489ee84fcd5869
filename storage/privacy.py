"""What is known of a person, and forgetting it. Money rows stay under the internal id, which leads to nobody then."""

import secrets

from storage import facts, letters
from storage.db import connection, transaction
from storage.jobs import OPEN
from storage.tables import Account, Charge, Draft, Inbox, Job, Letter, Outbox, Sketch, TopUp, User

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
SOME = 500  # rows at a time: a statement takes a bounded number of values
NO_WORDS = {"inputs": {}, "result": None, "detail": None, "sent": None}  # of a job: prompts, files, results


def open_of(user_id):
    """Return what is unfinished: "job", "topup" or "refund"; None when a person can be forgotten."""
    with connection():
        unfinished = Job.state.in_(OPEN) | (Job.delivery == "pending")
        if Job.select().where(Job.user == user_id, unfinished).exists():
            return "job"
        if TopUp.select().where(TopUp.user == user_id, TopUp.state == "pending").exists():
            return "topup"
        if Charge.select().where(Charge.user == user_id, Charge.refund == "asked").exists():
            return "refund"
        return None


def erase(user_id, now):
    """Empty every field that tells who somebody is or what they wrote; return False while something is unfinished.

    The row of the account is locked first, so no order can begin in between. Plugins hear of it: `user.erased`.
    """
    with transaction():
        Account.update(balance=Account.balance).where(Account.user == user_id).execute()
        if open_of(user_id) is not None:
            return False
        telegram_id = User.select(User.telegram_id).where(User.id == user_id).scalar()
        User.update(code=secrets.token_urlsafe(9), **NOBODY).where(User.id == user_id).execute()
        Draft.delete().where(Draft.user == user_id).execute()
        Job.update(progress_id=None, **NO_WORDS).where(Job.user == user_id).execute()
        _forget_topups(TopUp.user == user_id)
        TopUp.update(state="cancelled").where(TopUp.user == user_id, TopUp.state == "new").execute()
        _forget_letters(user_id)
        Outbox.delete().where(Outbox.user == user_id).execute()
        Inbox.delete().where(Inbox.lane == telegram_id, Inbox.aside).execute()
        facts.emit("user.erased", now, user=user_id)
        return True


def _forget_letters(user_id):
    """Forget what somebody wrote to the staff, and the copies of it, in which the name stands."""
    ids = [letter_id for (letter_id,) in Letter.select(Letter.id).where(Letter.user == user_id).tuples()]
    for some in (ids[i : i + SOME] for i in range(0, len(ids), SOME)):
        Outbox.delete().where(Outbox.ref.in_([letters.ref(one) for one in some])).execute()
    Letter.delete().where(Letter.user == user_id).execute()


def _forget_topups(which):
    """Forget screenshots, and the copies of requests that the staff was sent, in which names stand."""
    ids = [topup_id for (topup_id,) in TopUp.select(TopUp.id).where(which).tuples()]
    for some in (ids[i : i + SOME] for i in range(0, len(ids), SOME)):
        Sketch.delete().where(Sketch.topup.in_(some)).execute()
        Outbox.delete().where(Outbox.ref.in_([f"topup:{one}" for one in some]), Outbox.state != "pending").execute()
        TopUp.update(proof=None, proof_id=None).where(TopUp.id.in_(some)).execute()


def forget_old(before):
    """Forget prompts, files, results and screenshots of what ended before a time; return how many jobs lost theirs."""
    with transaction():
        old = (Job.finished_at < before) & (Job.delivery.is_null() | (Job.delivery != "pending"))
        count = Job.update(**NO_WORDS).where(old, Job.state.not_in(OPEN), Job.inputs != {}).execute()
        _forget_topups((TopUp.decided_at < before) & TopUp.proof_id.is_null(False))
        Outbox.delete().where(Outbox.state != "pending", Outbox.send_at < before).execute()
        return count

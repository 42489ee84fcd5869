"""Top-ups: how money comes in. Credits are keyed, decisions are one conditional update.

    new ──proof──▶ pending ──▶ approved | rejected          (transfer: an admin decides, the first one wins)
    new ──────────────────────▶ paid                        (Stars: Telegram's charge id is the key)
    new ──────────────────────▶ cancelled
"""

from peewee import fn

from storage import facts, ledger
from storage.db import connection, transaction
from storage.tables import Charge, Entry, TopUp, User

CREDITS = ("topup", "stars")  # kinds of entries that are money from outside


class WrongPayment(Exception):
    """A payment does not fit its invoice row; nothing was credited."""


def create(user_id, method, amount, *, now, stars=None):
    """Write the invoice or request row, before anything is shown or sent."""
    with transaction():
        return TopUp.create(user=user_id, method=method, amount=amount, stars=stars, created_at=now)


def get(topup_id, user_id=None):
    """Return a top-up, or None; with `user_id` only that user's own."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user).where(TopUp.id == topup_id)
        return (query if user_id is None else query.where(TopUp.user == user_id)).first()


def pending_of(user_id):
    """Return the user's request that waits for a decision, or None."""
    with connection():
        return TopUp.get_or_none(TopUp.user == user_id, TopUp.state == "pending")


def submit(topup_id, user_id, proof):
    """new → pending with its proof, unless another request of the user is waiting; return the row or None."""
    waiting = TopUp.alias()
    others = waiting.select(waiting.id).where(waiting.user == user_id, waiting.state == "pending")
    with transaction():
        rows = (
            TopUp.update(state="pending", proof=proof, proof_id=proof["unique_id"])
            .where(TopUp.id == topup_id, TopUp.user == user_id, TopUp.state == "new", ~fn.EXISTS(others))
            .returning(TopUp)
            .execute()
        )
        return next(iter(rows), None)


def same_proof(topup):
    """Return other users' and older requests that came with the very same file, newest first."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user)
        query = query.where(TopUp.proof_id == topup.proof_id, TopUp.id != topup.id)
        return list(query.order_by(TopUp.id.desc()).limit(3))


def approve(topup_id, actor_id, now, amount=None):
    """pending → approved, credited once; return the row, or None if it was decided before.

    `amount` (minor units, > 0) is what really came, when it differs from what was asked for.
    """
    if amount is not None and amount <= 0:
        raise ValueError(f"a credit is more than nothing, not {amount}")
    with transaction():
        topup = _decide(topup_id, "approved", actor_id, now)
        if topup is not None:
            amount = topup.amount if amount is None else amount
            TopUp.update(credited=amount).where(TopUp.id == topup.id).execute()
            ref = f"topup:{topup.id}"
            ledger.post(topup.user_id, amount, kind="topup", key=ref, now=now, ref=ref, actor=actor_id)
            _credited(topup.user_id, amount, ref, now)
            topup.credited = amount
        return topup


def reject(topup_id, actor_id, reason, now):
    """pending → rejected with a reason; return the row, or None if it was decided before."""
    with transaction():
        return _decide(topup_id, "rejected", actor_id, now, reason=reason)


def _decide(topup_id, state, actor_id, now, **fields):
    rows = (
        TopUp.update(state=state, decided_by=actor_id, decided_at=now, **fields)
        .where(TopUp.id == topup_id, TopUp.state == "pending")
        .returning(TopUp)
        .execute()
    )
    return next(iter(rows), None)


def credit_stars(charge_id, topup_id, payer_id, stars, now):
    """Credit the payer what the invoice row says, once a charge id; return (row, created).

    Raise WrongPayment when there is no such invoice, or it asked for another number of Stars.
    """
    with transaction():
        topup = TopUp.get_or_none(TopUp.id == topup_id, TopUp.method == "stars")
        if topup is None or topup.stars != stars:
            raise WrongPayment(f"charge {charge_id}: {stars} Stars for invoice {topup_id}")
        charge = Charge.insert(charge_id=charge_id, topup=topup.id, user=payer_id, stars=stars, created_at=now)
        if not list(charge.on_conflict_ignore().returning(Charge.charge_id).tuples().execute()):
            return topup, False
        key = f"stars:{charge_id}"
        ledger.post(payer_id, topup.amount, kind="stars", key=key, now=now, ref=f"topup:{topup.id}")
        done = TopUp.update(state="paid", credited=topup.amount, decided_at=now)
        done.where(TopUp.id == topup.id, TopUp.state == "new").execute()
        _credited(payer_id, topup.amount, key, now)
        return topup, True


def _credited(user_id, amount, key, now):
    """Record the fact; `first` says that this is the first money the user brought."""
    count = Entry.select().where(Entry.user == user_id, Entry.kind.in_(CREDITS), Entry.amount > 0).count()
    facts.emit("payment.credited", now, user=user_id, amount=amount, key=key, first=count == 1)


def cancel_new(user_id):
    """new → cancelled for the user's unfinished transfer requests (an unpaid Stars invoice stays payable)."""
    with transaction():
        query = TopUp.update(state="cancelled")
        return query.where(TopUp.user == user_id, TopUp.state == "new", TopUp.method != "stars").execute()


def waiting(limit=10):
    """Return requests that wait for an admin, oldest first."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user).where(TopUp.state == "pending")
        return list(query.order_by(TopUp.id).limit(limit))


def count_waiting():
    """Return how many requests wait for an admin."""
    with connection():
        return TopUp.select().where(TopUp.state == "pending").count()


def of_user(user_id, limit=8):
    """Return the user's payments that went beyond their first screen, newest first."""
    with connection():
        query = TopUp.select().where(TopUp.user == user_id, TopUp.state.not_in(("new", "cancelled")))
        return list(query.order_by(TopUp.id.desc()).limit(limit))

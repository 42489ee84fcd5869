"""Bonuses that payments earn: a row from the start, an entry when they are due, gone when their payment is returned.

    waiting ──due──▶ posted ──payment returned──▶ taken      (a refund that Telegram refuses: back to where it came
       └─────payment returned─────▶ void                      from, void → waiting and taken → posted)

`origin` is the key of the payment's own entry (`stars:{charge}`, `topup:{id}`). Whoever posts or takes back locks the
payment's row first, so a bonus never outlives its payment, however late it is posted.
"""

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import Bonus, Charge, TopUp
from storage.journal import events
from storage.journal.event_kinds import BonusPosted, BonusRestored, BonusReturned
from storage.money import ledger, persons

KINDS = ("bonus", "promo", "referral")  # of entries
STARS = "stars:"
GONE = ("asked", "done")  # states of a charge's refund in which the payment does not stand


def promise(user_id, amount, *, kind, key, origin, topup, now, due_at=None):
    """Promise somebody a bonus (minor units, > 0) for a payment, once under the key of its entry; return the row.

    It is posted at once, or by `post_due` when `due_at` has come. For a payment returned meanwhile it is void.
    """
    if kind not in KINDS:
        raise ValueError(f"not a kind of bonus: {kind!r}")
    with transaction():
        state = "waiting" if _stands(origin, topup) else "void"
        row = dict(user=user_id, amount=amount, kind=kind, key=key, origin=origin, topup=topup, state=state)
        made = Bonus.insert(**row, due_at=due_at or now, created_at=now).on_conflict_ignore().returning(Bonus)
        bonus = next(iter(made.execute()), None)
        if bonus is None:
            return Bonus.get(Bonus.key == key)
        if bonus.state == "waiting" and bonus.due_at <= now:
            _post(bonus, now)
        return bonus


def _stands(origin, topup_id):
    """Lock a payment's row, and tell whether the payment has not been returned."""
    if origin.startswith(STARS):
        locked = Charge.update(listed=Charge.listed).where(Charge.charge_id == origin.removeprefix(STARS))
        charge = next(iter(locked.returning(Charge).execute()))
        return charge.refund not in GONE
    locked = TopUp.update(reminded=TopUp.reminded).where(TopUp.id == topup_id)
    return next(iter(locked.returning(TopUp).execute())).state != "undone"


def _move(bonus, before, after):
    """Make the one conditional update behind every arrow; tell whether the bonus moved."""
    moved = Bonus.update(state=after).where(Bonus.id == bonus.id, Bonus.state == before).execute()
    bonus.state = after if moved else bonus.state
    return bool(moved)


def _post(bonus, now):
    if _move(bonus, "waiting", "posted"):
        details = dict(kind=bonus.kind, key=bonus.key, ref=f"topup:{bonus.topup_id}")
        ledger.post(bonus.user_id, bonus.amount, now=now, **details)


def post_due(now, limit=100):
    """Post the bonuses whose time has come, each in a transaction of its own with the fact; return how many."""
    with connection():
        due = list(Bonus.select().where(Bonus.state == "waiting", Bonus.due_at <= now).order_by(Bonus.id).limit(limit))
    for bonus in due:
        with transaction():
            if _stands(bonus.origin, bonus.topup_id):
                _post(bonus, now)
                if bonus.state == "posted":
                    _tell(BonusPosted, bonus, now)
    return len(due)


def _tell(event, bonus, now, **more):
    data = {"bonus": bonus.id, "user": bonus.user_id, "what": bonus.kind, "amount": bonus.amount}
    events.emit(event(topup=bonus.topup_id, **data, **more), now)


def take_back(origin, cause, now, *, actor=None, reason=None):
    """Take back every bonus a payment earned, whoever has it; return the write-off in minor units.

    Inside the transaction that returns the payment. `cause` (undo, refund, chargeback) makes the key. Sales to
    somebody who has spent a bonus already pause.
    """
    total = 0
    for bonus in of_payment(origin):
        if _move(bonus, "waiting", "void"):
            _tell(BonusReturned, bonus, now, loss=0, posted=False)
        elif _move(bonus, "posted", "taken"):
            details = dict(kind="takeback", key=f"bonus:{bonus.id}:{cause}", ref=f"topup:{bonus.topup_id}")
            loss = ledger.force(bonus.user_id, bonus.amount, now=now, actor=actor, reason=reason, **details)
            if loss:
                persons.mark(bonus.user_id, sales_paused=True)
            _tell(BonusReturned, bonus, now, loss=loss, posted=True)
            total += loss
    return total


def give_again(origin, now):
    """Give the bonuses of a payment back, whose refund Telegram has refused; inside that transaction."""
    for bonus in of_payment(origin):
        if _move(bonus, "taken", "posted"):
            keys = {"debit_key": f"bonus:{bonus.id}:refund", "key": f"bonus:{bonus.id}:unrefund"}
            ref = f"topup:{bonus.topup_id}"
            ledger.give_again(bonus.user_id, bonus.amount, kind="takeback", now=now, ref=ref, **keys)
            _tell(BonusRestored, bonus, now)
        elif _move(bonus, "void", "waiting"):
            _tell(BonusRestored, bonus, now)


def of_payment(origin):
    """Return the bonuses a payment earned, oldest first."""
    with connection():
        return list(Bonus.select().where(Bonus.origin == origin).order_by(Bonus.id))


def get(bonus_id):
    """Return a bonus, or None."""
    with connection():
        return Bonus.get_or_none(Bonus.id == bonus_id)


def on_the_way(user_id, kind=None):
    """Return (sum in minor units, when the first part comes or None) of a user's bonuses that wait."""
    with connection():
        query = Bonus.select(fn.SUM(Bonus.amount), fn.MIN(Bonus.due_at).converter(Bonus.due_at.python_value))
        query = query.where(Bonus.user == user_id, Bonus.state == "waiting")
        total, first = (query if kind is None else query.where(Bonus.kind == kind)).tuples().get()
        return int(total or 0), first


def earned(user_id, kind):
    """Return (number, sum in minor units) of a user's bonuses of a kind that they have and keep."""
    with connection():
        query = Bonus.select(fn.COUNT(Bonus.id), fn.SUM(Bonus.amount))
        count, total = query.where(Bonus.user == user_id, Bonus.kind == kind, Bonus.state == "posted").tuples().get()
        return count, int(total or 0)

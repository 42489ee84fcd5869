"""The ledger: the only code that writes money.

Entries are append-only and carry a unique key that says what they are (`hold:{job}`, `settle:{job}`,
`stars:{charge}`); a key that is there already means the work is done, so every operation may be repeated.
Amounts are whole minor units (kopecks). All functions join a transaction that is already open.

A forced debit that the balance does not cover writes the rest off, and remembers it as the user's debt. What an order
holds at that moment answers for it: when it comes back, the debt is taken from it first (`recovery`). Money that comes
later is the user's own: neither a top-up nor an order paid from it pays the debt.
"""

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.tables import Account, Entry, Source
from storage.journal import audit_log, words

_balance = Prepared(lambda user: Account.select(Account.balance).where(Account.user == user))
_debt = Prepared(lambda user: Account.select(Account.debt).where(Account.user == user))
_newest = Prepared(
    lambda user, limit: (
        Entry.select().where(Entry.user == user, Entry.amount != 0).order_by(Entry.id.desc()).limit(limit)
    )
)

KINDS = frozenset(
    [
        "topup",
        "stars",
        "bonus",
        "promo",
        "referral",
        "gift",
        "admin",
        "hold",
        "capture",
        "release",
        "refund",
        "chargeback",
        "takeback",
        "writeoff",
        "recovery",
    ]
)
OF_DEBT = ("writeoff", "recovery")  # the kinds whose sum is a user's debt


SOURCED = ("gift", "bonus", "admin", "topup")  # of these, what no member of the staff has posted has a `Source`


class NotEnoughMoney(Exception):
    """The balance does not cover the amount; nothing was moved. `lacking` is what is missing, in minor units."""

    def __init__(self, lacking):
        super().__init__(f"{lacking} minor units are missing")
        self.lacking = lacking


class KeyReused(Exception):
    """A key stands for another user or kind already: a bug in the caller, never a repeat."""


def post(user_id, amount, *, kind, key, now, ref=None, actor=None, reason=None, alone=False):
    """Add one entry and move the balance by `amount` (signed), or raise NotEnoughMoney and move nothing.

    Return (entry, created). With a known key nothing moves and the first entry comes back as it stands. Raise
    OwnCheque when the `actor` would be given the money, unless proven to be `alone` in the shop.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of entry: {kind!r}")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TypeError(f"an amount is a whole number of minor units, not {amount!r}")
    if amount > 0:
        audit_log.refuse_own(actor, user_id, alone)
    fields = dict(user=user_id, amount=amount, kind=kind, key=key, created_at=now)
    with transaction():
        said = words.salted(reason)
        row = Entry.insert(**fields, ref=ref, actor=actor, digest=said.digest)
        rows = list(row.on_conflict_ignore().returning(Entry).execute())
        if not rows:
            return _known(user_id, kind, key), False
        words.put(said, user_id)
        if kind in SOURCED and actor is None:
            Source.insert(**fields).execute()
        _move(user_id, amount, amount if kind in OF_DEBT else 0)
        return rows[0], True


def _known(user_id, kind, key):
    entry = Entry.get(Entry.key == key)
    if (entry.user_id, entry.kind) != (user_id, kind) and not key.startswith("settle:"):
        raise KeyReused(f"{key} is {entry.kind} of user {entry.user_id}, not {kind} of user {user_id}")
    return entry


def _move(user_id, amount, debt):
    fields = {Account.balance: Account.balance + amount} | ({Account.debt: Account.debt + debt} if debt else {})
    if not Account.update(fields).where(Account.user == user_id, Account.balance + amount >= 0).execute():
        raise NotEnoughMoney(-amount - balance(user_id))


def force(user_id, amount, *, kind, key, now, ref=None, actor=None, reason=None):
    """Take `amount` (> 0) whatever the balance is; a `writeoff` entry covers what is lacking, and becomes debt.

    Return the write-off in minor units: the operator's loss, 0 when the balance covered all of it (or on a repeat).
    """
    _refuse_negative(amount)
    with transaction():
        lacking = max(0, amount - balance(user_id, lock=True))  # the lock first: a repeat at the same time waits here
        if Entry.select().where(Entry.key == key).exists():
            return 0
        if lacking:
            more = dict(now=now, ref=ref, actor=actor, reason=reason, alone=True)  # it only covers what is taken below
            post(user_id, lacking, kind="writeoff", key=f"writeoff:{key}", **more)
        post(user_id, -amount, kind=kind, key=key, now=now, ref=ref, actor=actor, reason=reason)
        return lacking


def written_off(key):
    """Return the write-off that the forced debit of this key needed, in minor units; 0 for none."""
    with connection():
        return Entry.select(Entry.amount).where(Entry.key == f"writeoff:{key}").scalar() or 0


def give_again(user_id, amount, debit_key, *, kind, key, now, ref=None):
    """Reverse a forced debit under a key of its own; what was written off for it, and is debt still, goes as well."""
    _refuse_negative(amount)
    with transaction():
        if not post(user_id, amount, kind=kind, key=key, now=now, ref=ref)[1]:
            return
        loss = min(written_off(debit_key), debt(user_id))
        if loss:
            post(user_id, -loss, kind="writeoff", key=f"writeoff:{key}", now=now, ref=ref)


def debt(user_id):
    """Return what was written off for a user and not recovered, in minor units."""
    return _debt.scalar(user_id) or 0


def recovered(job_id):
    """Return how much of what an order gave back went to its user's debt, in minor units."""
    with connection():
        return -(Entry.select(Entry.amount).where(Entry.key == f"recovery:{job_id}").scalar() or 0)


def _recover(user_id, back, job_id, now):
    """Take what was written off while this order held the money, from what it gives back."""
    owed = debt(user_id) if back else 0  # the settlement has locked the account
    if owed:
        held = Entry.select(Entry.id).where(Entry.key == f"hold:{job_id}")
        since = Entry.select(fn.SUM(Entry.amount)).where(
            Entry.user == user_id, Entry.kind.in_(OF_DEBT), Entry.id > held
        )
        amount = min(back, owed, int(since.scalar() or 0))
        if amount > 0:
            post(user_id, -amount, kind="recovery", key=f"recovery:{job_id}", now=now, ref=f"job:{job_id}")


def collect(user_id, *, key, now, actor=None, reason=None):
    """Take a user's debt from their balance, as far as it goes; return (entry or None, created)."""
    with transaction():
        amount = min(balance(user_id, lock=True), debt(user_id))
        if (entry := Entry.get_or_none(Entry.key == key)) is not None or amount <= 0:
            return entry, False
        return post(user_id, -amount, kind="recovery", key=key, now=now, actor=actor, reason=reason)


def balance(user_id, lock=False):
    """Return the user's balance in minor units (money on hold is already out of it)."""
    with connection() as db:
        if not (lock and db.for_update):
            return _balance.scalar(user_id) or 0
        query = Account.select(Account.balance).where(Account.user == user_id)
        return query.for_update().scalar() or 0


def _refuse_negative(*amounts):
    if any(amount < 0 for amount in amounts):
        raise ValueError(f"a negative amount would move money the other way: {amounts}")


def hold(user_id, amount, *, job_id, now):
    """Reserve `amount` (>= 0) for a job, or raise NotEnoughMoney and move nothing."""
    _refuse_negative(amount)
    entry, _created = post(user_id, -amount, kind="hold", key=f"hold:{job_id}", now=now, ref=f"job:{job_id}")
    return entry


def capture(user_id, held, charged, *, job_id, now):
    """Charge `charged` of the `held` amount and give the rest back; return False if the hold was settled before."""
    _refuse_negative(charged, held - charged)
    return _settle(user_id, held - charged, "capture", job_id, now)


def release(user_id, held, *, job_id, now):
    """Give a whole hold back; return False if it was settled before."""
    _refuse_negative(held)
    return _settle(user_id, held, "release", job_id, now)


def _settle(user_id, back, kind, job_id, now):
    """Give back what an order does not cost, the debt first; the key allows it once."""
    with transaction():
        _entry, created = post(user_id, back, kind=kind, key=f"settle:{job_id}", now=now, ref=f"job:{job_id}")
        if created:
            _recover(user_id, back, job_id, now)
        return created


def entries(user_id, limit=10, before=None, moving=False):
    """Return the user's newest entries, at most `limit`, older than entry id `before` when given.

    `moving` leaves out those of nothing: the capture of a fixed price, whose hold is what people saw go.
    """
    if moving and before is None:
        return _newest.rows(user_id, limit)
    with connection():
        query = Entry.select().where(Entry.user == user_id).order_by(Entry.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Entry.id < before)
        return list(query.where(Entry.amount != 0) if moving else query)


def sums_by_kind(since):
    """Return {kind: (signed sum, count)} of all entries made since a time."""
    with connection():
        query = (
            Entry.select(Entry.kind, fn.SUM(Entry.amount), fn.COUNT(Entry.id))
            .where(Entry.created_at >= since)
            .group_by(Entry.kind)
        )
        return {kind: (int(total), count) for kind, total, count in query.tuples()}

"""The ledger: the only code that writes money.

Entries are append-only and carry a unique key that says what they are (`hold:{job}`, `settle:{job}`,
`stars:{charge}`); a key that is there already means the work is done, so every operation may be repeated.
Amounts are whole minor units (kopecks). All functions join a transaction that is already open.

A forced debit that the balance does not cover writes the rest off, and remembers it as the user's debt. What an order
holds at that moment answers for it: when it comes back, the debt is taken from it first (`recovery`). Money that comes
later is the user's own: neither a top-up nor an order paid from it pays the debt.
"""

from datetime import datetime
from typing import Any, NamedTuple

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import EntryKind
from storage.base.tables import Account, Entry, Source
from storage.journal import audit_log, words

_balance = Prepared[tuple[int]](lambda user: Account.select(Account.balance).where(Account.user == user))
_debt = Prepared[tuple[int]](lambda user: Account.select(Account.debt).where(Account.user == user))
_newest = Prepared[Entry](
    lambda user, limit: (
        Entry.select().where(Entry.user == user, Entry.amount != 0).order_by(Entry.id.desc()).limit(limit)
    )
)

KINDS = frozenset(EntryKind)
OF_DEBT = (EntryKind.WRITEOFF, EntryKind.RECOVERY)  # the kinds whose sum is a user's debt
# Entries of these kinds have a `Source` row, unless somebody of the staff has posted them.
SOURCED = (EntryKind.GIFT, EntryKind.BONUS, EntryKind.ADMIN, EntryKind.TOPUP)


class NotEnoughMoney(Exception):
    """The balance does not cover the amount; nothing was moved. `lacking` is what is missing, in minor units."""

    def __init__(self, lacking: int) -> None:
        super().__init__(f"{lacking} minor units are missing")
        self.lacking = lacking


class KeyReused(Exception):
    """The key of another user's or kind's entry was used again: a bug in the caller, never a repeat."""


class Posted(NamedTuple):
    """An entry, and whether this call has created it; otherwise its key was there before."""

    entry: Entry
    created: bool


class Total(NamedTuple):
    """How many, and their sum in minor units."""

    number: int
    amount: int


class KindSum(NamedTuple):
    """The signed sum of a kind's entries in minor units, and their number."""

    amount: int
    entries: int


def post(
    user_id: int,
    amount: int,
    *,
    kind: str,
    key: str,
    now: datetime,
    ref: str | None = None,
    actor: int | None = None,
    reason: str | None = None,
    alone: bool = False,
) -> Posted:
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
            return Posted(_known(user_id, kind, key), False)
        words.put(said, user_id)
        if kind in SOURCED and actor is None:
            Source.insert(**fields).execute()
        _move(user_id, amount, amount if kind in OF_DEBT else 0)
        return Posted(rows[0], True)


def _known(user_id: int, kind: str, key: str) -> Entry:
    entry = Entry.get(Entry.key == key)
    if (entry.user_id, entry.kind) != (user_id, kind) and not key.startswith("settle:"):
        raise KeyReused(f"{key} is {entry.kind} of user {entry.user_id}, not {kind} of user {user_id}")
    return entry


def _move(user_id: int, amount: int, debt: int) -> None:
    fields = {Account.balance: Account.balance + amount} | ({Account.debt: Account.debt + debt} if debt else {})
    if not Account.update(fields).where(Account.user == user_id, Account.balance + amount >= 0).execute():
        raise NotEnoughMoney(-amount - balance(user_id))


def force(
    user_id: int,
    amount: int,
    *,
    kind: str,
    key: str,
    now: datetime,
    ref: str | None = None,
    actor: int | None = None,
    reason: str | None = None,
) -> int:
    """Take `amount` (> 0) whatever the balance is; a `writeoff` entry covers what is lacking, and becomes debt.

    Return the write-off in minor units: the operator's loss, 0 when the balance covered all of it (or on a repeat).
    """
    _refuse_negative(amount)
    with transaction():
        lacking = max(0, amount - balance(user_id, lock=True))  # the lock first: a repeat at the same time waits here
        if Entry.select().where(Entry.key == key).exists():
            return 0
        if lacking:
            more: dict[str, Any] = dict(
                now=now, ref=ref, actor=actor, reason=reason, alone=True
            )  # it only covers what is taken below
            post(user_id, lacking, kind=EntryKind.WRITEOFF, key=f"writeoff:{key}", **more)
        post(user_id, -amount, kind=kind, key=key, now=now, ref=ref, actor=actor, reason=reason)
        return lacking


def written_off(key: str) -> int:
    """Return the write-off that the forced debit of this key needed, in minor units; 0 for none."""
    with connection():
        return Entry.select(Entry.amount).where(Entry.key == f"writeoff:{key}").scalar() or 0


def give_again(
    user_id: int, amount: int, debit_key: str, *, kind: str, key: str, now: datetime, ref: str | None = None
) -> None:
    """Reverse a forced debit under a key of its own; what was written off for it, and is debt still, goes as well."""
    _refuse_negative(amount)
    with transaction():
        if not post(user_id, amount, kind=kind, key=key, now=now, ref=ref)[1]:
            return
        loss = min(written_off(debit_key), debt(user_id))
        if loss:
            post(user_id, -loss, kind=EntryKind.WRITEOFF, key=f"writeoff:{key}", now=now, ref=ref)


def debt(user_id: int) -> int:
    """Return what was written off for a user and not recovered, in minor units."""
    return _debt.scalar(user_id) or 0


def recovered(job_id: int) -> int:
    """Return how much of what an order gave back went to its user's debt, in minor units."""
    with connection():
        return -(Entry.select(Entry.amount).where(Entry.key == f"recovery:{job_id}").scalar() or 0)


def _recover(user_id: int, back: int, job_id: int, now: datetime) -> None:
    """Take what was written off while this order held the money, from what it gives back."""
    owed = debt(user_id) if back else 0  # the settlement has locked the account
    if owed:
        held = Entry.select(Entry.id).where(Entry.key == f"hold:{job_id}")
        since = Entry.select(fn.SUM(Entry.amount)).where(
            Entry.user == user_id, Entry.kind.in_(OF_DEBT), Entry.id > held
        )
        amount = min(back, owed, int(since.scalar() or 0))
        if amount > 0:
            post(user_id, -amount, kind=EntryKind.RECOVERY, key=f"recovery:{job_id}", now=now, ref=f"job:{job_id}")


def collect(
    user_id: int, *, key: str, now: datetime, actor: int | None = None, reason: str | None = None
) -> tuple[Entry | None, bool]:
    """Take a user's debt from their balance, as far as it goes; return (entry or None, created)."""
    with transaction():
        amount = min(balance(user_id, lock=True), debt(user_id))
        if (entry := Entry.get_or_none(Entry.key == key)) is not None or amount <= 0:
            return entry, False
        return post(user_id, -amount, kind=EntryKind.RECOVERY, key=key, now=now, actor=actor, reason=reason)


def balance(user_id: int, lock: bool = False) -> int:
    """Return the user's balance in minor units (money on hold is already out of it)."""
    with connection() as db:
        if not (lock and db.for_update):
            return _balance.scalar(user_id) or 0
        query = Account.select(Account.balance).where(Account.user == user_id)
        return query.for_update().scalar() or 0


def _refuse_negative(*amounts: int) -> None:
    if any(amount < 0 for amount in amounts):
        raise ValueError(f"a negative amount would move money the other way: {amounts}")


def hold(user_id: int, amount: int, *, job_id: int, now: datetime) -> Entry:
    """Reserve `amount` (>= 0) for a job, or raise NotEnoughMoney and move nothing."""
    _refuse_negative(amount)
    entry, _created = post(user_id, -amount, kind=EntryKind.HOLD, key=f"hold:{job_id}", now=now, ref=f"job:{job_id}")
    return entry


def capture(user_id: int, held: int, charged: int, *, job_id: int, now: datetime) -> bool:
    """Charge `charged` of the `held` amount and give the rest back; return False if the hold was settled before."""
    _refuse_negative(charged, held - charged)
    return _settle(user_id, held - charged, EntryKind.CAPTURE, job_id, now)


def release(user_id: int, held: int, *, job_id: int, now: datetime) -> bool:
    """Give a whole hold back; return False if it was settled before."""
    _refuse_negative(held)
    return _settle(user_id, held, EntryKind.RELEASE, job_id, now)


def _settle(user_id: int, back: int, kind: EntryKind, job_id: int, now: datetime) -> bool:
    """Give back what an order does not cost, the debt first; the key allows it once."""
    with transaction():
        _entry, created = post(user_id, back, kind=kind, key=f"settle:{job_id}", now=now, ref=f"job:{job_id}")
        if created:
            _recover(user_id, back, job_id, now)
        return created


def entries(user_id: int, limit: int = 10, before: int | None = None, moving: bool = False) -> list[Entry]:
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


def sums_by_kind(since: datetime) -> dict[str, KindSum]:
    """Return {kind: (signed sum, count)} of all entries made since a time."""
    with connection():
        query = (
            Entry.select(Entry.kind, fn.SUM(Entry.amount), fn.COUNT(Entry.id))
            .where(Entry.created_at >= since)
            .group_by(Entry.kind)
        )
        return {kind: KindSum(int(total), count) for kind, total, count in query.tuples().execute()}

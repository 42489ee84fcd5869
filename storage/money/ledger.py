"""The ledger: the only code that writes money.

Entries are append-only and have a unique key that says what they are (`hold:{job}`, `settle:{job}`,
`stars:{charge}`); a key that exists means that the work is done, so every operation may be repeated.
Amounts are whole minor units (kopecks). All functions join a transaction that is already open.

If the balance does not cover a forced debit, the rest is written off and remembered as the user's debt. Holds that are
open at that moment are liable for it: when such money comes back, the debt is deducted first (`recovery`). Money that
comes in later is the user's own: neither a top-up nor an order paid from it pays the debt.
"""

from datetime import datetime
from difflib import get_close_matches
from typing import Any, NamedTuple

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared, inserted
from storage.base.states import EntryKind
from storage.base.tables import Account, Entry, Source
from storage.journal import audit_log, erasable_text
from storage.money import closings

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
SOURCED = (EntryKind.GIFT, EntryKind.IMPORT, EntryKind.BONUS, EntryKind.ADMIN, EntryKind.TOPUP)


class NotEnoughMoney(Exception):
    """The balance does not cover the amount; nothing was moved. `lacking` is the difference, in minor units."""

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
    """Add one entry and change the balance by `amount` (signed), or raise NotEnoughMoney and change nothing.

    If the key exists, nothing changes and the existing entry is returned as it is. Raise OwnCheque if the money would go
    to the `actor`, unless proven to be `alone` in the shop.
    """
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, 1) or [f"one of {', '.join(sorted(KINDS))}"]
        raise ValueError(f"unknown kind of entry: {kind!r}; want {near[0]}")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TypeError(f"an amount is a whole number of minor units, not {amount!r}")
    if amount > 0:
        audit_log.refuse_own(actor, user_id, alone)
    fields = dict(user=user_id, amount=amount, kind=kind, key=key, created_at=now)
    with transaction():
        said = erasable_text.salted(reason)
        entry = inserted(Entry, fields | {"ref": ref, "actor": actor, "digest": said.digest}, is_new=False)
        if entry is None:
            return Posted(_known(user_id, kind, key), False)
        erasable_text.put(said, user_id)
        if kind in SOURCED and actor is None:
            inserted(Source, fields)
        _move(user_id, amount, amount if kind in OF_DEBT else 0)
        return Posted(entry, True)


def _known(user_id: int, kind: str, key: str) -> Entry:
    entry = Entry.get(Entry.key == key)
    if (entry.user_id, entry.kind) != (user_id, kind) and not key.startswith("settle:"):
        raise KeyReused(f"{key} is {entry.kind} of user {entry.user_id}, not {kind} of user {user_id}")
    return entry


def _move(user_id: int, amount: int, debt: int) -> None:
    if not _moved.run(amount, debt, user_id):
        raise NotEnoughMoney(-amount - balance(user_id))


@Prepared[Account]
def _moved(amount: int, debt: int, user_id: int) -> Any:
    query = Account.update(balance=Account.balance + amount, debt=Account.debt + debt)
    return query.where(Account.user == user_id, Account.balance + amount >= 0)


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
    """Debit `amount` (> 0) whatever the balance is; a `writeoff` entry covers what it lacks, and becomes debt.

    Return the write-off in minor units: the operator's loss, 0 if the balance covered everything (or on a repeat).
    """
    _refuse_negative(amount)
    with transaction():
        lacking = max(0, amount - balance(user_id, lock=True))  # lock first: a concurrent repeat waits here
        if Entry.select().where(Entry.key == key).exists():
            return 0
        if lacking:
            more: dict[str, Any] = dict(
                now=now, ref=ref, actor=actor, reason=reason, alone=True
            )  # it only offsets the debit below
            post(user_id, lacking, kind=EntryKind.WRITEOFF, key=f"writeoff:{key}", **more)
        post(user_id, -amount, kind=kind, key=key, now=now, ref=ref, actor=actor, reason=reason)
        return lacking


def written_off(key: str) -> int:
    """Return the write-off of the forced debit with this key, in minor units; 0 if there was none."""
    with connection():
        return Entry.select(Entry.amount).where(Entry.key == f"writeoff:{key}").scalar() or 0


def give_again(
    user_id: int, amount: int, debit_key: str, *, kind: str, key: str, now: datetime, ref: str | None = None
) -> None:
    """Reverse a forced debit under a new key, and its write-off as far as it is still debt."""
    _refuse_negative(amount)
    with transaction():
        if not post(user_id, amount, kind=kind, key=key, now=now, ref=ref)[1]:
            return
        loss = min(written_off(debit_key), debt(user_id))
        if loss:
            post(user_id, -loss, kind=EntryKind.WRITEOFF, key=f"writeoff:{key}", now=now, ref=ref)


def debt(user_id: int) -> int:
    """Return a user's debt in minor units: what was written off and not recovered."""
    return _debt.scalar(user_id) or 0


def recovered(job_id: int) -> int:
    """Return how much of an order's returned hold paid its user's debt, in minor units."""
    with connection():
        return -(Entry.select(Entry.amount).where(Entry.key == f"recovery:{job_id}").scalar() or 0)


def recover(user_id: int, back: int, *, since: str, key: str, ref: str, now: datetime) -> None:
    """Deduct from returned money what was written off since the entry with key `since` had taken it.

    The caller has locked the account.
    """
    owed = debt(user_id) if back else 0
    if owed:
        taken = Entry.select(Entry.id).where(Entry.key == since)
        lost = Entry.select(fn.SUM(Entry.amount)).where(
            Entry.user == user_id, Entry.kind.in_(OF_DEBT), Entry.id > taken
        )
        amount = min(back, owed, int(lost.scalar() or 0))
        if amount > 0:
            post(user_id, -amount, kind=EntryKind.RECOVERY, key=key, now=now, ref=ref)


def collect(
    user_id: int, *, key: str, now: datetime, actor: int | None = None, reason: str | None = None
) -> tuple[Entry | None, bool]:
    """Pay a user's debt from their balance, as far as it goes; return (entry or None, created)."""
    with transaction():
        amount = min(balance(user_id, lock=True), debt(user_id))
        if (entry := Entry.get_or_none(Entry.key == key)) is not None or amount <= 0:
            return entry, False
        return post(user_id, -amount, kind=EntryKind.RECOVERY, key=key, now=now, actor=actor, reason=reason)


def balance(user_id: int, lock: bool = False) -> int:
    """Return the user's balance in minor units, without money on hold."""
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
    """Charge `charged` of the `held` amount and release the rest; return False if the hold was settled before."""
    _refuse_negative(charged, held - charged)
    return _settle(user_id, held - charged, EntryKind.CAPTURE, job_id, now)


def release(user_id: int, held: int, *, job_id: int, now: datetime) -> bool:
    """Release a whole hold; return False if it was settled before."""
    _refuse_negative(held)
    return _settle(user_id, held, EntryKind.RELEASE, job_id, now)


def _settle(user_id: int, back: int, kind: EntryKind, job_id: int, now: datetime) -> bool:
    """Return the part of a hold that is not charged, less debt; the key allows it once."""
    with transaction():
        _entry, created = post(user_id, back, kind=kind, key=f"settle:{job_id}", now=now, ref=f"job:{job_id}")
        if created:
            ref = f"job:{job_id}"
            recover(user_id, back, since=f"hold:{job_id}", key=f"recovery:{job_id}", ref=ref, now=now)
        return created


def entries(user_id: int, limit: int = 10, before: int | None = None, moving: bool = False) -> list[Entry]:
    """Return the user's newest entries, at most `limit`, older than entry id `before` if given.

    `moving` leaves out entries of 0: captures of a fixed price, where the hold was the visible debit.
    """
    if moving and before is None:
        return _newest.rows(user_id, limit)
    with connection():
        query = Entry.select().where(Entry.user == user_id).order_by(Entry.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Entry.id < before)
        return list(query.where(Entry.amount != 0) if moving else query)


def sums_by_kind(since: datetime) -> dict[str, KindSum]:
    """Return {kind: KindSum} of all entries since a time."""
    rows = closings.entry_sums(since, "kind")
    return {kind: KindSum(int(amount), int(number)) for kind, amount, number in rows}

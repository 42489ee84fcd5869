"""Payments by providers: our row first, then the provider's. Each arrow is one conditional update.

    created ──asked──▶ unknown ──answer──▶ pending ──▶ paid ──all went back──▶ refunded
       ▲  └─────not reached─────┘ │           └──────▶ expired | cancelled
       └──────────────────────────┴─refused─▶ cancelled

    unknown, pending, expired, cancelled, mismatch ──the provider has what was asked for──▶ paid
    unknown, pending, expired, cancelled ──it has something else──▶ mismatch ──the staff──▶ paid | cancelled

`saw` is the only door for what a provider says, whether a callback, a poll or its daily list brought it. It credits in the
transaction of the state, once a row: the key of the entry is `pay:{topup}`. What goes back: `storage/money/provider_refunds.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import EntryKind, ProviderState, TopUpState
from storage.base.tables import ProviderPayment, TopUp, User
from storage.journal import audit_log, events
from storage.journal.event_kinds import PaymentLate, PaymentMismatch, PaymentReady, PaymentStopped
from storage.money import ledger, payments, provider_refunds

ASKING = (ProviderState.CREATED, ProviderState.UNKNOWN)  # there is no link yet
OPEN = (*ASKING, ProviderState.PENDING)
CREDITED = (ProviderState.PAID, ProviderState.REFUNDED)
ENDED = (ProviderState.EXPIRED, ProviderState.CANCELLED)  # unless money comes nevertheless
UNCREDITED = (ProviderState.UNKNOWN, ProviderState.PENDING, ProviderState.MISMATCH, *ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a provider says of one payment, as we have read it from the provider itself. Amounts are minor units.

    None, and whatever is left out, means that the provider does not say: that credits nothing, ends nothing and takes
    nothing back. What it does say has to fit our row.
    """

    id: str
    state: str = "pending"  # paid, expired, cancelled; any other word is pending
    amount: int | None = None
    currency: str = ""
    refunded: int | None = None  # so far, in all
    tag: str | None = None
    account: str | None = None
    test: bool | None = None
    said: str = ""  # the provider's own word for it
    why: str = ""  # the text key of why it was cancelled
    details: dict[str, Any] | None = None  # what a refund needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a payment is to be; `body(number)` and `tag(number)` name the row in what the provider gets."""

    provider: str
    account: str
    way: str
    test: bool
    currency: str
    amount: int
    key: str
    tag: Callable[[int], str]
    body: Callable[[int], str]
    expires_at: datetime


def create(user_id: int, asked: Asked, now: datetime, look_at: datetime) -> ProviderPayment:
    """Create the row of a payment and of its top-up, before the provider is asked."""
    with transaction():
        topup = payments.create(user_id, asked.provider, asked.amount, now=now)
        names = ("provider", "account", "way", "test", "currency", "key", "expires_at")
        row: dict[str, Any] = {name: getattr(asked, name) for name in names}
        row |= {"tag": asked.tag(topup.id), "body": asked.body(topup.id), "state": ProviderState.CREATED}
        ProviderPayment.insert(topup=topup.id, look_at=look_at, created_at=now, **row).execute()
        return _query().where(ProviderPayment.topup == topup.id).get()


def _query() -> "ModelSelect[ProviderPayment]":
    query = ProviderPayment.select(ProviderPayment, TopUp, User).join(TopUp, on=ProviderPayment.topup)
    return query.join(User, on=TopUp.user)


def get(topup_id: int, user_id: int | None = None) -> ProviderPayment | None:
    """Return a payment with its top-up and user, or None; with `user_id` only that user's own."""
    with connection():
        query = _query().where(ProviderPayment.topup == topup_id)
        return (query if user_id is None else query.where(TopUp.user == user_id)).first()


def find(provider: str, external_id: str, tag: str | None = None) -> ProviderPayment | None:
    """Return a payment by the provider's id, or by our tag while its id is not known; None if it is not ours."""
    with connection():
        mine = _query().where(ProviderPayment.provider == provider)
        found = mine.where(ProviderPayment.external_id == external_id).first()
        if found is None and tag is not None and tag.rpartition(":")[2].isdecimal():
            number = int(tag.rpartition(":")[2][:18])
            waits = ProviderPayment.topup == number, ProviderPayment.external_id.is_null(), ProviderPayment.tag == tag
            found = mine.where(*waits).first()
        return found


def open_like(user_id: int, asked: Asked, lives_until: datetime) -> ProviderPayment | None:
    """Return the user's open payment of the same kind and sum whose link lives until a time, or None."""
    same = [
        getattr(ProviderPayment, name) == getattr(asked, name)
        for name in ("provider", "account", "way", "test", "currency")
    ]
    with connection():
        query = _query().where(TopUp.user == user_id, TopUp.amount == asked.amount, *same)
        query = query.where(ProviderPayment.state.in_(OPEN), ProviderPayment.expires_at > lives_until)
        return query.order_by(ProviderPayment.topup.desc()).first()


def due(provider: str, now: datetime, limit: int) -> list[ProviderPayment]:
    """Return the provider's payments that are to be asked about, oldest first."""
    numbers = [number for (number,) in _due.rows(provider, now, limit)]
    if not numbers:
        return []
    with connection():
        query = _query().where(ProviderPayment.topup.in_(numbers))
        return list(query.order_by(ProviderPayment.look_at, ProviderPayment.topup))


@Prepared[tuple[int]]
def _due(provider: str, now: datetime, limit: int) -> "ModelSelect[ProviderPayment]":
    query = ProviderPayment.select(ProviderPayment.topup)
    query = query.where(ProviderPayment.provider == provider, ProviderPayment.look_at <= now)
    return query.order_by(ProviderPayment.look_at, ProviderPayment.topup).limit(limit)


def wake(topup_id: int, at: datetime) -> None:
    """Have a payment asked about at a time, or earlier if it was to be."""
    later = ProviderPayment.look_at.is_null() | (ProviderPayment.look_at > at)
    with transaction():
        ProviderPayment.update(look_at=at).where(ProviderPayment.topup == topup_id, later).execute()


def claim(payment: ProviderPayment, now: datetime, until: datetime) -> bool:
    """Count a call about a payment before it is made; return whether it is the caller's to make, until a time.

    One that was only created is `unknown` from here on: from now on it may be there.
    """
    state = ProviderState.UNKNOWN if payment.state == ProviderState.CREATED else payment.state
    same = ProviderPayment.looks == payment.looks, ProviderPayment.state == payment.state
    with transaction():
        query = ProviderPayment.update(looks=ProviderPayment.looks + 1, looked_at=now, look_at=until, state=state)
        return bool(query.where(ProviderPayment.topup == payment.topup_id, *same).execute())


def put_off(topup_id: int, look_at: datetime, *, sent: bool = True, said: str = "") -> None:
    """Try a payment again later; not `sent`: what was to create it has not reached the provider (unknown → created)."""
    with transaction():
        mine = ProviderPayment.topup == topup_id
        ProviderPayment.update(look_at=look_at, said=said or ProviderPayment.said).where(mine).execute()
        if not sent:
            back = ProviderPayment.update(state=ProviderState.CREATED)
            back.where(mine, ProviderPayment.state == ProviderState.UNKNOWN).execute()


def made(
    topup_id: int,
    external_id: str,
    url: str,
    expires_at: datetime | None,
    now: datetime,
    look_at: datetime,
    *,
    late: bool = False,
) -> bool:
    """unknown → pending, with the provider's id; `late`: the person was told to wait for it. Return whether it moved.

    An id that another row has is not taken: then the provider has mixed up two payments.
    """
    other = ProviderPayment.alias()
    with transaction():
        taken = other.select(other.topup).where(
            other.external_id == external_id, other.provider == ProviderPayment.provider, other.topup != topup_id
        )
        news: dict[str, Any] = {"external_id": external_id, "url": url, "look_at": look_at}
        news |= {"state": ProviderState.PENDING} | ({"expires_at": expires_at} if expires_at else {})
        moved = ProviderPayment.update(**news).where(
            ProviderPayment.topup == topup_id, ProviderPayment.state.in_(ASKING), ~fn.EXISTS(taken)
        )
        if not moved.execute():
            return False
        if late:
            user_id = TopUp.select(TopUp.user).where(TopUp.id == topup_id).tuples().scalar()
            events.emit(PaymentReady(topup=topup_id, user=user_id), now)
        return True


def refused(topup_id: int, said: str, now: datetime, *, why: str = "", tell: bool = True) -> bool:
    """created, unknown → cancelled: the provider does not make it, or was asked for too long; return whether it moved."""
    with transaction():
        row = _lock(topup_id)
        return _end(row, ProviderState.CANCELLED, said, why, now, before=ASKING, tell=tell)


def note_screen(topup_id: int, message_id: int) -> None:
    """Note which message shows the link."""
    with transaction():
        ProviderPayment.update(screen=message_id).where(ProviderPayment.topup == topup_id).execute()


def _lock(topup_id: int) -> ProviderPayment:
    """Lock a payment's row before anything of it is read; return it with its top-up and user."""
    ProviderPayment.update(looks=ProviderPayment.looks).where(ProviderPayment.topup == topup_id).execute()
    return _query().where(ProviderPayment.topup == topup_id).get()


# what the provider says


def saw(topup_id: int, seen: Seen, now: datetime, look_at: datetime | None = None) -> ProviderPayment:
    """Take what the provider says of a payment: credit it, end it, or book what went back; return the row.

    `look_at` is when to ask again, if it is still open after this. Whatever is seen again changes nothing.
    """
    with transaction():
        row = _lock(topup_id)
        if row.state not in CREDITED:
            _follow(row, seen, now)
            row = _lock(topup_id)
        if row.state in CREDITED:
            provider_refunds.from_outside(row, seen.refunded or 0, now)
            row = _lock(topup_id)
        again = look_at if row.state in (*OPEN, ProviderState.EXPIRED, ProviderState.MISMATCH) else None
        news = {"said": seen.said or row.said, "details": seen.details or row.details, "look_at": again}
        ProviderPayment.update(**news).where(ProviderPayment.topup == topup_id).execute()
        return row


def _follow(row: ProviderPayment, seen: Seen, now: datetime) -> None:
    if seen.state == ProviderState.PAID:
        trouble = misfit(row, seen)
        if trouble:
            _hold(row, seen, trouble, now)
        else:
            _credit(row, now)
    elif seen.state in ENDED:
        _end(row, ProviderState(seen.state), seen.said, seen.why, now)
    elif now >= row.expires_at:
        _end(row, ProviderState.EXPIRED, seen.said, "", now)


def misfit(row: ProviderPayment, seen: Seen) -> str | None:
    """Return what of a payment differs from what was asked for, in one word; None if all of it fits, exactly."""
    if row.external_id != seen.id:
        return "id"
    for name in ("account", "test", "tag"):
        if getattr(seen, name) is not None and getattr(seen, name) != getattr(row, name):
            return name
    if seen.currency != row.currency:
        return "currency"
    return None if seen.amount == row.topup.amount else "amount"


def _credit(row: ProviderPayment, now: datetime) -> None:
    """unknown, pending, expired, cancelled, mismatch → paid, with its entry."""
    mine = ProviderPayment.topup == row.topup_id, ProviderPayment.external_id.is_null(False)
    moved = ProviderPayment.update(state=ProviderState.PAID, paid_at=now, trouble=None).where(
        *mine, ProviderPayment.state.in_(UNCREDITED)
    )
    if not moved.execute():
        return
    _post(row.topup, row.topup.amount, now)
    if row.state in ENDED or now >= row.expires_at:
        events.emit(PaymentLate(topup=row.topup_id, user=row.topup.user_id, amount=row.topup.amount), now)


def _post(topup: TopUp, amount: int, now: datetime, **by: Any) -> None:
    key, ref = key_of(topup.id), f"topup:{topup.id}"
    ledger.post(topup.user_id, amount, kind=EntryKind.TOPUP, key=key, ref=ref, now=now, **by)
    waiting = TopUp.state.in_((TopUpState.NEW, TopUpState.CANCELLED))
    TopUp.update(state=TopUpState.PAID, credited=amount, decided_at=now).where(TopUp.id == topup.id, waiting).execute()
    payments.announce(topup, topup.user_id, amount, key, now)


def key_of(topup_id: int) -> str:
    """Return the key of a payment's entry, which is the `origin` of what it earns."""
    return f"pay:{topup_id}"


def _hold(row: ProviderPayment, seen: Seen, trouble: str, now: datetime) -> None:
    """unknown, pending, expired, cancelled → mismatch; told again when it says something else by now."""
    if row.state == ProviderState.MISMATCH and (row.trouble, row.received) == (trouble, seen.amount):
        return
    moved = ProviderPayment.update(state=ProviderState.MISMATCH, trouble=trouble, received=seen.amount)
    if moved.where(ProviderPayment.topup == row.topup_id, ProviderPayment.state.in_(UNCREDITED)).execute():
        said = f"{seen.amount} {seen.currency} {seen.account or ''} {seen.tag or ''}".strip()
        about: dict[str, Any] = {"topup": row.topup_id, "user": row.topup.user_id, "amount": row.topup.amount}
        events.emit(PaymentMismatch(trouble=trouble, received=seen.amount, said=said, **about), now)


def _end(
    row: ProviderPayment,
    state: ProviderState,
    said: str,
    why: str,
    now: datetime,
    *,
    before: tuple[ProviderState, ...] = OPEN,
    tell: bool = True,
) -> bool:
    """unknown, pending → expired, cancelled; return whether it moved."""
    moved = ProviderPayment.update(state=state, said=said or row.said, look_at=None)
    if not moved.where(ProviderPayment.topup == row.topup_id, ProviderPayment.state.in_(before)).execute():
        return False
    if tell:
        about: dict[str, Any] = {"topup": row.topup_id, "user": row.topup.user_id, "amount": row.topup.amount}
        events.emit(PaymentStopped(state=state, why=why, **about), now)
    return True


# the staff


def mismatches(limit: int = 10) -> list[ProviderPayment]:
    """Return the payments that the staff has to decide about, oldest first."""
    with connection():
        query = _query().where(ProviderPayment.state == ProviderState.MISMATCH)
        return list(query.order_by(ProviderPayment.topup).limit(limit))


def settle(topup_id: int, actor_id: int, now: datetime, *, credit: bool, alone: bool = False) -> ProviderPayment | None:
    """mismatch → paid, crediting what came, or → cancelled: settled otherwise. Return the row, or None if decided before.

    Only another amount in the right currency can be credited: raise ValueError for anything else. Raise OwnCheque for the
    actor's own payment, unless proven to be `alone` in the shop.
    """
    with transaction():
        row = _lock(topup_id)
        if row.state != ProviderState.MISMATCH:
            return None
        ref, user_id = f"topup:{topup_id}", row.topup.user_id
        if credit and (row.trouble != "amount" or not row.received):
            raise ValueError(f"{ref}: what has come cannot be credited: {row.trouble}")
        news = {"state": ProviderState.PAID, "paid_at": now} if credit else {"state": ProviderState.CANCELLED}
        ProviderPayment.update(**news).where(ProviderPayment.topup == topup_id).execute()
        if credit:
            own = audit_log.refuse_own(actor_id, user_id, alone)
            _post(row.topup, row.received or 0, now, actor=actor_id, alone=alone)
            audit_log.note(actor_id, "paid", now, user=user_id, ref=ref, amount=row.received, own=own)
        else:
            audit_log.note(actor_id, "set_apart", now, user=user_id, ref=ref)
        return _lock(topup_id)


# the provider's list


def mark_listed(topup_id: int) -> None:
    """Note that the provider's own list has a payment as paid."""
    with transaction():
        ProviderPayment.update(listed=True).where(ProviderPayment.topup == topup_id, ~ProviderPayment.listed).execute()


def unlisted(provider: str, account: str, since: datetime, before: datetime) -> list[ProviderPayment]:
    """Return what was credited in a time and the provider's list does not have."""
    with connection():
        query = _query().where(ProviderPayment.provider == provider, ProviderPayment.account == account)
        query = query.where(ProviderPayment.created_at >= since, ProviderPayment.paid_at <= before)
        return list(query.where(~ProviderPayment.listed).order_by(ProviderPayment.topup).limit(50))


def ids_since(provider: str, account: str, since: datetime) -> list[str]:
    """Return the provider's ids of the payments made since a time."""
    with connection():
        mine = ProviderPayment.provider == provider, ProviderPayment.account == account
        found = ProviderPayment.select().where(*mine, ProviderPayment.created_at >= since)
        return [one.external_id for one in found if one.external_id]


def of_user(user_id: int, limit: int = 20) -> list[ProviderPayment]:
    """Return the user's credited payments, newest first."""
    with connection():
        query = _query().where(TopUp.user == user_id, ProviderPayment.state.in_(CREDITED))
        return list(query.order_by(ProviderPayment.topup.desc()).limit(limit))

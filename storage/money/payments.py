"""Top-ups: how money comes in. Credits have unique keys; each decision is one conditional update.

    new ──proof──▶ pending ──▶ approved ──▶ undone          (transfer: an admin decides, the first one wins)
                      └──────▶ rejected
    new ──────────────────────▶ paid                        (Stars and other ways: the payment's own id is the key)
    new ──────────────────────▶ cancelled

Payments by providers: `storage/money/provider_payments.py`. Taking a credit back: `storage/money/refunds.py`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from peewee import ModelSelect, Value, fn

from storage.base.db import connection, is_postgres, transaction
from storage.base.prepared import Prepared
from storage.base.states import EntryKind, TopUpState
from storage.base.tables import Charge, Checkout, Entry, Proof, ProviderPayment, Sketch, TopUp, User
from storage.journal import audit_log, erasable_text, events, outbox
from storage.journal.event_kinds import PaymentCredited, PaymentRefused, PaymentSubmitted, PaymentUnchecked
from storage.money import ledger, persons
from storage.money.ledger import Total

CREDITS = (EntryKind.TOPUP, EntryKind.STARS)  # the kinds of entries that bring in money
ALIKE_OWN, ALIKE_OTHERS = timedelta(days=1), timedelta(minutes=10)  # how close in time an equal amount is worth a hint
CHECKOUT_VALID = timedelta(days=1)  # generous: Telegram charges at once, but two clocks are compared
SKETCHES = 2_000  # the newest screenshots that a new one is compared with


class WrongPayment(Exception):
    """A payment does not fit its invoice row; nothing was credited."""


def create(user_id: int, method: str, amount: int, *, now: datetime, stars: int | None = None) -> TopUp:
    """Create the row of an invoice or transfer, before anything is shown or sent."""
    with transaction():
        return TopUp.create(user=user_id, method=method, amount=amount, stars=stars, created_at=now)


def create_unique(user_id: int, method: str, amount: int, most: int, *, now: datetime, since: datetime) -> TopUp:
    """Create a row of `amount` and as few minor units more, at most `most`, that no open one of the method has this sum.

    Open are those that wait for a decision, and those begun since a time. If all sums are taken, it is `amount`.
    """
    begun = (TopUp.state == TopUpState.NEW) & (TopUp.created_at >= since)
    with transaction() as db:
        if is_postgres():  # one at a time: the next one has to see this one's sum
            db.execute_sql("SELECT pg_advisory_xact_lock(hashtext('unique top-up'))")
        taken = TopUp.select(TopUp.amount).where(
            TopUp.method == method,
            TopUp.amount.between(amount, amount + most),
            begun | (TopUp.state == TopUpState.PENDING),
        )
        sums = {one for (one,) in taken.tuples().execute()}
        free = (amount + more for more in range(1, most + 1) if amount + more not in sums)
        return create(user_id, method, next(free, amount), now=now)


def get(topup_id: int, user_id: int | None = None) -> TopUp | None:
    """Return a top-up, or None; with `user_id` only that user's own."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user).where(TopUp.id == topup_id)
        return (query if user_id is None else query.where(TopUp.user == user_id)).first()


def pending_of(user_id: int) -> TopUp | None:
    """Return the user's transfer that waits for a decision, or None."""
    with connection():
        return TopUp.get_or_none(TopUp.user == user_id, TopUp.state == TopUpState.PENDING)


def submit(topup_id: int, user_id: int, proof: Proof, now: datetime, sketch: bytes | None = None) -> TopUp | None:
    """new → pending with its proof, unless another transfer of the user is waiting; return the row or None.

    `sketch` is a tiny version of the picture; None if the file is no picture.
    """
    waiting = TopUp.alias()
    others = waiting.select(waiting.id).where(waiting.user == user_id, waiting.state == TopUpState.PENDING)
    with transaction():
        rows = (
            TopUp.update(state=TopUpState.PENDING, proof=proof, proof_id=proof["unique_id"], submitted_at=now)
            .where(TopUp.id == topup_id, TopUp.user == user_id, TopUp.state == TopUpState.NEW, ~fn.EXISTS(others))
            .returning(TopUp)
            .execute()
        )
        topup = next(iter(rows), None)
        if topup is not None:
            if sketch is not None:
                Sketch.insert(topup=topup.id, pixels=sketch).execute()
            events.emit(PaymentSubmitted(topup=topup.id), now)
        return topup


def same_proof(topup: TopUp) -> list[TopUp]:
    """Return other transfers with the very same file as proof, newest first."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user)
        query = query.where(TopUp.proof_id == topup.proof_id, TopUp.id != topup.id)
        return list(query.order_by(TopUp.id.desc()).limit(3))


def similar_proof(topup: TopUp, alike: Callable[[bytes, bytes], bool]) -> TopUp | None:
    """Return the newest other transfer whose sketch is `alike(mine, its)`, or None."""
    with connection():
        mine = Sketch.get_or_none(Sketch.topup == topup.id)
        if mine is None:
            return None
        others = Sketch.select(Sketch.topup, Sketch.pixels).where(Sketch.topup != topup.id)
        others = others.order_by(Sketch.topup.desc()).limit(SKETCHES).tuples().execute()
        twin = next((topup_id for topup_id, pixels in others if alike(bytes(mine.pixels), bytes(pixels))), None)
        return None if twin is None else get(twin)


def same_amount(topup: TopUp) -> TopUp | None:
    """Return the newest other transfer of the same amount: within a day by the same user, within ten minutes by others."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user)
        at: Any = topup.submitted_at
        near = TopUp.submitted_at > at - ALIKE_OTHERS
        own = (TopUp.user == topup.user_id) & (TopUp.submitted_at > at - ALIKE_OWN)
        query = query.where(
            TopUp.amount == topup.amount, TopUp.id != topup.id, TopUp.submitted_at <= topup.submitted_at
        )
        return query.where(near | own).order_by(TopUp.id.desc()).first()


def approve(
    topup_id: int, actor_id: int, now: datetime, amount: int | None = None, *, alone: bool = False
) -> TopUp | None:
    """pending → approved, credited once; return the row, or None if it was decided before.

    `amount` (minor units, > 0) is what was actually received, if it differs from what was announced. Raise OwnCheque if
    the actor is the payer, unless proven to be `alone` in the shop.
    """
    if amount is not None and amount <= 0:
        raise ValueError(f"a credit is more than nothing, not {amount}")
    with transaction():
        topup = _decide(topup_id, TopUpState.APPROVED, actor_id, now)
        if topup is not None:
            amount = topup.amount if amount is None else amount
            TopUp.update(credited=amount).where(TopUp.id == topup.id).execute()
            ref, own = f"topup:{topup.id}", audit_log.refuse_own(actor_id, topup.user_id, alone)
            details: dict[str, Any] = dict(kind=EntryKind.TOPUP, key=ref, ref=ref, actor=actor_id, alone=alone)
            ledger.post(topup.user_id, amount, now=now, **details)
            audit_log.note(actor_id, "approve", now, user=topup.user_id, ref=ref, amount=amount, own=own)
            announce(topup, topup.user_id, amount, ref, now)
            topup.credited = amount
        return topup


def reject(topup_id: int, actor_id: int, reason: str, now: datetime) -> TopUp | None:
    """pending → rejected with a reason; return the row, or None if it was decided before."""
    with transaction():
        topup = _decide(topup_id, TopUpState.REJECTED, actor_id, now)
        if topup is not None:
            topup.digest = erasable_text.keep(reason, topup.user_id)
            TopUp.update(digest=topup.digest).where(TopUp.id == topup.id).execute()
            details: dict[str, Any] = {"ref": f"topup:{topup.id}", "words": reason, "amount": topup.amount}
            audit_log.note(actor_id, "reject", now, user=topup.user_id, **details)
            events.emit(PaymentRefused(topup=topup.id, user=topup.user_id), now)
        return topup


def _decide(topup_id: int, state: TopUpState, actor_id: int, now: datetime) -> TopUp | None:
    rows = (
        TopUp.update(state=state, decided_by=actor_id, decided_at=now)
        .where(TopUp.id == topup_id, TopUp.state == TopUpState.PENDING)
        .returning(TopUp)
        .execute()
    )
    return next(iter(rows), None)


def accept(query_id: str, topup_id: int, user_id: int, now: datetime, oldest: datetime) -> bool:
    """Accept a pre-checkout, which fixes what its charge is worth; return whether it is accepted (now or before).

    One statement decides: the invoice is this user's, unpaid, not older than `oldest`, and no other pre-checkout of it
    was accepted and answered.
    """
    money = (Checkout.topup, Checkout.user, Checkout.amount, Checkout.stars)
    fields = (Checkout.query_id, *money, Checkout.answered, Checkout.accepted_at)
    used = Checkout.select(Checkout.query_id).where(Checkout.topup == TopUp.id, Checkout.answered)
    values = (Value(query_id), TopUp.id, TopUp.user, TopUp.amount, TopUp.stars)
    row = TopUp.select(*values, Value(False), Value(Checkout.accepted_at.db_value(now))).where(
        TopUp.id == topup_id,
        TopUp.user == user_id,
        TopUp.method == "stars",
        TopUp.state == TopUpState.NEW,
        TopUp.created_at >= oldest,
        ~fn.EXISTS(used),
    )
    with transaction():
        Checkout.insert_from(row, fields).on_conflict_ignore().execute()
        return Checkout.select().where(Checkout.query_id == query_id, Checkout.user == user_id).exists()


def accepted(query_id: str) -> None:
    """Note that Telegram has received our acceptance of a pre-checkout."""
    with transaction():
        Checkout.update(answered=True).where(Checkout.query_id == query_id).execute()


def forget_checkouts(before: datetime) -> int:
    """Delete the pre-checkouts accepted before a time whose payment never came; return how many."""
    with transaction():
        return Checkout.delete().where(Checkout.charge_id.is_null(), Checkout.accepted_at < before).execute()


def credit_stars(
    charge_id: str,
    topup_id: int,
    payer_id: int,
    stars: int,
    now: datetime,
    *,
    paid_at: datetime | None = None,
    rate: Decimal | None = None,
    agreed: bool = False,
    listed: bool = False,
) -> tuple[Charge, bool]:
    """Credit the payer for a charge, once per charge id; return (charge with its credit, created).

    The invoice's amount is credited if a pre-checkout was accepted, or if it was `agreed` (a subscription's renewal).
    Otherwise the charge is worth its Stars at `rate` (currency units per Star; None: Stars are off, so the invoice's
    amount), and the event `payment.unchecked` informs the staff. `listed`: Telegram's own list has the charge. Raise
    WrongPayment if there is no such invoice, or it asked for another number of Stars.
    """
    with transaction():
        topup = TopUp.get_or_none(TopUp.id == topup_id, TopUp.method == "stars")
        if topup is None or topup.stars != stars:
            raise WrongPayment(f"charge {charge_id}: {stars} Stars for invoice {topup_id}")
        row = dict(charge_id=charge_id, topup=topup.id, user=payer_id, stars=stars, listed=listed, created_at=now)
        made = Charge.insert(**row).on_conflict_ignore().returning(Charge.charge_id)
        if not list(made.tuples().execute()):
            return _charge(charge_id), False
        checked = _take_checkout(charge_id, topup.id, payer_id, paid_at or now) or agreed
        amount = topup.amount if checked else worth_today(topup, rate)
        Charge.update(credited=amount).where(Charge.charge_id == charge_id).execute()
        _credit(topup, payer_id, amount, EntryKind.STARS, f"stars:{charge_id}", now)
        if not checked:
            data: dict[str, Any] = {
                "user": payer_id,
                "topup": topup.id,
                "amount": amount,
                "stars": stars,
                "charge": charge_id,
            }
            events.emit(PaymentUnchecked(invoiced=topup.amount, **data), now)
        return _charge(charge_id), True


def _take_checkout(charge_id: str, topup_id: int, user_id: int, paid_at: datetime) -> bool:
    """Assign to a charge the accepted pre-checkout that led to it; return whether there was one."""
    near = Checkout.accepted_at.between(paid_at - CHECKOUT_VALID, paid_at + CHECKOUT_VALID)
    open_ = (Checkout.topup == topup_id, Checkout.user == user_id, Checkout.charge_id.is_null(), near)
    oldest = Checkout.select(Checkout.query_id).where(*open_).order_by(Checkout.accepted_at).limit(1)
    taken = Checkout.update(charge_id=charge_id).where(Checkout.query_id.in_(oldest), Checkout.charge_id.is_null())
    return bool(taken.execute())


def stars_for(amount: int, rate: Decimal) -> int:
    """Return how many Stars an amount costs at a rate, rounded up."""
    return int((Decimal(amount) / 100 / rate).to_integral_value(ROUND_CEILING))


def worth_today(topup: TopUp, rate: Decimal | None) -> int:
    """Return what an invoice's Stars are worth at today's rate, in minor units; its own amount if that still fits."""
    if not rate or topup.stars is None or stars_for(topup.amount, rate) == topup.stars:
        return topup.amount
    return max(1, int(topup.stars * rate * 100))


def credit(
    topup_id: int, key: str, now: datetime, *, actor: int | None = None, alone: bool = False
) -> tuple[TopUp, bool]:
    """Credit a top-up's amount to its user under the payment's own `key` (`provider:id`); return (row, created).

    For payments other than Stars and transfers; another key is another payment of the same row. `actor` is the member of
    the staff who took the money: raise OwnCheque for one's own payment, unless proven to be `alone` in the shop.
    """
    with transaction():
        topup = TopUp.get_by_id(topup_id)
        own = audit_log.refuse_own(actor, topup.user_id, alone)
        created = _credit(topup, topup.user_id, topup.amount, EntryKind.TOPUP, key, now, actor=actor, alone=alone)
        if created and actor is not None:
            ref = f"topup:{topup.id}"
            audit_log.note(actor, "paid", now, user=topup.user_id, ref=ref, amount=topup.amount, own=own)
        return topup, created


def _credit(topup: TopUp, payer_id: int, amount: int, kind: str, key: str, now: datetime, **by: Any) -> bool:
    """Post an amount and mark the top-up as paid; return whether the key was new."""
    _entry, created = ledger.post(payer_id, amount, kind=kind, key=key, now=now, ref=f"topup:{topup.id}", **by)
    if created:
        done = TopUp.update(state=TopUpState.PAID, credited=amount, decided_at=now)
        done.where(TopUp.id == topup.id, TopUp.state == TopUpState.NEW).execute()
        announce(topup, payer_id, amount, key, now)
    return created


def announce(topup: TopUp, user_id: int, amount: int, key: str, now: datetime) -> None:
    """Emit the event of a credit, in its transaction; `first`: the person's first payment with any of their accounts."""
    own = Entry.user.in_(persons.accounts(user_id))
    count = Entry.select().where(own, Entry.kind.in_(CREDITS), Entry.amount > 0).count()
    credited = PaymentCredited(user=user_id, amount=amount, key=key, first=count == 1, topup=topup.id)
    events.emit(credited, now)


def cancel_new(user_id: int) -> int:
    """new → cancelled for the user's unfinished transfers; return how many. What is a provider's can still be paid."""
    theirs = ProviderPayment.select(ProviderPayment.topup).where(ProviderPayment.topup == TopUp.id)
    with transaction():
        query = TopUp.update(state=TopUpState.CANCELLED)
        mine = TopUp.user == user_id, TopUp.state == TopUpState.NEW, TopUp.method != "stars"
        return query.where(*mine, ~fn.EXISTS(theirs)).execute()


def waiting(limit: int = 10) -> list[TopUp]:
    """Return the transfers that wait for a decision, oldest first."""
    with connection():
        query = TopUp.select(TopUp, User).join(User, on=TopUp.user).where(TopUp.state == TopUpState.PENDING)
        return list(query.order_by(TopUp.id).limit(limit))


def ref(topup_id: int) -> str:
    """Return the `ref` of the staff's copies of a request in the outbox."""
    return f"topup:{topup_id}"


def unheard(limit: int = 200) -> list[TopUp]:
    """Return the transfers that wait for a decision without a copy on its way: nobody on the staff knows of them."""
    numbers = [number for (number,) in _waiting_numbers.rows(limit)]
    copied = outbox.alive([ref(number) for number in numbers])
    missing = [number for number in numbers if ref(number) not in copied]
    if not missing:
        return []
    with connection():
        return list(TopUp.select(TopUp, User).join(User, on=TopUp.user).where(TopUp.id.in_(missing)).order_by(TopUp.id))


@Prepared[tuple[int]]
def _waiting_numbers(limit: int) -> "ModelSelect[TopUp]":
    return TopUp.select(TopUp.id).where(TopUp.state == TopUpState.PENDING).order_by(TopUp.id).limit(limit)


def count_waiting() -> int:
    """Return how many transfers wait for a decision."""
    with connection():
        return TopUp.select().where(TopUp.state == TopUpState.PENDING).count()


def overdue(before: datetime) -> list[TopUp]:
    """Return the waiting transfers submitted before a time, once each, and mark them as reminded."""
    with transaction():
        return _reminded.rows(before)


@Prepared[TopUp]
def _reminded(before: datetime) -> Any:
    late = TopUp.state == TopUpState.PENDING, ~TopUp.reminded, TopUp.submitted_at <= before
    return TopUp.update(reminded=True).where(*late).returning(TopUp)


def of_user(user_id: int, limit: int = 8, before: int | None = None) -> list[TopUp]:
    """Return the user's submitted or paid top-ups, newest first, older than id `before` if given."""
    with connection():
        query = TopUp.select().where(TopUp.user == user_id, TopUp.state.not_in((TopUpState.NEW, TopUpState.CANCELLED)))
        if before is not None:
            query = query.where(TopUp.id < before)
        return list(query.order_by(TopUp.id.desc()).limit(limit))


def charges(topup_id: int | None = None, user_id: int | None = None, limit: int = 20) -> list[Charge]:
    """Return the payments in Stars of an invoice or a user, newest first, with their invoices and credits."""
    with connection():
        query = charges_with_credit().order_by(Charge.created_at.desc(), Charge.charge_id).limit(limit)
        query = query if topup_id is None else query.where(Charge.topup == topup_id)
        return list(query if user_id is None else query.where(Charge.user == user_id))


def charges_with_credit() -> "ModelSelect[Charge]":
    """Return the query of payments in Stars with their users (`user`), invoices (`topup`) and entries (`credit`)."""
    query = Charge.select(Charge, TopUp, User, Entry).join(TopUp, on=Charge.topup).switch(Charge)
    query = query.join(User, on=Charge.user).switch(Charge)
    return query.join(Entry, on=(Entry.key == Value("stars:").concat(Charge.charge_id)), attr="credit")


def _charge(charge_id: str) -> Charge:
    return charges_with_credit().where(Charge.charge_id == charge_id).get()


def entries(topup: TopUp) -> list[Entry]:
    """Return the entries of a payment on its user's balance, oldest first."""
    with connection():
        query = Entry.select().where(Entry.user == topup.user_id, Entry.ref == f"topup:{topup.id}")
        return list(query.order_by(Entry.id))


def totals(user_id: int) -> Total:
    """Return the number and the sum of a user's payments."""
    with connection():
        query = Entry.select(fn.COUNT(Entry.id), fn.SUM(Entry.amount))
        count, total = query.where(Entry.user == user_id, Entry.kind.in_(CREDITS), Entry.amount > 0).tuples().first()
        return Total(count, int(total or 0))

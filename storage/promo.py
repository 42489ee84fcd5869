"""Promo codes: created and stopped by admins, redeemed under keys and counted by conditional updates.

An `amount` code credits at once; a `percent` code waits for the user's next top-up. Codes are compared in capitals.
"""

from peewee import fn

from storage import acts, ledger, persons
from storage.db import connection, transaction
from storage.tables import Promo, PromoUse


class NoSuchCode(Exception):
    """There is no such code (any more), or it is used up."""


class UsedBefore(Exception):
    """The person has redeemed this code as often as allowed."""


class OneWaits(Exception):
    """A percentage is waiting for the user's next top-up already."""


def create(code, kind, value, *, total_limit, author, now, user_limit=1, expires_at=None, waits=False, own=False):
    """Make a code; return False if it is there already.

    One that `waits` is redeemed by nobody until somebody else confirms it; `own` marks a large one that an owner, alone
    in the shop, did not have to have confirmed.
    """
    row = dict(code=code.upper(), kind=kind, value=value, total_limit=total_limit, user_limit=user_limit, waits=waits)
    with transaction():
        made = Promo.insert(**row, author=author, expires_at=expires_at, created_at=now).on_conflict_ignore()
        promo = next(iter(made.returning(Promo).execute()), None)
        if promo is not None:
            _note(author, "promo", promo, now, own=own)
        return promo is not None


def _note(actor, what, promo, now, **more):
    """Write down an act on a code, with its worth and its number of uses."""
    worth = {"amount": promo.value} if promo.kind == "amount" else {}
    words = f"× {promo.total_limit}" if worth else f"{promo.value} % × {promo.total_limit}"
    acts.note(actor, what, now, ref=f"promo:{promo.code}", words=words, **worth, **more)


def confirm(code, actor, now):
    """Let a code that waits be redeemed; return False if it does not wait. Raise OwnCheque for one's own code."""
    with transaction():
        done = Promo.update(waits=False).where(Promo.code == code, Promo.waits, ~Promo.stopped).returning(Promo)
        promo = next(iter(done.execute()), None)
        if promo is not None:
            acts.refuse_own(actor, promo.author_id, False)
            _note(actor, "promo_confirm", promo, now)
        return promo is not None


def redeem(code, user_id, now, *, alone=False):
    """Redeem a code for a person once more; return (promo, use), the use `done` or `waiting` for the next top-up.

    Raise OwnCheque for a code of one's own making, unless proven to be `alone` in the shop.
    """
    with transaction():
        promo = _count_use(code.upper(), now)
        own = acts.refuse_own(promo.author_id, user_id, alone)
        theirs = PromoUse.user.in_(persons.accounts(user_id))
        number = PromoUse.select().where(PromoUse.promo == promo.code, theirs).count() + 1
        if number > promo.user_limit:
            raise UsedBefore(code)
        if promo.kind == "percent" and waiting(user_id) is not None:
            raise OneWaits(code)
        state = "waiting" if promo.kind == "percent" else "done"
        amount = promo.value if promo.kind == "amount" else None
        use = PromoUse.create(promo=promo.code, user=user_id, number=number, state=state, amount=amount, created_at=now)
        if promo.kind == "amount":
            _credit(use, promo.value, now)
        if own:
            _note(user_id, "promo_own", promo, now, user=user_id, own=True)
        return promo, use


def _count_use(code, now):
    rows = (
        Promo.update(uses=Promo.uses + 1)
        .where(
            Promo.code == code,
            ~Promo.stopped,
            ~Promo.waits,
            Promo.uses < Promo.total_limit,
            Promo.expires_at.is_null() | (Promo.expires_at > now),
        )
        .returning(Promo)
        .execute()
    )
    promo = next(iter(rows), None)
    if promo is None:
        raise NoSuchCode(code)
    return promo


def _credit(use, amount, now):
    ledger.post(use.user_id, amount, kind="promo", key=f"promo:{use.id}", now=now, ref=f"promo:{use.promo_id}")


def waiting(user_id):
    """Return the user's redeemed percentage that waits for a top-up, or None."""
    with connection():
        return PromoUse.get_or_none(PromoUse.user == user_id, PromoUse.state == "waiting")


def apply(user_id, topup, now):
    """Credit the waiting percentage of a top-up (minor units); return the amount, 0 when none waits."""
    with transaction():
        use = waiting(user_id)
        if use is None:
            return 0
        amount = topup * Promo.get_by_id(use.promo_id).value // 100
        done = PromoUse.update(state="done", amount=amount).where(PromoUse.id == use.id, PromoUse.state == "waiting")
        if not done.execute() or not amount:
            return 0
        _credit(use, amount, now)
        return amount


def stop(code, actor, now):
    """Stop a code; return False if it was stopped or never was."""
    with transaction():
        stopped = bool(Promo.update(stopped=True).where(Promo.code == code.upper(), ~Promo.stopped).execute())
        if stopped:
            acts.note(actor, "promo_stop", now, ref=f"promo:{code.upper()}")
        return stopped


def get(code):
    """Return a code, or None."""
    with connection():
        return Promo.get_or_none(Promo.code == code.upper())


def every(limit=20):
    """Return the newest codes."""
    with connection():
        return list(Promo.select().order_by(Promo.created_at.desc()).limit(limit))


def uses(actor, now):
    """Yield (code, user id, number, state, amount, time) of every redemption, for an export of somebody's."""
    acts.note(actor, "export_promo", now)
    with connection():
        query = PromoUse.select().order_by(PromoUse.id)
        for use in query.iterator():
            yield use.promo_id, use.user_id, use.number, use.state, use.amount, use.created_at


def given(code):
    """Return what a code has given away, in minor units."""
    with connection():
        return int(PromoUse.select(fn.SUM(PromoUse.amount)).where(PromoUse.promo == code).scalar() or 0)

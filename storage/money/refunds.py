"""Money taken back: an approval undone, Stars refunded by an admin, Stars taken back from outside.

Every one is a forced debit (or, for a refund the balance covers, a plain one) under its own key; what the balance
lacks becomes a write-off, and sales to that user pause until an admin decides. Every bonus the payment earned goes with
it, in the same transaction (`storage/money/bonuses.py`). A refund is booked first and asked of Telegram afterwards, so a crash
between the two leaves `Charge.refund = asked`, which is asked again:

    (nothing) ──admin──▶ asked ──Telegram says yes──▶ done
                           └─────Telegram says no───▶ refused   (booked back)
    (nothing), refused ──from outside──▶ done                   (a chargeback)
"""

from collections import Counter

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.tables import Charge, TopUp, User
from storage.journal import audit_log, events, words
from storage.journal.event_kinds import PaymentRestored, PaymentReturned
from storage.money import bonuses, ledger, persons
from storage.money.payments import charges_with_credit


def undo(topup_id, actor_id, reason, now):
    """approved → undone: take an approved transfer back; return (row, write-off), or None if it is not approved."""
    with transaction():
        rows = TopUp.update(state="undone").where(TopUp.id == topup_id, TopUp.state == "approved")
        topup = next(iter(rows.returning(TopUp).execute()), None)
        if topup is None:
            return None
        topup.digest = words.keep(reason, topup.user_id)
        TopUp.update(digest=topup.digest).where(TopUp.id == topup.id).execute()
        details = {"ref": f"topup:{topup.id}", "actor": actor_id, "reason": reason, "now": now}
        loss = ledger.force(topup.user_id, topup.credited, kind="topup", key=f"undo:{topup.id}", **details)
        audit_log.note(
            actor_id, "undo", now, user=topup.user_id, ref=details["ref"], words=reason, amount=topup.credited
        )
        _returned(topup.id, topup.user_id, topup.credited, loss, now, by=actor_id)
        return topup, loss + bonuses.take_back(f"topup:{topup.id}", "undo", now, actor=actor_id, reason=reason)


def _returned(topup_id, user_id, amount, loss, now, by=None):
    """Pause sales to somebody who has spent what was taken back, or who took it back themselves; record the fact."""
    paused = bool(loss) or by is None
    if paused:
        persons.mark(user_id, sales_paused=True)
    data = {"user": user_id, "topup": topup_id, "amount": amount, "loss": loss, "by": by, "paused": paused}
    events.emit(PaymentReturned(**data), now)


def charge(charge_id):
    """Return a Stars payment with its invoice and its credit, or None."""
    with connection():
        return charges_with_credit().where(Charge.charge_id == charge_id).first()


def would_lose(charge_id):
    """Return what the balances lack today to give a payment and its bonuses back, in minor units."""
    with connection():
        found, owed = charge(charge_id), Counter()
        owed[found.user_id] = found.credit.amount
        for bonus in bonuses.of_payment(f"stars:{charge_id}"):
            owed[bonus.user_id] += bonus.amount if bonus.state == "posted" else 0
        return sum(max(0, amount - ledger.balance(user)) for user, amount in owed.items())


def ask_refund(charge_id, actor_id, reason, now, *, loss_allowed=0, alone=False):
    """Book a refund that Telegram is then asked for; return (charge, write-off), or None if there was one before.

    Raise NotEnoughMoney, with nothing done, when more would be written off than is allowed (minor units), and OwnCheque
    for a payment of one's own, unless proven to be `alone` in the shop.
    """
    with transaction():
        asked = Charge.update(refund="asked").where(Charge.charge_id == charge_id, Charge.refund.is_null())
        if not asked.execute():
            return None
        found = charge(charge_id)
        own = audit_log.refuse_own(actor_id, found.user_id, alone)
        amount, details = found.credit.amount, {"ref": f"topup:{found.topup_id}", "actor": actor_id, "reason": reason}
        loss = ledger.force(found.user_id, amount, kind="refund", key=f"refund:{charge_id}", now=now, **details)
        audit_log.note(
            actor_id, "refund", now, user=found.user_id, ref=details["ref"], words=reason, amount=amount, own=own
        )
        _returned(found.topup_id, found.user_id, amount, loss, now, by=actor_id)
        loss += bonuses.take_back(f"stars:{charge_id}", "refund", now, actor=actor_id, reason=reason)
        if loss > loss_allowed:
            raise ledger.NotEnoughMoney(loss - loss_allowed)
        return found, loss


def refund_done(charge_id):
    """asked → done: Telegram has given the Stars back."""
    with transaction():
        done = Charge.update(refund="done").where(Charge.charge_id == charge_id, Charge.refund == "asked")
        return bool(done.execute())


def refund_refused(charge_id, now):
    """asked → refused: Telegram does not give the Stars back, so what was booked is booked back; return the charge."""
    with transaction():
        refused = Charge.update(refund="refused").where(Charge.charge_id == charge_id, Charge.refund == "asked")
        if not refused.execute():
            return None
        found = charge(charge_id)
        amount, ref = found.credit.amount, f"topup:{found.topup_id}"
        keys = {"debit_key": f"refund:{charge_id}", "key": f"unrefund:{charge_id}"}
        ledger.give_again(found.user_id, amount, kind="refund", now=now, ref=ref, **keys)
        bonuses.give_again(f"stars:{charge_id}", now)
        events.emit(PaymentRestored(user=found.user_id, topup=found.topup_id, amount=amount), now)
        return found


def refunds_asked():
    """Return the charges whose refund is booked and not answered by Telegram yet, with users, invoices and credits."""
    with connection():
        return list(charges_with_credit().where(Charge.refund == "asked"))


def taken_back(charge_id, now):
    """Telegram says that a payment went back: confirm our own refund, or book a chargeback.

    Return "refund" or "chargeback" for what is new, None for what is known or no payment of ours.
    """
    with transaction():
        if refund_done(charge_id):
            return "refund"
        new = Charge.refund.is_null() | (Charge.refund == "refused")
        if not Charge.update(refund="done").where(Charge.charge_id == charge_id, new).execute():
            return None
        found = charge(charge_id)
        amount, ref = found.credit.amount, f"topup:{found.topup_id}"
        loss = ledger.force(found.user_id, amount, kind="chargeback", key=f"chargeback:{charge_id}", now=now, ref=ref)
        _returned(found.topup_id, found.user_id, amount, loss, now)
        bonuses.take_back(f"stars:{charge_id}", "chargeback", now)
        return "chargeback"


def payer(charge_id):
    """Return the Telegram id of who paid, which is kept for a while after an erasure; None once it is forgotten."""
    with connection():
        query = Charge.select(fn.COALESCE(User.telegram_id, Charge.payer)).join(User)
        return query.where(Charge.charge_id == charge_id).scalar()


def keep_payer(charge_id, telegram_id):
    """Note who paid, as Telegram's list has it, for a refund that may have to be asked for again."""
    with transaction():
        Charge.update(payer=telegram_id).where(Charge.charge_id == charge_id).execute()


def mark_listed(charge_ids):
    """Note that Telegram's list has these charges."""
    with transaction():
        Charge.update(listed=True).where(Charge.charge_id.in_(charge_ids), ~Charge.listed).execute()


def unlisted(before):
    """Return how many charges made before a time Telegram's list does not have."""
    with connection():
        return Charge.select().where(~Charge.listed, Charge.created_at <= before).count()

"""Reconciles Telegram's list of Stars with our payments, at the start and every five minutes.

A payment we were never told of is credited to its payer by its payload; one that went back is booked; one that we have
and Telegram does not is an alarm. Telegram is asked for 100 at a time, from where the last full page ended, so a round
costs one call however long the list is.
Texts: reconcile.* in data/texts/<lang>/payments/reconcile.po.
"""

import logging
from datetime import UTC, datetime, timedelta

from core.telegram.transport import TelegramFailed

log = logging.getLogger(__name__)
PAGE = 100  # Bot API, getStarTransactions: 1–100, in chronological order
EVERY_S = 300
FRESH = timedelta(minutes=2)  # the message about a payment this recent is still on its way
STALE = timedelta(days=7)  # how long a payment of unknown purpose raises an alarm
UNLISTED = timedelta(hours=1)
PLACE = "STARS_LISTED"  # the runtime setting: how many transactions are done with


def register(bot):
    """Declare the periodic comparison."""
    bot.every(EVERY_S, "reconcile", compare)


def compare(bot, now):
    """Read on in Telegram's list and book what is missing; if Telegram cannot be reached, try again in five minutes."""
    place = int(bot.runtime_settings.get(PLACE) or 0)
    missed = []
    try:
        while True:
            page = bot.sender.call("getStarTransactions", offset=place, limit=PAGE)["transactions"]
            settled = [_book(bot, transaction, now, missed) for transaction in page]
            if len(page) < PAGE or not all(settled):
                break
            place += PAGE
            bot.runtime_settings.put(PLACE, place, now=now)
    except TelegramFailed as error:
        log.warning("the list of Stars could not be read: %s", error)
    else:
        if unlisted := bot.refunds.unlisted(now - UNLISTED):
            bot.alert("reconcile.alert_unlisted", cause="stars unlisted", n=unlisted)
    if missed:
        log.error("payments Telegram had not told us of: %s", ", ".join(missed))
        bot.alert("reconcile.alert_missed", cause="stars missed", n=len(missed))


def _book(bot, transaction, now, missed):
    """Book one transaction if it is news; return whether it needs no second look."""
    charge, source = transaction["id"], transaction.get("source", {})
    if transaction.get("receiver", {}).get("type") == "user":
        if bot.refunds.taken_back(charge, now) == "chargeback":
            log.error("charge %s was taken back", charge)
    elif source.get("type") == "user" and source.get("invoice_payload"):
        if bot.refunds.charge(charge) is not None:
            bot.refunds.mark_listed([charge])
            return True
        age = now - datetime.fromtimestamp(transaction["date"], UTC)
        if age < FRESH:
            return False
        if _credit(bot, transaction, source, now):
            missed.append(charge)
        elif age < STALE:
            bot.alert(
                "common.alert_strange", cause=f"charge:{charge}", stars=transaction["amount"], id=source["user"]["id"]
            )
    return True


def _credit(bot, transaction, source, now):
    """Credit the payer for the payload's invoice; return whether there is such an invoice."""
    payload = source["invoice_payload"]
    payer = bot.users.by_telegram_id(source["user"]["id"])
    if payer is None or not payload.isdecimal() or len(payload) > 18:
        return False
    try:
        bot.payments.credit_stars(
            transaction["id"],
            int(payload),
            payer.id,
            transaction["amount"],
            now,
            paid_at=datetime.fromtimestamp(transaction["date"], UTC),
            rate=bot.settings["STARS_RATE"],
            agreed="subscription_period" in source,  # Bot API, TransactionPartnerUser
            listed=True,
        )
    except bot.payments.WrongPayment as error:
        log.error("%s", error)
        return False
    return True

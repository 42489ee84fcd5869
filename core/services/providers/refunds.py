"""Refunds of payments by providers: booked first, then asked for until the provider has given the money back."""

import logging
from datetime import datetime, timedelta
from typing import Any

from core.services.http import ServiceFailed
from core.services.providers import Provider, Refused, Returned, WrongKeys, order_of
from core.services.providers.answers import keys_refused, keys_taken, name_of, sensible, told
from storage.base.tables import ProviderPayment, ProviderRefund
from storage.money import provider_payments, provider_refunds

log = logging.getLogger(__name__)
CALL = timedelta(seconds=60)  # longer than any call may take: so long a refund is claimed for it
STUCK = timedelta(days=7)  # without its end: alert
FIRST_STEP_S, LAST_STEP_S = 60, 3600  # between tries, growing


def give_back(bot: Any, provider: Provider, refund: ProviderRefund, now: datetime) -> str:
    """Request a booked refund from the provider; return done, refused, or asked (to be asked again)."""
    payment, again = provider_payments.get(refund.topup_id), refund.looks > 0
    if payment is None or not provider_refunds.claim(refund, now + (3 * CALL if again else CALL)):
        return "asked"
    try:
        if again and _is_covered(provider, payment, refund, now):
            return "done"
        with sensible():
            order = order_of(payment, provider_refunds.returned(payment.topup_id))
            answer = provider.refund(order, refund.amount, refund.key, again)
            if not isinstance(answer, Returned):
                raise TypeError(f"no Returned: {type(answer).__name__}")
    except WrongKeys as error:
        keys_refused(bot, provider, "refund", error)
        answer = Returned("asked", said=error.said)
    except Refused as error:
        answer = Returned("refused", said=error.said)
    except ServiceFailed as error:
        answer = Returned("asked", said=str(error))
    return _take_answer(bot, provider, refund, answer, now)


def _is_covered(provider: Provider, payment: ProviderPayment, refund: ProviderRefund, now: datetime) -> bool:
    """Read the payment before a refund is asked for again; return whether what went back covers that refund.

    Some answer a known key with their first answer for ever, and some forget keys: the payment's own sum tells both.
    """
    try:
        for seen in told(lambda: provider.fetch([payment.external_id or ""]), []):
            if seen.id == payment.external_id:
                provider_payments.saw(payment.topup_id, seen, now, payment.look_at)
    except WrongKeys:
        raise
    except Refused as error:
        log.warning("%s, payment %s: %s", provider.name, payment.topup_id, error.said)
    return provider_refunds.is_done(refund.id)


def _take_answer(bot: Any, provider: Provider, refund: ProviderRefund, answer: Returned, now: datetime) -> str:
    """Book what the provider answers about a refund; return its state. After a week on its way, alert the staff."""
    about: dict[str, Any] = {"cause": f"refund {refund.id}", "name": name_of(provider), "number": refund.topup_id}
    if answer.state == "done":
        keys_taken(provider, "refund")
        provider_refunds.done(refund.id, answer.id, now)
        return "done"
    log.warning("%s, refund %s of %s: %s %s", provider.name, refund.id, refund.topup_id, answer.state, answer.said)
    if answer.state == "refused":
        if provider_refunds.refused(refund.id, answer.said, now):
            bot.alert("common.alert_provider_refund", **about)
        return "refused"
    wait = min(LAST_STEP_S, FIRST_STEP_S * 2 ** min(refund.looks, 6))
    provider_refunds.put_off(refund.id, now + timedelta(seconds=wait), answer.said, answer.id)
    if now >= refund.created_at + STUCK:
        bot.alert("common.alert_provider_refund_stuck", **about | {"cause": f"stuck {about['cause']}"})
    return "asked"


def note(bot: Any, payment: ProviderPayment, amount: int) -> tuple[str, dict[str, Any]] | None:
    """Return what the staff should know before a refund of a payment (a text key and its values), or None."""
    order = order_of(payment, provider_refunds.returned(payment.topup_id))
    found: tuple[str, dict[str, Any]] | None = bot.payment_providers[payment.provider].note(order, amount)
    return found

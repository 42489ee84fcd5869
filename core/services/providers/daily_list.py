"""The daily comparison of a provider's list with ours (`reconcile`, the leader's): what can be put right is."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from core.services.http import ServiceFailed
from core.services.providers import Provider, Refused, WrongKeys
from core.services.providers.answers import cannot_read, keys_refused, keys_taken, name_of, sensible, told
from core.services.providers.payments import AFTER, bot_id
from storage.base.states import ProviderState
from storage.journal import runtime_settings
from storage.money import provider_payments
from storage.money.provider_payments import CREDITED, Seen

log = logging.getLogger(__name__)
DAILY = timedelta(days=1)
LISTED = timedelta(days=3)  # how much of the provider's list is compared
UNLISTED = timedelta(hours=1)  # payments younger than this may be missing from it


def reconcile(bot: Any, provider: Provider, now: datetime) -> None:
    """Compare the provider's list of the last days with ours, once a day; retry soon if it cannot be read."""
    place = f"LISTED:{provider.name}"
    last = runtime_settings.get(place)
    if last and datetime.fromisoformat(last) > now - DAILY:
        return
    try:
        found = list(_differences(bot, provider, now))
        keys_taken(provider, "list")
    except WrongKeys as error:
        keys_refused(bot, provider, "list", error)
        return
    except (Refused, ServiceFailed) as error:
        log.warning("the list of %s could not be read: %s", provider.name, error)
        return
    runtime_settings.put(place, now.isoformat(), now=now)
    for kind in ("missed", "stray", "unlisted"):
        ids = [what for one, what in found if one == kind]
        if ids:
            log.error("%s, %s: %s", provider.name, kind, ", ".join(ids))
            key = f"common.alert_provider_{kind}"
            bot.alert(key, cause=f"{kind} {provider.name}", name=name_of(provider), n=len(ids), ids=", ".join(ids[:5]))


def _differences(bot: Any, provider: Provider, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield (missed | stray | unlisted, id) for each difference; fix those that can be fixed.

    After a row that cannot be read the list may have ended, so the payments it has not told of are asked for.
    """
    since, bad, heard = now - LISTED, list[str](), set[str]()
    for seen in told(lambda: provider.recent(since), bad):
        heard.add(seen.id)
        yield from _difference(bot, provider, seen, now)
    if bad:
        cannot_read(bot, provider, bad[0])
        missing = set(provider_payments.ids_since(provider.name, provider.account, since)) - heard
        for seen in _separately(provider, sorted(missing)):
            heard.add(seen.id)
            yield from _difference(bot, provider, seen, now)
    for row in provider_payments.unlisted(provider.name, provider.account, since + UNLISTED, now - UNLISTED):
        if not bad or row.external_id in heard:  # of one that cannot be read nobody knows
            yield "unlisted", f"#{row.topup_id}"


def _separately(provider: Provider, ids: list[str]) -> Iterator[Seen]:
    """Yield the state of each payment, asked for by itself, leaving out what cannot be read or is not known there."""
    for payment_id in ids:
        try:
            yield from told(lambda one=payment_id: provider.fetch([one]), [])  # type: ignore[misc]
        except WrongKeys:
            raise
        except Refused as error:
            log.warning("%s, payment %s: %s", provider.name, payment_id, error.said)


def _difference(bot: Any, provider: Provider, seen: Seen, now: datetime) -> Iterator[tuple[str, str]]:
    payment = provider_payments.find(provider.name, seen.id, seen.tag)
    if payment is None:
        if (seen.tag or "").partition(":")[0] == bot_id(bot):
            yield from _stray(provider, seen)
    elif not payment.external_id:
        provider_payments.wake(payment.topup_id, now)
    else:
        row = provider_payments.saw(payment.topup_id, seen, now, payment.look_at)
        is_paid = seen.state == ProviderState.PAID
        if row.state in CREDITED and is_paid:
            provider_payments.mark_listed(row.topup_id)
            if payment.state not in CREDITED and now > payment.expires_at + AFTER:
                yield "missed", f"#{row.topup_id}"
        elif row.state in CREDITED:
            yield "unlisted", f"#{row.topup_id}"


def _stray(provider: Provider, seen: Seen) -> Iterator[tuple[str, str]]:
    """Cancel a second payment for a row, whose link nobody has seen; if it was paid, yield an alert."""
    if seen.state == ProviderState.PAID:
        yield "stray", seen.id
    elif seen.state == ProviderState.PENDING:
        try:
            with sensible():
                provider.discard(seen.id)
        except WrongKeys:
            raise
        except (Refused, ServiceFailed) as error:
            log.warning("%s does not cancel %s: %s", provider.name, seen.id, error)

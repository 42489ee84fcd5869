"""Payments by providers: how one begins, and the loop that polls what is due (`look`, the leader's)."""

import json
import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

from core.services.http import NotSent, ServiceFailed, UnknownOutcome
from core.services.providers import Made, Order, Provider, Refused, WrongKeys, order_of, refunds
from core.services.providers.answers import cannot_read, keys_refused, keys_taken, name_of, sensible, told
from storage.base.states import ProviderState
from storage.base.tables import ProviderPayment, User
from storage.money import provider_payments, provider_refunds
from storage.money.provider_payments import ASKING, Asked

log = logging.getLogger(__name__)
EVERY_S = 5
SOME = 50  # payments in one round
CALL = timedelta(seconds=60)  # longer than any call may take: so long a row is claimed for it
GIVE_UP = timedelta(minutes=15)  # asking for a link; YooKassa remembers a key for a day
LIVES = timedelta(minutes=2)  # minimum validity of a link that is offered again
AFTER = timedelta(hours=25)  # how long polling continues after the time to pay
STUCK = timedelta(days=7)  # without an answer after the time to pay: alert
HURRY = timedelta(seconds=2)  # minimum between polls caused by callbacks or taps
STRANGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # errors of parsing a callback
# (age of a payment up to which, seconds between polls)
STEPS = ((15, 5), (40, 10), (120, 20), (600, 60))
OPEN_STEP_S, LATE_STEP_S, TROUBLE_STEP_S = 300, 3600, 60


# a person pays


def begin(bot: Any, provider: Provider, user: User, way: str, amount: int, text: str, now: datetime) -> ProviderPayment:
    """Return a payment's row: the person's open one of the same way and amount, or a new one. No call is made yet."""
    lang, currency = bot.lang_of(user), bot.settings["CURRENCY"]
    asked = Asked(
        provider=provider.name,
        account=provider.account,
        way=way,
        test=provider.test,
        currency=currency,
        amount=amount,
        key=secrets.token_hex(16),
        tag=lambda number: _tag(bot, number),
        body=lambda number: json.dumps(provider.body(order(number)), ensure_ascii=False),
        expires_at=now + provider.term,
    )

    def order(number: int) -> Order:
        fields = {"amount": amount, "currency": currency, "way": way, "key": asked.key, "expires_at": asked.expires_at}
        more = {"text": text, "lang": str(lang), "back": f"https://t.me/{bot.username}"}
        return Order(number=number, tag=_tag(bot, number), **fields, **more)

    known = provider_payments.open_like(user.id, asked, now + LIVES)
    return known or provider_payments.create(user.id, asked, now, now + CALL)


def _tag(bot: Any, number: int) -> str:
    return f"{bot_id(bot)}:{number}"


def bot_id(bot: Any) -> str:
    """Return Telegram's id of the bot: several may share one shop."""
    return str(bot.settings["TELEGRAM_BOT_TOKEN"]).partition(":")[0]


def ask(bot: Any, provider: Provider, payment: ProviderPayment, now: datetime, *, late: bool = True) -> ProviderPayment:
    """Request a payment that has no link yet; return its row. `late`: the person was told to wait for the link."""
    number = payment.topup_id
    if now >= payment.created_at + GIVE_UP:
        why = "common.provider_off" if provider.refused else "common.provider_silent"
        provider_payments.refused(number, "no answer", now, why=why)
    elif provider_payments.claim(payment, now, now + CALL):
        wait = now + timedelta(seconds=min(TROUBLE_STEP_S, 5 * 2**payment.looks))
        try:
            with sensible():
                made = _have_made(provider, order_of(payment), again=payment.state == ProviderState.UNKNOWN)
        except WrongKeys as error:
            keys_refused(bot, provider, "create", error)
            provider_payments.put_off(number, now + timedelta(seconds=TROUBLE_STEP_S), said=error.said)
        except Refused as error:
            log.warning("%s refuses payment %s: %s", provider.name, number, error.said)
            provider_payments.refused(number, error.said, now, why=error.why, tell=late)
        except NotSent:
            provider_payments.put_off(number, wait, sent=payment.state == ProviderState.UNKNOWN)
        except UnknownOutcome as error:
            log.warning("%s, payment %s: %s", provider.name, number, error)
            provider_payments.put_off(number, wait)
        else:
            keys_taken(provider, "create")
            first = now + timedelta(seconds=EVERY_S)
            if not provider_payments.made(number, made.id, made.url, made.expires_at, now, first, late=late):
                log.error("%s gives payment %s an id that is taken: %s", provider.name, number, made.id)
    found = provider_payments.get(number)
    assert found is not None
    return found


def _have_made(provider: Provider, order: Order, *, again: bool) -> Made:
    """Have a payment made, unless an earlier try has; raise TypeError or ValueError for an answer of another shape."""
    made = (provider.find(order) if again else None) or provider.create(order)
    if not (isinstance(made, Made) and isinstance(made.id, str) and made.id and isinstance(made.url, str)):
        raise TypeError(f"no Made with an id and a link: {type(made).__name__}")
    if made.expires_at is not None and made.expires_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return made


def hurry(payment: ProviderPayment, now: datetime) -> None:
    """Make a payment due for polling after a callback or a tap, but not more often than every HURRY."""
    at = max(now, payment.looked_at + HURRY) if payment.looked_at else now
    provider_payments.wake(payment.topup_id, at)


def take_call(provider: Provider, call: Any) -> tuple[str, int]:
    """Handle a callback: it only says that there may be news of a payment, which is then read from the provider."""
    try:
        payment_id, tag = provider.called(call)
    except (Refused, RecursionError, *STRANGE) as error:
        log.warning("a callback of %s was let go: %s", provider.name, type(error).__name__)
        return "", 401
    payment = provider_payments.find(provider.name, payment_id, tag)
    if payment is None:
        log.warning("a callback of %s is about no payment of ours: %.60r", provider.name, payment_id)
    else:
        hurry(payment, call.now)
    return "", 200


def look(bot: Any, provider: Provider, now: datetime) -> None:
    """Poll the payments and refunds that are due; the round ends early if the provider does not answer."""
    due = provider_payments.due(provider.name, now, SOME)
    for payment in [one for one in due if one.state in ASKING]:
        if ask(bot, provider, payment, now).state in ASKING:
            break  # one bad answer is enough for now
    waiting = {one.external_id: one for one in due if one.external_id and provider_payments.claim(one, now, now + CALL)}
    if waiting:
        _fetch(bot, provider, waiting, now)
    for refund in provider_refunds.due(provider.name, now):
        if refunds.give_back(bot, provider, refund, now) == "asked":
            break


def _fetch(bot: Any, provider: Provider, waiting: dict[str, ProviderPayment], now: datetime) -> bool:
    """Ask for payments, and for each separately if one may have kept others from being told; return whether it answers."""
    left, said, bad, answers = dict(waiting), "", list[str](), True
    try:
        for seen in told(lambda: provider.fetch(list(waiting)), bad):
            payment = left.pop(seen.id, None)
            if payment is not None:
                provider_payments.saw(payment.topup_id, seen, now, next_look(payment, now))
        keys_taken(provider, "read")
    except WrongKeys as error:
        keys_refused(bot, provider, "read", error)
        bad, said, answers, waiting = [], error.said, False, {}  # no use in asking for each
    except Refused as error:
        said = error.said
    except ServiceFailed as error:
        log.warning("%s could not be asked: %s", provider.name, error)
        said, answers = str(error), False
    if len(waiting) > 1 and (bad or said):
        _one_by_one(bot, provider, left, now)
        return answers
    for payment in left.values():
        _not_told(bot, provider, payment, bad[-1] if bad else said or "not told", now, is_unreadable=bool(bad))
    return answers


def _one_by_one(bot: Any, provider: Provider, left: dict[str, ProviderPayment], now: datetime) -> None:
    """Ask for each payment separately, until the provider has not answered twice in a row."""
    silent = 0
    for payment_id, payment in left.items():
        if silent == 2:
            _not_told(bot, provider, payment, "not asked", now)
        else:
            silent = 0 if _fetch(bot, provider, {payment_id: payment}, now) else silent + 1


def _not_told(
    bot: Any, provider: Provider, payment: ProviderPayment, said: str, now: datetime, *, is_unreadable: bool = False
) -> None:
    """Schedule another poll of a payment without an answer; in the end, alert the staff."""
    number = payment.topup_id
    if now < payment.expires_at + STUCK:
        wait = max(TROUBLE_STEP_S, (next_look(payment, now) or now + timedelta(hours=1)).timestamp() - now.timestamp())
        provider_payments.put_off(number, now + timedelta(seconds=min(wait, LATE_STEP_S)), said=said)
    else:
        provider_payments.put_off(number, now + timedelta(days=1), said=said)
        bot.alert("common.alert_provider_stuck", cause=f"payment {number}", name=name_of(provider), number=number)
    if is_unreadable and now >= payment.created_at + GIVE_UP:
        cannot_read(bot, provider, f"#{number}: {said}")


def next_look(payment: ProviderPayment, now: datetime) -> datetime | None:
    """Return when to poll an open payment again, or None once AFTER has passed since its time to pay ended."""
    if now >= payment.expires_at + AFTER:
        return None
    age = (now - payment.created_at).total_seconds()
    step = OPEN_STEP_S if now < payment.expires_at else LATE_STEP_S
    step = next((seconds for below, seconds in STEPS if age < below), step)
    jitter = 1 + (payment.topup_id * 37 % 20) / 100  # spreads payments created at the same moment
    end = payment.expires_at + (timedelta(seconds=EVERY_S) if now < payment.expires_at else AFTER)
    return min(now + timedelta(seconds=step * jitter), end)


def examine(provider: Provider, now: datetime) -> tuple[str, dict[str, Any]] | None:
    """Return what doctor reports about a provider, or None; one without a check is asked for the start of its list."""
    try:
        with sensible():
            if type(provider).check is Provider.check:
                next(iter(provider.recent(now)), None)
            found = provider.check()
    except WrongKeys as error:
        return "common.provider_keys", {"name": name_of(provider), "said": error.said}
    except (Refused, ServiceFailed) as error:
        return "common.provider_away", {"name": name_of(provider), "said": str(error)}
    if found is None and provider.refused:
        return "common.provider_keys", {"name": name_of(provider), "said": provider.refused[1]}
    return found

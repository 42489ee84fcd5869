"""Payment providers: the interface of one, and everything they have in common.

A provider is a subclass of `Provider` with a few functions (docs/payments.md). All decisions are made here and in
`storage/money/provider_payments.py`: our row comes first, a callback is only a reason to ask, polling alone suffices,
and money is credited only if the provider's own answer matches our row exactly.

The leader's loops: `look` polls what is due, `reconcile` compares the provider's list with ours once a day.
"""

import json
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from core.services.http import Answer, NotSent, ServiceFailed, UnknownOutcome
from storage.base.states import ProviderState
from storage.base.tables import ProviderPayment, ProviderRefund, User
from storage.journal import runtime_settings
from storage.money import provider_payments, provider_refunds
from storage.money.provider_payments import ASKING, CREDITED, Asked, Seen

log = logging.getLogger(__name__)
EVERY_S, DAILY = 5, timedelta(days=1)
SOME = 50  # payments in one round
CALL = timedelta(seconds=60)  # longer than any call may take: so long a row is claimed for it
GIVE_UP = timedelta(minutes=15)  # asking for a link; YooKassa remembers a key for a day
LIVES = timedelta(minutes=2)  # minimum validity of a link that is offered again
AFTER = timedelta(hours=25)  # how long polling continues after the time to pay
STUCK = timedelta(days=7)  # without an answer after the time to pay, or a refund without its end: alert
HURRY = timedelta(seconds=2)  # minimum between polls caused by callbacks or taps
LISTED = timedelta(days=3)  # how much of the provider's list is compared
UNLISTED = timedelta(hours=1)  # payments younger than this may be missing from it
STRANGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # errors of parsing an answer
# (age of a payment up to which, seconds between polls)
STEPS = ((15, 5), (40, 10), (120, 20), (600, 60))
OPEN_STEP_S, LATE_STEP_S, TROUBLE_STEP_S = 300, 3600, 60


class Refused(Exception):
    """The provider refused, so nothing was created or moved; `why` is the text key of a reason to show people."""

    def __init__(self, said: str, why: str = "") -> None:
        super().__init__(said)
        self.said, self.why = said, why


class WrongKeys(Refused):
    """The provider does not accept our keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One payment, as passed to a provider's functions; amounts are minor units of `currency`."""

    number: int  # our own
    amount: int
    currency: str
    way: str
    key: str  # for an idempotent create: random, stored in the row
    tag: str  # stored by the provider: the bot and the number
    body: str = ""  # the result of `Provider.body` as JSON: the same at every attempt
    text: str = ""  # shown to the payer
    lang: str = ""
    back: str = ""  # where the payer's browser goes afterwards
    expires_at: datetime
    id: str = ""  # the provider's
    details: dict[str, Any] | None = None  # from `Seen`
    payer: int | None = None  # the Telegram id of the row's owner; None once erased
    returned: int = 0  # how much had gone back before the refund in question


class Made(NamedTuple):
    """A payment that waits for its payer."""

    id: str
    url: str
    expires_at: datetime | None = None


class Returned(NamedTuple):
    """The state of a refund: done, asked (in progress at the provider) or refused."""

    state: str
    id: str | None = None
    said: str = ""


class Provider:
    """The interface of a provider; every call may raise Refused, WrongKeys, NotSent or UnknownOutcome."""

    name = ""  # in addresses, rows and settings: never changes
    title = ""  # what people read; the name if it is empty
    account = ""  # the shop's id at the provider
    test = False  # no real money
    term = timedelta(hours=1)  # the time to pay, unless the provider gives one
    least, most = 1, 10**12  # minor units
    refused: tuple[str, str] | None = None  # kept by the frame: what the keys were last refused for, and what was said

    def body(self, order: Order) -> dict[str, Any]:
        """Return what `create` will send, without any call: it is stored in the row."""
        raise NotImplementedError

    def create(self, order: Order) -> Made:
        """Create the payment; called again with the same key and body after an unknown outcome."""
        raise NotImplementedError

    def find(self, order: Order) -> Made | None:
        """Return the payment of an earlier attempt of unknown outcome; for providers without idempotent creates."""
        return None

    def fetch(self, ids: list[str]) -> Iterable[Seen]:
        """Yield the current state of payments, given the provider's ids."""
        raise NotImplementedError

    def recent(self, since: datetime) -> Iterable[Seen]:
        """Yield this shop's payments that were created, paid or refunded since a time."""
        raise NotImplementedError

    def refund(self, order: Order, amount: int, key: str, again: bool) -> Returned:
        """Refund an amount, once under the key; `again`: an earlier attempt may have done it, so check first."""
        raise Refused("this provider cannot give back")

    def discard(self, payment_id: str) -> None:
        """Cancel a payment of ours whose link nobody knows, if the provider can."""

    def called(self, call: Any) -> tuple[str, str | None]:
        """Return a callback's payment: the provider's id, and our tag if it has one; raise Refused for a forged one."""
        raise Refused("no callbacks")

    def check(self) -> tuple[str, dict[str, Any]] | None:
        """Return what is wrong with the shop (a text key and its values) for doctor, or None; refused keys may be raised."""
        return None

    def note(self, order: Order, amount: int) -> tuple[str, dict[str, Any]] | None:
        """Return what the staff should know before a refund (a text key and its values), or None."""
        return None


class _Unreadable(UnknownOutcome):
    """A provider's function stumbled over the answer: no service failed."""


@contextmanager
def _sensible() -> Iterator[None]:
    """Turn whatever else a provider's function raises into an unknown outcome."""
    try:
        yield
    except (Refused, ServiceFailed):
        raise
    except Exception as error:  # a provider's code is somebody's own: whatever it stumbles over, the others go on
        log.exception("an answer that makes no sense")
        raise _Unreadable(f"an answer that makes no sense: {type(error).__name__} {error}"[:200]) from error


def _told(ask: Callable[[], Iterable[Seen]], bad: list[str]) -> Iterator[Seen]:
    """Yield a provider's answers; what cannot be read is left out and named in `bad`.

    A generator is at its end once it has raised, so those after it are missing, too.
    """
    pages: Iterator[Seen] | None = None
    while len(bad) < SOME:
        try:
            with _sensible():
                pages = iter(ask()) if pages is None else pages
                one = next(pages, _END)
                if one is not _END:
                    _check(one)
        except _Unreadable as error:
            bad.append(str(error))
            if pages is None:
                return
        else:
            if one is _END:
                return
            yield one


_END: Any = object()


def _check(seen: Seen) -> None:
    """Raise TypeError or ValueError if a Seen is not of the types it says."""
    for amount in (seen.amount, seen.refunded):
        if amount is not None and (type(amount) is not int or amount < 0):
            raise ValueError(f"an amount that is no count of minor units: {amount!r:.40}")
    if not isinstance(seen.id, str) or not seen.id:
        raise ValueError(f"an id that is no text: {seen.id!r:.40}")
    json.dumps(seen.details)


def read(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of a service's answer; raise WrongKeys, Refused, or UnknownOutcome if it is unclear."""
    try:
        data = answer.json()
    except (ValueError, RecursionError):
        data = None
    if answer.status in (401, 403):
        raise WrongKeys(f"{answer.status} {_said(data)}".strip())
    if not isinstance(data, dict) or answer.status in (202, 408, 425, 429) or answer.status >= 500:
        raise UnknownOutcome(f"answered with {answer.status}")
    if not 200 <= answer.status < 300:
        raise Refused(f"{answer.status} {_said(data)}".strip())
    return data


def _said(data: Any) -> str:
    """Return only the words that name the error in an answer, never anything else in it."""
    if not isinstance(data, dict):
        return ""
    error = data.get("error") if isinstance(data.get("error"), dict) else data
    found = [error.get(name) for name in ("code", "name", "parameter")] if isinstance(error, dict) else []
    return " ".join(str(word)[:60] for word in found if word)


def _name(provider: Provider) -> str:
    return provider.title or provider.name


def title(bot: Any, name: str) -> str:
    """Return what people call a provider."""
    return getattr(bot.payment_providers.get(name), "title", "") or name


def way_name(ctx: Any, method: str, otherwise: str) -> Any:
    """Return what a top-up's way is called: its text receipts.by_METHOD, its provider's title, or `otherwise`."""
    key = f"receipts.by_{method}"
    return (
        ctx.say(key) if ctx.texts.has(key) else getattr(ctx.bot.payment_providers.get(method), "title", "") or otherwise
    )


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
    return f"{_bot_id(bot)}:{number}"


def _bot_id(bot: Any) -> str:
    """Return Telegram's id of the bot: several may share one shop."""
    return str(bot.settings["TELEGRAM_BOT_TOKEN"]).partition(":")[0]


def _order_of(payment: ProviderPayment, returned: int = 0) -> Order:
    names = ("currency", "way", "key", "tag", "body", "expires_at", "details")
    fields = {name: getattr(payment, name) for name in names}
    topup = payment.topup
    ids: dict[str, Any] = {"number": payment.topup_id, "id": payment.external_id or "", "payer": topup.user.telegram_id}
    return Order(amount=topup.amount, returned=returned, **ids, **fields)


def ask(bot: Any, provider: Provider, payment: ProviderPayment, now: datetime, *, late: bool = True) -> ProviderPayment:
    """Request a payment that has no link yet; return its row. `late`: the person was told to wait for the link."""
    number = payment.topup_id
    if now >= payment.created_at + GIVE_UP:
        why = "common.provider_off" if provider.refused else "common.provider_silent"
        provider_payments.refused(number, "no answer", now, why=why)
    elif provider_payments.claim(payment, now, now + CALL):
        wait = now + timedelta(seconds=min(TROUBLE_STEP_S, 5 * 2**payment.looks))
        try:
            with _sensible():
                made = _have_made(provider, _order_of(payment), again=payment.state == ProviderState.UNKNOWN)
        except WrongKeys as error:
            _keys_refused(bot, provider, "create", error)
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
            _keys_taken(provider, "create")
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


def _keys_refused(bot: Any, provider: Provider, what: str, error: WrongKeys) -> None:
    provider.refused = what, error.said
    log.error("%s does not take our keys: %s", provider.name, error.said)
    bot.alert("common.alert_provider_keys", cause=f"keys of {provider.name}", name=_name(provider), said=error.said)


def _keys_taken(provider: Provider, what: str) -> None:
    if provider.refused and provider.refused[0] == what:
        provider.refused = None


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


# the loops


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
        if give_back(bot, provider, refund, now) == "asked":
            break


def _fetch(bot: Any, provider: Provider, waiting: dict[str, ProviderPayment], now: datetime) -> bool:
    """Ask for payments, and for each separately if one may have kept others from being told; return whether it answers."""
    left, said, bad, answers = dict(waiting), "", list[str](), True
    try:
        for seen in _told(lambda: provider.fetch(list(waiting)), bad):
            payment = left.pop(seen.id, None)
            if payment is not None:
                provider_payments.saw(payment.topup_id, seen, now, next_look(payment, now))
        _keys_taken(provider, "read")
    except WrongKeys as error:
        _keys_refused(bot, provider, "read", error)
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
        bot.alert("common.alert_provider_stuck", cause=f"payment {number}", name=_name(provider), number=number)
    if is_unreadable and now >= payment.created_at + GIVE_UP:
        _cannot_read(bot, provider, f"№{number}: {said}")


def _cannot_read(bot: Any, provider: Provider, said: str) -> None:
    bot.alert("common.alert_provider_unreadable", cause=f"unreadable {provider.name}", name=_name(provider), said=said)


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


def give_back(bot: Any, provider: Provider, refund: ProviderRefund, now: datetime) -> str:
    """Request a booked refund from the provider; return done, refused, or asked (to be asked again)."""
    payment, again = provider_payments.get(refund.topup_id), refund.looks > 0
    if payment is None or not provider_refunds.claim(refund, now + (3 * CALL if again else CALL)):
        return "asked"
    try:
        if again and _is_covered(provider, payment, refund, now):
            return "done"
        with _sensible():
            order = _order_of(payment, provider_refunds.returned(payment.topup_id))
            answer = provider.refund(order, refund.amount, refund.key, again)
            if not isinstance(answer, Returned):
                raise TypeError(f"no Returned: {type(answer).__name__}")
    except WrongKeys as error:
        _keys_refused(bot, provider, "refund", error)
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
        for seen in _told(lambda: provider.fetch([payment.external_id or ""]), []):
            if seen.id == payment.external_id:
                provider_payments.saw(payment.topup_id, seen, now, payment.look_at)
    except WrongKeys:
        raise
    except Refused as error:
        log.warning("%s, payment %s: %s", provider.name, payment.topup_id, error.said)
    return provider_refunds.is_done(refund.id)


def _take_answer(bot: Any, provider: Provider, refund: ProviderRefund, answer: Returned, now: datetime) -> str:
    """Book what the provider answers about a refund; return its state. After a week on its way, alert the staff."""
    about: dict[str, Any] = {"cause": f"refund {refund.id}", "name": _name(provider), "number": refund.topup_id}
    if answer.state == "done":
        _keys_taken(provider, "refund")
        provider_refunds.done(refund.id, answer.id, now)
        return "done"
    log.warning("%s, refund %s of %s: %s %s", provider.name, refund.id, refund.topup_id, answer.state, answer.said)
    if answer.state == "refused":
        if provider_refunds.refused(refund.id, answer.said, now):
            bot.alert("common.alert_provider_refund", **about)
        return "refused"
    wait = min(LATE_STEP_S, TROUBLE_STEP_S * 2 ** min(refund.looks, 6))
    provider_refunds.put_off(refund.id, now + timedelta(seconds=wait), answer.said, answer.id)
    if now >= refund.created_at + STUCK:
        bot.alert("common.alert_provider_refund_stuck", **about | {"cause": f"stuck {about['cause']}"})
    return "asked"


def note(bot: Any, payment: ProviderPayment, amount: int) -> tuple[str, dict[str, Any]] | None:
    """Return what the staff should know before a refund of a payment (a text key and its values), or None."""
    order = _order_of(payment, provider_refunds.returned(payment.topup_id))
    found: tuple[str, dict[str, Any]] | None = bot.payment_providers[payment.provider].note(order, amount)
    return found


def reconcile(bot: Any, provider: Provider, now: datetime) -> None:
    """Compare the provider's list of the last days with ours, once a day; retry soon if it cannot be read."""
    place = f"LISTED:{provider.name}"
    last = runtime_settings.get(place)
    if last and datetime.fromisoformat(last) > now - DAILY:
        return
    try:
        found = list(_differences(bot, provider, now))
        _keys_taken(provider, "list")
    except WrongKeys as error:
        _keys_refused(bot, provider, "list", error)
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
            bot.alert(key, cause=f"{kind} {provider.name}", name=_name(provider), n=len(ids), ids=", ".join(ids[:5]))


def _differences(bot: Any, provider: Provider, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield (missed | stray | unlisted, id) for each difference; fix those that can be fixed.

    After a row that cannot be read the list may have ended, so the payments it has not told of are asked for.
    """
    since, bad, told = now - LISTED, list[str](), set[str]()
    for seen in _told(lambda: provider.recent(since), bad):
        told.add(seen.id)
        yield from _difference(bot, provider, seen, now)
    if bad:
        _cannot_read(bot, provider, bad[0])
        missing = set(provider_payments.ids_since(provider.name, provider.account, since)) - told
        for seen in _separately(provider, sorted(missing)):
            told.add(seen.id)
            yield from _difference(bot, provider, seen, now)
    for row in provider_payments.unlisted(provider.name, provider.account, since + UNLISTED, now - UNLISTED):
        if not bad or row.external_id in told:  # of one that cannot be read nobody knows
            yield "unlisted", f"№{row.topup_id}"


def _separately(provider: Provider, ids: list[str]) -> Iterator[Seen]:
    """Yield the state of each payment, asked for by itself, leaving out what cannot be read or is not known there."""
    for payment_id in ids:
        try:
            yield from _told(lambda one=payment_id: provider.fetch([one]), [])  # type: ignore[misc]
        except WrongKeys:
            raise
        except Refused as error:
            log.warning("%s, payment %s: %s", provider.name, payment_id, error.said)


def _difference(bot: Any, provider: Provider, seen: Seen, now: datetime) -> Iterator[tuple[str, str]]:
    payment = provider_payments.find(provider.name, seen.id, seen.tag)
    if payment is None:
        if (seen.tag or "").partition(":")[0] == _bot_id(bot):
            yield from _stray(provider, seen)
    elif not payment.external_id:
        provider_payments.wake(payment.topup_id, now)
    else:
        row = provider_payments.saw(payment.topup_id, seen, now, payment.look_at)
        is_paid = seen.state == ProviderState.PAID
        if row.state in CREDITED and is_paid:
            provider_payments.mark_listed(row.topup_id)
            if payment.state not in CREDITED and now > payment.expires_at + AFTER:
                yield "missed", f"№{row.topup_id}"
        elif row.state in CREDITED:
            yield "unlisted", f"№{row.topup_id}"


def _stray(provider: Provider, seen: Seen) -> Iterator[tuple[str, str]]:
    """Cancel a second payment for a row, whose link nobody has seen; if it was paid, yield an alert."""
    if seen.state == ProviderState.PAID:
        yield "stray", seen.id
    elif seen.state == ProviderState.PENDING:
        try:
            with _sensible():
                provider.discard(seen.id)
        except WrongKeys:
            raise
        except (Refused, ServiceFailed) as error:
            log.warning("%s does not cancel %s: %s", provider.name, seen.id, error)


def examine(provider: Provider, now: datetime) -> tuple[str, dict[str, Any]] | None:
    """Return what doctor reports about a provider, or None; one without a check is asked for the start of its list."""
    try:
        with _sensible():
            if type(provider).check is Provider.check:
                next(iter(provider.recent(now)), None)
            found = provider.check()
    except WrongKeys as error:
        return "common.provider_keys", {"name": _name(provider), "said": error.said}
    except (Refused, ServiceFailed) as error:
        return "common.provider_away", {"name": _name(provider), "said": str(error)}
    if found is None and provider.refused:
        return "common.provider_keys", {"name": _name(provider), "said": provider.refused[1]}
    return found

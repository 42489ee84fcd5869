"""Payment providers: the interface of one, which is a subclass of `Provider` with a few functions (docs/payments.md).

All decisions are made in this package and in `storage/money/provider_payments.py`: our row comes first, a callback is only
a reason to ask, polling alone suffices, and money is credited only if the provider's own answer matches our row exactly.

`answers` reads what providers say, `payments` creates and polls payments, `refunds` gives money back, and `daily_list`
compares the provider's list with ours.
"""

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FunctionType
from typing import Any, NamedTuple

from core import registration_checks
from core.services.http import Answer, UnknownOutcome
from storage.base.tables import ProviderPayment
from storage.money.provider_payments import Seen

NAME = re.compile(r"[a-z0-9_]+")
NEEDED = ("body", "create", "fetch", "recent")


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


def check_provider(provider: Any) -> None:
    """Raise ValueError for a provider that lacks what every one needs, or whose functions take other arguments."""
    made = type(provider)
    if not isinstance(provider, Provider) or not NAME.fullmatch(provider.name):
        raise ValueError(
            f"{made.__name__}: want a subclass of core.services.providers.Provider, its name of a-z, 0-9 and _"
        )
    for name, function in vars(Provider).items():
        if isinstance(function, FunctionType):
            given = [*inspect.signature(function).parameters][1:]
            if name in NEEDED and getattr(made, name) is function:
                raise ValueError(f"{made.__name__} lacks {name}({', '.join(given)})")
            registration_checks.takes(getattr(provider, name), *given)


def order_of(payment: ProviderPayment, returned: int = 0) -> Order:
    """Return a row as a provider gets it; `returned` is what had gone back before."""
    names = ("currency", "way", "key", "tag", "body", "expires_at", "details")
    fields = {name: getattr(payment, name) for name in names}
    topup = payment.topup
    ids: dict[str, Any] = {"number": payment.topup_id, "id": payment.external_id or "", "payer": topup.user.telegram_id}
    return Order(amount=topup.amount, returned=returned, **ids, **fields)


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


def title(bot: Any, name: str) -> str:
    """Return what people call a provider."""
    return getattr(bot.payment_providers.get(name), "title", "") or name


def way_name(ctx: Any, method: str, otherwise: str) -> Any:
    """Return what a top-up's way is called: its text receipts.by_METHOD, its provider's title, or `otherwise`."""
    key = f"receipts.by_{method}"
    return (
        ctx.say(key) if ctx.texts.has(key) else getattr(ctx.bot.payment_providers.get(method), "title", "") or otherwise
    )

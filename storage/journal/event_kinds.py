"""The events that listeners can receive. Amounts are minor units; users, orders and top-ups are given by row id.

`id` is the event's own number. It is the same at every try, so it is good for a unique key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar, dataclass_transform

KINDS: dict[str, type["Event"]] = {}
Made = TypeVar("Made", bound="Event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    kind: ClassVar[str] = ""
    id: int = field(default=0, compare=False)

    def data(self) -> dict[str, Any]:
        """Return the fields that its row stores."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "id"}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def _event(kind: str) -> Callable[[type[Made]], type[Made]]:
    def make(cls: type[Made]) -> type[Made]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        made.kind = kind
        KINDS[kind] = made
        return made

    return make


def read(kind: str, row_id: int, data: dict[str, Any]) -> Event:
    """Return the event of a row; fields that a newer version has added are left out."""
    known = {one.name for one in fields(KINDS[kind])}
    return KINDS[kind](id=row_id, **{name: value for name, value in data.items() if name in known})


@_event("user.created")
class UserCreated(Event):
    """Somebody has written to the bot for the first time."""

    user: int


@_event("user.erased")
class UserErased(Event):
    """Somebody's data was erased: listeners delete whatever they keep about them."""

    user: int


@_event("user.blocked")
class UserBlocked(Event):
    """Somebody has blocked the bot, or (`blocked` false) lets it write again."""

    user: int
    blocked: bool


@_event("job.created")
class JobCreated(Event):
    """An order was placed, and its price is on hold."""

    job: int
    user: int


@_event("job.succeeded")
class JobSucceeded(Event):
    """KIE has made the result; it is paid for and about to be delivered."""

    job: int


@_event("job.delivered")
class JobDelivered(Event):
    """The result is in the chat."""

    job: int


@_event("job.failed")
class JobFailed(Event):
    """An order has failed, and its hold was released."""

    job: int


@_event("job.lost")
class JobLost(Event):
    """It is unknown whether KIE has accepted an order; the bot waits for news of it."""

    job: int


@_event("job.overrun")
class JobOverrun(Event):
    """KIE took more for an order than its price covers."""

    job: int


@_event("payment.submitted")
class PaymentSubmitted(Event):
    """A transfer waits for the staff's decision."""

    topup: int


@_event("payment.refused")
class PaymentRefused(Event):
    """The staff has declined a transfer."""

    topup: int
    user: int


@_event("payment.credited")
class PaymentCredited(Event):
    """A payment was credited; `key` is the ledger key of its entry, `first` says that it is the person's first."""

    user: int
    amount: int
    key: str
    first: bool
    topup: int


@_event("payment.unchecked")
class PaymentUnchecked(Event):
    """Stars came without a pre-checkout accepted here; `invoiced` is the amount of the invoice."""

    user: int
    topup: int
    amount: int
    invoiced: int
    stars: int
    charge: str


@_event("payment.ready")
class PaymentReady(Event):
    """A provider has made a payment after the person was told to wait: it can be paid now."""

    topup: int
    user: int


@_event("payment.late")
class PaymentLate(Event):
    """Money came for a payment that was given up; it is credited."""

    topup: int
    user: int
    amount: int


@_event("payment.mismatch")
class PaymentMismatch(Event):
    """A provider has money that is not what was asked for: `trouble` says what differs, `received` how much came."""

    topup: int
    user: int
    amount: int
    trouble: str
    received: int | None
    said: str


@_event("payment.stopped")
class PaymentStopped(Event):
    """A payment by a provider will not come: `state` is expired or cancelled, `why` a text key, if it is known."""

    topup: int
    user: int
    amount: int
    state: str
    why: str


@_event("payment.returned")
class PaymentReturned(Event):
    """A payment was taken back; `loss` is what the balance did not cover, `by` the member of staff who did it."""

    user: int
    topup: int
    amount: int
    loss: int
    by: int | None
    paused: bool


@_event("payment.restored")
class PaymentRestored(Event):
    """Telegram, or a provider, has refused a refund, so the money was credited again."""

    user: int
    topup: int
    amount: int


@_event("bonus.posted")
class BonusPosted(Event):
    """A waiting bonus was credited; `what` is the kind of its entry."""

    bonus: int
    user: int
    what: str
    amount: int
    topup: int


@_event("bonus.returned")
class BonusReturned(BonusPosted):
    """A bonus was taken back with its payment."""

    loss: int
    posted: bool


@_event("bonus.restored")
class BonusRestored(BonusPosted):
    """A bonus was restored with its payment."""


@_event("act.amount")
class AmountActed(Event):
    """The staff did something that has an amount; `act` is the id of its row."""

    act: int


@_event("letter.written")
class LetterWritten(Event):
    """Somebody has written to the staff."""

    letter: int


@_event("message.sent")
class MessageSent(Event):
    """A message that was queued with a `ref` has arrived."""

    ref: str
    user: int


@_event("message.lost")
class MessageLost(MessageSent):
    """A message that was queued with a `ref` cannot arrive."""


@_event("catalogue.changed")
class CatalogueChanged(Event):
    """An admin has changed what is sold, or for how much: `scope` is model:ID, menu:NAME or all."""

    scope: str

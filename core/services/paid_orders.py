"""Orders that wait for money, and are made by the payment for them if the person has said so.

What was agreed to is one quote: a card or a rung at the price that was shown, while its draft lasts, which is a day. If it
cannot be ordered like that, it goes on waiting for a tap.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from core.buttons import button, route
from core.errors import UserError
from core.services.generation import CARD, REPLIES, shown
from storage.base.tables import Draft, Job, User

if TYPE_CHECKING:
    from core.bot import Bot
    from kie.catalogue.model import Model

CANCEL = route("orders:cancel", optional=True)
REF = "order:"  # how the `ref` of a message begins that is to become an order's progress message


class Waiting(NamedTuple):
    """A quote that lacks money: its draft, the rung (None: the card), its price, and whether its payment orders it."""

    draft: Draft
    rung: int | None
    price: int
    is_agreed: bool


def lacking(bot: "Bot", user_id: int, form: str, amount: int, now: datetime) -> Waiting | None:
    """Return what was chosen on a draft, if it lacks exactly `amount` (minor units); None if it is another by now."""
    draft = bot.drafts.get(user_id, form, now)
    rung, quote = shown(draft) if draft is not None else (None, None)
    if quote is None or draft.data.get("place") or quote["price"] != amount + bot.ledger.balance(user_id):
        return None
    return Waiting(draft, rung, quote["price"], _agreed(draft) == {"version": draft.version, "rung": rung})


def _agreed(draft: Draft) -> dict[str, Any] | None:
    """Return what was agreed to, if the draft still shows it."""
    agreed: dict[str, Any] | None = draft.data.get("agreed")
    return agreed if agreed and agreed["version"] == draft.version else None


def order(bot: "Bot", user: User, now: datetime) -> tuple[Job, "Model"] | None:
    """Order what was agreed to and return (job, model); None if nothing was, or if it has to be offered instead."""
    for draft in filter(None, [bot.drafts.get(user.id, form, now) for form in (CARD, REPLIES)]):
        agreed = None if user.banned else _agreed(draft)
        if agreed is None:
            continue
        try:
            job, model, created = bot.generation.order(user, draft.id, draft.version, now, agreed["rung"])
        except UserError:
            continue  # e.g. another price, or not enough money: it is offered with what it costs now
        if created:
            return job, model
    return None


def tell(bot: "Bot", job: Job, model: "Model", now: datetime) -> None:
    """Queue the message that becomes the order's progress message once it has arrived."""
    ref, values = f"{REF}{job.id}", bot.generation.in_queue(job, model, bot.lang_of(bot.users.get(job.user_id)))
    rows = [button("job.cancel", CANCEL, job.id)]
    bot.notify(job.user_id, "job.queued", unique=ref, ref=ref, now=now, buttons=rows, **values)

"""Orders and questions that wait for money, and are made by the payment for them if the person has said so.

What was agreed to is one quote: a card, a rung (also of a group's ladder) or a question at the price that was shown, while its
draft lasts, which is a day. If it cannot be ordered like that, it goes on waiting for a tap.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from core.buttons import button, route
from core.errors import NotEnoughMoney, UserError
from core.services.generation import QUESTION, chosen
from core.services.input_labels import SHOWN_TEXT
from core.services.talk import UNASKED
from storage.base.tables import Draft, Job, User
from storage.journal import drafts

if TYPE_CHECKING:
    from core.bot import Bot
    from kie.catalogue.model import Model

CANCEL = route("orders:cancel", optional=True)
CANCEL_IN_GROUP = route("groups:cancel", optional=True)
REF = "order:"  # how the `ref` of a message begins that is to become an order's progress message


class Waiting(NamedTuple):
    """A quote that lacks money: its draft, the rung (None: the card), its price, and whether its payment orders it."""

    draft: Draft
    rung: int | None
    price: int
    is_agreed: bool


class Made(NamedTuple):
    """What a payment has made: the job, its model (None of a question), and the message that showed it, or None."""

    job: Job
    model: "Model | None"
    message_id: int | None


def lacking(bot: "Bot", user_id: int, form: str, amount: int, now: datetime) -> Waiting | None:
    """Return what was chosen on a draft, if it lacks exactly `amount` (minor units); None if it is another by now."""
    draft = bot.drafts.get(user_id, form, now)
    rung, price = _shown(draft) if draft is not None else (None, None)
    if draft is None or price is None or price != amount + bot.ledger.balance(user_id):
        return None
    return _waiting(draft, rung, price)


def lacking_in_groups(bot: "Bot", user_id: int, now: datetime) -> Waiting | None:
    """Return what was chosen last in a group, if there is not money enough for it."""
    for draft in drafts.all_of(user_id, now):
        rung, price = _shown(draft)
        if draft.data.get("place") and rung is not None and price and price > bot.ledger.balance(user_id):
            return _waiting(draft, rung, price)
    return None


def _waiting(draft: Draft, rung: int | None, price: int) -> Waiting:
    return Waiting(draft, rung, price, _agreed(draft) == {"version": draft.version, "rung": rung})


def _shown(draft: Draft) -> tuple[int | None, int | None]:
    """Return (rung or None, price) of what was chosen on a draft; of a question that waits, the most that it costs."""
    if draft.plugin == QUESTION:
        return None, draft.data.get("most") if draft.data.get("question") else None
    rung, quote = chosen(draft)
    return rung, quote["price"] if quote is not None else None


def _agreed(draft: Draft) -> dict[str, Any] | None:
    """Return what was agreed to, if the draft still shows it."""
    agreed: dict[str, Any] | None = draft.data.get("agreed")
    return agreed if agreed and agreed["version"] == draft.version else None


def order(bot: "Bot", user: User, now: datetime) -> Made | None:
    """Order what was agreed to, the newest of several; None if nothing was, or if it has to be offered instead."""
    for draft in [] if user.banned else drafts.all_of(user.id, now):
        if (agreed := _agreed(draft)) is None:
            continue
        try:
            made = _ask(bot, user, draft, now) if draft.plugin == QUESTION else _order(bot, user, draft, agreed, now)
        except (UserError, NotEnoughMoney):
            continue  # e.g. another price, or not enough money: it is offered with what it costs now
        if made is not None:
            return made
    return None


def _order(bot: "Bot", user: User, draft: Draft, agreed: dict[str, Any], now: datetime) -> Made | None:
    """Order a card or a rung; one of a group goes there."""
    group = (draft.data.get("place") or {}).get("chat_id")
    job, model, created = bot.generation.order(user, draft.id, draft.version, now, agreed["rung"], group=group)
    return Made(job, model, draft.message_id) if created else None


def _ask(bot: "Bot", user: User, draft: Draft, now: datetime) -> Made | None:
    """Ask the question that waits, if it still costs what was shown; the dialogue goes on in its topic."""
    talk, asked = bot.generation.talk, draft.data
    said = asked["question"], asked["pictures"], asked["topic"]
    topic = asked["topic"] if talk.owns(user.id, asked["topic"]) else None
    bound = talk.bound(user.id, asked["rank"], now, asked["question"], asked["pictures"], topic)
    if bound is None or bound.price != asked["most"]:
        return None
    job, created = talk.ask(user, f"ask:{draft.id}.{draft.version}", asked["rank"], *said, now)
    bot.drafts.put(user.id, QUESTION, now, data=asked | UNASKED | {"topic": job.topic})
    return Made(job, None, None) if created else None


def tell(bot: "Bot", made: Made, now: datetime) -> None:
    """Say that it is under way: in the message that becomes the order's progress message, in a group in its ladder."""
    job, ref = made.job, f"{REF}{made.job.id}"
    if made.model is None:
        bot.notify(job.user_id, "talk.asked", unique=ref, now=now, question=job.inputs["question"][:SHOWN_TEXT])
        return
    lang = bot.lang_of(bot.users.get(job.user_id))
    values = bot.generation.in_queue(job, made.model, lang)
    if job.chat_id is None:
        rows = [button("job.cancel", CANCEL, job.id)]
        bot.notify(job.user_id, "job.queued", unique=ref, ref=ref, now=now, buttons=rows, **values)
        return
    bot.notify(job.user_id, "job.goes_to_group", unique=ref, now=now, model=made.model.title, price=job.price)
    if made.message_id is not None:
        rows = [button("job.cancel", CANCEL_IN_GROUP, job.user_id, job.id)]
        bot.edit_quietly(job.chat_id, made.message_id, lang, "job.queued", rows, values)
        bot.jobs.note_progress(job.id, made.message_id, now + bot.jobs.PROGRESS)

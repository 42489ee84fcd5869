"""People imported from another bot, with what they had there: each once per source, completely or not at all.

A mark of the person (`Once`) makes sure of that, and outlives an erasure: the next run of the import does not bring
back people whose data was erased. The entry's key contains the source and the account, never the Telegram id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.states import EntryKind
from storage.base.tables import Entry, Once, User
from storage.journal import audit_log, kept_values
from storage.money import ledger, persons, referrals
from storage.people import users

PAST = ("history", "past")  # the plugin that shows orders and payments made elsewhere, and its name for them
SOME = 500  # ids per statement


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person as the source has them: `balance` in minor units, `past` the history stored under `PAST`, newest first."""

    telegram_id: int
    balance: int = 0
    first_name: str = ""
    username: str | None = None
    lang: str | None = None  # one of the bot's languages
    language_code: str | None = None  # another language, as a hint like Telegram's
    banned: bool = False
    inviter: int | None = None  # a Telegram id
    paid: bool = False  # has topped up there, so the next top-up is not the first
    had_gift: bool = False  # the welcome gift
    came_at: datetime | None = None
    past: Sequence[Mapping[str, Any]] = ()


class Came(StrEnum):
    """How somebody was imported."""

    NEW = "new"  # an account was created
    JOINED = "joined"  # added to the account they already had here
    BEFORE = "before"  # imported by an earlier run: nothing was changed


def ref(source: str) -> str:
    """Return the mark of everybody imported from a source, which is also the reference of their entries."""
    return f"import:{source}"


def take(one: Arrival, source: str, words: str, actor: int | None, now: datetime) -> Came:
    """Import somebody from a source once: account, balance, language, ban (an act of `actor`), past; in one transaction.

    `words` is the reason of the entry and of the ban.
    """
    with transaction():
        person = persons.known_as(one.telegram_id)
        if not persons.first(person.hash, ref(source)):
            return Came.BEFORE
        sender = users.Sender(one.telegram_id, one.first_name, one.username, one.language_code)
        user, made = users.bring(sender, person, one.came_at or now, one.lang)
        if one.lang and not user.lang:
            user = users.change(user, lang=one.lang)
        if one.had_gift:
            persons.first(person.hash, "gift")
        if one.balance:
            key = f"{ref(source)}:{user.id}"
            ledger.post(user.id, one.balance, kind=EntryKind.IMPORT, key=key, ref=ref(source), reason=words, now=now)
        if one.banned and not user.banned:
            if actor is None:
                raise ValueError("a ban is somebody's act")
            audit_log.note(actor, "block", now, user=user.id, words=words)
            users.change(user, banned=True)
        if one.past:
            kept_values.change(*PAST, lambda had: [*(had or []), *one.past], user.id)
        return Came.NEW if made else Came.JOINED


def join(one: Arrival, now: datetime) -> bool:
    """Record who invited somebody, once both are here; return whether it is new.

    If the invited person has topped up elsewhere, the share counts as paid.
    """
    if one.inviter is None:
        return False
    with transaction():
        invited, inviter = users.by_telegram_id(one.telegram_id), users.by_telegram_id(one.inviter)
        if invited is None or inviter is None or not referrals.invite(invited.id, inviter.id, now):
            return False
        return not one.paid or referrals.mark_paid(invited.id, 0)


def owner(telegram_id: int, now: datetime) -> int:
    """Return the user id of an owner, who may never have written to the bot."""
    with transaction():
        return users.bring(users.Sender(telegram_id), persons.known_as(telegram_id), now)[0].id


def taken(source: str, telegram_ids: Sequence[int]) -> dict[int, int]:
    """Return {Telegram id: imported balance} of the people imported by earlier runs.

    People erased since then count as 0: it is unknown which entry was theirs.
    """
    with connection():
        hashes = persons.hashes(telegram_ids)
        found: dict[int, int] = {}
        for some in _parts(list(hashes)):
            marks = Once.select(Once.person).where(Once.what == ref(source), Once.person.in_(some)).tuples()
            found |= {hashes[one]: 0 for (one,) in marks.execute()}
            brought = Entry.select(User.person, Entry.amount).join(User, on=Entry.user)
            brought = brought.where(Entry.ref == ref(source), User.telegram_id.is_null(False), User.person.in_(some))
            found |= {hashes[one]: amount for one, amount in brought.tuples().execute()}
        return found


def known(telegram_ids: Sequence[int]) -> set[int]:
    """Return which of these people have an account here."""
    with connection():
        parts = [User.select(User.telegram_id).where(User.telegram_id.in_(some)) for some in _parts(telegram_ids)]
        return {one for part in parts for (one,) in part.tuples().execute()}


def total(source: str) -> ledger.Total:
    """Return the number and the sum of the entries from a source."""
    with connection():
        query = Entry.select(fn.COUNT(Entry.id), fn.SUM(Entry.amount)).where(Entry.ref == ref(source))
        number, amount = query.tuples().first()
        return ledger.Total(number, int(amount or 0))


def _parts(things: Sequence[Any]) -> list[Sequence[Any]]:
    return [things[i : i + SOME] for i in range(0, len(things), SOME)]

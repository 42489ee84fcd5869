"""Users: created at their first message, looked up, searched and changed."""

import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared, inserted_many, padded
from storage.base.tables import Account, Draft, Person, User
from storage.journal import drafts, events
from storage.journal.event_kinds import UserBlocked, UserCreated
from storage.money import persons

_get = Prepared[User](lambda user_id: User.select().where(User.id == user_id))
_by_telegram_id = Prepared[User](lambda telegram_id: User.select().where(User.telegram_id == telegram_id))
# A minute is not worth a write in every handler: `inbox.note_seen` is as exact as that, for private chats
SEEN_EVERY = timedelta(hours=1)


@Prepared[User]
def _with_dialogue(telegram_id: int, now: datetime) -> "ModelSelect[User]":
    waiting = Draft.select(Draft.id).where(drafts.listens(User.id, now))
    return User.select(User, fn.EXISTS(waiting).alias("in_dialogue")).where(User.telegram_id == telegram_id)


@dataclass(frozen=True, slots=True)
class Sender:
    """What Telegram says about the sender of an update."""

    telegram_id: int
    first_name: str = ""
    username: str | None = None
    language_code: str | None = None


def seen(sender: Sender, now: datetime, update_id: int | None = None, create: bool = True) -> User:
    """Return the sender's user, created or updated if necessary (usually one read and no write).

    Without `create`, an unknown sender is a stranger, about whom nothing is stored.
    """
    with connection():
        user = _with_dialogue.first(sender.telegram_id, now)
        if user is None:
            return _create(sender, now, update_id) if create else stranger(sender)
        changes = {
            name: value
            for name in ("first_name", "username", "language_code")
            if getattr(user, name) != (value := getattr(sender, name))
        }
        if user.blocked_bot and create:  # writing in private lets the bot write again
            mark_blocked([user.id], False, now)
            user.blocked_bot = False
        if now - user.seen_at > SEEN_EVERY:
            changes["seen_at"] = now
        return change(user, **changes) if changes else user


def stranger(sender: Sender) -> User:
    """Return a user without a row: the `id` is None."""
    user = User(**asdict(sender))
    user.in_dialogue = False
    return user


def meet(senders: Collection[tuple[Sender, int | None]], now: datetime) -> None:
    """Create the users of those senders who are new, each with the id of their first update, in one transaction."""
    ids = padded([sender.telegram_id for sender, _update_id in senders])
    known = {telegram_id for (telegram_id,) in (_known(len(ids)).rows(*ids) if ids else ())}
    fresh = [(sender, update_id) for sender, update_id in senders if sender.telegram_id not in known]
    if not fresh:
        return
    with transaction():
        people = persons.all_known_as([sender.telegram_id for sender, _update_id in fresh])
        made = _insert([_row(sender, people[sender.telegram_id], now, update_id) for sender, update_id in fresh])
        for user_id in made:
            events.emit(UserCreated(user=user_id), now)


@lru_cache(maxsize=8)
def _known(count: int) -> Prepared[tuple[int]]:
    return Prepared(lambda *ids: User.select(User.telegram_id).where(User.telegram_id.in_(ids)), count)


def _insert(rows: list[dict[str, Any]]) -> list[int]:
    """Insert users with their accounts; return the ids of those who were not there yet."""
    ids = inserted_many(User, rows, User.id, is_new=False)
    inserted_many(Account, [{"user": user_id, "balance": 0} for user_id in ids], Account.user)
    return ids


def _create(sender: Sender, now: datetime, update_id: int | None) -> User:
    meet([(sender, update_id)], now)
    return _by_telegram_id.rows(sender.telegram_id)[0]


def _row(
    sender: Sender, person: Person, at: datetime, update_id: int | None = None, lang: str | None = None
) -> dict[str, Any]:
    return dict(
        **asdict(sender),
        lang=lang,
        code=secrets.token_urlsafe(9),
        born_of=update_id,
        created_at=at,
        seen_at=at,
        person=person.hash,
        banned=person.banned,
        sales_paused=person.sales_paused,
    )


def bring(sender: Sender, person: Person, at: datetime, lang: str | None = None) -> tuple[User, bool]:
    """Return an imported person's user, and whether it was created: without an event, so there is no gift.

    The person's row is locked (`persons.known_as`); `at` is when they came and were last seen.
    """
    with transaction():
        made = _insert([_row(sender, person, at, lang=lang)])
        return User.get(User.telegram_id == sender.telegram_id), bool(made)


def change(user: User, **fields: Any) -> User:
    """Change fields of a user and return the changed row; a ban and paused sales apply to the person."""
    with transaction():
        if flags := {name: fields[name] for name in persons.FLAGS if name in fields}:
            persons.mark(user.id, **flags)  # first, as the person is always locked before the accounts
        User.update(**fields).where(User.id == user.id).execute()
        return User.get_by_id(user.id)


def get(user_id: int) -> User | None:
    """Return the user with this internal id, or None."""
    return _get.first(user_id)


def by_telegram_id(telegram_id: int) -> User | None:
    """Return the user with this Telegram id, or None."""
    return _by_telegram_id.first(telegram_id)


def by_code(code: str) -> User | None:
    """Return the user whose invitation code this is, or None."""
    with connection():
        return User.get_or_none(User.code == code)


def find(words: str, limit: int = 8) -> list[User]:
    """Return users by Telegram id, @username or the beginning of the first name, last seen first.

    A number that is nobody's Telegram id is taken as an internal id, which people are told when they are erased.
    """
    words = words.strip().removeprefix("@")
    with connection():
        query = User.select().order_by(User.seen_at.desc()).limit(limit)
        if words.isdecimal() and len(words) < 19:
            return list(query.where(User.telegram_id == int(words))) or list(query.where(User.id == int(words)))
        name = fn.LOWER(User.first_name)
        low = words.lower()
        return list(query.where((fn.LOWER(User.username) == low) | name.startswith(low) | (User.first_name == words)))


def mark_blocked(user_ids: Collection[int], blocked: bool, now: datetime) -> None:
    """Remember that users have blocked or unblocked the bot."""
    with transaction():
        changed = User.update(blocked_bot=blocked).where(User.id.in_(user_ids), User.blocked_bot != blocked)
        for user in changed.returning(User.id).execute():
            events.emit(UserBlocked(user=user.id, blocked=blocked), now)


def count(since: datetime | None = None) -> int:
    """Return how many users there are, or were created since a time."""
    with connection():
        query = User.select()
        return (query if since is None else query.where(User.created_at >= since)).count()


def count_active(since: datetime) -> int:
    """Return how many users were active since a time."""
    with connection():
        return User.select().where(User.seen_at >= since).count()

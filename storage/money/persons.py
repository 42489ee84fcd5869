"""Persons: who a limit, a ban or a debt belongs to, whatever account they come with.

A person is known by a keyed hash of the Telegram id (HMAC-SHA256). The key is made once and lies in the database, so it
travels with a backup. An erasure leaves the hash in the emptied account, so somebody who comes back is the same person:
what there is once a person is counted over all their accounts. With the key one can test who a hash belongs to, so it
is a pseudonym and not anonymous, and is forgotten in the end (`forget_idle`).
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from peewee import ModelSelect, fn

from storage.base.db import connection, transaction
from storage.base.tables import Account, Once, Person, Stored, User

KEY = "PERSON_KEY"  # the stored value
FLAGS = ("banned", "sales_paused")  # both stand in the accounts, too, where every update reads them


class KeyIsGone(Exception):
    """There are hashes and no key to them: people could not be recognised any more."""


def hashed(key: str, telegram_id: int) -> str:
    """Return the hash of a Telegram id under a key (hexadecimal)."""
    return hmac.new(bytes.fromhex(key), str(telegram_id).encode(), hashlib.sha256).hexdigest()


def known_as(telegram_id: int) -> Person:
    """Return the person behind a Telegram id, made where needed; their row stays locked until the transaction ends."""
    with transaction() as db:
        row = Person.insert(hash=hashed(_key(), telegram_id)).on_conflict_ignore()
        row.execute()
        query = Person.select().where(Person.hash == hashed(_key(), telegram_id))
        return (query.for_update() if db.for_update else query).get()


def _key() -> str:
    """Return the key; the first person has it made."""
    found = Stored.get_or_none(Stored.name == KEY)
    if found is None and not Person.select().exists():
        made = Stored.insert(name=KEY, value=secrets.token_hex(32), updated_at=datetime.now(UTC))
        made.on_conflict_ignore().execute()
    found = found or Stored.get_or_none(Stored.name == KEY)  # another may have made it, and its person, meanwhile
    if found is None:
        raise KeyIsGone(f"{KEY} is missing; take the database of a backup")
    return found.value


def accounts(user_id: int) -> "ModelSelect[User]":
    """Return the query of the ids of all accounts of the person behind one: that one, and those they have erased."""
    every, this = User.alias(), User.alias()
    person = this.select(this.person).where(this.id == user_id)
    return every.select(every.id).where((every.id == user_id) | (every.person == person))


def been_here(user_id: int) -> bool:
    """Tell whether the person behind an account had another one before."""
    with connection():
        return User.select().where(User.id.in_(accounts(user_id)), User.id < user_id).exists()


def mark(user_id: int, **flags: bool) -> None:
    """Close or open the access (`banned`), or stop sales (`sales_paused`), of the person behind an account."""
    if not flags.keys() <= set(FLAGS):
        raise ValueError(f"no such mark of a person: {flags}")
    with transaction():
        this = User.select(User.person).where(User.id == user_id)
        Person.update(**flags).where(Person.hash == this).execute()  # first: `known_as` waits for it, or it for that
        ids = [one for (one,) in accounts(user_id).tuples().execute()]
        User.update(**flags).where(User.id.in_(ids)).execute()


def once(user_id: int, what: str) -> bool:
    """Tell whether the person behind an account gets this now, and never again, inside the transaction that gives it."""
    with transaction():
        person = User.select(User.person).where(User.id == user_id).scalar()
        row = Once.insert(person=person, what=what).on_conflict_ignore()
        return bool(list(row.returning(Once.what).tuples().execute()))


def debt(user_id: int) -> int:
    """Return what the person behind an account owes over all their accounts, in minor units: unpaid write-offs."""
    with connection():
        owed = Account.select(fn.SUM(Account.debt)).where(Account.user.in_(accounts(user_id)))
        return int(owed.scalar() or 0)


def forget_idle(before: datetime) -> int:
    """Forget the hashes of those who were last here before a time and have erased themselves; return how many.

    A ban, paused sales and a debt stay for as long as they hold.
    """
    here = User.alias()
    lasting = here.select(here.id).where(
        here.person == Person.hash, here.telegram_id.is_null(False) | (here.seen_at >= before)
    )
    owing = here.select(here.id).join(Account, on=(Account.user == here.id))
    owing = owing.where(here.person == Person.hash, Account.debt > 0)
    with transaction():
        idle = Person.select(Person.hash).where(
            ~Person.banned, ~Person.sales_paused, ~fn.EXISTS(owing), ~fn.EXISTS(lasting)
        )
        hashes = [one for (one,) in idle.limit(500).tuples().execute()]
        User.update(person=None).where(User.person.in_(hashes), User.telegram_id.is_null()).execute()
        Once.delete().where(Once.person.in_(hashes)).execute()
        return Person.delete().where(Person.hash.in_(hashes)).execute()

"""Persons: the human beings that limits, bans and debts belong to, whatever account they use.

A person is identified by a keyed hash of the Telegram id (HMAC-SHA256). The key is created once and kept in the database,
so it travels with a backup. An erasure leaves the hash in the emptied account, so somebody who comes back is recognised:
limits per person count all their accounts. Whoever has the key can test whom a hash belongs to, so it is a pseudonym and
not anonymous, and is forgotten in the end (`forget_idle`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from peewee import ModelSelect, fn

from storage.base.db import connection, is_postgres, transaction
from storage.base.prepared import ROWS, Prepared, inserted_many
from storage.base.tables import Account, Once, Person, Stored, User

KEY = "PERSON_KEY"  # the name of its row in `Stored`
FLAGS = ("banned", "sales_paused")  # also copied to the accounts, where every update reads them


class KeyIsGone(Exception):
    """There are hashes, but their key is missing: people could not be recognised any more."""


def hashed(key: str, telegram_id: int) -> str:
    """Return the hash of a Telegram id under a key (hexadecimal)."""
    return hmac.new(bytes.fromhex(key), str(telegram_id).encode(), hashlib.sha256).hexdigest()


def known_as(telegram_id: int) -> Person:
    """Return the person with a Telegram id, created if new; the row stays locked until the transaction ends."""
    return all_known_as([telegram_id])[telegram_id]


def all_known_as(telegram_ids: Iterable[int]) -> dict[int, Person]:
    """Return {Telegram id: person}, created if new; the rows stay locked until the transaction ends."""
    with transaction():
        key = _key()
        ids = {hashed(key, one): one for one in telegram_ids}
        every = sorted(ids)  # in one order everywhere, so that no two wait for each other
        inserted_many(Person, [{"hash": one} for one in every], Person.hash, is_new=False)
        parts = (every[start : start + ROWS] for start in range(0, len(every), ROWS))
        return {ids[person.hash]: person for part in parts for person in _locked(len(part)).rows(*part)}


@lru_cache(maxsize=16)
def _locked(count: int) -> Prepared[Person]:
    def build(*some: str) -> "ModelSelect[Person]":
        query = Person.select().where(Person.hash.in_(some)).order_by(Person.hash)
        return query.for_update() if is_postgres() else query

    return Prepared(build, count)


def hashes(telegram_ids: Iterable[int]) -> dict[str, int]:
    """Return {hash: Telegram id}, whether there is such a person or not; nothing while there are no persons at all."""
    key = _kept_key.scalar()
    return {hashed(key, one): one for one in telegram_ids} if key else {}


def _key() -> str:
    """Return the key; it is created together with the first person."""
    key = _kept_key.scalar()
    if key is None and not Person.select().exists():
        new = Stored.insert(name=KEY, value=secrets.token_hex(32), updated_at=datetime.now(UTC))
        new.on_conflict_ignore().execute()
    key = key or _kept_key.scalar()  # a concurrent transaction may have created it
    if key is None:
        raise KeyIsGone(f"{KEY} is missing; take the database of a backup")
    return str(key)


_kept_key = Prepared[tuple[str]](lambda: Stored.select(Stored.value).where(Stored.name == KEY))


def accounts(user_id: int) -> "ModelSelect[User]":
    """Return the query of the ids of all accounts of a user's person: this one and the erased ones."""
    every, this = User.alias(), User.alias()
    person = this.select(this.person).where(this.id == user_id)
    return every.select(every.id).where((every.id == user_id) | (every.person == person))


def been_here(user_id: int) -> bool:
    """Return whether a user's person had an account before."""
    with connection():
        return User.select().where(User.id.in_(accounts(user_id)), User.id < user_id).exists()


def mark(user_id: int, **flags: bool) -> None:
    """Set or clear `banned` or `sales_paused` for a user's person, in all their accounts."""
    if not flags.keys() <= set(FLAGS):
        raise ValueError(f"no such mark of a person: {flags}")
    with transaction():
        this = User.select(User.person).where(User.id == user_id)
        Person.update(**flags).where(Person.hash == this).execute()  # first, as it locks the row that `known_as` locks
        ids = [one for (one,) in accounts(user_id).tuples().execute()]
        User.update(**flags).where(User.id.in_(ids)).execute()


def once(user_id: int, what: str) -> bool:
    """Return whether a user's person gets something for the first time, within the transaction that gives it."""
    with transaction():
        return first(User.select(User.person).where(User.id == user_id).scalar(), what)


def first(person: str, what: str) -> bool:
    """Return whether the person with a hash gets something for the first time, within the transaction that gives it."""
    with transaction():
        row = Once.insert(person=person, what=what).on_conflict_ignore()
        return bool(list(row.returning(Once.what).tuples().execute()))


def debt(user_id: int) -> int:
    """Return the debt of a user's person over all their accounts, in minor units."""
    with connection():
        owed = Account.select(fn.SUM(Account.debt)).where(Account.user.in_(accounts(user_id)))
        return int(owed.scalar() or 0)


@Prepared[tuple[str]]
def _idle(before: datetime) -> "ModelSelect[Person]":
    here = User.alias()
    lasting = here.select(here.id).where(
        here.person == Person.hash, here.telegram_id.is_null(False) | (here.seen_at >= before)
    )
    owing = here.select(here.id).join(Account, on=(Account.user == here.id))
    owing = owing.where(here.person == Person.hash, Account.debt > 0)
    idle = ~Person.banned, ~Person.sales_paused, ~fn.EXISTS(owing), ~fn.EXISTS(lasting)
    return Person.select(Person.hash).where(*idle).limit(500)


def forget_idle(before: datetime) -> int:
    """Delete the persons who were last seen before a time and have had their data erased; return how many.

    Those with a ban, paused sales or a debt stay.
    """
    with transaction():
        hashes = [one for (one,) in _idle.rows(before)]
        if not hashes:
            return 0
        User.update(person=None).where(User.person.in_(hashes), User.telegram_id.is_null()).execute()
        Once.delete().where(Once.person.in_(hashes)).execute()
        return Person.delete().where(Person.hash.in_(hashes)).execute()

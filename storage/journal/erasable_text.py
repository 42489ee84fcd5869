"""Free text (reasons, notes) kept apart from what is sealed, so that it can be erased and the books still verify.

The row keeps a digest of the text and a random salt; seals cover the digest. An erasure deletes text and salt, after
which the digest reveals nothing.
"""

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

from storage.base.db import transaction
from storage.base.engines import Engine
from storage.base.tables import Words

ROWS = " UNION ALL ".join(
    f"SELECT '{table}' AS name, id, user_id, digest FROM {table} WHERE digest IS NOT NULL"
    for table in ("entry", "act", "top_up")
)


def keep(text: str | None, user_id: int | None = None) -> str | None:
    """Store words and return their digest, for the row they belong to; None for no words.

    `user_id` is the person they are about: they are erased together.
    """
    said = salted(text)
    put(said, user_id)
    return said.digest


class Salted(NamedTuple):
    """Words that are about to be stored; without any, all three are None."""

    digest: str | None
    salt: str | None
    text: str | None


def salted(text: str | None) -> Salted:
    """Return words with a new salt and their digest, not stored yet."""
    if not text:
        return Salted(None, None, None)
    salt = secrets.token_hex(16)
    return Salted(digest_of(salt, text), salt, text)


def put(said: Salted, user_id: int | None = None) -> None:
    """Store salted words, once the row with their digest exists; do nothing if there are none."""
    if said.digest is not None:
        with transaction():
            Words.insert(digest=said.digest, user=user_id, text=said.text, salt=said.salt).execute()


def digest_of(salt: str, text: str) -> str:
    """Return the digest of salted words."""
    return hashlib.sha256(f"{salt}\n{text}".encode(errors="surrogateescape")).hexdigest()


def forget(user_id: int) -> None:
    """Erase all words about a person, with their salts."""
    with transaction():
        Words.delete().where(Words.user == user_id).execute()


def broken(engine: Engine) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, row) for words that were changed, belong to no row, or are gone without an erasure."""
    for rows in engine.stream("SELECT digest, salt, text FROM words"):
        for digest, salt, text in rows:
            if digest_of(salt, text) != digest:
                yield "words are what was written", (digest,)
    same = "IS NOT DISTINCT FROM" if engine.postgres else "IS"
    gone = f"""
        SELECT r.name, r.id FROM ({ROWS}) r LEFT JOIN words w ON w.digest = r.digest
        LEFT JOIN "user" u ON u.id = r.user_id
        WHERE CASE WHEN w.digest IS NULL THEN u.telegram_id IS NULL AND u.id IS NOT NULL
            ELSE w.user_id {same} r.user_id END IS NOT TRUE"""
    loose = f"SELECT digest FROM words EXCEPT SELECT digest FROM ({ROWS}) r"
    for promise, query in (
        ("words are there until their person is erased", gone),
        ("words belong to a row", loose),
    ):
        for rows in engine.stream(query):
            for row in rows:
                yield promise, tuple(row)

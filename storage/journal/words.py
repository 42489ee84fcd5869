"""Free words beside entries, acts and top-ups: reasons, notes, letters. They can be erased and the books still verify.

The row keeps a digest of the words and of a salt that nobody can guess; seals cover the digest. Erasing takes words and
salt, and then the digest tells nothing of them.
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
    """Write words down and return their digest, which goes into the row they belong to; None for no words.

    `user_id` is whom they are about: when that person is erased they go.
    """
    said = salted(text)
    put(said, user_id)
    return said.digest


class Salted(NamedTuple):
    """Words that are about to be kept; without any, all three are None."""

    digest: str | None
    salt: str | None
    text: str | None


def salted(text: str | None) -> Salted:
    """Return words with a salt and their digest, not yet written down."""
    if not text:
        return Salted(None, None, None)
    salt = secrets.token_hex(16)
    return Salted(digest_of(salt, text), salt, text)


def put(said: Salted, user_id: int | None = None) -> None:
    """Write salted words down, once the row that has their digest is there; nothing for none."""
    if said.digest is not None:
        with transaction():
            Words.insert(digest=said.digest, user=user_id, text=said.text, salt=said.salt).execute()


def digest_of(salt: str, text: str) -> str:
    """Return the digest of salted words."""
    return hashlib.sha256(f"{salt}\n{text}".encode(errors="surrogateescape")).hexdigest()


def forget(user_id: int) -> None:
    """Erase every word about a person, with its salt."""
    with transaction():
        Words.delete().where(Words.user == user_id).execute()


def broken(engine: Engine) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, row) for words that are not what was written, belong to nobody's row, or are gone unasked."""
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

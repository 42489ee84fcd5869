"""The proof of what is new: the books since the newest seal that was proven, in a time that does not grow with the books.

`new` proves that the new entries are what their kinds demand, that the staff's acts and money since then agree, that the
balances these entries move are the sums of theirs, that all balances together are the sum of all entries, and that the
later seals and closings hold and continue from the proven ones. It does not read older rows again: that nobody has
changed these since, nor the mark itself, only the whole (`storage/money/verify.py`) proves, and a seal kept elsewhere.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from storage.base import db, guards
from storage.base.db import connection, transaction
from storage.base.engines import Engine, open_engine
from storage.base.tables import Seal, Stored
from storage.money import closings, entry_kinds, seals, verify
from storage.money.verify import Finding

MARK = "proven"  # the name under which the proven seal and closing are stored: "seal:hash closing"
SOME = 20  # findings that are told
BALANCES = """
    SELECT n.user_id, a.balance, SUM(e.amount) FROM (SELECT DISTINCT user_id FROM entry WHERE id > {0:d}) n
    LEFT JOIN account a ON a.user_id = n.user_id JOIN entry e ON e.user_id = n.user_id
    GROUP BY n.user_id, a.balance HAVING (a.balance = SUM(e.amount)) IS NOT TRUE"""
ALL = """
    SELECT held, moved FROM (SELECT (SELECT COALESCE(SUM(balance), 0) FROM account) AS held,
        (SELECT COALESCE(SUM(amount), 0) FROM entry_sum)
        + (SELECT COALESCE(SUM(amount), 0) FROM entry WHERE id > {0:d}) AS moved) x WHERE held <> moved"""


class Proven(NamedTuple):
    """What is proven: the seal, and the number of the last closing that was there."""

    seal: Seal
    closing: int


class Proof(NamedTuple):
    """What a proof has found, and since which seal it has read; None: from the beginning."""

    findings: list[Finding]
    since: Seal | None


def prove(now: datetime | None = None) -> Proof:
    """Prove what is new, or everything if nothing was proven before; with a time, note what is proven by it.

    At most SOME findings are told.
    """
    with closing(open_engine(db.address())) as engine:
        engine.begin_reading()
        last, there = proven(), _there(engine)
        found = new(engine, last) if last else verify.verify(engine)
        findings = list(islice(found, SOME))
    if now and there and not findings:
        _note(there, now)
    return Proof(findings, last.seal if last else None)


def proven() -> Proven | None:
    """Return the seal and the closing that were proven last, or None."""
    with connection():
        row = Stored.get_or_none(Stored.name == MARK)
        with suppress(ValueError):  # a mark of nobody's: everything is proven again
            name, number = (row.value if row else "").split(" ")
            seal_id, hash_ = name.split(":")
            seal = Seal.get_or_none(Seal.id == int(seal_id))
            return Proven(seal, int(number)) if seal and seal.hash == hash_ else None
    return None


def _there(engine: Engine) -> Proven | None:
    """Return the newest seal and closing in what the engine reads."""
    row = engine.execute("SELECT id, entry, act, hash FROM seal ORDER BY id DESC LIMIT 1").fetchone()
    (number,) = engine.execute("SELECT COALESCE(MAX(id), 0) FROM closing").fetchone()
    return Proven(Seal(id=row[0], entry=row[1], act=row[2], hash=row[3]), number) if row else None


def _note(there: Proven, now: datetime) -> None:
    with transaction():
        row = Stored.insert(name=MARK, value=f"{seals.name(there.seal)} {there.closing}", updated_at=now)
        row.on_conflict(conflict_target=[Stored.name], preserve=[Stored.value, Stored.updated_at]).execute()


def new(engine: Engine, since: Proven) -> Iterator[Finding]:
    """Yield (promise, row) for every row after a proven seal that breaks a promise."""
    entry, act = since.seal.entry, since.seal.act
    try:
        yield from guards.missing_rules(engine)
        for query in verify.entry_queries(engine.postgres, entry):
            for _promise, (facet, *row) in verify.found(engine, "", query):
                yield verify.FACETS[facet], tuple(row)
        for query in _acts(engine.postgres, entry, act):
            yield from verify.found(engine, "an act and its money agree", query)
        yield from verify.found(engine, "a balance is the sum of its entries", BALANCES.format(entry))
        (summed,) = engine.execute("SELECT COALESCE(MAX(entry), 0) FROM closing").fetchone()
        yield from verify.found(engine, "all balances are the sum of all entries", ALL.format(summed))
        yield from seals.broken(engine, since.seal)
        yield from closings.broken(engine, since.closing)
    except engine.error as error:
        yield "the rows can be read to their end", (str(error).strip(),)


def _acts(postgres: bool, entry: int, act: int) -> Iterator[str]:
    """Yield the queries that find new acts without their money, and new entries of the staff without their act.

    An act may be sealed a minute after its entry, so either may be among the older rows.
    """
    same = "IS NOT DISTINCT FROM" if postgres else "IS"
    names = ", ".join(f"'{what}'" for what, _which in entry_kinds.MONEY_ACTS)
    cases = " ".join(f"WHEN {which} THEN '{what}'" for what, which in entry_kinds.MONEY_ACTS)
    followers = ", ".join(f"'{kind}'" for kind in entry_kinds.FOLLOWERS)
    agree = (
        "e.created_at = a.created_at AND e.actor_id = a.actor_id AND ABS(e.amount) = a.amount AND"
        f" e.user_id {same} a.user_id AND CASE {cases} END = a.what"
        f" AND (a.what IN ('credit', 'debit') OR e.ref {same} a.ref)"
    )
    yield f"""
        SELECT a.id, a.what, a.actor_id, a.amount FROM act a WHERE a.id > {act:d} AND a.what IN ({names})
        AND NOT EXISTS (SELECT 1 FROM entry e WHERE {agree})"""
    yield f"""
        SELECT e.id, e.kind, e.actor_id, e.amount FROM entry e WHERE e.id > {entry:d} AND e.actor_id IS NOT NULL
        AND e.kind NOT IN ({followers}) AND NOT EXISTS (SELECT 1 FROM act a WHERE a.user_id = e.user_id AND {agree})"""

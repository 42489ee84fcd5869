"""The proof of the books: every entry's kind, key, origin, user, amount, actor and state, and every act's amount.

`storage/money/entry_kinds.py` says what each kind must be. All checks read one snapshot and write nothing; findings are
streamed, so memory does not grow with the tables. NULL proves nothing: every condition must be true.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, NamedTuple

from storage.base import db, guards
from storage.base.db import connection
from storage.base.engines import Engine, open_engine
from storage.base.states import EntryKind, JobState
from storage.journal import erasable_text
from storage.money import closings, entry_kinds, seals

FACETS = {
    "kind": "an entry is of a known kind",
    "origin": "an entry has the row it comes from",
    "key": "an entry has the key of its origin",
    "user": "an entry belongs to the user of its origin",
    "amount": "an entry has the amount of its origin",
    "ref": "an entry refers to its origin",
    "actor": "an entry has the actor of its origin",
    "state": "an entry fits the state of its origin",
}
SUMS = """
    SELECT user_id, SUM(balance), SUM(total) FROM (
        SELECT user_id, balance, 0 AS total FROM account UNION ALL SELECT user_id, 0, amount FROM entry
    ) x GROUP BY user_id HAVING SUM(balance) <> SUM(total)"""
HELD = (EntryKind.HOLD, EntryKind.CAPTURE, EntryKind.RELEASE)
COUNTS = f"""
    SELECT COUNT(*), COUNT(*) FILTER (WHERE state = '{JobState.SUCCEEDED}'),
        COUNT(*) FILTER (WHERE state IN ('{JobState.FAILED}', '{JobState.CANCELLED}')) FROM job
    UNION ALL SELECT {", ".join(f"COUNT(*) FILTER (WHERE kind = '{kind}')" for kind in HELD)} FROM entry"""


Finding = tuple[str, tuple[Any, ...]]  # the promise that is broken, and the row that breaks it


class Totals(NamedTuple):
    """Users, entries, and the sum of all balances in minor units."""

    users: int
    entries: int
    balances: int


def verify(engine: Engine | None = None, rules: bool = True) -> Iterator[Finding]:
    """Yield (promise, row) for every row that breaks a promise; nothing if the books are right.

    With an `engine`, its open transaction is read. Without `rules`, the database's own ones, such as triggers, are
    taken to be there.
    """
    if engine is not None:
        yield from _prove(engine, rules)
        return
    with closing(open_engine(db.address())) as engine:
        engine.begin_reading()
        yield from _prove(engine, rules)


def _prove(engine: Engine, rules: bool) -> Iterator[Finding]:
    try:
        yield from guards.missing_rules(engine) if rules else ()
        yield from guards.broken_keys(engine)
        for promise, query in itertools.chain(guards.wrong_values(engine.postgres), _states()):
            yield from found(engine, promise, query)
        yield from _entries(engine)
        for promise, query in entry_kinds.OTHERS.items():
            yield from found(engine, promise, query)
        for query in _acts(engine.postgres):
            yield from found(engine, "an act and its money agree", query)
        yield from found(engine, "a balance is the sum of its entries", SUMS)
        yield from erasable_text.broken(engine)
        yield from seals.broken(engine)
        yield from closings.broken(engine)
    except engine.error as error:
        yield "the rows can be read to their end", (str(error).strip(),)


def found(engine: Engine, promise: str, query: str) -> Iterator[Finding]:
    """Yield (promise, row) for every row of a query."""
    for rows in engine.stream(query):
        for row in rows:
            yield promise, tuple(row)


def _states() -> Iterator[tuple[str, str]]:
    for (table, column), known in entry_kinds.STATES.items():
        names = ", ".join(f"'{name}'" for name in known if name)
        empty = f"{column} IS NOT NULL AND " if None in known else ""
        first = {"charge": "charge_id", "promo": "code", "provider_payment": "topup_id"}.get(table, "id")
        yield (
            "a row is in a known state",
            f"SELECT '{table}', {first}, {column} FROM {table} WHERE {empty}({column} IN ({names})) IS NOT TRUE",
        )


def _entries(engine: Engine) -> Iterator[Finding]:
    """Prove every entry, and that every job has its entries.

    Each proven hold, capture and release belongs to a different job (its key is unique), so equal numbers mean that no
    job lacks one; each job is checked only if they differ.
    """
    held = False
    for query in entry_queries(engine.postgres):
        for _promise, (facet, number, kind, *row) in found(engine, "", query):
            held = held or kind in HELD
            yield FACETS[facet], (number, kind, *row)
    jobs, entries = engine.execute(COUNTS).fetchall()
    if held or tuple(jobs) != tuple(entries):
        for promise, query in entry_kinds.JOBS.items():
            yield from found(engine, promise, query)


@lru_cache(maxsize=4)
def entry_queries(postgres: bool, after: int = 0) -> list[str]:
    """Return the queries that find entries which are not what their kind demands, of all or of those after an id.

    The kinds that come from other entries have their own query, as it has to join entries.
    """
    own = [kind for kind in _kinds() if any(o[0] == "entry" and kind in o[2] for o in entry_kinds.ORIGINS.values())]
    return [
        _entry_query([k for k in _kinds() if k not in own], own, postgres, after),
        _entry_query(own, None, postgres, after),
    ]


def _kinds() -> list[str]:
    return list(dict.fromkeys(shape.kind for shape in entry_kinds.SHAPES))


def _entry_query(names: Sequence[str], others: Sequence[str] | None, postgres: bool, after: int) -> str:
    """Return the query over entries of some kinds, or over all kinds but `others`, where unknown kinds are wrong."""
    cases = " ".join(f"WHEN '{name}' THEN {_case(name, postgres)}" for name in names)
    joins = " ".join(
        f"LEFT JOIN {table} {alias} ON {alias}.{column} = CASE {_places(places, postgres)} END"
        for alias, (table, column, places) in entry_kinds.ORIGINS.items()
        if set(places) & set(names)
    )
    known = names if others is None else others
    listed = ", ".join(f"'{name}'" for name in known)
    which = f"e.kind IN ({listed})" if others is None else f"(e.kind IN ({listed})) IS NOT TRUE"
    later = f" AND e.id > {after:d}" if after else ""
    return f"""
        SELECT wrong, id, kind, key, amount FROM (
            SELECT CASE e.kind {cases} ELSE 'kind' END AS wrong, e.id, e.kind, e.key, e.amount
            FROM entry e {joins} WHERE {which}{later}
        ) x WHERE wrong IS NOT NULL"""


def _places(places: Mapping[str, str], postgres: bool) -> str:
    return " ".join(f"WHEN e.kind = '{kind}' THEN {entry_kinds.spelled(sql, postgres)}" for kind, sql in places.items())


def _case(kind: str, postgres: bool) -> str:
    """Return the SQL of the first facet that is wrong with an entry of a kind, NULL if none is."""
    shapes = [shape for shape in entry_kinds.SHAPES if shape.kind == kind]
    whens = " ".join(f"WHEN {s.when or f'e.key = {s.key}'} THEN {_facets(s, postgres)}" for s in shapes)
    return f"CASE {whens} ELSE 'origin' END"


def _facets(shape: entry_kinds.Shape, postgres: bool) -> str:
    same = "IS NOT DISTINCT FROM" if postgres else "IS"
    used = set(re.findall(r"\b([a-z])\.\w", " ".join(shape)))
    somebody = shape.actor == entry_kinds.SOMEBODY
    wanted = {
        "origin": " AND ".join(
            f"{a}.{entry_kinds.ORIGINS[a][1]} IS NOT NULL" for a in sorted(used & set(entry_kinds.ORIGINS))
        ),
        "key": f"e.key = {shape.key}",
        "user": f"e.user_id = {shape.user}",
        "amount": f"e.amount = {shape.amount}",
        "ref": f"e.ref {same} {shape.ref}",
        "actor": "e.actor_id IS NOT NULL" if somebody else f"e.actor_id {same} {shape.actor}",
        "state": shape.state,
    }
    tests = " ".join(f"WHEN ({sql}) IS NOT TRUE THEN '{facet}'" for facet, sql in wanted.items() if sql)
    return f"CASE {tests} END"


def _acts(postgres: bool) -> Iterator[str]:
    """Yield the queries that find acts without their money, and the staff's entries without an act."""
    names = ", ".join(f"'{what}'" for what, _which in entry_kinds.MONEY_ACTS)
    cases = " ".join(f"WHEN {which} THEN '{what}'" for what, which in entry_kinds.MONEY_ACTS)
    followers = ", ".join(f"'{kind}'" for kind in entry_kinds.FOLLOWERS)
    ref = "CASE WHEN what IN ('credit', 'debit') THEN NULL ELSE ref END"
    yield f"""
        SELECT what, user_id, actor_id, amount, created_at, ref, SUM(n) FROM (
            SELECT what, user_id, actor_id, amount, created_at, {ref} AS ref, n FROM (
                SELECT CASE {cases} END AS what, e.user_id, e.actor_id, ABS(e.amount) AS amount, e.created_at, e.ref, 1 AS n
                FROM entry e WHERE e.actor_id IS NOT NULL AND e.kind NOT IN ({followers})
                UNION ALL
                SELECT what, user_id, actor_id, amount, created_at, ref, -1 FROM act WHERE what IN ({names})
            ) x
        ) y GROUP BY what, user_id, actor_id, amount, created_at, ref HAVING SUM(n) <> 0"""
    rules = " ".join(
        f"WHEN '{what}' THEN {entry_kinds.spelled(rule, postgres)}" for what, rule in entry_kinds.OTHER_ACTS.items()
    )
    yield f"""
        SELECT a.id, a.what, a.actor_id, a.amount FROM act a
        WHERE a.amount IS NOT NULL AND a.what NOT IN ({names}) AND CASE a.what {rules} END IS NOT TRUE"""


def totals() -> Totals:
    """Count what was proven, for the report."""
    with connection() as real:
        users, held = real.execute_sql("SELECT COUNT(*), COALESCE(SUM(balance), 0) FROM account").fetchone()
        (entries,) = real.execute_sql("SELECT COUNT(*) FROM entry").fetchone()
        return Totals(users, entries, int(held))

"""Closings: entries, and the orders that ended with them, summed by the hour, once and for good.

The leader sums the entries after the last closing up to a sealed one: no entry up to there can appear any more, whatever
its time says, so a row that is written late is in a later closing, under its own hour. A closing and its sums are one
transaction and never change; its number decides who makes it, so a second leader, or one that was killed, does no harm.
What no closing covers yet is summed from its rows, and so is the part of an hour at the beginning of a span: `query`.

Only what cannot change any more is summed. An order is final once its hold is settled, except for the cost of one that
failed (`jobs.arrive_late`): that is always read from its row. `broken` proves every sum from the rows.
"""

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from storage.base.db import EPOCH, MICROSECOND, connection, is_postgres, transaction
from storage.base.engines import Engine, over
from storage.base.prepared import Prepared
from storage.base.states import JobState
from storage.base.tables import Closing
from storage.money import entry_kinds, seals

QUARTER = 900_000_000  # of an hour, in microseconds: all time zones are whole quarters
HOUR = 4 * QUARTER
MOST = 4_000  # entries in one closing: what a screen may have to sum itself
ORDER = "j.id = {number:SUBSTR(e.ref, 5)}"  # joins the order whose hold an entry settles
ENDED = "e.kind IN ('capture', 'release')"
# The entries of a span that no sum covers: before its first whole hour, and those after the last closing.
# A plus keeps the index of times out of it, where the number is much closer.
BEFORE = "e.created_at >= :since AND e.created_at < :edge"
AFTER = "e.id > :entry AND +e.created_at >= :edge"
SUMMED = "quarter >= :quarter AND +closing_id <= :closing"
COST = f"CASE WHEN j.state = '{JobState.SUCCEEDED}' THEN j.cost END"  # of what is final

ENTRIES = f"""
    SELECT e.created_at / {QUARTER}, e.kind, COUNT(*), SUM(e.amount) FROM entry e
    WHERE e.id > :after AND e.id <= :entry GROUP BY 1, 2"""
ORDERS = f"""
    SELECT j.created_at / {QUARTER}, j.model, j.state, j.finished_at / {QUARTER}, j.charged, {COST}, j.overrun,
        CASE WHEN j.state = '{JobState.SUCCEEDED}' THEN (j.finished_at - j.submitted_at) / 1000000 END
    FROM entry e JOIN job j ON {ORDER} WHERE e.id > :after AND e.id <= :entry AND {ENDED}"""

Key = tuple[Any, ...]
Sums = dict[str, dict[Key, tuple[Any, ...]]]  # table → {key without the closing: values}
TABLES = {  # table → (its key without the closing, what is summed)
    "entry_sum": (("quarter", "kind"), ("entries", "amount")),
    "order_sum": (("quarter", "model", "state"), ("orders", "charged", "cost")),
    "outcome_sum": (("quarter",), ("ended", "succeeded", "charged", "cost", "overruns", "overrun", "times")),
}


def _statement(sql: str, postgres: bool) -> str:
    """Return SQL with its numbers and `:names` as the database has them."""
    sql = entry_kinds.spelled(sql, postgres)
    return re.sub(r"(?<!:):([a-z]+)\b", r"%(\1)s", sql) if postgres else sql


# reading


def query(sql: str, since: datetime, **more: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query over a span until now, in which sums and rows complete each other.

    It may use BEFORE, AFTER and SUMMED; what a closing made meanwhile covers is still read from the rows.
    """
    at = (since - EPOCH) // MICROSECOND
    quarter = -(-at // QUARTER)  # the first whole one
    with connection() as db:
        last = db.execute_sql("SELECT id, entry FROM closing ORDER BY id DESC LIMIT 1").fetchone() or (0, 0)
        values = {
            "since": at,
            "quarter": quarter,
            "edge": quarter * QUARTER,
            "closing": last[0],
            "entry": last[1],
        } | more
        statement: Any = _statement(sql, is_postgres())
        return list(db.execute_sql(statement, values).fetchall())


def entry_sums(since: datetime, grouped: str, kinds: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Return (`grouped` of hour and kind …, sum in minor units, entries) of the entries since a time, of all or some kinds."""
    named = {f"kind{chr(97 + place)}": kind for place, kind in enumerate(kinds)}
    which = f"e.kind IN ({', '.join(f':{name}' for name in named)})" if named else "TRUE"
    live = f"SELECT e.created_at / {QUARTER}, e.kind, e.amount, 1 FROM entry e WHERE {which} AND"
    rows = f"""
        SELECT quarter, kind, amount, entries FROM entry_sum e WHERE {SUMMED} AND {which}
        UNION ALL {live} {BEFORE} UNION ALL {live} {AFTER}"""
    return query(f"SELECT {grouped}, SUM(amount), SUM(entries) FROM ({rows}) x GROUP BY {grouped}", since, **named)


# closing


def close(now: datetime) -> bool:
    """Make the next closing, if an hour has passed or entries enough have come; return whether another one is due."""
    last, sealed = _newest(), seals.newest()
    end = min(sealed.entry, last.entry + MOST) if sealed else last.entry
    if end <= last.entry:
        return False
    full = end == last.entry + MOST
    if full or _first_hour(last.entry) < (now - EPOCH) // MICROSECOND // HOUR:
        _make(Closing(id=last.id + 1, entry=end, made_at=now), last.entry)
    return full


def _newest() -> Closing:
    return _last.first() or Closing(id=0, entry=0)


_last = Prepared[Closing](lambda: Closing.select().order_by(Closing.id.desc()).limit(1))


def _first_hour(after: int) -> int:
    with connection() as db:
        mark = "%s" if is_postgres() else "?"
        row = db.execute_sql(f"SELECT created_at FROM entry WHERE id > {mark} ORDER BY id LIMIT 1", (after,)).fetchone()
    return row[0] // HOUR if row else 2**62


def _make(closing: Closing, after: int) -> None:
    with connection() as db:
        sums = _sum(over(db), after, closing.entry)
    with transaction() as db:
        insert = Closing.insert(**closing.__data__).on_conflict_ignore().returning(Closing.id).tuples()
        if not list(insert.execute()):
            return  # another copy has made it
        for table, (keys, values) in TABLES.items():
            rows = [(closing.id, *key, *found) for key, found in sums[table].items()]
            over(db).insert(table, ("closing_id", *keys, *values), rows)
    if is_postgres():
        with transaction() as db:
            db.execute_sql("SELECT setval(pg_get_serial_sequence('closing', 'id'), MAX(id)) FROM closing")


def _sum(engine: Engine, after: int, entry: int) -> Sums:
    """Return the sums of the entries after an id up to another one."""
    span = {"after": after, "entry": entry}
    rows = engine.execute(_statement(ENTRIES, engine.postgres), span).fetchall()
    sums: Sums = {"entry_sum": {(hour, kind): (n, int(amount)) for hour, kind, n, amount in rows}}
    orders: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0])
    outcomes: dict[Key, list[int]] = defaultdict(lambda: [0] * 6)
    times: dict[Key, Counter[int]] = defaultdict(Counter)
    for made, model, state, ended, charged, cost, overrun, took in engine.execute(
        _statement(ORDERS, engine.postgres), span
    ):
        _add(orders[made, model, state], 1, charged or 0, cost or 0)
        over_ = max(0, overrun or 0)
        succeeded = state == JobState.SUCCEEDED
        _add(outcomes[(ended,)], 1, int(succeeded), charged or 0, cost or 0, int(over_ > 0), over_)
        if took is not None:
            times[(ended,)][took] += 1
    sums["order_sum"] = {key: tuple(values) for key, values in orders.items()}
    sums["outcome_sum"] = {key: (*values, _said(times[key])) for key, values in outcomes.items()}
    return sums


def _add(sums: list[int], *values: int) -> None:
    for place, value in enumerate(values):
        sums[place] += value


def _said(times: Counter[int]) -> str:
    return json.dumps(dict(sorted(times.items())))


# the proof


def broken(engine: Engine, after: int = 0) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, (closing, table, its hour …)) for every sum that is not that of its rows, after a closing's number."""
    stored = {table: _stored(engine, table, after) for table in TABLES}
    number, entry = after, 0
    if after:
        ((entry,),) = engine.execute(f"SELECT entry FROM closing WHERE id = {int(after)}").fetchall()
    (sealed,) = engine.execute("SELECT COALESCE(MAX(entry), 0) FROM seal").fetchone()
    for rows in engine.stream(f"SELECT id, entry FROM closing WHERE id > {int(after)} ORDER BY id"):
        for closing, end in rows:
            if closing != number + 1 or not entry < end <= sealed:
                yield "a closing follows the one before, and covers what is sealed", (closing, end)
                return
            for table, sums in _sum(engine, entry, end).items():
                for key in _differences(sums, stored[table].pop(closing)):
                    yield "what is summed is the sum of its rows", (closing, table, _time(key[0]), *key[1:])
            number, entry = closing, end


def _differences(sums: dict[Key, Any], stored: dict[Key, Any]) -> Iterable[Key]:
    return sorted((key for key in sums.keys() | stored.keys() if sums.get(key) != stored.get(key)), key=str)


class _Stored:
    """The sums of a table, closing by closing."""

    def __init__(self, rows: Iterator[tuple[Any, ...]], keys: int) -> None:
        self._groups = itertools.groupby(rows, key=lambda row: row[0])
        self._keys = keys
        self._next: tuple[int, dict[Key, Any]] | None = None
        self._more()

    def _more(self) -> None:
        found = next(self._groups, None)
        self._next = found and (
            found[0],
            {tuple(row[1 : 1 + self._keys]): tuple(row[1 + self._keys :]) for row in found[1]},
        )

    def pop(self, closing: int) -> dict[Key, Any]:
        """Return {key: values} of a closing; those of earlier ones that nobody has asked for belong to none."""
        while self._next is not None and self._next[0] < closing:
            self._more()
        if self._next is None or self._next[0] != closing:
            return {}
        found = self._next[1]
        self._more()
        return found


def _stored(engine: Engine, table: str, after: int) -> _Stored:
    keys, values = TABLES[table]
    names = ", ".join((*keys, *values))
    batches = engine.stream(
        f"SELECT closing_id, {names} FROM {table} WHERE closing_id > {int(after)} ORDER BY closing_id"
    )
    return _Stored((tuple(row) for rows in batches for row in rows), len(keys))


def _time(quarter: Any) -> str:
    return f"{EPOCH + quarter * QUARTER * MICROSECOND:%Y-%m-%d %H:%M} UTC" if isinstance(quarter, int) else str(quarter)

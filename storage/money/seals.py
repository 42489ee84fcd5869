"""Seals: once a minute, the rows of a minute ago are closed with a hash over them and the previous seal.

The leader notes the newest entry and act; a minute later, once every transaction that was open then has ended, no row
with an id up to these can appear any more, and they are sealed. In SQLite the write lock orders transactions, so none is
open; PostgreSQL is asked. The rows' times play no part, and nothing is locked: if two copies continue from the same
seal, the second one does nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from peewee import Database, ModelSelect

from storage.base.db import EPOCH, MICROSECOND, connection, is_postgres, transaction
from storage.base.engines import Engine
from storage.base.prepared import Prepared
from storage.base.tables import Seal

COLUMNS = {  # of the sealed rows, as name:type; their order must never change
    "entry": "id:number user_id:number amount:number kind:text key:text ref:text actor_id:number digest:text"
    " created_at:number",
    "act": "id:number actor_id:number what:text user_id:number ref:text digest:text amount:number created_at:number"
    " own:flag",
}
MARKS = {"number": "%s", "text": "%s:%s", "flag": "%s"}
VALUES = {
    "number": "{0}",
    "text": "LENGTH({0}), {0}",
    "flag": "CASE WHEN {0} THEN 1 ELSE 0 END",  # formatted directly, one database would write 1 and the other true
}
FIRST = "0" * 64  # the previous hash of the first seal
PAGE = 5000  # rows read at once


def _line(table: str, postgres: bool) -> str:
    """Return the SQL that formats a row as one text, the same in both databases.

    Texts are preceded by their length, so that no two rows have the same line; NULL is empty, an empty text has length 0.
    """
    columns = [column.split(":") for column in COLUMNS[table].split()]
    marks = " ".join(MARKS[kind] for _name, kind in columns)
    values = ", ".join(VALUES[kind].format(name) for name, kind in columns)
    return f"{'format' if postgres else 'printf'}('{marks}', {values})"


class Seen(NamedTuple):
    """The newest ids at some moment, and what was open then: `horizon`, the next transaction's number, and `open`."""

    entry: int
    act: int
    horizon: int
    open: tuple[str, ...]


class Sealer:
    """Seals the rows of the previous `step`; the leader calls `step` once a minute."""

    def __init__(self) -> None:
        self._seen: Seen | None = None

    def step(self, now: datetime) -> None:
        """Seal what was there at the last step, unless a transaction of that time is still open."""
        if self._seen is not None:
            if not _ended(self._seen):
                return
            seal(self._seen, now)
        self._seen = look()


def look() -> Seen:
    """Return the newest ids and the open transactions."""
    with connection() as db:
        entry, act = db.execute_sql(
            "SELECT (SELECT COALESCE(MAX(id), 0) FROM entry), (SELECT COALESCE(MAX(id), 0) FROM act)"
        ).fetchone()
        if not is_postgres():
            return Seen(entry, act, 0, ())
        (horizon,) = db.execute_sql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        return Seen(entry, act, int(horizon), tuple(_open(db)))


def _open(db: Database) -> set[str]:
    """Return the transactions open in this database, even those that have written nothing yet: they may have taken an id."""
    rows = db.execute_sql(
        "SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND l.pid <> pg_backend_pid()"
        " AND a.backend_type = 'client backend'"
    )
    return {name for (name,) in rows}


def _ended(seen: Seen) -> bool:
    """Return whether every transaction that was open at that moment has ended."""
    if not is_postgres():
        return True
    with connection() as db:
        # Other databases of the server do not matter. `age` is counted from the snapshot's end or later, so that a
        # transaction may seem older than it is, never younger.
        (going,) = db.execute_sql(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
            " AND pg_snapshot_xmax(pg_current_snapshot())::text::bigint - age(backend_xid) < %s",
            (seen.horizon,),
        ).fetchone()
        return not going and not _open(db) & set(seen.open)


def seal(seen: Seen, now: datetime) -> Seal | None:
    """Seal up to the ids in `seen`; return the seal, or None if there is nothing new or another copy has sealed."""
    last = newest() or Seal(id=0, entry=0, act=0, hash=FIRST)
    entry, act = max(seen.entry, last.entry), max(seen.act, last.act)
    if (entry, act) == (last.entry, last.act):
        return None
    made = Seal(id=last.id + 1, entry=entry, act=act, previous=last.hash, made_at=now)
    digest = _begin(made.previous, made.id, (now - EPOCH) // MICROSECOND, entry, act)
    for table, first, end in (("entry", last.entry, entry), ("act", last.act, act)):
        for lines in _pages(table, first, end):
            digest.update(lines)
    made.hash = digest.hexdigest()
    with transaction():
        rows = Seal.insert(**made.__data__).on_conflict_ignore().returning(Seal.id).tuples().execute()
        created = bool(list(rows))
    if created and is_postgres():
        with transaction() as db:  # so that the removal of the last seal is noticed; SQLite keeps the number by itself
            db.execute_sql("SELECT setval(pg_get_serial_sequence('seal', 'id'), MAX(id)) FROM seal")
    return made if created else None


def _begin(previous: str, number: int, made_at: int, entry: int, act: int) -> Any:
    return hashlib.sha256(f"{previous}\n{number} {made_at} {entry} {act}\n".encode())


def _pages(table: str, first: int, end: int) -> Iterator[bytes]:
    """Yield the lines of the rows after id `first` up to id `end`, PAGE rows at a time."""
    postgres = is_postgres()
    mark = "%s" if postgres else "?"
    line = _line(table, postgres).replace("%", "%%" if postgres else "%")  # the driver halves them
    query = f"SELECT id, {line} FROM {table} WHERE id > {mark} AND id <= {mark} ORDER BY id LIMIT {PAGE}"
    while True:
        with connection() as db:
            rows = db.execute_sql(query, (first, end)).fetchall()
        if not rows:
            return
        first = rows[-1][0]
        yield "".join(f"{line}\n" for _id, line in rows).encode(errors="surrogateescape")


def newest() -> Seal | None:
    """Return the newest seal, or None."""
    return _newest.first()


@Prepared[Seal]
def _newest() -> "ModelSelect[Seal]":
    return Seal.select().order_by(Seal.id.desc()).limit(1)


def name(seal: Seal) -> str:
    """Return a seal as an operator keeps it: `number:hash`."""
    return f"{seal.id}:{seal.hash}"


def holds(kept: str) -> bool:
    """Return whether a seal that an operator has kept (`number:hash`) is still there."""
    number, _colon, digest = kept.partition(":")
    if not number.isdecimal():
        return False
    with connection():
        return Seal.select().where(Seal.id == int(number), Seal.hash == digest).exists()


def unsealed_since(now: datetime, longer_than: timedelta = timedelta(hours=1)) -> datetime | None:
    """Return the time of the oldest unsealed entry if it should have been sealed long ago, else None."""
    last = newest()
    with connection() as db:
        mark = "%s" if is_postgres() else "?"
        query = f"SELECT created_at FROM entry WHERE id > {mark} ORDER BY id LIMIT 1"
        row = db.execute_sql(query, (last.entry if last else 0,)).fetchone()
    oldest = row and EPOCH + row[0] * MICROSECOND
    return oldest if oldest and now - oldest > longer_than else None


# the proof


def broken(engine: Engine, after: Seal | None = None) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (promise, (seal, its minute)) for every seal that does not match its rows or its predecessor.

    With `after`, only the later seals, the first of which must continue from it.
    """
    last = after or Seal(id=0, entry=0, act=0, hash=FIRST)
    number, hash_, bounds = last.id, last.hash, (last.entry, last.act)
    entries, acts = _Lines(engine, "entry", last.entry), _Lines(engine, "act", last.act)
    later = f"WHERE id > {int(number)}" if after else ""
    for rows in engine.stream(f"SELECT id, entry, act, previous, hash, made_at FROM seal {later} ORDER BY id"):
        for seal_id, entry, act, previous, stored, made_at in rows:
            if not all(isinstance(value, int) for value in (seal_id, entry, act, made_at)):
                yield "a seal holds", (seal_id, "no numbers")
                return
            digest = _begin(previous, seal_id, made_at, entry, act)
            entries.add_to(digest, entry)
            acts.add_to(digest, act)
            in_line = (seal_id, previous) == (number + 1, hash_) and bounds <= (entry, act) and bounds[1] <= act
            if digest.hexdigest() != stored or not in_line:
                yield "a seal holds", (seal_id, minute(made_at))
            number, hash_, bounds = seal_id, stored, (entry, act)
    given = engine.last_ids().get("seal", 0)
    if given > number:
        yield "no seal is missing at the end", (number, given)


def minute(made_at: int) -> str:
    """Return the minute of a seal as text."""
    return f"{EPOCH + made_at * MICROSECOND:%Y-%m-%d %H:%M} UTC"


class _Lines:
    """The lines of a table in the order of their ids, consumed seal by seal."""

    def __init__(self, engine: Engine, table: str, after: int) -> None:
        line = _line(table, engine.postgres)
        line = line if engine.postgres else f"CAST({line} AS BLOB)"  # bytes, as there is nothing to decode
        self._batches = engine.stream(
            f"SELECT id, {line} FROM {table}{f' WHERE id > {int(after)}' if after else ''} ORDER BY id"
        )
        self._rows: Sequence[Any] = []
        self._at = 0

    def add_to(self, digest: Any, end: int) -> None:
        """Add the next lines up to id `end` to a digest."""
        while self._at < len(self._rows) or self._more():
            stop = self._at
            if self._rows[-1][0] <= end:
                stop = len(self._rows)
            else:
                while self._rows[stop][0] <= end:
                    stop += 1
            lines = [line for _id, line in self._rows[self._at : stop]]
            if lines and isinstance(lines[0], str):
                lines = [line.encode(errors="surrogateescape") for line in lines]
            digest.update(b"\n".join([*lines, b""]) if lines else b"")
            self._at = stop
            if stop < len(self._rows):
                return

    def _more(self) -> bool:
        self._rows, self._at = next(self._batches, []), 0
        return bool(self._rows)

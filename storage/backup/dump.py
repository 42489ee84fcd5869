"""One portable, compressed copy of everything: for backups, and for moving between SQLite and PostgreSQL.

A dump is gzipped JSON, one value a line: a header with the schema, and the number of rows and the last id of each table;
then for every table its name with its columns, and a list of values for each row; then a last line that marks the end.
It reads one snapshot, so it can be made while the bot is running. A restore needs an empty database, reads the file to
its very end, and is one transaction, which also counts the rows and runs `storage.money.verify`.
"""

import base64
import gzip
import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import peewee

from storage.base import db, plugin_tables, schema
from storage.base.engines import Engine, UnknownDatabase, check_address, open_engine, over
from storage.base.schema import PluginTable
from storage.journal import audit_log
from storage.money import verify

FORMAT = 1
HISTORY = "schema_migration"  # the migrations that were applied; the header lists them
BATCH = 500  # rows written at once
LINES = 1000  # lines compressed at once
LEVEL = 5  # of gzip: the highest, 9, takes seven times as long for three percent
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
    zlib.error,
)  # what a damaged file raises


def name(now: datetime) -> str:
    """Return the default file name of a dump made now."""
    return f"bot-{now:%Y-%m-%d-%H%M%S}.jsonl.gz"


class DumpError(Exception):
    """A dump cannot be written or used here; the text says why and what to do."""


class Header(TypedDict):
    """The first line of a dump."""

    format: int
    made_at: str  # ISO 8601
    schema: list[str]  # the names of the migrations the database had
    tables: dict[str, int]  # the number of rows of each
    last_ids: dict[str, int]  # the last id each table has assigned


def write(url: str, path: str | Path, now: datetime, actor: int | None = None) -> Header:
    """Write everything in the database at `url` to `path`, readable by its owner only; return the header.

    An unfinished file is removed. With an `actor`, the backup is in the audit log before anything is written.
    """
    if actor is not None:
        audit_log.note(actor, "backup", now)
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        db.private_folder(path.parent)
        with closing(_opened(url)) as engine:
            engine.begin_reading()
            header = _header(engine, now)
            with (
                open(unfinished, "wb", opener=db.private_file) as raw,
                gzip.open(raw, "wb", compresslevel=LEVEL) as lines,
            ):
                _write_lines(engine, header, lines)
        unfinished.replace(path)
    except OSError as error:
        raise DumpError(f"{path} cannot be written: {_reason(error)}") from None
    finally:
        with suppress(OSError):  # after a success it has been renamed
            unfinished.unlink()
    return header


def _opened(url: str) -> Engine:
    try:
        return open_engine(url)
    except UnknownDatabase as error:
        raise DumpError(str(error)) from None


def _reason(error: BaseException) -> str:
    """Return the message of the system or the database in one line, without the path."""
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())


def _header(engine: Engine, now: datetime) -> Header:
    tables = {name: engine.count(name) for name in engine.tables() if name != HISTORY}
    if not tables:
        raise DumpError("this database is empty: start the bot on it first")
    return {
        "format": FORMAT,
        "made_at": now.isoformat(timespec="seconds"),
        "schema": sorted(row[0] for row in engine.rows(HISTORY, ["name"])),
        "tables": tables,
        "last_ids": {table: last for table, last in engine.last_ids().items() if table in tables},
    }


def _write_lines(engine: Engine, header: Header, lines: gzip.GzipFile) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=_plain).encode
    for table, values in _sections_of(engine, header):
        while some := list(itertools.islice(values, LINES)):
            try:
                lines.write("".join([f"{encode(value)}\n" for value in some]).encode())
            except UnicodeEncodeError:
                raise DumpError(f"the table {table} holds a text that is no UTF-8: mend that row first") from None


def _sections_of(engine: Engine, header: Header) -> Iterator[tuple[str | None, Iterator[Any]]]:
    """Yield (table, its lines); the first and the last line are of no table."""
    yield None, iter([header])
    for table in header["tables"]:
        columns = list(engine.columns(table))
        yield table, itertools.chain([{"table": table, "columns": columns}], engine.rows(table, columns))
    yield None, iter([{"end": sum(header["tables"].values())}])


def _plain(value: Any) -> str:
    """Return a value that JSON has no type for as text: bytes in base64, times as ISO 8601."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def read_header(path: str | Path) -> Header:
    """Return the header of a dump; raise DumpError for any other file."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            header: Header = json.loads(lines.readline())
    except UNREADABLE as error:
        raise DumpError(f"{path} is not a backup of this bot: {_reason(error)}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DumpError(f"{path} has another format; want {FORMAT}: use the bot version that wrote it")
    shapes = {"made_at": str, "schema": list, "tables": dict, "last_ids": dict}
    if any(not isinstance(header.get(name), kind) for name, kind in shapes.items()) or not header["schema"]:
        raise DumpError(f"{path} is not a backup of this bot: its first line is incomplete")
    return header


def restore(path: str | Path, url: str, tables: Sequence[PluginTable] = ()) -> Header:
    """Fill the empty database at `url` from a dump and verify it; return the header. `tables` are the plugins' own.

    Everything is one transaction, including the creation of the tables and the proof of the books: a refused file leaves
    the database as it was. A dump of an older version is loaded into the schema it comes from and then migrated. The
    database stays open for the process.
    """
    header = read_header(path)
    try:
        check_address(url)
        db.connect(url)
        with _foreign_keys_off(), db.transaction() as real:
            _restore(path, over(real), header, tables)
    except (UnknownDatabase, peewee.PeeweeException, *UNREADABLE) as error:
        raise DumpError(f"{path} cannot be restored, and nothing was changed: {_reason(error)}") from None
    return header


@contextmanager
def _foreign_keys_off() -> Iterator[None]:
    """Keep SQLite from checking foreign keys during the block; this cannot be switched inside a transaction."""
    _switch_foreign_keys(False)
    try:
        yield
    finally:
        _switch_foreign_keys(True)


def _switch_foreign_keys(on: bool) -> None:
    if not db.is_postgres():
        with db.connection() as real:
            real.execute_sql(f"PRAGMA foreign_keys = {int(on)}")


def _restore(path: str | Path, engine: Engine, header: Header, tables: Sequence[PluginTable]) -> None:
    if any(engine.count(name) for name in engine.tables() if name != HISTORY):
        raise DumpError("the database to restore into has rows already; want an empty one")
    _make_tables(header, tables)
    _refuse_unknown_tables(engine, header)
    try:
        engine.loosen()
        indexes = engine.drop_indexes()
        parked = _load(path, engine, header)
        for statement in indexes:
            engine.execute(statement)
        for table, last in header["last_ids"].items():
            if table not in parked:
                engine.set_last_id(table, last)
        plugin_tables.number(engine)
        _prove_counts(engine, header, parked)
        engine.check_references()
    except engine.error as error:
        raise DumpError(f"{path} does not fit, and nothing was changed: {_reason(error)}") from None
    schema.migrate()
    engine.analyze()
    for promise, row in itertools.islice(verify.verify(engine), 1):
        raise DumpError(f"the books of {path} do not balance, and nothing was changed: {promise}: {row}")


def _make_tables(header: Header, tables: Sequence[PluginTable]) -> None:
    """Create the core's tables in the dump's schema, and the plugins' in their current one."""
    unknown = set(header["schema"]) - schema.known()
    if unknown:
        raise DumpError(f"the backup has {max(unknown)}, which this version does not know: upgrade the bot first")
    schema.migrate(max(header["schema"]))
    for table in tables:
        schema.adopt(table.model, table.migrations)


def _refuse_unknown_tables(engine: Engine, header: Header) -> None:
    """Raise DumpError for unknown tables; those of absent plugins are parked, if the schema can hold them."""
    here = set(engine.tables())
    unknown = set(header["tables"]) - here
    plugins = {name for name in unknown if name.startswith(plugin_tables.PREFIX)}
    if unknown - plugins:
        raise DumpError(
            f"the backup has a table {min(unknown - plugins)!r}, which this version does not know: upgrade first"
        )
    if plugins and plugin_tables.PARKED not in here:
        raise DumpError(f"the backup has a table {min(plugins)!r}; put the plugin back that it belongs to")


def _load(path: str | Path, engine: Engine, header: Header) -> dict[str, int]:
    """Insert every row, reading to the very end of the file, so that gzip checks its checksum.

    Rows of tables that do not exist here are parked; return {table: rows} of those.
    """
    here, parked = set(engine.tables()), {}
    nothing: tuple[None, list[str], Iterator[list[Any]]] = (None, [], iter(()))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        sections = _sections(map(json.JSONDecoder().decode, lines))
        for wanted, section in itertools.zip_longest(header["tables"], sections):
            table, columns, rows = section or nothing
            if table is None or table != wanted:
                raise DumpError(f"the backup has the table {table!r} where {wanted!r} should be")
            if table not in here:
                parked[table] = plugin_tables.park(engine, table, columns, rows)
                continue
            missing = set(columns) - set(engine.columns(table))
            if missing:
                raise DumpError(
                    f"table {table!r} has no column {min(missing)!r} here: restore with the version that wrote it"
                )
            engine.clear(table)
            while batch := list(itertools.islice(rows, BATCH)):
                engine.insert(table, columns, batch)
    return parked


def _sections(lines: Iterator[Any]) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
    """Yield (table, columns, its rows); raise DumpError for a file that ends too early or too late."""
    line = next(lines, None)
    while isinstance(line, dict) and "table" in line:
        following: list[Any] = []
        yield line["table"], line["columns"], _rows(lines, following)
        line = following[0] if following else None
    if not isinstance(line, dict) or "end" not in line:
        raise DumpError("the backup breaks off in the middle")
    if next(lines, None) is not None:
        raise DumpError("the backup goes on behind its end")


def _rows(lines: Iterator[Any], following: list[Any]) -> Iterator[list[Any]]:
    for line in lines:
        if isinstance(line, dict):
            following.append(line)
            return
        yield line


def _prove_counts(engine: Engine, header: Header, parked: dict[str, int]) -> None:
    more = {plugin_tables.PARKED: sum(parked.values())}
    for table, rows in header["tables"].items():
        count = parked[table] if table in parked else engine.count(table) - more.get(table, 0)
        if count != rows:
            raise DumpError(f"table {table!r} has {count} rows in place of {rows}")

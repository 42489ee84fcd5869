"""One portable, compressed copy of everything: for backups, and for moving between SQLite and PostgreSQL.

A dump is gzip over lines of JSON: a header with the schema, the rows of each table and the last id each table has
given; then for every table its name with its columns, and a list of values a row; then a last line that proves the
end. It reads one snapshot, so it may be made while the bot works. Restoring wants an empty database, is one
transaction, and is proved by counting the rows and by `storage.audit`.
"""

import base64
import gzip
import itertools
import json
from collections import Counter
from contextlib import closing
from pathlib import Path

from storage import audit, db, schema
from storage.engines import open_engine

FORMAT = 1
HISTORY = "schema_migration"  # of migrations: the header has it
BATCH = 500  # rows written at once


def name(now):
    """Return the usual name of a dump made now."""
    return f"bot-{now:%Y-%m-%d-%H%M%S}.jsonl.gz"


class DumpError(Exception):
    """A dump cannot be used here; the text says why and what to do."""


def write(url, path, now):
    """Write everything in the database `url` into the file `path`, readable by its owner only; return the header."""
    path = Path(path)
    db.private_folder(path.parent)
    unfinished = path.with_name(path.name + ".part")
    try:
        with closing(open_engine(url)) as engine:
            engine.begin_reading()
            header = _header(engine, now)
            with (
                open(unfinished, "wb", opener=db.private_file) as raw,
                gzip.open(raw, "wt", encoding="utf-8", newline="\n") as lines,
            ):
                for line in _lines(engine, header):
                    lines.write(json.dumps(line, ensure_ascii=False, default=_plain) + "\n")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return header


def _header(engine, now):
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


def _lines(engine, header):
    yield header
    for table in header["tables"]:
        columns = list(engine.columns(table))
        yield {"table": table, "columns": columns}
        yield from engine.rows(table, columns)
    yield {"end": sum(header["tables"].values())}


def _plain(value):
    """Return what JSON has no word for as text: bytes in base64, times as ISO 8601."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def read_header(path):
    """Return the header of a dump; raise DumpError for a file that is none."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            header = json.loads(lines.readline())
    except (OSError, EOFError, ValueError) as error:
        raise DumpError(f"{path} is not a backup of this bot: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DumpError(f"{path} has another format; want {FORMAT}: use the bot version that wrote it")
    return header


def restore(path, url, tables=()):
    """Fill the empty database `url` from a dump and prove it; return the header. `tables` are the plugins' own.

    The database is left open for the process, brought to this version's schema. A dump of an older version is loaded
    into the schema it comes from, and migrated then.
    """
    header = read_header(path)
    db.connect(url)
    with closing(open_engine(url)) as engine:
        if any(engine.count(name) for name in engine.tables() if name != HISTORY):
            raise DumpError("the database to restore into has rows already; want an empty one")
        _make_tables(header, tables)
        _refuse_strangers(engine, header)
        engine.begin_writing()
        _load(path, engine)
        for table, last in header["last_ids"].items():
            engine.set_last_id(table, last)
        _prove_counts(engine, header)
        engine.commit()
    schema.migrate()
    for promise, row in itertools.islice(audit.verify(), 1):
        raise DumpError(f"the rows are there, but the books do not balance: {promise}: {row}")
    return header


def _make_tables(header, tables):
    """Make the tables as they were in the dump's schema, the plugins' as they are now."""
    unknown = set(header["schema"]) - schema.known()
    if unknown:
        raise DumpError(f"the backup has {max(unknown)}, which this version does not know: upgrade the bot first")
    schema.migrate(max(header["schema"]))
    for model, migrations in tables:
        schema.adopt(model, migrations)


def _refuse_strangers(engine, header):
    strangers = set(header["tables"]) - set(engine.tables())
    if strangers:
        raise DumpError(f"the backup has a table {min(strangers)!r}; put the plugin back that it belongs to")


def _load(path, engine):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        tables = _sections(map(json.loads, lines))
        for table, columns, rows in tables:
            missing = set(columns) - set(engine.columns(table))
            if missing:
                raise DumpError(
                    f"table {table!r} has no column {min(missing)!r} here: restore with the version that wrote it"
                )
            engine.clear(table)
            while batch := list(itertools.islice(rows, BATCH)):
                engine.insert(table, columns, batch)
    engine.check_references()


def _sections(lines):
    """Yield (table, columns, its rows); raise DumpError for a file that breaks off."""
    line = next(lines, None)
    while isinstance(line, dict) and "table" in line:
        following = []
        yield line["table"], line["columns"], _rows(lines, following)
        line = following[0] if following else None
    if not isinstance(line, dict) or "end" not in line:
        raise DumpError("the backup breaks off in the middle")


def _rows(lines, following):
    for line in lines:
        if isinstance(line, dict):
            following.append(line)
            return
        yield line


def _prove_counts(engine, header):
    found = Counter({table: engine.count(table) for table in header["tables"]})
    for table, rows in header["tables"].items():
        if found[table] != rows:
            raise DumpError(f"table {table!r} has {found[table]} rows in place of {rows}")

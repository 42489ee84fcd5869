"""Backup, restore and moving: one file format for both databases, proved by row counts and by the ledger."""

import gzip
import json
import re
from contextlib import closing
from pathlib import Path

import pytest

import bot as main
from core.process import leader_lock
from storage.backup import dump
from storage.base import db, schema
from storage.base.engines import open_engine
from storage.base.tables import TABLES, Job, Stored
from storage.money import verify


@pytest.fixture
def empty(request, tmp_path, database_url):
    """The address of an empty database of the other kind."""
    if database_url.startswith("sqlite"):
        return request.getfixturevalue("postgres")()
    return f"sqlite:///{tmp_path}/other/bot.db"


@pytest.fixture
def lived_in(start_bot):
    """A bot with people, money, jobs, a request with a picture, and drafts that are gone."""
    bot = start_bot()
    alice, boss = bot.rich("Alice <3"), bot.admin()
    order(bot, alice)
    bot.kie.settings(hold=True)
    order(bot, alice)
    boris = bot.user("Борис 'quote' \\ \"x\"")
    boris.send("/start")
    request(bot, boris)
    bot.bot.runtime_settings.put(
        "USD_RATE", "91.5", now=bot.clock.now(), actor=bot.bot.users.by_telegram_id(boss.id).id
    )
    return bot


def request(bot, person):
    """Have a transfer waiting for an admin."""
    user = bot.bot.users.by_telegram_id(person.id)
    now = bot.clock.now()
    topup = bot.bot.payments.create(user.id, "transfer", 30000, now=now)
    bot.bot.payments.submit(topup.id, user.id, {"file_id": "f", "unique_id": "u", "kind": "photo"}, now, b"\x00\xff")


def order(bot, person, prompt="a fox"):
    """Order a picture and let some time pass."""
    person.send(prompt)
    person.tap("▶ Draft")
    bot.forward(60)


def environ(bot, tmp_path, **more):
    """Return the settings of commands on this bot's database."""
    return bot.environ | {"DATA_DIR": str(tmp_path / "data")} | more


def run(name, argument, settings, capsys):
    """Run a command as `python bot.py` does; return (exit code, what it printed)."""
    code = main.command(name, argument, settings)
    out, err = capsys.readouterr()
    return code, out + err


def contents(url):
    """Return {table: sorted rows} in the plain form of a dump."""
    engine = open_engine(url)
    engine.begin_reading()
    found = {}
    for table in engine.tables():
        columns = sorted(engine.columns(table))
        rows = json.loads(json.dumps([list(row) for row in engine.rows(table, columns)], default=dump._plain))
        found[table] = sorted(map(plain, rows), key=str)
    engine.close()
    found.pop("schema_migration")
    return found


def plain(row):
    """Return a row whose booleans are numbers and whose JSON is in one form, as the two databases differ in these."""

    def one(value):
        if isinstance(value, str) and value[:1] in "{[":
            return json.dumps(json.loads(value), sort_keys=True)
        return int(value) if isinstance(value, bool) else value

    return [one(value) for value in row]


def test_a_move_to_the_other_database_and_back_loses_nothing(lived_in, empty, tmp_path, capsys):
    bot, settings = lived_in, environ(lived_in, tmp_path)
    bot.stop()
    before = contents(bot.url)
    code, said = run("move", empty, settings, capsys)
    assert code == 0, said
    assert "0 differences" in said and "DATABASE_URL" in said
    assert contents(empty) == before
    back = f"sqlite:///{tmp_path}/back/bot.db" if bot.url.startswith("sqlite") else None
    if back:
        assert run("move", back, settings | {"DATABASE_URL": empty}, capsys)[0] == 0
        assert contents(back) == before


def test_the_moved_copy_takes_a_first_new_order_and_finishes_the_open_one(lived_in, empty, tmp_path, capsys):
    bot = lived_in
    alice = bot.telegram.person(
        "Alice <3", id=next(p["id"] for p in bot.telegram.state["people"] if p["first_name"] == "Alice <3")
    )
    bot.stop()
    assert run("move", empty, environ(bot, tmp_path), capsys)[0] == 0
    with db.connection():
        newest = Job.select().order_by(Job.id.desc()).first().id
    bot.url = bot.environ["DATABASE_URL"] = empty
    bot.start()
    bot.kie.settings(hold=False)
    bot.kie.finish()
    bot.forward(90)
    order(bot, alice, "a second fox")
    with db.connection():
        assert Job.select().order_by(Job.id.desc()).first().id == newest + 1
    assert "photo" in alice.last_message
    assert not list(verify.verify())


def test_ids_go_on_after_a_move_even_when_the_last_rows_are_gone(lived_in, empty, tmp_path, capsys):
    """A draft's number is part of keys: given twice, a new order would find the old one's job."""
    bot = lived_in
    last = open_engine(bot.url)
    ids = last.last_ids()
    last.close()
    bot.stop()
    run("move", empty, environ(bot, tmp_path), capsys)
    copy = open_engine(empty)
    assert ids["draft"] > copy.count("draft")
    moved = copy.last_ids()
    assert {table: moved.get(table) or 0 for table in ids if table != "schema_migration"} == {
        table: last for table, last in ids.items() if table != "schema_migration"
    }
    copy.close()


def test_a_backup_is_made_beside_the_running_bot_and_restored_into_an_empty_database(lived_in, empty, tmp_path, capsys):
    bot, settings = lived_in, environ(lived_in, tmp_path)
    before = contents(bot.url)
    code, said = run("backup", None, settings, capsys)
    path = re.match(r"(\S+\.jsonl\.gz): \d+ rows", said)[1]
    assert code == 0
    code, said = run("restore", path, settings | {"DATABASE_URL": empty}, capsys)
    assert code == 0, said
    assert contents(empty) == before


def test_a_backup_is_for_its_owners_eyes(lived_in, tmp_path, capsys):
    run("backup", str(tmp_path / "b.gz"), environ(lived_in, tmp_path), capsys)
    assert (tmp_path / "b.gz").stat().st_mode & 0o077 == 0


def test_rows_are_never_restored_over_rows(lived_in, tmp_path, capsys):
    settings = environ(lived_in, tmp_path)
    run("backup", str(tmp_path / "b.gz"), settings, capsys)
    code, said = run("restore", str(tmp_path / "b.gz"), settings, capsys)
    assert code == 1 and "empty" in said


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda lines: lines[:-1], "breaks off"),
        (lambda lines: lines[:-40], ""),
        (lambda lines: [json.dumps(json.loads(lines[0]) | {"format": 99}), *lines[1:]], "format"),
        (lambda lines: [lines[0].replace("0001_start", "9999_future"), *lines[1:]], "upgrade"),
        (lambda lines: [lines[0], *[one for one in lines[1:] if "hold:" not in one]], "entry"),
    ],
)
def test_a_spoilt_backup_is_refused_and_leaves_nothing(lived_in, empty, tmp_path, capsys, spoil, word):
    settings = environ(lived_in, tmp_path)
    run("backup", str(tmp_path / "b.gz"), settings, capsys)
    lines = gzip.decompress((tmp_path / "b.gz").read_bytes()).decode().splitlines()
    (tmp_path / "spoilt.gz").write_bytes(gzip.compress("\n".join(spoil(lines)).encode()))
    code, said = run("restore", str(tmp_path / "spoilt.gz"), settings | {"DATABASE_URL": empty}, capsys)
    assert code == 1 and word in said
    db.connect(empty)
    engine = open_engine(empty)
    assert not any(engine.count(table) for table in engine.tables() if table != "schema_migration")
    engine.close()


def lines_of(path):
    """Return the lines of a backup."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def packed(lines):
    """Return lines as a file whose checksum is right."""
    return gzip.compress(("\n".join(lines) + "\n").encode())


def stored(lines, changed):
    """Return lines as a file that is not compressed, and then `changed` under the old checksum."""
    data = ("\n".join(lines) + "\n").encode()
    whole = gzip.compress(data, compresslevel=0)
    old, new = changed(data)
    assert len(old) == len(new) and whole.count(old) == 1
    return whole.replace(old, new)


def a_figure(data):
    """Return a top-up's price in a row, and a higher one of the same length."""
    row = next(line for line in data.split(b"\n") if b"test money" in line or b'"admin", "test:' in line)
    return row, row.replace(b", 100000, ", b", 900000, ")


def figures_that_fit(lines):
    """Return a file in which a credit and the balance have grown by as much, under the old checksum."""
    data = ("\n".join(lines) + "\n").encode()
    whole = gzip.compress(data, compresslevel=0)
    balance = lines[after(lines, '{"table": "account"') + 1].encode()
    credit = lines[after(lines, '"admin", "test:')].encode()
    for row, old, new in ((balance, b", 99928", b", 99937"), (credit, b", 100000, ", b", 100009, ")):
        assert whole.count(row) == 1 and row.count(old) == 1
        whole = whole.replace(row, row.replace(old, new))
    return whole


def flipped(data, place):
    """Return bytes with one bit flipped."""
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


def after(lines, word):
    """Return the place of the first line with a word."""
    return next(place for place, line in enumerate(lines) if word in line)


def with_more_money(lines):
    """Return the lines with an entry raised, as somebody does who packs the file again."""
    place = after(lines, '"admin", "test:')
    return [*lines[:place], lines[place].replace(", 100000, ", ", 900000, "), *lines[place + 1 :]]


def with_one_twice(lines, word):
    """Return the lines with the first line with a word repeated."""
    place = after(lines, word)
    return [*lines[:place], lines[place], *lines[place:]]


def without_seal(lines):
    """Return the lines without the one seal."""
    place = after(lines, '{"table": "seal"')
    return [*lines[: place + 1], *lines[place + 2 :]]


def tables_in(url):
    """Return the tables of a database; a SQLite file may not have been made at all."""
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return []
    with closing(open_engine(url)) as engine:
        return engine.tables()


SPOILT = {
    "half a file": lambda whole, lines: whole[: len(whole) // 2],
    "a tenth of a file": lambda whole, lines: whole[: len(whole) // 10],
    "a cut trailer": lambda whole, lines: whole[:-8],
    "half a trailer": lambda whole, lines: whole[:-3],
    "a flipped bit in the middle": lambda whole, lines: flipped(whole, len(whole) // 2),
    "a flipped bit near the end": lambda whole, lines: flipped(whole, len(whole) - 40),
    "a flipped bit of the checksum": lambda whole, lines: flipped(whole, len(whole) - 6),
    "a figure changed under the old checksum": lambda whole, lines: stored(lines, a_figure),
    "figures changed that fit each other, under the old checksum": lambda whole, lines: figures_that_fit(lines),
    "a figure changed, packed again": lambda whole, lines: packed(with_more_money(lines)),
    "a repeated row": lambda whole, lines: packed(with_one_twice(lines, "hold:1")),
    "a repeated table": lambda whole, lines: packed(with_one_twice(lines, '{"table": "entry"')),
    "a repeated end": lambda whole, lines: packed([*lines, lines[-1]]),
    "a second backup behind the first": lambda whole, lines: packed([*lines, *lines]),
    "no end": lambda whole, lines: packed(lines[:-1]),
    "a missing seal": lambda whole, lines: packed(without_seal(lines)),
    "a missing seal that nobody counts": lambda whole, lines: packed(
        [without_seal(lines)[0].replace('"seal": 1', '"seal": 0', 1), *without_seal(lines)[1:]]
    ),
    "no line at all": lambda whole, lines: packed([]),
    "a row of words": lambda whole, lines: packed([*lines[:3], '["x"]', *lines[3:]]),
    "a row that is no row": lambda whole, lines: packed([*lines[:3], "7", *lines[3:]]),
    "a line that is no JSON": lambda whole, lines: packed([*lines[:3], "{", *lines[3:]]),
    "nested without end": lambda whole, lines: packed([*lines[:3], "[" * 100_000, *lines[3:]]),
    "a header with half of it": lambda whole, lines: packed(['{"format": 1}', *lines[1:]]),
    "rubbish": lambda whole, lines: b"rubbish",
    "an empty file": lambda whole, lines: b"",
    "rubbish behind it": lambda whole, lines: whole + b"rubbish",
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_refused_file_leaves_an_empty_database_and_the_good_one_goes_in_afterwards(
    packed_away, name, tmp_path, capsys
):
    """Each refusal is a sentence, in which the file is named; nothing of the tables is left."""
    good, empty, settings = packed_away
    bad = tmp_path / "bad.gz"
    bad.write_bytes(SPOILT[name](good.read_bytes(), lines_of(good)))
    code, said = run("restore", str(bad), settings | {"DATABASE_URL": empty}, capsys)
    assert code == 1 and "Traceback" not in said and len(said.strip().splitlines()) == 1, said
    assert tables_in(empty) == []
    code, said = run("restore", str(good), settings | {"DATABASE_URL": empty}, capsys)
    assert code == 0 and "0 differences" in said, said


@pytest.fixture
def sealed(start_bot, empty, tmp_path, capsys):
    """A good backup with seals in it, an empty database, and the settings of commands on the one it is of."""
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(180, step=60)
    settings = environ(bot, tmp_path)
    run("backup", str(tmp_path / "good.gz"), settings, capsys)
    bot.stop()
    return tmp_path / "good.gz", empty, settings


@pytest.fixture
def packed_away(request, empty, tmp_path):
    """The same without that database: its backup is made once."""
    kind = request.getfixturevalue("database_url").partition(":")[0]
    if kind not in GOOD:
        good, _empty, settings = request.getfixturevalue("sealed")
        GOOD[kind] = good.read_bytes(), settings
    whole, settings = GOOD[kind]
    (tmp_path / "good.gz").write_bytes(whole)
    return tmp_path / "good.gz", empty, settings | {"DATA_DIR": str(tmp_path / "data")}


GOOD = {}  # kind of database: (a backup, the settings of commands)


def test_books_that_do_not_balance_are_not_restored_nor_moved(sealed, tmp_path, capsys):
    good, empty, settings = sealed
    db.connect(settings["DATABASE_URL"])
    with db.transaction() as connection:
        connection.execute_sql("UPDATE account SET balance = balance + 1")
    run("backup", str(tmp_path / "cooked.gz"), settings, capsys)
    for name, argument, more in (
        ("restore", str(tmp_path / "cooked.gz"), {"DATABASE_URL": empty}),
        ("move", empty, {}),
    ):
        code, said = run(name, argument, settings | more, capsys)
        assert code == 1 and "a balance is the sum of its entries" in said and "Traceback" not in said, said
        assert tables_in(empty) == []
    assert run("restore", str(good), settings | {"DATABASE_URL": empty}, capsys)[0] == 0


@pytest.mark.parametrize("place", ["/proc/none/b.gz", "{folder}", "{folder}/file/b.gz", "{folder}/" + "x" * 300])
def test_a_backup_to_a_place_that_cannot_be_written_is_a_sentence_and_leaves_no_file(sealed, tmp_path, capsys, place):
    _good, _empty, settings = sealed
    (tmp_path / "file").write_text("in the way")
    before = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".gz", ".part"))
    code, said = run("backup", place.format(folder=tmp_path), settings, capsys)
    assert code == 1 and "cannot be written" in said and "Traceback" not in said, said
    assert sorted(path for path in tmp_path.rglob("*") if path.suffix in (".gz", ".part")) == before


@pytest.mark.parametrize(
    "url",
    ["mysql://root@localhost/bot", "sqlite:////proc/none/bot.db", "postgresql://x@127.0.0.1:1/none", "nonsense", ""],
)
@pytest.mark.parametrize("name", ["restore", "move"])
def test_a_database_that_cannot_be_is_a_sentence(sealed, capsys, name, url):
    good, _empty, settings = sealed
    if name == "restore" and not url.startswith(("sqlite", "postgres")):
        pytest.skip("the settings refuse it before")
    if name == "move" and {url[:6], settings["DATABASE_URL"][:6]} == {"sqlite"}:
        pytest.skip("refused as a copy of files")
    argument, more = (str(good), {"DATABASE_URL": url}) if name == "restore" else (url, {})
    code, said = run(name, argument, settings | more, capsys)
    assert code == 1 and "Traceback" not in said and said.strip(), said


def test_a_file_that_is_not_there_or_is_a_folder_is_told_so(sealed, tmp_path, capsys):
    _good, empty, settings = sealed
    for path in (tmp_path / "none.gz", tmp_path):
        code, said = run("restore", str(path), settings | {"DATABASE_URL": empty}, capsys)
        assert code == 1 and f"{path} is not a backup" in said and "Traceback" not in said, said


def test_a_file_that_is_no_backup_is_told_so(empty, tmp_path, servers):
    (tmp_path / "photo.gz").write_bytes(b"not gzip")
    with pytest.raises(dump.DumpError, match="not a backup"):
        dump.restore(tmp_path / "photo.gz", empty)


@pytest.mark.parametrize("name", ["restore", "move"])
def test_while_the_bot_leads_restore_and_move_are_refused(lived_in, empty, tmp_path, capsys, name):
    settings = environ(lived_in, tmp_path)
    run("backup", str(tmp_path / "b.gz"), settings, capsys)
    leader = leader_lock.make(lived_in.url, settings["DATA_DIR"])
    assert leader.acquire()
    code, said = run(name, str(tmp_path / "b.gz") if name == "restore" else empty, settings, capsys)
    leader.release()
    assert code == 1 and "stop it first" in said


def test_every_table_of_the_core_is_in_a_backup(lived_in, tmp_path, capsys):
    run("backup", str(tmp_path / "b.gz"), environ(lived_in, tmp_path), capsys)
    assert {model._meta.table_name for model in TABLES} <= set(dump.read_header(tmp_path / "b.gz")["tables"])


def test_verify_reads_and_never_migrates(database_url, servers, tmp_path, capsys):
    settings = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data")}
    code, said = run("verify", None, settings, capsys)
    assert code == 1 and "0001_start" in said and "start the bot" in said
    db.connect(database_url)
    assert schema.pending() == sorted(schema.known())


def test_verify_names_what_is_broken(lived_in, tmp_path, capsys):
    bot = lived_in
    with db.transaction() as connection:
        connection.execute_sql("UPDATE account SET balance = balance + 1")
    code, said = run("verify", None, environ(bot, tmp_path), capsys)
    assert code == 1 and "broken: a balance is the sum of its entries" in said


def test_a_moved_rate_is_there(lived_in, empty, tmp_path, capsys):
    lived_in.stop()
    run("move", empty, environ(lived_in, tmp_path), capsys)
    with db.connection():
        assert Stored.get(Stored.name == "USD_RATE").value == "91.5"

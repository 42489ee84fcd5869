"""Every schema ever released upgrades with its money, and its entries stay for ever.

Every release with a new migration adds a database of it: `python -m tests.kept`.
"""

import re
import shutil
from datetime import UTC, datetime

import peewee
import pytest

from storage.backup import dump
from storage.base import db, guards, schema
from storage.base.engines import over
from storage.base.tables import TABLES, Account, Entry, Person, Stored, User
from storage.journal import runtime_settings
from storage.money import ledger, persons, promo, refunds, verify
from storage.orders import result_messages
from storage.people import users
from tests.kit import ROOT
from tests.process import PATIENCE_S, Process, run
from tests.watching import Calls

KEPT = sorted((ROOT / "tests" / "data").glob("schema-*.db"))
BALANCES = {"Boss": 0, "Alice": 99856, "Boris": 30000, "Vera": 5000}  # kopecks, in each of the kept files
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def kept(request, tmp_path):
    """The address of a copy of a kept file."""
    shutil.copy(request.param, tmp_path / "kept.db")
    return f"sqlite:///{tmp_path}/kept.db"


@pytest.fixture
def upgraded(kept, request, tmp_path, database_url):
    """An open database of each kind with the rows of a kept file, brought to this version."""
    if database_url.startswith("sqlite"):
        db.connect(kept)
        schema.migrate()
    else:
        dump.write(kept, tmp_path / "kept.gz", NOW)
        dump.restore(tmp_path / "kept.gz", database_url)
    runtime_settings.forget()
    yield
    db.disconnect()


def test_the_first_schema_is_kept_and_every_kept_one_is_known():
    numbers = {path.stem.removeprefix("schema-") for path in KEPT}
    assert "0001" in numbers and numbers <= {name[:4] for name in schema.known()}


def test_a_kept_database_comes_forward_with_its_balances(upgraded):
    with db.connection():
        found = dict(User.select(User.first_name, Account.balance).join(Account, on=Account.user == User.id).tuples())
        kinds = {kind for (kind,) in Entry.select(Entry.kind).distinct().tuples()}
    assert found == BALANCES
    assert kinds >= {"admin", "hold", "capture", "release", "stars", "refund", "topup", "promo"}
    assert schema.pending() == [] and list(verify.verify()) == []


def test_what_was_delivered_before_an_upgrade_can_be_replied_to_after_it(upgraded):
    alice = users.find("Alice")[0]
    shown = result_messages.find(alice.id, alice.telegram_id, 7)
    assert shown.job.user_id == alice.id and shown.job.state == "succeeded" and shown.part == 0
    boris = users.find("Boris")[0]
    assert result_messages.find(boris.id, alice.telegram_id, 7) is None


def test_everybody_in_a_kept_database_is_known_by_a_hash(upgraded):
    with db.connection():
        key = Stored.get_by_id(persons.KEY).value
        people = list(User.select().where(User.telegram_id.is_null(False)))
        assert {user.person for user in people} == {row.hash for row in Person.select()} and len(people) == 4
    for user in people:
        assert user.person == persons.hashed(key, user.telegram_id) and persons.debt(user.id) == 0


@pytest.mark.parametrize(
    "kept", [path for path in KEPT if path.stem < "schema-0003"], indirect=True, ids=lambda path: path.stem
)
def test_what_people_had_and_were_before_an_upgrade_holds_after_it(kept):
    db.connect(kept)
    with db.transaction() as real:
        real.execute_sql("UPDATE \"user\" SET banned = 1 WHERE first_name = 'Boris'")
        real.execute_sql(
            "INSERT INTO entry (user_id, amount, kind, key, created_at)"
            " SELECT id, 0, 'gift', 'gift:' || id, 0 FROM \"user\" WHERE first_name = 'Alice'"
        )
    schema.migrate()
    with db.connection():
        alice, boris = (User.get(User.first_name == name) for name in ("Alice", "Boris"))
        assert Person.get_by_id(boris.person).banned and not Person.get_by_id(alice.person).banned
    assert not persons.once(alice.id, "gift") and persons.once(boris.id, "gift")
    db.disconnect()


ROW = "(id, user_id, amount, kind, key, created_at) VALUES (1, 1, 9, 'bonus', 'mine', 0)"
CHANGES = ["UPDATE entry SET amount = amount + 1", "DELETE FROM entry"]
ONLY_SQLITE = [f"INSERT OR REPLACE INTO entry {ROW}", f"REPLACE INTO entry {ROW}"]
ONLY_POSTGRES = ["TRUNCATE entry", f"INSERT INTO entry {ROW} ON CONFLICT (id) DO UPDATE SET amount = 9"]


def test_no_statement_changes_an_entry_of_a_kept_database(upgraded):
    before = books()
    for statement in CHANGES + (ONLY_POSTGRES if db.is_postgres() else ONLY_SQLITE):
        with pytest.raises(peewee.DatabaseError, match="append-only"), db.transaction() as real:
            real.execute_sql(statement)
    assert books() == before and list(verify.verify()) == []


def books():
    """Return every entry as it stands."""
    with db.connection():
        return list(Entry.select(Entry.id, Entry.user, Entry.amount, Entry.kind, Entry.key).order_by(Entry.id).tuples())


def test_money_moves_on_in_a_kept_database(upgraded):
    last = books()[-1][0]
    vera = next(user for user in map(users.get, range(1, 9)) if user and user.first_name == "Vera")
    entry, created = ledger.post(vera.id, -5000, kind="admin", key="after", now=NOW)
    assert created and entry.id > last and ledger.balance(vera.id) == 0
    with pytest.raises(ledger.NotEnoughMoney):
        ledger.post(vera.id, -1, kind="admin", key="too much", now=NOW)
    assert list(verify.verify()) == []


@pytest.mark.parametrize("kept", KEPT[-1:], indirect=True, ids=lambda path: path.stem)
def test_what_a_command_says_reaches_a_pipe_and_a_file_too(kept):
    db.connect(kept)
    schema.migrate()
    db.disconnect()
    assert run("verify", DATABASE_URL=kept) == (0, "4 accounts, 12 entries, 1348.56 in balances: 0 differences\n")


# the schema


def test_migrating_from_nothing_makes_the_live_tables_and_nothing_else(database_url, request, tmp_path):
    db.connect(database_url)
    schema.migrate()
    migrated = structure()
    if db.is_postgres():
        db.connect(request.getfixturevalue("postgres")())
    else:
        db.connect(f"sqlite:///{tmp_path}/live.db")
    with db.transaction() as real:
        real.create_tables(TABLES)
    live = structure()
    db.disconnect()
    assert migrated.keys() == live.keys() and len(live) > 100
    for name, definition in migrated.items():
        assert definition == live[name], name


def test_a_kept_database_ends_with_the_schema_of_a_new_one(kept, tmp_path):
    found = []
    for url in (kept, f"sqlite:///{tmp_path}/new.db"):
        db.connect(url)
        schema.migrate()
        found.append(structure())
    db.disconnect()
    assert found[0] == found[1]


def structure():
    """Return {name: definition} of every column, index and constraint; triggers and migrations' own rows apart."""
    with db.connection() as real:
        return _postgres(real) if db.is_postgres() else _sqlite(real)


def _sqlite(real):
    found = {}
    for kind, name, sql in real.execute_sql("SELECT type, name, sql FROM sqlite_master WHERE type <> 'trigger'"):
        if not name.startswith(("sqlite_", "schema_migration")):
            words = re.sub(r"\s*([(),])\s*", r"\1", re.sub(r'["\s]+', " ", sql)).strip()
            found[f"{kind} {name}"] = words
    for table in [name.removeprefix("table ") for name in found if name.startswith("table ")]:
        for column in real.execute_sql(f'PRAGMA table_xinfo("{table}")'):
            found[f"{table}.{column[1]}"] = column
    return found


def _postgres(real):
    columns = """
        SELECT table_name || '.' || column_name, ordinal_position, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = current_schema()"""
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    constraints = """
        SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'"""
    rows = [row for query in (columns, indexes, constraints) for row in real.execute_sql(query)]
    return {name: definition for name, *definition in rows if "schema_migration" not in name}


# a database of a newer version


def test_a_newer_database_stops_the_start_and_stays_as_it_is(servers, kept, tmp_path):
    db.connect(kept)
    with db.transaction() as real:
        real.execute_sql(
            "INSERT INTO schema_migration (name, applied) SELECT '9999_future', MAX(applied) FROM schema_migration"
        )
    before = (structure(), books())
    db.disconnect()
    servers[0].call("POST", "/clock", json={"real": True})
    process = Process(*servers, tmp_path, DATABASE_URL=kept)
    code = process.wait(PATIENCE_S)
    assert code == 2 and "has 9999_future, which this version does not know; upgrade the bot" in process.log
    assert "Traceback" not in process.log
    db.connect(kept)
    assert (structure(), books()) == before
    db.disconnect()


# what payments had earned before their bonuses had rows

BEFORE = """
INSERT INTO "user" (id, telegram_id, first_name, code, banned, blocked_bot, sales_paused, created_at, seen_at)
SELECT n, n, 'P', 'c' || n, FALSE, FALSE, FALSE, 0, 0 FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) people;
INSERT INTO account (user_id, balance) SELECT id, CASE id WHEN 1 THEN 3000 WHEN 2 THEN 45000 ELSE 0 END FROM "user";
INSERT INTO top_up (id, user_id, method, amount, stars, state, credited, reminded, created_at)
VALUES (1, 2, 'stars', 30000, 188, 'paid', 30000, FALSE, 0), (2, 3, 'stars', 30000, 188, 'paid', 30000, FALSE, 0);
INSERT INTO charge (charge_id, topup_id, user_id, stars, refund, listed, created_at)
VALUES ('one', 1, 2, 188, NULL, TRUE, 0), ('two', 2, 3, 188, 'done', TRUE, 0);
INSERT INTO promo (code, kind, value, uses, total_limit, user_limit, stopped, author_id, created_at)
VALUES ('SPRING', 'percent', 50, 3, 9, 9, FALSE, 1, 0);
INSERT INTO promo_use (id, promo_id, user_id, number, state, amount, created_at)
VALUES (1, 'SPRING', 2, 1, 'done', 15000, 0), (2, 'SPRING', 3, 1, 'waiting', NULL, 0), (3, 'SPRING', 3, 2, 'waiting', NULL, 0);
INSERT INTO referral (invited_id, inviter_id, paid, created_at) VALUES (2, 1, 3000, 0);
INSERT INTO entry (id, user_id, amount, kind, key, ref, created_at) VALUES
(1001, 2, 30000, 'stars', 'stars:one', 'topup:1', 0), (1002, 1, 3000, 'referral', 'referral:2', 'user:2', 0),
(1003, 2, 15000, 'promo', 'promo:1', 'promo:SPRING', 0), (1004, 3, 30000, 'stars', 'stars:two', 'topup:2', 0),
(1005, 3, -30000, 'admin', 'admin:1', NULL, 0), (1006, 3, 30000, 'writeoff', 'writeoff:chargeback:two', 'topup:2', 0),
(1007, 3, -30000, 'chargeback', 'chargeback:two', 'topup:2', 0)
"""


def test_what_a_payment_had_earned_goes_back_with_it_after_the_upgrade(database_url):
    db.connect(database_url)
    schema.migrate("0002_claims")
    with db.transaction() as real:
        for statement in BEFORE.split(";\n"):
            real.execute_sql(statement)
    schema.migrate()
    assert list(verify.verify()) == []
    assert [ledger.debt(user) for user in (1, 2, 3)] == [0, 0, 30_000]
    assert refunds.taken_back("one", NOW) == "chargeback"
    assert [ledger.balance(user) for user in (1, 2, 3)] == [0, 0, 0]
    assert promo.waiting(3).number == 1
    assert list(verify.verify()) == []
    db.disconnect()


def test_a_start_makes_the_triggers_again_only_where_one_is_missing(ready_url):
    db.connect(ready_url)
    lowered = Calls(lambda frame: frame.f_code.co_name if frame.f_code is guards.lower.__code__ else None)
    with lowered:
        schema.migrate()
    assert lowered.names == [], "the triggers were there"
    with db.transaction() as real:
        real.execute_sql("DROP TRIGGER entry_no_update" + (" ON entry" if db.is_postgres() else ""))
    with lowered:
        schema.migrate()
    assert lowered.names == ["lower"]
    with db.connection() as real:
        assert not list(guards.missing_rules(over(real)))
    db.disconnect()

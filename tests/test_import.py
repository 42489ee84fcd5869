"""Moving in: people come from a table of one's own, from a predecessor's folder and from its database, each once and whole."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
from peewee import JOIN

import bot as main
from core.process import leader_lock
from storage.base import db
from storage.base.tables import Account, Act, Entry, KeptValue, Once, Referral, User
from storage.money import verify
from storage.people import arrivals
from tests import proof
from tests.kit import ROOT
from tests.process import environment
from tests.shop import texts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAMPLE = ROOT / "data" / "samples" / "people.csv"


@pytest.fixture
def run(database_url, tmp_path, capsys):
    """Return a function that runs `python bot.py import …` on an empty database; it returns (exit code, what it said)."""

    def run(*arguments, **settings):
        environ = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "var"), "ADMIN_IDS": "900"} | settings
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(main.command_line, "environment", lambda _root: environ)
            code = main.main(["import", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out + told.err

    yield run
    db.disconnect()


@pytest.fixture
def books(database_url):
    """Return a function that returns {Telegram id: (balance, language, banned, the inviter's Telegram id)}."""

    def read():
        db.connect(database_url)
        with db.connection():
            inviter = User.alias()
            rows = (
                User.select(User.telegram_id, Account.balance, User.lang, User.banned, inviter.telegram_id)
                .join(Account, on=(Account.user == User.id))
                .switch(User)
                .join(Referral, JOIN.LEFT_OUTER, on=(Referral.invited == User.id))
                .join(inviter, JOIN.LEFT_OUTER, on=(Referral.inviter == inviter.id))
                .where(User.telegram_id != 900)
                .order_by(User.telegram_id)
            )
            return {one: tuple(rest) for one, *rest in rows.tuples()}

    return read


def table(tmp_path, text):
    """Write a CSV file."""
    path = tmp_path / "people.csv"
    path.write_text(text, encoding="utf-8")
    return path


def folder(tmp_path, **files):
    """Write a predecessor's folder."""
    path = tmp_path / "old"
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return path


# a table of one's own


def test_a_table_brings_people_with_all_they_had(run, books, tmp_path):
    path = table(
        tmp_path,
        "telegram_id;balance;language;referrer_id;banned;first_name\n"
        "111;12,50;ru;222;0;Анна\n222;1 000,5;EN;;да;Bob\n333;;de-DE;111;;\n",
    )
    code, said = run(path)
    assert code == 0, said
    assert "before: 0 accounts, 0 entries, 0.00 in balances" in said
    assert "3 people, 1013.00 in balances" in said and "after:  4 accounts, 2 entries, 1013.00 in balances" in said
    assert books() == {111: (1250, "ru", False, 222), 222: (100_050, "en", True, None), 333: (0, None, False, 111)}
    with db.connection():
        entry = Entry.get(Entry.kind == "import", Entry.amount == 1250)
        assert entry.reason == "before: people.csv" and entry.ref == "import:before"
        act = Act.get(Act.what == "block")
        assert act.words == "before: people.csv" and User.get_by_id(act.actor_id).telegram_id == 900
        assert User.get(User.telegram_id == 333).language_code == "de"
    assert list(verify.verify()) == []


def test_twice_is_once_and_a_changed_balance_is_told_and_left(run, books, tmp_path):
    run(table(tmp_path, "telegram_id,balance\n111,5\n222,7\n"))
    before = books()
    code, said = run(table(tmp_path, "telegram_id,balance\n111,6\n222,7\n333,1\n"))
    assert code == 0 and before.items() <= books().items() and books()[333][0] == 100
    assert "left as they are: 2 people" in said and "1 have another balance in the source now, such as 111" in said
    assert "taken:  1 new people, 0 who were here, 0 invitations, 1.00" in said


def test_an_invitation_by_nobody_known_or_by_oneself_is_told_and_left_out(run, books, tmp_path):
    path = table(tmp_path, "telegram_id,referrer_id\n111,111\n222,999\n333,111\n")
    told = "2 invitations are left out, such as that of 111"
    assert told in run(path, "--dry-run")[1]
    code, said = run(path)
    assert code == 0 and told in said and [who[3] for who in books().values()] == [None, None, 111]


def test_another_source_has_its_own_name(run, books, tmp_path):
    path = table(tmp_path, "telegram_id,balance\n111,5\n")
    run(path)
    assert run(path, "--name", "second")[0] == 0 and books()[111][0] == 1000
    code, said = run(path, "--name", "Second shop")
    assert code == 1 and "--name" in said


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(run, books, tmp_path):
    path = table(tmp_path, "telegram_id,balance\n111,5\n222,7\n")
    code, said = run(path, "--dry-run")
    assert code == 0 and "would be taken: 2 people (2 of them new here), 12.00" in said
    run(table(tmp_path, "telegram_id,balance\n111,5\n"))
    kept = books()
    code, said = run(table(tmp_path, "telegram_id,balance\n111,5\n222,7\n"), "--dry-run")
    assert code == 0 and "would be taken: 1 people (1 of them new here), 7.00" in said and "dry run" in said
    assert books() == kept == {111: (500, None, False, None)}


WRONG = {
    "111,1.234,50": "3 values in place of 2; a comma",
    "111": "1 values in place of 2",
    "abc,5": "'abc'; want the Telegram id",
    "-100123,5": "'-100123'; want the Telegram id",
    "0,5": "'0'; want the Telegram id",
    "99999999999999999999,5": "want the Telegram id",
    "111,five": "'five'; want a number",
    "111,-5": "an amount of -5",
    '111,"1,234"': "'1,234'; want a number",
    "111,nan": "'nan'; want a number",
    "111,1e99": "an amount of 1e99",
    "111,99999999999": "an amount of 99999999999",
    "٣,5": "want the Telegram id",
}


@pytest.mark.parametrize("row", WRONG)
def test_what_cannot_be_read_is_told_by_line_and_nothing_is_taken_half(run, books, tmp_path, row):
    path = table(tmp_path, f"telegram_id,balance\n222,7\n{row}\n333,1\n")
    code, said = run(path)
    assert code == 1 and f"line 3: {WRONG[row]}" in re.sub(
        r"line 3: .*?(?=" + re.escape(WRONG[row]) + ")", "line 3: ", said
    )
    assert "accounts" not in said, "nothing was begun"
    code, said = run(path, "--skip")
    assert code == 0 and set(books()) == {222, 333} and "line 3" in said


def test_somebody_who_is_there_twice_is_not_taken_at_all(run, books, tmp_path):
    code, said = run(table(tmp_path, "telegram_id,balance\n111,5\n222,1\n111,6\n"), "--skip")
    assert code == 0 and "line 4: 111 is in line 2 already" in said and set(books()) == {222}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("telegram_id,balanse\n1,2\n", "'balanse' is no column"),
        ("balance\n2\n", "telegram_id among them"),
        ("telegram_id,id\n1,1\n", "each column once"),
        ("", "telegram_id among them"),
        ('telegram_id,balance\n1,"2\n', "nothing was taken"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused_whole(run, tmp_path, text, why):
    code, said = run(table(tmp_path, text), "--skip")
    assert code == 1 and why in said


def test_a_table_in_another_encoding_is_refused(run, tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes("telegram_id,first_name\n1,Анна\n".encode("cp1251"))
    code, said = run(path)
    assert code == 1 and "UTF-8" in said


def test_the_sample_is_taken_as_it_is(run, books):
    code, said = run(SAMPLE)
    assert code == 0, said
    assert {balance for balance, *_rest in books().values()} == {125_050, 990, 0}


def test_a_source_that_is_not_there_is_said(run, tmp_path):
    code, said = run(tmp_path / "nothing.csv")
    assert code == 1 and "no file, no folder" in said


def test_bans_need_an_owner_in_whose_name_they_are_noted(run, tmp_path):
    path = table(tmp_path, "telegram_id,banned\n111,1\n")
    code, said = run(path, ADMIN_IDS="")
    assert code == 1 and "want ADMIN_IDS" in said
    code, said = run(path, ADMIN_IDS="111")
    assert code == 1 and "111 is banned there, and in ADMIN_IDS here" in said


def test_another_currency_than_the_databases_is_refused(run, tmp_path):
    path = table(tmp_path, "telegram_id,balance\n111,1\n")
    assert run(path)[0] == 0
    code, said = run(path, CURRENCY="EUR")
    assert code == 1 and "the amounts in this database are in RUB" in said


def test_it_refuses_while_a_bot_leads_on_the_database(run, books, database_url, tmp_path):
    path = table(tmp_path, "telegram_id,balance\n111,1\n")
    bot = leader_lock.make(database_url, str(tmp_path / "var"))
    assert bot.acquire()
    code, said = run(path)
    assert code == 1 and "the bot is running on this database" in said
    assert run(path, "--dry-run")[0] == 0, "reading is safe beside it"
    bot.release()
    assert run(path)[0] == 0 and books()[111][0] == 100


# the predecessor's folder

OLD = {
    "user_balances": {"111": 12.340000000000002, "222": 5, "333": "7,25"},
    "user_languages": {"111": "ru", "222": "en"},
    "blocked_users": {"333": True, "222": False},
    "gift_claimed": {"111": True},
    "user_registry": {"111": {"user_id": 111, "first_name": "Anna", "username": "anna", "updated_at": "2026-01-21"}},
    "referrals": {"222": 111, "444": {"referrer_id": 222}, "referrals": {"111": [222], "222": [444]}},
    "referral_events": {"events": {"p:555": {"referred_user_id": 555, "referrer_id": 111}}},
    "payments": {
        "1": {"user_id": 222, "amount": 300.0, "payment_method": "sbp", "status": "approved", "created_at": "2026-01-05T10:00:00"},
        "2": {"user_id": 111, "amount": 100.0, "status": "pending", "created_at": "2026-01-06T10:00:00"},
    },
    "generations_history": {
        "111": [{"model_id": "z", "model_name": "Z Image", "params": {"prompt": "a fox"}, "price": 1.5, "timestamp": "2026-01-07T09:00:00"}]
    },
    "daily_free_generations": {"111": {"date": "2026-01-01", "count": 1}},
}  # fmt: skip


def test_the_predecessors_folder_brings_people_with_all_they_had(run, books, tmp_path):
    code, said = run(folder(tmp_path, **OLD))
    assert code == 0, said
    assert books() == {
        111: (1234, "ru", False, None), 222: (500, "en", False, 111), 333: (725, None, True, None),
        444: (0, None, False, 222), 555: (0, None, False, 111),
    }  # fmt: skip
    assert "free generations (daily_free_generations.json)" in said and "rounded" not in said
    with db.connection():
        anna = User.get(User.telegram_id == 111)
        assert (anna.first_name, anna.username) == ("Anna", "anna")
        assert Once.get_or_none(Once.person == anna.person, Once.what == "gift") is not None
        (past,) = [row.value for row in KeptValue.select().where(KeptValue.person == anna.id)]
        assert [(one["kind"], one["what"], one["amount"], one["prompt"]) for one in past] == [
            ("order", "Z Image", 150, "a fox")
        ]
        paid = {row.invited.telegram_id: row.paid for row in Referral.select()}
        assert paid == {222: 0, 444: None, 555: None}, "who has topped up there pays no share here"
    assert list(verify.verify()) == []


@pytest.mark.parametrize("text", ['{"111": 5', "[1, 2]", '{"111": 5, "111": 6}', "\x00"])
def test_a_damaged_file_is_never_taken_as_empty(run, tmp_path, text):
    code, said = run(folder(tmp_path, user_languages={"111": "ru"}, user_balances=text), "--skip")
    assert code == 1 and "user_balances.json" in said and "nothing was taken" in said


def test_wrong_values_of_the_folder_are_told_with_their_lines(run, books, tmp_path):
    files = OLD | {"user_balances": {"111": None, "222": -1, "333": True, "-100": 5, "666": 1}, "blocked_users": {}}
    code, said = run(folder(tmp_path, **files), "--skip")
    assert code == 0, said
    assert "user_balances.json line 2: 111: None; want a number" in said
    assert "line 3: 222" in said and "line 4: 333" in said and "line 5: '-100'" in said
    assert set(books()) == {444, 555, 666}


def test_a_folder_that_is_not_the_predecessors_is_refused_and_the_right_one_named(run, tmp_path):
    folder(tmp_path, **OLD)
    code, said = run(tmp_path)
    assert code == 1 and "there is one in old" in said


# the predecessor's tables


@pytest.fixture
def tables(postgres):
    """Return a function that makes a database with some SQL, and returns its address."""

    def make(statements):
        url = postgres()
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(statements)
        return url

    return make


FIRST = """
CREATE TABLE users (id BIGINT PRIMARY KEY, balance NUMERIC(12, 2) NOT NULL, created_at TIMESTAMPTZ NOT NULL DEFAULT '2025-12-24');
CREATE TABLE user_settings (user_id BIGINT PRIMARY KEY, language TEXT NOT NULL, gift_claimed BOOLEAN NOT NULL);
CREATE TABLE referrals (user_id BIGINT PRIMARY KEY, referrer_id BIGINT);
CREATE TABLE payments (payment_id TEXT, user_id BIGINT, amount NUMERIC(12, 2), payment_method TEXT, status TEXT, created_at TIMESTAMPTZ);
CREATE TABLE operations (id BIGSERIAL, user_id BIGINT, type TEXT, amount NUMERIC(12, 2), model TEXT, result_url TEXT, prompt TEXT, created_at TIMESTAMPTZ);
CREATE TABLE balance_reserves (id BIGSERIAL, user_id BIGINT, amount NUMERIC(12, 2), status TEXT);
INSERT INTO users (id, balance) VALUES (111, 12.34), (222, 5), (333, 0);
INSERT INTO user_settings VALUES (111, 'ru', TRUE), (222, 'en', FALSE);
INSERT INTO referrals VALUES (222, 111);
INSERT INTO payments VALUES ('a', 222, 300, 'stars', 'approved', '2026-01-05');
INSERT INTO operations (user_id, type, amount, model, prompt, created_at) VALUES (111, 'generation', 8, 'Z Image', '{"prompt": "a fox"}', '2026-01-06');
INSERT INTO balance_reserves (user_id, amount, status) VALUES (333, 8, 'reserved'), (333, 8, 'released');
"""
LATER = """
CREATE TABLE users (user_id BIGINT PRIMARY KEY, username TEXT, first_name TEXT, role TEXT, locale TEXT, created_at TIMESTAMP DEFAULT '2026-01-01');
CREATE TABLE wallets (user_id BIGINT PRIMARY KEY, balance_rub NUMERIC(12, 2), hold_rub NUMERIC(12, 2));
CREATE TABLE ledger (id BIGSERIAL, user_id BIGINT, kind TEXT, amount_rub NUMERIC(12, 2), status TEXT, created_at TIMESTAMP);
CREATE TABLE jobs (id BIGSERIAL, user_id BIGINT, model_id TEXT, price_rub NUMERIC(12, 2), input_json JSONB, status TEXT, created_at TIMESTAMP);
CREATE TABLE referrals (partner_id TEXT, referred_user_id BIGINT, referrer_id BIGINT);
INSERT INTO users VALUES (111, 'anna', 'Anna', 'user', 'ru'), (222, NULL, 'Bob', 'admin', 'en'), (333, NULL, 'Eve', 'banned', NULL);
INSERT INTO wallets VALUES (111, 12.34, 0), (222, 5, 0), (333, 0, 8);
INSERT INTO ledger (user_id, kind, amount_rub, status, created_at) VALUES (222, 'topup', 300, 'done', '2026-01-05');
INSERT INTO jobs (user_id, model_id, price_rub, input_json, status, created_at) VALUES (111, 'z-image', 8, '{"prompt": "a fox"}', 'done', '2026-01-06');
INSERT INTO referrals VALUES ('default', 222, 111);
"""


@pytest.mark.parametrize(("schema", "banned"), [(FIRST, False), (LATER, True)], ids=["first", "later"])
def test_the_predecessors_tables_bring_people_with_all_they_had(run, books, tables, schema, banned):
    url = tables(schema)
    code, said = run(url)
    assert code == 0, said
    assert books() == {
        111: (1234, "ru", False, None), 222: (500, "en", False, 111), 333: (800, None, banned, None)
    }  # fmt: skip
    with db.connection():
        assert Referral.get().paid == 0
        past = {row.person: row.value for row in KeptValue.select()}
        made = past[User.get(User.telegram_id == 111).id]
        assert [(one["amount"], one["prompt"]) for one in made] == [(800, "a fox")] and len(past) == 2
    assert url.rpartition("@")[0] not in said and list(verify.verify()) == []
    again = run(url)[1]
    assert "taken:  0 new people, 0 who were here, 0 invitations, 0.00" in again


def test_files_that_the_predecessor_keeps_in_a_table_are_read_like_the_folder(run, books, tables):
    rows = ", ".join(f"('{part}', '{name}.json', $x${json.dumps(OLD[name])}$x$)" for part in ("a", "b") for name in OLD)
    url = tables(
        f"CREATE TABLE storage_json (partner_id TEXT, filename TEXT, payload JSONB); INSERT INTO storage_json VALUES {rows}"
    )
    code, said = run(url)
    assert code == 1 and "several bots" in said and "a, b" in said
    assert run(url, "--part", "b")[0] == 0 and len(books()) == 5


def test_a_database_of_something_else_is_refused(run, tables):
    code, said = run(tables("CREATE TABLE users (id INTEGER, name TEXT)"))
    assert code == 1 and "want the tables of the predecessor" in said


# what becomes of them


def test_the_balance_is_there_at_the_first_start_and_no_gift_comes_with_it(start_bot):
    bot = start_bot(WELCOME_GIFT="30")
    alice = bot.user("Alice")
    past = [
        {"at": "2026-01-06T00:00:00+00:00", "kind": "order", "what": "Z Image", "amount": 800, "prompt": "a fox <3"}
    ] * 11
    comes = arrivals.Arrival(alice.id, 1250, lang="en", past=past)
    assert arrivals.take(comes, "before", "before: people.csv", None, bot.clock.now()) == "new"
    alice.send("/start")
    bot.pump()
    alice.send("/balance")
    assert "12.50" in alice.last and "previous bot" in alice.last and "gift" not in texts(alice)
    alice.send("/history")
    alice.tap("📦 From the previous bot")
    assert alice.last.count("Z Image") == 10 and "a fox <3" in alice.last and "8 ₽" in alice.last
    alice.tap("Older ›")
    assert alice.last.count("Z Image") == 1


def test_the_figures_know_the_kind_and_take_it_for_no_income(start_bot):
    bot = start_bot()
    boss = bot.admin()
    arrivals.take(arrivals.Arrival(5, 125_000), "before", "before: people.csv", None, bot.clock.now())
    boss.send("/stats")
    assert "from the previous bot" in boss.last and "1,250 ₽" in boss.last


def test_somebody_who_is_forgotten_here_stays_so_when_the_import_is_run_again(start_bot):
    bot = start_bot()
    alice = bot.user("Alice")
    comes = arrivals.Arrival(
        alice.id,
        1250,
        past=[{"at": "2026-01-06T00:00:00+00:00", "kind": "payment", "what": "x", "amount": 1, "prompt": ""}],
    )
    arrivals.take(comes, "before", "before: people.csv", None, bot.clock.now())
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    with db.connection():
        assert User.get_or_none(User.telegram_id == alice.id) is None and not KeptValue.select().exists()
        assert Entry.get(Entry.kind == "import").reason is None
    assert arrivals.take(comes, "before", "before: people.csv", None, bot.clock.now()) == "before"
    assert arrivals.taken("before", [alice.id]) == {alice.id: 0}
    assert list(verify.verify()) == []


# killed half-way

KILLS, PEOPLE = proof.share(20), proof.share(10_000)


def crowd(number):
    """Return people with what they have, as plain values."""
    rng = random.Random(18)
    return [
        {"id": 1000 + n, "balance": rng.choice([0, rng.randrange(1, 10**6)]), "lang": rng.choice(["ru", "en"]),
         "inviter": 1000 + rng.randrange(n) if n and rng.random() < 0.3 else None, "banned": rng.random() < 0.02}
        for n in range(number)
    ]  # fmt: skip


def as_table(people, tmp_path, _tables):
    """Write them as CSV."""
    rows = [f"{p['id']},{p['balance'] / 100:.2f},{p['lang']},{p['inviter'] or ''},{p['banned']:d}" for p in people]
    return table(tmp_path, "\n".join(["telegram_id,balance,language,referrer_id,banned", *rows]))


def as_folder(people, tmp_path, _tables):
    """Write them as the predecessor's files."""
    return folder(
        tmp_path,
        user_balances={p["id"]: p["balance"] / 100 for p in people},
        user_languages={p["id"]: p["lang"] for p in people},
        referrals={p["id"]: p["inviter"] for p in people if p["inviter"]},
        blocked_users={p["id"]: True for p in people if p["banned"]},
    )


def as_tables(people, _tmp_path, tables):
    """Make them rows of the predecessor's tables."""
    url = tables(LATER.partition("INSERT")[0])
    with closing(psycopg.connect(url, autocommit=True)) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY users (user_id, role, locale) FROM STDIN") as copy:
            for p in people:
                copy.write_row((p["id"], "banned" if p["banned"] else "user", p["lang"]))
        with cursor.copy("COPY wallets FROM STDIN") as copy:
            for p in people:
                copy.write_row((p["id"], p["balance"] / 100, 0))
        with cursor.copy("COPY referrals FROM STDIN") as copy:
            for p in people:
                if p["inviter"]:
                    copy.write_row(("default", p["id"], p["inviter"]))
    return url


@pytest.mark.proof
@pytest.mark.parametrize("shape", proof.part([as_table, as_folder, as_tables], seed=1))
def test_an_import_that_is_killed_again_and_again_ends_with_the_sums_of_one_that_was_not(
    database_url, books, tables, tmp_path, shape
):
    people = crowd(PEOPLE)
    source, killed = shape(people, tmp_path, tables), 0
    settings = environment(DATABASE_URL=database_url, DATA_DIR=str(tmp_path / "var"), ADMIN_IDS="900")
    command = [sys.executable, str(ROOT / "bot.py"), "import", str(source)]
    rng = random.Random(shape.__name__)
    whole = PEOPLE + 1 + sum(p["inviter"] is not None for p in people)
    for kill in range(KILLS):
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        taken = count(database_url)
        until = taken + rng.uniform(0.1, 1) * (whole - taken) / (KILLS - kill)  # a little further each time
        while process.poll() is None and count(database_url) < until:
            threading.Event().wait(0.1)
        was_at_work = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += was_at_work and taken < count(database_url) < whole
    assert killed, "it was never caught at work"
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = {p["id"]: (p["balance"], p["lang"], p["banned"], p["inviter"]) for p in people}
    assert books() == wanted
    total = sum(p["balance"] for p in people)
    assert (
        f"after:  {PEOPLE + 1} accounts" in done.stdout
        and f"{total // 100}.{total % 100:02} in balances" in done.stdout
    )
    assert "proved: the books balance" in done.stdout


def count(url):
    """Return how many people and invitations another process has committed so far."""
    rows = 'SELECT (SELECT COUNT(*) FROM "user") + (SELECT COUNT(*) FROM referral)'
    try:
        with closing(psycopg.connect(url) if url.startswith("postgres") else _sqlite(url)) as connection:
            return connection.execute(rows).fetchone()[0]
    except Exception:  # the tables are still to be made
        return 0


def _sqlite(url):
    import sqlite3

    path = url.removeprefix("sqlite:///")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True) if os.path.exists(path) else sqlite3.connect(":memory:")

"""Seals: a minute after it was written every row is sealed for ever, never too early, and nobody waits for it."""

from datetime import timedelta

import peewee
import pytest

from storage.base import db, schema
from storage.base.tables import Entry, Seal, User, Words
from storage.money import ledger, seals, verify
from storage.orders import jobs
from storage.people import privacy, staff, users
from tests.ledgers import Town
from tests.shop import in_threads
from tests.test_dump import environ, run

MINUTE = timedelta(minutes=1)


@pytest.fixture
def town(database_url):
    """A town on an empty database of each kind, nothing sealed."""
    db.connect(database_url)
    schema.migrate()
    yield Town()
    db.disconnect()


def bounds():
    """Return (last entry, last act) of every seal."""
    with db.connection():
        return list(Seal.select(Seal.entry, Seal.act).order_by(Seal.id).tuples())


def newest_ids():
    """Return the ids of the newest entry and act."""
    seen = seals.look()
    return seen.entry, seen.act


def test_what_was_there_a_minute_ago_is_sealed_and_nothing_newer(town):
    town.live()
    town.sealer.step(town.now)
    first = newest_ids()
    assert bounds() == []
    town.live()
    town.later()
    assert bounds() == [first]
    town.later()
    assert bounds() == [first, newest_ids()]
    town.later(5)
    assert len(bounds()) == 2, "a minute without anything new has no seal"
    assert list(verify.verify()) == []


def test_the_first_seal_covers_whatever_was_there_before(town):
    for _year in range(3):
        town.live()
    town.later(2)
    assert bounds() == [newest_ids()]
    assert list(verify.verify()) == []


def test_two_leaders_who_go_on_from_the_same_seal_make_one(town):
    """A former leader cannot fork the chain: whoever comes second does nothing."""
    for _round in range(5):
        town.live()
        seen, before = seals.look(), len(bounds())
        made = in_threads(4, lambda number, seen=seen: seals.seal(seen, town.now + number * MINUTE))
        assert sum(one is not None for one in made) == 1, made
        assert len(bounds()) == before + 1
    assert list(verify.verify()) == []


def test_a_second_successor_of_a_seal_is_refused_by_the_database(town):
    town.live()
    town.later(2)
    town.live()
    town.later(2)
    with pytest.raises(peewee.IntegrityError), db.transaction():
        Seal.insert(id=9, entry=99, act=99, previous=Seal.get_by_id(2).previous, hash="x", made_at=town.now).execute()


def test_a_leader_that_slept_for_an_hour_takes_nothing_back(town):
    town.live()
    sleeper = seals.Sealer()
    sleeper.step(town.now)
    town.live()
    town.later(3)
    before = bounds()
    town.live()
    sleeper.step(town.now + timedelta(hours=1))
    assert bounds() == before
    town.later(3)
    assert list(verify.verify()) == [] and bounds()[-1] == newest_ids()


def other_session(url):
    """Return a connection of one's own to PostgreSQL; SQLite orders writers by itself, so there is nothing to prove."""
    if not db.is_postgres():
        pytest.skip("in SQLite one writer waits for the other")
    import psycopg

    return psycopg.connect(url)


INSERT = "INSERT INTO entry (id, user_id, amount, kind, key, created_at) VALUES (%s, 1, 0, 'admin', %s, 0)"


@pytest.mark.parametrize("writes_first", [True, False])
def test_an_entry_that_is_committed_late_is_waited_for(town, database_url, writes_first):
    """A number is taken, later numbers are committed, minutes pass: only then the first one's transaction ends."""
    town.live()
    with other_session(database_url) as slow:
        (number,) = slow.execute("SELECT nextval('entry_id_seq')").fetchone()
        if writes_first:
            slow.execute(INSERT, (number, "late"))
        town.live()
        town.later(5)
        assert bounds() == [], "the minute is not over for somebody"
        if not writes_first:
            slow.execute(INSERT, (number, "late"))
        slow.execute("INSERT INTO source VALUES ('late', 1, 'admin', 0, 0)")
        slow.commit()
    town.later(2)
    assert bounds()[-1] == newest_ids()
    with db.connection():
        assert Entry.get(Entry.key == "late").id < bounds()[0][0], "it is under the seal"
    assert list(verify.verify()) == []


def test_words_go_with_their_person_and_the_seals_still_hold(town):
    town.live()
    alice = town.people["alice"]
    jobs.fail(town.rows["running"], "deadline", now=town.now)
    jobs.fail(town.rows["queued"], "deadline", now=town.now)
    with db.transaction() as real:
        real.execute_sql("UPDATE job SET delivery = 'sent' WHERE delivery = 'pending'")
    town.later(2)
    with db.connection():
        assert Words.select().where(Words.user == alice).count() >= 4
        assert "a thank you" in {entry.reason for entry in ledger.entries(alice, limit=100)}
    assert privacy.erase(alice, town.now)
    with db.connection():
        assert not Words.select().where(Words.user == alice).exists()
        assert Words.select().where(Words.text == "a wrong picture").exists(), "others' stay"
        assert User.get_by_id(alice).telegram_id is None
    assert {entry.reason for entry in ledger.entries(alice, limit=100)} == {None}
    assert list(verify.verify()) == []


def test_words_of_a_post_that_was_made_before_are_not_kept_twice(town):
    person = town.person("Ann")
    for _time in range(3):
        staff.correct(person, 5, "once", town.boss, "admin:1.1", town.now)
    with db.connection():
        assert [text for (text,) in Words.select(Words.text).tuples()] == ["once", "once"], (
            "of the entry, and of the act"
        )
    assert list(verify.verify()) == []


def test_the_same_words_have_another_digest_each_time(town):
    people = [town.person(name) for name in ("Ann", "Ben")]
    for number, person in enumerate(people):
        staff.correct(person, 5, "yes", town.boss, f"admin:1.{number}", town.now)
    with db.connection():
        digests = [digest for (digest,) in Entry.select(Entry.digest).tuples()]
    assert len(set(digests)) == 2, "so nobody finds out erased words by trying"


# with the bot, and on the command line


def test_the_leader_seals_once_a_minute_and_the_newest_can_be_kept(start_bot, tmp_path, capsys):
    bot = start_bot()
    settings = environ(bot, tmp_path)
    code, said = run("head", None, settings, capsys)
    assert code == 1 and "nothing has been sealed yet" in said
    db.connect(bot.url)
    alice = bot.rich()
    bot.forward(180)
    with db.connection():
        (seal,) = Seal.select()
    code, said = run("head", None, settings, capsys)
    assert code == 0 and said.startswith(f"1:{seal.hash}  {seal.made_at:%Y-%m-%d %H:%M} UTC\n")
    kept = said.split()[0]
    db.connect(bot.url)
    bot.bot.ledger.post(users.by_telegram_id(alice.id).id, 5, kind="bonus", key="b", now=bot.clock.now())
    bot.forward(180)
    code, said = run("verify", kept, settings, capsys)
    assert code == 0 and f"the seal you kept is in its place: {kept}" in said and "0 differences" in said
    for wrong in ("1:" + "0" * 64, "2:" + seal.hash, "rubbish", ":"):
        code, said = run("verify", wrong, settings, capsys)
        assert code == 1 and f"broken: the seal you kept is not there: {wrong}" in said and "1 differences" in said
    db.connect(bot.url)


def test_a_backup_and_a_move_keep_the_seals(start_bot, request, tmp_path, capsys, database_url):
    other = f"sqlite:///{tmp_path}/other/bot.db"
    other = request.getfixturevalue("postgres")() if database_url.startswith("sqlite") else other
    bot = start_bot()
    bot.rich()
    bot.forward(180)
    settings = environ(bot, tmp_path)
    _code, head = run("head", None, settings, capsys)
    assert run("move", other, settings, capsys)[0] == 0
    assert run("verify", head.split()[0], settings | {"DATABASE_URL": other}, capsys)[0] == 0
    assert run("head", None, settings | {"DATABASE_URL": other}, capsys)[1].split()[0] == head.split()[0]


def test_the_doctor_says_when_nothing_is_sealed_any_more(start_bot):
    bot = start_bot()
    bot.rich()
    bot.forward(180)
    assert "seals" in bot.bot.checks
    assert "doctor.seals" not in {key for _name, key, _values in bot.bot.examine()}
    bot.rich("Boris")
    bot.clock.forward(3 * 3600)
    assert ("doctor.seals", 3) in [(key, values.get("n")) for _name, key, values in bot.bot.examine()]

"""Prepared statements return the same as those that peewee builds each time, and most updates read by these alone."""

from datetime import UTC, datetime, timedelta

import peewee
import pytest

from storage.base import db
from storage.base.db import connection, transaction
from storage.base.prepared import Prepared, inserted_many, padded
from storage.base.tables import Draft, Entry, User
from storage.people import users
from tests.shop import card
from tests.watching import Calls, while_handled

NOW = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)


@pytest.fixture
def anna(ready_url):
    db.connect(ready_url)
    yield users.seen(users.Sender(77, "Anna", "anna", "en"), NOW)
    db.disconnect()


def test_a_row_is_an_instance_as_peewee_makes_it(anna):
    found = Prepared(lambda telegram_id: User.select().where(User.telegram_id == telegram_id)).first(77)
    with connection():
        kept = User.get_by_id(anna.id)
    assert found == kept and found.__data__ == kept.__data__
    assert found.created_at == NOW and found.banned is False and found.role is None


def test_nobody_is_none_and_no_rows_are_an_empty_list(anna):
    nobody = Prepared(lambda name: User.select().where(User.username == name))
    assert nobody.first("boris") is None and nobody.rows("boris") == []
    assert nobody.first("anna").id == anna.id


def test_columns_and_sums_come_plain(anna):
    assert Prepared(lambda user: User.select(User.first_name).where(User.id == user)).scalar(anna.id) == "Anna"


def test_times_constants_and_limits_find_their_places(anna):
    with transaction():
        for number, hours in enumerate((1, 2, 3)):
            Draft.insert(user=anna.id, plugin=f"p{number}", expires_at=NOW + timedelta(hours=hours)).execute()
    later = Prepared(
        lambda user, now, limit: (
            Draft.select()
            .where(Draft.expires_at > now, Draft.user == user, Draft.version == 1)
            .order_by(Draft.id.desc())
            .limit(limit)
        )
    )
    assert [draft.plugin for draft in later.rows(anna.id, NOW + timedelta(hours=1), 5)] == ["p2", "p1"]
    assert [draft.plugin for draft in later.rows(anna.id, NOW, 1)] == ["p2"]


def test_a_parameter_that_does_not_reach_the_statement_is_a_bug(anna):
    with pytest.raises(ValueError, match="got lost"):
        Prepared(lambda user, unused: Entry.select().where(Entry.user == user)).rows(anna.id, 1)


def test_some_columns_are_no_instance(anna):
    some = Prepared(lambda user: User.select(User.id, User.lang).where(User.id == user))
    assert some.rows(anna.id) == [(anna.id, None)]


def test_a_column_beside_the_whole_row_is_an_attribute_of_it(anna):
    double = Prepared(lambda user: User.select(User, (User.telegram_id * 2).alias("double")).where(User.id == user))
    found = double.first(anna.id)
    assert (found, found.double, found.first_name) == (anna, 154, "Anna")


def compiles(frame):
    """Name what Peewee writes out as a statement, or a part of one."""
    is_compiling = frame.f_code.co_name == "__sql__" and frame.f_code.co_filename == peewee.__file__
    return type(frame.f_locals["self"]).__name__ if is_compiling else None


@pytest.mark.parametrize("words", ["/start", "/balance"])
def test_what_most_updates_read_is_compiled_once_and_they_write_nothing(start_bot, words):
    """To compile a statement takes ten times as long as SQLite's answer, a write longer than the whole answer."""
    bot, calls = start_bot(), Calls(compiles)
    alice = bot.user()
    alice.send(words)
    bot.clock.forward(90)  # long enough for a new time of being seen, too short for what is looked up once in a while
    while_handled(bot, lambda: alice.send(words), calls)
    assert calls.names == [] and alice.last


def test_an_order_compiles_nothing_from_the_tap_to_the_result(start_bot):
    bot, compiled = start_bot(), Calls(statements)
    first, second = bot.rich("First"), bot.rich("Second")
    for person in (first, second):
        card(person, model="z-image")
    order(bot, first)
    with compiled:
        order(bot, second)
    assert not compiled.names, "\n".join(sorted(compiled.names))
    assert "photo" in second.last_message


def order(bot, person):
    """Order what is on the card, and wait for the result."""
    person.tap("▶ Create")
    bot.forward(30)


def statements(frame):
    """Name the place in our code that had Peewee write out a statement."""
    is_compiling = frame.f_code is peewee.Database.execute.__code__
    while is_compiling and "site-packages" in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if is_compiling else None


def test_a_newcomer_and_what_is_done_each_hour_compile_nothing(start_bot):
    bot, compiled = start_bot(), Calls(statements)
    bot.user().send("/start")
    bot.forward(7200, step=600)
    with compiled:
        bot.user("Boris").send("/start")
        bot.forward(7200, step=600)
    assert not compiled.names, "\n".join(sorted(compiled.names))


def test_rows_inserted_together_tell_their_keys_and_leave_out_who_is_there(anna):
    times = {"created_at": NOW, "seen_at": NOW}
    rows = [{"telegram_id": one, "code": f"c{one}", "banned": one == 79, **times} for one in range(77, 330)]
    with db.transaction():
        made = inserted_many(User, rows, User.id, is_new=False)
        assert len(set(made)) == 252 and anna.id not in made, "anna is there already"
        assert [user.telegram_id for user in User.select().where(User.banned)] == [79]
        with pytest.raises(peewee.IntegrityError), db.transaction():
            inserted_many(User, rows[:1], User.id)


def test_any_number_of_parameters_finds_its_places(anna):
    many = Prepared(lambda *ids: User.select(User.id).where(User.telegram_id.in_(ids)), 250)
    assert many.rows(*range(1, 250), 77) == [(anna.id,)]


def test_lists_of_ids_have_few_lengths_and_name_nobody_else():
    lists = [list(range(count)) for count in range(101)]
    assert {len(padded(one)) for one in lists} == {0, 1, 10, 100}
    assert all(set(padded(one)) == set(one) for one in lists)
    assert padded(range(101)) == list(range(101))

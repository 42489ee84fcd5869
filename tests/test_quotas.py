"""What costs staff time, or is worth guessing, has a limit per person, refused politely and stored in rows."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.base import db, schema
from storage.base.tables import Quota
from storage.money import quotas
from tests.kit import png
from tests.shop import in_threads
from tests.till import transfer

HOUR_S = 3600
POLITE = "You can continue in"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ask(person, words="where is my picture"):
    """Write to the staff."""
    person.send("/support")
    person.send(words)


def requests(boss):
    """Return how many messages of people the admin has."""
    return sum("where is my picture" in message.get("text", "") for message in boss.received)


def test_a_person_may_write_to_the_staff_ten_times_an_hour(start_bot):
    bot = start_bot()
    boss, alice, boris = bot.admin(), bot.user(), bot.user("Boris")
    for _ in range(10):
        ask(alice)
        assert POLITE not in alice.last
        bot.forward(30)
    ask(alice)
    assert f"{POLITE} 55 min" in alice.last and requests(boss) == 10
    ask(boris)
    assert POLITE not in boris.last and requests(boss) == 11
    bot.restart()
    ask(alice)
    assert POLITE in alice.last, "a restart is no new hour"
    bot.forward(HOUR_S, step=HOUR_S)
    ask(alice)
    assert POLITE not in alice.last and requests(boss) == 12


def test_the_code_of_a_promo_cannot_be_guessed_by_trying(start_bot):
    bot = start_bot()
    boss, eve = bot.admin(), bot.user("Eve")
    boss.send("/newpromo ABC 100 5")
    for number in range(10):
        eve.send(f"/promo AB{number}")
        assert "no such code" in eve.last.lower() or POLITE not in eve.last
    eve.send("/promo ABC")
    assert POLITE in eve.last and bot.balance(eve) == 0
    bot.forward(HOUR_S, step=HOUR_S)
    eve.send("/promo ABC")
    assert bot.balance(eve) == 10_000


def test_who_has_their_data_erased_and_comes_back_has_no_new_guesses(start_bot):
    bot = start_bot()
    eve = bot.user("Eve")
    for number in range(10):
        eve.send(f"/promo AB{number}")
    eve.send("/deleteme")
    eve.tap("Yes, forget me")
    eve.send("/start")
    eve.send("/promo ABC")
    assert POLITE in eve.last


def test_screenshots_have_their_limit_before_they_are_looked_at(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    for number in range(10):
        transfer(alice, picture=png(str(number)))
        assert POLITE not in alice.last
        boss.tap("✗ Decline")
        boss.tap("the payment was not found")
    looked = len(bot.telegram.calls("getFile"))
    transfer(alice, picture=png("eleven"))
    assert POLITE in alice.last and len(bot.telegram.calls("getFile")) == looked
    assert bot.bot.payments.count_waiting() == 0


@pytest.fixture
def opened(database_url):
    """An open database of each kind."""
    db.connect(database_url)
    schema.migrate()
    yield
    db.disconnect()


def test_of_many_at_the_same_moment_no_more_get_through(opened):
    results = in_threads(12, lambda _number: quotas.take(7, "x", 5, timedelta(hours=1), NOW))
    assert sum(one is None for one in results) == 5
    assert {one for one in results if one is not None} == {NOW + timedelta(hours=1)}


def test_a_row_goes_when_its_time_is_over_and_names_nobody(opened):
    quotas.take(700_000_007, "x", 5, timedelta(hours=1), NOW)
    with db.connection():
        assert [row for row in Quota.select().dicts() if "700000007" in str(row)] == []
    quotas.take(8, "y", 5, timedelta(hours=1), NOW + timedelta(hours=2))
    with db.connection():
        assert Quota.select().count() == 1

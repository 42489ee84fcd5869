"""Rows that are no longer needed are deleted after a week, so a year's traffic leaves these tables small."""

from datetime import timedelta

from storage.base import db
from storage.base.tables import (
    Alarm,
    Broadcast,
    Draft,
    Fact,
    FactDone,
    Inbox,
    Letter,
    Outbox,
    Recipient,
    Trouble,
)
from storage.people import broadcasts, tidy
from tests.house import plugins_with
from tests.kit import BOSS
from tests.shop import assert_books_are_right, order
from tests.test_updates import BOOM
from tests.till import pay_stars, request, transfer

BOUNDED = (Outbox, Fact, FactDone, Inbox, Trouble, Alarm, Letter, Recipient, Draft)
DAY_S = 24 * 3600


def sizes():
    """Return {table: rows} of the tables that must not grow for ever."""
    with db.connection():
        return {table.__name__: table.select().count() for table in BOUNDED}


def traffic(bot, boss, people):
    """Have people do what leaves rows behind."""
    alice, bob = people
    order(bot, alice)
    bot.forward(60, step=20)
    pay_stars(bob)
    transfer(alice)
    boss.tap("✓ Approve", request(boss))
    alice.send("/support")
    alice.send("thank you")
    bob.send("/boom")
    message = boss.send("News")
    boss.send("/broadcast", reply_to=message["message_id"])
    boss.forge(f"broadcast:start:{broadcasts.newest()[0].id}:1")
    bot.forward(20, step=10)


def test_a_years_traffic_leaves_the_tables_bounded(start_bot, monkeypatch, tmp_path):
    plugins = plugins_with(monkeypatch, tmp_path, boom=BOOM)
    bot = start_bot(plugins=plugins, FLOOD_MESSAGES="1000000", now="2027-02-01 12:00")  # no price of the catalogue ends
    boss, people = bot.admin(), (bot.rich("Alice", "100000"), bot.rich("Bob"))
    seen = []
    for _month in range(12):
        traffic(bot, boss, people)
        bot.clock.forward(30 * DAY_S)
        bot.pump()
        seen.append(sizes())
    assert seen[-1] == seen[1], "after a year as after a month"
    assert sum(seen[-1].values()) <= 5, seen[-1]
    with db.connection():
        assert Broadcast.select().count() == 12
    assert broadcasts.progress(1) == {"sent": 3} and "Sent 3 of 3" in shown(bot, boss, 1)
    assert_books_are_right()
    assert [str(error) for error in bot.failed("update")] == ["boom"] * 12


def shown(bot, boss, number):
    """Return what the screen of a broadcast says."""
    boss.forge(f"broadcast:draft:{number}")
    return boss.last


def test_what_is_open_stays_however_old_it_is(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    transfer(alice)
    bot.clock.forward(30 * DAY_S)
    bot.pump()
    assert len(bot.bot.outbox.sent_for("topup:1")) == 1, "the copy that will be edited"
    boss.tap("✓ Approve", request(boss))
    assert "+300 ₽" in alice.last
    bot.clock.forward(30 * DAY_S)
    bot.pump()
    assert bot.bot.outbox.sent_for("topup:1") == []


def test_a_letter_nobody_has_read_yet_stays(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/support")
    alice.send("is anybody there?")
    bot.clock.forward(60 * DAY_S)
    bot.pump()
    boss = bot.admin()
    assert boss.id == BOSS and any("is anybody there?" in m.get("text", "") for m in boss.received)


def test_many_rows_go_in_small_steps(start_bot):
    bot = start_bot()
    boss = bot.admin()
    user, now = bot.bot.users.by_telegram_id(boss.id), bot.clock.now()
    with db.transaction():
        rows = [
            {"key": f"old:{number}", "user": user.id, "text": "x", "state": "sent", "send_at": now - timedelta(days=9)}
            for number in range(2 * tidy.SOME + 1)
        ]
        Outbox.insert_many(rows).execute()
    assert tidy.sweep(now - timedelta(days=7))["outbox"] == 2 * tidy.SOME + 1
    assert tidy.sweep(now - timedelta(days=7)) == {}

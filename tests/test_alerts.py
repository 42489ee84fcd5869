"""Alerts: one message per cause, quiet hours, the group; and the counts of the admin menu."""

import logging

import pytest

from tests.shop import order, texts
from tests.till import TWO_OWNERS, owner, staff

pytest.importorskip("plugins.admin.alerts")


def count(person, words):
    """Return how many messages of a person have these words."""
    return sum(words in (message.get("text") or "") for message in person.received)


def test_a_cause_is_told_once_and_again_when_it_comes_back(start_bot):
    bot = start_bot()
    boss = bot.admin()
    bot.kie.settings(credits=100)
    bot.forward(3 * 3600, step=600)
    assert count(boss, "KIE credits are low: 100") == 1
    bot.kie.settings(credits=100_000)
    bot.forward(2 * 3600, step=600)
    bot.kie.settings(credits=90)
    bot.forward(1800, step=600)
    assert count(boss, "KIE credits are low") == 2
    boss.send("/admin")
    boss.tap("Alerts")
    assert "KIE credits are low: 90" in boss.last


def test_a_cause_that_lasts_is_told_once_a_day(start_bot):
    bot = start_bot(DISK_LOW_MB="1000000000")
    boss = bot.admin()
    bot.forward(50 * 3600, step=1800)
    assert count(boss, "The disk is filling") == 3


def test_a_model_that_fails_is_one_alarm_and_not_one_an_order(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    bot.kie.fail_next(times=6)
    for _ in range(6):
        order(bot, alice)
        bot.forward(60, step=20)
    bot.forward(120, step=60)
    assert count(boss, "orders in the last hour failed") == 1
    assert "z-image" in texts(boss)


def test_failures_of_peoples_own_making_ring_nothing(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    bot.kie.fail_next("500-moderation", times=6)
    for _ in range(6):
        order(bot, alice)
        bot.forward(60, step=20)
    assert count(boss, "orders in the last hour failed") == 0


def test_orders_that_stand_still_ring_and_are_counted_in_the_menu(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    bot.kie.trouble("create", "429", times=1000)
    order(bot, alice)
    bot.forward(20 * 60, step=30)
    assert count(boss, "1 order is stuck") == 1
    boss.send("/admin")
    assert "stuck: 1" in boss.last


def test_rising_errors_ring_once(start_bot):
    bot = start_bot()
    boss = bot.admin()
    for number in range(60):
        logging.getLogger("anywhere").error("trouble %s", number)
    bot.forward(300, step=60)
    assert count(boss, "errors in 10 minutes") == 1


def test_quiet_hours_hold_alarms_back_by_the_clock_of_who_set_them(start_bot):
    bot = start_bot(now="2026-11-22 19:00")
    boss = bot.admin()
    boss.send("/timezone +3")
    boss.send("/quiet 23-8")
    assert "Quiet from 23:00 to 8:00" in boss.last
    bot.forward(3600 + 600, step=600)
    bot.kie.settings(credits=100)
    bot.forward(8 * 3600, step=600)
    assert count(boss, "KIE credits are low") == 0
    bot.forward(3600, step=600)
    assert count(boss, "KIE credits are low") == 1
    boss.send("/quiet 25-8")
    assert "Send two hours of the day" in boss.last
    boss.send("/quiet off")
    assert "No quiet hours" in boss.last


def test_alarms_go_to_the_group_and_back_again(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg = bot.admin(), owner(bot)
    group = bot.telegram.group("Staff", boss, oleg)
    boss.send("/here")
    assert "Add me to your team’s group" in boss.last
    boss.send("/here", group=group)
    bot.kie.settings(credits=100)
    bot.forward(900, step=300)
    assert sum("KIE credits are low" in message.get("text", "") for message in group.messages) == 1
    assert count(boss, "KIE credits are low") == count(oleg, "KIE credits are low") == 0
    boss.send("/quiet")
    assert "go to the group" in boss.last
    boss.tap("In private again")
    assert "go to each team member in private" in boss.last


def test_only_those_who_may_hear_alarms(start_bot):
    bot = start_bot()
    cashier, support, admin = staff(bot, "cashier", "Kate"), staff(bot, "support", "Sue"), staff(bot, "admin", "Sam")
    bot.kie.settings(credits=100)
    bot.forward(900, step=300)
    assert [count(one, "KIE credits are low") for one in (cashier, support, admin, bot.admin())] == [0, 0, 1, 1]


def test_the_admin_menu_says_how_long_the_credits_last(start_bot):
    bot = start_bot(USD_RATE="100")
    boss, alice = bot.admin(), bot.rich()
    bot.kie.settings(credits=12_300)
    bot.forward(360, step=60)
    boss.send("/admin")
    assert "KIE: 12,300 credits, 6,150 ₽" in boss.last  # half a cent a credit
    order(bot, alice)
    bot.forward(400, step=60)
    boss.send("/admin")
    assert "failed orders: 0 of 1 · stuck: 0" in boss.last and "days" not in boss.last, "a year tells nobody anything"
    bot.kie.settings(credits=40)
    bot.forward(400, step=60)
    boss.send("/admin")
    assert "50 days" in boss.last  # of the 0.8 credits of a picture


def test_a_kie_that_does_not_answer_is_said_so(start_bot):
    bot = start_bot()
    boss = bot.admin()
    bot.forward(400, step=100)
    bot.kie.trouble("credit", "500", times=50)
    bot.restart()
    boss.send("/admin")
    assert "KIE does not say how many credits are left." in boss.last

"""/pause and /resume: sales stop for a while, and people read why."""

import pytest

from tests.shop import card, entries_of, order, texts

pytest.importorskip("plugins.admin.pause")


def test_orders_stop_with_the_operators_words_and_nothing_is_charged(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    running = order(bot, alice)
    boss.send("/pause Back at <18:00>")
    assert "Back at <18:00>" in boss.last
    alice.send("/start")
    assert "Back at <18:00>" in alice.last
    card(alice)
    alice.tap("▶ Create")
    assert "Back at <18:00>\nNothing was charged." in alice.last and "Support" in alice.buttons
    bot.forward(120)
    assert "photo" in str([list(message) for message in alice.received])
    assert [kind for kind, _amount in entries_of(bot, alice)] == ["admin", "hold", "capture"]
    boss.send("/admin")
    assert "Sales are paused" in boss.last
    bot.restart()
    card(alice)
    alice.tap("▶ Create")
    assert "Back at <18:00>" in alice.last
    boss.send("/resume")
    assert "Sales are back on" in boss.last
    assert order(bot, alice).id > running.id


def test_without_words_people_read_the_usual_ones_in_their_language(start_bot):
    bot = start_bot()
    boss, anna = bot.admin(), bot.rich("Анна", language_code="ru")
    boss.send("/pause")
    anna.send("a fox")
    anna.forge("generate:open:z-image")
    anna.forge(next(data for data in anna.buttons.values() if data.startswith("orders:go")))
    assert "короткий перерыв" in anna.last
    boss.tap("▶ Resume sales")
    boss.send("/resume")
    assert "were not paused" in boss.last
    assert "short break" not in texts(anna)

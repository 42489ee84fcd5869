"""What a person sees of an order under way: how far it should be, every five seconds while few orders are shown."""

import pytest

from tests.shop import order


def edits(bot, person):
    """Return the words of the edits of a person's messages, oldest first."""
    calls = bot.telegram.calls("editMessageText")
    return [call["params"]["text"] for call in calls if str(call["params"]["chat_id"]) == str(person.id)]


@pytest.fixture
def bot(start_bot):
    """A bot whose orders take for ever."""
    bot = start_bot(USER_JOBS="100", USER_STARTS="100", FLOOD_MESSAGES="1000")
    bot.kie.settings(hold=True)
    return bot


def test_the_bar_moves_every_five_seconds_and_is_never_full(bot):
    alice = bot.rich()
    order(bot, alice)
    before = len(edits(bot, alice))
    bot.forward(60)
    shown = edits(bot, alice)[before:]
    assert 11 <= len(shown) <= 12
    filled = [text.count("▰") for text in shown]
    assert filled == sorted(filled) and filled[0] < filled[-1] == 9
    assert all(text.count("▰") + text.count("▱") == 10 for text in shown)


def test_after_the_usual_time_it_says_so_and_much_later_that_the_money_is_safe(bot):
    alice = bot.rich()
    order(bot, alice)
    bot.forward(300, step=10)
    assert "taking a little longer" in edits(bot, alice)[-1]
    bot.forward(600, step=20)
    assert "Your money is safe" in edits(bot, alice)[-1]


def test_of_many_orders_each_moves_more_slowly_so_that_all_make_four_edits_a_second(bot):
    alice = bot.rich(amount="10000")
    for _ in range(40):
        order(bot, alice)
        bot.clock.forward(1)
    bot.forward(60)
    before = len(edits(bot, alice))
    bot.forward(60, step=1)
    assert 40 * 5 <= len(edits(bot, alice)) - before <= 60 * 4

"""*And create*: what waits for money is made by the payment for it, if the person has said so."""

import pytest

from tests import till
from tests.shop import assert_books_are_right, card, jobs_of, order
from tests.till import request


def short(person, code="z-image"):
    """Come to the screen that says what an order lacks."""
    card(person, model=code)
    person.tap(next(label for label in person.buttons if "short" in label))


def agree(person):
    """Say *and create* there."""
    short(person)
    person.tap("☐ and create at once · 0.72 ₽")


def pay(person, amount="10 ₽"):
    """Pay with Stars from that screen."""
    person.tap(amount)
    person.tap("⭐")
    person.pay()


def test_the_payment_makes_the_order_if_the_person_has_said_so(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    agree(anna)
    assert "✓ and create at once · 0.72 ₽" in anna.buttons and "made at once, for 0.72 ₽" in anna.last
    pay(anna)
    (job,) = jobs_of(bot, anna)
    told = [message.get("text", "") for message in anna.received]
    assert "<b>" not in told[-2] and told[-2] == "+10 ₽, balance 10 ₽." and "Z-Image" in told[-1]
    assert "▶ To the waiting order" not in str(anna.received[-2]), "nothing waits any more"
    assert job.progress_id is None or job.progress_id == anna.last_message["message_id"]
    bot.forward(60)
    assert "photo" in anna.last_message and "balance 9.28 ₽" in anna.last
    assert not any("⏳" in message.get("text", "") for message in anna.received), "its progress is gone"
    assert "+10 ₽" in str(anna.received), "the receipt stays"
    assert_books_are_right()


def test_an_order_that_waits_is_not_made_unasked_and_agreeing_can_be_taken_back(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    agree(anna)
    anna.tap("✓ and create at once")
    assert "☐ and create at once · 0.72 ₽" in anna.buttons and "Your order is waiting" in anna.last
    pay(anna)
    assert jobs_of(bot, anna) == [] and "▶ To the waiting order" in anna.buttons


def test_a_payment_that_is_told_twice_makes_one_order(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    agree(anna)
    anna.tap("10 ₽")
    anna.tap("⭐")
    anna.pay(times=2)
    bot.restart()
    bot.forward(120)
    assert len(jobs_of(bot, anna)) == 1
    assert_books_are_right()


def test_an_order_is_made_by_a_transfer_once_it_is_approved(start_bot):
    bot = start_bot()
    anna, boss = bot.user("Anna"), bot.admin()
    agree(anna)
    anna.tap("10 ₽")
    anna.tap("🏦")
    anna.photo(till.png("a screenshot"))
    bot.forward(20 * 3600, step=3600)
    assert jobs_of(bot, anna) == []
    boss.tap("✓ Approve", message=request(boss))
    assert len(jobs_of(bot, anna)) == 1


@pytest.mark.parametrize("meanwhile", ["another price", "a day", "not enough", "another order", "paused", "blocked"])
def test_what_has_changed_meanwhile_is_offered_instead(start_bot, meanwhile):
    bot = start_bot()
    anna, boss = bot.user("Anna"), bot.admin()
    agree(anna)
    anna.tap("100 ₽")
    anna.tap("🏦")
    anna.photo(till.png("a screenshot"))
    if meanwhile == "another price":
        bot.restart(USD_RATE="95")
    elif meanwhile == "a day":
        bot.forward(25 * 3600, step=3600)
    elif meanwhile == "another order":
        anna.send("a wolf")
    elif meanwhile == "paused":
        boss.send("/pause")
    elif meanwhile == "blocked":
        till.open_card(boss, anna)
        boss.tap("Block")
        boss.send("spam")
        boss.tap("✓ Block")
    if meanwhile == "not enough":
        boss.tap("Other amount", message=request(boss))
        boss.send("0.50")
        boss.tap("✓ Approve 0.50 ₽")
    else:
        boss.tap("✓ Approve", message=request(boss))
    bot.forward(60)
    assert jobs_of(bot, anna) == []
    waits = "▶ To the waiting order" in str(anna.received)
    assert waits is (meanwhile != "a day")
    assert_books_are_right()


def test_a_rung_of_a_ladder_and_a_changed_result_are_made_by_their_payment(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna", "1")
    order(bot, anna)
    bot.forward(60)
    anna.send("warmer light", reply_to=anna.last_message)
    for start in (None, "a fox in the snow"):
        if start:
            anna.send(start)
        anna.tap(next(label for label in anna.buttons if "top up" in label))
        anna.tap("☐ and create at once")
        before = len(jobs_of(bot, anna))
        anna.tap("100 ₽")
        anna.tap("⭐")
        anna.pay()
        assert len(jobs_of(bot, anna)) == before + 1
        user = bot.bot.users.by_telegram_id(anna.id)
        left = bot.balance(anna)
        bot.bot.ledger.post(user.id, -left, kind="admin", key=f"spent {before}", now=bot.clock.now(), reason="spent")
    assert_books_are_right()

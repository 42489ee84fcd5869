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
    person.tap("☐ Create when paid · 0.72 ₽")


def pay(person, amount="10 ₽"):
    """Pay with Stars from that screen."""
    person.tap(amount)
    person.tap("⭐")
    person.pay()


def test_the_payment_makes_the_order_if_the_person_has_said_so(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    agree(anna)
    assert "✓ Create when paid · 0.72 ₽" in anna.buttons and "made at once, for 0.72 ₽" in anna.last
    pay(anna)
    (job,) = jobs_of(bot, anna)
    told = [message.get("text", "") for message in anna.received]
    assert "<b>" not in told[-2] and told[-2] == "+10 ₽, balance 10 ₽." and "Z-Image" in told[-1]
    assert "▶ Open waiting order" not in str(anna.received[-2]), "nothing waits any more"
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
    anna.tap("✓ Create when paid")
    assert "☐ Create when paid · 0.72 ₽" in anna.buttons and "Your order is waiting" in anna.last
    pay(anna)
    assert jobs_of(bot, anna) == [] and "▶ Open waiting order" in anna.buttons


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
    waits = "▶ Open waiting order" in str(anna.received)
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
        anna.tap("☐ Create when paid")
        before = len(jobs_of(bot, anna))
        anna.tap("100 ₽")
        anna.tap("⭐")
        anna.pay()
        assert len(jobs_of(bot, anna)) == before + 1
        user = bot.bot.users.by_telegram_id(anna.id)
        left = bot.balance(anna)
        bot.bot.ledger.post(user.id, -left, kind="admin", key=f"spent {before}", now=bot.clock.now(), reason="spent")
    assert_books_are_right()


# questions


def ask_without_money(person, words="How long do I boil eggs?"):
    """Ask a chat model, and come to the screen that says what the answer lacks."""
    person.send(f"/ask {words}")
    person.tap("ask:lack")


@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_the_payment_asks_the_question_if_the_person_has_said_so(start_bot, lang):
    bot = start_bot()
    anna = bot.user("Anna", language_code=lang)
    ask_without_money(anna)
    agree_to = next(label for label in anna.buttons if label.startswith("☐"))
    anna.tap(agree_to)
    assert agree_to.replace("☐", "✓") in anna.buttons
    anna.tap("payments:amount")
    anna.tap("⭐")
    anna.pay()
    bot.forward(60)
    told = [message.get("text", "") for message in anna.received]
    (job,) = questions_of(bot, anna)
    assert job.state == "succeeded" and 0 < job.charged <= job.price
    assert any("eggs?" in text and text.startswith("⏳") for text in told)
    assert not any("ask:waiting" in str(message) for message in anna.received[-2:]), "nothing waits any more"
    anna.forge("ask:waiting")
    assert "eggs" not in anna.last
    assert_books_are_right()


def test_a_question_is_not_asked_unasked_and_then_waits(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    ask_without_money(anna)
    anna.tap("☐ Ask when paid")
    anna.tap("✓ Ask when paid")
    assert "Your order is waiting" in anna.last
    anna.tap("payments:amount")
    anna.tap("⭐")
    anna.pay()
    bot.forward(60)
    assert questions_of(bot, anna) == [] and "▶ Open waiting order" in anna.buttons
    anna.tap("▶ Open waiting order")
    assert "eggs" in anna.last


@pytest.mark.parametrize("meanwhile", ["another price", "another question", "a day"])
def test_a_question_that_has_changed_meanwhile_is_not_asked(start_bot, meanwhile):
    bot = start_bot()
    anna, boss = bot.user("Anna"), bot.admin()
    ask_without_money(anna)
    anna.tap("☐ Ask when paid")
    anna.tap("payments:amount")
    anna.tap("🏦")
    anna.photo(till.png("a screenshot"))
    if meanwhile == "another price":
        bot.restart(USD_RATE="95")
    elif meanwhile == "another question":
        anna.send("/ask And how do I peel them?")
    else:
        bot.forward(25 * 3600, step=3600)
    boss.tap("✓ Approve", message=request(boss))
    bot.forward(60)
    assert questions_of(bot, anna) == []
    assert_books_are_right()


def test_a_payment_told_twice_asks_once(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    ask_without_money(anna)
    anna.tap("☐ Ask when paid")
    anna.tap("payments:amount")
    anna.tap("⭐")
    anna.pay(times=2)
    bot.restart()
    bot.forward(120)
    assert len(questions_of(bot, anna)) == 1
    assert_books_are_right()


def questions_of(bot, person):
    """Return a person's questions."""
    user = bot.bot.users.by_telegram_id(person.id)
    return bot.bot.jobs.of_user(user.id, limit=20, questions=True)


def test_of_two_that_were_agreed_to_the_newest_is_made(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    agree(anna)
    bot.forward(5)
    ask_without_money(anna)
    anna.tap("☐ Ask when paid")
    anna.tap("payments:amount")
    anna.tap("⭐")
    anna.pay()
    assert len(questions_of(bot, anna)) == 1 and jobs_of(bot, anna) == []


# groups


def short_in_a_group(bot, *more):
    """Have somebody without money choose a rung in a group; return (the person, the group)."""
    poor = bot.user("Poor")
    poor.send("/start")
    group = bot.telegram.group("Friends", poor, *more)
    poor.send(f"@{bot.bot.username} a fox in the snow", group=group)
    poor.tap("▶", group=group)
    return poor, group


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_what_was_chosen_in_a_group_is_made_there_by_its_payment(start_bot, lang):
    bot = start_bot()
    poor, group = short_in_a_group(bot)
    if lang == "ru":
        poor.forge("language:set:ru")
    ladder = group.last_message["message_id"]
    poor.send("/start g")
    agree_to = next(label for label in poor.buttons if label.startswith("☐"))
    poor.tap(agree_to)
    poor.tap("payments:amount")
    poor.tap("⭐")
    poor.pay()
    (job,) = jobs_of(bot, poor)
    assert job.price == 72 and job.chat_id == group.id and job.progress_id == ladder
    assert ("your group" if lang == "en" else "вашу группу") in poor.last
    assert "⏳" in group.last and "Top up" not in str(group.buttons)
    bot.forward(90)
    assert any("photo" in message for message in group.received) and not any("photo" in m for m in poor.received)
    assert not any("balance" in str(message) or "баланс" in str(message) for message in group.received)
    assert_books_are_right()


def test_in_a_group_nothing_is_made_unasked_and_the_ladder_stays(start_bot):
    bot = start_bot()
    poor, group = short_in_a_group(bot)
    poor.send("/start g")
    poor.tap("payments:amount")
    poor.tap("⭐")
    poor.pay()
    assert jobs_of(bot, poor) == []
    poor.tap("▶", group=group)
    assert len(jobs_of(bot, poor)) == 1


def test_who_only_follows_the_link_of_a_group_tops_up_for_nothing_in_particular(start_bot):
    bot = start_bot()
    bob = bot.user("Bob")
    bob.send("/start")
    short_in_a_group(bot, bob)
    bob.send("/start g")
    assert "How much?" in bob.last and not any(label.startswith("☐") for label in bob.buttons)


@pytest.mark.parametrize("form", ["payments", "ideas", "group-1", "nothing", "voiced"])
def test_what_nobody_was_shown_cannot_be_agreed_to(start_bot, form):
    bot = start_bot()
    anna = bot.user("Anna")
    short(anna)
    anna.forge(f"lack:agree:{form}:1:72")
    assert "out of date" in (anna.toast or anna.last)

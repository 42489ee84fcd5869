"""A person to ask, one tap from every failure: /support, /paysupport, /terms."""

import pytest

from tests.kit import png
from tests.shop import order, texts
from tests.till import pay_stars, request, transfer

pytest.importorskip("plugins.support")


def test_a_question_is_answered_in_the_same_chat(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice <3")
    alice.send("/support")
    assert "We’ll answer in this chat" in alice.last
    alice.send("My <picture> is late")
    assert "Sent. The answer" in alice.last
    assert "Alice <3" in boss.last and "My <picture> is late" in boss.last
    boss.tap("Reply")
    boss.send("It is <there> now")
    boss.tap("✓ Send")
    assert "It is <there> now" in alice.last
    alice.tap("Support")
    alice.send("thank you")
    assert "thank you" in boss.last


def test_a_picture_goes_along(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/support")
    alice.photo(png(), caption="look at this")
    assert "photo" in boss.last_message and "look at this" in boss.last
    alice.send("/support")
    alice.voice(b"OggS" + bytes(100), duration=1)
    assert "Send it as text or as a picture" in alice.last


def test_a_failed_order_leads_to_a_person_who_sees_which_order(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    bot.kie.fail_next()
    job = order(bot, alice)
    bot.forward(60)
    alice.tap("Support")
    assert f"About order #{job.id}" in alice.last
    alice.send("why?")
    assert f"About order #{job.id}" in boss.last and "why?" in boss.last


def test_a_refused_payment_leads_to_a_person_who_sees_which_payment(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("✗ Decline", request(boss))
    boss.tap("the payment was not found", request(boss))
    alice.tap("Support")
    assert "About payment #1" in alice.last and "answered here, by us and not by Telegram" in alice.last
    alice.send("I did pay")
    assert "About payment #1" in boss.last


def test_a_receipt_has_a_person_behind_it(start_bot):
    bot = start_bot()
    alice = bot.user()
    pay_stars(alice)
    alice.tap("Receipt")
    alice.tap("Report a problem")
    assert "About payment #1" in alice.last


def test_commands_expected_of_a_bot_that_takes_stars_are_there(start_bot):
    """core.telegram.org/bots/payments-stars: terms, support, payment support."""
    bot = start_bot(SUPPORT_CONTACT="@helper_of_bot", SUPPORT_TEXT="We are here from 9 to 18.")
    alice = bot.user()
    alice.send("/terms")
    assert "you never pay more" in alice.last
    alice.send("/paysupport")
    assert "not by Telegram" in alice.last
    alice.send("/support")
    assert "We are here from 9 to 18." in alice.last
    assert any("https://t.me/helper_of_bot" in str(message.get("reply_markup")) for message in alice.received)
    alice.send("/help")
    assert "/terms" in alice.last and "/paysupport" in alice.last and "Support" in alice.buttons


def test_a_forged_topic_says_nothing_of_others(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    for about in ("job", "pay", "jobx", "pay-1", "x" * 40):
        alice.forge(f"support:open:{about}")
        assert "Write here what happened" in alice.last or "payments are answered here" in alice.last


def test_what_is_written_to_the_support_is_never_taken_as_a_prompt(start_bot):
    bot = start_bot()
    bot.admin()
    alice = bot.user()
    alice.send("/support")
    alice.send("a fox in the snow")
    assert "Sent. The answer" in alice.last
    alice.send("a fox in the snow")
    assert "Sent. The answer" not in alice.last and "a fox in the snow" in texts(alice)

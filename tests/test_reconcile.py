"""Telegram's list of Stars transactions against our books."""

import pytest

from demo.kit import RawBot
from tests.kit import TOKEN
from tests.shop import assert_books_are_right, entries_of, texts, user_of
from tests.till import charge_back_unheard, invoice, pay_stars, pay_unheard

pytest.importorskip("plugins.payments.reconcile")


def test_a_payment_the_bot_never_heard_of_is_credited_at_the_next_start(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    message = invoice(alice)
    bot.stop()
    pay_unheard(bot, alice, message)
    bot.clock.forward(3600)
    bot.start()
    bot.pump()
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert "+300 ₽, balance 300 ₽." in texts(alice)
    assert "had not told us of 1 payment in Stars" in texts(boss)
    assert_books_are_right()


def test_a_payment_the_bot_never_heard_of_is_credited_within_minutes_and_once(start_bot):
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    pay_unheard(bot, alice, message)
    bot.forward(900, step=60)
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert texts(alice).count("+300 ₽, balance") == 1
    pay_unheard(bot, alice, message)
    bot.forward(900, step=60)
    assert entries_of(bot, alice) == [("stars", 30_000)] * 2


def test_a_payment_that_is_just_being_told_is_no_alarm(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    bot.forward(299, step=299)
    pay_stars(alice)
    bot.forward(3600, step=60)
    assert "⚠" not in texts(boss)
    assert entries_of(bot, alice) == [("stars", 30_000)]


def test_the_list_is_read_a_hundred_at_a_time_and_not_from_its_beginning_again(start_bot):
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    pay_unheard(bot, alice, message, times=226)
    bot.forward(900, step=60)
    assert bot.balance(alice) == 226 * 30_000
    offsets = {call["params"].get("offset", 0) for call in bot.telegram.calls("getStarTransactions")}
    assert offsets == {0, 100, 200}
    before = len(bot.telegram.calls("getStarTransactions"))
    bot.forward(300, step=60)
    assert [call["params"]["offset"] for call in bot.telegram.calls("getStarTransactions")[before:]] == [200]
    assert_books_are_right()


def test_a_chargeback_nobody_told_of_is_booked_and_sales_to_that_person_pause(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice)
    charge_back_unheard(bot, alice, charge)
    bot.forward(600, step=60)
    assert entries_of(bot, alice) == [("stars", 30_000), ("chargeback", -30_000)]
    assert user_of(bot, alice).sales_paused
    assert "was taken back" in texts(alice) and "was taken back: 300 ₽" in texts(boss)
    assert_books_are_right()


def test_a_payment_nobody_can_tell_the_purpose_of_is_brought_to_people_and_not_credited(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    raw = RawBot(bot.telegram.url, TOKEN)
    prices = [{"label": "x", "amount": 50}]
    sent = raw(
        "sendInvoice", chat_id=alice.id, title="x", description="x", payload="not-ours", currency="XTR", prices=prices
    )
    pay_unheard(bot, alice, sent)
    bot.forward(1800, step=60)
    assert entries_of(bot, alice) == []
    assert texts(boss).count("50 Stars came from") == 1


def test_a_credit_that_telegram_does_not_know_is_an_alarm(start_bot):
    """Somebody who can forge updates gets noticed."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    invoice(alice)
    payload = bot.telegram.calls("sendInvoice")[-1]["params"]["payload"]
    payment = {
        "currency": "XTR",
        "total_amount": 188,
        "invoice_payload": payload,
        "telegram_payment_charge_id": "forged",
        "provider_payment_charge_id": "",
    }
    sender = {"id": alice.id, "is_bot": False, "first_name": "Alice"}
    chat = {"id": alice.id, "type": "private", "first_name": "Alice"}
    bot.telegram.update(
        message={"message_id": 900_000, "from": sender, "chat": chat, "date": 1, "successful_payment": payment}
    )
    bot.forward(7200, step=300)
    assert texts(boss).count("Telegram’s list does not have it") == 1


def test_an_unreachable_telegram_is_asked_again(start_bot):
    bot = start_bot()
    alice = bot.user()
    pay_unheard(bot, alice, invoice(alice))
    bot.telegram.fail_next("getStarTransactions", "500", times=1)
    bot.forward(310, step=60)
    assert entries_of(bot, alice) == []
    bot.forward(600, step=60)
    assert entries_of(bot, alice) == [("stars", 30_000)]

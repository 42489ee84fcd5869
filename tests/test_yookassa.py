"""Cards and SBP by YooKassa: from the tap to the balance, on good days and on bad ones."""

import json

import pytest

from tests.shop import assert_books_are_right, entries_of
from tests.till import open_card

KEYS = {"YOOKASSA_SHOP_ID": "500001", "YOOKASSA_SECRET_KEY": "test_demo-secret-key"}
HOUR, DAY = 3600, 86400


@pytest.fixture
def start(start_bot, yookassa_server, yookassa_shop):
    """Return a function that starts a bot with the shop, whose clock follows."""

    def begin(**more):
        bot = start_bot(**{"YOOKASSA_API_URL": yookassa_server.url} | KEYS | more)
        bot.clock.follow(yookassa_shop)
        bot.pump()
        return bot

    return begin


def ask(person, amount="300 ₽", way="💳"):
    """Choose an amount and a way; return the message with the link."""
    person.send("/topup")
    person.tap(amount)
    person.tap(way)
    return person.last


def callback(bot, shop, id="newest", **more):
    """Deliver a callback as the shop would send it now; return the answer's code."""
    body, headers = shop.message(id, **more)
    return bot.call("/pay/yookassa", body, **headers).status_code


def test_a_card_payment_takes_three_taps_and_comes_by_itself(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    assert "300 ₽" in ask(alice)
    assert "test shop" in alice.last
    made = yookassa_shop.payment()
    assert made["amount"] == {"value": "300.00", "currency": "RUB"} and made["payment_method"]["type"] == "bank_card"
    assert "Pay 300 ₽" in alice.buttons
    yookassa_shop.pay()
    bot.forward(30)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert "+300 ₽, balance 300 ₽." in alice.last
    assert_books_are_right()

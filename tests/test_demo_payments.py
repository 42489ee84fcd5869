"""Telegram Stars on the local Bot API server: invoices, pre-checkout, payments, refunds, transactions."""

import threading

import pytest

from demo.kit import BotCallFailed, RawBot, Telegram
from demo.server import start

INVOICE = {
    "title": "100 ₽",
    "description": "Top-up",
    "payload": "invoice:7",
    "currency": "XTR",
    "prices": [{"label": "100 ₽", "amount": 160}],
}


class Cashier:
    """A bot in this thread that answers every pre-checkout query as it is told."""

    def __init__(self, bot):
        self.bot, self.answer, self.seen = bot, {"ok": True}, []

    def work(self):
        """Handle what waits."""
        for update in self.bot.updates():
            self.seen.append(update)
            if "pre_checkout_query" in update and self.answer:
                query_id = update["pre_checkout_query"]["id"]
                self.bot("answerPreCheckoutQuery", pre_checkout_query_id=query_id, **self.answer)


@pytest.fixture
def server():
    server = start()
    yield server
    server.stop()


@pytest.fixture
def bot(server):
    return RawBot(server.url, server.token)


@pytest.fixture
def cashier(bot):
    return Cashier(bot)


@pytest.fixture
def telegram(server, cashier):
    return Telegram(server.url, pump=cashier.work)


@pytest.fixture
def alice(telegram):
    return telegram.person("Alice")


def refused(bot, method, **params):
    """Return the description of a refused call."""
    with pytest.raises(BotCallFailed) as failure:
        bot(method, **params)
    return failure.value.description


def test_a_payment_goes_by_pre_checkout_to_successful_payment(bot, alice, cashier):
    sent = bot("sendInvoice", chat_id=alice.id, **INVOICE)
    assert sent["invoice"]["total_amount"] == 160
    assert sent["reply_markup"]["inline_keyboard"][0][0]["pay"] is True
    outcome = alice.pay()
    assert outcome["state"] == "paid"
    query, paid = cashier.seen[0]["pre_checkout_query"], cashier.seen[1]["message"]["successful_payment"]
    assert (query["invoice_payload"], query["total_amount"], query["currency"]) == ("invoice:7", 160, "XTR")
    assert paid["telegram_payment_charge_id"] == outcome["charge_ids"][0]
    assert paid["invoice_payload"] == "invoice:7"


def test_an_invoice_can_be_paid_twice_with_two_charge_ids(bot, alice):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    assert len(set(alice.pay(times=2)["charge_ids"])) == 2
    assert alice.pay()["state"] == "paid"
    assert bot("getMyStarBalance") == {"amount": 480}


def test_a_refused_pre_checkout_pays_nothing(bot, alice, cashier):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    cashier.answer = {"ok": False, "error_message": "sold out"}
    assert alice.pay() == {"state": "refused", "error": "sold out", "charge_ids": []}
    cashier.answer = {"ok": True}
    assert alice.pay(cancel=True)["state"] == "cancelled"
    assert bot("getStarTransactions")["transactions"] == []


def test_a_pre_checkout_must_be_answered_within_ten_seconds(server, bot, alice, cashier, telegram):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    cashier.answer = None
    outcome = []
    paying = threading.Thread(target=lambda: outcome.append(alice.pay()), daemon=True)
    paying.start()
    Telegram(server.url).wait(lambda: server.world.checkouts)
    telegram.forward(11)
    paying.join(10)
    assert outcome[0]["state"] == "timeout"
    query_id = cashier.seen[0]["pre_checkout_query"]["id"]
    assert "query is too old" in refused(bot, "answerPreCheckoutQuery", pre_checkout_query_id=query_id, ok=True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"title": ""}, 'parameter "title" is required'),
        ({"title": "x" * 33}, "INVOICE_TITLE_INVALID"),
        ({"payload": "ж" * 65}, "INVOICE_PAYLOAD_INVALID"),
        ({"currency": "USD"}, "CURRENCY_INVALID"),
        ({"provider_token": "x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"prices": INVOICE["prices"] * 2}, "STARS_INVOICE_INVALID"),
        ({"prices": [{"label": "x", "amount": 0}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"prices": [{"label": "x", "amount": 1.5}]}, "can't parse LabeledPrice"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]}}, "REPLY_MARKUP_BUY_EMPTY"),
        ({"start_parameter": "ä"}, "START_PARAM_INVALID"),
        ({"subscription_period": 60}, "SUBSCRIPTION_PERIOD_INVALID"),
    ],
)
def test_a_wrong_invoice_is_refused(bot, alice, change, why):
    assert why in refused(bot, "sendInvoice", chat_id=alice.id, **INVOICE | change)


def test_a_link_can_be_paid_by_anybody(bot, alice, telegram):
    link = bot("createInvoiceLink", **INVOICE)
    assert link.startswith("https://t.me/$")
    assert telegram.person("Bob").pay(link=link)["state"] == "paid"


def test_a_forwarded_invoice_is_paid_by_whom_it_was_forwarded_to(bot, alice, telegram):
    sent, bob = bot("sendInvoice", chat_id=alice.id, **INVOICE), telegram.person("Bob")
    bot("forwardMessage", chat_id=bob.id, from_chat_id=alice.id, message_id=sent["message_id"])
    bob.pay()
    assert bot("getStarTransactions")["transactions"][0]["source"]["user"]["id"] == bob.id


def test_a_refund_happens_once_and_is_a_transaction_of_its_own(bot, alice, cashier):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    charge_id = alice.pay()["charge_ids"][0]
    refund = {"user_id": alice.id, "telegram_payment_charge_id": charge_id}
    assert bot("refundStarPayment", **refund) is True
    assert "CHARGE_ALREADY_REFUNDED" in refused(bot, "refundStarPayment", **refund)
    assert "CHARGE_NOT_FOUND" in refused(bot, "refundStarPayment", **refund | {"telegram_payment_charge_id": "x"})
    first, second = bot("getStarTransactions")["transactions"]
    assert (first["id"], first["amount"], first["source"]["invoice_payload"]) == (charge_id, 160, "invoice:7")
    assert (second["id"], second["receiver"]["user"]["id"]) == (charge_id, alice.id)
    assert bot("getMyStarBalance") == {"amount": 0}
    cashier.work()
    assert cashier.seen[-1]["message"]["refunded_payment"]["telegram_payment_charge_id"] == charge_id


def test_a_chargeback_comes_without_the_bot(bot, alice, cashier):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    charge_id = alice.pay()["charge_ids"][0]
    alice.refund(charge_id)
    assert cashier.seen[-1]["message"]["refunded_payment"]["total_amount"] == 160
    with pytest.raises(AssertionError, match="no payment"):
        alice.refund(charge_id)


def test_transactions_come_in_pages(bot, alice):
    bot("sendInvoice", chat_id=alice.id, **INVOICE)
    charge_ids = alice.pay(times=3)["charge_ids"]
    page = bot("getStarTransactions", offset=1, limit=1)["transactions"]
    assert [row["id"] for row in page] == [charge_ids[1]]
    assert "LIMIT_INVALID" in refused(bot, "getStarTransactions", limit=101)


@pytest.mark.parametrize(("language", "label"), [("ru", "Заплатить ⭐️160"), ("en", "Pay ⭐️160"), ("de", "Pay ⭐️160")])
def test_the_pay_button_is_in_the_payers_language(bot, telegram, language, label):
    payer = telegram.person("Payer", language_code=language)
    payer.send("/start")
    sent = bot("sendInvoice", chat_id=payer.id, **INVOICE)
    assert sent["reply_markup"]["inline_keyboard"][0][0]["text"] == label

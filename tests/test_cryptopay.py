"""Crypto by Crypto Pay: from the tap to the balance, on good days and on bad ones."""

import pytest

from core.settings import SettingsError
from tests.shop import assert_books_are_right, entries_of
from tests.test_yookassa import give_back

HOUR, DAY = 3600, 86400
TOKEN = "7001:DEMO-crypto-pay-token"


@pytest.fixture
def start(start_bot, cryptopay_server, cryptopay_app):
    """Return a function that starts a bot with the app, whose clock follows."""

    def begin(**more):
        bot = start_bot(**{"CRYPTOPAY_API_URL": cryptopay_server.url, "CRYPTOPAY_TOKEN": TOKEN} | more)
        bot.clock.follow(cryptopay_app)
        bot.pump()
        return bot

    return begin


def ask(person, amount="300 ₽"):
    """Choose an amount and crypto; return the message with the link."""
    person.send("/topup")
    person.tap(amount)
    person.tap("🪙")
    return person.last


def callback(bot, app, id="newest", **more):
    """Deliver a callback as the app would send it now; return the answer's code."""
    body, headers = app.message(id, **more)
    return bot.call("/pay/cryptopay", body, **headers).status_code


def paid(bot, person, app, **how):
    """Have a person pay."""
    ask(person)
    app.pay(**how)
    bot.forward(30)


def test_crypto_takes_three_taps_and_comes_by_itself(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    assert "The link works until" in ask(alice)
    made = cryptopay_app.payment()
    assert (made["fiat"], made["amount"], made["accepted_assets"]) == ("RUB", "300", ["USDT", "TON", "BTC"])
    cryptopay_app.pay(asset="TON")
    bot.forward(30)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert "+300 ₽, balance 300 ₽." in alice.last
    assert_books_are_right()


def test_an_invoice_that_has_run_out_has_a_new_one_at_hand(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    ask(alice)
    bot.forward(HOUR + 300, step=60)
    alice.tap("Try again · 300 ₽")
    assert "The link works until" in alice.last and len(cryptopay_app.payments()) == 2


@pytest.mark.parametrize(
    "signature", ["wrong-signature", "no-signature", "upper-signature", "other-body-signature", "old-token-signature"]
)
def test_a_callback_that_is_not_signed_by_our_token_is_refused(start, cryptopay_app, signature):
    bot = start()
    alice = bot.user()
    ask(alice)
    before = len(cryptopay_app.calls())
    cryptopay_app.pay(callback="never")
    assert callback(bot, cryptopay_app, signature=signature) == 401
    bot.pump()
    assert len(cryptopay_app.calls()) == before and bot.balance(alice) == 0
    assert callback(bot, cryptopay_app) == 200
    bot.forward(3)
    assert bot.balance(alice) == 30_000


def test_a_signed_callback_is_a_hint_as_any_other(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    ask(alice)
    assert callback(bot, cryptopay_app, changes={"status": "paid"}) == 200
    bot.forward(3)
    assert bot.balance(alice) == 0
    cryptopay_app.pay(callback="never")
    assert [callback(bot, cryptopay_app, repeat_id=True) for _ in range(4)] == [200] * 4
    bot.forward(3)
    assert entries_of(bot, alice) == [("topup", 30_000)]


@pytest.mark.parametrize("kind", ["drop", "500", "502", "cut", "list", "empty", "ok-400", "not-ok-200"])
def test_an_invoice_with_an_unknown_outcome_is_looked_for_and_one_link_is_shown(start, cryptopay_app, kind):
    bot = start()
    alice = bot.user()
    cryptopay_app.trouble("create", kind, done=True)
    assert "slow to answer" in ask(alice)
    bot.forward(30)
    links = [cell for cell in alice.buttons if cell.startswith("Pay ")]
    assert len(links) <= 1
    cryptopay_app.pay()
    bot.forward(60)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert_books_are_right()


def test_a_second_invoice_for_one_row_is_deleted_by_the_daily_list(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    cryptopay_app.trouble("create", "drop", done=True)
    cryptopay_app.trouble("list", "empty-items")  # the first one is not on the list yet
    ask(alice)
    bot.forward(30)
    assert len(cryptopay_app.payments()) == 2
    bot.bot.runtime_settings.put("LISTED:cryptopay", "2026-11-20T00:00:00+00:00", now=bot.clock.now())
    bot.forward(700, step=100)
    assert len(cryptopay_app.payments()) == 1
    cryptopay_app.pay()
    bot.forward(400, step=20)
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_a_provider_away_for_a_day_loses_nothing(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    ask(alice)
    cryptopay_app.pay(callback="never")
    cryptopay_app.down(DAY)
    bot.restart()
    bot.forward(DAY + 2 * HOUR, step=600)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert_books_are_right()


def test_an_invoice_that_expired_and_was_paid_after_all_is_credited(start, cryptopay_app):
    bot = start()
    alice = bot.user()
    ask(alice)
    bot.forward(HOUR + 120, step=60)
    assert "has expired" in alice.last
    cryptopay_app.pay(late="kept", callback="never")
    bot.forward(2 * HOUR, step=300)
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_one_call_asks_about_all_open_invoices(start, cryptopay_app):
    bot = start()
    people = [bot.user(f"P{number}") for number in range(5)]
    for person in people:
        ask(person)
    before = len(cryptopay_app.calls("/api/getInvoices"))
    bot.forward(6, step=6)
    assert len(cryptopay_app.calls("/api/getInvoices")) == before + 1


@pytest.mark.parametrize(("kind", "trouble"), [
    ("wrong-amount", "amount"), ("wrong-currency", "currency"), ("wrong-payload", "this bot’s tag"), ("null-fiat", "currency"),
    ("null-payload", "this bot’s tag"),
])  # fmt: skip
def test_an_invoice_that_is_not_what_was_asked_for_is_held(start, cryptopay_app, kind, trouble):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    ask(alice)
    cryptopay_app.pay(callback="never")
    cryptopay_app.trouble("list", kind, 0)
    bot.forward(20)
    assert bot.balance(alice) == 0 and f"is not what was asked for: {trouble}" in boss.last
    cryptopay_app.calm()
    bot.forward(700, step=60)
    assert bot.balance(alice) == 30_000
    assert_books_are_right()


@pytest.mark.parametrize("kind", ["stale", "unknown-status", "wrong-id", "empty-items", "ok-400", "not-ok-200"])
def test_an_answer_that_does_not_say_paid_credits_later(start, cryptopay_app, kind):
    bot = start()
    alice = bot.user()
    ask(alice)
    cryptopay_app.pay(callback="never")
    cryptopay_app.trouble("list", kind)
    bot.forward(5)
    assert bot.balance(alice) == 0
    bot.forward(180)
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_coins_go_back_to_who_asked_for_the_invoice_once_and_in_part(start, cryptopay_app):
    cryptopay_app.settings(transfer=True, fee_percent="0")
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, cryptopay_app, asset="USDT")
    assert "100 ₽ of payment #1 refunded" in give_back(bot, boss, alice, "100")
    (sent,) = cryptopay_app.transfers()
    assert (sent["user_id"], sent["asset"]) == (alice.id, "USDT")
    assert abs(float(sent["amount"]) - float(cryptopay_app.payment()["paid_amount"]) / 3) < 1e-7
    assert bot.balance(alice) == 20_000
    assert_books_are_right()


@pytest.mark.parametrize("kind", ["drop", "500", "cut"])
def test_a_transfer_without_an_answer_is_read_before_it_is_asked_for_again(start, cryptopay_app, kind):
    cryptopay_app.settings(transfer=True, fee_percent="0")
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, cryptopay_app)
    cryptopay_app.trouble("transfer", kind, done=True)
    assert "has not confirmed the refund" in give_back(bot, boss, alice)
    bot.restart()
    bot.forward(400, step=20)
    assert len(cryptopay_app.transfers()) == 1
    assert len({call["body"]["spend_id"] for call in cryptopay_app.calls("/api/transfer", "POST")}) == 1
    assert bot.balance(alice) == 0
    assert_books_are_right()


def test_a_transfer_that_is_switched_off_waits_and_one_to_nobody_is_refused(start, cryptopay_app):
    bot = start()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    cryptopay_app.settings(transfer=True, strangers=[alice.id], fee_percent="0")
    paid(bot, alice, cryptopay_app)
    give_back(bot, boss, alice)
    bot.pump()
    assert bot.balance(alice) == 30_000 and "did not go through" in alice.last
    paid(bot, bob, cryptopay_app)
    cryptopay_app.settings(transfer=False)
    give_back(bot, boss, bob)  # its owner has to switch it on
    assert bot.balance(bob) == 0 and cryptopay_app.transfers() == [] and "METHOD_DISABLED" in boss.last
    cryptopay_app.settings(transfer=True)
    bot.forward(400, step=20)
    assert bot.balance(bob) == 0 and len(cryptopay_app.transfers()) == 1
    assert_books_are_right()


def test_of_an_anonymous_payment_the_staff_is_told_before_it_gives_back(start, cryptopay_app):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, cryptopay_app, anonymous=True)
    cryptopay_app.settings(transfer=True, fee_percent="0")
    from tests.till import open_card

    open_card(boss, alice)
    for label in ("refunds:list", "Cards and crypto", "payback:ask", "All"):
        boss.tap(label)
    boss.send("asked for it")
    assert "The payment was anonymous" in boss.last


def test_a_token_that_was_changed_is_an_alarm_and_a_line_of_doctor(start, cryptopay_app):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    cryptopay_app.regenerate_token("7001:another-token")
    ask(alice)
    bot.pump()
    assert any("does not accept our keys" in message.get("text", "") for message in boss.received)
    boss.send("/doctor")
    assert "Crypto Pay does not accept the keys" in boss.last
    bot.environ |= {"CRYPTOPAY_TOKEN": "7001:another-token"}
    bot.restart()
    bot.forward(120)
    assert "Pay 300 ₽" in alice.buttons
    cryptopay_app.reset()


def test_the_test_net_says_so_and_its_coins_are_of_it(start, cryptopay_app):
    cryptopay_app.settings(testnet=True)
    bot = start(CRYPTOPAY_TESTNET="1", CRYPTOPAY_ASSETS="JET")
    boss, alice = bot.admin(), bot.user()
    assert "a test shop" in ask(alice)
    boss.send("/doctor")
    assert "this is the test net" in boss.last


@pytest.mark.parametrize(("settings", "name"), [
    ({"CRYPTOPAY_TOKEN": "x"}, "CRYPTOPAY_TOKEN"), ({"CRYPTOPAY_ASSETS": "DOGE"}, "CRYPTOPAY_ASSETS"),
    ({"CURRENCY": "JPY"}, "CRYPTOPAY_TOKEN"),
])  # fmt: skip
def test_settings_that_are_wrong_in_shape_stop_the_start(start_bot, settings, name):
    with pytest.raises(SettingsError, match=name):
        start_bot(**{"CRYPTOPAY_TOKEN": TOKEN} | settings)


def test_without_its_token_nobody_is_asked(start_bot, cryptopay_server, cryptopay_app):
    bot = start_bot(CRYPTOPAY_API_URL=cryptopay_server.url)
    bot.forward(DAY, step=3600)
    assert cryptopay_app.calls() == []
    assert bot.call("/pay/cryptopay", b"{}").status_code == 404


def test_no_token_stands_in_the_log(start, cryptopay_app, caplog):
    caplog.set_level("DEBUG")
    bot = start()
    alice = bot.user()
    paid(bot, alice, cryptopay_app)
    cryptopay_app.trouble("*", "500", 2)
    bot.forward(60)
    assert "DEMO-crypto-pay-token" not in caplog.text

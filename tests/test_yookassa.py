"""Cards and SBP by YooKassa: from the tap to the balance, on good days and on bad ones."""

import json

import pytest
import requests

from core.settings import SettingsError
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
    assert "a test shop" in alice.last
    made = yookassa_shop.payment()
    assert made["amount"] == {"value": "300.00", "currency": "RUB"} and made["payment_method"]["type"] == "bank_card"
    assert "Pay 300 ₽" in alice.buttons
    yookassa_shop.pay()
    bot.forward(30)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert "+300 ₽, balance 300 ₽." in alice.last
    assert_books_are_right()


def test_a_callback_only_hurries_what_is_read_from_the_shop(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    assert callback(bot, yookassa_shop, event="payment.succeeded") == 200  # nobody has paid
    bot.pump()
    assert bot.balance(alice) == 0
    yookassa_shop.pay()
    assert [callback(bot, yookassa_shop) for _ in range(3)] == [200] * 3
    bot.forward(3)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert "+300 ₽" in alice.last
    assert_books_are_right()


@pytest.mark.parametrize("body", [
    b"", b"[]", b"null", b"{}", b'{"object": 7}', b'{"object": {"id": 7}}', b'{"object": {"id": "../me"}}', b"\xff\xfe",
    b"[" * 100_000,
])  # fmt: skip
def test_what_is_no_notification_is_refused(start, yookassa_shop, body):
    bot = start()
    before = len(yookassa_shop.calls())
    assert bot.call("/pay/yookassa", body).status_code == 401
    bot.pump()
    assert len(yookassa_shop.calls()) == before


def test_a_forged_callback_about_a_foreign_payment_is_answered_and_asks_nobody(start, yookassa_shop):
    bot = start()
    before = len(yookassa_shop.calls())
    forged = {"type": "notification", "event": "payment.succeeded"}
    forged |= {"object": {"id": "22d6d597-000f-5000-9000-145f6df21d6f", "metadata": {"bot": "1", "row": "999"}}}
    assert bot.call("/pay/yookassa", json.dumps(forged).encode()).status_code == 200
    bot.pump()
    assert len(yookassa_shop.calls()) == before


@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_from_a_link_one_can_go_back_or_pay_in_another_way(start, lang):
    bot = start()
    alice = bot.user(language_code=lang)
    ask(alice)
    say = bot.bot.texts.plain
    assert {say(lang, "online.another_way"), say(lang, "common.back"), say(lang, "common.menu")} <= set(alice.buttons)
    alice.tap(say(lang, "online.another_way"))
    assert "payments:pay:stars:30000" in alice.buttons.values() and "300" in alice.last
    alice.tap(say(lang, "common.back"))
    assert "payments:amount:30000" in alice.buttons.values()


def test_many_callbacks_about_one_payment_are_one_question(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    bot.forward(30)
    before = len(yookassa_shop.calls("/v3/payments/", "GET"))
    for _ in range(20):
        assert callback(bot, yookassa_shop, event="payment.succeeded") == 200
        bot.pump()
    bot.forward(3)
    assert len(yookassa_shop.calls("/v3/payments/", "GET")) == before + 1


def test_the_create_is_kept_before_it_is_made_and_repeated_byte_for_byte(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    yookassa_shop.trouble("create", "drop", 3)  # done, and the answer lost
    assert "slow to answer" in ask(alice)
    bot.restart()
    bot.forward(90)
    assert "The link works until" in alice.last and "Pay 300 ₽" in alice.buttons
    creates = yookassa_shop.calls("/v3/payments", "POST")
    assert len(creates) == 4 and len({(call["key"], json.dumps(call["body"])) for call in creates}) == 1
    assert len(yookassa_shop.payments()) == 1
    yookassa_shop.pay()
    bot.forward(60)
    assert bot.balance(alice) == 30_000
    assert_books_are_right()


@pytest.mark.parametrize(
    "kind", ["500", "502", "503", "429", "202", "cut", "list", "text", "empty", "wrong-type", "drop"]
)
@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_says_nothing_is_asked_for_again_under_the_same_key(start, yookassa_shop, kind, done):
    bot = start()
    alice = bot.user()
    yookassa_shop.trouble("create", kind, done=done)
    ask(alice)
    bot.forward(60)
    assert len({call["key"] for call in yookassa_shop.calls("/v3/payments", "POST")}) == 1
    assert len(yookassa_shop.payments()) == 1
    yookassa_shop.pay()
    bot.forward(60)
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_a_provider_away_for_a_day_loses_nothing_and_is_not_believed_to_have_said_no(start, yookassa_shop):
    bot = start()
    alice, bob = bot.user(), bot.user("Bob")
    ask(alice)
    yookassa_shop.pay(callback="never")
    yookassa_shop.down(DAY, kind="500")
    assert "slow to answer" in ask(bob)
    bot.forward(20 * 60, step=60)
    assert "did not go through. The payment service isn’t answering" in bob.last
    bot.forward(DAY + HOUR, step=300)
    assert (bot.balance(alice), bot.balance(bob)) == (30_000, 0)
    assert_books_are_right()


def test_a_refused_create_is_said_at_once_and_made_no_second_time(start, yookassa_shop):
    bot = start()
    yookassa_shop.settings(receipts="yookassa")  # the shop wants what we do not send
    alice = bot.user()
    assert "did not accept this payment" in ask(alice)
    bot.forward(HOUR, step=60)
    assert len(yookassa_shop.calls("/v3/payments", "POST")) == 1
    assert_books_are_right()


@pytest.mark.parametrize(("reason", "words"), [
    ("insufficient_funds", "not enough money"), ("card_expired", "number, date or code"), ("sunspots", "It was declined"),
])  # fmt: skip
def test_a_declined_payment_says_why_and_has_a_new_try_at_hand(start, yookassa_shop, reason, words):
    bot = start()
    alice = bot.user()
    ask(alice)
    yookassa_shop.decline(reason=reason)
    bot.forward(30)
    assert words in alice.last and "Nothing was charged" in alice.last
    alice.tap("Try again · 300 ₽")
    assert len(yookassa_shop.payments()) == 2
    yookassa_shop.pay()
    bot.forward(30)
    assert bot.balance(alice) == 30_000
    assert_books_are_right()


def test_a_new_try_keeps_to_the_ways_and_the_limits_of_now(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    yookassa_shop.decline()
    bot.forward(30)
    bot.bot.runtime_settings.put("TOPUP_MAX", "200", now=bot.clock.now())
    alice.tap("Try again · 300 ₽")
    assert "between 10 ₽ and 200 ₽" in (alice.toast or alice.last)
    alice.forge("online:start:yookassa:cheque:10000")
    assert "out of date" in alice.toast and len(yookassa_shop.payments()) == 1


def test_a_link_that_runs_out_is_taken_away_without_a_word_and_watched_for_a_day(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    said = len(alice.received)
    bot.forward(HOUR + 120, step=60)
    assert "has expired" in alice.last and len(alice.received) == said
    before = len(yookassa_shop.calls("/v3/payments/", "GET"))
    bot.forward(DAY, step=600)
    assert 15 <= len(yookassa_shop.calls("/v3/payments/", "GET")) - before <= 27
    bot.forward(3 * HOUR, step=600)
    still = len(yookassa_shop.calls("/v3/payments/", "GET"))
    bot.forward(DAY, step=3600)
    assert len(yookassa_shop.calls("/v3/payments/", "GET")) == still


@pytest.mark.parametrize("kind", ["stale", "paid-pending", "unknown-status", "wrong-id"])
def test_a_read_that_is_not_a_payment_of_ours_done_credits_later(start, yookassa_shop, kind):
    bot = start()
    alice = bot.user()
    ask(alice)
    yookassa_shop.pay(callback="never")
    yookassa_shop.trouble("read", kind)
    callback(bot, yookassa_shop)
    bot.forward(4)
    assert bot.balance(alice) == 0
    bot.forward(180)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert_books_are_right()


@pytest.mark.parametrize(("kind", "trouble"), [
    ("wrong-amount", "amount"), ("wrong-currency", "currency"), ("wrong-account", "shop account"), ("wrong-test", "test"),
    ("wrong-metadata", "this bot’s tag"),
])  # fmt: skip
def test_a_payment_that_is_not_what_was_asked_for_is_held_and_a_person_looks(start, yookassa_shop, kind, trouble):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    ask(alice)
    yookassa_shop.pay(callback="never")
    yookassa_shop.trouble("read", kind, 0)
    bot.forward(20)
    assert bot.balance(alice) == 0 and "We will check it" in alice.last
    assert f"is not what was asked for: {trouble}" in boss.last
    yookassa_shop.calm()
    bot.forward(700, step=60)
    assert entries_of(bot, alice) == [("topup", 30_000)]  # it was a bad answer, and is put right
    assert_books_are_right()


def test_less_than_was_asked_for_is_credited_as_it_came_once_a_person_says_so(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    ask(alice)
    yookassa_shop.pay(amount="150.00")
    bot.forward(20)
    assert "Payment #1: we received 150 ₽" in alice.last
    boss.tap("Decide")
    assert "asked for 300 ₽" in boss.last.replace("Asked", "asked") and "received 150 ₽" in boss.last
    boss.tap("✓ Credit 150 ₽")
    assert "+150 ₽" in alice.last
    boss.forge("online:credit:1")
    assert entries_of(bot, alice) == [("topup", 15_000)]
    assert_books_are_right()


def test_money_that_comes_after_the_end_is_credited_and_told(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    ask(alice)
    payment = yookassa_shop.payment()["id"]
    bot.forward(HOUR + 300, step=60)
    yookassa_shop.set(payment, status="succeeded", paid=True, cancellation_details=None)
    bot.forward(2 * HOUR, step=300)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert any("Paid late, credited anyway" in message["text"] for message in alice.received)
    assert "Paid late, credited anyway" in boss.last
    assert_books_are_right()


def test_ten_taps_are_one_payment_while_its_link_lives(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    for _ in range(10):
        ask(alice)
    assert len(yookassa_shop.payments()) == 1
    ask(alice, way="⚡")
    ask(alice, amount="500 ₽")
    assert len(yookassa_shop.payments()) == 3
    bot.forward(59 * 60, step=60)
    ask(alice)  # its link would end in a minute
    assert len(yookassa_shop.payments()) == 4


def test_two_payments_that_were_both_made_are_both_credited(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    ask(alice, way="⚡")
    for payment in yookassa_shop.payments():
        yookassa_shop.pay(payment["id"])
    bot.forward(60)
    assert entries_of(bot, alice) == [("topup", 30_000)] * 2
    assert_books_are_right()


def test_the_button_only_hurries_and_belongs_to_its_payer(start, yookassa_shop):
    bot = start()
    alice, mallory = bot.user(), bot.user("Mallory")
    ask(alice)
    bot.forward(400, step=20)
    mallory.send("/start")
    mallory.forge("online:check:1")
    assert "out of date" in mallory.toast
    yookassa_shop.pay(callback="never")
    alice.tap("I’ve paid")
    bot.forward(3)
    assert bot.balance(alice) == 30_000


def test_a_start_after_paying_proves_nothing(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    assert yookassa_shop.calls("/v3/payments", "POST")[-1]["body"]["confirmation"]["return_url"].startswith(
        "https://t.me/"
    )
    alice.send("/start paid_1")
    bot.pump()
    assert bot.balance(alice) == 0


# what goes back


def give_back(bot, boss, person, words="All", reason="asked for it"):
    """Have the staff give a payment back; return the last screen."""
    open_card(boss, person)
    boss.tap("refunds:list")
    boss.tap("Cards and crypto")
    boss.tap("payback:ask")
    if words.startswith("All"):
        boss.tap(words)
    else:
        boss.send(words)
    boss.send(reason)
    boss.tap("✓ Refund")
    return boss.last


def paid(bot, person, shop, amount="300 ₽"):
    """Have a person pay."""
    ask(person, amount)
    shop.pay()
    bot.forward(30)


def test_the_staff_gives_a_part_back_and_then_the_rest(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    assert "100 ₽ of payment #1 refunded" in give_back(bot, boss, alice, "100")
    assert bot.balance(alice) == 20_000
    assert "200 ₽ of payment #1 refunded" in give_back(bot, boss, alice)
    assert bot.balance(alice) == 0 and yookassa_shop.payment()["refunded_amount"]["value"] == "300.00"
    open_card(boss, alice)
    boss.tap("refunds:list")
    boss.tap("Cards and crypto")
    boss.tap("payback:ask")
    assert "already refunded in full" in boss.toast
    assert_books_are_right()


@pytest.mark.parametrize("kind", ["drop", "500", "502", "cut"])
def test_a_refund_without_an_answer_is_asked_for_again_and_made_once(start, yookassa_shop, kind):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    yookassa_shop.trouble("refund", kind, 2, done=True)
    assert "has not confirmed the refund" in give_back(bot, boss, alice)
    bot.restart()
    bot.forward(900, step=30)
    assert len(yookassa_shop.refunds()) == 1
    assert len({call["key"] for call in yookassa_shop.calls("/v3/refunds", "POST")}) == 1
    assert bot.balance(alice) == 0
    assert_books_are_right()


def test_a_refund_that_hung_for_days_is_read_before_it_is_asked_for_again(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    yookassa_shop.trouble("refund", "drop")
    give_back(bot, boss, alice)
    yookassa_shop.down(2 * DAY)  # the key is forgotten after one
    bot.days_pass(3, step=1800)
    assert len(yookassa_shop.refunds()) == 1 and bot.balance(alice) == 0
    assert_books_are_right()


def test_a_refund_the_shop_cannot_cover_puts_the_money_back(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    yookassa_shop.trouble("refund", "pending-canceled")
    assert "has not confirmed the refund" in give_back(bot, boss, alice)
    assert bot.balance(alice) == 0
    bot.forward(600, step=30)
    assert bot.balance(alice) == 30_000 and "did not go through" in alice.last
    assert "refunded" in give_back(bot, boss, alice)
    assert_books_are_right()


def test_a_refund_in_the_cabinet_is_found_by_its_notice_or_by_the_daily_list(start, yookassa_shop):
    bot = start()
    alice, bob = bot.user(), bot.user("Bob")
    paid(bot, alice, yookassa_shop)
    first = yookassa_shop.payment()["id"]
    paid(bot, bob, yookassa_shop)
    yookassa_shop.refund(first, amount="100.00")
    yookassa_shop.refund(amount="300.00")
    callback(bot, yookassa_shop, first, event="refund.succeeded")
    bot.forward(5)
    assert (bot.balance(alice), bot.balance(bob)) == (20_000, 30_000)
    bot.forward(DAY, step=3600)
    assert (bot.balance(alice), bot.balance(bob)) == (20_000, 0)
    assert "payment #2 was taken back" in bob.last
    assert_books_are_right()


def test_the_payers_bank_takes_money_back_and_the_daily_list_tells_of_it(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    yookassa_shop.chargeback()
    bot.forward(DAY, step=3600)
    assert_books_are_right()
    assert bot.balance(alice) == 0 or "but not paid at" in boss.last


def test_a_refund_of_money_that_was_spent_is_confirmed_as_a_loss(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    user = bot.bot.users.by_telegram_id(alice.id)
    bot.bot.ledger.post(user.id, -25_000, kind="admin", key="spent", now=bot.clock.now())
    open_card(boss, alice)
    boss.tap("refunds:list")
    boss.tap("Cards and crypto")
    boss.tap("payback:ask")
    boss.tap("All")
    boss.send("a mistake")
    assert "250 ₽ of it is already spent" in boss.last
    boss.tap("✓ Refund at a loss")
    assert (bot.balance(alice), bot.bot.ledger.debt(user.id)) == (0, 25_000)
    assert_books_are_right()


# the list, the keys, the settings


def test_the_daily_list_credits_what_no_poll_has_found(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    payment = yookassa_shop.payment()["id"]
    bot.forward(HOUR + 26 * HOUR, step=1800)
    yookassa_shop.set(payment, status="succeeded", paid=True)
    bot.forward(DAY, step=3600)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert_books_are_right()


def test_a_payment_of_another_bot_at_the_same_shop_is_not_ours(start, yookassa_shop):
    bot = start()
    boss = bot.admin()
    alice = bot.user()
    ask(alice)
    yookassa_shop.set(metadata={"bot": "99", "row": "1", "v": "1"})
    yookassa_shop.pay()
    bot.forward(DAY, step=3600)
    assert bot.balance(alice) == 0
    assert not any("none of our payments" in message.get("text", "") for message in boss.received)


def test_keys_that_are_refused_are_an_alarm_and_a_line_of_doctor(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    yookassa_shop.settings(secret_key="live_another-key")
    assert "This way to pay doesn’t work right now" in ask(alice) and "Another way to pay" in alice.buttons
    bot.pump()
    assert any("YooKassa does not accept our keys" in message.get("text", "") for message in boss.received)
    boss.send("/doctor")
    assert "YooKassa does not accept the keys" in boss.last and "401" in boss.last


def test_a_payer_is_told_that_a_way_stays_out_of_work_and_pays_once_it_works(start, yookassa_shop):
    bot = start()
    alice, anna = bot.user(), bot.user("Анна", language_code="ru")
    yookassa_shop.settings(secret_key="live_another-key")
    ask(alice)
    assert "Этот способ оплаты сейчас не работает" in ask(anna, way="⚡")
    bot.forward(20 * 60, step=60)
    assert "did not go through. This way to pay doesn’t work right now" in alice.last
    yookassa_shop.settings(secret_key=KEYS["YOOKASSA_SECRET_KEY"])
    alice.tap("Try again · 300 ₽")
    assert "Pay 300 ₽" in alice.buttons


def test_an_entry_and_a_receipt_name_the_way_that_was_paid(start, yookassa_shop):
    bot = start()
    boss, alice, anna = bot.admin(), bot.user(), bot.user("Анна", language_code="ru")
    paid(bot, alice, yookassa_shop)
    paid(bot, anna, yookassa_shop)
    for person, word in ((alice, "YooKassa"), (anna, "ЮKassa")):
        person.send("/balance")
        assert f"300 ₽ · {word}" in person.last
        person.send("/payments")
        person.tap("receipts:show")
        assert person.last.count(word) == 2
    open_card(boss, alice)
    assert "300 ₽ · YooKassa" in boss.last
    boss.tap("refunds:list")
    boss.tap("Cards and crypto")
    assert [label for label in boss.buttons if "300 ₽ · YooKassa" in label]


def test_doctor_says_what_an_operator_takes_upon_himself_and_that_it_is_a_test_shop(start, yookassa_shop):
    bot = start()
    boss = bot.admin()
    boss.send("/doctor")
    assert "Telegram’s terms (6.2)" in boss.last and "this is a test shop" in boss.last
    yookassa_shop.settings(receipts="yookassa")
    boss.send("/doctor")
    assert "the shop sends receipts" in boss.last
    yookassa_shop.settings(status="disabled")
    boss.send("/doctor")
    assert "or it is closed (disabled)" in boss.last


def test_without_its_settings_there_is_no_yookassa_and_nobody_is_asked(start_bot, yookassa_server, yookassa_shop):
    bot = start_bot(YOOKASSA_API_URL=yookassa_server.url)
    alice = bot.user()
    alice.send("/topup")
    alice.tap("300 ₽")
    assert not [label for label in alice.buttons if "💳" in label]
    bot.forward(DAY, step=3600)
    assert yookassa_shop.calls() == []
    assert bot.call("/pay/yookassa", b"{}").status_code == 404


def test_hidden_ways_leave_what_is_under_way_to_come(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    bot.environ |= {"YOOKASSA_WAYS": "none"}
    bot.restart()
    alice.send("/topup")
    alice.tap("300 ₽")
    assert not [label for label in alice.buttons if "💳" in label]
    yookassa_shop.pay(callback="never")
    bot.forward(60)
    assert bot.balance(alice) == 30_000


@pytest.mark.parametrize(("settings", "name"), [
    ({"YOOKASSA_SHOP_ID": "12x"}, "YOOKASSA_SHOP_ID"), ({"YOOKASSA_SECRET_KEY": "short"}, "YOOKASSA_SECRET_KEY"),
    ({"YOOKASSA_SECRET_KEY": ""}, "YOOKASSA_SECRET_KEY"), ({"YOOKASSA_SHOP_ID": ""}, "YOOKASSA_SHOP_ID"),
    ({"YOOKASSA_WAYS": "card"}, "YOOKASSA_WAYS"), ({"YOOKASSA_RECEIPT": "1"}, "YOOKASSA_RECEIPT_EMAIL"),
    ({"YOOKASSA_API_URL": "yookassa"}, "YOOKASSA_API_URL"),
])  # fmt: skip
def test_settings_that_are_wrong_in_shape_stop_the_start(start_bot, settings, name):
    with pytest.raises(SettingsError, match=name) as refused:
        start_bot(**KEYS | settings)
    assert "short" not in str(refused.value)


def test_a_shop_with_receipts_gets_them_with_payments_and_refunds(start, yookassa_shop):
    yookassa_shop.settings(receipts="yookassa")
    bot = start(YOOKASSA_RECEIPT="1", YOOKASSA_RECEIPT_EMAIL="shop@example.org", YOOKASSA_RECEIPT_VAT="4")
    boss, alice = bot.admin(), bot.user()
    paid(bot, alice, yookassa_shop)
    (item,) = yookassa_shop.calls("/v3/payments", "POST")[0]["body"]["receipt"]["items"]
    assert (item["vat_code"], item["amount"]["value"]) == (4, "300.00")
    assert "refunded" in give_back(bot, boss, alice, "100")
    assert bot.balance(alice) == 20_000


def test_no_secret_and_no_payer_stands_in_the_log(start, yookassa_shop, caplog):
    caplog.set_level("DEBUG")
    bot = start()
    alice = bot.user()
    paid(bot, alice, yookassa_shop)
    yookassa_shop.trouble("*", "500", 2)
    ask(alice, "500 ₽")
    assert "test_demo-secret-key" not in caplog.text and "Basic " not in caplog.text


def test_people_read_it_in_their_language(start, yookassa_shop):
    bot = start()
    anna = bot.user("Анна", language_code="ru")
    assert "Ссылка действует до" in ask(anna, way="⚡")
    assert "тестовый магазин" in anna.last
    yookassa_shop.decline(reason="insufficient_funds")
    bot.forward(20)
    assert "Не хватило денег" in anna.last and "Деньги не списаны" in anna.last


def list_again(bot):
    """Have the provider's list compared now."""
    bot.bot.runtime_settings.put("LISTED:yookassa", "2026-11-01T00:00:00+00:00", now=bot.clock.now())
    bot.forward(700, step=350)


def test_a_callback_before_the_create_has_returned_finds_its_row(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    yookassa_shop.trouble("create", "drop")
    ask(alice)
    yookassa_shop.pay(callback="never")
    assert callback(bot, yookassa_shop) == 200
    bot.forward(12)
    assert entries_of(bot, alice) == [("topup", 30_000)]
    assert_books_are_right()


def test_a_callback_taken_just_before_a_kill_is_followed_after_it(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    bot.forward(300, step=20)
    yookassa_shop.pay(callback="never")
    assert callback(bot, yookassa_shop) == 200
    bot.restart()
    bot.forward(3)
    assert bot.balance(alice) == 30_000


def test_money_without_a_row_is_an_alarm_and_no_row_is_made_of_it(start, yookassa_server, yookassa_shop):
    bot = start()
    boss = bot.admin()
    body = {"amount": {"value": "50.00", "currency": "RUB"}, "capture": True, "metadata": {"bot": "1", "row": "777"}}
    body |= {"confirmation": {"type": "redirect", "return_url": "https://t.me/x"}}
    auth, key = (KEYS["YOOKASSA_SHOP_ID"], KEYS["YOOKASSA_SECRET_KEY"]), {"Idempotence-Key": "k"}
    requests.post(f"{yookassa_server.url}/payments", json=body, auth=auth, headers=key, timeout=10)
    yookassa_shop.pay()
    list_again(bot)
    assert any(
        "has money that belongs to none of our payments: 1" in message.get("text", "") for message in boss.received
    )
    assert bot.bot.provider_payments.get(777) is None
    assert_books_are_right()


def test_the_tap_is_answered_before_the_shop_is_asked(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    done = [call["method"] for call in bot.telegram.calls() if call["method"] != "getUpdates"]
    assert done[-3:] == ["editMessageText", "answerCallbackQuery", "editMessageText"]  # preparing, the answer, the link


def test_a_payment_that_waits_for_capture_is_captured(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    yookassa_shop.pay(hold=True)
    assert yookassa_shop.payment()["status"] == "waiting_for_capture"
    bot.forward(60)
    assert yookassa_shop.payment()["status"] == "succeeded"
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_a_payment_nobody_answers_for_is_an_alarm_after_a_week_and_hinders_no_other(start, yookassa_shop):
    bot = start()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    ask(alice)
    yookassa_shop.reset()  # it is gone there
    bot.clock.follow(yookassa_shop)
    ask(bob)
    yookassa_shop.pay(callback="never")
    bot.forward(60)
    assert bot.balance(bob) == 30_000
    bot.days_pass(8, step=3600)
    assert any("has said nothing about payment #1 for a week" in message.get("text", "") for message in boss.received)
    assert_books_are_right()


def test_a_payment_is_tagged_with_the_bot_and_the_row_alone(start, yookassa_shop):
    bot = start()
    alice = bot.user()
    ask(alice)
    (call,) = yookassa_shop.calls("/v3/payments", "POST")
    assert call["body"]["metadata"] == {"bot": "1", "row": "1", "v": "1"}
    assert str(alice.id) not in json.dumps(call["body"]) and "Alice" not in json.dumps(call["body"])


def test_money_for_somebody_who_was_forgotten_is_told_to_the_staff_and_can_go_back(start, yookassa_shop):
    bot = start()
    boss, alice = bot.admin(), bot.user()
    ask(alice)
    alice.send("/privacy")
    assert "the payment service gets the amount and a payment number" in alice.last
    alice.send("/deleteme")
    alice.tap("privacy:erase")
    yookassa_shop.pay()
    bot.forward(30)
    assert "arrived for somebody whose data has since been deleted" in boss.last
    assert_books_are_right()
    yookassa_shop.refund()
    list_again(bot)
    assert yookassa_shop.payment()["refunded_amount"]["value"] == "300.00"
    assert bot.bot.provider_payments.get(1).state == "refunded"
    assert_books_are_right()


@pytest.mark.parametrize("data", [
    "online:start:yookassa:bank_card:1", "online:start:yookassa:bank_card:99999999", "online:start:yookassa:gold:30000",
    "online:start:paypal:x:30000", "online:start:yookassa::30000", "online:start:yookassa:bank_card:-30000",
])  # fmt: skip
def test_a_forged_start_asks_for_nothing(start, yookassa_shop, data):
    bot = start()
    alice = bot.user()
    alice.send("/start")
    alice.forge(data)
    bot.pump()
    assert yookassa_shop.payments() == [] and bot.bot.payments.get(1) is None


def test_stars_stand_before_every_other_way(start):
    bot = start()
    alice = bot.user()
    alice.send("/topup")
    alice.tap("300 ₽")
    ways = [data for data in alice.buttons.values() if data.startswith("payments:pay:")]
    assert ways[0].startswith("payments:pay:stars:") and len(ways) > 2

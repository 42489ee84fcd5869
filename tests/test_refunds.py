"""Stars refunded from the user card, and Stars charged back from outside."""

import pytest

from storage.base import db
from storage.base.tables import Charge, Entry
from tests.shop import assert_books_are_right, entries_of, order, texts, user_of
from tests.till import TWO_OWNERS, charge_back_unheard, invoice, open_card, owner, pay_stars

pytest.importorskip("plugins.payments.refunds")


def ask_refund(boss, person, reason="by mistake"):
    """Walk to the question of the newest payment of somebody and write the reason."""
    open_card(boss, person)
    boss.tap("⭐ Refund")
    boss.tap("refunds:ask:")
    boss.send(reason)


def test_a_payment_goes_back_with_its_reason_and_is_taken_off_the_balance(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice)
    ask_refund(boss, alice, "by <mistake>")
    assert "188 ⭐" in boss.last and "300 ₽" in boss.last and "by <mistake>" in boss.last
    assert entries_of(bot, alice) == [("stars", 30_000)]
    boss.tap("✓ Refund")
    assert "✓ 188 ⭐ refunded" in boss.last
    assert entries_of(bot, alice) == [("stars", 30_000), ("refund", -30_000)]
    (call,) = bot.telegram.calls("refundStarPayment")
    assert call["params"] == {"user_id": alice.id, "telegram_payment_charge_id": charge}
    assert "−300 ₽: payment #1 was taken back. Balance 0 ₽." in alice.last
    assert not user_of(bot, alice).sales_paused
    alice.send("/balance")
    assert "refund · by <mistake>" in alice.last
    boss.send("/audit")
    assert "Stars refunded" in boss.last and "by <mistake>" in boss.last
    assert_books_are_right()


def test_a_refund_after_spending_says_the_loss_and_wants_it_confirmed(start_bot):
    """The whole amount is taken, a write-off covers what is spent, sales pause."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_stars(alice, "100 ₽")
    spent = order(bot, alice).price
    bot.forward(120)
    ask_refund(boss, alice)
    loss = bot.bot.texts.money("en", spent)
    assert f"{loss} of it is already spent" in boss.last
    boss.tap("✓ Refund at a loss")
    assert entries_of(bot, alice)[-2:] == [("writeoff", spent), ("refund", -10_000)]
    assert bot.balance(alice) == 0 and user_of(bot, alice).sales_paused
    assert f"your loss: {loss}" in texts(boss)
    assert "until we have looked into it" in alice.last
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    assert_books_are_right()


def test_a_balance_that_fell_after_the_question_is_asked_about_again(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_stars(alice, "100 ₽")
    ask_refund(boss, alice)
    question = boss.last_message
    order(bot, alice)
    boss.tap("✓ Refund", question)
    assert "of it is already spent" in boss.last
    assert bot.telegram.calls("refundStarPayment") == []
    assert ("refund", -10_000) not in entries_of(bot, alice)


def test_twenty_taps_and_two_owners_give_a_payment_back_once(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg, alice = bot.admin(), owner(bot), bot.user()
    pay_stars(alice)
    ask_refund(boss, alice)
    ask_refund(oleg, alice)
    yes = next(data for data in boss.buttons.values() if data.startswith("refunds:go"))
    for _ in range(5):
        boss.forge(yes)
    oleg.tap("✓ Refund")
    assert entries_of(bot, alice) == [("stars", 30_000), ("refund", -30_000)]
    assert len(bot.telegram.calls("refundStarPayment")) == 1
    open_card(boss, alice)
    boss.tap("⭐ Refund")
    boss.tap("refunds:ask:")
    assert "already refunded" in boss.toast
    assert_books_are_right()


def test_a_refund_telegram_does_not_answer_is_asked_for_again_also_after_a_crash(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_stars(alice)
    ask_refund(boss, alice)
    bot.telegram.fail_next("refundStarPayment", "500", times=1)
    boss.tap("✓ Refund")
    assert "keep trying to refund" in boss.last
    assert entries_of(bot, alice)[-1] == ("refund", -30_000)
    bot.restart()
    bot.forward(180, step=30)
    assert [call["ok"] for call in bot.telegram.calls("refundStarPayment")] == [False, True]
    assert entries_of(bot, alice) == [("stars", 30_000), ("refund", -30_000)]
    assert not user_of(bot, alice).sales_paused
    assert_books_are_right()


def test_a_refund_of_what_went_back_already_is_booked_once(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice, "100 ₽")
    spent = order(bot, alice).price
    ask_refund(boss, alice)
    charge_back_unheard(bot, alice, charge)
    boss.tap("✓ Refund at a loss")
    assert "refunded, 100 ₽ taken off" in texts(boss)
    bot.forward(900, step=60)
    assert entries_of(bot, alice).count(("refund", -10_000)) == 1
    assert entries_of(bot, alice).count(("writeoff", spent)) == 1
    assert "chargeback" not in dict(entries_of(bot, alice))
    assert_books_are_right()


def test_a_refund_of_a_charge_telegram_does_not_know_returns_to_the_balance(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    invoice(alice)
    payload = bot.telegram.calls("sendInvoice")[-1]["params"]["payload"]
    payment = {
        "currency": "XTR",
        "total_amount": 188,
        "invoice_payload": payload,
        "telegram_payment_charge_id": "unknown",
        "provider_payment_charge_id": "",
    }
    person, chat = {"id": alice.id, "is_bot": False, "first_name": "Alice"}, {"id": alice.id, "type": "private"}
    bot.telegram.update(
        message={"message_id": 900_000, "from": person, "chat": chat, "date": 1, "successful_payment": payment}
    )
    ask_refund(boss, alice)
    boss.tap("✓ Refund")
    assert "Telegram has declined to refund the 188 ⭐" in texts(boss)
    assert entries_of(bot, alice) == [("stars", 30_000), ("refund", -30_000), ("refund", 30_000)]
    assert "on your balance again" in texts(alice) and "declined the refund" in texts(boss)
    assert_books_are_right()


def test_a_chargeback_told_by_telegram_is_booked_once_and_an_admin_decides_about_sales(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice, "100 ₽")
    order(bot, alice)
    bot.forward(60)
    alice.refund(charge)
    bot.forward(900, step=60)
    kinds = [kind for kind, _amount in entries_of(bot, alice)]
    assert kinds.count("chargeback") == 1 and kinds.count("writeoff") == 1 and bot.balance(alice) == 0
    assert "was taken back: 100 ₽" in texts(boss)
    give_money(bot, boss, alice)
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    alice.tap("▶ Create")
    assert "Your orders are paused" in alice.last and "Support" in alice.buttons
    open_card(boss, alice)
    assert "orders paused" in boss.last
    boss.tap("▶ Resume orders")
    boss.send("talked to the bank")
    boss.tap("✓ Resume orders")
    assert "You can order again." in alice.last
    order(bot, alice)
    bot.forward(60)
    assert "photo" in alice.last_message
    assert_books_are_right()


def give_money(bot, boss, person):
    """Credit somebody a hundred from the card."""
    open_card(boss, person)
    boss.tap("+ Credit")
    boss.send("100 for a try")
    boss.tap("✓ Credit")


# who paid, and was forgotten


def forgotten(bot, person):
    """Have a person be forgotten; return the number they are told."""
    person.send("/deleteme")
    person.tap("Yes, forget me")
    return int(person.last.partition("give this number: ")[2].split(".")[0])


def refund_by_number(boss, number):
    """Find a forgotten person by the number they name and give their payment back; return the last answer."""
    boss.send(f"/user {number}")
    boss.tap("⭐ Refund")
    boss.tap("refunds:ask:")
    boss.send("they asked for it")
    boss.tap("✓ Refund")


@pytest.mark.parametrize("days", [1, 30])
def test_a_refund_reaches_who_was_forgotten_within_21_days_and_later(start_bot, days):
    """Within: the id is kept with the charge. Later: it is found in Telegram's list."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice)
    for _ in range(3):
        pay_stars(bot.user("Bob"))  # the list is not only of this one
    number = forgotten(bot, alice)
    bot.days_pass(days, step=5 * 24 * 3600)
    refund_by_number(boss, number)
    assert "✓ 188 ⭐ refunded" in texts(boss)
    (call,) = bot.telegram.calls("refundStarPayment")
    assert call["ok"] and call["params"] == {"user_id": alice.id, "telegram_payment_charge_id": charge}
    with db.connection():
        assert [(e.kind, e.amount) for e in Entry.select().where(Entry.user == number)] == [
            ("stars", 30_000),
            ("refund", -30_000),
        ]
    bot.forward(2 * 3600, step=3600)
    if days > 21:
        with db.connection():
            assert not Charge.select().where(Charge.payer.is_null(False)).exists()
    assert_books_are_right()


def test_with_the_list_out_of_reach_nothing_is_booked_and_it_can_be_tried_again(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_stars(alice)
    number = forgotten(bot, alice)
    bot.days_pass(30, step=10 * 24 * 3600)
    bot.telegram.fail_next("getStarTransactions", "500", times=50)
    refund_by_number(boss, number)
    assert "can’t be reached just now" in boss.toast or "can’t be reached just now" in texts(boss)
    assert bot.telegram.calls("refundStarPayment") == [] and bot.bot.ledger.balance(number) == 30_000
    bot.telegram.no_trouble()
    boss.tap("✓ Refund")
    assert "✓ 188 ⭐ refunded" in texts(boss) and bot.bot.ledger.balance(number) == 0


def test_a_refund_message_from_the_bot_itself_is_understood(start_bot):
    """The service message may come from the bot, into the payer's chat."""
    bot = start_bot()
    alice = bot.user()
    charge = pay_stars(alice)
    refund = {"currency": "XTR", "total_amount": 188, "invoice_payload": "1", "telegram_payment_charge_id": charge}
    sender, chat = (
        {"id": 1, "is_bot": True, "first_name": "Bot"},
        {"id": alice.id, "type": "private", "first_name": "Alice"},
    )
    for number in range(2):
        message = {"message_id": 900_000 + number, "from": sender, "chat": chat, "date": 1, "refunded_payment": refund}
        bot.telegram.update(message=message)
    assert entries_of(bot, alice) == [("stars", 30_000), ("chargeback", -30_000)]
    assert_books_are_right()

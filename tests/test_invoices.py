"""An invoice in Stars holds for a day, at its rate, once; what was accepted is credited as it said, all else as today."""

import pytest

from storage.base import db
from storage.base.tables import Checkout
from tests.shop import assert_books_are_right, entries_of, texts
from tests.till import invoice, pay_stars, pay_unheard, pay_with_charge

pytest.importorskip("plugins.payments.stars")
DAY = 86400


def set_rate(bot, rate):
    """Change the rate of Stars as an admin does in the chat."""
    boss = bot.admin()
    boss.forge("rates:edit:STARS_RATE")
    boss.send(str(rate))
    return boss


def checkouts():
    """Return (answered, charge id) of every accepted pre-checkout."""
    with db.connection():
        return list(Checkout.select(Checkout.answered, Checkout.charge_id).order_by(Checkout.accepted_at).tuples())


def test_an_invoice_is_good_for_a_day_and_then_a_fresh_one_is_at_hand(start_bot):
    bot = start_bot()
    alice = bot.user()
    old = invoice(alice)
    bot.forward(DAY + 60, step=DAY)
    outcome = alice.pay(old)
    assert outcome["state"] == "refused" and "more than a day old" in outcome["error"]
    assert "Nothing was charged" in alice.last and entries_of(bot, alice) == []
    alice.tap("⭐ New invoice · 188")
    assert alice.pay()["state"] == "paid"
    assert entries_of(bot, alice) == [("stars", 30_000)]
    late = invoice(alice)
    bot.forward(DAY - 60, step=DAY)
    assert alice.pay(late)["state"] == "paid"
    assert_books_are_right()


def test_a_rate_of_last_season_can_not_be_kept(start_bot):
    """An invoice at 16 ₽ a Star that is paid again and again for 90 days after the rate went down."""
    bot = start_bot(STARS_RATE="16")
    alice = bot.user()
    kept = invoice(alice)
    assert kept["invoice"]["total_amount"] == 19
    set_rate(bot, "1.6")
    outcome = alice.pay(kept)
    assert outcome["state"] == "refused" and "price of Stars has changed" in outcome["error"]
    for _ in range(3):
        bot.days_pass(30, step=30 * DAY)
        assert alice.pay(kept)["state"] == "refused"
    assert entries_of(bot, alice) == []
    alice.tap("⭐ New invoice · 188")
    assert alice.pay()["state"] == "paid" and entries_of(bot, alice) == [("stars", 30_000)]


def test_nothing_is_paid_while_stars_are_off(start_bot):
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    set_rate(bot, "0")
    outcome = alice.pay(message)
    assert outcome["state"] == "refused" and "not accepted at the moment" in outcome["error"]
    alice.tap("Another way to pay")
    assert "How would you like to pay?" in alice.last and "⭐" not in " ".join(alice.buttons)
    assert entries_of(bot, alice) == []


def test_a_rate_that_changes_after_the_pre_checkout_changes_nothing_about_its_payment(start_bot):
    """The row is there before Telegram is answered; the payment is heard of after a change and a restart."""
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    own = bot.telegram.pump

    def answer_and_change_the_rate():
        """Answer the pre-checkout, and change the rate before the payment is heard of."""
        bot.runtime.updates.fetch(wait_s=0)
        if bot.runtime.updates.express.run_waiting():
            bot.bot.runtime_settings.put("STARS_RATE", "0.5", now=bot.clock.now())
            bot.telegram.pump = lambda: None

    bot.telegram.pump = answer_and_change_the_rate
    assert alice.pay(message)["state"] == "paid"
    assert checkouts() == [(True, None)] and entries_of(bot, alice) == []
    bot.telegram.pump = own
    bot.restart()
    bot.pump()
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert checkouts()[0][1]
    assert_books_are_right()


def test_a_charge_that_nobody_accepted_is_worth_what_it_is_today_and_the_staff_hears_of_it(start_bot):
    bot = start_bot(STARS_RATE="16")
    alice = bot.user()
    invoice(alice)
    payload = bot.telegram.calls("sendInvoice")[-1]["params"]["payload"]
    boss = set_rate(bot, "1.6")
    pay_with_charge(bot, alice, "unheard of", stars=19, invoice_payload=payload)
    assert entries_of(bot, alice) == [("stars", 3_040)]
    assert "19 Stars for payment #1 arrived unchecked" in boss.last
    assert "30.40 ₽" in boss.last and "300 ₽" in boss.last
    assert "+30.40 ₽, balance 30.40 ₽." in texts(alice)
    alice.send("/payments")
    assert "30.40 ₽" in alice.last
    assert_books_are_right()


def test_a_charge_that_nobody_accepted_goes_back_for_what_it_was_credited(start_bot):
    bot = start_bot(STARS_RATE="16")
    alice = bot.user()
    message = invoice(alice)
    set_rate(bot, "1.6")
    charge = pay_unheard(bot, alice, message)
    bot.forward(600, step=60)
    assert entries_of(bot, alice) == [("stars", 3_040)]
    alice.refund(charge)
    bot.pump()
    assert entries_of(bot, alice)[-1] == ("chargeback", -3_040) and bot.balance(alice) == 0
    assert_books_are_right()


def test_a_payment_that_was_accepted_but_never_told_is_found_at_its_sum(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice)
    assert checkouts() == [(True, charge)]
    assert "unchecked" not in texts(boss)


def test_a_renewal_is_credited_as_the_person_agreed_whatever_the_rate_is_now(start_bot):
    bot = start_bot(STARS_RATE="16")
    alice = bot.user()
    invoice(alice)
    payload = bot.telegram.calls("sendInvoice")[-1]["params"]["payload"]
    boss = set_rate(bot, "1.6")
    for month in range(3):
        bot.clock.forward(30 * DAY)
        renewal = {"is_recurring": True, "subscription_expiration_date": int(bot.clock.now().timestamp()) + 30 * DAY}
        pay_with_charge(bot, alice, f"month {month}", stars=19, invoice_payload=payload, **renewal)
    assert entries_of(bot, alice) == [("stars", 30_000)] * 3
    assert "unchecked" not in texts(boss)
    assert_books_are_right()


def test_an_accepted_pre_checkout_whose_payment_never_comes_is_forgotten(start_bot):
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    assert alice.pay(message, cancel=True)["state"] == "cancelled"
    assert checkouts() == [(True, None)]
    outcome = alice.pay(message)
    assert outcome["state"] == "refused"  # it may be on its way; a fresh one is at hand
    alice.tap("⭐ New invoice")
    assert alice.pay()["state"] == "paid"
    bot.days_pass(9, step=DAY / 2)
    assert [charge for _answered, charge in checkouts() if charge is None] == []
    assert len(checkouts()) == 1 and entries_of(bot, alice) == [("stars", 30_000)]


def test_an_answer_that_never_reached_telegram_leaves_the_invoice_payable(start_bot, caplog):
    """A crash, or a lost call, between the row and the answer: the person tries again and is let through."""
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    person = {"id": alice.id, "is_bot": False, "first_name": "Alice", "language_code": "en"}
    payload = bot.telegram.calls("sendInvoice")[-1]["params"]["payload"]
    query = {"id": "7", "from": person, "currency": "XTR", "total_amount": 188, "invoice_payload": payload}
    bot.telegram.update(pre_checkout_query=query)  # Telegram does not know this query: the answer is refused
    assert checkouts() == [(False, None)]
    assert "query is too old" in caplog.text
    assert not [row for row in caplog.records if row.levelname == "ERROR"], "it is nobody's mistake"
    assert alice.pay(message)["state"] == "paid"
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert_books_are_right()

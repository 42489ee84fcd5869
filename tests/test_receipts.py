"""/payments: every payment with a receipt that can be found again, and nobody else's."""

import pytest

from tests.till import invoice, pay_stars, pay_unheard, transfer

pytest.importorskip("plugins.payments.receipts")


def test_every_credit_has_a_receipt_that_is_found_again(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice)
    transfer(alice, "500 ₽")
    boss.tap("✓ Approve")
    alice.tap("Receipt")
    assert "Payment #2 · 500 ₽" in alice.last and "transfer" in alice.last and "+500 ₽" in alice.last
    alice.send("/payments")
    alice.tap("#1")
    assert "Payment #1 · 300 ₽" in alice.last and "188 ⭐" in alice.last and "+300 ₽ · Stars" in alice.last
    assert charge in str(alice.last_message["reply_markup"])


def test_an_invoice_paid_twice_shows_both_credits(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/topup")
    alice.tap("100 ₽")
    alice.tap("⭐")
    charge = alice.pay()["charge_ids"][0]
    paid = bot.bot.refunds.charge(charge)
    bot.bot.payments.credit_stars("again", paid.topup_id, paid.user_id, paid.stars, bot.clock.now(), agreed=True)
    bot.pump()
    alice.send("/payments")
    alice.tap("#1")
    assert alice.last.count("+100 ₽ · Stars") == 2


def test_an_invoice_paid_three_times_shows_the_whole_sum_and_every_number(start_bot):
    bot = start_bot()
    alice = bot.user()
    first = invoice(alice, "100 ₽")
    charges = [alice.pay()["charge_ids"][0], *(pay_unheard(bot, alice, first) for _ in range(2))]
    paid = bot.bot.refunds.charge(charges[0])
    for charge in charges[1:]:
        bot.bot.payments.credit_stars(charge, paid.topup_id, paid.user_id, 63, bot.clock.now(), agreed=True)
    bot.pump()
    alice.send("/payments")
    assert "#1" in alice.last and "300 ₽" in alice.last
    alice.tap("#1")
    assert "Payment #1 · 300 ₽" in alice.last and "189 ⭐" in alice.last and alice.last.count("+100 ₽") == 3
    keyboard = str(alice.last_message["reply_markup"])
    assert all(charge in keyboard for charge in charges)


def test_nobody_sees_the_receipts_of_others(start_bot):
    bot = start_bot()
    alice, eve = bot.user(), bot.user("Eve")
    pay_stars(alice)
    eve.send("/payments")
    assert "No payments yet" in eve.last
    eve.forge("receipts:show:1")
    assert "out of date" in eve.toast
    eve.forge("receipts:page:999")
    assert "300 ₽" not in eve.last


def test_the_list_has_pages(start_bot):
    bot = start_bot()
    alice = bot.user()
    for _ in range(8):
        pay_stars(alice, "100 ₽")
    alice.send("/payments")
    assert "#8" in alice.last and "#2" not in alice.last
    alice.tap("Older")
    assert "#2" in alice.last and "#1" in alice.last and "#8" not in alice.last

"""A sum every month as a Stars subscription: begun by the person, renewed by Telegram, ended by either side."""

from tests.shop import assert_books_are_right, entries_of
from tests.till import open_card

MONTH = 30 * 24 * 3600


def subscribe(bot, person):
    """Begin a subscription; return the charge of its first payment."""
    person.send("/monthly")
    person.tap("monthly:begin")
    (charge,) = person.pay(link=bot.telegram.calls("createInvoiceLink")[-1]["result"])["charge_ids"]
    return charge


def test_each_month_is_credited_as_agreed_whatever_the_rate_has_become(start_bot):
    bot = start_bot(MONTHLY_AMOUNT="500")
    alice = bot.user()
    charge = subscribe(bot, alice)
    assert entries_of(bot, alice) == [("stars", 50_000)]
    bot.bot.runtime_settings.put("STARS_RATE", "1", now=bot.clock.now())
    for _ in range(2):
        bot.clock.forward(MONTH)
        alice.renew(charge)
    assert entries_of(bot, alice) == [("stars", 50_000)] * 3
    assert_books_are_right()


def test_the_person_ends_it_and_lets_it_go_on(start_bot):
    bot = start_bot(MONTHLY_AMOUNT="500")
    alice = bot.user()
    charge = subscribe(bot, alice)
    alice.send("/monthly")
    assert "Next payment: 22 Dec" in alice.last
    alice.tap("✗ Turn off")
    assert "is stopped" in alice.last
    bot.clock.forward(MONTH - 3600)
    assert alice.renew(charge)["charge_id"] is None
    alice.send("/monthly")
    alice.tap("Turn on again")
    assert alice.renew(charge)["charge_id"] is not None
    assert entries_of(bot, alice) == [("stars", 50_000)] * 2
    assert_books_are_right()


def test_the_staff_ends_it_from_the_persons_card(start_bot):
    bot = start_bot(MONTHLY_AMOUNT="500")
    boss, alice = bot.admin(), bot.user()
    charge = subscribe(bot, alice)
    open_card(boss, alice)
    boss.tap("refunds:list")
    boss.tap("Stop the monthly top-up")
    assert "is stopped" in boss.last and "We have stopped your" in alice.last
    assert alice.renew(charge)["charge_id"] is None
    boss.forge("monthly:end:2:1")
    assert [call["params"]["is_canceled"] for call in bot.telegram.calls("editUserStarSubscription")] == [True]


def test_it_is_offered_only_while_it_is_set_and_fits_into_telegrams_limit(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/monthly")
    assert "no monthly top-up" in alice.last
    bot.bot.runtime_settings.put("MONTHLY_AMOUNT", "16001", now=bot.clock.now())  # 10,001 Stars
    alice.send("/monthly")
    assert "no monthly top-up" in alice.last


def test_what_telegram_refuses_is_said(start_bot):
    bot = start_bot(MONTHLY_AMOUNT="500")
    alice = bot.user()
    subscribe(bot, alice)
    bot.telegram.fail_next("editUserStarSubscription", "400")
    alice.send("/monthly")
    alice.tap("monthly:change")
    assert "Telegram did not accept that" in alice.last

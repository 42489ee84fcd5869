"""Bonuses are revoked with the payment that earned them, codes expire, and a debt is paid from released holds."""

import pytest

from storage.base import db, schema
from storage.base.tables import Bonus, PromoUse
from storage.money import bonuses, ledger, payments, promo, refunds
from storage.people import users
from tests.shop import assert_books_are_right, entries_of, in_threads, order, texts, user_of
from tests.test_referrals import link_of
from tests.test_storage import NOW
from tests.till import open_card, pay_stars, pay_with_charge, staff, transfer

pytest.importorskip("plugins.referrals")


def invited(bot, alice, name="Bob"):
    """Return a person who has come by Alice's link."""
    person = bot.user(name)
    person.send(f"/start {link_of(alice)}")
    return person


def charge_back(bot, person, charge):
    """Take a payment back outside the bot, which hears of it."""
    person.refund(charge)
    bot.pump()


def give_back(boss, person, reason="by mistake", loss=False):
    """Refund somebody's newest payment from the card; return what was asked before."""
    open_card(boss, person)
    boss.tap("⭐ Refund")
    boss.tap("refunds:ask:")
    boss.send(reason)
    question = boss.last
    boss.tap("✓ Refund at a loss" if loss else "✓ Refund")
    return question


# the inviter's share


def test_three_second_accounts_that_are_charged_back_leave_the_inviter_nothing(start_bot):
    bot = start_bot()
    alice = bot.user()
    for name in ("Bob", "Carol", "Dave"):
        person = invited(bot, alice, name)
        charge_back(bot, person, pay_stars(person, "1,000 ₽"))
    bot.days_pass(22)
    assert bot.balance(alice) == 0 and entries_of(bot, alice) == []
    assert "100 ₽ (for an invitation) will not come" in texts(alice)
    assert_books_are_right()


def test_shares_that_were_paid_at_once_are_taken_back_and_what_is_spent_is_a_loss(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    boss, alice = bot.admin(), bot.user()
    people = [invited(bot, alice, name) for name in ("Bob", "Carol", "Dave")]
    charges = [pay_stars(person, "1,000 ₽") for person in people]
    assert bot.balance(alice) == 30_000
    spent = order(bot, alice).price
    bot.forward(120)
    for person, charge in zip(people, charges, strict=True):
        charge_back(bot, person, charge)
    assert bot.balance(alice) == 0 and user_of(bot, alice).sales_paused
    assert entries_of(bot, alice)[-2:] == [("writeoff", spent), ("takeback", -10_000)]
    assert "−100 ₽ (for an invitation)" in texts(alice) and "Your orders are paused" in alice.last
    assert f"your loss: {bot.bot.texts.money('en', spent)}" in texts(boss)
    open_card(boss, alice)
    assert "owes" in boss.last and "orders paused" in boss.last
    alice.send("/invite")
    assert "Invited: 3 · paid: 0 · earned: 0 ₽" in alice.last
    assert_books_are_right()


def test_a_share_of_stars_is_on_its_way_for_its_days_and_then_comes_once(start_bot):
    bot = start_bot()
    alice = bot.user()
    bob = invited(bot, alice)
    pay_stars(bob)
    assert "Bob has topped up: 30 ₽ is on its way" in alice.last and "13" in alice.last
    for screen in ("/balance", "/invite"):
        alice.send(screen)
        assert "On its way: 30 ₽, available from" in alice.last
    assert bot.balance(alice) == 0
    bot.restart()
    bot.days_pass(20)
    assert entries_of(bot, alice) == []
    bot.days_pass(2, step=21600)
    assert entries_of(bot, alice) == [("referral", 3_000)]
    assert texts(alice).count("For your invitation: +30 ₽, balance 30 ₽.") == 1
    alice.send("/invite")
    assert "paid: 1 · earned: 30 ₽" in alice.last and "On its way" not in alice.last
    assert_books_are_right()


def test_a_transfer_that_is_undone_takes_the_share_with_it(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    bob = invited(bot, alice)
    transfer(bob)
    boss.tap("✓ Approve")
    assert entries_of(bot, alice) == [("referral", 3_000)]
    boss.tap("↩ Undo")
    boss.tap("transfer:take:1:duplicate")
    assert entries_of(bot, alice) == [("referral", 3_000), ("takeback", -3_000)]
    assert bot.balance(alice) == bot.balance(bob) == 0 and not user_of(bot, alice).sales_paused
    alice.send("/balance")
    assert "bonus of a payment taken back" in alice.last
    assert_books_are_right()


@pytest.mark.parametrize("days", ["0", "21"])
def test_a_refund_that_telegram_refuses_gives_the_bonuses_back(start_bot, days):
    bot = start_bot(REFERRAL_HOLD_DAYS=days)
    boss, alice = bot.admin(), bot.user()
    boss.send("/newpromo MORE 50% 5")
    bob = invited(bot, alice)
    bob.send("/promo MORE")
    pay_with_charge(bot, bob, "none of Telegram's", "100 ₽", 63)
    assert bot.balance(bob) == 15_000
    before = bot.balance(alice)
    bot.telegram.fail_next("refundStarPayment", "500", times=1)
    give_back(boss, bob)
    assert bot.balance(bob) == bot.balance(alice) == 0
    bot.forward(120, step=30)
    assert "declined the refund" in texts(boss)
    assert bot.balance(bob) == 15_000 and bot.balance(alice) == before
    assert_books_are_right()
    bot.days_pass(22)
    assert bot.balance(alice) == 1_000
    assert_books_are_right()


def test_a_refund_says_what_the_bonuses_cost_as_well(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    boss, alice = bot.admin(), bot.user()
    bob = invited(bot, alice)
    pay_stars(bob, "100 ₽")
    spent = order(bot, alice).price
    bot.forward(120)
    question = give_back(boss, bob, loss=True)
    assert f"{bot.bot.texts.money('en', spent)} of it is already spent" in question
    assert bot.balance(alice) == bot.balance(bob) == 0
    assert user_of(bot, alice).sales_paused and not user_of(bot, bob).sales_paused
    assert_books_are_right()


# codes


def test_a_code_over_two_hundred_percent_needs_an_owners_word(start_bot):
    bot = start_bot()
    boss, oleg = bot.admin(), staff(bot, "admin", "Oleg")
    oleg.send("/newpromo HUGE 500% 10")
    assert "At most 200%" in oleg.last and promo.every() == []
    oleg.forge("promo:sure:1")
    assert promo.every() == []
    boss.send("/newpromo HUGE 500% 10")
    assert "500%" in boss.last and "gets 500 ₽ more" in boss.last and promo.every() == []
    boss.tap("✓ Give 500%")
    assert [(code.code, code.value) for code in promo.every()] == [("HUGE", 500)]
    boss.send("/newpromo FAIR 200% 10")
    assert {code.code for code in promo.every()} == {"HUGE", "FAIR"}


def test_what_a_code_gave_for_a_payment_goes_back_with_it(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/newpromo HUGE 500% 10")
    boss.tap("✓ Give 500%")
    alice = bot.user()
    alice.send("/promo HUGE")
    charge = pay_stars(alice)
    assert bot.balance(alice) == 180_000
    charge_back(bot, alice, charge)
    assert bot.balance(alice) == 0
    assert entries_of(bot, alice)[-2:] == [("chargeback", -30_000), ("takeback", -150_000)]
    assert promo.given("HUGE") == 0
    assert_books_are_right()


@pytest.mark.parametrize("end", ["stopped", "expired"])
def test_a_code_that_has_ended_pays_nothing_more_to_those_who_wait_either(start_bot, end):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    boss.send("/newpromo SPRING 50% 10 1 1")
    alice.send("/promo SPRING")
    assert "50%" in alice.last and "before" in alice.last
    if end == "stopped":
        boss.tap("SPRING")
        boss.tap("Stop")
        assert "SPRING has ended" in alice.last
    else:
        bot.clock.forward(86400 + 60)
    pay_stars(alice)
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert "SPRING has ended" in texts(alice)
    boss.send("/newpromo SUMMER 10% 10")
    alice.send("/promo SUMMER")
    pay_stars(alice)
    assert entries_of(bot, alice)[-2:] == [("stars", 30_000), ("promo", 3_000)]
    assert_books_are_right()


# what was on hold when the money went back


@pytest.mark.parametrize("end", ["fails", "is cancelled"])
def test_what_was_on_hold_pays_the_debt_when_its_order_fails(start_bot, end):
    """A loss is written off while 0.72 ₽ are on hold: they do not come back to somebody who has all the money already."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice, "100 ₽")
    bot.kie.settings(hold=True)
    if end == "is cancelled":
        bot.kie.trouble("create", "429", times=0)
    held = order(bot, alice)
    charge_back(bot, alice, charge)
    assert entries_of(bot, alice)[-2:] == [("writeoff", held.price), ("chargeback", -10_000)]
    if end == "fails":
        bot.kie.fail()
        bot.forward(120)
    else:
        alice.send("/cancel")
        assert "1 order cancelled" in alice.last
    assert entries_of(bot, alice)[-2:] == [("release", held.price), ("recovery", -held.price)]
    assert bot.balance(alice) == 0 and ledger.debt(user_of(bot, alice).id) == 0
    if end == "fails":
        assert "covers what was still owed for a payment taken back" in texts(alice)
    open_card(boss, alice)
    assert "owes" not in boss.last
    assert_books_are_right()


def test_a_refund_says_what_is_on_hold_and_its_refusal_returns_everything(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_with_charge(bot, alice, "none of Telegram's", "100 ₽", 63)
    bot.kie.settings(hold=True)
    held = order(bot, alice)
    bot.forward(10)
    bot.telegram.fail_next("refundStarPayment", "500", times=1)
    question = give_back(boss, alice, loss=True)
    assert f"{bot.bot.texts.money('en', held.price)} is on hold" in question
    bot.kie.fail()
    bot.forward(40)
    assert entries_of(bot, alice)[-1] == ("recovery", -held.price)
    bot.forward(60)
    assert bot.balance(alice) == 10_000 and ledger.debt(user_of(bot, alice).id) == 0
    assert_books_are_right()


def test_neither_a_top_up_nor_an_order_made_later_pays_the_debt(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice, "100 ₽")
    spent = order(bot, alice).price
    bot.forward(120)
    charge_back(bot, alice, charge)
    pay_stars(alice, "100 ₽")
    assert bot.balance(alice) == 10_000
    open_card(boss, alice)
    assert f"owes {bot.bot.texts.money('en', spent)}" in boss.last
    boss.tap("▶ Resume orders")
    boss.send("talked")
    boss.tap("✓ Resume orders")
    bot.kie.settings(hold=True)
    order(bot, alice)
    bot.forward(10)
    bot.kie.fail()
    bot.forward(120)
    assert bot.balance(alice) == 10_000 and ledger.debt(user_of(bot, alice).id) == spent
    boss.tap("⚖ Collect the debt")
    boss.send("as agreed")
    boss.tap("✓ Collect")
    boss.forge("users:ok:1")
    assert entries_of(bot, alice)[-1] == ("recovery", -spent) and bot.balance(alice) == 10_000 - spent
    assert "as agreed" in alice.last and "owes" not in boss.last
    boss.send("/audit")
    assert "debt collected" in boss.last
    assert_books_are_right()


# the storage alone


@pytest.fixture
def people(database_url):
    """The ids of three users on an open database of each kind."""
    db.connect(database_url)
    schema.migrate()
    yield [users.seen(users.Sender(number, "P"), NOW).id for number in (1, 2, 3)]
    db.disconnect()


def test_a_bonus_never_outlives_its_payment_whoever_comes_first(people):
    """The share is posted at the very moment at which the payment goes back: again and again, nothing is left."""
    payer, inviter, _other = people
    for number in range(12):
        topup = payments.create(payer, "stars", 30_000, now=NOW, stars=188)
        payments.credit_stars(f"c{number}", topup.id, payer, 188, NOW)
        place = {"kind": "bonus", "key": f"pack:{number}", "origin": f"stars:c{number}", "topup": topup.id}

        def work(which, place=place, number=number):
            if (which + number) % 2:
                return refunds.taken_back(f"c{number}", NOW)
            return bonuses.promise(inviter, 3_000, **place, now=NOW).amount

        assert set(in_threads(2, work)) == {3_000, "chargeback"}
        assert ledger.balance(inviter) == ledger.balance(payer) == 0, number
    with db.connection():
        assert {state for (state,) in Bonus.select(Bonus.state).tuples()} <= {"taken", "void"}
    assert_books_are_right()


def test_eight_threads_leave_one_code_waiting(people):
    user, author, _other = people
    for number in range(8):
        promo.create(f"CODE{number}", "percent", 10, total_limit=5, author=author, now=NOW)
    told = in_threads(8, lambda number: promo.redeem(f"CODE{number}", user, NOW))
    assert sum(isinstance(one, promo.OneWaits) for one in told) == 7
    with db.connection():
        assert PromoUse.select().where(PromoUse.state == "waiting").count() == 1


def test_a_high_percentage_is_refused_by_the_storage_too(people):
    with pytest.raises(ValueError, match="500%"):
        promo.create("HUGE", "percent", 500, total_limit=1, author=people[0], now=NOW)

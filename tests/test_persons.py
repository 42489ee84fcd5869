"""Limits, bans and debts belong to a person, whatever account they use: deleting one's data resets none of them."""

import logging

import pytest

from storage.backup import dump
from storage.base import db, schema
from storage.base.tables import Account, Charge, Entry, FreeRun, Once, Person, Referral, Stored, User
from storage.journal import runtime_settings
from storage.money import ledger, persons
from storage.people import users
from tests.shop import assert_books_are_right, card, entries_of, in_threads, order, texts, user_of
from tests.test_storage import NOW
from tests.till import charge_back_unheard, open_card, pay_stars

DAY = 24 * 3600


def leave(person):
    """Have oneself forgotten."""
    person.send("/deleteme")
    person.tap("Yes, forget me")
    assert "Your data has been deleted" in person.last


def given(kind):
    """Return the sum of all entries of a kind, whoever they are of."""
    with db.connection():
        return sum(amount for (amount,) in Entry.select(Entry.amount).where(Entry.kind == kind).tuples())


# once a person


def test_four_lives_are_given_one_welcome_gift(start_bot):
    bot = start_bot(WELCOME_GIFT="30")
    alice = bot.user()
    for _life in range(4):
        alice.send("/start")
        leave(alice)
    assert given("gift") == 3000
    assert texts(alice).count("30 ₽") >= 1
    assert_books_are_right()


def test_four_lives_have_the_free_orders_of_one(start_bot):
    bot = start_bot(FREE_MODELS="z-image", FREE_RUNS="2")
    alice = bot.user()
    for _life in range(4):
        for _order in range(2):
            card(alice)
            if any("free" in label for label in alice.buttons):
                alice.tap("▶ Create")
                bot.forward(60)
        leave(alice)
    with db.connection():
        assert FreeRun.select().count() == 2
    assert len(bot.kie.tasks()) == 2


def test_a_free_order_that_failed_comes_back_to_the_next_life(start_bot):
    bot = start_bot(FREE_MODELS="z-image", FREE_RUNS="1")
    bot.kie.settings(hold=True)
    alice = bot.user()
    card(alice)
    alice.tap("▶ Create · free")
    bot.forward(10)
    leave(alice)
    alice.send("/start")
    assert "Free today" not in alice.last
    bot.kie.fail()
    bot.forward(60)
    alice.send("/start")
    assert "Free today: 1 order" in alice.last


def test_a_code_is_used_once_in_three_lives(start_bot):
    bot = start_bot()
    bot.admin().send("/newpromo WELCOME 100 50")
    alice = bot.user()
    for _life in range(3):
        alice.send("/promo WELCOME")
        leave(alice)
    assert given("promo") == 10_000
    bob = bot.user("Bob")
    bob.send("/promo WELCOME")
    assert bot.balance(bob) == 10_000  # a code of others' is not used up by that


def test_an_inviter_is_paid_once_for_three_lives(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    alice.send("/invite")
    link = alice.buttons["Copy the link"]["text"].partition("?start=")[2]
    bob = bot.user("Bob")
    for _life in range(3):
        bob.send(f"/start {link}")
        pay_stars(bob)
        leave(bob)
    assert entries_of(bot, alice) == [("referral", 3_000)]
    with db.connection():
        assert Referral.select().count() == 1
    assert_books_are_right()


def test_the_first_top_up_is_the_first_of_the_person(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice, bob = bot.user(), bot.user("Bob")
    alice.send("/invite")
    link = alice.buttons["Copy the link"]["text"].partition("?start=")[2]
    pay_stars(bob)
    leave(bob)
    bob.send(f"/start {link}")
    pay_stars(bob)
    assert entries_of(bot, alice) == []


# bans, paused sales, debts


def test_somebody_whose_access_is_closed_can_see_and_erase_their_data_and_stays_closed(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice Secret")
    open_card(boss, alice)
    boss.tap("Block")
    boss.send("spam")
    boss.tap("✓")
    alice.send("/start")
    assert "You’re blocked here" in alice.last
    for command, words in {"/privacy": "What I know about you", "/mydata": "Everything I know about you"}.items():
        alice.send(command)
        assert words in (alice.last or alice.last_message["caption"])
    leave(alice)
    with db.connection():
        assert not User.select().where(User.first_name == "Alice Secret").exists()
    alice.send("/start")
    assert "You’re blocked here" in alice.last
    open_card(boss, alice)
    boss.tap("Unblock")
    boss.send("a mistake")
    boss.tap("✓")
    leave(alice)
    alice.send("/start")
    assert "Hi, Alice Secret" in alice.last


def test_a_chargeback_after_the_erasure_stops_sales_to_who_has_come_back(start_bot):
    """Spent, forgotten, charged back: sold to again at once."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    charge = pay_stars(alice, "100 ₽")
    order(bot, alice)
    bot.forward(60)
    leave(alice)
    alice.send("/start")
    pay_stars(alice, "100 ₽")
    charge_back_unheard(bot, alice, charge)
    bot.forward(600, step=60)
    assert user_of(bot, alice).sales_paused
    card(alice)
    alice.tap("▶ Create")
    assert "Your orders are paused" in alice.last
    assert "was taken back: 100 ₽" in texts(boss)
    open_card(boss, alice)
    boss.tap("▶ Resume orders")
    boss.send("talked to them")
    boss.tap("✓ Resume orders")
    order(bot, alice)
    assert_books_are_right()


def test_a_chargeback_told_before_they_come_back_awaits_them_and_makes_nobody(start_bot):
    bot = start_bot()
    alice = bot.user()
    charge = pay_stars(alice)
    leave(alice)
    bot.clock.forward(30 * DAY)  # later than the Telegram id is kept: the hash tells
    alice.refund(charge)
    bot.forward(60)
    with db.connection():
        assert User.select().where(User.telegram_id == alice.id).count() == 0
        assert Entry.select().where(Entry.kind == "chargeback").count() == 1
    alice.send("/start")
    assert user_of(bot, alice).sales_paused
    assert_books_are_right()


def test_paused_sales_stay_paused_in_the_next_life(start_bot):
    bot = start_bot()
    alice = bot.user()
    charge = pay_stars(alice)
    alice.refund(charge)
    assert user_of(bot, alice).sales_paused
    leave(alice)
    alice.send("/start")
    assert user_of(bot, alice).sales_paused


def test_a_debt_goes_with_the_person(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    person = user_of(bot, alice).person
    ledger.force(user_of(bot, alice).id, 700, kind="chargeback", key="chargeback:spent", now=bot.clock.now())
    leave(alice)
    alice.send("/start")
    back = user_of(bot, alice)
    assert back.person == person and ledger.debt(back.id) == 0 and persons.debt(back.id) == 700


# the hash itself


def test_the_hash_is_no_telegram_id_and_its_key_travels_with_a_copy(start_bot, tmp_path, request):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    person = user_of(bot, alice).person
    with db.connection():
        key = Stored.get_by_id(persons.KEY).value
    assert person == persons.hashed(key, alice.id) and str(alice.id) not in person and len(key) == 64
    leave(alice)
    copy = bot.bot.dump.write(bot.url, tmp_path / "copy.gz", bot.clock.now())
    bot.stop()
    other = request.getfixturevalue("postgres")() if bot.url.startswith("sqlite") else f"sqlite:///{tmp_path}/new.db"
    dump.restore(tmp_path / "copy.gz", other)
    assert copy["tables"]["person"] >= 1
    runtime_settings.forget()
    bot.url = bot.environ["DATABASE_URL"] = other
    bot.start()
    alice.send("/start")
    assert user_of(bot, alice).person == person


def test_without_the_key_nobody_is_taken_for_somebody_new(start_bot):
    bot = start_bot()
    bot.user().send("/start")
    with db.transaction():
        Stored.delete().where(Stored.name == persons.KEY).execute()
    with pytest.raises(persons.KeyIsGone), db.transaction():
        persons.known_as(77)


def test_the_hash_is_forgotten_three_years_after_the_last_visit_unless_it_still_holds_something(start_bot):
    bot = start_bot()
    alice, bob, carol = bot.user(), bot.user("Bob"), bot.user("Carol")
    for person in (alice, bob, carol):
        person.send("/start")
    bot.bot.users.change(user_of(bot, bob), banned=True)
    for person in (alice, bob):
        leave(person)
    bot.days_pass(2 * 365, step=365 * DAY)
    with db.connection():
        assert Person.select().count() == 3
    bot.days_pass(2 * 365, step=365 * DAY)
    with db.connection():
        left = {row.hash for row in Person.select()}
        assert left == {user_of(bot, carol).person, User.get(User.banned).person}
        assert User.select().where(User.person.is_null()).count() == 1
        assert Once.select().count() == 0


@pytest.fixture
def opened(database_url):
    """An open database of each kind."""
    db.connect(database_url)
    schema.migrate()
    runtime_settings.forget()
    yield
    db.disconnect()


def test_a_fresh_database_stays_empty_until_its_first_person(opened):
    with db.connection():
        assert Stored.select().count() == 0
    users.seen(users.Sender(1, "A"), NOW)
    with db.connection():
        assert Stored.select().where(Stored.name == persons.KEY).count() == 1


def test_eight_threads_make_one_key_and_one_person(opened):
    made = in_threads(8, lambda number: users.seen(users.Sender(77, "Zoe"), NOW, number).id)
    assert len(set(made)) == 1
    with db.connection():
        assert Person.select().count() == 1


def test_eight_threads_meet_the_same_newcomers_in_any_order_and_make_each_once(opened):
    senders = [(users.Sender(number, "Zoe"), number) for number in range(70, 90)]
    in_threads(8, lambda number: users.meet(senders if number % 2 else senders[::-1], NOW))
    with db.connection():
        assert (User.select().count(), Person.select().count(), Account.select().count()) == (20, 20, 20)
        assert sorted(user.born_of for user in User.select()) == list(range(70, 90))


def test_who_comes_back_among_newcomers_is_recognised(start_bot):
    bot = start_bot()
    alice, boris, carl = bot.user(), bot.user("Boris"), bot.user("Carl")
    alice.send("/start")
    bot.bot.users.change(user_of(bot, alice), banned=True)
    leave(alice)
    bot.stop()
    for person in (carl, alice, boris):
        person.send("/start")
    bot.start()
    bot.pump()
    assert [user_of(bot, person).banned for person in (alice, boris, carl)] == [True, False, False]
    assert "blocked" in alice.last and "Language" not in alice.last


def test_newcomers_take_no_more_statements_than_one_does(start_bot, caplog):
    bot = start_bot()
    people = [bot.user(f"P{number}") for number in range(20)]
    bot.user("Known").send("/start")

    def writes(some):
        bot.stop()
        for person in some:
            person.send("/start")
        bot.start()
        caplog.set_level(logging.DEBUG, "peewee")
        caplog.clear()
        bot.pump()
        return sum("INSERT" in str(record.msg) for record in caplog.records if record.name == "peewee")

    assert writes(people[:2]) == writes(people[2:])
    assert all("make pictures" in person.last for person in people)


def test_eight_threads_have_something_once(opened):
    user = users.seen(users.Sender(77, "Zoe"), NOW)
    assert sum(in_threads(8, lambda _number: persons.once(user.id, "gift"))) == 1


def test_a_known_person_is_one_read_and_so_is_a_stranger(opened, caplog):
    user = users.seen(users.Sender(77, "Zoe"), NOW)
    caplog.set_level(logging.DEBUG, "peewee")
    caplog.clear()
    again, stranger = users.seen(users.Sender(77, "Zoe"), NOW), users.seen(users.Sender(78, "Max"), NOW, create=False)
    assert again == user and stranger.id is None
    assert len([record for record in caplog.records if record.name == "peewee"]) == 2


def test_the_payer_stays_with_the_charge_of_those_alone_who_left(start_bot):
    bot = start_bot()
    alice, bob = bot.user(), bot.user("Bob")
    for person in (alice, bob):
        pay_stars(person)
    leave(alice)
    with db.connection():
        assert {charge.payer for charge in Charge.select()} == {alice.id, None}

"""Invitations: a link, one inviter per person, and a share of the first top-up, once."""

import base64

import pytest

from storage.base import db
from storage.base.tables import Referral
from storage.money import referrals
from storage.people import users
from tests.kit import png
from tests.shop import assert_books_are_right, entries_of, in_threads, texts
from tests.test_storage import NOW


def link_of(person):
    """Return the payload of a person's own link, as shown to copy."""
    person.send("/invite")
    return person.buttons["Copy the link"]["text"].partition("?start=")[2]


def top_up(person, amount="300 ₽"):
    """Pay an amount in Stars."""
    person.send("/topup")
    person.tap(amount)
    person.tap("⭐")
    assert person.pay()["state"] == "paid"


def test_the_link_that_is_shown_leads_back_to_its_owner_and_pays_a_share_of_the_first_top_up(start_bot):
    """Link round trip, message states the bonus."""
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    assert "10%" in alice.last
    bob = bot.user("Bob <3")
    bob.send(f"/start {link}")
    assert "Bob <3 has joined through your link" in alice.last
    top_up(bob)
    assert "Bob <3 has topped up: +30 ₽, balance 30 ₽." in alice.last
    assert entries_of(bot, alice) == [("referral", 3_000)]
    assert entries_of(bot, bob) == [("stars", 30_000)]
    alice.send("/invite")
    assert "Invited: 1 · paid: 1 · earned: 30 ₽" in alice.last
    assert_books_are_right()


@pytest.mark.parametrize("form", ["plain", "base64"])
def test_a_link_of_the_former_bot_credits_the_inviter(start_bot, form):
    """It had the Telegram id in it: as digits, or as base64 of `u:` and the digits."""
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    alice.send("/start")
    word = str(alice.id) if form == "plain" else base64.urlsafe_b64encode(f"u:{alice.id}".encode()).decode().rstrip("=")
    bob = bot.user("Bob")
    bob.send(f"/start ref_{word}")
    assert "Bob has joined through your link" in alice.last
    top_up(bob)
    assert entries_of(bot, alice) == [("referral", 3_000)]


@pytest.mark.parametrize("word", ["ref_", "ref_999999", "ref_abc", "ref_dTo", "ref_٣", "ref_" + "9" * 40, "ref_dTo1eA"])
def test_a_broken_link_of_the_former_bot_is_a_plain_start(start_bot, word):
    bot = start_bot()
    bob = bot.user("Bob")
    bob.send(f"/start {word}")
    assert "Bob" in bob.last and "wrong" not in bob.last
    with db.connection():
        assert not Referral.select().exists()


def test_only_the_first_top_up_pays_and_only_once(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    for _ in range(3):
        top_up(bob)
    bot.restart()
    bot.forward(60)
    assert entries_of(bot, alice) == [("referral", 3_000)]
    assert texts(alice).count("has topped up") == 1


def test_one_invoice_paid_twice_at_once_pays_one_share(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    bob.send("/topup")
    bob.tap("300 ₽")
    bob.tap("⭐")
    bob.pay(times=2)
    assert entries_of(bot, alice) == [("referral", 3_000)]


def test_nobody_invites_oneself(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    alice.send(f"/start {link}")
    top_up(alice)
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert "has joined through your link" not in texts(alice)


def test_who_was_here_before_is_not_invited_any_more(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice, bob = bot.user(), bot.user("Bob")
    link = link_of(alice)
    bob.send("hello")
    bob.send(f"/start {link}")
    top_up(bob)
    assert entries_of(bot, alice) == []


def test_the_first_inviter_stays_whatever_link_comes_later(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice, eve = bot.user(), bot.user("Eve")
    first, second = link_of(alice), link_of(eve)
    bob = bot.user("Bob")
    bob.send(f"/start {first}")
    bob.send(f"/start {second}")
    top_up(bob)
    assert entries_of(bot, alice) == [("referral", 3_000)]
    assert entries_of(bot, eve) == []


@pytest.mark.parametrize("payload", ["r", "rnobody", "r" + "x" * 60, "r1", "rrr"])
def test_a_link_that_leads_to_nobody_is_a_plain_start(start_bot, payload):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice, bob = bot.user(), bot.user("Bob")
    alice.send("/start")
    bob.send(f"/start {payload}")
    assert "Hi, Bob" in bob.last
    top_up(bob)
    assert entries_of(bot, alice) == []


def test_money_an_admin_gives_is_no_top_up_of_the_invited_person(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    bob_user = bot.bot.users.by_telegram_id(bob.id)
    bot.bot.ledger.post(bob_user.id, 10_000, kind="admin", key="gift", now=bot.clock.now())
    bot.pump()
    assert entries_of(bot, alice) == []
    top_up(bob)
    assert entries_of(bot, alice) == [("referral", 3_000)]


def test_a_transfer_counts_like_stars(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice, boss = bot.user(), bot.admin()
    link = link_of(alice)
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    bob.send("/topup")
    bob.tap("500 ₽")
    bob.tap("🏦 Transfer")
    bob.photo(png("transfer"))
    assert entries_of(bot, alice) == []
    boss.tap("✓ Approve")
    assert entries_of(bot, alice) == [("referral", 5_000)]


@pytest.mark.parametrize(("percent", "share"), [("1", 300), ("33", 9_900), ("100", 30_000)])
def test_the_share_is_the_operators_to_set(start_bot, percent, share):
    bot = start_bot(REFERRAL_PERCENT=percent, REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    assert f"{percent}%" in alice.last
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    top_up(bob)
    assert entries_of(bot, alice) == [("referral", share)]


def test_without_a_share_nothing_is_promised(start_bot):
    bot = start_bot(REFERRAL_PERCENT="0")
    alice = bot.user()
    alice.send("/start")
    assert "Invite" not in alice.buttons
    alice.send("/invite")
    assert "No such command" in alice.last


def test_a_second_start_by_the_same_link_invites_no_second_time(start_bot):
    bot = start_bot(REFERRAL_HOLD_DAYS="0")
    alice = bot.user()
    link = link_of(alice)
    bob = bot.user("Bob")
    bob.send(f"/start {link}")
    bot.restart()
    bob.send(f"/start {link}")
    assert texts(alice).count("has joined through your link") == 1


@pytest.fixture
def people(ready_url):
    """The ids of two users on an open database of each kind."""
    db.connect(ready_url)
    yield [users.seen(users.Sender(number, "P"), NOW).id for number in (1, 2, 3)]
    db.disconnect()


def test_eight_threads_invite_a_person_once(people):
    invited, *inviters = people
    made = in_threads(8, lambda number: referrals.invite(invited, inviters[number % 2], NOW))
    assert sum(made) == 1
    with db.connection():
        assert Referral.select().count() == 1


def test_eight_threads_note_the_bonus_once(people):
    invited, inviter, _other = people
    referrals.invite(invited, inviter, NOW)
    assert sum(in_threads(8, lambda _number: referrals.mark_paid(invited, 300))) == 1
    assert referrals.summary(inviter) == (1, 1, 300)


def test_the_database_itself_refuses_to_let_somebody_invite_himself(people):
    import peewee

    with pytest.raises(peewee.IntegrityError), db.transaction():
        Referral.insert(invited=people[0], inviter=people[0], created_at=NOW).execute()
    assert referrals.invite(people[0], people[0], NOW) is False

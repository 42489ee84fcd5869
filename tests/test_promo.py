"""Promo codes, as people and admins meet them."""

import pytest

from storage.money import promo, verify


def test_an_amount_is_credited_once_a_person_and_as_often_as_the_code_allows(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/newpromo summer 100 2")
    assert "SUMMER" in str(boss.buttons)
    people = [bot.user(name) for name in ("Alice <3", "Bob", "Carol")]
    for person in people:
        person.send("/promo Summer")
    assert [bot.balance(person) for person in people] == [10000, 10000, 0]
    assert "used up" in people[2].last
    people[0].send("/promo SUMMER")
    assert "used up" in people[0].last  # the code has no uses left at all
    assert bot.balance(people[0]) == 10000
    assert not list(verify.verify())


def test_a_person_may_not_use_a_code_twice(start_bot):
    bot = start_bot()
    bot.admin().send("/newpromo TWICE 50 10")
    alice = bot.user()
    alice.send("/promo TWICE")
    alice.send("/promo TWICE")
    assert "already" in alice.last
    assert bot.balance(alice) == 5000


def test_a_percentage_waits_for_the_next_top_up(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/newpromo SPRING 20% 500 2 14")
    alice = bot.user()
    alice.send("/promo SPRING")
    assert "20%" in alice.last and bot.balance(alice) == 0
    alice.tap("+ Top up")
    alice.tap("100 ₽")
    alice.tap("⭐")
    alice.pay()
    assert bot.balance(alice) == 12000
    alice.send("/topup")
    alice.tap("100 ₽")
    alice.tap("⭐")
    alice.pay()
    assert bot.balance(alice) == 22000  # once


def test_a_code_expires_and_can_be_stopped(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/newpromo OLD 10 5 1 1")
    bot.clock.forward(86400 + 60)
    alice = bot.user()
    alice.send("/promo OLD")
    assert "no such code" in alice.last
    boss.send("/newpromo BYE 10 5")
    boss.tap("BYE")
    boss.tap("Stop")
    alice.send("/promo BYE")
    assert "no such code" in alice.last and bot.balance(alice) == 0


@pytest.mark.parametrize(
    "words", ["", "X", "SUMMER", "SUMMER 0 5", "SUMMER -5 5", "SUMMER 5 0", "SUMMER 5 5 0", "a:b 5 5"]
)
def test_a_code_of_a_wrong_shape_is_explained(start_bot, words):
    bot = start_bot()
    boss = bot.admin()
    boss.send(f"/newpromo {words}".strip())
    assert "/newpromo SUMMER 100 50" in boss.last
    assert promo.every() == []


@pytest.mark.parametrize(("words", "wrong"), [
    ("a:b 5 5", "“a:b” can’t be a code"), ("SUMMER", "value and the number of uses are missing"),
    ("SUMMER 5", "number of uses is missing"), ("SUMMER 12.5 5", "“12.5” can’t be its value"),
    ("SUMMER 5 many", "“many” can’t be the number of uses:"), ("SUMMER 5 5 0", "“0” can’t be the number of uses per person"),
    ("SUMMER 5 5 1 soon", "“soon” can’t be the number of days"), ("SUMMER 5 5 1 1 1", "five at most"),
])  # fmt: skip
def test_what_is_wrong_with_a_code_is_said(start_bot, words, wrong):
    boss = start_bot().admin()
    boss.send(f"/newpromo {words}")
    assert wrong in boss.last.splitlines()[0] and "/newpromo SUMMER 100 50" in boss.last


@pytest.mark.parametrize("words", ["<b>&_*[`", "x" * 3000, "нет", "../../etc"])
def test_odd_codes_are_refused_politely(start_bot, words):
    bot = start_bot()
    alice = bot.user()
    alice.send("/promo")
    alice.send(words)
    assert "no such code" in alice.last


def test_a_stranger_makes_no_codes_and_sees_none(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/newpromo MINE 1000 5")
    alice.forge("promo:list")
    alice.forge("promo:stop:X")
    assert promo.every() == []


def test_redemptions_are_exported(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/newpromo ONE 10 5")
    alice = bot.user()
    alice.send("/promo ONE")
    boss.send("/admin")
    boss.tap("Promo codes")
    boss.tap("⬇ All redemptions")
    assert boss.last_message["document"]["file_name"] == "promo.csv"

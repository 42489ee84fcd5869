"""/timezone: times in the person's own zone, and the zone named where it is a guess."""

import pytest

pytest.importorskip("plugins.timezone")


def test_the_zone_is_named_to_people_who_have_not_chosen_one(start_bot):
    bot = start_bot(TIME_ZONE="Europe/Moscow")
    alice, boris, boss = bot.rich(), bot.user("Boris", language_code="ru"), bot.admin()
    alice.send("/timezone")
    boris.send("/timezone")
    assert "15:00 (Moscow)" in alice.last and "15:00 (Москва)" in boris.last
    alice.send("/timezone +1")
    assert "13:00" in alice.last and "(" not in alice.last
    boss.send("/timezone")
    assert "15:00 where you are" in boss.last, "the operator's zone is no guess for the staff"


def test_a_list_of_entries_tells_days_and_needs_no_zone(start_bot):
    alice = start_bot(TIME_ZONE="Europe/Moscow").rich()
    alice.send("/balance")
    assert "22 Nov · +1,000 ₽" in alice.last

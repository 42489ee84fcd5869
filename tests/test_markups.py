"""Selling prices: /price, markups and fixed prices for a model, a kind and everything; on and off."""

import pytest

from core.services.live_catalogue import LiveCatalogue
from storage.base.cached import CACHE_S
from tests.shop import card, job_of, order

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def price_of(person, model="z-image"):
    """Return the price on the main button of a model's card."""
    person.send("/cancel")
    card(person, model=model)
    return next(label for label in person.buttons if label.startswith("▶ Create")).partition("· ")[2]


def set_terms(boss, where, field, value):
    """Set a markup or a fixed price from the screen behind `where`."""
    boss.forge(where)
    boss.tap(field)
    boss.send(value)


@SQLITE
def test_price_shows_cost_price_and_margin_of_each_combination(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/price kling-2.6/text-to-video")
    # 55 credits are 0.275 dollars, 24.75 roubles; sold for twice as much
    assert "55 · 24.75 ₽ → 49.50 ₽ · 50%" in boss.last and "220 · 99 ₽ → 198 ₽ · 50%" in boss.last
    assert len([line for line in boss.last.split("\n") if "→" in line and "%" in line]) == 4


@SQLITE
def test_a_word_that_fits_several_models_offers_them_and_long_tables_are_paged(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/price seedance")
    assert "Send more of the name" in boss.last
    boss.send("/price bytedance/seedance-2")
    first = boss.last
    boss.tap("›")
    assert boss.last != first and "→" in boss.last
    boss.send("/price xyzzy")
    assert "No model matches" in boss.last
    boss.send("/price")
    boss.send("imagen4-fast")
    assert "Imagen 4 Fast" in boss.last


@SQLITE
def test_the_nearest_terms_count(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    assert price_of(alice) == "0.72 ₽"
    set_terms(boss, "terms:menu:all", "Markup…", "3")
    assert price_of(alice) == "1.08 ₽"
    set_terms(boss, "terms:menu:picture", "Markup…", "4")
    assert price_of(alice) == "1.44 ₽"
    set_terms(boss, "terms:model:z-image", "Fixed price…", "5")
    assert price_of(alice) == "5 ₽" and price_of(alice, "imagen4-fast") == "7.20 ₽"
    set_terms(boss, "terms:model:z-image", "Markup…", "2,5")
    assert price_of(alice) == "0.90 ₽"
    boss.tap("↺ Same as the rest")
    assert price_of(alice) == "1.44 ₽" and "markup ×4" in boss.last


@SQLITE
def test_what_was_fixed_is_what_is_charged_and_nothing_is_sold_below_cost(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    set_terms(boss, "terms:model:z-image", "Fixed price…", "0.50")
    order(bot, alice)
    bot.forward(60)
    assert (job_of(bot, alice).price, job_of(bot, alice).charged) == (50, 50)
    set_terms(boss, "terms:model:z-image", "Fixed price…", "0.10")
    assert price_of(alice) == "0.36 ₽"  # what KIE takes


@SQLITE
@pytest.mark.parametrize("wrong", ["", "0.5", "nan", "1e9", "two", "-3"])
def test_a_wrong_number_changes_nothing(start_bot, wrong):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    set_terms(boss, "terms:model:z-image", "Markup…", wrong or "?")
    assert "Send a number from ×1 to ×100" in boss.last
    assert price_of(alice) == "0.72 ₽"


@SQLITE
def test_a_model_is_switched_off_and_on_again(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    boss.forge("terms:model:z-image")
    boss.tap("✗ Take off sale")
    assert "Off sale" in boss.last
    alice.send("/models z-image")
    assert "Nothing found" in alice.last
    boss.tap("✓ Put on sale")
    assert price_of(alice) == "0.72 ₽"


@SQLITE
def test_another_process_sees_a_change_within_five_minutes(start_bot):
    bot = start_bot()
    boss = bot.admin()
    other = LiveCatalogue(bot.bot.generation.live_catalogue.path, bot.clock, callbacks=False)
    assert "z-image" in other.catalog().models
    boss.forge("terms:model:z-image")
    boss.tap("✗ Take off sale")
    assert "z-image" in other.catalog().models
    bot.clock.forward(CACHE_S + 1)
    assert "z-image" not in other.catalog().models

"""Rates, limits, payment details and texts set from the chat: stored, effective at once, read back."""

import pytest

from tests.shop import texts
from tests.till import invoice, transfer

pytest.importorskip("plugins.admin.settings")


def test_a_rate_counts_at_once_everywhere_and_three_prices_are_read_back(start_bot):
    """Seen in other bots: the setter wrote what nobody read."""
    bot = start_bot(USD_RATE="90")
    boss, alice = bot.admin(), bot.rich()
    boss.send("/rate 90")
    before = prices(boss)
    boss.send("/rate 180")
    assert [after / price for price, after in zip(before, prices(boss), strict=True)] == pytest.approx(
        [2, 2, 2], rel=0.02
    )
    boss.send("/markup 4")
    assert [after / price for price, after in zip(before, prices(boss), strict=True)] == pytest.approx(
        [4, 4, 4], rel=0.02
    )
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    shown = alice.last + " ".join(alice.buttons)
    bot.restart()
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    assert shown.split("▶")[1] == (alice.last + " ".join(alice.buttons)).split("▶")[1]


def prices(boss):
    """Return the three prices of the answer, as numbers."""
    lines = boss.last.split("Prices now\n")[1].split("\n")
    found = [
        float(line.rpartition("from ")[2].removesuffix(" ₽").replace(",", "")) for line in lines if "from " in line
    ]
    assert len(found) == 3
    return found


@pytest.mark.parametrize("words", ["0", "-5", "abc", "1e999999", "nan", "Infinity", "9999999999"])
def test_a_rate_that_makes_no_sense_changes_nothing(start_bot, words):
    bot = start_bot(USD_RATE="90")
    boss = bot.admin()
    boss.send(f"/rate {words}")
    assert "isn’t valid: send a number from 0.01 ₽ to 1,000,000 ₽" in boss.last
    boss.send("/rate")
    assert "Dollar rate: 90 ₽" in boss.last


def test_without_a_rate_the_bot_says_so_and_sells_once_it_is_set(start_bot):
    bot = start_bot(USD_RATE="")
    boss = bot.admin()
    boss.send("/admin")
    assert "Nothing is on sale" in boss.last
    boss.send("/rate")
    assert "the dollar rate is not set" in boss.last.lower()
    boss.send("/rate 92,5")
    assert "Dollar rate: 92.50 ₽" in boss.last and len(prices(boss)) == 3
    boss.send("/admin")
    assert "Nothing is on sale" not in boss.last


def set_in_chat(boss, name, value):
    """Set a setting as an admin does, from the menu."""
    boss.send("/admin")
    boss.tap("Rates")
    if f"rates:edit:{name}" not in boss.buttons.values():
        boss.tap("Details and terms")
    boss.tap(f"rates:edit:{name}")
    boss.send(value)


def test_the_price_of_a_star_counts_for_the_next_invoice(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    assert invoice(alice)["invoice"]["total_amount"] == 188
    set_in_chat(boss, "STARS_RATE", "2")
    assert "Price of a Star: 2" in boss.last
    assert invoice(alice)["invoice"]["total_amount"] == 150


def test_stars_and_transfers_are_switched_on_and_off_from_the_chat(start_bot):
    bot = start_bot(TRANSFER_DETAILS="", STARS_RATE="0")
    boss, alice = bot.admin(), bot.user()
    alice.send("/topup")
    assert "There is no way to pay" in alice.last and "Support" in alice.buttons
    alice.forge("payments:amount:30000")
    assert "There is no way to pay" in alice.last and "Support" in alice.buttons
    set_in_chat(boss, "TRANSFER_DETAILS", "New Bank 1111\nto Ivan <P.>")
    transfer(alice)
    assert "New Bank 1111\nto Ivan <P.>" in texts(alice)
    boss.tap("✓ Approve")
    assert bot.balance(alice) == 30_000
    set_in_chat(boss, "STARS_RATE", "1.6")
    alice.send("/topup")
    alice.tap("300 ₽")
    assert {"⭐ Stars · 188", "🏦 Transfer"} <= set(alice.buttons)
    stars = alice.buttons["⭐ Stars · 188"]
    set_in_chat(boss, "STARS_RATE", "0")
    alice.forge(stars)
    assert "closed for now" in alice.last


def test_limits_and_amounts_count_at_once(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    set_in_chat(boss, "TOPUP_AMOUNTS", "150, 250")
    set_in_chat(boss, "TOPUP_MIN", "200")
    alice.send("/topup")
    assert "250 ₽ · 157 ⭐" in alice.buttons and "150 ₽" not in str(alice.buttons) and "300 ₽" not in str(alice.buttons)
    alice.forge("payments:amount:15000")
    assert "out of date" in alice.toast
    set_in_chat(boss, "TOPUP_MAX", "100")
    assert "isn’t valid" in boss.last
    set_in_chat(boss, "TOPUP_AMOUNTS", "ten")
    assert "isn’t valid here" in boss.last


def test_texts_are_the_operators_own_in_each_language_and_go_back(start_bot):
    bot = start_bot(TERMS_TEXT="From the environment")
    boss, alice, anna = bot.admin(), bot.user(), bot.user("Anna", language_code="ru")
    alice.send("/terms")
    assert "From the environment" in alice.last
    set_in_chat(boss, "TERMS_TEXT", "Be <kind>.\nPay first.")
    set_in_chat(boss, "TERMS_TEXT_RU", "Сначала <оплата>.")
    alice.send("/terms")
    anna.send("/terms")
    assert "Be <kind>.\nPay first." in alice.last and "Сначала <оплата>." in anna.last
    boss.send("/admin")
    boss.tap("Rates")
    boss.tap("Details and terms")
    boss.tap("rates:edit:TERMS_TEXT")
    boss.tap("Back to default")
    alice.send("/terms")
    assert "From the environment" in alice.last


def test_a_setting_that_is_not_for_the_chat_can_not_be_forged(start_bot):
    bot = start_bot()
    boss = bot.admin()
    for name in ("KIE_API_KEY", "ADMIN_IDS", "TELEGRAM_BOT_TOKEN", "NOTHING"):
        boss.forge(f"rates:edit:{name}")
        assert "out of date" in boss.toast
        boss.forge(f"rates:reset:{name}:0")
        assert "out of date" in boss.toast


def test_an_invoice_made_before_a_change_is_refused_and_takes_nothing(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    message = invoice(alice)
    set_in_chat(boss, "STARS_RATE", "10")
    assert alice.pay(message)["state"] == "refused"
    assert bot.balance(alice) == 0


def test_a_factor_has_its_languages_decimal_sign_also_in_the_log(start_bot):
    bot = start_bot()
    boss = bot.telegram.person("Boss", id=5000000900, language_code="ru")
    boss.send("/markup 2,5")
    assert "×2,5" in boss.last
    boss.send("/price z-image")
    assert "наценка ×2,5" in boss.last
    boss.send("/audit")
    assert "×2,5" in boss.last or "2,5" in boss.last


def test_money_has_its_sign_and_factors_no_needless_zeros(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/rate")
    for line in ("Dollar rate: 90 ₽", "Markup: ×2", "Price of a Star: 1.60 ₽", "Smallest top-up: 10 ₽"):
        assert line in boss.last.split("\n")
    assert "Amounts offered: 100 ₽, 300 ₽, 500 ₽, 1,000 ₽" in boss.last and "Largest top-up: 50,000 ₽" in boss.last


@pytest.mark.parametrize(
    ("name", "typed", "shown"),
    [
        ("STARS_RATE", "1,7", "Price of a Star: 1.70 ₽"),
        ("USD_RATE", "92,50 ₽", "Dollar rate: 92.50 ₽"),
        ("MARKUP", "×2.5", "Markup: ×2.5"),
        ("TOPUP_MAX", "60 000 ₽", "Largest top-up: 60,000 ₽"),
    ],
)
def test_a_number_is_taken_as_people_write_it(start_bot, name, typed, shown):
    bot = start_bot()
    boss = bot.admin()
    set_in_chat(boss, name, typed)
    assert shown in boss.last

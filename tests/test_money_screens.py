"""What screens say about money: Stars beside amounts, no way to pay, what is copied, and a declined transfer."""

import pytest

from tests.kit import BOSS, png
from tests.till import invoice, request, transfer

OFF = {"STARS_RATE": "0", "TRANSFER_DETAILS": ""}
CARD = {"YOOKASSA_SHOP_ID": "500001", "YOOKASSA_SECRET_KEY": "test_demo-secret-key"}
COINS = {"CRYPTOPAY_TOKEN": "7001:DEMO-crypto-pay-token"}


def copies(person):
    """Return what the copy buttons of the newest message copy."""
    rows = person.last_message["reply_markup"]["inline_keyboard"]
    return [cell["copy_text"]["text"] for row in rows for cell in row if "copy_text" in cell]


def test_each_amount_says_what_it_is_in_stars(start_bot):
    bot = start_bot(TOPUP_PACKS="500:75")
    anna = bot.user("Anna")
    anna.send("/topup")
    assert {"100 ₽ · 63 ⭐", "1,000 ₽ · 625 ⭐", "500 ₽ + 75 ₽ · 313 ⭐"} <= anna.buttons.keys()
    invoice(anna, "100 ₽")
    assert bot.telegram.calls("sendInvoice")[-1]["params"]["prices"][0]["amount"] == 63
    bot.restart(STARS_RATE="0")
    anna.send("/topup")
    assert {"100 ₽", "500 ₽ + 75 ₽"} <= anna.buttons.keys()


@pytest.mark.parametrize(("lang", "words"), [
    ("en", "There is no way to pay here yet: Boss (@boss) has to set one up."),
    ("ru", "Заплатить здесь пока нельзя: оплату ещё не подключили. Этим занимается Boss (@boss)."),
    ("es", "Aquí todavía no se puede pagar: Boss (@boss) tiene que activarlo."),
])  # fmt: skip
def test_without_a_way_to_pay_it_says_so_and_whose_it_is(start_bot, lang, words):
    bot = start_bot(**OFF, SUPPORT_CONTACT="@shop_help")
    anna = bot.user("Anna", language_code=lang)
    anna.send("/topup")
    assert "Boss" not in anna.last, "nobody knows the owner yet"
    bot.telegram.person("Boss", id=BOSS, username="boss").send("/start")
    anna.send("/topup")
    assert anna.last == words and "https://t.me/shop_help" in anna.buttons.values()
    anna.send("a fox in the snow")
    anna.tap("▶" if "▶" in str(anna.buttons) else next(iter(anna.buttons)))
    assert anna.last == words


def test_without_a_way_to_pay_the_staff_reads_it_first(start_bot):
    bot = start_bot(**OFF)
    boss = bot.admin()
    boss.send("/admin")
    assert boss.last.splitlines()[1].startswith("⚠ Nobody can pay")
    boss.send("/doctor")
    assert "nobody can pay" in boss.last.splitlines()[1]
    assert next(key for _name, key, _values in bot.bot.examine() if key) == "doctor.no_way_to_pay"
    bot.restart(STARS_RATE="1.6")
    boss.send("/admin")
    assert "Nobody can pay" not in boss.last


@pytest.mark.parametrize(("details", "number"), [
    ("Test Bank, 2200 7012 3456 7890, Anna K.", "2200701234567890"),
    ("СБП +7 (912) 345-67-89, Т-Банк", "+79123456789"),
    ("IBAN DE89 3704 0044 0532 0130 00, ACME", "DE89370400440532013000"),
    ("USDT TRC20: TQn9Y2khEsLJW1ChVWFMSMeRDow5KcbLSE", "TQn9Y2khEsLJW1ChVWFMSMeRDow5KcbLSE"),
    ("pay to @anna at the desk", "pay to @anna at the desk"),
])  # fmt: skip
def test_copy_copies_the_bare_number_and_the_bare_sum(start_bot, details, number):
    bot = start_bot(TRANSFER_DETAILS=details)
    anna = bot.user("Anna")
    anna.send("/topup")
    anna.tap("300 ₽")
    anna.tap("🏦")
    assert copies(anna) == [number, "300"] and details in anna.last and "300 ₽" in anna.last


@pytest.mark.parametrize(("lang", "bare"), [("en", "300.01"), ("ru", "300,01")])
def test_a_sum_with_kopecks_is_copied_as_a_bank_takes_it(start_bot, lang, bare):
    bot = start_bot(TRANSFER_UNIQUE="1")
    anna = bot.user("Anna", language_code=lang)
    anna.send("/topup")
    anna.tap("300 ₽")
    anna.tap("🏦")
    assert copies(anna) == ["00001111", bare]


@pytest.mark.parametrize("reason", ["not found", "different amount", "can’t be read", "already been credited"])
def test_a_declined_transfer_says_what_to_do_and_takes_another_screenshot(start_bot, reason):
    bot = start_bot()
    anna, boss = bot.user("Anna"), bot.admin()
    transfer(anna)
    boss.tap("✗ Decline", message=request(boss))
    assert boss.toast == "Choose the reason: the payer will read it."
    boss.tap(next(label for label in boss.buttons if reason in label))
    assert "was declined" in anna.last and reason in anna.last and len(anna.last.splitlines()) == 2
    declined = anna.last_message
    anna.tap("Send another screenshot")
    assert "payment #1, 300 ₽" in anna.last and "was declined" in str(anna.received), "what was declined stays"
    anna.photo(png("another"))
    assert "Received" in anna.last
    boss.tap("✓ Approve 300 ₽", message=request(boss))
    assert "+300 ₽" in anna.last
    anna.tap("Send another screenshot", message=declined)
    assert bot.bot.payments.count_waiting() == 0 and bot.balance(anna) == 30_000


def test_another_screenshot_is_only_for_ones_own_declined_payment(start_bot):
    bot = start_bot()
    anna, eve, boss = bot.user("Anna"), bot.user("Eve"), bot.admin()
    transfer(anna)
    eve.send("/start")
    anna.forge("transfer:resend:1")
    assert "out of date" in anna.toast, "it waits"
    boss.tap("✗ Decline", message=request(boss))
    boss.tap("the payment was not found")
    eve.forge("transfer:resend:1")
    assert "out of date" in eve.toast
    transfer(anna, "100 ₽")
    anna.forge("transfer:resend:1")
    assert "#2" in anna.last and "being checked" in anna.last


@pytest.mark.parametrize(("lang", "more", "ways"), [
    ("en", "More ways to pay", ["⭐ Stars · 188", "🪙 Crypto", "💳 Card", "🏦 Transfer", "⚡ SBP"]),
    ("ru", "Другие способы", ["⭐ Stars · 188", "🪙 Криптовалюта", "💳 Карта", "🏦 Перевод", "⚡ СБП"]),
    ("es", "Otras formas", ["⭐ Stars · 188", "🪙 Cripto", "💳 Tarjeta", "🏦 Transferencia", "⚡ SBP"]),
])  # fmt: skip
def test_of_many_ways_to_pay_the_first_ones_are_shown_and_the_others_a_tap_away(
    start_bot, yookassa_server, cryptopay_server, lang, more, ways
):
    bot = start_bot(YOOKASSA_API_URL=yookassa_server.url, CRYPTOPAY_API_URL=cryptopay_server.url, **CARD, **COINS)
    anna = bot.user("Anna", language_code=lang)
    anna.send("/topup")
    anna.tap("300 ₽")
    first = list(anna.buttons)
    assert first[:4] == [*ways[:3], more] and len(first) == 6
    anna.tap(more)
    assert sorted(list(anna.buttons)[:5]) == sorted(ways) and len(anna.buttons) == 7
    anna.tap("‹")
    assert list(anna.buttons) == first
    anna.tap(more)
    anna.tap(ways[4])
    assert any(data.startswith("http") for data in anna.buttons.values()) and "300" in anna.last


def test_four_ways_to_pay_are_one_screen(start_bot, yookassa_server):
    bot = start_bot(YOOKASSA_API_URL=yookassa_server.url, **CARD)
    anna = bot.user("Anna")
    anna.send("/topup")
    anna.tap("300 ₽")
    assert list(anna.buttons)[:4] == ["⭐ Stars · 188", "🏦 Transfer", "💳 Card", "⚡ SBP"]


@pytest.mark.parametrize("amount", ["0", "-5", "999999999999"])
def test_ways_to_pay_a_forged_amount_are_refused(start_bot, amount):
    anna = start_bot().user("Anna")
    anna.send("/topup")
    anna.forge(f"payments:ways:{amount}")
    assert "out of date" in (anna.toast or anna.last)

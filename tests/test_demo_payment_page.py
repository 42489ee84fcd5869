"""The page on which a person pays, in a real Chromium: what it shows, what its buttons do, that anybody can use it.

No page may end with an error in its console or a request to another machine. `SCREENSHOTS=1 pytest
tests/test_demo_payment_page.py -k three_taps` renews the pictures of docs/payments.md.
"""

import io
import json
import os

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from demo.kit import RawBot, Telegram
from demo.providers import cryptopay, yookassa
from demo.providers.page import ACTS, WORDS, words_for
from demo.server import start
from tests.browser import CHROMIUM, ROOT, Chat, Demo, Words

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
SIZES = {"phone": (390, 844), "small": (320, 568), "desktop": (1280, 800)}
NAMES, PROMPTS = {"en": "Anna", "ru": "Анна"}, {"en": "a fox in the snow", "ru": "лиса на снегу"}
OPEN, PAY = {"en": "Open", "ru": "Открыть"}, {"en": "Pay", "ru": "Оплатить"}  # of the pages, which are not the bot's
GAP = 24  # between screenshots
BILL = {"currency_type": "fiat", "fiat": "RUB", "amount": "1250.00", "expires_in": 3600, "accepted_assets": "USDT,TON"}


@pytest.fixture
def open_page(browser):
    """Return a function that opens an address as a person with a language, a theme and a screen."""
    opened, wrong = [], []

    def begin(url, lang="en-US", theme="light", size="phone"):
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme, locale=lang)
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(("http://127.0.0.1", "data:")) or wrong.append(asked.url))
        page.goto(url)
        opened.append(page)
        return page

    yield begin
    for page in opened:
        page.close()
    assert wrong == []


@pytest.fixture
def payment(yookassa_server, yookassa_shop):
    """The address of a payment's page, by card or SBP."""
    body = {
        "amount": {"value": "1250.00", "currency": "RUB"},
        "capture": True,
        "description": "Top-up <b>812</b>",
        "confirmation": {"type": "redirect", "return_url": "https://t.me/some_bot"},
    }
    auth = (yookassa.SHOP_ID, yookassa.SECRET_KEY)
    answer = requests.post(
        f"{yookassa_server.url}/payments", json=body, auth=auth, headers={"Idempotence-Key": "k"}, timeout=5
    )
    return answer.json()["confirmation"]["confirmation_url"]


@pytest.fixture
def invoice(cryptopay_server, cryptopay_app):
    """The address of an invoice's page."""
    headers = {"Crypto-Pay-API-Token": cryptopay.TOKEN}
    answer = requests.post(f"{cryptopay_server.url}/createInvoice", json=BILL, headers=headers, timeout=5)
    return answer.json()["result"]["bot_invoice_url"]


def press(url, act, **more):
    """Press a button of the page without a browser; return what the page shows then."""
    answer = requests.post(url, data={"act": act} | more, headers={"Accept-Language": "en"}, timeout=5)
    assert answer.status_code == 200 and answer.history[0].status_code == 303
    return answer.text


def test_every_word_is_there_in_both_languages():
    def keys(words):
        return {name: keys(value) if isinstance(value, dict) else "" for name, value in words.items()}

    assert keys(WORDS["en"]) == keys(WORDS["ru"])
    assert set(WORDS["en"]["acts"]) == set(ACTS)
    gaps = {lang: json.dumps(words).count("{amount}") for lang, words in WORDS.items()}
    assert gaps["en"] == gaps["ru"]


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.5,ru;q=0.9", "ru"),
        ("de,en", "en"),
        ("", "en"),
        (";q=x", "en"),
    ],
)
def test_the_page_speaks_the_browsers_language(accepted, lang):
    assert words_for(accepted)["lang"] == lang


def test_the_page_says_what_is_paid_to_whom_and_for_what(payment):
    page = requests.get(payment, headers={"Accept-Language": "ru"}, timeout=5)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for words in (
        "1\xa0250,00\xa0₽",
        "Demo",
        "Top-up &lt;b&gt;812&lt;/b&gt;",
        "Тестовый платёж",
        "https://t.me/some_bot",
    ):
        assert words in page.text, words
    english = requests.get(payment, headers={"Accept-Language": "en"}, timeout=5).text
    assert "1,250.00\xa0₽" in english and "Faster Payments (SBP)" in english
    missing = requests.get(payment[:-1] + "x", timeout=5)
    assert missing.status_code == 404 and "no such payment" in missing.text


@pytest.mark.parametrize(
    ("act", "status", "amount", "callbacks"),
    [
        ("pay", "succeeded", "1250.00", 1),
        ("decline", "canceled", "1250.00", 1),
        ("expire", "canceled", "1250.00", 1),
        ("less", "succeeded", "625.00", 1),
        ("more", "succeeded", "2500.00", 1),
        ("twice", "succeeded", "1250.00", 2),
        ("never", "succeeded", "1250.00", 0),
    ],
)
def test_each_button_does_what_it_says_to_a_payment(payment, yookassa_shop, act, status, amount, callbacks):
    yookassa_shop.settings(callback_url="http://127.0.0.1:1/")
    assert f'value="{act}"' in requests.get(payment, timeout=5).text
    press(payment, act)
    shown = yookassa_shop.payment()
    assert (shown["status"], shown["amount"]["value"]) == (status, amount)
    assert len(yookassa_shop.callbacks()) == callbacks
    assert f'value="{act}"' not in press(payment, act), "pressed twice, done once"
    assert len(yookassa_shop.callbacks()) == callbacks


def test_a_payer_chooses_the_method(payment, yookassa_shop):
    press(payment, "pay", method="sbp")
    assert yookassa_shop.payment()["payment_method"]["type"] == "sbp"


def test_after_the_end_money_goes_back_or_stays(payment, yookassa_shop):
    assert "run out" in press(payment, "expire")
    assert "goes back to the payer" in press(payment, "late")
    assert yookassa_shop.payment()["status"] == "canceled"
    assert "Paid" in press(payment, "kept")
    assert "Refunded" in press(payment, "refund")
    assert yookassa_shop.refunds()[0]["amount"]["value"] == "1250.00"


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("pay", {"status": "paid", "amount": "1250", "paid_asset": "USDT"}),
        ("decline", {"status": "active"}),
        ("expire", {"status": "expired"}),
        ("less", {"status": "paid", "amount": "625"}),
        ("more", {"status": "paid", "amount": "2500"}),
        ("other", {"status": "paid", "paid_asset": "BTC"}),
    ],
)
def test_each_button_does_what_it_says_to_an_invoice(invoice, cryptopay_app, act, fields):
    page = press(invoice, act)
    assert {name: cryptopay_app.payment()[name] for name in fields} == fields
    assert ("Nothing has been paid" in page) == (act == "decline")


def test_a_payer_of_an_invoice_chooses_the_asset(invoice, cryptopay_app):
    assert "13.70614036 USDT" in requests.get(invoice, timeout=5).text
    press(invoice, "pay", asset="TON")
    assert cryptopay_app.payment()["paid_asset"] == "TON"


def test_another_sites_page_can_press_nothing(payment, yookassa_shop):
    answer = requests.post(payment, data={"act": "pay"}, headers={"Origin": "https://evil.example"}, timeout=5)
    assert answer.status_code == 403
    assert yookassa_shop.payment()["status"] == "pending"


@in_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_anybody_can_use_the_page(open_page, payment, invoice, theme, size):
    for url in (payment, invoice):
        page = open_page(url, "ru-RU", theme, size)
        assert page.evaluate("document.documentElement.lang") == "ru"
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        page.get_by_role("button", name="Срок оплаты истёк").click()
        expect(page.get_by_role("status")).to_have_text("Срок оплаты истёк")
        assert faults(page) == []


@in_browser
def test_a_card_is_paid_in_one_press_with_the_keyboard_too(open_page, payment, yookassa_shop):
    page = open_page(payment)
    page.keyboard.press("Tab")  # the method
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Paid")
    assert yookassa_shop.payment()["status"] == "succeeded"
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute("href", "https://t.me/some_bot")


@in_browser
def test_a_button_in_the_chat_opens_the_page_in_a_tab_of_its_own(browser, payment, yookassa_server, yookassa_shop):
    telegram = start(people=["Anna"], providers={"yookassa": yookassa_server.origin})
    try:
        yookassa_shop.settings(home=f"{telegram.url}/")
        anna = Telegram(telegram.url).person("Anna", language_code="en")
        anna.send("/start")
        keyboard = {"inline_keyboard": [[{"text": "Pay 1,250 ₽", "url": payment}]]}
        RawBot(telegram.url, telegram.token)("sendMessage", chat_id=anna.id, text="Here", reply_markup=keyboard)
        context = browser.new_context(locale="en-US")
        chat = Chat(context.new_page(), telegram, anna.id, "en")
        chat.tap_label("Pay 1,250 ₽")
        with context.expect_page() as opened:
            chat.page.get_by_role("button", name="Open", exact=True).click()
        page = opened.value
        page.get_by_role("button", name="Pay 1,250.00").click()
        expect(page.get_by_role("status")).to_have_text("Paid")
        page.get_by_role("link", name="Back to the shop").click()
        expect(page).to_have_url(f"{telegram.url}/")
        assert (chat.errors, chat.strangers) == ([], [])
        context.close()
    finally:
        telegram.stop()


def has_plugins(*names):
    """Tell whether these plugins of payments are there."""
    return all((ROOT / "plugins" / "payments" / f"{name}.py").exists() for name in ("topup", "online", *names))


WAYS = [
    pytest.param(name, way, marks=pytest.mark.skipif(not has_plugins(name), reason=f"without the plugin {name}"))
    for name, way in (("yookassa", "yookassa.card"), ("cryptopay", "cryptopay.button"))
]


@in_browser
@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_from_too_little_money_to_the_order_in_three_taps_and_the_page(browser, tmp_path, name, way, lang):
    demo, words, shots = Demo(tmp_path), Words(lang), []
    context = browser.new_context(locale=lang, viewport={"width": 390, "height": 844})
    try:
        demo.kie.speed(20)
        anna, provider = demo.telegram.person(NAMES[lang], language_code=lang), getattr(demo, name)
        chat = Chat(context.new_page(), demo, anna.id, lang)
        chat.send("/start")
        chat.send(PROMPTS[lang])
        chat.tap("rung.good")
        chat.sees("lack.text")
        shots.append(chat.page.screenshot())
        chat.tap_label(chat.labels[0], exactly=True)  # the smallest amount that is enough
        chat.tap(way)
        chat.sees("online.go")
        shots.append(chat.page.screenshot())
        chat.tap("online.pay", amount=1000)
        with context.expect_page() as opened:
            chat.page.get_by_role("button", name=OPEN[lang], exact=True).click()
        page = opened.value
        shots.append(page.screenshot())
        page.get_by_role("button", name=PAY[lang]).first.click()
        expect(page.get_by_role("status")).to_be_visible()
        demo.telegram.wait(lambda: provider.callbacks()[0]["tries"], about="the callback's answer")
        assert [one["status"] for one in provider.callbacks()[0]["tries"]] == [200]
        page.get_by_role("link").click()
        expect(page.get_by_test_id("chat")).to_be_visible()
        chat.sees_words("+" + words.money(1000))
        shots.append(chat.page.screenshot())
        chat.tap_label("▶")
        chat.sees_picture()
        assert (chat.errors, chat.strangers) == ([], [])
    finally:
        context.close()
        demo.stop()
    if os.environ.get("SCREENSHOTS"):
        side_by_side(shots).save(ROOT / "docs" / "images" / f"{name}-{lang}.png", optimize=True)


def side_by_side(shots):
    """Return screenshots of one size next to each other, half as large."""
    pictures = [Image.open(io.BytesIO(shot)) for shot in shots]
    width, height = pictures[0].size
    strip = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * (width + GAP), 0))
    return strip.resize((strip.width // 2, strip.height // 2)).quantize(64)


def faults(page):
    """Return what axe-core finds."""
    return [(one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]]

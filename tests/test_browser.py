"""The whole product through the chat page: a real Chromium, `python bot.py --demo` as a process, both languages.

Every page that a test opens must end without an error in its console and without a request to another machine.
`SCREENSHOTS=1 pytest tests/test_browser.py -k screenshots` renews the pictures in docs/images.
"""

import io
import os

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import expect

from tests.browser import BUTTON, CHROMIUM, MESSAGE, ROOT, TEXTS, Chat, Demo, Words, faults_of
from tests.kit import png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
both = pytest.mark.parametrize("lang", ["en", "ru"])
NAMES = {"en": "Anna", "ru": "Анна"}
PROMPTS = {"en": "a fox in the snow", "ru": "лиса на снегу"}
IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A running demo whose KIE works twenty times as fast."""
    running = Demo(tmp_path_factory.mktemp("demo"))
    running.kie.speed(20)
    yield running
    running.stop()
    assert " ERROR " not in running.log and "Traceback" not in running.log, running.log


@pytest.fixture
def open_chat(demo, browser):
    """Return a function that opens the page as a new person, or as `person`."""
    opened = []

    def open_(lang="en", person=None, size=(1200, 800), scale=1):
        person = person or demo.telegram.person(NAMES[lang], language_code=lang)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale)
        opened.append(Chat(page, demo, person.id, lang))
        return opened[-1]

    yield open_
    for chat in opened:
        chat.page.close()
        assert (chat.errors, chat.strangers) == ([], [])


def needs(*plugins):
    """Skip a walk when one of the plugins on its way has been taken out."""
    gone = [name for name in plugins if not (ROOT / "plugins" / f"{name}.py").exists()]
    return pytest.mark.skipif(bool(gone), reason=f"without {', '.join(gone)}")


# talking


@both
@needs("chat/ask", "chat/answers", "payments/stars")
def test_a_question_its_answer_and_a_new_topic(open_chat, demo, lang):
    chat = open_chat(lang, demo.rich(NAMES[lang], lang))
    chat.send("/start")
    chat.tap("ask.menu")
    chat.sees("ask.screen")
    chat.send("**2 < 3?** `a<b>` _")
    chat.sees("answers.new")
    chat.sees_words("2 < 3?", "a<b>")
    expect(chat.last.locator("code, strong, b").first).to_be_visible()
    chat.tap("answers.model")
    chat.sees("ask.going_on")
    chat.tap("ask.new")
    chat.sees("ask.screen")


# groups


@both
@needs("generate/groups", "generate/progress", "payments/topup", "payments/stars")
def test_a_group_is_written_in_as_one_of_several_people(open_chat, demo, lang):
    anna, boris = demo.rich(NAMES[lang], lang), demo.telegram.person("Boris", language_code=lang)
    group = demo.telegram.group({"en": "Friends", "ru": "Друзья"}[lang], anna, boris)
    chat = open_chat(lang, anna)
    chat.opens_group(group.id)
    chat.page.get_by_test_id("group-example").click()
    with chat._answered():
        chat.page.get_by_test_id("send").click()
    chat.sees_words("🖼", "▶")
    chat.writes_as(boris.id)
    chat.tap_label("▶")
    expect(chat.page.get_by_test_id("alert")).to_contain_text(chat.words("groups.not_yours"))
    chat.page.get_by_test_id("alert-ok").click()
    chat.writes_as(anna.id)
    chat.tap_label("▶")
    chat.sees_picture()
    expect(chat.last.locator(".reply-line")).to_contain_text("@demo_bot")
    chat.writes_as(boris.id)
    chat.send("@demo_bot")
    chat.sees("groups.stranger")
    chat.page.get_by_role("button", name=chat.words("common.open_chat")).click()
    expect(chat.page.get_by_test_id("chat")).to_have_attribute("data-chat-id", str(boris.id))
    chat.sees("start.hello")


# the main job


@both
@needs(
    "start",
    "models",
    "generate/card",
    "generate/inputs",
    "generate/orders",
    "payments/topup",
    "payments/transfer",
    "payments/transfer_review",
    "generate/progress",
    "balance",
)
def test_from_start_to_a_picture_with_a_top_up_by_transfer(open_chat, demo, lang):
    admin, chat = demo.admin(lang), open_chat(lang)
    fill_in_a_picture(chat)
    chat.tap("generate.top_up")
    chat.sees("lack.text")
    chat.tap("payments.amount", amount=10_000)
    chat.tap("payments.more_ways")
    chat.tap("transfer.button")
    chat.sees("transfer.details")
    chat.sends_picture("receipt.png", png(f"receipt {lang}"))
    chat.sees("transfer.received")
    approve(chat, admin.id, 10_000)
    chat.sees_words(f"+{chat.words.money(10_000)}")
    chat.tap("common.to_order")
    price = order(chat, demo)
    chat.sees_picture()
    expect(chat.page.locator(MESSAGE, has_text="⏳")).to_have_count(0)
    chat.sees_words("Z-Image", price, chat.words("job.caption"))
    chat.tap("common.menu")
    chat.tap("common.balance")
    chat.sees_words(f"+{chat.words.money(10_000)}", f"−{price}")


def fill_in_a_picture(chat):
    """Go from /start to a filled-in card."""
    chat.send("/start")
    chat.sees("start.hello")
    chat.tap("menu.picture")
    chat.sees("models.type")
    chat.tap_label("Z-Image")
    chat.has_button("generate.text_prompt")
    chat.send(PROMPTS[chat.words.lang])
    chat.sees_words("Z-Image", PROMPTS[chat.words.lang])


def approve(chat, admin_id, amount):
    """Approve the newest top-up as the admin, and come back."""
    payer = chat.person_id
    chat.become(admin_id)
    chat.sees_picture()
    chat.tap("desk.approve", amount=amount)
    chat.sees_words(f"✓ {chat.words.money(amount)}")
    chat.become(payer)


def order(chat, demo):
    """Confirm the card and watch the progress; return the price on the button."""
    demo.kie.freeze()
    price = chat.label("generate.create").split("· ")[1]
    chat.tap("generate.create")
    chat.sees("progress.running")
    chat.sees_words(price)
    demo.kie.speed(20)
    return price


@both
@needs("start", "balance", "payments/topup", "payments/stars")
def test_stars_are_paid_on_the_sheet_and_the_balance_grows(open_chat, lang):
    chat = open_chat(lang)
    chat.send("/start")
    chat.tap("common.balance")
    chat.sees("balance.none")
    chat.tap("common.top_up")
    chat.tap("payments.amount", amount=30_000)
    chat.tap("stars.button")
    chat.sees("stars.title", amount=30_000)
    chat.page.locator(f"{MESSAGE}:last-child {BUTTON}").click()
    chat.page.get_by_test_id("pay-confirm").click()
    chat.sees_words(f"+{chat.words.money(30_000)}")
    expect(chat.page.get_by_test_id("payment-sheet")).to_have_count(0)
    chat.send("/balance")
    chat.sees_words(chat.words("balance.text"), chat.words.money(30_000), chat.words("entry.stars"))


@needs("models", "generate/card", "generate/orders")
@pytest.mark.parametrize(("model", "tag"), [("Kling 3.0 Turbo", "video"), ("Suno", "audio")])
def test_a_video_plays_and_music_has_a_player(open_chat, demo, model, tag):
    chat = open_chat(person=demo.rich("Vera", "en"))
    chat.send(f"/models {model}")
    chat.tap_label(f"{model} ·")
    chat.send("a calm evening by the sea")
    chat.tap("generate.create")
    media = chat.page.locator(f"{MESSAGE}[data-out=false] {tag}").last
    expect(media).to_be_attached()
    media.evaluate("node => { node.muted = true; return node.play(); }")
    assert media.evaluate("node => node.readyState") >= 2
    chat.sees("job.caption")


SCREENS = "/start /help /models /ideas /balance /topup /history /settings /support /privacy /terms /ask /admin /stats"


@needs(*"start help models ideas/gallery balance payments/topup history support privacy admin/menu admin/stats".split())
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_bots_own_screens(browser, demo, theme):
    admin = demo.admin("en")
    chat = Chat(browser.new_page(viewport={"width": 1200, "height": 800}), demo, admin.id, "en", theme=theme)
    faults = []
    for number, command in enumerate([*SCREENS.split(), "a fox in the snow"]):
        chat.send(command)
        faults += faults_of(chat, command) if number % 5 == 4 else []
    assert faults == []
    chat.page.close()


# every plugin that a button leads to


@both
@needs("start", "help", "language")
def test_help_tells_the_commands_and_the_language_can_be_changed(open_chat, lang):
    chat, other = open_chat(lang), {"en": "ru", "ru": "en"}[lang]
    chat.send("/start")
    chat.tap("help.menu")
    chat.sees("help.text")
    chat.sees_words("/start", chat.words("start.about"))
    chat.tap("common.menu")
    chat.tap("language.menu")
    chat.sees("language.choose")
    chat.tap("label", label=TEXTS.name_of(other))
    chat.words = Words(other)
    chat.sees("language.chosen")
    chat.tap("common.menu")
    chat.sees("start.hello")


@both
@needs("start", "balance", "payments/topup", "payments/receipts", "payments/stars")
def test_the_balance_leads_to_the_entries_and_the_payments(open_chat, demo, lang):
    chat = open_chat(lang, person=demo.rich(NAMES[lang], lang))
    chat.send("/start")
    chat.tap("common.balance")
    chat.tap("balance.all")
    chat.sees("balance.entries")
    chat.sees_words(f"+{chat.words.money(100_000)}")
    chat.tap("common.back")
    chat.tap("common.payments")
    chat.sees("receipts.list")
    chat.sees_words(chat.words("receipts.state_paid"))
    chat.tap("common.back")
    chat.tap("common.top_up")
    chat.tap("payments.other")
    chat.sees("payments.ask")
    chat.send("15 000 000")
    chat.sees("payments.out_of_range")
    chat.send("250,5")
    chat.sees_words(chat.words.money(25_050), chat.words("payments.method"))


@both
@needs("start", "models", "generate/card")
def test_models_are_paged_and_found_by_a_word(open_chat, lang):
    chat = open_chat(lang)
    chat.send("/generate")
    chat.tap("menu.video")
    first, priced = chat.labels, lambda: {label for label in chat.labels if "₽" in label}
    products = priced()
    chat.tap_label("›", exactly=True)
    assert len(chat.labels) == len(first) and len(priced()) == len(products) > 2 and not priced() & products
    chat.tap_label("‹", exactly=True)
    assert chat.labels == first
    chat.tap("models.search")
    chat.sees("models.ask")
    chat.send("veo")
    chat.sees("models.found")
    chat.sees_words("Veo 3.1", "₽")
    chat.tap("models.search")
    chat.send("qwertyuiop")
    chat.sees("models.none")
    chat.has_button("models.search")


@both
@needs("models", "generate/card", "generate/inputs")
def test_the_card_shows_choices_with_prices_more_settings_and_modes(open_chat, lang):
    chat = open_chat(lang)
    chat.send("/models Wan 2.6")
    chat.tap_label("Wan 2.6 ·")
    chat.tap_label("⏱")
    assert len({label.rpartition("· ")[2] for label in chat.labels if "₽" in label}) > 2
    chat.tap_label("15 ")
    chat.sees_words("⏱ 15 ")
    chat.tap("generate.more")
    chat.has_button("input.multi_shots")
    chat.tap("common.back")
    chat.tap("generate.mode")
    ways = [label for label in chat.labels if "₽" in label]
    assert len(ways) > 1 and [label[0] for label in ways].count("✓") == 1
    chat.tap_label(chat.words("mode.image-to-video"))
    chat.sees("mode.image-to-video")


@both
@needs("start", "models", "generate/card", "generate/orders", "history", "generate/result_actions")
def test_history_shows_an_order_with_its_picture_and_sends_the_original(open_chat, demo, lang):
    chat = open_chat(lang, person=demo.rich(NAMES[lang], lang))
    fill_in_a_picture(chat)
    chat.tap("generate.create")
    chat.sees_picture()
    chat.tap("uses.use")
    chat.sees("uses.title")
    chat.send("/start")
    chat.has_button("common.last_model")
    chat.tap("history.menu")
    chat.sees("history.list")
    chat.tap_label("Z-Image")
    chat.sees_picture()
    chat.sees_words(PROMPTS[lang], chat.words("history.state_succeeded"))
    chat.tap("job.original")
    expect(chat.last.locator("a.file")).to_be_visible()


@both
@needs("start", "admin/menu", "admin/users", "admin/audit_log", "payments/stars")
def test_the_admin_finds_and_credits_a_person(open_chat, demo, lang):
    payer, admin = demo.rich(f"Payer {lang}", lang), demo.admin(lang)
    chat = open_chat(lang, person=admin)
    chat.send("/start")
    chat.tap("common.admin")
    chat.sees("admin.text")
    chat.tap("users.menu")
    chat.send(f"Payer {lang}")
    chat.sees_words(f"id {payer.id}", chat.words.money(100_000))
    chat.tap("users.credit")
    chat.sees("acts.ask_credit")
    chat.send("50 за ожидание")
    chat.sees_words(f"+{chat.words.money(5_000)}", "за ожидание")
    chat.tap("acts.do_credit")
    chat.sees_words(chat.words.money(105_000))
    chat.become(payer.id)
    chat.sees_words(f"+{chat.words.money(5_000)}", "за ожидание")


@both
@needs("start", "admin/menu")
def test_every_button_of_both_menus_leads_to_a_screen_of_its_own(open_chat, demo, lang):
    chat = open_chat(lang, person=demo.admin(lang))
    for menu in ("/start", "/admin"):
        chat.send(menu)
        shown = chat.last.inner_text()
        seen = {shown}
        for label in chat.labels[:-1]:
            chat.tap_label(label, exactly=True)
            expect(chat.last).not_to_have_text(
                shown, use_inner_text=True
            )  # what is drawn comes after the tap is answered
            assert chat.words("common.sorry") not in chat.last.inner_text()
            assert chat.last.inner_text() not in seen, label
            seen.add(chat.last.inner_text())
            chat.send(menu)


# the page itself


@needs("start", "balance")
def test_a_reload_keeps_the_chat(open_chat):
    chat = open_chat()
    chat.send("/start")
    chat.tap("common.balance")
    chat.sees("balance.none")
    before = chat.page.locator(MESSAGE).all_inner_texts()
    chat.page.reload()
    chat.sees("balance.none")
    assert chat.page.locator(MESSAGE).all_inner_texts() == before
    chat.tap("common.menu")
    chat.sees("start.hello")


@both
@needs("start", "models", "generate/card", "generate/inputs")
def test_a_phone_shows_every_screen_within_its_width(open_chat, lang):
    chat = open_chat(lang, size=(390, 844))
    fill_in_a_picture(chat)
    assert chat.page.evaluate("document.documentElement.scrollWidth") <= 390
    chat.page.get_by_test_id("back").click()
    expect(chat.page.get_by_test_id("person").first).to_be_visible()
    assert chat.page.evaluate("document.documentElement.scrollWidth") <= 390


# the pictures of the README


@pytest.mark.skipif(not os.environ.get("SCREENSHOTS"), reason="SCREENSHOTS is not set")
def test_screenshots(open_chat, demo):
    IMAGES.mkdir(parents=True, exist_ok=True)
    known = {one["first_name"]: one["id"] for one in demo.telegram.state["people"]}
    anna, admin = demo.rich("Anna", "en", 500, id=known["Anna"]), demo.admin("en")
    chat = open_chat(person=anna, size=(1280, 853), scale=0.9375)  # a little more on 1200 × 800
    make_a_picture(chat, "Z-Image", "16:9", "mountains above the clouds at sunrise")
    admin.send("/admin")
    admin.wait_for(Words("en")("admin.text"))
    ask_for_money(demo, demo.telegram.person("Boris", language_code="en", id=known["Boris"]))
    demo.telegram.wait(lambda: "photo" in admin.last_message, about="the request")
    chat.send("a paper boat on a quiet lake")
    chat.has_button("common.all_models")
    chat.page.get_by_test_id("split").click()
    expect(chat.page.get_by_test_id("chat")).to_have_count(2)
    shoot(chat, "chat.png")
    chat = open_chat("ru", person=demo.rich("Анна", "ru", 500), size=(390, 844))
    make_a_picture(chat, "Nano Banana", "1:1", "горное озеро на рассвете, розовые облака")
    shoot(chat, "phone.png")


def make_a_picture(chat, model, shape, wish):
    """Order a picture and wait for it."""
    chat.send(f"/models {model}")
    chat.tap_label(f"{model} ·")
    chat.tap_label("▭")
    chat.tap_label(shape)
    chat.send(wish)
    chat.tap("generate.create")
    chat.sees_picture()
    expect(chat.page.locator(MESSAGE, has_text="⏳")).to_have_count(0)


def ask_for_money(demo, person):
    """Send a screenshot of a transfer, which the admin has yet to look at."""
    demo.choose_payment(person, "en", 300, "transfer")
    person.wait_for(Words("en")("transfer.details"))
    person.photo(receipt())
    person.wait_for(Words("en")("transfer.received"))


def receipt():
    """Return a bank's receipt as a PNG."""
    picture = Image.new("RGB", (640, 420), "#f4f6fa")
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((30, 30, 610, 390), 24, fill="white", outline="#d5dbe6", width=2)
    pen.ellipse((60, 62, 124, 126), fill="#2e9e6b")
    pen.line(((78, 94), (90, 108), (108, 80)), fill="white", width=7)
    lines = [(148, 66, 26, "Transfer sent"), (148, 100, 20, "Demo Bank"), (62, 180, 64, "300.00 RUB")]
    for x, y, size, words in [*lines, (62, 300, 24, "To 0000 1111 2222 3333")]:
        pen.text((x, y), words, fill="#1d2433", font=ImageFont.load_default(size))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def shoot(chat, name):
    """Take the picture when everything is there, with the mouse out of the way."""
    for image in chat.page.locator(".photo img").all():
        expect(image).to_have_js_property("complete", True)
    chat.page.mouse.move(0, 0)
    chat.page.screenshot(path=IMAGES / name)

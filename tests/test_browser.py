"""The whole product through the chat page: a real Chromium, `python bot.py --demo` as a process, both languages.

Every page that a test opens must end without an error in its console and without a request to another machine.
`SCREENSHOTS=1 pytest tests/test_browser.py -k screenshots` renews the pictures in docs/images.
"""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import ARGUMENTS, BUTTON, CHROMIUM, MESSAGE, ROOT, Chat, Demo
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


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@pytest.fixture
def open_chat(demo, browser):
    """Return a function that opens the page as a new person, or as `person`."""
    opened = []

    def open_(lang="en", person=None, size=(1200, 800), **address):
        person = person or demo.telegram.person(NAMES[lang], language_code=lang)
        page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)))
        opened.append(Chat(page, demo, person.id, lang, **address))
        return opened[-1]

    yield open_
    for chat in opened:
        chat.page.close()
        assert (chat.errors, chat.strangers) == ([], [])


def needs(*plugins):
    """Skip a walk when one of the plugins on its way has been taken out."""
    gone = [name for name in plugins if not (ROOT / "plugins" / f"{name}.py").exists()]
    return pytest.mark.skipif(bool(gone), reason=f"without {', '.join(gone)}")


# the main job


@both
@needs("start", "models", "generate", "inputs", "orders", "payments", "transfer", "progress", "balance")
def test_from_start_to_a_picture_with_a_top_up_by_transfer(open_chat, demo, lang):
    admin, chat = demo.admin(lang), open_chat(lang)
    fill_in_a_picture(chat)
    chat.tap("generate.top_up")
    chat.sees("payments.lack")
    chat.tap("payments.amount", amount=10_000)
    chat.tap("transfer.button")
    chat.sees("transfer.details")
    chat.sends_picture("receipt.png", png(f"receipt {lang}"))
    chat.sees("transfer.received")
    approve(chat, admin.id, 10_000)
    chat.sees_words(f"+{chat.words.money(10_000)}")
    chat.tap("generate.to_order")
    price = order(chat, demo)
    chat.sees_picture()
    chat.sees_words("Z-Image", price, chat.words("job.caption"))
    chat.tap("common.menu")
    chat.tap("balance.menu")
    chat.sees_words(f"+{chat.words.money(10_000)}", f"−{price}")


def fill_in_a_picture(chat):
    """Go from /start to a filled-in card."""
    chat.send("/start")
    chat.sees("start.hello")
    chat.tap("menu.picture")
    chat.sees("models.type")
    chat.tap_label("Z-Image")
    chat.has_button("generate.write")
    chat.send(PROMPTS[chat.words.lang])
    chat.sees_words("Z-Image", PROMPTS[chat.words.lang])


def approve(chat, admin_id, amount):
    """Approve the newest top-up as the admin, and come back."""
    payer = chat.person_id
    chat.become(admin_id)
    chat.sees_picture()
    chat.tap("transfer.approve", amount=amount)
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

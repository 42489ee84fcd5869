"""The chat page in front of the product: the guided tour, the ledger, an order with a photo, plugins reloaded.

Everything here is pressed on the page, as a visitor or a contributor would.
"""

import os
import shutil
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser import CHROMIUM, MESSAGE, ROOT, Chat, Demo
from tests.kit import png
from tools import scaffold

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
NEEDED = (
    "start", "models", "free", "generate/card", "generate/inputs", "generate/ladder", "generate/orders", "payments/topup", "payments/transfer",
    "admin/menu",
)  # fmt: skip
whole = pytest.mark.skipif(
    not all((ROOT / "plugins" / f"{name}.py").exists() for name in NEEDED), reason="without a plugin of the tour"
)
PARTS = ("bot.py", "core", "data", "demo", "kie", "plugins", "storage", "tools")
HURRY = 20  # times as fast as the real KIE


@pytest.fixture
def open_page(browser):
    """Return a function that opens the page of a demo; every page must end without an error."""
    opened = []

    def open_(demo, person_id, lang="en", size=(1300, 850), **address):
        page = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True))).new_page()
        opened.append(Chat(page, demo, person_id, lang, **address))
        return opened[-1]

    yield open_
    for chat in opened:
        chat.page.context.close()
        assert (chat.errors, chat.strangers) == ([], [])


@pytest.fixture
def start_demo(tmp_path):
    """Return a function that starts a demo of its own."""
    running = []

    def start(**more):
        running.append(Demo(tmp_path, **more))
        running[-1].kie.speed(HURRY)
        return running[-1]

    yield start
    for each in running:
        each.stop()
        assert "Traceback" not in each.log, each.log


@pytest.fixture
def demo(start_demo):
    """A demo in which nothing is free."""
    return start_demo()


def first_user(demo):
    """Return the id of the person a visitor is at first."""
    return next(one["id"] for one in demo.telegram.state["people"] if one["role"] == "user")


@whole
@pytest.mark.parametrize(("lang", "size"), [("en", (1300, 850)), ("ru", (390, 844))], ids=["desktop", "russian-phone"])
def test_the_guided_tour_leads_from_hello_to_a_picture(start_demo, open_page, lang, size):
    demo = start_demo(welcome=None)  # as after installation
    chat = open_page(demo, first_user(demo), lang, size)
    chat.page.evaluate("lang => { localStorage.clear(); localStorage.setItem('demo.lang', lang) }", lang)
    chat.page.goto(demo.url)
    chat.page.get_by_test_id("welcome-tour").click()
    steps = walk(chat)
    assert steps[0].startswith(("Say hello", "Поздоровайтесь"))
    assert steps[-1].startswith(("That was the whole round", "Это весь круг"))
    assert len(steps) > 14  # with the top-up and its approval
    chat.page.get_by_test_id("tour-end").click()
    expect(chat.page.get_by_test_id("tour-card")).to_have_count(0)
    chat.sees_picture()
    chat.sees_words("balance" if lang == "en" else "баланс")  # the bot spoke the visitor's language
    if lang == "ru":
        chat.page.get_by_test_id("back").click()
    chat.page.get_by_test_id("tour").click()
    words = chat.page.get_by_test_id("tour-card").get_by_role("status")
    expect(words).to_contain_text("You have been here before" if lang == "en" else "Вы здесь не впервые")


def test_the_clocks_of_the_page_move_the_bot(start_demo, open_page):
    demo = start_demo()
    chat = open_page(demo, first_user(demo), panel="open", tab="trouble")
    chat.page.get_by_role("button", name="+ 1 day").click()
    anna = demo.telegram.person("Anna", id=first_user(demo))
    demo.telegram.wait(lambda: demo.kie.now() > time.time() + 80_000, about="the clocks")
    anna.send("/topup")
    demo.telegram.wait(lambda: "payments:amount:10000" in anna.buttons.values(), about="the amounts")
    anna.tap("payments:amount:10000")
    anna.wait_for("100 ₽")
    anna.tap("payments:pay:stars")
    demo.telegram.wait(lambda: "invoice" in anna.last_message, about="the invoice")
    anna.pay()
    anna.wait_for("+100 ₽")
    anna.send("/payments")
    tomorrow = datetime.now(ZoneInfo("Europe/Moscow")) + timedelta(days=1)  # as TIME_ZONE is by default
    anna.wait_for(f"{tomorrow.day} {tomorrow:%b}")


def walk(chat):
    """Press what the tour lights up until it is over; return the words of its steps."""
    card, words = chat.page.get_by_test_id("tour-card"), []
    while True:
        if (said := card.get_by_role("status").inner_text()) not in words[-1:]:
            words.append(said)
        if not card.get_by_test_id("tour-skip").is_visible():
            return words
        before = chat.page.evaluate(LIT)
        if chat.page.locator(".tour-target").count():
            chat.page.locator(".tour-target").click()
        chat.page.wait_for_function(
            f"before => {{ const now = ({LIT})(); return now !== before && now !== '' }}", arg=before
        )


# What the tour says and lights up; nothing while it looks for the next thing to light up.
LIT = """() => {
    const words = document.querySelector("[data-testid=tour-card]").innerText;
    const target = document.querySelector(".tour-target");
    return words + (target ? target.dataset.callback ?? target.dataset.testid + target.dataset.personId : "");
}"""


@whole
def test_the_ledger_of_the_person_follows_the_money(demo, open_page):
    anna = demo.rich("Anna", "en", amount=300)
    chat = open_page(demo, anna.id, panel="open", tab="ledger")
    balance = chat.page.get_by_test_id("ledger-balance")
    expect(balance).to_contain_text("300 ₽")
    expect(chat.page.get_by_test_id("ledger-entry")).to_contain_text(["+300 ₽"])
    anna.send("/start")
    anna.wait_for(chat.words("start.hello"))
    chat.tap("menu.picture")
    chat.tap_label("Z-Image")
    chat.send("a fox")
    chat.tap("generate.create")
    expect(chat.page.locator("[data-kind=hold]")).to_contain_text("−")
    chat.sees_picture()
    boris = next(one["id"] for one in demo.telegram.state["people"] if one["first_name"] == "Boris")
    chat.become(boris)
    expect(chat.page.locator(".ledger")).to_contain_text("Boris has not written to the bot yet")


@whole
def test_an_order_with_a_photo(demo, open_page):
    anna = demo.rich("Anna", "en")
    chat = open_page(demo, anna.id)
    chat.sends_picture("fox.png", png("fox"))
    chat.sees("ladder.or_words")
    chat.send("make it blue")
    chat.sees_words("make it blue")
    chat.tap_label("▶ Draft")
    chat.sees_picture()
    chat.sees_words("Nano Banana 2 Lite")
    task = demo.kie.task()
    assert (task["model"], task["inputs"]["prompt"]) == ("nano-banana-2-lite", "make it blue")
    assert [file["status"] for file in task["fetched"]] == [200]


# For contributors


@pytest.fixture
def tree(tmp_path):
    """A copy of the project that a contributor may change."""
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, root)
    return root


@pytest.fixture
def workshop(tree, tmp_path):
    """A demo of that copy that loads plugins again when they are saved."""
    running = Demo(tmp_path, tree, ["--reload"])
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


def test_a_saved_plugin_is_loaded_again_and_a_broken_one_keeps_its_last_good_version(tree, workshop, open_page):
    demo = workshop
    chat = open_page(demo, first_user(demo))
    problems = chat.page.get_by_test_id("problems")
    toast = chat.page.get_by_test_id("toast")
    scaffold.write(tree, "greet")  # while the bot runs
    expect(toast).to_contain_text("greet")
    chat.send("/greet")
    chat.sees_words("Hello, Anna!")
    plugin = tree / "plugins" / "greet.py"
    good = plugin.read_text()
    plugin.write_text(good + "\nimport no_such_module\n")
    expect(problems).to_contain_text(f"plugins/greet.py, line {len(good.splitlines()) + 2}: ModuleNotFoundError")
    chat.page.reload()
    expect(problems).to_contain_text("no_such_module")
    chat.send("/greet")
    chat.sees_words("Hello, Anna!")
    plugin.write_text(good.replace('"greet.hello"', '"greet.waved"'))
    expect(problems).to_be_hidden()
    chat.send("/greet")
    chat.sees_words("👋 Anna")
    texts = tree / "data" / "texts" / "en" / "greet.po"
    texts.write_text(texts.read_text().replace("👋", "Ahoy,"))
    expect(toast).to_have_text("Loaded: texts")
    chat.send("/greet")
    chat.sees_words("Ahoy, Anna")
    plugin.unlink()
    expect(toast).to_have_text("Loaded: greet")
    chat.send("/greet")
    chat.sees("common.unknown_command")


def test_an_example_of_the_documents_works_in_the_page(tree, workshop, open_page):
    chat = open_page(workshop, first_user(workshop))
    examples = ROOT / "docs" / "examples"
    for lang in ("en", "ru"):
        shutil.copy(examples / "texts" / lang / "notes.po", tree / "data" / "texts" / lang)
    shutil.copy(examples / "plugins" / "notes.py", tree / "plugins")
    expect(chat.page.get_by_test_id("toast")).to_contain_text("notes")
    for note in ("Water the plants", "Call grandmother"):
        chat.send(f"/note {note}")
        expect(chat.page.get_by_test_id("keyboard-button").filter(has_text=note)).to_be_visible()
    chat.send("/notes")
    expect(chat.page.locator(f"{MESSAGE}:last-child")).to_contain_text("2 notes")
    if os.environ.get("SCREENSHOTS"):
        chat.page.screenshot(path=ROOT / "docs" / "images" / "plugin.png")
    chat.tap_label("Water the plants")
    expect(chat.page.locator(f"{MESSAGE}:last-child")).to_contain_text("1 note")

"""History: pages of orders, each with its picture, and what can be done with each."""

from datetime import timedelta

import pytest

from tests.crawler import Screen, style
from tests.shop import job_of, order
from tests.test_delivery import MEGABYTE, finish_with, shelf

__all__ = ["shelf"]  # a fixture
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def labels(person):
    """Return the labels of the newest keyboard, row by row."""
    return [[cell["text"] for cell in row] for row in person.last_message["reply_markup"]["inline_keyboard"]]


def picture(person):
    """Return which picture the newest message shows."""
    return person.last_message["photo"][-1]["file_unique_id"]


def make(bot, person, count, **more):
    """Order so many pictures and wait for them."""
    for number in range(count):
        order(bot, person, f"fox number {number}", **more)
        bot.forward(60, step=20)


@SQLITE
def test_orders_are_paged_newest_first_with_the_words_they_began_with(start_bot):
    bot = start_bot(USER_JOBS="100")
    alice = bot.rich()
    make(bot, alice, 8)
    alice.send("/history")
    assert [row[0] for row in labels(alice)[:6]] == [
        f"✓ {n + 1} · 0.72 ₽ · Z-Image fox number {n}" for n in range(7, 1, -1)
    ]
    alice.tap("Older")
    assert [row[0] for row in labels(alice)[:2]] == [
        "✓ 2 · 0.72 ₽ · Z-Image fox number 1",
        "✓ 1 · 0.72 ₽ · Z-Image fox number 0",
    ]
    alice.tap("‹ Newest")
    assert labels(alice)[0] == ["✓ 8 · 0.72 ₽ · Z-Image fox number 7"]


@SQLITE
def test_an_entry_shows_its_picture_long_after_kie_has_forgotten_it(start_bot):
    bot = start_bot(USER_JOBS="100")
    alice = bot.rich()
    make(bot, alice, 3)
    delivered = [message for message in alice.received if "photo" in message]
    bot.clock.forward(40 * 24 * 3600)
    alice.send("/history")
    alice.tap("✓ 2")
    first, second, third = (message["photo"][-1]["file_unique_id"] for message in delivered)
    assert picture(alice) == second
    assert "fox number 1" in alice.last and "0.72 ₽" in alice.last
    assert {"↻ Again · 0.72 ₽", "✏ Edit prompt", "⬇ As a file", "🔍 Enlarge", "➜ Use in…"} <= set(alice.buttons)
    shown = alice.last_message["message_id"]
    alice.tap("Older ›")
    assert alice.last_message["message_id"] == shown  # one screen, changed in place
    assert picture(alice) == first and "Older ›" not in alice.buttons
    alice.tap("‹ Newer")
    alice.tap("‹ Newer")
    assert picture(alice) == third
    alice.tap("‹ Back")
    assert labels(alice)[0] == ["✓ 3 · 0.72 ₽ · Z-Image fox number 2"]
    assert shown not in [message["message_id"] for message in alice.received]  # the picture's screen is gone


@SQLITE
def test_any_entry_can_be_repeated_and_changed(start_bot):
    bot = start_bot(USER_JOBS="100")
    alice = bot.rich()
    make(bot, alice, 2)
    alice.send("/history")
    alice.tap("✓ 1")
    alice.tap("✏ Edit prompt")
    alice.send("an owl")
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == "an owl"


@SQLITE
def test_several_pictures_are_sent_again_together(start_bot):
    bot = start_bot()
    alice = bot.rich()
    make(bot, alice, 1, model="grok-img")
    alice.send("/history")
    alice.tap("✓ 1")
    before = len(alice.received)
    alice.tap("⬇ Send all (6)")
    assert len(alice.received) == before + 6


@SQLITE
def test_a_failed_order_says_why_and_what_came_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next("400-moderation")
    order(bot, alice)
    bot.forward(60)
    alice.send("/history")
    alice.tap("✗ 1")
    assert "safety rules" in alice.last and "money returned" in alice.last
    assert {"↻ Again", "✏ Edit prompt"} <= set(alice.buttons) and "⬇ As a file" not in alice.buttons


@SQLITE
def test_a_result_that_could_not_be_delivered_is_sent_on_demand(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.telegram.fail_next("sendPhoto", "502", times=200)
    bot.telegram.fail_next("sendDocument", "502", times=200)
    bot.forward(12 * 3600, step=300)
    assert job_of(bot, alice).delivery == "undeliverable"
    bot.telegram.no_trouble()
    alice.send("/history")
    alice.tap("✓ 1")
    alice.tap("⬇ Send it again")
    bot.forward(10)
    assert "photo" in alice.last_message and job_of(bot, alice).delivery == "sent"


@SQLITE
def test_a_result_over_50_mb_is_a_link_with_its_end_and_comes_again_while_it_lives(start_bot, shelf):
    bot = start_bot()
    alice = bot.rich()
    url = shelf("huge.png", "image/png", 60 * MEGABYTE)
    finish_with(bot, alice, [url])
    end = job_of(bot, alice).finished_at + timedelta(days=1)
    assert (
        url in alice.last
        and f"at least {end:%b} {end:%-d}" in alice.last
        or f"at least {end:%-d} {end:%b}" in alice.last
    )
    for hours, answer in ((1, url), (30, "not kept any more")):
        bot.clock.forward(hours * 3600)
        alice.send("/history")
        alice.tap("✓ 1")
        alice.tap("⬇ Send it again")
        assert answer in (alice.last if answer == url else alice.toast)


def test_every_row_of_the_history_fits_a_phone_whatever_was_ordered(start_bot):
    bot = start_bot()
    alice = bot.rich()
    for prompt, model in (
        ("a fox in the snow, seen from far away", "nanobanana-2l"),
        ("a\nfox", "z-image"),
        ("fox " * 90, "z-image"),
    ):
        order(bot, alice, prompt=prompt, model=model)
        bot.forward(60)
    alice.send("/history")
    screen = Screen.of(alice.last_message)
    assert not style(screen)
    assert [label.text for label in screen.labels[:2]] == [
        "✓ 3 · 0.72 ₽ · Z-Image fox fox fox …",
        "✓ 2 · 0.72 ₽ · Z-Image a fox",
    ]


@SQLITE
@pytest.mark.parametrize(("lang", "spent"), [("en", "1.44 ₽"), ("ru", "1,44 ₽"), ("es", "1,44 ₽")])
def test_each_order_has_its_price_and_the_head_says_what_the_month_has_cost(start_bot, lang, spent):
    bot = start_bot(USER_JOBS="100", WELCOME_RUNS="1", now="2026-11-29 12:00")
    alice = bot.rich()
    make(bot, alice, 1)
    bot.clock.forward(3 * 24 * 3600)  # another month
    make(bot, alice, 2)
    order(bot, alice, "a failure")
    bot.kie.fail()
    bot.forward(60)
    alice.send("/start")
    alice.forge(f"language:set:{lang}")
    alice.send("/history")
    rows = [row[0] for row in labels(alice)[:4]]
    assert "₽" not in rows[0] and all("0" in row and "₽" in row for row in rows[1:3]) and "₽" not in rows[3]
    assert spent.replace(" ", "\u00a0") in alice.last.replace(" ", "\u00a0")
    assert bot.bot.texts.plain(lang, "history.free").strip() in rows[3]

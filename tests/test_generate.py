"""The card: every model's form in one message."""

import pytest

from tests.kit import ROOT, png
from tests.shop import card, job_of, order, user_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLIP = (ROOT / "data/samples/clip-wide.mp4").read_bytes()


def values(bot, person):
    """Return what the open card holds."""
    return bot.bot.drafts.get(user_of(bot, person).id, "generate", bot.clock.now()).data["values"]


def rows(person):
    """Return the labels of the newest keyboard, row by row."""
    keyboard = person.last_message["reply_markup"]["inline_keyboard"]
    return [[cell["text"] for cell in row] for row in keyboard]


@SQLITE
def test_a_price_that_hangs_on_a_clip_is_told_as_a_rate_and_then_exactly(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:topaz-vid")
    assert "from 7.20 ₽ per second" in alice.last and rows(alice)[0] == ["🎬 Send a video"]
    alice.video(CLIP, duration=5)
    assert "▶ Create · 36 ₽" in alice.buttons


@SQLITE
def test_a_clip_whose_message_tells_no_length_is_measured_all_the_same(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:topaz-vid")
    alice.document(CLIP, name="clip.mp4")
    assert "▶ Create · 36 ₽" in alice.buttons
    alice.video(CLIP, duration=5)
    assert "▶ Create · 36 ₽" in alice.buttons


@SQLITE
def test_the_card_says_the_price_before_there_is_a_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    assert "Price: 0.72 ₽" in alice.last
    alice.forge("generate:open:gtts31")
    assert "Price" not in alice.last  # tokens of a text that is not there yet
    alice.send("Hello there")
    assert any(label.startswith("▶ Create · up to") for label in alice.buttons)


@SQLITE
def test_what_depends_on_tokens_is_settled_on_what_kie_took(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice, prompt="Hello there", model="gtts31")
    bot.forward(300)
    job = job_of(bot, alice)
    taken = round(bot.kie.task()["credits"] * 90, 6)
    assert job.charged < job.price and taken <= job.charged < taken + 1
    assert bot.balance(alice) == 100_000 - job.charged


@SQLITE
def test_settings_are_remembered_for_each_person_and_model_and_texts_and_files_are_not(start_bot):
    bot = start_bot()
    alice, bob = bot.rich(), bot.rich("Bob")
    card(alice, model="nanobanana-pro")
    alice.tap("inputs:set:nanobanana-pro:3")
    alice.tap("2K")
    alice.photo(png())
    alice.tap("✓ Done")
    alice.tap("▶ Create")
    bot.forward(200)
    alice.send("/start")
    alice.forge("generate:open:nanobanana-pro")
    assert values(bot, alice) == {"resolution": "2K", "aspect_ratio": "1:1", "output_format": "png"}
    bob.send("/start")
    bob.forge("generate:open:nanobanana-pro")
    assert values(bot, bob)["resolution"] == "1K"
    alice.tap("More settings")
    alice.tap("↺ Usual settings")
    assert values(bot, alice)["resolution"] == "1K"


@SQLITE
def test_a_seed_is_not_remembered(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice, model="imagen4-fast")
    alice.tap("More settings")
    alice.tap("inputs:set:imagen4-fast:3")
    alice.send("7")
    assert values(bot, alice)["seed"] == 7
    alice.tap("▶ Create")
    bot.forward(100)
    alice.send("/start")
    alice.forge("generate:open:imagen4-fast")
    assert "seed" not in values(bot, alice)


@SQLITE
def test_an_album_is_taken_whole_and_done_leads_on(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    cards = len(alice.received)
    alice.album([png(str(n)) for n in range(3)])
    assert "3 of 10" in alice.last and rows(alice)[0] == ["✓ Done", "Clear"]
    assert len(alice.received) - cards <= 1  # one live card, below the album
    alice.photo(png("more"))
    assert "4 of 10" in alice.last
    alice.tap("✓ Done")
    assert rows(alice)[0] == ["✏ Write what to make"]
    alice.send("all of them in one room")
    assert rows(alice)[0][0].startswith("▶ Create")


@SQLITE
def test_a_text_while_photos_are_collected_is_the_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    alice.photo(png())
    alice.send("make it snow")
    assert rows(alice)[0][0].startswith("▶ Create") and values(bot, alice)["prompt"] == "make it snow"


@SQLITE
def test_more_files_than_the_model_takes_are_refused_one_by_one(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    alice.album([png(str(n)) for n in range(10)])
    alice.photo(png("the eleventh"))
    assert "Too many" in alice.last and len(values(bot, alice)["image_urls"]) == 10


@SQLITE
def test_each_choice_that_moves_the_price_shows_its_own(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice, model="kling26")
    alice.tap("inputs:set:kling26:2")
    assert [label for row in rows(alice)[:-1] for label in row] == ["✓ 5 s · 49.50 ₽", "10 s · 99 ₽"]
    alice.tap("10 s")
    alice.tap("inputs:set:kling26:3")
    assert [label for row in rows(alice)[:-1] for label in row] == ["✓ off · 99 ₽", "on · 198 ₽"]
    alice.tap("on")
    assert "▶ Create · 198 ₽" in alice.buttons


@SQLITE
def test_a_text_shows_its_limit_and_what_is_left(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    alice.tap("✏ Write what to make")
    assert "Up to 1,000 characters." in alice.last
    alice.send("x" * 990)
    alice.tap("inputs:set:z-image:0")
    assert "10 characters are left." in alice.last


@SQLITE
def test_an_order_is_followed_by_an_empty_card_and_what_was_ordered_fills_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    shown = alice.last_message["message_id"]
    alice.forge("generate:open:z-image")
    assert "prompt" not in values(bot, alice)
    alice.forge(f"orders:again:{job_of(bot, alice).id}", message=shown)
    assert values(bot, alice)["prompt"] == "a fox in the snow" and rows(alice)[0] == ["▶ Create · 0.72 ₽"]
    alice.tap("✏ Edit prompt", message=shown)
    assert "send the whole new text" in alice.last
    alice.send("a cat in the snow")
    assert values(bot, alice)["prompt"] == "a cat in the snow"


@SQLITE
def test_the_same_confirm_twice_is_one_order(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice)
    confirm, shown = alice.buttons["▶ Create · 0.72 ₽"], alice.last_message
    alice.forge(confirm, message=shown)
    alice.forge(confirm, message=shown)
    assert "already being made" in alice.toast and len(bot.bot.jobs.of_user(user_of(bot, alice).id)) == 1


@SQLITE
def test_a_price_changed_since_the_quote_is_said_before_the_order(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    card(alice)
    boss.send("/rate 180")
    alice.tap("▶ Create · 0.72 ₽")
    assert "price has changed" in alice.toast and "▶ Create · 1.44 ₽" in alice.buttons
    assert bot.bot.jobs.of_user(user_of(bot, alice).id) == []

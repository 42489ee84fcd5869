"""What stands around an order: the price, what is short, files from before, default prompts, and the small words."""

import re

import pytest

from core.texts import Texts
from kie.catalogue.model import WORKS, Catalog
from plugins.generate import progress
from plugins.generate._card_view import FITS
from tests.kit import ROOT, png
from tests.media import wav
from tests.shop import job_of, order

TEXTS = Texts(ROOT / "data/texts")
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LATIN = re.compile(r"[A-Za-z]{4,}")


def opened(person, code, *words):
    """Open a model's card and write these words."""
    person.send("/start")
    person.forge(f"generate:open:{code}")
    for text in words:
        person.send(text)


# the price, and what is short


@SQLITE
def test_the_card_shows_the_price_and_what_is_short(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    opened(anna, "z-image", "a fox")
    assert "Price: 0.72 ₽" in anna.last and "0.72 ₽ short · top up" in anna.buttons
    anna.tap("0.72 ₽ short · top up")
    offers = [label for label, data in anna.buttons.items() if data.startswith("payments:amount")]
    assert offers[0] == "10 ₽ · 7 ⭐", "the smallest top-up that covers it"


@SQLITE
def test_the_smallest_top_up_is_never_less_than_what_is_short(start_bot):
    bot = start_bot(TOPUP_MIN="1")
    anna = bot.rich("Anna", "1")
    opened(anna, "imagen4-ultra", "a fox")
    short = next(label for label in anna.buttons if label.endswith("short · top up"))
    anna.tap(short)
    first = next(int(data.split(":")[2]) for data in anna.buttons.values() if data.startswith("payments:amount"))
    lacking = int(round(float(short.split()[0]) * 100))
    assert lacking <= first < lacking + 100


@SQLITE
@pytest.mark.parametrize("code", ["z-image", "kling3", "suno", "tts-turbo", "omnihuman", "topaz-img"])
def test_every_card_says_what_it_costs_before_and_after_the_words(start_bot, code):
    bot = start_bot()
    anna = bot.user("Anna")
    opened(anna, code)
    assert "₽" in anna.last or "₽" in str(anna.buttons), anna.last
    if "✏" in str(anna.buttons):
        anna.send("a fox")
    assert "₽" in anna.last or "₽" in str(anna.buttons), anna.last


@SQLITE
def test_the_price_in_a_list_is_that_of_the_first_kind_of_work(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/models suno")
    assert "Suno · from 10.80 ₽" in alice.buttons, "not what the repair of a song costs"
    alice.tap("Suno · from 10.80 ₽")
    alice.send("a song about a fox")
    assert "▶ Create · 10.80 ₽" in alice.buttons


@SQLITE
@pytest.mark.parametrize(("lang", "shown"), [("en", "0.76"), ("ru", "0,76")])
def test_a_changed_setting_has_its_name_and_its_language(start_bot, lang, shown):
    bot = start_bot()
    model = bot.bot.generation.catalog.by_code("suno")
    spec = next(one for one in model.more_inputs if one.kind == "number" and (one.min or 0) < 0.76)
    anna = bot.rich("Anna", language_code=lang)
    opened(anna, "suno")
    anna.forge(f"inputs:set:suno:{model.inputs.index(spec)}")
    anna.send("0,76" if lang == "ru" else "0.76")
    name = TEXTS.plain(lang, f"input.{spec.label}")
    assert f"{name}: {shown}" in anna.last


# files from before


@SQLITE
def test_a_photo_from_an_hour_ago_is_named_and_can_be_left_out(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png())
    bot.forward(3600, step=600)
    alice.send("/models nano banana 2")
    alice.tap("Nano Banana 2 ·")
    assert "Photo" in alice.last and "✕ Without the photo" in alice.buttons
    alice.tap("✕ Without the photo")
    assert "✕ Without the photo" not in alice.buttons
    alice.send("a fox")
    alice.tap("▶ Create")
    bot.forward(120)
    assert "image_input" not in bot.kie.task()["inputs"]


@SQLITE
def test_a_photo_of_one_card_is_named_on_the_next_and_does_not_come_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    opened(alice, "nanobanana-2")
    alice.photo(png())
    assert "✕ Without the photo" not in alice.buttons, "it was sent to this card"
    alice.forge("generate:open:nanobanana-pro")
    alice.tap("✕ Without the photo")
    alice.forge("generate:open:sd45-edit")
    assert "✕ Without the photo" not in alice.buttons and not job_photos(bot, alice)


def job_photos(bot, person):
    """Return the files on the open card."""
    user = bot.bot.users.by_telegram_id(person.id)
    draft = bot.bot.drafts.get(user.id, "generate", bot.clock.now())
    return [value for value in draft.data["values"].values() if isinstance(value, list | dict)]


@SQLITE
def test_cards_with_a_photo_from_before_keep_their_eight_rows(start_bot):
    bot = start_bot(FLOOD_MESSAGES="100000")
    alice = bot.rich()
    for model in bot.bot.generation.catalog.models.values():
        if model.takes("image") and not model.takes("audio"):
            alice.send("/cancel")
            alice.photo(png())
            alice.forge(f"generate:open:{model.code}")
            rows = alice.last_message["reply_markup"]["inline_keyboard"]
            assert len(rows) <= 8 and "✕ Without the photo" in alice.buttons, model.id


# the language


@SQLITE
def test_a_change_of_language_redraws_the_screen_at_hand(start_bot):
    bot = start_bot()
    anna = bot.user("Anna", language_code="en")
    anna.send("/start")
    shown = anna.last_message["message_id"]
    anna.tap("Русский")
    assert anna.last.startswith("Здравствуйте, Anna") and "🎬 Видео" in anna.buttons
    assert anna.last_message["message_id"] == shown
    anna.send("/language")
    anna.tap("Español")
    assert anna.last == TEXTS.plain("es", "language.chosen") and "✓ Español" in anna.buttons
    anna.tap("English")
    assert anna.last == TEXTS.plain("en", "language.chosen") and "✓ English" in anna.buttons


# prompts of ours


@SQLITE
@pytest.mark.parametrize("code", ["infinitalk", "avatar", "avatar-pro", "wan22-talk"])
def test_no_english_prompt_of_ours_is_on_a_russian_screen(start_bot, code):
    bot = start_bot()
    anna = bot.rich("Анна", language_code="ru")
    opened(anna, code)
    anna.photo(png())
    anna.audio(("a.wav", wav(10)), duration=10)
    assert "speaks naturally" not in anna.last
    anna.tap("▶")
    bot.forward(5)
    assert "speaks naturally" not in anna.last
    bot.forward(1200, step=60)
    assert bot.kie.task()["inputs"]["prompt"] == "The person speaks naturally and looks at the camera."
    anna.send("/history")
    assert not any("speaks naturally" in str(message) for message in anna.messages)


# small words


@SQLITE
def test_cancel_speaks_of_an_order_only_if_one_was_open(start_bot):
    bot = start_bot()
    alice = bot.rich()
    for before in ("/start", "/models xyzzy", "/support", "/topup"):
        alice.send(before)
        alice.send("/cancel")
        assert "unfinished order" not in alice.last, before
    opened(alice, "z-image", "a fox")
    alice.send("/cancel")
    assert "unfinished order" in alice.last
    alice.photo(png())
    alice.send("/cancel")
    assert "unfinished order" in alice.last
    alice.send("/cancel")
    assert "unfinished order" not in alice.last


@SQLITE
def test_one_of_two_tracks_is_not_done(start_bot):
    bot = start_bot()
    alice = bot.rich()
    opened(alice, "suno-mashup")
    alice.audio(("a.wav", wav(30)), duration=30)
    assert "Send 1 more." in alice.last and "✓ Done" not in alice.buttons
    alice.audio(("b.wav", wav(30)), duration=30)
    assert "Send 1 more." not in alice.last and "2 of 2" in alice.last.replace("/", " of ")


@SQLITE
def test_an_order_that_has_just_left_the_queue_has_no_place_in_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    job = job_of(bot, alice)
    assert job.state == "running"
    job.state = "queued"  # as it was when the row was read
    key, _buttons, values = progress._screen(bot.bot, job, bot.clock.now(), "en")
    assert key == "progress.running" and "place" not in values


@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_what_a_model_makes_is_said_in_words_and_each_in_its_own(lang):
    modes = [key for key in TEXTS.keys(lang) if key.startswith("mode.")]
    said = [TEXTS.plain(lang, key) for key in modes]
    assert len(modes) > 40 and not [words for words in said if "→" in words or len(words) > 32]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_a_phone_shows_in_full_what_a_model_makes(lang):
    catalog, labels = Catalog.load(ROOT / "data/models.json"), []
    for model in catalog.models.values():
        variant = model.title.removeprefix(catalog.cards[model.card].title).strip()
        labels.append(" · ".join(filter(None, (TEXTS.plain(lang, model.mode_title), variant))) + " ▾")
    for kind in WORKS:
        for models in catalog.works_with(kind).values():
            titles = [model.title for model in models]
            twins = [model for model in models if titles.count(model.title) > 1]
            labels += [f"{model.title}, {TEXTS.plain(lang, model.mode_title)}" for model in twins]
    assert not [label for label in labels if len(label) > FITS[1]]


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_the_help_says_in_six_lines_what_one_can_do_today(start_bot, lang):
    alice = start_bot().user(language_code=lang)
    alice.send("/help")
    said, commands = alice.last.split("\n\n")
    assert len(said.splitlines()) == 6 and all(len(line) < 100 for line in said.splitlines())
    assert all(sign in said for sign in ("🖼", "💡", "💬", "👥")) and "/ask" in commands and "/ideas" in commands

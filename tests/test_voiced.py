"""A voice from words: where a model wants a recording, typed words are voiced first, and the voice goes onto its card."""

import pytest

from tests.kit import ROOT, png
from tests.media import mp3
from tests.shop import assert_books_are_right, job_of, jobs_of, user_of
from tests.test_ladder import kopecks, labels, rung

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CODES = pytest.mark.parametrize("code", ["avatar", "infinitalk", "wan22-talk", "omnihuman"])
WORDS = {"en": "Happy birthday, Mum", "ru": "С днём рождения, мама", "es": "Feliz día, mamá"}


def opened(person, code):
    """Open the card of a model that makes a photo talk, with a photo."""
    person.photo(png())
    person.forge(f"generate:open:{code}")


def values_of(bot, person):
    """Return what is on the card."""
    return bot.bot.drafts.get(user_of(bot, person).id, "generate", bot.clock.now()).data["values"]


@CODES
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_typed_words_become_the_voice_of_a_photo(start_bot, code, lang):
    bot = start_bot()
    anna = bot.rich("Anna", language_code=lang)
    say = lambda key: bot.bot.texts.plain(lang, key)  # noqa: E731
    opened(anna, code)
    assert say("generate.wants_voice") in anna.last and say("generate.voice") in anna.buttons
    anna.send(WORDS[lang])
    assert WORDS[lang] in anna.last and anna.last.startswith("🗣")
    assert bot.bot.generation.catalog.by_code(code).title in anna.last and "₽" in anna.last
    shown, before = kopecks(labels(anna)[0].replace(",", ".")), bot.balance(anna)
    anna.tap(labels(anna)[0])
    voice = job_of(bot, anna)
    assert bot.balance(anna) == before - shown and WORDS[lang] in voice.inputs.values()
    bot.forward(90)
    anna.tap(say("voiced.use"))
    values = values_of(bot, anna)
    assert values["image_url"] and values["audio_url"]["url"] == voice_url(bot, voice)
    assert say("generate.wants_voice") not in anna.last and "▶" in labels(anna)[0]
    anna.tap(labels(anna)[0])
    bot.forward(1200, step=60)
    assert job_of(bot, anna).state == "succeeded" and len(jobs_of(bot, anna)) == 2
    assert_books_are_right()


def voice_url(bot, job):
    """Return the address of a finished voice."""
    return bot.bot.jobs.get(job.id).result["urls"][0]


@SQLITE
def test_words_that_came_with_the_photo_are_offered_to_be_said(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.photo(png(), caption="Hello from the sea")
    anna.forge("generate:open:infinitalk")
    anna.tap("🗣 Write what to say")
    assert "Hello from the sea" in anna.last and rung(anna, "Draft")
    anna.send("Hello from the mountains")
    assert "Hello from the mountains" in anna.last and rung(anna, "Draft")


@SQLITE
def test_words_that_are_not_to_be_said_go_onto_the_card_with_one_tap(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    opened(anna, "avatar")
    anna.send("a calm man in a bright office")
    anna.tap("🎬 Use it as the prompt")
    assert values_of(bot, anna)["prompt"] == "a calm man in a bright office" and "It needs a voice" in anna.last
    anna.voice(mp3(5), duration=5)
    assert values_of(bot, anna)["audio_url"] and "It needs a voice" not in anna.last and not jobs_of(bot, anna)


@SQLITE
def test_a_recording_is_still_taken_as_it_is(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    opened(anna, "avatar")
    anna.voice(mp3(5), duration=5)
    anna.send("a calm man")
    assert values_of(bot, anna)["prompt"] == "a calm man" and labels(anna)[0].startswith("▶ Create")


@SQLITE
def test_a_voice_waits_for_money_and_comes_back(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    anna.send("/start")
    opened(anna, "avatar")
    anna.send("Happy birthday")
    anna.tap(labels(anna)[0])
    anna.tap("Go to the order")
    assert "Happy birthday" in anna.last and not jobs_of(bot, anna)


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_a_voice_is_made_by_the_payment_for_it_and_goes_onto_the_card_that_waits(start_bot, lang):
    bot = start_bot()
    anna = bot.user("Anna", language_code=lang)
    anna.send("/start")
    opened(anna, "avatar")
    anna.send(WORDS[lang])
    anna.tap(labels(anna)[0])
    anna.tap("☐")
    assert any(label.startswith("✓") for label in anna.buttons)
    anna.tap(next(label for label in anna.buttons if "⭐" in label))
    anna.tap("⭐")
    anna.pay()
    voice = job_of(bot, anna)
    assert WORDS[lang] in voice.inputs.values() and "⏳" in anna.last
    bot.forward(90)
    anna.tap(bot.bot.texts.plain(lang, "voiced.use"))
    assert values_of(bot, anna)["audio_url"]["url"] == voice_url(bot, voice)
    assert_books_are_right()


@SQLITE
def test_nobody_else_s_voice_is_taken_and_a_card_that_is_gone_says_so(start_bot):
    bot = start_bot()
    anna, mallory = bot.rich("Anna"), bot.rich("Mallory")
    opened(anna, "avatar")
    anna.send("Happy birthday")
    anna.tap(labels(anna)[0])
    bot.forward(90)
    opened(mallory, "avatar")
    mallory.forge(f"voiced:use:{job_of(bot, anna).id}")
    assert "audio_url" not in values_of(bot, mallory)
    anna.forge("generate:open:z-image")
    anna.forge(f"voiced:use:{job_of(bot, anna).id}")
    assert "out of date" in anna.toast + anna.last


@SQLITE
def test_a_model_that_takes_no_words_at_all_gets_a_voice_of_them_too(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.video((ROOT / "data/samples/clip-wide.mp4").read_bytes(), duration=5)
    anna.forge("generate:open:lipsync")
    anna.send("Happy birthday")
    assert rung(anna, "Draft") and "🎬 Use it as the prompt" not in anna.buttons

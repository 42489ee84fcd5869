"""A voice message is a keyboard: its words are shown, corrected, and go where a text would; the sound itself on a tap."""

import json

import pytest

from kie.stub.chat import TRANSCRIPTS
from tests.house import plugins_with
from tests.media import mp3
from tests.shop import assert_books_are_right, job_of, jobs_of, picture, user_of
from tests.test_ladder import kopecks
from tests.test_talk import asked, questions, said

FLASH = "gemini-3-8-flash-openai"


def speak(person, seconds=3, **fields):
    """Send a voice message and return its words, as the stub hears them."""
    person.voice(mp3(seconds), duration=seconds, **fields)
    return next((words for words in TRANSCRIPTS if words in person.last), None)


@pytest.mark.parametrize(("lang", "yes"), [("en", "✓ That’s it"), ("ru", "✓ Верно"), ("es", "✓ Eso es")])
def test_spoken_words_get_the_ladder_that_written_ones_get(start_bot, lang, yes):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    words = speak(alice)
    assert words and len(alice.buttons) == 4
    alice.tap(yes)
    assert words in alice.last and any(label.startswith("▶") for label in alice.buttons)
    ladder = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]
    assert ladder["text"] == words and ladder["files"] == []
    alice.tap(next(label for label in alice.buttons if label.startswith("▶")))
    assert words in json.dumps(job_of(bot, alice).inputs, ensure_ascii=False)
    (body,) = asked(bot)
    assert body["messages"][-1]["content"][0]["image_url"]["url"].startswith(bot.kie.url)
    assert_books_are_right()


def test_corrected_words_count(start_bot):
    bot = start_bot()
    alice = bot.rich()
    words = speak(alice)
    alice.tap("✏ Fix the words")
    assert words in alice.last and "as it should be" in alice.last
    alice.send("a fox in the snow")
    alice.tap(next(label for label in alice.buttons if label.startswith("▶")))
    assert job_of(bot, alice).inputs["prompt"] == "a fox in the snow" and len(asked(bot)) == 1


def test_spoken_words_are_the_prompt_of_the_open_card(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    words = speak(alice)
    alice.tap("✓ That’s it")
    assert words in alice.last and any(label.startswith("▶ Create") for label in alice.buttons)
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == words


def test_a_corrected_prompt_goes_to_its_card(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    speak(alice)
    alice.tap("✏ Fix the words")
    again = speak(alice, seconds=5)
    assert again, "a correction may be spoken, too"
    alice.tap("✏ Fix the words")
    alice.send("a fox in the snow")
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == "a fox in the snow"


def test_a_question_may_be_spoken(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/ask")
    words = speak(alice)
    assert not questions(bot, alice)
    alice.tap("💬 Ask this")
    (job,) = questions(bot, alice)
    assert job.inputs["question"] == words and words in said(asked(bot)[-1])
    alice.send("and more")
    assert len(questions(bot, alice)) == 2, "the dialogue goes on"
    assert_books_are_right()


def test_the_sound_itself_is_a_tap_away(start_bot):
    bot = start_bot()
    alice = bot.rich()
    speak(alice)
    alice.tap("🎙 Use the recording")
    loose = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]
    assert loose["files"][0]["kind"] == "voice" and loose["text"] == ""
    speak(alice)
    alice.tap("✏ Fix the words")
    alice.tap("🎙 Use the recording")
    assert bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]["files"]


def test_a_card_that_asks_for_a_recording_takes_it_as_it_is(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    model = next(
        model
        for model in bot.bot.generation.catalog.models.values()
        if model.inputs and model.asks_for({}) and model.input(model.asks_for({})).kind == "audio"
    )
    alice.forge(f"generate:open:{model.code}")
    alice.voice(mp3(3), duration=3)
    assert not asked(bot)
    draft = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now())
    assert "voice" in json.dumps(draft.data["values"])


@pytest.mark.parametrize(("seconds", "settings"), [(121, {}), (3, {"HELPER_DAILY": "0"}), (3, {"HELPER_CEILING": "0"})])
def test_a_long_one_and_without_the_assistant_it_stays_a_sound(start_bot, seconds, settings):
    bot = start_bot(**settings)
    alice = bot.rich()
    alice.voice(mp3(3), duration=seconds)
    assert not asked(bot)
    assert bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]["files"]


@pytest.mark.parametrize("kind", ["maintained", "401", "402", "502", "blank-text", "drop", "no-page"])
def test_when_no_model_hears_the_sound_is_still_there(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("chat", kind, times=9)
    alice.voice(mp3(3), duration=3)
    assert "couldn’t make out the words" in alice.last
    alice.tap("🎙 Use the recording")
    assert bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]["files"]
    assert jobs_of(bot, alice) == []


def test_a_voice_that_cannot_be_brought_to_kie_is_told(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("upload", "500", times=0)
    alice.voice(mp3(3), duration=3)
    assert "couldn’t make out the words" in alice.last and not asked(bot)


def test_voices_count_among_the_helps_of_a_day(start_bot):
    bot = start_bot(HELPER_DAILY="2")
    alice = bot.rich()
    for _ in range(2):
        assert speak(alice)
    assert speak(alice) is None and "You’ve reached today’s limit" in alice.last
    assert len(asked(bot)) == 2
    bot.clock.forward(25 * 3600)
    assert speak(alice)


def test_an_old_screen_takes_no_words_that_were_not_shown_last(start_bot):
    bot = start_bot()
    alice, bob = bot.rich(), bot.rich("Bob")
    speak(alice)
    old = alice.last_message
    data = old["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    speak(alice, seconds=4)
    alice.forge(data, old)
    assert alice.toast and not jobs_of(bot, alice)
    bob.send("/start")
    for route in ("yes", "correct", "sound"):
        bob.forge(f"voice:{route}:2")
        assert bob.toast
    alice.tap("✓ That’s it")
    alice.forge(data.replace("voice:yes:2", "voice:yes:4"))
    assert alice.toast, "taken once"


def test_a_spoken_reply_keeps_what_it_replies_to(start_bot, monkeypatch, tmp_path):
    echo = (
        '"""Says what a text replies to; nothing else in here."""\n\n\n'
        "def register(bot):\n"
        '    """Take texts that reply."""\n'
        '    bot.update("text", tell, order=1, reply_to="any")\n\n\n'
        "def tell(ctx):\n"
        '    """Say the number."""\n'
        '    ctx.toast("label", label=str(ctx.message["reply_to_message"]["message_id"]) + ctx.text)\n'
    )
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, echo=echo))
    alice = bot.rich()
    number = alice.last_message["message_id"]
    words = speak(alice, reply_to=number)
    alice.tap("✓ That’s it")
    assert alice.last == f"{number}{words}"


def test_a_spoken_reply_edits_the_result_and_the_open_card_stays(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    alice.forge("generate:open:z-image")
    words = speak(alice, reply_to=first["message_id"])
    alice.tap("✓ That’s it")
    assert alice.last.startswith("v2 ← v1") and words[:20] in alice.last
    alice.tap("▶")
    bot.forward(90)
    assert "photo" in alice.last_message and "v2 ← v1" in alice.last
    assert bot.kie.task()["inputs"]["prompt"] == words
    alice.send("a boat on a lake")
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == "a boat on a lake", "the card has listened all the while"
    assert_books_are_right()


def test_privacy_says_who_hears(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/privacy")
    assert (
        "Voice messages of up to two minutes are turned into text by Gemini" in alice.last and "None" not in alice.last
    )


@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_in_a_talk_a_voice_goes_both_ways_with_one_tap(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    say = lambda key: bot.bot.texts.plain(lang, key)  # noqa: E731
    for way in ("voice.make", "voice.ask_it"):
        alice.send("/ask")
        words = speak(alice)
        ask = next(label for label in alice.buttons if label.startswith("💬"))
        assert words and say("voice.make") in alice.buttons and "₽" in ask
        before, most = bot.balance(alice), kopecks(ask.replace(",", "."))
        alice.tap(ask if way == "voice.ask_it" else say(way))
        if way == "voice.make":
            assert words in alice.last and any(label.startswith("▶") for label in alice.buttons)
            assert questions(bot, alice) == []
    assert [job.inputs["question"] for job in questions(bot, alice)] == [words]
    assert 0 < before - bot.balance(alice) <= most
    assert_books_are_right()

"""✨ Better prompt: before and after, accepted with a tap; refused, slow or out of money, the card works without it."""

import pytest

from tests.shop import job_of


def card(bot, person, words="a fox in the snow"):
    """Open a card with words on it."""
    person.send(words)
    person.forge("generate:open:z-image")
    assert words in person.last
    return words


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "a fox in the snow"), ("ru", "лиса в снегу"), ("es", "un zorro en la nieve")]
)
def test_the_new_words_are_shown_beside_the_old_and_ordered_after_a_tap(start_bot, lang, words):
    bot = start_bot()
    anna = bot.rich("Anna", language_code=lang)
    card(bot, anna, words)
    anna.tap(next(label for label in anna.buttons if label.startswith("✨")))
    assert anna.last.count(words) == 2 and len(anna.last) > 3 * len(words)
    anna.tap(next(label for label in anna.buttons if label.startswith("✓")))
    assert words in anna.last
    anna.tap(next(label for label in anna.buttons if label.startswith("▶")))
    assert len(job_of(bot, anna).inputs["prompt"]) > len(words)
    assert bot.kie.bill()["chats"] == 1


def test_ones_own_words_stay_without_a_tap(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    words = card(bot, alice)
    alice.tap("✨ Better prompt")
    alice.tap("Again")
    alice.tap("Keep mine")
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == words and bot.kie.bill()["chats"] == 2


@pytest.mark.parametrize("kind", ["maintained", "401", "402", "502", "blank-text", "no-page"])
def test_when_no_model_answers_the_card_goes_on(start_bot, kind):
    bot = start_bot()
    alice = bot.rich("Alice")
    words = card(bot, alice)
    bot.kie.trouble("chat", kind, times=9)
    alice.tap("✨ Better prompt")
    assert "Nothing has changed" in alice.toast
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == words


def test_there_is_enough_for_a_person_and_for_all_in_a_day(start_bot):
    bot = start_bot(HELPER_DAILY="2", HELPER_CEILING="3")
    alice, bob = bot.rich("Alice"), bot.rich("Bob")
    for person, asks in ((alice, 3), (bob, 2)):
        card(bot, person)
        for _ in range(asks):
            person.forge("better:ask")
        assert "You’ve reached today’s limit" in person.toast
    assert bot.kie.bill()["chats"] == 3
    bot.clock.forward(25 * 3600)
    card(bot, alice)
    alice.tap("✨ Better prompt")
    assert "After" in alice.last


def test_switched_off_it_is_not_offered(start_bot):
    bot = start_bot(HELPER_DAILY="0")
    alice = bot.rich("Alice")
    card(bot, alice)
    assert not [label for label in alice.buttons if label.startswith("✨")]
    alice.forge("better:ask")
    assert "switched off" in alice.toast
    alice.send("/privacy")
    assert "chat model" not in alice.last


def test_an_old_button_takes_no_words_that_were_not_shown(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    words = card(bot, alice)
    alice.tap("✨ Better prompt")
    use = next(
        one for one in alice.messages[-1]["reply_markup"]["inline_keyboard"] for one in one if "Use" in one["text"]
    )
    alice.tap("Again")
    alice.forge(use["callback_data"])
    assert "out of date" in alice.toast
    alice.tap("Keep mine")
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == words


def test_the_words_of_a_ladder_are_made_better_too(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("a fox in the snow")
    alice.tap("✨ Better prompt")
    assert "Before" in alice.last and "After" in alice.last
    alice.tap("Keep mine")
    assert "“a fox in the snow”" in alice.last
    alice.tap("✨ Better prompt")
    alice.tap("✓ Use it")
    assert "golden light" in alice.last
    alice.tap(next(label for label in alice.buttons if label.startswith("▶")))
    assert "golden light" in job_of(bot, alice).inputs["prompt"]


def test_words_to_be_spoken_stay_as_they_are(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("read aloud: good morning")
    alice.forge("ladder:work:text-to-speech")
    assert not [label for label in alice.buttons if label.startswith("✨")]

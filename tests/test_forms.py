"""The card as a form: options with their prices, answers checked on arrival, dialogues that end when they should."""

import pytest

from kie.catalogue.model import Catalog
from kie.catalogue.pricing import steps
from tests.crawler import Screen, style
from tests.kit import ROOT, png
from tests.shop import entries_of, job_of, jobs_of, user_of
from tests.walker import Form, money

CATALOG = Catalog.load(ROOT / "data" / "models.json")
PRICE = 72  # minor units of z-image: 0.8 credits of 0.005 $, at 90 ₽ and twice the cost


def card(person, code="z-image", prompt="a fox in the snow"):
    """Open a model's card with a prompt in it."""
    person.send("/start")
    person.forge(f"generate:open:{code}")
    person.send(prompt)
    return Form(person, CATALOG.by_code(code))


def test_the_whole_way_is_four_taps_and_one_sentence(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.tap("🖼 Picture")
    anna.tap("Draft: Z-Image")
    anna.send("a fox in the snow")
    anna.tap("▶ Create")
    bot.forward(120)
    assert "photo" in anna.last_message


def test_10_a_choice_shows_its_price_and_that_is_what_the_card_says_then(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna", "100000")
    model = next(
        m
        for m in CATALOG.models.values()
        if m.type == "text-to-video"
        and m.main_text
        and any(s.drives_price and s.kind == "choice" and s.shown == "main" and len(s.enum) > 1 for s in m.inputs)
    )
    form = card(anna, model.code)
    form.complete()
    spec = next(
        s for s in model.inputs if s.drives_price and s.kind == "choice" and s.shown == "main" and len(s.enum) > 1
    )
    place = model.inputs.index(spec)
    anna.forge(f"inputs:set:{model.code}:{place}")
    offered = [label for label in form.screen.labels if label.data.startswith("inputs:pick")]
    assert 1 < len(offered) <= len(spec.enum) and all("₽" in label.text for label in offered)
    assert sum(label.text.startswith("✓") for label in offered) == 1
    for label in offered:
        anna.forge(f"inputs:set:{model.code}:{place}")
        anna.forge(label.data)
        assert money(form.main.text) == money(label.text), label.text


def test_10_back_is_one_step_back(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    form = card(anna)
    place = next(i for i, spec in enumerate(form.model.inputs) if spec.kind == "choice" and spec.shown == "main")
    anna.forge(f"inputs:set:z-image:{place}")
    anna.tap("‹ Back")
    assert form.main.data.startswith("orders:go")
    anna.tap("‹ Back")
    assert any("Z-Image" in label.text for label in form.screen.labels), "the list the model stands in"
    anna.tap("‹ Back")
    assert "models:search" in anna.buttons.values()
    anna.tap("⌂ Menu")
    assert "make pictures" in anna.last


def test_11_leaving_to_the_menu_closes_the_dialogue_and_keeps_the_card(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    anna.tap("⌂ Menu")
    anna.send("/start")
    anna.forge("generate:card")
    assert "a fox in the snow" in anna.last, "what was filled in is still there"
    anna.tap("⌂ Menu")
    anna.send("quite another thing")
    assert "🖼 Picture" in anna.last and "quite another thing" in anna.last, "it is not taken for the card's prompt"
    anna.forge("generate:card")
    assert "quite another thing" in anna.last, "the newest question has taken the place of the card"


def test_11_leaving_a_payment_clears_it(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    anna.send("/start")
    anna.forge("payments:other")
    anna.tap("⌂ Menu")
    anna.send("500")
    assert "How" not in anna.last and "500" in anna.last and "₽" not in anna.last.split("\n")[0]
    anna.forge("payments:pay:transfer:30000")
    anna.forge("start:menu")
    anna.photo(png())
    assert "Write what to change" in anna.last, "a picture after leaving is no proof of payment"
    assert bot.bot.payments.waiting() == []


@pytest.mark.parametrize("command", ["/start", "/balance", "/help", "/history", "/cancel", "/language", "/topup"])
def test_commands_win_over_every_open_dialogue(start_bot, command):
    bot = start_bot()
    anna = bot.user("Anna")
    anna.send("/start")
    for opens in ("generate:open:z-image", "payments:other", "models:search", "payments:pay:transfer:30000"):
        anna.forge(opens)
        before = anna.last
        anna.send(command)
        assert anna.last != before and "No such command" not in anna.last
        anna.send("word")
        assert "“word" in anna.last, f"{command} did not close {opens}: {anna.last!r}"
        anna.send("/cancel")


def test_a_draft_lives_for_a_day(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    bot.forward(23 * 3600, step=3600)
    anna.forge("generate:card")
    assert "a fox in the snow" in anna.last
    bot.forward(25 * 3600, step=3600)
    anna.forge("generate:card")
    assert "out of date" in (anna.toast or "") + anna.last
    anna.send("a bear")
    assert "a bear" in anna.last and "🖼 Picture" in anna.last, "nothing listens any more"


def test_a_draft_survives_a_restart_and_a_top_up(start_bot):
    bot = start_bot()
    boss = bot.admin()
    anna = bot.user("Anna")
    card(anna)
    topup = next(label for label in anna.buttons if "top up" in label)
    assert money(topup) == PRICE
    anna.tap(topup)
    amount = next(data for data in anna.buttons.values() if data.startswith("payments:amount"))
    bot.restart()
    anna.forge(amount)
    anna.tap("payments:pay:transfer")
    anna.photo(png("proof"))
    bot.restart()
    boss.tap("transfer:approve")
    paid = anna.last_message
    anna.tap("▶ Open waiting order")
    assert paid in anna.received, "news of money stay"
    assert "a fox in the snow" in anna.last
    anna.tap("▶ Create")
    bot.forward(90)
    assert "photo" in anna.last_message


def test_an_edited_prompt_counts(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.forge("generate:open:z-image")
    written = anna.send("a fox")
    anna.edit(written, "a bear in the rain")
    assert "a bear in the rain" in anna.last and "a fox" not in anna.last
    anna.tap("▶ Create")
    bot.forward(90)
    assert bot.kie.task()["inputs"]["prompt"] == "a bear in the rain"
    anna.edit(written, "a whale")
    assert job_of(bot, anna).inputs["prompt"] == "a bear in the rain" and "whale" not in anna.last


def test_an_edit_that_is_too_long_is_told_and_changes_nothing(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.forge("generate:open:z-image")
    written = anna.send("a fox")
    limit = CATALOG.by_code("z-image").main_text.max_length
    if limit < 4000:
        anna.edit(written, "x" * (limit + 1))
        assert "Too long" in anna.last
        anna.forge("generate:card")
        assert "a fox" in anna.last


def test_cancel_in_every_situation(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.send("/cancel")
    assert "nothing to cancel" in anna.last.lower()
    card(anna)
    anna.send("/cancel")
    assert "unfinished order" in anna.last
    anna.forge("generate:card")
    assert "out of date" in (anna.toast or "") + anna.last
    before = bot.balance(anna)
    bot.kie.trouble("create", "429")
    card(anna)
    anna.tap("▶ Create")
    assert bot.balance(anna) < before
    anna.send("/cancel")
    assert "cancelled" in anna.last and money(anna.last) == PRICE and bot.balance(anna) == before
    card(anna)
    anna.tap("▶ Create")
    bot.forward(2, step=2)
    anna.send("/cancel")
    assert "stopped" in anna.last and bot.balance(anna) < before
    bot.forward(90)
    assert "photo" in anna.last_message
    anna.send("/cancel")
    assert "nothing to cancel" in anna.last.lower()


def test_switching_the_mode_keeps_the_prompt(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    one = next(
        c
        for c in CATALOG.cards.values()
        if len([m for m in c.models if m.main_text and m.type.startswith("text-to")]) >= 1
        and len([m for m in c.models if m.main_text]) > 1
    )
    first = next(m for m in one.models if m.main_text)
    other = next(m for m in one.models if m.main_text and m is not first and m.main_text.name == first.main_text.name)
    card(anna, first.code)
    anna.forge(f"generate:open:{other.code}")
    assert "a fox in the snow" in anna.last and other.title.split()[0] in anna.last


@pytest.mark.parametrize(
    ("first", "other", "settings", "words"),
    [
        ("kling26", "kling26-img", {"duration": "10", "sound": True}, ["10 s", "Sound: on"]),
        ("wan27", "wan27-ref", {"ratio": "9:16", "duration": 8}, ["8 s", "9:16"]),  # `ratio` is `aspect_ratio` there
        ("omni3", "omni3-img", {"duration": 8, "ratio": "9:16"}, ["8 s"]),  # a choice is a number there
    ],
)
def test_switching_the_mode_keeps_every_choice_the_other_mode_has(start_bot, first, other, settings, words):
    bot = start_bot()
    anna = bot.rich("Anna")
    before = CATALOG.by_code(first)
    form = card(anna, first)
    for name, value in settings.items():
        spec = next(spec for spec in before.inputs if name in (spec.name, spec.label))
        anna.forge(f"inputs:pick:{first}:{before.inputs.index(spec)}:{steps(spec).index(value)}")
    anna.forge(f"generate:open:{other}")
    assert "a fox in the snow" in anna.last and f"inputs:set:{other}:0" in anna.buttons.values()
    assert [word for word in words if word not in form.screen.text] == [], form.screen


def test_another_product_gets_the_text_but_keeps_its_own_settings(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    form, before = card(anna, "kling26"), CATALOG.by_code("kling26")
    place = before.inputs.index(before.by_name["duration"])
    anna.forge(f"inputs:pick:kling26:{place}:{steps(before.by_name['duration']).index('10')}")
    assert "10 s" in form.screen.text
    anna.forge("generate:open:hailuo02")
    assert "a fox in the snow" in anna.last and form.screen.text.endswith("\n6 s")


def test_a_models_own_sentence_is_sent_and_neither_shown_nor_taken_along_as_the_persons(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.forge("generate:open:infinitalk")
    draft = bot.bot.drafts.get(user_of(bot, anna).id, "generate", bot.clock.now())
    assert "speaks naturally" in draft.data["values"]["prompt"] and "speaks naturally" not in anna.last
    anna.forge("generate:open:nanobanana-edit")
    assert "speaks naturally" not in anna.last and "Prompt" not in anna.last


def test_a_sentence_sent_while_choices_are_shown_is_the_prompt(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    form, model = card(anna, "kling26"), CATALOG.by_code("kling26")
    anna.forge(f"inputs:set:kling26:{model.inputs.index(model.by_name['duration'])}")
    anna.send("two foxes in the rain")
    assert "two foxes in the rain" in form.screen.text and form.main.data.startswith("orders:go")
    anna.forge(f"inputs:set:kling26:{model.inputs.index(model.by_name['duration'])}")
    anna.send("7")
    assert "no such option" in anna.last


def test_an_old_card_of_another_model_says_so(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    old = anna.last_message
    place = next(i for i, spec in enumerate(CATALOG.by_code("z-image").inputs) if spec.kind == "choice")
    anna.forge(f"generate:open:{wordy_other()}")
    anna.forge(f"inputs:set:z-image:{place}", message=old)
    assert "out of date" in anna.toast


def wordy_other():
    """Return the code of another model that takes a text."""
    return next(
        m.code for m in CATALOG.models.values() if m.main_text and m.code != "z-image" and m.type == "text-to-image"
    )


def test_an_old_confirm_button_orders_nothing_and_shows_the_card_as_it_is(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    old = next(data for label, data in anna.buttons.items() if "Create" in label)
    anna.send("a bear in the rain")
    anna.forge(old)
    assert jobs_of(bot, anna) == [] and "changed" in anna.toast
    assert "a bear in the rain" in anna.last


def test_2_a_price_that_has_changed_is_shown_before_anything_is_charged(start_bot):
    bot = start_bot()
    boss, anna = bot.admin(), bot.rich("Anna")
    card(anna)
    before = entries_of(bot, anna)
    boss.send("/rate 180")
    boss_confirms(boss)
    anna.tap("▶ Create")
    assert "price has changed" in anna.toast and entries_of(bot, anna) == before
    anna.tap("▶ Create")
    assert entries_of(bot, anna)[-1] == ("hold", -2 * PRICE)


def boss_confirms(boss):
    """Confirm a change of rates where that is asked for."""
    confirm = next(
        (
            data
            for data in boss.buttons.values()
            if data.startswith("rates:") and data.split(":")[1] in ("ok", "set", "yes")
        ),
        None,
    )
    if confirm:
        boss.forge(confirm)


def test_too_little_money_leads_to_the_top_up_and_back(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    form = card(anna)
    assert "top up" in form.main.text and money(form.main.text) == PRICE
    anna.forge(form.main.data)
    assert money(anna.last) == PRICE
    anna.tap("Go to the order")
    assert form.main.text.endswith("top up")


def test_numbers_are_checked_as_they_are_typed(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna", "100000")
    model, spec = next(
        (m, s)
        for m in CATALOG.models.values()
        for s in m.inputs
        if s.kind == "number"
        and s.type == "integer"
        and s.min is not None
        and s.max is not None
        and not s.when
        and s.shown != "hidden"
        and m.main_text
        and not any(x.required and x.kind == "task" for x in m.inputs)
    )
    card(anna, model.code)
    for wrong, word in (
        ("many", "isn’t a number"),
        (str(int(spec.max) + 1), "too large"),
        (str(int(spec.min) - 1), "too small"),
        ("1e400", ""),
        ("NaN", "isn’t a number"),
        ("5.5", ""),
    ):
        anna.forge(f"inputs:set:{model.code}:{model.inputs.index(spec)}")
        anna.send(wrong)
        assert word in anna.last and "generate:card" in anna.buttons.values(), (wrong, anna.last)
    anna.forge(f"inputs:set:{model.code}:{model.inputs.index(spec)}")
    anna.send(str(int(spec.max)))
    assert str(int(spec.max)) in anna.last


def test_an_error_leads_back_to_the_card(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("/start")
    anna.forge("generate:open:z-image")
    anna.photo(png())
    anna.tap("Go to the order")
    anna.send("a fox in the snow")
    assert any("▶ Create" in label for label in anna.buttons)


def test_the_card_is_one_live_message(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    count = len(anna.received)
    place = next(
        i for i, spec in enumerate(CATALOG.by_code("z-image").inputs) if spec.kind == "choice" and spec.shown == "main"
    )
    for data in (f"inputs:set:z-image:{place}", f"inputs:pick:z-image:{place}:0", "generate:card"):
        anna.forge(data)
    assert len(anna.received) == count
    anna.send("a bear in the rain")
    assert len(anna.received) == count, "the card moves below the new text; the old copy goes away"


def test_a_tap_on_what_is_there_already_says_so(start_bot):
    bot = start_bot()
    anna = bot.user("Anna")
    anna.send("/start")
    anna.forge("start:menu")
    anna.forge("start:menu")
    assert anna.toast


def test_again_and_change_bring_the_card_with_everything_in_it(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna)
    anna.tap("▶ Create")
    bot.forward(90)
    result = anna.last_message
    anna.tap("✏ Edit prompt")
    assert "a fox in the snow" in anna.last and any("▶ Create" in label for label in anna.buttons)
    assert result["message_id"] in {message["message_id"] for message in anna.received}, "the result stays"
    anna.send("a bear in the rain")
    anna.tap("▶ Create")
    bot.forward(90)
    assert job_of(bot, anna).inputs["prompt"] == "a bear in the rain"


def test_a_choice_that_moves_the_price_shows_what_a_second_costs_before_the_clip_is_there(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    model = CATALOG.by_code("infinitalk")
    anna.send("/start")
    anna.forge("generate:open:infinitalk")
    anna.forge(f"inputs:set:infinitalk:{model.inputs.index(model.by_name['resolution'])}")
    assert {"✓ 480p · 2.70 ₽/s", "720p · 10.80 ₽/s"} <= set(anna.buttons)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a layout does not depend on it
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_every_card_fits_a_phone(start_bot, lang):
    """Eight rows, three buttons a row, short labels: on each card as it opens, and with every switch turned on."""
    bot = start_bot(FLOOD_MESSAGES="100000", PUBLIC_URL="http://127.0.0.1:9", PORT="9")
    anna = bot.rich("Anna", language_code=lang)
    anna.send("/start")
    rough = []
    for model in CATALOG.models.values():
        anna.forge(f"generate:open:{model.code}")
        seen = [Screen.of(anna.last_message)]
        for spec in model.main_inputs:
            if spec.kind == "switch" and not spec.drives_price and spec.default is False:
                anna.forge(f"inputs:set:{model.code}:{model.inputs.index(spec)}")
                seen.append(Screen.of(anna.last_message))
        anna.forge("modes:more")
        seen.append(Screen.of(anna.last_message))
        rough += [f"{model.code}: {style(screen)} {screen}" for screen in seen if style(screen)]
    assert not rough, "\n".join(rough)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_words_of_a_song_move_with_the_mode_that_asks_for_them(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    form = card(anna, "suno", "La la, a fox in the snow")
    custom, instrumental = (form.model.inputs.index(form.model.by_name[n]) for n in ("custom_mode", "instrumental"))
    anna.forge(f"inputs:set:suno:{custom}")
    if any(data.startswith("inputs:pick") for data in anna.buttons.values()):
        anna.tap("On")
    assert "Lyrics: La la, a fox in the snow" in anna.last
    anna.forge(f"inputs:set:suno:{instrumental}")
    assert "Lyrics" not in anna.last
    anna.forge(f"inputs:set:suno:{instrumental}")
    anna.forge(f"inputs:set:suno:{custom}")
    assert "La la, a fox in the snow" in anna.last and "Lyrics" not in anna.last
    anna.tap("▶ Create")
    assert job_of(bot, anna).inputs["prompt"] == "La la, a fox in the snow"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_way_to_use_a_product_shows_its_lowest_price(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    card(anna, "suno")
    anna.forge("modes:show:0")
    ways = [label for label, data in anna.buttons.items() if data.startswith("modes:pick")]
    assert len(ways) > 1 and any("from" in label and "₽" in label for label in ways)
    assert all("₽" in label or len(label) > 20 for label in ways)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_voices_are_heard_one_after_another_before_one_is_taken(start_bot, lang):
    bot = start_bot()
    anna = bot.rich("Anna", language_code=lang)
    anna.send("The fox crossed the frozen river at night.")
    anna.forge("generate:open:tts-multi")
    anna.tap(next(label for label in anna.buttons if "James" in label))
    hear = lambda: [data for data in anna.buttons.values() if data.startswith("https://")]  # noqa: E731
    assert hear() == ["https://static.aiquickdraw.com/elevenlabs/voice/EkK5I93UQWFDigLMpZcX.mp3"]
    anna.tap("›")
    shown = list(anna.buttons)
    anna.tap(shown[0])
    assert list(anna.buttons)[0] == f"✓ {shown[0]}" and "EkK5" not in hear()[0] and shown[0] in str(anna.buttons)
    anna.tap("‹", message=anna.last_message)
    anna.forge("generate:card")
    assert shown[0] in anna.last
    anna.tap("▶")
    assert (
        hear() == []
        and job_of(bot, anna).inputs["voice"] in bot.bot.generation.catalog.by_code("tts-multi").by_name["voice"].enum
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_words_of_a_whole_song_become_its_lyrics(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    words = "La la la, a fox in the snow. " * 30
    anna.send(words)
    anna.forge("generate:open:suno")
    assert "Lyrics: La la la" in anna.last and "Custom lyrics: on" in anna.last
    for answer in ("folk, guitar", "The fox"):
        anna.tap(next(label for label in anna.buttons if label.startswith("✏")))
        anna.send(answer)
    anna.tap("▶ Create")
    assert job_of(bot, anna).inputs["lyrics"] == words.strip()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_words_too_long_for_every_input_are_told(start_bot):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.send("fox " * 1000)
    anna.forge("generate:open:z-image")
    assert "fox" not in anna.last and anna.toast

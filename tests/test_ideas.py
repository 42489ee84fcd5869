"""Ideas: a gallery of ready-made orders; one tap asks for what is needed, another orders at the price that was shown."""

import re

import pytest

from kie.catalogue.ideas import Ideas
from kie.catalogue.model import Catalog
from kie.catalogue.offers import Offers
from tests.kit import ROOT, png
from tests.shop import assert_books_are_right, card, job_of, jobs_of, order, user_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LANGS = pytest.mark.parametrize("lang", ["en", "ru"])
CATALOG = Catalog.read(ROOT / "data/models.json")[0]
KNOWN = Ideas.load(ROOT / "data/ideas.json", CATALOG).known
PLACES = {idea.name: place for place, idea in enumerate(KNOWN)}
PRICE = re.compile(r"([\d,.  ]+) ₽")
FREE = {"en": "free (3 left)", "ru": "бесплатно (ещё 3)"}


def price_on(label):
    """Return the kopecks that a label shows, in either language."""
    digits = re.sub(r"\s", "", PRICE.search(label)[1]).replace(",", ".")
    return round(float(digits) * 100)


def main_button(person):
    """Return the label of the main button of the newest message."""
    return next(label for label in person.buttons if label.startswith("▶"))


def open_idea(person, name):
    """Open the gallery at an idea."""
    person.send("/ideas")
    if PLACES[name]:
        person.forge(f"ideas:show:{PLACES[name]}")


def answer(person, idea, words="a fox"):
    """Give an idea what it asks for."""
    for what in idea.asks:
        if what == "photo":
            person.photo(png())
        else:
            person.send(words)


def make(bot, person, name, words="a fox"):
    """Order an idea and return its job."""
    open_idea(person, name)
    person.tap("▶")
    answer(person, KNOWN[PLACES[name]], words)
    person.tap("▶")
    return job_of(bot, person)


# the gallery


@SQLITE
@LANGS
def test_every_idea_has_a_picture_a_title_and_a_price_in_one_message(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.send("/ideas")
    first, seen = alice.last_message["message_id"], []
    for place in range(len(KNOWN)):
        assert "photo" in alice.last_message and alice.last_message["message_id"] == first
        title, about, note = alice.last.split("\n")
        assert note.startswith("A drawing of the idea" if lang == "en" else "Это рисунок идеи")
        assert f"{place + 1}/{len(KNOWN)}" in alice.buttons and price_on(main_button(alice)) > 0
        seen.append((title, about))
        alice.tap("›")
    assert len(set(seen)) == len(KNOWN) == 24
    assert f"1/{len(KNOWN)}" in alice.buttons
    alice.tap("‹")
    assert alice.last.split("\n")[0] == seen[-1][0]


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_all_ideas_are_listed_by_their_titles_and_by_kind(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    say = lambda key: bot.bot.texts.plain(lang, key)  # noqa: E731
    alice.send("/ideas")
    alice.tap(say("ideas.all"))
    seen = []
    for _page in range(3):
        titles = [label for label, data in alice.buttons.items() if data.startswith("ideas:show")]
        assert len(titles) == 8 and len(alice.last_message["reply_markup"]["inline_keyboard"]) <= 8
        seen += titles
        alice.tap("›")
    assert sorted(seen) == sorted(say(f"ideas.title_{idea.name}") for idea in KNOWN)
    alice.tap(say("menu.music"))
    titles = [label for label, data in alice.buttons.items() if data.startswith("ideas:show")]
    assert titles == [say("ideas.title_jingle"), say("ideas.title_song")]
    alice.tap(titles[0])
    assert "photo" in alice.last_message and titles[0] in alice.last
    alice.forge("ideas:list:nothing:0")
    assert "photo" in alice.last_message and titles[0] in alice.last


@SQLITE
@LANGS
def test_the_main_menu_leads_to_the_ideas_and_they_lead_back(start_bot, lang):
    alice = start_bot().user(language_code=lang)
    alice.send("/start")
    alice.tap("💡")
    assert "photo" in alice.last_message
    alice.tap("⌂")
    assert alice.last_message.get("text") and any(label.startswith("💡") for label in alice.buttons)


@SQLITE
def test_a_drawing_is_uploaded_once_for_everybody(start_bot):
    bot = start_bot()
    for person in (bot.user(), bot.user("Bob")):
        person.send("/ideas")
        person.tap("›")
        person.tap("‹")
    kept = bot.bot.store("ideas/gallery")
    first = kept.get("drawing:old_photo")
    assert first and kept.get("drawing:studio_portrait") and kept.get("drawing:logo") is None
    sent = [call for call in bot.telegram.calls("sendPhoto")]
    assert len(sent) == 2 and sent[1]["params"]["photo"] == first


@SQLITE
def test_a_drawing_that_telegram_has_lost_is_uploaded_again(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/ideas")
    bot.bot.store("ideas/gallery").put("drawing:old_photo", "lost")
    alice.send("/ideas")
    assert "photo" in alice.last_message and bot.bot.store("ideas/gallery").get("drawing:old_photo") != "lost"


# making one's own


@SQLITE
@LANGS
@pytest.mark.parametrize("half", [0, 1])
def test_what_an_idea_shows_is_what_is_charged_and_it_asks_only_for_what_it_needs(start_bot, lang, half):
    bot = start_bot(USER_JOBS="100", USER_STARTS="100", FLOOD_MESSAGES="100000", WELCOME_RUNS="0")
    alice = bot.rich(amount="100000", language_code=lang)
    for idea in KNOWN[half::2]:
        open_idea(alice, idea.name)
        shown, before = price_on(main_button(alice)), bot.balance(alice)
        alice.tap("▶")
        answer(alice, idea, "{fox} & <b>")
        assert price_on(main_button(alice)) == shown, idea.name
        alice.tap("▶")
        job = job_of(bot, alice)
        assert job.price == shown == before - bot.balance(alice), idea.name
        model = CATALOG.models[job.model]
        assert model.code == idea.offer.code
        assert all(str(job.inputs[name]) == str(value) for name, value in idea.offer.settings.items())
        if model.main_text is not None:
            assert job.inputs[model.main_text.name] == idea.words(dict.fromkeys(idea.asks, "{fox} & <b>"))
    assert len(jobs_of(bot, alice)) == 12
    assert_books_are_right()


def test_an_idea_is_made_and_the_books_are_right(start_bot):
    bot = start_bot()
    alice = bot.rich()
    make(bot, alice, "room", "loft")
    bot.forward(90)
    inputs = bot.kie.task()["inputs"]
    assert "in this style: loft" in inputs["prompt"] and len(inputs["image_input"]) == 1
    assert "photo" in alice.last_message and bot.balance(alice) == 100_000 - job_of(bot, alice).price
    assert_books_are_right()


@SQLITE
@LANGS
def test_a_free_draft_counts_where_the_idea_is_made_with_the_draft(start_bot, lang):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user(language_code=lang)
    open_idea(alice, "storybook")
    assert FREE[lang] in main_button(alice)
    alice.tap("▶")
    alice.send("a fox")
    alice.tap("▶")
    bot.forward(60)
    assert "photo" in alice.last_message and bot.balance(alice) == 0 and job_of(bot, alice).price == 0
    open_idea(alice, "logo")
    assert price_on(main_button(alice)) > 0
    assert_books_are_right()


@SQLITE
def test_the_caption_of_the_photo_is_the_answer_to_the_next_question(start_bot):
    bot = start_bot()
    alice = bot.rich()
    open_idea(alice, "room")
    alice.tap("▶")
    alice.photo(png(), caption="loft")
    alice.tap("▶")
    assert "in this style: loft" in job_of(bot, alice).inputs["prompt"]


@SQLITE
@LANGS
def test_something_else_than_what_is_needed_is_told_and_asked_for_again(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    open_idea(alice, "room")
    alice.tap("▶")
    alice.send("loft")
    assert alice.last == ("A photo is needed here. Send one." if lang == "en" else "Здесь нужно фото. Пришлите его.")
    alice.photo(png())
    alice.send("x" * 201)
    assert "200" in alice.last
    alice.photo(png())
    assert "200" in alice.last
    alice.send("loft")
    assert price_on(main_button(alice)) == 720


@SQLITE
def test_what_was_given_outlives_a_restart(start_bot):
    bot = start_bot()
    alice = bot.rich()
    open_idea(alice, "room")
    alice.tap("▶")
    alice.photo(png())
    bot.restart()
    alice.send("loft")
    alice.tap("▶")
    assert job_of(bot, alice).inputs["image_input"][0]["kind"] == "photo"


@SQLITE
def test_without_money_the_card_waits_for_the_top_up(start_bot):
    bot = start_bot(WELCOME_RUNS="0")
    alice = bot.user()
    open_idea(alice, "logo")
    alice.tap("▶")
    alice.send("Sunny Corner, a bakery")
    assert "Sunny Corner" in alice.last and any("short" in label for label in alice.buttons)
    assert not jobs_of(bot, alice)


@SQLITE
def test_an_earlier_card_of_the_same_model_leaves_nothing_in_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice, "a boat", "nanobanana-2")
    bot.forward(90)
    alice.photo(png("b"), reply_to=alice.last_message["message_id"], caption="at night")
    alice.forge("generate:open:nanobanana-2")
    job = make(bot, alice, "oil_portrait")
    assert len(job.inputs["image_input"]) == 1 and bot.bot.revisions.get(job.id) is None


@SQLITE
@pytest.mark.parametrize(
    "data", ["ideas:make:nothing", "ideas:show:x", "ideas:make:", f"ideas:show:{2**70}", "ideas:make:a:b"]
)
def test_a_forged_tap_is_told_and_costs_nothing(start_bot, data):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/ideas")
    alice.forge(data)
    assert "out of date" in (alice.toast or alice.last) and bot.balance(alice) == 100_000


@SQLITE
def test_any_page_number_shows_an_idea(start_bot):
    alice = start_bot().user()
    alice.send("/ideas")
    for page in (-1, 24, 10**6):
        alice.forge(f"ideas:show:{page}")
        assert f"{page % 24 + 1}/24" in alice.buttons


# what is off sale, or wrong


def off(bot, code):
    """Take a model off sale."""
    model = next(model for model in CATALOG.models.values() if model.code == code)
    boss = user_of(bot, bot.admin()).id
    bot.bot.overrides.put(f"model:{model.id}", "off", True, now=bot.clock.now(), actor=boss)
    bot.bot.generation.live_catalogue.forget()


@SQLITE
def test_where_a_model_is_off_sale_the_ladder_stands_in_at_its_own_price(start_bot):
    bot = start_bot()
    off(bot, "nanobanana-2")
    alice = bot.rich()
    open_idea(alice, "old_photo")
    shown = price_on(main_button(alice))
    alice.tap("▶")
    alice.photo(png())
    alice.tap("▶")
    job = job_of(bot, alice)
    assert CATALOG.models[job.model].code == "nanobanana-2l" and job.price == shown
    assert job.inputs["prompt"].startswith("Restore this old photograph")


@SQLITE
def test_an_idea_that_nothing_can_make_is_left_out(start_bot):
    bot = start_bot()
    off(bot, "cutout")
    alice = bot.user()
    alice.send("/ideas")
    assert "1/23" in alice.buttons
    alice.forge("ideas:make:cutout")
    assert "out of date" in (alice.toast or alice.last)


@SQLITE
def test_without_a_rate_nothing_has_a_price_and_nothing_is_made(start_bot):
    bot = start_bot(USD_RATE="")
    alice = bot.user()
    alice.send("/ideas")
    assert not any(label.startswith("▶") for label in alice.buttons)
    alice.forge("ideas:make:logo")
    alice.send("Sunny Corner")
    assert "Nothing was charged" in alice.last


def test_the_file_is_whole():
    found = Ideas.load(ROOT / "data/ideas.json", CATALOG)
    assert found.rejected == () and len(found.known) == 24
    ladder = Offers.load(ROOT / "data/offers.json", CATALOG)
    assert {idea.work for idea in found.known} <= set(ladder.works), "a rung stands in for each"
    assert {f"{idea.name}.png" for idea in found.known} <= {path.name for path in (ROOT / "data/ideas").iterdir()}


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"name": "Not A Name"}, "name"),
        ({"colour": "red"}, "unknown field"),
        ({"model": "no-such-model"}, "no model has the code"),
        ({"model": None}, "model is missing"),
        ({"work": "text-to-music"}, "does not do"),
        ({"settings": {"aspect_ratio": "7:5"}}, "does not take"),
        ({"settings": {"speed": 3}}, "has no setting"),
        ({"asks": ["photo", "subject"]}, "takes no photo"),
        ({"asks": []}, "places of the prompt"),
        ({"asks": ["subject", "subject"]}, "twice"),
        ({"asks": "subject"}, "asks is a list"),
        ({"prompt": "{subject"}, "prompt"),
        ({"prompt": "{subject} {other}"}, "places of the prompt"),
        ({"prompt": "", "asks": []}, "needs a prompt"),
        ({"prompt": "{subject.__class__}"}, "places of the prompt"),
    ],
)
def test_an_incomplete_entry_is_left_out_with_a_reason(change, reason):
    good = {"name": "good", "work": "text-to-image", "model": "z-image", "settings": {"aspect_ratio": "1:1"}}
    good |= {"asks": ["subject"], "prompt": "A picture of {subject}."}
    found = Ideas.from_data({"ideas": [good, good | {"name": "other"} | change]}, CATALOG)
    assert [idea.name for idea in found.known] == ["good"]
    assert len(found.rejected) == 1 and reason in found.rejected[0][1]


def test_two_of_one_name_and_what_is_no_entry_are_left_out():
    good = {"name": "good", "work": "text-to-image", "model": "z-image", "asks": [], "prompt": "A fox."}
    found = Ideas.from_data({"ideas": [good, good, "nothing"]}, CATALOG)
    assert len(found.known) == 1 and [entry for entry, _why in found.rejected] == ["good", "3"]


# examples: results of the bot's own


def deliver(bot, person, model="z-image"):
    """Have something made and delivered; return its job."""
    card(person, model=model)
    person.tap("▶")
    bot.forward(60)
    return job_of(bot, person)


def shows(bot, job):
    """Return whether a newcomer sees a result with the idea of a logo."""
    caption = shown_to(bot, "logo")["caption"]
    media = bot.telegram.calls("editMessageMedia")[-1]["params"]["media"]
    return "Made here" in caption and job.sent[0]["file_id"] in str(media)


def shown_to(bot, name):
    """Return the newest gallery message of a newcomer at an idea."""
    person = bot.user("Newcomer")
    open_idea(person, name)
    return person.last_message


def consent_of(bot, owner, job):
    """Return the row with an owner's answer."""
    return (kept_of(bot, user_of(bot, owner).id) or {"answers": {}})["answers"].get(str(job.id))


def kept_of(bot, owner):
    """Return what is kept of a person's results, by the person's id."""
    return bot.bot.store("ideas/examples").of(owner).get("results")


def shown_in(bot):
    """Return the names of the ideas that have an example, each as often as it has one."""
    return [name for kept in bot.bot.store("ideas/examples").everybodys("results").values() for name in kept["shown"]]


def agreed(bot, boss, owner, job):
    """Have the boss ask and the owner agree."""
    boss.send(f"/example {job.id}")
    owner.tap("✓ Yes")


@SQLITE
def test_a_result_of_the_staffs_own_becomes_the_example_and_stops_being_it(start_bot):
    bot = start_bot()
    boss = bot.admin()
    bot.bot.ledger.post(user_of(bot, boss).id, 10_000, kind="admin", key="t", now=bot.clock.now(), reason="t")
    job = deliver(bot, boss)
    boss.tap("★")
    boss.tap("Logo")
    assert shows(bot, job)
    assert "Made here with Z-Image." in shown_to(bot, "logo")["caption"]
    assert "A drawing" in shown_to(bot, "storybook")["caption"]
    boss.forge(f"examples:pick:{job.id}:0:0")
    boss.tap("✓ Logo")
    assert "A drawing" in shown_to(bot, "logo")["caption"]


@SQLITE
def test_nobody_else_has_the_button_or_can_forge_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = deliver(bot, alice)
    assert not any(label.startswith("★") for label in alice.buttons)
    for data in (f"examples:put:{job.id}:0:logo", f"examples:pick:{job.id}:0:0", f"examples:drop:logo:{job.id}"):
        alice.forge(data)
    alice.send(f"/example {job.id}")
    assert "A drawing" in shown_to(bot, "logo")["caption"]


@LANGS
def test_another_persons_result_is_shown_only_once_they_have_agreed(start_bot, lang):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich(language_code=lang)
    job = deliver(bot, alice)
    boss.forge(f"examples:put:{job.id}:0:logo")
    assert "A drawing" in shown_to(bot, "logo")["caption"]
    boss.send(f"/example {job.id}")
    bot.pump()
    assert "photo" in alice.last_message and ("Ideas" if lang == "en" else "Идеи") in alice.last
    boss.forge(f"examples:put:{job.id}:0:logo")
    assert "A drawing" in shown_to(bot, "logo")["caption"] and consent_of(bot, alice, job)["answer"] is None
    alice.tap("✓ Yes" if lang == "en" else "✓ Да")
    bot.pump()
    assert consent_of(bot, alice, job)["answer"] is True
    boss.tap("★")
    boss.tap("Logo")
    assert shows(bot, job)
    bot.restart()
    assert shows(bot, job)
    alice.tap("Take it back" if lang == "en" else "Отозвать согласие")
    assert "A drawing" in shown_to(bot, "logo")["caption"] and consent_of(bot, alice, job)["answer"] is False
    boss.forge(f"examples:put:{job.id}:0:logo")
    assert "A drawing" in shown_to(bot, "logo")["caption"]


@SQLITE
def test_who_says_no_is_asked_once(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    job = deliver(bot, alice)
    boss.send(f"/example {job.id}")
    bot.pump()
    alice.tap("No")
    before = len(alice.received)
    boss.send(f"/example {job.id}")
    bot.pump()
    assert "said no" in boss.last and len(alice.received) == before


@SQLITE
def test_only_the_owner_answers_and_only_what_was_asked(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.rich(), bot.rich("Bob")
    job, other = deliver(bot, alice), deliver(bot, alice)
    boss.send(f"/example {job.id}")
    bob.forge(f"examples:answer:{job.id}:1")
    alice.forge(f"examples:answer:{other.id}:1")
    assert consent_of(bot, alice, job)["answer"] is None and consent_of(bot, alice, other) is None


def test_an_erasure_takes_the_example_along(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich(amount="10")
    job = deliver(bot, alice)
    agreed(bot, boss, alice, job)
    boss.forge(f"examples:put:{job.id}:0:logo")
    assert "Made here" in shown_to(bot, "logo")["caption"]
    owner = user_of(bot, alice).id
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    assert "A drawing" in shown_to(bot, "logo")["caption"] and kept_of(bot, owner) is None
    boss.forge(f"examples:put:{job.id}:0:logo")
    assert kept_of(bot, owner) is None and shown_in(bot) == []


@SQLITE
def test_a_newer_example_takes_the_place_of_another_persons(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.rich(), bot.rich("Bob")
    for owner in (alice, bob):
        job = deliver(bot, owner)
        agreed(bot, boss, owner, job)
        boss.forge(f"examples:put:{job.id}:0:logo")
        assert shows(bot, job)
    assert shown_in(bot) == ["logo"]


@SQLITE
def test_a_picture_is_no_example_of_a_song(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    job = deliver(bot, alice)
    agreed(bot, boss, alice, job)
    boss.forge(f"examples:put:{job.id}:0:jingle")
    boss.forge(f"examples:put:{job.id}:7:logo")
    boss.forge(f"examples:put:{job.id}:0:nothing")
    boss.forge("examples:put:999:0:logo")
    assert shown_in(bot) == []


@SQLITE
def test_an_example_that_telegram_has_lost_gives_way_to_the_drawing(start_bot):
    bot = start_bot()
    alice = bot.rich()
    value = {"job": 1, "part": 0, "kind": "photo", "file_id": "lost", "model": "Z-Image", "at": 1}
    kept = {"answers": {}, "shown": {"old_photo": value}}
    bot.bot.store("ideas/examples").of(user_of(bot, alice).id).put("results", kept)
    alice.send("/ideas")
    assert "A drawing" in alice.last and "photo" in alice.last_message


@SQLITE
@pytest.mark.parametrize("number", ["", "x", "999", "9" * 30, "0"])
def test_a_number_that_is_no_order_is_told(start_bot, number):
    bot = start_bot()
    boss = bot.admin()
    boss.send(f"/example {number}".strip())
    assert "/example 12" in boss.last


def test_an_idea_without_a_drawing_of_its_own_gets_that_of_any():
    found = Ideas.load(ROOT / "data/ideas.json", CATALOG)
    raw = {"name": "new", "work": "text-to-image", "model": "z-image", "asks": [], "prompt": "A fox."}
    new = Ideas.from_data({"ideas": [raw]}, CATALOG).known[0]
    assert found.drawing(new).name == "any.png" and found.drawing(new).exists()
    assert found.drawing(found.known[0]).name == "old_photo.png"


# an idea in the person's own language, and left behind


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_the_prompt_of_an_idea_is_never_shown_but_its_title_with_the_words(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    title = bot.bot.texts.plain(lang, "ideas.title_logo")
    job = make(bot, alice, "logo", "Лиса <3")
    assert "flat logo" in job.inputs["prompt"] and f"💡 {title}: Лиса <3" in alice.last
    bot.forward(60)
    for look in ("/history", f"history:job:{job.id}", f"orders:again:{job.id}"):
        alice.send(look) if look.startswith("/") else alice.forge(look)
    seen = " ".join(str(message) for message in alice.received) + str(alice.buttons)
    assert title in alice.last and "flat logo" not in seen and "✨" not in " ".join(alice.buttons)


@SQLITE
def test_an_idea_without_words_is_shown_by_its_title(start_bot):
    bot = start_bot()
    alice = bot.rich(language_code="ru")
    open_idea(alice, "old_photo")
    alice.tap("▶")
    alice.photo(png())
    assert "💡 Старое фото" in alice.last and "Restore" not in alice.last


def test_a_prompt_is_known_by_its_idea_and_nobody_else_s_words_are():
    ideas = Ideas.load(ROOT / "data/ideas.json", CATALOG)
    for idea in KNOWN:
        given = {what: f"one\n{what} (*)" for what in idea.asks if what != "photo"}
        if idea.prompt:
            assert ideas.made(idea.words(given)) == (idea, given)
    assert ideas.made("A clean, modern flat logo") is None and ideas.made("") is None


@SQLITE
@pytest.mark.parametrize("code", ["nanobanana-2l", "z-image", "kling3"])
def test_what_an_idea_has_filled_in_is_left_behind_with_it(start_bot, code):
    bot = start_bot()
    alice = bot.rich()
    open_idea(alice, "logo")
    alice.tap("▶")
    alice.send("Sunny Corner")
    assert "Sunny Corner" in alice.last
    alice.tap("‹ Back")
    alice.send("/models")
    alice.forge(f"generate:open:{code}")
    assert "Sunny Corner" not in alice.last and "✏ Write what to make" in alice.buttons


@SQLITE
def test_an_idea_goes_on_in_another_way_to_use_its_product(start_bot):
    bot = start_bot()
    alice = bot.rich()
    open_idea(alice, "jingle")
    alice.tap("▶")
    alice.send("Sunny Corner")
    alice.forge("modes:pick:suno-cover")
    assert "💡 Jingle: Sunny Corner" in alice.last


@SQLITE
@pytest.mark.parametrize("leave", ["‹ Back", "⌂ Menu"])
def test_an_idea_that_was_left_takes_no_photo_any_more(start_bot, leave):
    bot = start_bot()
    alice = bot.rich()
    open_idea(alice, "night")
    alice.tap("▶")
    alice.tap(leave)
    alice.photo(png())
    assert "Write what to change" in alice.last and "💡" not in alice.last


@SQLITE
def test_an_idea_ordered_again_fills_no_other_card(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = make(bot, alice, "logo", "Sunny Corner")
    bot.forward(60)
    alice.forge(f"orders:again:{job.id}")
    assert "Sunny Corner" in alice.last
    alice.forge("generate:open:z-image")
    assert "Sunny Corner" not in alice.last and "✏ Write what to make" in alice.buttons

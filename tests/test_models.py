"""The models menu: every card is there, recently used ones first, search, and models that are not offered."""

import json
import re

import pytest

from core.texts import Texts
from kie.catalogue import pricing
from kie.catalogue.model import Catalog
from kie.catalogue.pricing import cheapest
from tests.kit import ROOT
from tests.shop import order

CATALOG, TEXTS = Catalog.load(ROOT / "data/models.json"), Texts(ROOT / "data/texts")

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def opened(person):
    """Return {card title: data} of the offers on the newest screen."""
    return {label: data for label, data in person.buttons.items() if data.startswith("models:open")}


@SQLITE
def test_every_card_is_reached_by_paging_and_by_its_name(start_bot):
    bot = start_bot(FLOOD_MESSAGES="1000")
    alice = bot.user()
    catalog, seen = bot.bot.generation.catalog, set()
    for menu, cards in catalog.types():
        alice.send("/start")
        alice.tap(f"models:type:{menu}:0")
        reached = {}
        while not set(opened(alice).values()) <= set(reached.values()):
            reached |= opened(alice)
            rows = alice.last_message["reply_markup"]["inline_keyboard"]
            assert len(rows) <= 8 and max(map(len, rows)) <= 3
            if "›" in alice.buttons:
                alice.tap("›")
        found = {catalog.by_code(data.split(":")[2]).card for data in reached.values()}
        assert found == {card.id for card in cards}
        seen |= found
    assert seen == set(catalog.cards)
    for card in catalog.cards.values():
        alice.send(f"/models {card.title}")
        assert any(label.startswith(f"{card.title} · ") for label in opened(alice)), card.title


@SQLITE
def test_no_product_is_offered_for_nothing(start_bot):
    """What KIE gives away are helpers of a product: they say nothing about its price."""
    bot = start_bot(FLOOD_MESSAGES="1000")
    alice = bot.user()
    for menu, _cards in bot.bot.generation.catalog.types():
        alice.send("/start")
        alice.tap(f"models:type:{menu}:0")
        offers = set()
        while not set(opened(alice)) <= offers:
            offers |= set(opened(alice))
            if "›" in alice.buttons:
                alice.tap("›")
        assert all(re.search(r" · from (?!0 )[\d,.]+ ₽$", label) for label in offers)
    alice.send("/models suno")
    assert list(opened(alice))[0] == "Suno · from 10.80 ₽", "a new song, not the repair of one, or a file turned to WAV"


@SQLITE
def test_what_we_recommend_comes_first_then_what_a_person_used_last_and_what_is_popular(start_bot):
    bot = start_bot()
    alice, bob = bot.rich(), bot.rich("Bob")
    order(bot, alice, model="nanobanana")
    order(bot, alice, model="nanobanana")
    order(bot, bob, model="imagen4")
    bot.forward(400)
    bob.send("/start")
    bob.tap("models:type:picture:0")
    first = [label.split(" · ")[0] for label in opened(bob)]
    ladder = bot.bot.generation.live_catalogue.rungs("text-to-image")
    advised = [bot.bot.generation.catalog.cards[offers[0][1].card].title for _rung, offers in ladder]
    named = [f"{rung}: {title}" for rung, title in zip(("Draft", "Good", "Best"), advised, strict=True)]
    assert first[:5] == [*named, "Imagen 4", "Nano Banana"]


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_what_the_recommended_models_are_good_for_stands_before_their_names(start_bot, lang):
    bot = start_bot()
    alice = bot.user(language_code=lang)
    say = lambda key: bot.bot.texts.plain(lang, key)  # noqa: E731
    alice.send("/models")
    alice.tap("models:type:picture:0")
    labels = list(opened(alice))
    for label, name in zip(labels, ("draft", "good"), strict=False):
        assert label.startswith(say(f"rung.{name}") + ": ") and "₽" in label
    whole = f"{say('rung.best')}: {labels[2].removeprefix(say('rung.best') + ': ')}"
    assert (labels[2] == whole) is (len(whole) <= 36) and not any(": " in label for label in labels[3:])


@SQLITE
def test_back_leads_to_the_page_one_came_from(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    alice.tap("models:type:video:0")
    alice.tap("›")
    shown = opened(alice)
    alice.tap(next(iter(shown.values())))
    alice.tap("‹ Back")
    assert opened(alice) == shown


@SQLITE
@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("banana", "Nano Banana"),
        ("Veo 3", "Veo 3.1"),
        ("video kling", "Kling"),
        ("музык", "Suno"),
        ("KLING 2.6", "Kling 2.6"),
    ],
)
def test_models_are_found_by_name_alias_and_what_they_do_in_either_language(start_bot, words, title):
    bot = start_bot()
    alice = bot.user()
    alice.send(f"/models {words}")
    found = opened(alice)
    alice.tap(next(data for label, data in found.items() if label.startswith(title)))
    alice.tap("‹ Back")
    assert opened(alice) == found


@SQLITE
def test_nothing_found_says_so_and_takes_another_word(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/models <b>xyzzy")
    assert "Nothing found for “<b>xyzzy”" in alice.last and "models:search" in alice.buttons.values()
    alice.send("imagen")
    assert any(label.startswith("Imagen 4") for label in opened(alice))


@SQLITE
def test_a_word_is_asked_for_and_a_photo_is_no_word(start_bot):
    from tests.kit import png

    bot = start_bot()
    alice = bot.user()
    alice.send("/models")
    alice.tap("🔍 Search")
    alice.photo(png())
    assert "Write a word" in alice.last
    alice.send("imagen")
    assert any(label.startswith("Imagen 4") for label in opened(alice))


@SQLITE
def test_a_model_that_needs_a_callback_is_offered_only_with_a_public_address(start_bot):
    bot = start_bot()
    code = "kling-3-0-motion"
    needing = [m for m in bot.bot.generation.catalog.known.values() if m.needs_callback]
    assert needing and not any(m.id in bot.bot.generation.catalog.models for m in needing)
    code = needing[0].code
    alice = bot.user()
    alice.send("/start")
    alice.forge(f"generate:open:{code}")
    assert "no longer available" in alice.last
    public = start_bot(PUBLIC_URL="http://127.0.0.1:9", PORT="9")
    assert all(m.id in public.bot.generation.catalog.models for m in needing)


@SQLITE
def test_adding_a_model_is_an_entry_in_the_file(start_bot, tmp_path, servers):
    data = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
    copied = next(raw for raw in data["models"] if raw["id"] == "google/imagen4-fast")
    data["models"].append(copied | {"id": "google/imagen4-ultra", "code": "imagen4-new", "card": "fox-paint"})
    data["models"] = [
        raw for raw in data["models"] if raw["id"] != "google/imagen4-ultra" or raw["code"] == "imagen4-new"
    ]
    about = {"en": "Foxes, and nothing but foxes.", "ru": "Лисы, и ничего, кроме лис."}
    data["cards"].append({"id": "fox-paint", "title": "Fox Paint", "about": about})
    path = tmp_path / "models.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    bot = start_bot(models=path)
    alice = bot.rich()
    alice.send("/models fox paint")
    alice.tap("Fox Paint")
    alice.send("a fox in the snow")
    alice.tap("▶ Create")
    bot.forward(200)
    assert "Fox Paint" in alice.last and bot.kie.task()["model"] == "google/imagen4-ultra"


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_a_phone_shows_every_offer_whole(lang):
    """The crawler looks at some screens; this is every card, at the rate of the other tests."""
    for card in CATALOG.cards.values():
        costliest = max(cheapest(model) for model in card.models)
        price = pricing.price(costliest, usd_rate=90, markup=2, credit_usd=CATALOG.credit_usd)
        label = TEXTS.plain(lang, "common.offer", title=card.title, price=price)
        assert len(label) <= 36, label

"""The search of /models: everyday wishes, names in other alphabets, forms of words, typos, and what is not sold."""

import json
import re

import pytest

from core.services import search
from core.texts import Texts
from kie.catalogue.model import TYPES, Catalog
from tests.kit import ROOT

CATALOG, TEXTS = Catalog.load(ROOT / "data/models.json"), Texts(ROOT / "data/texts")
WISHES = json.loads((ROOT / "tests/data/wishes.json").read_text(encoding="utf-8"))
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SHARE = 0.95  # of the wishes of a language that find what serves
FIRST = 2  # among so many


def offers(person):
    """Return [(card title, model)] of the offers on the newest screen, in order."""
    cells = [(label, data) for label, data in person.buttons.items() if data.startswith("models:open")]
    return [(label.split(" · ")[0], CATALOG.by_code(data.split(":")[2])) for label, data in cells]


def does(model, title, answers):
    """Tell whether a model serves a wish: by a kind of work, a mode, or the name of its product."""
    works = {model.type, *model.modes, *model.added_works, model.mode_title.partition(".")[2]}
    return bool(works & set(answers)) or any(f"card:{model.card}".startswith(answer) for answer in answers)


@pytest.fixture
def asked(start_bot):
    """A function that sends `/models words` as somebody of this language, and returns the person."""
    bot = start_bot(FLOOD_MESSAGES="1000000", PUBLIC_URL="http://127.0.0.1:9", PORT="9")

    def ask(words, lang="en"):
        person = people.setdefault(lang, None) or bot.user(f"Of {lang}", language_code=lang)
        people[lang] = person
        person.send(f"/models {words}")
        return person

    people = {}
    return ask


@SQLITE
@pytest.mark.parametrize("lang", sorted(WISHES))
def test_everyday_wishes_find_what_serves_first_or_second(asked, lang):
    missed = []
    for words, answers in WISHES[lang]:
        person = asked(words, lang)
        fits = any(does(model, title, answers) for title, model in offers(person)[:FIRST])
        by_chat = "chat" in answers and any(data.startswith("ask:open") for data in person.buttons.values())
        if not fits and not by_chat:
            missed.append((words, offers(person)[:FIRST]))
    assert len(missed) <= (1 - SHARE) * len(WISHES[lang]), missed


@SQLITE
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("убрать фон", "background-removal"),
        ("озвучить", "text-to-speech"),
        ("клинг", "card:kling"),
        ("вео", "card:veo"),
        ("увеличить", "image-upscale"),
        ("чёткость", "image-upscale"),
        ("оживить фото", "image-to-video"),
        ("аватар", "lip-sync"),
        ("липсинк", "lip-sync"),
        ("sora", "text-to-video"),
        ("midjourney", "text-to-image"),
        # forms of words, typos, no spaces, other alphabets
        ("оживление фотографий", "image-to-video"),
        ("увилечить фото", "image-upscale"),
        ("remove bakground", "background-removal"),
        ("quitar fondos", "background-removal"),
        ("нанобанана", "card:nano-banana"),
        ("вео3", "card:veo"),
        ("клинг 2.6", "card:kling-2-6"),
        ("seedance 2", "card:seedance-2"),
        # a name and a work; what it is, and what it is for
        ("kling 2.6 оживить фото", "image-to-video"),
        ("музыка для видео", "text-to-music"),
        ("music video for my song", "music-video"),
        ("видео в стиле аниме", "video-to-video"),
        # the medium that is named says what is wanted, whatever it is about
        ("видео где город взрывается", "text-to-video"),
        ("meme video cat cooking", "text-to-video"),
        ("убрать фон с фотки", "background-removal"),
    ],
)
def test_words_people_use_lead_to_what_serves(asked, words, answer):
    title, model = offers(asked(words, "ru"))[0]
    assert does(model, title, [answer]), (title, model.id)


@SQLITE
def test_what_is_not_sold_is_said_with_what_does_the_same(asked):
    person = asked("Sora 2")
    assert (
        person.last.startswith("Nothing found for “Sora 2”. These come close")
        and "text-to-video" in offers(person)[0][1].modes
    )


@SQLITE
def test_what_a_chat_model_answers_leads_there(asked):
    person = asked("write an essay")
    assert "ask:open:0" in person.buttons.values()
    person.tap("💬 Ask a chat model")
    assert "ask:rank" in str(person.buttons)


@SQLITE
def test_nothing_found_says_what_comes_nearest(asked):
    person = asked("flare")
    assert "Nothing found" in person.last and offers(person)[0][0] == "GPT Image 2.5", "its line names Flare"
    person = asked("qqqqqq")
    assert "choose" in person.last and "models:type:video:0" in person.buttons.values()
    person.send("imagen")
    assert offers(person)[0][0] == "Imagen 4"


@SQLITE
def test_a_description_that_is_like_nothing_wants_a_picture_and_of_ones_own_an_edit(asked):
    for words, work in (("zeppelin full of hedgehogs", "text-to-image"), ("make my dog a superhero", "image-edit")):
        person = asked(words)
        assert "Nothing found" in person.last and does(offers(person)[0][1], "", [work])


@SQLITE
def test_the_recommended_one_of_a_work_comes_first_and_price_decides_last(asked):
    found = offers(asked("animate photo"))
    offered = json.loads((ROOT / "data/offers.json").read_text())["works"]["image-to-video"]
    advised = [CATALOG.by_code(rung[0]["model"]).card for rung in offered.values()]
    assert [model.card for _title, model in found[:3]] == advised
    prices = [float(re.search(r"([\d.]+) ₽", label)[1]) for label in asked("animate photo").buttons if "₽" in label]
    assert prices[3:] == sorted(prices[3:]) and len(prices) == 6


@SQLITE
def test_long_lists_have_filters_and_a_second_tap_takes_one_away(asked):
    person = asked("video")
    person.send("/models")
    person.tap("🎬 Video")
    everything = person.buttons
    assert {"✏ From text", "🖼 From a photo", "🗣 Talking", "✂ Edit a video"} <= everything.keys()
    person.tap("🗣 Talking")
    assert all("lip-sync" in {*model.modes, *model.added_works} for _title, model in offers(person))
    person.tap(next(iter(label for label in person.buttons if "₽" in label)))
    person.tap("‹ Back")
    assert "✓ 🗣 Talking" in person.buttons
    person.tap("✓ 🗣 Talking")
    assert person.buttons == everything


def test_every_search_text_is_about_something_that_there_is():
    modes = {model.mode_title.partition(".")[2] for model in CATALOG.known.values()}
    kinds = {
        search.WORK: TYPES,
        search.INSTEAD: TYPES,
        search.MODE: modes,
        search.CARD: CATALOG.cards,
    }
    for key in (key for key in TEXTS.keys("en") if key.startswith("search.")):
        for prefix, known in kinds.items():
            assert not key.startswith(prefix) or key.removeprefix(prefix) in known, key
        if key.startswith(search.NAME):
            first = search.words_of(key.removeprefix(search.NAME))[0]
            assert any(search.words_of(card.title)[0] == first for card in CATALOG.cards.values()), key


def test_a_product_is_first_for_its_own_name():
    for card in CATALOG.cards.values():
        assert search.find(TEXTS, CATALOG, card.title).hits[0].card is card, card.title


@pytest.mark.parametrize("lang", TEXTS.languages)
def test_every_work_that_is_sold_has_words_in_every_language(lang):
    for work in {work for model in CATALOG.models.values() for work in model.modes}:
        phrases = TEXTS.plain(lang, f"search.work.{work}").split(", ")
        assert len(phrases) >= 3, (lang, work)
        said = phrases[0].replace("*", "")
        hits = search.find(TEXTS, CATALOG, said).hits
        assert any(work in {*model.modes, *model.added_works} for hit in hits for model in hit.models), (work, said)


@pytest.mark.parametrize("said", ["klign", "kklin", "клинг", "клингг"])
def test_a_name_is_found_with_a_typo_and_in_another_alphabet(said):
    assert search.find(TEXTS, CATALOG, said).hits[0].card.title.startswith("Kling")


@pytest.mark.parametrize(
    "said",
    ["voice clone", "расшифровать голосовое в текст", "3d model from image", "субтитры на видео", "transcribe audio"],
)
def test_work_that_is_not_sold_is_said_to_be_not_here(said):
    found = search.find(TEXTS, CATALOG, said)
    assert found.instead and found.hits

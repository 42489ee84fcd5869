"""What is said to the bot itself: intents in every language lead to their screens, and never to an order."""

import pytest

from core.services.wording import meant
from core.texts import Texts
from plugins import sense
from tests.kit import ROOT, png

TEXTS = Texts(ROOT / "data/texts")
KEYS = [sense.THANKS, *(f"sense.{name}" for name in sense.COMMANDS)]
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("как пополнить", "/topup"),
        ("Как мне пополнить баланс?", "/topup"),
        ("баланс", "/balance"),
        ("стоп", "/cancel"),
        ("СТОП!!!", "/cancel"),
        ("привет", "/start"),
        ("Привет 👋", "/start"),
        ("help", "/help"),
        ("что ты умеешь?", "/help"),
        ("где мой заказ", "/history"),
        ("how do I top up?", "/topup"),
        ("where is my order", "/history"),
        ("hola", "/start"),
        ("cómo pagar", "/topup"),
        ("сколько стоит", "/models"),
        ("сменить язык", "/language"),
        ("пополниь", "/topup"),
    ],
)
def test_what_is_meant_for_the_bot_opens_what_its_command_opens(start_bot, said, command):
    bot = start_bot()
    alice = bot.rich(language_code="ru")
    alice.send(command)
    screen, buttons = alice.last, alice.buttons
    alice.send(said)
    assert (alice.last, alice.buttons) == (screen, buttons)
    assert bot.balance(alice) == 100_000


@SQLITE
@pytest.mark.parametrize("lang", TEXTS.languages)
def test_thanks_are_answered_and_not_made_into_a_picture(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    for said in ("спасибо", "Thank you so much!", "gracias", "спасибо большое"):
        alice.send(said)
        assert alice.last == TEXTS.plain(lang, "sense.welcome") and "start:menu" in alice.buttons.values()


@SQLITE
@pytest.mark.parametrize(
    "said",
    ["баланс света и тени", "привет мишка открытка", "stop sign in the rain", "a help desk", "закаты", "кот", "hi-fi"],
)
def test_a_wish_that_has_such_a_word_stays_a_wish(start_bot, said):
    bot = start_bot()
    alice = bot.rich()
    alice.send(said)
    assert any(data.startswith("orders:rung") for data in alice.buttons.values()), alice.last


@SQLITE
def test_words_that_a_dialogue_asked_for_go_there(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    alice.send("/support")
    alice.send("спасибо")
    bot.forward(30, step=10)
    assert any("спасибо" in message.get("text", "") for message in boss.messages)
    alice.forge("generate:open:tts-turbo")
    alice.send("Hello")
    assert "Hello" in alice.last, "it is to be spoken"


@SQLITE
def test_nobody_wants_a_picture_of_stop(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.forge("generate:open:z-image")
    alice.send("отмена")
    assert "unfinished order" in alice.last
    alice.photo(png())
    alice.send("спасибо")
    assert alice.last == TEXTS.plain("en", "sense.welcome")
    alice.send("make it snow")
    assert any(data.startswith("orders:rung") for data in alice.buttons.values())


@SQLITE
def test_a_reply_of_thanks_to_a_result_is_no_edit(start_bot):
    from tests.shop import order

    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    result = next(m for m in reversed(alice.messages) if "photo" in m)
    alice.send("thanks!", reply_to=result["message_id"])
    assert alice.last == TEXTS.plain("en", "sense.welcome")


@pytest.mark.parametrize("lang", TEXTS.languages)
def test_every_phrase_of_every_language_leads_to_its_screen(lang):
    for key in KEYS:
        for phrase in TEXTS.plain(lang, key).replace("*", "").split(", "):
            assert meant(TEXTS, KEYS, sense.POLITE, phrase) == key, (key, phrase)


# what something costs


@SQLITE
@pytest.mark.parametrize(
    ("lang", "said", "words"),
    [
        ("ru", "сколько стоит оживить картинку?", "оживить картинку"),
        ("ru", "а почём песня", "песня"),
        ("ru", "песня почём?", "песня"),
        ("en", "how much is a video", "a video"),
        ("en", "How much does a video cost?", "a video"),
        ("es", "¿Cuánto cuesta una canción?", "una cancion"),
    ],
)
def test_who_asks_for_a_price_sees_the_prices_of_what_a_search_finds(start_bot, lang, said, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.send(f"/models {words}")
    screen, buttons = alice.last, alice.buttons
    alice.send(said)
    assert (alice.last, alice.buttons) == (screen, buttons)
    assert any(data.startswith("models:open") and "₽" in label for label, data in alice.buttons.items())
    assert bot.balance(alice) == 100_000


@SQLITE
@pytest.mark.parametrize(
    ("lang", "said"),
    [("ru", "сколько стоит слон?"), ("en", "how much is an elephant"), ("es", "cuánto vale un elefante")],
)
def test_the_price_of_what_is_not_sold_is_answered_with_the_lowest_price_of_each_kind_of_work(start_bot, lang, said):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.send(said)
    assert alice.last == TEXTS.plain(lang, "models.prices")
    kinds = [label for label, data in alice.buttons.items() if data.startswith("models:type")]
    assert len(kinds) == len(bot.bot.generation.catalog.types()) and all("₽" in label for label in kinds)
    least = kinds[0].rpartition(" · ")[2]
    alice.tap(kinds[0])
    assert any(label.endswith(least) for label in alice.buttons), "the page has an offer at that price"


@SQLITE
@pytest.mark.parametrize("said", ["how much water does a person need", "сколько будет 7 на 8", "the cost of war, oil"])
def test_a_question_about_something_else_is_no_price(start_bot, said):
    bot = start_bot()
    alice = bot.rich()
    alice.send(said)
    assert any(data.startswith("orders:rung") for data in alice.buttons.values()), alice.last


def test_every_command_that_words_lead_to_is_there(start_bot):
    assert set(sense.COMMANDS) <= set(start_bot().bot.handlers["command"])

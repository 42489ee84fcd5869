"""What people see before they open the bot: set once, and never over what somebody has set by hand."""

import pytest
import requests

from tests.kit import TOKEN


@pytest.fixture
def open_bot(start_bot):
    """Return a function that starts a bot which sees to its profile."""

    def start(**settings):
        bot = start_bot(**settings)
        bot.left_out.clear()
        bot.pump()
        return bot

    return start


LANGS = ("", "ru", "es")  # Telegram's codes: everybody's, and the others there are


def texts(bot, part="Description", name="description"):
    """Return {code: text} as Telegram shows it."""
    return {code: bot.bot.sender.call(f"getMy{part}", language_code=code)[name] for code in LANGS}


def by_hand(method, telegram, **params):
    """Set something as an operator does without this bot."""
    assert requests.post(f"{telegram.url}/bot{TOKEN}/{method}", json=params, timeout=10).json()["ok"]


def writes(bot):
    """Return the names of the calls that changed the profile."""
    names = ("setMyDescription", "setMyShortDescription", "setMyName", "setMyProfilePhoto", "setChatMenuButton")
    return [call["method"] for call in bot.telegram.calls() if call["method"] in names]


def test_a_new_bot_gets_its_texts_photo_and_menu_button_in_every_language_once(open_bot):
    bot = open_bot(WELCOME_RUNS="3")
    bot.user().send("/start")
    shown = texts(bot)
    assert (
        "Your first 3 draft pictures are free" in shown[""]
        and "3 черновика" in shown["ru"]
        and "3 borradores" in shown["es"]
    )
    assert all(len(text) <= 120 for text in texts(bot, "ShortDescription", "short_description").values())
    me = bot.bot.sender.call("getMe")["id"]
    assert bot.bot.sender.call("getUserProfilePhotos", user_id=me)["total_count"] == 1
    assert bot.bot.sender.call("getChatMenuButton") == {"type": "commands"}
    before = writes(bot)
    assert before and "setMyName" not in before
    bot.restart()
    bot.forward(3600, step=600)
    assert writes(bot) == before


def test_what_somebody_has_set_by_hand_stays(open_bot, servers):
    telegram, _kie = servers
    by_hand("setMyDescription", telegram, description="Our own words", language_code="ru")
    by_hand("setMyShortDescription", telegram, short_description="Ours")
    bot = open_bot()
    assert texts(bot)["ru"] == "Our own words" and texts(bot)[""] != "Our own words"
    assert set(texts(bot, "ShortDescription", "short_description").values()) == {"Ours"}


def test_a_new_word_of_ours_replaces_the_old_one_but_not_the_operators(open_bot):
    bot = open_bot(WELCOME_RUNS="0")
    bot.bot.sender.call("setMyDescription", description="Ours by hand", language_code="es")
    bot.environ["WELCOME_RUNS"] = "2"
    bot.restart()
    bot.pump()
    assert "2 draft pictures" in texts(bot)[""] and texts(bot)["es"] == "Ours by hand"


def test_the_name_is_set_only_where_the_setting_asks_for_it(open_bot):
    bot = open_bot(BOT_NAME="Pictures for you")
    assert bot.bot.sender.call("getMe")["first_name"] == "Pictures for you"
    assert writes(bot).count("setMyName") == 1


@pytest.mark.parametrize("method", ["setMyProfilePhoto", "getMyDescription"])
def test_what_telegram_refuses_is_tried_again_and_holds_up_nobody(open_bot, servers, method):
    servers[0].fail_next(method, "400")
    bot = open_bot()
    bot.user().send("/start")
    assert bot.failed("profile")
    bot.forward(3600, step=600)
    assert texts(bot)[""] and writes(bot).count("setMyProfilePhoto") == 1 + (method == "setMyProfilePhoto")

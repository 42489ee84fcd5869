"""Code in the style of pyTelegramBotAPI's own documentation, in a plugin: decorators, filters, keyboards, calls."""

import pytest
from telebot.apihelper import ApiTelegramException

from tests.house import plugins_with
from tests.kit import png

LIBRARY = '''"""Ten examples in the library's style."""

from telebot import custom_filters, types
from telebot.apihelper import ApiTelegramException

CAUGHT = []


class IsLong(custom_filters.SimpleCustomFilter):
    """Texts of over 40 characters."""

    key = "is_long"

    def check(self, message):
        """Tell whether it is one."""
        return len(message.text or "") > 40


def register(plugins):
    """Declare handlers as in a bot of the library's alone."""
    bot = plugins.telebot
    bot.add_custom_filter(IsLong())
    plugins.page("/caught", lambda bot, leads, visit: CAUGHT)

    @bot.message_handler(commands=["echo"])
    def echo(message):
        bot.reply_to(message, message.text.removeprefix("/echo "))

    @bot.message_handler(commands=["age"])
    def ask_age(message):
        sent = bot.send_message(message.chat.id, "How old are you?", reply_markup=types.ForceReply())
        bot.register_next_step_handler(sent, take_age)

    def take_age(message):
        if not message.text.isdecimal():
            bot.register_next_step_handler(bot.reply_to(message, "A number, please."), take_age)
            return
        bot.send_message(message.chat.id, f"Next year {int(message.text) + 1}.")

    @bot.message_handler(commands=["vote"])
    def vote(message):
        markup = types.InlineKeyboardMarkup(row_width=2)
        markup.add(types.InlineKeyboardButton("Yes", callback_data="cb_yes"),
                   types.InlineKeyboardButton("No", callback_data="cb_no"))
        bot.send_message(message.chat.id, "Yes or no?", reply_markup=markup)

    @bot.callback_query_handler(func=lambda call: call.data.startswith("cb_"))
    def voted(call):
        bot.answer_callback_query(call.id, "Counted: " + call.data[3:])
        bot.edit_message_text("Thank you.", call.message.chat.id, call.message.message_id)

    @bot.message_handler(commands=["keys"])
    def keys(message):
        markup = types.ReplyKeyboardMarkup(resize_keyboard=True)
        markup.row(types.KeyboardButton("/start"), types.KeyboardButton("/help"))
        bot.send_message(message.chat.id, "Choose:", reply_markup=markup)

    @bot.message_handler(commands=["photo"])
    def photo(message):
        with open(PICTURE, "rb") as file:
            bot.send_photo(message.chat.id, file, caption="Here")

    @bot.message_handler(content_types=["location"])
    def place(message):
        bot.send_message(message.chat.id, f"{message.location.latitude:.1f}")

    @bot.inline_handler(lambda query: query.query == "fox")
    def inline(query):
        words = types.InputTextMessageContent("A fox")
        bot.answer_inline_query(query.id, [types.InlineQueryResultArticle("1", "Fox", words)], cache_time=1)

    @bot.edited_message_handler(func=lambda message: message.text == "never")
    def edited(message):
        bot.send_message(message.chat.id, "seen")

    @bot.message_handler(commands=["wrong"])
    def wrong(message):
        try:
            bot.send_message(message.chat.id, "<b>", parse_mode="HTML")
        except ApiTelegramException as error:
            CAUGHT.append(error)
            bot.send_message(message.chat.id, f"Telegram said {error.error_code}")

    @bot.message_handler(commands=["html"])
    def html(message):
        bot.send_message(message.chat.id, "<b>bold</b>", parse_mode="HTML", disable_notification=True)


PICTURE = "{picture}"
'''
OURS = '''"""A handler of ours that uses the library's keyboards and types."""

from telebot import types

from core.buttons import MENU


def register(bot):
    """Declare them."""
    bot.command("both", both)
    bot.update("inline_query", inline)


def both(ctx):
    """Reply with a keyboard of the library's."""
    markup = types.InlineKeyboardMarkup([[types.InlineKeyboardButton("Start", callback_data=MENU)]])
    assert ctx.event.chat.id == ctx.chat_id
    ctx.reply("common.menu", markup)


def inline(ctx):
    """Answer what begins with our letter; leave the rest."""
    if not ctx.event.query.startswith("!"):
        return ctx.PASS
    words = types.InputTextMessageContent(ctx.event.query)
    ctx.answer_inline([types.InlineQueryResultArticle("1", "Ours", words)], cache_time=0, is_personal=True)
'''


@pytest.fixture
def bot(start_bot, monkeypatch, tmp_path):
    """A bot with both."""
    file = tmp_path / "picture.png"
    file.write_bytes(png())
    sources = {"zlibrary": LIBRARY.replace("{picture}", str(file)), "zours": OURS}
    return start_bot(plugins=plugins_with(monkeypatch, tmp_path, **sources))


def test_a_command_echoes(bot):
    alice = bot.user("Alice")
    alice.send("/echo Hello <3")
    assert alice.last == "Hello <3"


def test_a_next_step_is_waited_for_and_wins_over_a_prompt(bot):
    alice = bot.user("Alice")
    alice.send("/age")
    alice.send("many")
    assert alice.last == "A number, please."
    alice.send("30")
    assert alice.last == "Next year 31."
    alice.send("a fox in the snow")
    assert "fox" in alice.last and "Next year" not in alice.last


def test_inline_buttons_and_their_answers(bot):
    alice = bot.user("Alice")
    alice.send("/vote")
    alice.tap("No")
    assert alice.toast == "Counted: no" and alice.last == "Thank you."


def test_a_keyboard_below_the_chat(bot):
    alice = bot.user("Alice")
    alice.send("/keys")
    keyboard = bot.telegram.calls("sendMessage")[-1]["params"]["reply_markup"]
    assert "/start" in str(keyboard) and "/help" in str(keyboard)


def test_a_file_is_sent(bot):
    alice = bot.user("Alice")
    alice.send("/photo")
    assert "photo" in alice.messages[-1] and alice.messages[-1]["caption"] == "Here"


def test_content_that_no_plugin_takes(bot):
    alice = bot.user("Alice")
    alice.location(55.75, 37.61)
    assert alice.last in ("55.8", "55.7")


def test_inline_mode_of_both_styles(bot):
    alice = bot.user("Alice")
    for query, title in (("fox", "Fox"), ("!cat", "Ours")):
        bot.telegram.update(
            inline_query={
                "id": query,
                "from": {"id": alice.id, "is_bot": False, "first_name": "Alice"},
                "query": query,
                "offset": "",
            }
        )
        bot.pump()
        made = bot.telegram.calls("answerInlineQuery")[-1]["params"]
        assert title in str(made["results"]) and made["inline_query_id"] == query


def test_an_error_of_telegrams_is_the_librarys_own(bot):
    alice = bot.user("Alice")
    alice.send("/wrong")
    assert alice.last == "Telegram said 400"
    (error,) = bot.bot.pages["/caught"](bot.bot, True, None)
    assert isinstance(error, ApiTelegramException) and error.result_json["error_code"] == 400


def test_a_429_is_waited_for_as_in_our_own_calls(bot):
    alice = bot.user("Alice")
    bot.telegram.fail_next("sendMessage", "429", retry_after=3)
    alice.send("/html")
    assert alice.last == "bold" and len(bot.telegram.calls("sendMessage")) == 2


def test_a_keyboard_of_the_librarys_under_our_reply(bot):
    alice = bot.user("Alice")
    alice.send("/both")
    alice.tap("Start")
    assert "Alice" in alice.last


def test_somebody_banned_does_not_reach_the_librarys_handlers(bot):
    alice = bot.user("Alice")
    alice.send("/echo Hello")
    assert alice.last == "Hello"
    alice.send("/start")
    bot.bot.users.change(bot.bot.users.by_telegram_id(alice.id), banned=True)
    alice.send("/echo Hello again")
    assert alice.last != "Hello again"

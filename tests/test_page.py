"""The chat page itself, in a real Chromium: what it draws, what people do on it, what happens behind the scenes.

The bot here is the test: it makes plain Bot API calls and reads the updates caused by people on the page. Every page
must end without an error in its console and without a request to another machine. The product's own walks are in
test_browser.py.
"""

import io
import json
import statistics
import time
from types import SimpleNamespace

import pytest
import requests
from PIL import Image
from playwright.sync_api import expect

from bench.process import free_port
from demo.kit import RawBot, Telegram
from demo.server import PAGE, start
from tests.browser import CHROMIUM, MESSAGE, Chat, faults_of
from tests.kit import png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
ADMIN = 5_000_000_900
WAIT_S = 20
VOICE = (PAGE / "voice.ogg").read_bytes()


@pytest.fixture(scope="module")
def server(kie_server):
    """The local Telegram, with the KIE stub beside it."""
    running = start(admin_ids=[ADMIN], people=["Anna", "Boris"], kie_url=kie_server.api_url)
    kie_server.pages.update(running.origins)
    yield running
    running.stop()


@pytest.fixture
def telegram(server):
    """The local Telegram as it is at first."""
    control = Telegram(server.url)
    control.reset()
    return control


@pytest.fixture
def bot(telegram, server):
    """The bot's side."""
    return RawBot(server.url, server.token)


@pytest.fixture
def anna(telegram):
    """The first person."""
    return person_called(telegram, "Anna")


@pytest.fixture
def open_page(browser, telegram):
    """Return a function that opens the page as a person; each in a browser profile of its own."""
    opened = []

    def open_(person, size=(1200, 800), **address):
        context = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True)))
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        chat = Chat(context.new_page(), SimpleNamespace(url=telegram.url), person.id, "en", **address)
        expect(chat.page.get_by_test_id("chat").first).to_be_visible()
        opened.append((context, chat))
        return chat

    yield open_
    for context, chat in opened:
        context.close()
        assert (chat.errors, chat.strangers) == ([], [])


def person_called(telegram, name):
    """Return the Person with this first name."""
    found = next(one for one in telegram.state["people"] if one["first_name"] == name)
    return telegram.person(name, id=found["id"])


def say(bot, person, text, *rows, **params):
    """Send a message with rows of (label, data) buttons."""
    keyboard = [[{"text": label, "callback_data": data} for label, data in row] for row in rows]
    markup = {"reply_markup": {"inline_keyboard": keyboard}} if rows else {}
    return bot("sendMessage", chat_id=person.id, text=text, **markup, **params)


def came(bot, kind):
    """Wait for the next update of a kind and return its content."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for update in bot.updates(timeout=2):
            if kind in update:
                return update[kind]
    raise AssertionError(f"no {kind} came")


def write(chat, text):
    """Write a message on the page."""
    chat.page.get_by_test_id("composer").fill(text)
    chat.page.get_by_test_id("send").click()


def bubble(chat, text):
    """Return the message with this text."""
    return chat.page.locator(MESSAGE).filter(has_text=text)


# What the bot sends


def test_formatting_is_drawn_and_nothing_a_bot_writes_becomes_html(open_page, bot, anna):
    chat = open_page(anna)
    html = (
        "<b>bold</b> <i>italic</i> <u>under</u> <s>struck</s> <code>code</code> <tg-spoiler>secret</tg-spoiler>"
        '<pre><code class="language-python">print(1)</code></pre><blockquote>quoted</blockquote>'
        "&lt;img src=x onerror=alert(1)&gt; /help"
    )
    say(bot, anna, html, parse_mode="HTML")
    text = chat.last.get_by_test_id("message-text")
    tags = {"strong": "bold", "em": "italic", "u": "under", "s": "struck", ".pre code": "print(1)"}
    for tag, words in {**tags, "blockquote": "quoted", ".code-button": "code"}.items():
        expect(text.locator(tag).first).to_have_text(words)
    expect(text).to_contain_text("<img src=x onerror=alert(1)>")
    assert text.locator("img").count() == 0
    text.get_by_role("button", name="/help").click()
    assert came(bot, "message")["text"] == "/help"


def test_code_is_copied_by_a_tap_and_so_is_a_copy_button(open_page, bot, anna):
    chat = open_page(anna)
    copy = {"inline_keyboard": [[{"text": "Copy the card", "copy_text": {"text": "0000 1111"}}]]}
    bot("sendMessage", chat_id=anna.id, text="<code>4242 4242</code>", parse_mode="HTML", reply_markup=copy)
    chat.last.locator(".code-button").click()
    expect(chat.page.get_by_test_id("toast")).to_have_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "4242 4242"
    chat.last.get_by_role("button", name="Copy the card").click()
    chat.page.wait_for_function("async () => await navigator.clipboard.readText() === '0000 1111'")


def test_a_spoiler_is_read_after_a_press(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "<tg-spoiler>the gardener</tg-spoiler>", parse_mode="HTML")
    spoiler = chat.last.locator(".spoiler")
    expect(spoiler).to_have_attribute("aria-label", "Spoiler, press to read")
    spoiler.click()
    expect(spoiler).to_have_class("spoiler shown")
    bot("sendPhoto", files={"photo": ("a.png", png())}, chat_id=anna.id, has_spoiler="true")
    photo = chat.last.locator(".photo")
    expect(photo).to_have_class("photo veiled")
    photo.click()
    expect(photo).to_have_class("photo")


def test_a_link_to_the_bot_opens_the_chat_with_its_payload(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "Come by https://t.me/demo_bot?start=r42")
    chat.last.get_by_role("link").click()
    assert came(bot, "message")["text"] == "/start r42"
    expect(bubble(chat, "/start r42")).to_be_visible()


def test_a_link_elsewhere_is_shown_before_it_is_followed(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, '<a href="https://example.org/x">our site</a>', parse_mode="HTML")
    chat.last.get_by_role("link").click()
    expect(chat.page.get_by_test_id("confirm")).to_contain_text("https://example.org/x")
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_test_id("confirm")).to_have_count(0)


def test_an_edit_changes_the_bubble_and_a_deletion_takes_it_away(open_page, bot, anna):
    chat = open_page(anna)
    sent, other = say(bot, anna, "first"), say(bot, anna, "second")
    expect(bubble(chat, "first")).to_be_visible()
    bot("editMessageText", chat_id=anna.id, message_id=sent["message_id"], text="changed")
    expect(bubble(chat, "changed")).to_have_attribute("data-message-id", str(sent["message_id"]))
    expect(bubble(chat, "changed")).to_contain_text("edited")
    bot("deleteMessage", chat_id=anna.id, message_id=other["message_id"])
    expect(bubble(chat, "second")).to_have_count(0)
    expect(chat.page.locator(MESSAGE)).to_have_count(1)


def test_what_the_bot_is_doing_stands_in_the_header_until_a_message_comes(open_page, bot, anna):
    chat = open_page(anna)
    header = chat.page.locator(".chat-subtitle")
    for action, words in {"typing": "typing…", "upload_photo": "sending a photo…"}.items():
        bot("sendChatAction", chat_id=anna.id, action=action)
        expect(header).to_contain_text(words)
    say(bot, anna, "here")
    expect(header).to_contain_text("bot")


def test_an_album_is_one_bubble_and_its_pictures_open_large(open_page, bot, anna):
    chat = open_page(anna)
    pictures = {f"f{number}": (f"{number}.png", png(str(number))) for number in range(3)}
    media = [{"type": "photo", "media": f"attach://{name}", "caption": f"picture {name}"} for name in pictures]
    bot("sendMediaGroup", files=pictures, chat_id=anna.id, media=json.dumps(media))
    expect(chat.page.locator(MESSAGE)).to_have_count(1)
    expect(chat.page.get_by_test_id("album-item")).to_have_count(3)
    chat.page.locator(".photo").nth(1).click()
    large = chat.page.get_by_test_id("lightbox")
    expect(large).to_contain_text("picture f1")
    chat.page.keyboard.press("ArrowRight")
    expect(large).to_contain_text("picture f2")
    chat.page.keyboard.press("Escape")
    expect(large).to_have_count(0)


def test_voice_music_and_files_have_their_own_shapes(open_page, bot, anna):
    chat = open_page(anna)
    bot("sendVoice", files={"voice": ("v.ogg", VOICE)}, chat_id=anna.id, duration=4)
    play = chat.last.get_by_role("button", name="Play")
    play.click()
    expect(chat.last.get_by_role("button", name="Pause")).to_be_visible()
    bot("sendAudio", files={"audio": ("song.mp3", VOICE)}, chat_id=anna.id, title="Song", performer="Somebody")
    expect(chat.last.locator(".player-title")).to_have_text("Somebody – Song")
    bot("sendDocument", files={"document": ("report.txt", b"12345")}, chat_id=anna.id, caption="The report")
    expect(chat.last).to_contain_text("The report")
    with chat.page.expect_download() as download:
        chat.last.get_by_role("link", name="Download report.txt").click()
    assert download.value.path().read_bytes() == b"12345"
    gif = io.BytesIO()
    frames = [Image.new("RGB", (120, 80), colour) for colour in ("red", "blue")]
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:], duration=200)
    bot("sendAnimation", files={"animation": ("a.gif", gif.getvalue())}, chat_id=anna.id)
    expect(chat.last.locator("img")).to_have_js_property("naturalWidth", 120)


# Buttons


def test_a_button_spins_until_the_bot_answers_and_takes_no_second_press(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "menu", [("A label that is far too long to fit into a third of a bubble", "a"), ("B", "b")])
    button = chat.last.get_by_test_id("keyboard-button").first
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    button.click()
    tap = came(bot, "callback_query")
    assert tap["data"] == "a"
    bot("answerCallbackQuery", callback_query_id=tap["id"], text="Noted")
    expect(chat.page.get_by_test_id("toast")).to_have_text("Noted")
    expect(button).not_to_have_attribute("aria-busy", "true")
    assert bot.updates() == []


def test_an_alert_waits_for_ok_and_an_answer_can_be_a_link(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "menu", [("Read this", "read")], [("Go", "go")])
    chat.last.get_by_role("button", name="Read this").click()
    bot("answerCallbackQuery", callback_query_id=came(bot, "callback_query")["id"], text="Important", show_alert=True)
    expect(chat.page.get_by_test_id("alert")).to_contain_text("Important")
    chat.page.get_by_test_id("alert-ok").click()
    expect(chat.page.get_by_test_id("alert")).to_have_count(0)
    chat.last.get_by_role("button", name="Go").click()
    url = "https://t.me/demo_bot?start=go"
    bot("answerCallbackQuery", callback_query_id=came(bot, "callback_query")["id"], url=url)
    assert came(bot, "message")["text"] == "/start go"


def test_a_reply_keyboard_writes_shares_and_goes_away(open_page, bot, anna):
    chat = open_page(anna)
    keyboard = [["Yes", "No"], [{"text": "My number", "request_contact": True}]]
    keyboard.append([{"text": "My place", "request_location": True}])
    markup = {"keyboard": keyboard, "input_field_placeholder": "Choose below"}
    bot("sendMessage", chat_id=anna.id, text="Well?", reply_markup=markup)
    expect(chat.page.get_by_test_id("composer")).to_have_attribute("placeholder", "Choose below")
    chat.page.get_by_test_id("reply-button").filter(has_text="Yes").click()
    assert came(bot, "message")["text"] == "Yes"
    chat.page.get_by_test_id("reply-button").filter(has_text="My number").click()
    chat.page.get_by_test_id("confirm-yes").click()
    contact = came(bot, "message")["contact"]
    assert (contact["user_id"], contact["first_name"]) == (anna.id, "Anna")
    chat.page.get_by_test_id("reply-button").filter(has_text="My place").click()
    chat.page.get_by_test_id("confirm-yes").click()
    assert 48 < came(bot, "message")["location"]["latitude"] < 49
    expect(bubble(chat, "48.8583")).to_be_visible()
    bot("sendMessage", chat_id=anna.id, text="Thanks", reply_markup={"remove_keyboard": True})
    expect(chat.page.get_by_test_id("reply-button")).to_have_count(0)


def test_a_forced_reply_answers_the_question(open_page, bot, anna):
    chat = open_page(anna)
    asked = bot("sendMessage", chat_id=anna.id, text="Your name?", reply_markup={"force_reply": True})
    expect(chat.page.locator(".mode-bar")).to_contain_text("Your name?")
    write(chat, "Anna")
    assert came(bot, "message")["reply_to_message"]["message_id"] == asked["message_id"]


COMMANDS = [{"command": "start", "description": "Begin"}, {"command": "help", "description": "?"}]


def test_the_menu_button_lists_the_commands_and_so_does_a_slash(open_page, bot, anna):
    bot("setMyCommands", commands=COMMANDS)
    chat = open_page(anna)
    chat.page.get_by_test_id("bot-menu").click()
    expect(chat.page.get_by_test_id("bot-command")).to_have_count(2)
    chat.page.get_by_test_id("bot-command").filter(has_text="/start").click()
    assert came(bot, "message")["text"] == "/start"
    chat.page.get_by_test_id("composer").fill("/he")
    expect(chat.page.get_by_test_id("bot-command")).to_have_text("/help?")


# What people send


def attach(chat, kind, *files):
    """Choose files with the paper clip: (name, type, bytes) each."""
    chat.page.get_by_test_id("attach").click()
    with chat.page.expect_file_chooser() as chooser:
        chat.page.get_by_test_id(kind).click()
    chooser.value.set_files([{"name": name, "mimeType": mime, "buffer": data} for name, mime, data in files])


def pictures(number):
    """Return files to attach."""
    return [(f"{at}.png", "image/png", png(f"own {at}")) for at in range(number)]


def test_photos_go_alone_as_an_album_or_as_files(open_page, bot, anna):
    chat = open_page(anna)
    attach(chat, "attach-media", *pictures(1))
    chat.page.get_by_test_id("caption").fill("a caption")
    chat.page.get_by_test_id("attach-send").click()
    first = came(bot, "message")
    assert (first["caption"], "photo" in first, "media_group_id" in first) == ("a caption", True, False)
    attach(chat, "attach-media", *pictures(3))
    chat.page.get_by_test_id("attach-send").click()
    expect(chat.page.get_by_test_id("album-item")).to_have_count(3)
    album = bot.updates()
    assert len({update["message"]["media_group_id"] for update in album}) == 1
    attach(chat, "attach-file", ("notes.txt", "text/plain", b"notes"))
    chat.page.get_by_test_id("attach-send").click()
    assert came(bot, "message")["document"]["file_name"] == "notes.txt"


def test_files_are_dropped_on_the_chat_and_samples_are_at_hand(open_page, bot, anna):
    chat = open_page(anna)
    drop = """async () => {
        const data = new DataTransfer();
        data.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
        const place = document.querySelector("[data-testid=chat]");
        for (const type of ["dragenter", "dragover", "drop"])
            place.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    chat.page.evaluate(drop)
    chat.page.get_by_test_id("attach-send").click()
    assert came(bot, "message")["document"]["file_name"] == "dropped.txt"
    chat.page.get_by_test_id("attach").click()
    chat.page.get_by_test_id("attach-album").click()
    chat.page.get_by_test_id("attach-send").click()
    expect(chat.page.get_by_test_id("album-item")).to_have_count(3)
    chat.page.get_by_test_id("attach").click()
    chat.page.get_by_test_id("attach-voice").click()
    expect(chat.page.locator(".player.voice")).to_be_visible()
    kinds = [update["message"] for update in bot.updates()]
    assert ["photo" in one for one in kinds] == [True, True, True, False]
    assert kinds[-1]["voice"]["duration"] == 4


def test_replies_and_edits_by_text_and_by_file(open_page, bot, anna):
    chat = open_page(anna)
    asked = say(bot, anna, "What is it?")
    start_reply(chat, "What is it?")
    write(chat, "A fox")
    assert came(bot, "message")["reply_to_message"]["message_id"] == asked["message_id"]
    expect(chat.page.locator(".reply-line")).to_contain_text("What is it?")
    start_reply(chat, "What is it?")
    attach(chat, "attach-media", *pictures(2))
    chat.page.get_by_test_id("attach-send").click()
    expect(chat.page.get_by_test_id("album-item")).to_have_count(2)
    assert {one["message"]["reply_to_message"]["message_id"] for one in bot.updates()} == {asked["message_id"]}
    chat.page.get_by_test_id("composer").press("ArrowUp")  # the last text of one's own
    write(chat, "A red fox")
    assert came(bot, "edited_message")["text"] == "A red fox"


def start_reply(chat, text):
    """Choose "Reply" in a message's menu."""
    bubble(chat, text).first.hover()
    bubble(chat, text).first.get_by_test_id("message-menu").click()
    chat.page.get_by_test_id("menu-reply").click()


# Stars


INVOICE = {
    "title": "100 ₽",
    "description": "for the balance",
    "payload": "7",
    "currency": "XTR",
    "prices": [{"label": "100 ₽", "amount": 63}],
}


def agree(bot, ok=True, **more):
    """Answer the next pre-checkout."""
    query = came(bot, "pre_checkout_query")
    bot("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=ok, **more)


def test_the_payment_sheet_pays_once_twice_or_not_at_all(open_page, bot, anna):
    chat = open_page(anna)
    bot("sendInvoice", chat_id=anna.id, **INVOICE)

    def press(name):
        chat.page.get_by_test_id("keyboard-button").click()
        expect(chat.page.get_by_test_id("payment-sheet")).to_contain_text("Buy “100 ₽” in Fox Studio for ⭐ 63?")
        chat.page.get_by_test_id(name).click()

    press("pay-cancel")
    expect(chat.page.get_by_test_id("payment-sheet")).to_have_count(0)
    assert bot.updates() == []  # as in Telegram, the bot does not hear of a sheet that was closed
    press("pay-abandon")
    agree(bot)
    expect(chat.page.get_by_test_id("toast")).to_contain_text("nothing was paid")
    press("pay-confirm")
    agree(bot)
    assert came(bot, "message")["successful_payment"]["total_amount"] == 63
    expect(bubble(chat, "You paid ⭐ 63")).to_have_count(1)
    expect(chat.page.get_by_test_id("keyboard-button")).to_have_text("✓ Paid")
    chat.page.reload()
    expect(chat.page.get_by_test_id("keyboard-button")).to_have_text("✓ Paid")
    press("pay-twice")
    agree(bot)
    agree(bot)
    expect(bubble(chat, "You paid ⭐ 63")).to_have_count(3)
    press("pay-confirm")
    agree(bot, ok=False, error_message="Sold out")
    expect(chat.page.get_by_test_id("pay-status")).to_have_text("The bot refused: Sold out")


def test_a_poll_is_voted_in_and_shows_what_the_others_say(open_page, bot, anna, telegram):
    boris = person_called(telegram, "Boris")
    options = [{"text": "Red"}, {"text": "Green"}]
    sent = bot("sendPoll", chat_id=anna.id, question="Which <colour>?", options=options)
    bot("forwardMessage", chat_id=boris.id, from_chat_id=anna.id, message_id=sent["message_id"])
    chat = open_page(anna)
    poll = chat.page.get_by_test_id("poll")
    expect(poll).to_contain_text("Which <colour>?")
    expect(poll).not_to_contain_text("%")
    poll.get_by_role("button", name="Green").click()
    expect(poll.get_by_test_id("poll-option").last).to_have_text("✓Green100 %")
    boris.vote("Red")
    expect(poll.get_by_test_id("poll-votes")).to_have_text("Votes: 2")
    expect(poll.get_by_test_id("poll-option").first).to_have_text("Red50 %")
    poll.get_by_test_id("poll-retract").click()
    expect(poll.get_by_test_id("poll-votes")).to_have_text("Votes: 1")
    expect(poll).not_to_contain_text("%")
    bot("stopPoll", chat_id=anna.id, message_id=sent["message_id"])
    expect(poll).to_contain_text("Final results")
    expect(poll.get_by_test_id("poll-option").first).to_be_disabled()


def test_a_poll_of_several_answers_is_sent_as_a_whole_and_a_quiz_shows_the_right_one(open_page, bot, anna):
    options = [{"text": "Red"}, {"text": "Green"}, {"text": "Blue"}]
    bot("sendPoll", chat_id=anna.id, question="Which?", options=options, allows_multiple_answers=True)
    chat = open_page(anna)
    poll = chat.page.get_by_test_id("poll")
    for name in ("Red", "Green", "Blue", "Green"):
        poll.get_by_role("button", name=name).click()
    poll.get_by_test_id("poll-vote").click()
    expect(poll.get_by_test_id("poll-votes")).to_have_text("Votes: 1")
    counts = [option["voter_count"] for option in anna.last_message["poll"]["options"]]
    assert counts == [1, 0, 1]
    quiz = {"type": "quiz", "correct_option_ids": [1], "explanation": "Grass is.", "is_anonymous": False}
    bot("sendPoll", chat_id=anna.id, question="What is green?", options=options, **quiz)
    poll = chat.page.get_by_test_id("poll").filter(has_text="What is green?")
    poll.get_by_role("button", name="Blue").click()
    expect(poll).to_contain_text("Grass is.")
    expect(poll.locator("[data-right]")).to_contain_text("Green")


def test_an_invoice_link_opens_the_sheet_and_a_payment_can_be_charged_back(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "Pay at " + bot("createInvoiceLink", **INVOICE))
    chat.last.get_by_role("link").click()
    expect(chat.page.get_by_test_id("payment-sheet")).to_contain_text("⭐ 63")
    chat.page.get_by_test_id("pay-confirm").click()
    agree(bot)
    charge = came(bot, "message")["successful_payment"]["telegram_payment_charge_id"]
    paid = bubble(chat, "You paid ⭐ 63")
    paid.hover()
    paid.get_by_test_id("message-menu").click()
    chat.page.get_by_test_id("menu-chargeback").click()
    assert came(bot, "message")["refunded_payment"]["telegram_payment_charge_id"] == charge


# People


def test_two_people_stand_side_by_side_and_more_can_come(open_page, bot, telegram, anna):
    chat = open_page(anna, size=(1400, 800))
    chat.page.get_by_test_id("split").click()
    expect(chat.page.get_by_test_id("chat")).to_have_count(2)
    both = [int(one.get_attribute("data-person-id")) for one in chat.page.get_by_test_id("chat").all()]
    assert both == [anna.id, ADMIN]
    chat.page.get_by_test_id("split").click()
    chat.page.get_by_test_id("add-person").click()
    chat.page.get_by_label("First name").fill("Вера")
    chat.page.get_by_label("Language of their Telegram").select_option("ru")
    chat.page.get_by_test_id("form-save").click()
    expect(chat.page.get_by_test_id("chat")).to_have_count(1)
    chat.page.get_by_test_id("start").click()
    sender = came(bot, "message")["from"]
    assert (sender["first_name"], sender["language_code"]) == ("Вера", "ru")


def test_a_person_blocks_the_bot_comes_back_and_changes_language(open_page, bot, anna):
    chat = open_page(anna)
    chat_menu(chat, "person-block")
    assert came(bot, "my_chat_member")["new_chat_member"]["status"] == "kicked"
    chat.page.get_by_role("button", name="Unblock").click()
    assert came(bot, "my_chat_member")["new_chat_member"]["status"] == "member"
    chat_menu(chat, "person-language")
    write(chat, "привет")
    assert came(bot, "message")["from"]["language_code"] == "ru"
    chat_menu(chat, "person-clear")
    expect(chat.page.locator(MESSAGE)).to_have_count(0)


def chat_menu(chat, item):
    """Choose an item of the chat's menu."""
    chat.page.get_by_test_id("chat-menu").click()
    chat.page.get_by_test_id(item).click()


def test_unread_messages_of_others_are_counted(open_page, bot, telegram, anna):
    boris = person_called(telegram, "Boris")
    chat = open_page(anna)
    say(bot, boris, "one")
    say(bot, boris, "two")
    row = chat.page.locator(f"[data-testid=person][data-person-id='{boris.id}']")
    expect(row.get_by_label("2 unread")).to_be_visible()
    row.click()
    expect(row.get_by_label("unread")).to_have_count(0)
    expect(chat.page.locator("[data-testid=chat]")).to_have_attribute("data-person-id", str(boris.id))


# The page's own ways


def test_the_first_visit_says_what_this_is_in_three_lines(open_page, anna):
    chat = open_page(anna, welcomed="")
    assert chat.page.locator(".welcome-line").count() in (0, 3)
    chat.page.evaluate("localStorage.clear()")
    chat.page.goto(chat.page.url.split("?")[0])
    expect(chat.page.locator(".welcome-line")).to_have_count(3)
    said = chat.page.get_by_test_id("welcome").inner_text()
    assert "AI pictures, video and music" in said and "Fox Studio" in said and "play money" in said
    expect(chat.page.get_by_test_id("welcome-tour")).to_be_focused()
    chat.page.get_by_test_id("welcome-close").click()
    chat.page.reload()
    expect(chat.page.get_by_test_id("chat")).to_be_visible()
    expect(chat.page.get_by_test_id("welcome")).to_have_count(0)


def test_a_phone_is_told_where_things_are_there(open_page, anna):
    chat = open_page(anna, size=(390, 844))
    chat.page.evaluate("localStorage.clear()")
    chat.page.goto(chat.page.url.split("?")[0])
    said = chat.page.get_by_test_id("welcome").inner_text()
    assert "arrow at the top left" in said and "button at the top right" in said and "on the right" not in said


def test_the_globe_is_the_pages_and_a_persons_language_is_theirs(open_page, telegram, anna):
    anna.change(language_code="de")
    anna.send("hello")
    chat = open_page(anna)
    chat.page.get_by_test_id("language").click()
    expect(chat.page.locator("html")).to_have_attribute("lang", "ru")
    languages = {one["first_name"]: one["language_code"] for one in telegram.state["people"]}
    assert languages["Anna"] == "de" and languages["Boris"] == "en"
    chat.page.evaluate("localStorage.clear(); localStorage.setItem('demo.lang', 'ru')")
    chat.page.goto(chat.page.url.split("?")[0])
    expect(chat.page.get_by_test_id("welcome")).to_be_visible()
    languages = {one["first_name"]: one["language_code"] for one in telegram.state["people"]}
    assert languages["Anna"] == "de", "whoever has written keeps their language"
    assert languages["Boris"] == "ru", "the first visit in Russian meets people who speak it"


def test_theme_and_language_are_switched_and_remembered(open_page, anna):
    chat = open_page(anna)
    html = chat.page.locator("html")
    chat.page.get_by_test_id("theme").click()
    expect(html).to_have_attribute("data-theme", "dark")
    chat.page.evaluate("localStorage.setItem('demo.welcomed', 'yes')")
    chat.page.goto(chat.page.url.split("?")[0])
    expect(html).to_have_attribute("data-theme", "dark")
    expect(chat.page.locator(".people-header h2")).to_have_text("People")
    chat.page.get_by_test_id("language").click()
    expect(chat.page.locator(".people-header h2")).to_have_text("Люди")
    expect(html).to_have_attribute("lang", "ru")


def test_everything_can_be_done_by_keyboard(open_page, bot, anna):
    chat = open_page(anna)
    keys = chat.page.keyboard
    say(bot, anna, "menu", [("Press me", "pressed")])
    expect(chat.last).to_contain_text("Press me")
    keys.type("hello")  # wherever the focus is, letters go to the text field
    keys.press("Shift+Enter")
    keys.type("again")
    keys.press("Enter")
    assert came(bot, "message")["text"] == "hello\nagain"
    chat.last.or_(chat.page.locator(MESSAGE).first).get_by_role("button", name="Press me").focus()
    keys.press("Enter")
    assert came(bot, "callback_query")["data"] == "pressed"
    chat.page.get_by_test_id("chat-menu").focus()
    keys.press("Enter")
    expect(chat.page.get_by_test_id("person-language")).to_be_focused()
    keys.press("ArrowDown")
    expect(chat.page.get_by_test_id("person-block")).to_be_focused()
    keys.press("Escape")
    expect(chat.page.get_by_role("menu")).to_have_count(0)
    expect(chat.page.get_by_test_id("chat-menu")).to_be_focused()


def test_a_screen_reader_hears_what_the_bot_says(open_page, bot, anna):
    chat = open_page(anna)
    say(bot, anna, "Your picture is ready")
    expect(chat.page.get_by_role("log")).to_contain_text("Fox Studio: Your picture is ready")


def test_a_restart_keeps_the_chat(browser, tmp_path):
    port = free_port()
    first = start(port, tmp_path / "chat.json", people=["Anna"])
    telegram, bot = Telegram(first.url), RawBot(first.url, first.token)
    anna = person_called(telegram, "Anna")
    page = browser.new_page()
    chat = Chat(page, SimpleNamespace(url=first.url), anna.id, "en")
    say(bot, anna, "before", [("Still here", "kept")])
    expect(bubble(chat, "before")).to_be_visible()
    first.stop()
    expect(page.locator(".chat-subtitle")).to_contain_text("Connecting…")
    second = start(port, tmp_path / "chat.json", people=["Anna"])
    bot = RawBot(second.url, second.token)
    say(bot, anna, "after")
    expect(bubble(chat, "after")).to_be_visible()  # the page has come back by itself
    page.reload()
    chat.page.get_by_role("button", name="Still here").click()
    assert came(bot, "callback_query")["data"] == "kept"
    page.close()
    second.stop()


# Accessibility


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), (390, 844)], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault(open_page, bot, anna, theme, size):
    furnish(bot, anna)
    chat = open_page(anna, size=size, theme=theme)
    expect(bubble(chat, "the last")).to_be_visible()
    faults = faults_of(chat, "the chat")
    scenes = {"bot-menu": "bot-command", "chat-menu": "person-block", "attach": "attach-file"}
    for button, shown in scenes.items():
        chat.page.get_by_test_id(button).click()
        expect(chat.page.get_by_test_id(shown).first).to_be_visible()
        faults += faults_of(chat, button)
        chat.page.keyboard.press("Escape")
    chat.page.get_by_test_id("keyboard-button").filter(has_text="Pay").click()
    faults += faults_of(chat, "the payment sheet")
    chat.page.get_by_test_id("pay-cancel").click()
    chat.page.locator(".photo").first.click()
    faults += faults_of(chat, "the enlarged photo")
    chat.page.keyboard.press("Escape")
    chat.page.get_by_test_id("panel-toggle").click()
    for tab in ("calls", "trouble", "tasks"):
        open_tab(chat, tab)
        faults += faults_of(chat, tab)
    assert faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_the_first_visit_and_in_the_tour(open_page, anna, theme):
    chat = open_page(anna, theme=theme)
    chat.page.evaluate("theme => { localStorage.clear(); localStorage.setItem('demo.theme', theme) }", theme)
    chat.page.goto(chat.page.url.split("?")[0])
    expect(chat.page.get_by_test_id("welcome")).to_be_visible()
    faults = faults_of(chat, "the first visit")
    chat.page.get_by_test_id("welcome-tour").click()
    expect(chat.page.get_by_test_id("tour-card")).to_be_visible()
    faults += faults_of(chat, "the tour")
    chat.page.get_by_test_id("tour-end").click()
    chat.page.get_by_test_id("add-person").click()
    assert faults + faults_of(chat, "a new person") == []


def furnish(bot, person):
    """Send one of everything."""
    bot("setMyCommands", commands=COMMANDS)
    person.send("a text of one's own, and a link: https://t.me/demo_bot")
    html = (
        '<b>b</b> <code>code</code> <tg-spoiler>no</tg-spoiler> <a href="https://example.org">link</a><pre>block</pre>'
    )
    say(bot, person, html + "<blockquote>quote</blockquote>", parse_mode="HTML")
    files = {f"f{number}": (f"{number}.png", png(str(number))) for number in range(3)}
    media = json.dumps([{"type": "photo", "media": f"attach://{name}"} for name in files])
    bot("sendMediaGroup", files=files, chat_id=person.id, media=media)
    bot("sendPhoto", files={"photo": ("a.png", png("one"))}, chat_id=person.id, caption="a caption")
    bot("sendVoice", files={"voice": ("v.ogg", VOICE)}, chat_id=person.id, duration=4)
    bot("sendAudio", files={"audio": ("song.mp3", VOICE)}, chat_id=person.id, title="Song")
    bot("sendVideo", files={"video": ("v.mp4", b"\0\0\0\x18ftypmp42")}, chat_id=person.id)
    bot("sendDocument", files={"document": ("report.pdf", b"%PDF-")}, chat_id=person.id)
    bot("sendInvoice", chat_id=person.id, **INVOICE)
    person.photo(png("mine"), caption="mine", reply_to=str(person.last_message["message_id"]))
    keyboard = {"keyboard": [["Yes", "No"]]}
    bot("sendMessage", chat_id=person.id, text="the last", reply_markup=keyboard)
    say(bot, person, "and buttons", [("One", "1"), ("Two", "2")])


# Behind the scenes


def open_tab(chat, name):
    """Open a tab of the panel."""
    chat.page.get_by_test_id(f"tab-{name}").click()


def test_the_bots_calls_appear_as_they_happen(open_page, bot, anna):
    chat = open_page(anna, panel="open")
    sent = say(bot, anna, "seen in the list")
    row = chat.page.locator("[data-method=sendMessage]").first
    expect(row).to_contain_text("seen in the list")
    expect(row).to_contain_text("ms")
    row.locator("summary").click()
    expect(row).to_contain_text(f'"message_id": {sent["message_id"]}')
    chat.page.get_by_label("Filter by method").fill("getMe")
    expect(row).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "call", "outcome"),
    [
        ("trouble_429", "sendMessage", "Too Many Requests"),
        ("trouble_500", "getMe", "Internal Server Error"),
        ("trouble_409", "getUpdates", "Conflict"),
    ],
)
def test_bad_days_are_ordered_and_called_off(open_page, bot, anna, name, call, outcome):
    params = {"sendMessage": {"chat_id": anna.id, "text": "x"}}.get(call, {})
    chat = open_page(anna, panel="open", tab="trouble")
    chat.page.get_by_test_id(name).click()
    expect(chat.page.get_by_test_id("toast")).to_contain_text("Set:")
    with pytest.raises(Exception, match=outcome):
        bot(call, **params)
    chat.page.get_by_test_id("trouble_clear").click()
    expect(chat.page.get_by_test_id("toast")).to_contain_text("behaves again")
    bot(call, **params)


def test_tasks_at_kie_are_finished_failed_stalled_and_broken(open_page, anna, kie_server, servers):
    _telegram, kie = servers
    kie.settings(hold=True)
    ids = {order: new_task(kie_server) for order in ("finish", "fail", "stall", "break")}
    chat = open_page(anna, panel="open", tab="tasks")
    for order, task_id in ids.items():
        chat.page.locator(f"[data-task-id='{task_id}']").get_by_test_id(f"task-{order}").click()
    for order, state in {"finish": "success", "fail": "fail", "break": "success"}.items():
        expect(chat.page.locator(f"[data-task-id='{ids[order]}'] .chip").first).to_have_text(state)
    assert kie.task(ids["stall"])["state"] not in ("success", "fail")
    found = {order: result_status(kie_server, ids[order]) for order in ("finish", "break")}
    assert found == {"finish": 200, "break": 404}


def new_task(kie_server):
    """Make a task as a bot would; return its id."""
    body = {"model": "z-image", "input": {"prompt": "a fox", "aspect_ratio": "1:1"}}
    headers = {"Authorization": f"Bearer {kie_server.key}"}
    answer = requests.post(f"{kie_server.api_url}/api/v1/jobs/createTask", json=body, headers=headers, timeout=10)
    return answer.json()["data"]["taskId"]


def result_status(kie_server, task_id):
    """Return what the address of a task's result answers."""
    headers = {"Authorization": f"Bearer {kie_server.key}"}
    url = f"{kie_server.api_url}/api/v1/jobs/recordInfo"
    data = requests.get(url, params={"taskId": task_id}, headers=headers, timeout=10).json()["data"]
    return requests.get(json.loads(data["resultJson"])["resultUrls"][0], timeout=10).status_code


def test_the_clocks_go_faster(open_page, telegram, anna, servers):
    _telegram, kie = servers
    chat = open_page(anna, panel="open", tab="tasks")
    chat.page.get_by_test_id("kie-speed-100").click()
    expect(chat.page.get_by_test_id("kie-speed-100")).to_have_attribute("aria-pressed", "true")
    before = kie.now()
    chat.page.get_by_test_id("kie-forward").click()
    telegram.wait(lambda: kie.now() > before + 600, WAIT_S)
    open_tab(chat, "trouble")
    now = telegram.now
    stub = kie.now()
    chat.page.get_by_role("button", name="+ 1 day").click()
    telegram.wait(lambda: telegram.now > now + 86_000 and kie.now() > stub + 86_000, WAIT_S)
    kie.speed(1)


def test_kie_goes_down_slow_and_out_of_credits_and_is_well_again(open_page, anna, servers):
    _telegram, kie = servers
    chat = open_page(anna, panel="open")
    open_tab(chat, "trouble")

    def press(name):
        """Press a fault, and wait until it is set."""
        chat.page.get_by_test_id("toast").wait_for(state="detached")
        chat.page.get_by_test_id(name).click()
        expect(chat.page.get_by_test_id("toast")).to_be_visible()

    for name, kinds in (("kie_down", {"500"}), ("kie_slow", {"500", "slow"})):
        press(name)
        assert {order["kind"] for order in kie._get("trouble")} == kinds
    press("kie_empty")
    assert kie.bill()["credits"] == 0
    press("kie_calm")
    assert kie._get("trouble") == [] and kie.bill()["credits"] > 1000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pane_of_kie_is_in_russian_and_fits_beside_the_chat(open_page, anna, kie_server, servers, theme):
    servers[1].settings(hold=True)  # or a slow machine sees it end
    new_task(kie_server)
    chat = open_page(anna, size=(1440, 900), theme=theme)
    kept = {"lang": "ru", "panel": "open", "tab": "tasks", "welcomed": "yes", "theme": theme}
    for name, value in kept.items():
        chat.page.evaluate("([name, value]) => localStorage.setItem(name, value)", [f"demo.{name}", value])
    chat.page.goto(chat.page.url.split("?")[0])
    expect(chat.page.get_by_test_id("task")).to_be_visible()
    for tab in ("tasks", "trouble"):
        open_tab(chat, tab)
        wide = chat.page.evaluate(
            """() => [...document.querySelectorAll(".panel *")].filter(node => node.offsetParent
                && node.getBoundingClientRect().right > innerWidth + 0.5).map(node => node.className)"""
        )
        assert wide == []
    open_tab(chat, "tasks")
    said = chat.page.get_by_test_id("task").inner_text()
    assert not {"waiting", "queuing", "generating"} & set(said.split()) and "Завершить" in said
    assert faults_of(chat, "the pane of KIE") == []


def test_without_a_bot_behind_it_the_page_shows_no_ledger(open_page, anna):
    chat = open_page(anna, panel="open")
    expect(chat.page.get_by_test_id("tab-tasks")).to_be_visible()
    expect(chat.page.get_by_test_id("tab-ledger")).to_have_count(0)


# A long chat


def test_a_thousand_messages_stay_smooth(open_page, bot, anna, record_property):
    for number in range(1_000):
        say(bot, anna, f"message {number} with a few words in it", [("Again", f"again:{number}")])
    chat = open_page(anna)
    expect(bubble(chat, "message 999 ")).to_be_visible()
    assert chat.page.locator(MESSAGE).count() < 100  # the rest is drawn when one scrolls to it
    spent = [chat.page.evaluate(SCROLL_UP) for _ in range(16)]
    expect(bubble(chat, "message 0 ")).to_be_attached()
    chat.page.locator(".to-bottom").click()
    spent += [chat.page.evaluate(TYPE, letter) for letter in "typing goes on"]
    say(bot, anna, "the last one")
    expect(bubble(chat, "the last one")).to_be_visible()
    usual = statistics.median(spent)
    record_property("ms_per_step", usual)
    assert usual < 250, spent  # about 30 ms on an idle machine; this one may be busy with other tests


# How long the page takes to draw the next older page, or one more letter, until the frame after it.
FRAME = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SCROLL_UP = f"""async () => {{
    const begun = performance.now();
    document.querySelector(".scroller").scrollTop = 0;
    {FRAME};
    return performance.now() - begun;
}}"""
TYPE = f"""async (letter) => {{
    const begun = performance.now();
    const field = document.querySelector("[data-testid=composer]");
    field.value += letter;
    field.dispatchEvent(new Event("input"));
    {FRAME};
    return performance.now() - begun;
}}"""

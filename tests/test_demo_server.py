"""The local Bot API server: messages, edits, taps, updates, webhook, people, as the bot sees them over HTTP."""

import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from demo.kit import BotCallFailed, NoSuchButton, RawBot, Telegram
from demo.server import start


@pytest.fixture
def server():
    server = start(admin_ids=[42])
    yield server
    server.stop()


@pytest.fixture
def telegram(server):
    return Telegram(server.url)


@pytest.fixture
def bot(server):
    return RawBot(server.url, server.token)


@pytest.fixture
def alice(telegram):
    return telegram.person("Alice <3")


def refused(bot, method, **params):
    """Return the description of a refused call."""
    with pytest.raises(BotCallFailed) as failure:
        bot(method, **params)
    return failure.value.description


def keyboard(*rows):
    """Return an inline keyboard of rows of `label=data` pairs."""
    return {"inline_keyboard": [[{"text": label, "callback_data": data} for label, data in row] for row in rows]}


# Calls


def test_parameters_come_in_every_form_that_telegram_takes(server, bot, alice):
    url, text = f"{server.url}/bot{server.token}/sendMessage", "a & b = c + ä"
    fields = {"chat_id": str(alice.id), "text": text}
    answers = [
        requests.post(url, json={"chat_id": alice.id, "text": text}),
        requests.post(url, data=fields),
        requests.post(url, params=fields),
        requests.get(url, params=fields),
        requests.post(url, files={name: (None, value) for name, value in fields.items()}),
        requests.post(f"{server.url}/bot{server.token}/SENDmessage", json=fields),
    ]
    assert [answer.json()["result"]["text"] for answer in answers] == [text] * len(answers)


def test_a_wrong_token_a_wrong_method_and_a_broken_body_are_told_apart(server, bot):
    assert requests.get(f"{server.url}/bot2:WRONG/getMe").json() == {
        "ok": False,
        "error_code": 401,
        "description": "Unauthorized",
    }
    answer = requests.get(f"{server.url}/bot{server.token}/makeCoffee")
    assert (answer.status_code, answer.json()["description"]) == (
        404,
        "Not Found: method not known to the local server: makeCoffee",
    )
    answer = requests.post(
        f"{server.url}/bot{server.token}/getMe", data="{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_get_me_and_ids_beyond_32_bits(bot, alice, telegram):
    assert bot("getMe")["is_bot"] is True
    assert alice.id > 2**32
    assert telegram.person("Bob").id == alice.id + 1


def test_a_person_exists_or_the_chat_is_not_found(bot, alice):
    assert refused(bot, "sendMessage", text="x") == "Bad Request: chat_id is empty"
    for wrong in (7, "@alice", "--5", "²", [alice.id], 2**70):
        assert refused(bot, "sendMessage", chat_id=wrong, text="x") == "Bad Request: chat not found"
    assert bot("sendMessage", chat_id=str(alice.id), text="x")["chat"]["id"] == alice.id
    assert bot("getChat", chat_id=alice.id)["first_name"] == "Alice <3"
    assert bot("getChatMember", chat_id=alice.id, user_id=alice.id)["status"] == "member"


def test_blocking_answers_403_and_is_told_to_the_bot(bot, alice):
    alice.block()
    with pytest.raises(BotCallFailed) as failure:
        bot("sendMessage", chat_id=alice.id, text="x")
    assert (failure.value.code, failure.value.description) == (403, "Forbidden: bot was blocked by the user")
    assert refused(bot, "sendChatAction", chat_id=alice.id, action="typing").startswith("Forbidden")
    change = bot.updates()[0]["my_chat_member"]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "kicked")
    with pytest.raises(AssertionError, match="has blocked the bot"):
        alice.send("hello?")
    alice.send("/start")
    assert [next(key for key in update if key != "update_id") for update in bot.updates()] == [
        "my_chat_member",
        "message",
    ]
    assert bot("sendMessage", chat_id=alice.id, text="x")


# Texts


def test_the_length_of_a_text_counts_after_parsing_and_in_utf16(bot, alice):
    bot("sendMessage", chat_id=alice.id, text="<b>" + "x" * 4096 + "</b>", parse_mode="HTML")
    assert refused(bot, "sendMessage", chat_id=alice.id, text="x" * 4097) == "Bad Request: message is too long"
    assert refused(bot, "sendMessage", chat_id=alice.id, text="😀" * 2049) == "Bad Request: message is too long"
    assert refused(bot, "sendMessage", chat_id=alice.id) == "Bad Request: message text is empty"
    assert refused(bot, "sendMessage", chat_id=alice.id, text=" \n") == "Bad Request: text must be non-empty"


def test_broken_html_is_refused_with_telegrams_words(bot, alice):
    answer = refused(bot, "sendMessage", chat_id=alice.id, text="Hi, Alice <3", parse_mode="HTML")
    assert answer == "Bad Request: can't parse entities: Unclosed start tag at byte offset 10"
    assert "unsupported parse_mode" in refused(bot, "sendMessage", chat_id=alice.id, text="x", parse_mode="XML")


def test_a_message_carries_what_it_replies_to(bot, alice):
    asked = alice.send("how are you?")
    sent = bot("sendMessage", chat_id=alice.id, text="fine", reply_parameters={"message_id": asked["message_id"]})
    assert sent["reply_to_message"]["text"] == "how are you?"
    wrong = {"message_id": 999}
    text = refused(bot, "sendMessage", chat_id=alice.id, text="x", reply_parameters=wrong)
    assert text == "Bad Request: message to be replied not found"
    lenient = wrong | {"allow_sending_without_reply": True}
    assert "reply_to_message" not in bot("sendMessage", chat_id=alice.id, text="x", reply_parameters=lenient)
    answer = alice.send("good", reply_to=sent)
    assert answer["reply_to_message"]["text"] == "fine"


def test_unknown_parameters_are_accepted_and_ignored(bot, alice):
    more = {"message_thread_id": 5, "disable_notification": True, "link_preview_options": {"is_disabled": True}}
    assert bot("sendMessage", chat_id=alice.id, text="x", business_connection_id="b", effect="e", **more)


def test_copies_and_forwards(bot, alice, telegram):
    bob = telegram.person("Bob")
    sent = alice.send("one")
    assert set(bot("copyMessage", chat_id=bob.id, from_chat_id=alice.id, message_id=sent["message_id"])) == {
        "message_id"
    }
    assert bob.last == "one"
    forward = bot("forwardMessage", chat_id=bob.id, from_chat_id=alice.id, message_id=sent["message_id"])
    assert forward["forward_origin"]["sender_user"]["id"] == alice.id
    ids = [sent["message_id"], alice.send("two")["message_id"], 999]
    assert len(bot("copyMessages", chat_id=bob.id, from_chat_id=alice.id, message_ids=ids)) == 2
    missing = refused(bot, "copyMessage", chat_id=bob.id, from_chat_id=alice.id, message_id=999)
    assert missing == "Bad Request: message to copy not found"


def test_a_chat_action_is_checked(bot, alice):
    assert bot("sendChatAction", chat_id=alice.id, action="upload_photo") is True
    assert "wrong parameter action" in refused(bot, "sendChatAction", chat_id=alice.id, action="dancing")


# Keyboards


@pytest.mark.parametrize(
    ("button", "why"),
    [
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": "ж" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "url": "not a link"}, "inline keyboard button URL 'not a link' is invalid: Wrong HTTP URL"),
        ({"text": "x", "url": "http://localhost/"}, "Wrong HTTP URL"),
        ({"text": "x", "web_app": {"url": "http://a.b"}}, "Only HTTPS links are allowed"),
        ({"text": "x", "copy_text": {"text": "x" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "x", "callback_data": "x", "style": "pink"}, "invalid button style"),
        ({"text": "x"}, "Text buttons are unallowed in the inline keyboard"),
        ({"callback_data": "x"}, 'Field "text" must be of type String'),
        ({"text": "x", "pay": True}, "BUTTON_TYPE_INVALID"),
    ],
)
def test_a_wrong_button_is_refused(bot, alice, button, why):
    markup = {"inline_keyboard": [[button]]}
    assert why in refused(bot, "sendMessage", chat_id=alice.id, text="x", reply_markup=markup)


@pytest.mark.parametrize(
    "rows",
    [
        [[("x", "1")] * 9],
        [[("x", "1")] * 8] * 13,
        [[("Очень длинная подпись кнопки " * 3, "x" * 60)]] * 50,
    ],
    ids=["nine in a row", "more than a hundred", "more than 10 kB"],
)
def test_a_keyboard_has_limits(bot, alice, rows):
    answer = refused(bot, "sendMessage", chat_id=alice.id, text="x", reply_markup=keyboard(*rows))
    assert answer == "Bad Request: reply markup is too long"


def test_every_kind_of_button_that_we_use_is_taken(bot, alice):
    row = [
        {"text": "data", "callback_data": "d" * 64, "style": "danger"},
        {"text": "link", "url": "https://example.org/?a=1"},
        {"text": "start", "url": "tg://resolve?domain=demo_bot"},
        {"text": "copy", "copy_text": {"text": "4444"}},
        {"text": "app", "web_app": {"url": "https://example.org"}},
        {"text": "share", "switch_inline_query": ""},
    ]
    sent = bot("sendMessage", chat_id=alice.id, text="x", reply_markup=json.dumps({"inline_keyboard": [row]}))
    assert sent["reply_markup"]["inline_keyboard"] == [row]
    assert list(alice.buttons) == ["data", "link", "start", "copy", "app", "share"]


def test_a_reply_keyboard_is_seen_by_the_person_only(bot, alice):
    sent = bot("sendMessage", chat_id=alice.id, text="x", reply_markup={"keyboard": [["Yes", {"text": "No"}]]})
    assert "reply_markup" not in sent
    assert alice.last_message["_keyboard"]["keyboard"] == [[{"text": "Yes"}, {"text": "No"}]]
    bot("sendMessage", chat_id=alice.id, text="y", reply_markup={"remove_keyboard": True})
    assert alice.last_message["_keyboard"] == {"remove_keyboard": True}


# Edits and deletions


def test_an_edit_changes_the_message_in_place(bot, alice):
    sent = bot("sendMessage", chat_id=alice.id, text="one", reply_markup=keyboard([("A", "a")]))
    edited = bot("editMessageText", chat_id=alice.id, message_id=sent["message_id"], text="two")
    assert "reply_markup" not in edited  # an edit without a keyboard takes the old one away
    assert edited["edit_date"]
    assert [message["text"] for message in alice.messages] == ["two"]


def test_an_edit_that_changes_nothing_is_refused(bot, alice):
    markup = keyboard([("A", "a")])
    sent = bot("sendMessage", chat_id=alice.id, text="<b>one</b>", parse_mode="HTML", reply_markup=markup)
    same = {"chat_id": alice.id, "message_id": sent["message_id"], "reply_markup": markup}
    why = refused(bot, "editMessageText", text="<b>one</b>", parse_mode="HTML", **same)
    assert why.startswith("Bad Request: message is not modified: specified new message content and reply markup")
    assert bot("editMessageText", text="one", **same)
    assert "not modified" in refused(bot, "editMessageReplyMarkup", **same)
    assert bot("editMessageReplyMarkup", **same | {"reply_markup": keyboard([("B", "b")])})


def test_what_cannot_be_edited(bot, alice):
    said = alice.send("mine")
    sent = bot("sendMessage", chat_id=alice.id, text="x")
    here = {"chat_id": alice.id}
    assert "message to edit not found" in refused(bot, "editMessageText", **here, message_id=999, text="x")
    assert "message can't be edited" in refused(bot, "editMessageText", **here, message_id=said["message_id"], text="x")
    nothing = refused(bot, "editMessageCaption", **here, message_id=sent["message_id"], caption="x")
    assert nothing == "Bad Request: there is no caption in the message to edit"
    assert "message identifier is not specified" in refused(bot, "editMessageText", **here, text="x")


def test_messages_are_deleted_within_48_hours(bot, alice, telegram):
    old, new = bot("sendMessage", chat_id=alice.id, text="old"), alice.send("new")
    assert bot("deleteMessage", chat_id=alice.id, message_id=new["message_id"]) is True
    assert "not found" in refused(bot, "deleteMessage", chat_id=alice.id, message_id=new["message_id"])
    telegram.forward(48 * 3600 + 2)
    why = refused(bot, "deleteMessage", chat_id=alice.id, message_id=old["message_id"])
    assert why == "Bad Request: message can't be deleted for everyone"
    assert [message["text"] for message in alice.messages] == ["old"]
    fresh = bot("sendMessage", chat_id=alice.id, text="fresh")["message_id"]
    assert bot("deleteMessages", chat_id=alice.id, message_ids=[old["message_id"], fresh, 999]) is True
    assert [message["text"] for message in alice.messages] == ["old"]


def test_a_pinned_message_shows_in_the_chat(bot, alice):
    sent = bot("sendMessage", chat_id=alice.id, text="x")
    assert bot("pinChatMessage", chat_id=alice.id, message_id=sent["message_id"])
    assert bot("getChat", chat_id=alice.id)["pinned_message"]["text"] == "x"
    assert bot("unpinAllChatMessages", chat_id=alice.id)
    assert "pinned_message" not in bot("getChat", chat_id=alice.id)


# Taps


def test_a_tap_is_answered_once(bot, alice):
    bot("sendMessage", chat_id=alice.id, text="menu", reply_markup=keyboard([("💰 Balance", "balance:show")]))
    alice.tap("💰")
    query = bot.updates()[-1]["callback_query"]
    assert (query["data"], query["message"]["text"], query["from"]["id"]) == ("balance:show", "menu", alice.id)
    assert alice.toast is None
    assert bot("answerCallbackQuery", callback_query_id=query["id"], text="0 ₽", show_alert=True)
    assert alice.toast == "0 ₽"
    why = refused(bot, "answerCallbackQuery", callback_query_id=query["id"])
    assert why == "Bad Request: query is too old and response timeout expired or query ID is invalid"


def test_a_tap_cannot_be_answered_late(bot, alice, telegram):
    sent = bot("sendMessage", chat_id=alice.id, text="x")
    tap_id = alice.forge("any:data")
    telegram.forward(16)
    assert "query is too old" in refused(bot, "answerCallbackQuery", callback_query_id=tap_id)
    assert "query is too old" in refused(bot, "answerCallbackQuery", callback_query_id="12345")
    assert "MESSAGE_TOO_LONG" in refused(
        bot, "answerCallbackQuery", callback_query_id=alice.forge("x", sent), text="x" * 201
    )


def test_a_tap_on_a_deleted_message_comes_with_an_inaccessible_one(bot, alice):
    sent = bot("sendMessage", chat_id=alice.id, text="x")
    bot("deleteMessage", chat_id=alice.id, message_id=sent["message_id"])
    alice.forge("a:b", sent)
    message = bot.updates()[-1]["callback_query"]["message"]
    assert (message["message_id"], message["date"]) == (sent["message_id"], 0)


def test_the_kit_finds_buttons_by_label_data_or_beginning(bot, alice):
    bot("sendMessage", chat_id=alice.id, text="old", reply_markup=keyboard([("Back", "old:back")]))
    bot("sendMessage", chat_id=alice.id, text="new", reply_markup=keyboard([("Balance", "b:1"), ("B", "b:2")]))
    for wanted in ("B", "Bal", "b:1", "Back", "old:"):
        alice.tap(wanted)
    assert [update["callback_query"]["data"] for update in bot.updates()] == [
        "b:2",
        "b:1",
        "b:1",
        "old:back",
        "old:back",
    ]
    with pytest.raises(NoSuchButton, match="newest keyboard has .*Balance"):
        alice.tap("Nothing like it")


# Updates


def test_updates_stay_until_a_higher_offset_confirms_them(bot, alice, telegram):
    for text in "abc":
        alice.send(text)
    first = bot("getUpdates", limit=2)
    assert [update["message"]["text"] for update in first] == ["a", "b"]
    assert bot("getUpdates", limit=2) == first
    assert telegram.pending == 3
    rest = bot("getUpdates", offset=first[-1]["update_id"] + 1)
    assert [update["message"]["text"] for update in rest] == ["c"]
    assert telegram.pending == 1
    assert bot("getUpdates", offset=rest[-1]["update_id"] + 1) == []


def test_a_negative_offset_counts_from_the_end(bot, alice):
    for text in "abc":
        alice.send(text)
    assert [update["message"]["text"] for update in bot("getUpdates", offset=-1)] == ["c"]
    assert len(bot("getUpdates")) == 1


def test_at_most_a_hundred_updates_come_at_once(bot, alice):
    for number in range(103):
        alice.send(str(number))
    assert len(bot.updates()) == 100
    assert len(bot.updates()) == 3


def test_allowed_updates_are_remembered(bot, alice, telegram):
    bot("getUpdates", allowed_updates=["callback_query"])
    alice.send("unheard")
    assert bot("getUpdates") == []
    bot("getUpdates", allowed_updates=[])
    alice.send("heard")
    assert len(bot("getUpdates")) == 1


class Poll(threading.Thread):
    """A long poll in a thread of its own."""

    def __init__(self, bot, **params):
        super().__init__(daemon=True)
        self.url, self.params = f"{bot.url}/bot{bot.token}/getUpdates", {"timeout": 30} | params
        self.start()

    def run(self):
        self.body = requests.post(self.url, json=self.params).json()

    def answer(self):
        """Return the JSON of the answer."""
        self.join(10)
        return self.body


def waiting(server):
    """Wait until a poll waits at the server."""
    deadline = time.monotonic() + 5
    while not server.world.updates._poll:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_long_poll_ends_when_something_happens(server, bot, alice):
    poll = Poll(bot)
    waiting(server)
    alice.send("at last")
    assert poll.answer()["result"][0]["message"]["text"] == "at last"


def test_a_second_poll_ends_the_first_with_409(server, bot, alice):
    first = Poll(bot)
    waiting(server)
    assert bot("getUpdates") == []
    assert first.answer() == {
        "ok": False,
        "error_code": 409,
        "description": "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running",
    }


def test_privacy_mode_hides_most_of_a_group(bot, alice, telegram):
    bob = telegram.person("Bob")
    group = telegram.group("Friends", alice, bob)
    assert bot.updates()[0]["my_chat_member"]["chat"]["type"] == "supergroup"
    sent = bot("sendMessage", chat_id=group.id, text="hello all", reply_markup=keyboard([("Go", "go")]))
    alice.send("chatting", group=group)
    alice.send("/start", group=group)
    alice.send("/start@demo_bot", group=group)
    alice.send("/start@other_bot", group=group)
    alice.send("ask @demo_bot about it", group=group)
    alice.send("yes", group=group, reply_to=sent)
    bob.tap("Go", group=group)
    seen = bot.updates()
    texts = [update["message"]["text"] for update in seen if "message" in update]
    assert texts == ["/start", "/start@demo_bot", "ask @demo_bot about it", "yes"]
    assert seen[-1]["callback_query"]["message"]["chat"]["id"] == group.id
    assert len(group.messages) == 7
    assert bot("getChatMemberCount", chat_id=group.id) == 3


# Webhook


class Hook(BaseHTTPRequestHandler):
    """A bot's webhook: answers as `server.answers` say, 200 when they are used up."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.headers.get("X-Telegram-Bot-Api-Secret-Token"), body))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        """Stay silent."""


@pytest.fixture
def hook():
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    hook.got, hook.answers = [], []
    hook.url = f"http://127.0.0.1:{hook.server_port}/hook"
    threading.Thread(target=hook.serve_forever, args=(0.01,), daemon=True).start()
    yield hook
    hook.shutdown()
    hook.server_close()


def test_a_webhook_gets_updates_in_order_again_after_an_error_and_may_answer_with_a_call(hook, bot, alice, telegram):
    call = json.dumps({"method": "sendMessage", "chat_id": alice.id, "text": "from the webhook"}).encode()
    hook.answers = [(500, b"down"), (200, call)]
    alice.send("before")
    assert bot("setWebhook", url=hook.url, secret_token="abc_1-2") is True
    alice.send("after")
    alice.wait_for("from the webhook")
    telegram.wait(lambda: telegram.pending == 0)
    assert [secret for secret, _ in hook.got] == ["abc_1-2"] * 3
    assert [body["message"]["text"] for _, body in hook.got] == ["before", "before", "after"]
    info = bot("getWebhookInfo")
    assert (info["url"], info["pending_update_count"]) == (hook.url, 0)
    assert info["last_error_message"] == "Wrong response from the webhook: 500 Internal Server Error"


def test_a_certificate_of_ones_own_is_trusted_once_it_came_with_the_webhook(hook, bot, alice, telegram, tmp_path):
    pem, key = tmp_path / "bot.pem", tmp_path / "bot.key"
    command = "openssl req -newkey rsa:2048 -nodes -x509 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", pem], check=True, capture_output=True, timeout=60)
    inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    inside.load_cert_chain(pem, key)
    hook.socket = inside.wrap_socket(hook.socket, server_side=True)
    url = hook.url.replace("http:", "https:")
    bot("setWebhook", url=url)
    alice.send("hello")
    telegram.wait(lambda: "last_error_message" in bot("getWebhookInfo"))
    assert bot("getWebhookInfo")["last_error_message"] == "SSL error {certificate verify failed}" and not hook.got
    bot("setWebhook", url=url, files={"certificate": ("bot.pem", pem.read_bytes())})
    telegram.wait(lambda: telegram.pending == 0)
    assert [body["message"]["text"] for _, body in hook.got] == ["hello"]
    assert bot("getWebhookInfo")["has_custom_certificate"] is True


def test_a_webhook_refuses_polls_until_it_is_deleted(server, hook, bot, alice):
    poll = Poll(bot)
    waiting(server)
    bot("setWebhook", url=hook.url)
    assert poll.answer()["error_code"] == 409
    assert "can't use getUpdates method while webhook is active" in refused(bot, "getUpdates")
    bot("deleteWebhook", drop_pending_updates=True)
    assert bot("getUpdates") == []
    assert "HTTPS URL must be provided" in refused(bot, "setWebhook", url="http://example.org/")
    assert "unallowed characters" in refused(bot, "setWebhook", url="https://example.org/", secret_token="ä")


# The bot's profile


def test_commands_have_scopes_and_languages(bot, alice, telegram):
    ivan = telegram.person("Иван", language_code="ru")
    english, russian = [{"command": "start", "description": "Begin"}], [{"command": "start", "description": "Начать"}]
    bot("setMyCommands", commands=english)
    bot("setMyCommands", commands=russian, language_code="ru")
    own = [{"command": "admin", "description": "All of it"}]
    bot("setMyCommands", commands=own, scope={"type": "chat", "chat_id": alice.id})
    assert bot("getMyCommands") == english
    assert bot("getMyCommands", scope={"type": "all_private_chats"}) == []
    shown = [telegram.call("GET", f"/state?person={one.id}")["bot"]["commands"] for one in (alice, ivan)]
    assert shown == [own, russian]
    bot("deleteMyCommands", scope={"type": "chat", "chat_id": alice.id})
    assert telegram.call("GET", f"/state?person={alice.id}")["bot"]["commands"] == english


@pytest.mark.parametrize(
    ("command", "about", "why"),
    [("Start", "x", "BOT_COMMAND_INVALID"), ("a" * 33, "x", "BOT_COMMAND_INVALID"), ("a", "", "DESCRIPTION_INVALID")],
)
def test_wrong_commands_are_refused(bot, command, about, why):
    assert why in refused(bot, "setMyCommands", commands=[{"command": command, "description": about}])


def test_texts_and_menu_button_of_the_bot(bot, alice, telegram):
    bot("setMyDescription", description="Makes pictures")
    bot("setMyDescription", description="Рисует", language_code="ru")
    bot("setMyShortDescription", short_description="Pictures")
    assert bot("getMyDescription", language_code="ru") == {"description": "Рисует"}
    assert bot("getMyDescription", language_code="de") == {"description": "Makes pictures"}
    assert "TOO_LONG" in refused(bot, "setMyShortDescription", short_description="x" * 121)
    bot("setChatMenuButton", menu_button={"type": "commands"})
    assert bot("getChatMenuButton", chat_id=alice.id) == {"type": "commands"}
    assert telegram.state["bot"]["description"] == "Makes pictures"

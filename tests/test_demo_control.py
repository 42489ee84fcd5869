"""The control API of the local Bot API server: faults, clock, limits, calls, events, state, and who may use it."""

import json
import time

import pytest
import requests

from demo.kit import BotCallFailed, RawBot, Telegram
from demo.server import start
from plugins.profile import PHOTO
from tests.kit import png


@pytest.fixture
def server():
    server = start(admin_ids=[42], kie_url="http://127.0.0.1:9000")
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
    return telegram.person("Alice")


def send(server, alice, **params):
    """Send a message as the bot; return the HTTP answer."""
    return requests.post(
        f"{server.url}/bot{server.token}/sendMessage", json={"chat_id": alice.id, "text": "x"} | params
    )


# Trouble


@pytest.mark.parametrize(
    ("kind", "status", "start"),
    [
        ("500", 500, '{"ok":false,"error_code":500,"description":"Internal Server Error"}'),
        ("502", 502, "<html>"),
        ("401", 401, '{"ok":false,"error_code":401,"description":"Unauthorized"}'),
        ("403", 403, '{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'),
        ("409", 409, '{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates'),
        ("garbage", 200, "\x00<not json"),
    ],
)
def test_a_call_fails_as_arranged_and_then_works(server, telegram, alice, kind, status, start):
    telegram.fail_next("sendMessage", kind)
    answer = send(server, alice)
    assert (answer.status_code, answer.text[: len(start)]) == (status, start)
    assert send(server, alice).json()["ok"]


def test_a_429_names_the_time_to_wait_twice(server, telegram, alice):
    telegram.fail_next("*", "429", retry_after=7)
    answer = send(server, alice)
    assert answer.headers["Retry-After"] == "7"
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 7",
        "parameters": {"retry_after": 7},
    }


@pytest.mark.parametrize(("kind", "arrived"), [("drop", 1), ("drop_before", 0)])
def test_a_cut_connection_leaves_the_outcome_unknown(server, telegram, alice, kind, arrived):
    telegram.fail_next("sendMessage", kind)
    with pytest.raises(requests.ConnectionError):
        send(server, alice)
    assert len(alice.messages) == arrived


def test_trouble_can_be_for_one_chat_for_some_times_and_called_off(server, telegram, alice):
    bob = telegram.person("Bob")
    telegram.fail_next("sendMessage", "500", times=2, chat_id=bob.id)
    assert send(server, alice).ok
    assert [send(server, bob).status_code for _ in range(3)] == [500, 500, 200]
    telegram.fail_next("*", "slow", delay_s=0.01)
    assert send(server, alice).ok
    telegram.fail_next("*", "500", times=99)
    telegram.no_trouble()
    assert send(server, alice).ok
    with pytest.raises(AssertionError, match="wanted one of"):
        telegram.fail_next("*", "weather")


# Limits, clock, calls


def test_flood_limits_count_by_chat_and_in_all(server, telegram, alice):
    bob = telegram.person("Bob")
    telegram.set_time(1_800_000_000)
    assert [send(server, alice).status_code for _ in range(3)] == [200] * 3  # off by default
    telegram.flood_limits(per_second=2, per_chat=1)
    assert send(server, alice).ok
    second = send(server, alice)
    assert (second.status_code, second.headers["Retry-After"]) == (429, "1")
    assert send(server, bob).ok
    telegram.forward(1)
    assert send(server, alice).ok
    telegram.flood_limits(on=False)
    assert send(server, alice).ok


def test_the_clock_stops_moves_and_runs(telegram, alice):
    telegram.set_time(1_800_000_000)
    assert alice.send("x")["date"] == 1_800_000_000
    assert telegram.forward(60) == 1_800_000_060
    telegram.call("POST", "/clock", json={"real": True})
    assert abs(telegram.now - time.time()) < 60


def test_calls_are_listed_without_the_token(telegram, bot, alice):
    bot("getMe")
    bot("sendDocument", files={"document": ("a.txt", b"12345")}, chat_id=alice.id)
    with pytest.raises(BotCallFailed):
        bot("sendMessage", chat_id=1, text="x")
    first, second, third = telegram.calls()
    assert (first["method"], first["ok"], first["result"]["id"]) == ("getMe", True, 1)
    assert second["params"]["document"] == {"file": "a.txt", "size": 5, "type": ""}
    assert (third["ok"], third["description"]) == (False, "Bad Request: chat not found")
    assert telegram.calls("sendmessage") == [third]
    assert telegram.calls(after=second["n"]) == [third]
    assert bot.token not in json.dumps(telegram.calls())
    assert telegram.call_count == 3


def test_raw_updates_go_through(telegram, bot):
    telegram.update(poll={"id": "1"}, update_id=5)
    assert telegram.pending == 1
    assert bot.updates()[0]["poll"] == {"id": "1"}


# People and messages


def test_state_lists_bot_people_and_time(telegram, alice):
    state = telegram.state
    assert (state["bot"]["username"], state["kie"]) == ("demo_bot", "http://127.0.0.1:9000")
    assert [(one["id"], one["role"]) for one in state["people"]] == [(42, "admin"), (alice.id, "user")]
    assert telegram.person("Boss", id=42).id == 42
    assert telegram.state["people"][0]["first_name"] == "Boss"


def test_a_person_edits_clears_and_renames(telegram, bot, alice):
    sent = alice.send("helo")
    alice.edit(sent, "hello")
    assert [next(iter(set(update) - {"update_id"})) for update in bot.updates()] == ["message", "edited_message"]
    assert alice.messages[0]["text"] == "hello"
    alice.change(first_name="Alicia", clear=True)
    assert alice.messages == []
    assert alice.send("again")["from"]["first_name"] == "Alicia"
    assert [message["text"] for message in alice.messages] == ["again"]
    with pytest.raises(AssertionError, match="is no text of"):
        alice.edit(bot("sendMessage", chat_id=alice.id, text="x"), "mine now")


def test_a_long_text_goes_as_several_messages(alice):
    alice.send("😀" * 3000)
    assert [len(message["text"]) for message in alice.messages] == [2048, 952]


def test_a_forward_says_so(alice, bot):
    alice.photo_sent = alice.send_file("document", ("a.txt", b"x"), forward="1")
    assert bot.updates()[0]["message"]["forward_origin"]["type"] == "hidden_user"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/people/1/send", {"text": "x"}, 404),
        ("POST", "/people/42/send", {"text": ""}, 400),
        ("POST", "/people/42/send", {"text": "x", "reply_to": 9}, 404),
        ("POST", "/people/42/send", {"text": "x", "chat_id": -5}, 404),
        ("POST", "/people/42/tap", {"message_id": 9, "data": "x"}, 404),
        ("POST", "/people/42/pay", {"message_id": 9}, 404),
        ("POST", "/people", {"first_name": ""}, 400),
        ("POST", "/updates", {}, 400),
        ("POST", "/limits", {"speed": 5}, 400),
        ("GET", "/files/none", None, 404),
        ("GET", "/taps/1", None, 404),
        ("GET", "/nonsense", None, 404),
    ],
)
def test_what_cannot_be_done_is_a_4xx_with_words(server, method, path, body, status):
    answer = requests.request(method, f"{server.url}/demo{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_reset_forgets_everything(telegram, bot, alice):
    alice.send("x")
    telegram.set_time(5)
    bot("setMyDescription", description="x")
    telegram.reset()
    state = telegram.state
    assert [one["id"] for one in state["people"]] == [42]
    assert (state["bot"]["description"], telegram.pending, telegram.calls()) == ("", 0, [])
    assert telegram.person("Bob").messages == []


# Events


def read_events(answer, number):
    """Return the next events of a stream as `(event, data)`."""
    events, lines = [], answer.iter_lines(decode_unicode=True, chunk_size=1)
    while len(events) < number:
        line = next(lines)
        if line.startswith("event: "):
            events.append((line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))))
    return events


def test_the_page_hears_what_happens(server, bot, alice):
    with requests.get(f"{server.url}/demo/events", stream=True, timeout=10) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        said = alice.send("hi")
        sent = bot("sendMessage", chat_id=alice.id, text="x", reply_markup={"keyboard": [["Yes"]]})
        bot("editMessageText", chat_id=alice.id, message_id=sent["message_id"], text="y")
        bot("deleteMessage", chat_id=alice.id, message_id=said["message_id"])
        bot("sendChatAction", chat_id=alice.id, action="typing")
        bot("answerCallbackQuery", callback_query_id=alice.forge("a"), text="toast")
        alice.block()
        events = read_events(stream, 12)
    assert [name for name, _ in events] == [
        "message", "message", "call", "edited", "call", "deleted", "call", "action", "call", "answer", "call", "person",
    ]  # fmt: skip
    assert events[0][1]["message"]["_from_bot"] is False
    assert events[1][1]["message"]["_keyboard"]["keyboard"] == [[{"text": "Yes"}]]
    assert events[2][1]["method"] == "sendMessage"
    assert events[9][1]["text"] == "toast"
    assert events[11][1]["person"]["blocked"] is True


# State file


def test_a_restart_keeps_the_chats(tmp_path):
    path = tmp_path / "state" / "demo.json"
    first = start(state_path=path, people=["Anna"])
    telegram, bot = Telegram(first.url), RawBot(first.url, first.token)
    anna = telegram.person("Anna", id=telegram.state["people"][0]["id"])
    anna.document(b"12345", name="a.txt")
    markup = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    bot("sendMessage", chat_id=anna.id, text="menu", reply_markup=markup)
    bot("setMyCommands", commands=[{"command": "start", "description": "Begin"}])
    before = anna.messages
    first.stop()

    second = start(state_path=path, people=["Anna"])
    telegram, bot = Telegram(second.url), RawBot(second.url, second.token)
    assert [one["first_name"] for one in telegram.state["people"]] == ["Anna"]
    anna = telegram.person("Anna", id=anna.id)
    assert anna.messages == before
    assert telegram.state["bot"]["commands"] == [{"command": "start", "description": "Begin"}]
    assert requests.get(second.url + before[0]["document"]["_url"]).content == b"12345"
    anna.tap("Go")
    updates = bot.updates()
    assert [update["update_id"] for update in updates] == [700000001, 700000002]
    assert bot("sendMessage", chat_id=anna.id, text="x")["message_id"] == before[-1]["message_id"] + 1
    telegram.reset()
    assert list((tmp_path / "state" / "demo.json.files").iterdir()) == []
    second.stop()


def test_an_unreadable_state_file_stops_the_start(tmp_path):
    path = tmp_path / "demo.json"
    path.write_text('{"people": [')
    with pytest.raises(ValueError, match="demo.json is no state file: Expecting value"):
        start(state_path=path)
    assert path.read_text() == '{"people": ['


# Who may use it


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
]
SENT = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]  # with a form, a picture or a link


@pytest.mark.parametrize("path", ["/demo/state", "/", "/page/js/main.js"])
@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_cannot_use_the_page_or_the_control_plane(server, path, headers):
    assert requests.get(server.url + path, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", FOREIGN + SENT)
def test_other_sites_cannot_be_the_bot_even_with_its_token(server, bot, alice, headers):
    sent, api = bot("sendMessage", chat_id=alice.id, text="x"), f"{server.url}/bot{server.token}"
    for method, path in (
        ("GET", "getUpdates"),
        ("POST", "setWebhook?url=http://127.0.0.1:9/"),
        ("GET", f"sendMessage?chat_id={alice.id}&text=y"),
    ):
        assert requests.request(method, f"{api}/{path}", headers=headers).status_code == 403, path
    assert requests.get(f"{server.url}/file/bot{server.token}/x", headers=headers).status_code == 403
    assert bot("getWebhookInfo")["url"] == "" and [message["message_id"] for message in alice.messages] == [
        sent["message_id"]
    ]


@pytest.mark.parametrize("headers", SENT)
def test_a_link_on_another_site_opens_the_page_and_nothing_else(server, headers):
    assert requests.get(f"{server.url}/", headers=headers | {"Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert requests.get(f"{server.url}/demo/state", headers=headers).status_code == 403


def test_the_token_is_a_new_one_at_each_start(server):
    other = start()
    try:
        assert len({server.token, other.token}) == 2 and min(map(len, (server.token, other.token))) > 30
        assert requests.get(f"{other.url}/bot{server.token}/getMe").status_code == 401
    finally:
        other.stop()


def test_the_own_page_can(server):
    port = server.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        assert requests.get(f"{server.url}/demo/state", headers=headers).status_code == 200


def test_the_page_serves_its_own_folder_only(server):
    assert requests.get(f"{server.url}/").headers["Content-Type"] == "text/html; charset=utf-8"
    for path in ("/page/..%2fserver.py", "/page/%2e%2e/kit.py", "/page/none.js", "/etc/passwd"):
        assert requests.get(server.url + path).status_code == 404


def test_a_taken_port_is_an_error(server):
    with pytest.raises(OSError, match="address already in use"):
        start(port=int(server.url.rpartition(":")[2]))


def test_the_bots_photo_is_a_jpeg_that_comes_with_the_call_and_shows_to_people(server, bot, telegram):
    def put(name, data, **photo):
        return requests.post(
            f"{server.url}/bot{server.token}/setMyProfilePhoto",
            data={"photo": json.dumps({"type": "static", "photo": "attach://x"} | photo)},
            files={"x": (name, data)},
            timeout=10,
        ).json()

    me = bot("getMe")["id"]
    assert bot("getUserProfilePhotos", user_id=me)["total_count"] == 0
    assert "PHOTO_EXT_INVALID" in put("a.png", png())["description"]
    assert "unsupported type" in put("a.jpg", PHOTO.read_bytes(), type="moving")["description"]
    assert put("a.jpg", PHOTO.read_bytes())["ok"]
    (sizes,) = bot("getUserProfilePhotos", user_id=me)["photos"]
    assert telegram.state["bot"]["photo"] == sizes[-1]["file_unique_id"]
    assert bot("removeMyProfilePhoto") and telegram.state["bot"]["photo"] is None

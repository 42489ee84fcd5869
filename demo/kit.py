"""The test kit: people on the local Bot API server, as plain objects.

    telegram = Telegram(server.url)
    alice = telegram.person("Alice <3")
    alice.send("/start")
    alice.tap("Balance")
    assert "0 ₽" in alice.last

Every act goes through the control plane over HTTP. `pump` is called after each act, and again and again while one
waits for the bot: give it the function that lets a bot in this process work off its updates.
"""

import collections
import threading
import time
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPException
from json import dumps, loads
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.util import wait_for_read

WAIT_S = 10  # for a bot that works by itself
STEP_S = 0.01  # between two checks
TIMEOUT_S = 60


class NoSuchButton(AssertionError):
    """No message has the button to be tapped; the text lists those that exist."""


class Http:
    """JSON over kept-alive connections to one server, for any number of threads.

    Tests make many calls, and `requests` takes four times the CPU of `http.client`; it is used only for forms with
    files.
    """

    def __init__(self, url):
        self.url, self._place, self._idle = url, urlsplit(url), collections.deque()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between this machine and itself

    def __del__(self):
        while self._idle:
            self._idle.pop().close()

    def ask(self, method, path, *, params=None, json=None, files=None, data=None):
        """Return (status, parsed body); raise OSError if there is no answer."""
        if files:
            answer = self._session.request(method, self.url + path, data=data, files=files, timeout=TIMEOUT_S)
            return answer.status_code, answer.json()
        body = None if json is None else dumps(json)
        path = f"{path}?{urlencode(params)}" if params else path
        connection = self._connection()
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        self._idle.append(connection)
        return status, loads(content)

    def _connection(self):
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return HTTPConnection(self._place.hostname, self._place.port, timeout=TIMEOUT_S)
            if connection.sock and not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()  # the server closes it, too


class Telegram:
    """The server at `url`: its people, clock, ordered errors and the list of the bot's calls.

    `server` is given where it runs in this process: its count of calls is then read, and its clock set, without one.
    """

    def __init__(self, url, pump=None, server=None):
        self.url, self.pump, self.server = url.rstrip("/"), pump or (lambda: None), server
        self._http = Http(self.url)

    def call(self, method, path, **options):
        """Call the control plane and return its JSON; on an error, raise AssertionError with its text."""
        status, body = self._http.ask(method, f"/demo{path}", **options)
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {body['error']}")
        return body

    def act(self, method, path, **options):
        """Do something as a person: call, then let the bot work."""
        body = self.call(method, path, **options)
        self.pump()
        return body

    def act_with_bot(self, path, json):
        """Do something that returns only once the bot has answered; the bot works meanwhile."""
        future = Future()

        def run():
            """Make the call, beside the bot."""
            try:
                future.set_result(self.call("POST", path, json=json))
            except (AssertionError, OSError) as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        while not future.done():
            self.pump()
            time.sleep(STEP_S)
        self.pump()
        return future.result()

    def person(self, first_name="Alice", **fields):
        """Add a person (or change the one with this `id`); fields: id, last_name, username, language_code."""
        body = self.call("POST", "/people", json={"first_name": first_name, **fields})
        return Person(self, body["id"])

    def group(self, title, *people, **fields):
        """Create a group of `people` and the bot; write there with `alice.send(text, group=group)`.

        The first of them is its creator; with `type="group"` it is no supergroup yet.
        """
        members = [person.id for person in people]
        return Group(self, self.act("POST", "/groups", json={"title": title, "members": members, **fields})["id"])

    @property
    def state(self):
        """The bot's profile, the people and the time."""
        return self.call("GET", "/state")

    @property
    def pending(self):
        """How many updates the bot has not confirmed."""
        if self.server is not None:
            return len(self.server.world.updates.waiting)
        return self.call("GET", "/pending")["updates"]

    @property
    def call_count(self):
        """How many calls the bot has made; much cheaper than `len(calls())`."""
        if self.server is not None:
            return self.server.world.calls.n
        return self.call("GET", "/pending")["calls"]

    @property
    def now(self):
        """The server's time, in seconds since 1970."""
        return self.state["now"]

    def calls(self, method="", after=0):
        """Return the bot's calls (of `method`), oldest first."""
        return self.call("GET", "/calls", params={"method": method, "after": after})["calls"]

    def fail_next(self, method, kind, times=1, **more):
        """Make the next calls of `method` ("*": any) fail; more: retry_after, delay_s, chat_id."""
        self.call("POST", "/trouble", json={"method": method, "kind": kind, "times": times, **more})

    def no_trouble(self):
        """Cancel all ordered errors."""
        self.call("DELETE", "/trouble")

    def forward(self, seconds):
        """Move the server's clock forward."""
        return self.call("POST", "/clock", json={"forward_s": seconds})["now"]

    def set_time(self, now):
        """Stop the server's clock at `now` (seconds since 1970)."""
        if self.server is not None:
            self.server.set_time(now)
        else:
            self.call("POST", "/clock", json={"now": now})

    def flood_limits(self, on=True, per_second=30, per_chat=1):
        """Switch Telegram's flood limits on or off."""
        self.call("POST", "/limits", json={"flood": on, "per_second": per_second, "per_chat": per_chat})

    def update(self, **content):
        """Send the bot a raw update, e.g. `update(poll={…})`."""
        return self.act("POST", "/updates", json=content)

    def reset(self):
        """Forget everything."""
        self.call("POST", "/reset")

    def wait(self, condition, seconds=WAIT_S, about="what was waited for"):
        """Let the bot work until `condition()` is true; return its value, or fail after `seconds`.

        `about`, a text or a function that returns one, says in the failure what did not happen.
        """
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{about() if callable(about) else about} did not happen in {seconds} s")
            self.pump()
            time.sleep(STEP_S)
        return value


class BotCallFailed(Exception):
    """A call of the Bot API that was refused: `code`, `description`, and `body` with the rest."""

    def __init__(self, method, body):
        super().__init__(f"{method}: {body['description']}")
        self.code, self.description, self.body = body["error_code"], body["description"], body


class RawBot:
    """The bot's side without any library: `bot("sendMessage", chat_id=…, text=…)` returns the result or raises."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        self._http = Http(url)
        self._offset = 0

    def __call__(self, method, files=None, **params):
        """Make one call, as JSON or, with `files`, as multipart."""
        options = {"data": params, "files": files} if files else {"json": params}
        _status, body = self._http.ask("POST", f"/bot{self.token}/{method}", **options)
        if not body["ok"]:
            raise BotCallFailed(method, body)
        return body["result"]

    def updates(self, **params):
        """Return the updates since the last call, and confirm them with the next one."""
        updates = self("getUpdates", offset=self._offset, **params)
        self._offset = updates[-1]["update_id"] + 1 if updates else self._offset
        return updates


class Chat:
    """What the bot has said in a chat of a person, or in a group."""

    @property
    def received(self):
        """The bot's messages, oldest first."""
        return [message for message in self.messages if message["_from_bot"]]

    @property
    def last_message(self):
        """The bot's newest message, or None."""
        return (self.received or [None])[-1]

    @property
    def last(self):
        """Text, caption or poll question of the bot's newest message, "" if there is none."""
        message = self.last_message or {}
        return message.get("text") or message.get("caption") or message.get("poll", {}).get("question", "")

    @property
    def buttons(self):
        """Labels → data (or URL, or text to copy …) of the newest message with an inline keyboard."""
        marked = [message for message in self.received if "inline_keyboard" in message.get("reply_markup", {})]
        return _buttons(marked[-1], KINDS) if marked else {}


class Group(Chat):
    """A group with the bot in it; `id` is its chat id, a negative number."""

    def __init__(self, telegram, id):
        self.telegram, self.id = telegram, id

    def __repr__(self):
        return f"<Group {self.id}>"

    @property
    def messages(self):
        """All messages, oldest first."""
        return self.telegram.call("GET", f"/groups/{self.id}/messages")["messages"]

    def change(self, **fields):
        """Change title, members or admins (ids); `has_bot=False` removes the bot, `refuses` are the words that refuse files."""
        self.telegram.act("PATCH", f"/groups/{self.id}", json=fields)

    def upgrade(self):
        """Turn it into a supergroup; return that Group."""
        return Group(self.telegram, self.telegram.act("PATCH", f"/groups/{self.id}", json={"upgrade": True})["id"])


class Person(Chat):
    """Somebody who uses the bot; `id` is their Telegram id, and that of the private chat.

    What is called a Message is a dict, as the Bot API has it: `message["message_id"]`, `message.get("text")`,
    `message.get("caption")`, `"photo" in message`, `message["reply_markup"]["inline_keyboard"]`; besides, `_from_bot`.
    """

    def __init__(self, telegram, id):
        self.telegram, self.id = telegram, id
        self._tap = None

    def __repr__(self):
        return f"<Person {self.id}>"

    # Writing

    def send(self, text, reply_to=None, group=None, **more):
        """Send text, privately or into a `group`; return the Message. More: entities, as_group, thread_id."""
        body = {"text": text, **more, **_place(group)} | ({"reply_to": _id(reply_to)} if reply_to else {})
        return self.telegram.act("POST", f"/people/{self.id}/send", json=body)["messages"][-1]

    def send_file(self, kind, *files, group=None, reply_to=None, **fields):
        """Send files of one kind: bytes or `(name, bytes)`; fields: caption, duration, media_group, forward …"""
        fields |= _place(group) | ({"reply_to": _id(reply_to)} if reply_to else {})
        parts = [("file", file if isinstance(file, tuple) else (NAMES[kind], file)) for file in files]
        path = f"/people/{self.id}/send"
        return self.telegram.act("POST", path, files=parts, data={"kind": kind, **fields})["messages"]

    def photo(self, data, caption="", **fields):
        """Send a picture as a photo; return the Message."""
        return self.send_file("photo", data, caption=caption, **fields)[0]

    def document(self, data, name="file.bin", caption="", **fields):
        """Send a file as a document; return the Message."""
        return self.send_file("document", (name, data), caption=caption, **fields)[0]

    def video(self, data, caption="", **fields):
        """Send a video; fields: duration (seconds), width, height."""
        return self.send_file("video", data, caption=caption, **fields)[0]

    def audio(self, data, caption="", **fields):
        """Send music; fields: duration (seconds)."""
        return self.send_file("audio", data, caption=caption, **fields)[0]

    def voice(self, data, **fields):
        """Send a voice message; fields: duration (seconds)."""
        return self.send_file("voice", data, **fields)[0]

    def animation(self, data, caption="", **fields):
        """Send a GIF or a silent video."""
        return self.send_file("animation", data, caption=caption, **fields)[0]

    def sticker(self, data):
        """Send a sticker."""
        return self.send_file("sticker", data)[0]

    def contact(self):
        """Send one's own contact, as the button of a reply keyboard does."""
        return self.telegram.act("POST", f"/people/{self.id}/send", json={"contact": True})["messages"][0]

    def location(self, latitude, longitude):
        """Send a place, in degrees."""
        place = {"latitude": latitude, "longitude": longitude}
        return self.telegram.act("POST", f"/people/{self.id}/send", json={"location": place})["messages"][0]

    def album(self, pictures, caption="", kind="photo", **fields):
        """Send files as one album; return its Messages."""
        return self.send_file(kind, *pictures, caption=caption, media_group="1", **fields)

    def edit(self, message, text, group=None):
        """Edit the text of one's own message."""
        body = {"message_id": _id(message), "text": text, **_place(group)}
        return self.telegram.act("POST", f"/people/{self.id}/edit", json=body)

    def delete(self, message, group=None):
        """Delete one's own message."""
        body = {"message_id": _id(message), **_place(group)}
        self.telegram.act("POST", f"/people/{self.id}/delete", json=body)

    # Tapping and paying

    def tap(self, button, message=None, group=None):
        """Tap a button of the newest message that has it: by label, by callback data, or by the beginning of either."""
        message_id, data = self._find(button, _id(message) if message else None, group or self)
        return self._send_tap(message_id, data, group)

    def forge(self, data, message=None, group=None):
        """Tap with forged data, on the newest message of the bot unless told otherwise."""
        sent = [one for one in (group or self).messages if one["_from_bot"]]
        assert message or sent, "the bot has sent nothing to tap on"
        return self._send_tap(_id(message) if message else sent[-1]["message_id"], data, group)

    def _send_tap(self, message_id, data, group):
        body = {"message_id": message_id, "data": data, **_place(group)}
        self._tap = self.telegram.act("POST", f"/people/{self.id}/tap", json=body)
        return self._tap["callback_query_id"]

    def _find(self, button, message_id, chat):
        """Return message_id and data of a button in a chat."""
        shown = []
        for message in reversed(chat.messages):
            if message["_from_bot"] and message_id in (None, message["message_id"]):
                own = _buttons(message)
                match = _match(own, button)
                if match:
                    return message["message_id"], match
                shown.append(own)
        there = next((own for own in shown if own), {})
        raise NoSuchButton(f"no button {button!r}; the newest keyboard has {there}; the last text is {self.last!r}")

    def pay(self, message=None, times=1, cancel=False, link=None):
        """Pay the newest invoice (or the one of `message` or `link`); return `{state, error, charge_ids}`."""
        body = {"times": times, "cancel": cancel}
        if link:
            body["link"] = link
        else:
            body["message_id"] = _id(message) if message else self._newest_invoice()
        return self.telegram.act_with_bot(f"/people/{self.id}/pay", body)

    def _newest_invoice(self):
        invoices = [message["message_id"] for message in self.messages if "invoice" in message]
        assert invoices, f"the bot has sent no invoice; the last text is {self.last!r}"
        return invoices[-1]

    def renew(self, charge_id):
        """Have Telegram renew a subscription; return `{charge_id}`, None if it was stopped."""
        return self.telegram.act("POST", f"/people/{self.id}/renew", json={"charge_id": charge_id})

    def refund(self, charge_id):
        """Take a payment back without the bot."""
        return self.telegram.act("POST", f"/people/{self.id}/refund", json={"charge_id": charge_id})

    def vote(self, *options, message=None, group=None):
        """Vote in the newest poll (or that of `message`) for options by text or number; with none, retract the vote.

        Return the Poll object, as the bot sees it.
        """
        shown = [one for one in (group or self).messages if "poll" in one]
        fitting = [one for one in shown if message is None or one["message_id"] == _id(message)]
        assert fitting, f"there is no poll to vote in; the last text is {self.last!r}"
        texts = [option["text"] for option in fitting[-1]["poll"]["options"]]
        numbers = [one if isinstance(one, int) else _place_of(one, texts) for one in options]
        body = {"message_id": fitting[-1]["message_id"], "options": numbers, **_place(group)}
        return self.telegram.act("POST", f"/people/{self.id}/vote", json=body)["poll"]

    def inline(self, query, offset=""):
        """Write `@bot query` in some chat; return the results that the bot offers, as dicts of the Bot API."""
        people = {one["id"]: one for one in self.telegram.state["people"]}
        names = {name: people[self.id][name] for name in ("id", "first_name", "language_code") if people[self.id][name]}
        before = self.telegram.call_count
        asked = {"id": f"inline{before}", "from": {"is_bot": False, **names}, "query": query, "offset": offset}
        self.telegram.update(inline_query=asked)
        answers = self.telegram.calls("answerInlineQuery", before)
        assert answers, f"the bot has not answered the inline query {query!r}"
        found = answers[-1]["params"]["results"]
        return loads(found) if isinstance(found, str) else found

    # Changing oneself

    def change(self, **fields):
        """Change first_name, username or language_code; `clear=True` empties the chat."""
        return self.telegram.act("PATCH", f"/people/{self.id}", json=fields)

    def block(self):
        """Block the bot."""
        self.change(blocked=True)

    def unblock(self):
        """Unblock the bot."""
        self.change(blocked=False)

    # Reading

    @property
    def messages(self):
        """All messages of the private chat as the person sees them now, oldest first."""
        return self.telegram.call("GET", f"/people/{self.id}/messages")["messages"]

    @property
    def toast(self):
        """Text of the answer to the last tap, "" if it was empty, None if there is no answer."""
        if self._tap is None:
            return None
        answer = self.telegram.call("GET", f"/taps/{self._tap['callback_query_id']}")
        return answer["text"] if answer["answered"] else None

    def wait_for(self, text, seconds=WAIT_S):
        """Let the bot work until one of its messages contains `text`; return the newest such Message."""

        def look():
            """Return the newest message with the text."""
            fitting = [one for one in self.received if text in (one.get("text") or one.get("caption") or "")]
            return fitting[-1] if fitting else None

        return self.telegram.wait(look, seconds, lambda: f"a message with {text!r} (the last is {self.last!r})")


NAMES = {
    "photo": "photo.jpg", "document": "file.bin", "video": "video.mp4", "audio": "audio.mp3", "voice": "voice.oga",
    "animation": "animation.mp4", "sticker": "sticker.webp",
}  # fmt: skip


KINDS = ("callback_data", "url", "copy_text", "pay", "web_app", "switch_inline_query")


def _id(message):
    """Return the message_id of a Message or of a number."""
    return message["message_id"] if isinstance(message, dict) else int(message)


def _place_of(wanted, texts):
    """Return the number of the option whose text is `wanted`, or begins with it."""
    found = [at for at, text in enumerate(texts) if text == wanted] or [
        at for at, text in enumerate(texts) if text.startswith(wanted)
    ]
    assert found, f"no option {wanted!r}; there are {texts}"
    return found[0]


def _place(group):
    """Return the field that names a group, or nothing for the private chat."""
    return {"chat_id": group.id} if group else {}


def _buttons(message, kinds=("callback_data",)):
    """Return labels → data of a message's buttons of the given kinds."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [(button, kind) for row in rows for button in row for kind in kinds if kind in button]
    return {button["text"]: button[kind] for button, kind in buttons}


def _match(buttons, wanted):
    """Return the data of the button that `wanted` names, or None."""
    for label, data in buttons.items():
        if wanted in (label, data):
            return data
    for label, data in buttons.items():
        if label.startswith(wanted) or data.startswith(wanted):
            return data
    return None

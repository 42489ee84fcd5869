"""The sender: what is retried and what is not, 429, rejected markup, texts that are too long."""

import io
import socket
import tempfile
import threading
import tracemalloc

import pytest

from core.process.loops import Clock
from core.telegram.sender import Sender, TelegramError, TooBig
from core.telegram.transport import NotSent, UnknownOutcome
from demo import server as demo_server
from tests.kit import TOKEN


class Stopwatch(Clock):
    """A clock that stands still, notes what it was asked to sleep, and moves on by that much."""

    def __init__(self, meanwhile=lambda: None):
        self.slept = []
        self.at = 0.0
        self._meanwhile = meanwhile

    def monotonic(self):
        """Return the seconds slept so far."""
        return self.at

    def sleep(self, seconds):
        """Note the wait."""
        self.slept.append(seconds)
        self.at += seconds
        self._meanwhile()


@pytest.fixture
def telegram(servers):
    """The local Bot API server."""
    return servers[0]


@pytest.fixture
def clock():
    """A stopwatch."""
    return Stopwatch()


@pytest.fixture
def sender(telegram, clock):
    """A sender between the clock and the server."""
    made = Sender(TOKEN, telegram.url, clock)
    yield made
    made.transport.close()


@pytest.fixture
def alice(telegram):
    """Somebody to write to."""
    return telegram.person("Alice")


def texts(person):
    """Return the texts a person got."""
    return [message["text"] for message in person.received]


def test_a_429_is_waited_for_as_long_as_it_says(telegram, sender, clock, alice):
    telegram.fail_next("sendMessage", "429", retry_after=7)
    sender.call("sendMessage", chat_id=alice.id, text="hello")
    assert texts(alice) == ["hello"] and clock.slept == [7]


def test_a_429_holds_back_its_own_chat_only(telegram, alice):
    bob, asleep, morning = telegram.person("Bob"), threading.Semaphore(0), threading.Event()

    class Night(Stopwatch):
        def sleep(self, seconds):
            asleep.release()
            assert morning.wait(10)
            super().sleep(seconds)

    sender = Sender(TOKEN, telegram.url, Night())
    telegram.fail_next("sendMessage", "429", retry_after=30, chat_id=alice.id)

    def write(text):
        try:
            sender.call("sendMessage", chat_id=alice.id, text=text)
        finally:
            sender.transport.close()

    first = threading.Thread(target=write, args=("one",))
    first.start()
    assert asleep.acquire(timeout=10)
    second = threading.Thread(target=write, args=("two",))
    second.start()
    assert asleep.acquire(timeout=10), "another message to the same chat is held back too"
    sender.call("sendMessage", chat_id=bob.id, text="at once")
    assert texts(bob) == ["at once"] and texts(alice) == []
    morning.set()
    first.join(10)
    second.join(10)
    sender.transport.close()
    assert sorted(texts(alice)) == ["one", "two"]


def test_a_chat_that_is_held_for_longer_meanwhile_is_waited_for(telegram, alice):
    holds = iter((5, 3))
    clock = Stopwatch(lambda: sender.hold(alice.id, next(holds)) if len(clock.slept) < 3 else None)
    sender = Sender(TOKEN, telegram.url, clock)
    sender.hold(alice.id, 2)
    sender.call("sendMessage", chat_id=alice.id, text="hello")
    sender.transport.close()
    assert clock.slept == [2, 5, 3] and texts(alice) == ["hello"]


def test_a_429_that_does_not_end_is_an_error_at_last(telegram, sender, clock, alice):
    telegram.fail_next("sendMessage", "429", times=50, retry_after=3)
    with pytest.raises(TelegramError) as caught:
        sender.call("sendMessage", chat_id=alice.id, text="hello")
    assert caught.value.code == 429 and 0 < len(clock.slept) < 10
    telegram.no_trouble()


def test_who_does_not_wait_hears_of_a_429_at_once(telegram, sender, clock, alice):
    telegram.fail_next("sendMessage", "429", retry_after=7)
    with pytest.raises(TelegramError):
        sender.call("sendMessage", wait=False, chat_id=alice.id, text="hello")
    assert clock.slept == []


@pytest.mark.parametrize(("kind", "came"), [("drop", 1), ("drop_before", 0), ("502", 0), ("garbage", None)])
def test_a_message_whose_outcome_is_unknown_is_not_sent_again(telegram, sender, alice, kind, came):
    telegram.fail_next("sendMessage", kind)
    with pytest.raises(UnknownOutcome):
        sender.call("sendMessage", chat_id=alice.id, text="hello")
    assert len(telegram.calls("sendMessage")) <= 1
    assert came is None or len(texts(alice)) == came


@pytest.mark.parametrize("kind", ["drop", "drop_before", "502", "garbage"])
def test_an_edit_whose_outcome_is_unknown_is_made_again(telegram, sender, alice, kind):
    sent = sender.call("sendMessage", chat_id=alice.id, text="one")
    telegram.fail_next("editMessageText", kind)
    try:
        sender.call("editMessageText", chat_id=alice.id, message_id=sent["message_id"], text="two")
    except TelegramError as error:
        assert error.is_unchanged  # the first try had arrived
    assert texts(alice) == ["two"]


def test_what_never_reached_telegram_is_sent_again(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = []

    def begin():
        if len(clock.slept) == 2:
            running.append(demo_server.start(port=port, token=TOKEN, people=("Alice",)))

    clock = Stopwatch(begin)
    sender = Sender(TOKEN, f"http://127.0.0.1:{port}", clock)
    assert sender.call("getMe")["is_bot"]
    assert clock.slept == sorted(clock.slept) and len(clock.slept) == 2, "the waits grow"
    sender.transport.close()
    running[0].stop()


def test_a_server_that_stays_away_is_an_error_without_the_token(clock):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sender = Sender(TOKEN, f"http://127.0.0.1:{port}", clock)
    with pytest.raises(NotSent) as caught:
        sender.call("sendMessage", chat_id=1, text="hello")
    assert TOKEN not in repr(caught.value) and TOKEN.split(":")[1] not in str(caught.value)
    with pytest.raises(NotSent) as caught:
        sender.call("sendPhoto", files={"photo": ("a.png", io.BytesIO(b"x"), "image/png")}, chat_id="1")
    assert TOKEN.split(":")[1] not in repr(caught.value)
    sender.transport.close()


OK = b'{"ok":true,"result":7}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SIZED = HEAD + b"Content-Length: 22\r\n"


class Wire:
    """A server on a bare socket: to each request it sends these pieces; `closes` ends the connection after each."""

    def __init__(self, *pieces, closes=False):
        self.connections, self.requests = 0, []
        self._pieces, self._closes = pieces, closes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _address = self._listener.accept()
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                while request := connection.recv(65536):
                    self.requests.append(request)
                    for piece in self._pieces:
                        connection.sendall(piece)
                    if self._closes:
                        break


@pytest.mark.parametrize(
    "pieces",
    [
        (SIZED + b"\r\n" + OK,),
        (SIZED[:9], SIZED[9:40], SIZED[40:] + b"\r\n" + OK[:5], OK[5:]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\n" + OK[:11], b"\r\nb\r\n" + OK[11:] + b"\r\n0\r\n\r\n"),
        (SIZED + b"Connection: keep-alive\r\n\r\n" + OK,),
    ],
    ids=["in one piece", "torn", "chunked", "kept alive"],
)
def test_an_answer_is_read_whole_and_its_connection_used_again(clock, pieces):
    wire = Wire(*pieces)
    sender = Sender(TOKEN, wire.url, clock)
    assert [sender.call("getMe"), sender.call("sendMessage", text="ё")] == [7, 7]
    assert wire.connections == 1 and len(wire.requests) == 2, "a request is one packet"
    sender.transport.close()


@pytest.mark.parametrize("closes", [False, True])
def test_a_connection_that_the_server_closes_is_made_anew(clock, closes):
    head = SIZED if closes else SIZED + b"Connection: close\r\n"
    wire = Wire(head + b"\r\n" + OK, closes=closes)
    sender = Sender(TOKEN, wire.url, clock)
    assert [sender.call("getMe"), sender.call("getMe")] == [7, 7] and wire.connections == 2
    sender.transport.close()


@pytest.mark.parametrize("piece", [SIZED + b"\r\n" + OK[:9], HEAD[:20], b"no HTTP\r\n\r\n", b""])
def test_an_answer_cut_short_is_an_unknown_outcome(clock, piece):
    wire = Wire(piece, closes=True)
    sender = Sender(TOKEN, wire.url, clock)
    with pytest.raises(UnknownOutcome) as caught:
        sender.call("sendMessage", chat_id=1, text="hello")
    assert TOKEN not in str(caught.value) and len(wire.requests) == 1


def test_errors_tell_who_is_gone_and_what_is_unchanged(telegram, sender, alice):
    sent = sender.call("sendMessage", chat_id=alice.id, text="one")
    with pytest.raises(TelegramError) as caught:
        sender.call("editMessageText", chat_id=alice.id, message_id=sent["message_id"], text="one")
    assert caught.value.is_unchanged and not caught.value.is_gone
    alice.block()
    with pytest.raises(TelegramError) as caught:
        sender.call("sendMessage", chat_id=alice.id, text="two")
    assert caught.value.is_gone and caught.value.code == 403
    with pytest.raises(TelegramError) as caught:
        sender.call("sendMessage", chat_id=404, text="two")
    assert caught.value.is_gone


def test_a_file_comes_down_whole_and_a_large_one_not_at_all(telegram, sender, alice):
    sent = alice.document(b"x" * 100_000)
    sink = io.BytesIO()
    assert sender.download(sent["document"]["file_id"], sink) == 100_000 and sink.getvalue() == b"x" * 100_000
    large = alice.document(b"x" * (20 * 1024 * 1024 + 1))
    with pytest.raises(TooBig):
        sender.download(large["document"]["file_id"], io.BytesIO())


def test_a_file_that_is_sent_again_is_sent_whole(telegram, sender, alice):
    telegram.fail_next("sendDocument", "429", retry_after=3)
    files = {"document": ("имя 1.txt", io.BytesIO(b"x" * 100_000), "text/plain")}
    sent = sender.call(
        "sendDocument", files=files, chat_id=str(alice.id), caption="ё", reply_markup={"inline_keyboard": []}
    )
    assert sent["document"]["file_size"] == 100_000 and sent["document"]["file_name"] == "имя 1.txt"
    assert alice.last_message["caption"] == "ё"


def test_a_large_file_is_never_held_in_memory(clock):
    size, received = 40 * 1024 * 1024, []

    def take(listener):
        connection, _address = listener.accept()
        with connection:
            while sum(received) < size:
                received.append(len(connection.recv(65536)))
            connection.sendall(SIZED + b"\r\n" + OK)

    with tempfile.TemporaryFile() as video, socket.create_server(("127.0.0.1", 0)) as listener:
        video.truncate(size)
        threading.Thread(target=take, args=(listener,), daemon=True).start()
        sender = Sender(TOKEN, f"http://127.0.0.1:{listener.getsockname()[1]}", clock)
        tracemalloc.start()
        assert sender.call("sendVideo", files={"video": ("a.mp4", video, "video/mp4")}, chat_id="1", timeout_s=60) == 7
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 4 * 1024 * 1024
    sender.transport.close()


def test_markup_that_telegram_refuses_goes_out_plainly(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    bot.bot.send_html(alice.id, "<b>half a tag &amp; more")
    assert alice.last == "half a tag & more"


def test_17_a_long_text_comes_in_pieces_none_too_long(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    lines = [f"line {number} of a very long text, with a &lt; in it" for number in range(400)]
    before = len(alice.received)
    bot.bot.send_html(alice.id, "\n".join(lines))
    pieces = [message["text"] for message in alice.received[before:]]
    assert len(pieces) > 1 and all(len(piece) <= 4096 for piece in pieces)
    assert "\n".join(pieces) == "\n".join(lines).replace("&lt;", "<")


def test_17_a_long_line_of_emoji_is_cut_between_them(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    before = len(alice.received)
    bot.bot.send_html(alice.id, "🦊" * 5000)  # two UTF-16 units each: 10,000
    assert "".join(message["text"] for message in alice.received[before:]) == "🦊" * 5000


def test_who_blocks_the_bot_is_marked_and_who_comes_back_is_not(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    alice.block()
    assert bot.bot.users.by_telegram_id(alice.id).blocked_bot
    alice.unblock()
    alice.send("/start")
    assert not bot.bot.users.by_telegram_id(alice.id).blocked_bot

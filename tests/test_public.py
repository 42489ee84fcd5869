"""Results are fetched only from the public internet, KIE's host and Telegram's: never from anything near the bot."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kie.api.client import Client
from kie.api.errors import KieError, NotPublic
from kie.api.public_addresses import is_public
from tests.shop import assert_books_are_right, order

KIE = "127.0.0.2"  # another host than this machine's usual one


class Place:
    """A server near the bot; `asked` are the paths somebody asked for. Its `/to/…` redirects to what follows."""

    def __init__(self, host):
        place = self
        self.asked = []

        class Handler(BaseHTTPRequestHandler):
            """Notes who comes."""

            def do_GET(self):
                """Answer."""
                place.asked.append(self.path)
                leads = self.path.startswith("/to/")
                self.send_response(302 if leads else 200)
                if leads:
                    self.send_header("Location", self.path.removeprefix("/to/"))
                self.send_header("Content-Length", "0" if leads else "6")
                self.end_headers()
                self.wfile.write(b"" if leads else b"secret")

            def log_message(self, *_args):
                """Say nothing."""

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def place():
    """Return a function that opens a server."""
    opened = []

    def begin(host="127.0.0.1"):
        opened.append(Place(host))
        return opened[-1]

    yield begin
    for each in opened:
        each.stop()


@pytest.fixture
def client_of():
    """Return a function that makes a client of a KIE at an address."""
    made = []

    def make(api_url, **more):
        made.append(Client(api_url, api_url, "key", connect_timeout_s=2, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def read(client, url):
    """Fetch a result."""
    with client.fetch(url, 1000) as download:
        return b"".join(download.iter_bytes)


HOSTS = ("127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]")


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_near_the_bot_is_not_fetched_however_it_is_spelled(place, client_of, host):
    kie, other = place(KIE), place()
    with pytest.raises(KieError):
        read(client_of(kie.url), f"http://{host}:{other.port}/x")
    assert other.asked == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fd00::1]", "[::1]"]
)
def test_an_address_of_a_private_network_is_named(place, client_of, host):
    with pytest.raises(NotPublic):
        read(client_of(place(KIE).url), f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_into_our_network_is_not_followed(place, client_of, host):
    kie, other = place(KIE), place()
    with pytest.raises(NotPublic):
        read(client_of(kie.url), f"{kie.url}/to/http://{host}:{other.port}/x")
    assert len(kie.asked) == 1 and other.asked == []


def test_kies_host_and_telegrams_are_fetched_from_wherever_they_are(place, client_of):
    kie, telegram = place(KIE), place()
    client = client_of(kie.url, also_from=(telegram.url,))
    assert read(client, f"{kie.url}/a") == read(client, f"{telegram.url}/b") == b"secret"
    assert read(client, f"{kie.url}/to/{telegram.url}/c") == b"secret"


@pytest.mark.parametrize(
    "trick", ["http://127.0.0.2:{kie}@127.0.0.1:{other}/x", "http://127.0.0.2:{kie}.localhost:{other}/x"]
)
def test_an_address_that_only_looks_like_kies_is_another_one(place, client_of, trick):
    kie, other = place(KIE), place()
    with pytest.raises(KieError):
        read(client_of(kie.url), trick.format(kie=kie.port, other=other.port))
    assert other.asked == []


def test_a_name_that_points_elsewhere_the_next_moment_gains_nothing(place, client_of, monkeypatch):
    """The first answer is public, every later one leads here: only what was checked is connected to."""
    kie, other = place(KIE), place()
    answers, tried, real = ["8.8.8.8"], [], socket.getaddrinfo

    def rebinding(host, port, *args, **kwargs):
        if host != "rebind.example":
            return real(host, port, *args, **kwargs)
        address = answers.pop(0) if answers else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self, address):
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(KieError):
        read(client_of(kie.url), f"http://rebind.example:{other.port}/x")
    assert tried == ["8.8.8.8"]
    with pytest.raises(NotPublic):
        read(client_of(kie.url), f"http://rebind.example:{other.port}/x")
    assert tried == ["8.8.8.8"] and other.asked == []


def test_of_a_name_with_both_kinds_of_address_the_public_one_is_taken(place, client_of, monkeypatch):
    kie, tried = place(KIE), []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("127.0.0.1", "8.8.8.8", "10.0.0.1")]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: found if host == "two.example" else real(host, *a, **k)
    )

    def connect(self, address):
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(KieError):
        read(client_of(kie.url), "http://two.example/x")
    assert tried == ["8.8.8.8"]


def test_a_proxy_is_not_asked_for_a_private_host(place, client_of, monkeypatch):
    kie, proxy, other = place(KIE), place(), place()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    with pytest.raises(NotPublic):
        read(client_of(kie.url), f"http://10.0.0.1:{other.port}/x")
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
    ],
)
def test_what_counts_as_public(address, public):
    assert is_public(address) is public


def test_a_result_that_leads_into_our_network_is_not_brought_to_the_chat(start_bot, servers):
    telegram, kie = servers
    ours = {
        name: one.url.replace("127.0.0.1", "localhost")
        for name, one in zip(("TELEGRAM_API_URL", "KIE_API_URL"), servers, strict=True)
    }
    bot = start_bot(**ours)  # results lie at 127.0.0.1, which is another host
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    asked = len(kie.requests("/files/"))
    before = len(alice.received)
    alice.tap("⬇ As a file")
    assert not [message for message in alice.received[before:] if "document" in message]
    assert len(kie.requests("/files/")) == asked
    assert_books_are_right()

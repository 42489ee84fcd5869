"""Calls to Telegram and KIE fail with one family of errors, so code that uses both needs one `except`."""

import socket

import pytest

from core.process.loops import Clock
from core.telegram.sender import Sender
from core.telegram.transport import TelegramFailed
from kie.api import call_errors
from kie.api.client import Client
from kie.api.errors import KieError, Reason
from tests.kit import TOKEN


@pytest.fixture
def nowhere():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


class Patient(Clock):
    """A clock that waits for nothing."""

    def sleep(self, seconds):
        """Go on."""


def telegram_call(url):
    """Send a message; return its error."""
    sender = Sender(TOKEN, url, Patient())
    with pytest.raises(TelegramFailed) as caught:
        sender.call("sendMessage", chat_id=1, text="hello", wait=False)
    sender.transport.close()
    return caught.value


def kie_call(url, key="stub-key"):
    """Create a task; return its error."""
    client = Client(url, url, key)
    with pytest.raises(KieError) as caught:
        client.create("z-image", {"prompt": "a cat", "aspect_ratio": "1:1"})
    client.close()
    return caught.value


def test_nothing_was_sent(nowhere):
    for error in (telegram_call(nowhere), kie_call(nowhere)):
        assert isinstance(error, call_errors.NotSent) and not isinstance(error, call_errors.UnknownOutcome)


def test_nobody_knows_what_came_of_it(servers):
    telegram, kie = servers
    telegram.fail_next("sendMessage", "drop")
    kie.trouble("create", "drop")
    for error in (telegram_call(telegram.url), kie_call(kie.url)):
        assert isinstance(error, call_errors.UnknownOutcome) and not isinstance(error, call_errors.Refused)


def test_it_was_refused(servers):
    telegram, kie = servers
    for error in (telegram_call(telegram.url), kie_call(kie.url, "wrong")):
        assert isinstance(error, call_errors.Refused)


def test_it_was_too_fast(servers):
    telegram, kie = servers
    telegram.fail_next("sendMessage", "429", retry_after=7)
    error = telegram_call(telegram.url)
    assert isinstance(error, call_errors.Refused) and error.retry_after == 7
    for kind in ("429", "429-http", "550"):
        kie.trouble("create", kind)
        error = kie_call(kie.url)
        assert isinstance(error, call_errors.Refused) and error.reason == Reason.BUSY

"""The log: one line per event, and no secret in any of them, whatever its source."""

import io
import json
import logging

import pytest

from core import log
from tests.kit import TOKEN

REAL = "7012345678:" + "AAH1bGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9x"  # the shape of a token


@pytest.fixture
def written():
    """A logger through our formatter, and what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("under-test")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)

    def read(as_json=False, secrets=("kie-secret-key", TOKEN)):
        handler.setFormatter(log.SafeFormatter(secrets, as_json))
        return logger, stream

    yield read
    logger.removeHandler(handler)


@pytest.mark.parametrize("as_json", [False, True])
def test_16_secrets_are_hidden_in_messages_arguments_and_tracebacks(written, as_json):
    logger, stream = written(as_json)
    logger.info("key kie-secret-key, token %s, another %s", TOKEN, REAL)
    try:
        raise ConnectionError(f"http://host/bot{REAL}/getMe refused; Bearer kie-secret-key")
    except ConnectionError:
        logger.exception("it failed")
    said = stream.getvalue()
    assert "it failed" in said and "ConnectionError" in said
    for secret in ("kie-secret-key", TOKEN, REAL, REAL.split(":")[1]):
        assert secret not in said


def test_16_a_secret_in_an_address_is_hidden_in_its_quoted_form_too(written):
    logger, stream = written(secrets=("postgresql://u:pass%20word%2F1@host/name", "pass word/1", REAL))
    logger.info("postgresql://u:pass%%20word%%2F1@host and bot%s", REAL.replace(":", "%3A"))
    assert "pass%20word%2F1" not in stream.getvalue() and REAL.split(":")[1] not in stream.getvalue()


def test_a_line_of_json_is_json_with_its_fields(written):
    logger, stream = written(as_json=True)
    logger.warning("a %s\nwith a break", "message", extra={"fields": {"job": 7}})
    row = json.loads(stream.getvalue())
    assert row["message"] == "a message\nwith a break" and row["level"] == "warning" and row["job"] == 7
    assert row["time"].startswith("20") and row["logger"] == "under-test"


def test_everything_goes_through_the_one_handler():
    before = logging.getLogger().handlers[:]
    try:
        log.setup("DEBUG", False, ["kie-secret-key"])
        handlers = logging.getLogger().handlers
        assert [type(handler.formatter) for handler in handlers] == [log.SafeFormatter]
        assert logging.getLogger("TeleBot").handlers == [], "the library brings a handler of its own"
    finally:
        logging.getLogger().handlers[:] = before


@pytest.fixture
def lines(start_bot):
    """A bot, and what is logged at INFO while it works."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.SafeFormatter(as_json=True))
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel("INFO")
    yield start_bot(), lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before)


def test_each_update_has_one_line_with_what_took_it_how_it_ended_and_a_word_of_its_own(lines):
    bot, written = lines
    alice = bot.user()
    for words in ("/start", "/balance", "/nothing_of_the_kind"):
        alice.send(words)
    alice.tap("⌂ Menu")
    found = [row for row in written() if row["logger"] == "core.handling.dispatch"]
    assert [(row["kind"], row["plugin"], row["outcome"]) for row in found] == [
        ("message", "start", "done"),
        ("message", "balance", "done"),
        ("message", "", "common.unknown_command"),
        ("callback_query", "start", "done"),
    ]
    assert all(isinstance(row["ms"], int) and row["user"] == found[0]["user"] for row in found)
    assert len({row["trace"] for row in found}) == 4 and all(row["trace"].startswith("u") for row in found)


def test_no_prompt_and_no_name_is_logged_above_debug(lines):
    bot, written = lines
    alice = bot.rich("Alicia-with-a-name")
    for happens in ("done", "refused"):
        if happens == "refused":
            bot.kie.fail_next("400-moderation")
        alice.send(f"a very private {happens} fox")
        alice.tap("▶ Draft")
        bot.forward(60)
    said = json.dumps(written(), ensure_ascii=False)
    assert "core.handling.dispatch" in said
    for word in ("private", "fox", "Alicia"):
        assert word not in said

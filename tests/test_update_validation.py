"""Rejected updates: unreadable ones never become a row, text no database can store is cleaned, no start is stopped."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest
from markupsafe import Markup

from bench import fuzz_updates
from core.telegram import json_text, update_validation
from storage.base import db
from storage.base.clean import clean
from storage.base.tables import Inbox, Outbox
from storage.journal import inbox, outbox
from storage.people import users
from tests.kit import BOSS
from tests.shop import assert_books_are_right

CHAT = {"id": 7, "type": "private"}
WHO = {"id": 7, "is_bot": False, "first_name": "Zoe", "language_code": "en"}
UNREADABLE = {
    "a text as chat id": {"message": {"message_id": 1, "date": 1, "from": WHO, "chat": {"id": "7", "type": "private"}}},
    "a text as sender": {"message": {"message_id": 1, "date": 1, "from": {**WHO, "id": "7"}, "chat": CHAT}},
    "a chat that is a text": {"message": {"message_id": 1, "date": 1, "from": WHO, "chat": "home"}},
    "a chat of nothing": {"message": {"message_id": 1, "date": 1, "from": WHO, "chat": None}},
    "a number no row can have": {"message": {"message_id": 1, "date": 1, "from": WHO, "chat": {"id": 2**70}}},
    "a fraction as chat id": {"message": {"message_id": 1, "date": 1, "from": WHO, "chat": {"id": 7.5}}},
    "yes as sender": {"callback_query": {"id": "1", "from": {**WHO, "id": True}, "data": "start:menu"}},
    "a checkout of nobody": {"pre_checkout_query": {"id": "1", "currency": "XTR"}},
    "a tap in a chat of text": {"callback_query": {"id": "1", "from": WHO, "message": {"chat": {"id": "x"}}}},
}


class Pair(NamedTuple):
    """A named tuple."""

    number: int
    name: str


def deep(levels):
    """Return lists in lists."""
    made = []
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_update_that_cannot_be_read_is_refused_at_the_door_and_the_next_one_is_handled(start_bot, caplog, kind):
    bot = start_bot()
    alice = bot.user()
    bot.telegram.update(**UNREADABLE[kind])
    alice.send("/start")
    assert "make pictures" in alice.last and bot.telegram.pending == 0
    with db.connection():
        assert Inbox.select().count() == 0
    assert bot.bot.status.outcomes["unreadable"] == 1 and "refused at the door" in caplog.text
    bot.restart()
    bot.pump()
    alice.send("/balance")
    assert "0 ₽" in alice.last


@pytest.mark.parametrize(
    "body", ['{"message": {"chat": {"id": "x"}}}', "no json", "[]", '{"update_id": 5}' * 2, "[" * 5000]
)
def test_a_row_that_cannot_be_read_never_stops_a_start(start_bot, body):
    bot = start_bot()
    boss = bot.admin()
    inbox.store([(5, 7, body)], bot.clock.now())
    bot.restart()
    bot.pump()
    assert any("set aside" in m.get("text", "") for m in boss.received)
    assert "update 5 was set aside" in str(bot.failed("update"))
    with db.connection():
        assert [(row.update_id, row.aside) for row in Inbox.select()] == [(5, True)]
    boss.send("/balance")
    assert "0 ₽" in boss.last


def test_a_row_of_another_copy_that_cannot_be_read_stops_nothing(start_bot):
    bot = start_bot()
    boss = bot.admin()
    inbox.store([(5, 7, '{"update_id": 5, "message": {"chat": {"id": "x"}}}')], bot.clock.now())
    bot.pump()
    boss.send("/balance")
    assert "0 ₽" in boss.last and inbox.oldest_wait() is None
    assert "update 5 was set aside" in str(bot.failed("update"))


@pytest.mark.parametrize(
    ("raw", "clean_text"),
    [
        ("a\0b", "ab"),
        ("\ud800", "\ufffd"),
        ("x\udfffy", "x\ufffdy"),
        ("\ud83e\udd8a", "🦊"),
        ("🦊", "🦊"),
        ("\\u0000", "\\u0000"),
    ],
)
def test_halves_of_pairs_and_nul_are_cleaned(raw, clean_text):
    assert clean({raw: [raw, 1, None]}) == {clean_text: [clean_text, 1, None]}
    update = {"update_id": 1, "message": {"from": WHO, "chat": CHAT, "text": raw}}
    read, lane, body = update_validation.read(update)
    assert read["message"]["text"] == clean_text and lane == 7 and body.encode()


@pytest.mark.parametrize("data", [{"half": "\ud800"}, {"large": 2**70}, [[]] * 3, {"name": "🦊"}, deep(300), deep(600)])
def test_what_the_fast_parser_refuses_is_read_and_written_all_the_same(data):
    text = json_text.written(data)
    assert json.loads(text) == data and json_text.parse(text) == data
    with pytest.raises(ValueError):
        json_text.parse(text[:-1])


def test_types_of_python_are_written_as_the_standard_library_writes_them():
    odd = {"named": Pair(1, "a"), "when": datetime(2026, 1, 2, tzinfo=UTC), 7: Decimal(3), "s": Markup("<b>")}
    assert json.loads(json_text.written(odd, str)) == json.loads(json.dumps(odd, default=str))
    del odd[7]
    assert json.loads(json_text.written(odd, str)) == json.loads(json.dumps(odd, default=str))
    with pytest.raises(TypeError):
        json_text.written({"when": datetime(2026, 1, 2, tzinfo=UTC)})


@pytest.mark.parametrize("name", ["Zoe\0", "Zo\ud800e", "\udfff\0"])
def test_a_person_whose_words_no_database_takes_is_answered_and_kept(start_bot, name):
    bot = start_bot()
    boss = bot.admin()
    sender = {**WHO, "first_name": name}
    zoe = bot.telegram.person("Zoe", id=7)
    for text in ("/start", "/support", f"help {name}"):
        bot.telegram.update(message={"message_id": 1, "date": 1, "from": sender, "chat": CHAT, "text": text})
    assert "Sent. The answer" in zoe.last and "help" in boss.last
    assert users.by_telegram_id(7).first_name == clean(name) and bot.bot.status.outcomes["error"] == 0


def test_words_of_others_are_cleaned_where_they_are_kept(start_bot):
    bot = start_bot()
    boss = bot.admin()
    values = {"name": "a\0\ud800", "list": ["\0"]}
    outbox.put("key\0", users.by_telegram_id(boss.id).id, "x", now=bot.clock.now(), values=values)
    with db.connection():
        row = Outbox.select().where(Outbox.key == "key").get()
    assert row.values == {"name": "a\ufffd", "list": [""]}


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_broken_about_updates_each_has_an_end_and_others_have_their_answers(start_bot, seed):
    """A short form of `bench/fuzz_updates.py`."""
    bot = start_bot(FLOOD_MESSAGES="1000000", ADMIN_IDS=f"{BOSS}")
    boss, alice = bot.admin(), bot.user()
    rng = random.Random(seed)
    source = fuzz_updates.seeds(rng, fuzz_updates.routes())
    alice.send("/start")
    pump, bot.telegram.pump = bot.telegram.pump, lambda: None
    for number in range(400):
        bot.telegram.update(**fuzz_updates.broken(rng, next(source)))
        if number % 50 == 49:
            pump()
            bot.telegram.pump = pump
            alice.send("/balance")
            assert "0 ₽" in alice.last and bot.telegram.pending == 0
            bot.telegram.pump = lambda: None
    bot.telegram.pump = pump
    bot.restart()
    bot.pump()
    assert inbox.oldest_wait() is None
    boss.send("/balance")
    assert "0 ₽" in boss.last
    assert_books_are_right()
    assert all(not isinstance(error, AssertionError) for error in bot.failed("update")), "what is broken may be refused"

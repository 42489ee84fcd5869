"""Nothing a bot sends breaks the local Bot API server: every call gets a result or one of Telegram's 4xx."""

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from demo import methods
from demo.kit import RawBot, Telegram
from demo.server import start
from tests import proof

NAMES = (
    "chat_id", "from_chat_id", "user_id", "message_id", "message_ids", "text", "caption", "parse_mode", "entities",
    "reply_markup", "reply_parameters", "photo", "document", "media", "file_id", "action", "callback_query_id",
    "pre_checkout_query_id", "title", "description", "payload", "currency", "prices", "latitude", "longitude",
    "phone_number", "first_name", "commands", "scope", "language_code", "menu_button", "offset", "limit",
    "allowed_updates", "secret_token", "max_connections", "telegram_payment_charge_id", "inline_message_id",
)  # fmt: skip
KEYS = st.sampled_from(
    ("type", "media", "caption", "text", "url", "callback_data", "inline_keyboard", "keyboard", "message_id", "chat_id",
     "offset", "length", "label", "amount", "command", "description", "pay", "style", "copy_text", "web_app")
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.sampled_from(("HTML", "MarkdownV2", "XTR", "<b>", "photo", "default", "chat", "[", "{}")),
)  # fmt: skip
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@pytest.mark.proof
def test_every_method_answers_every_nonsense():
    server = start()
    alice = Telegram(server.url).person("Alice")
    message_id = RawBot(server.url, server.token)("sendMessage", chat_id=alice.id, text="x")["message_id"]
    session = requests.Session()
    fitting = {"chat_id": alice.id, "from_chat_id": alice.id, "user_id": alice.id, "message_id": message_id}
    fitting |= {"text": "x", "title": "x", "description": "x", "payload": "x", "currency": "XTR"}
    polls = ("getupdates", "setwebhook")  # tested by hand: they wait, or send

    @settings(max_examples=proof.share(6_000), deadline=None, database=None, derandomize=not proof.IS_WHOLE)
    @given(
        st.sampled_from([name for name in methods.BY_NAME if name not in polls]),
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6),
        st.booleans(),
    )
    def answered(method, params, helped):
        params = fitting | params if helped else params
        answer = session.post(f"{server.url}/bot{server.token}/{method}", json=params)
        assert answer.status_code < 500, answer.text
        assert answer.json()["ok"] is (answer.status_code == 200)

    try:
        answered()
    finally:
        server.stop()

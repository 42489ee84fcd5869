"""The plugins of docs/plugins.md: each is a file under docs/examples and works as the page says."""

import hashlib
import hmac
import inspect
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import bot as main
from core.settings import SettingsError
from tests.kit import ROOT
from tests.shop import assert_books_are_right, order
from tests.test_yookassa import give_back

EXAMPLES = ROOT / "docs" / "examples"
PAGE = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("plugins.md", "recipes.md", "payments.md")
)
FILES = sorted(EXAMPLES.glob("plugins/*.py"))


@pytest.fixture
def start(start_bot, tmp_path):
    """Return a function that starts the bot with the examples beside the house's own plugins."""
    plugins, texts = tmp_path / "plugins", tmp_path / "texts"
    for source, target in ((ROOT / "plugins", plugins), (ROOT / "data" / "texts", texts)):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(EXAMPLES / "plugins", plugins, dirs_exist_ok=True)
    shutil.copytree(EXAMPLES / "texts", texts, dirs_exist_ok=True)
    return lambda **settings: start_bot(plugins=plugins, texts=texts, **settings)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_shows_the_file_as_it_is(path):
    assert f"```python\n{path.read_text(encoding='utf-8')}```" in PAGE
    assert f"docs/examples/plugins/{path.name}" in PAGE


def test_the_page_shows_the_texts_of_the_first_plugin():
    for lang in ("en", "ru"):
        po = (EXAMPLES / "texts" / lang / "hello.po").read_text(encoding="utf-8")
        assert po[po.index("msgid", 100) :] in PAGE  # what follows the header


def test_hello_greets_in_both_languages(start):
    bot = start()
    alice, anna = bot.user("Alice <3"), bot.user("Анна", language_code="ru")
    alice.send("/hello")
    assert alice.last == "Hello, Alice <3!"
    anna.send("/hello")
    assert anna.last == "Здравствуйте, Анна!"
    alice.send("/help")
    assert "/hello" in alice.last


def test_the_daily_bonus_is_paid_once_a_day(start):
    bot = start(DAILY_BONUS="500", now="2026-11-22 21:00")
    alice = bot.user("Alice")
    alice.send("/daily")
    assert "5 ₽" in alice.last
    alice.tap("daily:claim")
    alice.tap("daily:claim")
    assert alice.toast == "You have taken it today. The next one is in 3 hours."
    assert bot.balance(alice) == 500
    bot.clock.forward(3 * 3600)
    alice.tap("daily:claim")
    assert bot.balance(alice) == 1000


def test_without_its_setting_there_is_no_daily_bonus(start):
    alice = start().user()
    alice.send("/daily")
    assert "/daily" not in [f"/{one['command']}" for one in alice.telegram.state["bot"]["commands"]]
    assert "5 ₽" not in alice.last


def test_a_wish_reaches_the_admins(start):
    bot = start()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    alice.tap("💡 A wish")
    alice.document(b"%PDF-")
    assert "A wish is a text" in alice.last
    alice.send("<b>dark mode</b>")
    assert alice.last == "Thank you. We read every wish."
    assert boss.last == "A wish of Alice\n<b>dark mode</b>"
    alice.send("/wish")
    alice.send("/balance")  # a command always wins over an open dialogue
    assert "Balance" in alice.last


def test_notes_are_kept_and_ticked_off_by_their_owner_alone(start):
    bot = start()
    alice, mallory = bot.user("Alice"), bot.user("Mallory")
    alice.send("/note buy milk")
    alice.send("/note call Bob")
    assert "2 notes" in alice.last
    mallory.send("/start")
    mallory.forge("notes:tick:1")
    alice.tap("☐ buy milk")
    assert "1 note" in alice.last
    assert "☐ buy milk" not in alice.buttons
    bot.restart()
    alice.send("/notes")
    assert "☐ call Bob" in alice.buttons


def test_the_table_of_notes_grows_from_its_first_version(start):
    from storage.base import db, schema

    bot = start()
    model, migrations, _owned = next(one for one in bot.bot.tables if one.model.__name__ == "Note")
    with db.transaction() as connection:  # as version 1 left it
        connection.execute_sql("ALTER TABLE plugin_note DROP COLUMN done")
        connection.execute_sql("UPDATE stored SET value = '1' WHERE name = 'table:plugin_note'")
    assert schema.adopt(model, migrations) == 2
    alice = bot.user("Alice")
    alice.send("/note buy milk")
    assert "1 note" in alice.last


def test_cash_at_the_counter_is_credited_once(start):
    bot = start(COUNTER_ADDRESS="Main Street 1")
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/topup")
    alice.tap("payments:amount:30000")
    alice.tap("🏪 At the counter")
    assert "Main Street 1" in alice.last
    boss.send("/paid 1")
    assert boss.last == "Payment 1: 300 ₽ credited."
    assert "+300 ₽" in alice.last
    boss.send("/paid 1")
    assert boss.last == "Payment 1 was credited before."
    assert bot.balance(alice) == 30_000
    alice.send("/paid 1")
    assert bot.balance(alice) == 30_000
    boss.send("/paid 77")
    assert "no payment 77" in boss.last


def test_a_reminder_comes_when_its_time_has_come_and_once(start):
    bot = start()
    alice = bot.user("Alice")
    alice.send("/remind 30 take the cake out")
    assert alice.last == "I will write to you in 30 minutes."
    bot.restart()
    bot.forward(29 * 60)
    assert "⏰" not in alice.last
    bot.forward(2 * 60)
    assert alice.last == "⏰ take the cake out"
    bot.forward(3600, step=600)
    assert [message["text"] for message in alice.received].count("⏰ take the cake out") == 1


def test_a_forgotten_argument_is_explained(start):
    alice = start().user()
    for command, words in {"/remind soon": "/remind 30", "/note": "/note buy milk"}.items():
        alice.send(command)
        assert words in alice.last


PROVIDER_KEY = "pk"


class Provider(BaseHTTPRequestHandler):
    """A provider of payments that gives out links: `links` are those by their id, `creates` the bodies it was sent.

    While it `queues` refunds, their key is answered with "not done" for ever.
    """

    links, creates, refunds, queues = {}, [], {}, False

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Content-Type"] != "application/json":
            return self._answer({"code": "not_json"}, 400)
        key, link = self.headers["Idempotency-Key"], self.path.split("/")[2:]  # /links, or /refunds and a link's id
        if link:
            is_new = key not in self.refunds
            made = self.refunds.setdefault(key, {"id": f"r{len(self.refunds)}", "done": not self.queues} | body)
            self.links[link[0]]["refunded"] += body["amount"] if is_new and not self.queues else 0
            return self._answer(made)
        self.creates.append(body)
        known = self.links.setdefault(f"id{key}", body | {"id": f"id{key}", "state": "pending", "refunded": 0})
        return self._answer(known | {"url": "https://pay.example/1"})

    def do_GET(self):
        number = self.path.partition("/links/")[2]
        found = self.links.get(number) if number else {"items": list(self.links.values())}
        self._answer(found or {}, 200 if found else 404)

    def _answer(self, data, status=200):
        answer = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def links():
    """A running provider's address; what it knows is empty."""
    Provider.links, Provider.creates, Provider.refunds, Provider.queues = {}, [], {}, False
    server = HTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_link_is_paid_called_back_and_refunded_in_part(start, links):
    bot = start(PAYLINK_URL=links, PAYLINK_KEY=PROVIDER_KEY)
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/topup")
    alice.tap("300 ₽")
    alice.tap("💳 Card")
    (asked,) = Provider.creates
    assert (asked["amount"], asked["currency"]) == (30_000, "RUB") and "Pay 300 ₽" in alice.buttons
    (link,) = Provider.links.values()
    link["state"] = "paid"
    said = json.dumps(link).encode()
    sign = hmac.new(PROVIDER_KEY.encode(), said, hashlib.sha256).hexdigest()
    codes = [bot.call("/pay/paylink", said, **{"X-Sign": one}).status_code for one in ("forged", sign, sign)]
    bot.forward(5)
    assert codes == [401, 200, 200] and bot.balance(alice) == 30_000
    boss.send(f"/user {alice.id}")
    for label in ("⭐ Refund", "Cards and crypto", "#1 · 300 ₽ · PayLink"):
        boss.tap(label)
    boss.send("100")
    boss.send("asked for it")
    boss.tap("✓ Refund")
    assert bot.balance(alice) == 20_000 and link["refunded"] == 10_000
    assert_books_are_right()


def test_the_page_shows_how_a_test_puts_a_group_in_a_channels_place():
    assert f"```python\n{inspect.getsource(test_a_result_is_shown_in_a_channel_once)}```" in PAGE


def test_the_page_shows_how_a_test_gets_to_the_screens():
    assert f"```python\n{inspect.getsource(test_a_link_is_paid_called_back_and_refunded_in_part)}```" in PAGE


def test_a_refund_whose_key_repeats_its_first_answer_is_done_once_the_payment_says_so(start, links):
    bot = start(PAYLINK_URL=links, PAYLINK_KEY=PROVIDER_KEY)
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/topup")
    alice.tap("300 ₽")
    alice.tap("💳 Card")
    (link,) = Provider.links.values()
    link["state"] = "paid"
    bot.forward(10)
    Provider.queues = True
    assert "has not confirmed the refund yet" in give_back(bot, boss, alice, "100")
    bot.forward(3600, step=60)
    (refund,) = bot.bot.provider_refunds.of_payment(1)
    assert refund.state == "asked" and len(Provider.refunds) == 1
    bot.days_pass(8, step=4 * 3600)
    assert any("has not confirmed the refund of payment #1 for a week" in one.get("text", "") for one in boss.received)
    link["refunded"] = 10_000
    bot.days_pass(2, step=4 * 3600)
    (refund,) = bot.bot.provider_refunds.of_payment(1)
    assert refund.state == "done" and bot.balance(alice) == 20_000
    assert_books_are_right()


def test_a_provider_that_is_away_is_said_to_be_and_a_missing_key_stops_the_start(start):
    bot = start(PAYLINK_URL="http://127.0.0.1:1", PAYLINK_KEY=PROVIDER_KEY)
    alice = bot.user("Alice")
    alice.send("/topup")
    alice.tap("300 ₽")
    alice.tap("💳 Card")
    assert "slow to answer" in alice.last
    with pytest.raises(SettingsError, match="PAYLINK_KEY"):
        start(PAYLINK_URL="http://127.0.0.1:1")


def test_a_result_is_shown_in_a_channel_once(start):
    bot = start()
    group = bot.telegram.group("Gallery", bot.admin())
    bot.restart(GALLERY_CHAT=str(group.id))
    alice = bot.rich("Alice")
    order(bot, alice)
    bot.forward(60)
    result = next(one for one in alice.messages if "photo" in one or "document" in one)
    for _ in range(2):
        alice.tap("📣 Show it", message=result)
    bot.forward(5)
    assert len([one for one in group.messages if "photo" in one]) == 1


def test_models_are_looked_up_in_any_chat(start):
    bot = start()
    results = bot.user("Zoe").inline("banana")
    assert {one["type"] for one in results} == {"article"} and all("Nano Banana" in one["title"] for one in results)


def test_a_poll_is_answered_and_the_answers_are_counted(start):
    bot = start()
    alice, anna = bot.user("Alice"), bot.user("Анна", language_code="ru")
    for person, choice in ((alice, "Drawings"), (anna, "Рисунки")):
        person.send("/taste")
        assert [choice == option["text"] for option in person.last_message["poll"]["options"]] == [False, True, False]
        person.vote(choice)
    assert "You are the first" in alice.last and "2 человека" in anna.last
    anna.vote(message=next(one for one in anna.messages if "poll" in one))
    alice.send("/taste")
    alice.vote("Drawings")
    assert "You are the first" in alice.last
    stranger = {"id": 77, "is_bot": False, "first_name": "Zoe"}
    bot.telegram.update(poll_answer={"poll_id": "1", "user": stranger, "option_ids": [0], "option_persistent_ids": []})
    assert not bot.bot.error_reports.recent()


def test_the_game_takes_its_stake_and_pays_who_guesses(start):
    bot = start(DICE_STAKE="1000")
    alice, poor = bot.rich("Alice"), bot.user("Poor")
    poor.send("/dice")
    poor.tap("1")
    assert "10 ₽" in poor.last and bot.balance(poor) == 0
    alice.send("/dice")
    assert "50 ₽" in alice.last
    alice.tap("3")
    won = "won" in alice.last
    assert bot.balance(alice) == 100_000 - 1000 + 5000 * won
    alice.send("/balance")
    assert "a throw of dice" in alice.last
    bot.stop()
    assert main.command("verify", None, bot.environ) == 0
    bot.start()

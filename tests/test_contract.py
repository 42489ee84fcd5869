"""What plugins may do besides answering people: orders, posts, other services, start and stop hooks."""

import hashlib
import hmac
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from core.process.web import Web
from storage.orders import overrides
from tests.house import plugins_with
from tests.media import wav
from tests.shop import job_of, user_of

PLUGIN = '''"""Tries the contract."""

import hashlib
import hmac

from core.errors import UserError

HAPPENED = []


def register(bot):
    """Declare it all."""
    bot.setting("SHOP_URL", default="")
    bot.command("fox", order)
    bot.command("post", post)
    bot.command("wonder", ask)
    bot.command("typo", lambda ctx: ctx.order("z-image", promt=ctx.args))
    bot.command("muse", muse)
    bot.button("zzz:tick", lambda ctx, row: ctx.toast("common.menu"), row=int)
    bot.update("inline_query", offer)
    bot.update("text", shout, order=10, pattern=r"^!")
    bot.update("voice", hear, order=10)
    bot.update("text", answer, order=20, reply_to="photo")
    bot.endpoint("/shop/paid", paid)
    bot.on_start(lambda bot: HAPPENED.append("start"))
    bot.on_stop(lambda bot: HAPPENED.append("stop"))
    bot.page("/happened", lambda bot, leads, visit: HAPPENED)


def order(ctx):
    """Order a fox."""
    ctx.order("z-image", prompt=ctx.args or "a fox")


def post(ctx):
    """Post to a channel."""
    ctx.bot.post(-1001, "common.menu", unique=f"post:{ctx.update_id}", now=ctx.now)
    ctx.reply("common.menu")


def muse(ctx):
    """Ask the helper."""
    ctx.generation.ask(ctx.user, ctx.args, ctx.now, instruction="Answer briefly.")


def offer(ctx):
    """Offer the words themselves."""
    words = {"message_text": ctx.event.query}
    ctx.answer_inline([{"type": "article", "id": "1", "title": ctx.event.query, "input_message_content": words}])


def ask(ctx):
    """Ask another service."""
    shop = ctx.bot.http(ctx.settings["SHOP_URL"], {"Authorization": "secret"})
    found = shop.get("/price", of="fox")
    if not found.ok:
        raise UserError("common.gone")
    made = shop.post("/orders", {"price": found.json()["price"]})
    HAPPENED.append((found.json(), made.status))
    ctx.reply("common.menu")


def shout(ctx):
    """Take what begins with !, but not !!."""
    if ctx.text.startswith("!!"):
        return ctx.PASS
    HAPPENED.append(ctx.text)
    ctx.reply("common.menu")


def hear(ctx):
    """Leave short voices to the others."""
    HAPPENED.append("voice")
    return ctx.PASS


def answer(ctx):
    """Take a reply to a picture."""
    HAPPENED.append(f"reply {ctx.text}")
    ctx.reply("common.menu")


def paid(bot, call):
    """Credit what a provider says was paid, once."""
    sign = hmac.new(b"key", call.body, hashlib.sha256).hexdigest()
    if call.headers.get("X-Sign") != sign:
        return "no", 401
    if call.body == b"broken":
        bot.store("zzz").put("broken", True)
        raise RuntimeError("broken")
    bot.store("zzz").change("paid", lambda before: (before or 0) + 1)
    HAPPENED.append((call.client, call.query.get("n")))
'''


@pytest.fixture
def bot(start_bot, monkeypatch, tmp_path):
    """A bot with the plugin."""
    return start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=PLUGIN), SHOP_URL=SHOP.url)


def happened(bot):
    """Return what the plugin has noted."""
    return bot.bot.pages["/happened"](bot.bot, True, None)


class Shop(BaseHTTPRequestHandler):
    """Another service."""

    asked = []

    def do_GET(self):
        """Name a price."""
        self.asked.append((self.path, self.headers["Authorization"]))
        self._say(b'{"price": 7}')

    def do_POST(self):
        """Take an order."""
        self.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self._say(b"")

    def _say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


class SHOP:
    """Where it is."""

    server = HTTPServer(("127.0.0.1", 0), Shop)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()


def test_an_order_is_shown_with_its_price_and_made_by_a_tap(bot):
    alice = bot.rich("Alice")
    alice.send("/fox")
    assert "a fox" in alice.last
    alice.tap("▶ Create")
    bot.forward(60)
    assert job_of(bot, alice).state == "succeeded" and job_of(bot, alice).inputs["prompt"] == "a fox"


def test_what_is_not_on_offer_or_not_as_it_should_be_is_told(bot):
    alice = bot.rich("Alice")
    alice.send("/fox " + "x" * 3900)
    assert "Something went wrong" not in alice.last and "▶ Create" not in alice.last
    overrides.put("model:z-image", "off", True, now=bot.clock.now())
    alice.send("/fox")
    assert "Something went wrong" not in alice.last and "▶ Create" not in alice.last


def test_an_input_that_the_model_lacks_is_told_and_logged_with_the_nearest(bot, caplog):
    alice = bot.rich("Alice")
    alice.send("/typo a fox")
    assert "This model has changed" in alice.last and "▶ Create" not in alice.last
    assert "z-image has no input 'promt'; the nearest is prompt" in caplog.text
    generation = bot.bot.generation
    model = generation.catalog.models["z-image"]
    values = model.defaults() | {model.main_text.name: "a fox"}
    assert generation.price(model, values) > 0 and generation.price(model, values | {"promt": "a fox"}) is None


def test_every_text_to_image_model_is_told_apart_by_what_it_takes(bot):
    """A type alone does not say that words are enough: one of them makes a cover of an earlier result."""
    models = [model for model in bot.bot.generation.catalog.models.values() if model.type == "text-to-image"]
    for model in models:
        wants = model.missing(model.defaults() | ({model.main_text.name: "a fox"} if model.main_text else {}))
        assert model.takes("text") == (not wants), model.id
    assert not all(model.takes("text") for model in models)


def test_a_kind_of_entry_that_there_is_not_is_answered_with_the_nearest(bot):
    alice = bot.rich("Alice")
    for kind, said in (("bonuss", "unknown kind of entry: 'bonuss'; want bonus"), ("xyz", "want one of admin, bonus")):
        with pytest.raises(ValueError, match=said):
            bot.bot.ledger.post(user_of(bot, alice).id, 1, kind=kind, key="z", now=bot.clock.now())


def test_the_helper_that_fails_says_so_in_words_that_fit_any_plugin(bot):
    alice = bot.rich("Alice")
    bot.kie.trouble("chat", "500", times=0)
    alice.send("/muse a fox")
    assert "No answer came this time" in alice.last and "card" not in alice.last


def test_data_of_a_button_that_does_not_fit_is_logged(bot, caplog):
    alice = bot.user("Alice")
    alice.send("/start")
    alice.forge("zzz:tick:abc")
    assert "out of date" in alice.toast and "the data of a button does not fit zzz:tick: invalid literal" in caplog.text


def test_an_inline_query_is_asked_and_its_results_returned(bot):
    found = bot.user("Zoe").inline("fox")
    assert [(one["id"], one["title"]) for one in found] == [("1", "fox")]


def test_a_setting_is_changed_by_a_restart_and_a_group_shows_its_id(bot):
    group = bot.telegram.group("News", bot.admin())
    bot.restart(SHOP_URL="http://127.0.0.1:9")
    assert bot.bot.settings["SHOP_URL"] == "http://127.0.0.1:9" and repr(group) == f"<Group {group.id}>"
    with pytest.raises(ValueError, match="no setting 'SHOP_ULR'; the nearest is SHOP_URL"):
        bot.restart(SHOP_ULR="")


def test_the_same_bytes_sent_as_longer_are_another_file(bot):
    alice = bot.user("Alice")
    short, long, again = (alice.voice(b"OggS", duration=seconds)["voice"] for seconds in (3, 1000, 3))
    assert (short["duration"], long["duration"]) == (3, 1000)
    assert short["file_unique_id"] == again["file_unique_id"] != long["file_unique_id"]


def test_a_post_reaches_a_channel_or_the_staff_hear_why_not(bot):
    boss, alice = bot.admin(), bot.user("Alice")
    group = bot.telegram.group("News", boss)
    alice.send("/start")
    bot.bot.post(group.id, "common.menu", unique="post:1", now=bot.clock.now())
    bot.forward(3)
    assert "Menu" in group.messages[-1]["text"]
    alice.send("/post")
    bot.forward(3)
    assert "refused a post" in boss.last


def test_another_service_is_asked_and_its_answer_read(bot):
    alice = bot.user("Alice")
    Shop.asked.clear()
    alice.send("/wonder")
    assert ({"price": 7}, 200) in happened(bot)
    assert Shop.asked == [("/price?of=fox", "secret"), ("/orders", b'{"price": 7}')]


def test_handlers_of_one_kind_are_asked_in_their_order_and_may_pass(bot):
    alice = bot.rich("Alice")
    alice.send("! hello")
    assert "! hello" in happened(bot)
    alice.send("!! a fox")
    assert "!! a fox" not in happened(bot) and "fox" in alice.last
    alice.voice(wav(1), duration=1)
    assert "voice" in happened(bot) and alice.last != "Menu"
    alice.send("/fox")
    alice.tap("▶ Create")
    bot.forward(60)
    picture = next(one for one in alice.messages if "photo" in one or "document" in one)
    kind = "photo" if "photo" in picture else "document"
    alice.send("warmer", reply_to=picture)
    assert ("reply warmer" in happened(bot)) == (kind == "photo")


def test_start_and_end(bot):
    bot.runtime.start()
    bot.runtime.stop()
    assert happened(bot)[0] == "start" and happened(bot)[-1] == "stop"


@pytest.fixture
def port(bot):
    """The bot's port, on the network."""
    web = Web("127.0.0.1", 0, bot.clock, "1")
    web.runtime = bot.runtime
    yield f"http://127.0.0.1:{web.port}"
    web.close()


def call(port, body, sign=None, method="post", **more):
    """Call the endpoint."""
    signed = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    headers = {"X-Sign": signed if sign is None else sign}
    return requests.request(method, f"{port}/shop/paid?n=1", data=body, headers=headers, timeout=10, **more)


def test_a_provider_calls_an_endpoint(bot, port):
    assert call(port, b"ok", sign="wrong").status_code == 401
    assert call(port, b"ok").status_code == 200 and ("127.0.0.1", "1") in happened(bot)
    assert call(port, b"ok", method="get").status_code == 405
    assert bot.bot.store("zzz").get("paid") == 1


def test_what_fails_in_an_endpoint_leaves_nothing_and_is_called_again(bot, port):
    assert call(port, b"broken").status_code == 500
    assert bot.bot.store("zzz").get("broken") is None


def test_what_a_store_keeps_of_a_person_goes_with_them(bot):
    alice = bot.user("Alice")
    alice.send("/start")
    user = user_of(bot, alice).id
    store = bot.bot.store("zzz")
    store.of(user).put("score", 5)
    store.put("best", [user, 5])
    assert store.everybodys("score") == {user: 5} and store.of(user).get("score") == 5
    bot.bot.privacy.erase(user, bot.clock.now())
    assert store.of(user).get("score") is None and store.get("best") == [user, 5]
    assert store.drop("best") and not store.drop("best")


NOBODY = '''"""Takes updates that name nobody."""

SEEN = []


def register(bot):
    """Declare them."""
    for kind in ("poll_answer", "poll", "channel_post", "message_reaction", "chat_boost"):
        bot.update(kind, lambda ctx, kind=kind: SEEN.append((kind, ctx.user.id, ctx.user.telegram_id, ctx.event is not None)))
    bot.page("/seen", lambda bot, leads, visit: SEEN)
'''
UPDATES = {
    "poll_answer": {"poll_id": "1", "user": {"id": 77, "is_bot": False, "first_name": "Zoe"}, "option_ids": [0], "option_persistent_ids": []},
    "poll": {
        "id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
        "type": "regular", "allows_multiple_answers": False,
    },
    "channel_post": {"message_id": 1, "date": 1, "chat": {"id": -1001, "type": "channel", "title": "News"}, "text": "hi"},
    "message_reaction": {
        "chat": {"id": -1001, "type": "channel", "title": "News"}, "message_id": 1, "date": 1, "old_reaction": [],
        "new_reaction": [], "actor_chat": {"id": -1001, "type": "channel", "title": "News"},
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", UPDATES)
def test_updates_that_name_nobody_reach_their_handler(start_bot, monkeypatch, tmp_path, kind):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=NOBODY))
    bot.telegram.update(**{kind: UPDATES[kind]})
    bot.pump()
    ((seen, user, telegram_id, typed),) = bot.bot.pages["/seen"](bot.bot, True, None)
    assert (seen, user, typed) == (kind, None, True) and telegram_id == (77 if kind == "poll_answer" else 0)


def test_a_refusal_of_the_only_answer_is_not_silence(start_bot):
    bot = start_bot()
    alice = bot.user("Alice")
    bot.telegram.fail_next("sendMessage", "400")
    alice.send("/help")
    assert alice.last
    assert "ended in silence" in str(bot.failed("update"))

"""KIE's description of its offer may be anything: it is compared, skipped by name, or rejected in one sentence."""

import json
import random
import threading
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from catalog_facts import FACTS, ROOT

from core.buttons import mark
from core.process.loops import Clock
from kie.api.client import Client
from kie.api.errors import KieError
from kie.catalogue.model import Catalog
from kie.catalogue.pricing import options, steps
from kie.stub import server as stub
from kie.stub.control import Control
from kie.sync import discovery, entry_builder
from kie.sync.catalogue_diff import FALL, StrangeList
from storage.people import users
from tests import proof
from tests.kit import Running
from tests.test_catalogue_sync import FEW, NEW

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST, FEED = "/api/v1/models", "/client/v1/model-pricing/page"
SEEDS = proof.share(1_500)
SOLD = ("z-image", "qwen/image-edit")  # what the fuzzed bot sells: each model is one more answer
OFFERED = (*SOLD, NEW["id"])
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = 24 * 3600


class Still(Clock):
    """A clock in which the pauses between two questions take no time."""

    def now(self):
        """Return the time."""
        return NOW

    def sleep(self, seconds):
        """Let no time pass."""


@pytest.fixture(scope="module")
def offer(tmp_path_factory):
    """What a KIE of a few models, one of them new to us, answers to everything the comparison asks, {path: parsed}."""
    kie = {name: FACTS[name] for name in FEW} | {NEW["id"]: NEW}
    facts = tmp_path_factory.mktemp("facts") / "facts.json"
    facts.write_text(json.dumps({"models": list(kie.values())}), encoding="utf-8")
    server = stub.start(facts=facts)
    control, key = Control(server.api_url), {"Authorization": f"Bearer {server.key}"}
    answers = {}
    for path in (LIST, *(f"{LIST}/{name}/schema" for name in kie)):
        control.forward(2)
        answers[path] = requests.get(server.api_url + path, headers=key, timeout=5).json()
    answers[FEED] = requests.post(server.api_url + FEED, json={"pageSize": 100}, headers=key, timeout=5).json()
    server.stop()
    return answers


class Speaker:
    """A server that says what it is told to: `says` is {path: bytes}, `status` of all answers."""

    def __init__(self):
        speaker = self
        self.says, self.status = {}, 200

        class Handler(BaseHTTPRequestHandler):
            """Answers from `says`."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                """Answer."""
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = speaker.says.get(self.path, b'{"code": 404, "msg": "no"}')
                self.send_response(speaker.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_args):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def say(self, answers):
        """Give these answers, objects or bytes."""
        self.says = {path: one if isinstance(one, bytes) else json.dumps(one).encode() for path, one in answers.items()}

    def stop(self):
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def speaker():
    found = Speaker()
    yield found
    found.stop()


@pytest.fixture
def client(speaker):
    found = Client(speaker.url, speaker.url, "key")
    yield found
    found.close()


@pytest.fixture
def start(servers, speaker, database_url, tmp_path):
    """Return a function that starts a bot which sells a few models and asks the speaker what KIE offers."""
    running = []

    def begin(few=FEW, **more):
        data = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
        data["models"] = [raw for raw in data["models"] if raw["id"] in few]
        sold = tmp_path / "models.json"
        sold.write_text(json.dumps(data), encoding="utf-8")
        running.append(Running(*servers, database_url, models=sold, KIE_API_URL=speaker.url, **more))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


def copy_of(offer):
    """Return answers that may be changed."""
    return json.loads(json.dumps(offer))


# the fuzzer

WEIRD = [
    None, True, False, 0, -1, 1, 3.5, 1e308, float("nan"), float("inf"), -float("inf"), 10**25, 10**300, "", " ", "x",
    "\x00", "a\x00b", "\ud800", "\udfff x", "<b>&amp;", "x" * 100_000, "9" * 5_000, [], {}, [[]], [None], [1, "a", None],
    {"": ""}, {"a": {"b": []}}, "1e-9999999", "1E+9999999", "NaN", "-5", "0", "1,5", "٣", "#/components/schemas/x",
    {"$ref": "#/x"}, {"$ref": 5}, {"type": ["string", "null"]}, ["a"] * 5_000, {str(n): n for n in range(3_000)},
]  # fmt: skip
BODIES = [
    b"", b"null", b"[]", b"{}", b"0", b'"x"', b"<html>502</html>", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000,
    b'{"code": 200}', b'{"code": 200, "data": null}', b'{"code": 200, "data": []}', b'{"code": "x", "data": {}}',
    b'{"code": 1e999, "data": {}}', b'{"code": 500, "msg": "busy"}', b'{"code": 404, "msg": "\\ud800"}',
    b'{"code": 200, "data": {"models": [' + b'{"model": "a/b"},' * 3_000 + b"{}]}}", b"9" * 10_000,
]  # fmt: skip


def nodes(value, place=()):
    """Yield the way to every value inside an object."""
    yield place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from nodes(child, (*place, key))


def deep(rng):
    """Return something nested."""
    value = "x"
    for _ in range(rng.choice((10, 60, 400))):
        value = [value] if rng.random() < 0.5 else {"properties": value}
    return value


def change(rng, answer):
    """Change one value of an answer."""
    *way, last = rng.choice([place for place in nodes(answer["data"]) if place])
    parent = answer["data"]
    for step in way:
        parent = parent[step]
    kind = rng.random()
    if kind < 0.2:
        del parent[last]
    elif kind < 0.3 and isinstance(parent[last], str):
        parent[last] = "".join(rng.choices(["\x00", "\ud83d", "a", "%2F", "/", "\n", "🦊", "{", "'", "\u202e"], k=20))
    elif kind < 0.35 and isinstance(parent, list):
        parent.extend(parent * rng.choice((1, 50)))
    elif kind < 0.4 and isinstance(parent, dict):
        parent[rng.choice(["\x00", "x" * 500, "é", "prompt ", "$ref", "enum"])] = parent.pop(last)
    else:
        parent[last] = deep(rng) if rng.random() < 0.1 else deepcopy(rng.choice(WEIRD))


def fuzzed(rng, offer):
    """Return answers with one to four changes, or with one that is no answer at all."""
    answers = copy_of(offer)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice([LIST, FEED, *answers])
        if isinstance(answers[path], bytes) or not isinstance(answers[path].get("data"), dict):
            continue
        if rng.random() < 0.1:
            answers[path] = rng.choice(BODIES)
        elif rng.random() < 0.05:
            whole = json.dumps(answers[path]).encode()
            answers[path] = whole[: rng.randrange(len(whole))]
        elif answers[path]["data"]:
            change(rng, answers[path])
    return answers


@contextmanager
def seed_named(seed):
    """Have a failure name the seed."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error


@pytest.mark.proof
def test_1500_fuzzed_answers_end_in_a_comparison_or_in_a_refusal(start, speaker, offer, client):
    bot = start(few=SOLD).bot
    live_catalogue, texts = bot.generation.live_catalogue, bot.texts
    fewer = {path: one for path, one in offer.items() if not path.startswith(f"{LIST}/") or path[15:-7] in OFFERED}
    fewer[LIST] = copy_of(offer[LIST])
    fewer[LIST]["data"]["models"] = [one for one in fewer[LIST]["data"]["models"] if one["model"] in OFFERED]
    ended = {"compared": 0, "refused": 0, "skipped": 0}
    for seed in range(SEEDS):
        rng = random.Random(seed)
        speaker.say(fuzzed(rng, fewer))
        with seed_named(seed):
            try:
                found = live_catalogue.check(client, Still())
            except (KieError, StrangeList) as refusal:
                ended["refused"] += 1
                assert "\x00" not in str(refusal)
                continue
            ended["compared"] += 1
            ended["skipped"] += bool(found.skipped)
            waiting = bot.overrides.differences()
            assert len(waiting) == len(found.differences)
            for one in waiting:
                shown = [
                    texts.html(lang, f"supply.change_{key}", **more)
                    for lang in ("en", "ru")
                    for key, more in one.about["lines"]
                ]
                assert all(len(line) < 3_000 and not set(line) & {"\x00", "\ud800"} for line in shown)
                assert one.about["alone"] or not falls(one)
                if one.about["change"]:
                    _applied(bot, live_catalogue, one, rng)
    assert ended["compared"] > 2 * ended["refused"] > 0, ended
    assert ended["skipped"] > ended["compared"] // 3, ended


def falls(difference):
    """Tell whether a price falls by more than half, by the figures that people are shown."""
    prices = [more for key, more in difference.about["lines"] if key == "price"]
    return any(Decimal(one["now"]) * FALL < Decimal(one["was"]) for one in prices)


def _applied(bot, live_catalogue, difference, rng):
    """Follow a difference if it can be sold then, look at what is sold, and take it back."""
    scope, (field, value) = f"model:{difference.model}", difference.about["change"]
    if field == "entry":
        card = {"id": value["model"]["card"], "title": "Fox", "about": {"en": "A fox.", "ru": "Лиса."}}
        value = value | {"card": card}
    if field == "off" or rng.random() < 0.8 or live_catalogue.trial(scope, field, value):
        return
    row = bot.overrides.apply(difference.id, scope, field, value, now=NOW, actor=None)
    live_catalogue.forget()
    model = live_catalogue.catalog().models[difference.model]
    for spec in model.inputs:
        options(model, model.defaults(), spec.name)
    bot.overrides.undo(row.id, NOW, users.seen(users.Sender(99, "Owner"), NOW).id)
    live_catalogue.forget()


# what is skipped, by name


def look(client):
    """Return what is found at the speaker's."""
    return discovery.look(client, lambda _seconds: None)


@pytest.mark.parametrize("schema", [{"openapi": []}, [], None, {"openapi": {"paths": {discovery.JOBS: []}}}])
def test_a_schema_that_is_none_is_named_and_the_others_are_compared(speaker, offer, client, schema):
    answers = copy_of(offer)
    answers[f"{LIST}/z-image/schema"]["data"] = schema
    speaker.say(answers)
    found = look(client)
    assert list(found.skipped) == ["z-image"] and found.skipped.count == 1
    assert "z-image" in found.listed and len(found.offers) == len(offer) - 3


def test_an_entry_of_the_list_that_is_none_is_named_by_its_place(speaker, offer, client):
    answers = copy_of(offer)
    answers[LIST]["data"]["models"].insert(1, {"model": "a b\x00c"})
    answers[LIST]["data"]["models"].insert(0, 17)
    speaker.say(answers)
    found = look(client)
    assert list(found.skipped) == ["entry 1 of the list", "entry 3 of the list"]
    assert len(found.offers) == len(offer) - 2


@pytest.mark.parametrize("price", [None, [], "-1", "NaN", "1e-9999999", "1E+9999999", "", "8 credits", True])
def test_a_price_that_is_none_is_named_and_is_not_taken_for_a_row_that_is_gone(speaker, offer, client, price):
    answers = copy_of(offer)
    row = next(row for row in answers[FEED]["data"]["records"] if row["modelDescription"].startswith("Fox Paint"))
    row["creditPrice"] = price
    speaker.say(answers)
    found = look(client)
    assert list(found.skipped) == [row["modelDescription"]] and found.rows[row["modelDescription"]] is None
    with pytest.raises(entry_builder.NotPriceable):
        entry_builder.entry(found.offers[NEW["id"]], found.rows, {"models": []}, "2026-11-22")


def test_two_rows_of_one_name_and_two_prices_are_no_price(speaker, offer, client):
    answers = copy_of(offer)
    rows = answers[FEED]["data"]["records"]
    rows.append(rows[0] | {"creditPrice": "77"})
    speaker.say(answers)
    assert look(client).rows[rows[0]["modelDescription"]] is None


@pytest.mark.parametrize("slug", ["fox%2Fpaint-1", "fox/paint-1", "fox-paint-1", "fox%2fpaint-1&x=1"])
def test_a_new_model_is_priced_however_its_id_is_spelled_in_the_feed(speaker, offer, client, slug):
    answers = copy_of(offer)
    row = next(row for row in answers[FEED]["data"]["records"] if row["modelDescription"].startswith("Fox Paint"))
    row["anchor"] = f"https://kie.ai/market?model={slug}"
    speaker.say(answers)
    found = look(client)
    entry = entry_builder.entry(found.offers[NEW["id"]], found.rows, {"models": []}, "2026-11-22")
    assert entry["price"][0]["credits"] == "3"


def test_a_list_without_an_end_is_refused(speaker, offer, client):
    speaker.say(offer | {LIST: {"code": 200, "data": {"models": [{"model": f"a/{n}"} for n in range(3_000)]}}})
    with pytest.raises(KieError, match="3000 entries"):
        look(client)


def test_an_answer_without_an_end_is_refused(speaker, offer, client):
    speaker.say(offer | {LIST: b'{"code": 200, "data": "' + b"x" * 20_000_000 + b'"}'})
    with pytest.raises(KieError, match="more than"):
        look(client)


def test_a_number_without_an_end_has_no_list_of_choices():
    data = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
    raw = next(raw for raw in data["models"] if raw["id"] == "z-image")
    raw["inputs"].append({"name": "seed", "type": "integer", "min": 0, "max": 10**30})
    assert steps(Catalog.from_data(data).models["z-image"].input("seed")) == []


# the admin hears the end


def compare(bot, boss):
    """Have the comparison made from the chat; return what the admin was told since."""
    before = len(boss.received)
    boss.send("/catalog")
    boss.tap("↻ Compare")
    bot.pump()
    return [message.get("text", "") for message in boss.received[before:]]


def test_whoever_asked_hears_what_was_skipped_and_what_differs(start, speaker, offer):
    answers = copy_of(offer)
    answers[f"{LIST}/z-image/schema"]["data"] = {"openapi": "\x00\ud800"}
    speaker.say(answers)
    bot = start()
    told = compare(bot, bot.admin())
    assert "1 entry of KIE’s could not be read" in told[-2] and "z-image" in told[-2]
    assert "1 difference" in told[-1]  # the new model


@pytest.mark.parametrize("body", [b"[" * 100_000, b"", b'{"code": 200, "data": {"models": 5}}', b"\xff" * 100])
def test_whoever_asked_hears_that_nothing_could_be_read_and_asks_again(start, speaker, offer, body):
    speaker.say(offer | {LIST: body})
    bot = start()
    boss = bot.admin()
    assert "KIE can’t be read" in compare(bot, boss)[-1]
    speaker.say(offer)
    assert "1 difference" in compare(bot, boss)[-1]


def test_a_weekly_comparison_that_fails_is_told_once_and_made_again_within_hours(start, speaker, offer):
    speaker.say(offer | {LIST: b"[" * 100_000})
    bot = start()
    boss = bot.admin()
    bot.forward(7 * DAY + 3600, step=DAY)
    bot.forward(3 * 3600, step=3600)
    told = [message["text"] for message in boss.received if "KIE can’t be read" in message.get("text", "")]
    assert len(told) == 1
    speaker.say(offer)
    bot.forward(2 * 3600, step=3600)
    assert "1 difference" in boss.last


def test_a_comparison_that_a_kill_cut_off_is_made_again_and_ends_after_three(start, speaker, offer):
    speaker.say(offer)
    bot = start()
    boss = bot.admin()
    stored = bot.bot.runtime_settings
    stored.put("CATALOG_CHECKED", bot.clock.now().isoformat(), now=bot.clock.now())
    stored.put("CATALOG_ASKED", bot.bot.users.by_telegram_id(boss.id).id, now=bot.clock.now())
    stored.put("CATALOG_BEGUN", 1, now=bot.clock.now())  # as a bot leaves it that is killed while it compares
    bot.restart()
    bot.pump()
    assert "1 difference" in boss.last
    stored.put("CATALOG_ASKED", bot.bot.users.by_telegram_id(boss.id).id, now=bot.clock.now())
    stored.put("CATALOG_BEGUN", 3, now=bot.clock.now())
    bot.clock.forward(60)
    bot.restart()
    bot.pump()
    assert "given up after 3 tries" in boss.last


# a slip of KIE's is not applied with everything else


def differing(start, speaker, answers):
    """Return a bot, and its admin before the list of differences."""
    speaker.say(answers)
    bot = start()
    boss = bot.admin()
    compare(bot, boss)
    boss.tap("Differences")
    return bot, boss


def cheaper(offer, factor):
    """Return the answers with every price divided."""
    answers = copy_of(offer)
    for row in answers[FEED]["data"]["records"]:
        row["creditPrice"] = format(Decimal(row["creditPrice"]) / factor, "f")
    return answers


def prices(bot):
    """Return what the models cost."""
    return {name: [row.credits for row in model.prices] for name, model in bot.bot.generation.catalog.models.items()}


def test_a_feed_a_thousand_times_lower_is_not_applied_in_a_tap(start, speaker, offer):
    bot, boss = differing(start, speaker, cheaper(offer, 1000))
    before = prices(bot)
    assert "Apply all" not in " ".join(boss.buttons) and "💰 Z-Image, picture from your words ⚠" in boss.buttons
    boss.forge(f"supply:all:{mark(*(one.id for one in bot.bot.overrides.differences()))}")
    assert "Applied: 0" in boss.toast and "one by one" in boss.toast
    assert prices(bot) == before
    boss.tap("💰 Z-Image")
    assert "0.8 → 0.0008 credits" in boss.last and "Check KIE’s site first" in boss.last
    boss.tap("✓ Apply")
    after = prices(bot)
    assert after.pop("z-image") == [Decimal("0.0008")] and after.items() <= before.items()


def test_a_price_that_falls_by_half_and_no_more_is_applied_with_the_others(start, speaker, offer):
    bot, boss = differing(start, speaker, cheaper(offer, 2))
    boss.tap("✓ Apply all")
    assert prices(bot)["z-image"] == [Decimal("0.4")]


def test_more_than_a_fifth_of_the_models_is_not_taken_off_sale_in_a_tap(start, speaker, offer):
    answers = copy_of(offer)
    lost = ("z-image", "google/imagen4")
    answers[LIST]["data"]["models"] = [one for one in answers[LIST]["data"]["models"] if one["model"] not in lost]
    bot, boss = differing(start, speaker, answers)
    boss.forge("supply:all")
    assert set(lost) <= set(bot.bot.generation.catalog.models)
    boss.tap("➖ Z-Image")
    boss.tap("✓ Apply")
    assert "z-image" not in bot.bot.generation.catalog.models
    assert "Differences from" not in compare(bot, boss)[-1]
    assert "2 differences" in compare(bot, boss)[-1]  # the new one, imagen4


def test_more_than_a_fifth_of_the_models_does_not_go_off_sale_for_their_forms(start, speaker, offer):
    answers = copy_of(offer)
    for name in ("z-image", "google/imagen4"):
        form = form_of(answers, name)
        form["properties"]["licence"] = {"type": "string"}
        form["required"].append("licence")
    bot, boss = differing(start, speaker, answers)
    boss.forge("supply:all")
    assert {"z-image", "google/imagen4"} <= set(bot.bot.generation.catalog.models)
    assert "✏ Z-Image, picture from your words ⚠" in boss.buttons


def form_of(answers, name):
    """Return the schema of a model's input."""
    body = answers[f"{LIST}/{name}/schema"]["data"]["openapi"]["paths"][discovery.JOBS]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]["properties"]["input"]


def test_more_than_a_fifth_of_the_choices_is_not_dropped_in_a_tap(start, speaker, offer):
    answers = copy_of(offer)
    form = form_of(answers, "z-image")["properties"]
    form["aspect_ratio"]["enum"] = form["aspect_ratio"]["enum"][:2]
    bot, boss = differing(start, speaker, answers)
    boss.forge("supply:all")
    assert len(bot.bot.generation.catalog.models["z-image"].input("aspect_ratio").choices) > 2
    boss.tap("✏ Z-Image")
    boss.tap("✓ Apply")
    assert len(bot.bot.generation.catalog.models["z-image"].input("aspect_ratio").choices) == 2

"""The catalogue compared with KIE: differences are reported once; nothing changes until an admin applies it; undo."""

import copy
import json

import pytest
from catalog_facts import FACTS, PUBLISHED, ROOT

from demo import kit as demo_kit
from kie.stub import server as stub
from kie.stub.control import Control
from tests.kit import Running
from tests.shop import card

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DAY = 24 * 3600
FEW = ("z-image", "qwen/image-edit", "kling-2.6/text-to-video", "google/imagen4", "google/nano-banana", "veo-3-1")


@pytest.fixture
def start_with(telegram_server, database_url, tmp_path):
    """Return a function that starts a bot beside a KIE whose models have been changed by `change(facts by id)`.

    Both know a `few` models only, unless told otherwise: KIE is asked about each.
    """
    running = []

    def start(change=lambda models: None, few=FEW):
        models = copy.deepcopy({name: facts for name, facts in FACTS.items() if few is None or name in few})
        change(models)
        data = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
        data["models"] = [raw for raw in data["models"] if few is None or raw["id"] in few]
        sold, facts = tmp_path / "models.json", tmp_path / "facts.json"
        sold.write_text(json.dumps(data), encoding="utf-8")
        facts.write_text(json.dumps({"models": list(models.values())}), encoding="utf-8")
        server, telegram = stub.start(facts=facts), demo_kit.Telegram(telegram_server.url)
        telegram.reset()
        running.append((Running(telegram, Control(server.api_url), database_url, models=sold), server))
        return running[-1][0]

    yield start
    for bot, server in running:
        bot.stop()
        server.stop()


def compare(bot, boss):
    """Have the comparison made from the chat and return what comes of it."""
    boss.send("/catalog")
    boss.tap("↻ Compare")
    assert "four minutes" in boss.toast or "four minutes" in boss.last
    bot.pump()
    return boss.last


@SQLITE
def test_nothing_differs_from_the_published_facts(start_with):
    bot = start_with(few=None)
    boss = bot.admin()
    assert "Nothing differs" in compare(bot, boss)
    asked = bot.kie.requests("/api/v1/models")
    assert len(asked) > 170 and all(b["at"] - a["at"] >= 1 for a, b in zip(asked, asked[1:], strict=False))
    assert len(bot.kie.requests("model-pricing")) == 5


def raise_price(models):
    models["z-image"]["price"][0]["credits"] = "1.6"


@SQLITE
def test_a_changed_price_is_shown_applied_and_undone(start_with):
    bot = start_with(raise_price)
    boss, alice = bot.admin(), bot.rich()
    assert "1 difference" in compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("💰 Z-Image")
    assert "0.8 → 1.6 credits" in boss.last
    card(alice)
    assert "▶ Create · 0.72 ₽" in alice.buttons  # nothing has changed yet
    boss.tap("✓ Apply")
    assert "in force at once" in boss.toast
    alice.tap("▶ Create")
    assert "price has changed" in alice.toast and "▶ Create · 1.44 ₽" in alice.buttons
    boss.send("/catalog")
    boss.tap("Changes made")
    boss.tap("↩ Cost · Z-Image")
    assert "Undone" in boss.toast
    alice.send("/cancel")
    card(alice)
    assert "▶ Create · 0.72 ₽" in alice.buttons
    boss.send("/catalog")
    assert "Differences from KIE: 1" in boss.last  # it waits again


@SQLITE
def test_a_disputed_price_keeps_to_the_dearer_source(start_with):
    def change(models):
        for row in models["qwen/image-edit"]["price"]:
            row["feed_credits"] = "5.5"

    bot = start_with(change)
    boss = bot.admin()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("💰 Qwen")
    assert "5 → 5.5 credits" in boss.last
    boss.tap("✓ Apply")
    assert [row.credits for row in bot.bot.generation.catalog.models["qwen/image-edit"].prices] == [6]
    assert "Nothing differs" in compare(bot, boss)


@SQLITE
def test_a_model_that_is_gone_goes_off_sale_when_applied(start_with):
    bot = start_with(lambda models: models.pop("z-image"))
    boss, alice = bot.admin(), bot.rich()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("➖ Z-Image")
    alice.send("a fox")
    alice.forge("generate:open:z-image")
    assert "Z-Image" in alice.last
    boss.tap("✓ Apply")
    alice.send("/cancel")
    alice.send("a fox")
    alice.forge("generate:open:z-image")
    assert "no longer available" in alice.last
    assert "z-image" in bot.bot.generation.catalog.known


@SQLITE
def test_what_runs_goes_on_when_its_model_goes_off_sale(start_with):
    bot = start_with()
    boss, alice = bot.admin(), bot.rich()
    card(alice)
    alice.tap("▶ Create")
    boss.send("/price z-image")
    boss.tap("Change markup or price")
    boss.tap("✗ Take off sale")
    bot.forward(60)
    assert "photo" in alice.last_message and "Z-Image" in alice.last


def shrink(models):
    spec = next(s for s in models["z-image"]["inputs"] if s["name"] == "aspect_ratio")
    spec["enum"] = ["1:1", "9:16", "21:9"]
    next(s for s in models["z-image"]["inputs"] if s["name"] == "prompt")["max_length"] = 500


@SQLITE
def test_changed_inputs_are_followed_by_the_form(start_with):
    bot = start_with(shrink)
    boss, alice = bot.admin(), bot.rich()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("✏ Z-Image")
    assert "no longer 4:3, 3:4, 16:9" in boss.last and "new 21:9" in boss.last and "was 1000, now 500" in boss.last
    boss.tap("✓ Apply")
    form = bot.bot.generation.catalog.models["z-image"]
    assert form.input("aspect_ratio").choices == ("1:1", "9:16", "21:9") and form.input("prompt").max_length == 500
    alice.send("fox " * 130)
    alice.forge("generate:open:z-image")
    assert "Too long" in alice.toast


@SQLITE
def test_a_required_input_we_do_not_have_takes_the_model_off_sale(start_with):
    def change(models):
        models["z-image"]["inputs"].append({"name": "licence", "type": "string", "required": True})

    bot = start_with(change)
    boss = bot.admin()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("✏ Z-Image")
    assert "required: “licence”" in boss.last and "goes off sale" in boss.last
    boss.tap("✓ Apply")
    assert "z-image" not in bot.bot.generation.catalog.models


@SQLITE
def test_choices_that_cannot_be_priced_are_not_applied(start_with):
    def change(models):
        spec = next(s for s in models["kling-2.6/text-to-video"]["inputs"] if s["name"] == "duration")
        spec["enum"] = ["5", "10", "20"]

    bot = start_with(change)
    boss = bot.admin()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("✏ Kling 2.6")
    boss.tap("✓ Apply")
    assert "Not applied" in boss.toast and "no price" in boss.toast
    assert bot.bot.generation.catalog.models["kling-2.6/text-to-video"].input("duration").choices == ("5", "10")


NEW = {
    "id": "fox/paint-1",
    "title": "Fox Paint",
    "vendor": "Fox",
    "status": "listed",
    "type": "text-to-image",
    "generation_type": "text-to-image",
    "modes": ["text-to-image"],
    "output": "image",
    "description": "Foxes.",
    "inputs": [
        {"name": "prompt", "type": "string", "required": True, "max_length": 500},
        {"name": "aspect_ratio", "type": "enum", "enum": ["1:1", "16:9"], "default": "1:1"},
        {"name": "nsfw_checker", "type": "boolean"},
    ],
    "price": [{"when": {}, "credits": "3", "per": "image", "feed_row": "Fox Paint, text-to-image"}],
    "billing": {"quantity": "1"},
}


@SQLITE
def test_a_new_model_is_named_by_an_admin_and_sold(start_with):
    bot = start_with(lambda models: models.update({NEW["id"]: NEW}))
    boss, alice = bot.admin(), bot.rich()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("➕ fox/paint-1")
    assert "Fox Paint (Fox)" in boss.last and "3 credits per image" in boss.last
    boss.tap("✓ Apply")
    boss.send("just a name")
    assert "Send a name of up to 40 characters" in boss.last
    boss.tap("‹ Back")
    boss.tap("➕ fox/paint-1")
    boss.tap("✓ Apply")
    boss.send("Fox Paint\nSoft pictures of foxes.\nImágenes suaves de zorros.\nМягкие картинки лис.")
    assert "Fox Paint is on sale" in boss.last
    alice.send("/models fox")
    alice.tap("Fox Paint")
    assert "Soft pictures of foxes." in alice.last
    alice.send("a fox in the snow")
    alice.tap("▶ Create · 2.70 ₽")
    bot.forward(100)
    assert "photo" in alice.last_message and bot.kie.task()["inputs"]["nsfw_checker"] is True
    assert bot.kie.unknown_inputs() == {}
    assert "Nothing differs" in compare(bot, boss)


@SQLITE
def test_what_cannot_be_priced_stays_off(start_with):
    priced_twice = NEW | {
        "price": [*NEW["price"], {"when": {}, "credits": "9", "per": "image", "feed_row": "Fox Paint, large"}]
    }
    bot = start_with(lambda models: models.update({NEW["id"]: priced_twice}))
    boss = bot.admin()
    compare(bot, boss)
    boss.tap("Differences: 1")
    boss.tap("➕ fox/paint-1")
    assert "price can’t be worked out" in boss.last and not any("Apply" in label for label in boss.buttons)
    boss.tap("Leave as it is")
    assert "No differences" in boss.last


@SQLITE
def test_all_at_once(start_with):
    def change(models):
        raise_price(models)
        models.pop("google/imagen4")
        models[NEW["id"]] = NEW

    bot = start_with(change)
    boss = bot.admin()
    assert "3 differences" in compare(bot, boss)
    boss.tap("Differences: 3")
    boss.tap("✓ Apply all")
    assert "Applied: 2" in boss.toast
    catalog = bot.bot.generation.catalog
    assert "google/imagen4" not in catalog.models and str(catalog.models["z-image"].prices[0].credits) == "1.6"
    assert "fox/paint-1" not in catalog.known


@SQLITE
def test_once_a_week_it_compares_by_itself_and_is_silent_when_nothing_differs(start_with):
    bot = start_with()
    boss = bot.admin()
    before = len(boss.received)
    bot.forward(8 * DAY, step=DAY)
    assert len(bot.kie.requests("/api/v1/models")) == 1 + len(FEW) and len(boss.received) == before


@SQLITE
def test_a_difference_found_by_itself_is_told_once(start_with):
    bot = start_with(raise_price)
    boss = bot.admin()
    bot.forward(8 * DAY, step=DAY)
    assert "1 difference" in boss.last
    said = len(boss.received)
    bot.forward(8 * DAY, step=DAY)
    assert len(boss.received) == said


@SQLITE
def test_a_list_that_is_suddenly_short_changes_nothing(start_with):
    def change(models):
        for name in FEW[:4]:
            del models[name]

    bot = start_with(change)
    boss = bot.admin()
    assert "KIE can’t be read" in compare(bot, boss)
    boss.send("/catalog")
    assert "Not compared with KIE yet" in boss.last


@SQLITE
def test_a_user_reaches_none_of_it(start_with):
    bot = start_with(raise_price)
    boss, alice = bot.admin(), bot.rich()
    compare(bot, boss)
    for data in (
        "supply:show",
        "supply:check",
        "supply:all:0",
        "supply:apply:1",
        "supply:undo:1",
        "terms:switch:z-image:0",
        "terms:ask:all:markup",
        "terms:prices:z-image:0",
    ):
        alice.forge(data)
    alice.send("/price z-image")
    alice.send("/catalog")
    assert str(bot.bot.generation.catalog.models["z-image"].prices[0].credits) == "0.8"
    assert "credits" not in " ".join(message.get("text", "") for message in alice.received)


@SQLITE
def test_the_command_line_prints_the_differences(start_with, capsys):
    from tools import database_commands as commands

    bot = start_with(raise_price)
    lines = list(commands.catalog(bot.bot, "refresh"))
    assert any("price" in line and "z-image" in line for line in lines) and lines[-1].startswith("1 differences")
    boss = bot.admin()
    boss.send("/catalog")
    assert "Differences from KIE: 1" in boss.last


def test_every_field_of_the_published_forms_is_asked_fixed_or_left_out_on_purpose():
    data = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
    strange = {}
    for raw in data["models"]:
        known = {(spec.get("into") or spec["name"]).partition(".")[0] for spec in raw["inputs"]} | set(
            raw.get("left_out", ())
        )
        known |= {name for spec in raw["inputs"] for name in spec.get("also", ())}
        if missing := {spec["name"].strip() for spec in FACTS[raw["id"]]["inputs"]} - known:
            strange[raw["id"]] = missing
    assert strange == {}
    assert set(data["left_out"]) == {m["id"] for m in PUBLISHED["models"]} - {raw["id"] for raw in data["models"]}

"""What the catalogue does by itself as days pass: prices that end, models that KIE's list lacks, versions that are gone."""

import json
import re
from datetime import date
from decimal import Decimal

import pytest

from kie.catalogue import overrides
from kie.catalogue.model import Catalog, _check_prices
from kie.sync import catalogue_diff
from kie.sync.discovery import Listing, Offer, Row
from tests.kit import ROOT
from tests.watching import Calls

DATA = json.loads((ROOT / "data/models.json").read_text(encoding="utf-8"))
CATALOG = Catalog.from_data(DATA)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ISOLATION, ENDING = "elevenlabs/audio-isolation", "google/gemini-3-8-flash-tts"
BEFORE, LAST = "2026-12-30 12:00", "2026-12-31 00:01"


def listing(*names, **inputs):
    """Return KIE's offer: every model of ours, and these."""
    ours = {raw["id"] for raw in DATA["models"] if not raw.get("unlisted")}
    return Listing(dict(inputs), frozenset(ours | set(names)))


# prices with an end


def test_published_ends_of_prices_are_in_the_file():
    ends = {name for _day, name in overrides.ending(DATA)}
    published = json.loads((ROOT / "tests/data/kie-models.json").read_text(encoding="utf-8"))
    noted = {m["id"] for m in published["models"] if "until 2026-12-31" in json.dumps(m["price"])}
    assert ends == noted | {ENDING, "google/gemini-3-8-flash-lite-tts"}
    assert {day for day, _name in overrides.ending(DATA)} == {date(2026, 12, 31)}


def test_on_the_last_day_the_next_price_is_in_force():
    before = overrides.at(DATA, date(2026, 12, 30))
    assert before is DATA
    after = Catalog.from_data(overrides.at(DATA, date(2026, 12, 31)))
    assert after.rejected == CATALOG.rejected
    cost = {row.credits for row in CATALOG.models[ENDING].prices}
    assert cost == {Decimal(1260), Decimal(70)}
    assert {row.credits for row in after.models[ENDING].prices} == {Decimal(2800), Decimal(140)}
    assert all(after.models[name].prices == CATALOG.models[name].prices for name in ("z-image", "kling-3.0/video"))


def test_a_price_that_an_admin_has_applied_has_no_end():
    feed = next(row["feed"] for raw in DATA["models"] if raw["id"] == ENDING for row in raw["price"])
    data = overrides.merged(DATA, {(f"model:{ENDING}", "price"): {feed: {"credits": "1500"}}})
    rows = next(raw["price"] for raw in overrides.at(data, date(2027, 1, 1))["models"] if raw["id"] == ENDING)
    assert [row["credits"] for row in rows] == ["1500", "140"]


def test_an_end_without_what_comes_then_is_a_mistake_that_doctor_names():
    broken = json.loads(json.dumps(DATA))
    del next(raw for raw in broken["models"] if raw["id"] == ENDING)["price"][0]["then"]
    reason = dict(Catalog.from_data(broken).rejected)[ENDING]
    assert "until wants then" in reason


def test_what_says_nothing_about_a_models_form_or_price_leaves_the_catalogue_as_it_is():
    changes = {("offer:image", "rung_good"): {"off": True}, ("all", "markup"): "2", ("model:z-image", "off"): True}
    assert overrides.merged(DATA, changes) is DATA


def test_of_a_change_the_prices_of_what_it_changes_alone_are_worked_out_again():
    broken = json.loads(json.dumps(DATA))
    next(raw for raw in broken["models"] if raw["id"] == "kling-3.0/video")["price"] = []
    catalog = Catalog.from_data(broken)
    feed = next(row["feed"] for raw in DATA["models"] if raw["id"] == ENDING for row in raw["price"])
    data = overrides.merged(broken, {(f"model:{ENDING}", "price"): {feed: {"credits": "1500"}}})
    with Calls(lambda frame: frame.f_locals["model"].id if frame.f_code is _check_prices.__code__ else None) as checked:
        after = catalog.anew(data, broken)
    assert checked.names == [ENDING]
    assert after.rejected == catalog.rejected and "kling-3.0/video" in dict(after.rejected)
    assert {row.credits for row in after.models[ENDING].prices} == {Decimal(1500), Decimal(70)}
    wrong = overrides.merged(broken, {(f"model:{ENDING}", "price"): {feed: {"credits": "-1"}}})
    assert ENDING in dict(catalog.anew(wrong, broken).rejected)


def shown(person):
    """Return what a line to be spoken costs at most, as its card shows it."""
    person.send("/start")
    person.forge("generate:open:gtts38")
    person.send("Good morning")
    label = next(label for label in person.buttons if label.startswith("▶"))
    return Decimal(re.search(r"([\d.]+) ₽", label)[1])


@SQLITE
def test_a_price_changes_by_itself_and_one_shown_before_is_shown_again(start_bot):
    bot = start_bot(now=BEFORE)
    alice = bot.rich()
    cheap = shown(alice)
    bot.forward(13 * 3600, step=3600)
    alice.tap("▶")
    assert not bot.bot.jobs.of_user(bot.bot.users.by_telegram_id(alice.id).id, limit=1), "not at a price that has ended"
    assert shown(alice) > cheap


def told(person):
    """Return what was written to somebody about prices that end."""
    texts = [message.get("text", "") for message in person.messages]
    return [text for text in texts if "KIE’s price for" in text]


@SQLITE
def test_the_staff_is_told_two_weeks_before_a_price_ends_and_once(start_bot):
    bot = start_bot(now="2026-12-16 12:00")
    boss = bot.admin()
    bot.forward(30, step=10)
    assert not told(boss)
    boss.send("/catalog")
    assert "Price ends Dec 31: Gemini TTS 3.8 Flash" in boss.last or "Price ends 31 Dec" in boss.last
    bot.forward(86400, step=3600)
    assert len(told(boss)) == 1 and "Gemini" in told(boss)[0]
    bot.forward(86400, step=3600)
    bot.restart()
    bot.forward(60, step=10)
    assert len(told(boss)) == 1


# what KIE's list lacks


def test_nothing_that_the_list_lacks_is_on_sale():
    facts = json.loads((ROOT / "tests/data/kie-models.json").read_text(encoding="utf-8"))["models"]
    lacking = {m["id"] for m in facts if m["status"] != "listed"}
    assert not lacking & set(CATALOG.models)
    assert set(CATALOG.unlisted) == lacking & set(CATALOG.known) == {ISOLATION}


def test_a_comparison_that_finds_it_in_the_list_offers_to_put_it_on_sale():
    assert not [c for c in catalogue_diff.compare(DATA, listing(), "2026-12-01") if c.model == ISOLATION]
    (seen,) = catalogue_diff.compare(DATA, listing(ISOLATION), "2026-12-01")
    assert (seen.model, seen.kind, seen.change, seen.alone) == (ISOLATION, "seen", ["off", False], False)
    data = overrides.merged(DATA, {(f"model:{ISOLATION}", "off"): False})
    assert ISOLATION in Catalog.from_data(data).models
    (gone,) = catalogue_diff.compare(data, listing(), "2026-12-08")
    assert (gone.kind, gone.change) == ("gone", ["off", True]), "once on sale, it is missed like any other"


@SQLITE
def test_the_reason_is_said_and_an_admin_can_put_it_on_sale(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    boss.send("/catalog")
    assert re.search(r"Off sale: ElevenLabs Isolation, .*, missing from KIE’s list of (6 Oct|Oct 6)", boss.last)
    assert "without a public address: Kling 3.0" in boss.last
    alice.send("/models isolation")
    assert "Nothing found" in alice.last
    boss.forge("terms:model:isolation")
    assert "missing from KIE’s list" in boss.last
    boss.tap("✓ Put on sale")
    alice.send("/models isolation")
    assert any(label.startswith("ElevenLabs Isolation") for label in alice.buttons)
    boss.tap("✗ Take off sale")
    boss.tap("✓ Put on sale")
    assert "On sale" in boss.last
    boss.send("/catalog")
    assert "missing from KIE" not in boss.last


# versions that are gone


@pytest.mark.parametrize("name", [raw["id"] for raw in DATA["models"] if raw["id"].startswith("ai-music-api/")])
def test_suno_versions_that_are_gone_are_no_news(name):
    raw = next(raw for raw in DATA["models"] if raw["id"] == name)
    fields = {}
    for spec in (spec for spec in raw["inputs"] if spec["name"] == "model"):
        fields["model"] = {"type": "string", "enum": [*spec["enum"], "V4", "V4_5", "V4_5PLUS", "V4_5ALL", "V5", "V5_5"]}
    known = {field: {} for spec in raw["inputs"] for field in [(spec.get("into") or spec["name"]).partition(".")[0]]}
    offer = Offer(name, inputs=known | fields)
    found = catalogue_diff.compare(
        DATA, Listing({name: offer}, listing().listed, {"x": Row("1", "", "")}), "2026-12-01"
    )
    assert not [change for change in found if change.model == name and change.kind == "inputs"]

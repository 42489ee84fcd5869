"""Prices: credits for every kind of billing, converted to the user's currency."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from catalog_facts import FACTS, ROOT, complete, expected_credits, media, seconds_in, url_of
from hypothesis import given
from hypothesis import strategies as st

from kie.catalogue import pricing
from kie.catalogue.model import Catalog, InputError
from kie.catalogue.pricing import NoPrice

CATALOG = Catalog.load(ROOT / "data/models.json")
MODELS = list(CATALOG.models.values())
EVERY = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
MONEY = {"usd_rate": Decimal(90), "markup": Decimal("2.0"), "credit_usd": CATALOG.credit_usd}
GOLDEN = json.loads((Path(__file__).parent / "data/golden-prices.json").read_text(encoding="utf-8"))

# Billed by more than was ordered, or KIE does not say by what: our figure is the most it can be.
BOUNDS = {model.id for model in MODELS if pricing.is_upper_bound(model)}


def cost(model_id, **values):
    """Return the credits for these answers."""
    return pricing.credits(CATALOG.models[model_id], values)


def published(model, values):
    """Return the credits by the published rows for the request that these answers make."""
    full = complete(model, values)
    sent = model.build(full, url_of)
    earlier = next((value for value in full.values() if isinstance(value, dict) and "task_id" in value), {})
    sizes = {"1": "up to 2K", "2": "up to 2K", "4": "up to 4K"}
    facts = {  # a length left to the model is charged as long as it can get: 30 s, or all of the clip
        "$source_resolution": earlier.get("resolution"),
        "$output_size": sizes.get(full.get("upscale_factor", "2")),
        "$output_count": Decimal(4),
        "$output_megapixels": Decimal(1),
        "durations": {-1: Decimal(30), 0: seconds_in(sent.get("video_url"))},
    }
    return expected_credits(FACTS[model.id], sent, facts)


# --- against the published facts


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['model']} {row['credits']}")
def test_prices_checked_by_hand(row):
    model = CATALOG.known[row["model"]]
    values = model.check(complete(model, row["values"]))
    assert pricing.credits(model, values) == Decimal(row["credits"])
    assert pricing.price(Decimal(row["credits"]), **MONEY) == row["kopecks_at_90_and_2"]


def test_the_hand_checked_prices_cover_every_kind_of_billing():
    kinds = {CATALOG.known[row["model"]].quantity.partition(":")[0] for row in GOLDEN}
    assert kinds == {model.quantity.partition(":")[0] for model in MODELS}
    assert len(GOLDEN) >= 20 and all(row["source"].startswith("https://") and row["how"] for row in GOLDEN)


@EVERY
def test_every_combination_costs_what_is_published_or_is_its_upper_bound(model):
    seen = 0
    for values in pricing.combinations(model):
        if any(
            isinstance(value, dict) and "task_id" in value and value.get("resolution") is None
            for value in values.values()
        ):
            continue  # the resolution of the earlier clip is unknown: see the test of bounds
        ours = pricing.credits(model, values)
        if FACTS[model.id]["billing"]["quantity"] == "$meter":
            continue  # by tokens: see the test of bounds
        theirs = published(model, _with_real_files(values))
        assert ours >= theirs if model.id in BOUNDS else ours == theirs, values
        seen += 1
    assert seen or FACTS[model.id]["billing"]["quantity"] == "$meter"


def _with_real_files(values):
    """Return `values` with files whose facts `url_of` can write into a URL."""

    def real(value):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [real(one) for one in value]
        if isinstance(value, dict) and "task_id" not in value:
            return media(value["kind"]) | {"seconds": value.get("seconds"), "width": 1000, "height": 1000}
        return value

    return {name: real(value) for name, value in values.items()}


@EVERY
def test_every_combination_is_sold_above_cost_times_markup(model):
    for values in pricing.combinations(model):
        credits = pricing.credits(model, values)
        price = pricing.price(credits, **MONEY)
        exact = credits * CATALOG.credit_usd * MONEY["usd_rate"] * 100 * MONEY["markup"]
        assert isinstance(credits, Decimal) and isinstance(price, int)
        assert exact <= price < exact + 1
        assert (price == 0) == (credits == 0)


@EVERY
def test_the_price_from_is_the_lowest_of_all(model):
    assert pricing.cheapest(model) == min(pricing.credits(model, values) for values in pricing.combinations(model))


@EVERY
def test_a_new_form_has_a_price_or_says_which_fact_is_missing(model):
    try:
        assert pricing.credits(model, {}) >= 0
    except NoPrice as missing:
        assert missing.fact.partition(".")[0] in model.missing({})


def test_only_free_helpers_are_free():
    free = {model.id for model in MODELS if pricing.cheapest(model) == 0}
    assert free == {
        name for name, facts in FACTS.items() if facts["price"] and Decimal(facts["price"][0]["credits"]) == 0
    }


# --- the user's money


@given(
    credits=st.decimals("0.01", "5000", places=2),
    rate=st.decimals("0.5", "20000", places=2),
    markup=st.decimals("1", "10", places=2),
)
def test_a_price_is_never_below_cost_times_markup_and_never_a_kopeck_more(credits, rate, markup):
    price = pricing.price(credits, usd_rate=rate, markup=markup, credit_usd=Decimal("0.005"))
    exact = pricing.cost(credits, usd_rate=rate, credit_usd=Decimal("0.005")) * markup
    assert price >= exact > price - 1 and price > 0


@pytest.mark.parametrize(
    ("credits", "rate", "minor"),
    [
        ("0.001", "1", 1),  # a fifth of a hundredth of a kopeck: still one kopeck
        ("4", "77.25", 309),
        ("0.5", "77.25", 39),
        ("0", "90", 0),
        ("2", "100", 200),
        ("2.001", "100", 201),
    ],
)
def test_prices_are_rounded_up_to_one_minor_unit(credits, rate, minor):
    found = pricing.price(Decimal(credits), usd_rate=Decimal(rate), markup=Decimal(2), credit_usd=Decimal("0.005"))
    assert found == minor


# --- facts that are not known


def test_a_clip_of_unknown_length_has_no_price_when_no_limit_is_published():
    with pytest.raises(NoPrice) as caught:
        cost("topaz/video-upscale", video_url=media("video", seconds=None))
    assert caught.value.fact == "video_url.seconds"
    with pytest.raises(NoPrice) as caught:
        cost("topaz/video-upscale")
    assert caught.value.fact == "video_url"


def test_a_track_of_unknown_length_costs_as_much_as_the_longest_allowed():
    model, track = CATALOG.models["kling/ai-avatar-pro"], media("audio", seconds=None)
    assert cost("kling/ai-avatar-pro", audio_url=track) == 16 * 15
    assert pricing.is_upper_bound(model, {"audio_url": track})
    assert not pricing.is_upper_bound(model, {"audio_url": media("audio", seconds=15)})


def test_reference_clips_of_unknown_length_cost_their_published_total():
    clips = [media("video", seconds=None)] * 3
    assert cost("bytedance/seedance-2", prompt="fox", reference_video_urls=clips) == 25 * (5 + 15)


def test_a_started_second_is_a_second():
    assert cost("topaz/video-upscale", video_url=media("video", seconds=7.2)) == 8 * 8


def test_a_picture_of_unknown_size_is_priced_at_the_largest_output():
    assert cost("topaz/image-upscale", image_url=media("image", width=None)) == 40
    with pytest.raises(NoPrice):
        cost("topaz/image-upscale", image_url=media("image", width=9000), upscale_factor="1")


@pytest.mark.parametrize(
    ("side", "factor", "credits"), [(1024, "2", 10), (1025, "2", 20), (2048, "1", 10), (1500, "4", 40)]
)
def test_an_upscale_is_priced_by_the_longer_side_of_its_output(side, factor, credits):
    assert (
        cost("topaz/image-upscale", image_url=media("image", width=10, height=side), upscale_factor=factor) == credits
    )


def test_an_earlier_clip_of_unknown_resolution_is_priced_at_the_dearest_row():
    clip = {"job": 1, "model": "grok-imagine/text-to-video", "task_id": "t", "resolution": None}
    assert cost("grok-imagine/upscale", task_id=clip, resolution="1080p") == 30
    assert cost("grok-imagine/upscale", task_id={**clip, "resolution": "720p"}, resolution="1080p") == 20
    assert pricing.is_upper_bound(CATALOG.models["grok-imagine/upscale"], {"task_id": clip})


def test_there_is_no_price_for_what_kie_does_not_sell():
    clip = {"job": 1, "model": "grok-imagine/text-to-video", "task_id": "t", "resolution": "720p"}
    for model_id, values in [
        ("grok-imagine/upscale", {"task_id": clip, "resolution": "720p"}),
        ("runway", {"duration": 10, "quality": "1080p"}),
        ("kling-2.6/text-to-video", {"duration": "7"}),
        ("happyhorse/text-to-video", {"duration": 100}),
        ("happyhorse/text-to-video", {"duration": 0}),
        ("happyhorse/text-to-video", {"duration": -5}),
        ("wan/2-7-image", {"n": 5}),
    ]:
        with pytest.raises(NoPrice) as caught:
            cost(model_id, **values)
        assert caught.value.fact == ""


def test_a_hidden_input_cannot_be_used_to_lower_the_price():
    track = media("audio", seconds=1)
    assert cost("wan/2-2-a14b-speech-to-video-turbo", audio_url=track, frames_per_second=60) == 12 * 5


# --- upper bounds


def test_speech_by_tokens_is_bounded_by_the_length_of_the_text():
    short = cost("google/gemini-3-1-flash-tts", text="Hello")
    longer = cost("google/gemini-3-1-flash-tts", text="Hello " * 200)
    # 1200 characters, slow: 120 s at 32 tokens a second; and every character a token on the way in
    assert longer >= Decimal(2800) * 120 * 32 / 1_000_000 + Decimal(140) * 1200 / 1_000_000
    assert 0 < short < longer
    assert cost("google/gemini-2-5-pro-tts", text="x" * 5000) <= Decimal(2940) * 16384 / 1_000_000


def test_a_started_thousand_of_characters_is_a_thousand():
    assert [cost("elevenlabs/text-to-speech-turbo-2-5", text="x" * count) for count in (1, 1000, 1001)] == [6, 6, 12]
    assert cost("elevenlabs/text-to-dialogue-v3", text="x" * 600, text_2="x" * 600) == 28


def test_what_kie_leaves_open_is_an_upper_bound():
    open_ended = {
        "google/gemini-3-1-flash-tts",
        "elevenlabs/text-to-speech-turbo-2-5",
        "seedream/5-pro-layer-decomposition",
        "qwen/text-to-image",
        "volcengine/video-to-video-lip-sync",
        "wan/2-7-videoedit",
        "happyhorse/video-edit",
    }
    assert all(pricing.is_upper_bound(CATALOG.models[name]) for name in open_ended)
    assert not pricing.is_upper_bound(CATALOG.models["kling-2.6/text-to-video"])
    length = CATALOG.models["bytedance/seedance-2-5"]
    assert pricing.is_upper_bound(length, {"duration": -1}) and not pricing.is_upper_bound(length, {"duration": 5})


# --- traps of the published prices


def test_veo_costs_the_same_for_any_length():
    assert {cost("veo-3-1", duration=length) for length in (4, 6, 8)} == {60}


def test_a_video_edit_is_charged_for_the_clip_it_gets_and_the_clip_it_makes():
    assert cost("happyhorse/video-edit", video_url=media("video", seconds=10), resolution="720p") == 28 * 20


def test_the_dearer_of_two_sources_counts():
    assert cost("pixverse-v6/reference-to-video", duration=5) == Decimal("8.1") * 5
    assert cost("qwen/image-edit", num_images="1") == 6


def test_the_regular_price_counts_while_a_discount_runs_out():
    assert cost("bytedance/seedance-2-fast", resolution="480p") == Decimal("15.5") * 5


def test_pictures_beyond_the_first_are_added():
    model = "seedream/5-pro-image-to-image"
    assert cost(model, image_urls=[media("image")]) == 7
    assert cost(model, image_urls=[media("image")] * 4) == Decimal("8.5")
    assert cost("qwen3/image-to-image", image_urls=[media("image")] * 2) == Decimal("5.8")
    assert (
        cost("minimax-h3/image-to-video", first_frame_url=media("image"), last_frame_url=media("image")) == 13 * 6 + 8
    )


def test_a_clip_as_a_reference_changes_the_rate_and_adds_its_seconds():
    assert cost("bytedance/seedance-2", duration=5) == 41 * 5
    assert cost("bytedance/seedance-2", duration=5, reference_video_urls=[media("video", seconds=4)]) == 25 * 9


def test_the_longer_of_clip_and_track_is_reserved():
    answers = {"audio_url": media("audio", seconds=4), "video_url": media("video", seconds=9)}
    assert cost("volcengine/video-to-video-lip-sync", **answers) == 8 * 9


def test_an_edit_that_keeps_the_length_is_as_long_as_the_clip():
    clip = media("video", seconds=6)
    assert cost("wan/2-7-videoedit", video_url=clip, resolution="720p") == 16 * (6 + 6)
    assert cost("wan/2-7-videoedit", video_url=clip, resolution="720p", duration=3) == 16 * (3 + 6)


def test_every_picture_of_a_run_is_charged():
    assert cost("wan/2-7-image", n=3) == Decimal("14.4")
    assert cost("ideogram/v3-remix", num_images="4", rendering_speed="QUALITY") == 40
    assert cost("bytedance/seedream-v4-text-to-image", max_images=6) == 30


# --- for the screens


def test_each_choice_is_shown_with_its_price():
    kling = CATALOG.models["kling-2.6/text-to-video"]
    assert pricing.options(kling, {"sound": True}, "duration") == [("5", 110), ("10", 220)]
    assert pricing.options(kling, {}, "sound") == [(False, 55), (True, 110)]
    lengths = pricing.options(CATALOG.models["happyhorse/text-to-video"], {"resolution": "720p"}, "duration")
    assert lengths[0] == (3, 84) and len(lengths) == 13


def test_choices_that_cannot_be_had_are_not_shown():
    assert [choice for choice, _ in pricing.options(CATALOG.models["runway"], {"duration": 10}, "quality")] == ["720p"]


def test_choices_are_shown_without_a_price_until_the_clip_is_there():
    upscale = CATALOG.models["topaz/video-upscale"]
    assert pricing.options(upscale, {}, "upscale_factor") == [("1", None), ("2", None), ("4", None)]
    assert pricing.rate(upscale, {"upscale_factor": "4"}) == (14, "second")


def test_free_text_has_no_list_of_prices():
    assert pricing.options(CATALOG.models["z-image"], {"prompt": "fox"}, "prompt") == []


def test_a_value_that_cannot_be_parsed_is_no_reason_to_guess():
    with pytest.raises(InputError):
        CATALOG.models["happyhorse/text-to-video"].check({"prompt": "fox", "duration": "long"})
    with pytest.raises(NoPrice):
        cost("happyhorse/text-to-video", duration="long")

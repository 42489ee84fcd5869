"""The catalogue: what is offered, how answers are parsed, and what is sent to KIE."""

import copy
import json
import re
import threading

import pytest
from catalog_facts import FACTS, PUBLISHED, ROOT, complete, full, media, problems, url_of

from core.texts import Texts
from kie.catalogue.model import Catalog, CatalogError, InputError

PATH = ROOT / "data/models.json"
DATA = json.loads(PATH.read_text(encoding="utf-8"))
CATALOG = Catalog.load(PATH)
TEXTS = Texts(ROOT / "data" / "texts")
MODELS = list(CATALOG.models.values())
EVERY = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)


def entry(model_id):
    """Return a copy of one entry of data/models.json."""
    return copy.deepcopy(next(raw for raw in DATA["models"] if raw["id"] == model_id))


def load(*models, **more):
    """Return a catalogue of these entries."""
    return Catalog.from_data({**DATA, "models": list(models), **more})


def build(model_id, **values):
    """Return what KIE is sent for these answers."""
    return CATALOG.models[model_id].build(values, url_of)


def refusal(model_id, **values):
    """Return the InputError that these answers meet."""
    with pytest.raises(InputError) as caught:
        build(model_id, **values)
    return caught.value


# --- what is offered


def test_nothing_in_the_file_is_rejected():
    assert CATALOG.rejected == ()


def test_at_least_170_of_the_listed_models_are_offered_and_the_rest_are_explained():
    listed = {name for name, facts in FACTS.items() if facts["status"] == "listed"}
    missing = set(FACTS) - set(CATALOG.models)
    assert len(listed & set(CATALOG.models)) >= 170
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    assert [name for name in missing if f"`{name}`" not in page] == []


def test_every_promised_card_that_still_has_a_current_id_is_offered():
    kept = {card for card, ids in PUBLISHED["promised"].items() if set(ids) & set(CATALOG.known)}
    assert len(kept) == 39
    titles = {title for card in CATALOG.cards.values() for title in (card.title, *card.aliases)}
    assert {card for card in kept if set(PUBLISHED["promised"][card]) & set(CATALOG.models)} <= titles
    assert len(kept - titles) == len(CATALOG.unlisted)


def test_the_page_names_a_successor_for_each_promised_card_that_is_gone():
    gone = {card for card, ids in PUBLISHED["promised"].items() if not set(ids) & set(CATALOG.known)}
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8").partition("## The 47 promised cards")[2]
    rows = dict(re.findall(r"^\| (?!Promised|---)(.+?) \| (.+?) \|$", page, re.M))
    assert set(rows) == gone and len(gone) == 8
    titles = {card.title for card in CATALOG.cards.values()}
    assert all(any(title in words for title in titles) or words.startswith("nothing: ") for words in rows.values())


def test_the_page_counts_what_is_offered():
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    listed = [name for name, facts in FACTS.items() if facts["status"] == "listed"]
    offered = [name for name in listed if name in CATALOG.models]
    assert f"{len(offered)} of the {len(listed)} models on KIE's list are here" in page
    assert f"Behind that are {len(MODELS)} models of" in (ROOT / "README.md").read_text(encoding="utf-8").replace(
        "\n", " "
    )


def test_no_two_products_have_one_name_and_no_words_hold_an_id():
    names = [name.lower() for card in CATALOG.cards.values() for name in (card.title, *card.aliases)]
    assert len(set(names)) == len(names)
    words = [text for card in CATALOG.cards.values() for text in (card.title, *card.aliases, *abouts(card))]
    ids = [model.id for model in MODELS if re.search("[/_]|-.*-", model.id)]  # `z-image` is a name as well
    assert [(one, text) for text in words for one in ids if one in text.lower()] == []
    assert not [text for text in words if re.search(r"[a-z0-9]/[a-z0-9]|_", text)]


def test_no_offered_model_is_delisted_or_renamed():
    assert {FACTS[model.id]["status"] for model in MODELS} <= {"listed", "listed-in-docs-only"}


def test_codes_are_short_and_unique():
    codes = [model.code for model in MODELS]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9-]{1,16}", code) for code in codes)
    assert all(CATALOG.by_code(model.code) is model for model in MODELS)
    assert CATALOG.by_code("no-such-code") is None


def test_two_models_of_a_card_can_be_told_apart():
    names = [(model.title, model.mode_title) for model in MODELS]
    assert len(set(names)) == len(names)


def test_cards_speak_every_language_briefly_and_each_in_its_own_words():
    lines = [line for card in CATALOG.cards.values() for line in abouts(card)]
    assert len(set(lines)) == len(lines) == len(CATALOG.cards) * len(TEXTS.languages)
    assert all(10 <= len(line) <= 90 and "/" not in line and "!" not in line for line in lines)


def abouts(card):
    """Return the lines about a card, in every language."""
    return [TEXTS.plain(lang, f"about.{card.id}") for lang in TEXTS.languages if TEXTS.has_in(lang, f"about.{card.id}")]


def test_the_menu_is_ordered_and_holds_every_model():
    menu = CATALOG.types()
    assert [name for name, _ in menu] == ["picture", "edit", "video", "music", "voice", "tools"]
    assert {card.id for _, cards in menu for card in cards} == set(CATALOG.cards)
    assert all(model.menus for model in MODELS)


def test_a_model_that_needs_an_earlier_result_is_only_a_tool():
    assert CATALOG.models["ai-music-api/cover-generate"].menus == ("tools",)
    assert "picture" in CATALOG.models["nano-banana-pro"].menus and "edit" in CATALOG.models["nano-banana-pro"].menus


def test_models_are_found_by_what_they_do():
    assert [model.id for model in CATALOG.of_type("background-removal")] == ["recraft/remove-background"]
    assert "topaz/image-upscale" in [model.id for model in CATALOG.of_type("image-upscale")]


FINER = {"music-cover", "music-extend"}  # works of ours that KIE's own list puts under music-edit


@EVERY
def test_output_kind_and_modes_are_the_published_ones(model):
    facts = FACTS[model.id]
    assert (model.output, model.type) == (facts["output"], facts["type"])
    finer = set(model.modes) - {mode for published in FACTS.values() for mode in published["modes"]}
    assert set(model.modes) - finer == set(facts["modes"])
    assert finer <= FINER
    assert model.deadline_s >= (2700 if model.output == "video" else 900)


# --- what KIE is sent


@EVERY
def test_the_fewest_answers_make_a_request_that_kie_accepts(model):
    assert problems(FACTS[model.id], model.build(complete(model), url_of)) == []


@EVERY
def test_the_fullest_answers_make_a_request_that_kie_accepts(model):
    assert problems(FACTS[model.id], model.build(full(model), url_of)) == []


@EVERY
def test_every_choice_we_show_is_one_that_kie_takes(model):
    facts = {spec["name"]: spec for spec in FACTS[model.id]["inputs"]}
    for spec in (*model.main_inputs, *model.more_inputs):
        root = facts.get(spec.path.partition(".")[0], {})
        if root.get("type") == "enum":
            assert set(spec.choices) <= set(root["enum"]), spec.name
        if "max_length" in root and spec.kind == "text":
            assert spec.max_length <= root["max_length"], spec.name
        for limit in ("max_items", "max_mb"):
            if limit in root and spec.path == spec.name:
                assert getattr(spec, limit) <= root[limit], spec.name


@EVERY
def test_every_required_field_of_the_schema_is_answered_or_sent(model):
    sent = model.build(complete(model), url_of)
    assert [
        spec["name"] for spec in FACTS[model.id]["inputs"] if spec.get("required") and spec["name"] not in sent
    ] == []


@EVERY
def test_an_answer_survives_storage_as_json(model):
    values = full(model)
    stored = json.loads(json.dumps(values))
    assert model.check(stored) == values
    assert model.build(stored, url_of) == model.build(values, url_of)


@EVERY
def test_answers_come_back_from_button_text_with_their_own_type(model):
    for spec in model.inputs:
        for choice in spec.choices:
            found = spec.parse(str(choice))
            assert found == choice and type(found) is type(choice)


def test_kie_gets_the_defaults_that_were_shown():
    sent = build("kling-2.6/text-to-video", prompt="a fox")
    assert sent == {"prompt": "a fox", "aspect_ratio": "1:1", "duration": "5", "sound": False}


def test_one_file_is_a_url_and_several_are_a_list():
    photo = media("image")
    assert build("recraft/remove-background", image=photo) == {"image": url_of(photo)}
    assert (
        build("google/nano-banana-edit", prompt="hat", image_urls=[photo, photo])["image_urls"] == [url_of(photo)] * 2
    )


def test_the_file_callback_is_called_once_for_each_file():
    asked = []
    model = CATALOG.models["google/nano-banana-edit"]
    model.build(
        {"prompt": "hat", "image_urls": [media("image"), media("image")]}, lambda file: asked.append(file) or "u"
    )
    assert len(asked) == 2


def test_fixed_fields_are_sent_and_cannot_be_answered():
    assert build("z-image", prompt="a fox")["nsfw_checker"] is True
    assert refusal("z-image", prompt="a fox", nsfw_checker=False).key == "unknown_input"


def test_a_field_outside_the_schema_is_refused():
    assert refusal("z-image", prompt="a fox", promt="a fox").values["name"] == "promt"


def test_a_dialogue_becomes_lines_with_voices():
    sent = build("elevenlabs/text-to-dialogue-v3", text="Hi", text_2="Hello")
    assert [line["text"] for line in sent["dialogue"]] == ["Hi", "Hello"]
    assert len(build("elevenlabs/text-to-dialogue-v3", text="Hi")["dialogue"]) == 1


def test_speech_with_one_speaker_names_that_speaker_everywhere():
    sent = build("google/gemini-3-1-flash-tts", text="Hi", voice_name="Puck")
    assert sent["dialogue_turns"] == [{"text": "Hi", "speaker_id": "Speaker 1"}]
    assert sent["speakers"] == [{"voice_name": "Puck", "accent": "Neutral", "speaker_id": "Speaker 1"}]


def test_fused_pictures_get_names_for_the_prompt():
    sent = build(
        "pixverse-v6/reference-to-video", prompt="@image1 meets @image2", image_references=[media("image")] * 2
    )
    assert [row["ref_name"] for row in sent["image_references"]] == ["image1", "image2"]


def test_a_clip_with_trim_points_is_one_object():
    sent = build("gemini-omni-video", prompt="rain", video_list=media("video"), clip_end=6)
    assert sent["video_list"] == [{"url": url_of(media("video")), "start": 0, "ends": 6.0}]
    assert "video_list" not in build("gemini-omni-video", prompt="rain")


def test_voices_have_names_people_can_read():
    voice = CATALOG.models["elevenlabs/text-to-speech-turbo-2-5"].input("voice")
    assert len(voice.choices) == 67 and voice.choice_name(voice.choices[0]).startswith("James")
    assert len({voice.choice_name(choice) for choice in voice.choices}) == 67


# --- an earlier result as an input


SONG = {"job": 7, "model": "ai-music-api/generate", "task_id": "t7", "audio_id": "a7"}
CLIP = {"job": 8, "model": "grok-imagine/text-to-video", "task_id": "t8", "resolution": "480p"}


def test_an_earlier_result_gives_its_ids():
    assert build("ai-music-api/convert-to-wav-format", task_id=SONG) == {"task_id": "t7", "audio_id": "a7"}
    assert build("ai-music-api/extend", audio_id=SONG, prompt="louder")["audio_id"] == "a7"
    assert build("grok-imagine/upscale", task_id=CLIP)["task_id"] == "t8"
    picture = {"job": 9, "model": "grok-imagine/text-to-image", "task_id": "t9", "index": 3}
    sent = build("grok-imagine/image-to-video", task_id=picture)
    assert (sent["task_id"], sent["index"]) == ("t9", 3)


def test_a_result_of_another_model_or_without_its_ids_is_not_usable():
    assert refusal("grok-imagine/upscale", task_id=SONG).key == "not_usable"
    assert refusal("ai-music-api/convert-to-wav-format", task_id={**SONG, "audio_id": None}).key == "not_usable"
    assert refusal("grok-imagine/upscale", task_id="t8").key == "not_usable"


def test_a_large_clip_cannot_be_enlarged_again():
    assert refusal("grok-imagine/upscale", task_id={**CLIP, "resolution": "1080p"}).key == "not_usable"
    veo = {"job": 1, "model": "veo-3-1", "task_id": "t", "resolution": "1080p"}
    assert refusal("veo/extend", prompt="on", task_id=veo).key == "not_usable"


def test_the_next_steps_for_a_result_are_found():
    ids = {model.id for model, _ in CATALOG.fed_by(CLIP)}
    assert ids == {"grok-imagine/upscale", "grok-imagine/extend"}
    assert "ai-music-api/separate-vocals" in {model.id for model, _ in CATALOG.fed_by(SONG)}


def test_every_source_of_an_earlier_result_is_offered():
    strange = {source for model in MODELS for spec in model.inputs for source in spec.sources} - set(CATALOG.models)
    assert strange == set()


# --- reading answers


def read(model_id, name, value):
    """Return the parsed answer, or the key and limit of its refusal."""
    try:
        return CATALOG.models[model_id].input(name).parse(value)
    except InputError as error:
        return error.key, error.values.get("limit")


@pytest.mark.parametrize(
    ("model_id", "name", "value", "result"),
    [
        ("z-image", "prompt", "  a fox ", "a fox"),
        ("z-image", "prompt", "x" * 1001, ("too_long", 1000)),
        ("z-image", "prompt", "   ", ("too_short", 1)),
        ("bytedance/seedance-1.5-pro", "prompt", "ab", ("too_short", 3)),
        ("z-image", "aspect_ratio", "7:5", ("not_a_choice", None)),
        ("nano-banana-pro", "resolution", "4k", "4K"),
        ("runway", "duration", "10", 10),
        ("kling-2.6/text-to-video", "duration", 5, ("not_a_choice", None)),
        ("kling-2.6/text-to-video", "sound", "true", True),
        ("kling-2.6/text-to-video", "sound", "maybe", ("not_a_choice", None)),
        ("happyhorse/text-to-video", "duration", "7", 7),
        ("happyhorse/text-to-video", "duration", "7.5", ("not_a_number", None)),
        ("happyhorse/text-to-video", "duration", "nan", ("not_a_number", None)),
        ("happyhorse/text-to-video", "duration", True, ("not_a_number", None)),
        ("happyhorse/text-to-video", "duration", 2, ("too_small", 3)),
        ("happyhorse/text-to-video", "duration", 16, ("too_large", 15)),
        ("elevenlabs/text-to-speech-turbo-2-5", "speed", "1,15", 1.15),
        ("elevenlabs/text-to-speech-turbo-2-5", "speed", 1.155, ("wrong_step", 0.01)),
        ("wan/2-2-a14b-speech-to-video-turbo", "num_frames", 82, ("wrong_step", 4)),
        ("grok-imagine-image-2-0/segment-edit", "mask_indexs", "1, 3", [1, 3]),
        ("grok-imagine-image-2-0/segment-edit", "mask_indexs", "0", ("too_small", 1)),
        ("grok-imagine-image-2-0/segment-edit", "mask_indexs", "all", ("not_a_number", None)),
    ],
)
def test_answers_are_read_by_type(model_id, name, value, result):
    found = read(model_id, name, value)
    assert found == result and isinstance(found, bool) == isinstance(result, bool)


@pytest.mark.parametrize(
    ("model_id", "name", "file", "key"),
    [
        ("google/nano-banana-edit", "image_urls", [], "too_few_files"),
        ("google/nano-banana-edit", "image_urls", [media("image")] * 11, "too_many_files"),
        ("ai-music-api/mashup", "upload_url_list", [media("audio")], "too_few_files"),
        ("recraft/remove-background", "image", [media("image")] * 2, "too_many_files"),
        ("recraft/remove-background", "image", media("image", size=6 * 1024 * 1024), "file_too_big"),
        ("recraft/remove-background", "image", media("image", mime="image/gif"), "wrong_file_type"),
        ("recraft/remove-background", "image", media("video"), "wrong_file_type"),
        (
            "recraft/remove-background",
            "image",
            media("image", mime=None, kind="document", name="a.pdf"),
            "wrong_file_type",
        ),
        ("recraft/remove-background", "image", {"kind": "photo"}, "wrong_file_type"),
        ("kling/ai-avatar-pro", "audio_url", media("audio", seconds=16), "lasts_too_long"),
        ("bytedance/seedance-2", "reference_video_urls", [media("video", seconds=1)], "lasts_too_short"),
        ("bytedance/seedance-2", "reference_video_urls", [media("video", seconds=8)] * 2, "lasts_too_long"),
    ],
)
def test_a_file_is_refused_before_it_is_downloaded(model_id, name, file, key):
    assert read(model_id, name, file)[0] == key


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "photo", "mime": None},
        {"mime": "image/jpg"},
        {"kind": "document", "mime": None, "name": "Holiday.JPG"},
        {"kind": "document", "mime": "image/png; charset=binary"},
    ],
)
def test_a_picture_is_known_by_type_name_or_kind(facts):
    file = media("image", **facts)
    assert read("recraft/remove-background", "image", file) == file


def test_a_voice_message_is_a_voice_track():
    voice = media("audio", kind="voice", mime="audio/ogg")
    assert read("kling/ai-avatar-pro", "audio_url", voice) == voice


def test_a_url_may_stand_for_a_file():
    link = {"url": "https://files.test/a.png"}
    assert read("recraft/remove-background", "image", link) == link


def test_what_is_missing_is_named_in_order():
    model = CATALOG.models["google/nano-banana-edit"]
    assert model.missing({}) == ["prompt", "image_urls"]
    assert refusal("google/nano-banana-edit", prompt="hat").values["names"] == ("image_urls",)
    assert CATALOG.models["bytedance/seedance-2"].missing({}) == ["prompt"]
    assert CATALOG.models["bytedance/seedance-2"].missing({"first_frame_url": media("image")}) == []


def test_inputs_are_asked_for_only_where_they_mean_something():
    song = CATALOG.models["ai-music-api/generate"]
    assert song.missing({}) == ["prompt"]
    assert song.missing({"custom_mode": True}) == ["lyrics", "style", "title"]
    assert song.missing({"custom_mode": True, "instrumental": True}) == ["style", "title"]
    assert not song.applies("style", {}) and song.applies("style", {"custom_mode": True})


def test_the_form_starts_with_the_defaults_and_shows_each_input_once():
    for model in MODELS:
        shown = [spec.name for spec in (*model.main_inputs, *model.more_inputs)]
        assert len(shown) == len(set(shown)) and set(model.defaults()) <= set(shown)
        assert not {
            spec.name for spec in model.inputs if spec.required and spec.shown == "more" and spec.default is None
        }


# --- what does not go together


def test_frames_and_references_exclude_each_other():
    error = refusal(
        "bytedance/seedance-2", prompt="fox", first_frame_url=media("image"), reference_image_urls=[media("image")]
    )
    assert error.key == "not_together"


def test_a_last_frame_needs_a_first_frame():
    assert refusal("bytedance/seedance-2", prompt="fox", last_frame_url=media("image")).key == "needs"


@pytest.mark.parametrize(
    ("model_id", "values"),
    [
        ("runway", {"prompt": "fox", "duration": 10, "quality": "1080p"}),
        (
            "hailuo/2-3-image-to-video-pro",
            {"prompt": "fox", "image_url": media("image"), "duration": "10", "resolution": "1080P"},
        ),
        ("veo-3-1", {"prompt": "fox", "image_urls": [media("image")] * 3, "model": "veo3"}),
        (
            "veo-3-1",
            {"prompt": "fox", "image_urls": [media("image")], "generation_type": "REFERENCE_2_VIDEO", "duration": 4},
        ),
        (
            "kling-3.0-omni/reference-to-video",
            {"prompt": "fox", "video_urls": [media("video")], "audio": True, "aspect_ratio": "auto"},
        ),
        ("kling-3.0-omni/transformation", {"prompt": "fox", "video_urls": [media("video")], "aspect_ratio": "16:9"}),
        (
            "kling-2.6/motion-control",
            {
                "input_urls": [media("image")],
                "video_urls": [media("video", seconds=11)],
                "character_orientation": "image",
            },
        ),
        ("grok-imagine/image-to-video", {"image_urls": [media("image")], "mode": "spicy"}),
        ("grok-imagine-video-1-5-preview", {"image_urls": [media("image")] * 2, "resolution": "1080p"}),
        ("wan/2-7-image", {"prompt": "fox", "n": 5}),
        ("wan/2-7-image-pro", {"prompt": "fox", "input_urls": [media("image")], "resolution": "4K"}),
        ("gpt-image-2-5-flare-text-to-image", {"prompt": "fox", "aspect_ratio": "27:16", "resolution": "2K"}),
        ("qwen2-1/text-to-image", {"prompt": "fox", "background": "transparent", "output_format": "jpeg"}),
        ("ai-music-api/upload-and-cover-audio", {"upload_url": media("audio"), "prompt": "x" * 501}),
    ],
)
def test_combinations_that_kie_refuses_are_refused_by_us(model_id, values):
    assert refusal(model_id, **values).key == "not_together"


def test_a_section_of_a_song_is_6_to_60_seconds_long():
    answers = {
        "prompt": "la",
        "tags": "pop",
        "title": "Sea",
        "full_lyrics": "la la",
        "task_id": SONG,
        "infill_start_s": 10,
    }
    assert refusal("ai-music-api/replace-section", **answers, infill_end_s=12).key == "lasts_too_short"
    assert refusal("ai-music-api/replace-section", **answers, infill_end_s=80).key == "lasts_too_long"
    assert build("ai-music-api/replace-section", **answers, infill_end_s=20)["infill_end_s"] == 20


# --- traps of the published schemas, each found in the facts


def test_the_older_name_of_the_frame_shape_is_not_sent():
    assert "image_size" not in build("google/nano-banana", prompt="fox")


def test_the_content_filter_is_always_on_where_there_is_one():
    for model in MODELS:
        if any(spec["name"] == "nsfw_checker" for spec in FACTS[model.id]["inputs"]):
            assert model.build(complete(model), url_of)["nsfw_checker"] is True


def test_a_price_switch_without_a_published_default_is_always_sent():
    assert build("grok-imagine/text-to-image", prompt="fox")["enable_pro"] is False
    assert build("gpt-image-2-text-to-image", prompt="fox")["resolution"] == "1K"
    assert build("kling-3.0-omni/image-to-video", prompt="fox", image_urls=[media("image")])["audio"] is False
    assert build("wan/2-7-image", prompt="fox")["n"] == 1


def test_lengths_are_sent_as_text_or_number_as_each_model_wants():
    assert build("kling/v3-turbo-text-to-video", prompt="fox")["duration"] == "5"
    assert build("grok-imagine/image-to-video", image_urls=[media("image")])["duration"] == "6"
    assert build("happyhorse/text-to-video", prompt="fox")["duration"] == 5
    assert build("runway", prompt="fox")["duration"] == 5
    assert build("kling-2.6/text-to-video", prompt="fox")["duration"] == "5"


def test_a_seed_is_text_in_one_imagen_and_a_number_in_another():
    assert build("google/imagen4", prompt="fox", seed="7")["seed"] == "7"
    assert build("google/imagen4-fast", prompt="fox", seed="7")["seed"] == 7


def test_jpg_and_jpeg_are_different_words():
    assert "jpg" in CATALOG.models["nano-banana-2"].input("output_format").choices
    assert "jpeg" in CATALOG.models["google/nano-banana"].input("output_format").choices


def test_kling_3_gets_its_empty_shot_list_and_omni_a_plain_prompt():
    assert build("kling-3.0/video", prompt="fox")["multi_prompt"] == []
    assert build("kling-3.0-omni/text-to-video", prompt="fox")["customize_multi_shots"] is False


def test_task_ids_are_spelled_as_each_model_spells_them():
    veo = {"job": 1, "model": "veo-3-1", "task_id": "t1", "resolution": "720p"}
    assert build("veo/get-1080p-video", taskId=veo) == {"taskId": "t1"}
    assert build("veo/get-4k-video", task_id=veo) == {"task_id": "t1"}


def test_the_length_left_to_the_model_is_a_choice_and_lengths_in_between_are_not():
    lengths = CATALOG.models["bytedance/seedance-2-5"].input("duration").choices
    assert lengths == (-1, *range(4, 31))
    assert CATALOG.models["wan/2-7-videoedit"].input("duration").choices == (0, *range(2, 11))


def test_motion_control_3_says_that_it_needs_a_callback_address():
    assert CATALOG.models["kling-3.0/motion-control"].needs_callback
    assert not CATALOG.models["kling-2.6/motion-control"].needs_callback


def test_any_key_means_that_no_key_is_sent():
    assert "sound_key" not in build("ai-music-api/sounds", prompt="rain")


def test_seeds_are_not_fixed_by_a_published_default():
    """Where KIE's own default is always the same, so would be the picture: a seed is drawn. A given one is sent."""
    fixed = {
        (name, spec["name"])
        for name, facts in FACTS.items()
        for spec in facts["inputs"]
        if "seed" in spec["name"] and (spec.get("default") or 0) >= 0 and "default" in spec
    }
    assert len(fixed) == 12
    assert fixed == {(model.id, spec.name) for model in MODELS for spec in model.inputs if spec.random}
    for name, field in fixed:
        model = CATALOG.models[name]
        values = full(model) | {field: None}
        seeds = {model.build(values, url_of)[field] for _order in range(20)}
        assert len(seeds) > 15 and all(0 <= seed <= 2147483647 for seed in seeds), name
        assert model.build(values | {field: 7}, url_of)[field] == 7
        assert field not in model.effective(values), "an order again is another picture"
    assert "seed" not in build("bytedance/seedream", prompt="fox"), "KIE draws one itself"


def test_field_names_have_no_stray_spaces():
    for model in MODELS:
        assert all(name == name.strip() for name in model.build(full(model), url_of))


# --- the file and its gate


def test_adding_a_model_is_a_copied_entry():
    added = {**entry("z-image"), "id": "z-image-2", "code": "z-image-2"}
    catalog = load(entry("z-image"), added)
    assert catalog.rejected == () and catalog.models["z-image-2"].build({"prompt": "fox"}, url_of)["prompt"] == "fox"
    assert [model.id for model in catalog.cards["z-image"].models] == ["z-image", "z-image-2"]


def change(path, value):
    """Return a function that sets, or with `...` removes, one place of an entry."""

    def apply(raw):
        *way, last = path
        for step in way:
            raw = raw[step]
        if value is ...:
            del raw[last]
        else:
            raw[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["output"], ..., "output is missing"),
        (["output"], "hologram", "output 'hologram'"),
        (["deadline_s"], ..., "deadline_s is missing"),
        (["deadline_s"], 5, "deadline_s must be at least usual_s"),
        (["price"], [], "price is missing"),
        (["code"], "Kling 2.6 text to video", "does not fit"),
        (["type"], "text-to-smell", "type 'text-to-smell'"),
        (["card"], "no-card", "card 'no-card' is not in cards"),
        (["colour"], "red", "unknown field ['colour']"),
        (["inputs", 0, "maxlength"], 9, "input 'prompt': unknown field ['maxlength']"),
        (["inputs", 0, "type"], "poem", "input 'prompt': name or type"),
        (["inputs", 0, "send"], "x", "send is for hidden inputs"),
        (["inputs", 1, "enum"], [], "input 'aspect_ratio': enum is empty"),
        (["inputs", 1, "default"], "9:99", "default '9:99' is not valid: not_a_choice"),
        (["inputs", 1, "name"], "prompt", "two inputs have the same name"),
        (["inputs", 0, "into"], "a..b", "into is not a path"),
        (["price", 0], {"when": {"sound": False, "duration": "5"}, "credits": 55.5}, "credits must be text"),
        (["price", 0, "credits"], "-1", "credits -1 below 0"),
        (["price", 0, "credits"], "many", "price 1"),
        (["price", 0, "when"], {"sound": False, "duration": "6"}, "no price for {'duration': '5', 'sound': False}"),
        (["price", 0, "when"], {"$weather": "rain"}, "unknown fact ['$weather']"),
        (["price", 0, "when"], {"loudness": 1}, "inputs that are not there: ['loudness']"),
        (["billing", "quantity"], "input:lenght", "inputs that are not there: ['lenght']"),
        (["billing", "amount"], "1", "billing"),
        (["constraints"], {"any_of": [["promt"]]}, "inputs that are not there: ['promt']"),
        (["constraints"], {"nonsense": []}, "constraints: unknown ['nonsense']"),
        (["constraints"], {"excluded": [{"duration": {"about": 5}}]}, "condition {'about': 5} is not known"),
    ],
)
def test_a_broken_entry_is_left_out_with_its_reason(path, value, reason):
    broken = entry("kling-2.6/text-to-video")
    change(path, value)(broken)
    catalog = load(broken, entry("z-image"))
    assert list(catalog.models) == ["z-image"]
    ((model_id, found),) = catalog.rejected
    assert model_id == "kling-2.6/text-to-video" and reason in found


def places(part, way=()):
    """Yield the path of every value inside an entry."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        yield [*way, key]
        if isinstance(value, dict | list):
            yield from places(value, (*way, key))


@pytest.mark.parametrize("odd", [None, 5, -1, "odd", "", [], {}, True, [[]], {"odd": {"odd": 1}}], ids=repr)
def test_no_odd_value_anywhere_takes_the_other_models_off_sale(odd):
    for path in places(entry("ai-music-api/replace-section")):
        broken = entry("ai-music-api/replace-section")
        change(path, odd)(broken)
        catalog = load(broken, entry("z-image"))
        assert "z-image" in catalog.models, path
        assert len(catalog.models) + len(catalog.rejected) == 2, path


def test_a_card_without_a_title_is_not_offered():
    catalog = load(entry("z-image"), cards=[{"id": "z-image", "title": ""}])
    assert catalog.rejected == (("z-image", "card z-image has no title"),)
    assert catalog.cards == {}


def test_a_repeated_code_is_refused():
    assert load(entry("z-image"), {**entry("z-image"), "id": "other"}).rejected == (
        ("other", "id or code is used twice"),
    )


def test_an_unreadable_file_says_so(tmp_path):
    broken = tmp_path / "models.json"
    broken.write_text("{", encoding="utf-8")
    for path in (broken, tmp_path / "none.json"):
        with pytest.raises(CatalogError, match=str(path)):
            Catalog.load(path)


def test_the_catalogue_cannot_be_changed_and_is_shared_between_threads():
    with pytest.raises(TypeError):
        CATALOG.models["new"] = None
    with pytest.raises(AttributeError):
        CATALOG.models["z-image"].code = "other"
    results = []
    work = threading.Thread(target=lambda: results.append(build("z-image", prompt="fox")))
    work.start()
    work.join()
    assert results == [build("z-image", prompt="fox")]


def test_the_file_is_written_for_diffs():
    lines = PATH.read_text(encoding="utf-8").splitlines()
    assert len(lines) > sum(len(model.inputs) + len(model.prices) for model in MODELS)

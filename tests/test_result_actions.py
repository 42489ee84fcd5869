"""Going on from a result, or from an upload: every model that can use it is offered, and receives it."""

import pytest

from tests.kit import png
from tests.shop import job_of, jobs_of, order, user_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def codes_behind(person, works):
    """Return the codes of all models behind a "Use in…" screen, walking every kind of work and every page."""
    found = {}
    for label, data in works.items():
        person.tap(data)
        codes, page = set(), offered(person)
        while not page <= codes:
            codes |= page
            if "›" in person.buttons:
                person.tap("›")
            page = offered(person)
        found[label] = codes
        person.tap("‹ Back")
    return found


def offered(person):
    """Return the codes of the models on the newest screen."""
    return {data.split(":")[-1] for data in person.buttons.values() if data.startswith("uses:open")}


def works_on(person):
    """Return {label: data} of the kinds of work on the newest screen."""
    return {label: data for label, data in person.buttons.items() if data.startswith("uses:work:")}


def result(bot, person, model, wait=2000, **more):
    """Order something and wait for it; return the job."""
    order(bot, person, model=model, **more)
    bot.forward(wait, step=100)
    job = job_of(bot, person)
    assert job.delivery == "sent", (job.state, job.reason)
    return job


def card(bot, person):
    """Return the values of the person's open card."""
    return bot.bot.drafts.get(user_of(bot, person).id, "generate", bot.clock.now()).data["values"]


@SQLITE
def test_every_model_that_takes_a_picture_is_offered_under_a_picture(start_bot):
    bot = start_bot(PUBLIC_URL="http://127.0.0.1:9", PORT="9")
    alice = bot.rich()
    result(bot, alice, "z-image", 60)
    alice.tap("➜ Use in…")
    found = set().union(*codes_behind(alice, works_on(alice)).values())
    takers = {
        m.code
        for m in bot.bot.generation.catalog.models.values()
        if m.input_for("image") and not any(s.kind == "task" and s.required for s in m.inputs)
    }
    assert found == takers and len(takers) > 80


@SQLITE
def test_upscale_and_animate_are_one_tap_from_a_picture_and_get_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = result(bot, alice, "z-image", 60)
    for label, name in (("🔍 Enlarge", "image_url"), ("🎬 Animate", "image_urls")):
        alice.tap(label, message=first.sent[0]["message_id"])
        open_now = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data
        given = (open_now.get("values") or open_now["rungs"][0]["values"])[name]
        file = given[0] if isinstance(given, list) else given
        assert file["url"] == first.result["urls"][0] and file["file_id"] == first.sent[0]["file_id"]
    alice.send("the fox runs")
    alice.tap("▶ Create")
    bot.forward(300)
    assert "video" in alice.last_message
    assert bot.kie.task()["inputs"]["image_urls"] == first.result["urls"]


@SQLITE
def test_a_result_whose_address_has_expired_goes_to_kie_by_telegrams_copy(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = result(bot, alice, "z-image", 60)
    bot.clock.forward(30 * 3600)
    alice.tap("🔍 Enlarge")
    alice.tap("▶")
    bot.forward(100)
    sent = bot.kie.task()
    assert sent["state"] == "success" and sent["inputs"]["image_url"] != first.result["urls"][0]
    assert "photo" in alice.last_message


@SQLITE
def test_of_several_results_one_is_chosen(start_bot):
    bot = start_bot()
    alice = bot.rich()
    six = result(bot, alice, "grok-img", 100)
    assert len(six.result["urls"]) == 6
    alice.tap("🎬 Animate")
    assert "Which one" in alice.last
    alice.tap("4")
    task = card(bot, alice)["task_id"]
    assert (task["task_id"], task["index"]) == (six.task_id, 3)


@SQLITE
def test_a_song_goes_on_by_its_ids_and_shows_its_title(start_bot):
    bot = start_bot()
    alice = bot.rich()
    song = result(bot, alice, "suno", 600)
    assert [part["kind"] for part in song.sent[:2]] == ["audio", "audio"]
    titles = [message["audio"].get("title") for message in alice.received if "audio" in message]
    assert titles == ["Evening tune", "Evening tune"]
    alice.tap("➜ Use in…")
    alice.tap("2")
    found = set().union(*codes_behind(alice, works_on(alice)).values())
    by_id = {
        model.code
        for model, _spec in bot.bot.generation.catalog.fed_by(
            {"model": song.model, "task_id": song.task_id, "audio_id": song.result["tracks"][1]["id"]}
        )
    }
    assert by_id <= found
    alice.tap("💾 Another format")
    alice.tap("uses:open")
    assert card(bot, alice)["task_id"]["audio_id"] == song.result["tracks"][1]["id"]
    alice.tap("▶ Create")
    bot.forward(600, step=100)
    assert bot.kie.task()["inputs"]["audio_id"] == song.result["tracks"][1]["id"] and "audio" in alice.last_message


@SQLITE
def test_a_persona_of_a_song_sings_the_next_one(start_bot):
    bot = start_bot()
    alice = bot.rich()
    result(bot, alice, "suno", 600)
    alice.tap("➜ Use in…")
    alice.tap("1")
    alice.tap("👤 Keep the voice")
    alice.tap("uses:open")
    for words in ("Night Voice", "Low and warm"):
        alice.tap(alice.buttons[next(label for label in alice.buttons if label.startswith(("✏", "Choose")))])
        alice.send(words)
    alice.tap("▶ Create")
    bot.forward(600, step=100)
    assert "Night Voice" in alice.last
    alice.tap("➜ Use in…")
    assert any(label.startswith("🎵 Music") for label in works_on(alice))
    alice.tap("🎵 Music")
    alice.tap("uses:open")
    assert card(bot, alice)["persona_id"]["persona_id"].startswith("persona-")


@SQLITE
def test_words_go_on_as_a_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich()
    lyrics = result(bot, alice, "suno-lyrics", 300)
    alice.tap("➜ Use in…")
    alice.tap("🎙 Voice")
    alice.tap("uses:open")
    assert card(bot, alice)["text"].startswith("[Verse]") and lyrics.result["text"].startswith("[Verse]")


@SQLITE
def test_a_photo_sent_anywhere_is_offered_to_all_models_and_its_caption_is_the_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png(), caption="make it snow")
    assert list(alice.buttons)[3:7] == ["✨ Better prompt", "🔍 Enlarge", "🎬 Animate", "✂ Remove background"]
    alice.tap("All models")
    assert len(works_on(alice)) > 8
    alice.tap("✨ Edit")
    alice.tap("uses:open")
    values = card(bot, alice)
    assert values["prompt"] == "make it snow" and any(isinstance(v, list | dict) for v in values.values())
    alice.tap("‹ Back")
    alice.tap("‹ Back")
    alice.tap("‹ Back")
    assert "make it snow" in alice.last and list(alice.buttons)[0].startswith("▶ Draft")


@SQLITE
def test_a_text_too_long_for_a_model_opens_its_card_and_says_so(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("fox " * 600)
    alice.forge("generate:open:z-image")
    assert "Too long" in alice.toast and "Z-Image" in alice.last and "prompt" not in card(bot, alice)


@SQLITE
def test_somebody_elses_result_cannot_be_used(start_bot):
    bot = start_bot()
    alice, mallory = bot.rich(), bot.rich("Mallory")
    job = result(bot, alice, "z-image", 60)
    mallory.send("/start")
    for data in (
        f"uses:of:{job.id}",
        f"uses:do:{job.id}:image-upscale",
        f"uses:works:{job.id}:0",
        f"uses:open:{job.id}:0:image-upscale:0:z-image",
        f"orders:change:{job.id}",
        f"history:job:{job.id}",
    ):
        mallory.forge(data)
        assert "out of date" in mallory.toast


@SQLITE
@pytest.mark.parametrize("code", ["z-image", "suno", "kling3"])
def test_no_button_under_a_result_orders_before_a_price_was_seen(start_bot, code):
    bot = start_bot()
    alice = bot.rich()
    made = result(bot, alice, code)
    press_all_under_it(bot, alice)
    alice.send("warmer light", reply_to=made.sent[0]["message_id"])
    if code == "z-image":
        alice.tap("▶")
        bot.forward(600, step=15)
        assert "✏ Change v1" in alice.buttons
        press_all_under_it(bot, alice)


def press_all_under_it(bot, person):
    """Press each button under the newest result; the only one that makes an order says its price."""
    before, shown, under = len(jobs_of(bot, person)), person.last_message, dict(person.buttons)
    assert [label for label in under if " ₽" in label] == [label for label in under if label.startswith("↻ Again · ")]
    for data in (data for label, data in under.items() if " ₽" not in label):
        person.forge(data, shown)
        assert len(jobs_of(bot, person)) == before, data

"""Uploads are opened in a child process with limits; durations are read from the file before a price is shown."""

import io
import re
import resource

import pytest

from kie.catalogue.inputs import files_of
from storage.orders import jobs
from tests.kit import png
from tests.media import (
    clip,
    mp3,
    seed,
    wav,
    with_duration,
    with_granules,
    with_heads,
    with_mvhd,
    with_riff_size,
    with_stts,
    with_xing,
    without_sound,
)
from tests.shop import assert_books_are_right, creates, job_of, jobs_of, order, user_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SOUND, CLIP = "isolation", "topaz-vid"  # codes of models whose price is so much a second of what is sent
SOUND_RATE, CLIP_RATE = 0.18, 7.2  # roubles a second, by the settings of the tests


@pytest.fixture
def start_bot(start_bot):
    """Start a bot that sells the clean-up of recordings as well, although KIE's list lacked it."""

    def start(**more):
        bot = start_bot(**more)
        bot.bot.overrides.put("model:elevenlabs/audio-isolation", "off", False, now=bot.clock.now())
        bot.bot.generation.live_catalogue.forget()
        return bot

    return start


def opened(bot, person, code):
    """Open a model's card anew."""
    person.send("/start")
    person.forge(f"generate:open:{code}")


def priced(bot, person):
    """Return the price on the open card in kopecks, and the length it was made of."""
    draft = bot.bot.drafts.get(user_of(bot, person).id, "generate", bot.clock.now())
    files = [value for value in draft.data["values"].values() if isinstance(value, dict) and "file_id" in value]
    return draft.price, files[0]["seconds"] if files else None


# lengths


@SQLITE
def test_a_length_is_counted_from_the_file_whatever_its_message_says(start_bot):
    bot = start_bot()
    alice = bot.rich()
    opened(bot, alice, "omnihuman")
    alice.audio(("a.wav", wav(200)), duration=1)
    assert "lasts 200 s; the limit is 59 s" in alice.last
    opened(bot, alice, "omnihuman")
    alice.photo(png())
    alice.audio(("a.wav", wav(58)), duration=1)
    told = priced(bot, alice)[0]
    opened(bot, alice, "omnihuman")
    alice.photo(png())
    alice.document(wav(58), "a.wav")
    assert told == priced(bot, alice)[0] > 0
    cost = bot.bot.generation.price(bot.bot.generation.catalog.by_code("omnihuman"), {"audio_url": {"seconds": 58}})
    assert told == cost


@SQLITE
def test_a_long_recording_sent_as_a_plain_document_is_not_sold_at_the_longest_length(start_bot):
    bot = start_bot()
    alice = bot.rich()
    for code, most in (("avatar", 15), ("omnihuman", 59)):
        opened(bot, alice, code)
        alice.photo(png())
        alice.document(wav(200), "a.wav")
        assert re.search(rf"lasts 200 s; the limit is {most}(\.5)? s", alice.last), alice.last
        assert priced(bot, alice) == (None, None)
    assert jobs_of(bot, alice) == []


FORGED = {
    "an MP3 with a Xing header": (SOUND, with_xing(mp3(60), 40), "a.mp3", 60),
    "a WAV with a size in RIFF": (SOUND, with_riff_size(wav(60), 1), "a.wav", 60),
    "an M4A with all its heads": (SOUND, with_heads(seed("sound.m4a"), 0.1), "a.m4a", 1),
    "an Ogg with its pages": (SOUND, with_granules(seed("sound.opus.ogg") * 1, 3), "a.ogg", 1),
    "an MP4 with an mvhd": (CLIP, with_mvhd(clip(30), 1), "a.mp4", 30),
    "an MP4 with all its heads": (CLIP, with_heads(clip(5), 1), "a.mp4", 5),
    "a MOV with all its heads": (CLIP, with_heads(seed("clip.mov"), 0.1), "a.mov", 1),
    "an MP4 with its time table": (CLIP, with_stts(clip(5), 20), "a.mp4", 5),
    "a Matroska with its duration": (CLIP, with_duration(seed("clip.mkv"), 0.1), "a.mkv", 1),
}


@SQLITE
@pytest.mark.parametrize("name", FORGED)
def test_a_header_that_says_less_than_there_is_lowers_no_price(start_bot, name):
    code, data, called, seconds = FORGED[name]
    bot = start_bot()
    alice = bot.rich()
    opened(bot, alice, code)
    if code == SOUND:
        alice.audio((called, data), duration=1)
    else:
        alice.document(data, called)
    price, measured = priced(bot, alice)
    assert seconds - 0.1 <= measured <= seconds + 0.2
    assert price >= 100 * (SOUND_RATE if code == SOUND else CLIP_RATE) * seconds


@SQLITE
def test_what_can_not_be_measured_is_refused_with_a_reason_and_the_card_stays(start_bot):
    bot = start_bot()
    alice = bot.rich()
    refused = {"a.mp3": b"no sound at all" * 100, "a.m4a": seed("sound.flac"), "a.wav": wav(1)[:30], "a.ogg": b"OggS"}
    for name, data in refused.items():
        opened(bot, alice, SOUND)
        alice.audio((name, data), duration=3)
        assert "can’t tell how long this recording is" in alice.last, name
        assert priced(bot, alice) == (None, None)
    opened(bot, alice, CLIP)
    alice.video(with_heads(with_stts(without_sound(clip(5)), 40), 0.1), duration=5)
    assert "up to 60 frames a second" in alice.last  # 120 pictures, said to pass in an eighth of a second
    alice.tap("generate:card")
    alice.video(clip(5), duration=5)
    assert "▶ Create · 36 ₽" in alice.buttons


@SQLITE
def test_a_clip_on_one_card_is_measured_when_another_one_takes_it_over(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.video(clip(30), duration=1)  # what to do with it?
    alice.forge(f"generate:open:{CLIP}")
    assert priced(bot, alice) == (100 * 36 * 6, 30.0)
    opened(bot, alice, "lipsync")
    alice.video(clip(20), duration=1)
    alice.forge(f"generate:open:{CLIP}")
    assert priced(bot, alice)[1] == 20


@SQLITE
def test_a_result_used_again_is_measured_and_not_believed(start_bot):
    bot = start_bot()
    alice = bot.rich(amount="10000")
    opened(bot, alice, "kling26")
    job = order(bot, alice, model="kling26")
    bot.forward(900, step=60)
    job = bot.bot.jobs.get(job.id)
    assert job.state == "succeeded"
    alice.forge(f"uses:open:{job.id}:0:video-upscale:0:{CLIP}")
    price, seconds = priced(bot, alice)
    assert seconds == 5 and price == 100 * 36
    again = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["values"]["video_url"]
    assert again["measured"] and again["url"] == job.result["urls"][0]


@SQLITE
def test_a_card_of_an_older_version_is_not_ordered_at_the_length_it_believed(start_bot):
    bot = start_bot()
    alice = bot.rich()
    opened(bot, alice, CLIP)
    alice.video(clip(30), duration=30)
    user, now = user_of(bot, alice), bot.clock.now()
    draft = bot.bot.drafts.get(user.id, "generate", now)
    believed = draft.data["values"]["video_url"] | {"seconds": 1}
    del believed["measured"]
    data = draft.data | {"values": {"video_url": believed}}
    draft = bot.bot.drafts.put(user.id, "generate", now, model=draft.model, data=data, price=720, step=draft.step)
    alice.forge(f"orders:go:{draft.id}:{draft.version}")
    assert jobs_of(bot, alice) == [] and "🎬 Send a video" in alice.buttons


@SQLITE
def test_someone_waits_for_a_file_that_telegram_can_not_give_now(start_bot):
    bot = start_bot()
    alice = bot.rich()
    opened(bot, alice, SOUND)
    bot.telegram.fail_next("getFile", "500", times=9)
    alice.audio(("a.wav", wav(3)), duration=3)
    assert "right now" in alice.last
    bot.telegram.no_trouble()
    alice.audio(("a.wav", wav(3)), duration=3)
    assert priced(bot, alice)[1] == 3


# pictures


def edited(bot, person, data, name):
    """Order an edit of a picture sent as a file; return the job."""
    person.send("make it snow")
    person.forge("generate:open:nanobanana-edit")
    person.document(data, name)
    if not any("▶ Create" in label for label in person.buttons):
        person.tap("generate:card")
    person.tap("▶ Create")
    return job_of(bot, person)


def bomb(side):
    """Return a PNG of so many pixels a side, with next to nothing in it."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    return stream.getvalue()


HOSTILE = {
    "a PPM with a strange head": (b"P6\n-5 99999999\n255\n" + b"0" * 3000, "file"),
    "a PPM its decoder falls over": (b"P3\n30 33\n255\n" + b"999 " * 750, "file"),  # a ValueError
    "a PNG of 177 million pixels": (bomb(13_300), "picture_too_large"),
    "a WebP of 268 million pixels": (
        b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\xfb\xff\xfe\x0f" + bytes(13),
        "picture_too_large",
    ),
    "half a picture": (seed("picture.heic")[:600], "file"),
    "a film": (clip(5), "file"),
    "nothing": (b"\0", "file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_that_can_not_be_read_ends_its_order_with_the_money_back(start_bot, name):
    data, reason = HOSTILE[name]
    bot = start_bot()
    alice = bot.rich()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = edited(bot, alice, data, "photo.heic")
    bot.forward(300, step=30)
    job = bot.bot.jobs.get(job.id)
    assert (job.state, job.reason) == ("failed", reason)
    assert bot.balance(alice) == 100_000 and "returned" in alice.last
    assert ("too many pixels" in alice.last) == (reason == "picture_too_large")
    assert len([call for call in bot.telegram.calls() if call["method"] == "getFile"]) <= jobs.MOST_TRIES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024
    assert_books_are_right()


@SQLITE
def test_a_picture_kie_takes_is_not_opened_here(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = edited(bot, alice, b"\xff\xd8 this is said to be a JPEG", "photo.jpg")
    assert bot.bot.jobs.get(job.id).state in ("running", "succeeded", "failed") and len(creates(bot)) == 1
    assert bot.kie.task()["fetched"][0]["size"] == len(b"\xff\xd8 this is said to be a JPEG")


@SQLITE
def test_a_picture_of_another_format_is_refused_when_it_is_sent(start_bot):
    bot = start_bot()
    alice = bot.rich()
    for name in ("a.gif", "a.bmp", "a.tiff", "a.ppm", "a.svg"):
        alice.send("make it snow")
        alice.forge("generate:open:nanobanana-edit")
        alice.document(b"whatever", name)
        assert re.search(r"does not take .* files|takes no", alice.last), (name, alice.last)
    assert jobs_of(bot, alice) == []


@SQLITE
def test_a_heic_goes_to_kie_as_a_jpeg_and_where_it_takes_one_as_it_is(start_bot):
    bot = start_bot()
    alice = bot.rich()
    edited(bot, alice, seed("picture.heic"), "photo.heic")
    assert bot.kie.task()["fetched"][0]["size"] != len(seed("picture.heic"))
    models = bot.bot.generation.catalog.models.values()
    model = next(one for one in models if any("image/heic" in spec.accept for spec in one.inputs))
    opened(bot, alice, model.code)
    alice.document(seed("picture.heic"), "photo.heic")
    draft = bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now())
    (file,) = [
        file for value in draft.data["values"].values() if value for file in files_of(value) if isinstance(file, dict)
    ]
    assert file["mime"] == "image/heic" and "convert" not in file


# tries


@pytest.mark.parametrize("kills", [jobs.MOST_TRIES])
def test_an_order_that_kills_the_process_again_and_again_is_given_up_and_paid_back(start_bot, kills):
    bot = start_bot()
    alice = bot.rich()
    bot.bot.runtime_settings.put("KIE_REFUSES", "busy", now=bot.clock.now())  # nothing is sent until the restart
    job = queued(bot, alice)
    for number in range(kills):  # each time the try was written down, and then the process died
        tried = jobs.attempt(bot.bot.jobs.get(job.id), bot.clock.now())
        assert tried.tries == number + 1 and tried.submit_at > bot.clock.now()
        bot.restart()
        bot.clock.forward(90)
    assert jobs.attempt(bot.bot.jobs.get(job.id), bot.clock.now()) is None
    bot.bot.runtime_settings.put("KIE_REFUSES", "", now=bot.clock.now())
    bot.forward(120, step=30)
    job = bot.bot.jobs.get(job.id)
    assert (job.state, job.reason, creates(bot)) == ("failed", "server", [])
    assert bot.balance(alice) == 100_000 and "returned" in alice.last
    assert_books_are_right()


def queued(bot, person, model="z-image", now=None):
    """Put an order into the queue past the buttons, which nobody can tap while nothing is sold; return the job."""
    user, now = user_of(bot, person), now or bot.clock.now()
    model = bot.bot.generation.catalog.by_code(model)
    draft = bot.bot.generation.fill(user.id, model, {"prompt": "a fox"}, now)
    return jobs.order(user.id, draft.id, draft.version, now=now, usual_s=15, limit=99, starts=99)[0]


def test_a_file_telegram_never_gives_is_asked_for_a_few_times_only(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.telegram.fail_next("getFile", "500", times=999)
    job = edited(bot, alice, seed("picture.heic"), "photo.heic")
    bot.forward(600, step=15)
    job = bot.bot.jobs.get(job.id)
    assert job.state == "failed" and bot.balance(alice) == 100_000 and "returned" in alice.last
    bot.telegram.no_trouble()
    assert_books_are_right()


def test_an_order_that_is_never_sent_ends_after_two_hours_with_the_money_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.bot.runtime_settings.put("KIE_REFUSES", "busy", now=bot.clock.now())
    bot.kie.trouble("credit", "429", times=0)
    job = queued(bot, alice)
    bot.forward(2 * 3600 - 120, step=600)
    assert bot.bot.jobs.get(job.id).state == "queued"
    bot.forward(240, step=60)
    job = bot.bot.jobs.get(job.id)
    assert (job.state, job.reason) == ("failed", "waited")
    assert bot.balance(alice) == 100_000 and "couldn’t be started in time" in alice.last
    assert_books_are_right()


def test_what_was_not_ready_goes_behind_everybody_elses_orders(start_bot):
    bot = start_bot()
    alice, bob = bot.rich("Alice"), bot.rich("Bob")
    bot.bot.runtime_settings.put("KIE_REFUSES", "busy", now=bot.clock.now())
    now = bot.clock.now()
    bad = [queued(bot, alice) for _ in range(3)]
    for job in bad[:2]:
        jobs.attempt(job, now)
    good = queued(bot, bob)
    bot.clock.forward(600)
    line = [job.id for job in jobs.queued(bot.clock.now(), 20)]
    assert line == [bad[2].id, good.id, bad[0].id, bad[1].id]
    assert [jobs.place(bot.bot.jobs.get(number)) for number in line] == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [3, 22])
def test_one_persons_files_do_not_keep_another_from_being_served(start_bot, count):
    bot = start_bot(USER_JOBS="30", USER_STARTS="100", FLOOD_MESSAGES="300")
    alice, bob = bot.rich("Alice"), bot.rich("Bob")
    hung = [edited(bot, alice, HOSTILE["a PPM its decoder falls over"][0], "photo.heic") for _ in range(count)]
    job = order(bot, bob)
    assert bot.bot.jobs.get(job.id).state == "running"
    bot.forward(60)
    assert {bot.bot.jobs.get(one.id).state for one in hung} == {"failed"} and bot.balance(alice) == 100_000

"""Reply is the remote control: a reply to a result edits that result, one tap orders the next version."""

import pytest

from storage.base import db
from storage.base.tables import ResultMessage, Revision
from storage.money import verify
from tests.kit import ROOT, png
from tests.shop import assert_books_are_right, card, job_of, jobs_of, order, picture, user_of
from tests.test_ladder import Steps, kopecks, labels, rung
from tests.test_voice import speak

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LANGS = pytest.mark.parametrize("lang", ["en", "ru"])
WARMER = {"en": "warmer light", "ru": "теплее свет"}
CLIP = (ROOT / "data/samples/clip-wide.mp4").read_bytes()


def draft_of(bot, person, form="replies"):
    """Return the draft of the ladder of edits, or of the card."""
    return bot.bot.drafts.get(user_of(bot, person).id, form, bot.clock.now())


def edited(bot, person, message, words="warmer light"):
    """Have a picture edited by a reply; return the new one's message."""
    person.send(words, reply_to=message)
    person.tap("▶")
    bot.forward(90)
    assert "photo" in person.last_message
    return person.last_message


# how few steps it takes


@SQLITE
@LANGS
def test_the_first_version_is_one_tap_away_from_the_third_on(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    second = edited(bot, alice, first)
    back = bot.bot.texts.plain(lang, "common.back_to", n=1)
    assert labels(alice).count(back) == 1
    edited(bot, alice, edited(bot, alice, second))
    assert back in labels(alice) and bot.bot.texts.plain(lang, "common.back_to", n=3) in labels(alice)
    alice.tap(back)
    assert alice.last.startswith("v1 · Z-Image")


@SQLITE
@LANGS
def test_a_reply_edits_the_picture_with_one_message_and_one_tap(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    steps, before = Steps(alice), bot.balance(alice)
    steps.send(alice.send, WARMER[lang], reply_to=first)
    assert alice.last.startswith("v2 ← v1 · ") and WARMER[lang] in alice.last
    shown = kopecks(labels(alice)[0].replace(",", "."))
    steps.tap("▶")
    bot.forward(90)
    assert "photo" in alice.last_message and (steps.messages, steps.taps) == (1, 1)
    assert bot.balance(alice) == before - shown and "v2 ← v1" in alice.last
    inputs, made = bot.kie.task()["inputs"], jobs_of(bot, alice)[0].result["urls"]
    assert inputs["prompt"] == WARMER[lang] and inputs["image_urls"] == made
    assert_books_are_right()


@LANGS
def test_each_version_can_be_replied_to_and_says_what_it_grew_from(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    second = edited(bot, alice, first, WARMER[lang])
    third = edited(bot, alice, second, "at night")
    assert "v3 ← v2" in alice.last
    alice.send("in winter", reply_to=third)
    assert alice.last.startswith("v4 ← v3 · ")
    branch, back = ("✏ Change v2", "‹ Back to v3") if lang == "en" else ("✏ Изменить v2", "‹ Назад к v3")
    assert branch in labels(alice) and back in labels(alice)
    alice.tap(branch)
    assert alice.last.startswith("v4 ← v2 · ") and "in winter" in alice.last
    alice.tap("▶")
    bot.forward(90)
    assert "v4 ← v2" in alice.last and bot.kie.task()["inputs"]["prompt"] == "in winter"
    assert bot.kie.task()["inputs"]["image_urls"] == jobs_of(bot, alice)[1].result["urls"]
    tree = bot.bot.revisions.tree(user_of(bot, alice).id, job_of(bot, alice).id)
    assert [(version.number, version.parent) for version in tree] == [(1, None), (2, 1), (3, 2), (4, 2)]
    assert_books_are_right()


@SQLITE
def test_a_photo_with_the_reply_goes_in_beside_the_result(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    alice.photo(png("hat"), caption="put this hat on the fox", reply_to=first["message_id"])
    assert "1 photo" in alice.last and alice.last.startswith("v2 ← v1")
    alice.tap("▶")
    bot.forward(90)
    sent = bot.kie.task()["inputs"]["image_urls"]
    assert len(sent) == 2 and sent[0] == jobs_of(bot, alice)[0].result["urls"][0]
    assert "v2 ← v1" in alice.last


@SQLITE
def test_a_photo_without_words_waits_for_them(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    alice.photo(png("hat"), reply_to=first["message_id"])
    assert "Write what to change" in alice.last and not any("▶" in label for label in labels(alice))
    alice.send("put this hat on the fox")
    assert alice.last.startswith("v2 ← v1 · “put this hat on the fox”")
    alice.tap("▶")
    assert len(job_of(bot, alice).inputs["image_urls"]) == 2


@SQLITE
def test_an_album_as_a_reply_is_one_ladder_with_all_its_photos(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first, before = picture(bot, alice), len(alice.received)
    pictures = [png(str(n)) for n in range(3)]
    alice.send_file("photo", *pictures, caption="all together", media_group="1", reply_to=first["message_id"])
    assert len(alice.received) == before + 1 and "3 photos" in alice.last
    alice.tap("▶")
    assert len(job_of(bot, alice).inputs["image_urls"]) == 4


@SQLITE
def test_other_words_as_a_reply_to_the_ladder_change_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    alice.send("warmer light", reply_to=first)
    alice.send("colder light", reply_to=alice.last_message)
    assert alice.last.startswith("v2 ← v1 · “colder light”")
    alice.tap("▶")
    assert job_of(bot, alice).inputs["prompt"] == "colder light"


@SQLITE
@pytest.mark.parametrize(("lang", "yes"), [("en", "✓ That’s it"), ("ru", "✓ Верно")])
def test_spoken_words_as_a_reply_edit_the_result(start_bot, lang, yes):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    words = speak(alice, reply_to=picture(bot, alice)["message_id"])
    alice.tap(yes)
    assert alice.last.startswith("v2 ← v1 · ") and words in alice.last
    alice.tap("▶")
    bot.forward(600)
    assert "v2 ← v1" in alice.last


# what is open stays


@SQLITE
def test_a_reply_wins_over_an_open_card_which_stays_and_goes_on_listening(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    card(alice, "a boat at sea")
    before = draft_of(bot, alice, "generate").data["values"]
    alice.send("warmer light", reply_to=first)
    assert alice.last.startswith("v2 ← v1")
    alice.tap("▶")
    bot.forward(90)
    assert draft_of(bot, alice, "generate").data["values"] == before
    alice.send("a boat at night")
    assert draft_of(bot, alice, "generate").data["values"]["prompt"] == "a boat at night"
    alice.tap("▶ Create")
    assert job_of(bot, alice).inputs["prompt"] == "a boat at night"
    assert bot.bot.revisions.get(job_of(bot, alice).id) is None


@SQLITE
def test_a_photo_as_a_reply_beside_an_open_card_asks_for_a_reply_with_words(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    card(alice, "a boat at sea")
    alice.photo(png("hat"), reply_to=first["message_id"])
    assert "Reply to this message" in alice.last
    alice.send("with this hat", reply_to=alice.last_message)
    assert alice.last.startswith("v2 ← v1 · “with this hat”")
    alice.send("a boat at night")
    assert draft_of(bot, alice, "generate").data["values"]["prompt"] == "a boat at night"


@SQLITE
def test_a_reply_to_what_is_no_result_is_an_ordinary_text(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.send("a fox", reply_to=alice.last_message)
    assert alice.last.startswith("“a fox”")
    own = alice.photo(png())
    alice.send("a boat", reply_to=own)
    assert "v2" not in alice.last and "a boat" in alice.last


# nobody else's


def test_a_result_of_somebody_else_is_no_source(start_bot):
    bot = start_bot()
    alice, mallory = bot.rich(), bot.rich("Mallory")
    first, job = picture(bot, alice), jobs_of(bot, alice)[0]
    mallory.send("/start")
    for data in (f"replies:edit:{job.id}:0", f"versions:back:{job.id}", f"versions:show:{job.id}:0"):
        mallory.forge(data)
        assert "out of date" in mallory.toast, data
    forwarded = mallory.photo(png("stolen"), forward="Alice")
    mallory.send("warmer light", reply_to=forwarded)
    assert "v2" not in mallory.last
    alice.send("warmer light", reply_to=first)
    order_data = alice.buttons[labels(alice)[0]]
    mallory.forge(order_data)
    assert jobs_of(bot, mallory) == [] and len(jobs_of(bot, alice)) == 1
    now = bot.clock.now()
    stolen = {"parent": {"job": job.id, "part": 0}, "rungs": draft_of(bot, alice).data["rungs"]}
    row = bot.bot.drafts.put(user_of(bot, mallory).id, "replies", now, data=stolen)
    mallory.forge(f"replies:rung:{row.id}:{row.version}:0")
    assert jobs_of(bot, mallory) == [] and bot.balance(mallory) == 100_000


@SQLITE
def test_what_is_shown_is_what_is_charged_and_one_ladder_is_one_order(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first, boss = picture(bot, alice), bot.admin()
    alice.send("warmer light", reply_to=first)
    old = labels(alice)[0]
    boss.send("/rate 180")
    alice.tap(old)
    assert "price has changed" in alice.toast and kopecks(labels(alice)[0]) == 2 * kopecks(old)
    alice.tap("▶")
    alice.forge("replies:rung:1:1:0")
    for data in ("replies:show", "replies:work:image-to-video", "replies:anew", "replies:all"):
        alice.forge(data)
    assert len(jobs_of(bot, alice)) == 2 and bot.balance(alice) == 100_000 - 72 - 2 * kopecks(old)


@SQLITE
def test_without_money_a_rung_tops_up_and_the_ladder_waits(start_bot):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user()
    alice.send("a fox")
    alice.tap("▶")
    bot.forward(60)
    assert "Reply to the picture to change it" in alice.last
    alice.send("warmer light", reply_to=alice.last_message)
    count = len(alice.messages)
    for label in ("Draft", "Go to the order"):
        alice.tap(label)
    assert alice.last.startswith("v2 ← v1 · “warmer light”") and len(alice.messages) == count
    for label in ("Draft", "payments:amount", "⭐"):
        alice.tap(label)
    alice.pay()
    alice.tap("generate:waiting")
    assert alice.last.startswith("v2 ← v1 · “warmer light”")
    alice.tap("▶")
    bot.forward(90)
    assert "v2 ← v1" in alice.last


# several results, failures, doing it again


def test_of_several_results_the_one_replied_to_is_edited_and_the_caption_asks(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice, model="grok-img")
    bot.forward(120)
    made = job_of(bot, alice).result["urls"]
    shown = [message for message in alice.received if "photo" in message][-len(made) :]
    assert len(made) > 1 and len(shown) == len(made)
    alice.send("warmer light", reply_to=shown[1])
    assert alice.last.startswith("v2 ← v1") and draft_of(bot, alice).data["parent"]["part"] == 1
    caption = [message for message in alice.received if "Grok" in message.get("text", "")][-1]
    alice.send("colder light", reply_to=caption)
    assert alice.last == "Which one?" and labels(alice)[:2] == ["1", "2"]
    alice.tap("2")
    assert alice.last.startswith("v2 ← v1 · “colder light”")
    alice.tap("▶")
    assert job_of(bot, alice).inputs["image_urls"][0]["url"] == made[1]


def test_a_version_that_failed_gives_its_number_back_and_again_grows_from_the_same(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    bot.kie.fail_next("400-moderation")
    alice.send("warmer light", reply_to=first)
    alice.tap("▶")
    bot.forward(90)
    failed = job_of(bot, alice)
    assert failed.state == "failed" and bot.bot.revisions.get(failed.id).number is None
    assert bot.balance(alice) == 100_000 - 72
    alice.forge(f"orders:again:{failed.id}")
    alice.tap("▶ Create")
    bot.forward(90)
    assert "v2 ← v1" in alice.last and bot.bot.revisions.get(job_of(bot, alice).id).number == 2
    assert_books_are_right()


@SQLITE
def test_back_shows_the_version_again_and_it_can_be_replied_to(start_bot):
    bot = start_bot()
    alice = bot.rich()
    second = edited(bot, alice, picture(bot, alice))
    alice.tap("‹ Back to v1", message=second)
    assert "photo" in alice.last_message and alice.last.startswith("v1 · ")
    alice.send("at night", reply_to=alice.last_message)
    assert alice.last.startswith("v3 ← v1 · “at night”")
    alice.tap("‹ Back to v1")
    assert alice.last.startswith("v1 · ") and draft_of(bot, alice) is None
    alice.tap("✏ Change v1", message=second)
    assert "Write what to change" in alice.last
    alice.send("in winter")
    assert alice.last.startswith("v3 ← v1 · “in winter”")


UNDO = [("en", "undo"), ("en", "Go back!"), ("ru", "вернуть как было"), ("ru", "верни"), ("es", "déjalo como estaba")]


@SQLITE
@pytest.mark.parametrize("with_reply", [True, False])
@pytest.mark.parametrize(("lang", "words"), UNDO)
def test_undo_shows_the_version_before_for_nothing(start_bot, lang, words, with_reply):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    third = edited(bot, alice, edited(bot, alice, picture(bot, alice)))
    before = bot.balance(alice)
    alice.send(words, **({"reply_to": third} if with_reply else {}))
    assert "photo" in alice.last_message and alice.last.startswith("v2 · ")
    assert not any(data.startswith("orders:rung") for data in alice.buttons.values())
    assert bot.balance(alice) == before and len(jobs_of(bot, alice)) == 3


@SQLITE
@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "back to the first one"), ("ru", "верни первый вариант"), ("es", "vuelve a la primera")],
)
def test_the_first_version_comes_back_when_it_is_asked_for(start_bot, lang, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    edited(bot, alice, edited(bot, alice, picture(bot, alice)))
    alice.send(words)
    assert "photo" in alice.last_message and alice.last.startswith("v1 · ")


@SQLITE
def test_undo_of_a_first_result_costs_nothing_and_in_a_dialogue_it_is_an_answer(start_bot):
    bot = start_bot()
    alice, boss = bot.rich(language_code="ru"), bot.admin()
    first = picture(bot, alice)
    for more in ({"reply_to": first}, {}):
        alice.send("верни как было", **more)
        assert alice.last.startswith("v1 · ") and "photo" in alice.last_message
    alice.send("/support")
    alice.send("верни как было")
    bot.forward(30, step=10)
    assert any("верни как было" in message.get("text", "") for message in boss.messages)
    mallory = bot.rich("Mallory", language_code="ru")
    mallory.send("верни как было")
    assert "photo" not in mallory.last_message


@SQLITE
def test_undo_as_a_reply_to_the_ladder_or_where_a_change_is_asked_for_goes_back_too(start_bot):
    bot = start_bot()
    alice = bot.rich()
    second = edited(bot, alice, picture(bot, alice))
    alice.send("at night", reply_to=second)
    alice.send("undo", reply_to=alice.last_message)
    assert alice.last.startswith("v1 · ") and "photo" in alice.last_message


@SQLITE
@LANGS
def test_the_history_shows_the_tree(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    second = edited(bot, alice, first, "warmer")
    edited(bot, alice, second, "at night")
    edited(bot, alice, first, "in winter")
    alice.send("/history")
    assert any("v4 · " in label for label in labels(alice))
    alice.forge(f"history:job:{jobs_of(bot, alice)[2].id}")
    alice.tap("Versions (4)" if lang == "en" else "Версии (4)")
    lines = alice.last.splitlines()[1:]
    assert [line.split(" · ")[0].strip("\xa0 ") for line in lines] == ["v1", "v2", "v3", "v4"]
    depth = [len(line) - len(line.lstrip("\xa0")) for line in lines]
    assert depth[0] < depth[1] < depth[2] and depth[3] == depth[1]
    alice.tap("v2")
    assert "photo" in alice.last_message and "warmer" in alice.last
    alice.send("greener", reply_to=alice.last_message)
    assert alice.last.startswith("v5 ← v2")


# video and music


@SQLITE
def test_a_video_is_restyled_extended_and_its_frame_animated(start_bot):
    bot = start_bot()
    alice = bot.rich(amount="10000")
    alice.photo(png(size=(640, 640)), caption="animate it")
    alice.tap("▶")
    bot.forward(600)
    clip = alice.last_message
    assert "video" in clip
    alice.send("as a watercolour", reply_to=clip)
    assert "✨" in alice.last and {"➕ Make it longer", "🎬 Animate one frame"} <= set(labels(alice))
    alice.send("extend it, the fox runs away", reply_to=clip)
    assert "Make it longer" in alice.last
    shown, before = rung(alice, "Draft"), bot.balance(alice)
    alice.tap(shown)
    assert bot.balance(alice) == before - kopecks(shown)
    bot.forward(900)
    assert "video" in alice.last_message and "v2 ← v1" in alice.last
    alice.send("slower", reply_to=clip)
    alice.tap("🎬 Animate one frame")
    alice.tap("▶")
    job = job_of(bot, alice)
    picture_sent = jobs_of(bot, alice)[0].inputs
    assert [file for file in picture_sent.values() if isinstance(file, dict | list)][0] in job.inputs.values()


@SQLITE
def test_a_video_with_a_caption_is_changed_and_one_without_made_sharper(start_bot):
    bot = start_bot()
    alice = bot.rich(amount="10000")
    alice.document(CLIP, name="clip.mp4", caption="as a watercolour")
    assert "✨ Edit the video" in alice.last
    alice.document(CLIP, name="clip.mp4")
    assert "🔍" in alice.last


@SQLITE
def test_a_song_gets_another_style_and_goes_on(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("song about a fox")
    alice.tap("▶")
    bot.forward(400)
    song = [message for message in alice.received if "audio" in message][-1]
    alice.send("as slow jazz", reply_to=song)
    assert "In another style" in alice.last
    alice.tap("▶")
    bot.forward(400)
    assert job_of(bot, alice).model.endswith("cover-audio") and "v2 ← v1" in alice.last
    alice.send("continue with a guitar", reply_to=song)
    alice.tap("▶")
    bot.forward(400)
    assert job_of(bot, alice).model.endswith("/extend") and "v3 ← v1" in alice.last
    assert_books_are_right()


@SQLITE
def test_words_that_no_model_takes_are_said_before_any_tap(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice, model="suno", prompt="a song about a fox")
    bot.forward(400)
    song = [message for message in alice.received if "audio" in message][-1]
    alice.send("la " * 1300, reply_to=song)
    assert "doesn’t work" in alice.last or labels(alice)[0].startswith("▶ ➕")
    alice.tap("🎵 In another style")
    assert "doesn’t work" in alice.toast and len(jobs_of(bot, alice)) == 1


# when the file is gone


@SQLITE
def test_after_a_day_the_copy_that_telegram_has_is_edited(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    bot.clock.forward(25 * 3600)
    alice.send("warmer light", reply_to=first)
    assert labels(alice)[0].startswith("▶")
    alice.tap("▶")
    bot.forward(90)
    assert "v2 ← v1" in alice.last


@SQLITE
@LANGS
def test_a_file_too_large_to_fetch_again_is_said_before_the_tap_and_can_be_sent_anew(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    job = job_of(bot, alice)
    with db.transaction():
        job.sent = [job.sent[0] | {"size": 30 * 1024 * 1024}]
        job.save()
    alice.send("warmer light", reply_to=first)
    assert labels(alice)[0].startswith("▶")
    bot.clock.forward(25 * 3600)
    alice.send("warmer light", reply_to=first)
    assert "20" in alice.last and not any("▶" in label for label in labels(alice))
    alice.tap("⬆")
    alice.send("no file")
    alice.send("warmer light", reply_to=first)
    alice.tap("⬆")
    alice.document(CLIP, name="clip.mp4")
    assert ("another kind" if lang == "en" else "другого вида") in alice.last
    alice.photo(png("smaller"))
    assert alice.last.startswith("v2 ← v1") and WARMER["en"] in alice.last
    alice.tap("▶")
    bot.forward(90)
    assert "v2 ← v1" in alice.last
    assert_books_are_right()


# what is kept of it


def test_an_erasure_takes_what_messages_show_and_the_books_still_hold(start_bot):
    bot = start_bot()
    alice = bot.rich()
    edited(bot, alice, picture(bot, alice))
    rows = len(jobs_of(bot, alice))
    user = user_of(bot, alice).id
    with db.connection():
        assert ResultMessage.select().where(ResultMessage.user == user).count() == rows == 2
    assert bot.bot.privacy.erase(user, bot.clock.now())
    with db.connection():
        assert ResultMessage.select().count() == 0 and Revision.select().count() == 1
    assert list(verify.verify()) == []


@SQLITE
def test_a_kill_between_reply_and_tap_loses_nothing(start_bot):
    bot = start_bot()
    alice = bot.rich()
    first = picture(bot, alice)
    alice.send("warmer light", reply_to=first)
    bot.restart()
    alice.tap("▶")
    bot.restart()
    bot.forward(90)
    assert "v2 ← v1" in alice.last and len(jobs_of(bot, alice)) == 2
    assert_books_are_right()

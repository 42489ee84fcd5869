"""The ladder: one message answers what was sent, and each of its rungs orders with one tap at the price shown."""

import json
import re

import pytest

from kie.catalogue.model import Catalog
from kie.catalogue.offers import Offers
from storage.money import verify
from tests.kit import ROOT, png
from tests.shop import assert_books_are_right, in_threads, job_of, jobs_of, picture, user_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLIP = (ROOT / "data/samples/clip-wide.mp4").read_bytes()
LANGS = pytest.mark.parametrize("lang", ["en", "ru"])
PRICE = re.compile(r"([\d,]+(?:\.\d\d)?) ₽")
FREE = {"en": "free (3 left)", "ru": "бесплатно (ещё 3)"}


def labels(person):
    """Return the labels of the newest keyboard."""
    return list(person.buttons)


def rung(person, name):
    """Return the label of a rung on the newest keyboard."""
    return next(label for label in labels(person) if label.removeprefix("▶ ").startswith(name))


def kopecks(label):
    """Return the price that a rung's label shows."""
    whole, _point, rest = PRICE.search(label)[1].replace(",", "").partition(".")
    return int(whole) * 100 + int(rest or 0)


def ladder_of(bot, person):
    """Return what the draft of the open ladder holds."""
    return bot.bot.drafts.get(user_of(bot, person).id, "generate", bot.clock.now()).data


class Steps:
    """Counts what a person does, and what the bot writes meanwhile that stays in the chat."""

    def __init__(self, person):
        self.person, self.messages, self.taps = person, 0, 0

    def send(self, act, *args, **more):
        self.messages += 1
        act(*args, **more)

    def tap(self, label):
        self.taps += 1
        self.person.tap(label)


# how few steps it takes


@SQLITE
@LANGS
def test_a_new_person_without_money_has_a_cat_after_one_message_and_one_tap(start_bot, lang):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user(language_code=lang)
    steps = Steps(alice)
    steps.send(alice.send, "a cat on a roof" if lang == "en" else "кот на крыше")
    assert FREE[lang] in labels(alice)[0] and len(alice.received) == 1
    steps.tap("▶")
    bot.forward(60)
    assert "photo" in alice.last_message and (steps.messages, steps.taps) == (1, 1)
    assert bot.balance(alice) == 0 and not list(verify.verify())


@SQLITE
@LANGS
def test_with_money_a_cat_takes_one_message_and_one_tap(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    steps = Steps(alice)
    steps.send(alice.send, "a cat on a roof" if lang == "en" else "кот на крыше")
    shown = kopecks(labels(alice)[0].replace(",", "."))
    steps.tap("▶")
    bot.forward(60)
    assert "photo" in alice.last_message and (steps.messages, steps.taps) == (1, 1)
    assert bot.balance(alice) == 100_000 - shown == 100_000 - 72


@SQLITE
@LANGS
def test_a_photo_with_a_caption_is_edited_with_one_tap(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    steps = Steps(alice)
    steps.send(alice.photo, png(), caption="make it snow" if lang == "en" else "пусть идёт снег")
    steps.tap("▶")
    bot.forward(90)
    assert "photo" in alice.last_message and (steps.messages, steps.taps) == (1, 1)
    inputs = bot.kie.task()["inputs"]
    assert inputs["prompt"] in ("make it snow", "пусть идёт снег") and len(inputs["image_urls"]) == 1


@SQLITE
@LANGS
def test_an_album_is_one_question_and_all_its_photos_are_used_in_order(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    before, steps = len(alice.received), Steps(alice)
    steps.send(alice.album, [png(str(n)) for n in range(4)], caption="make the cat ginger")
    assert len(alice.received) == before + 1 and alice.last.startswith("4 ")
    sent = [file["unique_id"] for file in ladder_of(bot, alice)["loose"]["files"]]
    steps.tap("▶")
    job = job_of(bot, alice)
    assert [file["unique_id"] for file in job.inputs["image_urls"]] == sent and len(set(sent)) == 4
    assert job.inputs["prompt"] == "make the cat ginger" and (steps.messages, steps.taps) == (1, 1)
    bot.forward(90)
    assert len(bot.kie.task()["inputs"]["image_urls"]) == 4 and "photo" in alice.last_message


# what is shown is what is charged


def test_each_rung_charges_what_it_shows(start_bot):
    bot = start_bot(USER_JOBS="50")
    alice = bot.rich()
    asked = [("a fox", ("Draft", "Good", "Best")), ("video of a fox", ("Draft", "Good", "Best")), ("a song", ("🎵",))]
    for words, names in asked:
        for name in names:
            alice.send(words)
            before, shown = bot.balance(alice), rung(alice, name)
            alice.tap(shown)
            assert bot.balance(alice) == before - kopecks(shown), shown
            assert job_of(bot, alice).price == kopecks(shown)
    bot.forward(1200, step=60)
    assert {job.state for job in jobs_of(bot, alice)} == {"succeeded"}
    assert_books_are_right()


@SQLITE
def test_a_price_that_has_changed_is_shown_before_it_is_paid(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    alice.send("a fox")
    old = labels(alice)[0]
    boss.send("/rate 180")
    alice.tap(old)
    assert "price has changed" in alice.toast and "1.44 ₽" in labels(alice)[0]
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 100_000


@SQLITE
def test_a_model_gone_since_is_never_ordered_and_the_next_one_stands_in(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    alice.send("a fox")
    boss.forge("terms:switch:z-image:0")
    alice.tap("▶ Draft")
    assert "no longer available" in alice.toast and jobs_of(bot, alice) == []
    assert "2.92 ₽" in labels(alice)[0]
    alice.tap("▶ Draft")
    assert job_of(bot, alice).price == 292


@SQLITE
def test_one_ladder_is_one_order_whichever_rungs_are_tapped(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a fox")
    draft, best, shown = alice.buttons[rung(alice, "Draft")], alice.buttons[rung(alice, "Best")], alice.last_message
    alice.forge(draft, shown)
    for data in (draft, best):
        alice.forge(data, shown)
        assert "already being made" in alice.toast
    assert len(jobs_of(bot, alice)) == 1


@SQLITE
def test_what_nobody_was_shown_cannot_be_ordered(start_bot):
    bot = start_bot()
    alice, mallory = bot.rich(), bot.rich("Mallory")
    alice.send("a fox")
    draft, version, _rung = alice.buttons[labels(alice)[0]].removeprefix("orders:rung:").split(":")
    for data in (f"{draft}:{version}:9", f"{draft}:{version}:-1", f"{draft}:{int(version) - 1}:0"):
        alice.forge(f"orders:rung:{data}")
    alice.forge(f"orders:go:{draft}:{version}")
    mallory.forge(f"orders:rung:{draft}:{version}:0")
    assert jobs_of(bot, alice) == [] and jobs_of(bot, mallory) == []


@SQLITE
def test_a_length_that_moves_the_price_is_measured_before_it_is_shown(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.document(CLIP, name="clip.mp4")
    shown = labels(alice)[0]
    assert kopecks(shown) == 3600
    alice.tap(shown)
    assert bot.balance(alice) == 100_000 - 3600


# too little money


@SQLITE
def test_what_is_lacking_is_topped_up_and_the_ladder_comes_back(start_bot):
    bot = start_bot()
    alice = bot.rich(amount="1")
    alice.send("a fox")
    assert labels(alice)[0].startswith("▶ Draft · ")
    assert rung(alice, "Best") == "Best · 16.20 ₽ · top up"
    alice.tap("Best")
    assert "15.20 ₽" in alice.last
    alice.tap("Go to the order")
    assert labels(alice)[0].startswith("▶ Draft")
    alice.tap("Best")
    alice.tap("payments:amount")
    alice.tap("⭐")
    alice.pay()
    assert labels(alice)[0] == "▶ Nano Banana Pro · 16.20 ₽"
    alice.tap("generate:waiting")
    alice.tap(rung(alice, "Best"))
    assert job_of(bot, alice).price == 1620
    assert_books_are_right()


@pytest.mark.parametrize("form", ["ladder", "reply", "card"])
def test_after_a_top_up_what_was_chosen_is_one_tap_at_the_price_shown(start_bot, form):
    bot = start_bot()
    alice = bot.rich(amount="1")
    message = picture(bot, alice) if form == "reply" else None
    if form == "card":
        alice.forge("generate:open:nanobanana-pro")
    alice.send("warmer light", reply_to=message)
    short = next(label for label in labels(alice) if ("short" in label if form == "card" else label.startswith("Best")))
    for tapped in (short, "payments:amount", "⭐"):
        alice.tap(tapped)
    alice.pay()
    money, paid = alice.last_message, labels(alice)[0]
    assert paid.startswith("▶ ") and "generate:waiting" in alice.buttons.values()
    before = bot.balance(alice)
    alice.tap(paid)
    job = job_of(bot, alice)
    assert job.price == kopecks(paid) == before - bot.balance(alice) and "warmer light" in job.inputs["prompt"]
    assert money["message_id"] < alice.last_message["message_id"] and "balance" in money["text"]
    assert bot.bot.revisions.numbers([job.id]) == ({job.id: 2} if form == "reply" else {})
    alice.forge(paid_data(money), money)
    assert len(jobs_of(bot, alice)) == (2 if form == "reply" else 1)
    assert_books_are_right()


def paid_data(message):
    """Return the data of a message's first button."""
    return message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]


@SQLITE
def test_after_a_top_up_a_price_that_has_changed_is_shown_before_it_is_paid(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich(amount="1")
    alice.send("a fox")
    for tapped in ("Best", "payments:amount", "⭐"):
        alice.tap(tapped)
    alice.pay()
    boss.send("/rate 180")
    alice.tap("▶")
    assert jobs_of(bot, alice) == [] and "price has changed" in alice.toast and "32.40 ₽" in str(labels(alice))


@SQLITE
def test_the_details_of_a_payment_stay_when_something_else_is_asked(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("a fox")
    for label in ("Draft", "payments:amount", "payments:pay:transfer"):
        alice.tap(label)
    assert "0000 1111" in alice.last
    alice.send("/start")
    alice.send("a boat")
    assert any("0000 1111" in message.get("text", "") for message in alice.received)


# which work


@SQLITE
def test_a_wrong_guess_costs_one_tap_and_no_money(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("видео: лиса бежит по снегу")
    assert "🎬 Video" in alice.last
    alice.tap("🖼 Picture")
    assert "🖼 Picture" in alice.last and "🎬 Video" in alice.buttons
    alice.tap("▶ Draft")
    assert job_of(bot, alice).model == "z-image" and bot.balance(alice) == 100_000 - 72


@SQLITE
def test_a_second_text_is_a_new_question_on_the_one_live_message(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a fox")
    shown = len(alice.received)
    alice.send("a boat")
    assert len(alice.received) == shown and "a boat" in alice.last
    alice.tap("▶")
    assert job_of(bot, alice).inputs["prompt"] == "a boat"


@SQLITE
def test_a_photo_alone_waits_for_its_words_and_they_may_be_about_something_else(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png())
    assert alice.last.splitlines()[1:] == ["✨ Edit", "Write what to change, or choose:"]
    alice.send("make it snow")
    assert "✨ Edit" in alice.last and ladder_of(bot, alice)["rungs"][0]["values"]["prompt"] == "make it snow"
    alice.tap("✕ Without the file")
    alice.tap("▶")
    assert job_of(bot, alice).model == "z-image" and job_of(bot, alice).inputs["prompt"] == "make it snow"


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
def test_a_photo_alone_shows_what_people_want_most_each_with_its_price(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    say = lambda key: bot.bot.texts.plain(lang, key)  # noqa: E731
    wanted = ["ideas.title_old_photo", "do.image-to-video", "do.image-upscale", "do.background-removal"]
    for place, key in enumerate(wanted):
        alice.photo(png(key))
        shown = labels(alice)[:4]
        assert [label.removeprefix("▶ ").split(" · ")[0] for label in shown] == list(map(say, wanted))
        before, price = bot.balance(alice), kopecks(shown[place].replace(",", "."))
        alice.tap(shown[place])
        assert bot.balance(alice) == before - price, key
        bot.forward(120)
    assert all(job.state == "succeeded" for job in jobs_of(bot, alice))
    assert_books_are_right()


@SQLITE
def test_an_album_alone_offers_nothing_that_leaves_a_photo_out(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.album([png(str(n)) for n in range(3)])
    assert "Write what to change" in alice.last and labels(alice)[0].startswith("▶ 🎬 Animate")
    assert [len(quote["values"]["image_urls"]) for quote in ladder_of(bot, alice)["rungs"]] == [3]
    alice.tap("🔍 Enlarge")
    assert "Only the first is used (1)." in alice.last


# a change of the last result, without a reply


@SQLITE
@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "a bit warmer"), ("ru", "потеплее"), ("es", "un poco más cálido"), ("en", "make it night")],
)
def test_words_right_after_a_result_that_read_like_a_change_change_it(start_bot, lang, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    first = picture(bot, alice)
    alice.send(words)
    edit, new = labels(alice)[:2]
    assert bot.bot.texts.plain(lang, "ladder.change_image") in edit and bot.bot.texts.plain(lang, "rung.draft") in new
    before = bot.balance(alice)
    alice.tap(edit)
    job, older = job_of(bot, alice), jobs_of(bot, alice)[0]
    assert bot.balance(alice) == before - kopecks(edit.replace(",", "."))
    assert job.inputs["prompt"] == words and job.inputs["image_urls"][0]["url"] == older.result["urls"][0]
    bot.forward(90)
    assert "v2 ← v1" in alice.last and alice.last_message["message_id"] > first["message_id"]
    assert_books_are_right()


@SQLITE
def test_a_wrong_guess_of_a_change_is_a_new_picture_with_one_tap(start_bot):
    bot = start_bot()
    alice = bot.rich()
    picture(bot, alice)
    alice.send("a bit of snow")
    assert "Change the last" in labels(alice)[0]
    alice.tap("Draft")
    assert job_of(bot, alice).inputs["prompt"] == "a bit of snow" and job_of(bot, alice).model == "z-image"
    bot.forward(60)
    assert "←" not in alice.last


@SQLITE
@pytest.mark.parametrize(
    "words",
    [
        "a castle on a hill above a quiet lake at dusk, warmer",
        "a video of a warmer sea",
        "кот в шляпе на крыше дома",
        "a fox",
    ],
)
def test_what_reads_like_something_new_has_the_change_of_the_last_result_below_it(start_bot, words):
    bot = start_bot()
    alice = bot.rich()
    picture(bot, alice)
    alice.send(words)
    offered = [label for label in labels(alice) if " ₽" in label]
    assert offered[0].startswith("▶ Draft") and "Or" not in alice.last
    assert offered[-1].startswith("✏ Change the last picture · ")
    before = bot.balance(alice)
    alice.tap(offered[-1])
    assert bot.balance(alice) == before - kopecks(offered[-1])
    assert job_of(bot, alice).inputs["image_urls"] and job_of(bot, alice).inputs["prompt"] == words


@SQLITE
def test_after_ten_minutes_nothing_is_about_the_last_result(start_bot):
    bot = start_bot()
    alice = bot.rich()
    picture(bot, alice)
    bot.clock.forward(700)
    alice.send("a bit warmer")
    assert not any("Change the last" in label for label in labels(alice))


@SQLITE
@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("ru", "а можно другим цветом? зелененький"),
        ("ru", "ночью"),
        ("ru", "такую же, но с собакой у ног"),
        ("en", "same but with a dog next to him"),
        ("en", "nice! now in the rain"),
        ("es", "la misma pero con un perro al lado"),
        ("es", "de noche"),
    ],
)
def test_a_follow_up_in_anybodys_words_changes_the_last_result_first(start_bot, lang, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    picture(bot, alice)
    alice.send(words)
    assert labels(alice)[0].startswith("▶ " + bot.bot.texts.plain(lang, "ladder.change_image") + " · ")
    assert "v2 ← v1" in alice.last and kopecks(labels(alice)[0].replace(",", ".")) == 360
    assert any(bot.bot.texts.plain(lang, "rung.draft") in label for label in labels(alice))


@SQLITE
@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "great!! now same thing in the highest resolution pls"),
        ("en", "make it bigger please"),
        ("ru", "а можно покрупнее?"),
        ("ru", "увеличь, пожалуйста"),
        ("ru", "хочу в 4К"),
        ("es", "en alta resolución, por favor"),
    ],
)
def test_more_pixels_for_the_last_picture_are_one_tap(start_bot, lang, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    picture(bot, alice)
    alice.send(words)
    first = labels(alice)[0]
    assert first.startswith("▶ " + bot.bot.texts.plain(lang, "do.image-upscale") + " · 1280×1280 · ")
    before = bot.balance(alice)
    alice.tap(first)
    assert job_of(bot, alice).inputs["upscale_factor"] == "4"
    assert bot.balance(alice) == before - kopecks(first.replace(",", "."))
    assert_books_are_right()


@SQLITE
def test_more_of_something_in_the_picture_is_a_change_of_it(start_bot):
    bot = start_bot()
    alice = bot.rich(language_code="ru")
    picture(bot, alice)
    alice.send("больше цветов")
    assert labels(alice)[0].startswith("▶ ✏ Изменить картинку")


@SQLITE
def test_while_the_next_one_is_made_the_last_one_that_has_come_can_be_changed(start_bot):
    bot = start_bot()
    alice = bot.rich()
    picture(bot, alice)
    older = job_of(bot, alice)
    alice.send("make it night")
    alice.tap("▶")
    alice.send("make it snow")
    assert "v3 ← v1" in alice.last and labels(alice)[0].startswith("▶ ✏ Change the last picture")
    assert ladder_of(bot, alice)["rungs"][0]["parent"] == {"job": older.id, "part": 0}


@SQLITE
def test_of_two_songs_it_is_asked_which_one_changes(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a song about a cat")
    alice.tap("▶")
    bot.forward(240)
    made = job_of(bot, alice)
    assert len(made.result["urls"]) == 2
    alice.send("nice. same song but sung slower")
    first = labels(alice)[0]
    assert first.startswith("▶ ✏ Change the last song · ")
    before = bot.balance(alice)
    alice.tap(first)
    assert bot.balance(alice) == before and labels(alice)[:2] == ["1", "2"]
    alice.tap("2")
    assert "sung slower" in alice.last and alice.last.startswith("v2 ← v1")
    assert kopecks(labels(alice)[0]) == kopecks(first)


@SQLITE
def test_after_going_back_the_version_shown_last_is_the_one_that_changes(start_bot):
    bot = start_bot()
    alice = bot.rich()
    picture(bot, alice)
    first = job_of(bot, alice)
    alice.send("make it night")
    alice.tap("▶")
    bot.forward(90)
    alice.tap("‹ Back to v1")
    alice.send("make it snow")
    assert "v3 ← v1" in alice.last
    alice.tap("▶")
    assert job_of(bot, alice).inputs["image_urls"][0]["url"] == first.result["urls"][0]


@SQLITE
def test_nobody_changes_what_another_has_made(start_bot):
    bot = start_bot()
    alice, bob = bot.rich(), bot.rich("Bob")
    picture(bot, alice)
    bob.send("a bit warmer")
    assert not any("Change the last" in label for label in labels(bob))


# a question


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "who painted the Mona Lisa?"), ("ru", "сколько будет 7 на 8"), ("es", "¿quién pintó la Mona Lisa?")],
)
def test_a_question_can_be_asked_with_one_tap_at_the_price_shown(start_bot, lang, words):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.send(words)
    ask, draft = labels(alice)[:2]
    assert ask.startswith("💬") and draft.startswith("▶")
    before, most = bot.balance(alice), kopecks(ask.replace(",", "."))
    alice.tap(ask)
    bot.forward(30)
    spent = before - bot.balance(alice)
    assert 0 < spent <= most and bot.bot.texts.plain(lang, "ask.new") in alice.buttons
    assert_books_are_right()


@SQLITE
def test_a_question_is_asked_once_and_only_by_the_ladder_that_shows_it(start_bot):
    bot = start_bot(FREE_QUESTIONS="3")
    alice, mallory = bot.user(), bot.user("Mallory")
    alice.send("what is the highest mountain?")
    assert labels(alice)[0] == "💬 Ask · free (3 left)"
    data, shown = alice.buttons[labels(alice)[0]], alice.last_message
    mallory.send("a boat")
    mallory.forge(data)
    for _ in range(3):
        alice.forge(data, shown)
    found = bot.bot.jobs.of_user(user_of(bot, alice).id, limit=9, questions=True)
    assert [job.inputs["question"] for job in found] == ["what is the highest mountain?"]


@SQLITE
def test_a_photo_with_a_question_can_be_looked_at(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png(), caption="what is this?")
    alice.tap("💬 Ask")
    (job,) = bot.bot.jobs.of_user(user_of(bot, alice).id, limit=9, questions=True)
    assert len(job.inputs["pictures"]) == 1 and job.inputs["question"] == "what is this?"


@SQLITE
def test_a_dearer_question_is_shown_before_it_is_asked(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    alice.send("what is the highest mountain?")
    old = labels(alice)[0]
    boss.send("/rate 180")
    alice.tap(old)
    assert "price has changed" in alice.toast and labels(alice)[0] not in (old, "") and bot.balance(alice) == 100_000


@SQLITE
@pytest.mark.parametrize("words", ["a fox in the snow", "лиса в снегу", "un zorro en la nieve"])
def test_a_description_is_no_question(start_bot, words):
    alice = start_bot().rich()
    alice.send(words)
    assert not any(label.startswith("💬") for label in labels(alice))


@SQLITE
def test_more_photos_than_a_model_takes_go_to_one_that_takes_them(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.album([png(str(n)) for n in range(10)], caption="all of them in one room")
    models = {quote["name"]: quote["model"] for quote in ladder_of(bot, alice)["rungs"]}
    assert models["best"] == "nano-banana-2" and "Only the first" not in alice.last
    alice.tap("🔍 Enlarge")
    assert "Only the first is used (1)." in alice.last


@SQLITE
def test_the_model_used_last_is_a_rung_of_its_own(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a fox")
    alice.forge("generate:open:imagen4-ultra")
    alice.tap("▶ Create")
    bot.forward(60)
    alice.send("a cat")
    last = rung(alice, "↻")
    assert last.startswith("↻ Imagen 4 Ultra · 10.80 ₽")
    alice.tap(last)
    assert job_of(bot, alice).model.endswith("imagen4-ultra") and job_of(bot, alice).inputs["prompt"] == "a cat"
    bot.forward(60)
    alice.send("a song about a cat")
    assert not any(label.startswith("↻") for label in labels(alice))


@SQLITE
def test_a_finished_picture_is_made_larger_on_the_ladder_below_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a fox")
    alice.tap("▶")
    bot.forward(60)
    first = job_of(bot, alice)
    alice.tap("🔍 Enlarge")
    assert "🔍 Enlarge" in alice.last and "larger and sharper" in alice.last and "Now it is 320×320" in alice.last
    shown, before = labels(alice)[0], bot.balance(alice)
    assert shown.startswith("▶ 1280×1280 · ") and [rung(alice, name) for name in ("640×640", "Larger, sharper")]
    alice.tap(shown)
    assert before - bot.balance(alice) == kopecks(shown) and job_of(bot, alice).inputs["upscale_factor"] == "4"
    bot.forward(90)
    assert bot.kie.task()["inputs"]["image_url"] == first.result["urls"][0] and "photo" in alice.last_message
    assert [data for label, data in alice.buttons.items() if label == "🔍 Enlarge"][0].startswith("uses:do")


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru", "es"])
@pytest.mark.parametrize("side, sizes", [(320, ("640×640", "1280×1280")), (1000, ("2000×2000", "4K 4000×4000"))])
def test_what_enlarges_a_photo_says_the_pixels_it_gives(start_bot, lang, side, sizes):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.photo(png(size=(side, side)))
    alice.forge("ladder:work:image-upscale")
    found = [label.removeprefix("▶ ") for label in labels(alice)]
    assert [label for size in sizes for label in found if label.startswith(f"{size} · ")], found
    assert rung(alice, bot.bot.texts.plain(lang, "rung.larger"))


@SQLITE
def test_a_clip_is_enlarged_to_the_pixels_that_are_said(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.document(CLIP, name="clip.mp4")
    alice.forge("ladder:work:video-upscale")
    assert [label for label in labels(alice) if label.removeprefix("▶ ").startswith("×")], labels(alice)


@SQLITE
def test_back_from_a_card_leads_to_the_ladder(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("a fox")
    for label in ("All models", "🖼 Picture", "uses:open"):
        alice.tap(label)
    for _ in range(3):
        alice.tap("‹ Back")
    assert "a fox" in alice.last and labels(alice)[0].startswith("▶ Draft")


# the file, and what admins change


def offers_file(folder, **works):
    """Write a file of offers and return its path."""
    path = folder / "offers.json"
    path.write_text(json.dumps({"works": {name.replace("_", "-"): rungs for name, rungs in works.items()}}))
    return path


@SQLITE
@pytest.mark.parametrize("content", [None, "", "{}"])
def test_without_offers_the_kinds_of_work_are_offered(start_bot, tmp_path, content):
    path = tmp_path / "offers.json"
    if content is not None:
        path.write_text(content)
    bot = start_bot(offers=path)
    alice = bot.rich()
    alice.send("a fox")
    assert labels(alice)[:2] == ["🖼 Picture", "🎬 Video"] and "What shall I make from" in alice.last
    alice.photo(png(), caption="make it snow")
    alice.tap("✨ Edit")
    assert "make it snow" in alice.last


def read_catalog():
    """Return the catalogue as the file has it."""
    return Catalog.load(ROOT / "data/models.json")


@SQLITE
def test_what_is_wrong_in_the_file_is_left_out_and_named(start_bot, tmp_path):
    wrong = {
        "draft": [{"model": "nobody"}, {"model": "z-image", "settings": {"size": "1:1"}}, {"model": "z-image"}],
        "good": [{"model": "z-image", "settings": {"aspect_ratio": "7:7"}}, {"model": "suno"}],
        "splendid": [{"model": "z-image"}],
    }
    path = offers_file(tmp_path, text_to_image=wrong, text_to_poem={"draft": []})
    found = Offers.load(path, Catalog.load(ROOT / "data/models.json"))
    assert [rung.name for rung in found.works["text-to-image"]] == ["draft"]
    reasons = dict(found.rejected)
    assert "'nobody'" in reasons["text-to-image draft 1"] and "'size'" in reasons["text-to-image draft 2"]
    assert "'7:7'" in reasons["text-to-image good 1"] and "does not do" in reasons["text-to-image good 2"]
    assert "splendid" in str(found.rejected) and "text-to-poem" in reasons
    replies = {"image": ["image-edit", "image-to-poem"], "smell": ["image-edit"]}
    read = Offers.from_data({"replies": replies}, Catalog.load(ROOT / "data/models.json"))
    assert read.replies["image"] == ("image-edit",) and not read.replies["smell"]
    assert "image-to-poem" in str(read.rejected) and "replies to smell" in str(read.rejected)
    phrases = {"edit": {"en": ["paint*", "a bit"]}, "smell": {"en": ["musty"]}}
    read = Offers.from_data({"phrases": phrases, "wordless": {"image": ["image-edit", "a-poem"]}}, read_catalog())
    is_edit = read.phrases.is_edit
    assert is_edit("painted red") and is_edit("a bit, of snow") and not is_edit("no paint")
    assert (
        not read.phrases.is_question("who")
        and read.phrases.is_question("really?")
        and read.wordless["image"] == ("image-edit",)
    )
    strange = Offers.from_data({"captions": {"image-edit": {}}, "spoken": {"loud": []}}, read_catalog()).rejected
    assert "captions of image-edit" in str(strange) and "loud" in str(strange)
    assert "smell" in str(read.rejected) and "a-poem" in str(read.rejected)
    bot = start_bot(offers=path)
    assert any(name == "offers" and "nobody" in str(values) for name, _key, values in bot.bot.examine())


def test_our_own_file_is_whole():
    found = Offers.load(ROOT / "data/offers.json", Catalog.load(ROOT / "data/models.json"))
    assert found.rejected == () and {"text-to-image", "image-edit", "text-to-video", "text-to-music"} <= set(
        found.works
    )


@SQLITE
def test_an_admin_puts_another_model_on_a_rung_switches_one_off_and_takes_it_back(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    boss.send("/catalog")
    for label in ("One-tap offers", "🖼 Picture", "Draft: Z-Image"):
        boss.tap(label)
    boss.forge("rungs:pick:text-to-image:draft:grok2")
    assert "Draft: Grok Imagine Image 2.0" in boss.buttons
    boss.tap("Best")
    boss.tap("Switch off")
    alice.send("a fox")
    assert [quote["model"] for quote in ladder_of(bot, alice)["rungs"]][0].startswith("grok-imagine")
    assert not any(label.startswith("Best") for label in labels(alice))
    boss.send("/audit")
    assert boss.last.count("one-tap offer changed") == 2 and "draft · grok2" in boss.last
    boss.send("/catalog")
    boss.tap("supply:done")
    boss.tap("supply:undo")
    alice.send("a fox")
    assert any(label.startswith("Best") for label in labels(alice))
    boss.forge("rungs:rung:text-to-image:draft:0")
    boss.tap("↺ As in the file")
    assert "Draft: Z-Image" in boss.buttons
    alice.forge("rungs:switch:text-to-image:draft:0")
    assert "not for you" in alice.toast


# the first ones are free


def free_draft(person, words="a fox"):
    """Write a text and order its draft."""
    person.send(words)
    person.tap("▶ Draft · free")


def test_three_drafts_are_free_once_whatever_becomes_of_the_account(start_bot):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user()
    alice.send("/start")
    assert "Free: 3 draft pictures from your words" in alice.last
    for left in (3, 2):
        alice.send("a fox")
        assert f"free ({left} left)" in labels(alice)[0]
        alice.tap("▶ Draft · free")
        bot.forward(60)
    alice.send("/deleteme")
    alice.tap("privacy:erase")
    alice.send("a cat")
    assert "free (1 left)" in labels(alice)[0]
    alice.tap("▶")
    bot.kie.fail()
    bot.forward(60)
    free_draft(alice)  # the failed one came back
    bot.forward(60)
    alice.send("/start")
    assert "free" not in alice.last
    alice.send("a dog")
    assert labels(alice)[0] == "Draft · Z-Image · 0.72 ₽ · top up"
    assert not list(verify.verify())


def test_two_taps_at_once_cannot_spend_one_free_draft_twice(start_bot):
    bot = start_bot(WELCOME_RUNS="1", USER_STARTS="100", USER_JOBS="100")
    alice = bot.user()
    alice.send("a fox")
    user, now = user_of(bot, alice), bot.clock.now()
    first = bot.bot.drafts.get(user.id, "generate", now)
    results = in_threads(6, lambda _n: bot.bot.generation.order(user, first.id, first.version, now, 0))
    assert sum(1 for one in results if isinstance(one, tuple) and one[2]) == 1
    assert bot.bot.free.used(user.id, bot.bot.free.WELCOME) == 1 == bot.bot.free.given(now)


def test_the_whole_bot_gives_no_more_than_its_ceiling_in_a_day(start_bot):
    bot = start_bot(WELCOME_RUNS="3", FREE_CEILING="2")
    boss, people = bot.admin(), [bot.user(name) for name in ("Anna", "Bert", "Carl")]
    for person in people:
        person.send("a fox")
        assert "free (3 left)" in labels(person)[0]
    for person in people[:2]:
        person.tap("▶ Draft · free")
    people[2].tap("▶ Draft · free")
    assert "0.72 ₽ · top up" in labels(people[2])[0] and jobs_of(bot, people[2]) == []
    bot.forward(60)
    boss.send("/admin")
    assert "Free orders today: 2 of 2, cost 0.72 ₽" in boss.last
    people[2].send("/start")
    assert "Free drafts are back in 12 hours" in people[2].last
    bot.clock.forward(12 * 3600)
    people[2].send("a fox")
    assert "free (3 left)" in labels(people[2])[0]


@SQLITE
def test_a_failed_free_draft_is_given_back_to_the_ceiling_too(start_bot):
    bot = start_bot(WELCOME_RUNS="3", FREE_CEILING="1")
    alice = bot.user()
    free_draft(alice)
    assert bot.bot.free.given(bot.clock.now()) == 1
    bot.kie.fail()
    bot.forward(60)
    assert bot.bot.free.given(bot.clock.now()) == 0
    free_draft(alice)


@SQLITE
def test_only_the_draft_is_free_and_on_its_card_as_well(start_bot):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user()
    alice.send("a fox")
    assert [label for label in labels(alice) if "free" in label] == [labels(alice)[0]]
    alice.forge("generate:open:z-image")
    assert "▶ Create · free (3 left)" in alice.buttons
    alice.send("/start")
    alice.forge("generate:open:nanobanana-2l")
    alice.send("a fox")
    assert "free" not in str(alice.buttons)


@SQLITE
def test_a_text_too_long_for_the_draft_is_free_on_the_model_that_stands_in(start_bot):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user()
    alice.send("fox " * 400)
    assert "free (3 left)" in labels(alice)[0] and "seedream" in ladder_of(bot, alice)["rungs"][0]["model"]


@SQLITE
def test_without_a_rate_nothing_is_promised(start_bot):
    bot = start_bot(WELCOME_RUNS="3", USD_RATE="")
    alice = bot.user()
    alice.send("/start")
    assert "free" not in alice.last
    alice.send("a fox")
    assert "What shall I make from" in alice.last


@SQLITE
@pytest.mark.parametrize(
    ("lang", "caption"),
    [
        ("en", "fix this old photo and make it color"),
        ("en", "Can you restore my grandparents?"),
        ("ru", "отреставрируй"),
        ("ru", "почини старое фото"),
        ("es", "restaura esta foto antigua"),
    ],
)
def test_an_old_photo_to_be_restored_has_that_idea_first(start_bot, lang, caption):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.photo(png(), caption=caption)
    named, draft = [label for label in labels(alice) if " ₽" in label and not label.startswith("💬")][:2]
    assert named.startswith("▶ " + bot.bot.texts.plain(lang, "ideas.title_old_photo"))
    assert draft.startswith(bot.bot.texts.plain(lang, "rung.draft"))
    before = bot.balance(alice)
    alice.tap(named)
    idea = next(one for one in bot.bot.generation.live_catalogue.ideas.known if one.name == "old_photo")
    assert job_of(bot, alice).inputs["prompt"] == idea.prompt
    assert bot.balance(alice) == before - kopecks(named.replace(",", "."))


@SQLITE
@pytest.mark.parametrize("caption", ["make him look old", "оживи старое фото"])
def test_other_words_about_a_photo_are_no_restoration(start_bot, caption):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png(), caption=caption)
    assert not any(bot.bot.texts.plain("en", "ideas.title_old_photo") in label for label in labels(alice))


SPOKEN = [
    ("en", "make him say Happy birthday, Mum"),
    ("en", "let her say good night to the kids"),
    ("en", "Happy birthday, grandma! — I want my dog to say this"),
    ("ru", "пусть скажет: с днём рождения"),
    ("ru", "пусть скажет С днём рождения, бабушка!"),
    ("ru", "скажи доброе утро"),
    ("ru", "произнеси: мы тебя любим"),
    ("ru", "поздравь голосом маму с юбилеем"),
    ("ru", "С днём рождения, бабушка! хочу чтоб она это сказала"),
    ("es", "que diga feliz día, mamá"),
    ("es", "haz que el perro diga buenas noches"),
    ("es", "Feliz cumpleaños, abuela: quiero que lo diga en voz alta"),
]


@SQLITE
@pytest.mark.parametrize(("lang", "caption"), SPOKEN)
def test_a_photo_that_is_to_speak_is_offered_as_a_clip(start_bot, lang, caption):
    bot = start_bot()
    anna = bot.rich("Anna", language_code=lang)
    anna.photo(png(), caption=caption)
    assert bot.bot.texts.plain(lang, "do.image-to-video") in anna.last
    assert bot.bot.texts.plain(lang, "ladder.speaks") in anna.last
    rungs = ladder_of(bot, anna)["rungs"]
    assert [quote["values"].get("generate_audio", quote["values"].get("audio")) for quote in rungs] == [True] * 3
    assert sorted(quote["price"] for quote in rungs) == [quote["price"] for quote in rungs]
    first = next(label for label in labels(anna) if label.startswith("▶"))
    anna.tap(first)
    assert job_of(bot, anna).inputs["prompt"] == caption and job_of(bot, anna).inputs["generate_audio"] is True


@SQLITE
@pytest.mark.parametrize(
    "caption",
    ["оживи", "add a sign with the words good morning", "надпись, чтобы говорила всем привет", "what does it say?"],
)
def test_a_photo_that_has_words_only_to_be_seen_does_not_speak(start_bot, caption):
    bot = start_bot()
    anna = bot.rich("Anna")
    anna.photo(png(), caption=caption)
    assert bot.bot.texts.plain("en", "ladder.speaks") not in anna.last

"""Bad input: whatever people send or forge gets a clear answer and changes nothing it should not."""

import io
import itertools
import re

import pytest
from PIL import Image

from kie.catalogue.model import Catalog
from tests import proof
from tests.kit import BOSS, ROOT, png
from tests.media import clip, mp3, seed
from tests.shop import entries_of, job_of, jobs_of, order

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OPEN = {"FLOOD_MESSAGES": "1000000"}
MB = 1024 * 1024
NASTY = "<b>&_*[`x`](y) </i> {name} %s"
STRANGE = "‮مرحبا\u200b‍ 🦊👩‍👩‍👧‍👦 ﷽ Ω̂ e\u0301"
_numbers = itertools.count(900_000)

RAW = {
    "sticker": {
        "sticker": {
            "file_id": "s1",
            "file_unique_id": "u1",
            "type": "regular",
            "width": 512,
            "height": 512,
            "is_animated": True,
            "is_video": False,
        }
    },
    "video note": {"video_note": {"file_id": "v1", "file_unique_id": "u2", "length": 240, "duration": 5}},
    "contact": {"contact": {"phone_number": "+100", "first_name": "Bob"}},
    "location": {"location": {"latitude": 1.0, "longitude": 2.0}},
    "venue": {"venue": {"location": {"latitude": 1.0, "longitude": 2.0}, "title": "x", "address": "y"}},
    "poll": {
        "poll": {
            "id": "1",
            "question": "?",
            "options": [],
            "total_voter_count": 0,
            "is_closed": False,
            "type": "regular",
        }
    },
    "dice": {"dice": {"emoji": "🎲", "value": 3}},
    "story": {"story": {"chat": {"id": 1, "type": "private"}, "id": 1}},
    "paid media": {"paid_media": {"star_count": 1, "paid_media": []}},
    "document without a type": {"document": {"file_id": "d1", "file_unique_id": "u3"}},
    "spreadsheet": {
        "document": {
            "file_id": "d2",
            "file_unique_id": "u4",
            "file_name": "a.xls",
            "mime_type": "application/vnd.ms-excel",
        }
    },
    "pinned": {"pinned_message": {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}},
    "nothing we know": {"something_of_next_year": {"a": 1}},
}


def raw(bot, person, **content):
    """Send a message no person can make on the local server."""
    sender = {"id": person.id, "is_bot": False, "first_name": "Alice", "language_code": "en"}
    chat = {"id": person.id, "type": "private", "first_name": "Alice"}
    bot.telegram.update(message={"message_id": next(_numbers), "date": 1, "from": sender, "chat": chat, **content})


def books(bot, *people):
    """Return what must not change: balances, entries and orders."""
    return [
        (bot.balance(one), entries_of(bot, one), [(j.id, j.state, j.price) for j in jobs_of(bot, one)])
        for one in people
    ]


def answers(person, act):
    """Do something and return what the bot sent or changed on account of it."""
    before = {message["message_id"]: message for message in person.received}
    act()
    return [m for m in person.received if before.get(m["message_id"]) != m]


def no_complaints(caplog):
    """Tell that the bot itself saw nothing wrong: no defect, no refusal by Telegram."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelname == "ERROR" and record.name.startswith("core")
    ] == []


@SQLITE
@pytest.mark.parametrize("card", [False, True], ids=["no card", "an open card"])
@pytest.mark.parametrize("content", RAW)
def test_9_odd_content_is_answered_and_costs_nothing(start_bot, caplog, content, card):
    bot = start_bot()
    alice = bot.rich()
    if card:
        alice.send("a fox")
        alice.forge("generate:open:nanobanana-edit")
    before = books(bot, alice)
    told = answers(alice, lambda: raw(bot, alice, **RAW[content]))
    assert any(message.get("text") for message in told), "silence"
    assert "reply_markup" in told[-1], "no way on"
    assert books(bot, alice) == before and no_complaints(caplog)


@SQLITE
@pytest.mark.parametrize("card", [False, True], ids=["no card", "an open card"])
def test_9_real_files_of_every_kind_are_answered(start_bot, caplog, card):
    bot = start_bot(**OPEN)
    alice = bot.rich()
    before = books(bot, alice)
    acts = {
        "sticker": lambda: alice.sticker(png()), "voice": lambda: alice.voice(mp3(3), duration=3),
        "audio": lambda: alice.audio(("a.mp3", mp3(3)), duration=3), "animation": lambda: alice.animation(clip(3)),
        "video": lambda: alice.video(clip(3), duration=3), "pdf": lambda: alice.document(b"%PDF-1.4", "a.pdf"),
        "forwarded photo": lambda: alice.photo(png(), forward="1"), "album": lambda: alice.album([png("1"), png("2")]),
        "named like a picture": lambda: alice.document(b"no picture", "a.png"), "empty name": lambda: alice.document(b"x", ""),
    }  # fmt: skip
    for name, act in acts.items():
        if card:
            alice.send("/cancel")
            alice.forge("generate:open:nanobanana-edit")
        told = answers(alice, act)
        assert told and all(m.get("text") for m in told), name
        assert any("reply_markup" in m for m in told), name
    assert books(bot, alice) == before and no_complaints(caplog)


def test_text_where_a_photo_is_wanted(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:recraft-upscale" if Catalog_has("recraft-upscale") else f"generate:open:{wordless()}")
    before = books(bot, alice)
    alice.send("make it larger")
    assert "send a photo" in alice.last.lower()
    assert "generate:card" in alice.buttons.values()
    assert books(bot, alice) == before


def Catalog_has(code):
    """Tell whether a model has this code."""
    return CATALOG.by_code(code) is not None


CATALOG = Catalog.load(ROOT / "data" / "models.json")


def wordless():
    """Return the code of a model that takes a picture and no text."""
    return next(
        model.code
        for model in CATALOG.models.values()
        if model.main_text is None and any(spec.kind == "image" and spec.required for spec in model.inputs)
    )


def test_a_photo_where_text_is_wanted(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    before = books(bot, alice)
    alice.photo(png())
    assert "can’t use pictures" in alice.last.lower()
    alice.tap("Go to the order")
    assert any(label.startswith("✏ Write") for label in alice.buttons), "the card still waits for the text"
    assert books(bot, alice) == before


@SQLITE
@pytest.mark.parametrize("card", [False, True], ids=["no card", "an open card"])
def test_a_file_over_20_mb_is_told_so(start_bot, card):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    if card:
        alice.forge("generate:open:nanobanana-edit")
    before = books(bot, alice)
    alice.document(png() + b"\0" * (21 * MB), "huge.png")
    assert "20 MB" in alice.last and "21" in alice.last
    assert books(bot, alice) == before


def test_a_file_that_turns_out_too_large_fails_the_order_and_gives_the_money_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("make it snow")
    alice.forge("generate:open:nanobanana-edit")
    sent = alice.document(png() + b"\0" * (21 * MB), "huge.png")["document"]
    raw(bot, alice, document={**sent, "file_size": None} | {"thumbnail": None})
    if not any("▶ Create" in label for label in alice.buttons):
        alice.tap("generate:card")
    before = bot.balance(alice)
    alice.tap("▶ Create")
    bot.forward(30)
    assert bot.balance(alice) == before and "returned" in alice.last


@SQLITE
@pytest.mark.parametrize("card", [False, True], ids=["no card", "an open card"])
@pytest.mark.parametrize("text", [" ", "\n\n", "\u200b", "\u202e", " \u2066\u00ad "])
def test_an_empty_text_is_no_prompt(start_bot, caplog, text, card):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    if card:
        alice.forge("generate:open:z-image")
    before = books(bot, alice)
    told = answers(alice, lambda: raw(bot, alice, text=text))
    assert told and books(bot, alice) == before and no_complaints(caplog)
    assert not any("▶ Create" in label for label in alice.buttons)


def test_a_prompt_of_ten_thousand_characters_is_refused_with_both_numbers(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    alice.forge("generate:open:z-image")
    limit = CATALOG.by_code("z-image").main_text.max_length
    raw(bot, alice, text="x" * 10_000)
    assert "10000" in alice.last.replace(",", "") and str(limit) in alice.last.replace(",", "")
    assert "▶ Create" not in str(alice.buttons) and jobs_of(bot, alice) == []


def test_a_long_prompt_that_the_app_sends_in_parts_is_never_cut_in_silence(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/start")
    told = answers(alice, lambda: alice.send("word " * 2000))
    assert told and "word" in told[-1]["text"] and len(told[-1]["text"]) < 1024


@pytest.mark.parametrize(
    "text", [NASTY, STRANGE, "a < b && c > d", "&lt;script&gt;", "\\", "'; DROP TABLE user; --", "{0}{prompt}"]
)
def test_strange_names_and_prompts_come_through_whole(start_bot, text):
    bot = start_bot()
    boss = bot.admin()
    alice = bot.rich(text)
    alice.send("/start")
    assert text in alice.last
    job = order(bot, alice, text)
    assert job.inputs["prompt"] == text.strip()
    bot.forward(90)
    assert "photo" in alice.last_message
    assert bot.kie.task(job_of(bot, alice).task_id)["inputs"]["prompt"] == text.strip()
    alice.send("/history")
    alice.forge(f"history:job:{job.id}")
    assert text.strip() in alice.last
    boss.send(f"/user {alice.id}")
    boss.forge("users:card:2")
    assert text in boss.last
    assert not refusals(bot)


def refusals(bot):
    """Return what Telegram refused because of its form."""
    return [
        call["description"]
        for call in bot.telegram.calls()
        if not call["ok"] and "not modified" not in call["description"]
    ]


def test_a_name_of_nothing_visible_still_has_a_screen(start_bot):
    bot = start_bot()
    boss = bot.admin()
    ghost = bot.user("ㅤ\u200b")
    ghost.send("/start")
    assert "make pictures" in ghost.last
    boss.send(f"/user {ghost.id}")
    assert not refusals(bot)


# forged taps


def forgeries(bot, ids):
    """Return data for every registered button: old, cut, overlong, with foreign, negative, huge and wordy arguments."""
    for route, entry in bot.bot.handlers["button"].items():
        count = len(entry.types)
        words = [*ids, "-1", "0", str(2**63), "9" * 30, "x", "", "1.5", "None", "ё"]
        for word in words:
            yield ":".join([route, *[word] * count])
        yield ":".join([route, *["1"] * (count + 1)])
        if count:
            yield route
            yield ":".join([route, *["1"] * (count - 1)])
        yield f"{route}:{'1' * 60}"[:64]
    yield from (
        "",
        ":",
        "::::",
        "start",
        "start:",
        "nobody:home",
        "x" * 64,
        "🦊" * 16,
        "start:menu:1",
        "\u0000",
        "%s%s",
        "../../etc",
    )


@pytest.mark.proof
def test_8_9_forged_buttons_are_answered_and_change_nothing(start_bot, caplog):
    bot = start_bot(**OPEN)
    bot.admin()
    alice, mallory = bot.rich("Alice"), bot.rich("Mallory")
    order(bot, alice)
    bot.forward(90)
    order(bot, alice, "another fox")
    alice.send("/start")
    before = books(bot, alice)
    users = [bot.bot.users.by_telegram_id(person.id) for person in (alice, mallory)]
    ids = [str(job.id) for job in jobs_of(bot, alice)] + [str(users[0].id), str(alice.id)]
    mallory.send("/start")
    silent = []
    for data in proof.part(dict.fromkeys(forgeries(bot, ids)), seed=8):
        if len(data.encode()) > 64 or data.startswith(("language:", "privacy:")):
            continue
        told = answers(mallory, lambda data=data: mallory.forge(data))
        if mallory.toast is None or not (told or mallory.toast):
            silent.append(data)
        if len(mallory.received) > 20:  # each look reads them all
            mallory.change(clear=True)
            mallory.send("/start")
    assert silent == []
    assert books(bot, alice) == before, "somebody else's money and orders are not touched"
    assert no_complaints(caplog)
    assert bot.bot.users.get(users[0].id).banned is False and not [p for p in bot.bot.payments.waiting()]


@SQLITE
def test_9_a_stranger_gets_nowhere_with_the_admins_buttons_and_commands(start_bot, caplog):
    bot = start_bot(**OPEN)
    bot.admin()
    alice = bot.rich("Alice")
    alice.send("/start")
    before = books(bot, alice)
    routes = {route: entry for route, entry in bot.bot.handlers["button"].items() if entry.right}
    assert len(routes) > 10
    for route, entry in routes.items():
        alice.forge(":".join([route, *["1"] * len(entry.types)]))
        assert alice.toast == "This button is not for you.", route
    for name, entry in bot.bot.handlers["command"].items():
        if entry.right:
            told = answers(alice, lambda name=name: alice.send(f"/{name} 1 2 3"))
            assert "No such command" in told[-1]["text"], name
    assert books(bot, alice) == before and no_complaints(caplog)
    alice.send("/help")
    assert not [
        name for name, entry in bot.bot.handlers["command"].items() if entry.right and f"/{name} " in alice.last + " "
    ]


def test_somebody_elses_job_is_out_of_date_for_everybody_else(start_bot):
    bot = start_bot()
    alice, mallory = bot.rich("Alice"), bot.rich("Mallory")
    bot.kie.trouble("create", "429", 0)
    job = order(bot, alice)
    mallory.send("/start")
    before = books(bot, alice, mallory)
    for route, entry in bot.bot.handlers["button"].items():
        if list(entry.types)[:1] == ["job"] and not entry.right:
            mallory.forge(":".join([route, str(job.id), *["z-image"] * (len(entry.types) - 1)])[:64])
            assert mallory.toast, route
    assert books(bot, alice, mallory) == before and job_of(bot, alice).state == "queued"


def test_1_two_taps_at_once_make_one_order(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    data = next(data for label, data in alice.buttons.items() if "Create" in label)
    before = bot.balance(alice)
    bot.telegram.pump = lambda: None
    for _ in range(20):
        alice.forge(data)
    bot.telegram.pump = bot.pump
    bot.pump()
    assert len(jobs_of(bot, alice)) == 1
    assert [kind for kind, _amount in entries_of(bot, alice)].count("hold") == 1
    assert before - bot.balance(alice) == job_of(bot, alice).price


# files as the card takes them


def card_lines(person):
    """Return the text of the newest card."""
    return person.last


def test_an_album_of_four_is_taken_whole(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    cards = len(alice.received)
    alice.album([png(str(number)) for number in range(4)], caption="put them on one table")
    limit = next(spec.max_items for spec in CATALOG.by_code("nanobanana-edit").inputs if spec.many)
    assert f"4 of {limit}" in alice.last and "put them on one table" in alice.last
    assert len(alice.received) - cards <= 1, "one card, not four"
    if not any("▶ Create" in label for label in alice.buttons):
        alice.tap("generate:card")
    alice.tap("▶ Create")
    bot.forward(90)
    inputs = bot.kie.task(job_of(bot, alice).task_id)["inputs"]
    assert len(next(value for value in inputs.values() if isinstance(value, list))) == 4


def test_more_pictures_than_allowed_are_told_and_the_first_ones_kept(start_bot):
    bot = start_bot(**OPEN)
    alice = bot.rich("Alice")
    alice.send("put them on one table")
    several = [(m, m.input_for("image")) for m in CATALOG.models.values() if m.input_for("image")]
    model, limit = min(
        ((m, s.max_items) for m, s in several if s.many and (s.max_items or 0) > 1), key=lambda pair: pair[1]
    )
    alice.forge(f"generate:open:{model.code}")
    told = []
    for number in range(limit + 2):
        told += answers(alice, lambda number=number: alice.photo(png(str(number))))
    said = " ".join(message["text"] for message in told)
    assert "Too many files" in said and str(limit) in said
    alice.tap("generate:card")
    assert f"{limit} of {limit}" in alice.last


def test_a_caption_is_the_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.photo(png(), caption="make it snow")
    alice.forge("generate:open:nanobanana-edit")
    assert "make it snow" in alice.last
    assert any("▶ Create" in label for label in alice.buttons)


def test_the_wrong_order_is_no_trouble(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    alice.photo(png())
    alice.send("make it snow")
    first = [label for label in alice.buttons if "▶ Create" in label]
    alice.send("/cancel")
    alice.send("/start")
    alice.forge("generate:open:nanobanana-edit")
    alice.send("make it snow")
    alice.photo(png())
    if not any("▶ Create" in label for label in alice.buttons):
        alice.tap("generate:card")
    assert first and [label for label in alice.buttons if "▶ Create" in label] == first


@pytest.mark.parametrize("name", ["photo.heic", "photo.HEIC", "photo.webp"])
def test_pictures_kie_does_not_read_are_sent_to_it_as_jpeg(start_bot, name):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("make it snow")
    alice.forge("generate:open:nanobanana-edit")
    alice.document(picture(name.rsplit(".")[-1].lower()), name)
    if not any("▶ Create" in label for label in alice.buttons):
        alice.tap("generate:card")
    before = bot.balance(alice)
    alice.tap("▶ Create")
    bot.forward(90)
    assert job_of(bot, alice).state == "succeeded", job_of(bot, alice).reason
    assert bot.balance(alice) < before and "photo" in alice.last_message


def picture(form):
    """Return a small picture as HEIC or WebP."""
    if form == "heic":
        return seed("picture.heic")
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(stream, "WEBP")
    return stream.getvalue()


def test_a_broken_picture_fails_the_order_and_gives_the_money_back(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("make it snow")
    alice.forge("generate:open:nanobanana-edit")
    alice.document(b"this is no picture at all", "photo.heic")
    if not any("▶ Create" in label for label in alice.buttons):
        alice.tap("generate:card")
    before = bot.balance(alice)
    alice.tap("▶ Create")
    bot.forward(90)
    assert job_of(bot, alice).state == "failed" and bot.balance(alice) == before
    assert re.search(r"returned", alice.last)


def test_an_edited_message_that_is_no_prompt_changes_nothing(start_bot, caplog):
    bot = start_bot()
    alice = bot.rich("Alice")
    first = alice.send("hello there")
    alice.send("/start")
    before = books(bot, alice)
    assert answers(alice, lambda: alice.edit(first, "/balance")) == []
    assert answers(alice, lambda: alice.edit(first, NASTY)) == []
    assert books(bot, alice) == before and no_complaints(caplog)


def test_9_a_command_is_never_a_prompt(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("/start")
    for text in ("/imagine a fox", "/start@other_bot", "/", "/START", "/balance\nnow", "/unknown_thing"):
        alice.forge("generate:open:z-image")
        alice.send(text)
        alice.tap("start:menu")
        alice.forge("generate:open:z-image")
        assert text.split()[0] not in alice.last, text
        alice.send("/cancel")
    assert jobs_of(bot, alice) == []


def test_9_text_and_files_without_a_card_lead_on(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice")
    alice.send("a fox in the snow")
    assert "a fox in the snow" in alice.last and "🎬 Video" in alice.buttons
    alice.photo(png())
    assert "Write what to change" in alice.last and len(alice.buttons) > 3
    alice.voice(mp3(3), duration=3)
    assert "start:menu" in alice.buttons.values()
    alice.tap("🎙 Use the recording")
    assert "1 recording" in alice.last and "start:menu" in alice.buttons.values()


def test_a_banned_person_hears_why_and_nothing_else(start_bot):
    bot = start_bot()
    bot.admin()
    alice = bot.rich("Alice")
    order(bot, alice)
    user = bot.bot.users.by_telegram_id(alice.id)
    bot.bot.users.change(user, banned=True)
    before = books(bot, alice)
    for act in (lambda: alice.send("/start"), lambda: alice.send("a fox"), lambda: alice.photo(png())):
        assert "blocked here" in answers(alice, act)[-1]["text"]
    alice.forge("balance:show")
    assert "blocked here" in (alice.toast or "") + alice.last
    assert books(bot, alice) == before and alice.id != BOSS


def test_a_flood_is_warned_about_once_and_ends(start_bot):
    bot = start_bot(FLOOD_MESSAGES="5")
    alice = bot.user()
    for _ in range(12):
        alice.send("/id")
    told = [message["text"] for message in alice.received]
    assert len(told) == 6 and told[-1] != told[-2]
    bot.forward(60, step=30)
    alice.send("/id")
    assert str(alice.id) in alice.last

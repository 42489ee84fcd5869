"""Groups: a mention or a reply to a result is answered there, nothing of anybody's money is, ordinary talk is left alone."""

import pytest

from kie.stub.chat import TRANSCRIPTS
from storage.base import db
from storage.base.tables import Account, Entry, Person, ResultMessage, User
from tests.kit import png
from tests.media import mp3
from tests.shop import assert_books_are_right, entries_of, job_of, jobs_of, order, picture, user_of
from tests.test_ladder import Steps, kopecks
from tests.test_talk import asked
from tests.till import pay_stars

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LANGS = pytest.mark.parametrize("lang", ["en", "ru"])


def group_texts(group):
    """Return what the bot has said in a group."""
    return [message.get("text", "") for message in group.messages if message["_from_bot"]]


@pytest.fixture
def party(start_bot):
    """Return (bot, group, alice, bob): both have money, alice a finished order."""
    bot = start_bot()
    alice, bob = bot.rich("Alice", "777"), bot.rich("Bob", "555")
    order(bot, alice)
    bot.forward(90)
    return bot, bot.telegram.group("Friends", alice, bob), alice, bob


@pytest.mark.parametrize("command", ["/generate", "/start", "/balance", "/history", "/topup", "/models", "/cancel"])
def test_a_command_points_to_the_private_chat(party, command):
    bot, group, alice, _bob = party
    alice.send(command, group=group)
    said = group_texts(group)
    assert len(said) == 1 and "private" in said[0]
    buttons = [
        cell for m in group.messages for row in m.get("reply_markup", {}).get("inline_keyboard", []) for cell in row
    ]
    assert any(cell.get("url", "").startswith("https://t.me/") for cell in buttons)


def test_money_never_shows_in_a_group(party):
    bot, group, alice, _bob = party
    for name, entry in bot.bot.handlers["command"].items():
        if not entry.right:
            alice.send(f"/{name}", group=group)
    for route, entry in bot.bot.handlers["button"].items():
        alice.forge(":".join([route, *["1"] * len(entry.types)]), group=group)
    said = "\n".join(group_texts(group))
    assert "₽" not in said and "777" not in said and "balance" not in said.lower()


def test_a_command_for_another_bot_is_ignored(party):
    bot, group, alice, _bob = party
    alice.send("/start@other_bot", group=group)
    sender = {"id": alice.id, "is_bot": False, "first_name": "Alice"}
    chat = {"id": group.id, "type": "supergroup", "title": "Friends"}
    bot.telegram.update(message={"message_id": 77, "date": 1, "from": sender, "chat": chat, "text": "/start@other_bot"})
    assert group_texts(group) == []


def test_a_command_with_our_name_is_ours_however_it_is_written(party):
    bot, group, alice, _bob = party
    for name in (bot.bot.username, bot.bot.username.upper()):
        alice.send(f"/id@{name}", group=group)
    assert len(group_texts(group)) == 2 and str(alice.id) in group_texts(group)[0]


def test_ordinary_talk_is_left_alone(party):
    bot, group, alice, bob = party
    before = len(bob.received)
    alice.send(f"{bot.bot.username} what do you think?", group=group)
    alice.send(f"@{bot.bot.username}_too what do you think?", group=group)
    alice.send("hello all", group=group)
    alice.send("/nonsense", group=group)
    assert group_texts(group) == [] and len(bob.received) == before
    assert jobs_of(bot, bob) == []


def test_a_tap_in_a_group_is_answered_and_shows_nothing(party):
    bot, group, alice, bob = party
    alice.send("/generate", group=group)
    for person in (alice, bob):
        person.forge("balance:show", group=group)
        assert "private" in person.toast
    assert "₽" not in "\n".join(group_texts(group))


def test_a_card_cannot_be_driven_from_a_group(party):
    bot, group, alice, bob = party
    alice.send("a fox")
    alice.forge("generate:open:z-image")
    confirm = next(data for label, data in alice.buttons.items() if "Create" in label)
    alice.send("/generate", group=group)
    before = entries_of(bot, alice), entries_of(bot, bob)
    for person in (alice, bob):
        person.forge(confirm, group=group)
    assert (entries_of(bot, alice), entries_of(bot, bob)) == before


def test_what_is_said_in_a_group_is_no_prompt(party):
    bot, group, alice, _bob = party
    alice.send("/start")
    alice.forge("generate:open:z-image")
    alice.send(f"@{bot.bot.username} the secret plan", group=group)
    alice.forge("generate:card")
    assert "secret plan" not in alice.last


# people who have never opened the bot


def everybody():
    """Return how many rows of people there are."""
    with db.connection():
        return [table.select().count() for table in (User, Account, Person, Entry)]


@pytest.fixture
def crowd(start_bot):
    """Return (bot, group, boss, zoe): the boss is known, Zoe is not; a gift and free orders are to be had."""
    bot = start_bot(WELCOME_GIFT="30", FREE_MODELS="z-image", REFERRAL_HOLD_DAYS="0")
    boss, zoe = bot.admin(), bot.user("Zoe")
    return bot, bot.telegram.group("Friends", boss, zoe), boss, zoe


@pytest.mark.parametrize("command", ["/start", "/start rX", "/generate", "/balance", "/id", "/privacy"])
def test_a_stranger_gets_one_answer_with_the_link_and_is_no_row(crowd, command):
    bot, group, _boss, zoe = crowd
    before = everybody()
    zoe.send(command, group=group)
    said = group_texts(group)
    assert len(said) == 1 and "private" in said[0]
    assert f"https://t.me/{bot.bot.username}" in str(group.messages[-1]["reply_markup"])
    assert everybody() == before and zoe.received == []


def test_talk_and_taps_of_strangers_make_no_rows_and_no_noise(crowd):
    bot, group, boss, zoe = crowd
    boss.send("/generate", group=group)
    before, said = everybody(), group_texts(group)
    zoe.send(f"@{bot.bot.username} hello", group=group)
    zoe.send("/nonsense", group=group)
    zoe.send("/stats", group=group)
    zoe.forge("balance:show", group=group)
    assert "private" in zoe.toast
    zoe.forge("transfer:approve:1", group=group)
    assert "private" in zoe.toast
    assert everybody() == before and group_texts(group) == said


def test_a_flood_of_one_stranger_silences_no_other(crowd):
    _bot, group, boss, zoe = crowd
    for _ in range(40):
        zoe.send("/id", group=group)
    mia = crowd[0].user("Mia")
    other = crowd[0].telegram.group("Others", boss, mia)
    mia.send("/id", group=other)
    assert len(group_texts(other)) == 1


def test_an_owner_who_has_not_opened_the_bot_is_a_stranger_too(start_bot):
    bot = start_bot(ADMIN_IDS="5000000900,5000000899")
    oleg = bot.telegram.person("Oleg", id=5000000899, language_code="en")
    group = bot.telegram.group("Staff", bot.admin(), oleg)
    oleg.send("/here", group=group)
    assert "private" in group_texts(group)[-1] and user_of(bot, oleg) is None


def test_group_talk_spends_no_first_visit(crowd):
    bot, group, _boss, zoe = crowd
    alice = bot.user("Alice")
    alice.send("/invite")
    link = alice.buttons["Copy the link"]["text"].partition("?start=")[2]
    zoe.send("/start", group=group)
    zoe.send(f"/start {link}")
    assert "English" in str(zoe.buttons) and bot.balance(zoe) == 3000
    pay_stars(zoe)
    assert ("referral", 3_000) in entries_of(bot, alice)


def test_an_update_without_a_chat_makes_nobody_known(crowd):
    bot, _group, _boss, zoe = crowd
    before = everybody()
    person = {"id": zoe.id, "is_bot": False, "first_name": "Zoe", "language_code": "en"}
    bot.telegram.update(
        my_chat_member={
            "chat": {"id": zoe.id, "type": "private", "first_name": "Zoe"},
            "from": person,
            "date": 1,
            "old_chat_member": {"user": person, "status": "member"},
            "new_chat_member": {"user": person, "status": "kicked"},
        }
    )
    query = {"id": "7", "from": person, "currency": "XTR", "total_amount": 5, "invoice_payload": "1"}
    bot.telegram.update(pre_checkout_query=query)
    assert everybody() == before


# a mention, and what comes of it


def ask(person, group, words="a fox in the snow", **more):
    """Mention the bot in a group."""
    return person.send(f"@demo_bot {words}", group=group, **more)


def pictures(group):
    """Return the pictures that the bot has sent to a group."""
    return [message for message in group.received if "photo" in message]


def made(bot, person, group, words="a fox in the snow"):
    """Have a picture made in a group; return its message."""
    ask(person, group, words)
    person.tap("▶", group=group)
    bot.forward(90)
    return pictures(group)[-1]


def nothing_of_money(group):
    """Check that nobody's money or free orders are told in a group."""
    said = str([message for message in group.received]).lower()
    return not any(word in said for word in ("balance", "баланс ", "left)", "ещё 3", "short", "777"))


@LANGS
def test_a_mention_and_a_tap_make_a_picture_in_the_group(start_bot, lang):
    bot = start_bot()
    alice, bob = bot.rich("Alice", language_code=lang), bot.user("Bob")
    group = bot.telegram.group("Friends", bob, alice)
    steps, before, private = Steps(alice), bot.balance(alice), len(alice.received)
    steps.send(ask, alice, group, "a fox" if lang == "en" else "лиса в снегу")
    assert len(group.received) == 1 and ("🖼 Picture" if lang == "en" else "🖼 Картинка") in group.last
    shown = kopecks(next(iter(group.buttons)).replace(",", "."))
    steps.taps += 1
    alice.tap("▶", group=group)
    assert len(group.received) == 1 and "⏳" in group.last  # the same message
    bot.forward(90)
    assert (steps.messages, steps.taps) == (1, 1)
    assert len(group.received) == 1 and "photo" in group.last_message
    asked = next(message for message in group.messages if not message["_from_bot"])
    assert group.last_message["reply_to_message"]["message_id"] == asked["message_id"]
    assert bot.balance(alice) == before - shown and len(alice.received) == private
    assert nothing_of_money(group) and job_of(bot, alice).delivery == "sent"
    assert_books_are_right()


@SQLITE
@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        ("@demo_bot, a fox", "a fox"),
        ("🦊🦊 draw a fox, @DEMO_bot!", "🦊🦊 draw a fox!"),
        ("Hey @demo_bot: a fox", "Hey a fox"),
    ],
)
def test_the_name_is_no_part_of_the_prompt(party, said, prompt):
    bot, group, alice, _bob = party
    alice.send(said, group=group)
    alice.tap("▶", group=group)
    assert job_of(bot, alice).inputs["prompt"] == prompt


@SQLITE
def test_another_kind_of_work_is_one_tap_away(party):
    bot, group, alice, _bob = party
    ask(alice, group)
    alice.tap("🎵", group=group)
    assert len(group.received) == 1 and "🎵" in group.last
    alice.tap("▶", group=group)
    assert bot.bot.generation.model(job_of(bot, alice)).output == "audio"


@SQLITE
def test_only_the_taps_of_the_one_who_asked_count(party):
    bot, group, alice, bob = party
    zoe = bot.user("Zoe")
    group.change(members=[alice.id, bob.id, zoe.id])
    ask(alice, group)
    before = entries_of(bot, alice), entries_of(bot, bob), group.messages
    for person in (bob, zoe):
        for label in ("▶", "🎬"):
            person.tap(label, group=group)
            assert "Somebody else asked" in person.toast
    assert before == (entries_of(bot, alice), entries_of(bot, bob), group.messages) and user_of(bot, zoe) is None
    alice.tap("▶", group=group)
    assert len(entries_of(bot, alice)) == len(before[0]) + 1


@SQLITE
def test_two_taps_are_one_order(party):
    bot, group, alice, _bob = party
    ask(alice, group)
    data, screen = next(iter(group.buttons.values())), group.last_message
    before = len(jobs_of(bot, alice))
    alice.forge(data, screen, group=group)
    alice.forge(data, screen, group=group)
    assert "already" in alice.toast and len(jobs_of(bot, alice)) == before + 1


@SQLITE
def test_a_ladder_is_ordered_only_where_it_stands(party):
    bot, group, alice, bob = party
    ask(alice, group)
    _groups, _rung, user, draft, version, place = next(iter(group.buttons.values())).split(":")
    other, before = bot.telegram.group("Others", alice, bob), jobs_of(bot, alice)
    bob.send("/bot", group=other)
    alice.forge(f"groups:rung:{user}:{draft}:{version}:{place}", group=other)
    assert jobs_of(bot, alice) == before
    alice.send("a boat")
    alice.forge(f"orders:rung:{draft}:{version}:{place}")
    assert jobs_of(bot, alice) == before


@SQLITE
def test_each_person_has_a_ladder_of_their_own_and_the_newer_one_of_a_person_counts(party):
    bot, group, alice, bob = party
    ask(alice, group)
    ask(bob, group, "a boat")
    assert len(group.received) == 2
    ask(alice, group, "a city")
    assert len(group.received) == 2 and [text.split("\n")[0] for text in group_texts(group)] == ["“a boat”", "“a city”"]
    bob.tap("▶", message=group.received[0], group=group)
    assert job_of(bot, bob).inputs["prompt"] == "a boat"


@SQLITE
def test_the_open_dialogue_and_card_of_the_private_chat_stay(party):
    bot, group, alice, _bob = party
    alice.send("/start")
    alice.forge("generate:open:z-image")
    made(bot, alice, group)
    alice.send("the private prompt")
    assert "the private prompt" in alice.last and alice.buttons


@SQLITE
def test_somebody_without_enough_money_is_told_so_without_sums(start_bot):
    bot = start_bot()
    poor, rich = bot.user("Poor"), bot.rich()
    poor.send("/start")
    group = bot.telegram.group("Friends", poor, rich)
    ask(poor, group)
    assert "top up" not in str(group.buttons)
    poor.tap("▶", group=group)
    assert "doesn’t cover" in poor.toast and "₽" not in poor.toast and jobs_of(bot, poor) == []
    assert group.buttons["+ Top up in private"] == f"https://t.me/{bot.bot.username}?start=g"
    assert len(group.received) == 1 and nothing_of_money(group)
    poor.send("/start g")
    assert "0.72 ₽ short" in poor.last and "☐ Create when paid · 0.72 ₽" in poor.buttons
    pay_stars(poor)
    poor.tap("▶", group=group)
    bot.forward(90)
    assert len(pictures(group)) == 1
    assert_books_are_right()


@SQLITE
@LANGS
def test_a_free_draft_is_free_in_a_group_and_how_many_are_left_is_not_told(start_bot, lang):
    bot = start_bot(WELCOME_RUNS="3")
    alice = bot.user(language_code=lang)
    alice.send("/start")
    group = bot.telegram.group("Friends", alice)
    ask(alice, group)
    free = "free" if lang == "en" else "бесплатно"
    assert f"· {free}" in next(iter(group.buttons)) and nothing_of_money(group)
    alice.tap("▶", group=group)
    bot.forward(90)
    assert group.last.split("\n")[0].endswith(f"· {free}") and nothing_of_money(group)


@SQLITE
def test_what_fails_is_told_in_the_group_without_sums_and_in_private_with_them(party):
    bot, group, alice, _bob = party
    before = bot.balance(alice)
    bot.kie.fail_next("500-internal")
    ask(alice, group)
    alice.tap("▶", group=group)
    bot.forward(90)
    assert len(group.received) == 1 and "Nothing was charged" in group.last and "₽" not in group.last
    assert "returned, balance" in alice.last and bot.balance(alice) == before
    assert nothing_of_money(group)


@SQLITE
def test_a_queued_order_can_be_cancelled_by_the_one_who_asked(party):
    bot, group, alice, bob = party
    before = bot.balance(alice)
    bot.kie.trouble("create", "429", times=9)
    ask(alice, group)
    alice.tap("▶", group=group)
    bob.tap("Cancel", group=group)
    assert "Somebody else" in bob.toast and job_of(bot, alice).state == "queued"
    alice.tap("Cancel", group=group)
    assert group.last == "Cancelled. Nothing was charged." and bot.balance(alice) == before
    assert job_of(bot, alice).state == "cancelled" and nothing_of_money(group)
    assert_books_are_right()


@SQLITE
def test_the_progress_in_a_group_is_edited_seldom(party):
    bot, group, alice, _bob = party
    ask(alice, group)
    alice.tap("▶", group=group)
    bot.kie.stall()
    before = len(bot.telegram.calls("editMessageText"))
    bot.forward(180)
    assert len(bot.telegram.calls("editMessageText")) - before == 4 and "3:00" in group.last


# replies to a result


@LANGS
def test_a_reply_to_the_picture_edits_it(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    group = bot.telegram.group("Friends", alice)
    first, words = made(bot, alice, group), "warmer light" if lang == "en" else "теплее свет"
    alice.send(words, group=group, reply_to=first)
    alice.tap("▶", group=group)
    bot.forward(90)
    assert "v2 ← v1" in group.last and len(pictures(group)) == 2
    task, jobs = bot.kie.task()["inputs"], jobs_of(bot, alice)
    assert task["prompt"] == words and task["image_urls"] == jobs[0].result["urls"]
    assert_books_are_right()


@LANGS
def test_a_spoken_reply_edits_the_picture_with_one_tap(start_bot, lang):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    group = bot.telegram.group("Friends", alice)
    first = made(bot, alice, group)
    alice.voice(mp3(3), duration=3, group=group, reply_to=first)
    words = next(words for words in TRANSCRIPTS if words in group.last)
    alice.tap("▶", group=group)
    bot.forward(90)
    assert bot.kie.task()["inputs"]["prompt"] == words and "v2 ← v1" in group.last
    assert_books_are_right()


@SQLITE
def test_a_voice_that_is_no_reply_to_a_picture_is_talk(party):
    bot, group, alice, bob = party
    said = len(group.received)
    bob.voice(mp3(3), duration=3, group=group)
    bob.voice(mp3(300), duration=300, group=group, reply_to=made(bot, alice, group))
    assert len(group.received) == said + 1 and not asked(bot)


@SQLITE
def test_whoever_replies_pays_and_it_is_in_the_history_of_that_person_alone(party):
    bot, group, alice, bob = party
    first = made(bot, alice, group)
    before, jobs = bot.balance(alice), jobs_of(bot, alice)
    bob.send("at night", group=group, reply_to=first)
    alice.tap("▶", group=group)
    assert "Somebody else" in alice.toast
    bob.tap("▶", group=group)
    bot.forward(90)
    assert len(pictures(group)) == 2 and bot.balance(alice) == before and jobs_of(bot, alice) == jobs
    assert job_of(bot, bob).inputs["image_urls"] and bot.balance(bob) < 55500
    assert bot.bot.revisions.get(job_of(bot, bob).id) is None and "←" not in group.last
    assert_books_are_right()


@SQLITE
def test_a_reply_to_other_words_of_the_bot_or_without_words_is_talk(party):
    bot, group, alice, bob = party
    ask(alice, group)
    bob.send("nice", group=group, reply_to=group.last_message)
    assert len(group.received) == 1
    alice.tap("▶", group=group)
    bot.forward(90)
    bob.send_file("photo", png("x"), group=group, reply_to=group.last_message)
    assert len(group.received) == 1


@SQLITE
def test_a_result_of_the_private_chat_or_of_another_group_is_no_source(party):
    bot, group, alice, bob = party
    secret = picture(bot, alice)
    with db.connection():
        shown = ResultMessage.get(ResultMessage.message_id == secret["message_id"])
    other = bot.telegram.group("Others", bob)
    chat = {"id": other.id, "type": "supergroup", "title": "Others"}
    mine = {"id": 1, "is_bot": True, "first_name": "Demo bot"}
    sender = {"id": bob.id, "is_bot": False, "first_name": "Bob"}
    target = {"message_id": shown.message_id, "chat": chat, "date": 1, "from": mine, "text": "?"}
    forged = {"message_id": 9, "date": 1, "from": sender, "chat": chat, "text": "night", "reply_to_message": target}
    bot.telegram.update(message=forged)
    assert other.received == []


@SQLITE
def test_an_album_as_a_reply_is_one_ladder_with_all_its_photos(party):
    bot, group, alice, _bob = party
    first = made(bot, alice, group)
    alice.album([png(str(n)) for n in range(3)], caption="all together", group=group, reply_to=first)
    assert len(group.received) == 2 and "3 photos" in group.last
    alice.tap("▶", group=group)
    assert len(job_of(bot, alice).inputs["image_urls"]) == 4


@SQLITE
def test_a_photo_with_the_name_and_words_is_edited(party):
    bot, group, alice, _bob = party
    alice.photo(png("cat"), caption="@demo_bot make the cat ginger", group=group)
    assert group.last.startswith("“make the cat ginger”")
    alice.tap("▶", group=group)
    job = job_of(bot, alice)
    assert job.inputs["prompt"] == "make the cat ginger" and len(job.inputs["image_urls"]) == 1


@SQLITE
def test_a_photo_of_somebody_else_can_be_meant(party):
    bot, group, alice, bob = party
    shown = bob.photo(png("cat"), group=group)
    assert group.received == []
    ask(alice, group, "make the cat ginger", reply_to=shown)
    alice.tap("▶", group=group)
    assert len(job_of(bot, alice).inputs["image_urls"]) == 1 and len(jobs_of(bot, bob)) == 0


@SQLITE
def test_an_edited_mention_orders_nothing_and_says_nothing(party):
    bot, group, alice, _bob = party
    sent = alice.send("a fox", group=group)
    alice.edit(sent, "@demo_bot a fox", group=group)
    assert group.received == []


# one refusal


@SQLITE
@LANGS
def test_whoever_has_no_account_gets_one_line_with_the_link(start_bot, lang):
    bot = start_bot(WELCOME_RUNS="3")
    zoe = bot.user("Zoe", language_code=lang)
    group, before = bot.telegram.group("Friends", zoe), everybody()
    ask(zoe, group)
    assert ("private chat" if lang == "en" else "личный чат") in group.last and "\n" not in group.last
    assert f"https://t.me/{bot.bot.username}" in group.buttons.values()
    ask(zoe, group)
    zoe.send("/generate", group=group)
    zoe.send("@demo_bot", group=group)
    assert len(group.received) == 1 and everybody() == before
    bot.clock.forward(3601)
    zoe.send("@demo_bot", group=group)
    assert len(group.received) == 2
    zoe.send("/start")
    ask(zoe, group)
    zoe.tap("▶", group=group)
    bot.forward(90)
    assert len(pictures(group)) == 1


@SQLITE
def test_a_name_alone_is_told_how_it_works_once(party):
    _bot, group, alice, bob = party
    alice.send("@demo_bot", group=group)
    assert "after my name" in group.last and "@demo_bot a fox" in group.last
    bob.send("hey @demo_bot", group=group)
    assert len(group.received) == 2 and "“hey”" in group.last
    bob.send("@demo_bot", group=group)
    assert len(group.received) == 2


@SQLITE
def test_a_banned_person_is_not_answered(party):
    bot, group, alice, _bob = party
    ask(alice, group)
    bot.bot.users.change(user_of(bot, alice), banned=True)
    ask(alice, group)
    alice.tap("▶", group=group)
    assert len(group.received) == 1 and "blocked" in alice.toast and len(jobs_of(bot, alice)) == 1


@SQLITE
def test_talk_of_a_group_is_no_flood_and_a_flood_is_met_with_silence(start_bot):
    bot = start_bot(FLOOD_MESSAGES="3")
    alice = bot.rich()
    group = bot.telegram.group("Friends", alice)
    chat = {"id": group.id, "type": "supergroup", "title": "Friends"}
    sender = {"id": alice.id, "is_bot": False, "first_name": "Alice"}
    for number in range(10):  # the bot is an admin and sees everything
        bot.telegram.update(message={"message_id": 900 + number, "date": 1, "from": sender, "chat": chat, "text": "hi"})
    alice.send("/balance")
    assert "Balance" in alice.last
    bot.clock.forward(60)
    for _ in range(10):
        ask(alice, group)
    assert len(group.received) == 1 and "“a fox in the snow”" in group.last


@SQLITE
def test_the_channel_of_a_group_and_other_bots_are_not_answered(party):
    bot, group, _alice, _bob = party
    chat = {"id": group.id, "type": "supergroup", "title": "Friends"}
    name = [{"type": "mention", "offset": 0, "length": 9}]
    common = {"date": 1, "chat": chat, "text": "@demo_bot a fox", "entities": name}
    channel = {"id": -1001, "type": "channel", "title": "News"}
    telegram = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    other = {"id": 5, "is_bot": True, "first_name": "Other"}
    bot.telegram.update(
        message={"message_id": 901, "from": telegram, "sender_chat": channel, "is_automatic_forward": True, **common}
    )
    bot.telegram.update(message={"message_id": 902, "from": other, **common})
    bot.telegram.update(channel_post={"message_id": 903, **common, "chat": channel, "sender_chat": channel})
    assert group.received == []


@SQLITE
def test_who_writes_in_the_groups_name_is_told_why_not(party):
    _bot, group, alice, _bob = party
    ask(alice, group, as_group=True)
    assert "Please write as yourself" in group.last
    ask(alice, group, as_group=True)
    assert len(group.received) == 1


# the switch


@LANGS
@SQLITE
def test_an_admin_of_the_group_turns_the_bot_off_and_on(start_bot, lang):
    bot = start_bot()
    alice, bob, owner = bot.rich("Alice"), bot.rich("Bob"), bot.user("Owner", language_code=lang)
    group = bot.telegram.group("Friends", owner, alice, bob)
    ask(alice, group)
    bob.send("/bot off", group=group)
    assert "Only the group’s admins" in group.last
    owner.send("/bot off", group=group)  # without an account here
    assert "/bot on" in group.last and user_of(bot, owner) is None
    said = len(group.received)
    ask(bob, group)
    bob.send("@demo_bot", group=group)
    assert len(group.received) == said
    alice.tap("▶", group=group)
    assert "turned off" in alice.toast and jobs_of(bot, alice) == []
    bot.restart()
    ask(bob, group)
    assert len(group.received) == said
    owner.send("/bot@demo_bot on", group=group)
    ask(bob, group)
    assert "a fox" in group.last


@SQLITE
def test_an_anonymous_admin_is_an_admin(party):
    bot, group, alice, bob = party
    alice.send("/bot off", group=group, as_group=True)
    said = len(group.received)
    ask(bob, group)
    assert "/bot on" in group.last and len(group.received) == said == 1


@SQLITE
def test_one_who_is_no_admin_any_more_cannot_turn_it_off(party):
    _bot, group, alice, bob = party
    group.change(admins=[bob.id])
    alice.send("/bot off", group=group)
    assert "Only the group’s admins" in group.last
    ask(bob, group)
    assert "a fox" in group.last


@SQLITE
@LANGS
def test_in_private_it_is_explained(start_bot, lang):
    bot = start_bot()
    alice = bot.user(language_code=lang)
    alice.send("/bot")
    assert "@demo_bot" in alice.last and "/bot off" in alice.last
    assert f"https://t.me/{bot.bot.username}?startgroup=1" in alice.buttons.values()


# where results go


@SQLITE
def test_a_result_comes_to_the_private_chat_when_the_group_is_closed_to_the_bot(party):
    bot, group, alice, _bob = party
    ask(alice, group)
    alice.tap("▶", group=group)
    group.change(has_bot=False)
    bot.forward(90)
    assert "photo" in alice.last_message and "balance" in alice.last and pictures(group) == []
    assert not user_of(bot, alice).blocked_bot and job_of(bot, alice).delivery == "sent"
    assert_books_are_right()


@SQLITE
@pytest.mark.parametrize(
    "reason", ["not enough rights to send photos to the chat", "CHAT_SEND_PHOTOS_FORBIDDEN", "message thread not found"]
)
def test_a_result_that_the_group_does_not_accept_comes_to_the_private_chat(party, reason):
    bot, group, alice, _bob = party
    ask(alice, group)
    alice.tap("▶", group=group)
    group.change(refuses=reason)
    bot.forward(90)
    assert "photo" in alice.last_message and "balance" in alice.last and group.received == []


@SQLITE
def test_a_result_follows_a_group_that_has_become_a_supergroup(start_bot):
    bot = start_bot()
    alice = bot.rich()
    group = bot.telegram.group("Friends", alice, type="group")
    alice.send("/bot off", group=group)
    alice.send("/bot on", group=group)
    ask(alice, group)
    alice.tap("▶", group=group)
    new = group.upgrade()
    bot.forward(90)
    assert len(pictures(new)) == 1 and pictures(group) == [] and job_of(bot, alice).chat_id == new.id
    alice.send("at night", group=new, reply_to=pictures(new)[0])
    assert "“at night”" in new.last


@SQLITE
def test_a_result_follows_even_if_the_news_of_it_has_not_come(start_bot):
    bot = start_bot()
    alice = bot.rich()
    group = bot.telegram.group("Friends", alice, type="group")
    ask(alice, group)
    alice.tap("▶", group=group)
    bot.telegram.pump = lambda: None
    new = group.upgrade()
    assert job_of(bot, alice).chat_id == group.id
    bot.bot.generation.delivery.step(bot.clock.now())
    bot.telegram.pump = bot.pump
    bot.forward(90)
    assert len(pictures(new)) == 1


@SQLITE
def test_a_group_that_was_turned_off_stays_so_as_a_supergroup(start_bot):
    bot = start_bot()
    alice = bot.rich()
    group = bot.telegram.group("Friends", alice, type="group")
    alice.send("/bot off", group=group)
    new = group.upgrade()
    ask(alice, new)
    assert new.received == []


@SQLITE
def test_everything_stays_in_its_topic(party):
    bot, group, alice, _bob = party
    ask(alice, group, thread_id=7)
    alice.tap("▶", group=group)
    bot.forward(90)
    assert {message.get("message_thread_id") for message in group.messages} == {7} and len(pictures(group)) == 1


@SQLITE
def test_a_deleted_question_is_answered_all_the_same(party):
    bot, group, alice, _bob = party
    sent = ask(alice, group)
    alice.tap("▶", group=group)
    alice.delete(sent, group=group)
    bot.forward(90)
    assert len(pictures(group)) == 1 and "reply_to_message" not in pictures(group)[0]


def test_a_kill_between_the_tap_and_the_result_loses_nothing(start_bot):
    bot = start_bot()
    alice = bot.rich()
    group = bot.telegram.group("Friends", alice)
    ask(alice, group)
    bot.restart()
    bot.telegram.fail_next("editMessageText", "drop_before", times=8)  # it dies before it can show the order
    alice.tap("▶", group=group)
    bot.restart()
    bot.forward(90)
    bot.restart()
    bot.forward(60)
    assert len(pictures(group)) == 1 and job_of(bot, alice).delivery == "sent" and len(jobs_of(bot, alice)) == 1
    assert_books_are_right()


@SQLITE
def test_an_erased_person_is_forgotten_in_the_group_too(party):
    bot, group, alice, bob = party
    shown = made(bot, alice, group)
    ask(alice, group, "a secret")
    alice.tap("▶", group=group)
    assert bot.bot.privacy.erase(user_of(bot, alice).id, bot.clock.now())
    bot.forward(90)
    assert "a secret" not in str(group.received) and len(pictures(group)) == 1
    said = len(group.received)
    bob.send("at night", group=group, reply_to=shown)
    assert len(group.received) == said
    assert_books_are_right()


@SQLITE
def test_the_history_sends_a_result_of_a_group_to_the_private_chat(party):
    bot, group, alice, _bob = party
    made(bot, alice, group)
    said = len(group.messages)
    alice.forge(f"history:send:{job_of(bot, alice).id}")
    assert "photo" in alice.last_message and len(group.messages) == said

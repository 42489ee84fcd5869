"""Broadcasts: copied as sent, to the intended people, at the rate Telegram allows, to nobody twice."""

import threading

import pytest

from storage.base import db
from storage.people import broadcasts, users
from tests.house import Live
from tests.kit import BOSS
from tests.test_storage_down import ReadOnly


def prepare(bot, count=5, text="<b>News</b>"):
    """Return the admin with a draft of a broadcast, and the people."""
    people = [bot.user(f"Person {number}") for number in range(count)]
    for person in people:
        person.send("/start")
    boss = bot.admin()
    message = boss.send(text)
    boss.send("/broadcast", reply_to=message["message_id"])
    return boss, people


def test_a_broadcast_reaches_everybody_once_with_exact_counts(start_bot):
    bot = start_bot()
    boss, people = prepare(bot)
    people[1].block()
    boss.tap("👁 Show me")
    assert boss.last == "<b>News</b>"
    boss.tap("Send to")
    assert "Send to 5 people" in boss.received[-2]["text"]  # four people and the admin
    boss.tap("✓ Send to")
    bot.forward(30)
    assert [person.last == "<b>News</b>" for person in people] == [True, False, True, True, True]
    assert all(sum(m.get("text") == "<b>News</b>" for m in p.received) == 1 for p in people if p is not people[1])
    assert any("is done" in m.get("text", "") and "Sent 5 of 5" in m.get("text", "") for m in boss.received)


def test_what_is_written_after_the_command_is_the_message_with_its_formatting(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    bold = {"type": "bold", "offset": len("/broadcast 🦊 "), "length": 4}
    bold["offset"] += 1  # a fox is two UTF-16 units
    boss.send("/broadcast 🦊 News today\nand more", entities=[{"type": "bot_command", "offset": 0, "length": 10}, bold])
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert alice.last_message["text"] == "🦊 News today\nand more"
    assert [(one["offset"], one["length"]) for one in alice.last_message["entities"]] == [(3, 4)]


def test_somebody_who_blocks_the_bot_meanwhile_is_marked(start_bot):
    bot = start_bot()
    boss, people = prepare(bot)
    bot.telegram.fail_next("copyMessage", "403", chat_id=people[0].id)
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert any("Blocked us: 1" in m.get("text", "") for m in boss.received)
    assert users.by_telegram_id(people[0].id).blocked_bot


def test_a_crash_in_the_middle_resumes_and_sends_nothing_twice(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 8)
    boss.tap("Send to")
    bot.telegram.pump = lambda: None  # the bot is about to die: nothing more is handled
    number = broadcasts.newest()[0].id
    broadcasts.start(number, broadcasts.get(number).version, None, bot.clock.now(), users.by_telegram_id(boss.id).id)
    claimed = broadcasts.claim(number, 3)
    for _user, telegram_id in claimed[:2]:
        bot.bot.sender.call(
            "copyMessage", chat_id=telegram_id, from_chat_id=boss.id, message_id=boss.messages[0]["message_id"]
        )
    bot.restart()
    bot.forward(30)
    counts = broadcasts.progress(number)
    assert counts == {"doubt": 3, "sent": 6}  # three in doubt are not asked again: at most once
    copies = {}
    for call in bot.telegram.calls("copyMessage")[1:]:  # the first is the copy that the owner has confirmed
        chat = int(call["params"]["chat_id"])
        copies[chat] = copies.get(chat, 0) + 1
    assert max(copies.values()) == 1


def test_a_flood_limit_is_obeyed_and_nobody_is_lost(start_bot):
    bot = start_bot()
    boss, people = prepare(bot)
    bot.telegram.fail_next("copyMessage", "429", retry_after=7)
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(60)
    assert all(person.last == "<b>News</b>" for person in people)


def test_pause_resume_and_stop(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 2)
    boss.tap("those who have paid")
    assert "· 0 people" in boss.last
    boss.tap("Send to")
    assert boss.toast and "Nobody" in boss.toast
    boss.tap("those who never paid")
    number = broadcasts.newest()[0].id
    boss.tap("Send to")
    broadcasts.start(number, broadcasts.get(number).version, None, bot.clock.now(), users.by_telegram_id(boss.id).id)
    broadcasts.move(number, ["running"], "paused", bot.clock.now())
    bot.forward(10)
    assert all("News" not in person.last for person in people)
    boss.forge(f"broadcast:resume:{number}")
    bot.forward(10)
    assert all("News" in person.last for person in people)
    boss.forge(f"broadcast:stop:{number}")
    assert broadcasts.get(number).state == "done"


def test_ids_are_typed_and_checked(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 3)
    boss.tap("By ID")
    boss.send("all of them")
    assert "Only IDs" in boss.last
    boss.send(f"{people[2].id}, {people[0].id}")
    assert "2 IDs · 2 people" in boss.last
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(10)
    assert ["News" in person.last for person in people] == [True, False, True]


def test_without_a_message_it_says_how(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/broadcast")
    assert "reply to it" in boss.last


def test_a_stranger_sends_nothing(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 2)
    number = broadcasts.newest()[0].id
    people[0].forge(f"broadcast:start:{number}:1")
    people[0].send("/broadcast")
    bot.forward(10)
    assert "News" not in people[1].last and broadcasts.get(number).state == "draft"


def progress_of(boss):
    """Return what the newest progress screen says."""
    return [m["text"] for m in boss.messages if "Broadcast #" in m.get("text", "") and "Sent" in m["text"]][-1]


def kill_in_the_middle(bot, number, count):
    """Have `count` copies be on their way, one of them with Telegram already, when the bot dies."""
    claimed = broadcasts.claim(number, count)
    found = broadcasts.get(number)
    for _user, telegram_id in claimed[:1]:
        place = {"from_chat_id": found.chat_id, "message_id": found.message_id}
        bot.bot.sender.call("copyMessage", chat_id=telegram_id, **place)
    bot.restart()


def test_a_report_adds_up_after_kills_and_what_is_in_doubt_is_listed_and_sent_again_by_hand(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 9)
    boss.tap("Send to")
    bot.telegram.pump = lambda: None  # nothing is handled: the kills come first
    number = broadcasts.newest()[0].id
    broadcasts.start(number, 1, None, bot.clock.now(), bot.bot.users.by_telegram_id(boss.id).id)
    kill_in_the_middle(bot, number, 3)
    kill_in_the_middle(bot, number, 2)
    bot.forward(60)
    counts = broadcasts.progress(number)
    assert counts == {"doubt": 5, "sent": 5} and sum(counts.values()) == len(people) + 1
    boss.forge(f"broadcast:draft:{number}")
    assert "in doubt: 5" in boss.last and "Sent 5 of 10" in boss.last
    boss.tap("In doubt (5)")
    assert "it may or may not have arrived" in boss.last
    listed = [person for person in people if f"id {person.id}" in boss.last]
    assert len(listed) >= 4
    got = {person.id: sum(m.get("text") == "<b>News</b>" for m in person.received) for person in people}
    boss.tap("Send again (5)")
    bot.forward(60)
    assert broadcasts.progress(number) == {"sent": 10}
    for person in people:
        now = sum(m.get("text") == "<b>News</b>" for m in person.received)
        assert now == got[person.id] + (person in listed)


def test_an_answer_that_did_not_come_leaves_a_copy_in_doubt(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 2)
    bot.telegram.fail_next("copyMessage", "drop", chat_id=people[0].id)
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert broadcasts.progress(broadcasts.newest()[0].id) == {"doubt": 1, "sent": 2}


def test_a_polite_stop_leaves_nothing_in_doubt(servers, database_url):
    telegram, _kie = servers
    live = Live(*servers, database_url)
    try:
        people = [telegram.person(f"P{number}", language_code="en") for number in range(40)]
        boss = telegram.person("Boss", id=BOSS, language_code="en")
        for person in (*people, boss):
            person.send("/start")
        telegram.wait(lambda: all(person.received for person in (*people, boss)), 90, "the greetings")
        message = boss.send("<b>News</b>")
        boss.send("/broadcast", reply_to=message["message_id"])
        boss.wait_for("Broadcast", 30)
        number = broadcasts.newest()[0].id
        own = len(telegram.calls("copyMessage"))  # the one only the bot can edit
        boss.forge(f"broadcast:start:{number}:1")
        telegram.wait(lambda: len(telegram.calls("copyMessage")) > own, 60, "the first copies")
    finally:
        live.runtime.stop()
    counts = broadcasts.progress(number)
    sent = [call for call in telegram.calls("copyMessage")[own:] if call["ok"]]
    db.disconnect()
    assert counts.keys() <= {"sent", "pending"} and counts["sent"] == len(sent) and sum(counts.values()) == 41
    assert not [thread.name for thread in threading.enumerate() if thread.name == "broadcast"], "it was joined"


def test_link_buttons_go_out_with_the_message_and_others_do_not(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    message = boss.send("Look here")
    rows = [
        [{"text": "Shop", "url": "https://example.org/"}, {"text": "Tap", "callback_data": "x"}],
        [{"text": "No", "callback_data": "y"}],
    ]
    reply = {**message, "reply_markup": {"inline_keyboard": rows}}
    sender = {"id": boss.id, "is_bot": False, "first_name": "Boss", "language_code": "en"}
    chat = {"id": boss.id, "type": "private"}
    entity = {"type": "bot_command", "offset": 0, "length": 10}
    bot.telegram.update(
        message={"message_id": 990, "date": 1, "from": sender, "chat": chat, "text": "/broadcast", "entities": [entity],
                 "reply_to_message": reply}
    )  # fmt: skip
    boss.tap("👁 Show me")
    assert boss.buttons == {"Shop": "https://example.org/"}
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert alice.last == "Look here" and alice.buttons == {"Shop": "https://example.org/"}


def test_outcomes_no_row_could_say_are_said_later_and_nobody_gets_it_twice(start_bot):
    bot = start_bot()
    boss, people = prepare(bot, 3)
    number = broadcasts.newest()[0].id
    bot.telegram.pump = lambda: None
    broadcasts.start(number, 1, None, bot.clock.now(), bot.bot.users.by_telegram_id(boss.id).id)
    step = next(loop for loop in bot.runtime.loops if loop.name == "broadcast").step
    trouble, sleep = ReadOnly(bot.url), bot.clock.sleep

    def away(seconds):
        """Have the database go away while the first copy waits for its turn: all are claimed by then."""
        bot.clock.sleep = sleep
        trouble.__enter__()
        sleep(seconds)

    bot.clock.sleep = away
    with pytest.raises(db.StorageDown):
        step(bot.clock.now())
    for _ in range(3):
        with pytest.raises(db.StorageDown):
            step(bot.clock.now())
    trouble.end()
    assert len(bot.telegram.calls("copyMessage")) == 5  # one of them the bot's own
    while step(bot.clock.now()):
        pass
    assert broadcasts.progress(number) == {"sent": 4} and len(bot.telegram.calls("copyMessage")) == 5

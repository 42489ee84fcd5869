"""Broadcasts: copied as sent, to whom it was meant, at Telegram's pace, to nobody twice."""

from storage import broadcasts, users


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
    broadcasts.start(number, None, bot.clock.now())
    claimed = broadcasts.claim(number, 3)
    for _user, telegram_id in claimed[:2]:
        bot.bot.sender.call(
            "copyMessage", chat_id=telegram_id, from_chat_id=boss.id, message_id=boss.messages[0]["message_id"]
        )
    bot.restart()
    bot.forward(30)
    counts = broadcasts.progress(number)
    assert counts == {"sending": 3, "sent": 6}  # three in doubt are not asked again: at most once
    copies = {}
    for call in bot.telegram.calls("copyMessage"):
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
    boss.tap("paid")
    assert "· 0 people" in boss.last
    boss.tap("Send to")
    assert boss.toast and "Nobody" in boss.toast
    boss.tap("never paid")
    number = broadcasts.newest()[0].id
    boss.tap("Send to")
    broadcasts.start(number, None, bot.clock.now())
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
    boss.tap("By ids")
    boss.send("all of them")
    assert "Only ids" in boss.last
    boss.send(f"{people[2].id}, {people[0].id}")
    assert "2 ids · 2 people" in boss.last
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
    people[0].forge(f"broadcast:start:{number}")
    people[0].send("/broadcast")
    bot.forward(10)
    assert "News" not in people[1].last and broadcasts.get(number).state == "draft"

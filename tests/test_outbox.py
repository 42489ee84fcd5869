"""Messages that must arrive: a faulty one blocks no other, and nobody is told of something that did not happen."""

import pytest

from storage.journal import outbox
from tests.kit import png
from tests.shop import user_of
from tests.till import pay_stars, request, transfer

LONG = "My order has been waiting since yesterday and I would like to know why. " * 14  # some 1,000 characters
SPOILT = {
    "a text there is not": {"text": "receipts.mispelt"},
    "a value that is missing": {"text": "payments.credited", "values": {}},
    "a value of another type": {"text": "desk.nobody", "values": {"number": None}, "buttons": [[{"nonsense": 1}]]},
    "a kind of media nobody knows": {"text": "support.sent", "media": {"kind": "hologram", "file_id": "x"}},
    "media without a kind": {"text": "support.sent", "media": {}},
}


def put(bot, person, key, text="support.sent", **more):
    """Queue a message as plugins do."""
    outbox.put(key, user_of(bot, person).id, text, now=bot.clock.now(), **more)


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_message_that_cannot_be_sent_is_set_aside_with_an_alert_and_everybody_elses_go_on(start_bot, spoilt):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user("Alice"), bot.user("Bob")
    alice.send("/start"), bob.send("/start")
    put(bot, alice, "spoilt", **SPOILT[spoilt])
    put(bot, bob, "good")
    bot.pump()
    assert "Sent. The answer" in bob.last
    assert any("set aside" in m.get("text", "") and "/error" in m["text"] for m in boss.received)
    pay_stars(bob)
    assert "+300 ₽" in bob.last, "receipts go on"
    assert len(bot.failed("message")) == 1


def test_what_was_set_aside_is_tried_again_at_the_next_start(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    put(bot, alice, "spoilt", media={"kind": "hologram", "file_id": "x"}, ref="r:1")
    bot.pump()
    assert bot.bot.outbox.states("r:1") == {"aside"}
    bot.restart()
    assert bot.bot.outbox.states("r:1") == {"pending"}
    bot.pump()
    assert bot.bot.outbox.states("r:1") == {"aside"}
    assert len(bot.failed("message")) == 2


def test_a_message_telegram_refuses_is_set_aside_with_an_alert(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    bot.telegram.fail_next("sendMessage", "400", chat_id=alice.id)
    put(bot, alice, "refused", ref="r:1")
    bot.pump()
    assert bot.bot.outbox.states("r:1") == {"aside"} and any("set aside" in m.get("text", "") for m in boss.received)


def test_a_chat_that_telegram_holds_back_holds_up_nobody_else_and_counts_no_try(start_bot):
    bot = start_bot()
    alice, bob = bot.user("Alice"), bot.user("Bob")
    alice.send("/start"), bob.send("/start")
    bot.telegram.fail_next("sendMessage", "429", retry_after=30, chat_id=alice.id)
    put(bot, alice, "one", ref="r:1")
    put(bot, alice, "two", ref="r:2")
    put(bot, bob, "three")
    before = bot.clock.now()
    bot.pump()
    assert "Sent. The answer" in bob.last and (bot.clock.now() - before).total_seconds() < 5
    assert "Sent. The answer" not in alice.last
    bot.forward(35)
    assert [m.get("text", "").count("Sent. The answer") for m in alice.received[-2:]] == [1, 1]
    assert {row.tries for ref in ("r:1", "r:2") for row in bot.bot.outbox.sent_for(ref)} == {0}


def test_a_complaint_with_a_picture_and_a_long_name_arrives_whole(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("A" * 64, username="a" * 32)
    alice.send("/support")
    alice.photo(png(), caption=LONG[:1000])
    assert "Sent. The answer" in alice.last
    told = boss.received[-2:]
    assert "photo" in told[0] and LONG[:1000].strip() in told[1]["text"] and "A" * 64 in told[1]["text"]
    boss.tap("Reply")
    boss.send("We look into it")
    boss.tap("✓ Send")
    assert "We look into it" in alice.last


def test_a_letter_is_not_cut(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/support")
    words = " ".join(f"word{number}" for number in range(450))
    alice.send(words)
    assert "Sent. The answer" in alice.last
    heard = " ".join(m.get("text", "") for m in boss.received).replace("\n", " ")
    assert all(f"word{number}" in heard for number in range(450))


def test_a_picture_telegram_does_not_take_any_more_leaves_the_words(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    put(bot, boss, "again", "support.request", values={"name": "A", "username": "", "id": 1, "about": "", "words": "help"},
        media={"kind": "photo", "file_id": "gone"})  # fmt: skip
    bot.pump()
    assert "help" in boss.last


def test_nobody_is_told_that_a_letter_was_passed_on_before_it_was(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/support")
    bot.telegram.fail_next("sendMessage", "drop", times=4, chat_id=boss.id)
    alice.send("where is it?")
    assert "Sent. The answer" not in alice.last
    bot.forward(60)
    assert "Sent. The answer" in alice.last and "where is it?" in boss.last
    assert sum("Sent. The answer" in m.get("text", "") for m in alice.received) == 1


def test_a_letter_to_staff_that_has_blocked_the_bot_waits_and_its_writer_is_told_so(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/support")
    bot.telegram.fail_next("sendMessage", "403", chat_id=boss.id)
    alice.send("where is it?")
    assert "nobody can answer right now" in alice.last and "where is it?" not in boss.last
    alice.send("/support")
    alice.send("hello?")
    assert "nobody can answer right now" in alice.last
    boss.send("/start")
    heard = [m.get("text", "") for m in boss.received]
    assert any("where is it?" in text for text in heard) and any("hello?" in text for text in heard)
    assert sum("Sent. The answer" in m.get("text", "") for m in alice.received) == 2
    assert sum("where is it?" in text for text in heard) == 1


def test_a_copy_that_one_of_the_staff_does_not_get_is_an_alert_to_the_others(start_bot):
    bot = start_bot(ADMIN_IDS="5000000900,5000000899")
    boss, alice = bot.admin(), bot.user()
    oleg = bot.telegram.person("Oleg", id=5000000899, language_code="en")
    oleg.send("/start")
    bot.telegram.fail_next("sendPhoto", "403", chat_id=oleg.id)
    transfer(alice)
    assert any("did not arrive" in m.get("text", "") and "Oleg" in m["text"] for m in boss.received)
    assert request(boss) and "usually checked" in alice.last


def test_a_top_up_that_found_nobody_is_told_to_the_payer_and_to_the_staff_when_they_first_write(start_bot):
    bot = start_bot()
    alice = bot.user()
    transfer(alice)
    assert "Nobody can check payments right now" in alice.last
    bot.forward(60)
    assert sum("Nobody can check" in m.get("text", "") for m in alice.received) == 1
    boss = bot.admin()
    boss.tap("✓ Approve", request(boss))
    assert "+300 ₽" in alice.last
    bot.forward(60)
    assert sum("photo" in m for m in boss.received) == 1


def test_a_top_up_whose_only_reader_blocks_the_bot_comes_again_when_they_are_back(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    bot.telegram.fail_next("sendPhoto", "403", chat_id=boss.id)
    transfer(alice)
    assert "Nobody can check payments right now" in alice.last
    boss.send("/start")
    boss.tap("✓ Approve", request(boss))
    assert "+300 ₽" in alice.last


def test_what_the_group_does_not_take_goes_to_its_owner(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    group = bot.telegram.group("Staff", boss)
    boss.send("/here", group=group)
    bot.telegram.fail_next("sendPhoto", "400", chat_id=group.id)
    bot.telegram.fail_next("sendMessage", "400", chat_id=group.id, times=3)
    transfer(alice)
    assert "photo" in str(boss.received) and any("did not take a message" in m.get("text", "") for m in boss.received)


def test_who_is_forgotten_takes_their_letters_along(start_bot):
    bot = start_bot()
    alice = bot.user("Alice")
    alice.send("/support")
    alice.send("my secret")
    user = user_of(bot, alice)
    assert len(bot.bot.letters.unheard()) == 1
    assert bot.bot.privacy.erase(user.id, bot.clock.now())
    bot.pump()
    assert bot.bot.letters.unheard() == [] and bot.bot.letters.get(1) is None
    bot.admin()
    assert "my secret" not in str(bot.telegram.calls("sendMessage"))


def test_a_post_to_a_chat_that_is_gone_does_not_become_nobodys(start_bot):
    bot = start_bot()
    boss = bot.admin()
    group, now = bot.telegram.group("News", boss), bot.clock.now()
    bot.bot.post(group.id, "common.menu", unique="post:1", now=now)
    put(bot, boss, "to the group", chat_id=group.id)
    outbox.readdress(group.id, None)
    assert {row.key: row.chat_id for row in outbox.due(now)} == {"post:1": group.id, "to the group": None}
    bot.pump()
    assert "Menu" in group.messages[-1]["text"] and "Sent. The answer" in boss.last

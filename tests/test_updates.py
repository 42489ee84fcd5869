"""Updates: stored before they are confirmed, handled once, in order within a chat, never in the way of other chats."""

import threading
import time

import pytest

from core.telegram.chat_executor import ChatExecutor
from storage.base import db
from storage.journal import inbox
from tests.house import Live, plugins_with
from tests.kit import BOSS

BOOM = '''"""A plugin that fails in every way a plugin can."""


def register(bot):
    """Declare what fails."""
    bot.command("boom", boom)
    bot.command("die", die)
    bot.button("boom:tap", boom)


def boom(ctx):
    """Fail as bugs do."""
    raise RuntimeError("boom")


def die(ctx):
    """Take the process along."""
    raise SystemExit(1)
'''


@pytest.fixture
def live(servers, database_url):
    """Return a function that starts a bot on real threads."""
    running = []

    def begin(**more):
        running.append(Live(*servers, database_url, **more))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


def rename_inbox(old, new):
    """Take the inbox away from the bot, or bring it back: a database that refuses to write."""
    with db.connection() as connection:
        connection.execute_sql(f'ALTER TABLE "{old}" RENAME TO "{new}"')


def fetch_and_handle(bot):
    """Do what the threads do with new updates, without telling Telegram or the inbox that they are done."""
    bot.runtime.updates.fetch(wait_s=0)
    bot.runtime.updates.executor.run_waiting()


def hellos(person):
    """Return how many main menus a person got."""
    return sum("make pictures" in message.get("text", "") for message in person.received)


def test_an_update_is_confirmed_only_when_its_row_is_kept(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    rename_inbox("inbox", "inbox_away")
    with pytest.raises(Exception, match="inbox"):
        alice.send("/balance")
    with pytest.raises(Exception, match="inbox"):
        bot.pump()
    assert bot.telegram.pending == 1, "Telegram still has it"
    rename_inbox("inbox_away", "inbox")
    bot.pump()
    assert "0 ₽" in alice.last and bot.telegram.pending == 0


def test_an_update_handled_just_before_a_kill_moves_money_once(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice", "100")
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    before = bot.balance(alice)
    bot.telegram.pump = lambda: None
    alice.tap("orders:go")
    fetch_and_handle(bot)
    held = before - bot.balance(alice)
    assert held > 0
    bot.restart()  # the row of the tap was not yet deleted, and its offset not yet confirmed
    bot.pump()
    assert before - bot.balance(alice) == held
    assert len(bot.bot.jobs.of_user(1)) == 1 and inbox.oldest_wait() is None
    assert bot.telegram.pending == 0


def test_an_update_fetched_before_a_kill_is_handled_after_it(start_bot):
    bot = start_bot()
    alice = bot.user()
    bot.telegram.pump = lambda: None
    alice.send("/start")
    bot.runtime.updates.fetch(wait_s=0)  # the row is kept; nothing is handled
    assert hellos(alice) == 0
    bot.restart()
    bot.pump()
    assert hellos(alice) == 1, "once, although Telegram, which heard of no offset, has sent it again"


def test_a_poison_update_is_set_aside_after_three_tries(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, boom=BOOM))
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    alice.send("/boom")
    assert "Something went wrong" in alice.last and "Nothing was charged" in alice.last
    assert "⌂ Menu" in alice.buttons
    assert "⚠" in boss.last and "three times" in boss.last
    assert len([m for m in alice.received if "went wrong" in m.get("text", "")]) == 1
    alice.send("/balance")
    assert "0 ₽" in alice.last, "the next one is handled as if nothing had been"
    assert [str(error) for error in bot.failed("update")] == ["boom"]


def test_a_poison_tap_is_answered_too(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, boom=BOOM))
    alice = bot.user()
    alice.send("/start")
    alice.forge("boom:tap")
    assert alice.toast is not None, "the button does not spin for ever"
    assert "Something went wrong" in alice.last
    assert [str(error) for error in bot.failed("update")] == ["boom"]


def test_an_update_that_kills_the_process_is_found_and_set_aside(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, boom=BOOM))
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    with pytest.raises(SystemExit):
        alice.send("/die")
    deaths = 0
    while deaths < 6:
        try:
            bot.restart()
            break
        except SystemExit:
            deaths += 1
    assert 1 <= deaths <= 3
    bot.pump()
    assert "Something went wrong" in alice.last and "three times" in boss.last
    assert "was set aside" in str(bot.failed("update"))
    alice.send("/balance")
    assert "0 ₽" in alice.last


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("409", {}),
        ("401", {}),
        ("500", {}),
        ("502", {}),
        ("drop", {}),
        ("drop_before", {}),
        ("garbage", {}),
        ("429", {"retry_after": 9}),
    ],
)
def test_a_fetch_that_fails_waits_and_goes_on(start_bot, kind, more):
    bot = start_bot()
    alice = bot.user()
    before = bot.clock.now()
    bot.telegram.fail_next("getUpdates", kind, times=4, **more)
    alice.send("/start")
    bot.pump()
    assert hellos(alice) == 1
    assert (bot.clock.now() - before).total_seconds() >= (1 if kind != "429" else 9), "it does not hammer"


def test_conflicts_are_waited_out_ever_longer(start_bot, caplog):
    bot = start_bot()
    alice = bot.user()
    before = bot.clock.now()
    bot.telegram.fail_next("getUpdates", "409", times=6)
    alice.send("/start")
    bot.pump()
    assert hellos(alice) == 1 and (bot.clock.now() - before).total_seconds() > 30
    assert "another program" in caplog.text


def test_a_backlog_is_worked_off_at_start_and_never_dropped(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    bot.stop()
    for text in ("/balance", "/help", "/history"):
        alice.send(text)
    assert bot.telegram.pending == 3
    bot.start()
    bot.pump()
    told = [message["text"] for message in alice.received[-3:]]
    assert "0 ₽" in told[0] and "/balance" in told[1] and bot.telegram.pending == 0
    assert not [call for call in bot.telegram.calls("deleteWebhook") if call["params"].get("drop_pending_updates")]


def test_a_burst_is_handled_and_its_rows_go_however_many_they_are(start_bot):
    """More updates than Telegram sends in one answer are finished between two looks at them."""
    bot = start_bot(FLOOD_MESSAGES="1000")
    updates, people = bot.runtime.updates, [bot.user(f"Person {number}") for number in range(26)]
    bot.telegram.pump = lambda: None
    for person in people * 10:
        person.send("/id")
    while updates.fetch(wait_s=0):
        pass
    updates.executor.run_waiting()
    updates.forget_finished()
    assert inbox.ids() == [] and all(len(person.received) == 10 for person in people)


def test_updates_the_bot_does_not_know_are_let_go(start_bot):
    bot = start_bot()
    bot.admin()
    alice = bot.user()
    alice.send("/start")
    person = {"id": alice.id, "is_bot": False, "first_name": "Alice"}
    bot.telegram.update(poll={"id": "1", "question": "?", "options": []})
    bot.telegram.update(
        message_reaction={"chat": {"id": alice.id, "type": "private"}, "user": person, "date": 1, "message_id": 1}
    )
    bot.telegram.update(something_of_next_year={"from": person, "x": 1})
    bot.telegram.update(
        channel_post={"message_id": 1, "date": 1, "chat": {"id": -100, "type": "channel"}, "text": "/start"}
    )
    assert inbox.oldest_wait() is None and bot.telegram.pending == 0
    alice.send("/balance")
    assert "0 ₽" in alice.last


def test_the_order_within_a_chat_is_kept_on_real_threads(live, servers):
    telegram, _kie = servers
    live(threads=16)
    people = [telegram.person(f"P{number}", language_code="en") for number in range(6)]
    for number in range(8):
        for person in people:
            person.send(f"word {number}")

    def heard(person):
        """Return the numbers in the answers, as they were sent: of each chat only the newest ladder stays."""
        sent = [call["params"] for call in telegram.calls("sendMessage")]
        return [int(str(one["text"]).split("word ")[1][0]) for one in sent if str(one["chat_id"]) == str(person.id)]

    telegram.wait(lambda: all(len(heard(person)) == 8 for person in people), 60, "all answers")
    assert all(heard(person) == list(range(8)) for person in people)


def test_a_slow_chat_does_not_hold_up_another(live, servers):
    telegram, _kie = servers
    live(threads=4)
    slow, quick = telegram.person("Slow", language_code="en"), telegram.person("Quick", language_code="en")
    telegram.fail_next("sendMessage", "slow", delay_s=4, chat_id=slow.id)
    slow.send("/start")
    started = time.monotonic()
    quick.send("/start")
    quick.wait_for("Hi, Quick!")
    assert time.monotonic() - started < 3 and slow.received == []
    slow.wait_for("Hi, Slow!")


def test_a_checkout_is_answered_while_all_lanes_are_stuck(live, servers):
    telegram, _kie = servers
    live(threads=2, STARS_RATE="1.6")
    payer = telegram.person("Payer", language_code="en")
    payer.send("/start")
    payer.wait_for("Hi, Payer!")
    payer.forge("payments:pay:stars:16000")
    telegram.wait(lambda: any("invoice" in message for message in payer.received), about="the invoice")
    stuck = [telegram.person(f"Stuck {number}", language_code="en") for number in range(2)]
    for person in stuck:
        telegram.fail_next("sendMessage", "slow", delay_s=5, chat_id=person.id)
        person.send("/start")
    telegram.wait(lambda: telegram.pending == 0, about="the fetch")
    started = time.monotonic()
    assert payer.pay()["state"] == "paid"
    assert time.monotonic() - started < 4
    payer.wait_for("+160 ₽", 20)


def test_lanes_keep_order_and_let_others_pass():
    gate, seen, done = threading.Event(), [], threading.Semaphore(0)

    def handle(item):
        lane, number = item
        if lane == "slow":
            assert gate.wait(10)
        seen.append(item)
        done.release()

    lanes = ChatExecutor(handle, 4)
    for number in range(50):
        lanes.put("slow", ("slow", number))
        lanes.put("quick", ("quick", number))
        lanes.put("other", ("other", number))
    for _ in range(100):
        assert done.acquire(timeout=10), "the other lanes stand still"
    assert not [item for item in seen if item[0] == "slow"]
    gate.set()
    assert lanes.drain(10)
    for lane in ("slow", "quick", "other"):
        assert [number for name, number in seen if name == lane] == list(range(50))
    lanes.close()


def test_a_lane_outlives_an_item_that_fails():
    seen = []

    def handle(item):
        if item == "bad":
            raise RuntimeError("bad")
        seen.append(item)

    lanes = ChatExecutor(handle, 2)
    for item in ("one", "bad", "two"):
        lanes.put("lane", item)
    assert lanes.drain(10) and seen == ["one", "two"]
    lanes.close()


def test_the_admin_hears_nothing_of_a_day_without_trouble(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    before = len(boss.received)
    for text in ("/start", "/help", "hello", "/nonsense"):
        alice.send(text)
    assert len(boss.received) == before and boss.id == BOSS

"""Jobs: every transition, their place in the queue, restarts, callbacks, and orders whose start got lost."""

import re
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import requests

from core.process.web import Web
from kie.api.errors import Unknown
from kie.api.task_response import Record
from kie.poller import CREATES, WINDOW, Poller
from storage.base import db
from storage.journal import drafts
from storage.money import ledger
from storage.orders import jobs
from storage.people import users
from tests.kit import FrozenClock
from tests.shop import (
    assert_books_are_right,
    billed,
    captured,
    card,
    creates,
    entries_of,
    job_of,
    jobs_of,
    order,
    texts,
    user_of,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD, CAPTURED, RELEASED = ("hold", -72), ("capture", 0), ("release", 72)
MINUTE = 60


def hear(bot):
    """Let the bot handle updates and nothing else: no poller, no delivery, no outbox."""
    bot.runtime.updates.fetch(wait_s=0)
    bot.runtime.updates.executor.run_waiting()
    bot.runtime.updates.forget_finished()


def only_hear(bot):
    """Leave orders in the queue until the next `bot.pump()`."""
    bot.telegram.pump = lambda: hear(bot)


def queue_up(bot, person, *prompts):
    """Write a person with money and these orders into the database, as the chat would."""
    now, jobs_limit = bot.clock.now(), len(prompts)
    user = users.seen(users.Sender(person.id, "P"), now)
    ledger.post(user.id, 100_000, kind="admin", key=f"test:{user.id}", now=now)
    for prompt in prompts:
        values = {"prompt": prompt, "aspect_ratio": "1:1"}
        draft = drafts.put(user.id, "generate", now, model="z-image", data={"values": values}, price=72)
        jobs.order(user.id, draft.id, draft.version, now=now, usual_s=15, limit=jobs_limit, starts=jobs_limit)


# the arrows

STATES = ("queued", "submitting", "lost", "running", "succeeded", "failed", "cancelled")
RESULT = {"urls": ["https://files.test/1.png"], "text": None}


@pytest.fixture
def alice(ready_url):
    """A user with 10 ₽ on an open database of each kind."""
    db.connect(ready_url)
    user = users.seen(users.Sender(5_000_000_001, "Alice"), NOW)
    ledger.post(user.id, 1000, kind="admin", key="start", now=NOW)
    yield user
    db.disconnect()


def a_job(user, state):
    """Bring a job of 3 ₽ into a state, along the arrows."""
    draft = drafts.put(user.id, "generate", NOW, model="z-image", data={"values": {}}, price=300)
    job, _created = jobs.order(user.id, draft.id, draft.version, now=NOW, usual_s=15, limit=99, starts=99)
    ways = {
        "queued": [],
        "submitting": ["begin"],
        "lost": ["begin", "lose"],
        "running": ["begin", "start"],
        "succeeded": ["begin", "start", "succeed"],
        "failed": ["fail"],
        "cancelled": ["cancel"],
    }
    for arrow in ways[state]:
        assert ARROWS[arrow][0](job.id, user.id) is not None
    return jobs.get(job.id)


ARROWS = {
    "begin": (lambda job, _user: jobs.begin(job, NOW), {"queued": "submitting"}),
    "requeue": (lambda job, _user: jobs.requeue(job, NOW), {"submitting": "queued"}),
    "start": (lambda job, _user: jobs.start(job, "t", NOW, NOW), {"submitting": "running", "lost": "running"}),
    "lose": (lambda job, _user: jobs.lose(job, NOW), {"submitting": "lost"}),
    "succeed": (
        lambda job, _user: jobs.succeed(job, RESULT, charged=300, cost=1, now=NOW),
        {"running": "succeeded"},
    ),
    "fail": (
        lambda job, _user: jobs.fail(job, "server", now=NOW),
        dict.fromkeys(("queued", "submitting", "lost", "running"), "failed"),
    ),
    "cancel": (lambda job, user: jobs.cancel(job, user, NOW), {"queued": "cancelled"}),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_starts_only_where_it_is_drawn_and_settles_the_money_with_it(alice, arrow, state):
    """One conditional update: from anywhere else it changes nothing, in the row and in the ledger."""
    move, drawn = ARROWS[arrow]
    job = a_job(alice, state)
    before = ledger.balance(alice.id)
    moved = move(job.id, alice.id)
    after = jobs.get(job.id)
    if state in drawn:
        assert moved.state == after.state == drawn[state]
        settled = {"succeeded": 0, "failed": 300, "cancelled": 300}.get(after.state, 0)
        assert ledger.balance(alice.id) == before + settled
    else:
        assert moved is None
        assert (after.state, ledger.balance(alice.id)) == (state, before)
    assert_books_are_right()


def test_nobody_else_can_cancel_a_job(alice):
    bob = users.seen(users.Sender(2, "Bob"), NOW)
    job = a_job(alice, "queued")
    assert jobs.cancel(job.id, bob.id, NOW) is None
    assert jobs.get(job.id).state == "queued"
    assert jobs.get(job.id, bob.id) is None


def test_a_delivery_is_closed_once_and_opened_again_only_when_it_could_not_be_made(alice):
    job = a_job(alice, "succeeded")
    assert jobs.undeliverable(job.id) and not jobs.undeliverable(job.id)
    assert not jobs.delivered(job.id, [], NOW)
    assert jobs.redeliver(job.id, alice.id, NOW) and not jobs.redeliver(job.id, alice.id, NOW)
    assert jobs.delivered(job.id, [], NOW) and not jobs.delivered(job.id, [], NOW)
    assert not jobs.redeliver(job.id, alice.id, NOW)
    assert ledger.balance(alice.id) == 700


@pytest.mark.parametrize("state", STATES)
def test_a_late_result_is_taken_only_by_a_job_that_was_given_up_and_once(alice, state):
    job = a_job(alice, state)
    assert jobs.arrive_late(job.id, RESULT, cost=1, now=NOW) is None
    if state in ("lost", "running"):
        jobs.fail(job.id, "deadline" if state == "running" else "lost", now=NOW)
        assert jobs.arrive_late(job.id, RESULT, cost=1, now=NOW).delivery == "pending"
        assert jobs.arrive_late(job.id, RESULT, cost=1, now=NOW) is None
        assert ledger.balance(alice.id) == 1000


# the queue


def test_sixty_orders_of_thirty_people_go_out_at_kies_pace_everyone_first_before_anyones_second(start_bot):
    """20 creates in any 10 s (docs.kie.ai), none refused, and no time wasted."""
    bot = start_bot()
    people = [bot.user(f"P{number}") for number in range(30)]
    for person in people:
        queue_up(bot, person, "turn 1", "turn 2")
    bot.forward(22, step=2)
    at = creates(bot)
    assert len(at) == billed(bot) == 60
    for first, last in zip(at, at[CREATES:], strict=False):
        assert last - first >= WINDOW.total_seconds()
    assert at[-1] - at[0] <= 21
    said = [request["body"]["input"]["prompt"] for request in bot.kie.requests("createTask")]
    assert [re.search(r"turn (\d)", prompt)[1] for prompt in said] == ["1"] * 30 + ["2"] * 30
    bot.forward(40, step=20)
    assert captured() == 60
    assert all("photo" in person.last_message for person in people)
    assert_books_are_right()


def test_one_busy_person_does_not_keep_the_others_waiting(start_bot):
    bot = start_bot()
    busy, quick = bot.user("Busy"), bot.rich("Quick")
    queue_up(bot, busy, *(f"busy number {number}" for number in range(45)))
    only_hear(bot)
    order(bot, quick, prompt="quick one")
    assert "Place in the queue: 2" in quick.last
    bot.telegram.pump = bot.pump
    bot.forward(10, step=10)
    queue_up(bot, bot.user("Late"), "late one")
    bot.forward(10, step=10)
    said = [request["body"]["input"]["prompt"] for request in bot.kie.requests("createTask")]
    assert said[:3] == ["busy number 0", "quick one", "busy number 1"]
    assert said[20] == "late one"


def test_the_place_in_the_queue_is_shown_and_gets_smaller(start_bot):
    bot = start_bot()
    bot.kie.settings(create_limit=1)
    alice, bob = bot.rich(), bot.rich("Bob")
    bot.kie.trouble("create", "429", times=0)
    order(bot, alice)
    order(bot, bob)
    bot.forward(15)
    assert "Place in the queue: 1" in alice.last and "Place in the queue: 2" in bob.last
    alice.tap("Cancel")
    bot.forward(15)
    assert "Place in the queue: 1" in bob.last


def test_an_order_that_meets_a_busy_kie_keeps_its_money_on_hold_and_is_made_later(start_bot):
    """429 is rejected, not queued; ours waits."""
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "429", times=3)
    order(bot, alice)
    assert job_of(bot, alice).state == "queued"
    assert entries_of(bot, alice)[1:] == [HELD]
    bot.forward(120)
    assert "photo" in alice.last_message
    assert (len(creates(bot)), billed(bot), captured()) == (4, 1, 1)


def test_a_person_has_so_many_orders_at_once_and_not_one_more(start_bot):
    """Counted as rows, so a restart changes nothing."""
    bot = start_bot(USER_JOBS="3")
    bot.kie.settings(hold=True)
    alice = bot.rich()
    for number in range(3):
        order(bot, alice, prompt=f"number {number}")
    card(alice, prompt="one too many")
    alice.tap("▶ Create")
    assert "3 orders are being made" in (alice.toast or alice.last)
    assert len(jobs_of(bot, alice)) == 3
    bot.restart()
    alice.tap("▶ Create")
    assert len(jobs_of(bot, alice)) == 3
    bot.kie.finish()
    bot.forward(60)
    card(alice, prompt="one too many")
    alice.tap("▶ Create")
    assert len(jobs_of(bot, alice)) == 4
    assert_books_are_right()


def test_a_person_starts_so_many_orders_a_minute_and_not_one_more(start_bot):
    bot = start_bot(USER_JOBS="50", USER_STARTS="4")
    alice = bot.rich()
    for number in range(5):
        order(bot, alice, prompt=f"number {number}")
    assert len(jobs_of(bot, alice)) == 4
    assert bot.balance(alice) >= 100_000 - 4 * 72
    bot.forward(61)
    order(bot, alice, prompt="a minute later")
    assert len(jobs_of(bot, alice)) == 5


# cancelling


def test_a_queued_order_is_cancelled_and_the_money_is_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "429", times=0)
    order(bot, alice)
    alice.tap("Cancel")
    assert "The order is cancelled. 0.72 ₽ returned, balance 1,000 ₽." in alice.last
    bot.kie.calm()
    bot.forward(60)
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED]
    assert len(creates(bot)) == 1 and billed(bot) == 0
    assert job_of(bot, alice).state == "cancelled"
    assert_books_are_right()


def test_a_running_order_can_not_be_stopped_and_that_is_said(start_bot):
    bot = start_bot()
    bot.kie.settings(hold=True)
    alice = bot.rich()
    job = order(bot, alice)
    alice.forge(f"orders:cancel:{job.id}")
    assert "can’t be stopped" in alice.toast
    assert entries_of(bot, alice)[1:] == [HELD]
    bot.kie.finish()
    bot.forward(60)
    alice.forge(f"orders:cancel:{job.id}")
    assert "already finished" in alice.toast
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


def test_cancelling_twenty_times_releases_once(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "429", times=0)
    job = order(bot, alice)
    for _ in range(20):
        alice.forge(f"orders:cancel:{job.id}")
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED]


def test_the_cancel_command_tells_queued_from_running(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.settings(hold=True)
    order(bot, alice, prompt="running")
    bot.kie.trouble("create", "429", times=0)
    order(bot, alice, prompt="waiting")
    alice.send("/cancel")
    assert "1 order cancelled, 0.72 ₽ returned." in alice.last
    assert "1 order is being made and can’t be stopped." in alice.last
    assert sorted(job.state for job in jobs_of(bot, alice)) == ["cancelled", "running"]


def test_somebody_elses_order_can_not_be_cancelled_or_looked_at(start_bot):
    bot = start_bot()
    alice, eve = bot.rich(), bot.rich("Eve")
    bot.kie.trouble("create", "429", times=0)
    job = order(bot, alice)
    for action in ("orders:cancel", "orders:again", "orders:change", "history:job", "history:send", "history:original"):
        eve.forge(f"{action}:{job.id}")
        assert "out of date" in (eve.toast or eve.last), action
    assert job_of(bot, alice).state == "queued"
    assert "a fox" not in texts(eve)


# restarts


def test_a_queued_order_survives_a_restart(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "429", times=0)
    order(bot, alice)
    bot.restart()
    bot.kie.calm()
    bot.forward(60)
    assert "photo" in alice.last_message
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert billed(bot) == captured() == 1


def test_a_running_order_is_picked_up_after_a_restart_also_when_it_ended_meanwhile(start_bot):
    bot = start_bot()
    bot.kie.settings(hold=True)
    alice, bob = bot.rich(), bot.rich("Bob")
    order(bot, alice)
    first = bot.kie.task()["task_id"]
    order(bot, bob)
    bot.restart()
    bot.stop()
    bot.kie.finish(first)
    bot.clock.forward(600)
    bot.start()
    bot.forward(10)
    assert "photo" in alice.last_message
    assert job_of(bot, bob).state == "running"
    bot.kie.finish()
    bot.forward(60)
    assert "photo" in bob.last_message
    assert len(creates(bot)) == billed(bot) == captured() == 2
    assert_books_are_right()


def test_a_kill_between_writing_submitting_and_the_answer_never_creates_twice(start_bot):
    """Nobody knows whether KIE has it: held, then released, and the person and the admins are told."""
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    only_hear(bot)
    job = order(bot, alice)
    assert jobs.begin(job.id, bot.clock.now()).state == "submitting"
    bot.restart()
    bot.forward(10 * MINUTE, step=30)
    assert job_of(bot, alice).state == "lost" and bot.balance(alice) == 100_000 - 72
    assert "didn’t say whether it accepted" in boss.last
    bot.restart()
    bot.forward(25 * MINUTE, step=60)
    assert "it got lost on the way" in alice.last and bot.balance(alice) == 100_000
    assert creates(bot) == []
    assert texts(boss).count("didn’t say whether") == 1
    assert_books_are_right()


def test_an_order_nobody_waits_for_any_more_is_not_forgotten_without_a_restart(start_bot):
    """The row stayed `submitting` because the answer could not be written down; its money must not stay for ever."""
    bot = start_bot()
    alice = bot.rich()
    only_hear(bot)
    job = order(bot, alice)
    jobs.begin(job.id, bot.clock.now())
    bot.telegram.pump = bot.pump
    bot.forward(4 * MINUTE, step=30)
    assert job_of(bot, alice).state == "submitting"
    bot.forward(2 * MINUTE, step=30)
    assert job_of(bot, alice).state == "lost"
    bot.forward(31 * MINUTE, step=60)
    assert bot.balance(alice) == 100_000


def test_the_patience_with_a_lost_order_is_not_renewed_by_restarts(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "drop")
    order(bot, alice)
    for _ in range(3):
        bot.forward(9 * MINUTE, step=60)
        bot.restart()
    assert job_of(bot, alice).state == "lost"
    bot.forward(4 * MINUTE, step=30)
    assert job_of(bot, alice).state == "failed"
    assert len(creates(bot)) == 1


def test_a_result_that_could_not_be_sent_before_the_restart_is_sent_after_it_without_a_second_charge(start_bot):
    """Sending fails → no second charge, re-delivery possible."""
    bot = start_bot()
    alice = bot.rich()
    bot.telegram.fail_next("sendPhoto", "502", times=100)
    order(bot, alice)
    bot.forward(60)
    assert job_of(bot, alice).delivery == "pending"
    bot.restart()
    bot.telegram.no_trouble()
    bot.forward(200)
    assert "photo" in alice.last_message
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert billed(bot) == 1


def test_an_open_card_survives_a_restart_and_can_be_confirmed(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice, prompt="a fox before the restart")
    bot.restart()
    alice.tap("▶ Create")
    bot.forward(60)
    assert "photo" in alice.last_message
    assert bot.kie.task()["inputs"]["prompt"] == "a fox before the restart"


def test_a_second_confirm_after_a_restart_finds_the_job_there(start_bot):
    bot = start_bot()
    bot.kie.settings(hold=True)
    alice = bot.rich()
    card(alice)
    data, message = alice.buttons["▶ Create · 0.72 ₽"], alice.last_message
    alice.forge(data, message)
    bot.restart()
    alice.forge(data, message)
    assert "already being made" in alice.toast
    assert len(jobs_of(bot, alice)) == len(creates(bot)) == 1


def test_news_that_could_not_be_sent_before_a_restart_comes_once_after_it(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next("400-moderation")
    order(bot, alice)
    bot.telegram.fail_next("sendMessage", "429", times=1000, retry_after=1)
    bot.forward(30)
    assert "blocked by the safety rules" not in texts(alice)
    bot.restart()
    bot.telegram.no_trouble()
    bot.forward(30 * MINUTE, step=60)
    assert texts(alice).count("blocked by the safety rules") == 1


# what KIE tells by itself


@pytest.fixture
def public_bot(start_bot, servers):
    """A bot that KIE can call back."""
    web = Web("127.0.0.1", 0, FrozenClock(*servers), "test")
    bot = start_bot(PUBLIC_URL=f"http://127.0.0.1:{web.port}", PORT=str(web.port))
    web.runtime, bot.web = bot.runtime, web
    yield bot
    web.close()


def called_back(bot, count=1):
    """Wait until the newest task's callback has been answered so many times."""
    bot.telegram.wait(lambda: len(bot.kie.task()["callbacks"]) >= count, about="a callback")
    bot.pump()


def test_a_callback_brings_the_result_at_once(public_bot):
    """Without it the first look would come minutes later."""
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    card(alice, "a slow song", "suno-sounds")
    alice.tap("▶ Create")
    bot.kie.finish()
    called_back(bot)
    assert "audio" in alice.last_message
    assert bot.kie.task()["callbacks"][0]["status"] == 200


@pytest.mark.parametrize("kind", ["twice", "late", "early", "never", "bad-signature", "stale", "unknown-task"])
def test_whatever_a_callback_says_the_result_comes_once_and_is_charged_once(public_bot, kind):
    """Success delivered twice → one charge. What the poll reads counts."""
    bot = public_bot
    bot.kie.settings(callback_key="secret")
    alice = bot.rich()
    bot.kie.trouble("callback", kind)
    order(bot, alice)
    bot.forward(90)
    if kind == "twice":
        called_back(bot, 2)
    bot.forward(90)
    assert sum("photo" in message for message in alice.received) == 1
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert len(creates(bot)) == billed(bot) == captured() == 1


@pytest.mark.parametrize("kind", ["drop", "502-created"])
def test_a_lost_order_is_found_again_by_its_callback(public_bot, kind):
    """Each create has an address of its own, so a callback names the task whose id never came."""
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    bot.kie.trouble("create", kind)
    order(bot, alice)
    assert job_of(bot, alice).state == "lost"
    bot.kie.finish()
    called_back(bot)
    bot.forward(30)
    assert "photo" in alice.last_message and "balance 999.28 ₽" in alice.last
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert len(creates(bot)) == billed(bot) == captured() == 1
    assert_books_are_right()


def test_a_lost_order_whose_task_failed_is_settled_by_its_callback(public_bot):
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    bot.kie.trouble("create", "drop")
    order(bot, alice)
    bot.kie.fail(code="400", msg="violates the content policies")
    called_back(bot)
    bot.forward(30)
    assert "blocked by the safety rules" in alice.last and bot.balance(alice) == 100_000
    assert billed(bot) == captured() == 0


def test_a_result_that_comes_after_a_lost_order_was_given_up_is_free_and_comes_once(public_bot):
    """The job stays failed, the money stays returned, and KIE's price is the operator's."""
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    bot.kie.trouble("create", "drop")
    order(bot, alice)
    bot.forward(31 * MINUTE, step=60)
    assert "it got lost on the way" in alice.last
    bot.kie.trouble("callback", "twice")
    bot.kie.finish()
    called_back(bot, 2)
    bot.forward(90)
    assert "photo" in alice.last_message and "came late, so it is free" in alice.last
    bot.restart()
    bot.forward(2 * 60 * MINUTE, step=300)
    assert sum("photo" in message for message in alice.received) == 1
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED]
    assert (billed(bot), captured()) == (1, 0)
    assert_books_are_right()


def test_a_strangers_call_changes_nothing_and_learns_nothing(public_bot):
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    job = order(bot, alice)
    body = {"code": 200, "data": {"taskId": job_of(bot, alice).task_id, "state": "success"}}
    for path in ("nothing", str(job.id), job_of(bot, alice).task_id):
        answer = requests.post(f"http://127.0.0.1:{bot.web.port}/kie/{path}", json=body, timeout=10)
        assert (answer.status_code, answer.json()) == (200, {"code": 200, "msg": "success"})
    bot.pump()
    assert job_of(bot, alice).state == "running"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"data": 5}', b"\xff", b'{"data": {"taskId": 7}}'])
def test_a_callback_with_a_strange_body_changes_nothing(public_bot, body):
    """What is JSON is answered like any other, what is none with 400."""
    bot = public_bot
    bot.kie.settings(hold=True)
    alice = bot.rich()
    bot.kie.trouble("create", "drop")
    order(bot, alice)
    answer = requests.post(f"http://127.0.0.1:{bot.web.port}/kie/{job_of(bot, alice).secret}", data=body, timeout=10)
    assert answer.status_code == (400 if body in (b"", b"\xff") else 200)
    bot.pump()
    assert job_of(bot, alice).state == "lost"


# the poller by itself: it knows KIE and the clock, and tells JobEvents what it learns


class Board:
    """JobEvents with jobs of its own; uploads take `upload_s`."""

    def __init__(self, count=0, upload_s=0):
        self.time, self.upload_s = NOW, upload_s
        self.waiting = [SimpleNamespace(id=number, user_id=number, model="m", usual_s=20) for number in range(count)]
        self.sent, self.learnt, self.trouble = [], [], []

    def now(self):
        """Return the time."""
        return self.time

    def queued(self, _now, limit):
        """Return what waits."""
        return self.waiting[:limit]

    def prepare(self, job, _now):
        """Upload for a while."""
        self.time += timedelta(seconds=self.upload_s)
        self.waiting.remove(job)
        return {}

    def begin(self, _job, _now):
        """Let it begin."""
        return True

    def callback_url(self, _job):
        """Have none."""

    def started(self, job, _task_id, _now):
        """Note when, and have the task watched."""
        self.sent.append(self.time)
        return True

    def poll_failed(self, watch, error, _now):
        """Note it."""
        self.trouble.append(error)

    def on_record(self, watch, record, now):
        """Fail as often as ordered, then be done with it."""
        if self.trouble:
            raise self.trouble.pop()
        self.learnt.append((watch.task_id, now))
        return record.state != "running"


class Kie:
    """A client whose tasks are in the state they are told to be in."""

    def __init__(self, *states):
        self.states, self.looks = list(states), 0

    def create(self, _model, _inputs, _callback_url):
        """Make a task."""
        return f"t{id(object())}{self.looks}"

    def record(self, _task_id):
        """Say the next state, the last one for ever."""
        self.looks += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return Record(state, state, urls=("u",) if state == "succeeded" else ())


def steps(poller, board, seconds):
    """Let time pass second by second."""
    for _ in range(seconds):
        board.time += timedelta(seconds=1)
        poller.step(board.time)


def test_creates_are_counted_when_they_arrive_however_long_the_uploads_before_them_took():
    board = Board(count=45, upload_s=2)
    poller = Poller(Kie("running"), board, workers=0)
    while board.waiting:
        poller.step(board.time)
        board.time += timedelta(seconds=0.25)
    for first, last in zip(board.sent, board.sent[CREATES:], strict=False):
        assert last - first >= WINDOW


def test_a_task_is_looked_at_again_when_what_was_learnt_could_not_be_written_down():
    """A database that was away for a moment must not cost a person the result."""
    board = Board()
    poller = Poller(Kie("succeeded"), board, workers=0)
    poller.watch(1, "t1", 20, NOW, first_s=1)
    board.trouble = [RuntimeError("the database is away")] * 3
    for _ in range(3):
        with pytest.raises(RuntimeError):
            steps(poller, board, 5)
    steps(poller, board, 5)
    assert [task for task, _at in board.learnt] == ["t1"]
    assert poller.watched() == 0


def test_most_polls_come_around_the_usual_time_and_later_ones_ever_more_rarely():
    board = Board()
    poller = Poller(Kie("running"), board, workers=0)
    poller.watch(1, "t1", 300, NOW)
    steps(poller, board, 1200)
    at = [(when - NOW).total_seconds() for _task, when in board.learnt]
    assert 70 <= at[0] <= 80 and 264 <= at[1] <= 272, "one for quick failures, the next one when it may be ready"
    pauses = [later - sooner for sooner, later in zip(at[1:], at[2:], strict=False)]
    assert all(3 <= pause <= 5 for pause, when in zip(pauses, at[1:], strict=False) if when < 375)
    assert 13 <= pauses[-1] <= 18
    assert len([when for when in at if when <= 300]) <= 12


def test_a_callback_that_comes_during_a_look_is_not_put_off_by_its_end():
    board, kie = Board(), Kie("running")
    poller = Poller(kie, board, workers=0)
    poller.watch(1, "t1", 3600, NOW, first_s=1)
    read, callbacks = kie.record, iter(["the only one"])

    def record(task_id):
        if next(callbacks, None):
            poller.wake(task_id, board.time)
        return read(task_id)

    kie.record = record
    steps(poller, board, 1)
    assert len(board.learnt) == 2, "the second look comes at once, and not in a quarter of an hour"


def test_after_a_restart_the_time_that_has_passed_counts():
    board = Board()
    poller = Poller(Kie("running"), board, workers=0)
    poller.watch(1, "t1", 300, NOW, since=NOW - timedelta(seconds=290), first_s=1)
    steps(poller, board, 12)
    assert len(board.learnt) >= 3


def test_a_task_that_was_woken_too_early_is_not_looked_at_twice_as_often():
    board = Board()
    poller = Poller(Kie("running"), board, workers=0)
    poller.watch(1, "t1", 100, NOW)
    for _ in range(5):
        poller.wake("t1", board.time)
        poller.step(board.time)
    steps(poller, board, 100)
    assert len(board.learnt) <= 5 + 6


def test_failing_polls_are_spread_out_up_to_a_minute():
    board = Board()
    board.poll_failed = lambda _watch, _error, now: board.learnt.append(("failed", now))
    poller = Poller(Kie(Unknown("no answer")), board, workers=0)
    poller.watch(1, "t1", 20, NOW, first_s=1)
    steps(poller, board, 600)
    at = [when for _task, when in board.learnt]
    pauses = [(later - sooner).total_seconds() for sooner, later in zip(at, at[1:], strict=False)]
    assert pauses == sorted(pauses) and pauses[-1] == 60


def test_a_woken_task_is_looked_at_at_once_and_an_unknown_one_is_none_of_ours():
    board = Board()
    poller = Poller(Kie("succeeded"), board, workers=0)
    poller.watch(1, "t1", 3600, NOW)
    assert poller.wake("t1", NOW) and not poller.wake("t2", NOW) and not poller.wake(None, NOW)
    poller.step(NOW)
    assert board.learnt == [("t1", NOW)]


def test_a_thousand_running_jobs_need_no_more_threads_than_the_pool_has():
    """No thread and no sleep a job."""
    board = Board()
    before = threading.active_count()
    poller = Poller(Kie("running"), board, workers=4)
    for number in range(1000):
        poller.watch(number, f"t{number}", 20, NOW, first_s=1)
    poller.step(NOW + timedelta(seconds=2))
    assert threading.active_count() <= before + 4
    poller.close(10)
    assert len(board.learnt) == 1000


def test_one_persons_slow_uploads_leave_room_for_everybody_else():
    """A quarter of the poller's threads is all that one person's orders take."""
    held, arrived, of_others = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    class Slow(Board):
        def prepare(self, job, _now):
            """Upload for as long as the test wants, if it is the one person's."""
            if job.user_id == 1:
                arrived.release()
                held.wait()
            else:
                of_others.release()

    board = Slow(count=12)
    for job in board.waiting[:10]:
        job.user_id = 1
    poller = Poller(Kie("running"), board, workers=16)
    try:
        poller.step(NOW)
        for _other in range(2):
            of_others.acquire()
        for _one in range(4):
            arrived.acquire()
        board.waiting = board.waiting[:10]
        poller.step(NOW)
        assert not arrived.acquire(blocking=False), "a fifth order of the same person began"
    finally:
        held.set()
        poller.close(10)


def test_the_usual_time_is_learnt_from_what_orders_take(alice):
    for number, seconds in enumerate((50, 40, 900, 40, 41)):
        assert jobs.usual_seconds() == {}, "a few orders say nothing"
        job = a_job(alice, "queued")
        jobs.begin(job.id, NOW)
        jobs.start(job.id, f"t{number}", NOW, NOW)
        jobs.succeed(job.id, RESULT, charged=1, cost=1, now=NOW + timedelta(seconds=seconds))
    assert jobs.usual_seconds() == {"z-image": 41}


def test_an_order_is_told_the_usual_time_as_it_was_learnt(start_bot):
    bot = start_bot()
    bot.kie.settings(seconds=(100, 100))
    alice = bot.rich()
    for _ in range(5):
        order(bot, alice)
        bot.forward(130)
    bot.forward(400)
    order(bot, alice)
    usual = [job.usual_s for job in jobs_of(bot, alice)]
    assert usual[0] != usual[-1] and 100 <= usual[-1] <= 125


# metered models


def test_a_metered_order_is_charged_what_kie_took_and_the_rest_comes_back(start_bot):
    """The quote is an upper bound, shown as such."""
    bot = start_bot()
    alice = bot.rich()
    card(alice, "a short sentence", "tts-turbo")
    assert "▶ Create · up to 5.40 ₽" in alice.buttons
    alice.tap("▶ Create")
    assert bot.balance(alice) == 100_000 - 540
    bot.forward(90)
    job = job_of(bot, alice)
    assert 0 < job.charged < 540
    assert bot.balance(alice) == 100_000 - job.charged
    assert entries_of(bot, alice)[1:] == [("hold", -540), ("capture", 540 - job.charged)]
    assert job.cost == round(bot.kie.bill()["billed_credits"] * 1_000_000)
    assert_books_are_right()


def test_what_kie_took_is_kept_with_every_job(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    assert job_of(bot, alice).cost == round(bot.kie.bill()["billed_credits"] * 1_000_000) == 800_000
    bot.kie.fail_next("500-internal")
    order(bot, alice)
    bot.forward(60)
    assert (job_of(bot, alice).state, job_of(bot, alice).cost) == ("failed", 0)
    assert user_of(bot, alice).id == job_of(bot, alice).user_id

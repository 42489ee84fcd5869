"""Several copies at work on one PostgreSQL: what they claim, and three real ones behind a load balancer.

The last test is a short form of `bench/workers.py`.
"""

import itertools
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from bench import workers
from core.process.clustered_intake import Shared
from core.process.loops import Clock
from core.status import Status
from core.telegram.intake import EXPRESS, lane_of
from storage.base import db, schema
from storage.base.db import StorageDown
from storage.base.tables import Inbox, Job
from storage.journal import drafts, inbox, runtime_settings
from storage.money import ledger
from storage.orders import claims, jobs
from storage.people import users
from tests.kit import Running

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(seconds=15)
ALICE, BORIS = 100, 200  # lanes


@pytest.fixture
def rows(postgres, postgres_template):
    """An open, empty PostgreSQL database."""
    db.connect(postgres(postgres_template))
    runtime_settings.forget()
    yield
    db.disconnect()


def arrive(*updates, now=NOW):
    """Put (update id, lane) pairs into the inbox."""
    inbox.store([(number, lane, json.dumps({"update_id": number})) for number, lane in updates], now)


def claim(lane, who, after_s=0):
    """Claim as a copy some seconds after NOW; return (update id, attempts) or None."""
    now = NOW + timedelta(seconds=after_s)
    found = claims.claim(lane, who, now, now + LEASE)
    return found and (found.update_id, found.attempts)


def waiting(after_s=0):
    """Return the lanes that want somebody."""
    return claims.waiting(NOW + timedelta(seconds=after_s))


# updates


def test_a_chat_is_claimed_by_its_oldest_update_and_one_at_a_time(rows):
    arrive((5, ALICE), (6, ALICE), (7, BORIS))
    assert claim(ALICE, "one") == (5, 0)
    assert claim(ALICE, "two") is None and claim(ALICE, "one") is None, "6 waits for 5, whoever asks"
    assert claim(BORIS, "two") == (7, 0)
    assert claims.done(5, "one")
    assert claim(ALICE, "two") == (6, 0)
    assert claims.done(6, "two") and claim(ALICE, "one") is None


def test_whoever_wrote_in_private_is_seen_when_it_is_done(rows):
    for person in (ALICE, BORIS):
        users.seen(users.Sender(person, "Somebody"), NOW - timedelta(minutes=30))
    arrive((5, ALICE))
    assert claim(ALICE, "one") == (5, 0) and not claims.done(5, "two")
    assert users.by_telegram_id(ALICE).seen_at == NOW - timedelta(minutes=30)
    assert claims.done(5, "one")
    assert [users.by_telegram_id(person).seen_at for person in (ALICE, BORIS)] == [NOW, NOW - timedelta(minutes=30)]


def test_an_update_that_came_late_waits_for_the_younger_one_in_hand(rows):
    arrive((6, ALICE))
    assert claim(ALICE, "one") == (6, 0)
    arrive((5, ALICE))
    assert claim(ALICE, "two") is None and waiting() == []
    assert claims.done(6, "one")
    assert waiting() == [ALICE] and claim(ALICE, "two") == (5, 0)


def test_of_many_that_claim_at_once_one_wins(rows):
    arrive((5, ALICE), (6, ALICE))
    gate, won = threading.Barrier(12), []

    def ask(who):
        gate.wait(10)
        won.append(claim(ALICE, who))

    threads = [threading.Thread(target=ask, args=(f"copy{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found for found in won if found] == [(5, 0)]


def test_a_lease_that_runs_out_is_taken_over_and_that_is_an_attempt(rows):
    arrive((5, ALICE))
    assert claim(ALICE, "one") == (5, 0)
    assert claim(ALICE, "two", after_s=15) is None and waiting(15) == []
    assert waiting(16) == [ALICE]
    assert claim(ALICE, "two", after_s=16) == (5, 1)
    assert not claims.done(5, "one"), "it is not its own any more"
    assert claim(ALICE, "one", after_s=32) == (5, 2) and claim(ALICE, "two", after_s=48) == (5, 3)
    assert claim(ALICE, "one", after_s=64)[1] > inbox.MAX_ATTEMPTS


def test_a_lease_is_renewed_for_what_is_named_and_still_ones_own(rows):
    arrive((5, ALICE), (6, BORIS))
    claim(ALICE, "one")
    claim(BORIS, "one")
    claims.keep("one", [5], NOW + timedelta(seconds=60))
    claims.keep("two", [5, 6], NOW + timedelta(seconds=600))
    assert waiting(30) == [BORIS], "6 was not named: nobody knows of it, so it must not be kept for ever"
    assert waiting(61) == [ALICE, BORIS]


def test_what_is_given_back_is_nobodys_fault(rows):
    arrive((5, ALICE), (6, BORIS))
    claim(ALICE, "one")
    claim(BORIS, "one")
    claims.give_back("two", [5])
    assert waiting() == []
    claims.give_back("one", [5])
    assert claim(ALICE, "two") == (5, 0)
    claims.release("one")
    assert claim(BORIS, "two") == (6, 0) and waiting() == []


def test_an_update_set_aside_is_in_nobodys_way(rows):
    arrive((5, ALICE), (6, ALICE))
    claim(ALICE, "one")
    inbox.set_aside(5)
    assert claim(ALICE, "two") == (6, 0)


def test_a_checkout_does_not_queue_behind_its_chat(rows):
    person = {"id": ALICE, "is_bot": False}
    chat = {"update_id": 5, "message": {"from": person, "chat": {"id": ALICE}}}
    checkout = {"update_id": 6, "pre_checkout_query": {"id": "1", "from": person}}
    assert lane_of(chat) == ALICE and lane_of(checkout) == EXPRESS + ALICE
    arrive((5, lane_of(chat)), (6, lane_of(checkout)))
    assert claim(ALICE, "one") == (5, 0) and claim(EXPRESS + ALICE, "one") == (6, 0)


# a copy at work


class Copy(Shared):
    """The door of a copy; without threads `step` does what they would do now."""

    def __init__(self, clock, handle, threads):
        self.aside, self.seen = [], []
        super().__init__(
            SimpleNamespace(transport=SimpleNamespace(pause_s=0)), self._note, clock, Status(NOW, NOW),
            threads=threads, kinds=[], done=lambda: None, can_write=lambda: True,
            set_aside=lambda update, reason: self.aside.append((update["update_id"], reason)),
        )  # fmt: skip
        self._then = handle

    def _note(self, update):
        self.seen.append(update["update_id"])
        self._then(update)

    def step(self):
        """Look for chats, and handle what there is."""
        self.adopt(self._clock.now())
        self.express.run_waiting()
        self.executor.run_waiting()


class Hand(Clock):
    """A clock that moves when it is told to."""

    def __init__(self):
        self.time = NOW

    def now(self):
        """Return the time."""
        return self.time

    def monotonic(self):
        """Return the time as seconds."""
        return self.time.timestamp()

    def sleep(self, seconds):
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def copies(rows):
    """Return a function that makes a copy which does `handle(update)`; all have one clock."""
    clock = Hand()

    def make(handle=lambda update: None, threads=0):
        return Copy(clock, handle, threads)

    make.clock = clock
    return make


def left():
    """Return {update id: (attempts, whether it is set aside)} of the inbox."""
    with db.connection():
        rows = Inbox.select(Inbox.update_id, Inbox.attempts, Inbox.aside).order_by(Inbox.update_id).tuples()
        return {number: (attempts, bool(aside)) for number, attempts, aside in rows}


def sent(number, chat=ALICE):
    """Return an update with a message."""
    return {"update_id": number, "message": {"chat": {"id": chat}, "text": str(number)}}


class Killed(BaseException):
    """The end of the process."""


def die(_update):
    """Take the process along."""
    raise Killed


def test_a_copy_goes_through_a_chat_in_order_and_deletes_each_row_at_once(copies):
    rows_then = []
    copy = copies(lambda _update: rows_then.append(list(left())))
    copy.accept([sent(7, BORIS), sent(6), sent(5)])
    copy.step()
    assert [number for number in copy.seen if number != 7] == [5, 6]
    assert left() == {} and 5 not in rows_then[copy.seen.index(6)]


def test_what_a_dead_copy_had_in_hand_is_handled_by_another_when_its_lease_is_over(copies):
    first, second = copies(die), copies()
    first.accept([sent(5), sent(6)])
    with pytest.raises(Killed):
        first.step()
    second.step()
    assert second.seen == []
    copies.clock.sleep(16)
    second.step()
    assert second.seen == [5, 6] and left() == {}


def test_an_update_that_kills_every_copy_is_set_aside_and_the_chat_goes_on(copies):
    copies().accept([sent(5), sent(6)])
    for deaths in range(1, inbox.MAX_ATTEMPTS + 1):
        with pytest.raises(Killed):
            copies(die).step()
        copies.clock.sleep(16)
        assert left()[5] == (deaths - 1, False)
    last = copies()
    last.step()
    assert [number for number, _reason in last.aside] == [5] and "three times" in last.aside[0][1]
    assert last.seen == [6] and left() == {5: (inbox.MAX_ATTEMPTS, True)}


def test_a_copy_that_has_lost_its_claim_leaves_the_chat_alone(copies, caplog):
    second, gone = copies(die), []

    def linger(_update):
        if not gone:
            gone.append(copies.clock.sleep(16))  # the database is away for this copy: nothing is renewed
            with pytest.raises(Killed):
                second.step()

    first = copies(linger)
    first.accept([sent(5), sent(6)])
    first.step()
    assert second.seen == [5] and "taken over by another copy" in caplog.text
    assert first.seen == [5], "6 waits for who has 5 now"
    copies.clock.sleep(16)
    first.step()
    assert first.seen == [5, 6] and left() == {}, "it has handled 5, so that is not done again"


def test_a_handler_as_long_as_it_likes_keeps_its_chat_while_its_claims_are_renewed(copies):
    other = copies()

    def take_long(_update):
        for _ in range(20):
            copies.clock.sleep(4)
            copy.renew(copies.clock.now() + LEASE)
            other.step()

    copy = copies(take_long)
    copy.accept([sent(5)])
    copy.step()
    assert copy.seen == [5] and other.seen == [] and left() == {}


def test_an_outage_of_the_database_is_no_fault_of_the_update(copies):
    outages = [StorageDown("away"), StorageDown("away"), StorageDown("away"), StorageDown("away")]

    def fail(_update):
        if outages:
            raise outages.pop()

    copy = copies(fail)
    copy.accept([sent(5), sent(6)])
    while outages:
        copy.step()
        copy.step()  # nothing to be had until it is given back
        copy.renew(copies.clock.now() + LEASE)
    assert left()[5] == (0, False)
    copy.step()
    assert copy.seen == [5] * 5 + [6] and left() == {}


def test_an_update_that_hangs_is_let_go_and_is_an_attempt(copies):
    hanging, go_on = threading.Event(), threading.Event()

    def hang(_update):
        hanging.set()
        assert go_on.wait(10)

    copy, other = copies(hang, threads=2), copies()
    copy.accept([sent(5)])
    assert hanging.wait(10)
    copies.clock.sleep(301)
    copy.renew(copies.clock.now() + LEASE)
    copy.unstick()
    copies.clock.sleep(16)
    copy.renew(copies.clock.now() + LEASE)
    other.step()
    assert other.seen == [5] and left() == {}
    go_on.set()
    assert copy.executor.drain(10)
    copy.executor.close()


def test_what_telegram_sends_again_is_handled_once_by_the_same_copy(copies):
    copy = copies()
    copy.accept([sent(5)])
    copy.step()
    copy.accept([sent(5)])
    copy.step()
    arrive((5, ALICE))  # it came while the first one was being deleted
    copy.step()
    assert copy.seen == [5] and left() == {}


def test_a_checkout_of_a_dead_copy_is_answered_by_another_in_time(copies):
    checkout = {"update_id": 5, "pre_checkout_query": {"id": "1", "from": {"id": ALICE}}}
    first, second = copies(die), copies()
    first.accept([checkout])
    with pytest.raises(Killed):
        first.step()
    copies.clock.sleep(6)
    second.step()
    assert second.seen == [5]


# what is kept in memory


def test_what_another_copy_changes_is_seen_at_the_next_look(servers, postgres):
    bot = Running(
        *servers, postgres(), BOT_MODE="webhook", PUBLIC_URL="http://127.0.0.1:9", PORT="9", DAILY_CREDITS="50"
    )
    look = next(loop for loop in bot.runtime.loops if loop.name == "adopt").step
    generation, now = bot.bot.generation, bot.clock.now()
    assert generation.usd_rate() == 90 and not generation.is_paused(now) and "z-image" in generation.catalog.models

    def elsewhere(statement):
        """Do as another process would: without this one's caches."""
        with db.connection() as connection:
            connection.execute_sql(statement)
        look(now)

    stamp = "INSERT INTO stored (name, value, updated_at) VALUES"
    elsewhere(f"{stamp} ('USD_RATE', '77', 0), ('KIE_REFUSES', 'credits', 0)")
    assert generation.usd_rate() == 77 and generation.is_paused(now)
    elsewhere("UPDATE stored SET value = '' WHERE name = 'KIE_REFUSES'")
    assert not generation.is_paused(now)
    elsewhere("INSERT INTO overlay (scope, field, value, created_at) VALUES ('model:z-image', 'off', 'true', 0)")
    assert "z-image" not in generation.catalog.models
    bot.stop()


# running orders


@pytest.fixture
def running(rows):
    """Return a function that makes running jobs, and returns their ids."""
    numbers = itertools.count()
    user = users.seen(users.Sender(1, "Alice"), NOW)
    ledger.post(user.id, 100_000, kind="admin", key="rich", now=NOW)

    def make(count):
        made = []
        for number in itertools.islice(numbers, count):
            draft = drafts.put(user.id, "generate", NOW, model="m", data={"values": {}}, price=100)
            job, _created = jobs.order(user.id, draft.id, draft.version, now=NOW, usual_s=60, limit=1000, starts=1000)
            jobs.begin(job.id, NOW)
            made.append(jobs.start(job.id, f"task{number}", NOW + timedelta(hours=1), NOW).id)
        return made

    return make


def taken(who, after_s=0):
    """Take jobs as a copy some seconds after NOW, and return their ids."""
    now = NOW + timedelta(seconds=after_s)
    return sorted(job.id for job in claims.take_jobs(who, now, now + LEASE))


def test_running_jobs_are_looked_after_by_one_copy_each(running):
    first = running(3)
    assert taken("one") == first and taken("two") == []
    second = running(2)
    assert taken("two") == second, "just started: nobody's"
    assert claims.keep_jobs("one", first + second, NOW + LEASE) == set(first)
    assert taken("one", 10) == []


def test_jobs_are_taken_in_batches(running):
    made = running(claims.AT_ONCE + 5)
    assert taken("one") == made[: claims.AT_ONCE] and taken("two") == made[claims.AT_ONCE :]


def test_the_jobs_of_a_copy_that_has_died_are_taken_over(running):
    made = running(2)
    taken("one")
    claims.keep_jobs("one", made[:1], NOW + timedelta(seconds=30))
    assert taken("two", 16) == made[1:]
    assert claims.keep_jobs("one", made, NOW + timedelta(seconds=60)) == set(made[:1])
    claims.release("one")
    assert taken("two", 17) == made[:1], "a polite end waits for no lease"


def test_a_job_that_has_ended_is_nobodys(running):
    made = running(2)
    taken("one")
    jobs.fail(made[0], "server", now=NOW)
    assert claims.keep_jobs("one", made, NOW + LEASE) == set(made[1:])
    assert taken("two", 60) == made[1:]


def test_a_row_that_is_being_changed_is_kept_another_time_and_holds_nobody_up(running):
    made, changed, go_on = running(2), threading.Event(), threading.Event()
    taken("one")

    def change():
        with db.transaction():
            Job.update(progress_at=NOW).where(Job.id == made[0]).execute()
            changed.set()
            assert go_on.wait(10)

    thread = threading.Thread(target=change)
    thread.start()
    assert changed.wait(10)
    assert claims.keep_jobs("one", made, NOW + timedelta(seconds=60)) == set(made), "both are ours"
    go_on.set()
    thread.join()
    assert taken("two", 16) == made[:1]


def test_a_callback_is_looked_into_by_the_copy_it_reaches_and_the_claim_stays_where_it_is(servers, postgres):
    bot = Running(*servers, postgres(), BOT_MODE="webhook", PUBLIC_URL="http://127.0.0.1:9", PORT="9")
    generation, now = bot.bot.generation, bot.clock.now()
    bot.kie.settings(hold=True)
    job = ordered(bot)
    assert [one.id for one in claims.take_jobs("another copy", now, now + LEASE)] == [job.id]
    generation.called_back(job, job.task_id, now)
    generation.poller.step(now)
    assert generation.poller.watching() == {job.id: job.task_id}, "it runs still"
    generation.keep(now + LEASE)
    assert generation.poller.watching() == {} and jobs.get(job.id).claimed_by == "another copy"
    bot.kie.finish()
    generation.called_back(job, job.task_id, now)
    generation.poller.step(now)
    assert jobs.get(job.id).state == "succeeded" and generation.poller.watching() == {}
    bot.stop()


def test_a_result_that_is_read_after_the_leader_has_ended_the_job_is_brought_free(servers, postgres):
    bot = Running(*servers, postgres(), BOT_MODE="webhook", PUBLIC_URL="http://127.0.0.1:9", PORT="9")
    generation, now = bot.bot.generation, bot.clock.now()
    bot.kie.settings(hold=True)
    job = ordered(bot)
    generation.take_over(now, now + LEASE)
    jobs.fail(job.id, "deadline", now=now)
    bot.kie.finish()
    generation.poller.wake(job.task_id, now)
    generation.poller.step(now)
    job = jobs.get(job.id)
    assert (job.state, job.charged, job.delivery) == ("failed", 0, "pending") and job.result["urls"]
    bot.stop()


def ordered(bot):
    """Return a running job whose task KIE has."""
    now, values = bot.clock.now(), {"prompt": "a fox", "aspect_ratio": "1:1"}
    user = users.seen(users.Sender(1, "Alice"), now)
    ledger.post(user.id, 100_000, kind="admin", key="rich", now=now)
    draft = drafts.put(user.id, "generate", now, model="z-image", data={"values": values}, price=100)
    job, _created = jobs.order(user.id, draft.id, draft.version, now=now, usual_s=60, limit=9, starts=9)
    bot.bot.generation.poller.step(now)
    return jobs.get(job.id)


# who may work


def test_only_who_has_the_leaders_mode_and_schema_works_beside_it(postgres):
    db.connect(postgres())
    assert not claims.is_invited("webhook 0002"), "there are no tables yet"
    runtime_settings.forget()
    schema.migrate()
    assert not claims.is_invited("webhook 0002")
    claims.invite("webhook 0002", NOW)
    assert claims.is_invited("webhook 0002")
    assert not claims.is_invited("webhook 0001") and not claims.is_invited("polling 0002")
    claims.invite("polling 0002", NOW)
    assert not claims.is_invited("webhook 0002")
    db.disconnect()


# three real copies


@pytest.fixture
def _quiet(caplog):
    """Leave out what the servers' library says of clients that died."""
    caplog.set_level(logging.CRITICAL, "aiohttp.server")


@pytest.mark.usefixtures("_quiet")
def test_three_copies_keep_the_order_of_a_chat_and_the_sums_with_kills_in_the_middle(postgres, tmp_path):
    lines = []
    differences, wrong, handled = workers.share(postgres(), tmp_path, turns=2, users=5, pause_s=1.0, write=lines.append)
    table = "\n".join(lines)
    assert differences == 0, table
    assert not wrong, table
    assert min(handled) > 0, "every copy has handled some"

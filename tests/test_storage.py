"""Storage basics: transactions, locks, times, and ledger rows that nobody can change."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import peewee
import pytest

from storage.base import db, schema
from storage.base.tables import Account, Draft, Entry, Fact, Job, Outbox, User
from storage.journal import drafts, events, inbox, outbox, runtime_settings
from storage.journal.event_kinds import UserErased
from storage.money import ledger, payments
from storage.orders import jobs
from storage.people import users
from tests.shop import in_threads

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def url(ready_url):
    """The address of a migrated, open database of each kind."""
    db.connect(ready_url)
    runtime_settings.forget()
    yield ready_url
    db.disconnect()


@pytest.fixture
def alice(url):
    """A user with 10 ₽."""
    user = users.seen(users.Sender(5_000_000_001, "Alice"), NOW)
    ledger.post(user.id, 1000, kind="admin", key="start", now=NOW)
    return user


@pytest.fixture
def boss(url):
    """Somebody who decides."""
    return users.seen(users.Sender(5_000_000_002, "Boss"), NOW)


# transactions


def names():
    """Return the first names of all users."""
    with db.connection():
        return sorted(name for (name,) in User.select(User.first_name).tuples())


def make(name):
    """Write a user."""
    return users.seen(users.Sender(int.from_bytes(name.encode()[:5]), name), NOW)


def test_an_error_rolls_the_whole_transaction_back(url):
    with pytest.raises(RuntimeError), db.transaction():
        make("one")
        with db.transaction():
            make("two")
        raise RuntimeError
    assert names() == []


def test_an_error_in_the_inner_block_rolls_the_outer_one_back_too(url):
    with pytest.raises(RuntimeError), db.transaction():
        make("one")
        with db.transaction():
            raise RuntimeError
    assert names() == []


def test_who_catches_the_error_of_an_inner_block_keeps_nothing_of_it(url):
    with db.transaction():
        make("one")
        with pytest.raises(RuntimeError), db.transaction():
            make("two")
            raise RuntimeError
        make("three")
    assert names() == ["one", "three"]


def test_money_that_does_not_suffice_leaves_no_entry_even_when_the_caller_goes_on(alice):
    with db.transaction():
        with pytest.raises(ledger.NotEnoughMoney):
            ledger.hold(alice.id, 5000, job_id=1, now=NOW)
        ledger.post(alice.id, 1, kind="bonus", key="after", now=NOW)
    assert [entry.key for entry in ledger.entries(alice.id)] == ["after", "start"]
    assert ledger.balance(alice.id) == 1001


def test_an_error_of_the_database_does_not_poison_the_outer_transaction(alice):
    with db.transaction():
        with pytest.raises(peewee.IntegrityError), db.transaction():
            Account.insert(user=alice.id, balance=0).execute()
        ledger.post(alice.id, 1, kind="bonus", key="after", now=NOW)
    assert ledger.balance(alice.id) == 1001


def test_what_a_transaction_wrote_is_seen_by_others_only_after_it(alice):
    seen = []

    def look():
        seen.append(ledger.balance(alice.id))
        if not db.is_postgres():
            db.disconnect()

    def look_elsewhere():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)

    with db.transaction():
        ledger.post(alice.id, 500, kind="bonus", key="bonus", now=NOW)
        look_elsewhere()
    look_elsewhere()
    assert seen == [1000, 1500]


# the lock in front of SQLite


def test_the_lock_is_handed_over_in_the_order_it_was_asked_for():
    lock, order, waiting = db.FairLock(), [], []

    def take(number):
        with lock:
            order.append(number)

    with lock:
        for number in range(8):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            waiting.append(thread)
            while len(lock._waiting) <= number:
                assert thread.is_alive()
    for thread in waiting:
        thread.join(10)
    assert order == list(range(8))


def test_the_owner_may_take_the_lock_again_and_must_give_it_back_as_often():
    lock, entered = db.FairLock(), threading.Event()

    def other():
        with lock:
            entered.set()

    thread = threading.Thread(target=other)
    with lock:
        with lock:
            thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join(10)


def test_the_lock_is_free_again_after_an_error():
    lock = db.FairLock()
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    assert in_threads(1, lambda _number: lock.__enter__() is lock) == [True]


# times


@pytest.mark.parametrize("hours", [0, 3, -8])
def test_a_time_comes_back_aware_and_in_utc_whatever_zone_it_was_written_in(url, hours):
    written = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=hours)))
    user = users.seen(users.Sender(1, "A"), written)
    assert user.created_at == written
    assert users.get(user.id).created_at == written
    assert users.get(user.id).created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("year", [1900, 1969, 2262, 9999])
def test_a_time_keeps_its_microseconds_at_either_end(url, year):
    written = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert users.get(users.seen(users.Sender(1, "A"), written).id).created_at == written


def test_a_naive_time_is_a_bug_and_is_not_stored(url):
    with pytest.raises(TypeError):
        users.seen(users.Sender(1, "A"), NOW.replace(tzinfo=None))
    assert names() == []


# a database that goes away


def test_a_server_that_is_away_is_named_as_such():
    real = db.database.obj
    try:
        with pytest.raises(db.StorageDown):
            db.connect("postgresql://nobody@127.0.0.1:1/nothing")
    finally:
        db.database.initialize(real)


def test_a_connection_that_breaks_keeps_nothing_and_the_next_one_works(url, alice):
    if not db.is_postgres():
        pytest.skip("SQLite is a file")
    import psycopg

    with pytest.raises(db.StorageDown), db.transaction() as real:
        ledger.post(alice.id, 500, kind="bonus", key="bonus", now=NOW)
        pid = real.connection().info.backend_pid
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        ledger.balance(alice.id)
    assert ledger.balance(alice.id) == 1000
    ledger.post(alice.id, 500, kind="bonus", key="bonus", now=NOW)
    assert ledger.balance(alice.id) == 1500


def test_opening_the_database_in_use_again_takes_no_connection_from_another_thread(database_url):
    """The port answers /health while the bot opens its storage; a connection closed under it ended the process."""
    db.connect(database_url)
    with db.connection() as database:
        opening = threading.Thread(target=db.connect, args=(database_url,))
        opening.start()
        opening.join()
        assert database is db.database.obj
        assert database.execute_sql("SELECT 1").fetchone() == (1,)
    db.disconnect()


def test_a_thread_that_leaves_has_no_connection_any_more(url):
    db.leave()
    with db.connection() as database:
        db.leave()
        assert database.is_closed() or db.is_postgres(), "PostgreSQL's goes back to the pool after each operation"
    db.leave()


def test_an_unknown_kind_of_database_is_refused_without_a_fallback():
    with pytest.raises(ValueError, match="mysql"):
        db.connect("mysql://user@127.0.0.1/bot")


# migrations


def test_a_second_start_migrates_nothing_and_keeps_the_rows(alice):
    assert schema.migrate() == []
    assert ledger.balance(alice.id) == 1000


def test_a_database_of_a_newer_version_is_not_touched(url):
    with db.transaction() as real:
        real.execute_sql(
            "INSERT INTO schema_migration (name, applied) SELECT '9999_future', MAX(applied) FROM schema_migration"
        )
    with pytest.raises(schema.NewerSchema, match="9999_future"):
        schema.migrate()


# entries are for ever

CHANGES = [
    "UPDATE entry SET amount = amount + 1",
    "UPDATE entry SET digest = 'x'",
    "DELETE FROM entry",
]
INSERT = "INTO entry (id, user_id, amount, kind, key, created_at) VALUES (1, 1, 9, 'bonus', 'start', 0)"
ONLY_SQLITE = [f"INSERT OR REPLACE {INSERT}", f"REPLACE {INSERT}", "UPDATE OR REPLACE entry SET amount = 9"]
ONLY_POSTGRES = [
    "TRUNCATE entry",
    "TRUNCATE entry CASCADE",
    f"INSERT {INSERT} ON CONFLICT (key) DO UPDATE SET amount = 9",
]


def refused():
    """Return the statements that must fail on the open database."""
    return CHANGES + (ONLY_POSTGRES if db.is_postgres() else ONLY_SQLITE)


def test_no_statement_changes_or_removes_an_entry(alice):
    """A correction is a new entry."""
    for statement in refused():
        with pytest.raises(peewee.DatabaseError, match="append-only"), db.transaction() as real:
            real.execute_sql(statement)
    assert [(entry.key, entry.amount) for entry in ledger.entries(alice.id)] == [("start", 1000)]


def test_entries_stay_guarded_after_every_start_and_after_a_rebuilt_table(alice):
    with db.transaction() as real:  # what a migration that alters the table leaves behind in SQLite
        for name in ("entry_no_update", "entry_no_delete"):
            real.execute_sql(f"DROP TRIGGER IF EXISTS {name}" + (" ON entry" if db.is_postgres() else ""))
    schema.migrate()
    for statement in refused():
        with pytest.raises(peewee.DatabaseError, match="append-only"), db.transaction() as real:
            real.execute_sql(statement)


def test_the_database_itself_refuses_a_negative_balance(alice):
    with pytest.raises(peewee.IntegrityError), db.transaction():
        Account.update(balance=-1).where(Account.user == alice.id).execute()


@pytest.mark.parametrize("table", [Draft, Fact, Outbox])
def test_the_number_of_a_deleted_row_is_never_given_again(alice, table):
    """Keys such as a quote's are made of it, so a second life of the number would meet the first one's work."""
    fields = {
        Draft: {"user": alice.id, "plugin": "p", "expires_at": NOW},
        Fact: {"kind": "k", "data": {}, "run_at": NOW},
        Outbox: {"key": "k", "user": alice.id, "text": "t", "send_at": NOW},
    }[table]
    with db.transaction():
        first = table.insert(**fields).execute()
        table.delete().execute()
        assert table.insert(**fields).execute() > first


# rows that remember


def test_a_new_step_takes_the_listening_from_the_other_dialogues(alice):
    drafts.put(alice.id, "one", NOW, step="one:name", data={"kept": 1})
    drafts.put(alice.id, "two", NOW, step="two:name")
    assert drafts.listening(alice.id, NOW).plugin == "two"
    assert drafts.get(alice.id, "one", NOW).data == {"kept": 1}


def test_a_draft_lasts_a_day_and_every_change_is_a_new_quote(alice):
    first = drafts.put(alice.id, "generate", NOW, price=5)
    second = drafts.put(alice.id, "generate", NOW, price=6)
    assert (second.id, second.version) == (first.id, first.version + 1)
    assert drafts.get(alice.id, "generate", NOW + timedelta(hours=25)) is None
    assert drafts.drop_expired(NOW + timedelta(hours=25)) == 1


def test_a_message_is_queued_once_under_its_key(alice):
    for _ in range(3):
        outbox.put("k", alice.id, "common.menu", now=NOW)
    assert len(outbox.due(NOW)) == 1


def test_a_message_that_fails_waits_longer_each_time_and_never_over_ten_minutes(alice):
    outbox.put("k", alice.id, "common.menu", now=NOW)
    at, waits = NOW, []
    for _ in range(12):
        (row,) = outbox.due(at)
        outbox.postponed(row, at)
        with db.connection():
            row = Outbox.get_by_id(row.id)
        waits.append((row.send_at - at).total_seconds())
        at = row.send_at
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 600)


def test_a_message_that_went_out_is_not_due_again_and_one_with_a_ref_can_be_found(alice):
    outbox.put("one", alice.id, "t", now=NOW, values={"name": "x"})
    outbox.put("two", alice.id, "t", now=NOW, values={"name": "y"}, ref="topup:1")
    for row in outbox.due(NOW):
        outbox.sent(row, 7, NOW)
    assert outbox.due(NOW) == []
    assert [(row.key, row.message_id, row.values) for row in outbox.sent_for("topup:1")] == [("two", 7, {"name": "y"})]


def due(now):
    """Return the events of these tests that are due; a new user is an event too."""
    return [row for row in events.due(now) if row.kind == "user.erased"]


def test_a_listener_that_fails_leaves_nothing_and_runs_again_and_the_others_do_not(alice):
    events.emit(UserErased(user=alice.id), NOW)
    (row,) = due(NOW)
    runs = []

    def bad():
        runs.append("bad")
        ledger.post(alice.id, 5, kind="bonus", key="bonus", now=NOW)
        if len([run for run in runs if run == "bad"]) == 1:
            raise RuntimeError

    events.run_once(row, "good", lambda: runs.append("good"))
    with pytest.raises(RuntimeError):
        events.run_once(row, "bad", bad)
    assert ledger.balance(alice.id) == 1000
    events.postponed(row, NOW)
    assert due(NOW) == []
    (again,) = due(NOW + events.FIRST_WAIT)
    events.run_once(again, "good", lambda: runs.append("good"))
    events.run_once(again, "bad", bad)
    events.run_once(again, "bad", bad)
    assert runs == ["good", "bad", "bad"]
    assert ledger.balance(alice.id) == 1005
    events.done(again)
    assert due(NOW + timedelta(days=1)) == []


def test_an_event_is_there_only_if_its_cause_is(alice):
    with pytest.raises(RuntimeError), db.transaction():
        events.emit(UserErased(user=alice.id), NOW)
        raise RuntimeError
    assert due(NOW) == []


def test_an_update_is_kept_once_and_its_attempts_are_counted_until_it_is_set_aside(url):
    for _ in range(2):
        inbox.store([(1, 7, "{}"), (2, 7, "{}")], NOW)
    assert [row.update_id for row in inbox.left()] == [1, 2]
    assert [inbox.attempt(1), inbox.attempt(1)] == [1, 2]
    inbox.set_aside(1)
    inbox.done([2])
    assert (inbox.left(), inbox.attempt(1), inbox.attempt(2)) == ([], 0, 0)


def test_a_stored_setting_wins_at_once_and_survives_a_start(url):
    assert runtime_settings.get("USD_RATE", "90") == "90"
    runtime_settings.put("USD_RATE", "95", now=NOW)
    runtime_settings.put("USD_RATE", "96.5", now=NOW)
    assert runtime_settings.get("USD_RATE", "90") == "96.5"
    runtime_settings.forget()
    assert runtime_settings.get("USD_RATE") == "96.5"


# many at once


def test_a_person_whose_first_updates_come_together_becomes_one_user(url):
    made = in_threads(8, lambda number: users.seen(users.Sender(77, "Zoe"), NOW, number).id)
    assert len(set(made)) == 1
    assert names() == ["Zoe"]


def test_thirty_people_topped_up_at_once_all_have_their_money(url):
    """Seen in other bots: 30 users top up at once → 2 survived."""
    people = [users.seen(users.Sender(1000 + number, "P"), NOW).id for number in range(30)]
    results = in_threads(
        30, lambda number: ledger.post(people[number], 100, kind="topup", key=f"t:{number}", now=NOW)[1]
    )
    assert results == [True] * 30
    assert [ledger.balance(person) for person in people] == [100] * 30


def quote(user, price=300):
    """Write a card with its price and return (draft id, version)."""
    draft = drafts.put(user.id, "generate", NOW, model="z-image", data={"values": {"prompt": "a fox"}}, price=price)
    return draft.id, draft.version


def take(user, draft, limit=50):
    """Order a quote."""
    return jobs.order(user.id, *draft, now=NOW, usual_s=15, limit=limit, starts=1000)


def test_eight_threads_with_one_quote_make_one_job_and_one_hold(alice):
    """With real threads: twenty taps each."""
    draft = quote(alice)
    made = in_threads(8, lambda _number: [take(alice, draft) for _ in range(20)])
    found = [pair for part in made for pair in part]
    assert {job.id for job, _created in found} == {found[0][0].id}
    assert sum(created for _job, created in found) == 1
    assert ledger.balance(alice.id) == 700
    assert jobs.count_open(alice.id) == 1


def test_eight_threads_can_not_spend_the_same_money_twice(alice):
    """Seen in other bots: four jobs on money for one."""
    made = []
    for number in range(8):
        draft = drafts.put(alice.id, f"form{number}", NOW, model="z-image", data={"values": {}}, price=300)
        made.append((draft.id, draft.version))
    results = in_threads(8, lambda number: take(alice, made[number]))
    refused = [result for result in results if isinstance(result, ledger.NotEnoughMoney)]
    assert len(refused) == 5
    assert all(isinstance(result, tuple) for result in results if result not in refused)
    assert ledger.balance(alice.id) == 100
    assert jobs.count_open(alice.id) == 3


def test_eight_threads_can_not_pass_the_limit_of_open_orders(alice):
    made = []
    for number in range(8):
        draft = drafts.put(alice.id, f"form{number}", NOW, model="z-image", data={"values": {}}, price=1)
        made.append((draft.id, draft.version))
    results = in_threads(8, lambda number: take(alice, made[number], limit=3))
    assert sum(isinstance(result, jobs.TooManyJobs) for result in results) == 5
    assert jobs.count_open(alice.id) == 3
    assert ledger.balance(alice.id) == 997


def pending(user, amount=5000):
    """Write a request that waits for an admin and return its id."""
    topup = payments.create(user.id, "transfer", amount, now=NOW)
    assert payments.submit(topup.id, user.id, {"file_id": "f", "unique_id": "u", "kind": "photo"}, NOW)
    return topup.id


def test_eight_threads_approve_a_payment_once(alice, boss):
    topup = pending(alice)
    decided = in_threads(8, lambda _number: [payments.approve(topup, boss.id, NOW) for _ in range(5)])
    assert sum(row is not None for part in decided for row in part) == 1
    assert ledger.balance(alice.id) == 6000
    assert [fact.kind for fact in events.due(NOW)].count("payment.credited") == 1


def test_approving_and_refusing_at_once_has_one_outcome(alice, boss):
    topup = pending(alice)
    acts = [payments.approve, lambda i, a, now: payments.reject(i, a, "no", now)]
    decided = in_threads(8, lambda number: acts[number % 2](topup, boss.id, NOW))
    winners = [row.state for row in decided if row is not None]
    assert len(winners) == 1
    assert ledger.balance(alice.id) == (6000 if winners == ["approved"] else 1000)


def test_eight_threads_told_of_one_charge_credit_it_once(alice):
    topup = payments.create(alice.id, "stars", 5000, now=NOW, stars=32)
    told = in_threads(8, lambda _number: payments.credit_stars("charge", topup.id, alice.id, 32, NOW)[1])
    assert sorted(told) == [False] * 7 + [True]
    assert ledger.balance(alice.id) == 6000


def test_a_job_ends_once_whoever_comes_first(alice):
    """Every arrow is one conditional update."""
    job, _created = take(alice, quote(alice))
    jobs.begin(job.id, NOW)
    jobs.start(job.id, "task", NOW, NOW)
    ends = [
        lambda: jobs.succeed(job.id, {"urls": ["u"], "text": None}, charged=300, cost=1, now=NOW),
        lambda: jobs.fail(job.id, "server", now=NOW),
    ]
    moved = in_threads(8, lambda number: ends[number % 2]())
    (end,) = [row for row in moved if row is not None]
    assert ledger.balance(alice.id) == (700 if end.state == "succeeded" else 1000)
    with db.connection():
        assert Entry.select().where(Entry.key == f"settle:{job.id}").count() == 1
        assert Job.get_by_id(job.id).state == end.state

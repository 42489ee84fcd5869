"""The ledger: integers, unique keys, balances that are the sum of their entries and never fall below zero."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from kie.catalogue.pricing import price
from storage.base import db
from storage.base.tables import Entry
from storage.journal import drafts
from storage.money import ledger, verify
from storage.orders import jobs
from storage.people import users
from tests.shop import assert_books_are_right, card, entries_of, in_threads, job_of, user_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def url(ready_url):
    """The address of a migrated, open database of each kind."""
    db.connect(ready_url)
    yield ready_url
    db.disconnect()


@pytest.fixture
def alice(url):
    """The id of a user with 10 ₽."""
    user = users.seen(users.Sender(5_000_000_001, "Alice"), NOW)
    ledger.post(user.id, 1000, kind="admin", key="start", now=NOW)
    return user.id


@pytest.fixture
def bob(url):
    """The id of a user without money."""
    return users.seen(users.Sender(5_000_000_002, "Bob"), NOW).id


def keys(user):
    """Return a user's entries as (key, amount), oldest first."""
    return [(entry.key, entry.amount) for entry in reversed(ledger.entries(user, limit=1000))]


# one entry per key


def test_an_entry_moves_the_balance_once_however_often_it_is_posted(alice):
    """The second post finds the first one's entry, as it stands."""
    first, created = ledger.post(alice, 500, kind="bonus", key="bonus:1", now=NOW, ref="r", reason="hello")
    again, created_again = ledger.post(alice, 700, kind="bonus", key="bonus:1", now=NOW + timedelta(days=1))
    assert (created, created_again) == (True, False)
    assert (again.id, again.amount, again.reason, again.created_at) == (first.id, 500, "hello", NOW)
    assert ledger.balance(alice) == 1500


@pytest.mark.parametrize("change", [{"kind": "promo"}, {"user": "bob"}])
def test_a_key_that_stands_for_something_else_is_a_bug_and_moves_nothing(alice, bob, change):
    ledger.post(alice, 500, kind="bonus", key="bonus:1", now=NOW)
    user = bob if change.get("user") else alice
    with pytest.raises(ledger.KeyReused):
        ledger.post(user, 500, kind=change.get("kind", "bonus"), key="bonus:1", now=NOW)
    assert (ledger.balance(alice), ledger.balance(bob)) == (1500, 0)


# what is refused


@pytest.mark.parametrize("amount", [0.1, 1.0, Decimal(5), "5", None, True, float("nan"), float("inf")])
def test_an_amount_that_is_no_whole_number_is_refused(alice, amount):
    """No floats in money, nothing non-finite."""
    with pytest.raises(TypeError):
        ledger.post(alice, amount, kind="bonus", key="k", now=NOW)
    assert keys(alice) == [("start", 1000)]


def test_an_unknown_kind_is_refused(alice):
    with pytest.raises(ValueError, match="pocket"):
        ledger.post(alice, 5, kind="pocket", key="k", now=NOW)


def test_a_hold_or_a_charge_below_zero_can_not_be_made(alice):
    """A sign in the wrong place must not turn a credit into a debit: −1000 stays −1000."""
    for attempt in (
        lambda: ledger.hold(alice, -5, job_id=1, now=NOW),
        lambda: ledger.capture(alice, 100, -1, job_id=1, now=NOW),
        lambda: ledger.capture(alice, 100, 101, job_id=1, now=NOW),
        lambda: ledger.release(alice, -100, job_id=1, now=NOW),
        lambda: ledger.force(alice, -100, kind="chargeback", key="c", now=NOW),
    ):
        with pytest.raises(ValueError, match="negative"):
            attempt()
    assert keys(alice) == [("start", 1000)]


def test_a_debit_beyond_the_balance_says_what_is_missing_and_moves_nothing(alice):
    with pytest.raises(ledger.NotEnoughMoney) as refused:
        ledger.post(alice, -1001, kind="admin", key="k", now=NOW)
    assert refused.value.lacking == 1
    assert keys(alice) == [("start", 1000)]
    ledger.post(alice, -1000, kind="admin", key="k", now=NOW)
    assert ledger.balance(alice) == 0


def test_sums_beyond_32_bits_are_exact(alice):
    """Twenty million roubles, and then some."""
    for number in range(4):
        ledger.post(alice, 2**31 * 100 + 1, kind="topup", key=f"t{number}", now=NOW)
    assert ledger.balance(alice) == 1000 + 4 * (2**31 * 100 + 1)


# hold, capture, release


def test_a_capture_charges_the_hold_and_gives_the_rest_back(alice):
    ledger.hold(alice, 300, job_id=1, now=NOW)
    assert ledger.balance(alice) == 700
    assert ledger.capture(alice, 300, 180, job_id=1, now=NOW)
    assert ledger.balance(alice) == 820


@pytest.mark.parametrize("first", ["capture", "release"])
def test_a_hold_is_settled_once_whichever_way_comes_first(alice, first):
    """Capture and release exclude each other under one key."""
    ways = {
        "capture": lambda: ledger.capture(alice, 300, 300, job_id=1, now=NOW),
        "release": lambda: ledger.release(alice, 300, job_id=1, now=NOW),
    }
    ledger.hold(alice, 300, job_id=1, now=NOW)
    order = [first, *(name for name in ways if name != first), first]
    assert [ways[name]() for name in order] == [True, False, False]
    assert ledger.balance(alice) == (700 if first == "capture" else 1000)


def test_the_balance_is_what_is_left_after_money_on_hold(alice):
    ledger.hold(alice, 900, job_id=1, now=NOW)
    with pytest.raises(ledger.NotEnoughMoney) as refused:
        ledger.hold(alice, 200, job_id=2, now=NOW)
    assert refused.value.lacking == 100


def test_a_free_order_holds_and_charges_nothing(alice):
    ledger.hold(alice, 0, job_id=1, now=NOW)
    ledger.capture(alice, 0, 0, job_id=1, now=NOW)
    assert ledger.balance(alice) == 1000


# forced debits


def test_a_forced_debit_that_the_balance_covers_writes_nothing_off(alice):
    assert ledger.force(alice, 400, kind="chargeback", key="chargeback:1", now=NOW) == 0
    assert keys(alice) == [("start", 1000), ("chargeback:1", -400)]


def test_a_forced_debit_takes_all_of_it_and_the_operator_bears_what_is_lacking(alice):
    """The full amount under its key, a write-off for the rest, in one transaction."""
    loss = ledger.force(alice, 1500, kind="chargeback", key="chargeback:1", now=NOW, reason="bank")
    assert loss == 500
    assert keys(alice)[1:] == [("writeoff:chargeback:1", 500), ("chargeback:1", -1500)]
    assert ledger.balance(alice) == 0


def test_a_forced_debit_happens_once(alice):
    for _ in range(3):
        ledger.force(alice, 1500, kind="chargeback", key="chargeback:1", now=NOW)
    ledger.post(alice, 300, kind="topup", key="t", now=NOW)
    ledger.force(alice, 1500, kind="chargeback", key="chargeback:1", now=NOW)
    assert ledger.balance(alice) == 300


def test_a_forced_debit_told_by_eight_threads_happens_once_and_reports_one_loss(alice):
    losses = in_threads(8, lambda _n: ledger.force(alice, 1500, kind="chargeback", key="chargeback:1", now=NOW))
    assert sorted(losses) == [0] * 7 + [500]
    assert ledger.balance(alice) == 0


# sums


def test_eight_threads_move_money_and_every_kopeck_is_accounted_for(alice, bob):
    """Concurrent changes are serialised and sum exactly."""

    def spend(number):
        moved = 0
        for turn in range(25):
            amount = 7 * number + turn - 40
            try:
                ledger.post(alice, amount, kind="admin", key=f"{number}:{turn}", now=NOW)
                moved += amount
            except ledger.NotEnoughMoney:
                continue
        return moved

    moved = in_threads(8, spend)
    assert ledger.balance(alice) == 1000 + sum(moved) >= 0
    assert [problem for problem in verify.verify() if "settl" not in problem[0]] == []


def test_eight_threads_that_post_the_same_keys_in_any_order_add_each_once(alice):
    def post(number):
        turns = list(range(20))
        random.Random(number).shuffle(turns)
        return [ledger.post(alice, turn, kind="bonus", key=f"b:{turn}", now=NOW)[1] for turn in turns]

    created = in_threads(8, post)
    assert sum(made for part in created for made in part) == 20
    assert ledger.balance(alice) == 1000 + sum(range(20))


def test_a_seeded_walk_of_every_operation_keeps_the_books_after_every_step(alice, bob):
    """A model in plain Python moves along; the balance and the sum of the entries must agree with it each time."""
    walk, people = random.Random(20), (alice, bob)
    expected, holds, number = {alice: 1000, bob: 0}, {}, 0
    owed = {alice: {}, bob: {}}  # step → what became debt, or was paid of it, at that step
    for step in range(300):
        user = walk.choice(people)
        act = walk.choice(["post", "post", "hold", "capture", "release", "force", "repeat"])
        number += act in ("post", "hold", "force")
        amount = walk.randrange(1, 400)
        if act == "post":
            amount = walk.choice([amount, -amount])
            post = partial(ledger.post, user, amount, kind="admin", key=f"p{number}", now=NOW)
            expected[user] += _tried(amount, expected[user], post)
        elif act == "hold":
            moved = _tried(-amount, expected[user], partial(ledger.hold, user, amount, job_id=number, now=NOW))
            expected[user] += moved
            if moved:
                holds[number] = (user, amount, step)
        elif act == "force":
            owed[user][step] = max(0, amount - expected[user])
            expected[user] = max(0, expected[user] - amount)
            ledger.force(user, amount, kind="chargeback", key=f"f{number}", now=NOW)
        elif act in ("capture", "release") and holds:
            job = walk.choice(list(holds))
            owner, held, since = holds.pop(job)
            back = held if act == "release" else walk.randrange(held + 1)
            settle = ledger.release if act == "release" else ledger.capture
            args = (owner, held) if act == "release" else (owner, held, held - back)
            assert settle(*args, job_id=job, now=NOW)
            assert not settle(*args, job_id=job, now=NOW)
            while_held = sum(part for at, part in owed[owner].items() if at > since)
            owed[owner][step] = -max(0, min(back, while_held, sum(owed[owner].values())))
            expected[owner] += back + owed[owner][step]
        elif act == "repeat":
            ledger.post(alice, 999, kind="admin", key="start", now=NOW)
        for person in people:
            assert ledger.balance(person) == expected[person] == _sum(person) >= 0, step
            assert ledger.debt(person) == sum(owed[person].values()), step


def _tried(amount, balance, post):
    """Post; return what moved by the plain rule, and demand that the ledger agrees."""
    if balance + amount >= 0:
        post()
        return amount
    with pytest.raises(ledger.NotEnoughMoney):
        post()
    return 0


def _sum(person):
    with db.connection():
        return sum(amount for (amount,) in Entry.select(Entry.amount).where(Entry.user == person).tuples())


def test_pages_of_entries_follow_one_another_without_a_gap(alice):
    for number in range(11):
        ledger.post(alice, 1, kind="bonus", key=f"b{number}", now=NOW)
    first = ledger.entries(alice, limit=5)
    second = ledger.entries(alice, limit=5, before=first[-1].id)
    third = ledger.entries(alice, limit=5, before=second[-1].id)
    numbers = [entry.id for entry in (*first, *second, *third)]
    assert len(numbers) == 12 and numbers == sorted(numbers, reverse=True)


def test_sums_by_kind_count_only_what_came_since(alice):
    ledger.post(alice, 5, kind="bonus", key="old", now=NOW - timedelta(days=2))
    ledger.post(alice, 7, kind="bonus", key="new", now=NOW)
    assert ledger.sums_by_kind(NOW - timedelta(days=1)) == {"admin": (1000, 1), "bonus": (7, 1)}


# the books as `python bot.py verify` reads them


def test_the_audit_names_a_balance_that_is_not_the_sum_of_its_entries(alice):
    with db.transaction() as real:
        real.execute_sql("UPDATE account SET balance = balance + 5")
    (problem,) = verify.verify()
    assert problem[0] == "a balance is the sum of its entries"


def test_the_audit_names_a_hold_that_nobody_settled(alice):
    draft = drafts.put(alice, "generate", NOW, model="z-image", data={"values": {}}, price=300)
    job, _created = jobs.order(alice, draft.id, draft.version, now=NOW, usual_s=15, limit=5, starts=5)
    assert list(verify.verify()) == []
    with db.transaction() as real:
        real.execute_sql("UPDATE job SET state = 'failed'")
    assert [promise for promise, _row in verify.verify()] == ["a failed or cancelled job is released"]


# rounding


@pytest.mark.parametrize(
    ("credits", "kopecks"),
    [("0", 0), ("0.0001", 1), ("0.8", 72), ("1", 90), ("1.0001", 91), ("1.0111", 91), ("1.0112", 92), ("12.5", 1125)],
)
def test_a_price_is_rounded_up_to_a_kopeck_and_never_zero_unless_free(credits, kopecks):
    """Rounding half up would sell some orders below cost, so a started kopeck counts whole."""
    found = price(Decimal(credits), usd_rate=Decimal(90), markup=Decimal(2), credit_usd=Decimal("0.005"))
    assert found == kopecks


def test_a_tiny_price_is_shown_held_and_charged_to_the_kopeck(start_bot):
    """One kopeck is no rounding error."""
    bot = start_bot(USD_RATE="0.01", MARKUP="1")
    alice = bot.rich(amount="1")
    card(alice)
    assert "▶ Create · 0.01 ₽" in alice.buttons
    alice.tap("▶ Create")
    bot.forward(60)
    assert entries_of(bot, alice) == [("admin", 100), ("hold", -1), ("capture", 0)]
    assert "balance 0.99 ₽" in alice.last
    assert_books_are_right()


# money from the chat


def found_card(boss, person):
    """Let the admin open a person's card."""
    boss.send(f"/user {person.id}")
    assert boss.last.startswith("Alice")


def test_an_admin_gives_money_with_a_reason_and_the_person_reads_it(start_bot):
    bot = start_bot()
    alice, boss = bot.user(), bot.admin()
    alice.send("/start")
    found_card(boss, alice)
    boss.tap("users:credit")
    boss.send("100 sorry for the <delay>")
    boss.tap("users:ok")
    assert "+100 ₽" in alice.last and "sorry for the <delay>" in alice.last
    assert entries_of(bot, alice) == [("admin", 10_000)]
    assert bot.bot.ledger.entries(user_of(bot, alice).id)[0].actor_id == user_of(bot, boss).id


def test_the_admins_confirmation_moves_money_once_however_often_it_is_tapped(start_bot):
    bot = start_bot()
    alice, boss = bot.user(), bot.admin()
    alice.send("/start")
    found_card(boss, alice)
    boss.tap("users:credit")
    boss.send("100 sorry")
    message, data = boss.last_message, next(d for d in boss.buttons.values() if d.startswith("users:ok"))
    for _ in range(20):
        boss.forge(data, message)
    assert entries_of(bot, alice) == [("admin", 10_000)]
    assert sum("+100 ₽" in (m.get("text") or "") for m in alice.received) == 1


def test_a_second_credit_of_the_same_amount_is_a_second_entry(start_bot):
    bot = start_bot()
    alice, boss = bot.user(), bot.admin()
    alice.send("/start")
    for _ in range(2):
        found_card(boss, alice)
        boss.tap("users:credit")
        boss.send("100 sorry")
        boss.tap("users:ok")
        boss.send("/cancel")
    assert entries_of(bot, alice) == [("admin", 10_000)] * 2


SENSELESS = ["100", *(f"{sum_} gift" for sum_ in ("0", "-5", "1e999999", "1e99999999", "nan", "inf", "0.001", "ten"))]


@pytest.mark.parametrize("words", SENSELESS)
def test_an_amount_that_makes_no_sense_is_asked_for_again(start_bot, words):
    bot = start_bot()
    alice, boss = bot.user(), bot.admin()
    alice.send("/start")
    found_card(boss, alice)
    boss.tap("users:credit")
    boss.send(words)
    assert "Send an amount and a reason" in boss.last
    assert entries_of(bot, alice) == []


def test_an_admin_can_not_take_more_than_there_is(start_bot):
    bot = start_bot()
    alice, boss = bot.rich(amount="50"), bot.admin()
    found_card(boss, alice)
    boss.tap("users:debit")
    boss.send("60 paid twice")
    boss.tap("users:ok")
    assert "10 ₽ short" in (boss.toast or boss.last)
    assert bot.balance(alice) == 5000


def test_the_balance_screen_shows_what_is_on_hold_and_every_entry(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.settings(hold=True)
    card(alice)
    alice.tap("▶ Create")
    alice.send("/balance")
    assert "Balance: 999.28 ₽ (on hold: 0.72 ₽)" in alice.last
    assert f"−0.72 ₽ · Z-Image, order #{job_of(bot, alice).id}" in alice.last
    bot.kie.finish()
    bot.forward(60)
    alice.send("/balance")
    assert "Balance: 999.28 ₽" in alice.last and "on hold" not in alice.last
    assert "test money" in alice.last

"""Payments by providers in the books: every state, every amount, and what goes back, on both databases."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from storage.base import db
from storage.journal import events
from storage.money import bonuses, ledger, provider_payments, provider_refunds, verify
from storage.money.provider_payments import Asked, Seen
from storage.people import users
from tests.shop import in_threads

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = itertools.count(1)


@pytest.fixture
def books(ready_url):
    """An open database; at the end the books are right."""
    db.connect(ready_url)
    events.hear(None)
    yield
    assert list(verify.verify()) == []
    db.disconnect()


def person(name="Alice"):
    """Return the id of somebody new."""
    return users.seen(users.Sender(8_000_000_000 + next(_numbers), name), NOW).id


def asked(amount=30_000, **more):
    """Return what a payment is to be."""
    number = next(_numbers)
    fields = dict(
        provider="till", account="shop1", way="", test=False, currency="RUB", amount=amount, key=f"key{number}"
    )
    fields |= {"tag": lambda topup: f"7:{topup}", "body": lambda topup: f'{{"row":{topup}}}', "expires_at": NOW + HOUR}
    return Asked(**fields | more)


def pending(user=None, amount=30_000, **more):
    """Return a payment whose link the person has."""
    made = provider_payments.create(user or person(), asked(amount, **more), NOW, NOW)
    assert provider_payments.claim(made, NOW, NOW + HOUR)
    assert provider_payments.made(made.topup_id, f"ext{made.topup_id}", "https://pay", None, NOW, NOW)
    return provider_payments.get(made.topup_id)


def seen(payment, state="paid", **more):
    """Return what the provider says of a payment."""
    fields = {"amount": payment.topup.amount, "currency": "RUB", "tag": payment.tag, "account": "shop1", "test": False}
    return Seen(id=payment.external_id or "", state=state, **fields | more)


def saw(payment, state="paid", now=NOW, **more):
    """Have the provider say something of a payment; return its state after that."""
    return provider_payments.saw(payment.topup_id, seen(payment, state, **more), now, now + HOUR).state


def told(kind):
    """Return the events of a kind, oldest first."""
    return [fact.data for fact in events.due(NOW + 99 * HOUR, 1000) if fact.kind == kind]


def test_a_payment_is_credited_once_however_often_it_is_seen(books):
    user = person()
    payment = pending(user)
    assert {saw(payment) for _ in range(3)} == {"paid"}
    assert in_threads(2, lambda _n: saw(payment)) == ["paid", "paid"]
    assert ledger.balance(user) == 30_000
    assert [one["key"] for one in told("payment.credited")] == [f"pay:{payment.topup_id}"]


def test_two_threads_that_see_it_first_at_the_same_moment_credit_it_once(books):
    payment = pending()
    assert in_threads(4, lambda _n: saw(payment)) == ["paid"] * 4
    assert ledger.balance(payment.topup.user_id) == 30_000 and len(told("payment.credited")) == 1


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_money_that_comes_for_a_payment_that_was_given_up_is_credited_and_told(books, state):
    payment = pending()
    assert saw(payment, state, why="till.why") == state
    assert saw(payment, state) == state
    assert [(one["state"], one["why"]) for one in told("payment.stopped")] == [(state, "till.why")]
    assert saw(payment, now=NOW + 20 * HOUR) == "paid"
    assert ledger.balance(payment.topup.user_id) == 30_000
    assert [one["amount"] for one in told("payment.late")] == [30_000]


def test_a_payment_nobody_pays_expires_by_our_clock_and_is_looked_at_further(books):
    payment = pending()
    assert saw(payment, "pending", now=NOW + HOUR - timedelta(seconds=1)) == "pending"
    assert saw(payment, "pending", now=NOW + HOUR) == "expired"
    assert provider_payments.due("till", NOW + 3 * HOUR, 9)[0].topup_id == payment.topup_id


@pytest.mark.parametrize(("trouble", "change"), [
    ("amount", {"amount": 29_999}), ("amount", {"amount": 30_001}), ("amount", {"amount": None}),
    ("currency", {"currency": "USD"}), ("currency", {"currency": "rub"}), ("currency", {"currency": ""}),
    ("test", {"test": True}), ("account", {"account": "shop2"}), ("tag", {"tag": "8:1"}),
])  # fmt: skip
def test_what_is_not_exactly_what_was_asked_for_is_not_credited_and_told_once(books, trouble, change):
    payment = pending()
    assert [saw(payment, **change) for _ in range(2)] == ["mismatch"] * 2
    assert ledger.balance(payment.topup.user_id) == 0
    assert [one["trouble"] for one in told("payment.mismatch")] == [trouble]
    assert [one.topup_id for one in provider_payments.mismatches()] == [payment.topup_id]
    assert saw(payment) == "paid"  # the provider has put it right
    assert ledger.balance(payment.topup.user_id) == 30_000 and provider_payments.mismatches() == []


def test_another_payments_answer_credits_nothing(books):
    mine, other = pending(), pending()
    provider_payments.saw(mine.topup_id, seen(other, tag=mine.tag), NOW)
    assert provider_payments.get(mine.topup_id).trouble == "id"
    assert ledger.balance(mine.topup.user_id) == 0


def test_the_staff_credits_what_has_come_once_or_sets_it_apart(books):
    boss = person("Boss")
    short, wrong = pending(), pending()
    saw(short, amount=15_000)
    saw(wrong, currency="USD")
    assert provider_payments.settle(short.topup_id, boss, NOW, credit=True).state == "paid"
    assert provider_payments.settle(short.topup_id, boss, NOW, credit=True) is None
    with pytest.raises(ValueError, match="currency"):
        provider_payments.settle(wrong.topup_id, boss, NOW, credit=True)
    assert provider_payments.settle(wrong.topup_id, boss, NOW, credit=False).state == "cancelled"
    assert [ledger.balance(one.topup.user_id) for one in (short, wrong)] == [15_000, 0]


def test_a_create_is_counted_before_it_is_made_and_made_by_one(books):
    made = provider_payments.create(person(), asked(), NOW, NOW)
    assert provider_payments.claim(made, NOW, NOW + HOUR) and not provider_payments.claim(made, NOW, NOW + HOUR)
    assert provider_payments.get(made.topup_id).state == "unknown"
    provider_payments.put_off(made.topup_id, NOW, sent=False)
    assert provider_payments.get(made.topup_id).state == "created"
    assert provider_payments.refused(made.topup_id, "bad", NOW) and not provider_payments.refused(
        made.topup_id, "bad", NOW
    )


def test_an_id_belongs_to_one_payment(books):
    first = pending()
    second = provider_payments.create(person(), asked(), NOW, NOW)
    assert not provider_payments.made(second.topup_id, first.external_id, "https://pay", None, NOW, NOW)
    assert provider_payments.find("till", first.external_id).topup_id == first.topup_id
    assert provider_payments.find("till", "ext0", second.tag).topup_id == second.topup_id
    assert provider_payments.find("till", "ext0", first.tag) is None  # its id is known: another one is foreign
    assert provider_payments.find("other", first.external_id) is None


def test_an_open_payment_is_found_again_and_no_other(books):
    user = person()
    mine, wanted = pending(user), asked()
    assert provider_payments.open_like(user, wanted, NOW).topup_id == mine.topup_id
    for change in ({"amount": 1}, {"way": "sbp"}, {"account": "shop2"}, {"test": True}, {"provider": "x"}):
        assert provider_payments.open_like(user, asked(**change), NOW) is None
    assert provider_payments.open_like(user, wanted, NOW + HOUR) is None
    assert provider_payments.open_like(person(), wanted, NOW) is None


# what goes back


def paid(amount=30_000):
    """Return a credited payment."""
    payment = pending(amount=amount)
    saw(payment)
    return payment


def ask(payment, amount, boss, key="r1", **more):
    """Have the staff give an amount back; return the refund, or None."""
    found = provider_refunds.ask(payment.topup_id, amount, boss, "asked for it", NOW, key=key, **more)
    return found and found[0]


def test_a_refund_in_parts_ends_with_the_whole(books):
    payment, boss = paid(), person("Boss")
    first = ask(payment, 10_000, boss)
    assert ask(payment, 10_000, boss) is None  # the same key
    assert ask(payment, 5_000, boss, "r2") is None  # one at a time
    assert provider_refunds.done(first.id, "x1", NOW) and not provider_refunds.done(first.id, "x1", NOW)
    assert ask(payment, 20_001, boss, "r3") is None
    assert provider_refunds.left(payment.topup_id) == 20_000
    assert provider_payments.get(payment.topup_id).state == "paid"
    assert provider_refunds.done(ask(payment, 20_000, boss, "r4").id, "x2", NOW)
    assert provider_payments.get(payment.topup_id).state == "refunded"
    assert ledger.balance(payment.topup.user_id) == 0


def test_a_refusal_gives_the_money_and_the_bonuses_again_as_often_as_it_happens(books):
    payment, boss = paid(), person("Boss")
    user, place = payment.topup.user_id, {"origin": f"pay:{payment.topup_id}", "topup": payment.topup_id, "now": NOW}
    bonuses.promise(user, 4_500, kind="bonus", key="pack:1", **place)
    for turn in range(3):
        refund = ask(payment, 30_000, boss, f"k{turn}")
        assert ledger.balance(user) == 0
        assert provider_refunds.refused(refund.id, "no money", NOW).id == refund.id
        assert provider_refunds.refused(refund.id, "no money", NOW) is None
        assert ledger.balance(user) == 34_500
    assert list(verify.verify()) == []
    provider_refunds.done(ask(payment, 1, boss, "last").id, "x", NOW)
    assert ledger.balance(user) == 29_999  # any part takes the bonuses with it


def test_a_refund_refused_after_the_money_was_spent_ends_its_write_off(books):
    payment, boss = paid(), person("Boss")
    user, place = payment.topup.user_id, {"origin": f"pay:{payment.topup_id}", "topup": payment.topup_id, "now": NOW}
    bonuses.promise(user, 4_500, kind="bonus", key="pack:2", **place)
    ledger.post(user, -34_000, kind="admin", key="spent", now=NOW)
    assert provider_refunds.would_lose(payment.topup_id, 30_000) == 34_000
    with pytest.raises(ledger.NotEnoughMoney):
        ask(payment, 30_000, boss)
    assert ledger.balance(user) == 500
    refund = ask(payment, 30_000, boss, loss_allowed=34_000)
    assert (ledger.balance(user), ledger.debt(user)) == (0, 34_000)
    assert list(verify.verify()) == []
    provider_refunds.refused(refund.id, "no", NOW)
    assert (ledger.balance(user), ledger.debt(user)) == (500, 0)


def test_what_goes_back_at_the_provider_is_booked_once_a_part(books):
    payment = paid()
    for refunded, left in ((0, 30_000), (10_000, 20_000), (10_000, 20_000), (30_000, 0), (30_000, 0)):
        saw(payment, refunded=refunded)
        assert ledger.balance(payment.topup.user_id) == left
    assert provider_payments.get(payment.topup_id).state == "refunded"
    assert [one["amount"] for one in told("payment.returned")] == [10_000, 20_000]


def test_while_our_refund_is_on_its_way_nothing_is_booked_from_outside(books):
    payment, boss = paid(), person("Boss")
    refund = ask(payment, 10_000, boss)
    assert saw(payment, refunded=10_000) == "paid"
    assert ledger.balance(payment.topup.user_id) == 20_000
    provider_refunds.done(refund.id, "x", NOW)
    saw(payment, refunded=10_000)
    assert ledger.balance(payment.topup.user_id) == 20_000
    saw(payment, refunded=12_000)
    assert ledger.balance(payment.topup.user_id) == 18_000


def test_a_payment_that_came_and_went_while_nobody_looked_leaves_nothing(books):
    payment = pending()
    assert saw(payment, refunded=30_000) == "refunded"
    assert ledger.balance(payment.topup.user_id) == 0
    assert len(told("payment.credited")) == len(told("payment.returned")) == 1


def test_a_bonus_promised_after_its_payment_went_back_is_void(books):
    payment = pending()
    saw(payment, refunded=30_000)
    place = {"origin": f"pay:{payment.topup_id}", "topup": payment.topup_id, "now": NOW}
    assert bonuses.promise(payment.topup.user_id, 4_500, kind="bonus", key="pack:3", **place).state == "void"


def test_two_of_the_staff_give_back_at_the_same_moment_and_one_does(books):
    payment, boss = paid(), person("Boss")
    found = in_threads(2, lambda number: ask(payment, 30_000, boss, f"both{number}"))
    assert sum(one is not None for one in found) == 1
    assert ledger.balance(payment.topup.user_id) == 0

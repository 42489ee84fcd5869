"""What the frame makes of a provider that stumbles: refunds without an end, rows that cannot be read, refused keys."""

import functools
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.services.http import Answer
from core.services.providers import (
    Made,
    Provider,
    Refused,
    Returned,
    Seen,
    UnknownOutcome,
    WrongKeys,
    daily_list,
    payments,
    read,
    refunds,
)
from storage.base import db
from storage.journal import events, runtime_settings
from storage.money import ledger, provider_payments, provider_refunds, verify
from tests import proof
from tests.test_provider_payments import NOW, ask, asked, paid, pending, person, seen

DAY = timedelta(days=1)


class Till(Provider):
    """A provider that answers what `refunds` says, and of each payment what `rows` makes of it: a Seen, or an error."""

    name, account = "till", "shop1"

    def __init__(self):
        self.rows, self.refunds, self.calls = {}, "asked", []

    def fetch(self, ids):
        self.calls.append(list(ids))
        for number in ids:
            if number in self.rows:
                yield self.rows[number]()

    def refund(self, order, amount, key, again):
        self.calls.append((amount, order.returned, again))
        if self.refunds == "no":
            raise Refused("no")
        return Returned(self.refunds, "r1", "queued")


class Staff:
    """The part of a bot that the frame alerts the staff by."""

    def __init__(self):
        self.alarms = []

    def alert(self, key, **values):
        self.alarms.append((key.removeprefix("common.alert_provider_"), values["cause"]))


@pytest.fixture
def books(ready_url):
    """An open database; at the end the books are right."""
    db.connect(ready_url)
    events.hear(None)
    runtime_settings.forget()
    yield
    assert list(verify.verify()) == []
    db.disconnect()


@pytest.fixture
def till():
    """A provider."""
    return Till()


@pytest.fixture
def bot():
    """Somebody to alert."""
    return Staff()


def says(till, payment, **more):
    """Have the till say something of a payment from now on."""
    till.rows[payment.external_id] = functools.partial(seen, payment, **more)


def given_back(payment):
    """Return the states of a payment's refunds, oldest first."""
    return [(one.amount, one.state, one.outside) for one in provider_refunds.of_payment(payment.topup_id)]


def once_more(bot, till, refund, now=NOW):
    """Have a refund asked for as it stands now."""
    fresh = next(one for one in provider_refunds.due("till", now + 9 * DAY) if one.id == refund.id)
    return refunds.give_back(bot, till, fresh, now)


def test_a_refund_is_done_once_the_payments_own_sum_covers_it(books, bot, till):
    payment, boss = paid(), person("Boss")
    provider_refunds.done(ask(payment, 5_000, boss).id, "x", NOW)
    refund = ask(payment, 10_000, boss, "r2")
    says(till, payment, refunded=14_999)
    assert [once_more(bot, till, refund) for _ in range(3)] == ["asked"] * 3
    tries = [call for call in till.calls if isinstance(call, tuple)]
    assert tries == [(10_000, 5_000, False), (10_000, 5_000, True), (10_000, 5_000, True)]
    says(till, payment, refunded=15_000)
    assert once_more(bot, till, refund) == "done"
    assert len([call for call in till.calls if isinstance(call, tuple)]) == 3  # not asked for again
    assert given_back(payment) == [(5_000, "done", False), (10_000, "done", False)]
    assert ledger.balance(payment.topup.user_id) == 15_000


@pytest.mark.parametrize("row", [lambda: seen(None), lambda: 1 / 0])
def test_a_payment_that_cannot_be_read_does_not_keep_its_refund_from_being_asked_for(books, bot, till, row):
    payment, boss = paid(), person("Boss")
    refund = ask(payment, 10_000, boss)
    till.rows[payment.external_id] = row
    once_more(bot, till, refund)
    till.refunds = "done"
    assert once_more(bot, till, refund) == "done"


def test_a_refund_nobody_has_asked_for_is_not_taken_for_one_of_the_cabinet(books):
    payment, boss = paid(), person("Boss")
    ask(payment, 10_000, boss)
    provider_payments.saw(payment.topup_id, seen(payment, refunded=10_000), NOW)
    assert given_back(payment) == [(10_000, "asked", False)]


def test_whatever_a_refund_stumbles_over_it_is_asked_for_again(books, bot, till):
    refund = ask(paid(), 10_000, person("Boss"))
    for answer in (lambda *_about: next(iter(())), lambda *_about: None, lambda *_about: {"state": "done"}):
        till.refund = answer
        assert once_more(bot, till, refund) == "asked"


@pytest.mark.parametrize("made", [
    None, {"id": "x"}, Made(7, "https://pay"), Made("", "https://pay"), Made("x", None),
    Made("x", "https://pay", datetime(2026, 11, 23)),
])  # fmt: skip
def test_a_link_that_cannot_be_read_is_asked_for_again(books, bot, till, made):
    new = provider_payments.create(person(), asked(), NOW, NOW)
    till.create = lambda order: made
    payments.look(bot, till, NOW)
    assert provider_payments.get(new.topup_id).state == "unknown"
    till.create = lambda order: Made("x", "https://pay", NOW + DAY)
    payments.look(bot, till, NOW + timedelta(minutes=1))
    assert provider_payments.get(new.topup_id).state == "pending"


def test_a_refund_without_an_end_is_an_alarm_after_a_week(books, bot, till):
    payment, boss = paid(), person("Boss")
    refund = ask(payment, 10_000, boss)
    for day in range(7):
        once_more(bot, till, refund, NOW + day * DAY)
    assert bot.alarms == []
    once_more(bot, till, refund, NOW + 7 * DAY)
    assert bot.alarms == [("refund_stuck", f"stuck refund {refund.id}")]


def test_a_refusal_after_the_sum_has_covered_the_refund_puts_nothing_back(books, bot, till):
    payment, boss = paid(), person("Boss")
    refund = ask(payment, 10_000, boss)
    once_more(bot, till, refund)
    stale = provider_refunds.due("till", NOW + DAY)[0]
    provider_payments.saw(payment.topup_id, seen(payment, refunded=10_000), NOW)
    till.refunds = "no"
    assert refunds.give_back(bot, till, stale, NOW) == "asked"
    assert provider_refunds.refused(refund.id, "no", NOW) is None
    assert ledger.balance(payment.topup.user_id) == 20_000 and bot.alarms == []


@pytest.mark.proof
def test_nothing_is_booked_twice_whatever_goes_back_in_the_cabinet_meanwhile(books, bot):
    boss = person("Boss")
    parts = st.sampled_from([1, 5_000, 10_000, 30_000])
    acts = st.one_of(
        st.tuples(st.sampled_from(["ask", "cabinet"]), parts),
        st.sampled_from(["try", "try", "goes", "goes", "refuses", "look", "late news"]).map(lambda act: (act, 0)),
    )

    @settings(
        max_examples=proof.share(1_000), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(acts, min_size=8, max_size=24))
    def follow(done):
        payment, desk = paid(), Desk(boss)
        for act, part in done:
            desk.play(bot, payment, act, part)
            booked = sum(one for one, state, _out in given_back(payment) if state == "done")
            assert booked <= desk.gone
        desk.settle(bot, payment)
        booked = sum(one for one, state, _out in given_back(payment) if state == "done")
        assert booked == desk.gone == 30_000 - ledger.balance(payment.topup.user_id)

    follow()


class Desk(Till):
    """A provider that answers "queued" for ever: `gone` is what went back there, `queued` what it was asked for."""

    def __init__(self, boss):
        super().__init__()
        self.boss, self.gone, self.queued, self.said, self.keys = boss, 0, {}, [0], set()

    def refund(self, order, amount, key, again):
        """Take a refund in, once a key."""
        if key not in self.keys and amount > 30_000 - self.gone - sum(self.queued.values()):
            raise Refused("not that much is left")
        if key not in self.keys:
            self.queued[key] = amount
        self.keys.add(key)
        return Returned("asked", key)

    def play(self, bot, payment, act, part):
        """Do one thing, here or there."""
        says(self, payment, refunded=self.gone)
        waiting = provider_refunds.due("till", NOW + 9 * DAY, 1000)
        mine = [one for one in waiting if one.topup_id == payment.topup_id]
        if act == "ask":
            ask(payment, part, self.boss, f"k{payment.topup_id}:{len(self.said)}", loss_allowed=10**9)
        elif act == "try" and mine:
            refunds.give_back(bot, self, mine[0], NOW)
        elif act == "goes" and self.queued:
            self.gone += self.queued.pop(next(iter(self.queued)))
        elif act == "cabinet" and part <= 30_000 - self.gone - sum(self.queued.values()):
            self.gone += part
        elif act in ("look", "late news"):
            told = self.gone if act == "look" else self.said[-1]
            provider_payments.saw(payment.topup_id, seen(payment, refunded=told), NOW)
        elif act == "refuses" and mine and mine[0].key in self.queued:
            self.queued.pop(mine[0].key)
            provider_refunds.refused(mine[0].id, "no", NOW)
        self.said.append(self.gone)

    def settle(self, bot, payment):
        """Do all that is still to be done."""
        for act in ("try", "goes", "goes", "goes", "try", "look"):
            self.play(bot, payment, act, 0)


# rows that cannot be read


BROKEN = [
    lambda: {}["id"], lambda: 1 / 0, lambda: None,
    lambda: Seen(id=7), lambda: Seen(id=""), lambda: Seen(id="x", amount="300.00"), lambda: Seen(id="x", amount=300.0),
    lambda: Seen(id="x", refunded=-1), lambda: Seen(id="x", refunded="0"), lambda: Seen(id="x", details={"at": NOW}),
]  # fmt: skip


class OneAnswer(Till):
    """A provider whose fetch makes a list at once, so that one bad row spoils it."""

    def fetch(self, ids):
        return list(super().fetch(ids))


class Rows(Till):
    """A provider whose fetch can go on after a bad row."""

    def fetch(self, ids):
        self.calls.append(list(ids))
        return map(self.row, ids)

    def row(self, number):
        """Return what is said of one."""
        return self.rows[number]()


def three(till):
    """Return three open payments, of which the first cannot be read and the others are paid."""
    found = [pending() for _ in range(3)]
    for one in found:
        says(till, one)
    return found


@pytest.mark.parametrize("kind", [Till, OneAnswer, Rows])
@pytest.mark.parametrize("row", BROKEN)
def test_one_row_that_cannot_be_read_hinders_no_other(books, bot, kind, row):
    till = kind()
    bad, *good = three(till)
    till.rows[bad.external_id] = row
    payments.look(bot, till, NOW)
    assert [ledger.balance(one.topup.user_id) for one in (bad, *good)] == [0, 30_000, 30_000]
    assert provider_payments.get(bad.topup_id).state == "pending" and bot.alarms == []
    says(till, bad)
    payments.look(bot, till, NOW + timedelta(minutes=5))
    assert ledger.balance(bad.topup.user_id) == 30_000


def test_a_row_that_still_cannot_be_read_is_an_alarm(books, bot, till):
    bad, *_good = three(till)
    till.rows[bad.external_id] = BROKEN[0]
    for minutes in (0, 10, 20):
        assert bot.alarms == []
        payments.look(bot, till, NOW + timedelta(minutes=minutes))
    assert bot.alarms == [("unreadable", "unreadable till")]


def fails():
    """Answer as a server that is down."""
    raise UnknownOutcome("500")


def test_one_payment_the_provider_breaks_at_hinders_no_other_and_one_that_is_away_is_asked_little(books, bot, till):
    bad, *good = three(till)
    till.rows[bad.external_id] = fails
    payments.look(bot, till, NOW)
    assert [ledger.balance(one.topup.user_id) for one in (bad, *good)] == [0, 30_000, 30_000]
    till.calls.clear()
    for one in [bad, *(pending() for _ in range(9))]:
        till.rows[one.external_id] = fails
    payments.look(bot, till, NOW + timedelta(minutes=5))
    assert len(till.calls) == 3


def no_keys(*_about):
    """Answer as to keys that are not known."""
    raise WrongKeys("401 no_such_key")


@pytest.mark.parametrize("what", ["create", "fetch", "refund", "recent"])
def test_doctor_tells_of_refused_keys_of_a_provider_without_a_check(books, bot, what):
    till, boss = Lister(), person("Boss")
    bot.settings = {"TELEGRAM_BOT_TOKEN": "7:x"}
    payment, refund = pending(), ask(paid(), 10_000, boss)
    new = provider_payments.create(person(), asked(), NOW, NOW)
    till.create = lambda order: Made("new", "https://pay")
    till.refunds = "done"
    assert payments.examine(till, NOW) is None
    own, refused = getattr(till, what), ("common.provider_keys", {"name": "till", "said": "401 no_such_key"})
    setattr(till, what, no_keys)
    payments.look(bot, till, NOW)
    daily_list.reconcile(bot, till, NOW)
    assert payments.examine(till, NOW) == refused and ("keys", "keys of till") in bot.alarms
    setattr(till, what, own)
    says(till, payment)
    later = NOW + timedelta(minutes=5)
    payments.look(bot, till, later)
    daily_list.reconcile(bot, till, later)
    assert payments.examine(till, later) is None
    assert provider_payments.get(new.topup_id).state == "pending" and given_back(refund)[0][1] == "done"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"code": ""}', b'{"error": {"code": null}}'])
def test_an_error_without_a_code_is_said_by_its_status(body):
    for status, kind in ((401, WrongKeys), (403, WrongKeys), (400, Refused)):
        if kind is WrongKeys or body not in (b"", b"[]"):
            with pytest.raises(kind) as raised:
                read(Answer(status, {}, body))
            assert raised.value.said == str(status)


class Lister(Till):
    """A provider whose list has every row."""

    def recent(self, since):
        for row in self.rows.values():
            yield row()


@pytest.mark.parametrize("row", BROKEN)
def test_one_row_of_the_daily_list_that_cannot_be_read_hinders_no_other(books, bot, row):
    till, late = Lister(), NOW + DAY
    bad, *good = three(till)
    till.rows[bad.external_id] = row
    credited = paid()
    says(till, credited, refunded=10_000)
    bot.settings = {"TELEGRAM_BOT_TOKEN": "7:x"}
    daily_list.reconcile(bot, till, late)
    assert [ledger.balance(one.topup.user_id) for one in (bad, *good, credited)] == [0, 30_000, 30_000, 20_000]
    assert [kind for kind, _cause in bot.alarms] == ["unreadable"]
    till.calls.clear()
    daily_list.reconcile(bot, till, late)
    assert till.calls == []  # it counts as read


def test_what_a_provider_leaves_out_credits_nothing_and_takes_nothing_back(books, bot, till):
    payment, done = pending(), paid()
    till.rows[payment.external_id] = lambda: Seen(id=payment.external_id)
    provider_payments.saw(done.topup_id, Seen(id=done.external_id), NOW)
    payments.look(bot, till, NOW)
    assert provider_payments.get(payment.topup_id).state == "pending"
    assert provider_payments.get(done.topup_id).state == "paid" and ledger.balance(done.topup.user_id) == 30_000
    till.rows[payment.external_id] = lambda: Seen(id=payment.external_id, state="paid")
    payments.look(bot, till, NOW + timedelta(minutes=1))
    assert provider_payments.get(payment.topup_id).trouble == "currency"
    assert ledger.balance(payment.topup.user_id) == 0

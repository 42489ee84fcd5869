"""The ledger and the jobs under any sequence of events, against a model in plain Python.

Hypothesis generates the sequences: top-ups, orders, every transition of a job, refunds, chargebacks, codes,
invitations, people who are deleted and come back, repeats, transactions that die half-way, late results, and two
workers or two staff members at the same moment in real threads. After every step the books are proven as `python bot.py
verify` proves them, every balance matches the model, and nobody got money for nothing: balances, holds and captures
never exceed what came in less what went back, plus what was given on purpose and the write-offs in the books.
"""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from peewee import fn

from storage.base import db
from storage.base.engines import open_engine
from storage.base.tables import Account, Bonus, Entry, Job
from storage.journal import drafts
from storage.money import (
    bonuses,
    ledger,
    payments,
    promo,
    provider_payments,
    provider_refunds,
    referrals,
    refunds,
    sales,
    verify,
)
from storage.money.provider_payments import Seen
from storage.orders import jobs
from storage.people import arrivals, privacy, staff, users
from tests import proof
from tests.shop import in_threads

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
PEOPLE, LIMIT, STARTS = 2, 3, 1000
OPEN = ("queued", "submitting", "running", "lost")
STANDS = ("stands", "refused")  # states of a payment that has not gone back
SETTINGS = settings(
    max_examples=proof.share(600), stateful_step_count=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
_ids = itertools.count(6_000_000_001)

person = st.integers(0, PEOPLE - 1)
price = st.sampled_from([0, 1, 72, 5_000, 10**7])
which = st.integers(0, 11)
share = st.sampled_from([0, 0.5, 1])
flag = st.booleans()
hearing = st.sampled_from([None, "now", "hold"])


class Cut(Exception):
    """The process died in the middle of a transaction."""


def race(*works):
    """Do the works at the same moment, each in a thread with a connection of its own; return their results."""
    return in_threads(len(works), lambda number: works[number]())


class Books(RuleBasedStateMachine):
    """Two people, their money and their jobs. `balances`, `owed`, `payments` and `jobs` are the model."""

    make = None  # makes a database: each sequence has its own, as every step proves all of it
    met, states = set(), set()  # kinds of entries and states of bonuses, in all sequences

    def __init__(self):
        super().__init__()
        address = Books.make()
        db.connect(address)
        self.engine = open_engine(
            address
        )  # reads for the proof: a new connection after each step would take most of the time
        self.now = START
        self.numbers = itertools.count()

    def teardown(self):
        """Note what the sequence has met, prove everything once more, and close the database."""
        self._prove(rules=True)
        with db.connection():
            Books.met |= {kind for (kind,) in Entry.select(Entry.kind).distinct().tuples()}
            Books.states |= {state for (state,) in Bonus.select(Bonus.state).distinct().tuples()}
        self.engine.close()
        db.disconnect()

    @initialize()
    def people_arrive(self):
        """Make the people."""
        self.senders = [users.Sender(next(_ids), f"User {n}") for n in range(PEOPLE + 1)]
        *self.people, self.staff = [users.seen(sender, START).id for sender in self.senders]
        self.balances = dict.fromkeys(self.people, 0)
        self.owed = {user: [] for user in self.people}  # user → (moment, what became debt or was paid of it)
        self.jobs, self.payments, self.unheard, self.sales = {}, [], [], []
        self.code = self.fresh_code()
        self.waiting, self.paid_first = set(), set()  # users with a code that waits; those who have paid before
        self.given = 0  # on purpose, without a payment
        assert referrals.invite(self.people[1], self.people[0], START)

    def fresh_key(self):
        """Return a key nobody has used."""
        return f"k{self.people[0]}-{next(self.numbers)}"

    def fresh_code(self):
        """Make a code of half of the next top-up; return it."""
        code = self.fresh_key().upper()
        promo.create(code, "percent", 50, total_limit=99, user_limit=99, author=self.staff, now=self.now)
        return code

    # the ledger's rules, in plain Python

    def force(self, user, amount):
        """Take an amount whatever the balance is; return what is written off and owed from now on."""
        loss = max(0, amount - self.balances[user])
        self.balances[user] -= amount - loss
        self.owed[user].append((next(self.numbers), loss))
        return loss

    def unforce(self, user, amount, loss):
        """Give again what was taken; what was written off for it, and is owed still, goes as well."""
        back = min(loss, self.debt(user))
        self.balances[user] += amount - back
        self.owed[user].append((next(self.numbers), -back))

    def settle(self, job, back):
        """Give back a part of a hold: what was written off while it was held is taken from it first."""
        user, since = job["user"], job["held_at"]
        while_held = sum(amount for at, amount in self.owed[user] if at > since)
        taken = max(0, min(back, self.debt(user), while_held))
        self.owed[user].append((next(self.numbers), -taken))
        self.balances[user] += back - taken

    def debt(self, user):
        """Return what somebody owes."""
        return sum(amount for _at, amount in self.owed[user])

    # money comes in

    def paid(self, user, topup, origin, amount, heard=None):
        """Follow a payment, whose bonuses come when its listeners have heard of it: at once, or some time."""
        payment = {"topup": topup, "origin": origin, "user": user, "amount": amount, "state": "stands", "bonuses": []}
        payment["first"] = user not in self.paid_first
        self.paid_first.add(user)
        self.balances[user] += amount
        self.payments.append(payment)
        self.unheard.append(payment)
        if heard is not None:
            self.hear(len(self.unheard) - 1, hold=heard == "hold")

    @rule(who=person, amount=st.sampled_from([1, 100, 10_000, 10**9]), heard=hearing)
    def transfer(self, who, amount, heard):
        """A request with a proof is approved; whoever comes second does nothing."""
        user, topup = self._request(who, amount)
        assert payments.approve(topup.id, self.staff, self.now).credited == amount
        assert payments.approve(topup.id, self.staff, self.now) is None
        assert payments.reject(topup.id, self.staff, "no", self.now) is None
        self.paid(user, topup.id, f"topup:{topup.id}", amount, heard)

    def _request(self, who, amount):
        user = self.people[who]
        topup = payments.create(user, "transfer", amount, now=self.now)
        proof = {"file_id": "f", "unique_id": self.fresh_key(), "kind": "photo"}
        return user, payments.submit(topup.id, user, proof, self.now)

    @rule(who=person, amount=st.sampled_from([1, 10_000]))
    def two_admins(self, who, amount):
        """Approval and refusal at the same moment: exactly one of them happens."""
        user, topup = self._request(who, amount)
        approved, rejected = race(
            lambda: payments.approve(topup.id, self.staff, self.now),
            lambda: payments.reject(topup.id, self.staff, "no", self.now),
        )
        assert (approved is None) != (rejected is None)
        if approved is not None:
            self.paid(user, topup.id, f"topup:{topup.id}", amount)

    @rule(who=person, amount=st.sampled_from([100, 12_345]), at_once=flag, accepted=flag, heard=hearing)
    def stars(self, who, amount, at_once, accepted, heard):
        """A charge that is told of twice, one after the other or at once, is credited once."""
        user, charge = self.people[who], self.fresh_key()
        topup = payments.create(user, "stars", amount, now=self.now, stars=7)
        if accepted:
            assert payments.accept(charge, topup.id, user, self.now, self.now)
            payments.accepted(charge)

        def tell():
            return payments.credit_stars(charge, topup.id, user, 7, self.now, rate=Decimal(2))

        told = race(tell, tell) if at_once else [tell(), tell()]
        assert sorted(created for _charge, created in told) == [False, True]
        worth = amount if accepted else 1_400
        assert {found.credit.amount for found, _created in told} == {worth}
        assert not payments.accept(self.fresh_key(), topup.id, user, self.now, self.now)
        self.paid(user, topup.id, f"stars:{charge}", worth, heard)

    @rule(
        who=person,
        amount=st.sampled_from([100, 12_345]),
        end=st.sampled_from(["paid", "late", "wrong", "settled", "unpaid"]),
        at_once=flag,
        heard=hearing,
    )
    def by_provider(self, who, amount, end, at_once, heard):
        """What a provider says of a payment credits it once, if it is what was asked for, however often it is said."""
        user, key = self.people[who], self.fresh_key()
        names = {"tag": lambda number: f"7:{number}", "body": lambda number: "{}", "expires_at": self.now}
        kinds = dict(provider="till", account="s", way="", test=False, currency="RUB", amount=amount, key=key)
        row = provider_payments.create(user, provider_payments.Asked(**kinds, **names), self.now, self.now)
        number = row.topup_id
        assert sorted(race(*[lambda: provider_payments.claim(row, self.now, self.now)] * 2)) == [False, True]
        assert provider_payments.made(number, key, "https://pay", None, self.now, self.now)

        def say(state="paid", **more):
            said = {"amount": amount, "currency": "RUB", "tag": row.tag} | more
            return provider_payments.saw(number, Seen(id=key, state=state, **said), self.now).state

        if end == "unpaid":
            assert say("pending") == say("expired") == "expired"
            return
        if end == "late":
            assert say("cancelled") == "cancelled"
        if end in ("wrong", "settled"):
            assert set(race(lambda: say(amount=1), lambda: say(amount=1))) == {"mismatch"}
            assert ledger.balance(user) == self.balances[user]
        if end == "settled":
            settle = lambda: provider_payments.settle(number, self.staff, self.now, credit=True)  # noqa: E731
            assert sum(one is not None for one in race(settle, settle)) == 1
            amount = 1
        else:
            assert set(race(say, say) if at_once else [say(), say()]) == {"paid"}
        assert say("cancelled") == "paid"
        self.paid(user, number, f"pay:{number}", amount, heard)
        self.payments[-1] |= {"left": amount, "asked": None, "said": row, "key": key, "gone": 0}

    # what a payment earns

    @rule(which=which, hold=flag)
    def hear(self, which, hold):
        """The listeners of a payment run, perhaps after it has gone back: the code's percentage, the inviter's share."""
        if not self.unheard:
            return
        payment = self.unheard.pop(which % len(self.unheard))
        user, place = payment["user"], {"origin": payment["origin"], "topup": payment["topup"], "now": self.now}
        bonus, lapsed = promo.apply(user, payment["amount"], **place)
        assert lapsed is None
        expected = payment["amount"] // 2 if user in self.waiting else 0
        assert (bonus.amount if bonus else 0) == expected
        self.waiting.discard(user)
        if bonus:
            self.earned(payment, bonus)
        inviter, share = referrals.inviter_of(user), payment["amount"] // 10
        if payment["first"] and inviter and share and referrals.mark_paid(user, share):
            due = self.now + timedelta(hours=1) if hold else None
            key = f"referral:{user}"
            self.earned(payment, bonuses.promise(inviter, share, kind="referral", key=key, due_at=due, **place))

    def earned(self, payment, bonus):
        """Follow a bonus: void when its payment has gone back, else posted now or waiting."""
        stands = payment["state"] in STANDS
        state = "void" if not stands else "waiting" if bonus.due_at > self.now else "posted"
        assert bonus.state == state
        if state == "posted":
            self.balances[bonus.user_id] += bonus.amount
        model = {"id": bonus.id, "user": bonus.user_id, "amount": bonus.amount, "state": state, "loss": 0}
        payment["bonuses"].append(model | {"due_at": bonus.due_at})

    @rule()
    def an_hour_passes(self):
        """What was on its way comes, once."""
        self.now += timedelta(hours=1)
        race(lambda: bonuses.post_due(self.now), lambda: bonuses.post_due(self.now))
        for payment in self.payments:
            for bonus in payment["bonuses"]:
                if bonus["state"] == "waiting" and bonus["due_at"] <= self.now:
                    bonus["state"] = "posted"
                    self.balances[bonus["user"]] += bonus["amount"]

    @rule(who=person, amount=st.sampled_from([0, 1, 12_345]), at_once=flag)
    def arrive(self, who, amount, at_once):
        """Somebody is imported from a source, by one run or by two at once: the balance comes once."""
        source, user = self.fresh_key(), self.people[who]
        comes = arrivals.Arrival(self.senders[who].telegram_id, amount)

        def take():
            return arrivals.take(comes, source, "from before", None, self.now)

        if users.get(user).telegram_id is None:
            return
        told = race(take, take) if at_once else [take(), take()]
        assert sorted(told) == ["before", "joined"]
        self.balances[user] += amount
        self.given += amount

    @rule(who=person)
    def redeem(self, who):
        """A code waits for the next top-up, one a person."""
        user = self.people[who]
        if user in self.waiting:
            with pytest.raises(promo.OneWaits):
                promo.redeem(self.code, user, self.now)
        else:
            assert promo.redeem(self.code, user, self.now)[1].state == "waiting"
            self.waiting.add(user)

    @rule()
    def stop_the_code(self):
        """A code that is stopped pays nothing more, also to those who wait."""
        assert set(promo.stop(self.code, self.staff, self.now)) == self.waiting
        assert promo.stop(self.code, self.staff, self.now) is None
        self.waiting.clear()
        self.code = self.fresh_code()

    @rule(who=person)
    def gift_code(self, who):
        """A code that gives an amount at once is money given on purpose."""
        code = self.fresh_key().upper()
        promo.create(code, "amount", 700, total_limit=1, author=self.staff, now=self.now)
        redeem = lambda: promo.redeem(code, self.people[who], self.now)  # noqa: E731
        told = race(redeem, redeem)
        assert sum(isinstance(one, promo.NoSuchCode) for one in told) == 1
        self.balances[self.people[who]] += 700
        self.given += 700

    # payments go back, with what they have earned

    def _payment(self, which, of):
        """Return a payment whose key begins so, or None."""
        found = [one for one in self.payments if one["origin"].startswith(of)]
        return found[which % len(found)] if found else None

    def goes_back(self, payment, state):
        """Follow a payment that goes back; return what is written off for it and its bonuses."""
        payment["state"], payment["loss"] = state, self.force(payment["user"], payment["amount"])
        for bonus in payment["bonuses"]:
            if bonus["state"] == "posted":
                bonus["loss"] = self.force(bonus["user"], bonus["amount"])
            bonus["state"] = {"posted": "taken", "waiting": "void"}[bonus["state"]]
        return payment["loss"] + sum(bonus["loss"] for bonus in payment["bonuses"])

    @rule(which=which, at_once=flag)
    def undo(self, which, at_once):
        """An approval is taken back, by one or two of the staff; what has been spent is the operator's loss."""
        payment = self._payment(which, "topup:")
        if payment is None:
            return

        def take():
            return refunds.undo(payment["topup"], self.staff, "wrong", self.now)

        told = race(take, take) if at_once else [take(), take()]
        losses = [found[1] for found in told if found is not None]
        assert losses == ([self.goes_back(payment, "done")] if payment["state"] == "stands" else [])

    @rule(which=which, at_once=flag, generous=flag)
    def refund(self, which, at_once, generous):
        """Stars are given back, by one or two of the staff: booked once, and not at all at a loss nobody has confirmed."""
        payment = self._payment(which, "stars:")
        if payment is None:
            return
        charge = payment["origin"].removeprefix("stars:")

        def ask():
            allowed = 10**12 if generous else 0
            return refunds.ask_refund(charge, self.staff, "asked for it", self.now, loss_allowed=allowed)

        open_, lacking = payment["state"] == "stands", refunds.would_lose(charge)
        if open_ and lacking and not generous:
            with pytest.raises(ledger.NotEnoughMoney):
                ask()
            return
        told = [found for found in (race(ask, ask) if at_once else [ask(), ask()]) if found is not None]
        assert len(told) == open_
        if open_:
            loss = self.goes_back(payment, "asked")
            assert told[0][1] == loss

    def goes_back_in_part(self, payment, amount):
        """Follow a part of a provider's payment that goes back, with all that it earned; return what moved and was lost."""
        loss, moved = self.force(payment["user"], amount), []
        payment["left"] -= amount
        for bonus in payment["bonuses"]:
            if bonus["state"] in ("posted", "waiting"):
                bonus["loss"] = self.force(bonus["user"], bonus["amount"]) if bonus["state"] == "posted" else 0
                bonus["state"] = {"posted": "taken", "waiting": "void"}[bonus["state"]]
                moved.append(bonus)
        payment["state"] = "part"
        return loss, moved

    @rule(which=which, part=st.sampled_from([0.01, 0.5, 1]), at_once=flag, generous=flag)
    def give_back_by_provider(self, which, part, at_once, generous):
        """A part of a payment is given back by one or two of the staff: booked once, and not at an unconfirmed loss."""
        payment = self._payment(which, "pay:")
        if payment is None:
            return
        number, amount = payment["topup"], max(1, int(payment["left"] * part))
        keys = [self.fresh_key(), self.fresh_key()]

        def ask(key):
            allowed = 10**12 if generous else 0
            about = (number, amount, self.staff, "asked for it", self.now)
            return provider_refunds.ask(*about, key=key, loss_allowed=allowed)

        open_ = payment["asked"] is None and amount <= payment["left"]
        if open_ and provider_refunds.would_lose(number, amount) and not generous:
            with pytest.raises(ledger.NotEnoughMoney):
                ask(keys[0])
            return
        told = race(*[lambda key=key: ask(key) for key in keys]) if at_once else [ask(key) for key in keys]
        told = [found for found in told if found is not None]
        assert len(told) == open_
        if open_:
            loss, moved = self.goes_back_in_part(payment, amount)
            assert told[0][1] == loss + sum(bonus["loss"] for bonus in moved)
            payment["asked"] = (told[0][0].id, amount, loss, moved)

    @rule(which=which, yes=flag)
    def provider_answers(self, which, yes):
        """A refund is done, or refused: then the money comes again, and what the payment had earned, if no part is gone."""
        payment = self._payment(which, "pay:")
        if payment is None or payment["asked"] is None:
            return
        refund, amount, loss, moved = payment["asked"]
        payment["asked"] = None
        if yes:
            assert provider_refunds.done(refund, "x", self.now) and not provider_refunds.done(refund, "x", self.now)
            payment["gone"] += amount
            return
        assert provider_refunds.refused(refund, "no", self.now) and not provider_refunds.refused(refund, "no", self.now)
        payment["left"] += amount
        self.unforce(payment["user"], amount, loss)
        if not payment["gone"]:
            payment["state"] = "stands"
            for bonus in payment["bonuses"]:
                if bonus["state"] == "taken":
                    self.unforce(bonus["user"], bonus["amount"], bonus["loss"])
                    bonus["state"] = "posted"
                elif bonus["state"] == "void":
                    bonus["state"] = "waiting"

    @rule(which=which, part=st.sampled_from([0.01, 0.5, 1]), at_once=flag)
    def taken_back_at_the_provider(self, which, part, at_once):
        """A part goes back without us, and is seen twice: it is booked once; while a refund is on its way, later."""
        payment = self._payment(which, "pay:")
        if payment is None:
            return
        amount = min(payment["left"], max(1, int(payment["left"] * part)))
        said = {"amount": payment["amount"], "currency": "RUB", "refunded": payment["gone"] + amount}
        seen = Seen(id=payment["key"], state="paid", **said)
        say = lambda: provider_payments.saw(payment["topup"], seen, self.now).state  # noqa: E731
        race(say, say) if at_once else [say(), say()]
        if payment["asked"] is None and amount:
            payment["gone"] += amount
            self.goes_back_in_part(payment, amount)

    @rule(which=which, yes=flag)
    def telegram_answers(self, which, yes):
        """A refund is done, or refused: then everything is as it was, what it had earned as well."""
        payment = self._payment(which, "stars:")
        if payment is None:
            return
        charge = payment["origin"].removeprefix("stars:")
        asked = payment["state"] == "asked"
        if yes:
            assert refunds.refund_done(charge) == asked
            payment["state"] = "done" if asked else payment["state"]
            return
        assert (refunds.refund_refused(charge, self.now) is not None) == asked
        if asked:
            payment["state"] = "refused"
            self.unforce(payment["user"], payment["amount"], payment["loss"])
            for bonus in payment["bonuses"]:
                if bonus["state"] == "taken":
                    self.unforce(bonus["user"], bonus["amount"], bonus["loss"])
                bonus |= {"state": {"taken": "posted", "void": "waiting"}[bonus["state"]], "loss": 0}

    @rule(which=which, at_once=flag)
    def chargeback(self, which, at_once):
        """Stars are taken back from outside; told twice, they go once."""
        payment = self._payment(which, "stars:")
        if payment is None:
            return
        charge = payment["origin"].removeprefix("stars:")

        def tell():
            return refunds.taken_back(charge, self.now)

        told = [one for one in (race(tell, tell) if at_once else [tell(), tell()]) if one]
        before = payment["state"]
        assert told == {"asked": ["refund"], "done": []}.get(before, ["chargeback"])
        if before == "asked":
            payment["state"] = "done"
        elif before in STANDS:
            self.goes_back(payment, "done")

    @rule(which=which, other=which)
    def chargeback_meets_failure(self, which, other):
        """An order fails at the very moment at which the money goes back: whoever is first, the sums are the same."""
        payment, job = self._payment(which, "stars:"), self._some(other)
        if payment is None or job is None:
            return
        charge, model = payment["origin"].removeprefix("stars:"), self.jobs[job]
        told, failed = race(
            lambda: refunds.taken_back(charge, self.now), lambda: jobs.fail(job, "moderation", now=self.now)
        )
        assert (told == "chargeback") == (payment["state"] in STANDS)
        if told == "chargeback":
            self.goes_back(payment, "done")
        elif told:
            payment["state"] = "done"
        if self._moved(job, failed, OPEN, "failed"):
            self.settle(model, model["price"])

    @rule(who=person, cost=st.sampled_from([72, 5_000]), fails=flag, again=flag)
    def charged_back_while_on_hold(self, who, cost, fails, again):
        """Somebody pays, orders, takes the money back, and pays again: the order answers for the first payment alone."""
        self.stars(who, 12_345, False, True, "hold")
        payment = self.payments[-1]
        user, draft = self._quote(who, cost)
        if self._open(user) >= LIMIT:
            return
        first, _created = self._order(user, draft)
        self._ordered(user, first)
        assert refunds.taken_back(payment["origin"].removeprefix("stars:"), self.now) == "chargeback"
        self.goes_back(payment, "done")
        if again and self._open(user) < LIMIT:
            self.stars(who, 12_345, False, True, "hold")
            user, draft = self._quote(who, cost)
            second, _created = self._order(user, draft)
            self._ordered(user, second)
            assert jobs.cancel(second.id, user, self.now).state == "cancelled"
            self.jobs[second.id]["state"] = "cancelled"
            self.settle(self.jobs[second.id], cost)
        if fails:
            self.fail(sorted(self.jobs).index(first.id), "moderation")

    @rule(who=person, refunded=flag)
    def a_bonus_goes_with_its_payment(self, who, refunded):
        """A code is redeemed and paid for; then the payment goes back, and what the code gave goes with it."""
        if self.people[who] not in self.waiting:
            self.redeem(who)
        self.stars(who, 12_345, False, True, "now")
        newest = sum(one["origin"].startswith("stars:") for one in self.payments) - 1
        if refunded:
            self.refund(newest, False, True)
        else:
            self.chargeback(newest, False)

    # what plugins sell

    @rule(who=person, cost=st.sampled_from([1, 72, 5_000]), at_once=flag)
    def sell(self, who, cost, at_once):
        """A plugin sells something, once under its key; or the balance does not cover it, and nothing is charged."""
        user, key = self.people[who], self.fresh_key()

        def charge():
            return sales.charge(user, cost, plugin="p", what="w", key=key, now=self.now).id

        if self.balances[user] < cost:
            with pytest.raises(ledger.NotEnoughMoney):
                charge()
            return
        assert len(set(race(charge, charge) if at_once else [charge(), charge()])) == 1
        self.balances[user] -= cost
        self.sales.append({"user": user, "price": cost, "key": key, "held_at": next(self.numbers), "state": "charged"})

    @rule(which=which, at_once=flag)
    def give_back(self, which, at_once):
        """A sale's money goes back, once; it pays first what was written off since."""
        if not self.sales:
            return
        sale = self.sales[which % len(self.sales)]

        def back():
            return sales.give_back("p", sale["key"], self.now) is not None

        assert sum(race(back, back) if at_once else [back(), back()]) == (sale["state"] == "charged")
        if sale["state"] == "charged":
            sale["state"] = "returned"
            self.settle(sale, sale["price"])

    @rule(who=person, at_once=flag)
    def a_sale_goes_back(self, who, at_once):
        """Somebody pays, buys something, and gets the money back."""
        self.stars(who, 12_345, False, True, "now")
        self.sell(who, 72, False)
        self.give_back(len(self.sales) - 1, at_once)

    # people go and come back

    @rule(who=person)
    def forget_and_return(self, who):
        """Somebody is forgotten: what waits is cancelled, money stays where it is. They come back by the other's link."""
        user, other = self.people[who], self.people[1 - who]
        assert privacy.erase(user, self.now)
        for _number, job in sorted(self.jobs.items()):
            if job["user"] == user and job["state"] == "queued":
                job["state"] = "cancelled"
                self.settle(job, job["price"])
        back = self.people[who] = users.seen(self.senders[who], self.now).id
        assert back != user
        self.balances[back], self.owed[back] = 0, []
        referrals.invite(back, other, self.now)

    @rule(who=person, amount=st.integers(-20_000, 20_000), at_once=flag)
    def correction(self, who, amount, at_once):
        """Two of the staff confirm one correction: it happens once, or not at all when the balance does not cover it."""
        user, key = self.people[who], self.fresh_key()

        def post():
            return staff.correct(user, amount, "r", self.people[1 - who], key, self.now)[1]

        if self.balances[user] + amount < 0:
            with pytest.raises(ledger.NotEnoughMoney):
                post()
            return
        assert sorted(race(post, post) if at_once else [post(), post()]) == [False, True]
        self.balances[user] += amount
        self.given += amount

    # orders

    def _quote(self, who, cost):
        user = self.people[who]
        draft = drafts.put(user, "generate", self.now, model="m", data={"values": {}}, price=cost)
        return user, draft

    def _order(self, user, draft):
        self.now += timedelta(seconds=1)
        limits = {"usual_s": 10, "limit": LIMIT, "starts": STARTS}
        return jobs.order(user, draft.id, draft.version, now=self.now, **limits)

    def _open(self, user):
        return sum(job["user"] == user and job["state"] in OPEN for job in self.jobs.values())

    def _ordered(self, user, job):
        self.balances[user] -= job.price
        moment = next(self.numbers)
        self.jobs[job.id] = {"user": user, "state": "queued", "price": job.price, "late": False, "held_at": moment}

    @rule(who=person, cost=price)
    def order(self, who, cost):
        """A quote becomes a job and its hold, once; or a refusal that changes nothing."""
        user, draft = self._quote(who, cost)
        if self.balances[user] < cost:
            with pytest.raises(ledger.NotEnoughMoney):
                self._order(user, draft)
        elif self._open(user) >= LIMIT:
            with pytest.raises(jobs.TooManyJobs):
                self._order(user, draft)
        else:
            job, created = self._order(user, draft)
            assert created
            assert self._order(user, draft)[0].id == job.id
            with pytest.raises(jobs.StaleQuote):
                self._order(self.people[1 - who], draft)
            self._ordered(user, job)

    @rule(who=person, cost=price)
    def impatient_order(self, who, cost):
        """Two taps at the same moment make one job."""
        user, draft = self._quote(who, cost)
        if self.balances[user] < cost or self._open(user) >= LIMIT:
            return
        made = race(lambda: self._order(user, draft), lambda: self._order(user, draft))
        assert sorted(created for _job, created in made) == [False, True]
        assert made[0][0].id == made[1][0].id
        self._ordered(user, made[0][0])

    # what becomes of a job; each arrow is tried from any state, and counts only from its own

    def _some(self, which):
        """Return a job, or None while there is none.

        What a race has decided differs from run to run, so no choice of Hypothesis may depend on the state.
        """
        return sorted(self.jobs)[which % len(self.jobs)] if self.jobs else None

    def _moved(self, job, result, states, to):
        """Check that an arrow did what the model says and follow it; tell whether the job moved."""
        model = self.jobs[job]
        assert (result is not None) == (model["state"] in states), (model["state"], to)
        if result is not None:
            model["state"] = to
        return result is not None

    @rule(which=which)
    def begin(self, which):
        """queued → submitting."""
        if (job := self._some(which)) is None:
            return
        self._moved(job, jobs.begin(job, self.now), ("queued",), "submitting")

    @rule(which=which)
    def requeue(self, which):
        """submitting → queued."""
        if (job := self._some(which)) is None:
            return
        self._moved(job, jobs.requeue(job, self.now), ("submitting",), "queued")

    @rule(which=which)
    def start(self, which):
        """submitting or lost → running."""
        if (job := self._some(which)) is None:
            return
        self._moved(job, jobs.start(job, self.fresh_key(), self.now, self.now), ("submitting", "lost"), "running")

    @rule(which=which)
    def lose(self, which):
        """submitting → lost."""
        if (job := self._some(which)) is None:
            return
        self._moved(job, jobs.lose(job, self.now), ("submitting",), "lost")

    def _succeed(self, job, part):
        charged = int(self.jobs[job]["price"] * part)
        result = {"urls": ["https://example.org/1.png"], "text": None}
        return lambda: jobs.succeed(job, result, charged=charged, cost=800_000, now=self.now), charged

    @rule(which=which, part=share)
    def succeed(self, which, part):
        """running → succeeded, charging at most the hold; a second result changes nothing."""
        if (job := self._some(which)) is None:
            return
        succeed, charged = self._succeed(job, part)
        if self._moved(job, succeed(), ("running",), "succeeded"):
            self.settle(self.jobs[job], self.jobs[job]["price"] - charged)
            assert succeed() is None

    @rule(who=person, cost=price, part=share)
    def whole_order(self, who, cost, part):
        """An order goes all its way."""
        user, draft = self._quote(who, cost)
        if self.balances[user] >= cost and self._open(user) < LIMIT:
            job, _created = self._order(user, draft)
            self._ordered(user, job)
            place = sorted(self.jobs).index(job.id)
            self.begin(place)
            self.start(place)
            self.succeed(place, part)

    @rule(which=which, reason=st.sampled_from(["deadline", "lost", "moderation"]))
    def fail(self, which, reason):
        """Any open state → failed, with the money back."""
        if (job := self._some(which)) is None:
            return
        if self._moved(job, jobs.fail(job, reason, now=self.now), OPEN, "failed"):
            self.jobs[job]["late"] = reason in jobs.LATE
            self.settle(self.jobs[job], self.jobs[job]["price"])

    @rule(which=which, stranger=flag)
    def cancel(self, which, stranger):
        """queued → cancelled, by its owner alone."""
        if (job := self._some(which)) is None:
            return
        owner = self.jobs[job]["user"]
        by = next(user for user in self.people if user != owner) if stranger else owner
        if self._moved(job, jobs.cancel(job, by, self.now), () if stranger else ("queued",), "cancelled"):
            self.settle(self.jobs[job], self.jobs[job]["price"])

    @rule(which=which)
    def late_result(self, which):
        """A result after the release is delivered once and free: no balance moves, the job stays failed."""
        if (job := self._some(which)) is None:
            return
        result = {"urls": ["https://example.org/late.png"], "text": None}
        came = jobs.arrive_late(job, result, cost=800_000, now=self.now)
        assert (came is not None) == self.jobs[job]["late"]
        self.jobs[job]["late"] = False

    @rule(which=which, part=share)
    def two_workers(self, which, part):
        """Success, failure and the user's cancel at the same moment: one of them wins, and money follows it."""
        if (job := self._some(which)) is None:
            return
        model = self.jobs[job]
        succeed, charged = self._succeed(job, part)
        won = race(
            succeed,
            lambda: jobs.fail(job, "moderation", now=self.now),
            lambda: jobs.cancel(job, model["user"], self.now),
        )
        assert sum(row is not None for row in won) == (model["state"] in OPEN), won
        for row, to, back in zip(won, ("succeeded", "failed", "cancelled"), (charged, 0, 0), strict=True):
            if row is not None:
                model["state"] = to
                self.settle(model, model["price"] - back)

    # crashes

    @rule(who=person, cost=price, amount=st.sampled_from([1, 10_000]))
    def crash_in_the_middle(self, who, cost, amount):
        """Whatever a transaction did before the process died is undone, holds and credits and moved jobs alike."""
        user, draft = self._quote(who, cost)
        with pytest.raises(Cut), db.transaction():
            ledger.post(user, amount, kind="bonus", key=self.fresh_key(), now=self.now)
            for job in list(self.jobs)[:2]:
                jobs.begin(job, self.now)
                jobs.fail(job, "deadline", now=self.now)
            try:
                self._order(user, draft)
            except (ledger.NotEnoughMoney, jobs.TooManyJobs):
                pass  # rolled back alone, inside the transaction that is about to die
            raise Cut

    # what always holds

    @invariant()
    def the_books_are_right(self):
        """Nothing breaks a promise."""
        self._prove(rules=False)  # what else is read does not change within a sequence

    def _prove(self, rules):
        self.engine.begin_reading()
        findings = list(verify.verify(self.engine, rules))
        self.engine.execute("ROLLBACK")
        assert findings == []

    @invariant()
    def nobody_has_got_money_for_nothing(self):
        """What people have, hold and have used up is covered by what came in and stayed, and by what was meant to go."""
        mine = list(self.balances)
        with db.connection():
            accounts = Account.select(fn.SUM(Account.balance)).where(Account.user.in_(mine)).scalar() or 0
            held = Job.select(fn.SUM(Job.price)).where(Job.user.in_(mine), Job.state.in_(OPEN)).scalar() or 0
            captured = Job.select(fn.SUM(Job.charged)).where(Job.user.in_(mine)).scalar() or 0
            lost = Entry.select(fn.SUM(Entry.amount)).where(Entry.user.in_(mine), Entry.kind.in_(ledger.OF_DEBT))
            lost = lost.scalar() or 0
        standing = [one for one in self.payments if one["state"] in STANDS]
        paid = sum(one["amount"] for one in standing)
        paid += sum(one.get("left", 0) for one in self.payments if one["state"] not in STANDS)
        earned = sum(bonus["amount"] for one in standing for bonus in one["bonuses"] if bonus["state"] == "posted")
        sold = sum(sale["price"] for sale in self.sales if sale["state"] == "charged")
        assert accounts + held + captured + sold <= paid + earned + self.given + lost

    @invariant()
    def debts_are_the_models(self):
        """Every debt is what the model says."""
        assert {user: ledger.debt(user) for user in self.owed} == {user: self.debt(user) for user in self.owed}

    @invariant()
    def balances_are_the_models(self):
        """Every balance and every job's state is what the model says."""
        assert {user: ledger.balance(user) for user in self.balances} == self.balances
        assert {job: jobs.get(job).state for job in self.jobs} == {
            job: model["state"] for job, model in self.jobs.items()
        }


@pytest.mark.proof
def test_money_and_jobs_follow_the_model_whatever_happens(make_ready):
    Books.make, Books.met, Books.states = staticmethod(make_ready), set(), set()
    run_state_machine_as_test(Books, settings=SETTINGS)
    assert Books.met >= ledger.KINDS - {"gift", "bonus"} and Books.states >= {"posted", "taken", "void"}

"""The ledger and the jobs under any sequence of events, against a model in plain Python.

Hypothesis makes the sequences: top-ups, orders, every arrow of a job, repeats, transactions that die in the middle,
late results, and two workers at the same moment in real threads. After every step the books are proven as
`python bot.py verify` proves them, and every balance is what the model says.
"""

import itertools
from datetime import UTC, datetime, timedelta

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

from storage import audit, db, drafts, jobs, ledger, payments, returns, users
from tests import proof
from tests.shop import in_threads

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
PEOPLE, LIMIT, STARTS = 2, 3, 1000
OPEN = ("queued", "submitting", "running", "lost")
SETTINGS = settings(
    max_examples=proof.share(300), stateful_step_count=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
_ids = itertools.count(6_000_000_001)

person = st.integers(0, PEOPLE - 1)
price = st.sampled_from([0, 1, 72, 5_000, 10**7])
which = st.integers(0, 11)
share = st.sampled_from([0, 0.5, 1])


class Cut(Exception):
    """The process died in the middle of a transaction."""


def race(*works):
    """Do the works at the same moment, each in a thread with a connection of its own; return their results."""
    return in_threads(len(works), lambda number: works[number]())


class Books(RuleBasedStateMachine):
    """Two people, their money and their jobs; `balances` and `jobs` are the model."""

    def __init__(self):
        super().__init__()
        self.now = START
        self.numbers = itertools.count()

    @initialize()
    def people_arrive(self):
        """Make the people anew in each run: the database goes on growing."""
        made = [users.seen(users.Sender(next(_ids), f"User {n}"), START) for n in range(PEOPLE)]
        self.people = [user.id for user in made]
        self.balances = dict.fromkeys(self.people, 0)
        self.jobs, self.quotes, self.credits = {}, [], []

    def fresh_key(self):
        """Return a key nobody has used."""
        return f"k{self.people[0]}-{next(self.numbers)}"

    # money comes in

    @rule(who=person, amount=st.sampled_from([1, 100, 10_000, 10**9]))
    def transfer(self, who, amount):
        """A request with a proof is approved; whoever comes second does nothing."""
        user, topup = self._request(who, amount)
        assert payments.approve(topup.id, user, self.now).credited == amount
        assert payments.approve(topup.id, user, self.now) is None
        assert payments.reject(topup.id, user, "no", self.now) is None
        self.balances[user] += amount
        self.credits.append((topup.id, user, amount))

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
            lambda: payments.approve(topup.id, user, self.now), lambda: payments.reject(topup.id, user, "no", self.now)
        )
        assert (approved is None) != (rejected is None)
        if approved is not None:
            self.balances[user] += amount
            self.credits.append((topup.id, user, amount))

    @rule(who=person, amount=st.sampled_from([100, 12_345]), at_once=st.booleans())
    def stars(self, who, amount, at_once):
        """A charge that is told of twice, one after the other or at once, is credited once."""
        user, charge = self.people[who], self.fresh_key()
        topup = payments.create(user, "stars", amount, now=self.now, stars=7)

        def tell():
            return payments.credit_stars(charge, topup.id, user, 7, self.now)[1]

        told = race(tell, tell) if at_once else [tell(), tell()]
        assert sorted(told) == [False, True]
        self.balances[user] += amount

    @rule(which=which)
    def undo(self, which):
        """An approval is taken back; what has been spent is the operator's loss."""
        if not self.credits:
            return
        topup, user, amount = self.credits.pop(which % len(self.credits))
        _row, loss = returns.undo(topup, user, "wrong", self.now)
        assert returns.undo(topup, user, "wrong", self.now) is None
        assert loss == max(0, amount - self.balances[user])
        self.balances[user] -= amount - loss

    @rule(who=person, amount=st.integers(-20_000, 20_000), at_once=st.booleans())
    def correction(self, who, amount, at_once):
        """An entry under one key happens once, or not at all when the balance does not cover it."""
        user, key = self.people[who], self.fresh_key()

        def post():
            return ledger.post(user, amount, kind="admin", key=key, now=self.now, reason="r")[1]

        if self.balances[user] + amount < 0:
            with pytest.raises(ledger.NotEnoughMoney):
                post()
            return
        assert sorted(race(post, post) if at_once else [post(), post()]) == [False, True]
        self.balances[user] += amount

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
        self.jobs[job.id] = {"user": user, "state": "queued", "price": job.price, "late": False}

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
            self.balances[self.jobs[job]["user"]] += self.jobs[job]["price"] - charged
            assert succeed() is None

    @rule(which=which, reason=st.sampled_from(["deadline", "lost", "moderation"]))
    def fail(self, which, reason):
        """Any open state → failed, with the money back."""
        if (job := self._some(which)) is None:
            return
        if self._moved(job, jobs.fail(job, reason, now=self.now), OPEN, "failed"):
            self.jobs[job]["late"] = reason in jobs.LATE
            self.balances[self.jobs[job]["user"]] += self.jobs[job]["price"]

    @rule(which=which, stranger=st.booleans())
    def cancel(self, which, stranger):
        """queued → cancelled, by its owner alone."""
        if (job := self._some(which)) is None:
            return
        owner = self.jobs[job]["user"]
        by = next(user for user in self.people if (user == owner) != stranger)
        if self._moved(job, jobs.cancel(job, by, self.now), () if stranger else ("queued",), "cancelled"):
            self.balances[owner] += self.jobs[job]["price"]

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
                self.balances[model["user"]] += model["price"] - back

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
        assert list(audit.verify()) == []

    @invariant()
    def balances_are_the_models(self):
        """Every balance and every job's state is what the model says."""
        assert {user: ledger.balance(user) for user in self.people} == self.balances
        assert {job: jobs.get(job).state for job in self.jobs} == {
            job: model["state"] for job, model in self.jobs.items()
        }


@pytest.mark.proof
def test_money_and_jobs_follow_the_model_whatever_happens(ready_url):
    db.connect(ready_url)
    try:
        run_state_machine_as_test(Books, settings=SETTINGS)
    finally:
        db.disconnect()

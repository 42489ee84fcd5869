"""Closings: what the staff's screens show is what the rows alone would give, whatever is summed and whenever it came."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from storage.backup import dump
from storage.base import db, guards, schema
from storage.base.tables import Closing, EntrySum, OrderSum, OutcomeSum
from storage.money import closings, ledger, payments, proof, seals, verify
from storage.orders import jobs, stats
from storage.people import users
from tests.shop import in_threads, order
from tests.test_dump import environ, run
from tools import command_line

HOUR, DAY_US = timedelta(hours=1), 86_400_000_000
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KINDS = ("topup", "stars")


class Shop:
    """A shop whose entries come at random, some with a time of hours ago, and whose orders end at random."""

    def __init__(self, seed):
        self.random, self.now, self.number = random.Random(seed), START, 0
        self.people, self.open, self.lost = [], [], []
        self.sealer = seals.Sealer()

    def live(self, steps):
        """Let so many things happen."""
        for _ in range(steps):
            self.now += timedelta(microseconds=self.random.randrange(1, 2 * 10**9))
            happen = self.random.choice(
                (self._come, self._pay, self._pay, *[self._order] * 4, *[self._end] * 5, self._late)
            )
            happen()
            if self.random.random() < 0.3:
                self.seal()

    def seal(self):
        """Let two minutes pass, the leader sealing what is there."""
        for _ in range(2):
            self.now += timedelta(minutes=1)
            self.sealer.step(self.now)

    def _at(self):
        """Return a time: mostly now, sometimes of a handler that has waited, or of a clock that was wrong."""
        return self.now - timedelta(seconds=self.random.choice((0, 0, 0, 200, 9_000, 200_000)))

    def arrive(self):
        """Return the id of somebody new."""
        self.number += 1
        self.people.append(users.seen(users.Sender(7_000_000_000 + self.number, "A"), self._at()).id)
        return self.people[-1]

    def _come(self):
        ledger.post(self.arrive(), 5_000, kind="bonus", key=f"in{self.number}", now=self._at())

    def _pay(self):
        if self.people:
            topup = payments.create(self.random.choice(self.people), "counter", 900, now=self.now)
            payments.credit(topup.id, f"provider:{topup.id}", self._at())

    def _order(self):
        if self.people:
            self.number += 1
            quote = jobs.Quote(self.random.choice("abcde"), {}, self.random.randrange(0, 90), None, None)
            with db.transaction():
                user = self.random.choice(self.people)
                made = jobs.create(user, f"q{self.number}", quote, now=self._at(), usual_s=9, patience=HOUR)
            self.open.append(made)

    def _end(self):
        if not self.open:
            return
        job = self.open.pop(self.random.randrange(len(self.open)))
        how, at = self.random.choice("ssssfflc"), self._at()
        if how == "c":
            jobs.cancel(job.id, job.user_id, at)
            return
        jobs.begin(job.id, max(job.created_at, at - timedelta(seconds=self.random.randrange(90))))
        jobs.start(job.id, f"t{job.id}", at + HOUR, at)
        cost, overrun = self.random.choice((None, 0, 70, 900)), self.random.choice((None, 0, 5))
        if how == "s":
            charged = self.random.randrange(job.price + 1)
            jobs.succeed(job.id, {"urls": []}, charged=charged, cost=cost, overrun=overrun, now=at)
        else:
            jobs.fail(job.id, "deadline" if how == "l" else "server", cost=cost, overrun=overrun, now=at)
            self.lost += [job] if how == "l" else []

    def _late(self):
        """A result comes after the hold was released, with what it has cost."""
        if self.lost:
            jobs.arrive_late(self.lost.pop().id, {"urls": []}, cost=self.random.choice((None, 300)), now=self.now)


@pytest.fixture
def shop(database_url):
    """A shop on an empty database of each kind."""
    db.connect(database_url)
    schema.migrate()
    yield Shop
    db.disconnect()


# every figure from the rows alone


def rows_of(sql):
    """Return the rows of a query."""
    with db.connection() as real:
        return list(real.execute_sql(sql).fetchall())


def alone(since):
    """Return what every figure is according to the rows alone."""
    at = (since - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    entries = rows_of(f"SELECT kind, amount, created_at FROM entry WHERE created_at >= {at}")
    kinds, days = {}, {}
    for kind, amount, when in entries:
        total, count = kinds.get(kind, (0, 0))
        kinds[kind] = (total + amount, count + 1)
        if kind in KINDS:
            day = days.setdefault(when // DAY_US, {})
            day[kind] = day.get(kind, 0) + amount
    names = "model, state, charged, cost, overrun, submitted_at, finished_at"
    made = rows_of(f"SELECT {names} FROM job WHERE created_at >= {at}")
    ended = rows_of(f"SELECT {names} FROM job WHERE finished_at >= {at}")
    took = sorted(int((end - begun) / 10**6) for _m, state, *_s, begun, end in ended if state == "succeeded")
    paid = f"""SELECT COUNT(DISTINCT u.id) FROM entry e JOIN "user" u ON u.id = e.user_id WHERE e.created_at >= {at}
        AND u.created_at >= {at} AND e.amount > 0 AND e.kind IN ('topup', 'stars')"""
    ((fresh,),) = rows_of(f'SELECT COUNT(*) FROM "user" WHERE created_at >= {at}')
    models = {model: [one for one in made if one[0] == model] for model, *_rest in made}
    return {
        "kinds": kinds,
        "money": days,
        "states": {state: sums_of([one for one in made if one[1] == state]) for _model, state, *_rest in made},
        "days": {
            day: (sum(one[1] == "succeeded" for one in of), *sums_of(of)[1:])
            for day in {one[6] // DAY_US for one in ended}
            for of in [[one for one in ended if one[6] // DAY_US == day]]
        },
        "models": sorted(
            (
                (model, len(of), sum(one[1] == "succeeded" for one in of), sums_of(of)[1])
                for model, of in models.items()
            ),
            key=lambda one: (-one[1], one[0]),
        )[:3],
        "overruns": (sum((one[4] or 0) > 0 for one in ended), sum(max(0, one[4] or 0) for one in ended)),
        "median": took[(len(took) - 1) // 2] if took else None,
        "payers": (fresh, *rows_of(paid)[0]),
        "credits": sums_of(made)[2],
        "popular": {model: len(of) for model, of in models.items()},
    }


def sums_of(orders):
    """Return (how many, charged, cost)."""
    return len(orders), sum(one[2] or 0 for one in orders), sum(one[3] or 0 for one in orders)


def shown(since):
    """Return every figure as the screens have it."""
    return {
        "kinds": ledger.sums_by_kind(since),
        "money": stats.money_by_day(since, KINDS),
        "states": stats.figures(since),
        "days": stats.jobs_by_day(since),
        "models": stats.jobs_by_model(since, 3),
        "overruns": stats.overruns(since),
        "median": stats.median_seconds(since),
        "payers": stats.payers(since),
        "credits": stats.spent_credits(since),
        "popular": stats.popularity(since, 0),
    }


@pytest.mark.parametrize("seed", range(4))
def test_every_figure_is_what_the_rows_alone_would_give(shop, seed):
    town = shop(seed)
    for _round in range(8):
        town.live(40)
        if town.random.random() < 0.8:
            closings.close(town.now)
        for hours in (0, 1, 24, 24 * 7, town.random.random() * 80, town.random.random() * 3):
            since = town.now - timedelta(hours=hours)
            for moment in (since, since.replace(minute=0, second=0, microsecond=0)):
                assert shown(moment) == alone(moment), (seed, moment)
    assert list(verify.verify()) == []
    with db.connection():
        summed = [table.select().count() for table in (Closing, EntrySum, OrderSum, OutcomeSum)]
    assert all(count > 2 for count in summed), summed


def test_what_is_summed_is_not_read_again(shop):
    """Whoever changes a sum by hand changes the figure: so it is the sum that is shown."""
    town = shop(9)
    town.live(150)
    town.now += 2 * HOUR
    town.seal()
    closings.close(town.now)
    since = START.replace(minute=0) - 72 * HOUR
    before = stats.figures(since)["succeeded"].jobs
    with db.transaction() as real:
        guards.lower(real)
        real.execute_sql("UPDATE order_sum SET orders = orders + 1000 WHERE state = 'succeeded'")
        guards.raise_up(real)
    assert stats.figures(since)["succeeded"].jobs >= before + 1000


# closing


def closed():
    """Return the entries that closings end with."""
    with db.connection():
        return [entry for (entry,) in Closing.select(Closing.entry).order_by(Closing.id).tuples()]


def test_only_what_is_sealed_is_closed_and_only_when_its_hour_is_over(shop):
    town = shop(1)
    ledger.post(town.arrive(), 5, kind="bonus", key="a", now=START)
    assert not closings.close(town.now + HOUR) and closed() == [], "nothing is sealed"
    town.seal()
    assert not closings.close(START) and closed() == [], "the hour is not over"
    assert not closings.close(town.now + HOUR) and closed() == [1]
    assert not closings.close(town.now + 9 * HOUR) and closed() == [1], "nothing new"


def test_many_entries_are_closed_a_piece_at_a_time_without_waiting_for_the_hour(shop, monkeypatch):
    town = shop(1)
    for number in range(23):
        ledger.post(town.arrive(), 5, kind="bonus", key=f"a{number}", now=START)
    town.seal()
    monkeypatch.setattr(closings, "MOST", 10)
    assert closings.close(START) and closings.close(START) and not closings.close(START)
    assert closed() == [10, 20], "the rest waits for the hour"
    assert shown(START - HOUR) == alone(START - HOUR)


def test_two_leaders_make_one_closing(shop):
    town = shop(3)
    for _round in range(4):
        town.live(30)
        town.seal()
        before = len(closed())
        in_threads(4, lambda _number: closings.close(town.now + HOUR))
        assert len(closed()) == before + 1
        assert list(verify.verify()) == []


def test_a_leader_that_dies_in_a_closing_has_made_none(shop, monkeypatch):
    """A closing and its sums are one transaction: the next leader makes it anew."""
    town = shop(4)
    town.live(60)
    town.seal()

    class Killed(BaseException):
        pass

    def die(*_arguments):
        raise Killed

    monkeypatch.setattr(closings.Engine, "insert", die, raising=True)
    with pytest.raises(Killed):
        closings.close(town.now + HOUR)
    monkeypatch.undo()
    assert closed() == []
    closings.close(town.now + HOUR)
    assert len(closed()) == 1 and list(verify.verify()) == []


# the proof of what is new


def test_a_proof_goes_on_from_the_last_one(shop):
    town = shop(5)
    assert proof.prove(town.now) == ([], None) and proof.proven() is None, "nothing is sealed, so nothing is noted"
    town.live(50)
    town.seal()
    closings.close(town.now + HOUR)
    assert proof.prove(town.now) == ([], None)
    first = proof.proven()
    assert first.seal == seals.newest() and first.closing == 1
    town.live(50)
    town.seal()
    closings.close(town.now + HOUR)
    assert proof.prove() == ([], first.seal) and proof.proven() == first, "who only reads notes nothing"
    assert proof.prove(town.now) == ([], first.seal) and proof.proven().seal == seals.newest()
    assert proof.prove(town.now) == ([], seals.newest())


# with the bot, and in the chat


def test_the_leader_sums_and_proves_by_itself_and_the_screens_stay_the_same(start_bot):
    bot = start_bot()
    bot.left_out.remove("proof")
    boss, alice = bot.admin(), bot.rich()
    order(bot, alice)
    bot.forward(120)
    boss.send("/stats 7d")
    before = boss.last
    assert closed() == []
    bot.forward(2 * 3600, step=600)
    assert closed() != [] and list(verify.verify()) == []
    boss.send("/stats 7d")
    assert boss.last == before
    assert proof.proven() is None
    bot.forward(25 * 3600, step=6 * 3600)
    assert proof.proven().seal == seals.newest()


def test_the_staff_is_told_when_the_leaders_own_proof_finds_something(start_bot, tmp_path, capsys):
    bot = start_bot()
    bot.left_out.remove("proof")
    boss, alice = bot.admin(), bot.rich()
    bot.forward(180)
    bot.forward(25 * 3600, step=6 * 3600)
    settings = environ(bot, tmp_path)
    code, said = run("new", None, settings, capsys)
    assert code == 0 and "since seal 1 of 2026-11-22" in said and "0 differences" in said
    db.connect(bot.url)
    user = bot.bot.users.by_telegram_id(alice.id).id
    with db.transaction() as real:
        real.execute_sql(
            "INSERT INTO entry (user_id, amount, kind, key, created_at)"
            f" VALUES ({user}, 5000, 'gift', 'gift:{user}', {int(bot.clock.now().timestamp() * 10**6)})"
        )
        real.execute_sql(f"UPDATE account SET balance = balance + 5000 WHERE user_id = {user}")
    code, said = run("new", None, settings, capsys)
    assert code == 1 and "broken: an entry has the row it comes from" in said, said
    db.connect(bot.url)
    bot.forward(25 * 3600, step=6 * 3600)
    assert "The books do not add up" in boss.last and "an entry has the row it comes from" in boss.last
    assert proof.proven().seal.id == 1, "what is broken is not proven"


def test_the_first_proof_by_command_is_of_everything(start_bot, tmp_path, capsys):
    bot = start_bot()
    bot.rich()
    code, said = run("new", None, environ(bot, tmp_path), capsys)
    assert code == 0 and "everything, as nothing was proven before: 0 differences" in said
    db.connect(bot.url)
    assert command_line.read(["verify", "--new"]).work == "new"
    assert command_line.read(["verify"]).work == "verify" and command_line.read(["doctor", "--bundle"]).work == "bundle"
    moving = command_line.read(["import", "people.csv"])
    assert (moving.work, moving.name) == ("import", "before"), "the option of that name is another thing"


def test_a_backup_keeps_what_is_closed_and_its_proof(shop, request, tmp_path, database_url):
    town = shop(6)
    town.live(80)
    town.seal()
    closings.close(town.now + HOUR)
    assert proof.prove(town.now).findings == []
    before, found = closed(), shown(START)
    dump.write(database_url, tmp_path / "copy.gz", town.now)
    in_sqlite = database_url.startswith("sqlite")
    dump.restore(
        tmp_path / "copy.gz", request.getfixturevalue("postgres")() if in_sqlite else f"sqlite:///{tmp_path}/x.db"
    )
    assert before and closed() == before and shown(START) == found == alone(START)
    assert proof.prove() == ([], proof.proven().seal) and proof.proven().closing == 1
    town.live(40)
    town.seal()
    closings.close(town.now + HOUR)
    assert len(closed()) == len(before) + 1 and list(verify.verify()) == []

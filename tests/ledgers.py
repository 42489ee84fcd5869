"""A database with money in every possible state, partly sealed, for the tests that tamper with the books."""

import itertools
from datetime import UTC, datetime, timedelta

from storage.journal import audit_log, drafts, runtime_settings
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
    seals,
)
from storage.orders import jobs
from storage.people import arrivals, staff, users

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


class Town:
    """People who live through every kind of entry and act, once for each call of `live`; `rows` names what came of it."""

    def __init__(self):
        self.now, self.numbers, self.sealer = START, itertools.count(1), seals.Sealer()
        self.boss, self.cashier = self.person("Boss"), self.person("Cashier")
        self.rows = {}

    def person(self, name):
        """Return the id of somebody new."""
        return users.seen(users.Sender(7_000_000_000 + next(self.numbers), name), self.now).id

    def later(self, minutes=1):
        """Let time pass, the leader sealing."""
        for _ in range(minutes):
            self.now += timedelta(minutes=1)
            self.sealer.step(self.now)

    def live(self):
        """Have everything happen once, to new people."""
        self.now += timedelta(seconds=1)
        self.people = {
            name: self.person(name) for name in ("alice", "bob", "vera", "ivan", "olga", "dora", "mia", "kim")
        }
        for happen in (
            self._corrections,
            self._jobs,
            self._stars,
            self._transfers,
            self._given,
            self._debts,
            self._sales,
            self._providers,
            self._acts,
        ):
            happen()
            self.now += timedelta(seconds=1)
        self.rows |= self.people | {"boss": self.boss, "cashier": self.cashier}

    def _corrections(self):
        key = f"admin:{next(self.numbers)}.1"
        entry, _created = staff.correct(self.people["alice"], 100_000, "a thank you", self.boss, key, self.now)
        self.rows["credit"] = entry.id
        debit = f"admin:{next(self.numbers)}.1"
        self.rows["debit"] = staff.correct(self.people["alice"], -500, "too much", self.boss, debit, self.now)[0].id
        self.rows["own"] = ledger.post(
            self.people["alice"], 77, kind="admin", key=f"own:{next(self.numbers)}", now=self.now
        )[0].id

    def order(self, price=300, name="alice", parent=None):
        """Return the id of a new job; `parent` is the one whose result it is made from."""
        user = self.people[name]
        data = {"values": {}} | ({"parent": {"job": parent, "part": 0}} if parent else {})
        draft = drafts.put(user, "generate", self.now, model="m", data=data, price=price)
        limits = {"usual_s": 10, "limit": 50, "starts": 1000}
        return jobs.order(user, draft.id, draft.version, now=self.now, **limits)[0].id

    def run(self, job):
        """Have a job at KIE."""
        jobs.begin(job, self.now)
        jobs.start(job, f"task{job}", self.now + timedelta(hours=1), self.now)

    def _jobs(self):
        names = ("captured", "failed", "cancelled", "running", "queued")
        found = {name: self.order() for name in names}
        for name in ("captured", "failed", "running"):
            self.run(found[name])
        jobs.succeed(found["captured"], {"urls": ["u"]}, charged=200, cost=1, now=self.now)
        jobs.fail(found["failed"], "moderation", now=self.now)
        jobs.cancel(found["cancelled"], self.people["alice"], self.now)
        shown = [{"kind": "photo", "message_id": found["captured"]}]
        jobs.delivered(found["captured"], shown, self.now, jobs.get(found["captured"]))
        found["edited"] = self.order(parent=found["captured"])
        found["dropped"] = self.order(parent=found["edited"])
        jobs.cancel(found["dropped"], self.people["alice"], self.now)
        self.rows |= found

    def pay(self, name, amount=5_000):
        """Have somebody pay in Stars; return the charge id."""
        user, charge = self.people[name], f"charge{next(self.numbers)}"
        topup = payments.create(user, "stars", amount, now=self.now, stars=30)
        payments.accept(f"query:{charge}", topup.id, user, self.now, self.now)
        payments.credit_stars(charge, topup.id, user, 30, self.now)
        self.rows["stars_topup"] = topup.id
        return charge

    def spend(self, name):
        """Have a member of the staff take everything somebody has."""
        left = ledger.balance(self.people[name])
        staff.correct(self.people[name], -left, "spent", self.boss, f"admin:{next(self.numbers)}.2", self.now)

    def _stars(self):
        for end in ("refunded", "refused", "back"):
            self.rows[end] = self.pay("vera")
            self.now += timedelta(seconds=1)
        refunds.ask_refund(self.rows["refunded"], self.boss, "asked for it", self.now)
        refunds.refund_done(self.rows["refunded"])
        self.now += timedelta(seconds=1)
        self.spend("vera")
        self.now += timedelta(seconds=1)
        refunds.ask_refund(self.rows["refused"], self.boss, "again", self.now, loss_allowed=10**9)
        refunds.refund_refused(self.rows["refused"], self.now)
        refunds.taken_back(self.rows["back"], self.now)
        self.rows["paid"] = self.pay("bob")
        self.rows["paid_topup"] = self.rows["stars_topup"]

    def transfer(self, name, amount=30_000):
        """Have somebody send a screenshot; return the request's id."""
        topup = payments.create(self.people[name], "transfer", amount, now=self.now)
        proof = {"file_id": "f", "unique_id": f"u{topup.id}", "kind": "photo"}
        payments.submit(topup.id, self.people[name], proof, self.now)
        return topup.id

    def _transfers(self):
        for name in ("approved", "undone", "rejected"):
            self.rows[name] = self.transfer("ivan")
            self.now += timedelta(seconds=1)
            if name == "rejected":
                payments.reject(self.rows[name], self.cashier, "not found", self.now)
            else:
                payments.approve(self.rows[name], self.cashier, self.now)
        self.now += timedelta(seconds=1)
        self.spend("ivan")
        self.now += timedelta(seconds=1)
        refunds.undo(self.rows["undone"], self.cashier, "a wrong picture", self.now)
        self.rows["pending"] = self.transfer("ivan")
        topup = payments.create(self.people["ivan"], "counter", 900, now=self.now)
        payments.credit(topup.id, f"provider:{topup.id}", self.now)
        self.rows["counter"] = topup.id

    def _given(self):
        number, olga, bob = next(self.numbers), self.people["olga"], self.people["bob"]
        self.rows |= {"code": f"CODE{number}", "percent": f"PERCENT{number}"}
        promo.create(self.rows["code"], "amount", 1_000, total_limit=3, author=self.boss, now=self.now)
        promo.create(self.rows["percent"], "percent", 20, total_limit=3, author=self.boss, now=self.now)
        self.rows |= {"spare": f"SPARE{number}", "large": f"LARGE{number}", "stopped": f"STOPPED{number}"}
        for code, more in (("spare", {"user_limit": 2}), ("large", {"waits": True}), ("stopped", {})):
            promo.create(self.rows[code], "amount", 700, total_limit=3, author=self.boss, now=self.now, **more)
        promo.stop(self.rows["stopped"], self.cashier, self.now)
        self.rows["use"] = promo.redeem(self.rows["code"], olga, self.now)[1].id
        self.rows["percent_use"] = promo.redeem(self.rows["percent"], olga, self.now)[1].id
        paid = self.pay("olga", 3_000)
        promo.apply(olga, 3_000, topup=self.rows["stars_topup"], origin=f"stars:{paid}", now=self.now)
        self.rows["waiting"] = promo.redeem(self.rows["percent"], bob, self.now)[1].id
        referrals.invite(bob, self.people["alice"], self.now)
        referrals.mark_paid(bob, 500)
        earned = {"origin": f"stars:{self.rows['paid']}", "topup": self.rows["paid_topup"]}
        bonuses.promise(self.people["alice"], 500, kind="referral", key=f"referral:{bob}", now=self.now, **earned)
        ledger.post(olga, 250, kind="gift", key=f"gift:{olga}", now=self.now)
        comes = arrivals.Arrival(9_000_000_000 + number, 1_250, "Nina")
        arrivals.take(comes, "before", "before: people.csv", None, self.now)
        self.people["nina"] = users.by_telegram_id(comes.telegram_id).id
        ledger.post(olga, 10, kind="bonus", key=f"daily:{olga}:2026-11-22", now=self.now)

    def _debts(self):
        """A payment goes back while its money is on hold, and its bonus with it; the order that fails pays the debt."""
        user, paid = self.people["dora"], self.pay("dora")
        earned = {"origin": f"stars:{paid}", "topup": self.rows["stars_topup"]}
        bonuses.promise(user, 700, kind="bonus", key=f"pack:{next(self.numbers)}", now=self.now, **earned)
        self.rows["rescued"] = self.order(price=5_000, name="dora")
        refunds.taken_back(paid, self.now)
        jobs.cancel(self.rows["rescued"], user, self.now)

    def _sales(self):
        """Two things are sold; one is given back, after a chargeback, and pays a part of the debt."""
        user, number, paid = self.people["mia"], next(self.numbers), self.pay("mia")
        for name, amount in (("sold", 1_500), ("unsold", 2_000)):
            sale = sales.charge(user, amount, plugin="game", what="common.menu", key=f"{name}{number}", now=self.now)
            self.rows[name] = sale.id
        self.now += timedelta(seconds=1)
        refunds.taken_back(paid, self.now)
        self.now += timedelta(seconds=1)
        sales.give_back("game", f"unsold{number}", self.now)

    def provided(self, state="paid", amount=4_000, **more):
        """Have somebody begin a payment by a provider and the provider say something of it; return its number."""
        number = next(self.numbers)
        kinds = dict(provider="till", account="shop1", way="", test=False, currency="RUB", amount=amount)
        names = {
            "tag": lambda topup: f"7:{topup}",
            "body": lambda topup: "{}",
            "expires_at": self.now + timedelta(hours=1),
        }
        asked = provider_payments.Asked(**kinds, **names, key=f"create{number}")
        row = provider_payments.create(self.people["kim"], asked, self.now, self.now)
        provider_payments.claim(row, self.now, self.now)
        provider_payments.made(row.topup_id, f"ext{number}", "https://pay", None, self.now, self.now)
        said = {"amount": amount, "currency": "RUB", "tag": row.tag} | more
        seen = provider_payments.Seen(id=f"ext{number}", state=state, **said)
        provider_payments.saw(row.topup_id, seen, self.now)
        return row.topup_id

    def _providers(self):
        """Payments by a provider: credited, waiting, wrong, given back, refused, and taken back from outside."""
        for name, more in (
            ("provided", {}),
            ("waits", {"state": "pending"}),
            ("given_up", {"state": "expired"}),
            ("odd", {"currency": "USD"}),
            ("outside", {"refunded": 1_500}),
        ):
            self.rows[name] = self.provided(**more)
            self.now += MOMENT
        self.rows["taken"] = self.provided(amount=5_000)
        bonus = {"origin": f"pay:{self.rows['taken']}", "topup": self.rows["taken"], "now": self.now}
        made = bonuses.promise(self.people["kim"], 600, kind="bonus", key=f"pack:kim{self.rows['taken']}", **bonus)
        self.rows["kims_bonus"] = made.id
        self.now += MOMENT
        for turn, end in enumerate(("refused_back", "given_back")):
            about = (self.rows["taken"], 2_000, self.boss, "asked for it", self.now)
            refund, _loss = provider_refunds.ask(*about, key=f"back{self.rows['taken']}.{turn}")
            self.rows[end] = refund.id
            self.now += MOMENT
            if turn:
                provider_refunds.done(refund.id, "x", self.now)
            else:
                provider_refunds.refused(refund.id, "no", self.now)
            self.now += MOMENT
        self.rows["less"] = self.provided_less()

    def provided_less(self):
        """Have less come than was asked for, and the staff credit it; return its number."""
        row = provider_payments.get(self.provided(state="pending"))
        less = provider_payments.Seen(id=row.external_id, state="paid", amount=1_234, currency="RUB")
        provider_payments.saw(row.topup_id, less, self.now)
        self.now += MOMENT
        provider_payments.settle(row.topup_id, self.cashier, self.now, credit=True)
        return row.topup_id

    def _acts(self):
        staff.block(self.people["bob"], True, "a bad word", self.boss, self.now)
        staff.grant(self.people["olga"], "support", self.boss, self.now)
        runtime_settings.put("USD_RATE", "91.5", now=self.now, actor=self.boss)
        audit_log.note(self.boss, "note", self.now, user=self.people["ivan"], words="pays late")

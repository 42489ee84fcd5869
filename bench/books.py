"""Compares the books with the world: what Telegram, KIE and the people saw, against what the ledger says."""

import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import requests

from bench import payers
from bench.load import PERCENT, TOKEN
from storage.base import db
from storage.base.tables import (
    Account,
    Bonus,
    Charge,
    Entry,
    Fact,
    Inbox,
    Job,
    Outbox,
    PromoUse,
    ProviderPayment,
    ProviderRefund,
    TopUp,
    User,
    Words,
)  # fmt: skip
from storage.orders import jobs

LATE = ("lost", "deadline")
MICRO = 1_000_000
SHOWN = 5  # differences per line that are written out


@dataclass
class Row:
    """One line of the table; `wrong` lists what differs, or is None if there is nothing to compare with."""

    name: str
    world: str
    books: str
    wrong: list | None


@contextlib.contextmanager
def reading(url):
    """Open the bot's database for the block."""
    db.connect(url)
    try:
        with db.connection():
            yield
    finally:
        db.disconnect()


def roubles(amount):
    """Return kopecks as text."""
    return f"{amount / 100:.2f}"


class Books:
    """The rows at the end of a run, and every comparison with the world."""

    def __init__(self, servers, town, url):
        self.servers, self.notes, self.customers = servers, town.notes, town.customers
        with reading(url):
            self.telegram_ids = dict(User.select(User.id, User.telegram_id).tuples())
            self.forgotten = {user for user, person in self.telegram_ids.items() if person is None}
            self._name_the_forgotten()
            said = dict(Words.select(Words.digest, Words.text).tuples())
            self.entries = [row | {"reason": said.get(row["digest"])} for row in Entry.select().dicts()]
            self._name_the_corrections()
            self.accounts, self.shown_accounts = Counter(), {}
            for user, balance in Account.select(Account.user, Account.balance).tuples():
                self.accounts[self.telegram_ids[user]] += balance
                if user not in self.forgotten:
                    self.shown_accounts[self.telegram_ids[user]] = balance
            self.bonuses, self.uses = list(Bonus.select().dicts()), list(PromoUse.select().dicts())
            self.jobs = list(Job.select().dicts())
            self.left = {
                "updates in the inbox": Inbox.select().where(~Inbox.aside).count(),
                "messages in the outbox": Outbox.select().where(Outbox.state == "pending").count(),
                "facts": Fact.select().count(),
                "open jobs": jobs.count_open(),
                "deliveries": Job.select().where(Job.delivery == "pending").count(),
                "refunds": Charge.select().where(Charge.refund == "asked").count(),
            }
            self.back_at_providers = {f"topup:{row.topup_id}" for row in ProviderRefund.select()}
            self.online = payers.differences(servers.providers)
            self.aside = [body for (body,) in Inbox.select(Inbox.body).where(Inbox.aside).tuples()]
        self.tasks = servers.kie.tasks()
        self.lost = [job for job in self.jobs if job["reason"] in LATE]
        self.prompts = {task["task_id"]: task["inputs"]["prompt"] for task in self.tasks}
        self.taken, self.returned = _telegram("getStarTransactions", servers)
        self.in_group = town.group.messages
        self.seen = {one.id: [m for m in one.fresh(0) if m["_from_bot"]] for one in self.customers}

    def rows(self):
        """Return the table."""
        return [
            self.stars(), self.gone_back(), self.by_providers(), self.transfers(), self.corrections(), self.codes(), self.written_off(),
            *self.generation(), self.credits(), *self.results(),
            self.balances(), self.answers(), self.leftovers(),
        ]  # fmt: skip

    def _name_the_forgotten(self):
        """Identify forgotten people by what the world knows of their payments."""
        for charge, user in Charge.select(Charge.charge_id, Charge.user).tuples():
            if user in self.forgotten and charge in self.notes.paid:
                self.telegram_ids[user] = self.notes.paid[charge][0]
        online = ProviderPayment.select(ProviderPayment.external_id, TopUp.user).join(TopUp)
        for number, user in online.tuples():
            if user in self.forgotten and number in self.notes.online:
                self.telegram_ids[user] = self.notes.online[number]
        for number, user in TopUp.select(TopUp.id, TopUp.user).tuples():
            if user in self.forgotten and number in self.notes.requests:
                self.telegram_ids[user] = self.notes.requests[number]["person"]

    def _name_the_corrections(self):
        """Restore the reasons of corrections whose words were erased, by amount and, if known, by person."""
        said = {entry["reason"] for entry in self.entries}
        lost = {reason: note for reason, note in self.notes.corrections.items() if reason not in said}
        for entry in self.entries:
            if entry["kind"] != "admin" or entry["reason"] is not None or entry["user"] not in self.forgotten:
                continue
            who = (None, self.telegram_ids[entry["user"]])
            for reason, (person, amount) in lost.items():
                if amount == entry["amount"] and (who[1] is None or person == who[1]):
                    entry["reason"], self.telegram_ids[entry["user"]] = reason, person
                    del lost[reason]
                    break

    def _of_kind(self, kind, name):
        """Return {entry's `name`: [(person's Telegram id, amount)]} of one kind."""
        found = defaultdict(list)
        for entry in self.entries:
            if entry["kind"] == kind:
                found[entry[name]].append((self.telegram_ids[entry["user"]], entry["amount"]))
        return found

    def _matched(self, name, world, books):
        """Compare {key: (person, amount)} with {key: [(person, amount)]}."""
        wrong = [(key, value, books.get(key)) for key, value in world.items() if books.get(key) != [value]]
        wrong += [(key, None, books[key]) for key in set(books) - set(world)]
        sums = (sum(amount for _person, amount in world.values()), sum(a for many in books.values() for _p, a in many))
        counts = (len(world), sum(map(len, books.values())))
        return Row(name, f"{counts[0]} · {roubles(sums[0])}", f"{counts[1]} · {roubles(sums[1])}", wrong)

    def stars(self):
        """Every payment Telegram took is credited once, to its payer, with the chosen amount."""
        world = {f"stars:{charge}": self.notes.paid.get(charge, ("unknown", 0)) for charge in self.taken}
        return self._matched("paid in Stars: payments, roubles", world, self._of_kind("stars", "key"))

    def gone_back(self):
        """Every payment that went back at Telegram is taken back once, by a refund or a chargeback, and no other is."""
        books = defaultdict(list)
        for kind in ("refund", "chargeback"):
            for key, found in self._of_kind(kind, "key").items():
                if ":pay:" not in key:
                    books[key.partition(":")[2]] += found
        world = {charge: self.notes.paid.get(charge, ("unknown", 0)) for charge in self.returned}
        world = {charge: (person, -amount) for charge, (person, amount) in world.items()}
        return self._matched("given and taken back: payments, roubles", world, books)

    def by_providers(self):
        """Every payment a provider took as asked for is credited once, and what it gave back is taken back."""
        world, books, wrong = self.online
        shown = [
            f"{len(one)} · {roubles(sum(taken for taken, _back in one.values()))}, {roubles(sum(back for _taken, back in one.values()))} back"
            for one in (world, books)
        ]
        return Row("paid by card and crypto: payments, roubles", *shown, wrong)

    def codes(self):
        """Every redeemed code is recorded, and its bonus is a share of a payment that stands, or is gone with it."""
        found = Counter(self.telegram_ids[use["user"]] for use in self.uses)
        nameless = found.pop(None, 0)  # of people who were forgotten before anything else named them
        told, tried = self.notes.codes_taken, self.notes.codes_tried
        wrong = [one for one, count in found.items() if count > tried[one]]
        wrong += [None] * max(0, (told - found).total() - nameless)
        wrong += [None] * max(0, nameless - (tried - found).total())
        credits = {entry["key"]: entry for entry in self.entries}
        for bonus in self.bonuses:
            payment, back = credits[bonus["origin"]], bonus["origin"].partition(":")[2] in self.returned
            back = back or f"topup:{bonus['topup']}" in self.back_at_providers
            fair = bonus["amount"] == payment["amount"] * PERCENT // 100 and bonus["user"] == payment["user"]
            if not fair or bonus["state"] not in (("taken", "void") if back else ("posted",)):
                wrong.append(bonus)
        given = sum(bonus["amount"] for bonus in self.bonuses if bonus["state"] == "posted")
        return Row(
            "codes redeemed · their bonuses, roubles",
            f"{told.total()} told",
            f"{found.total() + nameless} · {len(self.bonuses)}, {roubles(given)} kept",
            wrong,
        )

    def written_off(self):
        """Nothing is written off except money that went back, and its bonus, after people had spent it."""
        most, lost = Counter(), Counter()
        for entry in self.entries:
            person = self.telegram_ids[entry["user"]]
            if entry["kind"] in ("writeoff", "recovery"):
                lost[person] += entry["amount"]
            elif entry["kind"] in ("refund", "chargeback", "takeback"):
                most[person] -= entry["amount"]
        wrong = [(person, amount, most[person]) for person, amount in lost.items() if not 0 <= amount <= most[person]]
        returned = sum(self.notes.paid.get(charge, ("unknown", 0))[1] for charge in self.returned)
        return Row("of it spent before, roubles", f"at most {roubles(returned)}", roubles(lost.total()), wrong)

    def transfers(self):
        """Every approved transfer is credited once, and no refused one; if two admins disagree, the first one wins."""
        books = {key: found for key, found in self._of_kind("topup", "key").items() if not key.startswith("pay:")}
        world = {}
        for number, note in self.notes.requests.items():
            refusal = f"#{number} "
            told = any(refusal in _words(one) and "was declined" in _words(one) for one in self.seen[note["person"]])
            if note["person"] in self._people_forgotten() and len(note["taps"]) > 1:
                told = f"topup:{number}" not in books  # the message about a refusal is deleted with the person
            if note["taps"] == {"approve"} or ("approve" in note["taps"] and not told):
                world[f"topup:{number}"] = (note["person"], note["amount"])
        return self._matched("transfers approved: payments, roubles", world, books)

    def _people_forgotten(self):
        return {self.telegram_ids[user] for user in self.forgotten}

    def corrections(self):
        """Every correction that an admin confirmed is made once."""
        books = self._of_kind("admin", "reason")
        world = {k: v for k, v in self.notes.corrections.items() if k in books or k not in self.notes.doubtful}
        return self._matched("corrections by admins: entries, roubles", world, books)

    def generation(self):
        """Every task KIE keeps credits for is one captured job, and vice versa; interrupted creates are counted."""
        captured = {job["task_id"]: job for job in self.jobs if job["state"] == "succeeded"}
        billed = {task["task_id"]: task for task in self.tasks if task["state"] != "fail"}
        named_late = {job["task_id"] for job in self.lost if job["task_id"]}
        loose = [task for key, task in billed.items() if key not in captured and key not in named_late]
        nameless = Counter(job["inputs"].get("prompt") for job in self.lost if not job["task_id"])
        nameless.pop(None, None)
        unexplained = self._without_the_erased(Counter(task["inputs"]["prompt"] for task in loose) - nameless)
        wrong = [*unexplained, *(captured[key]["id"] for key in set(captured) - set(billed))]
        overcharged = [job["id"] for job in captured.values() if job["charged"] != self._shown(job)]
        shown = sum(self._shown(task) for key, task in billed.items() if key in captured)
        charged = sum(job["charged"] for job in captured.values())
        late = len(named_late & set(billed))
        return [
            Row(
                "tasks billed by KIE · jobs captured",
                f"{len(billed)}",
                f"{len(captured)} + {len(loose)} cut + {late} late",
                wrong,
            ),
            Row("prices shown · prices charged, roubles", roubles(shown), roubles(charged), overcharged),
            Row(
                "creates whose answer was cut (money given back)",
                f"{len(loose)} billed",
                f"{len(self.lost)} lost",
                None,
            ),
        ]

    def _without_the_erased(self, prompts):
        """Leave out tasks that are lost orders of people erased since, by the person if known.

        Their words are gone from the job, and a prompt names its writer: fox 5000000919-20.
        """
        left = list(prompts.elements())
        erased = [job for job in self.lost if job["user"] in self.forgotten and not job["inputs"].get("prompt")]
        people = [self.telegram_ids[job["user"]] for job in erased if not job["task_id"]]
        for person in sorted(people, key=lambda person: person is None):
            found = next((one for one in left if person is None or f" {person}-" in one), None)
            if found is not None:
                left.remove(found)
        return left

    def _shown(self, order):
        """Return the price on the button that was tapped for a job or task; only KIE has a forgotten job's words."""
        return self.notes.prices.get(self._prompt(order), 0)

    def _prompt(self, order):
        return order["inputs"].get("prompt") or self.prompts.get(order["task_id"])

    def credits(self):
        """What KIE billed is what the jobs say it took, apart from interrupted creates."""
        known = {job["task_id"] for job in self.jobs if job["cost"] is not None}
        cut = sum(task["credits"] for task in self.tasks if task["task_id"] not in known)
        billed = self.servers.kie.bill()["billed_credits"]
        stored = sum(job["cost"] or 0 for job in self.jobs) / MICRO
        wrong = [billed - stored - cut] if abs(billed - stored - cut) > 0.001 else []
        return Row("KIE's bill in credits", f"{billed:.2f}", f"{stored:.2f} + {cut:.2f} cut", wrong)

    def results(self):
        """Every result was delivered at least once, and every order that failed was reported."""
        shown = Counter(data for messages in self.seen.values() for message in messages for data in _buttons(message))
        ended = [job for job in self.jobs if job["state"] == "succeeded" or job["result"]]
        asked = Counter(filter(None, map(_asked_in_group, self.in_group)))
        shown.update({f"uses:of:{job['id']}": asked[self._prompt(job)] for job in ended})
        good = [job["id"] for job in ended if job["user"] not in self.forgotten or job["delivery"] != "undeliverable"]
        bad = [job["id"] for job in self.jobs if job["state"] == "failed" and not job["result"]]
        twice = sum(shown[f"uses:of:{job}"] > 1 for job in good)
        missing = [job for job in good if not shown[f"uses:of:{job}"]]
        left = {job["id"] for job in self.jobs if job["user"] in self.forgotten}  # their messages were deleted, too
        untold = [job for job in bad if not shown[f"orders:change:{job}"] and job not in left]
        return [
            Row("results", f"{len(good) - len(missing)} delivered ({twice} twice)", f"{len(good)}", missing),
            Row("orders that failed", f"{len(bad) - len(untold)} told", f"{len(bad)}", untold),
        ]

    def balances(self):
        """People's balances are what came in and stayed, less what was captured, and they are shown the same."""
        expected = Counter()
        for person, amount in self._money_in():
            expected[person] += amount
        for job in self.jobs:
            if job["state"] == "succeeded":
                expected[self.telegram_ids[job["user"]]] -= self._shown(job)
        people = [one.id for one in self.customers]
        wrong = [(one, expected[one], self.accounts[one]) for one in people if expected[one] != self.accounts[one]]
        told = [(one, self.shown_accounts.get(one), self.notes.balances.get(one)) for one in people]
        wrong += [line for line in told if line[1] != line[2]]
        world, books = sum(expected[one] for one in people), sum(self.accounts[one] for one in people)
        return Row("balances: expected and shown · in the ledger", roubles(world), roubles(books), wrong)

    def _money_in(self):
        """Yield (person, amount) of what the world saw come in and stay, and of what the rows above have checked."""
        for charge in set(self.taken) - set(self.returned):
            yield self.notes.paid.get(charge, ("unknown", 0))
        credited = self._of_kind("topup", "key")  # the rows above have checked who won a race
        for number, note in self.notes.requests.items():
            if f"topup:{number}" in credited:
                yield note["person"], note["amount"]
        for number, (taken, back) in self.online[0].items():
            yield self.notes.online.get(number, "unknown"), taken - back
        made = self._of_kind("admin", "reason")
        yield from (note for reason, note in self.notes.corrections.items() if reason in made)
        yield from ((self.telegram_ids[b["user"]], b["amount"]) for b in self.bonuses if b["state"] == "posted")
        for entry in self.entries:
            if entry["kind"] in ("writeoff", "recovery"):
                yield self.telegram_ids[entry["user"]], entry["amount"]

    def answers(self):
        """Nothing that anybody did stayed without an answer."""
        silent = self.notes.unanswered
        name = "acts without an answer · updates set aside"
        return Row(name, f"{len(silent)}", f"{len(self.aside)}", [*silent, *self.aside])

    def leftovers(self):
        """Nothing is left to do."""
        waiting = self.servers.telegram.pending
        left = {name: count for name, count in self.left.items() if count}
        said = [f"{count} {name}" for name, count in left.items()]
        wrong = [*said, *([f"{waiting} updates at Telegram"] if waiting else [])]
        return Row("left to do", f"{waiting} updates", ", ".join(said) or "nothing", wrong)


def _words(message):
    return message.get("text") or message.get("caption") or ""


def _asked_in_group(message):
    """Return the words that a result in the group answers, or None."""
    asked = message.get("reply_to_message", {}).get("text", "")
    return asked.removeprefix("@demo_bot ") if message["_from_bot"] and "photo" in message else None


def _buttons(message):
    """Return the data of a message's buttons."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [cell.get("callback_data") for row in rows for cell in row]


def _telegram(method, servers):
    """Return ({charge id: Stars} paid, the same for what went back), from Telegram's list, page by page."""
    taken, returned, offset = {}, {}, 0
    while True:
        url = f"{servers.telegram_server.url}/bot{TOKEN}/{method}"
        page = requests.post(url, json={"offset": offset, "limit": 100}, timeout=10).json()["result"]["transactions"]
        taken |= {row["id"]: row["amount"] for row in page if "source" in row}
        returned |= {row["id"]: row["amount"] for row in page if "receiver" in row}
        offset += len(page)
        if len(page) < 100:
            return taken, returned


def verdict(rows, code, said):
    """Return the rows with the bot's own proof of its books at the end."""
    broken = [line for line in said.splitlines() if line.startswith("broken:")] or ([said] if code else [])
    return [*rows, Row("python bot.py verify", f"exit {code}", said.splitlines()[-1] if said else "", broken)]


def show(rows, title, write=print):
    """Write the table and its last line; return the number of differences."""
    lines = [(row.name, row.world, row.books, "–" if row.wrong is None else str(len(row.wrong))) for row in rows]
    head = ("", "the world", "the books", "differences")
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(4)]
    write(f"\n{title}\n")
    for line in [head, tuple("-" * width for width in widths), *lines]:
        write("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    for row in rows:
        for detail in (row.wrong or [])[:SHOWN]:
            write(f"  {row.name}: {str(detail)[:300]}")
    differences = sum(len(row.wrong or []) for row in rows)
    write(f"\n{differences} differences")
    return differences

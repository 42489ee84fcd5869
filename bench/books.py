"""Holding the world against the books: what Telegram, KIE and the people saw, beside what the ledger says."""

import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import requests

from bench.load import TOKEN
from storage import db, jobs
from storage.tables import Account, Entry, Fact, Inbox, Job, Outbox, User, Words

LATE = ("lost", "deadline")
MICRO = 1_000_000
SHOWN = 5  # differences of each line that are written out


@dataclass
class Row:
    """One line of the table; `wrong` lists what does not fit, None where there is nothing to hold it against."""

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
            said = dict(Words.select(Words.digest, Words.text).tuples())
            self.entries = [row | {"reason": said.get(row["digest"])} for row in Entry.select().dicts()]
            self.accounts = {
                self.telegram_ids[user]: sum_ for user, sum_ in Account.select(Account.user, Account.balance).tuples()
            }
            self.jobs = list(Job.select().dicts())
            self.left = {
                "updates in the inbox": Inbox.select().where(~Inbox.aside).count(),
                "messages in the outbox": Outbox.select().where(Outbox.state == "pending").count(),
                "facts": Fact.select().count(),
                "open jobs": jobs.count_open(),
                "deliveries": Job.select().where(Job.delivery == "pending").count(),
            }
            self.aside = [body for (body,) in Inbox.select(Inbox.body).where(Inbox.aside).tuples()]
        self.tasks = servers.kie.tasks()
        self.lost = [job for job in self.jobs if job["reason"] in LATE]
        self.seen = {one.id: [m for m in one.fresh(0) if m["_from_bot"]] for one in self.customers}

    def rows(self):
        """Return the table."""
        return [
            self.stars(), self.transfers(), self.corrections(), *self.generation(), self.credits(), *self.results(),
            self.balances(), self.answers(), self.leftovers(),
        ]  # fmt: skip

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
        """Every payment Telegram took is credited once, to its payer, with what the payer chose."""
        taken = _telegram("getStarTransactions", self.servers)
        world = {f"stars:{charge}": self.notes.paid.get(charge, ("unknown", 0)) for charge in taken}
        return self._matched("paid in Stars: payments, roubles", world, self._of_kind("stars", "key"))

    def transfers(self):
        """Every approved transfer is credited once, no refused one is; of two admins who disagree the first wins."""
        books, world = self._of_kind("topup", "key"), {}
        for number, note in self.notes.requests.items():
            refusal = f"№{number} "
            told = any(refusal in _words(one) and "was refused" in _words(one) for one in self.seen[note["person"]])
            if note["taps"] == {"approve"} or ("approve" in note["taps"] and not told):
                world[f"topup:{number}"] = (note["person"], note["amount"])
        return self._matched("transfers approved: payments, roubles", world, books)

    def corrections(self):
        """Every correction an admin confirmed is made once."""
        books = self._of_kind("admin", "reason")
        world = {k: v for k, v in self.notes.corrections.items() if k in books or k not in self.notes.doubtful}
        return self._matched("corrections by admins: entries, roubles", world, books)

    def generation(self):
        """Every task KIE keeps credits for is one captured job, and the other way round; cut creates are counted."""
        captured = {job["task_id"]: job for job in self.jobs if job["state"] == "succeeded"}
        billed = {task["task_id"]: task for task in self.tasks if task["state"] != "fail"}
        named_late = {job["task_id"] for job in self.lost if job["task_id"]}
        loose = [task for key, task in billed.items() if key not in captured and key not in named_late]
        nameless = Counter(job["inputs"]["prompt"] for job in self.lost if not job["task_id"])
        unexplained = Counter(task["inputs"]["prompt"] for task in loose) - nameless
        wrong = [*unexplained.elements(), *(captured[key]["id"] for key in set(captured) - set(billed))]
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

    def _shown(self, order):
        """Return the price on the button that was tapped, of a job or a task."""
        return self.notes.prices.get(order["inputs"]["prompt"], 0)

    def credits(self):
        """What KIE billed is what the jobs say it took, cut creates apart."""
        known = {job["task_id"] for job in self.jobs if job["cost"] is not None}
        cut = sum(task["credits"] for task in self.tasks if task["task_id"] not in known)
        billed = self.servers.kie.bill()["billed_credits"]
        stored = sum(job["cost"] or 0 for job in self.jobs) / MICRO
        wrong = [billed - stored - cut] if abs(billed - stored - cut) > 0.001 else []
        return Row("KIE's bill in credits", f"{billed:.2f}", f"{stored:.2f} + {cut:.2f} cut", wrong)

    def results(self):
        """Every result was delivered at least once, and every order that ended badly was told of."""
        shown = Counter(data for messages in self.seen.values() for message in messages for data in _buttons(message))
        good = [job["id"] for job in self.jobs if job["state"] == "succeeded" or job["result"]]
        bad = [job["id"] for job in self.jobs if job["state"] == "failed" and not job["result"]]
        twice = sum(shown[f"orders:again:{job}"] > 1 for job in good)
        missing = [job for job in good if not shown[f"orders:again:{job}"]]
        untold = [job for job in bad if not shown[f"orders:change:{job}"]]
        return [
            Row("results", f"{len(good) - len(missing)} delivered ({twice} twice)", f"{len(good)}", missing),
            Row("orders that failed", f"{len(bad) - len(untold)} told", f"{len(bad)}", untold),
        ]

    def balances(self):
        """What came in less what was captured is what everybody is shown, and what the account says."""
        expected = Counter()
        for person, amount in self._money_in():
            expected[person] += amount
        for job in self.jobs:
            if job["state"] == "succeeded":
                expected[self.telegram_ids[job["user"]]] -= self._shown(job)
        people = [one.id for one in self.customers]
        three = [(one, expected[one], self.accounts.get(one), self.notes.balances.get(one)) for one in people]
        wrong = [line for line in three if len(set(line[1:])) > 1]
        world, books = sum(expected[one] for one in people), sum(self.accounts.get(one, 0) for one in people)
        return Row("balances: expected and shown · in the ledger", roubles(world), roubles(books), wrong)

    def _money_in(self):
        """Yield (person, amount) of what the world saw come in."""
        for charge in _telegram("getStarTransactions", self.servers):
            yield self.notes.paid.get(charge, ("unknown", 0))
        credited = self._of_kind("topup", "key")  # who won a race is checked above
        for number, note in self.notes.requests.items():
            if f"topup:{number}" in credited:
                yield note["person"], note["amount"]
        made = self._of_kind("admin", "reason")
        yield from (note for reason, note in self.notes.corrections.items() if reason in made)

    def answers(self):
        """Nothing anybody did stayed without an answer."""
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


def _buttons(message):
    """Return the data of a message's buttons."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [cell.get("callback_data") for row in rows for cell in row]


def _telegram(method, servers):
    """Return {charge id: Stars} of the payments Telegram lists, a page at a time."""
    found, offset = {}, 0
    while True:
        url = f"{servers.telegram_server.url}/bot{TOKEN}/{method}"
        page = requests.post(url, json={"offset": offset, "limit": 100}, timeout=10).json()["result"]["transactions"]
        found |= {row["id"]: row["amount"] for row in page if "source" in row}
        offset += len(page)
        if len(page) < 100:
            return found


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

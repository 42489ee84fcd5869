"""Hostile users: forged buttons, other people's ids, huge and odd texts, wrong media, duplicates, steps out of order.

A seeded generator acts as a stranger, as a user with a little money and as a banned user. Whatever they do, nobody
else's data changes, no staff action happens, no handler fails, and everybody gets an answer.
"""

import logging
import random

import pytest
from peewee import fn

from storage.base import db
from storage.base.tables import User
from storage.people import staff as people
from tests import proof
from tests.kit import png
from tests.shop import assert_books_are_right, order, user_of

ACTS = proof.share(600)
DOUBLES = 0.15  # of the acts are done twice before the bot can look
OWN = ("user_id", "invited_id", "actor_id")  # columns that say whose row it is
NOBODYS = {
    "quota",
    "inbox",
    "fact",
    "fact_done",
    "sketch",
    "schema_migration",
    "sqlite_sequence",
}  # written for everybody
STAFF = ("act", "stored", "promo", "broadcast", "overlay")  # what only the staff's acts write
NUMBERS = (-1, 0, 1, 2, 3, 7, 10**6, 2**31, 2**63, -(2**63), 10**18)
WORDS = (
    "", "x", "z-image", "not_found", "..", "1e999999", "NaN", "-5", "0x10", "٣", "💣", "a b", "%s", "{name}", "<b>",
    "\u202e", "' OR 1=1", "image", "video", "en", "ru", "xx", "stars", "transfer", "nobody", "admin", "all", "day",
)  # fmt: skip
TEXTS = (
    "x" * 4096, "💥" * 2048, "\u202e\u200b\u200d" * 300, "e" + "\u0301" * 500, "/" * 50, "@", "Ω≈ç√∫ ﷽ 𓀀 ¯\\_(ツ)_/¯",
    "<b>not closed &lt; {price:money} %(x)s", "1e999999", "-1", "NaN", "Infinity", "0", "٣٤٥", "1 000,50",
    "100 because I say so", "' OR 1=1 --", "/start r", "/start u1", "/start " + "A" * 64, "/user 1", "/admin",
    "/verify",
    "/rate 1", "/rate@demo_bot 0.01", "/markup 1", "/ban 1", "/broadcast hi", "/refund 1", "/promo X", "/cancel",
    "/topup", "/balance", "/history", "/deleteme", "/unknown_command", "/pause", "/team", "/backup", "/models <",
)  # fmt: skip


class Foe:
    """Somebody who sends whatever comes to mind, from one seed."""

    def __init__(self, bot, person, seed, targets):
        self.bot, self.person, self.rng, self.targets = bot, person, random.Random(seed), targets
        self.commands = [f"/{name}" for name in bot.bot.handlers["command"]]
        self.buttons = {route: entry.types for route, entry in bot.bot.handlers["button"].items()}

    def act(self):
        """Do one thing, sometimes twice at once; return what was done, and check that it was answered."""
        kind = self.rng.choice((self.forge, self.forge, self.forge, self.tap, self.write, self.write, self.send_file))
        self.bot.telegram.pump, pump = (lambda: None), self.bot.telegram.pump  # the bot looks when both are there
        before = self.bot.telegram.call_count
        try:
            done, is_answered = kind()
            if self.rng.random() < DOUBLES:
                kind()
        finally:
            self.bot.telegram.pump = pump
        self.bot.pump()
        assert is_answered(before), f"silence after {done!r}"
        return done

    def forge(self):
        """Tap with forged data: a registered route with any arguments, or anything at all."""
        route = self.rng.choice(sorted(self.buttons))
        parts = [str(self._argument(kind)) for kind in self.buttons[route].values()]
        if self.rng.random() < 0.1:
            parts = parts[1:] + self.rng.choices(WORDS, k=self.rng.randint(0, 2))
        data = ":".join([route, *parts])
        if self.rng.random() < 0.05:
            data = self.rng.choice(WORDS) or ":"
        while len(data.encode()) > 64:
            data = data[:-1]
        return self._tapped(self._last_message(), data)

    def _argument(self, kind):
        if kind is int:
            return self.rng.choice((*self.targets, *NUMBERS))
        return self.rng.choice((*WORDS, *map(str, self.targets)))

    def tap(self):
        """Tap a button that is there, on any message, old ones too."""
        shown = [
            (message["message_id"], cell["callback_data"])
            for message in self.person.received
            for row in message.get("reply_markup", {}).get("inline_keyboard", [])
            for cell in row
            if "callback_data" in cell
        ]
        return self._tapped(*self.rng.choice(shown)) if shown else self.write()

    def _last_message(self):
        return (
            self.person.received[-1]["message_id"] if self.person.received else self.person.send("hello")["message_id"]
        )

    def _tapped(self, message_id, data):
        body = {"message_id": message_id, "data": data}
        tap = self.bot.telegram.call("POST", f"/people/{self.person.id}/tap", json=body)["callback_query_id"]
        return (
            data,
            lambda before: self.bot.telegram.call("GET", f"/taps/{tap}")["answered"] and self._heard(before, tap),
        )

    def _heard(self, before, tap):
        """Tell whether there was more than the end of a spinner: a toast, or something sent or edited."""
        if self.bot.telegram.call("GET", f"/taps/{tap}")["text"]:
            return True
        return self._was_told(before)

    def _was_told(self, before):
        calls = self.bot.telegram.calls(after=before)
        visible = [one for one in calls if one["method"].startswith(("send", "edit", "delete", "copy"))]
        return any(str(one["params"].get("chat_id")) == str(self.person.id) for one in visible)

    def write(self):
        """Write a text, of any length and in any script, or a command with odd words after it."""
        text = self.rng.choice(TEXTS)
        if self.rng.random() < 0.3:
            text = f"{self.rng.choice(self.commands)} {self.rng.choice((*WORDS, *map(str, self.targets)))}"
        self.person.send(text.strip() or "x")
        return text[:80], self._was_told

    def send_file(self):
        """Send media nobody asked for, or the wrong kind of it."""
        kind = self.rng.choice(("photo", "document", "sticker", "voice", "video", "audio", "animation"))
        content = png(str(self.rng.random())) if kind in ("photo", "sticker") else self.rng.randbytes(50)
        extra = {"caption": self.rng.choice(TEXTS)[:500]} if kind in ("photo", "document") else {}
        self.person.send_file(kind, content, **extra)
        return kind, self._was_told


def everything(bot, besides=lambda user: False):
    """Return {(table, row)} of all whose owner (an internal id) is not one of `besides`, less times of last sight."""
    found = set()
    with db.connection() as database:
        for table in database.get_tables():
            if table in NOBODYS:
                continue
            cursor = database.execute_sql(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                fields = dict(zip(names, row, strict=True))
                if table == "kept_value" and fields["name"].startswith("drawing:"):
                    continue  # what Telegram calls a file of ours: the same, whoever looks at it first
                owners = {fields[name] for name in (*OWN, *(["id"] if table == "user" else [])) if name in fields}
                if not any(besides(owner) for owner in owners if owner is not None):
                    fields.pop("seen_at", None)
                    found.add((table, str(fields)))
    return found


def newest_user():
    """Return the highest internal id."""
    with db.connection():
        return User.select(fn.MAX(User.id)).scalar()


@pytest.fixture
def town(start_bot):
    """A bot whose people have something to lose; `targets` are their ids."""
    bot = start_bot(FLOOD_MESSAGES="1000000")
    bot.boss, bot.alice = bot.admin(), bot.rich("Alice")
    done = order(bot, bot.alice)
    bot.forward(60)
    running = order(bot, bot.alice, "a second fox")
    bot.alice.send("/topup")
    bot.alice.forge("payments:pay:transfer:50000")
    bot.alice.photo(png("proof"))
    bot.alice.send("/topup")
    bot.alice.forge("payments:pay:stars:10000")
    bot.alice.pay()
    topups = [topup.id for topup in bot.bot.payments.of_user(user_of(bot, bot.alice).id)]
    bot.targets = (user_of(bot, bot.alice).id, user_of(bot, bot.boss).id, done.id, running.id, *topups, bot.alice.id)
    return bot


def check(town, foe, caplog):
    """Let a foe act and prove that nothing of anybody else's has changed."""
    own, newest = user_of(town, foe.person), newest_user()
    them = {own.id, user_of(town, town.boss).id}

    def is_theirs(user):
        """Tell the foe (who is somebody new after /deleteme) and the admin, who is written to, from the rest."""
        return user in them or user > newest

    before, chat = everything(town, is_theirs), town.alice.messages
    staff = {row for row in everything(town) if row[0] in STAFF}
    caplog.set_level(logging.INFO)
    caplog.clear()
    for number in range(ACTS):
        done = foe.act()
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert not errors, (number, done, errors)
    assert everything(town, is_theirs) == before
    assert town.alice.messages == chat
    assert {row for row in everything(town) if row[0] in STAFF} == staff, (
        "something was done that only the staff may do"
    )
    assert_books_are_right()
    return own


@pytest.mark.proof
def test_a_stranger_harms_nobody_and_gets_no_money(town, caplog, seed=1):
    stranger = town.user("Mallory")
    stranger.send("hello")
    own = check(town, Foe(town, stranger, seed, town.targets), caplog)
    assert town.bot.ledger.balance(own.id) == 0


@pytest.mark.proof
def test_a_user_harms_nobody_and_only_spends(town, caplog, seed=2):
    mallory = town.rich("Mallory", amount="50")
    mallory.forge("generate:open:z-image")
    own = check(town, Foe(town, mallory, seed, town.targets), caplog)
    assert {entry.kind for entry in town.bot.ledger.entries(own.id, limit=1000)} <= {
        "admin",
        "hold",
        "capture",
        "release",
    }
    assert town.bot.ledger.balance(own.id) <= 5000


def money_in(town):
    """Return the rows of money; without accounts of nothing, as somebody banned may have themselves erased and come back."""
    rows = [row for row in everything(town) if row[0] in ("entry", "job", "top_up", "account")]
    return [row for row in rows if "'balance': 0, 'debt': 0" not in row[1]]


@pytest.mark.proof
def test_a_banned_user_changes_nothing_at_all(town, caplog, seed=3):
    mallory = town.rich("Mallory", amount="50")
    own = user_of(town, mallory)
    people.block(own.id, True, "was rude", user_of(town, town.admin()).id, town.clock.now())
    money = money_in(town)
    check(town, Foe(town, mallory, seed, town.targets), caplog)
    assert money_in(town) == money
    with db.connection():
        assert User.get_by_id(own.id).banned

"""Everything the staff does is logged: each handler with a right is pressed and either writes a row or changes nothing.

A handler that is in neither list fails the test, and so does a reader that changes a row.
"""

import json
import re

import pytest

from core.buttons import mark
from storage.base import db
from storage.base.tables import TABLES, Act, Alarm, Draft, Fact, FactDone, Inbox, Outbox, Recipient
from storage.journal import audit_log
from storage.money import promo
from storage.orders import health, overrides
from storage.people import broadcasts, users
from tests.kit import ROOT
from tests.shop import order, user_of
from tests.till import open_card, pay_stars, request, transfer

# Rows that are no state of the shop: questions that are open, updates, messages on their way, and the log itself.
IN_PASSING = (Act, Alarm, Draft, Fact, FactDone, Inbox, Outbox)
CODE = "z-image"
KEYS = {"YOOKASSA_SHOP_ID": "500001", "YOOKASSA_SECRET_KEY": "test_demo-secret-key"}


class Shop:
    """A shop in which something has happened: what a handler needs is made when it is pressed."""

    def __init__(self, bot, yookassa):
        self.yookassa = yookassa
        self.bot, self.boss, self.alice = bot, bot.admin(), bot.user()
        self.alice.send("/start")
        self.me, self.her = user_of(bot, self.boss).id, user_of(bot, self.alice).id
        self.group = bot.telegram.group("The staff", self.boss)
        self.sam = bot.user("Sam")
        self.sam.send("/start")

    def send(self, text, **more):
        """Have the owner write."""
        self.boss.send(text, **more)

    def tap(self, data):
        """Have the owner tap a button with this data."""
        self.boss.forge(data)

    def go(self, *steps):
        """Tap what looks like button data, write the rest."""
        for step in steps:
            (self.tap if re.match(r"[a-z]+:[a-z]", step) else self.send)(step)

    def press(self, start):
        """Tap the newest button whose data begins like this."""
        self.boss.tap(start)

    @property
    def topup(self):
        """The number of the newest request."""
        return self.bot.bot.payments.of_user(self.her, limit=1)[0].id

    def requested(self):
        """Have Alice send a screenshot, unless one waits."""
        if not self.bot.bot.payments.pending_of(self.her):
            transfer(self.alice)

    def approved(self):
        """Have a transfer of Alice's approved."""
        self.requested()
        self.boss.tap("✓ Approve", request(self.boss))

    def own_request(self):
        """Have the owner, who is alone, ask for money of their own and approve it."""
        transfer(self.boss)
        self.boss.tap("✓ Approve", request(self.boss))

    def differing(self, kind="gone", change=("off", True), model=CODE, lines=(["gone", {}],)):
        """Have a difference to KIE wait; return its number."""
        overrides.record(
            [(model, kind, {"lines": list(lines), "change": list(change), "alone": False})], self.bot.clock.now()
        )
        return overrides.differences()[-1].id

    def asked_for_words(self):
        """Have a new model wait for its words."""
        data = json.loads((ROOT / "data" / "models.json").read_text(encoding="utf-8"))
        raw = next(one for one in data["models"] if one["id"] == CODE)
        new = raw | {"id": "z-two", "code": "z-two", "card": "z-two"}
        words = {"kind": raw.get("type", ""), "inputs": ""}
        number = self.differing("new", ("entry", {"model": new, "card": None}), "z-two", (["new", words],))
        self.tap(f"supply:apply:{number}")

    def changed(self):
        """Change the terms of a model."""
        self.go(f"terms:ask:m.{CODE}:markup", "3")

    def reworded(self):
        """Have a text of the owner's own seen; it is another one each time."""
        self.tap(f"texts:show:{mark('common.lost')}:en")
        self.send(f"Pardon {self.boss.last_message['message_id']}?")

    def draft(self):
        """Write the message of a broadcast."""
        self.send("/broadcast", reply_to=self.boss.send("News"))
        return broadcasts.newest()[0].id

    def checked(self):
        """Have a broadcast asked about."""
        self.tap(f"broadcast:check:{self.draft()}")

    def going(self, state="running"):
        """Have a broadcast go out, or be held; return its number. Nobody is left to send it to meanwhile."""
        number = self.draft()
        broadcasts.start(number, 1, None, self.bot.clock.now(), self.me)
        broadcasts.move(number, ["running"], state, self.bot.clock.now())
        return number

    def timed(self):
        """Have a broadcast asked about for a time; return its number."""
        number = self.draft()
        self.tap(f"later:ask:{number}")
        self.send("23:30")
        return number

    def waiting(self):
        """Have a broadcast wait for its time; return its number."""
        number = self.timed()
        self.press("later:set")
        return number

    def doubtful(self):
        """Have a broadcast end with every copy in doubt; return its number."""
        number = self.going("done")
        with db.transaction():
            Recipient.update(state="doubt").where(Recipient.broadcast == number).execute()
        return number

    def code(self, author=None, **more):
        """Make a promo code; return it."""
        code = f"CODE{len(promo.every(limit=99))}"
        author = author or self.me
        promo.create(code, "amount", 500, total_limit=5, author=author, now=self.bot.clock.now(), **more)
        return code

    def open(self, person):
        """Open somebody's card."""
        open_card(self.boss, person)

    def refund(self, person, reason="by mistake"):
        """Walk to the question of a refund."""
        pay_stars(person)
        self.open(person)
        self.boss.tap("⭐ Refund")
        self.boss.tap("refunds:ask:")
        if reason:
            self.send(reason)

    def queued(self, *steps):
        """Have two transfers wait, and open their list."""
        self.requested()
        if not self.bot.bot.payments.pending_of(user_of(self.bot, self.sam).id):
            transfer(self.sam)
        self.tap("queue:list")
        for step in steps:
            self.press(step)

    def paid(self, person, came="300.00"):
        """Have somebody pay 300 by card, or another sum instead."""
        person.send("/topup")
        person.tap("300 ₽")
        person.tap("💳")
        self.yookassa.pay(amount=came)
        self.bot.forward(30)

    def paid_otherwise(self, person):
        """Have a payment come with another sum, and open the list of such."""
        self.paid(person, "150.00")
        self.tap("online:desk")

    def payback(self, person, *steps):
        """Walk to the refund of a card payment: tap what looks like button data, write the rest."""
        self.paid(person)
        self.tap(f"payback:list:{user_of(self.bot, person).id}")
        for step in ("payback:ask:", *steps):
            (self.press if step.startswith("payback:") else self.send)(step)

    def subscribed(self):
        """Have Alice subscribe to a monthly sum, and open the list of her payments."""
        self.alice.send("/monthly")
        self.alice.tap("monthly:begin")
        self.alice.pay(link=self.bot.telegram.calls("createInvoiceLink")[-1]["result"])
        self.tap(f"refunds:list:{self.her}")

    def delivered(self, person):
        """Have a picture made for somebody, with money enough; return the order's number."""
        who, now = user_of(self.bot, person).id, self.bot.clock.now()
        self.bot.bot.ledger.post(who, 100_000, kind="admin", key=f"paint:{who}", now=now, reason="test money")
        number = order(self.bot, person).id
        self.bot.forward(60)
        return number

    def example(self):
        """Make a picture of the owner's own the example of an idea; return its order's number."""
        number = self.delivered(self.boss)
        self.tap(f"examples:put:{number}:0:logo")
        return number


def prepared(before, press):
    """Return a way to press a handler: what has to be there first, and the press itself."""
    return before, press


def nothing(shop):
    """Need nothing to be there."""


ACTS = {
    "command newpromo": prepared(nothing, lambda s, _: s.send("/newpromo SUMMER 10 5")),
    "command backup": prepared(nothing, lambda s, _: s.send("/backup")),
    "button backup:send": prepared(nothing, lambda s, _: s.tap("backup:send")),
    "button first:hide": prepared(nothing, lambda s, _: (s.tap("first:show"), s.press("first:hide"))),
    "command rate": prepared(nothing, lambda s, _: s.send("/rate 95")),
    "command markup": prepared(nothing, lambda s, _: s.send("/markup 2.5")),
    "command pause": prepared(nothing, lambda s, _: s.send("/pause for lunch")),
    "command resume": prepared(lambda s: s.send("/pause"), lambda s, _: s.send("/resume")),
    "command quiet": prepared(nothing, lambda s, _: s.send("/quiet 23-8")),
    "command here": prepared(nothing, lambda s, _: s.boss.send("/here", group=s.group)),
    "button alerts:alone": prepared(
        lambda s: s.go("alerts:show"), lambda s, _: s.press("alerts:alone")
    ),
    "button pause:end": prepared(lambda s: s.send("/pause"), lambda s, _: s.press("pause:end")),
    "button promo:stop": prepared(lambda s: s.code(), lambda s, code: s.tap(f"promo:stop:{code}")),
    "button promo:confirm": prepared(
        lambda s: s.code(user_of(s.bot, s.sam).id, waits=True), lambda s, code: s.tap(f"promo:confirm:{code}")
    ),
    "button promo:sure": prepared(lambda s: s.send("/newpromo HUGE 500% 5"), lambda s, _: s.press("promo:sure")),
    "button overrun:pause": prepared(nothing, lambda s, _: s.tap(f"overrun:pause:{list(s.bot.bot.generation.catalog.models.values())[-1].code}")),
    "button broadcast:again": prepared(Shop.doubtful, lambda s, number: s.tap(f"broadcast:again:{number}:doubt")),
    "button rehearse:start": prepared(lambda s: s.send("/rehearse"), lambda s, _: s.press("rehearse:start")),
    "button promo:export": prepared(nothing, lambda s, _: s.tap("promo:export")),
    "button stats:export": prepared(nothing, lambda s, _: s.tap("stats:export:users:7")),
    "button users:ok": prepared(
        lambda s: s.go(f"users:credit:{s.her}", "100 sorry"), lambda s, _: s.press("users:ok")
    ),
    "step users:sum": prepared(
        lambda s: (s.go(f"users:credit:{s.me}", "100 a try"), s.press("users:ok")), lambda s, _: s.send("100")
    ),
    "button rates:reset": prepared(
        lambda s: s.go("/rate 95", "rates:edit:USD_RATE"), lambda s, _: s.press("rates:reset")
    ),
    "step rates:value": prepared(lambda s: s.go("rates:edit:TERMS_TEXT"), lambda s, _: s.send("Be kind")),
    "button texts:use": prepared(Shop.reworded, lambda s, _: s.press("texts:use")),
    "button texts:back": prepared(
        lambda s: (s.reworded(), s.press("texts:use")), lambda s, _: s.press("texts:back")
    ),
    "button texts:former": prepared(
        lambda s: (s.reworded(), s.press("texts:use"), s.press("texts:back")), lambda s, _: s.press("texts:former")
    ),
    "button transfer:approve": prepared(Shop.requested, lambda s, _: s.tap(f"transfer:approve:{s.topup}")),
    "button transfer:exact": prepared(Shop.requested, lambda s, _: s.tap(f"transfer:exact:{s.topup}:20000")),
    "button transfer:refuse": prepared(Shop.requested, lambda s, _: s.tap(f"transfer:refuse:{s.topup}:not_found")),
    "button transfer:take": prepared(Shop.approved, lambda s, _: s.tap(f"transfer:take:{s.topup}:not_found")),
    "step desk:words": prepared(
        lambda s: (s.requested(), s.tap(f"transfer:other:{s.topup}:refuse")), lambda s, _: s.send("not found")
    ),
    "step desk:sum": prepared(Shop.own_request, lambda s, _: s.send("300")),
    "button refunds:go": prepared(lambda s: s.refund(s.alice), lambda s, _: s.press("refunds:go")),
    "step refunds:sum": prepared(
        lambda s: (s.refund(s.boss), s.press("refunds:go")), lambda s, _: s.send("300")
    ),
    "button payback:go": prepared(
        lambda s: s.payback(s.alice, "100", "by mistake"), lambda s, _: s.press("payback:go")
    ),
    "step payback:sum": prepared(
        lambda s: s.payback(s.boss, "payback:all", "by mistake", "payback:go"), lambda s, _: s.send("300")
    ),
    "button online:credit": prepared(lambda s: s.paid_otherwise(s.alice), lambda s, _: s.press("online:credit")),
    "button online:apart": prepared(lambda s: s.paid_otherwise(s.alice), lambda s, _: s.press("online:apart")),
    "step online:sum": prepared(
        lambda s: (s.paid_otherwise(s.boss), s.press("online:credit")), lambda s, _: s.send("150")
    ),
    "button queue:approve": prepared(Shop.queued, lambda s, _: s.press("queue:approve")),
    "button queue:go": prepared(lambda s: s.queued("queue:all"), lambda s, _: s.press("queue:go")),
    "button monthly:end": prepared(Shop.subscribed, lambda s, _: s.press("monthly:end")),
    "command example": prepared(lambda s: s.delivered(s.alice), lambda s, number: s.send(f"/example {number}")),
    "button examples:put": prepared(
        lambda s: s.delivered(s.boss), lambda s, number: s.tap(f"examples:put:{number}:0:logo")
    ),
    "button examples:drop": prepared(Shop.example, lambda s, number: s.tap(f"examples:drop:logo:{number}")),
    "step promo:large": prepared(lambda s: s.send("/newpromo LARGE 5000 5"), lambda s, _: s.send("5000")),
    "button team:grant": prepared(
        lambda s: s.tap(f"team:ask:{user_of(s.bot, s.sam).id}:cashier"), lambda s, _: s.press("team:grant")
    ),
    "button terms:switch": prepared(nothing, lambda s, _: s.tap(f"terms:switch:{CODE}:0")),
    "button rungs:pick": prepared(nothing, lambda s, _: s.tap("rungs:pick:text-to-image:draft:grok2")),
    "button rungs:switch": prepared(nothing, lambda s, _: s.tap("rungs:switch:text-to-image:draft:0")),
    "button rungs:reset": prepared(
        lambda s: s.go("rungs:pick:text-to-image:draft:grok2", "rungs:rung:text-to-image:draft:0"),
        lambda s, _: s.press("rungs:reset"),
    ),
    "button terms:clear": prepared(
        lambda s: s.go(f"terms:ask:m.{CODE}:markup", "3"), lambda s, _: s.press("terms:clear")
    ),
    "step terms:number": prepared(lambda s: s.tap("terms:ask:t.video:fixed"), lambda s, _: s.send("15")),
    "button supply:check": prepared(nothing, lambda s, _: s.tap("supply:check")),
    "button supply:apply": prepared(Shop.differing, lambda s, number: s.tap(f"supply:apply:{number}")),
    "button supply:dismiss": prepared(Shop.differing, lambda s, number: s.tap(f"supply:dismiss:{number}")),
    "button supply:all": prepared(
        lambda s: (s.differing(model="google/imagen4"), s.tap("supply:found:0")), lambda s, _: s.press("supply:all")
    ),
    "button supply:undo": prepared(
        lambda s: (s.changed(), s.tap("supply:done:0")), lambda s, _: s.press("supply:undo")
    ),
    "step supply:words": prepared(Shop.asked_for_words, lambda s, _: s.send("Z Two\nQuick\nБыстро")),
    "button broadcast:start": prepared(Shop.checked, lambda s, _: s.press("broadcast:start")),
    "button later:set": prepared(Shop.timed, lambda s, _: s.press("later:set")),
    "button later:cancel": prepared(Shop.waiting, lambda s, number: s.tap(f"later:cancel:{number}")),
    "button broadcast:pause": prepared(Shop.going, lambda s, number: s.tap(f"broadcast:pause:{number}")),
    "button broadcast:resume": prepared(
        lambda s: s.going("paused"), lambda s, number: s.tap(f"broadcast:resume:{number}")
    ),
    "button broadcast:stop": prepared(
        lambda s: s.going("paused"), lambda s, number: s.tap(f"broadcast:stop:{number}")
    ),
}  # fmt: skip

READERS = {
    "command user": prepared(nothing, lambda s, _: s.send("/user Alice")),
    "command broadcast": prepared(nothing, lambda s, _: s.draft()),
    "command price": prepared(nothing, lambda s, _: s.send(f"/price {CODE}")),
    "command stats": prepared(nothing, lambda s, _: s.send("/stats 7d")),
    **{
        f"command {name}": prepared(nothing, lambda s, _, name=name: s.send(f"/{name}"))
        for name in ("error", "doctor", "admin", "verify", "staff", "catalog", "audit", "texts", "plugins",
                     "rehearse")
    },
    **{
        f"button {data.partition('?')[0]}": prepared(
            nothing, lambda s, _, data=data: s.tap(data.replace("?", ":").format(her=s.her))
        )
        for data in (
            "promo:list", "users:find", "users:card?{her}", "users:entries?{her}:0", "users:orders?{her}:0",
            "users:topups?{her}:0", "users:credit?{her}", "users:debit?{her}", "users:block?{her}", "users:unblock?{her}",
            "users:resume?{her}", "users:collect?{her}", "users:note?{her}", "users:message?{her}", "stats:show?7", "rates:show", "rates:texts",
            "rates:edit?USD_RATE", "transfer:list", "doctor:show", "terms:find", "terms:kinds", "terms:menu?video",
            f"terms:model?{CODE}", f"terms:prices?{CODE}:0", f"terms:ask?m.{CODE}:markup", "refunds:list?{her}",
            "admin:show", "help:staff", "team:show", "team:role?{her}", "team:ask?{her}:cashier", "supply:show",
            "texts:find", "texts:list?0", "texts:changed", f"texts:show?{mark('common.lost')}:en", "supply:found?0", "supply:done?0", "broadcast:list", "audit:page?0", "audit:about?{her}:0", "alerts:show", "plugins:page?1",
            "first:show", "rungs:show", "rungs:work?text-to-image", "rungs:rung?text-to-image:draft:0",
        )
    },
    **{
        f"button transfer:{name}": prepared(
            Shop.requested, lambda s, _, name=name, rest=rest: s.tap(f"transfer:{name}:{s.topup}{rest}")
        )
        for name, rest in (("reject", ""), ("back", ""), ("show", ""), ("other", ":amount"))
    },
    "button transfer:undo": prepared(Shop.approved, lambda s, _: s.tap(f"transfer:undo:{s.topup}")),
    "button refunds:ask": prepared(
        lambda s: (pay_stars(s.alice), s.tap(f"refunds:list:{s.her}")), lambda s, _: s.press("refunds:ask")
    ),
    "button online:desk": prepared(lambda s: s.paid(s.alice, "150.00"), lambda s, _: s.tap("online:desk")),
    "button payback:list": prepared(lambda s: s.paid(s.alice), lambda s, _: s.tap(f"payback:list:{s.her}")),
    "button payback:ask": prepared(
        lambda s: (s.paid(s.alice), s.tap(f"payback:list:{s.her}")), lambda s, _: s.press("payback:ask:")
    ),
    "button payback:all": prepared(lambda s: s.payback(s.alice), lambda s, _: s.press("payback:all")),
    "step payback:amount": prepared(lambda s: s.payback(s.alice), lambda s, _: s.send("100")),
    "step payback:reason": prepared(lambda s: s.payback(s.alice, "100"), lambda s, _: s.send("by mistake")),
    "button queue:list": prepared(Shop.requested, lambda s, _: s.tap("queue:list")),
    "button queue:all": prepared(Shop.queued, lambda s, _: s.press("queue:all")),
    "button examples:pick": prepared(
        lambda s: s.delivered(s.boss), lambda s, number: s.tap(f"examples:pick:{number}:0:0")
    ),
    "button promo:show": prepared(Shop.code, lambda s, code: s.tap(f"promo:show:{code}")),
    "button supply:one": prepared(
        lambda s: s.differing(model="veo-3-1"), lambda s, number: s.tap(f"supply:one:{number}")
    ),
    **{
        f"button broadcast:{name}": prepared(
            Shop.draft, lambda s, number, name=name, rest=rest: s.tap(f"broadcast:{name}:{number}{rest}")
        )
        for name, rest in (("draft", ""), ("to", ":3"), ("ids", ""), ("preview", ""), ("check", ""))
    },
    "button broadcast:who": prepared(Shop.doubtful, lambda s, number: s.tap(f"broadcast:who:{number}:doubt:0")),
    "button under:ask": prepared(Shop.draft, lambda s, number: s.tap(f"under:ask:{number}")),
    "button under:none": prepared(Shop.draft, lambda s, number: s.tap(f"under:none:{number}")),
    "step under:typed": prepared(
        lambda s: s.tap(f"under:ask:{s.draft()}"), lambda s, _: s.send("Shop https://example.org")
    ),
    "button later:ask": prepared(Shop.draft, lambda s, number: s.tap(f"later:ask:{number}")),
    "step later:typed": prepared(lambda s: s.tap(f"later:ask:{s.draft()}"), lambda s, _: s.send("23:30")),
    "step broadcast:message": prepared(lambda s: s.send("/broadcast"), lambda s, _: s.send("News")),
    "step broadcast:typed": prepared(
        lambda s: s.tap(f"broadcast:ids:{s.draft()}"), lambda s, _: s.send(f"{s.alice.id}")
    ),
    "step users:words": prepared(lambda s: s.tap("users:find"), lambda s, _: s.send("Alice")),
    "step users:reason": prepared(lambda s: s.tap(f"users:credit:{s.her}"), lambda s, _: s.send("100 sorry")),
    "step refunds:reason": prepared(lambda s: s.refund(s.alice, ""), lambda s, _: s.send("by mistake")),
    "step texts:words": prepared(lambda s: s.tap("texts:find"), lambda s, _: s.send("catch")),
    "step texts:new": prepared(lambda s: s.tap(f"texts:show:{mark('common.lost')}:en"), lambda s, _: s.send("Pardon?")),
    "step terms:word": prepared(lambda s: s.tap("terms:find"), lambda s, _: s.send(CODE)),
}  # fmt: skip


def state():
    """Return every row that is a state of the shop, as text."""
    found = set()
    with db.connection():
        for table in TABLES:
            if table not in IN_PASSING:
                found |= {
                    f"{table.__name__} {sorted(row.items())}" for row in map(_settled, table.select().dicts()) if row
                }
    return found


def _settled(row):
    """Return a row without what the mere coming of an update changes; nothing for what is no state yet."""
    if row.get("name") == health.WRITE_TEST or {"audience", "state"} <= row.keys() and row["state"] == "draft":
        return None
    return {name: value for name, value in row.items() if name != "seen_at"}


def newest_act():
    """Return the number of the newest act, 0 when there is none."""
    return max((act.id for act in audit_log.recent(limit=1)), default=0)


@pytest.fixture
def shop(start_bot, yookassa_server, yookassa_shop, tmp_path):
    """A shop with one owner, alone, where people pay in every way."""
    paying = {"YOOKASSA_API_URL": yookassa_server.url, "MONTHLY_AMOUNT": "500"} | KEYS
    bot = start_bot(FLOOD_MESSAGES="100000", DATA_DIR=str(tmp_path), **paying)
    bot.clock.follow(yookassa_shop)
    return Shop(bot, yookassa_shop)


def test_every_handler_with_a_right_is_an_act_or_a_reader(start_bot):
    bot = start_bot()
    handlers = {
        f"{kind} {name}"
        for kind in ("command", "button", "step")
        for name, entry in bot.bot.handlers[kind].items()
        if entry.right
    }
    assert not ACTS.keys() & READERS.keys()
    assert handlers - ACTS.keys() - READERS.keys() == set(), "nobody knows whether these are acts"
    assert (ACTS.keys() | READERS.keys()) - handlers == set(), "these are there no more"


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_every_act_writes_a_row_in_words_of_people(shop):
    for name, (before, press) in ACTS.items():
        made = before(shop)
        newest, rows = newest_act(), state()
        press(shop, made)
        fresh = [act for act in audit_log.recent(limit=9) if act.id > newest]
        assert fresh, f"{name} left no trace; the last text is {shop.boss.last!r}"
        assert all(act.actor_id == shop.me for act in fresh), name
        assert state() != rows or name.split()[1] in ("backup", "backup:send", "promo:export", "stats:export"), (
            f"{name} did nothing"
        )
        for lang in ("en", "ru"):
            users.change(users.get(shop.me), lang=lang)
            shop.send("/audit")
            assert shop.bot.bot.texts.plain(lang, f"act.{fresh[0].what}") in shop.boss.last, name
            assert not re.search(r"\b[A-Z]+_[A-Z_]+\b|[a-z]:[a-z]", shop.boss.last), f"{name}: {shop.boss.last}"
        users.change(users.get(shop.me), lang="en")


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_every_reader_changes_nothing(shop):
    for name, (before, press) in READERS.items():
        made = before(shop)
        newest, rows, told = newest_act(), state(), len(shop.bot.telegram.calls())
        press(shop, made)
        assert len(shop.bot.telegram.calls()) > told, f"{name} was not pressed"
        assert "out of date" not in (shop.boss.toast or ""), name
        assert state() == rows, f"{name} changes rows without an act: {state() ^ rows}"
        assert newest_act() == newest, name


def test_what_was_done_by_hand_is_told_in_words(shop):
    """Each with its value as people know it: a role, an audience, a model, a row of the menu."""
    shop.go(f"terms:ask:m.{CODE}:markup", "3", "terms:ask:t.video:fixed", "15", "terms:ask:all:markup", "2")
    shop.tap(f"terms:switch:{CODE}:0")
    shop.checked()
    shop.press("broadcast:start")
    shop.tap(f"team:ask:{user_of(shop.bot, shop.sam).id}:cashier")
    shop.press("team:grant")
    shop.boss.send("/here", group=shop.group)
    shop.send("/audit")
    for words in (
        "role · Sam · cashier", "broadcast sent · #1 · everybody", "model off sale · Z-Image", "markup · Everything · ×2",
        "fixed price · 🎬 Video · 15 ₽", "markup · Z-Image · ×3", "requests go to a group · The staff",
    ):  # fmt: skip
        assert f"Boss: {words}" in shop.boss.last, shop.boss.last


def test_texts_that_were_changed_are_told_with_their_language_and_words(shop):
    shop.reworded()
    shop.press("texts:use")
    shop.press("texts:back")
    shop.send("/audit")
    assert "Boss: text put back · common.lost, English" in shop.boss.last
    assert "Boss: text changed · common.lost, English · Pardon" in shop.boss.last

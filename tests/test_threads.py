"""The real threads under a scheduler that switches all the time: many people at once, and every kopeck in its place.

The other tests do the threads' work in one thread. Here a bot runs as in production and Python is told to switch
threads as often as it can, so that code which is right only by lucky scheduling fails.
"""

import contextlib
import sys
import threading

import pytest

from storage.base import db
from storage.base.tables import Entry, Job, Promo
from tests.house import Live
from tests.kit import BOSS, png
from tests.shop import SWITCH_S, assert_books_are_right, in_threads
from tests.till import OLEG, TWO_OWNERS

PEOPLE, CODES, TAPS = 8, 3, 4
PATIENCE_S = 60
LIMITS = {"FLOOD_MESSAGES": "1000000", "USER_STARTS": "1000000", "TRANSFER_DETAILS": "Test Bank 0000 1111"}


@contextlib.contextmanager
def restless():
    """Have Python switch threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@pytest.fixture
def live(servers, ready_url):
    """A bot on real threads, with two owners, between servers on the real clock; KIE works fast."""
    with restless():
        servers[1].speed(20)
        servers[1].settings(create_limit=0)
        running = Live(*servers, ready_url, threads=16, ADMIN_IDS=TWO_OWNERS, **LIMITS)
        try:
            yield running
        finally:
            running.stop()


def opened(telegram, name, **fields):
    """Return a person who has opened the bot."""
    person = telegram.person(name, language_code="en", **fields)
    person.send("/start")
    person.wait_for("make pictures", PATIENCE_S)
    return person


def all_at_once(people, act):
    """Have everybody do the same at the same moment; raise what went wrong."""
    for failure in in_threads(len(people), lambda number: act(people[number])):
        if isinstance(failure, Exception):
            raise failure


def repeat(person, data, times=TAPS):
    """Tap the same button several times without waiting for what comes of it, from a thread each."""
    message = person.last_message
    taps = [threading.Thread(target=person.forge, args=(data, message)) for _ in range(times)]
    for tap in taps:
        tap.start()
    for tap in taps:
        tap.join(PATIENCE_S)


def rows(table, *where):
    """Return a table's rows."""
    with db.connection():
        return list(table.select().where(*where) if where else table.select())


def button(person, word):
    """Wait for a button with a word and return its data."""
    return person.telegram.wait(
        lambda: next((data for label, data in person.buttons.items() if word in label), None), PATIENCE_S, word
    )


def top_up(person):
    """Pay with Stars, and tap for the invoice more than once."""
    person.send("/topup")
    button(person, "300 ₽")
    repeat(person, "payments:pay:stars:30000", times=2)
    person.telegram.wait(lambda: "invoice" in (person.last_message or {}), PATIENCE_S, "the invoice")
    assert person.pay()["state"] == "paid"
    person.wait_for("+300 ₽", PATIENCE_S)


def order(person):
    """Order a picture by tapping several times at once, and wait for it."""
    person.send("a fox in the snow")
    button(person, "All models")
    person.forge("generate:open:z-image")
    repeat(person, button(person, "▶ Create"))
    person.telegram.wait(lambda: any("photo" in m for m in person.received), PATIENCE_S, "the picture")


def test_many_people_pay_order_and_redeem_at_once_and_the_books_are_right(live):
    telegram = live.telegram
    boss = opened(telegram, "Boss", id=BOSS)
    boss.send(f"/newpromo RUSH 50 {CODES}")
    button(boss, "RUSH")
    people = [opened(telegram, f"Person {number}") for number in range(PEOPLE)]
    all_at_once(people, top_up)
    all_at_once(people, lambda person: person.send("/promo RUSH"))
    all_at_once(people, order)
    telegram.wait(lambda: all(job.delivery == "sent" for job in rows(Job)), PATIENCE_S, "every delivery")
    assert len(rows(Job)) == PEOPLE, "one order each, however often it was tapped"
    kinds = [entry.kind for entry in rows(Entry)]
    assert (kinds.count("stars"), kinds.count("hold"), kinds.count("capture")) == (PEOPLE,) * 3
    telegram.wait(lambda: telegram.pending == 0, PATIENCE_S, "the last update")
    assert [kind for kind in kinds if kind == "promo"] == ["promo"] * CODES and rows(Promo)[0].uses == CODES
    assert_books_are_right()


def test_two_owners_decide_on_every_transfer_at_once_and_each_is_credited_once(live):
    telegram = live.telegram
    boss, oleg = opened(telegram, "Boss", id=BOSS), opened(telegram, "Oleg", id=OLEG)
    people = [opened(telegram, f"Person {number}") for number in range(4)]

    def send_money(person):
        person.send("/topup")
        button(person, "300 ₽")
        person.forge("payments:pay:transfer:30000")
        person.wait_for("Test Bank", PATIENCE_S)
        person.photo(png(f"screenshot of {person.id}"))

    def requests_of(owner):
        return [message for message in owner.received if "photo" in message]

    all_at_once(people, send_money)
    for owner in (boss, oleg):
        telegram.wait(lambda owner=owner: len(requests_of(owner)) == len(people), PATIENCE_S, "the requests")

    def decide(owner):
        for message in requests_of(owner):
            approve = next(
                cell["callback_data"] for row in message["reply_markup"]["inline_keyboard"] for cell in row
                if cell.get("callback_data", "").startswith("transfer:approve")
            )  # fmt: skip
            owner.forge(approve, message)

    all_at_once([boss, oleg], decide)
    for person in people:
        person.wait_for("+300 ₽", PATIENCE_S)
    telegram.wait(lambda: telegram.pending == 0, PATIENCE_S, "the last update")
    assert [entry.amount for entry in rows(Entry, Entry.kind == "topup")] == [30_000] * len(people)
    assert_books_are_right()

"""Helpers for the tests of orders and money: ordering as a person does, and checking the books afterwards."""

import sys
import threading

from storage.base import db
from storage.base.tables import Entry
from storage.money import verify

SWITCH_S = 1e-6


def card(person, prompt="a fox in the snow", model="z-image"):
    """Write a prompt and open a model's card with it."""
    person.send(prompt)
    person.forge(f"generate:open:{model}")


def order(bot, person, prompt="a fox in the snow", model="z-image"):
    """Order from the card and return the job."""
    card(person, prompt, model)
    person.tap("▶ Create")
    return job_of(bot, person)


def picture(bot, person, prompt="a fox in the snow"):
    """Have a picture made from the ladder; return its message."""
    person.send(prompt)
    person.tap("▶")
    bot.forward(60)
    assert "photo" in person.last_message
    return person.last_message


def user_of(bot, person):
    """Return the user row behind a person."""
    return bot.bot.users.by_telegram_id(person.id)


def jobs_of(bot, person):
    """Return a person's jobs, oldest first."""
    return list(reversed(bot.bot.jobs.of_user(user_of(bot, person).id, limit=1000)))


def job_of(bot, person):
    """Return a person's newest job."""
    return jobs_of(bot, person)[-1]


def entries_of(bot, person):
    """Return (kind, amount) of a person's entries, oldest first."""
    with db.connection():
        query = Entry.select(Entry.kind, Entry.amount).where(Entry.user == user_of(bot, person)).order_by(Entry.id)
        return list(query.tuples())


def texts(person):
    """Return everything the bot has told a person, in one string."""
    return "\n".join(message.get("text") or message.get("caption") or "" for message in person.received)


def creates(bot):
    """Return the times (stub's epoch seconds) at which KIE was asked to make something."""
    return [request["at"] for request in bot.kie.requests("createTask")]


def billed(bot):
    """Return how many tasks the stub keeps credits for."""
    bill = bot.kie.bill()
    return bill["tasks"] - bill["failed"]


def captured():
    """Return how many jobs the ledger has captured."""
    with db.connection():
        return Entry.select().where(Entry.kind == "capture").count()


def assert_books_are_right():
    """Prove every promise about money, as `python bot.py verify` does."""
    assert list(verify.verify()) == []


def in_threads(count, work):
    """Call `work(number)` in so many threads at the same moment; return what they returned, or raised.

    Python is told to switch between them as often as it can.
    """
    start, results = threading.Barrier(count), [None] * count

    def run(number):
        start.wait()
        try:
            results[number] = work(number)
        except Exception as error:  # the test judges it
            results[number] = error
        finally:
            db.leave()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(usual)
    assert not any(thread.is_alive() for thread in threads)
    return results

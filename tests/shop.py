"""What the tests of orders and money share: ordering as a person does, and looking at the books afterwards."""

from peewee import fn

from storage import db
from storage.tables import Account, Entry, Job, TopUp

CARD = "generate:open:z-image"  # a picture for a few roubles, from one sentence


def card(person, prompt="a fox in the snow", model="z-image"):
    """Write a prompt and open a model's card with it."""
    person.send(prompt)
    person.forge(f"generate:open:{model}")


def order(bot, person, prompt="a fox in the snow", model="z-image"):
    """Order from the card and return the job."""
    card(person, prompt, model)
    person.tap("▶ Create")
    return job_of(bot, person)


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
    found = bot.bot.ledger.entries(user_of(bot, person).id, limit=1000)
    return [(entry.kind, entry.amount) for entry in reversed(found)]


def texts(person):
    """Return everything the bot has told a person, in one string."""
    return "\n".join(message.get("text") or message.get("caption") or "" for message in person.received)


def billed(bot):
    """Return how many tasks the stub has kept credits for."""
    bill = bot.kie.bill()
    return bill["tasks"] - bill["failed"]


def captured():
    """Return how many jobs the ledger has captured."""
    with db.connection():
        return Entry.select().where(Entry.kind == "capture").count()


def assert_books_are_right():
    """Prove that balances are sums of entries, holds are settled or open, and approved payments credited once."""
    with db.connection():
        sums = dict(Entry.select(Entry.user, fn.SUM(Entry.amount)).group_by(Entry.user).tuples())
        for account in Account.select():
            assert account.balance == (sums.get(account.user_id) or 0) >= 0, account.user_id
        keys = {key for (key,) in Entry.select(Entry.key).tuples()}
        for job in Job.select():
            open_ = job.state in ("queued", "submitting", "running", "lost")
            assert f"hold:{job.id}" in keys, job.id
            assert (f"settle:{job.id}" in keys) != open_, (job.id, job.state)
            assert open_ == (job.charged is None), (job.id, job.state)
        for topup in TopUp.select().where(TopUp.state == "approved"):
            assert Entry.get(Entry.key == f"topup:{topup.id}").amount == topup.credited, topup.id

"""Every kind of event that plugins may subscribe to is emitted with its fields; without a subscriber none is stored."""

from storage.base import db
from storage.base.tables import Fact
from storage.journal import event_kinds
from tests.house import plugins_with
from tests.shop import order, user_of
from tests.till import transfer

LISTENER = """\"\"\"Tells everybody what happens.\"\"\"

from core.errors import UserError

HEARD = []


def register(bot):
    \"\"\"Listen to {kinds}.\"\"\"
    bot.page("/heard", lambda bot, leads, visit: HEARD)
    for kind in {kinds}:
        bot.on(kind, lambda bot, event, now: HEARD.append(event))
"""


def heard(bot):
    """Return the events that came, oldest first."""
    return bot.bot.pages["/heard"](bot.bot, True, None)


def house(monkeypatch, tmp_path, kinds):
    """Return the plugins with one more, which listens to some kinds."""
    return plugins_with(monkeypatch, tmp_path, zzz=LISTENER.replace("{kinds}", repr(list(kinds))))


def test_what_people_and_the_staff_do_is_heard(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=house(monkeypatch, tmp_path, event_kinds.KINDS))
    boss, alice = bot.admin(), bot.rich()
    job = order(bot, alice)
    bot.forward(60)
    transfer(alice)
    bot.bot.payments.reject(1, user_of(bot, boss).id, "not found", bot.clock.now())
    bot.bot.overrides.put("model:z-image", "off", True, now=bot.clock.now(), actor=user_of(bot, boss).id)
    alice.block()
    alice.unblock()
    bot.pump()
    user, came = user_of(bot, alice).id, heard(bot)
    for event in (
        event_kinds.UserCreated(user=user),
        event_kinds.JobCreated(job=job.id, user=user),
        event_kinds.JobSucceeded(job=job.id),
        event_kinds.JobDelivered(job=job.id),
        event_kinds.PaymentSubmitted(topup=1),
        event_kinds.PaymentRefused(topup=1, user=user),
        event_kinds.CatalogueChanged(scope="model:z-image"),
        event_kinds.UserBlocked(user=user, blocked=True),
        event_kinds.UserBlocked(user=user, blocked=False),
    ):
        assert came.count(event) == 1, (event, came)
    assert len({event.id for event in came}) == len(came)


def test_what_nobody_hears_is_no_row(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    with db.connection():
        kinds = {kind for (kind,) in Fact.select(Fact.kind).tuples()}
    assert not kinds & {"job.created", "job.delivered", "user.blocked"} and "job.created" not in bot.bot.listeners

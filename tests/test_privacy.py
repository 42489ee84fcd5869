"""/privacy and /deleteme: who somebody is goes, the books stay; and old texts and files go by themselves."""

import json

import pytest

from storage import audit, db
from storage.engines import open_engine
from storage.tables import Entry, Job, Outbox, TopUp, User
from tests.till import pay_stars

PROMPT = "a very secret fox"


@pytest.fixture
def known(start_bot):
    """Return a function that starts a bot that knows Alice: money, a finished order, a decided request, a draft."""

    def start(**settings):
        bot = start_bot(**settings)
        alice = bot.rich("Alice Secret", username="alice_secret")
        order(bot, alice)
        bot.forward(60)
        topup = request(bot, alice)
        bot.bot.payments.reject(topup, user_of(bot, bot.admin()).id, "not found", bot.clock.now())
        alice.send("another secret fox")
        bot.forward(30)
        return bot, alice

    return start


def order(bot, person):
    """Order a picture."""
    person.send(PROMPT)
    person.tap("🖼 Picture")
    person.tap("▶ Create")


def user_of(bot, person):
    """Return a person's row."""
    return bot.bot.users.by_telegram_id(person.id)


def request(bot, person):
    """Have a transfer wait for a decision; return its number."""
    user, now = user_of(bot, person), bot.clock.now()
    topup = bot.bot.payments.create(user.id, "transfer", 30000, now=now)
    bot.bot.payments.submit(topup.id, user.id, {"file_id": "secret-file", "unique_id": "u", "kind": "photo"}, now)
    return topup.id


def everything(url):
    """Return all rows as one text."""
    engine = open_engine(url)
    engine.begin_reading()
    rows = {
        table: [list(map(str, row)) for row in engine.rows(table, list(engine.columns(table)))]
        for table in engine.tables()
    }
    engine.close()
    return json.dumps(rows, ensure_ascii=False)


def test_privacy_says_what_is_kept_and_for_how_long(start_bot):
    alice = start_bot(KEEP_DAYS="30").user()
    alice.send("/privacy")
    assert "forgotten after 30 days" in alice.last and "Forget me" in str(alice.buttons)
    boris = start_bot().user("Boris")
    boris.send("/privacy")
    assert "until you ask" in boris.last


def test_forgetting_shows_the_balance_first_and_leaves_the_books_without_a_name(known):
    bot, alice = known()
    user, before = user_of(bot, alice), bot.balance(alice)
    with db.connection():
        entries = Entry.select().count()
    alice.send("/deleteme")
    assert "It will be lost" in alice.last and "₽" in alice.last
    alice.tap("Yes, forget me")
    assert f"name this number: {user.id}" in alice.last
    left = everything(bot.url)
    for word in (PROMPT, "another secret fox", "alice_secret", "Alice Secret", "secret-file", str(alice.id)):
        assert word not in left, word
    assert not list(audit.verify())
    with db.connection():
        assert Entry.select().count() == entries
        assert bot.bot.ledger.balance(user.id) == before
        assert User.get_by_id(user.id).telegram_id is None


def test_a_person_who_comes_back_is_a_new_one(known):
    bot, alice = known()
    old = user_of(bot, alice).id
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    alice.send("/start")
    assert user_of(bot, alice).id != old and bot.balance(alice) == 0
    alice.send("/history")
    assert "fox" not in alice.last


@pytest.mark.parametrize(
    ("begin", "word"),
    [(order, "still being made"), (request, "still being checked")],
)
def test_while_something_is_open_nobody_is_forgotten(known, begin, word):
    bot, alice = known()
    bot.kie.settings(hold=True)
    alice.send("/cancel")
    begin(bot, alice)
    bot.pump()
    alice.send("/deleteme")
    assert word in alice.last and "Yes, forget me" not in str(alice.buttons)
    assert user_of(bot, alice) is not None


def refund(bot, person):
    """Have Stars on their way back: booked, and not yet confirmed by Telegram."""
    charge = pay_stars(person)
    bot.telegram.fail_next("refundStarPayment", "500", times=50)
    admin = user_of(bot, bot.admin())
    bot.bot.returns.ask_refund(charge, admin.id, "by mistake", bot.clock.now())


def chargeback(bot, person):
    """Have Stars taken back from outside after they were spent: sales to the person pause."""
    charge = pay_stars(person)
    bot.bot.ledger.post(user_of(bot, person).id, -bot.balance(person), kind="admin", key="spent", now=bot.clock.now())
    person.refund(charge)


@pytest.mark.parametrize(("begin", "word"), [(refund, "refund to you is on its way"), (chargeback, "still open")])
def test_while_stars_go_back_or_an_admin_has_to_decide_nobody_is_forgotten(known, begin, word):
    bot, alice = known()
    alice.send("/cancel")
    begin(bot, alice)
    bot.pump()
    alice.send("/deleteme")
    assert word in alice.last and "Yes, forget me" not in str(alice.buttons)
    bot.telegram.no_trouble()


def test_an_order_made_after_the_question_stops_the_answer(known):
    bot, alice = known()
    bot.kie.settings(hold=True)
    alice.send("/deleteme")
    asked = alice.last_message
    data = alice.buttons["Yes, forget me"]
    alice.send("/cancel")
    order(bot, alice)
    alice.forge(data, asked)
    assert user_of(bot, alice) is not None


def test_a_balance_that_grew_since_is_shown_anew(known):
    bot, alice = known()
    alice.send("/deleteme")
    user = user_of(bot, alice)
    bot.bot.ledger.post(user.id, 50000, kind="admin", key="more", now=bot.clock.now(), reason="more")
    alice.tap("Yes, forget me")
    assert "It will be lost" in alice.last and user_of(bot, alice) is not None


def test_others_are_not_touched(known):
    bot, alice = known()
    boris = bot.rich("Boris")
    order(bot, boris)
    bot.forward(60)
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    with db.connection():
        assert Job.get(Job.user == user_of(bot, boris).id).inputs["prompt"] == PROMPT


def test_texts_and_files_go_after_keep_days_and_the_order_can_be_made_again(known):
    bot, alice = known(KEEP_DAYS="7")
    bot.forward(8 * 24 * 3600, step=6 * 3600)
    with db.connection():
        job, topup = Job.get(), TopUp.get()
        assert (job.inputs, job.result, job.sent) == ({}, None, None)
        assert (topup.proof, topup.proof_id) == (None, None)
        assert not Outbox.select().where(Outbox.ref == f"topup:{topup.id}").exists()
    assert not list(audit.verify())
    alice.send("/history")
    alice.tap("№1" if "№1" in str(alice.buttons) else next(iter(alice.buttons)))
    assert PROMPT not in alice.last


def test_without_keep_days_nothing_goes(known):
    bot, _alice = known()
    bot.forward(60 * 24 * 3600, step=10 * 24 * 3600)
    with db.connection():
        assert Job.get().inputs["prompt"] == PROMPT

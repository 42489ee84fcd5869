"""/privacy and /deleteme: personal data goes, the books stay; and old texts and files expire on their own."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from storage.base import db
from storage.base.engines import open_engine
from storage.base.tables import Alarm, Broadcast, Charge, Entry, Job, Outbox, TopUp, User
from storage.journal import inbox
from storage.money import ledger, verify
from tests.shop import texts
from tests.till import invoice, pay_stars

DAY = 24 * 3600
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
    person.tap("▶ Draft")


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
    assert "deleted after 30 days" in alice.last and "Forget me" in str(alice.buttons)
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
    assert f"give this number: {user.id}" in alice.last
    left = everything(bot.url)
    for word in (PROMPT, "another secret fox", "alice_secret", "Alice Secret", "secret-file", str(alice.id)):
        assert word not in left, word
    assert not list(verify.verify())
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


def test_while_a_transfer_is_checked_nobody_is_forgotten(known):
    bot, alice = known()
    request(bot, alice)
    alice.send("/deleteme")
    assert "still being checked" in alice.last and "Yes, forget me" not in str(alice.buttons)
    assert user_of(bot, alice) is not None


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_orders_under_way_are_told_of_and_leave_no_word_when_they_have_ended(known, end):
    bot, alice = known()
    bot.kie.settings(hold=True)
    alice.send("/cancel")
    order(bot, alice)
    bot.forward(10)
    order(bot, alice)  # waits its turn, or is with KIE already: either way it is not to be delivered
    user = user_of(bot, alice)
    alice.send("/deleteme")
    assert "orders are still being made" in alice.last and "You won’t get them" in alice.last
    alice.tap("Yes, forget me")
    pictures = len([message for message in alice.received if "photo" in message])
    getattr(bot.kie, end)()
    bot.kie.settings(hold=False)
    bot.forward(300, step=30)
    bot.forward(2 * 3600, step=3600)
    assert len([message for message in alice.received if "photo" in message]) == pictures
    with db.connection():
        jobs = list(Job.select().where(Job.user == user.id))
        assert {job.state for job in jobs[1:]} <= {"succeeded", "failed", "cancelled"}
    left = everything(bot.url)
    for word in (PROMPT, str(alice.id), "Alice Secret"):
        assert word not in left, word
    assert not list(verify.verify())
    assert "⚠" not in str([message.get("text") for message in bot.admin().received])


def test_an_order_that_waits_is_cancelled_and_its_money_is_in_the_books(known):
    bot, alice = known()
    alice.send("/cancel")
    user, before = user_of(bot, alice), bot.balance(alice)
    with db.transaction():
        Job.insert(
            user=user.id, model="z-image", inputs={"prompt": PROMPT}, price=0, quote="q", secret="s",
            submit_at=bot.clock.now() + timedelta(days=1), created_at=bot.clock.now(),
        ).execute()  # fmt: skip
        job = Job.get(Job.quote == "q")
        ledger.hold(user.id, 0, job_id=job.id, now=bot.clock.now())
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    with db.connection():
        assert (Job.get_by_id(job.id).state, Job.get_by_id(job.id).inputs) == ("cancelled", {})
    assert bot.bot.ledger.balance(user.id) == before and not list(verify.verify())


def test_an_order_made_after_the_question_is_told_of_before_the_answer_counts(known):
    bot, alice = known()
    bot.kie.settings(hold=True)
    alice.send("/deleteme")
    asked = alice.last_message
    data = alice.buttons["Yes, forget me"]
    alice.send("/cancel")
    order(bot, alice)
    alice.forge(data, asked)
    assert user_of(bot, alice) is not None and "1 order is still being made" in texts(alice)


# who paid of late


def payers():
    """Return the Telegram ids that are kept with payments."""
    with db.connection():
        return [payer for (payer,) in Charge.select(Charge.payer).where(Charge.payer.is_null(False)).tuples()]


def test_the_telegram_id_stays_with_the_payments_for_21_days_and_the_person_is_told(known):
    bot, alice = known()
    alice.send("/cancel")
    pay_stars(alice)
    bot.forward(DAY, step=DAY)
    alice.send("/privacy")
    assert "stays with payments in Stars for 21 days" in alice.last
    alice.send("/deleteme")
    assert "stays with your payments until 13 Dec" in alice.last
    alice.tap("Yes, forget me")
    assert "stays with your payments until 13 Dec" in alice.last
    bot.days_pass(19, step=19 * DAY / 2)
    assert payers() == [alice.id]
    bot.days_pass(2)
    assert payers() == [] and str(alice.id) not in everything(bot.url)


def test_nothing_stays_when_the_last_payment_is_long_ago(known):
    bot, alice = known()
    alice.send("/cancel")
    pay_stars(alice)
    bot.days_pass(22, step=11 * DAY)
    alice.send("/deleteme")
    assert "stays" not in alice.last.replace("Records of payments stay", "")
    alice.tap("Yes, forget me")
    assert payers() == []


def test_with_an_order_under_way_it_stays_until_that_has_ended_however_old_the_payment(known):
    bot, alice = known()
    alice.send("/cancel")
    pay_stars(alice)
    bot.days_pass(22, step=11 * DAY)
    bot.kie.settings(hold=True)
    order(bot, alice)
    bot.forward(10)
    alice.send("/deleteme")
    assert "until the orders have ended" in alice.last
    alice.tap("Yes, forget me")
    assert payers() == [alice.id]
    bot.kie.fail()
    bot.forward(300, step=30)
    bot.forward(2 * 3600, step=3600)
    assert payers() == []


def test_a_refund_on_its_way_reaches_who_was_forgotten_meanwhile(known):
    bot, alice = known()
    alice.send("/cancel")
    charge = pay_stars(alice)
    bot.telegram.fail_next("refundStarPayment", "500", times=3)
    bot.bot.refunds.ask_refund(charge, user_of(bot, bot.admin()).id, "by mistake", bot.clock.now())
    bot.pump()
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    bot.forward(240, step=60)
    done = [call["params"]["user_id"] for call in bot.telegram.calls("refundStarPayment") if call["ok"]]
    assert done == [alice.id]


# what was there is not in the files either


def test_nothing_of_a_forgotten_person_is_left_in_the_files_of_sqlite(known):
    bot, alice = known()
    if not bot.url.startswith("sqlite"):
        pytest.skip("PostgreSQL's files are its own")
    files = [Path(bot.url.removeprefix("sqlite:///") + end) for end in ("", "-wal")]
    words = [PROMPT, "another secret fox", "alice_secret", "Alice Secret", "secret-file"]

    def found():
        """Return the words that stand anywhere in the files."""
        data = b"".join(path.read_bytes() for path in files if path.exists())
        return [word for word in words if word.encode() in data]

    assert found()
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    assert PROMPT not in found() and "secret-file" not in found()
    bot.forward(120, step=60)
    assert found() == []


def test_a_long_reader_puts_the_journal_off_and_holds_up_nobody(known):
    bot, alice = known()
    if not bot.url.startswith("sqlite"):
        pytest.skip("PostgreSQL has no such journal")
    reader = open_engine(bot.url)
    reader.begin_reading()
    reader.count("user")
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    assert "Your data has been deleted" in alice.last
    reader.close()
    bot.forward(120, step=60)
    journal = Path(bot.url.removeprefix("sqlite:///") + "-wal")
    assert PROMPT.encode() not in journal.read_bytes()


def test_what_stands_outside_the_account_goes_too(known):
    bot, alice = known()
    now, user = bot.clock.now(), user_of(bot, alice)
    with db.transaction():
        inbox.store([(10**9, -100, f'{{"from": {{"id": {alice.id}}}}}')], now)
        inbox.set_aside(10**9)
        values = {"id": alice.id, "stars": 5}
        Alarm.insert(cause="c", text="common.alert_strange", values=values, since=now, last_at=now).execute()
        sent = Broadcast.create(author=user.id, chat_id=1, message_id=1, audience=f"ids:{alice.id},77", created_at=now)
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    assert str(alice.id) not in everything(bot.url)
    with db.connection():
        assert Broadcast.get_by_id(sent.id).audience == "ids:77"
        assert Alarm.get_by_id("c").values == {"id": 0, "stars": 5}


def test_blocking_the_bot_or_paying_an_old_invoice_makes_nobody_known_again(known):
    bot, alice = known()
    alice.send("/cancel")
    message = invoice(alice)
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    alice.block()
    alice.unblock()
    assert alice.pay(message)["state"] != "paid"
    assert user_of(bot, alice) is None


@pytest.mark.parametrize(("keep", "words"), [("14", "deleted after 14 days"), ("0", "none are made automatically")])
def test_privacy_says_what_copies_and_the_code_keep(start_bot, keep, words, tmp_path):
    bot = start_bot(BACKUP_KEEP=keep, DATA_DIR=str(tmp_path))
    alice, anna = bot.user(), bot.user("Анна", language_code="ru")
    alice.send("/privacy")
    assert words in alice.last and "A code made from your Telegram ID" in alice.last and "3 years" in alice.last
    anna.send("/privacy")
    assert "через 3 года" in anna.last


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
    bot.days_pass(8, step=6 * 3600)
    with db.connection():
        job, topup = Job.get(), TopUp.get()
        assert (job.inputs, job.result, job.sent) == ({}, None, None)
        assert (topup.proof, topup.proof_id) == (None, None)
        assert not Outbox.select().where(Outbox.ref == f"topup:{topup.id}").exists()
    assert not list(verify.verify())
    alice.send("/history")
    alice.tap("#1" if "#1" in str(alice.buttons) else next(iter(alice.buttons)))
    assert PROMPT not in alice.last


def test_without_keep_days_nothing_goes(known):
    bot, _alice = known()
    bot.days_pass(60, step=10 * DAY)
    with db.connection():
        assert Job.get().inputs["prompt"] == PROMPT

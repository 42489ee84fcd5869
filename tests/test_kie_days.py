"""KIE's bad days: every code and every silence, at create, poll, upload and download.

Each row says what happens to the order, to the person's money and to KIE's bill. The invariant: the tasks that KIE
bills are the jobs that the ledger has captured; rows that cannot keep it say so (`lost`).
"""

from dataclasses import dataclass

import pytest

from tests.kit import png
from tests.shop import (
    assert_books_are_right,
    billed,
    captured,
    card,
    creates,
    entries_of,
    job_of,
    jobs_of,
    order,
    texts,
)

PRICE = 72  # kopecks: z-image at 90 ₽ a dollar and a markup of 2
HELD, CAPTURED, RELEASED = ("hold", -PRICE), ("capture", 0), ("release", PRICE)
MINUTE = 60


@dataclass(frozen=True)
class Day:
    """One row: the trouble, and how it ends after `wait_s`."""

    kind: str
    state: str = "succeeded"
    times: int = 1
    said: str = ""  # what the person reads, below the model's name
    reason: str | None = None
    alert: str = ""  # what the admins read
    creates: int = 1
    lost: int = 0  # tasks KIE bills for which nobody paid
    wait_s: int = 90


def failed(kind, reason, said, **more):
    """Return a row that ends in a failure with the money back."""
    return Day(kind, "failed", said=said, reason=reason, **more)


def name(day):
    """Return a row's name in the list of tests."""
    return f"{day.kind}x{day.times}"


SAFETY, SETTING, FILE = "blocked by the safety rules", "a setting was not accepted", "your file couldn’t be used"
SERVER, OTHER, CLOSED = "something went wrong", "that did not work", "temporarily unavailable. Please try again later."
NO_MODEL, NO_KEY, NO_CREDITS = "does not know the model", "KIE refuses the key", "KIE has run out of credits"
ALERTS = (NO_MODEL, NO_KEY, NO_CREDITS, "gives no result", "didn’t say whether")

AT_CREATE = [
    failed("400", "validation", SETTING),
    failed("401", "key", CLOSED, alert=NO_KEY),
    failed("402", "credits", CLOSED, alert=NO_CREDITS),
    failed("403", "key", CLOSED, alert=NO_KEY),
    failed("404", "model", "this model isn’t available now", alert=NO_MODEL),
    failed("413", "file", FILE),
    failed("422", "validation", SETTING),
    failed("422-model", "model", "this model isn’t available now", alert=NO_MODEL),
    Day("429", creates=2),
    Day("429-http", creates=2),
    Day("429", times=5, creates=6, wait_s=150),
    failed("429", "busy", "too many orders right now", times=0, creates=61, wait_s=13 * MINUTE),
    failed("433", "credits", CLOSED, alert=NO_CREDITS),
    Day("451", creates=2),
    failed("451", "file", FILE, times=2, creates=2),
    Day("455", creates=2, wait_s=4 * MINUTE),
    failed("455", "maintenance", "under maintenance", times=0, creates=16, wait_s=32 * MINUTE),
    Day("500", creates=2),
    failed("500", "server", SERVER, times=3, creates=3),
    failed("500-credits", "credits", CLOSED, alert=NO_CREDITS),
    failed("500-moderation", "moderation", SAFETY),
    failed("500-validation", "validation", SETTING),
    failed("505", "model", "this model isn’t available now", alert=NO_MODEL),
    Day("550", creates=2),
    Day("no-record-id"),
    Day("message"),
]
GOT_LOST = "it got lost on the way. If it still comes, it’s free."
UNKNOWN = [
    failed("drop", "lost", GOT_LOST, lost=1),
    failed("502-created", "lost", GOT_LOST, lost=1),
    failed("drop-unseen", "lost", GOT_LOST),
    failed("502", "lost", GOT_LOST),
    failed("no-task-id", "lost", GOT_LOST),
    failed("null-data", "lost", GOT_LOST),
]
FATES = [
    failed("400-moderation", "moderation", SAFETY),
    failed("400-file", "validation", SETTING),
    failed("402-credits", "credits", CLOSED),
    failed("408-timeout", "timeout", "it took too long"),
    failed("422-blank", "other", OTHER),
    failed("451-file", "file", FILE),
    failed("500-busy", "server", SERVER),
    failed("500-copyright", "moderation", SAFETY),
    failed("500-internal", "server", SERVER),
    failed("500-sensitive", "moderation", SAFETY),
    failed("500-upload", "server", SERVER),
    failed("501-failed", "server", SERVER),
]
AT_POLL = [
    Day("401", times=3, alert=NO_KEY, wait_s=240),
    Day("403", times=3, alert=NO_KEY, wait_s=240),
    Day("433", times=3, alert=NO_CREDITS, wait_s=240),
    *[
        Day(kind, times=3, wait_s=240)
        for kind in ("429", "429-http", "455", "500", "502", "empty", "drop", "null", "waiting", "unknown-state")
    ],
    Day("502", times=8, wait_s=10 * MINUTE),
    Day("bad-json", times=0),
    Day("empty-urls", times=3),
    Day("result-as-object", times=0),
    Day("consume-credits", times=0),
    Day("message", times=0),
    failed("empty-urls", "empty", "no result came back", times=0, alert="gives no result", lost=1, wait_s=240),
]


def live_through(bot, day, at):
    """Order on such a day; return the person and the admin at its end."""
    alice, boss = bot.rich(), bot.admin()
    bot.kie.trouble(at, day.kind, day.times)
    order(bot, alice)
    bot.forward(day.wait_s, step=5 if day.wait_s <= 150 else 12)
    return alice, boss


def check(bot, day, alice, boss):
    """Compare the job, the money, the words, the admins' news and KIE's bill with the row."""
    job = job_of(bot, alice)
    assert (job.state, job.reason) == (day.state, day.reason), job.detail
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED if day.state == "succeeded" else RELEASED]
    if day.state == "succeeded":
        assert "photo" in alice.last_message and "0.72 ₽ · balance 999.28 ₽" in alice.last
    else:
        assert alice.last.startswith(f"Z-Image: {day.said}") and "0.72 ₽ returned, balance 1,000 ₽" in alice.last
        assert "✏ Edit prompt" in alice.buttons and "Another model" in alice.buttons
    alerts = [message["text"] for message in boss.received if message["text"].startswith("⚠")]
    known = [text for text in ALERTS if any(text in alert for alert in alerts)]
    assert known == [day.alert] * bool(day.alert)
    assert len(creates(bot)) == day.creates
    assert billed(bot) == captured() + day.lost
    assert_books_are_right()


@pytest.mark.parametrize("day", AT_CREATE, ids=name)
def test_a_create_that_kie_answers_badly_ends_as_the_table_says(start_bot, day):
    bot = start_bot()
    check(bot, day, *live_through(bot, day, "create"))


@pytest.mark.parametrize("day", UNKNOWN, ids=name)
def test_a_create_without_an_answer_is_never_repeated_and_its_money_waits(start_bot, day):
    """The hold stays until patience is over: half an hour."""
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    bot.kie.trouble("create", day.kind)
    order(bot, alice)
    bot.forward(29 * MINUTE, step=60)
    assert job_of(bot, alice).state == "lost"
    assert entries_of(bot, alice)[1:] == [HELD]
    assert "didn’t say whether it accepted" in boss.last
    bot.forward(2 * MINUTE, step=60)
    assert texts(boss).count("didn’t say whether") == 1
    job = job_of(bot, alice)
    assert (job.state, job.reason) == ("failed", "lost")
    assert f"Z-Image: {day.said}" in alice.last and "0.72 ₽ returned" in alice.last
    assert len(creates(bot)) == 1
    assert (billed(bot), captured()) == (day.lost, 0)
    assert_books_are_right()


@pytest.mark.parametrize("day", FATES, ids=name)
def test_a_task_that_fails_gives_the_money_back_and_says_why(start_bot, day):
    """Provider says fail → no charge, reason shown, a way on."""
    bot = start_bot()
    check(bot, day, *live_through(bot, day, "create"))


@pytest.mark.parametrize("day", AT_POLL, ids=name)
def test_a_poll_that_goes_wrong_never_fails_the_job(start_bot, day):
    """Only a success that stays empty for a minute is given up."""
    bot = start_bot()
    check(bot, day, *live_through(bot, day, "poll"))


@pytest.mark.parametrize(
    ("kind", "reason", "said"), [("501", "server", SERVER), ("408", "timeout", "it took too long")]
)
def test_an_envelope_that_means_the_end_of_the_task_ends_the_job(start_bot, kind, reason, said):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    bot.kie.settings(hold=True)
    bot.kie.trouble("poll", kind)
    order(bot, alice)
    bot.forward(30)
    bot.kie.fail()
    check(bot, failed(kind, reason, said), alice, boss)


def test_a_result_in_words_from_a_model_of_pictures_still_arrives(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("poll", "result-object", times=0)
    order(bot, alice)
    bot.forward(60)
    assert "A result in words" in alice.last and "balance 999.28 ₽" in alice.last
    assert billed(bot) == captured() == 1


def test_a_task_that_never_ends_is_given_up_at_its_deadline_and_its_late_result_is_free_and_comes_once(start_bot):
    """z-image: 15 minutes; the late look is hourly."""
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "stall")
    order(bot, alice)
    bot.forward(14 * MINUTE, step=30)
    assert job_of(bot, alice).state == "running"
    assert "taking longer than usual. Your money is safe" in alice.last
    bot.forward(2 * MINUTE, step=10)
    assert alice.last.startswith("Z-Image: it took too long. If it still comes, it’s free.")
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED]
    bot.kie.finish()
    bot.forward(65 * MINUTE, step=120)
    assert "photo" in alice.last_message and "came late, so it is free" in alice.last
    bot.restart()
    bot.forward(3 * 60 * MINUTE, step=600)
    assert sum("photo" in message for message in alice.received) == 1
    job = job_of(bot, alice)
    assert (job.state, job.reason, job.delivery, job.charged) == ("failed", "deadline", "sent", 0)
    assert bot.balance(alice) == 100_000
    assert (billed(bot), captured()) == (1, 0)  # the operator's loss, as documented
    assert_books_are_right()


def test_a_late_failure_changes_nothing_any_more(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "stall")
    order(bot, alice)
    bot.forward(16 * MINUTE, step=30)
    bot.kie.fail()
    bot.forward(2 * 60 * MINUTE, step=300)
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED]
    assert texts(alice).count("returned, balance") == 1
    assert billed(bot) == captured() == 0


def test_a_late_result_is_not_looked_for_beyond_a_day(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "stall")
    order(bot, alice)
    bot.forward(26 * 60 * MINUTE, step=1800)
    polls = len(bot.kie.requests("recordInfo"))
    bot.forward(10 * 60 * MINUTE, step=1800)
    assert len(bot.kie.requests("recordInfo")) == polls


# sales pause


@pytest.mark.parametrize("kind", ["402", "433", "500-credits"])
def test_without_credits_sales_pause_the_admins_hear_it_once_and_sales_go_on_by_themselves(start_bot, kind):
    """402 and 433 → release, tell the operator, pause sales."""
    bot = start_bot()
    people, boss = [bot.rich(f"P{number}") for number in range(4)], bot.admin()
    bot.kie.settings(credits=3)
    bot.kie.trouble("create", kind, times=0)
    order(bot, people[0])
    for person in people[1:]:
        card(person)
        person.tap("▶ Create")
        assert "Orders are paused for a while. Nothing was charged." in (person.toast or person.last)
    bot.forward(10 * MINUTE, step=20)
    assert texts(boss).count(NO_CREDITS) == 1
    assert len(creates(bot)) == 1
    assert [bot.balance(person) for person in people] == [100_000] * 4
    bot.kie.settings(credits=1000)
    bot.kie.calm()
    bot.forward(60)
    people[1].tap("▶ Create")
    bot.forward(60)
    assert "photo" in people[1].last_message
    assert billed(bot) == captured() == 1
    assert_books_are_right()


@pytest.mark.parametrize("kind", ["401", "403"])
def test_a_refused_key_pauses_sales_until_kie_answers_again(start_bot, kind):
    bot = start_bot()
    alice, bob, boss = bot.rich(), bot.rich("Bob"), bot.admin()
    bot.kie.trouble("create", kind, times=0)
    bot.kie.trouble("credit", "401", times=0)
    order(bot, alice)
    card(bob)
    bob.tap("▶ Create")
    assert "Orders are paused" in (bob.toast or bob.last)
    bot.forward(5 * MINUTE, step=20)
    assert texts(boss).count(NO_KEY) == 1
    bot.kie.calm()
    bot.forward(60)
    bob.tap("▶ Create")
    bot.forward(60)
    assert "photo" in bob.last_message
    assert (len(creates(bot)), billed(bot), captured()) == (2, 1, 1)


def test_orders_that_wait_while_sales_are_paused_are_made_afterwards(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "429", times=0)
    order(bot, alice)
    bot.kie.calm()
    bot.kie.settings(credits=0)
    bob = bot.rich("Bob")
    order(bot, bob)  # meets 402, and everything stops
    bot.forward(5 * MINUTE, step=20)
    bot.kie.settings(credits=1000)
    bot.forward(2 * MINUTE, step=10)
    states = {job.state for person in (alice, bob) for job in jobs_of(bot, person)}
    assert states <= {"succeeded", "failed"}
    assert billed(bot) == captured()
    assert_books_are_right()


# files on their way to KIE


def order_an_edit(bot, person):
    """Order a model that needs the person's picture."""
    person.photo(png("mine"))
    person.forge("generate:open:nanobanana-edit")
    person.send("make it night")
    person.tap("▶ Create")


@pytest.mark.parametrize("kind", ["400", "401", "500", "no-url", "502", "empty", "drop"])
def test_an_upload_that_fails_is_made_again_and_nothing_is_charged_twice(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("upload", kind)
    order_an_edit(bot, alice)
    bot.forward(150)
    assert "photo" in alice.last_message and "Nano Banana" in alice.last
    assert len(creates(bot)) == billed(bot) == captured() == 1
    assert len(bot.kie.requests("file-stream-upload")) == 2
    assert_books_are_right()


def test_an_upload_that_keeps_failing_ends_the_order_before_kie_is_asked_to_make_anything(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("upload", "500", times=0)
    order_an_edit(bot, alice)
    bot.forward(5 * MINUTE, step=10)
    job = job_of(bot, alice)
    assert (job.state, job.reason) == ("failed", "server")
    assert SERVER in alice.last and bot.balance(alice) == 100_000
    assert creates(bot) == []
    assert_books_are_right()


def test_kie_never_sees_an_address_that_carries_the_token(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order_an_edit(bot, alice)
    bot.forward(90)
    (task,) = bot.kie.tasks()
    assert all(file["url"].startswith(bot.kie.url) for file in task["fetched"]) and task["fetched"]
    assert "DEMO-token" not in str(bot.kie.requests())


def test_a_file_kie_can_not_fetch_is_uploaded_anew_once(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("create", "451")
    order_an_edit(bot, alice)
    bot.forward(150)
    assert "photo" in alice.last_message
    assert len(bot.kie.requests("file-stream-upload")) == 2
    assert billed(bot) == captured() == 1


def test_nothing_that_goes_wrong_says_a_word_of_kies_or_of_ours_to_the_person(start_bot):
    """Raw errors, codes and names of settings stay in the log."""
    bot = start_bot()
    alice = bot.rich()
    for kind in ("402", "422-model", "500", "500-moderation", "drop", "501-failed", "422-blank"):
        bot.kie.trouble("create", kind, times=3 if kind == "500" else 1)
        order(bot, alice)
        bot.forward(120, step=10)
    said = texts(alice)
    for word in ("KIE", "task", "Exception", "Error", "code", "None", "credits", "500", "http"):
        assert word not in said, word

"""Users as the staff finds and sees them, and what can be done to them."""

import pytest

from tests.shop import assert_books_are_right, entries_of, order, texts, user_of
from tests.till import open_card, pay_stars, staff, transfer

pytest.importorskip("plugins.admin.users")
pytest.importorskip("plugins.admin.user_actions")


@pytest.mark.parametrize("words", ["{id}", "@alice_k", "ALICE_K", "Ali", "alice"])
def test_a_person_is_found_by_id_name_and_username(start_bot, words):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice", username="alice_k")
    alice.send("/start")
    boss.send("/user " + words.format(id=alice.id))
    assert boss.last.startswith("Alice @alice_k") and f"id {alice.id}" in boss.last, "the one found is opened"
    bot.user("Alice").send("/start")
    boss.send("/user alice")
    assert f"Alice · {alice.id}" in boss.buttons and len(boss.buttons) == 4, "of several one is chosen"


@pytest.mark.parametrize("words", ["99999999999999999999", "zzz", "%", "'; DROP TABLE user; --", "<b>", "0"])
def test_words_that_find_nobody_are_said_so(start_bot, words):
    """Ids wider than any column, and whatever else is typed."""
    bot = start_bot()
    boss = bot.admin()
    boss.send(f"/user {words}")
    assert "Nobody found" in boss.last


def test_a_person_with_an_id_of_52_bits_is_found_and_credited(start_bot):
    """Seen in other bots: 32-bit user ids in a search query fail on modern ids."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice", id=4_503_599_627_370_495)
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("+ Credit")
    boss.send("100 welcome")
    boss.tap("✓ Credit")
    assert bot.balance(alice) == 10_000


def test_a_kill_between_a_correction_and_its_news_does_not_leave_the_person_without_them(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("+ Credit")
    boss.send("100 welcome")
    owner, confirm = user_of(bot, boss).id, boss.buttons["✓ Credit"]
    draft = bot.bot.drafts.get(owner, "users", bot.clock.now())
    key = f"admin:{draft.id}.{draft.version}"
    bot.bot.staff.correct(user_of(bot, alice).id, 10_000, "welcome", owner, key, bot.clock.now())
    bot.restart()  # the entry is a row, and the admin's tap comes once more
    for _ in range(2):
        boss.forge(confirm)
    assert bot.balance(alice) == 10_000
    assert len([text for text in texts(alice).splitlines() if "welcome" in text]) == 1


def test_the_card_shows_what_is_known_of_a_person(start_bot):
    bot = start_bot()
    boss, inviter, alice = bot.admin(), bot.user("Ivan"), bot.user("Alice <3")
    inviter.send("/start")
    alice.send(f"/start r{user_of(bot, inviter).code}")
    pay_stars(alice)
    job = order(bot, alice)
    open_card(boss, alice)
    money = bot.bot.texts.money
    shown = boss.last
    assert "Alice <3" in shown and str(alice.id) in shown and "invited by Ivan" in shown
    assert f"Balance {money('en', 30_000 - job.price)} · on hold {money('en', job.price)}" in shown
    assert "Payments: 1, 300 ₽ · orders: 1, failed 0" in shown
    boss.tap("Transactions")
    assert "+300 ₽ · Stars" in boss.last
    boss.tap("‹ Back")
    boss.tap("Orders")
    assert "#1" in boss.last and "Z-Image" in boss.last
    boss.tap("‹ Back")
    boss.tap("Payments")
    assert "#1" in boss.last and "credited" in boss.last


@pytest.mark.parametrize(("label", "words", "yes", "entry"), [
    ("+ Credit", "100 sorry for the <delay>", "✓ Credit", ("admin", 10_000)),
    ("− Debit", "100 paid <twice>", "✓ Debit", ("admin", -10_000)),
])  # fmt: skip
def test_money_moves_after_one_question_with_actor_and_reason_in_the_persons_history(
    start_bot, label, words, yes, entry
):
    """Seen in other bots: a balance change by an admin that leaves no history row."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "500")
    open_card(boss, alice)
    boss.tap(label)
    boss.send(words)
    assert entries_of(bot, alice)[1:] == []
    question = boss.last_message
    boss.tap(yes)
    boss.forge(question["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
    assert entries_of(bot, alice)[1:] == [entry]
    row = bot.bot.ledger.entries(user_of(bot, alice).id, limit=1)[0]
    assert row.actor_id == user_of(bot, boss).id and row.reason == words.split(maxsplit=1)[1]
    assert words.split(maxsplit=1)[1] in alice.last
    alice.send("/balance")
    assert words.split(maxsplit=1)[1] in alice.last
    boss.send("/audit")
    assert "Boss: " + ("credit" if entry[1] > 0 else "debit") in boss.last and "100 ₽" in boss.last
    assert_books_are_right()


def test_a_debit_never_goes_below_zero(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "50")
    open_card(boss, alice)
    boss.tap("− Debit")
    boss.send("100 too much")
    boss.tap("✓ Debit")
    assert "50 ₽ short" in boss.toast
    assert bot.balance(alice) == 5_000


def test_access_is_closed_and_opened_with_a_reason_and_money_still_counts(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("Block")
    boss.send("spam")
    boss.tap("✓ Block")
    assert "blocked" in boss.last
    alice.send("/start")
    assert "You’re blocked here" in alice.last and "spam" not in texts(alice)
    alice.send("a fox")
    alice.forge("models:menu")
    assert "You’re blocked here" in alice.last
    alice.tap("Support")
    assert "Write here what happened" in alice.last
    alice.send("why me")
    assert "Sent. The answer" in alice.last and "why me" in texts(boss)
    alice.send("/support")
    alice.send("why me again")
    assert "again in an hour" in alice.last and "why me again" not in texts(boss)
    open_card(boss, alice)
    boss.tap("Unblock")
    boss.send("a mistake")
    boss.tap("✓ Unblock")
    alice.send("/start")
    assert "Hi, Alice" in alice.last
    boss.send("/audit")
    assert ": unblocked" in boss.last and "a mistake" in boss.last and ": blocked" in boss.last


def test_somebody_with_a_role_is_not_blocked(start_bot):
    bot = start_bot()
    sam, boss = staff(bot, "admin"), bot.admin()
    open_card(sam, boss)
    sam.tap("Block")
    assert "can’t be blocked" in sam.toast
    open_card(boss, sam)
    boss.tap("Block")
    assert "can’t be blocked" in boss.toast


def test_a_message_is_shown_once_more_sent_once_and_logged(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("✉ Write")
    boss.send("Your <order> is ready")
    assert "Your <order> is ready" in boss.last and "Your <order>" not in texts(alice)
    question = boss.last_message
    boss.tap("✓ Send")
    boss.forge(question["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
    assert texts(alice).count("From support\nYour <order> is ready") == 1
    boss.send("/audit")
    assert "message" in boss.last and "Your <order> is ready" in boss.last


def test_a_note_is_for_the_staff_alone(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("📝 Note")
    boss.send("prefers to write in the evening")
    boss.tap("✓ Save")
    assert "📝 prefers to write in the evening (Boss" in boss.last
    alice.send("/start")
    assert "evening" not in texts(alice)


def test_a_confirmation_that_was_replaced_does_nothing(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    open_card(boss, alice)
    boss.tap("+ Credit")
    boss.send("100 first")
    first = boss.last_message
    open_card(boss, alice)
    boss.tap("+ Credit")
    boss.send("200 second")
    boss.tap("✓ Credit", first)
    assert "done or replaced" in boss.toast
    assert entries_of(bot, alice) == []


def test_the_card_opens_from_a_group_by_its_link_and_only_for_the_staff(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    number = user_of(bot, alice).id
    boss.send(f"/start u{number}")
    assert "Balance 0 ₽" in boss.last and str(alice.id) in boss.last
    alice.send(f"/start u{user_of(bot, boss).id}")
    assert "Hi, Alice" in alice.last and str(boss.id) not in texts(alice)
    boss.send("/start u999")
    assert "Hi, Boss" in boss.last


def test_a_persons_payments_by_transfer_stand_on_the_card_with_the_reason(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("✗ Decline")
    boss.tap("a different amount was received")
    open_card(boss, alice)
    boss.tap("Payments")
    assert "declined a different amount was received" in boss.last


def test_last_seen_is_true_to_the_minute(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    bot.clock.forward(1500)
    alice.send("/balance")
    open_card(boss, alice)
    assert "seen 22 Nov, 12:25" in boss.last

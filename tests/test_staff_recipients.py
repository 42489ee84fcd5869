"""Recipients of staff messages: transfers decided by people with the right, in private and in the staff group."""

import io

import pytest
from PIL import Image, ImageDraw

from tests.kit import png
from tests.shop import assert_books_are_right, entries_of, order, texts, user_of
from tests.till import TWO_OWNERS, open_card, owner, request, staff, transfer

pytest.importorskip("plugins.payments.transfer_review")


def screenshot(amount, at, quality=90, scale=1.0):
    """Return a bank's screenshot as JPEG: the same layout every time, with an amount and a time."""
    picture = Image.new("RGB", (720, 1600), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 80, 720, 180), fill=(250, 210, 40))
    draw.ellipse((300, 240, 420, 360), fill=(60, 180, 75))
    for line, words in enumerate((f"{amount} RUB", "Ivan P.", "card **** 3333", at, "no commission")):
        draw.text((60, 450 + line * 120), words, fill="black", font_size=56)
    stream = io.BytesIO()
    picture.resize((int(720 * scale), int(1600 * scale))).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def test_another_amount_is_asked_about_once_and_credited(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("Other amount")
    boss.send("no idea")
    assert "Write an amount above zero" in boss.last
    boss.send("25050")
    assert "credit 25,050 ₽ instead of 300 ₽?" in boss.last
    boss.send("250,50")  # a slip is mended by typing again
    assert "credit 250.50 ₽ instead of 300 ₽?" in boss.last
    assert entries_of(bot, alice) == []
    boss.tap("✓ Approve 250.50 ₽")
    assert entries_of(bot, alice) == [("topup", 25_050)]
    assert "+250.50 ₽, balance 250.50 ₽." in alice.last
    assert "✓ 250.50 ₽ credited by Boss" in request(boss)["caption"]
    assert_books_are_right()


@pytest.mark.parametrize("data", ["transfer:exact:1:0", "transfer:exact:1:-500", "transfer:exact:1:99999999999999", "transfer:refuse:1:x",
                                  "transfer:take:1:not_found", "transfer:other:1:x", "transfer:approve:99"])  # fmt: skip
def test_forged_decisions_change_nothing(start_bot, data):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.forge(data, request(boss))
    assert boss.toast
    assert entries_of(bot, alice) == []
    boss.tap("✓ Approve 300 ₽")
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_a_reason_can_be_typed_and_the_payer_reads_it_with_a_person_one_tap_away(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("✗ Decline")
    boss.tap("✏ In my own words")
    boss.send("the card is <closed>")
    assert "was declined: the card is <closed>" in alice.last
    assert "Support" in alice.buttons
    assert "the card is <closed>" in request(boss)["caption"]
    assert entries_of(bot, alice) == []


def test_an_approval_is_taken_back_by_a_compensating_entry(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("✓ Approve")
    boss.tap("↩ Undo")
    boss.tap("the payment was not found")
    assert entries_of(bot, alice) == [("topup", 30_000), ("topup", -30_000)]
    assert "−300 ₽: payment #1 was taken back. Balance 0 ₽." in alice.last
    assert "↩ 300 ₽ taken back by Boss" in request(boss)["caption"]
    assert "reply_markup" not in request(boss)
    assert not user_of(bot, alice).sales_paused
    alice.send("/payments")
    assert "taken back" in alice.last and "the payment was not found" in alice.last
    boss.forge("transfer:take:1:not_found", request(boss))
    assert "already taken back" in boss.toast
    assert_books_are_right()


def test_an_approval_taken_back_after_spending_is_a_loss_that_is_said(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice, "100 ₽")
    boss.tap("✓ Approve")
    spent = order(bot, alice).price
    bot.forward(120)
    boss.tap("↩ Undo", request(boss))
    boss.tap("it has already been credited", request(boss))
    assert "had been spent: that is your loss" in boss.toast
    assert entries_of(bot, alice)[-2:] == [("writeoff", spent), ("topup", -10_000)]
    assert user_of(bot, alice).sales_paused and "orders are paused" in alice.last
    assert "Their orders are paused until you decide" in texts(boss)
    assert_books_are_right()


def test_all_copies_show_the_decision_also_those_not_sent_yet(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg, alice = bot.admin(), owner(bot), bot.user()
    bot.telegram.fail_next("sendPhoto", "502", times=1, chat_id=oleg.id)
    transfer(alice)
    boss.tap("✓ Approve")
    bot.forward(60)
    assert not any("photo" in message for message in oleg.received)
    transfer(alice, "500 ₽")
    oleg.tap("✓ Approve 500 ₽")
    assert (
        "✓ 500 ₽ credited by Oleg" in request(boss)["caption"]
        and "✓ 500 ₽ credited by Oleg" in request(oleg)["caption"]
    )
    boss.tap("↩ Undo", request(boss))
    boss.tap("it has already been credited", request(boss))
    assert "↩ 500 ₽ taken back by Boss" in request(oleg)["caption"]


def test_the_same_picture_sent_again_smaller_and_by_somebody_else_is_pointed_out(start_bot):
    """The image, not the file id."""
    bot = start_bot()
    boss, alice, eve = bot.admin(), bot.user(), bot.user("Eve")
    transfer(alice, "300 ₽", screenshot(300, "22.11.2026 12:03"))
    boss.tap("✓ Approve")
    bot.forward(3600, step=600)
    transfer(eve, "500 ₽", screenshot(300, "22.11.2026 12:03", quality=40, scale=0.6))
    assert "looks the same as the picture of #1" in request(boss)["caption"]
    assert entries_of(bot, eve) == []


def test_another_screenshot_of_the_same_bank_is_not_pointed_out(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    transfer(alice, "300 ₽", screenshot(300, "22.11.2026 12:03"))
    boss.tap("✓ Approve")
    bot.forward(3600, step=600)
    transfer(bob, "500 ₽", screenshot(300, "22.11.2026 12:04"))
    assert "⚠" not in request(boss)["caption"]


def test_the_same_amount_soon_after_is_pointed_out(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    transfer(alice, "300 ₽", screenshot(300, "12:03"))
    transfer(bob, "300 ₽", screenshot(300, "12:41"))
    assert "the same amount came with #1" in request(boss)["caption"]


def test_a_proof_that_is_no_picture_or_can_not_be_had_still_reaches_the_desk(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    alice.send("/topup")
    alice.tap("300 ₽")
    alice.tap("🏦")
    alice.document(b"%PDF-1.4 a receipt", "receipt.pdf")
    assert "Received" in alice.last
    boss.tap("✓ Approve")
    bot.telegram.fail_next("getFile", "500", times=5)
    transfer(alice, "500 ₽")
    boss.tap("✓ Approve 500 ₽")
    assert bot.balance(alice) == 80_000


def test_requests_older_than_an_hour_are_reminded_of_once(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    transfer(alice)
    transfer(bob)
    bot.forward(50 * 60, step=300)
    assert "⏰" not in texts(boss)
    bot.forward(20 * 60, step=300)
    bot.restart()
    bot.forward(7200, step=600)
    reminders = [line for line in texts(boss).split("\n") if "⏰" in line]
    assert reminders == ["⏰ 2 top-ups have been waiting for more than an hour: #1, #2"]
    boss.tap("Top-ups (2)")
    boss.tap("#1 · 300 ₽")
    assert boss.toast == "Sent below"
    boss.tap("✓ Approve", request(boss))
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_a_group_of_the_staff_gets_the_requests_and_only_people_with_the_right_decide(start_bot):
    bot = start_bot()
    boss, alice, eve = bot.admin(), bot.user(), bot.user("Eve")
    cashier = staff(bot, "cashier", "Kate")
    eve.send("/start")
    group = bot.telegram.group("Staff", boss, cashier, eve)
    eve.send("/here", group=group)
    boss.send("/here", group=group)
    assert "come here from now on" in group.messages[-1]["text"]
    transfer(alice)
    sent = [message for message in group.messages if "photo" in message]
    assert len(sent) == 1 and "Payment #1" in sent[0]["caption"]
    assert not any("photo" in message for message in (*boss.received, *cashier.received))
    eve.tap("✓ Approve", group=group)
    assert "not for you" in eve.toast
    cashier.tap("Other amount", group=group)
    assert "in private" in cashier.toast and "How much actually arrived?" in cashier.last
    cashier.send("200")
    cashier.tap("✓ Approve 200 ₽")
    assert entries_of(bot, alice) == [("topup", 20_000)]
    assert "✓ 200 ₽ credited by Kate" in [message for message in group.messages if "photo" in message][0]["caption"]
    boss.tap("↩ Undo", group=group)
    boss.tap("a different amount was received", group=group)
    assert bot.balance(alice) == 0


def test_a_group_that_is_gone_loses_no_request(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    group = bot.telegram.group("Staff", boss)
    boss.send("/here", group=group)
    bot.telegram.fail_next("sendPhoto", "403", times=1, chat_id=group.id)
    transfer(alice)
    bot.forward(30)
    assert "can’t be reached" in texts(boss)
    boss.tap("✓ Approve 300 ₽")
    assert entries_of(bot, alice) == [("topup", 30_000)]
    transfer(alice, "500 ₽")
    boss.tap("✓ Approve 500 ₽")


def test_a_request_made_while_no_owner_has_opened_the_bot_waits_in_the_list(start_bot):
    bot = start_bot()
    alice = bot.user()
    transfer(alice)
    boss = bot.admin()
    boss.send("/admin")
    boss.tap("Top-ups (1)")
    boss.tap("#1 · 300 ₽")
    boss.tap("✓ Approve", request(boss))
    assert entries_of(bot, alice) == [("topup", 30_000)]


def test_the_user_is_one_tap_away_from_a_request(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice, picture=png("x"))
    boss.tap("Person")
    assert "Alice" in boss.last and "Balance 0 ₽" in boss.last
    open_card(boss, alice)


def test_a_kill_between_a_refusal_and_its_news_does_not_leave_the_payer_without_them(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    bot.bot.payments.reject(1, user_of(bot, boss).id, "the payment was not found", bot.clock.now())
    bot.restart()  # the decision is a row, and the admin's tap comes once more
    for _ in range(2):
        boss.forge("transfer:refuse:1:not_found", request(boss))
    told = [message for message in alice.received if "was declined" in message.get("text", "")]
    assert len(told) == 1 and "the payment was not found" in told[0]["text"]
    assert entries_of(bot, alice) == []

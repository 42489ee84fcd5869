"""Security holes found in other paid bots, by number.

At least one test per hole, all of them over HTTP on both databases.
"""

import re
from pathlib import Path

import pytest
import requests

from core.process.web import Web
from tests.kit import ROOT, TOKEN, FrozenClock, png
from tests.shop import assert_books_are_right, entries_of, order, texts, user_of
from tests.till import TWO_OWNERS, invoice, open_card, owner, pay_stars, request, transfer

HOLES = 13


def test_every_hole_has_its_test():
    tested = {int(number) for number in re.findall(r"^def test_(\d+)_", Path(__file__).read_text(), re.M)}
    assert tested == set(range(1, HOLES + 1))


def test_1_a_crash_between_taking_and_handling_a_payment_loses_it_not(start_bot):
    """The update is a row before it is handled, and is not marked as done before it is."""
    bot = start_bot()
    alice = bot.user()
    message = invoice(alice)
    own, updates = bot.telegram.pump, bot.runtime.updates

    def take_but_not_handle():
        updates.fetch(wait_s=0)
        updates.express.run_waiting()

    bot.telegram.pump = take_but_not_handle
    assert alice.pay(message)["state"] == "paid"
    take_but_not_handle()
    bot.telegram.pump = own
    assert entries_of(bot, alice) == []
    bot.restart()
    bot.pump()
    assert entries_of(bot, alice) == [("stars", 30_000)]
    assert_books_are_right()


def test_2_a_small_invoice_paid_while_a_large_top_up_is_open_credits_the_small_one(start_bot):
    bot = start_bot()
    alice = bot.user()
    small = invoice(alice, "100 ₽")
    alice.send("/topup")
    alice.tap("1,000 ₽")
    bot.restart()
    assert alice.pay(small)["state"] == "paid"
    assert entries_of(bot, alice) == [("stars", 10_000)]


def test_3_an_old_invoice_is_good_for_its_payer_alone_and_once(start_bot):
    bot = start_bot()
    alice, eve = bot.user(), bot.user("Eve")
    old = invoice(alice)
    bot.forward(7200, step=3600)
    pay_stars(alice, "100 ₽")
    assert alice.pay(old)["state"] == "paid" and alice.pay(old)["state"] == "refused"
    assert sorted(entries_of(bot, alice)) == [("stars", 10_000), ("stars", 30_000)]
    eve.send("/start")
    assert bot.telegram.calls("sendInvoice")[0]["params"]["start_parameter"]
    assert entries_of(bot, eve) == []


def test_4_a_payment_told_again_and_again_is_credited_once(start_bot):
    bot = start_bot()
    alice = bot.user()
    charge = pay_stars(alice)
    invoice_of = bot.telegram.calls("sendInvoice")[-1]["params"]
    person = {"id": alice.id, "is_bot": False, "first_name": "Alice", "language_code": "en"}
    payment = {
        "currency": "XTR", "total_amount": 188, "invoice_payload": invoice_of["payload"],
        "telegram_payment_charge_id": charge, "provider_payment_charge_id": "",
    }  # fmt: skip
    chat = {"id": alice.id, "type": "private", "first_name": "Alice"}
    message = {"message_id": 900_000, "from": person, "chat": chat, "date": int(bot.clock.now().timestamp())}
    for restart in (False, True, False):
        if restart:
            bot.restart()
        bot.telegram.update(message=message | {"successful_payment": payment})
    assert entries_of(bot, alice) == [("stars", 30_000)] and texts(alice).count("+300 ₽, balance") == 1
    assert_books_are_right()


def test_5_a_decision_and_its_money_are_one_write_and_the_opposite_is_a_compensating_entry(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg, alice = bot.admin(), owner(bot), bot.user()
    transfer(alice)
    number = 1
    boss.tap("✓ Approve", request(boss))
    for data in (f"transfer:refuse:{number}:not_found", f"transfer:exact:{number}:99900", f"transfer:approve:{number}"):
        oleg.forge(data, request(oleg))
        assert "already approved" in oleg.toast
    assert entries_of(bot, alice) == [("topup", 30_000)]
    oleg.tap("↩ Undo", request(oleg))
    oleg.tap("it has already been credited", request(oleg))
    boss.forge(f"transfer:approve:{number}", request(boss))
    boss.forge(f"transfer:take:{number}:not_found", request(boss))
    assert entries_of(bot, alice) == [("topup", 30_000), ("topup", -30_000)]
    assert_books_are_right()


def test_6_a_perfect_screenshot_is_not_money(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    for _ in range(3):
        alice.send("/topup")
        alice.tap("300 ₽")
        alice.tap("🏦")
        alice.photo(png("paid 300 ₽ to Test Bank 0000 1111"), caption="paid 300 ₽")
        alice.send("/start")
    bot.forward(24 * 3600, step=3600)
    assert entries_of(bot, alice) == [] and "⏰" in texts(boss)


def test_7_a_failed_order_is_given_back_once_by_whoever_comes_first(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next()
    order(bot, alice)
    bot.forward(60)
    bot.restart()
    bot.bot.generation.settle_overdue(bot.clock.now())
    bot.forward(3 * 3600, step=600)
    kinds = [kind for kind, _amount in entries_of(bot, alice)]
    assert kinds == ["admin", "hold", "release"] and bot.balance(alice) == 100_000
    assert_books_are_right()


def test_8_a_strangers_callback_changes_nothing_and_learns_nothing(start_bot, servers):
    web = Web("127.0.0.1", 0, FrozenClock(*servers), "test")
    bot = start_bot(PUBLIC_URL=f"http://127.0.0.1:{web.port}", PORT=str(web.port))
    web.runtime = bot.runtime
    bot.kie.settings(hold=True)
    alice = bot.rich()
    job = order(bot, alice)
    bot.pump()
    task = bot.bot.jobs.get(job.id).task_id
    said = set()
    for path in ("nothing", str(job.id), task, "0" * 32):
        body = {"code": 200, "data": {"taskId": task, "state": "success", "resultJson": "{}"}}
        said.add(requests.post(f"http://127.0.0.1:{web.port}/kie/{path}", json=body, timeout=10).text)
    bot.pump()
    web.close()
    assert len(said) == 1 and bot.bot.jobs.get(job.id).state == "running"
    assert entries_of(bot, alice) == [("admin", 100_000), ("hold", -job.price)]


def test_9_neither_the_token_nor_an_address_of_telegram_reaches_kie(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.photo(png("my face"))
    alice.send("make it blue")
    alice.tap("▶ Draft")
    bot.forward(120)
    asked = str(bot.kie.requests())
    assert "createTask" in asked and "make it blue" in asked
    assert TOKEN not in asked and TOKEN.split(":")[1] not in asked and bot.telegram.url not in asked


def test_10_a_credit_and_its_entry_are_one_write_in_one_database(start_bot):
    """No file holds a balance; what a crash cuts off is not there at all, and comes with the repeat."""
    bot = start_bot()
    alice = bot.user()
    pay_stars(alice)
    assert not [path for path in ROOT.glob("*.json")]
    before = (bot.balance(alice), entries_of(bot, alice))
    bot.restart()
    assert (bot.balance(alice), entries_of(bot, alice)) == before
    assert_books_are_right()


def test_11_ids_of_52_bits_work_everywhere(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice", id=4_503_599_627_370_490)
    pay_stars(alice)
    transfer(alice)
    boss.tap("✓ Approve", request(boss))
    open_card(boss, alice)
    assert "4503599627370490" in boss.last and bot.balance(alice) == 60_000


def test_12_every_correction_is_an_entry_with_actor_and_reason(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "100")
    open_card(boss, alice)
    boss.tap("− Debit")
    boss.send("30 a mistake")
    boss.tap("✓ Debit")
    (entry,) = bot.bot.ledger.entries(user_of(bot, alice).id, limit=1)
    assert (entry.kind, entry.amount, entry.reason, entry.actor_id) == (
        "admin",
        -3_000,
        "a mistake",
        user_of(bot, boss).id,
    )
    alice.send("/balance")
    assert "−30 ₽" in alice.last and "a mistake" in alice.last


@pytest.mark.parametrize("pay", [pay_stars, transfer])
def test_13_who_has_paid_is_found_among_those_who_have_paid(start_bot, pay):
    pytest.importorskip("plugins.admin.broadcast")
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user(), bot.user("Bob")
    bob.send("/start")
    pay(alice)
    if pay is transfer:
        boss.tap("✓ Approve", request(boss))
    news = boss.send("News for those who have paid")
    boss.send("/broadcast", reply_to=news["message_id"])
    boss.tap("those who have paid")
    assert "· 1 person" in boss.last
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert "News for those who have paid" in texts(alice) and "News" not in texts(bob)

"""Nobody signs their own cheque: staff cannot pay themselves, and owners are told of large sums."""

from datetime import UTC, datetime

import pytest

from core.errors import OwnCheque
from storage.base import db as database
from storage.base import schema
from storage.journal import audit_log
from storage.money import ledger, payments, promo, refunds
from storage.people import staff, users
from tests.kit import png
from tests.shop import assert_books_are_right, entries_of, texts, user_of
from tests.till import OLEG, TWO_OWNERS, open_card, owner, pay_stars, request, transfer
from tests.till import staff as hire

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOT_YOURS = "Somebody else has to do this"


def newest(bot, what):
    """Return the newest act of a kind, or None."""
    return next(iter(bot.bot.audit_log.recent(limit=1, what=what)), None)


# transfers


def test_a_cashier_does_not_approve_their_own_transfer_and_another_amount_is_bounded(start_bot):
    bot = start_bot()
    kate, boss = hire(bot, "cashier", "Kate"), bot.admin()
    transfer(kate, picture=png("a cat"))
    kate.tap("✓ Approve", request(kate))
    assert NOT_YOURS in kate.toast
    kate.tap("Other amount", request(kate))
    kate.send("1 000 000 000")
    assert "At most 50,000 ₽ can be credited here." in kate.last
    kate.forge("transfer:exact:1:100000000000")
    assert "At most 50,000 ₽" in kate.toast
    kate.tap("Other amount", request(kate))
    kate.send("500")
    kate.tap("✓ Approve 500 ₽")
    assert NOT_YOURS in kate.toast
    assert entries_of(bot, kate) == [] and newest(bot, "approve") is None
    boss.tap("✓ Approve 300 ₽", request(boss))
    assert entries_of(bot, kate) == [("topup", 30_000)]
    assert_books_are_right()


def test_a_cashier_credits_nobody_more_than_the_most(start_bot):
    bot = start_bot(TOPUP_MAX="1000", TOPUP_AMOUNTS="300,5000")
    kate, alice = hire(bot, "cashier", "Kate"), bot.user()
    alice.send("/topup")
    assert "5,000 ₽" not in alice.buttons
    transfer(alice)
    kate.tap("Other amount", request(kate))
    kate.send("1000000000")
    kate.send("1001")
    assert "At most 1,000 ₽" in kate.last
    kate.forge("transfer:exact:1:100001")
    assert entries_of(bot, alice) == []
    kate.tap("Other amount", request(kate))
    kate.send("1000")
    kate.tap("✓ Approve 1,000 ₽")
    assert entries_of(bot, alice) == [("topup", 100_000)]


def test_an_owner_alone_types_the_sum_and_the_log_says_so(start_bot):
    bot = start_bot()
    boss = bot.admin()
    transfer(boss)
    boss.tap("✓ Approve", request(boss))
    assert "type the amount: 300 ₽" in boss.last and entries_of(bot, boss) == []
    for wrong in ("yes", "3000", "-300", "300000"):
        boss.send(wrong)
        assert "That is not 300 ₽. Type exactly this amount" in boss.last and entries_of(bot, boss) == []
    boss.send("300")
    assert entries_of(bot, boss) == [("topup", 30_000)]
    act = newest(bot, "approve")
    assert act.own and act.actor_id == act.user_id == user_of(bot, boss).id
    boss.send("/audit")
    assert "top-up approved · Boss · 300 ₽ · to themselves, as nobody else could do it" in boss.last
    assert "✓ 300 ₽ credited by Boss" in request(boss)["caption"]
    boss.send("300")  # the question is answered: this is a prompt
    assert entries_of(bot, boss) == [("topup", 30_000)]
    assert_books_are_right()


def test_an_owner_alone_types_another_amount_of_their_own_too(start_bot):
    bot = start_bot()
    boss = bot.admin()
    transfer(boss)
    boss.tap("Other amount", request(boss))
    boss.send("250")
    boss.tap("✓ Approve 250 ₽")
    boss.send("300")
    assert entries_of(bot, boss) == []
    boss.send("250")
    assert entries_of(bot, boss) == [("topup", 25_000)]


def test_an_owner_is_not_alone_beside_somebody_who_may_do_it(start_bot):
    """Another owner counts, also one who has not opened the bot; so does a cashier, of top-ups only."""
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss = bot.admin()
    transfer(boss)
    boss.tap("✓ Approve", request(boss))
    assert NOT_YOURS in boss.toast and entries_of(bot, boss) == []
    oleg = owner(bot)
    oleg.send("/admin")
    oleg.tap("Top-ups (1)")
    oleg.tap("#1")
    oleg.tap("✓ Approve", request(oleg))
    assert entries_of(bot, boss) == [("topup", 30_000)] and not newest(bot, "approve").own


def test_somebody_who_comes_before_the_sum_is_typed_has_to_do_it(start_bot):
    bot = start_bot()
    boss, sam = bot.admin(), bot.user("Sam")
    sam.send("/start")
    transfer(boss)
    boss.tap("✓ Approve", request(boss))
    bot.bot.staff.grant(user_of(bot, sam).id, "cashier", user_of(bot, boss).id, bot.clock.now())
    boss.send("300")
    assert NOT_YOURS in boss.last and entries_of(bot, boss) == []


def test_in_the_group_the_sum_is_asked_for_in_private(start_bot):
    bot = start_bot()
    boss = bot.admin()
    group = bot.telegram.group("Staff", boss)
    boss.send("/here", group=group)
    transfer(boss)
    boss.tap("✓ Approve", group=group)
    assert "in private" in boss.toast and "type the amount" in boss.last
    boss.send("300")
    assert entries_of(bot, boss) == [("topup", 30_000)]


# corrections


@pytest.mark.parametrize(
    ("label", "yes", "amount"), [("+ Credit", "✓ Credit", 10_000), ("− Debit", "✓ Debit", -10_000)]
)
def test_nobody_corrects_their_own_balance(start_bot, label, yes, amount):
    bot = start_bot()
    sam, boss = hire(bot, "admin"), bot.admin()
    bot.bot.ledger.post(user_of(bot, sam).id, 50_000, kind="admin", key="before", now=bot.clock.now())
    for actor in (sam, boss):
        open_card(actor, sam if actor is sam else boss)
        actor.tap(label)
        actor.send("100 for me")
        actor.tap(yes)
        assert NOT_YOURS in actor.toast
    assert entries_of(bot, sam) == [("admin", 50_000)] and entries_of(bot, boss) == []
    open_card(boss, sam)
    boss.tap(label)
    boss.send("100 for Sam")
    boss.tap(yes)
    assert entries_of(bot, sam)[1:] == [("admin", amount)]


def test_an_owner_alone_corrects_their_own_balance_by_typing_the_sum(start_bot):
    bot = start_bot()
    hire(bot, "cashier", "Kate")  # may not correct anything
    boss = bot.admin()
    open_card(boss, boss)
    boss.tap("+ Credit")
    boss.send("100 to try it")
    boss.tap("✓ Credit")
    assert "type the amount: 100 ₽" in boss.last
    boss.send("100")
    assert entries_of(bot, boss) == [("admin", 10_000)] and newest(bot, "credit").own
    assert "+100 ₽, balance 100 ₽." in texts(boss)


# refunds


def test_nobody_gives_their_own_stars_back(start_bot):
    bot = start_bot()
    sam, boss = hire(bot, "admin"), bot.admin()
    pay_stars(sam)
    for actor in (sam, boss):
        open_card(actor, sam)
        actor.tap("⭐ Refund")
        actor.tap("refunds:ask:")
        actor.send("by mistake")
        actor.tap("✓ Refund")
        if actor is sam:
            assert NOT_YOURS in sam.toast and bot.telegram.calls("refundStarPayment") == []
    assert entries_of(bot, sam) == [("stars", 30_000), ("refund", -30_000)]
    assert newest(bot, "refund").actor_id == user_of(bot, boss).id
    assert_books_are_right()


def test_an_owner_alone_gives_themselves_stars_back_by_typing_the_sum(start_bot):
    bot = start_bot()
    boss = bot.admin()
    pay_stars(boss)
    open_card(boss, boss)
    boss.tap("⭐ Refund")
    boss.tap("refunds:ask:")
    boss.send("by mistake")
    boss.tap("✓ Refund")
    boss.send("188")
    assert "That is not 300 ₽" in boss.last and bot.telegram.calls("refundStarPayment") == []
    boss.send("300")
    assert "✓ 188 ⭐ refunded" in texts(boss) and newest(bot, "refund").own
    assert entries_of(bot, boss) == [("stars", 30_000), ("refund", -30_000)]


# promo codes


@pytest.mark.parametrize("worth", ["100", "20%"])
def test_nobody_redeems_a_code_of_their_own_making(start_bot, worth):
    bot = start_bot()
    sam, alice = hire(bot, "admin"), bot.user()
    sam.send(f"/newpromo MINE {worth} 5")
    sam.send("/promo MINE")
    assert NOT_YOURS in sam.last and entries_of(bot, sam) == []
    assert promo.get("MINE").uses == 0 and promo.waiting(user_of(bot, sam).id) is None
    alice.send("/promo MINE")
    assert promo.get("MINE").uses == 1


@pytest.mark.parametrize(("worth", "typed", "asked"), [("100", "100", "100 ₽"), ("20%", "20", "20 %")])
def test_an_owner_alone_redeems_their_own_code_by_typing_its_worth(start_bot, worth, typed, asked):
    bot = start_bot()
    boss = bot.admin()
    boss.send(f"/newpromo MINE {worth} 5")
    boss.send("/promo MINE")
    assert f"type the amount: {asked}" in boss.last
    boss.send("7")
    assert promo.get("MINE").uses == 0
    boss.send(typed)
    assert promo.get("MINE").uses == 1 and newest(bot, "promo_own").own


def test_a_large_code_leaves_a_trace_and_waits_for_a_second_person(start_bot):
    bot = start_bot()
    sam, boss, alice = hire(bot, "admin"), bot.admin(), bot.user()
    sam.send("/newpromo HUGE 9999999 5")
    assert "somebody else confirms it" in sam.last
    assert "Sam has made the code HUGE: 9,999,999 ₽ × 5" in texts(boss)
    alice.send("/promo HUGE")
    assert "no such code" in alice.last and bot.balance(alice) == 0
    boss.send("/audit")
    assert "Sam: promo code made, waiting for a second person · HUGE · 9,999,999 ₽ · × 5" in boss.last
    sam.forge("promo:show:HUGE")
    assert "waiting for a second person" in sam.last and "✓ Confirm this code" not in sam.buttons
    sam.forge("promo:confirm:HUGE")
    assert NOT_YOURS in sam.toast
    alice.send("/promo HUGE")
    assert bot.balance(alice) == 0
    boss.tap("Look at the code")
    boss.tap("✓ Confirm this code")
    alice.send("/promo HUGE")
    assert bot.balance(alice) == 999_999_900 and newest(bot, "promo_confirm").actor_id == user_of(bot, boss).id
    boss.forge("promo:confirm:HUGE")
    assert "out of date" in boss.toast


@pytest.mark.parametrize(
    ("words", "large"), [("1000 5", False), ("1001 5", True), ("500 50 3", True), ("500 50 2", False)]
)
def test_what_one_person_may_get_makes_a_code_large(start_bot, words, large):
    bot = start_bot()
    sam = hire(bot, "admin")
    sam.send(f"/newpromo CODE {words}")
    assert promo.get("CODE").waits is large


def test_an_owner_alone_makes_a_large_code_by_typing_its_amount(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    boss.send("/newpromo HUGE 5000 5")
    assert "type the amount: 5,000 ₽" in boss.last and promo.get("HUGE") is None
    boss.send("5000")
    alice.send("/promo HUGE")
    assert bot.balance(alice) == 500_000 and newest(bot, "promo").own


# the rule in storage


@pytest.fixture
def sam(database_url):
    """Somebody with a role, in an empty database."""
    database.connect(database_url)
    schema.migrate()
    yield users.seen(users.Sender(5_000_000_001, "Sam"), NOW)
    database.disconnect()


def pending(user):
    """Return the number of a request that waits."""
    topup = payments.create(user.id, "transfer", 5000, now=NOW)
    return payments.submit(topup.id, user.id, {"file_id": "f", "unique_id": "u", "kind": "photo"}, NOW).id


def charge(user):
    """Return the id of a payment in Stars."""
    topup = payments.create(user.id, "stars", 5000, now=NOW, stars=32)
    payments.credit_stars("charge", topup.id, user.id, 32, NOW)
    return "charge"


OWN = {
    "approve": lambda sam: (payments.approve, (pending(sam), sam.id, NOW), {}),
    "another amount": lambda sam: (payments.approve, (pending(sam), sam.id, NOW, 7000), {}),
    "cash": lambda sam: (
        payments.credit,
        (payments.create(sam.id, "counter", 5000, now=NOW).id, "counter:1", NOW),
        {"actor": sam.id},
    ),
    "credit": lambda sam: (staff.correct, (sam.id, 500, "why", sam.id, "key", NOW), {}),
    "debit": lambda sam: (staff.correct, (sam.id, -500, "why", sam.id, "key", NOW), {}),
    "refund": lambda sam: (refunds.ask_refund, (charge(sam), sam.id, "why", NOW), {}),
    "code": lambda sam: (
        promo.redeem,
        (promo.create("MINE", "amount", 500, total_limit=5, author=sam.id, now=NOW) and "MINE", sam.id, NOW),
        {},
    ),
}


def test_the_ledger_itself_refuses_an_entry_that_pays_its_actor(sam):
    with pytest.raises(audit_log.OwnCheque):
        ledger.post(sam.id, 500, kind="bonus", key="key", now=NOW, actor=sam.id)
    assert ledger.balance(sam.id) == 0


@pytest.mark.parametrize("act", OWN)
def test_the_storage_refuses_whoever_would_pay_themselves_and_keeps_nothing(sam, act):
    ledger.post(sam.id, 1000, kind="bonus", key="start", now=NOW)
    work, given, named = OWN[act](sam)
    before = (ledger.balance(sam.id), len(ledger.entries(sam.id, limit=99)), len(audit_log.recent(limit=99)))
    with pytest.raises(OwnCheque):
        work(*given, **named)
    assert before == (ledger.balance(sam.id), len(ledger.entries(sam.id, limit=99)), len(audit_log.recent(limit=99)))
    work(*given, **named, alone=True)
    assert len(ledger.entries(sam.id, limit=99)) == before[1] + 1
    assert act == "entry" or audit_log.recent(limit=1)[0].own
    assert_books_are_right()


def test_a_request_of_ones_own_still_waits_after_the_refusal(sam):
    topup = pending(sam)
    with pytest.raises(OwnCheque):
        payments.approve(topup, sam.id, NOW)
    assert payments.get(topup).state == "pending"


# owners hear of it


@pytest.mark.parametrize(("amount", "told"), [("5000", False), ("5001", True)])
def test_every_owner_hears_of_an_approval_above_the_threshold(start_bot, amount, told):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg, kate, alice = bot.admin(), owner(bot, lang="ru"), hire(bot, "cashier", "Kate"), bot.user()
    transfer(alice)
    kate.tap("Other amount", request(kate))
    kate.send(amount)
    kate.tap("✓ Approve")
    assert ("Kate: top-up approved, 5,001 ₽" in texts(boss)) is told
    assert ("Kate: пополнение зачислено, 5 001 ₽" in texts(oleg).replace("\u00a0", " ")) is told
    assert "💼" not in texts(kate) and "💼" not in texts(alice)


def test_every_owner_hears_of_a_correction_also_the_one_who_made_it_and_once(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS, OWNER_TOLD_ABOVE="50")
    boss, oleg, alice = bot.admin(), owner(bot), bot.user()
    alice.send("/start")
    for label, words, yes in (("+ Credit", "60 sorry", "✓ Credit"), ("− Debit", "51 <oops>", "✓ Debit")):
        open_card(boss, alice)
        boss.tap(label)
        boss.send(words)
        boss.tap(yes)
    bot.restart()
    bot.forward(30)
    for one in (boss, oleg):
        assert texts(one).count("Boss: credit, 60 ₽\nAlice · sorry") == 1
        assert texts(one).count("Boss: debit, 51 ₽\nAlice · <oops>") == 1
    assert bot.bot.users.by_telegram_id(OLEG) is not None

"""Roles: given by owners, checked at every handler, never by oneself; and the audit log."""

import pytest

from tests.shop import entries_of, user_of
from tests.till import open_card, request, staff, transfer

pytest.importorskip("plugins.admin.roles")

RIGHTS = {
    "cashier": {"staff", "topups"},
    "support": {"staff", "read", "message"},
}


def test_a_role_is_asked_about_once_given_and_told(start_bot):
    bot = start_bot()
    boss, sam = bot.admin(), bot.user("Sam")
    sam.send("/start")
    assert "Admin" not in sam.buttons
    open_card(boss, sam)
    boss.tap("Role")
    boss.tap("cashier")
    assert "decide on top-ups, nothing else" in boss.last
    assert user_of(bot, sam).role is None
    boss.tap("✓ Yes")
    assert user_of(bot, sam).role == "cashier"
    assert "You are a cashier" in sam.last
    boss.send("/audit")
    assert "Boss: role · Sam · cashier" in boss.last
    boss.send("/staff")
    assert "Sam · cashier" in boss.buttons
    menus = [
        c["params"]
        for c in bot.telegram.calls("setMyCommands")
        if c["params"].get("scope", {}).get("chat_id") == sam.id
    ]
    assert menus and {"admin"} <= {command["command"] for command in menus[0]["commands"]}
    assert "rate" not in {command["command"] for command in menus[0]["commands"]}


def test_a_role_taken_away_is_gone_at_the_next_update(start_bot):
    bot = start_bot()
    sam = staff(bot, "admin")
    boss = bot.admin()
    sam.send("/admin")
    assert "Admin · last 24 hours" in sam.last
    open_card(boss, sam)
    boss.tap("Role")
    boss.tap("no role")
    boss.tap("✓ Yes")
    sam.send("/admin")
    assert "No such command" in sam.last
    sam.forge("rates:show")
    assert "not for you" in sam.toast


@pytest.mark.parametrize("role", ["cashier", "support", "admin"])
def test_nobody_raises_themselves_or_others(start_bot, role):
    bot = start_bot()
    sam, eve = staff(bot, role), bot.user("Eve")
    eve.send("/start")
    for target in (sam, eve):
        number = user_of(bot, target).id
        for data in (f"team:role:{number}", f"team:ask:{number}:admin", f"team:grant:{number}:admin:none"):
            sam.forge(data)
            assert "not for you" in sam.toast
    assert user_of(bot, sam).role == role and user_of(bot, eve).role is None
    boss = bot.admin()
    boss.forge(f"team:grant:{user_of(bot, boss).id}:admin:none")
    assert "can’t be changed" in boss.toast
    boss.forge(f"team:grant:{user_of(bot, eve).id}:king:none")
    assert "out of date" in boss.toast
    assert user_of(bot, boss).role is None and user_of(bot, eve).role is None


@pytest.mark.parametrize("role", ["nobody", "cashier", "support", "admin"])
def test_every_handler_that_wants_a_right_is_closed_to_those_without_it(start_bot, role):
    """Buttons, commands and dialogues, all of them, as registered."""
    bot = start_bot(FLOOD_MESSAGES="100000")
    boss = bot.admin()
    sam = staff(bot, role) if role != "nobody" else bot.user("Sam")
    sam.send("/start")
    may = RIGHTS.get(role, set())
    arguments = {int: "1", str: "x"}
    buttons, commands = bot.bot.handlers["button"], bot.bot.handlers["command"]
    for route, entry in buttons.items():
        if entry.right and (entry.right == "roles" if role == "admin" else entry.right not in may):
            sam.forge(":".join([route, *(arguments.get(kind, "1") for kind in entry.types.values())]))
            assert "not for you" in sam.toast, route
    for name, entry in commands.items():
        if entry.right and (entry.right == "roles" if role == "admin" else entry.right not in may):
            sam.send(f"/{name} 1")
            assert "No such command" in sam.last, name
    assert boss.id != sam.id


def test_a_dialogue_of_a_right_that_was_taken_away_is_closed(start_bot):
    bot = start_bot()
    sam, alice = staff(bot, "admin"), bot.user()
    boss = bot.admin()
    alice.send("/start")
    open_card(sam, alice)
    sam.tap("+ Credit")
    sam.send("100 hello")
    yes = next(data for data in sam.buttons.values() if data.startswith("users:ok"))
    open_card(boss, sam)
    boss.tap("Role")
    boss.tap("support")
    boss.tap("✓ Yes")
    sam.forge(yes)
    assert "not for you" in sam.toast
    assert entries_of(bot, alice) == []


def test_a_cashier_decides_on_top_ups_and_sees_nothing_else(start_bot):
    bot = start_bot()
    kate, alice = staff(bot, "cashier", "Kate"), bot.user()
    transfer(alice)
    labels = [cell["text"] for row in request(kate)["reply_markup"]["inline_keyboard"] for cell in row]
    assert labels == ["✓ Approve 300 ₽", "Other amount", "✗ Decline"]
    kate.tap("✓ Approve")
    assert entries_of(bot, alice) == [("topup", 30_000)]
    kate.send("/admin")
    assert set(kate.buttons) == {"Top-ups (0)", "⌂ Menu"}
    assert "In " not in kate.last and "KIE" not in kate.last
    kate.send("/user Alice")
    assert "No such command" in kate.last


def test_a_support_reads_and_writes_and_moves_no_money(start_bot):
    bot = start_bot()
    sue, alice = staff(bot, "support", "Sue"), bot.rich()
    alice.send("/support")
    alice.send("where is my picture?")
    assert "where is my picture?" in sue.last
    sue.tap("Reply")
    sue.send("in your history")
    sue.tap("✓ Send")
    assert "From support\nin your history" in alice.last
    open_card(sue, alice)
    assert "Balance 1,000 ₽" in sue.last
    assert not {"+ Credit", "− Debit", "Block", "⭐ Refund", "Role", "Log"} & set(sue.buttons)
    transfer(bot.user("Bob"))
    assert not any("photo" in message for message in sue.received)


def test_an_admin_does_everything_but_give_roles(start_bot):
    bot = start_bot()
    sam, alice = staff(bot, "admin"), bot.user()
    transfer(alice)
    sam.tap("✓ Approve")
    sam.send("/rate 100")
    assert "Dollar rate: 100" in sam.last
    open_card(sam, alice)
    assert "Role" not in sam.buttons and "+ Credit" in sam.buttons
    sam.send("/admin")
    assert "Team" not in sam.buttons and "Rates" in sam.buttons


def test_every_act_stands_in_the_log_with_who_and_whom(start_bot):
    bot = start_bot()
    sam, alice = staff(bot, "admin"), bot.user()
    boss = bot.admin()
    transfer(alice)
    sam.tap("✓ Approve")
    sam.tap("↩ Undo", request(sam))
    sam.tap("the payment was not found", request(sam))
    transfer(alice)
    sam.tap("✗ Decline", request(sam))
    sam.tap("a different amount was received", request(sam))
    sam.send("/rate 95")
    sam.send("/pause lunch")
    sam.send("/resume")
    boss.send("/audit")
    whats = [
        "sales resumed",
        "sales paused · lunch",
        "setting · Dollar rate · 95",
        "top-up declined · Alice · 300 ₽",
        "top-up taken back · Alice · 300 ₽",
        "top-up approved · Alice · 300 ₽",
    ]
    lines = [line for line in boss.last.split("\n") if "Sam:" in line]
    assert len(lines) == 6 and all(what in line for what, line in zip(whats, lines, strict=True)), lines
    open_card(boss, alice)
    boss.tap("Log")
    assert "top-up approved" in boss.last and "setting" not in boss.last


def test_the_log_has_pages(start_bot):
    bot = start_bot()
    boss = bot.admin()
    for number in range(12):
        boss.send(f"/rate {90 + number}")
    boss.send("/audit")
    assert "Dollar rate · 101" in boss.last and "Dollar rate · 93" not in boss.last
    boss.tap("Older")
    assert "Dollar rate · 93" in boss.last and "Dollar rate · 90" in boss.last

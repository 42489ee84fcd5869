"""/admin's list of a first day: what a new shop lacks, each with its button, until all is done or somebody hides it."""

import pytest

DONE = {"SUPPORT_CONTACT": "@help_me", "TERMS_TEXT": "Ours", "BACKUP_KEEP": "3", "WELCOME_RUNS": "3"}


@pytest.fixture
def open_list(start_bot):
    """Return a function that starts a bot and has the admin open the list; it returns both."""

    def open_(**settings):
        bot = start_bot(**settings)
        boss = bot.admin()
        boss.send("/admin")
        boss.tap("first:show")
        return bot, boss

    return open_


def test_each_thing_that_is_missing_has_a_button_and_goes_once_it_is_done(open_list):
    bot, boss = open_list(USD_RATE="")
    assert "○ Dollar rate" in boss.last and "○ Support contact" in boss.last and "✓ A way to pay" in boss.last
    boss.tap("Set the rate")
    boss.send("92.5")
    boss.forge("first:show")
    assert "✓ Dollar rate" in boss.last and "Set the rate" not in boss.buttons
    boss.tap("Back up now")
    boss.forge("first:show")
    assert "✓ A backup" in boss.last


def test_an_order_of_the_owners_counts(open_list):
    bot, boss = open_list()
    assert "○ An order of your own" in boss.last
    bot.bot.ledger.post(
        bot.bot.users.by_telegram_id(boss.id).id, 10_000, kind="admin", key="x", now=bot.clock.now(), reason="try"
    )
    boss.send("a fox")
    boss.tap("▶")
    bot.forward(60)
    boss.forge("first:show")
    assert "✓ An order of your own" in boss.last


def test_it_is_gone_from_the_menu_once_all_is_done(start_bot):
    bot = start_bot(**DONE)
    bot.left_out.clear()
    boss = bot.admin()
    boss.send("/admin")
    assert any(data == "first:show" for data in boss.buttons.values())
    bot.bot.ledger.post(
        bot.bot.users.by_telegram_id(boss.id).id, 10_000, kind="admin", key="x", now=bot.clock.now(), reason="try"
    )
    boss.send("a fox")
    boss.tap("▶")
    bot.forward(60)
    boss.send("/admin")
    assert not any(data == "first:show" for data in boss.buttons.values())


def test_hidden_it_stays_hidden(open_list):
    bot, boss = open_list()
    boss.tap("Hide this list")
    assert "Admin" in boss.last
    bot.restart()
    boss.send("/admin")
    assert not any(data == "first:show" for data in boss.buttons.values())


def test_only_the_staff_hides_it_and_only_the_list_they_see(open_list):
    bot, boss = open_list()
    alice = bot.user()
    alice.send("/start")
    alice.forge("first:hide:3")
    assert alice.toast == "This button is not for you."
    boss.forge("first:hide:1")
    assert "changed" in boss.toast
    boss.send("/admin")
    assert any(data == "first:show" for data in boss.buttons.values())

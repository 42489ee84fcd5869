"""Error codes: the user can quote one, an admin finds the traceback behind it, nobody else does."""

import re

import pytest

from tests.house import plugins_with
from tests.kit import TOKEN

pytest.importorskip("plugins.admin.errors")

BREAKING = f'''"""A plugin with a bug."""


def register(bot):
    """Declare the command."""
    bot.command("breaks", fail)


def fail(ctx):
    """Fail as bugs do, with a secret in the words."""
    raise RuntimeError("no answer from http://host/bot{TOKEN}/getMe <b>")
'''


@pytest.fixture
def broken(start_bot, monkeypatch, tmp_path):
    """A bot with a command that fails; return it, its admin, and a user who has met the error."""
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, breaks=BREAKING))
    boss, alice = bot.admin(), bot.user()
    alice.send("/start")
    alice.send("/breaks")
    assert len(bot.failed("update")) == 1
    return bot, boss, alice


def code_in(text):
    """Return the code a text names."""
    return re.search(r"\b[2-9A-HJKMNP-Z]{6}\b", text)[0]


def test_the_code_a_user_quotes_shows_an_admin_the_traceback_without_secrets(broken):
    _bot, boss, alice = broken
    code = code_in(alice.last)
    assert "Traceback" not in alice.last and "RuntimeError" not in alice.last
    boss.send(f"/error {code.lower()}")
    assert code in boss.last and "Traceback" in boss.last and "RuntimeError: no answer" in boss.last
    assert "in fail" in boss.last and "<b>" in boss.last, "shown as it is, not as markup"
    assert TOKEN not in boss.last and TOKEN.split(":")[1] not in boss.last


def test_the_admins_are_told_the_code_and_find_it_in_the_list(broken):
    _bot, boss, alice = broken
    code = code_in(alice.last)
    assert any(code in message.get("text", "") for message in boss.received)
    boss.send("/error")
    assert f"/error {code}" in boss.last


def test_a_code_that_is_none_is_told_so_and_a_stranger_learns_nothing(broken):
    _bot, boss, alice = broken
    code = code_in(alice.last)
    boss.send("/error NOSUCH")
    assert "NOSUCH" in boss.last and "Traceback" not in boss.last
    alice.send(f"/error {code}")
    assert "No such command" in alice.last and "RuntimeError" not in alice.last


def test_a_code_outlives_a_restart(broken):
    bot, boss, alice = broken
    code = code_in(alice.last)
    bot.restart()
    boss.send(f"/error {code}")
    assert "RuntimeError" in boss.last

"""An update whose handler fails is retried, unless that would send something twice."""

import pytest

from tests.house import plugins_with

SOURCE = '''"""Fails."""

TRIES = []


def register(bot):
    """Declare the commands."""
    bot.command("fails", fails, repeat={repeat})
    bot.button("zzz:fails", tapped)
    bot.telebot.register_message_handler(library, commands=["library"])
    bot.page("/tries", lambda bot, leads, visit: TRIES)


def fails(ctx):
    """Fail, after or before saying something."""
    TRIES.append(ctx.args)
    if ctx.args == "late":
        ctx.reply("common.menu")
    raise RuntimeError("broken")


def tapped(ctx):
    """Fail on a tap."""
    TRIES.append("tap")
    raise RuntimeError("broken")


def library(message):
    """Fail in the library's way, which says nothing here."""
    TRIES.append("library")
    raise RuntimeError("broken")
'''


def start(start_bot, monkeypatch, tmp_path, repeat):
    """Return a bot with the plugin, and the list of its tries."""
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=SOURCE.format(repeat=repeat)))
    return bot, bot.bot.pages["/tries"](bot.bot, True, None)


@pytest.mark.parametrize(("repeat", "when", "tries"), [(False, "late", 1), (True, "late", 3), (False, "early", 3)])
def test_what_has_said_something_is_not_tried_again(start_bot, monkeypatch, tmp_path, repeat, when, tries):
    bot, made = start(start_bot, monkeypatch, tmp_path, repeat)
    alice = bot.user("Alice")
    alice.send(f"/fails {when}")
    assert made == [when] * tries
    assert len([one for one in alice.messages if "Menu" in one.get("text", "")]) == (tries if when == "late" else 0)
    assert "Something went wrong" in alice.last
    assert len(bot.failed("update")) == 1


def test_a_handler_of_the_library_that_said_nothing_is_tried_again(start_bot, monkeypatch, tmp_path):
    bot, made = start(start_bot, monkeypatch, tmp_path, False)
    alice = bot.user("Alice")
    alice.send("/library")
    assert made == ["library"] * 3 and "Something went wrong" in alice.last
    assert [str(error) for error in bot.failed("update")] == ["broken"]


@pytest.mark.parametrize("kind", ["drop", "garbage", "502"])
def test_a_refusal_that_may_not_have_arrived_is_no_failure(start_bot, kind):
    """What a person did wrong is told once; that the network ate the answer does not set their update aside."""
    bot = start_bot()
    alice = bot.user("Alice")
    alice.send("/start")
    bot.telegram.fail_next("sendMessage", kind, times=9)
    alice.send("/promo NOSUCHCODE")
    bot.telegram.no_trouble()
    assert bot.bot.health.figures()["aside"].rows == 0 and not bot.bot.error_reports.recent()
    alice.send("/balance")
    assert "Balance" in alice.last


def test_an_error_has_one_traceback_however_often_it_is_tried(start_bot, monkeypatch, tmp_path, caplog):
    bot, made = start(start_bot, monkeypatch, tmp_path, False)
    bot.user("Alice").send("/fails early")
    told = [row for row in caplog.records if "could not be handled" in row.getMessage()]
    assert len(made) == len(told) == 3 and [bool(row.exc_info) for row in told] == [True, False, False]
    assert all("RuntimeError('broken')" in row.getMessage() for row in told)
    assert [str(error) for error in bot.failed("update")] == ["broken"]


def test_the_apology_for_a_tap_repeats_it_and_for_words_asks_for_them_again(start_bot, monkeypatch, tmp_path):
    bot, made = start(start_bot, monkeypatch, tmp_path, False)
    alice = bot.user("Alice")
    alice.send("/fails early")
    assert "Please send it again" in alice.last and "↻ Try again" not in alice.buttons
    alice.forge("zzz:fails")
    assert "Please try again" in alice.last
    tries = len(made)
    alice.tap("↻ Try again")
    assert len(made) > tries
    assert len(bot.failed("update")) == 3

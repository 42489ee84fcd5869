"""A plugin's periodic work and listeners that raise: logged, reported to the staff once, retried; tests see it too."""

import re

import pytest

from core.process.loops import LONGEST_PAUSE_S, Loop
from tests import conftest
from tests.house import Live, plugins_with

PLUGIN = '''"""Work that can be broken."""

DONE = []


def register(bot):
    """Declare the work, the listener and what sets them right."""
    bot.every({every}, "counting", count)
    bot.on("user.created", welcome)
    bot.page("/done", lambda bot, leads, visit: DONE)


def count(bot, now):
    """Count, unless it is broken."""
    if bot.store("zzz").get("broken"):
        raise RuntimeError("no counting")
    DONE.append("count")


def welcome(bot, event, now):
    """Note somebody, unless it is broken."""
    if bot.store("zzz").get("broken"):
        raise RuntimeError("no welcome")
    DONE.append("welcome")
'''


def done(bot):
    """Return what the plugin has done."""
    return bot.bot.pages["/done"](bot.bot, True, None)


def said(person, words):
    """Return how many messages to a person have these words."""
    return len([one for one in person.messages if words in one.get("text", "")])


def logged(caplog, words):
    """Return how often the log has these words, with the traceback."""
    return len([row for row in caplog.records if words in row.getMessage() and row.exc_info])


@pytest.mark.parametrize("every", [5, 3600])
def test_work_that_raises_is_logged_told_once_and_done_when_it_can_be(start_bot, monkeypatch, tmp_path, caplog, every):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=PLUGIN.format(every=every)))
    boss, store = bot.admin(), bot.bot.store("zzz")
    bot.forward(3600, step=60)  # the others go on, and this is not the first time
    store.put("broken", True)
    bot.forward(4000 if every == 3600 else 60, step=20)
    assert said(boss, "“counting” keeps failing") == 1
    boss.send("/error " + boss.last.rpartition("/error ")[2])
    assert "RuntimeError: no counting" in boss.last
    errors = bot.failed("counting")
    assert 3 <= len(errors) < 12 and {str(error) for error in errors} == {"no counting"}, "with growing pauses"
    assert logged(caplog, "counting failed, time 3 in a row") == 1
    before = len(done(bot))
    store.drop("broken")
    bot.forward(max(LONGEST_PAUSE_S, every) + 10, step=60)
    assert len(done(bot)) > before and bot.failed("counting") == []


def test_a_listener_that_raises_is_logged_told_once_and_run_when_it_can_be(start_bot, monkeypatch, tmp_path, caplog):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=PLUGIN.format(every=3600)))
    boss, store = bot.admin(), bot.bot.store("zzz")
    assert done(bot).count("welcome") == 1
    store.put("broken", True)
    bot.user("Alice").send("/start")
    bot.forward(300)
    assert said(boss, "What has to happen after “user.created” keeps failing") == 1
    assert logged(caplog, "welcome failed on event") >= 3 and done(bot).count("welcome") == 1
    store.drop("broken")
    bot.forward(3600, step=60)
    assert done(bot).count("welcome") == 2
    assert {str(error) for error in bot.failed("listener")} == {"no welcome"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_running_bot_does_the_same(servers, ready_url, monkeypatch, tmp_path):
    live = Live(*servers, ready_url, plugins=plugins_with(monkeypatch, tmp_path, zzz=PLUGIN.format(every=0.01)))
    boss = servers[0].person("Boss", id=5000000900, language_code="en")
    try:
        boss.send("/start")
        boss.wait_for("Hi, Boss")
        live.bot.store("zzz").put("broken", True)
        boss.wait_for("“counting” keeps failing", 30)
        live.bot.store("zzz").drop("broken")
        done_before = len(live.bot.pages["/done"](live.bot, True, None))
        servers[0].wait(lambda: len(live.bot.pages["/done"](live.bot, True, None)) > done_before, 40)
    finally:
        live.stop()


def test_the_pause_grows_to_the_pace_and_no_number_of_failures_ends_a_loop(start_bot):
    def fail(now):
        raise RuntimeError("always")

    clock = start_bot().clock
    often, daily = Loop("often", fail, 1, clock), Loop("daily", fail, 86_400, clock)
    pauses = []
    for _ in range(1100):  # 2**1024 is no float any more
        often.attempt(), daily.attempt()
        pauses.append((often.pause_s, daily.pause_s))
    assert pauses[:3] == [(1, 1), (2, 2), (4, 4)] and pauses[-1] == (LONGEST_PAUSE_S, 86_400)


def test_a_test_that_does_not_expect_it_fails_at_its_end(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=PLUGIN.format(every=5)))
    bot.bot.store("zzz").put("broken", True)
    bot.forward(5)
    ((name, error),) = bot.failures
    assert (name, str(error)) == ("counting", "no counting")
    bot.failed("counting")


CARELESS = '''"""Handlers, a listener and a message that fail."""


def register(bot):
    """Declare them."""
    bot.command("raises", lambda ctx: ctx.nothing)
    bot.command("silent", lambda ctx: None)
    bot.command("listens", lambda ctx: ctx.reply("common.menu"))
    bot.command("queues", queue)
    bot.on("user.created", lambda bot, event, now: event.job)


def queue(ctx):
    """Queue a message without what it says."""
    ctx.notify(ctx.user.id, "common.sorry" if ctx.args else "common.alert_post", unique="z", **{})
    ctx.reply("common.menu")
'''
FAILS = {  # what is written → what fails, and how
    "/raises": ("update", "'Ctx' object has no attribute 'nothing'"),
    "/silent": ("update", "ended in silence"),
    "/listens": ("listener", "'UserCreated' object has no attribute 'job'"),
    "/queues": ("message", "common.alert_post fills in 'chat'"),
}


@pytest.mark.parametrize("words", FAILS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_plugin_does_wrong_fails_a_test_that_does_not_expect_it(
    servers, ready_url, monkeypatch, tmp_path, database_url, words
):
    folder, ends = plugins_with(monkeypatch, tmp_path, zzz=CARELESS), conftest.started(servers, ready_url, tmp_path)
    bot = next(ends)(plugins=folder)
    bot.user("Alice").send(words)
    what, said = FAILS[words]
    if what != "listener":
        assert bot.failed("listener")
    asks = re.escape(f'bot.failed("{what}")')
    with pytest.raises(AssertionError, match=f"failed: {what}: .*{re.escape(said)}.*{asks}"):
        next(ends)


def test_a_test_that_asks_for_them_does_not_fail(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=CARELESS))
    alice = bot.user("Alice")
    alice.send("/raises")
    alice.send("/silent")
    assert [type(error).__name__ for error in bot.failed("update")] == ["AttributeError", "AssertionError"]
    assert bot.failed("update") == [] and len(bot.failed("listener")) == 1


def test_what_is_misspelt_in_a_test_is_said(start_bot):
    bot = start_bot()
    with pytest.raises(ValueError, match="no kind of failure or periodic work 'updates'; the nearest is update"):
        bot.failed("updates")
    with pytest.raises(AssertionError, match="there is no method 'sendMesage'.*sendMessage"):
        bot.telegram.fail_next("sendMesage", "429")
    bot.stop()
    with pytest.raises(ValueError, match="there is no setting 'MARKPU'; the nearest is MARKUP"):
        start_bot(MARKPU="2")

"""A plugin's periodic work and listeners that raise: logged, reported to the staff once, retried; tests see it too."""

import pytest

from core.process.loops import LONGEST_PAUSE_S, Loop
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
    bot.forward(3600)  # the others go on, and this is not the first time
    store.put("broken", True)
    bot.forward(4000 if every == 3600 else 60)
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
    assert said(boss, "Work that follows “user.created” keeps failing") == 1
    assert logged(caplog, "welcome failed on event") >= 3 and done(bot).count("welcome") == 1
    store.drop("broken")
    bot.forward(3600, step=60)
    assert done(bot).count("welcome") == 2


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

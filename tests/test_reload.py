"""`bot.py --demo --reload`: what saving a file changes in the running bot. The browser's part: `test_page_bot.py`."""

import logging

from core.process.loader import load_one
from demo.reload import Reloader
from storage.journal import event_kinds
from tests.house import plugins_with
from tests.kit import ROOT
from tests.shop import order, user_of

HEARS = """\"\"\"Hears.\"\"\"

HEARD = []


def register(bot):
    \"\"\"Listen.\"\"\"
    bot.page("/heard", lambda bot, leads, visit: HEARD)
    for kind in ["user.created"]:
        bot.on(kind, lambda bot, event, now: HEARD.append(event))
"""
SAYS = """\"\"\"Says what its folder shares.\"\"\"

from {package}.talk._shared import WORD


def register(bot):
    \"\"\"Serve it.\"\"\"
    bot.page("/word", lambda bot, leads, visit: WORD)
"""


def page(bot, path):
    """Return what a plugin's page answers."""
    return bot.bot.pages[path](bot.bot, True, None)


def running(start_bot, folder):
    """Return (a bot, its reloader)."""
    reloader = Reloader(load_one, None, lambda loaded, problems: None, threads=False)
    bot = start_bot(plugins=folder, load_one=reloader.load_one)
    reloader.watch(bot.runtime, folder, ROOT / "data" / "texts")
    return bot, reloader


def save(path, old, new):
    """Change a file as an editor does."""
    path.write_text(path.read_text().replace(old, new))


def test_a_plugin_that_is_loaded_again_hears_what_it_newly_listens_to(start_bot, monkeypatch, tmp_path):
    folder = plugins_with(monkeypatch, tmp_path, zzz=HEARS)
    bot, reloader = running(start_bot, folder)
    save(folder / "zzz.py", '["user.created"]', '["user.created", "job.created"]')
    reloader.step()
    assert reloader.problems == {}
    alice = bot.rich()
    job = order(bot, alice)
    assert event_kinds.JobCreated(job=job.id, user=user_of(bot, alice).id) in page(bot, "/heard")


def test_what_a_folder_shares_is_read_anew_with_its_plugins(start_bot, monkeypatch, tmp_path):
    folder = plugins_with(monkeypatch, tmp_path)
    talk = folder / "talk"
    talk.mkdir()
    (talk / "__init__.py").touch()
    (talk / "_shared.py").write_text('WORD = "old"\n')
    (talk / "says.py").write_text(SAYS.format(package=folder.name))
    bot, reloader = running(start_bot, folder)
    assert page(bot, "/word") == "old"
    save(talk / "_shared.py", "old", "new word")
    reloader.step()
    assert reloader.problems == {} and page(bot, "/word") == "new word"


def test_an_error_of_a_running_handler_is_shown_until_a_plugin_is_saved(start_bot, monkeypatch, tmp_path):
    folder = plugins_with(monkeypatch, tmp_path, zzz=HEARS)
    told = []
    reloader = Reloader(load_one, None, lambda loaded, problems: told.append(dict(problems)), threads=False)
    bot = start_bot(plugins=folder, load_one=reloader.load_one)
    reloader.watch(bot.runtime, folder, ROOT / "data" / "texts")
    reloader.failed("ABC234", "ValueError: no such thing")
    assert told == [{"error": "ValueError: no such thing (/error ABC234)"}]
    save(folder / "zzz.py", "Hears.", "Hears it.")
    reloader.step()
    assert told[-1] == {}


SETS = '''"""Has a setting."""


def register(bot):
    """Declare."""
    bot.setting("ZZZ_MOST", int, default=7)
    bot.command("zzz", lambda ctx: ctx.reply("common.menu"))
'''


def test_a_plugin_with_a_setting_is_loaded_again_and_what_only_follows_is_not_said(
    start_bot, monkeypatch, tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    folder = plugins_with(monkeypatch, tmp_path, zzz=SETS)
    bot, reloader = running(start_bot, folder)
    save(folder / "zzz.py", '"zzz"', '"yyy"')
    reloader.step()
    assert reloader.problems == {} and "yyy" in bot.bot.handlers["command"]
    assert "loaded again: zzz" in caplog.text and "loaded again: commands" not in caplog.text

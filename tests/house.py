"""A copy of the plugins folder with something added or left out, and a bot on real threads and the real clock."""

import itertools
import shutil

import bot as main
from core.process.loader import find
from core.process.loops import Clock
from storage.base import db
from tests.kit import BOSS, ROOT, TOKEN

_numbers = itertools.count()


def plugins_with(monkeypatch, tmp_path, **files):
    """Return a copy of the plugins folder in which each NAME=source is one more plugin, and NAME=None one less."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / f"plugins_{next(_numbers)}"
    shutil.copytree(ROOT / "plugins", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, source in files.items():
        if source is None:
            find(folder)[name].unlink()
        else:
            (folder / f"{name}.py").write_text(source)
    return folder


class Live:
    """A bot whose threads run by themselves; end it with `stop`."""

    def __init__(self, telegram, kie, url, *, threads=8, **more):
        self.telegram, self.kie = telegram, kie
        telegram.call("POST", "/clock", json={"real": True})
        environ = {
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": telegram.url, "KIE_STUB": "1", "KIE_API_KEY": "stub-key",
            "KIE_API_URL": kie.url, "KIE_UPLOAD_URL": kie.url, "ADMIN_IDS": str(BOSS), "DATABASE_URL": url, "USD_RATE": "90",
            "WELCOME_RUNS": "0",
        }  # fmt: skip
        plugins = more.pop("plugins", ROOT / "plugins")
        self.runtime = main.build(environ | more, Clock(), threads=threads, plugins=plugins)
        self.bot = self.runtime.bot
        main.open_storage(self.bot.settings, self.bot.tables, self.bot.texts)
        self.runtime.introduce()
        self.runtime.recover()
        self.runtime.start()

    def stop(self):
        """End it as a platform does."""
        self.runtime.stop()
        db.disconnect()

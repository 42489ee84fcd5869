"""The idle bot's weight; `python bench/start.py` has the figures, beside bare pyTelegramBotAPI and three peers."""

import json
import subprocess
import sys

from bench import start
from tests.kit import ROOT, TOKEN
from tests.process import environment

HEAVY = {
    "aiohttp", "demo", "flask", "hypothesis", "jinja2", "matplotlib", "numpy", "pi_heif", "pymediainfo", "playwright",
    "prometheus_client", "pytest", "waitress", "werkzeug",
}  # fmt: skip
BUILD = """
import json, os, sys
import bot
from core.process.loops import Clock
bot.build(dict(os.environ), Clock())
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_what_only_some_need_is_imported_on_use():
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env=environment(TELEGRAM_BOT_TOKEN=TOKEN, KIE_API_KEY="some-key", USD_RATE="90"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(json.loads(done.stdout))


def test_the_idle_bot_is_light_and_fetches_by_itself():
    """The time has no limit here: it is the machine's as much as the bot's."""
    found = start.measure(1, skip_peers=True, idle_s=1)
    seconds, mb = found["the bot, SQLite"]
    _bare_s, bare_mb = found["import telebot alone"]
    assert 0 < seconds < start.PATIENCE_S
    assert bare_mb < mb < bare_mb + 60

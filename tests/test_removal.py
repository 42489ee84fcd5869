"""The bot without any one plugin, or folder of plugins, and its texts: nothing else breaks."""

import itertools
import re
import shutil

import pytest

from core.process.loader import find
from tests import proof
from tests.crawler import Screen
from tests.house import plugins_with
from tests.kit import ROOT
from tests.shop import order

PLUGINS = find(ROOT / "plugins")
FOLDERS = sorted({name.split("/")[0] + "/" for name in PLUGINS if "/" in name})
SORRY = ("Something went wrong", "Что-то пошло не так")  # how common.sorry begins
ENDS = ("orders:go", "privacy:erase", "pause:", "orders:cancel")  # after which there is less to press
WHOLE = proof.part([*PLUGINS, *FOLDERS], seed=13)  # of which every old screen and every command is tried, too
REMOVED = list(dict.fromkeys([*WHOLE, *FOLDERS]))
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def house_without(removed, monkeypatch, tmp_path):
    """Return the folders of plugins and of texts without a plugin, or a folder of them."""
    names = [name for name in PLUGINS if name == removed or name.startswith(removed) and removed.endswith("/")]
    plugins = plugins_with(monkeypatch, tmp_path, **dict.fromkeys(names))
    texts = tmp_path / f"{plugins.name}_texts"
    shutil.copytree(ROOT / "data" / "texts", texts)
    for name in names:
        for file in texts.glob(f"*/{name}.po"):
            file.unlink()
    return {"plugins": plugins, "texts": texts}


def live(bot, boss, anna):
    """Leave behind what the whole house draws and queues: results, cards, notices, top-ups, screens of the staff."""
    order(bot, anna)
    bot.forward(60)
    for words in ("/balance", "/topup", "/history", "/invite", "/settings", "/privacy", "a fox in the snow"):
        anna.send(words)
    anna.forge("generate:open:z-image")
    for words in ("/admin", "/users Anna", "/catalog", "/stats", "/alerts", "/topups"):
        boss.send(words)
    paid, left = bot.bot.users.by_telegram_id(anna.id), bot.telegram.pump
    bot.telegram.pump = lambda: None
    anna.send("/promo 12345")  # stays in Telegram's queue
    bot.telegram.pump = left
    bot.bot.notify(paid.id, "payments.way_closed", unique="left", now=bot.clock.now())


def press_everything(bot, person):
    """Press the buttons under every message of the chat, and write every command."""
    cells = [cell for message in person.received for row in Screen.of(message).rows for cell in row if cell.data]
    for cell in {cell.data: cell for cell in cells if not cell.data.startswith(ENDS)}.values():
        yield cell.data, person.forge(cell.data, cell.message_id)
    for name, entry in bot.bot.handlers["command"].items():
        if bot.bot.may(bot.bot.users.by_telegram_id(person.id), entry.right) and name not in ("deleteme", "pause"):
            yield f"/{name}", person.send(f"/{name}")


def press_the_menu(person):
    """Press what the first screen draws; each button leads somewhere."""
    person.send("/start")
    for label in Screen.of(person.last_message).labels:
        person.forge(label.data)
        yield label.text, None
        assert "out of date" not in (person.toast or ""), f"{label.text} leads to what is not there"


@SQLITE
@pytest.mark.proof
@pytest.mark.parametrize("removed", REMOVED)
def test_the_bot_works_without_a_plugin_and_its_texts(start_bot, monkeypatch, tmp_path, caplog, removed):
    bot = start_bot(USER_JOBS="100", USER_STARTS="100", FLOOD_MESSAGES="100000")
    boss, anna = bot.admin(), bot.rich("Anna")
    live(bot, boss, anna)
    bot.stop()
    caplog.clear()
    bot._parts |= house_without(removed, monkeypatch, tmp_path)
    bot.start()
    bot.pump()
    for person in (anna, boss):
        presses = [press_the_menu(person)] + ([press_everything(bot, person)] if removed in WHOLE else [])
        for what, _answer in itertools.chain(*presses):
            said = f"{person.last}{person.toast}"
            assert not any(word in said for word in SORRY), f"{what}: {said}"
    anna.send("a fox in the snow")
    anna.forge("generate:open:z-image")
    assert anna.last
    wrong = [record for record in caplog.records if record.levelname == "ERROR" and not is_told(record)]
    assert not wrong, [record.getMessage() for record in wrong]


def is_told(record):
    """Tell whether an error is what is to be expected: nobody takes it any more, or a notice has lost its words."""
    words = record.getMessage()
    return "silence" in words or "cannot be sent as it is" in words


def test_no_walk_in_the_browser_is_left_out_by_an_old_name():
    """They are skipped when a plugin on their way has been taken out; a name that is only wrong would skip them, too."""
    named = set()
    for name in ("test_browser", "test_page_bot"):
        text = (ROOT / "tests" / f"{name}.py").read_text()
        for group in re.findall(r"@needs\(([^)]*)\)|NEEDED = \(([^)]*)\)", text):
            named |= set(re.findall(r'"([\w/]+)"', "".join(group)))
    assert len(named) > 10 and named <= set(PLUGINS)

"""Files written by the bot and the demo are private to their owner: files 0600, folders 0700, whatever the umask."""

import os
import stat

import pytest

from demo import kit as demo_kit
from demo import server as demo_server
from storage.base import db
from tests.process import Process
from tests.test_process import start, telegram  # noqa: F401, fixtures

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _generous():
    """Have new files readable by everybody, as most systems do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder):
    """Return what lies in a folder, itself too, and is not for its owner alone."""
    return [
        f"{path} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in (folder, *folder.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    ]


def test_a_running_bot_leaves_nothing_open(start, telegram, tmp_path):  # noqa: F811
    home = tmp_path / "made" / "by the bot"
    process = start(DATA_DIR=str(home), BACKUP_KEEP="2")
    alice = telegram.person("Alice", language_code="en")
    alice.send("/start")
    alice.wait_for("Hi, Alice!")
    telegram.wait(lambda: list(home.glob("backups/*.gz")), 20, "a backup")
    names = {path.name for path in home.rglob("*")}
    assert {"bot.lock", "bot.db", "bot.db-wal", "bot.db-shm", "backups"} <= names
    assert open_to_others(tmp_path / "made") == []
    process.terminate()
    assert open_to_others(tmp_path / "made") == []


def test_the_command_line_leaves_nothing_open(start, telegram, tmp_path):  # noqa: F811
    home = tmp_path / "home"
    process = start(DATA_DIR=str(home))
    process.wait_for("is ready")
    process.terminate()
    command = Process(*_servers(telegram), tmp_path, "backup", str(tmp_path / "out" / "one.gz"), DATA_DIR=str(home))
    assert command.wait(20) == 0, command.log
    assert open_to_others(home) == [] and open_to_others(tmp_path / "out") == []


def _servers(telegram):  # noqa: F811
    class Nowhere:
        url = "http://127.0.0.1:1"

    return telegram, Nowhere


@SQLITE
def test_a_bot_in_this_process_keeps_its_own_files_private(start_bot, database_url, tmp_path):
    (tmp_path / "bot.db").unlink()  # the tests' copy
    bot = start_bot(DATA_DIR=str(tmp_path / "data"))
    bot.admin().send("/backup")
    assert open_to_others(tmp_path / "data") == []
    assert [line for line in open_to_others(tmp_path) if "bot.db" in line] == []


def test_a_folder_in_the_way_to_the_database_is_private_too(tmp_path):
    db.connect(f"sqlite:///{tmp_path}/a/b/bot.db")
    db.disconnect()
    assert open_to_others(tmp_path / "a") == []


def test_the_demo_keeps_its_chat_to_itself(tmp_path):
    home = tmp_path / "demo"
    server = demo_server.start(state_path=home / "chat.json", people=("Anna",))
    anna = demo_kit.Telegram(server.url).person("Anna")
    anna.document(b"words")
    server.stop()
    assert {"chat.json", "chat.json.files"} <= {path.name for path in home.iterdir()}
    assert open_to_others(home) == []

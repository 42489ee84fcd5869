"""Backups: sent to an owner in the chat, written every night, and restorable."""

import stat

import pytest
import requests

from storage.backup import dump
from storage.base import db
from storage.money import verify
from tests.house import plugins_with
from tests.kit import ROOT, TOKEN
from tests.process import run
from tests.shop import order

pytest.importorskip("plugins.admin.backup")
DAY_S = 24 * 3600


@pytest.fixture
def begin(start_bot, tmp_path):
    """Return a function that starts a bot whose data folder is the test's own, with a person who has ordered."""

    def start(**more):
        bot = start_bot(DATA_DIR=str(tmp_path / "data"), **more)
        order(bot, bot.rich())
        bot.forward(60)
        return bot

    return start


def kept(tmp_path):
    """Return the names of the files in the folder of backups."""
    return sorted(path.name for path in (tmp_path / "data" / "backups").glob("*"))


def fetch(bot, file_id):
    """Return a file the bot has sent, as Telegram has it."""
    answer = requests.get(f"{bot.telegram.url}/bot{TOKEN}/getFile", params={"file_id": file_id}, timeout=10).json()
    path = answer["result"]["file_path"]
    return requests.get(f"{bot.telegram.url}/file/bot{TOKEN}/{path}", timeout=10).content


def test_an_owner_is_sent_everything_in_one_file_that_restores(begin, tmp_path):
    bot = begin()
    boss = bot.admin()
    boss.send("/backup")
    (sent,) = [message["document"] for message in boss.received if "document" in message]
    assert "bot-2026-11-22" in sent["file_name"] and sent["file_name"].endswith(".jsonl.gz")
    assert "keep it safe" in boss.last and kept(tmp_path) == [], "the copy on the disk is gone"
    (tmp_path / "sent.gz").write_bytes(fetch(bot, sent["file_id"]))
    bot.stop()
    header = dump.restore(tmp_path / "sent.gz", f"sqlite:///{tmp_path}/new/bot.db")
    assert header["tables"]["entry"] == 3 and list(verify.verify()) == []
    db.disconnect()


def test_one_too_big_for_telegram_stays_and_its_path_is_told(begin, monkeypatch, tmp_path):
    source = (ROOT / "plugins/admin/backup.py").read_text().replace("49 * 1024 * 1024", "1024")
    bot = begin(plugins=plugins_with(monkeypatch, tmp_path, **{"admin/backup": source}))
    boss = bot.admin()
    boss.send("/backup")
    (name,) = kept(tmp_path)
    assert str(tmp_path / "data" / "backups" / name) in boss.last
    assert not [message for message in boss.received if "document" in message]
    assert dump.read_header(tmp_path / "data" / "backups" / name)["tables"]["entry"] == 3


def test_nobody_but_an_owner_gets_one(begin, tmp_path):
    bot = begin()
    boris = bot.user("Boris")
    boris.send("/backup")
    assert "No such command" in boris.last and kept(tmp_path) == []


def test_one_is_written_every_night_and_the_oldest_go(begin, tmp_path):
    bot = begin(BACKUP_KEEP="2")
    bot.forward(4 * DAY_S, step=1800)
    assert [name[:14] for name in kept(tmp_path)] == ["bot-2026-11-25", "bot-2026-11-26"]
    for path in (tmp_path / "data" / "backups").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "for its owner's eyes"
        assert dump.read_header(path)["tables"]["entry"] == 3
    bot.restart()
    bot.pump()
    assert len(kept(tmp_path)) == 2, "a restart writes no second one on the same day"


def test_the_doctor_says_when_the_nightly_one_is_missing(begin, tmp_path):
    bot = begin(BACKUP_KEEP="2")
    assert "backup" not in {name for name, key, _values in bot.bot.examine() if key}
    bot.clock.forward(3 * DAY_S)
    assert ("backup", "backup.stale") in {(name, key) for name, key, _values in bot.bot.examine()}


def test_without_the_setting_none_is_written(begin, tmp_path):
    bot = begin()
    bot.forward(2 * DAY_S, step=3600)
    assert kept(tmp_path) == [] and "backup" not in bot.bot.checks


@pytest.mark.parametrize("kind", ["403", "500", "drop"])
def test_a_backup_that_cannot_be_sent_leaves_no_file(begin, tmp_path, kind):
    bot = begin()
    boss = bot.admin()
    bot.telegram.fail_next("sendDocument", kind, times=9)
    boss.send("/backup")
    assert kept(tmp_path) == []
    bot.telegram.no_trouble()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_that_cannot_be_written_leaves_no_file(begin, tmp_path):
    bot = begin()
    boss = bot.admin()
    with db.connection() as database:  # a row that cannot be read, after others that were written
        database.execute_sql("UPDATE \"user\" SET first_name = CAST(x'ff' AS TEXT) WHERE telegram_id <> ?", (boss.id,))
    boss.send("/backup")
    assert not [message for message in boss.received if "document" in message]
    assert "no UTF-8" in str(bot.failed("update"))
    assert kept(tmp_path) == []
    code, said = run("backup", str(tmp_path / "own.gz"), DATABASE_URL=bot.url, DATA_DIR=str(tmp_path / "data"))
    assert (code, said.count("\n")) == (1, 1) and "the table user holds a text that is no UTF-8" in said
    assert not list(tmp_path.glob("own*"))

"""Doctor: every problem an installation can have, each with its fix, in the chat and on the command line."""

import logging
import re
import shutil
import time
from pathlib import Path

import pytest

from core.process import leader_lock
from core.process.loops import Clock
from storage.base import db, schema
from tests.kit import TOKEN, main
from tests.process import run
from tests.till import pay_stars


def findings(bot):
    """Return {check: text key} of what the checks find."""
    return {name: key for name, key, _values in bot.bot.examine() if key}


@pytest.fixture
def healthy(start_bot):
    """A bot whose clock is right and whose admin has opened it."""
    bot = start_bot(now=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
    bot.admin()
    return bot


def ignoring_the_disk(found):
    """Leave out what depends on the machine the tests run on."""
    return {name: key for name, key in found.items() if "disk" not in name}


def test_a_healthy_bot_has_nothing(healthy):
    assert ignoring_the_disk(findings(healthy)) == {}


def test_every_check_of_the_list_is_there(healthy):
    assert set(healthy.bot.checks) >= {
        "migrations", "database", "disk", "temporary disk", "token", "webhook", "second program", "clock", "kie", "rate",
        "models", "prices", "texts", "stars", "admins",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda bot: bot.telegram.fail_next("getMe", "401", times=5), "doctor.token"),
        (lambda bot: bot.telegram.fail_next("getMe", "drop", times=9), "doctor.telegram_away"),
        (lambda bot: bot.bot.sender.call("setWebhook", url="http://127.0.0.1:9/x"), "doctor.webhook_left"),
        (lambda bot: bot.clock.forward(-90), "doctor.clock"),
        (lambda bot: bot.kie.settings(credits=20), "doctor.kie_credits"),
        (lambda bot: bot.bot.runtime_settings.put("USD_RATE", "", now=bot.clock.now()), None),
    ],
)
def test_a_trouble_is_found(healthy, spoil, key):
    spoil(healthy)
    assert set(ignoring_the_disk(findings(healthy)).values()) == ({key} if key else set())


def test_without_a_rate_and_without_admins_the_doctor_says_so(start_bot):
    bot = start_bot(USD_RATE="", ADMIN_IDS="", now=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
    assert {"doctor.rate", "doctor.no_admins"} <= set(findings(bot).values())


def test_an_admin_who_never_opened_the_bot_is_named(start_bot):
    bot = start_bot()
    name, _key, values = next(found for found in bot.bot.examine() if found[1] == "doctor.admins")
    assert name == "admins" and values["ids"]


def test_another_program_on_the_token_is_remembered_and_told(healthy):
    bot = healthy
    bot.telegram.fail_next("getUpdates", "409")
    bot.pump()
    bot.forward(600, step=60)
    assert "second program" in findings(bot)
    boss = bot.telegram.person("Boss", id=int(bot.environ["ADMIN_IDS"]))
    assert any("another program" in (message.get("text") or "") for message in boss.received)
    bot.forward(3700, step=600)
    assert "second program" not in findings(bot)


def test_a_check_that_breaks_is_a_finding_and_not_the_end_of_the_others(healthy):
    healthy.bot.check("mine", lambda _bot: 1 / 0)
    found = findings(healthy)
    assert found["mine"] == "common.check_failed" and len(list(healthy.bot.examine())) == len(healthy.bot.checks)


def test_the_admin_sees_it_in_the_chat(healthy):
    bot = healthy
    bot.kie.settings(credits=20)
    boss = bot.telegram.person("Boss", id=int(bot.environ["ADMIN_IDS"]))
    boss.send("/doctor")
    assert "20 credits" in boss.last and "Top up at kie.ai" in boss.last
    alice = bot.user()
    alice.send("/doctor")
    assert "No such command" in alice.last


def test_the_command_prints_a_line_for_each_check_and_fails_when_something_is_wrong(healthy, tmp_path, capsys):
    bot = healthy
    settings = bot.environ | {"DATA_DIR": str(tmp_path / "data")}
    bot.kie.settings(credits=20)
    assert main.command("doctor", None, settings) == 1
    out, err = capsys.readouterr()
    assert "PROBLEM kie: KIE has only 20 credits. Top up at kie.ai" in out
    assert "ok      token" in out
    assert "checks found something" in err


def test_before_the_first_start_it_says_what_only_the_start_can_do_and_no_traceback(servers, database_url, tmp_path):
    telegram, kie = servers
    settings = {
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": telegram.url, "KIE_STUB": "1", "KIE_API_URL": kie.url,
        "KIE_UPLOAD_URL": kie.url, "DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": database_url, "USD_RATE": "90",
        "ADMIN_IDS": "900", "BACKUP_KEEP": "14", "BOT_MODE": "webhook", "PORT": "8080", "PUBLIC_URL": "https://example.org",
    }  # fmt: skip
    code, said = run("doctor", folder=tmp_path, **settings)
    assert "Traceback" not in said and "PROBLEM migrations" not in said, said
    for name in ("migrations", "backup", "webhook", "seals"):
        assert f"later   {name}: the next start of the bot sees to it" in said, said
    found = {line.split()[-1] for line in re.findall(r"PROBLEM [\w ]+", said)}
    assert "ok      token" in said and found <= {"disk"}, said  # of this machine: full, or temporary


def test_it_waits_for_the_bot_to_begin_its_work(start_bot, tmp_path, capsys):
    bot = start_bot(now=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
    settings = bot.environ | {"DATA_DIR": str(tmp_path / "data")}
    assert main.command("doctor", 1, settings) == 1
    assert "PROBLEM running: no copy of the bot was at work within 1 s" in capsys.readouterr().out
    leader = leader_lock.make(settings["DATABASE_URL"], settings["DATA_DIR"])
    assert leader.acquire()
    main.command("doctor", 60, settings, Hasty())
    assert "PROBLEM running" not in capsys.readouterr().out
    leader.release()


class Hasty(Clock):
    """A clock whose waits take no time."""

    def sleep(self, seconds):
        """Return at once."""


# what depends on the machine


def test_sqlite_on_a_disk_that_goes_with_its_container_is_a_loud_warning(start_bot, monkeypatch, caplog):
    """Seen in other bots: balances were gone after each deploy. RENDER is what that platform sets; its disks are mounts."""
    monkeypatch.setenv("RENDER", "true")
    bot = start_bot()
    if db.is_postgres():
        assert "temporary disk" not in findings(bot)
        return
    assert findings(bot)["temporary disk"] == "doctor.temporary_disk" or _is_on_a_mount(bot)
    bot.left_out.remove("disk")
    with caplog.at_level(logging.WARNING):
        bot.forward(6 * 3600, step=3600)
    assert ("disappears with its container" in caplog.text) is not _is_on_a_mount(bot)


def _is_on_a_mount(bot):
    """Tell whether the test's folder lies on a mounted disk of its own that lasts: memory is none."""
    folder = Path(bot.url.removeprefix("sqlite:///")).parent
    return not str(folder).startswith("/dev/shm") and any(map(Path.is_mount, [folder, *list(folder.parents)[:-1]]))


def test_a_full_disk_is_told(start_bot, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    bot = start_bot(DATA_DIR=str(tmp_path / "data"))
    assert ("disk" in findings(bot)) is (usage.free < 500 * 1024**2)


def test_a_database_of_an_older_version_is_told_and_left_alone(healthy):
    with db.transaction() as real:
        real.execute_sql("DELETE FROM schema_migration")
    assert ignoring_the_disk(findings(healthy)) == {"migrations": "doctor.migrations"}
    assert healthy.bot.schema.pending() == sorted(schema.known()), "it only looks"


@pytest.mark.parametrize(
    ("telegram_says", "key"),
    [({}, "doctor.webhook_gone"), ({"url": "https://elsewhere.example/x"}, "doctor.webhook_gone")],
)
def test_a_webhook_that_leads_elsewhere_is_found(start_bot, telegram_says, key):
    bot = start_bot(
        BOT_MODE="webhook", PUBLIC_URL="http://127.0.0.1:9", PORT="8080",
        now=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    )  # fmt: skip
    if telegram_says:
        bot.bot.sender.call("setWebhook", **telegram_says)
    assert findings(bot)["webhook"] == key


def test_a_payment_telegram_does_not_list_is_found(healthy):
    alice = healthy.user()
    charge = pay_stars(alice)
    with db.transaction() as real:
        mark = "FALSE" if db.is_postgres() else "0"
        real.execute_sql(f"UPDATE charge SET listed = {mark}, created_at = created_at - 9000000000")
    assert charge and findings(healthy)["stars"] == "doctor.stars"

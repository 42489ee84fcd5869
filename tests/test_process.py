"""The whole program as a process, on the real clock: it answers, reports its health, stops in time, has one leader."""

import contextlib
import re
import shutil
import sqlite3

import pytest
import requests

from bench.process import free_port
from tests.kit import TOKEN
from tests.process import PATIENCE_S, Process

SECRET = TOKEN.split(":")[1]


@pytest.fixture
def start(servers, tmp_path):
    """Return a function that starts `python bot.py` in the test's folder; whatever still runs at the end is killed."""
    running = []

    def begin(*arguments, **settings):
        running.append(Process(*servers, tmp_path, *arguments, **settings))
        return running[-1]

    yield begin
    for process in running:
        process.kill()


@pytest.fixture
def telegram(servers):
    """The local Bot API server, on the real clock."""
    servers[0].call("POST", "/clock", json={"real": True})
    return servers[0]


def health(port):
    """Return (status code, report), or (0, {}) while nobody listens."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
    except requests.ConnectionError:
        return 0, {}
    return answer.status_code, answer.json()


def test_it_answers_says_how_it_is_and_ends_in_time(start, telegram):
    port = free_port()
    process = start(PORT=str(port))
    alice = telegram.person("Alice", language_code="en")
    alice.send("/start")
    alice.wait_for("Hi, Alice!", PATIENCE_S)
    code, report = health(port)
    assert code == 200 and report["status"] == "ok" and report["leader"] is True
    alice.tap("Balance")
    telegram.wait(lambda: "0 ₽" in alice.last, about="the balance")
    code, seconds = process.terminate()
    assert code == 0 and seconds < 10, process.log
    assert "Traceback" not in process.log and " ERROR " not in process.log
    assert health(port)[0] == 0


def test_after_a_polite_end_everything_is_in_the_one_file(start, telegram, tmp_path):
    process = start()
    process.wait_for("is ready")
    alice = telegram.person("Alice", language_code="en")
    alice.send("/start")
    alice.wait_for("Hi, Alice!", PATIENCE_S)
    process.terminate()
    shutil.copy(tmp_path / "bot.db", tmp_path / "copy.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute('SELECT first_name FROM "user"').fetchall() == [("Alice",)]


def test_15_a_second_copy_stands_by_and_takes_over(start, telegram):
    ports = free_port(), free_port()
    first = start(PORT=str(ports[0]))
    first.wait_for("is ready")
    second = start(PORT=str(ports[1]))
    telegram.wait(lambda: health(ports[1])[1].get("status") == "standby", PATIENCE_S, "the second copy's stand-by")
    assert health(ports[1])[0] == 200 and health(ports[1])[1]["leader"] is False
    alice = telegram.person("Alice", language_code="en")
    alice.send("/start")
    alice.wait_for("Hi, Alice!", PATIENCE_S)
    telegram.wait(lambda: health(ports[0])[1]["inbox_age_s"] is None, PATIENCE_S, "the end of the first update")
    first.kill()
    alice.send("/balance")
    alice.wait_for("0 ₽", PATIENCE_S)
    second.wait_for("is ready")
    assert health(ports[1])[1]["leader"] is True
    refused = [call for call in telegram.calls("getUpdates") if not call["ok"]]
    assert len(refused) <= 1, "but for the poll that died with the first copy, they never fetched at the same time"
    assert len([message for message in alice.received if "Hi, Alice!" in message.get("text", "")]) == 1


def test_15_a_copy_that_stands_by_ends_when_it_is_told(start):
    first = start()
    first.wait_for("is ready")
    second = start()
    second.wait_for("standing by")
    code, seconds = second.terminate()
    assert code == 0 and seconds < 10
    assert first.is_running


def test_it_waits_for_a_telegram_that_cannot_be_reached(start, telegram):
    """Alone it says what it lacks, with 503; beside a copy that works it stands by, and with it that is healthy."""
    port, away = free_port(), f"http://127.0.0.1:{free_port()}"
    process = start(TELEGRAM_API_URL=away, PORT=str(port))
    telegram.wait(lambda: "cannot be reached" in health(port)[1].get("reason", ""), PATIENCE_S, "the reason")
    code, report = health(port)
    assert (code, report["status"]) == (503, "degraded")
    assert report["storage"]["kind"] == "sqlite" and report["kie_mode"] == "stub"
    other = start()
    other.wait_for("is ready")
    telegram.wait(lambda: health(port)[1].get("status") == "standby", PATIENCE_S, "the stand-by")
    assert health(port)[0] == 200
    other.kill()
    telegram.wait(lambda: health(port)[1].get("status") == "degraded", PATIENCE_S, "the end of the other")
    code, seconds = process.terminate()
    assert code == 0 and seconds < 10


def test_a_token_that_telegram_refuses_ends_the_start_with_one_line(start, telegram):
    telegram.fail_next("*", "401", times=1000)
    process = start()
    process.wait_for("TELEGRAM_BOT_TOKEN")
    telegram.wait(lambda: not process.is_running, PATIENCE_S, "the end of the start")
    telegram.no_trouble()
    assert "Traceback" not in process.log


def test_16_neither_token_nor_key_stands_in_the_log_whatever_goes_wrong(start, servers, telegram):
    kie = servers[1]
    kie.call = kie.trouble
    process = start(LOG_LEVEL="DEBUG", ADMIN_IDS="5000000900")
    alice = telegram.person("Alice", language_code="en")
    for kind in ("drop_before", "drop", "502", "garbage", "500", "409", "401"):
        telegram.fail_next("getUpdates", kind)
    alice.send("/start")
    alice.wait_for("Hi, Alice!", 60)
    for method, kind in (
        ("sendMessage", "502"),
        ("sendMessage", "drop"),
        ("answerCallbackQuery", "drop"),
        ("editMessageText", "garbage"),
    ):
        telegram.fail_next(method, kind)
        alice.send("/balance")
        alice.forge("start:menu")
    kie.trouble("credit", "401")
    alice.send("a fox in the snow")
    alice.wait_for("a fox in the snow", PATIENCE_S)
    process.terminate()
    assert "DEBUG" in process.log and "getUpdates" in process.log
    for secret in (SECRET, TOKEN, "stub-secret-key", SECRET.replace("-", "%2D")):
        assert secret not in process.log, [line for line in process.log.splitlines() if secret in line]


def test_a_line_of_json_for_collectors(start):
    process = start(LOG_FORMAT="json")
    process.wait_for("is ready")
    process.terminate()
    lines = [line for line in process.log.splitlines() if line.startswith("{")]
    assert lines and all(re.search(r'"level": "\w+"', line) for line in lines)


def test_a_slip_in_the_environment_is_warned_about_at_start(start):
    process = start(USD_RATES="91", MARKUPS="3")
    process.wait_for("is ready")
    assert "USD_RATES is not a setting of this bot; did you mean USD_RATE?" in process.log
    assert "did you mean MARKUP?" in process.log
    process.terminate()

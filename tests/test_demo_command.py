"""`python -m demo`: the command line, how it stops, and how much load it takes."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bench.process import free_port
from demo.kit import Telegram
from demo.server import start
from tests.process import environment

ROOT = Path(__file__).parent.parent
TOKEN = "1:TEST"


@pytest.fixture
def demo(tmp_path):
    command = [sys.executable, "-m", "demo", "--port", "0", "--state", str(tmp_path / "demo.json"), "--admin", "7"]
    command += ["--token", TOKEN]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def url_of(process):
    """Return the address that the command prints first."""
    return re.match(r"Chat page: (http://127\.0\.0\.1:\d+)/", process.stdout.readline())[1]


def test_the_command_serves_and_keeps_its_state_when_it_is_ended(demo, tmp_path):
    people = Telegram(url_of(demo)).state["people"]
    assert [(one["first_name"], one["role"]) for one in people] == [("Admin", "admin"), ("Anna", "user")]
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(10) == 0
    assert (tmp_path / "demo.json").exists()


def test_the_bots_demo_keeps_what_was_said_right_before_its_end(tmp_path):
    port = free_port()
    environ = environment(DATA_DIR=str(tmp_path), DEMO_PORT=str(port))
    process = subprocess.Popen(
        [sys.executable, "bot.py", "--demo"], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )
    while f":{port}" not in (line := process.stdout.readline()):
        assert line, "it has ended"
    telegram = Telegram(f"http://127.0.0.1:{port}")
    zoe = telegram.person("Zoe", language_code="en")
    zoe.send("/start")
    zoe.wait_for("Hi, Zoe!", 60)
    said = zoe.last
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stdout.close()
    assert said.partition("\n")[0] in (tmp_path / "demo" / "chat.json").read_text(encoding="utf-8").replace("\\n", "\n")


def test_a_bot_that_cannot_start_does_not_say_where_its_page_is(tmp_path):
    (tmp_path / "zzz.py").write_text("from core.buttons import buton\n")
    environ = environment(DATA_DIR=str(tmp_path), DEMO_PORT=str(free_port()), PLUGINS_DIR=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "bot.py", "--demo"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "the nearest is button" in done.stderr and "Open" not in done.stdout
    asked = [sys.executable, "bot.py", "--help"]
    done = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert "DEMO_PORT (8081)" in " ".join(done.stdout.split())


def test_a_taken_port_is_told_in_one_line():
    server = start()
    command = [sys.executable, "-m", "demo", "--port", server.url.rpartition(":")[2]]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    server.stop()
    assert outcome.returncode == 2
    assert "address already in use" in outcome.stderr
    assert "Traceback" not in outcome.stderr


async def send_many(url, chat_id, number, connections):
    """Send `number` messages over kept-alive connections."""
    body = {"chat_id": chat_id, "text": "<b>Balance</b>: 12 ₽ &amp; more", "parse_mode": "HTML"}
    body["reply_markup"] = {"inline_keyboard": [[{"text": "Top up", "callback_data": "balance:topup"}]]}

    async def send(session):
        for _ in range(number // connections):
            async with session.post(f"{url}/bot{TOKEN}/sendMessage", json=body) as answer:
                assert answer.status == 200
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(send(session) for _ in range(connections)))


def cpu_s(process):
    """Return the seconds of computing a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_it_is_fast_enough_to_be_no_bottleneck(demo, record_property):
    url = url_of(demo)
    alice = Telegram(url).person("Alice")
    before = cpu_s(demo)
    asyncio.run(send_many(url, alice.id, 4_000, 8))
    ms = (cpu_s(demo) - before) * 1000 / 4_000
    record_property("cpu_ms_per_message", round(ms, 2))
    assert ms < 1, f"{ms:.2f} ms of computing a message"  # a clock on the wall would measure what else runs here
    assert len(alice.messages) == 4_000

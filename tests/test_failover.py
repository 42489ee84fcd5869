"""Two real processes on one database: the leader is killed, replaced, loses its server; and two bots with one token.

A short form of `bench/failover.py`; the long ones are in `bench/prove.py`.
"""

import logging

import pytest
import requests

from bench import crash
from bench.failover import LIMIT_S, Copy, deploy, fail_over, kill, restart
from bench.load import Servers
from tests import proof

LOAD = {"users": 6, "gap_s": (0.3, 1.5), "pause_s": 1.0}


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Leave out what the servers' library says of clients that died."""
    caplog.set_level(logging.CRITICAL, "aiohttp.server")


@pytest.fixture
def servers():
    """The local Telegram and the KIE stub, on the real clock."""
    found = Servers(seconds=(0.2, 0.5))
    yield found
    found.stop()


@pytest.fixture
def start(servers, tmp_path):
    """Return a function that starts a copy of the bot on a database; all end with the test."""
    started = []

    def begin(url, name):
        (tmp_path / name).mkdir(exist_ok=True)
        started.append(Copy(servers, url, tmp_path / name, name))
        started[-1].start()
        return started[-1]

    yield begin
    for copy in started:
        copy.kill()


def proven(*args, **options):
    """Run with the table kept; return (seconds, differences, the table)."""
    lines = []
    longest, differences = fail_over(*args, write=lines.append, **LOAD, **options)
    return longest, differences, "\n".join(lines)


@pytest.mark.proof
def test_15_a_killed_leader_is_replaced_within_five_seconds_and_nothing_is_lost(database_url, tmp_path):
    longest, differences, table = proven(database_url, tmp_path, kill, turns=proof.share(20))
    assert differences == 0, table
    assert longest <= LIMIT_S, table


@pytest.mark.proof
def test_a_deploy_over_a_running_copy_loses_nothing_answers_nothing_twice_and_is_no_conflict(database_url, tmp_path):
    longest, differences, table = proven(database_url, tmp_path, deploy, turns=proof.share(20))
    assert differences == 0, table
    assert "(0 twice)" in table
    assert longest <= LIMIT_S, table
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "another program" not in logs


def test_a_restart_of_the_server_under_load_loses_nothing(tmp_path):
    with crash.databases("postgresql") as (make,):
        _longest, differences, table = proven(make("bot"), tmp_path, restart(make.server), turns=2)
    assert differences == 0, table


def test_two_bots_with_one_token_and_different_databases_say_so_and_back_off(servers, start, tmp_path):
    first = start(f"sqlite:///{tmp_path}/a/bot.db", "a")
    first.wait_for("ok")
    second = start(f"sqlite:///{tmp_path}/b/bot.db", "b")
    second.wait_for("ok")

    def complaints():
        return [
            log
            for copy in (first, second)
            for log in copy.log_path.read_text().splitlines()
            if "another program" in log
        ]

    alice = servers.telegram.person("Alice")
    servers.telegram.wait(lambda: len(complaints()) >= 4, 30, about="four conflicts")
    assert "give it a token of its own" in complaints()[0]
    waits = [int(line.rpartition("Trying again in ")[2].split()[0]) for line in complaints()]
    assert max(waits) >= 2, waits
    alice.send("/id")
    servers.telegram.wait(lambda: alice.received, 30, about="an answer")
    assert [copy.health()["status"] for copy in (first, second)] == ["ok", "ok"]


def test_the_port_is_open_before_the_copy_leads(servers, start, database_url):
    leader = start(database_url, "one")
    leader.wait_for("ok")
    standby = start(database_url, "one")
    standby.wait_for("standby")
    assert requests.get(f"http://127.0.0.1:{standby.port}/health", timeout=5).status_code == 200

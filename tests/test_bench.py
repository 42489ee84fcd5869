"""The benchmarks run, shortened and without time limits, so that they do not rot."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import endurance, jobs, orders, prove, updates
from tests import proof
from tests.kit import ROOT

DATABASES = ("sqlite", "postgresql")
PEERS = [(name, kind) for name in ("telebot", "aiogram", "ptb") for kind in DATABASES]
NEWCOMERS = [("ours", "postgresql", "/start"), ("aiogram", "sqlite", "/start"), ("aiogram", "postgresql", "/balance")]


@pytest.mark.proof
@pytest.mark.parametrize(("name", "kind"), [("ours", kind) for kind in DATABASES] + proof.part(PEERS, seed=1))
def test_every_contestant_answers_everybody(name, kind):
    pytest.importorskip({"ptb": "telegram"}.get(name, "telebot" if name == "ours" else name))
    found = updates.contest([name], kind, updates=40, people=20, rounds=1)
    rate, cpu, rss = found[name]
    assert rate > 0 and cpu > 0 and rss > 0
    assert name in "\n".join(updates.table(found, "a short contest"))


@pytest.mark.proof
@pytest.mark.parametrize(("name", "kind", "says"), proof.part(NEWCOMERS, seed=1))
def test_newcomers_are_answered_too(name, kind, says):
    pytest.importorskip("telebot" if name == "ours" else name)
    rate, _cpu, _rss = updates.contest([name], kind, updates=20, people=10, rounds=1, newcomers=says)[name]
    assert rate > 0


def test_an_order_costs_some_time():
    assert orders.contest([ROOT], "sqlite", orders=2, rounds=1)[ROOT] > 0


def test_running_jobs_are_noticed_by_polling_and_by_callbacks_and_the_queue_moves():
    said = "\n".join(jobs.measure("sqlite", jobs=5, usual_s=5, queue_s=1, idle_s=1))
    for part in ("5 running jobs", "the bot ", "a thread each", "5 jobs with callbacks", "the queue: "):
        assert part in said


def test_the_long_run_says_what_stays_behind():
    said = "\n".join(endurance.live(updates=20, results=2, gigabytes=0.01, rest_s=1))
    for part in ("after 20 updates", "after 20 more, 2 results", "1 × 45 MB", "grew by"):
        assert part in said


@pytest.mark.parametrize("command", [line for line in prove.PROOFS.values() if not line.startswith("-m")])
def test_a_long_proof_is_there_and_has_a_short_form_among_the_tests(command):
    script, *options = command.split()
    source = (ROOT / script).read_text()
    assert [option for option in options if option.startswith("--") and f'"{option}"' not in source] == []
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    assert re.search(rf"^from bench(\.{Path(script).stem} import|.* import .*\b{Path(script).stem}\b)", tests, re.M)


def test_what_reads_everything_is_measured(database_url):
    kind = database_url.partition(":")[0]
    command = [sys.executable, "bench/whole.py", "--times", "0.002", "--database", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for what in ("verify ", "verify --new, nothing", "verify --new, six", "backup", "restore"):
        assert re.search(rf"^{what}.* \d+\.\d\d s .* MB ", done.stdout, re.M), done.stdout

"""The real process, killed at random and at chosen moments; a short form of `bench/crash.py`."""

import logging

import pytest

from bench import crash, deliberate
from tests import proof


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Leave out what the servers' library says of clients that died."""
    caplog.set_level(logging.CRITICAL, "aiohttp.server")


def proven(run, *args, **options):
    """Run with the table kept; return (differences, the table)."""
    lines = []
    return run(*args, write=lines.append, **options), "\n".join(lines)


@pytest.mark.proof
def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(database_url, tmp_path):
    kills = proof.share(40)
    load = {"kills": kills, "users": 5, "gap_s": (0.0, 1.2), "pause_s": 1.0}
    differences, table = proven(crash.kill_at_random, database_url, tmp_path, **load)
    assert differences == 0, table
    assert f"{kills} kills" in table


def test_a_kill_between_two_writes_loses_nothing_and_repeats_nothing(database_url, tmp_path):
    scenarios = (deliberate.order, deliberate.transfer, deliberate.refund)
    differences, table = proven(
        deliberate.kill_everywhere, database_url, tmp_path, scenarios=scenarios, numbers=(5, 18, 26)
    )
    assert differences == 0, table
    assert "order 3, transfer 3, refund 3" in table


@pytest.mark.parametrize(("plant", "scenario"), [("unique", deliberate.correction), ("where", deliberate.refusal)])
def test_without_a_guard_the_same_run_finds_differences(tmp_path, plant, scenario):
    url = f"sqlite:///{tmp_path}/bot.db"
    found = proven(deliberate.kill_everywhere, url, tmp_path, plant=plant, scenarios=(scenario,), numbers=(8,))
    assert found[0] > 0, found[1]

"""The README on a fresh machine. Installing needs the package index, so the full run is opt-in."""

import os

import pytest

from tests import fresh
from tests.kit import ROOT


def test_the_readme_says_how_to_install_and_start():
    installing, starting = fresh.commands()
    assert installing[0].startswith("git clone") and starting == [".venv/bin/python bot.py"]
    assert any("requirements.txt" in line for line in installing)
    names = [line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if line[:1].isupper()]
    assert names == ["TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "ADMIN_IDS", "USD_RATE"], "the first four lines"


@pytest.mark.skipif(not os.environ.get("FRESH_MACHINE"), reason="installs from the package index: FRESH_MACHINE=1")
def test_a_fresh_machine_answers_start_with_both_databases(postgres, tmp_path):
    said = []
    fresh.try_out(tmp_path, postgres(), said.append)
    assert said[0] == "installed" and len(said) == 3

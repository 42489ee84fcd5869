"""Malicious files sent to the real process; a short form of `bench/fuzz_files.py`."""

import pytest

from bench import fuzz_files
from tests import proof


@pytest.mark.proof
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_file_kills_the_bot_keeps_an_order_open_or_takes_its_memory(database_url, tmp_path):
    lines = []
    beyond = fuzz_files.fuzz(database_url, tmp_path, files=proof.share(300), is_timed=False, write=lines.append)
    assert beyond == 0, "\n".join(lines)

"""A fifth of all calls broken, in every way; a short form of `bench/network.py`."""

import logging

from bench import network


def test_a_network_that_spoils_a_fifth_of_the_calls_moves_no_kopeck(database_url, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "aiohttp.server")
    lines = []
    load = {"seconds": 10, "users": 6, "hang_s": 1.5, "speed": 20, "pause_s": 1.0}
    differences = network.spoil(database_url, tmp_path, **load, write=lines.append)
    assert differences == 0, "\n".join(lines)

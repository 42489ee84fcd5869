"""The measurements run, in a short form and without limits on time, so that they cannot rot."""

import pytest

from bench import updates


@pytest.mark.parametrize("name", ["ours", "telebot", "aiogram", "ptb"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_contestant_answers_everybody(name, kind):
    pytest.importorskip({"ptb": "telegram"}.get(name, "telebot" if name == "ours" else name))
    found = updates.contest([name], kind, updates=40, people=20, rounds=1)
    rate, cpu, rss = found[name]
    assert rate > 0 and cpu > 0 and rss > 0
    assert name in "\n".join(updates.table(found, "a short contest"))

import pytest

from tests import test_hostile as h

h.ACTS = 150
S = range(100, 108)


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.mark.parametrize("s", S)
def test_a(town, caplog, s):
    h.test_a_stranger_harms_nobody_and_gets_no_money(town, caplog, s)


@pytest.mark.parametrize("s", S)
def test_b(town, caplog, s):
    h.test_a_user_harms_nobody_and_only_spends(town, caplog, s)


@pytest.mark.parametrize("s", S)
def test_c(town, caplog, s):
    h.test_a_banned_user_changes_nothing_at_all(town, caplog, s)

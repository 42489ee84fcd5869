"""The ledger's currency: recorded before the first entry, and no other one is accepted afterwards."""

import pytest

from core.settings import SettingsError
from storage.base import db
from storage.base.tables import Stored
from storage.journal import runtime_settings
from tests.kit import TOKEN
from tests.process import run
from tests.shop import assert_books_are_right


def restarted(bot, currency):
    """Start a bot again with another CURRENCY."""
    bot.environ["CURRENCY"] = currency
    bot.restart()


def test_another_currency_refuses_to_start_once_there_is_an_entry(start_bot):
    bot = start_bot(CURRENCY="EUR")
    alice = bot.rich(amount="5")
    with pytest.raises(SettingsError) as refused:
        restarted(bot, "RUB")
    assert refused.value.problems == [
        "CURRENCY: found 'RUB'; want 'EUR': every amount in this database is in it, and stays in it"
    ]
    restarted(bot, "EUR")
    alice.send("/balance")
    assert "Balance: 5 €" in alice.last
    assert_books_are_right()


def test_before_the_first_entry_it_may_still_change(start_bot):
    bot = start_bot(CURRENCY="EUR")
    bot.user().send("/start")
    restarted(bot, "USD")
    bot.rich("Boris", amount="5")
    with pytest.raises(SettingsError, match="want 'USD'"):
        restarted(bot, "EUR")
    restarted(bot, "USD")


def test_a_database_from_before_it_was_written_down_takes_the_one_it_is_started_with(start_bot):
    bot = start_bot()
    bot.rich(amount="5")
    with db.transaction():
        Stored.delete().where(Stored.name == runtime_settings.CURRENCY).execute()
    bot.restart()
    with pytest.raises(SettingsError, match="want 'RUB'"):
        restarted(bot, "USD")
    restarted(bot, "RUB")


def test_the_program_says_so_in_a_sentence_and_ends(start_bot, servers, tmp_path, database_url):
    bot = start_bot()
    bot.rich(amount="5")
    bot.stop()
    telegram, kie = servers
    settings = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": telegram.url,
        "KIE_STUB": "1",
        "KIE_API_URL": kie.url,
        "KIE_UPLOAD_URL": f"{kie.url}/upload",
    }
    code, said = run(
        folder=tmp_path, DATABASE_URL=database_url, DATA_DIR=str(tmp_path / "d"), CURRENCY="USD", **settings
    )
    assert code == 2 and "Traceback" not in said
    assert "CURRENCY: found 'USD'; want 'RUB'" in said

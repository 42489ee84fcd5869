"""Save a database of this version: `python -m tests.kept` writes tests/data/schema-NNNN.db, NNNN its newest migration.

Every release with a new migration adds one; `tests/test_upgrades.py` upgrades each of them to the current version. It
contains every state money can be in: finished, failed and open orders, transfers approved, undone and waiting, Stars
paid and refunded, a redeemed code.
"""

import sqlite3
import tempfile
from pathlib import Path

from demo import kit as demo_kit
from demo import server as demo_server
from kie.stub import server as stub
from kie.stub.control import Control
from storage.base import schema
from tests import till
from tests.kit import BOSS, ROOT, TOKEN, Running
from tests.shop import assert_books_are_right, order, user_of

FOLDER = ROOT / "tests" / "data"


def live(bot):
    """Have people do what moves money."""
    boss, alice, boris, vera = bot.admin(), bot.rich("Alice"), bot.user("Boris"), bot.user("Vera")
    bot.kie.settings(hold=True)
    for end in (bot.kie.finish, bot.kie.fail, None):
        order(bot, alice)
        bot.forward(10)
        if end:
            end()
            bot.forward(120)
    boris.send("/start")
    till.pay_stars(boris)
    charge = till.pay_stars(boris)
    now, staff = bot.clock.now(), bot.bot.users.by_telegram_id(boss.id)
    bot.bot.refunds.ask_refund(charge, staff.id, "asked for it", now)
    vera.send("/start")
    till.transfer(vera)
    boss.tap("✓ Approve")
    bot.bot.refunds.undo(bot.bot.payments.of_user(user_of(bot, vera).id)[0].id, staff.id, "a wrong picture", now)
    till.transfer(vera, "500 ₽")
    bot.bot.promo.create("WELCOME", "amount", 5000, total_limit=10, author=staff.id, now=now)
    bot.bot.promo.redeem("WELCOME", user_of(bot, vera).id, now)
    bot.forward(30)


def keep():
    """Write the file; return its path."""
    path = FOLDER / f"schema-{max(schema.known())[:4]}.db"
    telegram, kie = demo_server.start(token=TOKEN, admin_ids=(BOSS,)), stub.start(facts=FOLDER / "kie-models.json")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bot.db"
        bot = Running(demo_kit.Telegram(telegram.url), Control(kie.api_url), url)
        live(bot)
        assert_books_are_right()
        bot.stop()
        _copy(Path(folder) / "bot.db", path)
    telegram.stop()
    kie.stop()
    return path


def _copy(source, path):
    """Write a database as one small file without a journal beside it."""
    path.unlink(missing_ok=True)
    here = sqlite3.connect(source)
    here.execute("PRAGMA journal_mode = delete")
    here.execute("PRAGMA page_size = 512")  # mostly empty tables: a page of 4 KiB each would be 400 KiB
    here.execute("VACUUM INTO ?", (str(path),))
    here.close()


if __name__ == "__main__":
    keep()

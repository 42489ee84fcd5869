"""Plugin sales: charged once, shown in the plugin's own words, refunded once, proven by `verify`."""

import json

import bot as main
from storage.money import sales
from tests.house import plugins_with
from tests.shop import user_of

SHOP = '''"""/lesson: sells a lesson."""

from core.errors import NotEnoughMoney, UserError


def register(bot):
    """Declare the commands."""
    bot.command("lesson", sell)
    bot.command("unlesson", give_back)


def sell(ctx):
    """Sell it, once a person."""
    try:
        ctx.ledger.charge(5_000, key=f"lesson:{ctx.user.id}", what="common.payments")
    except NotEnoughMoney as error:
        raise UserError("job.not_enough", lacking=error.lacking) from None
    ctx.reply("common.menu")


def give_back(ctx):
    """Give the money back."""
    ctx.reply("common.menu" if ctx.ledger.give_back(f"lesson:{ctx.user.id}") else "common.gone")
'''


def test_a_plugin_sells_and_gives_back(start_bot, monkeypatch, tmp_path, capsys):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=SHOP))
    alice, bob = bot.rich("Alice"), bot.user("Bob")
    bob.send("/lesson")
    assert bot.balance(bob) == 0 and "50 ₽" in bob.last
    for _ in range(2):
        alice.send("/lesson")
        assert bot.balance(alice) == 95_000
    alice.send("/balance")
    assert "−50 ₽" in alice.last and "My payments" in alice.last
    bot.admin().send("/stats")
    for _ in range(2):
        alice.send("/unlesson")
        assert bot.balance(alice) == 100_000
    alice.send("/balance")
    assert "+50 ₽" in alice.last and "refunded" in alice.last
    kept = bot.bot.mydata.collect(user_of(bot, alice).id, [])
    assert "returned" in json.dumps(kept["bought_otherwise"])
    bot.stop()
    assert main.command("verify", None, bot.environ) == 0, capsys.readouterr()
    bot.start()


def test_without_the_plugin_and_its_words_the_entries_still_say_what_they_are(start_bot, monkeypatch, tmp_path):
    bot = start_bot()
    alice = bot.rich("Alice")
    user, now = user_of(bot, alice).id, bot.clock.now()
    sales.charge(user, 700, plugin="gone", what="gone.thing", key="1", now=now)
    alice.send("/balance")
    assert "−7 ₽" in alice.last and "purchase" in alice.last

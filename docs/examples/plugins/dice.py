"""/dice: a game with a stake and a table of its own. Whoever guesses the number gets five times the stake.

Setting: DICE_STAKE, in minor units; 0, the default, turns it off.
Texts: dice.* in data/texts/<lang>/dice.po.
"""

import secrets

from core.buttons import button
from core.errors import NotEnoughMoney, UserError
from core.tables import BigIntegerField, ForeignKeyField, IdField, Table, User, transaction

TIMES = 5


class Throw(Table):
    """One throw: the guess and the result, so that both can be shown to whoever doubts it."""

    id = IdField()
    user = ForeignKeyField(User)
    update = BigIntegerField(unique=True)  # the tap's: a repeated update throws once
    guess = BigIntegerField()
    fell = BigIntegerField()

    class Meta:
        table_name = "plugin_dice"


def register(bot):
    """Declare the table and the game."""
    if bot.setting("DICE_STAKE", int, default=0, minimum=0):
        bot.table(Throw, erase="delete")
        bot.command("dice", ask, about="dice.about", repeat=True)
        bot.button("dice:throw", throw, guess=int, repeat=True)


def ask(ctx):
    """Ask for a guess."""
    cells = [button("label", "dice:throw", guess, label=str(guess)) for guess in range(1, 7)]
    stake = ctx.settings["DICE_STAKE"]
    ctx.reply("dice.ask", [cells[:3], cells[3:], *ctx.bot.home()], stake=stake, win=stake * TIMES)


def throw(ctx, guess):
    """Charge the stake, throw and pay in one transaction: all of it happens, or nothing."""
    if not 1 <= guess <= 6:
        raise UserError("common.old_button")
    stake, key = ctx.settings["DICE_STAKE"], f"throw:{ctx.update_id}"
    try:
        with transaction():
            ctx.ledger.charge(stake, key=key, what="dice.stake")
            made, _new = Throw.get_or_create(
                update=ctx.update_id, defaults={"user": ctx.user.id, "guess": guess, "fell": secrets.randbelow(6) + 1}
            )
            won = made.fell == made.guess
            if won:
                ctx.ledger.post(ctx.user.id, stake * TIMES, kind="bonus", key=f"dice:{ctx.update_id}")
    except NotEnoughMoney as error:
        raise UserError("dice.poor", buttons=ctx.bot.home(), lacking=error.lacking) from None
    rows = [button("dice.again", "dice:throw", guess), *ctx.bot.home()]
    ctx.edit("dice.won" if won else "dice.lost", rows, fell=made.fell, amount=stake * TIMES if won else stake)

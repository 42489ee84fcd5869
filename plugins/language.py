"""/language: choose Russian or English; until then Telegram's own hint decides.

Texts: language.* in data/texts/<lang>/language.po.
"""

from core.buttons import button
from core.errors import UserError
from core.texts import LANGS


def register(bot):
    """Declare the command, the buttons and the menu entry."""
    bot.command("language", show, about="language.about", order=9)
    bot.button("language:show", show)
    bot.button("language:set", choose, lang=str)
    bot.menu("language.menu", "language:show", row=3)


def show(ctx):
    """Offer the languages."""
    mark = {True: "✓ ", False: ""}
    row = [button("language.name_" + lang, "language:set", lang, mark=mark[lang == ctx.lang]) for lang in LANGS]
    ctx.edit("language.choose", [row, *ctx.bot.home()])


def choose(ctx, lang):
    """Remember the choice and say so in that language."""
    if lang not in LANGS:
        raise UserError("common.old_button")
    ctx.user = ctx.users.change(ctx.user, lang=lang)
    ctx.edit("language.chosen", ctx.bot.home())

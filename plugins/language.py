"""/language: choose a language; until then, Telegram's own hint decides.

Texts: language.* in data/texts/<lang>/language.po.
"""

from core.buttons import button
from core.errors import UserError


def register(bot):
    """Declare the command, the buttons and the menu entry."""
    bot.repeatable()
    bot.command("language", show, about="language.about", order=9)
    bot.button("language:show", show)
    bot.button("language:set", choose, lang=str)
    bot.menu("language.menu", "language:show", row=3)


def show(ctx):
    """Offer the languages."""
    mark = {True: "✓ ", False: ""}
    texts = ctx.texts
    cells = [
        button("label", "language:set", lang, label=mark[lang == ctx.lang] + texts.name_of(lang))
        for lang in texts.languages
    ]
    ctx.edit("language.choose", [*(cells[i : i + 2] for i in range(0, len(cells), 2)), *ctx.bot.home()])


def choose(ctx, lang):
    """Remember the choice and say so in that language."""
    if lang not in ctx.texts.languages:
        raise UserError("common.old_button")
    ctx.user = ctx.users.change(ctx.user, lang=lang)
    ctx.edit("language.chosen", ctx.bot.home())

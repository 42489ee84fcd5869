"""/language: choose a language; until then, Telegram's own hint decides.

Texts: language.* in data/texts/<lang>/language.po.
"""

from core.buttons import MENU, button, split
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
    ctx.edit("language.choose", [*_choices(ctx), *ctx.bot.home()])


def _choices(ctx):
    """Return the rows of the languages, the one in use marked."""
    mark, texts = {True: "✓ ", False: ""}, ctx.texts
    cells = [
        button("label", "language:set", lang, label=mark[lang == ctx.lang] + texts.name_of(lang))
        for lang in texts.languages
    ]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def choose(ctx, lang):
    """Remember the choice, and show the tapped screen again in that language: this one, or the main menu."""
    if lang not in ctx.texts.languages:
        raise UserError("common.old_button")
    ctx.user = ctx.users.change(ctx.user, lang=lang)
    if _is_own(ctx.message):
        ctx.edit("language.chosen", [*_choices(ctx), *ctx.bot.home()])
    else:
        ctx.go(MENU)


def _is_own(message):
    """Tell whether a message is the screen of this plugin: it offers nothing but languages, and the way to the menu."""
    rows = (message or {}).get("reply_markup", {}).get("inline_keyboard", [])
    routes = {split(cell.get("callback_data", ""))[0] for row in rows for cell in row}
    return routes <= {"language:set", MENU}

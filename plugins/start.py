"""/start and the main menu: a language row on the first visit, what can be made, and every plugin's menu button.

An invitation or another link (`/start CODE`) goes to the plugin that registered its first letter.
Texts: start.* in data/texts/<lang>/start.po.
"""

from core.buttons import button, route

ADMIN = route("admin:show", optional=True)
CARD = route("generate:open", optional=True)
LANGUAGE = route("language:set", optional=True)
MODELS_OF_KIND = route("models:type", optional=True)


def register(bot):
    """Declare the command and the buttons that lead to the menu."""
    bot.repeatable()
    bot.command("start", start, about="start.about", order=1)
    bot.button("start:menu", menu)
    bot.button("start:fresh", fresh)


def start(ctx):
    """Greet, and follow the link the person came by."""
    handler = ctx.bot.deep_links.get(ctx.args[:1])
    if handler is None or not handler(ctx, ctx.args[1:]):
        show(ctx, ctx.reply)


def menu(ctx):
    """Turn the tapped screen into the main menu."""
    show(ctx, ctx.edit)


def fresh(ctx):
    """Send the main menu as a new message: the tapped one is a result, which stays."""
    show(ctx, ctx.reply)


def show(ctx, draw):
    """Draw the main menu with `draw`."""
    rows = [*_kinds(ctx), *_last(ctx), *ctx.bot.menu_rows()]
    if ctx.is_new:
        rows = [*_language_rows(ctx.texts), *rows]
    if ctx.may("staff"):
        rows.append([button("common.admin", ADMIN)])
    lines = [line for headline in ctx.bot.headlines if (line := headline(ctx))]
    draw("start.hello", rows, name=ctx.user.first_name, balance=ctx.ledger.balance(ctx.user.id), lines=ctx.lines(lines))


def _language_rows(texts):
    cells = [button("label", LANGUAGE, lang, label=texts.name_of(lang)) for lang in texts.languages]
    return [cells[i : i + 3] for i in range(0, len(cells), 3)]


def _kinds(ctx):
    """Return what can be made, two in a row."""
    cells = [button(f"menu.{menu}", MODELS_OF_KIND, menu, 0) for menu, _cards in ctx.generation.catalog.types()]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def _last(ctx):
    """Return the button of the model used last, once there is one."""
    model = ctx.generation.catalog.models.get(ctx.jobs.last_model(ctx.user.id))
    return [button("common.last_model", CARD, model.code, model=model.title)] if model else []

"""/models and /generate: from a kind of work to a product, and to its form; or by a word (`/models cat`).

Texts: models.* in data/texts/<lang>/models.po, menu.* in catalog.po.
"""

from core.buttons import button, pager, way_out
from core.errors import UserError
from kie.catalog import MENU
from kie.pricing import cheapest

PAGE = 5


def register(bot):
    """Declare the commands and the pages."""
    bot.command("generate", menu, about="models.about_generate", order=2)
    bot.command("models", models, about="models.about", order=3)
    bot.button("models:menu", menu)
    bot.button("models:type", show_type, menu=str, page=int)
    bot.button("models:search", ask_word)
    bot.step("models:word", search)


def menu(ctx):
    """Offer the kinds of work."""
    cells = [button(f"menu.{name}", "models:type", name, 0) for name, _cards in ctx.generation.catalog.types()]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    ctx.edit("models.choose", [*rows, [button("models.search", "models:search"), button("common.menu", "start:menu")]],
             n=len(ctx.generation.catalog.models))


def models(ctx):
    """Search by the word after the command, or offer the kinds."""
    if ctx.args:
        _found(ctx, ctx.args)
    else:
        menu(ctx)


def show_type(ctx, menu, page):
    """Show a page of products that do this kind of work, each with its lowest price."""
    if menu not in MENU:
        raise UserError("common.old_button")
    offers = _by_price(ctx, [(c, m) for c in ctx.generation.catalog.cards_of(menu) if (m := _first(c, menu))])
    last = max(0, (len(offers) - 1) // PAGE)
    page = min(max(page, 0), last)
    rows = [_offer(ctx, *offer) for offer in offers[page * PAGE : (page + 1) * PAGE]]
    rows += pager(page, last + 1, "models:type", menu)
    rows.append([button("models.search", "models:search")])
    rows.append(way_out("models:menu"))
    ctx.edit("models.type", rows, title=ctx.say(f"menu.{menu}.title"))


def _first(card, menu):
    return next((model for model in card.models if menu in model.menus), None)


def _by_price(ctx, offers):
    """Return offers with a price, popular first (this bot's own orders), then by price."""
    popular = ctx.generation.popularity(ctx.now)
    priced = [(card, model, ctx.generation.price_of_credits(cheapest(model))) for card, model in offers]
    return sorted(
        (offer for offer in priced if offer[2] is not None),
        key=lambda offer: (-sum(popular.get(m.id, 0) for m in offer[0].models), offer[2]),
    )


def _offer(ctx, card, model, price):
    return button("models.offer", "generate:open", model.code, title=card.title, price=price)


def ask_word(ctx):
    """Ask for a word to search by."""
    ctx.ask("models:word", "models.ask", [way_out("models:menu")])


def search(ctx):
    """Show what fits the word."""
    if not ctx.text:
        raise UserError("models.want_word")
    ctx.done("models")
    _found(ctx, ctx.text)


def _found(ctx, words):
    low = words.lower()[:64]
    cards = [
        card
        for card in ctx.generation.catalog.cards.values()
        if any(low in text.lower() for text in (card.title, card.about(ctx.lang), *card.aliases))
    ]
    offers = _by_price(ctx, [(card, card.models[0]) for card in cards])[:PAGE]
    rows = [_offer(ctx, *offer) for offer in offers]
    key = "models.found" if offers else "models.none"
    ctx.edit(key, [*rows, [button("models.all", "models:menu"), button("common.menu", "start:menu")]], words=words[:64])

"""/models and /generate: browse what is sold by kind of work, or search for it (`/models cat`), up to its form.

What the person ordered last comes first, then what is ordered most, then what is cheap: what most people want is two
taps away, its kind and itself. A word finds anything else.
Texts: models.* in data/texts/<lang>/models.po, menu.* in catalog.po.
"""

from core.buttons import MENU, button, pager, route, way_out
from core.errors import UserError
from core.services.input_labels import Labels
from kie.catalogue.model import MENU as KINDS
from kie.catalogue.pricing import cheapest

CARD = route("generate:open", optional=True)
PAGE = 6


def register(bot):
    """Declare the commands and the pages."""
    bot.repeatable()
    bot.command("generate", menu, about="models.about_generate", order=2)
    bot.command("models", models, about="models.about", order=3)
    bot.button("models:menu", menu)
    bot.button("models:type", show_type, menu=str, page=int)
    bot.button("models:open", open_card, code=str, menu=str, page=int)
    bot.button("models:search", ask_word)
    bot.button("models:found", show_found, page=int)
    bot.step("models:word", search)


def menu(ctx):
    """Offer the kinds of work."""
    cells = [button(f"menu.{name}", "models:type", name, 0) for name, _cards in ctx.generation.catalog.types()]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    ctx.edit(
        "models.choose",
        [*rows, [button("models.search", "models:search"), button("common.menu", MENU)]],
        n=len(ctx.generation.catalog.models),
    )


def models(ctx):
    """Search by the word after the command, or offer the kinds."""
    if ctx.args:
        _find(ctx, ctx.args)
    else:
        menu(ctx)


def show_type(ctx, menu, page):
    """Show a page of products that do this kind of work, each with its lowest price."""
    if menu not in KINDS:
        raise UserError("common.old_button")
    offers = _ranked(ctx, ctx.generation.catalog.cards_of(menu), menu)
    rows = _page(offers, page, menu, "models:type", menu)
    last = [button("models.search", "models:search"), *way_out("models:menu")]
    ctx.edit("models.type", [*rows, last], title=ctx.say(f"menu.{menu}.title"))


def _page(offers, page, menu, *data):
    """Return the rows of one page of offers, and the row for paging."""
    pages = max(1, -(-len(offers) // PAGE))
    page = min(max(page, 0), pages - 1)
    rows = [
        button("common.offer", "models:open", model.code, menu, page, title=card.title, price=price)
        for card, model, price in offers[page * PAGE :][:PAGE]
    ]
    return rows + pager(page, pages, *data)


def _ranked(ctx, cards, menu=None):
    """Return (card, model to open, lowest price): the person's own last ones, then popular ones, then by price."""
    recent = ctx.jobs.recent_models(ctx.user.id)
    popular = ctx.generation.popularity(ctx.now)
    offers = []
    for card in cards:
        mine = _sold([model for model in card.models if menu in (None, *model.menus)])
        model = min(mine, key=lambda m: recent.index(m.id) if m.id in recent else len(recent))
        price = ctx.generation.price_of_credits(_least(mine, model), model)
        if price is not None:
            place = recent.index(model.id) if model.id in recent else len(recent)
            offers.append(((place, -sum(popular.get(m.id, 0) for m in card.models), price), (card, model, price)))
    return [offer for _rank, offer in sorted(offers, key=lambda ranked: ranked[0])]


def _sold(models):
    """Leave out what KIE gives away (a product's small helpers), unless there is nothing else."""
    return [model for model in models if cheapest(model)] or models


def _least(models, opened):
    """Return the lowest cost of models alike: lyrics, or a conversion to WAV, say nothing about a song's price."""
    alike = [m for m in models if m.output == opened.output and set(m.menus) & set(opened.menus)]
    return min(cheapest(model) for model in alike)


def open_card(ctx, code, menu, page):
    """Open a model's card; its back button leads to this page."""
    back = f"models:found:{page}" if menu == "found" else f"models:type:{menu}:{page}"
    ctx.go(CARD, code=code, back=back)


def ask_word(ctx):
    """Ask for a word to search by."""
    ctx.ask("models:word", "models.ask", [way_out("models:menu")])


def search(ctx):
    """Show what matches the word."""
    if not ctx.text:
        raise UserError("models.want_word", buttons=[way_out("models:menu")])
    _find(ctx, ctx.text)


def _find(ctx, words):
    """Keep the words, show what matches them, and keep listening if nothing does."""
    ctx.drafts.put(ctx.user.id, "models", ctx.now, step=None, data={"words": words[:64]})
    if not show_found(ctx, 0):
        ctx.drafts.put(ctx.user.id, "models", ctx.now, step="models:word")


def show_found(ctx, page):
    """Show a page of what matches the last search; return whether anything does."""
    draft = ctx.drafts.get(ctx.user.id, "models", ctx.now)
    words = (draft.data.get("words") if draft else None) or ""
    low = words.lower().split()
    cards = [card for card in ctx.generation.catalog.cards.values() if low and _fits(ctx, card, low)]
    offers = sorted(_ranked(ctx, cards), key=lambda offer: _far(offer[0], words.lower()))
    rows = _page(offers, page, "found", "models:found")
    last = [button("models.search", "models:search"), *way_out("models:menu")]
    ctx.edit("models.found" if rows else "models.none", [*rows, last], words=words)
    return bool(rows)


def _far(card, words):
    """Return how far a card's name is from the words: 0 for an exact match, 1 for a partial one, else 2."""
    names = [name.lower() for name in (card.title, *card.aliases)]
    return 0 if words in names else 1 if any(words in name for name in names) else 2


def _fits(ctx, card, words):
    """Return whether every word is in what the card is called or does, in any language."""
    languages = [Labels(ctx.texts, lang) for lang in ctx.texts.languages]
    modes = {labels.word(mode) for labels in languages for mode in {model.mode_title for model in card.models}}
    abouts = (labels.about(card) for labels in languages)
    said = [card.title, *card.aliases, *abouts, *modes, *(model.title for model in card.models)]
    text = "\n".join(said).lower()
    return all(word in text for word in words)

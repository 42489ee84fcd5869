"""The rest of a card: its rarely changed settings, and the other ways to use the same product.

Those keep whatever they can use of what is on the card.
Texts: modes.* in data/texts/<lang>/generate/modes.po.
"""

from core.buttons import button, pager, way_out
from core.services import forms
from kie.catalogue.pricing import cheapest
from plugins.generate._card_view import FITS, Card

PAGE = 6


def register(bot):
    """Declare the buttons."""
    bot.repeatable()
    bot.button("modes:more", more_settings)
    bot.button("modes:reset", reset)
    bot.button("modes:show", show, page=int)
    bot.button("modes:pick", pick, code=str)


def more_settings(ctx):
    """Show the inputs that are not on the card itself."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    card = Card(ctx, model, ctx.draft.data["values"])
    rows = card.input_rows(card.front()[1])
    if any(card.values.get(name) != value for name, value in _plain(model, card.values).items()):
        rows.append(button("modes.reset", "modes:reset"))
    card.draw([*rows, way_out("generate:card")])


def _plain(model, values):
    """Return the default values of the settings among `values`."""
    settings = [spec for spec in model.inputs if spec.kind in ("choice", "switch", "number") and spec.shown != "hidden"]
    return {spec.name: spec.default for spec in settings if spec.name in values}


def reset(ctx):
    """Reset every setting; texts and files stay."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    before = draft.data["values"]
    plain = {name: value for name, value in (before | _plain(model, before)).items() if value is not None}
    ctx.generation.fill(ctx.user.id, model, forms.with_words_moved(model, before, plain), ctx.now)
    ctx.go("generate:card")


def show(ctx, page):
    """Show a page of the other ways to use the same product."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    catalog = ctx.generation.catalog
    siblings = catalog.cards[model.card].models
    pages = -(-len(siblings) // PAGE)
    shown = siblings[page % pages * PAGE :][:PAGE]
    card = Card(ctx, model, ctx.draft.data["values"])
    rows = [button("label", "modes:pick", m.code, label=_label(ctx, m, m is model)) for m in shown]
    rows += pager(page % pages, pages, "modes:show")
    card.draw([*rows, way_out("generate:card")])


def _label(ctx, model, is_open):
    """Return what a way is called, with its lowest price where a phone shows both in full."""
    name = ("✓ " if is_open else "") + Card(ctx, model, {}).mode_name(ctx.generation.catalog)
    price = ctx.generation.price_of_credits(cheapest(model), model)
    if price is None:
        return name
    whole = ctx.texts.plain(ctx.lang, "common.offer" if price else "common.offer_free", title=name, price=price)
    return whole if len(whole) <= FITS[1] else name


def pick(ctx, code):
    """Go on with another way to use the product."""
    ctx.go("generate:open", code=code, goes_on=True)

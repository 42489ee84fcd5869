"""/models and /generate: browse what is sold by kind of work, or search for it (`/models cat`), up to its form.

What we recommend comes first (data/offers.json), then what the person ordered last, then what is ordered most, then what
is cheap. Long lists have filters. A search finds names and works in the words of any language
(`core/services/search.py`); if nothing fits, it shows what comes nearest.
Texts: models.* in data/texts/<lang>/models.po, menu.* in catalog.po, search.* in search.po.
"""

from core.buttons import MENU, button, pager, route, way_out
from core.errors import UserError
from core.services import search as words_for
from core.texts import Ref
from kie.catalogue.model import MENU as KINDS
from kie.catalogue.pricing import cheapest

CARD = route("generate:open", optional=True)
CHAT = route("ask:open", optional=True)
PAGE, FILTERS_A_ROW = 6, 2
WIDE = 36  # characters of a label that a phone shows in full on a row of its own
FILTERS = {  # the menu → its shorter lists: name → works
    "video": {
        "text": ("text-to-video",),
        "photo": ("image-to-video", "reference-to-video"),
        "talking": ("lip-sync",),
        "edit": ("video-edit", "video-to-video", "motion-transfer"),
    },
    "edit": {"change": ("image-edit", "image-to-image"), "enlarge": ("image-upscale", "background-removal")},
}
LISTS = {f"{menu}-{name}": (menu, works) for menu, filters in FILTERS.items() for name, works in filters.items()}


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
    bot.button("models:prices", prices)
    bot.step("models:word", search)


def menu(ctx):
    """Offer the kinds of work."""
    ctx.edit(
        "models.choose",
        [*_kinds(ctx), [button("models.search", "models:search"), button("common.menu", MENU)]],
        n=len(ctx.generation.catalog.models),
    )


def _kinds(ctx):
    """Return the rows of the kinds of work."""
    cells = [button(f"menu.{name}", "models:type", name, 0) for name, _cards in ctx.generation.catalog.types()]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def models(ctx):
    """Search by the word after the command, or offer the kinds."""
    if ctx.args:
        _find(ctx, ctx.args)
    else:
        menu(ctx)


def show_type(ctx, menu, page):
    """Show a page of products that do this kind of work, or of one of its filters, each with its lowest price."""
    kind, works = LISTS.get(menu, (menu, None))
    if kind not in KINDS:
        raise UserError("common.old_button")
    mine = [(card, _of(card, kind, works)) for card in ctx.generation.catalog.cards_of(kind)]
    works = works or _usual(ctx, kind)
    offers = _ranked(ctx, [(card, models, ()) for card, models in mine if models], works)
    filters = _filters(menu, kind)
    rows = _page(ctx, offers, page, PAGE - len(filters), menu, "models:type", menu, rungs=_rungs(ctx, works))
    last = [button("models.search", "models:search"), *way_out("models:menu")]
    ctx.edit("models.type", [*filters, *rows, last], title=ctx.say(f"menu.{kind}.title"))


def _of(card, kind, works):
    """Return a product's models for a kind of work, or for a filter's works."""
    return [model for model in card.models if kind in model.menus and (works is None or model.does(works))]


def _usual(ctx, kind):
    """Return, as a list, the first of a kind's works that has a ladder."""
    return [work for work in KINDS[kind] if ctx.generation.live_catalogue.rungs(work)][:1]


def _filters(shown, kind):
    """Return the rows of the filters of a kind of work; a tap on the one in use shows everything again."""
    cells = []
    for name in FILTERS.get(kind, ()):
        used = shown == f"{kind}-{name}"
        key = f"models.only_{name}"
        shows = ("models.used", "models:type", kind, 0) if used else (key, "models:type", f"{kind}-{name}", 0)
        cells.append(button(*shows, **({"filter": Ref(key)} if used else {})))
    return [cells[i : i + FILTERS_A_ROW] for i in range(0, len(cells), FILTERS_A_ROW)]


def _page(ctx, offers, page, size, menu, *data, rungs):
    """Return the rows of one page of offers, and the row for paging; `rungs` says what the recommended ones are good for."""
    pages = max(1, -(-len(offers) // size))
    page = min(max(page, 0), pages - 1)
    rows = []
    for card, model, price in offers[page * size :][:size]:
        values = {"title": card.title, "price": price}
        rung = next((rungs[one.code] for one in card.models if one.code in rungs), None)
        named = values | {"rung": rung and ctx.texts.plain(ctx.lang, f"rung.{rung}")}
        is_named = rung and len(ctx.texts.plain(ctx.lang, "models.recommended", **named)) <= WIDE
        shown = ("models.recommended", named) if is_named else ("common.offer", values)
        rows.append(button(shown[0], "models:open", model.code, menu, page, **shown[1]))
    return rows + pager(page, pages, *data)


def _ranked(ctx, found, works):
    """Return (card, model to open, lowest price) of [(card, its models, how well it fits)] for these works.

    First what fits best, then what we recommend, the person's own last ones, popular ones, and cheap ones.
    """
    recent, popular = ctx.jobs.recent_models(ctx.user.id), ctx.generation.popularity(ctx.now)
    advised, offers = _advised(ctx, works), []
    for card, models, fit in found:
        mine = _sold(models)
        model = min(mine, key=lambda m: recent.index(m.id) if m.id in recent else len(recent))
        price = ctx.generation.price_of_credits(_least(mine), model)
        if price is not None:
            last = recent.index(model.id) if model.id in recent else len(recent)
            place = min(advised.get(m.code, len(advised)) for m in models)
            orders = sum(popular.get(m.id, 0) for m in card.models)
            offers.append(((fit, place, last, -orders, price), (card, model, price)))
    return [offer for _rank, offer in sorted(offers, key=lambda ranked: ranked[0])]


def _rungs(ctx, works):
    """Return {code: the name of the rung} of the first choice for each rung of these works' ladders, the first work's first."""
    found = {}
    for work in works:
        rungs = ctx.generation.live_catalogue.rungs(work)
        for name, offers in rungs if len(rungs) > 1 else ():
            found.setdefault(offers[0][1].code, name)
    return found


def _advised(ctx, works):
    """Return {code: place} of what the ladders of these works offer: the first choice for each rung."""
    places = {}
    for work in works:
        for place, (_name, offers) in enumerate(ctx.generation.live_catalogue.rungs(work)):
            code = offers[0][1].code
            places[code] = min(place, places.get(code, place))
    return places


def _sold(models):
    """Leave out what KIE gives away (a product's small helpers), unless there is nothing else."""
    return [model for model in models if cheapest(model)] or models


def _least(models):
    """Return the lowest cost of a product's first kind of work: what mends a song says nothing about a new one."""
    return min(cheapest(model) for model in models if model.type == models[0].type)


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
        ctx.drafts.put(ctx.user.id, "models", ctx.now, step="models:word", data={"words": words[:64]})


def prices(ctx, words=""):
    """Show what is meant by these words, each with its price; if that is nothing, each kind of work with its lowest one."""
    found = words_for.find(ctx.texts, ctx.generation.catalog, words)
    if found.hits:
        _find(ctx, words)
        return
    rows = [
        button("common.offer", "models:type", kind, 0, title=Ref(f"menu.{kind}"), price=price)
        for kind, _cards in ctx.generation.catalog.types()
        if (price := _lowest(ctx, kind)) is not None
    ]
    ctx.edit("models.prices", [*rows, [button("models.search", "models:search"), button("common.menu", MENU)]])


def _lowest(ctx, kind):
    """Return the lowest price of a kind of work, as its page shows it; None without any."""
    found = [(card, _of(card, kind, None), ()) for card in ctx.generation.catalog.cards_of(kind)]
    return min((price for _card, _model, price in _ranked(ctx, found, ())), default=None)


def show_found(ctx, page):
    """Show a page of what matches the last search, or comes nearest; return whether anything does match."""
    draft = ctx.drafts.get(ctx.user.id, "models", ctx.now)
    words = (draft.data.get("words") if draft else None) or ""
    found = words_for.find(ctx.texts, ctx.generation.catalog, words)
    asks = [button("models.ask_chat", CHAT, 0)] if found.chat and CHAT in ctx.bot.handlers["button"] else []
    fits = bool(found.hits or asks)
    if not fits:
        found = words_for.nearest(ctx.texts, ctx.generation.catalog, words)
    rows = _rows_found(ctx, found, page, PAGE - len(asks))
    costs = [] if fits else [button("models.all_prices", "models:prices")]
    last = [button("models.search", "models:search"), *way_out("models:menu")]
    key = "found" if fits and not found.instead else "instead" if fits else "near" if rows else "none"
    ctx.edit(f"models.{key}", [*asks, *(rows or ([] if fits else _kinds(ctx))), *costs, last], words=words)
    return fits


def _rows_found(ctx, found, page, size):
    """Return the rows of a page of what was found."""
    works = {hit.work for hit in found.hits if hit.work}
    offers = _ranked(ctx, [(hit.card, hit.models, hit.rank) for hit in found.hits], works)
    return _page(ctx, offers, page, size, "found", "models:found", rungs={}) if offers else []

"""The rungs of a ladder as quotes, and as rows of buttons. Each quote is what a card with these values would show."""

from core.buttons import button, primary, route
from core.errors import UserError
from core.services import examples
from core.services.input_labels import Labels
from kie.catalogue.ideas import PHOTO
from kie.catalogue.inputs import InputError
from kie.catalogue.model import WORKS
from kie.catalogue.offers import IDEA, SPEAKING, settings_of
from kie.catalogue.pricing import enlarged
from plugins.generate._card_view import FITS
from plugins.generate._loose import kind_of, put, remembered

LACKING = route("payments:lack", optional=True)

TITLE = "ideas.title_"
LAST = "last"  # the rung of the model that the person used last
PER_ROW = 3
UPSCALING = {"image-upscale", "video-upscale"}
NAMED_SIDES = ((7680, "8K"), (3840, "4K"))  # the longer side in pixels, from which on people know the size by a name
LONG_S = 100  # from here on, times are shown in minutes


def works_of(ctx, loose):
    """Return the kinds of work that have a ladder and can be done with what was sent, the usual one first."""
    return [work for work in WORKS.get(kind_of(loose), ()) if ctx.generation.live_catalogue.rungs(work)]


def takes_words(ctx, work):
    """Tell whether words change what a kind of work makes: a caption is for one that they do."""
    rungs = ctx.generation.live_catalogue.rungs(work)
    return any(model.main_text for _name, offers in rungs for _offer, model in offers)


def quotes(ctx, work, loose, last=True):
    """Return the quotes of a ladder, lowest rung first, and with `last` that of the model used last.

    If none of its models accepts all the files, each takes as many as it can.
    """
    found = _quotes(ctx, work, loose, whole=True) or _quotes(ctx, work, loose, whole=False)
    return found + _last(ctx, work, loose, found) if found and last else found


def _quotes(ctx, work, loose, whole):
    found, live = [], ctx.generation.live_catalogue
    for name, offers in (speaks(ctx, work, loose) and live.spoken()) or live.rungs(work):
        made = (_quote(ctx, name, model, offer, loose, whole) for offer, model in offers)
        fresh = (quote for quote in made if quote and not any(_is_same(quote, other) for other in found))
        found += [quote for quote in [next(fresh, None)] if quote]
    return found


def speaks(ctx, work, loose):
    """Tell whether somebody in a photo is to say something."""
    return (
        work == SPEAKING
        and kind_of(loose) == "image"
        and ctx.generation.live_catalogue.offers.phrases.speaks(loose["text"])
    )


def _quote(ctx, name, model, offer, loose, whole):
    """Return the quote of one offer for what was sent, or None if it cannot be used."""
    try:
        values = put(ctx, model, settings_of(model, offer), loose, whole)
    except (InputError, KeyError, UserError):
        return None  # a setting the model has lost, or a text or file it does not accept: the next one replaces it
    return ctx.generation.rung(name, ctx.user.id, model, values, ctx.now)


def wordless(ctx, loose):
    """Return the quotes of what is offered for a file without words, one for each kind of work and idea."""
    live, found = ctx.generation.live_catalogue, []
    for entry in live.offers.wordless.get(kind_of(loose), ()):
        if entry.startswith(IDEA):
            quote, label = _of_idea(ctx, entry.removeprefix(IDEA), loose), TITLE + entry.removeprefix(IDEA)
        else:
            made = (
                _quote(ctx, entry, model, offer, loose, True)
                for _name, offers in live.rungs(entry)
                for offer, model in offers
            )
            quote, label = next((one for one in made if one), None), f"do.{entry}"
        found += [quote | {"label": label}] if quote and ctx.texts.has(label) else []
    return found


def asked_idea(ctx, work, loose):
    """Return, as a list, the quote of the idea that a photo's caption asks for, by its name."""
    name = work == "image-edit" and ctx.generation.live_catalogue.offers.phrases.idea_of(loose["text"])
    if not name or kind_of(loose) != "image" or not ctx.texts.has(TITLE + name):
        return []
    quote = _of_idea(ctx, name, loose)
    return [quote | {"label": TITLE + name}] if quote else []


def _of_idea(ctx, name, loose):
    """Return the quote of an idea that needs nothing but this one file, or None."""
    ideas = ctx.generation.live_catalogue.ideas.known if len(loose["files"]) == 1 else ()
    idea = next((one for one in ideas if one.name == name and one.asks == (PHOTO,)), None)
    for offer, model in ctx.generation.live_catalogue.offers_of(idea) if idea else ():
        if quote := _quote(ctx, name, model, offer, loose | {"text": idea.prompt}, True):
            return quote
    return None


def _is_same(one, other):
    return (one["model"], one["values"]) == (other["model"], other["values"])


def _last(ctx, work, loose, found):
    """Return, as a list, the quote of the model used last, if it does this work and is on no rung."""
    model = ctx.generation.catalog.models.get(ctx.jobs.last_model(ctx.user.id))
    if model is None or work not in model.works(kind_of(loose)) or any(q["model"] == model.id for q in found):
        return []
    try:
        values = put(ctx, model, model.defaults() | remembered(ctx, model), loose, whole=True)
    except UserError:
        return []
    quote = ctx.generation.rung(LAST, ctx.user.id, model, values, ctx.now)
    return [quote] if quote else []


# as buttons


def rows(ctx, draft, order="orders:rung", lack="ladder:lack"):
    """Return a row for each rung of a ladder's draft: one tap orders it, or tops up what is missing for it."""
    balance, found = ctx.ledger.balance(ctx.user.id), draft.data["rungs"]
    can_top_up = LACKING in ctx.bot.handlers["button"]
    shown = [place for place, quote in enumerate(found) if can_top_up or quote["price"] <= balance]
    return [_row(ctx, draft, place, balance, order, lack, not place) for place in shown]


def row_of(ctx, draft, place, order, lack):
    """Return, as a list, the row of one rung as a screen's main action; none where it lacks money that cannot be paid in."""
    balance = ctx.ledger.balance(ctx.user.id)
    if draft.data["rungs"][place]["price"] > balance and LACKING not in ctx.bot.handlers["button"]:
        return []
    return [_row(ctx, draft, place, balance, order, lack, True)]


def _row(ctx, draft, place, balance, order, lack, leads):
    quote = draft.data["rungs"][place]
    model, lacking = ctx.generation.catalog.models[quote["model"]], quote["price"] - balance
    first, cost = _name(ctx, draft, quote), Labels(ctx.texts, ctx.lang).cost(model, quote)
    title = [] if quote["name"] == LAST else [model.title]
    act = primary if leads else button
    if quote.get("which"):
        return act("label", "ladder:which", quote["which"], label=_label(ctx, draft, quote, title, cost, leads))
    if lacking > 0:
        rest = ctx.texts.plain(ctx.lang, "rung.lacking")
        label = _shortened([[first, *title, cost, rest], [first, cost, rest], [first, cost]])
        return act("label", lack, lacking, place, label=label)
    return act("label", order, draft.id, draft.version, place, label=_label(ctx, draft, quote, title, cost, leads))


def choose(ctx, form, rung):
    """Remember which rung of a ladder waits for money; the message it is on is the payment's from here on."""
    if draft := ctx.drafts.get(ctx.user.id, form, ctx.now):
        draft = ctx.drafts.put(ctx.user.id, form, ctx.now, data=draft.data | {"wanted": rung})
        ctx.drafts.note_screen(draft, None)


def public_rows(ctx, draft, order, *args):
    """Return the rows that a group sees: prices, and nothing of the person's money. `args` begin the data of each."""
    rows = []
    for place, quote in enumerate(draft.data["rungs"]):
        model = ctx.generation.catalog.models[quote["model"]]
        cost = Labels(ctx.texts, ctx.lang).cost(model, quote, public=True)
        label = _label(ctx, draft, quote, [model.title], cost, not place)
        act = button if place else primary
        rows.append(act("label", order, *args, draft.id, draft.version, place, label=label))
    return rows


def _label(ctx, draft, quote, title, cost, leads):
    name = ("▶ " if leads else "") + _name(ctx, draft, quote)
    time = _time(ctx, ctx.generation.catalog.models[quote["model"]])
    named = (
        [[name, *title, cost]] if quote.get("label") else []
    )  # its name does not say how good it is, but its model does
    return _shortened([[name, *title, cost, time], *named, [name, cost, time], [name, cost]])


def _name(ctx, draft, quote):
    """Return the name of a rung; the only one of a ladder is called by what it does."""
    size = _size(ctx, quote)
    if quote.get("label"):
        return " · ".join([ctx.texts.plain(ctx.lang, quote["label"]), *size])
    if size:
        return size[0]
    alone = sum(other["name"] != LAST and not other.get("label") for other in draft.data["rungs"]) == 1
    key = f"do.{draft.data['loose']['work']}" if alone and quote["name"] != LAST else f"rung.{quote['name']}"
    return ctx.texts.plain(ctx.lang, key, model=ctx.generation.catalog.models[quote["model"]].title)


def _size(ctx, quote):
    """Return, as a list, what a quote for a larger picture or clip gives: pixels, else how many times larger it gets."""
    model = ctx.generation.catalog.models[quote["model"]]
    if not UPSCALING & set(model.modes):
        return []
    if size := enlarged(model, quote["values"]):
        name = next((f"{name} " for side, name in NAMED_SIDES if max(size) >= side), "")
        return [f"{name}{size[0]}×{size[1]}"]
    factor = quote["values"].get("upscale_factor")
    return [f"×{factor}"] if factor else [] if quote.get("label") else [ctx.texts.plain(ctx.lang, "rung.larger")]


def _shortened(tries):
    """Return the first of these labels, given as parts, that a phone shows in full on a row of its own."""
    labels = [" · ".join(parts) for parts in tries]
    return next((label for label in labels if len(label) <= FITS[1]), labels[-1])


def _time(ctx, model):
    usual = ctx.generation.usual_s(model, ctx.now)
    if usual < LONG_S:
        return ctx.texts.plain(ctx.lang, "rung.seconds", count=usual)
    return ctx.texts.plain(ctx.lang, "rung.minutes", count=round(usual / 60))


# their examples


def examples_of(ctx, draft):
    """Return {place: example} of the rungs that can be shown: an idea's by its own, any other by its model's."""
    found = examples.shown(ctx.bot)
    models = examples.by_model(found)
    shown = {}
    for place, quote in enumerate(draft.data["rungs"]):
        is_idea = quote.get("label", "").startswith(TITLE)
        example = (found.get(quote["name"]) if is_idea else None) or models.get(quote["model"])
        if example is not None and not quote.get("which"):
            shown[place] = example
    return shown


def example_cell(ctx, draft):
    """Return, as a list, the button that shows what a ladder's models have made here."""
    return [button("common.example", "model_examples:rung", draft.plugin, 0)] if examples_of(ctx, draft) else []


def name_of(ctx, draft, place, example):
    """Return what a rung is called beside its example, with the model that made it."""
    quote = draft.data["rungs"][place]
    return example["model"] if quote["name"] == LAST else f"{_name(ctx, draft, quote)} · {example['model']}"


def in_rows(ctx, cells):
    """Return buttons in rows, as many a row as a phone shows whole."""
    labels = [ctx.texts.plain(ctx.lang, cell.key, **cell.values) for cell in cells]
    is_short = all(len(label) <= FITS[PER_ROW] for label in labels)
    per_row = PER_ROW if is_short and len(cells) != PER_ROW + 1 else PER_ROW - 1  # of four none stands alone
    return [cells[i : i + per_row] for i in range(0, len(cells), per_row)]

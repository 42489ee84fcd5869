"""The model's card, which is the form: what it is, what is set, the price on its main button.

The draft keeps what was filled in for a day, so a top-up or a restart in between loses nothing. Its version is the
quote's id: the confirm button carries it, and what was shown is what is charged. `inputs.py` fills the card in,
`orders.py` orders.
Texts: generate.* in data/texts/<lang>/generate.po; names of inputs and choices in catalog.po.
"""

from core import forms
from core.buttons import button, pager, way_out
from core.errors import UserError
from kie.inputs import MEDIA
from kie.pricing import is_upper_bound

MODES = 6  # on a page


def register(bot):
    """Declare the card's buttons."""
    bot.button("generate:open", open_model, code=str)
    bot.button("generate:card", back_to_card)
    bot.button("generate:more", more_settings)
    bot.button("generate:modes", modes, page=int)


def open_model(ctx, code):
    """Open a model's card; what this card had filled in is kept, and so is a text or file sent beforehand."""
    model = ctx.generation.catalog.by_code(code)
    if model is None:
        raise UserError("generate.gone", buttons=[button("models.all", "models:menu")])
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    values = model.defaults()
    if draft is not None:
        values |= _carried(draft, model)
        values = _with_loose(model, values, draft.data.get("loose"))
    ctx.draft = ctx.generation.fill(ctx.user.id, model, values, ctx.now)
    show(ctx)


def _carried(draft, model):
    """Return what the open card has that this model takes as well: switching the mode keeps the prompt."""
    values = draft.data.get("values", {})
    if draft.model == model.id:
        return values
    kept = {}
    for name, value in values.items():
        spec = model.by_name.get(name)
        if spec is not None and spec.kind in ("text", *MEDIA) and spec.shown != "hidden":
            try:
                kept[name] = spec.parse(value)
            except forms.InputError:
                continue  # it does not fit this model: as if it had not been given
    return kept


def _with_loose(model, values, loose):
    """Put a text or a file that came before the model was chosen where this model takes it."""
    if not loose:
        return values
    if "text" in loose:
        spec = model.main_text
        return values | {spec.name: forms.read(spec, loose["text"])} if spec else values
    spec = model.input_for(forms.media_kind(loose["file"]))
    return forms.add_file(spec, values, loose["file"]) if spec else values


def back_to_card(ctx, below=False):
    """Show the open card as it stands (`below`: under a result or a message that stays)."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    ctx.draft = ctx.generation.fill(ctx.user.id, model, draft.data["values"], ctx.now, **_album(draft))
    show(ctx, below)


def _album(draft):
    return {name: draft.data[name] for name in ("album", "album_count") if name in draft.data}


def show(ctx, below=False):
    """Draw the card of `ctx.draft`."""
    model = ctx.generation.catalog.models[ctx.draft.model]
    card = forms.Card(ctx, model, ctx.draft.data["values"])
    missing = model.missing(card.values)
    wrong = None if missing else forms.problem(model, card.values)
    rows = [_main_row(ctx, card, missing, wrong), *card.input_rows(model.main_inputs), *_lower_rows(ctx, card)]
    card.draw(rows, ctx.say(wrong.key, **wrong.values) if wrong else "", below)


def _main_row(ctx, card, missing, wrong):
    """Return the one main button: write, mend, order, top up, or why it is not for sale."""
    if missing:
        spec = card.model.input(missing[0])
        place = (card.model.code, card.model.inputs.index(spec))
        key = "generate.write" if spec.kind == "text" else f"generate.send_{spec.kind}"
        if spec.kind in ("text", *MEDIA):
            return button(key, "inputs:set", *place)
        return button("generate.choose", "inputs:set", *place, name=card.label(spec))
    if wrong:
        return button("generate.fix", "generate:card")
    if ctx.draft.price is None:
        return button("generate.not_for_sale", "generate:card")
    lacking = ctx.draft.price - ctx.ledger.balance(ctx.user.id)
    if lacking > 0:
        return button("generate.top_up", "payments:lack", lacking, amount=lacking)
    key = "generate.create_up_to" if is_upper_bound(card.model, card.values) else "generate.create"
    return button(key, "orders:go", ctx.draft.id, ctx.draft.version, price=ctx.draft.price)


def _lower_rows(ctx, card):
    rows = []
    more = [spec for spec in card.model.more_inputs if card.model.applies(spec.name, card.values)]
    if more:
        rows.append(button("generate.more", "generate:more", count=len(more)))
    if len(ctx.generation.catalog.cards[card.model.card].models) > 1:
        rows.append(button("generate.mode", "generate:modes", 0, mode=_mode_name(ctx, card.model)))
    menu = card.model.menus[0]
    return [*rows, way_out("models:type", menu, 0)]


def _mode_name(ctx, model):
    variant = model.title.removeprefix(ctx.generation.catalog.cards[model.card].title).strip()
    mode = ctx.texts.plain(ctx.lang, model.mode_title)
    return f"{mode} · {variant}" if variant else mode


def more_settings(ctx):
    """Show the optional inputs."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    card = forms.Card(ctx, model, ctx.draft.data["values"])
    card.draw([*card.input_rows(model.more_inputs), way_out("generate:card")])


def modes(ctx, page):
    """Show a page of the other ways to use the same product."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    siblings = ctx.generation.catalog.cards[model.card].models
    pages = -(-len(siblings) // MODES)
    shown = siblings[page % pages * MODES :][:MODES]
    mark = {True: "✓ ", False: ""}
    rows = [button("label", "generate:open", m.code, label=mark[m is model] + _mode_name(ctx, m)) for m in shown]
    rows += pager(page % pages, pages, "generate:modes")
    card = forms.Card(ctx, model, ctx.draft.data["values"])
    card.draw([*rows, way_out("generate:card")])

"""Opens a model's card, carries over what fits from the one before, and sets its main button, which has the price.

The draft keeps what was filled in for a day, so a top-up or a restart in between loses nothing. Its version is the
quote's id: the confirm button carries it, and what was shown is what is charged. `generate/_card_view.py` draws it,
`generate/inputs.py` fills it in, `generate/modes.py` has its other ways and settings, `generate/orders.py` orders.
Texts: generate.* in data/texts/<lang>/generate/card.po; names of inputs and choices in catalog.po.
"""

from core.buttons import build, button, primary, route, way_out
from core.errors import UserError
from core.services import examples, forms
from core.services.generation import QUESTION, REPLIES, VOICED
from core.services.input_labels import slug
from kie.catalogue import pricing
from kie.catalogue.inputs import MEDIA, present
from kie.catalogue.model import InputError
from plugins.generate._card_view import Card
from plugins.generate._loose import (
    SETTINGS,
    SPOKEN,
    is_ladder,
    kind_of,
    lacks_voice,
    most,
    opened,
    put,
    remembered,
    too_many,
)

MODELS = route("models:menu", optional=True)
MODELS_OF_KIND = route("models:type", optional=True)
LACKING = route("payments:lack", optional=True)
ASK = route("ask:waiting", optional=True)

FREE = 0
CARRIED = ("text", *MEDIA)  # what is carried from one product to another: what was written and sent


def register(bot):
    """Declare the card's buttons."""
    bot.repeatable()
    bot.button("generate:open", open_model, code=str)
    bot.button("generate:card", back_to_card)
    bot.button("generate:without", without_files)
    bot.button("generate:waiting", show_waiting)


def open_model(ctx, code, back=None, below=False, goes_on=False):
    """Open a model's card with what was sent beforehand, else with what the open card has and this model accepts.

    `back` is the button data of the screen it was opened from; `below`: under a message that stays. What an idea has
    filled in is no draft of the person's own: it is kept only where the card `goes_on`.
    """
    model = ctx.generation.catalog.by_code(code)
    if model is None:
        raise UserError("job.gone", buttons=[button("common.all_models", MODELS)])
    draft, idea = ctx.drafts.get(ctx.user.id, "generate", ctx.now), None
    if draft is not None and (idea := draft.data.get("idea")) and not goes_on:
        ctx.drafts.drop(ctx.user.id, "generate")
        draft = idea = None
    values, trouble, sent = model.defaults() | remembered(ctx, model), None, opened(ctx)
    if sent and draft.data.get("loose"):
        values, trouble = _with_loose(ctx, model, values, sent)
    elif draft is not None:
        values = _carried(ctx, draft, model, values)
    kept = (
        ({"back": back} if back else {})
        | ({"idea": idea} if idea else {})
        | ({"sent": sent, "parent": sent.get("parent")} if sent else {})
    )
    if draft is None or draft.model != model.id:
        kept["brought"] = [s.name for s in model.inputs if s.kind in MEDIA and present(values.get(s.name))]
    ctx.draft = ctx.generation.fill(ctx.user.id, model, values, ctx.now, **kept)
    show(ctx, below)
    if trouble is not None:
        ctx.toast(trouble.key, alert=True, **trouble.values)


def without_files(ctx):
    """Take away what was sent before the card was opened: it was for something else."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    brought = draft.data.get("brought") or ()
    values = {name: value for name, value in draft.data["values"].items() if name not in brought}
    text = (draft.data.get("sent") or {}).get("text", "")
    more = {"brought": [], "sent": {"text": text, "files": []}, "parent": None}
    ctx.draft = ctx.generation.fill(ctx.user.id, model, values, ctx.now, **more)
    show(ctx)


def _with_loose(ctx, model, values, loose):
    """Return (values with what was sent before the model was chosen, a UserError for what does not fit, or None)."""
    try:
        found = put(ctx, model, values, loose)
    except UserError as error:
        return values, error
    spec = model.input_for(kind_of(loose)) if loose["files"] else None
    left_out = spec is not None and len(loose["files"]) > most(spec)
    return found, too_many(spec, loose) if left_out else None


def _carried(ctx, draft, model, values):
    """Add to `values` what the open card has and this model accepts as well.

    That is texts and files, and between the modes of one product also the settings, as far as they go together.
    """
    given, source = draft.data.get("values", {}), ctx.generation.catalog.models.get(draft.model)
    if source is None or source is model:
        return values | given
    kinds = CARRIED + SETTINGS if source.card == model.card else CARRIED
    ideas = ctx.generation.live_catalogue.ideas
    for name, value in given.items():
        if source.card != model.card and isinstance(value, str) and ideas.made(value):
            continue  # the prompt of an idea that was ordered again: ours, not the person's words
        spec = _twin(source.by_name.get(name), model)
        if (
            spec is not None
            and value == source.by_name[name].default
            and (spec.kind == "text" or _is_tool(source, model))
        ):
            continue  # the other model brought it along, not the person
        if spec is not None and spec.kind in kinds and spec.shown != "hidden":
            try:
                value = str(value) if spec.kind in SETTINGS else value
                value = ctx.generation.measured(model, {spec.name: value}, ctx.user)[spec.name]
                trial = values | {spec.name: spec.parse(value)}
            except (InputError, UserError):
                continue  # it does not fit this model: as if it had not been given
            values = trial if _is_sold(model, trial) else values
    return values


def _is_tool(*models):
    """Return whether one of them is a tool for an earlier result: its default resolution, say, is its target."""
    return any("tools" in model.menus for model in models)


def _twin(spec, model):
    """Return the corresponding input of `model`, by its name or by its label on the card, or None."""
    if spec is None:
        return None
    called = next((other for other in model.inputs if other.label == spec.label), None)
    return model.by_name.get(spec.name, called)


def _is_sold(model, values):
    """Return whether there is a price for these settings together, or will be once more is known."""
    try:
        pricing.credits(model, values)
    except pricing.NoPrice as missing:
        return bool(missing.fact)
    return True


def back_to_card(ctx, below=False, note=None):
    """Show the open card, or the ladder in its place, as it is (`below`: under a message that stays)."""
    if is_ladder(ctx):
        ctx.go("ladder:show", below=below)
        return
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    ctx.draft = ctx.generation.fill(ctx.user.id, model, draft.data["values"], ctx.now, **_album(draft))
    show(ctx, below, note)


def show_waiting(ctx):
    """Show what waits to be ordered below the message about money that led to it, which stays."""
    draft = ctx.generation.waiting(ctx.user.id, ctx.now)
    if draft is not None and draft.plugin == REPLIES and "replies:show" in ctx.bot.handlers["button"]:
        ctx.go("replies:show", below=True)
    elif draft is not None and draft.plugin == VOICED and "voiced:show" in ctx.bot.handlers["button"]:
        ctx.go("voiced:show", below=True)
    elif draft is not None and draft.plugin == QUESTION and ASK in ctx.bot.handlers["button"]:
        ctx.go(ASK)
    else:
        back_to_card(ctx, below=True)


def _album(draft):
    return {name: draft.data[name] for name in ("album", "album_count") if name in draft.data}


def show(ctx, below=False, note=None):
    """Draw the card of `ctx.draft`, with a `note` (text key) as its last line."""
    model = ctx.generation.catalog.models[ctx.draft.model]
    card = Card(ctx, model, ctx.draft.data["values"])
    missing = model.missing(card.values)
    wrong = None if missing else forms.problem(model, card.values)
    example, voice = _example(ctx, card), _voice_row(ctx, card)
    front, more = card.front(bool(example and _may_be_better(ctx, card)))
    rows = [_main_row(ctx, card, missing, wrong), *voice, *front, *_lower_rows(ctx, card, len(more), example)]
    last = [ctx.say(wrong.key, **wrong.values)] if wrong else [ctx.say(note)] if note else []
    last += [ctx.say("generate.wants_voice")] if voice else []
    price = "" if wrong else _price_line(ctx, card, missing)
    card.draw(rows, ctx.lines([*last, *([price] if price else [])]), below)


def _price_line(ctx, card, missing):
    """Return the price as far as it is known while the main button has none, or what is needed to know it."""
    if not missing and ctx.draft.price is not None and ctx.draft.price <= ctx.ledger.balance(ctx.user.id):
        return ""
    try:
        credits = pricing.credits(card.model, card.values)
    except pricing.NoPrice as unknown:
        return _rate_line(ctx, card, missing, unknown.fact)
    known = "generate.price_up_to" if pricing.is_upper_bound(card.model, card.values) else "generate.price"
    return _said(ctx, known, card.model, credits)


def _rate_line(ctx, card, missing, fact):
    """Return what a second (or a picture) costs while the length is unknown, or how it can become known."""
    facet = fact.partition(".")[2]
    if facet and not missing:
        return ctx.say(f"generate.need_{facet}")
    try:
        credits, unit = pricing.rate(card.model, card.values)
    except pricing.NoPrice:
        return ""
    return _said(ctx, "generate.rate", card.model, credits, unit=ctx.say(f"unit.{slug(unit)}"))


def _said(ctx, key, model, credits, **values):
    price = ctx.generation.price_of_credits(credits, model)
    return "" if price is None else ctx.say("generate.free" if price == FREE else key, price=price, **values)


def _main_row(ctx, card, missing, wrong):
    """Return the one main button: write, fix, order, top up, or why it is not for sale."""
    if missing:
        spec = card.model.input(missing[0])
        place = (card.model.code, card.model.inputs.index(spec))
        keys = (f"generate.{spec.kind}_{spec.label}", f"generate.{spec.kind}", "generate.choose")
        key = next(key for key in keys if ctx.texts.has(key))
        return button(key, "inputs:set", *place, name=card.label(spec))
    if wrong:
        return button("generate.fix", "generate:card")
    if ctx.draft.price is None:
        return button("generate.not_for_sale", "generate:card")
    lacking = ctx.draft.price - ctx.ledger.balance(ctx.user.id)
    if lacking > 0:
        return primary("generate.top_up", LACKING, lacking, amount=lacking)
    if free := ctx.draft.data.get("free"):
        return primary("generate.create_left", "orders:go", ctx.draft.id, ctx.draft.version, left=free["left"])
    key = "generate.create_up_to" if pricing.is_upper_bound(card.model, card.values) else "generate.create"
    return primary(
        "generate.create_free" if ctx.draft.price == FREE else key,
        "orders:go",
        ctx.draft.id,
        ctx.draft.version,
        price=ctx.draft.price,
    )


def _voice_row(ctx, card):
    """Return, as a list, the button that makes the recording that a card wants from words."""
    wanted = lacks_voice(card.model, card.values) and "voiced:ask" in ctx.bot.handlers["button"]
    return [button("generate.voice", "voiced:ask")] if wanted else []


def _may_be_better(ctx, card):
    """Return whether the assistant can be asked for richer words; not if they are to be spoken as they are."""
    text = card.model.main_text
    words = text is not None and present(card.values.get(text.name))
    if words and ctx.generation.live_catalogue.ideas.made(str(card.values[text.name])):
        return False  # the prompt of an idea is rich already, and not in the person's language
    return words and card.model.type not in SPOKEN and ctx.generation.assistant.is_on


def _brought(ctx, card):
    """Return the kind of the first file that was sent before this card was opened and is still on it, or None."""
    names = [name for name in ctx.draft.data.get("brought") or () if present(card.values.get(name))]
    return card.model.by_name[names[0]].kind if names else None


def _example(ctx, card):
    """Return, as a list, the button that shows what the model has made here."""
    shown = card.model.id in examples.by_model(examples.shown(ctx.bot))
    return [button("common.example", "model_examples:card")] if shown else []


def _lower_rows(ctx, card, more, example):
    settings = [button("generate.more", "modes:more", count=more)] if more else []
    if _may_be_better(ctx, card):
        settings.append(button("common.better", "better:ask"))
    cells = settings + example
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    if len(ctx.generation.catalog.cards[card.model.card].models) > 1:
        rows.append(button("generate.mode", "modes:show", 0, mode=card.mode_name(ctx.generation.catalog)))
    if kind := _brought(ctx, card):
        rows.append(button(f"generate.without_{kind}", "generate:without"))
    return [*rows, way_out(ctx.draft.data.get("back") or build(MODELS_OF_KIND, card.model.menus[0], 0))]

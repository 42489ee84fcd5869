"""Filling in the open card: choices to tap, texts to write, files to send; every answer is checked as it comes.

Texts: inputs.* in data/texts/<lang>/generate/inputs.po; ask.*, error.* and kind.* in catalog.po.
"""

from contextlib import contextmanager

from core.attachments import file_in, media_kind
from core.buttons import MENU, button, link, pager, way_out
from core.errors import UserError
from core.services import forms
from core.services.input_labels import slug
from core.texts import Ref
from kie.catalogue import pricing
from kie.catalogue.inputs import MEDIA, earlier_result, files_of, present
from kie.catalogue.pricing import steps
from plugins.generate._card_view import PER_ROW, Card
from plugins.generate._loose import AS_IT_IS, lacks_voice

STEP, HEARS, SAYS = "generate:input", "voice:yes", "voiced:ask"
CHOICES, SHORT = 10, 11  # choices on a page; characters of a label that fits three times in a row
RESULTS, LOOKED_AT = 5, 100  # earlier results on a page, and how many of the newest orders are searched for them


def register(bot):
    """Declare the buttons of one input, and the messages the card listens for."""
    bot.repeatable()
    bot.button("inputs:set", ask, code=str, place=int)
    bot.button("inputs:page", ask, code=str, place=int, page=int)
    bot.button("inputs:pick", pick, code=str, place=int, choice=int)
    bot.button("inputs:nudge", nudge, code=str, place=int, steps=int)
    bot.button("inputs:clear", clear, code=str, place=int)
    bot.button("inputs:result", take_result, code=str, place=int, job=int, part=int)
    bot.step(STEP, take)
    bot.update("edited_message", take_edit)


def _open(ctx, code, place):
    """Return (model, values, spec) of an input of the open card."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now, code)
    if not 0 <= place < len(model.inputs) or model.inputs[place].shown == "hidden":
        raise UserError("common.old_card")
    return model, ctx.draft.data["values"], model.inputs[place]


def _fill(ctx, model, values, **data):
    values = forms.with_words_moved(model, ctx.draft.data["values"], values)
    ctx.draft = ctx.generation.fill(ctx.user.id, model, values, ctx.now, **data)


def ask(ctx, code, place, page=0):
    """Open one input: a switch turns, choices are shown with their prices, the rest is asked for.

    A switch that affects the price is shown as a choice, so that both prices are visible.
    """
    model, values, spec = _open(ctx, code, place)
    if spec.kind == "switch" and not spec.drives_price:
        _fill(ctx, model, values | {spec.name: not model.effective(values).get(spec.name)})
        ctx.go("generate:card")
        return
    _fill(ctx, model, values, asking=spec.name)
    card = Card(ctx, model, values)
    rows = _results(ctx, model, spec, page) if spec.kind == "task" else _choices(ctx, card, spec, page)
    key = "inputs.no_result" if spec.kind == "task" and not rows else f"ask.{spec.label}"
    key = "inputs.voices" if spec.sample else key
    question = [ctx.say(key) if ctx.texts.has(key) else card.label(spec), *_limits(ctx, spec, values.get(spec.name))]
    rows += [*_sample(card, spec), *_answer_rows(card, spec, place)]
    card.draw([*rows, way_out("generate:card")], ctx.lines(question))


def _sample(card, spec):
    """Return, as a list, the button that lets the chosen voice be heard."""
    chosen = card.model.effective(card.values).get(spec.name)
    if not spec.sample or not present(chosen):
        return []
    return [link("inputs.hear", spec.sample.format(chosen), name=card.shown(spec, chosen))]


def _choices(ctx, card, spec, page):
    """Return a page of an input's choices, each with its price if the input affects it."""
    model, place = card.model, card.model.inputs.index(spec)
    prices = dict(pricing.options(model, card.values, spec.name)) if spec.drives_price else {}
    chosen = model.effective(card.values).get(spec.name)
    choices = [choice for choice in steps(spec) if not prices or choice in prices]
    cells = []
    for choice in choices[page * CHOICES :][:CHOICES]:
        mark = "✓ " if choice == chosen and isinstance(choice, bool) == isinstance(chosen, bool) else ""
        label = mark + card.seconds(spec, choice) + _price_of(ctx, card, spec, choice, prices)
        cells.append(button("label", "inputs:pick", model.code, place, steps(spec).index(choice), label=label))
    per_row = 2 if any(len(cell.values["label"]) > SHORT for cell in cells) else PER_ROW
    rows = [cells[i : i + per_row] for i in range(0, len(cells), per_row)]
    return rows + pager(page, -(-len(choices) // CHOICES), "inputs:page", model.code, place)


def _price_of(ctx, card, spec, choice, prices):
    """Return what follows a choice on its button: its price, or a second's while the length is unknown."""
    key, credits = "inputs.price", prices.get(choice)
    if choice in prices and credits is None:
        try:
            credits, unit = pricing.rate(card.model, {**card.values, spec.name: choice})
        except pricing.NoPrice:
            return ""
        key = f"inputs.price_{slug(unit)}"
    price = None if credits is None else ctx.generation.price_of_credits(credits, card.model)
    return card.word(key, price=price) if price is not None and ctx.texts.has(key) else ""


def _limits(ctx, spec, value):
    """Return a line about the length of a text: how much is allowed, and how much of that is left."""
    if spec.kind != "text" or not spec.max_length:
        return []
    left = spec.max_length - len(value or "")
    return [ctx.say("inputs.left" if value else "inputs.limit", n=left)]


def _answer_rows(card, spec, place):
    """Return the buttons that go with a typed or sent answer."""
    rows, value = [], card.values.get(spec.name)
    data = (card.model.code, place)
    if spec.kind == "number" and not steps(spec):
        shown = "—" if value is None else card.shown(spec, value)
        rows.append(
            [
                button("form.less", "inputs:nudge", *data, -1),
                button("label", "generate:card", label=shown),
                button("form.more", "inputs:nudge", *data, 1),
            ]
        )
    if present(value) and (spec.kind in MEDIA or not spec.required) and value != spec.default and not steps(spec):
        rows.append(button("form.clear", "inputs:clear", *data))
    return rows


def pick(ctx, code, place, choice):
    """Take a tapped choice."""
    model, values, spec = _open(ctx, code, place)
    choices = steps(spec)
    if not 0 <= choice < len(choices):
        raise UserError("common.old_card")
    _fill(ctx, model, values | {spec.name: choices[choice]})
    if spec.sample:  # people hear several before they decide
        ask(ctx, code, place, choice // CHOICES)
    else:
        ctx.go("generate:card")


def nudge(ctx, code, place, steps):
    """Make a number larger or smaller by one step, within its bounds."""
    model, values, spec = _open(ctx, code, place)
    if spec.kind != "number":
        raise UserError("common.old_card")
    start = values.get(spec.name, spec.default)
    value = (spec.min or 0) if start is None else round(start + (spec.step or 1) * max(-1, min(1, steps)), 6)
    value = max(value, spec.min) if spec.min is not None else value
    value = min(value, spec.max) if spec.max is not None else value
    _fill(ctx, model, values | {spec.name: forms.read(spec, value)})
    ask(ctx, code, place)


def clear(ctx, code, place):
    """Clear what was given for an input."""
    model, values, spec = _open(ctx, code, place)
    _fill(ctx, model, {name: value for name, value in values.items() if name != spec.name})
    ctx.go("generate:card")


def _results(ctx, model, spec, page):
    """Return a page of buttons for the person's earlier results that this input accepts."""
    place, found = model.inputs.index(spec), []
    for job in ctx.jobs.of_user(ctx.user.id, limit=LOOKED_AT, states=["succeeded"]):
        if not job.task_id or job.model not in spec.sources:
            continue
        for part in range(len(job.result["urls"]) or 1) if _tells_apart(spec) else (0,):
            if spec.usable(earlier_result(job, part)):
                found.append((job, part))
    pages = -(-len(found) // RESULTS)
    rows = []
    for job, part in found[page * RESULTS :][:RESULTS]:
        number = f"{job.id} ({part + 1})" if _tells_apart(spec) and len(job.result["urls"]) > 1 else str(job.id)
        title = ctx.generation.title(job)
        rows.append(
            button("inputs.result", "inputs:result", model.code, place, job.id, part, number=number, model=title)
        )
    return rows + pager(page, pages, "inputs:page", model.code, place)


def _tells_apart(spec):
    """Return whether the input wants one of several results: a track of a song, a picture of a run."""
    return "audio_id" in (spec.take, *spec.also.values()) or "index" in spec.also.values()


def take_result(ctx, code, place, job, part):
    """Take one of the person's own earlier results."""
    model, values, spec = _open(ctx, code, place)
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None or spec.kind != "task" or not found.result:
        raise UserError("common.old_button")
    _fill(ctx, model, values | {spec.name: forms.read(spec, earlier_result(found, part))})
    ctx.go("generate:card")


# messages


def take(ctx):
    """Take a text or a file for the open card; a voice message is words, unless a recording is asked for."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    if _is_spoken(ctx, model):
        return ctx.PASS
    if _is_to_be_said(ctx, model):
        ctx.go(SAYS, words=ctx.text)
        return None
    with _way_back():
        spec = _take(ctx, model)
    if spec.many and len(files_of(ctx.draft.data["values"][spec.name])) < (spec.max_items or LOOKED_AT):
        _collect(ctx, model, spec)
    else:
        ctx.go("generate:card")
    return None


def _is_spoken(ctx, model):
    """Return whether a voice message is to be written down: the card does not ask for a recording, and takes words."""
    asked = model.by_name.get(ctx.draft.data.get("asking") or "")
    if "voice" not in ctx.message or ctx.message.get(AS_IT_IS) or (asked is not None and asked.kind == "audio"):
        return False
    takes_words = model.main_text is not None or (asked is not None and asked.kind == "text")
    return (
        takes_words and HEARS in ctx.bot.handlers["button"] and ctx.generation.assistant.can_hear(file_in(ctx.message))
    )


def _is_to_be_said(ctx, model):
    """Return whether a text is what somebody is to say: the card lacks that recording, and did not ask for another text."""
    asked = model.by_name.get(ctx.draft.data.get("asking") or "")
    is_text = bool(ctx.text) and (asked is None or asked.kind in MEDIA)
    return is_text and lacks_voice(model, ctx.draft.data["values"]) and SAYS in ctx.bot.handlers["button"]


@contextmanager
def _way_back():
    """Make the message about a wrong answer lead back to the card."""
    try:
        yield
    except UserError as error:
        error.buttons = [[button("common.to_card", "generate:card"), button("common.menu", MENU)]]
        raise


def _take(ctx, model):
    """Take what a message brings, and return the input it was for."""
    file = file_in(ctx.message)
    if file is not None:
        return _take_file(ctx, model, file)
    if not ctx.text:
        raise UserError("inputs.cannot_use")
    return _take_text(ctx, model)


def _collect(ctx, model, spec):
    """Show how many files there are, and wait for more until there are enough; a text continues with the card."""
    card, place = Card(ctx, model, ctx.draft.data["values"]), model.inputs.index(spec)
    clear, text = button("form.clear", "inputs:clear", model.code, place), model.main_text
    left = spec.min_items - len(files_of(card.values[spec.name]))
    if left > 0:
        card.draw([clear, way_out("generate:card")], ctx.say("inputs.needs", n=left))
        return
    rows = [[button("inputs.done", "generate:card"), clear]]
    lacks_text = text is not None and not present(card.values.get(text.name))
    card.draw([*rows, way_out("generate:card")], ctx.say("inputs.more_or_text" if lacks_text else "inputs.more"))


def _take_file(ctx, model, file):
    data, kind = ctx.draft.data, media_kind(file)
    asked = model.by_name.get(data.get("asking") or "")
    spec = asked if asked is not None and asked.kind == kind else model.input_for(kind)
    if spec is None:
        raise UserError("error.not_a_file_for_this", kind=Ref(f"kind.{kind}"))
    values = forms.add_file(spec, data["values"], file, ctx.generation.meter(model, spec, ctx.user))
    caption, text = ctx.message.get("caption"), model.main_text
    if caption and text and not present(values.get(text.name)):
        values[text.name] = forms.read(text, caption)
    album = ctx.message.get("media_group_id")
    count = data.get("album_count", 0) + 1 if album and album == data.get("album") else 1
    _fill(ctx, model, values, album=album, album_count=count, asking=spec.name)
    return spec


def _take_text(ctx, model):
    values = ctx.draft.data["values"]
    asked, text = model.by_name.get(ctx.draft.data.get("asking") or ""), model.main_text
    wants_file = asked is not None and asked.kind in MEDIA and not present(values.get(asked.name))
    if wants_file and (text is None or present(values.get(text.name))):
        raise UserError(f"inputs.want_{asked.kind}")
    spec = text if asked is None or asked.kind in (*MEDIA, "task") or _is_prompt(asked, text, ctx.text) else asked
    if spec is None:
        raise UserError("inputs.takes_no_text")
    given = values | {spec.name: forms.read(spec, ctx.text)}
    _fill(ctx, model, given, prompt_message=ctx.message["message_id"], prompt_input=spec.name)
    return spec


def _is_prompt(asked, text, words):
    """Return whether several words that came while choices were shown are meant for the prompt."""
    return text is not None and asked.kind in ("choice", "switch") and " " in words.strip()


def take_edit(ctx):
    """Take an edited prompt while its card is open."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    if (
        not ctx.private
        or not ctx.text
        or draft is None
        or draft.data.get("prompt_message") != ctx.message["message_id"]
    ):
        return
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    spec = model.by_name[draft.data["prompt_input"]]
    with _way_back():
        _fill(ctx, model, draft.data["values"] | {spec.name: forms.read(spec, ctx.text)})
    ctx.go("generate:card")

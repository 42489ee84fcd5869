"""Order a generation: the model's card is the form, its main button the order.

The draft keeps what was filled in for a day, so a top-up or a restart in between loses nothing. Its version is the
quote's id: the confirm button carries it, and what was shown is what is charged.
Texts: generate.* in data/texts/<lang>/generate.po, input.* and choice.* in catalog.po.
"""

from datetime import timedelta

from core import forms
from core.buttons import button
from core.errors import UserError
from kie.inputs import MEDIA, present
from kie.pricing import is_upper_bound

PLUGIN = "generate"
LISTEN = "generate:input"
FIRST_PROGRESS = timedelta(seconds=5)


def register(bot):
    """Declare the buttons of the card and the inputs it listens for."""
    bot.command("cancel", cancel_all, about="generate.about_cancel")
    bot.step(LISTEN, take)
    bot.update("edited_message", take_edit)
    bot.button("generate:open", open_model, code=str)
    bot.button("generate:card", back_to_card)
    bot.button("generate:more", more_settings)
    bot.button("generate:modes", modes)
    bot.button("generate:set", ask_input, code=str, place=int)
    bot.button("generate:page", turn_page, code=str, place=int, page=int)
    bot.button("generate:pick", pick, code=str, place=int, choice=int)
    bot.button("generate:nudge", nudge, code=str, place=int, steps=int)
    bot.button("generate:clear", clear, code=str, place=int)
    bot.button("generate:go", order, draft=int, version=int)
    bot.button("generate:cancel", cancel_job, job=int)
    bot.button("generate:again", again, job=int)
    bot.button("generate:change", change, job=int)
    bot.button("generate:use", use, job=int)
    bot.button("generate:feed", feed, job=int, code=str)


# opening a card


def open_model(ctx, code):
    """Open a model's card; what the same card had filled in is kept, and so is a text or file sent beforehand."""
    model = ctx.generation.catalog.by_code(code)
    if model is None:
        raise UserError("generate.gone", buttons=[button("models.all", "models:menu")])
    draft = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    data = dict(draft.data) if draft else {}
    values = _carried(data.get("values", {}), draft, model) if draft and draft.model else {}
    values = _with_loose(model, values, data.pop("loose", None))
    _save(ctx, model, model.defaults() | values)
    show(ctx)


def _carried(values, draft, model):
    """Keep of another model's values what this one takes as well: switching the mode keeps the prompt."""
    if draft.model == model.id:
        return values
    kept = {}
    for name, value in values.items():
        spec = model.by_name.get(name)
        if spec is not None and spec.kind in ("text", *MEDIA) and spec.shown != "hidden":
            try:
                kept[name] = spec.parse(value)
            except forms.InputError:
                continue  # it does not fit this model: left out, as if it had not been given
    return kept


def _with_loose(model, values, loose):
    """Put a text or a file that came before the model was chosen where this model takes it."""
    if not loose:
        return values
    if "text" in loose:
        spec = forms.primary_text(model)
        return values | {spec.name: forms.read(spec, loose["text"])} if spec else values
    spec = forms.input_for(model, loose["file"])
    return forms.add_file(spec, values, loose["file"]) if spec else values


def _save(ctx, model, values, **data):
    """Write the draft with its price; every change is a new quote."""
    old = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    kept = {"prompt_message": (old.data.get("prompt_message") if old and old.model == model.id else None)}
    price = None if forms.problem(model, values) else ctx.generation.price(model, values)
    ctx.draft = ctx.drafts.put(
        ctx.user.id,
        PLUGIN,
        ctx.now,
        model=model.id,
        data=kept | {"values": values, "asking": _listens_for(model, values)} | data,
        price=price,
        step=LISTEN,
    )


def _listens_for(model, values):
    """Return the input the next message is for: what is missing first, else the main text."""
    missing = [n for n in model.missing(values) if model.input(n).kind in ("text", "number", *MEDIA)]
    text = forms.primary_text(model)
    return missing[0] if missing else (text.name if text else None)


def _open_draft(ctx, code=None):
    """Return (draft, model) of the open order, or raise when there is none, or it is of another model."""
    draft = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    model = ctx.generation.catalog.models.get(draft.model) if draft and draft.model else None
    if model is None or (code is not None and model.code != code):
        raise UserError("generate.old_card")
    ctx.draft = draft
    return draft, model


# drawing it


def show(ctx, below=False):
    """Show the card: in place after a tap, below the person's message (or a result) otherwise."""
    draft, model = _open_draft(ctx)
    card = _card(ctx, model, draft.data["values"])
    rows = [_main_row(ctx, card, draft), *card.input_rows(model.main_inputs), *_lower_rows(ctx, card)]
    wrong = None if model.missing(card.values) else forms.problem(model, card.values)
    _draw(ctx, card, rows, ctx.say(wrong.key, **wrong.values) if wrong else "", below)


def _card(ctx, model, values):
    return forms.Card(ctx.texts, ctx.lang, model, values, ctx.generation.price_of_credits)


def _draw(ctx, card, rows, question="", below=False):
    """Put a screen of the card where the live message is."""
    texts, settings = card.lines()
    shown = [ctx.say("generate.line", label=label, value=value) for label, value in texts]
    values = {
        "title": card.model.title,
        "mode": card.word(card.model.mode_title),
        "about": ctx.generation.catalog.cards[card.model.card].about(ctx.lang),
        "lines": ctx.lines([*shown, *([ctx.say("generate.settings", value=settings)] if settings else [])]),
        "question": question,
    }
    live = ctx.draft.message_id
    if below or (ctx.kind == "message" and not _within_album(ctx)):
        ctx.delete(live)
        shown_id = ctx.reply("generate.card", rows, **values)
    else:
        shown_id = ctx.edit("generate.card", rows, message_id=None if ctx.tap else live, **values)
    if shown_id != live:
        ctx.drafts.note_screen(ctx.draft, shown_id)


def _within_album(ctx):
    """Tell whether this is the second or a later picture of one album: the card is below the first already."""
    album = ctx.message.get("media_group_id")
    return album is not None and ctx.draft.data.get("album") == album and ctx.draft.data.get("album_count", 0) > 1


def _main_row(ctx, card, draft):
    """Return the one main button: write, order, top up, or why it is not for sale."""
    missing = card.model.missing(draft.data["values"])
    if missing:
        spec = card.model.input(missing[0])
        key = "generate.write" if spec.kind == "text" else f"generate.send_{spec.kind}"
        place = card.model.inputs.index(spec)
        if not ctx.texts.has(key):
            return button("generate.choose", "generate:set", card.model.code, place, name=card.label(spec))
        return button(key, "generate:set", card.model.code, place)
    if draft.price is None:
        if forms.problem(card.model, draft.data["values"]):
            return button("generate.fix", "generate:card")
        return button("generate.not_for_sale", "generate:card")
    lacking = draft.price - ctx.ledger.balance(ctx.user.id)
    if lacking > 0:
        return button("generate.top_up", "payments:lack", lacking, amount=lacking)
    key = "generate.create_up_to" if is_upper_bound(card.model, card.values) else "generate.create"
    return button(key, "generate:go", draft.id, draft.version, price=draft.price)


def _lower_rows(ctx, card):
    rows = []
    more = [spec for spec in card.model.more_inputs if card.model.applies(spec.name, card.values)]
    if more:
        rows.append(button("generate.more", "generate:more", count=len(more)))
    siblings = ctx.generation.catalog.cards[card.model.card].models
    if len(siblings) > 1:
        rows.append(button("generate.mode", "generate:modes", mode=_mode_name(ctx, card.model)))
    menu = card.model.menus[0]
    return [*rows, [button("common.back", "models:type", menu, 0), button("common.menu", "start:menu")]]


def _mode_name(ctx, model):
    title = ctx.generation.catalog.cards[model.card].title
    variant = model.title.removeprefix(title).strip()
    mode = ctx.texts.plain(ctx.lang, model.mode_title)
    return f"{mode} · {variant}" if variant else mode


def back_to_card(ctx):
    """Return from a setting to the card."""
    draft, model = _open_draft(ctx)
    _save(ctx, model, draft.data["values"])
    show(ctx)


def more_settings(ctx):
    """Show the optional inputs."""
    draft, model = _open_draft(ctx)
    card = _card(ctx, model, draft.data["values"])
    _draw(ctx, card, [*card.input_rows(model.more_inputs), button("common.back", "generate:card")])


def modes(ctx):
    """Show the other ways to use the same product."""
    draft, model = _open_draft(ctx)
    card = _card(ctx, model, draft.data["values"])
    siblings = ctx.generation.catalog.cards[model.card].models
    mark = {True: "✓ ", False: ""}
    rows = [button("label", "generate:open", m.code, label=mark[m is model] + _mode_name(ctx, m)) for m in siblings]
    _draw(ctx, card, [*rows, button("common.back", "generate:card")])


# filling it in


def ask_input(ctx, code, place, page=0):
    """Open one input: choices to tap, or a question to answer."""
    draft, model = _open_draft(ctx, code)
    spec = _input(model, place)
    card = _card(ctx, model, draft.data["values"])
    if spec.kind == "switch":
        _save(ctx, model, draft.data["values"] | {spec.name: not model.effective(draft.data["values"]).get(spec.name)})
        show(ctx)
        return
    if spec.kind == "task":
        _ask_result(ctx, card, spec, place)
        return
    _save(ctx, model, draft.data["values"], asking=spec.name)
    rows = card.choice_rows(spec, page) or _answer_rows(card, spec, place)
    question = ctx.say(f"ask.{spec.label}") if ctx.texts.has(f"ask.{spec.label}") else card.label(spec)
    _draw(ctx, card, [*rows, button("common.back", "generate:card")], question)


def turn_page(ctx, code, place, page):
    """Show another page of choices."""
    ask_input(ctx, code, place, page)


def _answer_rows(card, spec, place):
    """Return the buttons that go with a typed or sent answer."""
    rows, value = [], card.values.get(spec.name)
    if spec.kind == "number":
        shown = "—" if value is None else card.shown(spec, value)
        nudge_data = ("generate:nudge", card.model.code, place)
        rows.append([button("form.less", *nudge_data, -1), button("label", "generate:card", label=shown),
                     button("form.more", *nudge_data, 1)])
    if present(value) and (spec.kind in MEDIA or not spec.required):
        rows.append(button("form.clear", "generate:clear", card.model.code, place))
    return rows


def _ask_result(ctx, card, spec, place):
    """Offer the person's earlier results that this input takes."""
    found = []
    for job in ctx.jobs.of_user(ctx.user.id, limit=50, states=["succeeded"]):
        if job.task_id and spec.usable(_result(job)) and len(found) < 6:
            model = ctx.generation.catalog.models.get(job.model)
            found.append(button("generate.result", "generate:feed", job.id, card.model.code, number=job.id, model=model.title))
    question = ctx.say("generate.which_result" if found else "generate.no_result")
    _draw(ctx, card, [*found, button("common.back", "generate:card")], question)


def _result(job):
    """Return an earlier job as the catalogue's task value."""
    inputs = {name: job.inputs[name] for name in ("resolution",) if name in job.inputs}
    return {"job": job.id, "model": job.model, "task_id": job.task_id, "index": 0, **inputs}


def _input(model, place):
    if not 0 <= place < len(model.inputs) or model.inputs[place].shown == "hidden":
        raise UserError("generate.old_card")
    return model.inputs[place]


def pick(ctx, code, place, choice):
    """Take a tapped choice and return to the card."""
    draft, model = _open_draft(ctx, code)
    spec = _input(model, place)
    choices = forms.steps(spec)
    if not 0 <= choice < len(choices):
        raise UserError("generate.old_card")
    _save(ctx, model, draft.data["values"] | {spec.name: choices[choice]})
    show(ctx)


def nudge(ctx, code, place, steps):
    """Make a number larger or smaller by one step, within its bounds."""
    draft, model = _open_draft(ctx, code)
    spec = _input(model, place)
    step = spec.step or 1
    start = draft.data["values"].get(spec.name, spec.default if spec.default is not None else spec.min or 0)
    value = round(start + step * max(-1, min(1, steps)), 6)
    value = min(max(value, spec.min if spec.min is not None else value), spec.max if spec.max is not None else value)
    _save(ctx, model, draft.data["values"] | {spec.name: forms.read(spec, value)})
    ask_input(ctx, code, place)


def clear(ctx, code, place):
    """Forget what was given for an input."""
    draft, model = _open_draft(ctx, code)
    values = {name: value for name, value in draft.data["values"].items() if name != _input(model, place).name}
    _save(ctx, model, values)
    show(ctx)


def take(ctx):
    """Take a text or a file for the open card."""
    draft, model = _open_draft(ctx)
    file = forms.file_in(ctx.message)
    if file is None and not ctx.text:
        raise UserError("generate.cannot_use", buttons=_to_card())
    if file is not None:
        _take_file(ctx, draft, model, file)
    else:
        _take_text(ctx, draft, model, ctx.text)
    show(ctx)


def _take_file(ctx, draft, model, file):
    asked = model.by_name.get(draft.data.get("asking") or "")
    kind = forms.media_kind(file)
    spec = asked if asked is not None and asked.kind == kind else forms.input_for(model, file)
    if spec is None:
        raise UserError("error.not_a_file_for_this", buttons=_to_card(), kind=ctx.texts.plain(ctx.lang, f"kind.{kind}"))
    album = ctx.message.get("media_group_id")
    count = draft.data.get("album_count", 0) + 1 if album and album == draft.data.get("album") else 1
    values = forms.add_file(spec, draft.data["values"], file)
    caption, text = ctx.message.get("caption"), forms.primary_text(model)
    if caption and text and not present(values.get(text.name)):
        values[text.name] = forms.read(text, caption)
    _save(ctx, model, values, album=album, album_count=count)


def _take_text(ctx, draft, model, text):
    asked = model.by_name.get(draft.data.get("asking") or "")
    if asked is not None and asked.kind in MEDIA and not present(draft.data["values"].get(asked.name)):
        fallback = forms.primary_text(model)
        if fallback is None or present(draft.data["values"].get(fallback.name)):
            raise UserError(f"generate.want_{asked.kind}", buttons=_to_card())
        asked = fallback
    spec = asked if asked is not None and asked.kind not in MEDIA else forms.primary_text(model)
    if spec is None:
        raise UserError("generate.takes_no_text", buttons=_to_card())
    values = draft.data["values"] | {spec.name: forms.read(spec, text)}
    _save(ctx, model, values, prompt_message=ctx.message["message_id"], prompt_input=spec.name)


def take_edit(ctx):
    """An edited prompt counts while its card is open."""
    draft = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    if not ctx.private or draft is None or draft.data.get("prompt_message") != ctx.message["message_id"]:
        return
    model = ctx.generation.catalog.models.get(draft.model)
    if model is None or not ctx.text:
        return
    spec = model.by_name.get(draft.data.get("prompt_input")) or forms.primary_text(model)
    values = draft.data["values"] | {spec.name: forms.read(spec, ctx.text)}
    _save(ctx, model, values, prompt_message=ctx.message["message_id"], prompt_input=spec.name)
    show(ctx)


def _to_card():
    return [[button("generate.to_card", "generate:card"), button("common.menu", "start:menu")]]


# ordering


def order(ctx, draft, version):
    """Turn the shown quote into a job; the card becomes its progress message."""
    found = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    if found is not None and (found.id, found.version) == (draft, version):
        model = ctx.generation.catalog.models.get(found.model)
        if model is None or ctx.generation.price(model, found.data["values"]) != found.price:
            _reprice(ctx, found, model)
            return
    try:
        job, created = ctx.generation.order(ctx.user, draft, version, _usual_s(ctx, found), ctx.now)
    except UserError as error:
        _explain(ctx, error)
        return
    if not created:
        ctx.toast("generate.already")
        return
    title = ctx.generation.catalog.models[job.model].title
    shown = ctx.edit("job.queued", [button("job.cancel", "generate:cancel", job.id)], model=title, price=job.price,
                     place=ctx.jobs.place(job), prompt=_prompt_of(ctx, job))
    ctx.jobs.note_progress(job.id, shown, ctx.now + FIRST_PROGRESS)


def _usual_s(ctx, draft):
    model = ctx.generation.catalog.models.get(draft.model) if draft else None
    return model.usual_s if model else 60


def _prompt_of(ctx, job):
    """Return the beginning of what was asked for."""
    text = forms.primary_text(ctx.generation.catalog.models[job.model])
    return str(job.inputs.get(text.name, ""))[: forms.SHOWN_TEXT] if text else ""


def _reprice(ctx, draft, model):
    """Say that the price has changed since the quote, and show the new one."""
    if model is None:
        raise UserError("generate.gone", buttons=[button("models.all", "models:menu")])
    _save(ctx, model, draft.data["values"])
    ctx.toast("generate.price_changed", alert=True)
    show(ctx)


def _explain(ctx, error):
    """Show the card again where the reason is on it: an old quote, or too little money."""
    draft = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    if error.key not in ("job.stale_quote", "job.not_enough") or draft is None or not draft.model:
        raise error
    ctx.toast(error.key, alert=True, **error.values)
    back_to_card(ctx)


def cancel_job(ctx, job):
    """Cancel a queued job; a running one can't be stopped, and that is said."""
    cancelled = ctx.generation.cancel(ctx.user, job, ctx.now)
    if cancelled is not None:
        ctx.edit("generate.cancelled", _end_rows(job), amount=cancelled.price,
                 balance=ctx.ledger.balance(ctx.user.id))
        ctx.jobs.note_progress(job, None, None)
    elif (known := ctx.jobs.get(job, ctx.user.id)) is None:
        raise UserError("common.old_button")
    else:
        ctx.toast("generate.cannot_stop" if known.state in ("submitting", "running", "lost") else "generate.is_over", alert=True)


def cancel_all(ctx):
    """Drop the open card, cancel what is queued, and say honestly what can't be stopped."""
    dropped = ctx.drafts.drop(ctx.user.id)
    jobs = ctx.jobs.of_user(ctx.user.id, limit=20, states=["queued", "submitting", "running", "lost"])
    cancelled = [job for job in jobs if ctx.generation.cancel(ctx.user, job.id, ctx.now)]
    running = len(jobs) - len(cancelled)
    lines = [ctx.say("generate.cancel_draft")] if dropped else []
    if cancelled:
        lines.append(ctx.say("generate.cancel_jobs", n=len(cancelled), amount=sum(job.price for job in cancelled)))
    if running:
        lines.append(ctx.say("generate.cancel_running", n=running))
    ctx.reply("generate.cancel", ctx.bot.home(), lines=ctx.lines(lines or [ctx.say("generate.cancel_nothing")]))


def _end_rows(job):
    return [[button("job.change", "generate:change", job)], button("common.menu", "start:menu")]


# going on from a result


def _own_job(ctx, job):
    found = ctx.jobs.get(job, ctx.user.id)
    model = ctx.generation.catalog.models.get(found.model) if found else None
    if found is None:
        raise UserError("common.old_button")
    if model is None:
        raise UserError("generate.gone", buttons=[button("models.all", "models:menu")])
    return found, model


def again(ctx, job):
    """Open a new card with everything as it was, ready to confirm."""
    change(ctx, job)


def change(ctx, job):
    """Open a new card with the inputs of an earlier job, below its result."""
    found, model = _own_job(ctx, job)
    known = {name: value for name, value in found.inputs.items() if name in model.by_name}
    _save(ctx, model, known)
    show(ctx, below=True)


def use(ctx, job):
    """Offer the models that take a picture, fed with this result."""
    found, _model = _own_job(ctx, job)
    if not _files_of(found):
        raise UserError("generate.no_file")
    rows = []
    for kind in ("image-edit", "image-upscale", "image-to-video", "background-removal"):
        model = next(iter(ctx.generation.catalog.of_type(kind)), None)
        if model is not None:
            rows.append(button("generate.use_in", "generate:feed", job, model.code, mode=ctx.texts.plain(ctx.lang, f"do.{kind}"),
                               model=model.title))
    ctx.reply("generate.use_title", [*rows, *ctx.bot.home()])


def feed(ctx, job, code):
    """Open a model's card with an earlier result filled in."""
    found, _model = _own_job(ctx, job)
    model = ctx.generation.catalog.by_code(code)
    if model is None:
        raise UserError("generate.gone", buttons=[button("models.all", "models:menu")])
    task = next((spec for spec in model.inputs if spec.kind == "task" and spec.usable(_result(found))), None)
    draft = ctx.drafts.get(ctx.user.id, PLUGIN, ctx.now)
    if task is not None:
        values = draft.data["values"] if draft and draft.model == model.id else model.defaults()
        _save(ctx, model, values | {task.name: _result(found)})
        show(ctx)
        return
    values = model.defaults()
    for file in _files_of(found)[:1]:
        spec = forms.input_for(model, file)
        values = forms.add_file(spec, values, file) if spec else values
    _save(ctx, model, values)
    show(ctx, below=True)


def _files_of(job):
    """Return the files of a delivered job as media values."""
    sent = [part for part in job.sent or [] if part["kind"] in ("photo", "video", "audio", "document")]
    return [{"file_id": part["file_id"], "unique_id": part["file_id"], "kind": part["kind"], "mime": None, "size": None,
             "name": None, "seconds": None, "width": None, "height": None} for part in sent]

"""*Make it the example*: a result of the bot's own is shown with an idea, in place of its drawing, and where its model is offered.

The staff's own results have the button; for another person's, /example NUMBER asks that person in the chat first. The answer is
kept, and can be taken back; with the person's data the example is erased.
Texts: examples.* in data/texts/<lang>/ideas/examples.po.
"""

from core.buttons import button, pager, route
from core.errors import UserError
from core.services.examples import NOTHING, RESULTS, STORE, name_of
from core.services.examples import shown as all_shown
from plugins.ideas._idea import known, named, title

CARD_OF = route("generate:open", optional=True)

RIGHT = "settings"
ASK, PAGE, MOST_DIGITS = -1, 8, 15
MODEL = "@model"  # in place of an idea's name: the model that made it
SHOWN = ("photo", "video", "animation", "audio")  # what a message can be turned into (editMessageMedia)


def register(bot):
    """Declare the button under results, the command, and the question to the owner."""
    bot.repeatable()
    bot.under_result(4, under_result)
    bot.command("example", command, about="examples.about", right=RIGHT)
    bot.button("examples:pick", pick, right=RIGHT, job=int, part=int, page=int)
    bot.button("examples:put", put, right=RIGHT, job=int, part=int, name=str)
    bot.button("examples:drop", drop, right=RIGHT, name=str, seen=int)
    bot.button("examples:answer", answer, job=int, yes=int)
    bot.privacy_line(told)


def told(ctx):
    """Say when a result is shown to others."""
    return ctx.say("examples.privacy")


def under_result(bot, job):
    """Return the button under a result of the staff's own."""
    is_shown = bot.may(job.user, RIGHT) and _parts(job)
    return [button("examples.make", "examples:pick", job.id, ASK, 0)] if is_shown else []


def _parts(job):
    """Return (place, file) of a result's files that can be shown; before its delivery, of those there will be."""
    if job.sent is None:
        return list(enumerate((job.result or {}).get("urls", ())))
    return [(place, file) for place, file in enumerate(job.sent) if file["kind"] in SHOWN and file.get("file_id")]


def _file(job, part):
    found = dict(_parts(job)) if job.sent else {}
    if part not in found:
        raise UserError("common.old_button")
    return found[part]


# the owner's consent


def command(ctx):
    """Make an order's result an example: at once if it is one's own, else its owner is asked."""
    number = ctx.args.removeprefix("#").removeprefix(ctx.texts.plain(ctx.lang, "common.number", number=""))
    job = ctx.jobs.get(int(number)) if number.isdecimal() and len(number) <= MOST_DIGITS else None
    if job is None or not job.sent or not _parts(job):
        raise UserError("examples.how", buttons=ctx.bot.home())
    if _may_show(ctx, job):
        pick(ctx, job.id, ASK, 0)
        return
    act = _act(ctx, "example_ask", f"#{job.id}")
    kept = _change(ctx.bot, job.user_id, lambda kept: _asked(kept, job.id, ctx.user.id), act)
    if kept["answers"][str(job.id)]["answer"] is False:
        raise UserError("examples.refused", buttons=ctx.bot.home())
    rows = [button("examples.yes", "examples:answer", job.id, 1), button("examples.no", "examples:answer", job.id, 0)]
    file = _parts(job)[0][1]
    media = {"kind": file["kind"], "file_id": file["file_id"]}
    ctx.notify(job.user_id, "examples.ask", unique=f"example:{job.id}", buttons=rows, media=media)
    ctx.reply("examples.asked", ctx.bot.home(), number=job.id)


def _change(bot, owner, work, act=None):
    """Change what is kept of a person's results, all at once, and return it; an `act` of the staff is logged."""
    return bot.store(STORE).of(owner).change(RESULTS, lambda kept: work(kept or NOTHING), act)


def _act(ctx, what, words):
    return {"actor_id": ctx.user.id, "what": what, "now": ctx.now, "words": words}


def _asked(kept, job, by):
    return kept | {"answers": {str(job): {"answer": None, "by": by, "models": True}} | kept["answers"]}


def _has_agreed(kept, job):
    return bool(kept["answers"].get(str(job), {}).get("answer"))


def _may_show(ctx, job):
    """Return whether an order's result may be shown to all: it is the asker's own, or its owner has agreed."""
    return job.user_id == ctx.user.id or _has_agreed(_kept(ctx, job), job.id)


def _goes_with_model(ctx, job):
    """Return whether it may also be shown where its model is offered, which was not asked about from the start."""
    return job.user_id == ctx.user.id or bool(_kept(ctx, job)["answers"].get(str(job.id), {}).get("models"))


def _kept(ctx, job):
    return ctx.bot.store(STORE).of(job.user_id).get(RESULTS, NOTHING)


def answer(ctx, job, yes):
    """Keep the owner's answer; what was agreed to can be taken back, and then it is shown no longer."""
    found = ctx.jobs.get(job, ctx.user.id)
    kept = ctx.bot.store(STORE).of(ctx.user.id).get(RESULTS, NOTHING)
    if found is None or str(job) not in kept["answers"]:
        raise UserError("common.old_button")
    kept = _change(ctx.bot, ctx.user.id, lambda kept: _answered(kept, job, bool(yes)))
    if not yes:
        ctx.edit("examples.not_shown", ctx.bot.home())
        return
    go_on = [button("examples.make", "examples:pick", job, ASK, 0)]
    ctx.notify(kept["answers"][str(job)]["by"], "examples.agreed", unique=f"agreed:{job}", buttons=go_on, number=job)
    ctx.edit("examples.thanks", [button("examples.back", "examples:answer", job, 0), *ctx.bot.home()])


def _answered(kept, job, yes):
    """Return what is kept with the answer; after a no, without the examples made of that order."""
    answers = kept["answers"] | {str(job): kept["answers"][str(job)] | {"answer": yes}}
    return {"answers": answers, "shown": {name: one for name, one in kept["shown"].items() if yes or one["job"] != job}}


# what it is an example of


def _allowed(ctx, job):
    """Return an order whose result may be shown to all; raise UserError for any other one."""
    found = ctx.jobs.get(job)
    if found is None or not _may_show(ctx, found):
        raise UserError("common.old_button")
    return found


def pick(ctx, job, part, page):
    """Show what a result could be the example of, its model first; of several files, ask which one."""
    found = _allowed(ctx, job)
    parts = [place for place, _file in _parts(found)]
    if part == ASK and len(parts) > 1:
        cells = [button("label", "examples:pick", job, one, 0, label=str(one + 1)) for one in parts]
        ctx.edit("common.which", [*(cells[i : i + 3] for i in range(0, len(cells), 3)), *ctx.bot.home()])
        return
    part = parts[0] if part == ASK and parts else part
    _file(found, part)
    ideas = [idea for idea in known(ctx.bot) if _is_like(ctx, idea, found)]
    pages = -(-len(ideas) // PAGE)
    now = all_shown(ctx.bot)
    cells = [_cell(now, idea.name, job, part, title(ctx, idea)) for idea in ideas[page % max(1, pages) * PAGE :][:PAGE]]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    rows += pager(page % max(1, pages), pages, "examples:pick", job, part)
    model = ctx.generation.model(found)
    if model is not None and _goes_with_model(ctx, found):
        label = ctx.texts.plain(ctx.lang, "examples.of_model", model=model.title)
        rows.insert(0, [_cell(now, MODEL, job, part, label, name_of(model.id))])
    ctx.edit("examples.pick", [*rows, *ctx.bot.home()], number=job)


def _is_like(ctx, idea, job):
    """Return whether an idea makes the same kind of thing as an order has."""
    model = ctx.generation.model(job)
    return model is not None and ctx.generation.live_catalogue.offers_of(idea)[0][1].output == model.output


def _cell(now, name, job, part, label, key=None):
    """Return the button that makes a result an example, or takes it off; `key` is the name that it is kept under."""
    is_it = (one := now.get(key or name)) and (one["job"], one["part"]) == (job, part)
    if is_it:
        return button("label", "examples:drop", name, job, label="✓ " + label)
    return button("label", "examples:put", job, part, name, label=label)


def _target(ctx, name, job):
    """Return (the name that an example is kept under, its title, the button that leads to it) of an idea or a job's model."""
    if name == MODEL and (model := job and ctx.generation.model(job)):
        return name_of(model.id), model.title, button("label", CARD_OF, model.code, label=model.title)
    place, idea = named(ctx.bot, name)
    return name, title(ctx, idea), button("label", "ideas:show", place, label=title(ctx, idea))


def put(ctx, job, part, name):
    """Make a result the example of an idea, or of its model, in place of the one before."""
    found = _allowed(ctx, job)
    file, (key, words, there) = _file(found, part), _target(ctx, name, found)
    with_model = _goes_with_model(ctx, found)
    if not (with_model if name == MODEL else _is_like(ctx, named(ctx.bot, name)[1], found)):
        raise UserError("common.old_button")
    value = {"job": job, "part": part, "kind": file["kind"], "file_id": file["file_id"]}
    value |= {
        "model": ctx.generation.title(found),
        "of": found.model if with_model else None,
        "at": ctx.now.timestamp(),
    }
    own = found.user_id == ctx.user.id
    act = _act(ctx, "example", words)
    _change(ctx.bot, found.user_id, lambda kept: _shown(kept, key, value, own), act)
    _drop(ctx.bot, key, but=found.user_id)
    ctx.edit("examples.shown_model" if name == MODEL else "examples.shown", [there, *ctx.bot.home()])


def _shown(kept, name, value, own):
    """Return what is kept with one more example; raise UserError if the owner has taken the yes back, or was erased."""
    if not own and not _has_agreed(kept, value["job"]):
        raise UserError("common.old_button")
    return kept | {"shown": kept["shown"] | {name: value}}


def drop(ctx, name, seen):
    """Take an example off, if it still is of the order `seen`: an idea has its drawing again, a model none."""
    key, words, there = _target(ctx, name, ctx.jobs.get(seen))
    shown = all_shown(ctx.bot).get(key)
    if shown is None or shown["job"] != seen:
        ctx.toast("common.changed_meanwhile", alert=True)
        return
    _drop(ctx.bot, key, act=_act(ctx, "example_drop", words))
    ctx.edit("examples.off" if name == MODEL else "examples.dropped", [there, *ctx.bot.home()])


def _drop(bot, name, but=None, act=None):
    for owner, kept in bot.store(STORE).everybodys(RESULTS).items():
        if owner != but and name in kept["shown"]:
            _change(bot, owner, lambda kept: _without(kept, name), act)


def _without(kept, name):
    return kept | {"shown": {other: one for other, one in kept["shown"].items() if other != name}}

"""The ladders in the chat: put another model on a rung, or switch a rung off; `data/offers.json` counts until then.

A change is one of the catalogue: it is in the log, and can be undone under *Changes*.
Texts: rungs.* in data/texts/<lang>/admin/rungs.po, do.* and ladder.* beside them.
"""

from core.buttons import button, mark, pager, way_out
from core.errors import UserError
from kie.catalogue.offers import RUNGS, change_of

PAGE, LABEL = 5, 36  # models on a page; characters of a label that a phone shows in full


def register(bot):
    """Declare the screens, and a line of doctor."""
    bot.repeatable()
    bot.button("rungs:show", show, right="settings")
    bot.button("rungs:work", show_work, right="settings", work=str)
    bot.button("rungs:rung", show_rung, right="settings", work=str, name=str, page=int)
    bot.button("rungs:pick", pick, right="settings", work=str, name=str, code=str)
    bot.button("rungs:switch", switch, right="settings", work=str, name=str, on=int)
    bot.button("rungs:reset", reset, right="settings", work=str, name=str, seen=str)
    bot.check("offers", examine)


def examine(bot):
    """Report which entries of data/offers.json are left out, and why."""
    rejected = bot.generation.live_catalogue.offers.rejected
    entries = "; ".join(f"{entry}: {why}" for entry, why in rejected[:5])
    return ("rungs.rejected", {"count": len(rejected), "entries": entries}) if rejected else None


def show(ctx):
    """Show the kinds of work that have a ladder, and a model on sale."""
    works = ctx.generation.live_catalogue.offers.works
    cells = [button(f"do.{work}", "rungs:work", work) for work in works if _able(ctx, work)]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    ctx.edit("rungs.works", [*rows, way_out("supply:show")])


def show_work(ctx, work):
    """Show the rungs of a ladder with their models."""
    if work not in ctx.generation.live_catalogue.offers.works:
        raise UserError("common.old_button")
    models = dict(ctx.generation.live_catalogue.rungs(work))
    rows = [button("label", "rungs:rung", work, name, 0, label=_label(ctx, name, models.get(name))) for name in RUNGS]
    ctx.edit("rungs.work", [*rows, way_out("rungs:show")], work=ctx.texts.plain(ctx.lang, f"do.{work}"))


def _label(ctx, name, offers):
    label = ctx.texts.plain(ctx.lang, "rungs.rung", rung=_rung(ctx, name), model=_title(ctx, offers))
    return label if len(label) <= LABEL else label[: LABEL - 1] + "…"


def _rung(ctx, name):
    return ctx.texts.plain(ctx.lang, f"rungs.{name}")


def _title(ctx, offers):
    """Return the model now on a rung, or say that there is none."""
    return offers[0][1].title if offers else ctx.texts.plain(ctx.lang, "rungs.none")


def show_rung(ctx, work, name, page):
    """Show what is on a rung, and a page of the models that could be."""
    _check(ctx, work, name)
    live_catalogue = ctx.generation.live_catalogue
    change, now = live_catalogue.value(*change_of(work, name)) or {}, dict(live_catalogue.rungs(work)).get(name)
    models = _able(ctx, work)
    pages = -(-len(models) // PAGE)
    rows = [
        button("label", "rungs:pick", work, name, m.code, label="✓ " * (now is not None and m is now[0][1]) + m.title)
        for m in models[page % pages * PAGE :][:PAGE]
    ]
    rows += pager(page % pages, pages, "rungs:rung", work, name)
    off = change.get("off")
    last = [button("rungs.on" if off else "rungs.off", "rungs:switch", work, name, 1 if off else 0)]
    last += [button("rungs.reset", "rungs:reset", work, name, mark(change))] if change.get("model") else []
    values = {"work": ctx.texts.plain(ctx.lang, f"do.{work}"), "rung": _rung(ctx, name), "model": _title(ctx, now)}
    ctx.edit("rungs.one", [*rows, last, way_out("rungs:work", work)], **values)


def _check(ctx, work, name):
    if work not in ctx.generation.live_catalogue.offers.works or name not in RUNGS or not _able(ctx, work):
        raise UserError("common.old_button")


def _able(ctx, work):
    """Return the models on sale that can do a kind of work with what people send for it."""
    models = ctx.generation.catalog.models.values()
    return [
        m
        for m in models
        if any(m.takes(kind) and work in m.works(kind) for kind in ("text", "image", "video", "audio"))
    ]


def pick(ctx, work, name, code):
    """Put a model on a rung, with its usual settings."""
    _check(ctx, work, name)
    if code not in [model.code for model in _able(ctx, work)]:
        raise UserError("job.gone")
    _put(ctx, work, name, {"model": code})


def switch(ctx, work, name, on):
    """Switch a rung off, or on again as it is in the file."""
    _check(ctx, work, name)
    _put(ctx, work, name, None if on else {"off": True})


def reset(ctx, work, name, seen):
    """Restore the file's models, if the change is still the one that was shown."""
    _check(ctx, work, name)
    if mark(ctx.generation.live_catalogue.value(*change_of(work, name)) or {}) == seen:
        _put(ctx, work, name, None)
    else:
        ctx.toast("common.changed_meanwhile", alert=True)
        show_rung(ctx, work, name, 0)


def _put(ctx, work, name, value):
    """Write a change unless it is in force already, and show the ladder."""
    scope, field = change_of(work, name)
    if ctx.generation.live_catalogue.value(scope, field) != value:
        ctx.overrides.put(scope, field, value, now=ctx.now, actor=ctx.user.id)
    ctx.generation.live_catalogue.forget()
    show_work(ctx, work)

"""What can be made from something: from a result (Upscale, Animate, Use in…), or from a text or file that was sent.

In the data of its buttons, `job` is the result's order, or 0 for what was sent and is kept in the card's draft; `part`
says which of several results, from 0.
Texts: uses.* in data/texts/<lang>/generate/result_actions.po, do.* in core.po.
"""

from core.buttons import button, pager, route, way_out
from core.errors import UserError
from kie.catalogue.model import TYPES
from kie.catalogue.pricing import cheapest
from plugins.generate._card_view import FITS
from plugins.generate._loose import kind_of, need, own, result, screen_of

MODELS = route("models:menu", optional=True)

UPSCALE, LARGER, EACH = "image-upscale", "ladder:finish", -1
PAGE = 6
QUICK = {"image": ("image-upscale", "image-to-video"), "video": ("video-upscale",), "audio": (), "text": ()}
OFFERS = ("common.offer", "common.offer_free")
MANY = 10  # of one order's results to choose from


def register(bot):
    """Declare the buttons, and those under every result."""
    bot.repeatable()
    bot.button("uses:do", do, job=int, work=str)
    bot.button("uses:of", use, job=int)
    bot.button("uses:best", open_best, job=int, part=int, work=str)
    bot.button("uses:works", show_works, job=int, part=int)
    bot.button("uses:work", show_models, job=int, part=int, work=str, page=int)
    bot.button("uses:open", open_model, job=int, part=int, work=str, page=int, code=str)
    bot.under_result(2, under_result)


def under_result(bot, job):
    """Return the buttons under a result: the most common actions for its kind, and all the others."""
    model = bot.generation.model(job)
    if model is None or not job.result:
        return []
    kind = model.output if job.result["urls"] else "text"
    works = bot.generation.catalog.works_with(kind)
    quick = [_quick(bot, job, model, work) for work in QUICK[kind] if work in works]
    return [*quick, button("uses.use", "uses:of", job.id)]


def _quick(bot, job, model, work):
    """Return the button of a usual action; a picture is enlarged on a ladder, which says what each rung gives."""
    has_ladder = work == UPSCALE and work not in model.modes and LARGER in bot.handlers["button"]
    if has_ladder and bot.generation.live_catalogue.rungs(UPSCALE):
        return button(f"do.{work}", LARGER, job.id, 0 if len(job.result["urls"]) == 1 else EACH)
    return button(f"do.{work}", "uses:do", job.id, work)


# from a result, which stays as it is: what follows comes below it


def do(ctx, job, work):
    """Open the best model for one kind of work with a result."""
    if _count(ctx, job) > 1:
        _ask_which(ctx, job, "uses:best", work)
    else:
        open_best(ctx, job, 0, work, below=True)


def use(ctx, job):
    """Offer everything that can be made from a result."""
    if _count(ctx, job) > 1:
        _ask_which(ctx, job, "uses:works")
    else:
        _draw_works(ctx, job, 0, ctx.reply)


def _count(ctx, job):
    return len(own(ctx, job).result["urls"])


def _ask_which(ctx, job, route, *more):
    cells = [
        button("label", route, job, part, *more, label=str(part + 1)) for part in range(min(MANY, _count(ctx, job)))
    ]
    ctx.reply("common.which", [*(cells[i : i + 3] for i in range(0, len(cells), 3)), *ctx.bot.home()])


# what and how


def _source(ctx, job, part):
    """Return what is to be used, as the card takes it, and its kind."""
    loose = result(own(ctx, job), part) if job else need(ctx)
    return loose, kind_of(loose)


def show_works(ctx, job, part):
    """Offer the kinds of work that can be done with it."""
    _draw_works(ctx, job, part, ctx.edit)


def _draw_works(ctx, job, part, draw):
    source, kind = _source(ctx, job, part)
    works = ctx.generation.catalog.works_with(kind, source.get("task"))
    cells = [button(f"do.{work}", "uses:work", job, part, work, 0) for work in works]
    last = ctx.bot.home() if job else way_out(screen_of(ctx))
    draw("uses.title", [*(cells[i : i + 2] for i in range(0, len(cells), 2)), last])


def show_models(ctx, job, part, work, page):
    """Show a page of the models that do one kind of work with it."""
    source, kind = _source(ctx, job, part)
    models = _ranked(ctx, ctx.generation.catalog.works_with(kind, source.get("task")).get(work, ()))
    if work not in TYPES or not models:
        raise UserError("common.old_button")
    pages = -(-len(models) // PAGE)
    page = min(max(page, 0), pages - 1)
    rows = [
        button("label", "uses:open", job, part, work, page, model.code, label=_offer(ctx, title, price))
        for model, title, price in models[page * PAGE :][:PAGE]
    ]
    rows += pager(page, pages, "uses:work", job, part, work)
    ctx.edit(
        "uses.models",
        [*rows, way_out(f"uses:works:{job}:{part}")],
        work=ctx.texts.plain(ctx.lang, f"do.{work}"),
    )


def _offer(ctx, title, price):
    """Return the label of a model, with its price if a phone shows both in full; the card shows it anyway."""
    label = ctx.texts.plain(ctx.lang, OFFERS[not price], title=title, price=price)
    return label if len(label) <= FITS[1] else title


def _ranked(ctx, models):
    """Return (model, title, lowest price) of what is on sale: the person's last ones, popular ones, then by price."""
    recent, popular = ctx.jobs.recent_models(ctx.user.id), ctx.generation.popularity(ctx.now)
    priced = [(model, ctx.generation.price_of_credits(cheapest(model), model)) for model in models]
    titles = [model.title for model in models]

    def rank(offer):
        model, price = offer
        place = recent.index(model.id) if model.id in recent else len(recent)
        return place, -popular.get(model.id, 0), price

    def title(model):
        mode = ctx.texts.plain(ctx.lang, model.mode_title)
        return f"{model.title}, {mode}" if titles.count(model.title) > 1 else model.title

    return [(m, title(m), price) for m, price in sorted((o for o in priced if o[1] is not None), key=rank)]


def open_best(ctx, job, part, work, below=False):
    """Open the card of the first model for one kind of work: in the catalogue's order, unless others are popular."""
    source, kind = _source(ctx, job, part)
    models = ctx.generation.catalog.works_with(kind, source.get("task")).get(work)
    if not models:
        raise UserError("common.old_button")
    recent, popular = ctx.jobs.recent_models(ctx.user.id), ctx.generation.popularity(ctx.now)
    best = min(models, key=lambda model: (model.id not in recent, -popular.get(model.id, 0)))
    _open(ctx, job, part, best, f"uses:work:{job}:{part}:{work}:0", below)


def open_model(ctx, job, part, work, page, code):
    """Open a model's card with it filled in."""
    model = ctx.generation.catalog.by_code(code)
    if model is None:
        raise UserError("job.gone", buttons=[button("common.all_models", MODELS)])
    _open(ctx, job, part, model, f"uses:work:{job}:{part}:{work}:{page}", below=False)


def _open(ctx, job, part, model, back, below):
    source, _kind = _source(ctx, job, part)
    if job:
        ctx.drafts.put(ctx.user.id, "generate", ctx.now, data={"loose": source}, step=None)
    ctx.go("generate:open", code=model.code, back=back, below=below)

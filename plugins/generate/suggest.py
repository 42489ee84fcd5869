"""A text or a file sent outside any dialogue that has no ladder: what can be made from it, by kinds of work.

Texts: suggest.* in data/texts/<lang>/generate/suggest.po, do.* in core.po.
"""

from core.attachments import MEDIA_FIELDS
from core.buttons import MENU, button
from core.errors import UserError
from plugins.generate._loose import kind_of, need, sent

FIRST = {
    "image": ("image-edit", "image-upscale", "image-to-video", "background-removal"),
    "video": ("video-upscale", "video-edit", "video-to-video", "lip-sync"),
    "audio": ("audio-isolation", "lip-sync", "music-edit", "stem-separation"),
    "text": ("text-to-image", "text-to-video", "text-to-music", "text-to-speech"),
}
SHOWN = 60


def register(bot):
    """Declare what to do with content nobody asked for."""
    bot.repeatable()
    bot.button("suggest:show", show)
    for kind in ("text", *MEDIA_FIELDS):
        bot.update(kind, on_content)


def on_content(ctx):
    """Keep what was sent for the model that is chosen next, and offer what can be made from it."""
    loose = sent(ctx)
    if kind_of(loose) not in FIRST:
        raise UserError("suggest.unknown_file", buttons=ctx.bot.home())
    ctx.drafts.put(ctx.user.id, "generate", ctx.now, model=None, price=None, data={"loose": loose}, step=None)
    _draw(ctx, loose)


def show(ctx):
    """Show the kinds of work for what was sent."""
    _draw(ctx, need(ctx))


def _draw(ctx, loose):
    """Offer the most common works for what was sent, and everything else."""
    kind, text = kind_of(loose), loose["text"]
    works = ctx.generation.catalog.works_with(kind)
    cells = [button(f"do.{work}", "uses:best", 0, 0, work) for work in FIRST[kind] if work in works]
    rows = [*_last(ctx, kind), *(cells[i : i + 2] for i in range(0, len(cells), 2))]
    rows.append([button("suggest.other", "uses:works", 0, 0), button("common.menu", MENU)])
    shown = text[:SHOWN] + "…" * (len(text) > SHOWN)
    ctx.edit(f"suggest.{'text' if kind == 'text' else 'file'}", rows, text=shown)


def _last(ctx, kind):
    """Return the button of the model used last, if it can take this."""
    model = ctx.generation.catalog.models.get(ctx.jobs.last_model(ctx.user.id))
    takes = model is not None and model.takes(kind)
    return [button("common.last_model", "generate:open", model.code, model=model.title)] if takes else []

"""A text or a file sent outside any dialogue: kept in the draft, and answered with what can be made of it.

Texts: suggest.* in data/texts/<lang>/generate/suggest.po, do.* in core.po.
"""

from core.attachments import MEDIA_FIELDS, file_in, media_kind
from core.buttons import MENU, button
from core.errors import UserError

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
    bot.update("text", on_text)
    for kind in MEDIA_FIELDS:
        bot.update(kind, on_file)


def on_text(ctx):
    """Take a text as a prompt and offer what to make of it."""
    _keep(ctx, {"text": ctx.text})
    show(ctx)


def on_file(ctx):
    """Ask what to do with a file."""
    file = file_in(ctx.message)
    if media_kind(file) not in FIRST:
        raise UserError("suggest.unknown_file", buttons=ctx.bot.home())
    caption = ctx.message.get("caption")
    _keep(ctx, {"file": file} | ({"caption": caption} if caption else {}))
    show(ctx)


def _keep(ctx, loose):
    """Keep what was sent for the model that is chosen next."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    data = dict(draft.data) if draft else {}
    ctx.drafts.put(ctx.user.id, "generate", ctx.now, data=data | {"loose": loose}, step=None)


def show(ctx):
    """Offer what is done most with what was sent, and everything else."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    loose = draft.data.get("loose") if draft else None
    if not loose:
        raise UserError("common.gone", buttons=ctx.bot.home())
    kind = "text" if "text" in loose else media_kind(loose["file"])
    works = ctx.generation.catalog.works_with(kind)
    cells = [button(f"do.{work}", "uses:best", 0, 0, work) for work in FIRST[kind] if work in works]
    rows = [*_last(ctx, kind), *(cells[i : i + 2] for i in range(0, len(cells), 2))]
    rows.append([button("suggest.other", "uses:works", 0, 0), button("common.menu", MENU)])
    text = loose.get("text", "")
    ctx.edit(f"suggest.{'text' if text else 'file'}", rows, text=text[:SHOWN] + "…" * (len(text) > SHOWN))


def _last(ctx, kind):
    """Return the button of the model used last, if it can take this."""
    for name in ctx.jobs.recent_models(ctx.user.id, limit=1):
        model = ctx.generation.catalog.models.get(name)
        if model is not None and model.takes(kind):
            return [button("common.last_model", "generate:open", model.code, model=model.title)]
    return []

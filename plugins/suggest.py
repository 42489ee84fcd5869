"""A text or a file sent without being asked for: taken as a prompt, or offered to the models that can use it.

Texts: suggest.* and do.* in data/texts/<lang>/suggest.po.
"""

from core import forms
from core.buttons import button
from core.errors import UserError

KINDS_FOR = {
    "image": ("image-edit", "image-upscale", "image-to-video", "background-removal"),
    "video": ("video-upscale", "video-edit", "video-to-video"),
    "audio": ("audio-isolation", "lip-sync", "music-edit"),
    "text": ("text-to-image", "text-to-video", "text-to-music", "text-to-speech"),
}
SHOWN = 60


def register(bot):
    """Declare what to do with content nobody asked for."""
    bot.update("text", on_text)
    for kind in forms.MEDIA_FIELDS:
        bot.update(kind, on_file)


def on_text(ctx):
    """Take a text as a prompt and offer what to make of it."""
    rows = []
    last = next(iter(ctx.jobs.of_user(ctx.user.id, limit=1)), None)
    model = ctx.generation.catalog.models.get(last.model) if last else None
    if model is not None and model.main_text:
        rows.append(button("start.last", "generate:open", model.code, model=model.title))
    rows += _offers(ctx, "text")
    _offer(ctx, {"text": ctx.text}, rows, "suggest.text", text=ctx.text[:SHOWN] + "…" * (len(ctx.text) > SHOWN))


def on_file(ctx):
    """Ask what to do with a file."""
    file = forms.file_in(ctx.message)
    kind = forms.media_kind(file)
    if kind not in KINDS_FOR:
        raise UserError("suggest.unknown_file", buttons=ctx.bot.home())
    _offer(ctx, {"file": file}, _offers(ctx, kind), "suggest.file")


def _offers(ctx, kind):
    """Return a button for each thing that can be done, leading to the first model that does it."""
    cells = []
    for work in KINDS_FOR[kind]:
        model = next(iter(ctx.generation.catalog.of_type(work)), None)
        if model is not None:
            cells.append(button(f"do.{work}", "generate:open", model.code))
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def _offer(ctx, loose, rows, key, **values):
    """Keep what was sent for the model that is chosen next."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    data = dict(draft.data) if draft else {}
    ctx.drafts.put(ctx.user.id, "generate", ctx.now, data=data | {"loose": loose}, step=None)
    ctx.reply(key, [*rows, [button("suggest.other", "models:menu"), button("common.menu", "start:menu")]], **values)

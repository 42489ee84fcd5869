"""A button under results: people can show what they made in a channel.

Setting: GALLERY_CHAT, the channel's numeric id, in which the bot is an administrator; 0, the default, turns it off.
Texts: gallery.* in data/texts/<lang>/gallery.po.
"""

from core.buttons import button
from core.errors import UserError

ROW = 90  # below the bot's own buttons


def register(bot):
    """Declare the button, if a channel is set."""
    if bot.setting("GALLERY_CHAT", int, default=0):
        bot.under_result(ROW, lambda bot, job: [button("gallery.show", "gallery:show", job.id)])
        bot.button("gallery:show", show, job=int, repeat=True)


def show(ctx, job):
    """Queue the post, once per order: it arrives even if the bot is killed right now."""
    found = ctx.jobs.get(job, ctx.user.id)
    file = next(iter(found.sent or ()), None) if found else None
    if file is None:
        raise UserError("common.gone")
    place, prompt = ctx.settings["GALLERY_CHAT"], str(found.inputs.get("prompt", ""))[:200]
    ctx.bot.post(place, "gallery.post", unique=f"gallery:{job}", now=ctx.now, media=file, prompt=prompt)
    ctx.toast("gallery.shown")

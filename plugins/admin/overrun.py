"""KIE took more than the price covers: an alarm with a button that takes the model off sale, and a line in /doctor.

This means that a paid order cost more than it was charged, or that any order took more credits than the catalogue says:
it has a wrong price, or a file's length was not what it seemed. /stats has the sum.
Texts: overrun.* in data/texts/<lang>/admin/overrun.po.
"""

from datetime import timedelta

from core.buttons import button, way_out
from core.errors import UserError

MICRO = 1_000_000
LOOKED_AT = timedelta(days=7)


def register(bot):
    """Declare the alarm, its button and the check."""
    bot.repeatable()
    bot.on("job.overrun", tell)
    bot.button("overrun:pause", pause, right="settings", groups=True, code=str)
    bot.check("what KIE took", examine)


def tell(bot, event, now):
    """Alert the staff about the model, with this order's figures."""
    job = bot.jobs.get(event.job)
    model = bot.generation.model(job)
    bot.alert(
        "overrun.alert",
        cause=f"overrun:{job.model}",
        buttons=[button("overrun.pause", "overrun:pause", model.code)] if model else None,
        job=job.id,
        model=bot.generation.title(job),
        took=_credits(job.cost),
        said=_credits(job.expected or 0),
        worth=bot.generation.worth(job.cost),
        charged=job.charged,
        overrun=job.overrun,
    )


def _credits(micro):
    return f"{micro / MICRO:.2f}".rstrip("0").rstrip(".")


def pause(ctx, code):
    """Take the model off sale; orders under way are finished."""
    model = next((model for model in ctx.generation.catalog.known.values() if model.code == code), None)
    if model is None:
        raise UserError("common.old_button")
    live_catalogue, scope = ctx.generation.live_catalogue, f"model:{model.id}"
    if not live_catalogue.value(scope, "off"):
        ctx.overrides.put(scope, "off", True, now=ctx.now, actor=ctx.user.id)
        live_catalogue.forget()
    rows = [button("overrun.model", "terms:model", code), way_out("admin:show")] if ctx.private else None
    ctx.reply("overrun.paused", rows, model=model.title)


def examine(bot):
    """Has KIE recently taken more than prices cover?"""
    count, total = bot.jobs.overruns(bot.clock.now() - LOOKED_AT)
    return ("overrun.doctor", {"n": count, "total": total, "days": LOOKED_AT.days}) if count else None

"""Daily free orders: whether an order is free, for the models the operator names, and how many are left.

Settings: FREE_MODELS, codes or KIE ids with commas (empty, the default: none); FREE_RUNS a day and person.
Texts: free.* in data/texts/<lang>/free.po.
"""

from datetime import timedelta

from core.settings import names


def register(bot):
    """Declare the settings, the offer, and the line in the main menu."""
    bot.setting("FREE_RUNS", int, default=5, minimum=1)
    if bot.setting("FREE_MODELS", names, default=()):
        bot.free_offer(offer)
        bot.headline(line)


def offer(bot, user_id, model, now):
    """Return what makes an order of this model free for this person today, or None."""
    if not {model.code, model.id} & set(bot.settings["FREE_MODELS"]):
        return None
    user = bot.users.get(user_id)
    if user.telegram_id in bot.settings["ADMIN_IDS"]:
        return None
    left, day = _left(bot, user, now)
    return {"day": day, "limit": bot.settings["FREE_RUNS"], "left": left} if left > 0 else None


def _left(bot, user, now):
    """Return (free orders left, today) in the person's own time zone."""
    day = now.astimezone(bot.zone_of(user)).date().isoformat()
    return bot.settings["FREE_RUNS"] - bot.free.used(user.id, day), day


def line(ctx):
    """Say how many are left, or when they return."""
    left, _day = _left(ctx.bot, ctx.user, ctx.now)
    if left > 0:
        return ctx.say("free.left", n=left)
    local = ctx.now.astimezone(ctx.bot.zone_of(ctx.user))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return ctx.say("free.returns", n=-(-(midnight - local) // timedelta(hours=1)))

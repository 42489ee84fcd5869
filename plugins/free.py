"""Free orders: the first drafts of every person, and a daily number for the models that the operator names.

Settings: WELCOME_RUNS, free drafts (the lowest rung of the picture ladder) for each person, 0 for none; FREE_MODELS,
codes or KIE ids separated by commas (empty, the default: none), with FREE_RUNS orders per day and person; FREE_QUESTIONS,
questions to the quick chat model per day and person, 0, the default, for none; FREE_CEILING, how many of all these the
whole bot gives in a day (UTC).
Texts: free.* in data/texts/<lang>/free.po.
"""

from datetime import timedelta

from core.settings import names
from kie.catalogue import pricing
from kie.catalogue.inputs import InputError
from kie.catalogue.offers import settings_of

PICTURE = "text-to-image"
QUICK = "quick"


def register(bot):
    """Declare the settings, the offer, and the lines in the main menu and the admin menu."""
    bot.setting("FREE_RUNS", int, default=5, minimum=1)
    bot.setting("FREE_CEILING", int, default=200, minimum=1)
    daily, first = bot.setting("FREE_MODELS", names, default=()), bot.setting("WELCOME_RUNS", int, default=3, minimum=0)
    if bot.setting("FREE_QUESTIONS", int, default=0, minimum=0) or daily or first:
        bot.free_offer(offer, welcome=first)
        bot.headline(line)
        bot.admin_line(admin_line)


def offer(bot, user_id, model, values, now):
    """Return what makes an order free for this person, or None: one of their first drafts, else one of today's.

    Of a question, `model` is a chat model and `values` have its rank.
    """
    user, found = bot.users.get(user_id), []
    if "rank" in values:
        found += [_questions(bot, user, now)] if values["rank"] == QUICK else []
    elif _is_draft(bot, model, values):
        found.append(_offer(bot, user, bot.free.WELCOME, bot.settings["WELCOME_RUNS"]))
    if _is_daily(bot, model, values) and not _is_owner(bot, user):
        found.append(_offer(bot, user, _day(bot, user, now), bot.settings["FREE_RUNS"]))
    usable = next((one for one in found if one["left"] > 0), None)
    return usable if usable and bot.free.given(now) < usable["ceiling"] else None


def _is_daily(bot, model, values):
    return "rank" not in values and bool({model.code, model.id} & set(bot.settings["FREE_MODELS"]))


def _questions(bot, user, now):
    """Return today's free questions, counted apart from orders."""
    return _offer(bot, user, f"ask {_day(bot, user, now)}", bot.settings["FREE_QUESTIONS"])


def _offer(bot, user, day, limit):
    left = limit - bot.free.used(user.id, day)
    return {"day": day, "limit": limit, "left": left, "ceiling": bot.settings["FREE_CEILING"]}


def _is_draft(bot, model, values):
    """Return whether this is the draft of the picture ladder, and costs no more than it does there."""
    try:
        return model.id in (drafts := _drafts(bot)) and pricing.credits(model, values) <= drafts[model.id]
    except pricing.NoPrice:
        return False


def _drafts(bot):
    """Return {model: credits} of the picture ladder's draft rung and its stand-ins; empty if no drafts are given."""
    ladder = dict(bot.generation.live_catalogue.rungs(PICTURE)) if bot.settings["WELCOME_RUNS"] else {}
    found = {}
    for given, model in ladder.get("draft", ()):
        try:
            found[model.id] = pricing.credits(model, settings_of(model, given))
        except (pricing.NoPrice, InputError, KeyError):
            continue  # the next one replaces it, as on the ladder
    return found


def _is_owner(bot, user):
    return user.telegram_id in bot.settings["ADMIN_IDS"]


def _day(bot, user, now):
    """Return today in the person's own time zone."""
    return now.astimezone(bot.zone_of(user)).date().isoformat()


def line(ctx):
    """Say how many are left, or when the next ones come."""
    if not ctx.bot.generation.usd_rate():
        return None  # nothing is sold, so nothing is given away
    bot, parts = ctx.bot, []
    if _drafts(bot) and (left := _offer(bot, ctx.user, bot.free.WELCOME, bot.settings["WELCOME_RUNS"])["left"]) > 0:
        parts.append(_unless_ceiling(ctx, "free.drafts", n=left))
    if bot.settings["FREE_MODELS"]:
        left = _offer(bot, ctx.user, _day(bot, ctx.user, ctx.now), bot.settings["FREE_RUNS"])["left"]
        zone = bot.zone_of(ctx.user)
        parts.append(_unless_ceiling(ctx, "free.left", n=left) if left > 0 else _returns(ctx, "free.returns", zone))
    if bot.settings["FREE_QUESTIONS"] and (left := _questions(bot, ctx.user, ctx.now)["left"]) > 0:
        parts.append(_unless_ceiling(ctx, "free.questions", n=left))
    return ctx.lines(dict.fromkeys(parts)) if parts else None


def _unless_ceiling(ctx, key, n):
    """Say what is left, or that the whole bot has given all of the day's."""
    if ctx.free.given(ctx.now) < ctx.settings["FREE_CEILING"]:
        return ctx.say(key, n=n)
    return _returns(ctx, "free.ceiling", ctx.now.tzinfo)


def _returns(ctx, key, zone):
    """Say in how many hours the day ends in a time zone."""
    local = ctx.now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return ctx.say(key, n=-(-(midnight - local) // timedelta(hours=1)))


def admin_line(ctx):
    """Say how many free orders the bot has given today, and what they have cost so far."""
    runs, cost = ctx.free.given(ctx.now), ctx.generation.worth(ctx.free.cost(ctx.now))
    return ctx.say("free.today", runs=runs, ceiling=ctx.settings["FREE_CEILING"], cost=cost)

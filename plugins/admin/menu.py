"""/admin: what matters now, in figures, and the way to every tool; each person sees those they have the right to.

The figures for a span of days are in `admin/stats.py`.
Texts: admin.* in data/texts/<lang>/admin/menu.po.
"""

from datetime import timedelta
from decimal import Decimal

from core.buttons import route
from core.services import ways_to_pay

PAYING = route("payments:show", optional=True)
INCOME = ("topup", "stars", "refund", "chargeback")  # kinds of entries for money from or back to the outside
MICRO, MOST_DAYS, DAY = 1_000_000, 90, timedelta(days=1)


def register(bot):
    """Declare the commands and the button."""
    bot.repeatable()
    bot.command("admin", show, about="admin.about", right="staff")
    bot.command("verify", verify, about="admin.about_verify", right="audit")
    bot.button("admin:show", show, right="staff")


def show(ctx):
    """Show the admin menu with the current figures; money only to those who may see it."""
    figures, entries = _figures(ctx)
    values = {
        "waiting": ctx.payments.count_waiting(),
        "failed": figures.get("failed", (0, 0, 0))[0],
        "orders": sum(count for count, _charged, _cost in figures.values()),
        "stuck": ctx.job_health.stuck(ctx.now),
    }
    lines = [] if _can_be_paid(ctx.bot) else [ctx.say("admin.no_way_to_pay")]
    lines.append(ctx.say("admin.now", **values))
    if ctx.may("stats"):
        lines += _money(ctx, entries)
    lines += [line for admin_line in ctx.bot.admin_lines if (line := admin_line(ctx))]
    if not ctx.settings["USD_RATE"]:
        lines.append(ctx.say("admin.no_rate"))
    if ctx.runtime_settings.get("SALES_PAUSED"):
        lines.append(ctx.say("admin.paused"))
    ctx.edit("admin.text", [*ctx.bot.menu_rows("admin"), *ctx.bot.home()], lines=ctx.lines(lines))


def _can_be_paid(bot):
    """Return whether there is a way to pay, or no top-up at all."""
    return PAYING not in bot.handlers["button"] or bool(ways_to_pay.switched_on(bot))


def _money(ctx, entries):
    """Return the lines about money: a day's income and spending, as /stats has them, and how long KIE's credits last."""
    ended = ctx.stats.jobs_by_day(ctx.now - DAY).values()
    cost = Decimal(sum(day.cost for day in ended)) / MICRO
    income = sum(entries.get(kind, (0, 0))[0] for kind in INCOME)
    spent = sum(day.charged for day in ended)
    lines = [ctx.say("admin.money", income=income, spent=spent, cost=_worth(ctx, cost))]
    left = ctx.generation.credits_left(ctx.now)
    if left is None:
        return [*lines, ctx.say("admin.no_credits")]
    worth = {"credits": int(left), "worth": _worth(ctx, left)}
    days = int(left / cost) if cost else None
    if days is None or days > MOST_DAYS:  # a day with an order or two says nothing about the next year
        return [*lines, ctx.say("admin.credits", **worth)]
    return [*lines, ctx.say("admin.credits_days", n=days, **worth)]


def _worth(ctx, credits):
    """Return what a number of KIE credits costs the operator, in minor units; 0 without a rate."""
    return int(credits * ctx.generation.catalog.credit_usd * (ctx.settings["USD_RATE"] or 0) * 100)


def _figures(ctx):
    since = ctx.now - DAY
    return ctx.jobs.figures(since), ctx.ledger.sums_by_kind(since)


def verify(ctx):
    """Prove the books, as `python bot.py verify` does."""
    broken = [ctx.say("admin.broken", promise=promise, row=str(row)) for promise, row in ctx.verify.verify()]
    users, entries, held = ctx.verify.totals()
    key = "admin.verify_broken" if broken else "admin.verified"
    ctx.reply(key, ctx.bot.home(), users=users, entries=entries, held=held, n=len(broken), lines=ctx.lines(broken[:20]))

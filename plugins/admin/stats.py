"""/stats 7d|30d|…: income by way of payment, spending, cost, margin, all other money by kind and orders by model, as a
picture with the numbers under it; and CSV files of entries, orders, users and top-ups.

Texts: stats.* in data/texts/<lang>/admin/stats.po.
"""

import re
from datetime import timedelta
from decimal import Decimal

from core.buttons import button, way_out
from core.errors import UserError
from core.services.csv_files import sheet
from plugins.admin import _chart

SPANS = (1, 7, 30, 90)
LONGEST = 3660
INCOME = ("topup", "stars")
OF_ORDERS = ("hold", "capture", "release")  # shown as what was spent
TABLES = ("entries", "jobs", "users", "topups")
MICRO = Decimal(1_000_000)


def register(bot):
    """Declare the command, the spans and the exports."""
    bot.repeatable()
    bot.command("stats", command, about="stats.about", right="stats")
    bot.button("stats:show", show, right="stats", days=int)
    bot.button("stats:export", export, right="stats", table=str, days=int)
    bot.admin_menu("stats.menu", "stats:show:7", row=2)


def command(ctx):
    """Read the span after the command."""
    found = re.fullmatch(r"(\d{1,4})\s*d?", ctx.args or "7")
    if found is None:
        raise UserError("stats.wrong", found=ctx.args[:20])
    show(ctx, int(found[1]))


def show(ctx, days):
    """Send the chart and the numbers of the last `days` days."""
    if not 1 <= days <= LONGEST:
        raise UserError("stats.wrong", found=str(days))
    ctx.finish_tap()  # the library that draws takes seconds to load, the first time
    since = ctx.now - timedelta(days=days)
    money, orders = ctx.stats.money_by_day(since, INCOME), ctx.stats.jobs_by_day(since)
    values = _numbers(ctx, since, money, orders)
    models = [
        ctx.say("stats.model", model=_title(ctx, model), n=count, done=done, charged=charged)
        for model, count, done, charged in ctx.stats.jobs_by_model(since)
    ]
    spans = [button("stats.days", "stats:show", span, n=span) for span in SPANS]
    files = [button(f"stats.csv_{table}", "stats:export", table, days) for table in TABLES]
    rows = [spans[:2], spans[2:], files[:2], files[2:], way_out("admin:show")]
    if money or orders:  # an empty picture says less than the numbers
        ctx.send_photo(_chart.draw(ctx, days, money, orders))
    ctx.reply("stats.text", rows, n=days, models=ctx.lines([*_others(ctx, since), *models]), **values)


def _numbers(ctx, since, money, orders):
    """Return the sums and shares under the chart."""
    income = {kind: sum(day.get(kind, 0) for day in money.values()) for kind in INCOME}
    spent = sum(charged for _n, charged, _cost in orders.values())
    cost = _cost(ctx, sum(cost for _n, _charged, cost in orders.values()))
    states = ctx.jobs.figures(since)
    ended = sum(states.get(state, (0,))[0] for state in ("succeeded", "failed"))
    fresh, paying = ctx.stats.payers(since)
    return {
        "transfers": income["topup"], "stars": income["stars"], "spent": spent, "cost": cost, "margin": spent - cost,
        "orders": sum(state[0] for state in states.values()),
        "rate": round(100 * states.get("succeeded", (0,))[0] / ended) if ended else 0,
        "median": ctx.stats.median_seconds(since) or 0,
        "fresh": fresh, "active": ctx.users.count_active(since), "people": ctx.users.count(),
        "conversion": round(100 * paying / fresh) if fresh else 0,
    }  # fmt: skip


def _others(ctx, since):
    """Return a line about each kind of money that is neither income nor spending, losses first."""
    sums, (count, total) = ctx.ledger.sums_by_kind(since), ctx.jobs.overruns(since)
    lost = [ctx.say("stats.overrun", total=total, n=count)] if count else []
    return lost + [
        ctx.say("stats.other", what=ctx.say(f"entry.{kind}"), amount=total, n=count)
        for kind, (total, count) in sorted(sums.items())
        if kind not in (*INCOME, *OF_ORDERS)
    ]


def _cost(ctx, micro_credits):
    """Return what KIE took in minor units at today's rate, 0 without a rate."""
    rate = ctx.generation.usd_rate()
    return int(micro_credits / MICRO * ctx.generation.catalog.credit_usd * rate * 100) if rate else 0


def _title(ctx, model_id):
    model = ctx.generation.catalog.models.get(model_id)
    return model.title if model else model_id.rsplit("/", 1)[-1]


def export(ctx, table, days):
    """Send a table of the last `days` days as a CSV file."""
    if table not in TABLES or not 1 <= days <= LONGEST:
        raise UserError("common.old_button")
    rows = ctx.stats.export(table, ctx.now - timedelta(days=days), ctx.user.id, ctx.now)
    ctx.send_document(f"{table}-{ctx.now:%Y-%m-%d}.csv", sheet(rows), "text/csv")

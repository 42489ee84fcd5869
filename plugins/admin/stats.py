"""/stats 7d|30d|…: income by way of payment, spending, cost, margin, all other money by kind and orders by model, as a
picture with the numbers under it; and CSV files of entries, orders, users and top-ups.

Texts: stats.* in data/texts/<lang>/admin/stats.po.
"""

import io
import re
from datetime import date, timedelta
from decimal import Decimal

from core.buttons import button, way_out
from core.csv_files import sheet
from core.errors import UserError

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
    ctx.send_photo(chart(ctx, days, money, orders))
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


def chart(ctx, days, money, orders):
    """Return a PNG: income and spending by day, with orders below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    last = int(ctx.now.timestamp() // 86400)
    numbers = range(last - min(days, 366), last + 1)
    labels = [date.fromordinal(date(1970, 1, 1).toordinal() + number) for number in numbers]
    income = [sum(money.get(number, {}).values()) / 100 for number in numbers]
    spent = [orders.get(number, (0, 0, 0))[1] / 100 for number in numbers]
    done = [orders.get(number, (0, 0, 0))[0] for number in numbers]
    figure, (top, below) = pyplot.subplots(
        2, 1, figsize=(9, 6), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    try:
        word = lambda key: ctx.texts.plain(ctx.lang, key)  # noqa: E731
        top.bar(labels, income, color="#7fb7e6", label=word("stats.legend_in"))
        top.plot(
            labels, spent, color="#d9822b", linewidth=2, marker="o", markersize=3, label=word("stats.legend_spent")
        )
        below.bar(labels, done, color="#6aa84f", label=word("stats.legend_orders"))
        below.yaxis.set_major_locator(MaxNLocator(integer=True))
        for axes, heights in ((top, income + spent), (below, done)):
            if not any(heights):
                axes.set_ylim(0, 1)  # matplotlib's default for no data would go below zero
            axes.legend(loc="upper left", frameon=False)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", alpha=0.3)
        figure.autofmt_xdate()
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110)
        return stream.getvalue()
    finally:
        pyplot.close(figure)


def export(ctx, table, days):
    """Send a table of the last `days` days as a CSV file."""
    if table not in TABLES or not 1 <= days <= LONGEST:
        raise UserError("common.old_button")
    rows = ctx.stats.export(table, ctx.now - timedelta(days=days), ctx.user.id, ctx.now)
    ctx.send_document(f"{table}-{ctx.now:%Y-%m-%d}.csv", sheet(rows), "text/csv")

"""The picture of /stats: what came in as one big number, and three charts by day. It reads on a dark and a light screen alike."""

import io
from datetime import UTC, date, datetime

BACKGROUND, INK, MUTED, GRID = "#18222d", "#e8eef4", "#9fb1c1", "#2c3a48"
IN, SPENT, ORDERS = "#5eb5f7", "#f2b134", "#6fcf97"
MOST_DAYS, MOST_LABELS = 366, 5  # a phone shows the picture at a third of its size: few words, and large ones


def draw(ctx, days, money, orders):
    """Return a PNG of the last `days` days; `money` and `orders` are by day since 1970, as `ctx.stats` has them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    last = int(ctx.now.timestamp() // 86400)
    numbers = range(last - min(days, MOST_DAYS), last + 1)
    income = [sum(money.get(number, {}).values()) / 100 for number in numbers]
    spent = [orders.get(number, (0, 0, 0))[1] / 100 for number in numbers]
    done = [orders.get(number, (0, 0, 0))[0] for number in numbers]
    figure, parts = pyplot.subplots(3, 1, figsize=(8, 8), sharex=True, height_ratios=(2, 1, 1), facecolor=BACKGROUND)
    try:
        figure.subplots_adjust(left=0.13, right=0.95, top=0.76, bottom=0.07, hspace=0.5)
        figure.text(
            0.05,
            0.93,
            ctx.texts.money(ctx.lang, round(sum(income) * 100)),
            size=46,
            weight="bold",
            color=INK,
            va="center",
        )
        figure.text(0.05, 0.85, ctx.texts.plain(ctx.lang, "stats.head", n=days), size=20, color=MUTED, va="center")
        for axes, heights, colour, key in zip(
            parts, (income, spent, done), (IN, SPENT, ORDERS), ("in", "spent", "orders"), strict=True
        ):
            _bars(axes, heights, colour, ctx.texts.plain(ctx.lang, f"stats.legend_{key}"))
        places = sorted({round(i * (len(numbers) - 1) / (MOST_LABELS - 1)) for i in range(MOST_LABELS)})
        parts[-1].set_xticks(places, [_day(ctx, numbers[place]) for place in places])
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110, facecolor=BACKGROUND)
        return stream.getvalue()
    finally:
        pyplot.close(figure)


def _bars(axes, heights, colour, title):
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor(BACKGROUND)
    axes.bar(range(len(heights)), heights, color=colour, width=0.7)
    axes.set_title(title, loc="left", size=20, color=INK, pad=8)
    axes.set_ylim(0, max(heights) * 1.1 or 1)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    axes.tick_params(colors=MUTED, labelsize=17, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)


def _day(ctx, number):
    """Return a day since 1970 in words, as "24 Nov"."""
    noon = datetime.combine(date.fromordinal(date(1970, 1, 1).toordinal() + number), datetime.min.time(), UTC)
    return ctx.texts.plain(ctx.lang, "stats.day", when=noon.replace(hour=12))

"""/balance: the balance, what is on hold, what is on its way, and every entry behind it.

Texts: balance.* and entry.* in data/texts/<lang>/balance.po.
"""

from core.buttons import button, primary, route, way_out
from core.services import providers

TOP_UP = route("payments:show", optional=True)
PROMO = route("promo:ask", optional=True)
RECEIPTS = route("receipts:list", optional=True)

PAGE = 8
OF_ORDERS = ("hold", "capture", "release", "recovery")
OF_SALES = ("sale", "unsale")


def register(bot):
    """Declare the command, the pages and the menu button."""
    bot.repeatable()
    bot.command("balance", show, about="balance.about", order=4)
    bot.button("balance:show", show)
    bot.button("balance:entries", entries, before=int)
    bot.menu("common.balance", "balance:show", row=1)


def show(ctx):
    """Show the balance with the newest entries."""
    found = ctx.ledger.entries(ctx.user.id, limit=3, moving=True)
    rows = [primary("common.top_up", TOP_UP)]
    if found:
        rows.append([button("balance.all", "balance:entries", 0), button("common.payments", RECEIPTS)])
    rows.append([button("balance.promo", PROMO), *ctx.bot.home()])
    funds = ctx.jobs.funds(ctx.user.id)
    ctx.edit(
        "balance.text",
        rows,
        balance=funds.balance,
        held=ctx.say("balance.held", amount=funds.held) if funds.held else "",
        coming=ctx.say("balance.coming", amount=funds.coming, when=funds.first_at) if funds.coming else "",
        lines=_lines(ctx, found),
    )


def entries(ctx, before):
    """Show a page of entries, older than `before` (0: the newest)."""
    found = ctx.ledger.entries(ctx.user.id, limit=PAGE + 1, before=before or None, moving=True)
    rows = []
    if len(found) > PAGE:
        rows.append(button("common.older", "balance:entries", found[PAGE - 1].id))
    rows.append(way_out("balance:show"))
    ctx.edit("balance.entries", rows, lines=_lines(ctx, found[:PAGE]))


def _lines(ctx, found):
    if not found:
        return ctx.say("balance.none")
    lines = []
    for entry in found:
        what = _what(ctx, entry)
        reason = ctx.say("statement.reason", reason=entry.reason) if entry.reason else ""
        lines.append(ctx.say("statement.line", when=entry.created_at, amount=entry.amount, what=what, reason=reason))
    return ctx.lines(lines)


def _what(ctx, entry):
    """Return what an entry is for; for an order, with the name of its model."""
    number = (entry.ref or "").partition(":")[2]
    if entry.kind in OF_SALES and (sale := ctx.sales.get(int(number))) and ctx.texts.has(sale.what):
        what = ctx.say(sale.what)
        return ctx.say("balance.sale_back", what=what) if entry.kind == "unsale" else what
    what = ctx.say(f"entry.{entry.kind}", ref=number)
    if entry.kind == "topup" and number.isdecimal() and (topup := ctx.payments.get(int(number), ctx.user.id)):
        return providers.way_name(ctx, topup.method, what)
    job = ctx.jobs.get(int(number), ctx.user.id) if entry.kind in OF_ORDERS and number.isdecimal() else None
    return ctx.say("balance.order", model=ctx.generation.title(job), what=what) if job else what

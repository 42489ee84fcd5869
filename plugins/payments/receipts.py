"""/payments: everything a person has paid, and a receipt of each.

Texts: receipts.* in data/texts/<lang>/payments/receipts.po.
"""

from core.buttons import HELP, button, copy, route, way_out
from core.errors import UserError
from core.services import providers

BALANCE = route("balance:show", optional=True)

PAGE = 6
MOST = 18  # numbers of one payment to copy: six rows of three


def register(bot):
    """Declare the command, the pages and the receipt."""
    bot.repeatable()
    bot.command("payments", newest, about="receipts.about", order=8)
    bot.button("receipts:list", newest)
    bot.button("receipts:page", page, before=int)
    bot.button("receipts:show", show, topup=int)


def newest(ctx):
    """Show the newest payments."""
    page(ctx, 0)


def page(ctx, before):
    """Show the person's own payments, older than `before` (0: the newest): done, waiting, refused with the reason."""
    found = ctx.payments.of_user(ctx.user.id, limit=PAGE + 1, before=before or None)
    cells = [button("receipts.row", "receipts:show", topup.id, number=topup.id) for topup in found[:PAGE]]
    rows = [cells[i : i + 3] for i in range(0, len(cells), 3)]
    if len(found) > PAGE:
        rows.append(button("common.older", "receipts:page", found[PAGE - 1].id))
    lines = [
        ctx.say(
            "receipts.line",
            number=t.id,
            when=t.created_at,
            amount=_paid(ctx, t),
            state=_state(ctx, t),
            reason=ctx.say("statement.reason", reason=t.reason) if t.reason else "",
        )
        for t in found[:PAGE]
    ]
    ctx.edit("receipts.list" if found else "receipts.none", [*rows, way_out(BALANCE)], lines=ctx.lines(lines))


def _paid(ctx, topup):
    """Return what a payment has brought, every charge of an invoice that was paid several times; else what was asked for."""
    charges = ctx.payments.charges(topup_id=topup.id)
    return sum(charge.credit.amount for charge in charges) if len(charges) > 1 else topup.credited or topup.amount


def _state(ctx, topup):
    return ctx.say(f"receipts.state_{topup.state}")


def show(ctx, topup):
    """Show one payment: what was asked for, what became of it, and every entry it made."""
    found = ctx.payments.get(topup, ctx.user.id)
    if found is None or found.state in ("new", "cancelled"):
        raise UserError("common.old_button")
    way = providers.way_name(ctx, found.method, found.method)
    lines = [
        ctx.say(
            "statement.line",
            when=e.created_at,
            amount=e.amount,
            what=way if e.kind == "topup" else ctx.say(f"entry.{e.kind}", ref=""),
            reason=ctx.say("statement.reason", reason=e.reason) if e.reason else "",
        )
        for e in ctx.payments.entries(found)
    ]
    charges = ctx.payments.charges(topup_id=found.id)
    numbers = [copy("receipts.charge", charge.charge_id) for charge in charges[:1]]
    if len(charges) > 1:
        numbers = [
            copy("receipts.charge_of", charge.charge_id, n=n) for n, charge in enumerate(charges[:MOST], start=1)
        ]
    rows = [numbers[i : i + 3] for i in range(0, len(numbers), 3)]
    rows += [button("receipts.problem", HELP, f"pay{topup}"), way_out("receipts:list")]
    ctx.edit(
        "receipts.text",
        rows,
        number=topup,
        when=found.created_at,
        amount=_paid(ctx, found),
        method=way,
        stars=ctx.say("receipts.stars", stars=found.stars * max(1, len(charges))) if found.stars else "",
        state=_state(ctx, found),
        reason=found.reason or "",
        lines=ctx.lines(lines),
    )

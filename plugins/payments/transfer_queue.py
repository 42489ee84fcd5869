"""Transfers at a glance, for a shop whose sums are all different: each with its sum, person and age, one tap each, or all.

With TRANSFER_UNIQUE=1 (`payments/transfer.py`) the sum alone tells in the bank's list whose it is. A tap approves as it does
on the request itself; *All* approves what is shown, after it was confirmed, and leaves one's own to somebody else.
Texts: queue.* in data/texts/<lang>/payments/transfer_queue.po.
"""

from core.buttons import button, mark, primary, route, way_out
from core.errors import UserError

APPROVE = route("transfer:approve", optional=True)
REQUESTS = route("transfer:list", optional=True)
SHOWN = 8


def register(bot):
    """Declare the list and its taps."""
    bot.repeatable()
    bot.button("queue:list", show, right="topups")
    bot.button("queue:approve", approve, right="topups", topup=int)
    bot.button("queue:all", ask_all, right="topups", seen=str)
    bot.button("queue:go", approve_all, right="topups", seen=str)
    bot.admin_menu("queue.menu", "queue:list", row=1, values=count)


def count(bot):
    """Fill in the admin menu's label; where sums are not all different there is no such button."""
    is_on = "TRANSFER_UNIQUE" in bot.settings.declared and bot.settings["TRANSFER_UNIQUE"]
    return {"count": bot.payments.count_waiting()} if is_on else None


def show(ctx):
    """List what waits, the oldest first."""
    found = ctx.payments.waiting(limit=SHOWN)
    rows = [button("queue.row", "queue:approve", one.id, **_about(ctx, one)) for one in found]
    if len(found) > 1:
        rows.append(button("queue.all", "queue:all", _mark(found), count=len(found)))
    ctx.edit("queue.list" if found else "queue.none", [*rows, way_out(REQUESTS)])


def _about(ctx, topup):
    age = int((ctx.now - topup.submitted_at).total_seconds()) // 60
    return {"amount": topup.amount, "name": topup.user.first_name[:12], "minutes": age}


def _mark(found):
    return mark(*[(one.id, one.amount) for one in found])


def approve(ctx, topup):
    """Approve one, and show the others."""
    ctx.go(APPROVE, topup=topup)
    found = ctx.payments.get(topup)
    if found is not None and found.state != "pending":  # not one's own, whose sum is asked for now
        show(ctx)


def _seen(ctx, seen):
    """Return what waits if it is what was shown; else show it anew."""
    found = ctx.payments.waiting(limit=SHOWN)
    if _mark(found) != seen:
        show(ctx)
        raise UserError("queue.changed")
    return found


def ask_all(ctx, seen):
    """Ask once more, with the sum."""
    found = _seen(ctx, seen)
    total = sum(one.amount for one in found)
    lines = [ctx.say("queue.line", **_about(ctx, one)) for one in found]
    rows = [primary("queue.confirm", "queue:go", seen, count=len(found)), way_out("queue:list")]
    ctx.edit("queue.ask_all", rows, count=len(found), total=total, lines=ctx.lines(lines))


def approve_all(ctx, seen):
    """Approve what was confirmed, each as by a tap of its own."""
    for one in _seen(ctx, seen):
        if one.user_id != ctx.user.id:
            ctx.go(APPROVE, topup=one.id)
    show(ctx)

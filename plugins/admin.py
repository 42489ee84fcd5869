"""/admin: what matters now, in counts, and the way to every admin's tool.

Texts: admin.* in data/texts/<lang>/admin.po.
"""

from datetime import timedelta

from core.buttons import way_out


def register(bot):
    """Declare the command, its button and today's figures."""
    bot.command("admin", show, about="admin.about", admin=True)
    bot.command("verify", verify, about="admin.about_verify", admin=True)
    bot.button("admin:show", show, admin=True)
    bot.button("admin:today", today, admin=True)
    bot.admin_menu("admin.today", "admin:today", row=3)


def show(ctx):
    """Show the admin menu with today's counts."""
    figures, entries = _figures(ctx)
    values = {
        "waiting": ctx.payments.count_waiting(),
        "failed": figures.get("failed", (0, 0, 0))[0],
        "orders": sum(count for count, _charged, _cost in figures.values()),
        "income": sum(entries.get(kind, (0, 0))[0] for kind in ("topup", "stars")),
        "spent": sum(charged for _count, charged, _cost in figures.values()),
    }
    rate = "" if ctx.generation.usd_rate() else ctx.say("admin.no_rate")
    ctx.edit("admin.text", [*ctx.bot.menu_rows("admin"), *ctx.bot.home()], rate=rate, **values)


def _figures(ctx):
    since = ctx.now - timedelta(hours=24)
    return ctx.jobs.figures(since), ctx.ledger.sums_by_kind(since)


def today(ctx):
    """Show the last day in detail: users, orders by state, money by kind."""
    figures, entries = _figures(ctx)
    since = ctx.now - timedelta(hours=24)
    lines = [ctx.say("admin.users", new=ctx.users.count(since), active=ctx.users.count_active(since), all=ctx.users.count())]
    lines += [ctx.say("admin.jobs", state=ctx.say(f"history.state_{state}"), count=count, amount=charged)
              for state, (count, charged, _cost) in sorted(figures.items())]
    lines += [ctx.say("admin.entries", what=ctx.say(f"entry.{kind}", ref=""), amount=total, count=count)
              for kind, (total, count) in sorted(entries.items())]
    ctx.edit("admin.day", [way_out("admin:show")], lines=ctx.lines(lines))


def verify(ctx):
    """Prove the books, as `python bot.py verify` does."""
    broken = [ctx.say("admin.broken", promise=promise, row=str(row)) for promise, row in ctx.audit.verify()]
    users, entries, held = ctx.audit.totals()
    key = "admin.verify_broken" if broken else "admin.verified"
    ctx.reply(key, ctx.bot.home(), users=users, entries=entries, held=held, n=len(broken), lines=ctx.lines(broken[:20]))

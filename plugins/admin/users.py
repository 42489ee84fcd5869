"""People, for those with the right to see them: found by id, @name or first name, and a card with everything known.

What can be done to somebody is in `admin/user_actions.py`, `payments/refunds.py` and `admin/roles.py`.
Texts: users.* in data/texts/<lang>/admin/users.po.
"""

from core.buttons import button, route, way_out
from core.errors import UserError
from core.services import providers

REFUNDS = route("refunds:list", optional=True)

PAGE = 8


def register(bot):
    """Declare the search, the card, its lists, and the link to a card from a group."""
    bot.repeatable()
    bot.command("user", find_command, about="users.about", right="read")
    bot.button("users:find", ask, right="read")
    bot.step("users:words", take_words, right="read")
    bot.button("users:card", card, right="read", user=int)
    bot.button("users:entries", entries, right="read", user=int, before=int)
    bot.button("users:orders", orders, right="read", user=int, before=int)
    bot.button("users:topups", topups, right="read", user=int, before=int)
    bot.deep_link("u", arrive)
    bot.admin_menu("users.menu", "users:find", row=1)


def find_command(ctx):
    """Find by the words after the command, or ask for them."""
    if ctx.args:
        _found(ctx, ctx.args)
    else:
        ask(ctx)


def ask(ctx):
    """Ask whom to find."""
    ctx.ask("users:words", "users.ask", [way_out("admin:show")])


def take_words(ctx):
    """Find a person by what was typed."""
    if not ctx.text:
        raise UserError("users.want_words", buttons=[way_out("admin:show")])
    ctx.done("users")
    _found(ctx, ctx.text)


def _found(ctx, words):
    found = ctx.users.find(words)
    if len(found) == 1:
        card(ctx, found[0].id)
        return
    rows = [button("users.row", "users:card", u.id, name=u.first_name[:10], id=u.telegram_id or 0) for u in found]
    ctx.edit("users.found" if found else "users.none", [*rows, way_out("users:find")], words=words[:64])


def arrive(ctx, rest):
    """Open a card by its link (`/start u12`), for those with the right; return whether the link was followed."""
    known = ctx.may("read") and rest.isdecimal() and len(rest) < 19 and ctx.users.get(int(rest))
    if known:
        card(ctx, known.id)
    return bool(known)


def card(ctx, user):
    """Show a person: balance, orders, top-ups, inviter, notes, and the possible actions."""
    found = _person(ctx, user)
    orders_made, failed, spent = ctx.job_health.orders_of(user)
    paid, brought = ctx.payments.totals(user)
    inviter = ctx.staff.inviter_of(user)
    funds = ctx.jobs.funds(user)
    ctx.edit(
        "users.card",
        [*_acts(found, ctx.bot.ledger.debt(user) and funds.balance), way_out("users:find")],
        name=found.first_name,
        username=f" @{found.username}" if found.username else "",
        id=found.telegram_id or 0,
        since=found.created_at,
        seen=found.seen_at,
        language=ctx.bot.lang_of(found),
        marks=_marks(ctx, found),
        balance=funds.balance,
        held=funds.held,
        orders=orders_made,
        failed=failed,
        spent=spent,
        paid=paid,
        brought=brought,
        inviter=ctx.say("users.inviter", name=inviter.first_name) if inviter else "",
        lines=_newest(ctx, user),
    )


def _marks(ctx, found):
    """Return what is special about a person, in words."""
    marks = {
        "users.is_blocked": found.banned,
        "users.is_paused": found.sales_paused,
        "users.has_left": found.blocked_bot,
    }
    said = [ctx.say(key) for key, holds in marks.items() if holds]
    if owed := ctx.persons.debt(found.id):
        said.append(ctx.say("users.owes", amount=owed))
    if found.role or found.telegram_id in ctx.settings["ADMIN_IDS"]:
        said.append(ctx.say(f"team.role_{found.role or 'owner'}"))
    return ctx.say("users.marks", lines=ctx.lines(said)) if said else ""


def _acts(found, owes):
    """Return the buttons of a card; those the reader has no right to are not drawn."""
    access = ("users.unblock", "users:unblock") if found.banned else ("users.block", "users:block")
    sales = [button("users.resume", "users:resume", found.id)] if found.sales_paused else []
    lists = [button(f"users.{name}", f"users:{name}", found.id, 0) for name in ("entries", "orders", "topups")]
    collect = [button("users.collect", "users:collect", found.id)] if owes else []
    return [
        [button("users.credit", "users:credit", found.id), button("users.debit", "users:debit", found.id), *collect],
        [button("users.message", "users:message", found.id), button("users.note", "users:note", found.id)],
        lists,
        [button("users.refunds", REFUNDS, found.id), button(*access, found.id), *sales],
        [button("users.role", "team:role", found.id), button("users.log", "audit:about", found.id, 0)],
    ]


def _newest(ctx, user):
    """Return the newest notes and entries as lines."""
    notes = [
        ctx.say("users.note_line", when=act.created_at, name=act.actor.first_name, words=act.words)
        for act in ctx.audit_log.recent(limit=2, user=user, what="note")
    ]
    return ctx.lines([*notes, *_entry_lines(ctx, ctx.ledger.entries(user, limit=3))])


def _entry_lines(ctx, found):
    return [
        ctx.say(
            "users.entry",
            when=e.created_at,
            amount=e.amount,
            reason=ctx.say("statement.reason", reason=e.reason) if e.reason else "",
            what=_what(ctx, e),
        )
        for e in found
    ]


def _what(ctx, entry):
    number = (entry.ref or "").partition(":")[2]
    what = ctx.say(f"entry.{entry.kind}", ref=number)
    topup = ctx.payments.get(int(number)) if entry.kind == "topup" and number.isdecimal() else None
    return providers.way_name(ctx, topup.method, what) if topup else what


def _person(ctx, user):
    found = ctx.users.get(user)
    if found is None:
        raise UserError("common.old_button")
    return found


def entries(ctx, user, before):
    """Show a page of somebody's entries."""
    found = ctx.ledger.entries(user, limit=PAGE + 1, before=before or None)
    _list(ctx, user, "entries", found, _entry_lines(ctx, found[:PAGE]))


def orders(ctx, user, before):
    """Show a page of somebody's orders, with what KIE said of failed ones."""
    found = ctx.jobs.of_user(user, limit=PAGE + 1, before=before or None, questions=True)
    lines = [
        ctx.say(
            "users.order_line",
            number=job.id,
            when=job.created_at,
            model=ctx.generation.title(job),
            price=job.price if job.charged is None else job.charged,
            detail=(job.detail or "")[:100],
            state=ctx.say(f"history.state_{job.state}"),
        )
        for job in found[:PAGE]
    ]
    _list(ctx, user, "orders", found, lines)


def topups(ctx, user, before):
    """Show a page of somebody's payments."""
    found = ctx.payments.of_user(user, limit=PAGE + 1, before=before or None)
    lines = [
        ctx.say(
            "users.topup_line",
            number=t.id,
            when=t.created_at,
            amount=t.credited or t.amount,
            method=providers.way_name(ctx, t.method, t.method),
            state=ctx.say(f"receipts.state_{t.state}"),
            reason=t.reason or "",
        )
        for t in found[:PAGE]
    ]
    _list(ctx, user, "topups", found, lines)


def _list(ctx, user, name, found, lines):
    person = _person(ctx, user)
    older = [button("common.older", f"users:{name}", user, found[PAGE - 1].id)] if len(found) > PAGE else []
    ctx.edit(
        f"users.list_{name}",
        [*older, way_out("users:card", user)],
        name=person.first_name,
        lines=ctx.lines(lines or [ctx.say("users.nothing")]),
    )

"""Roles: from somebody's card, an owner makes them admin, cashier (top-ups only) or support (reads and writes).

Owners are the ADMIN_IDS of the settings; nobody promotes themselves.
Texts: team.* in data/texts/<lang>/admin/roles.po.
"""

from core.buttons import button, primary, way_out
from core.errors import UserError
from core.handling import rights

NONE = "none"


def register(bot):
    """Declare the list of the staff and the steps to a role."""
    bot.repeatable()
    bot.command("staff", show, about="team.about", right="roles")
    bot.button("team:show", show, right="roles")
    bot.button("team:role", choose, right="roles", user=int)
    bot.button("team:ask", check, right="roles", user=int, role=str)
    bot.button("team:grant", grant, right="roles", user=int, role=str, former=str)
    bot.admin_menu("team.menu", "team:show", row=5)


def show(ctx):
    """List the people with a role."""
    members = ctx.staff.members()
    rows = [
        button(
            "team.row",
            "users:card",
            m.id,
            name=m.first_name[:10],
            role=ctx.texts.plain(ctx.lang, f"team.role_{m.role}"),
        )
        for m in members[:7]
    ]
    owners = ", ".join(user.first_name for user in rights.with_right(ctx.bot, "roles"))
    ctx.edit("team.list", [*rows, way_out("admin:show")], owners=owners, n=len(members))


def choose(ctx, user):
    """Offer the roles for somebody."""
    found = _somebody(ctx, user)
    rows = [
        button(f"team.role_{role}", "team:ask", user, role)
        for role in (*ctx.staff.ROLES, NONE)
        if role != (found.role or NONE)
    ]
    ctx.edit(
        "team.choose",
        [*rows, way_out("users:card", user)],
        name=found.first_name,
        role=ctx.say(f"team.role_{found.role or NONE}"),
    )


def _somebody(ctx, user):
    """Return a person who may be given a role: not oneself, and not an owner."""
    found = ctx.users.get(user)
    if found is None:
        raise UserError("common.old_button")
    if found.id == ctx.user.id or found.telegram_id in ctx.settings["ADMIN_IDS"]:
        raise UserError("team.owner")
    return found


def check(ctx, user, role):
    """Ask for confirmation, saying what the role may do."""
    found = _somebody(ctx, user)
    if role not in (*ctx.staff.ROLES, NONE):
        raise UserError("common.old_button")
    ctx.edit(
        f"team.check_{role}",
        [primary("team.confirm", "team:grant", user, role, found.role or NONE), way_out("team:role", user)],
        name=found.first_name,
    )


def grant(ctx, user, role, former):
    """Give the role and its commands, unless another role was given meanwhile."""
    found = _somebody(ctx, user)
    if role not in (*ctx.staff.ROLES, NONE):
        raise UserError("common.old_button")
    if (found.role or NONE) not in (former, role):
        ctx.toast("common.changed_meanwhile", alert=True)
        choose(ctx, user)
        return
    role = None if role == NONE else role
    if found.role != role:
        found = ctx.staff.grant(user, role, ctx.user.id, ctx.now)
        rights.show_commands(ctx.bot, found.telegram_id, found)
        if role:
            ctx.notify(
                user,
                f"team.told_{role}",
                unique=f"role:{user}:{ctx.update_id}",
                buttons=[button("common.admin", "admin:show")],
            )
    ctx.toast("team.done")
    ctx.go("users:card", user=user)

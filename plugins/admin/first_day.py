"""*First day* in /admin: what a new shop still lacks, each with the way to it, until all is done or somebody hides it.

Texts: first.* in data/texts/<lang>/admin/first_day.po.
"""

from core.buttons import FRESH, button, way_out
from core.services import ways_to_pay

ADMIN = "admin:show"
EDIT, MONEY, BACKUP = "rates:edit", "rates:show", "backup:send"
STORE, HIDDEN = "admin/first_day", "hidden"


def register(bot):
    """Declare the button in the menu and the screen."""
    bot.repeatable()
    bot.button("first:show", show, right="settings")
    bot.button("first:hide", hide, right="settings", seen=int)
    bot.admin_menu("first.menu", "first:show", row=0, values=count)


def count(bot):
    """Return the values of the menu's label; None once there is nothing left to do."""
    left = _left(bot)
    return {"n": left} if left and not bot.store(STORE).get(HIDDEN) else None


def _left(bot):
    return sum(not done for _name, done, _way in _steps(bot))


def show(ctx):
    """Show what is done and what is not; what is not has a button."""
    steps = _steps(ctx.bot)
    lines = [
        ctx.say("first.done" if done else "first.open", step=ctx.say(f"first.{name}")) for name, done, _way in steps
    ]
    rows = [button(f"first.do_{name}", *way) for name, done, way in steps if way and not done]
    ctx.edit(
        "first.text",
        [*rows, button("first.hide", "first:hide", sum(not done for _name, done, _way in steps)), way_out(ADMIN)],
        lines=ctx.lines(lines),
    )


def hide(ctx, seen):
    """Show the list no more, if it still lacks as much as was `seen`."""
    if seen != _left(ctx.bot):
        ctx.toast("common.changed_meanwhile", alert=True)
        return
    act = {"actor_id": ctx.user.id, "what": "first_day", "now": ctx.now}
    ctx.bot.store(STORE).put(HIDDEN, True, act)
    ctx.go(ADMIN)


def _steps(bot):
    """Return (name, whether it is done, the way to it or None) in the order of a first day."""
    return (
        ("rate", _is_set(bot, "USD_RATE"), (EDIT, "USD_RATE")),
        ("pay", bool(ways_to_pay.switched_on(bot)), (MONEY,)),
        ("contact", _is_set(bot, "SUPPORT_CONTACT"), (EDIT, "SUPPORT_CONTACT")),
        (
            "terms",
            any(_is_set(bot, name) for name in bot.settings.declared if name.startswith("TERMS_TEXT")),
            (EDIT, "TERMS_TEXT"),
        ),
        ("profile", bool(bot.store("profile").get("photo")), None),
        ("free", bool(bot.free_offers), None),
        ("backup", _is_set(bot, "BACKUP_KEEP") or bool(bot.audit_log.recent(limit=1, what="backup")), (BACKUP,)),
        ("order", any(_has_ordered(bot, owner) for owner in bot.settings["ADMIN_IDS"]), (FRESH,)),
    )


def _is_set(bot, name):
    return name in bot.settings.declared and bool(bot.settings[name])


def _has_ordered(bot, telegram_id):
    owner = bot.users.by_telegram_id(telegram_id)
    return owner is not None and bot.jobs.last_model(owner.id) is not None

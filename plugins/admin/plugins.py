"""/plugins: every plugin, where it comes from, whether it is on, and what it adds.

Texts: plugins.* in data/texts/<lang>/admin/plugins.po.
"""

from core.buttons import pager, way_out
from core.errors import UserError

PAGE = 12


def register(bot):
    """Declare the command."""
    bot.repeatable()
    bot.command("plugins", show, about="plugins.about", right="owner")
    bot.button("plugins:page", show, right="owner", page=int)


def show(ctx, page=0):
    """Show a page of the plugins, those from elsewhere first."""
    known = sorted(ctx.bot.sources.items(), key=lambda item: (not item[1].origin, item[0]))
    pages = -(-len(known) // PAGE)
    if not 0 <= page < pages:
        raise UserError("common.old_button")
    lines = [_line(ctx, name, source) for name, source in known[page * PAGE :][:PAGE]]
    rows = [*pager(page, pages, "plugins:page"), way_out("admin:show")]
    ctx.edit("plugins.list", rows, n=len(known), lines=ctx.lines(lines))


def _line(ctx, name, source):
    bot, place = ctx.bot, source.origin or ctx.say("plugins.ours")
    if name in bot.switched_off:
        return ctx.say("plugins.off", name=name, place=place)
    if empty := bot.asleep(name):
        return ctx.say("plugins.asleep", name=name, place=place, settings=", ".join(empty))
    adds = ", ".join(f"/{command}" for what, command in bot.registered.get(name, ()) if what == "command")
    return ctx.say("plugins.line" if adds else "plugins.quiet", name=name, place=place, adds=adds)

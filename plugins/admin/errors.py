"""/error CODE: what happened behind the code a user quotes; without a code, the newest ones.

Texts: errors.* in data/texts/<lang>/admin/errors.po.
"""

from core.errors import UserError

SHOWN = 3000  # characters of a traceback: its end says the most


def register(bot):
    """Declare the command."""
    bot.repeatable()
    bot.command("error", show, about="errors.about", right="alerts")


def show(ctx):
    """Show the traceback of a code, or the newest codes."""
    if not ctx.args:
        lines = [ctx.say("errors.line", code=row.code, when=row.created_at) for row in ctx.error_reports.recent()]
        ctx.reply("errors.list" if lines else "errors.nothing", ctx.bot.home(), lines=ctx.lines(lines))
        return
    found = ctx.error_reports.find(ctx.args)
    if found is None:
        raise UserError("errors.unknown", buttons=ctx.bot.home(), code=ctx.args[:20])
    ctx.reply("errors.found", ctx.bot.home(), code=found.code, when=found.created_at, reason=found.reason[-SHOWN:])

"""/help: the commands, with the staff's behind a button; /id: one's Telegram ID.

Texts: help.* in data/texts/<lang>/help.po.
"""

from core.buttons import button, way_out


def register(bot):
    """Declare the commands and the menu button."""
    bot.repeatable()
    bot.command("help", show, about="help.about")
    bot.command("id", tell_id, about="help.about_id", groups=True)
    bot.button("help:show", show)
    bot.button("help:staff", show_staff, right="staff")
    bot.menu("help.menu", "help:show", row=3)


def show(ctx):
    """List everybody's commands."""
    rows = [button("help.staff", "help:staff"), *ctx.bot.trouble()]
    ctx.edit("help.text", rows, lines=_lines(ctx, ctx.bot.commands()))


def show_staff(ctx):
    """List the commands that need one of this person's rights."""
    own = [entry for entry in ctx.bot.commands(ctx.may) if entry not in ctx.bot.commands()]
    ctx.edit("help.staff_text", [way_out("help:show")], lines=_lines(ctx, own))


def _lines(ctx, commands):
    return ctx.lines(
        [ctx.say("help.line", command=name, about=ctx.texts.plain(ctx.lang, about)) for name, about in commands]
    )


def tell_id(ctx):
    """Tell anyone their id, which every new operator needs first."""
    ctx.reply("help.id", id=ctx.user.telegram_id)

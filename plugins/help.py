"""/help: what the bot can do, from what the plugins registered; /id: one's Telegram id.

Texts: help.* in data/texts/<lang>/help.po.
"""


def register(bot):
    """Declare the commands and the menu button."""
    bot.command("help", show, about="help.about")
    bot.command("id", tell_id, about="help.about_id", groups=True)
    bot.button("help:show", show)
    bot.menu("help.menu", "help:show", row=3)


def show(ctx):
    """List the commands the person may use."""
    commands = ctx.bot.commands(ctx.may)
    lines = [ctx.say("help.line", command=name, about=ctx.texts.plain(ctx.lang, about)) for name, about in commands]
    ctx.edit("help.text", ctx.bot.trouble(), lines=ctx.lines(lines))


def tell_id(ctx):
    """Tell anyone their id: the first question of every new operator."""
    ctx.reply("help.id", id=ctx.user.telegram_id)

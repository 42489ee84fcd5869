"""/help: what the bot can do, from what the plugins registered; /id: one's Telegram id; /support: a person to ask.

Setting: SUPPORT_CONTACT, a @name or a link; without it, admins are named as the ones to ask.
Texts: help.* in data/texts/<lang>/help.po.
"""

from core.buttons import link


def register(bot):
    """Declare the commands and the menu button."""
    bot.setting("SUPPORT_CONTACT", default="")
    bot.command("help", show, about="help.about")
    bot.command("id", tell_id, about="help.about_id", groups=True)
    bot.command("support", support, about="help.about_support")
    bot.button("help:show", show)
    bot.button("help:support", support)
    bot.menu("help.menu", "help:show", row=3)


def show(ctx):
    """List the commands the person may use."""
    commands = ctx.bot.commands(ctx.may)
    lines = [ctx.say("help.line", command=name, about=ctx.texts.plain(ctx.lang, about)) for name, about in commands]
    ctx.edit("help.text", [*_contact(ctx), *ctx.bot.home()], lines=ctx.lines(lines))


def support(ctx):
    """Say whom to write to."""
    key = "help.support" if ctx.settings["SUPPORT_CONTACT"] else "help.no_contact"
    ctx.edit(key, [*_contact(ctx), *ctx.bot.home()], id=ctx.user.telegram_id)


def _contact(ctx):
    contact = ctx.settings["SUPPORT_CONTACT"]
    if not contact:
        return []
    return [link("help.write", contact if "://" in contact else f"https://t.me/{contact.lstrip('@')}")]


def tell_id(ctx):
    """Tell anyone their id: the first question of every new operator."""
    ctx.reply("help.id", id=ctx.user.telegram_id)

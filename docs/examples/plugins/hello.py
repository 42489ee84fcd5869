"""/hello: greet whoever writes it."""


def register(bot):
    """Declare the command; /help and Telegram's menu are built from `about`."""
    bot.command("hello", greet, about="hello.about")


def greet(ctx):
    """Say hello, with a button to the main menu below it."""
    name, below = ctx.user.first_name, ctx.bot.home()
    ctx.reply("hello.text", below, name=name)

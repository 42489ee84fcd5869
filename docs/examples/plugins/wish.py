"""/wish: a person says what the bot lacks, and the staff reads it.

Texts: wish.* in data/texts/<lang>/wish.po.
"""

from core.buttons import MENU, button
from core.errors import UserError

MOST = 500  # characters of a wish


def register(bot):
    """Declare the command, a main menu button that does the same, and the dialogue's step."""
    bot.command("wish", ask, about="wish.about")
    bot.button("wish:ask", ask)
    bot.menu("wish.menu", "wish:ask", row=9)
    bot.step("wish:text", take)


def ask(ctx):
    """Ask; the person's next message goes to `take`, unless it is a command or another button."""
    ctx.ask("wish:text", "wish.ask", [button("wish.never_mind", MENU)], most=MOST)


def take(ctx):
    """Pass the wish on; ask again if the message is no text, or too long."""
    if not 0 < len(ctx.text) <= MOST:
        raise UserError("wish.want_text", buttons=[button("wish.never_mind", MENU)], most=MOST)
    ctx.done("wish")
    for reader, chat_id in ctx.bot.recipients("message"):  # those who answer people, or their group
        unique = f"wish:{ctx.update_id}:{chat_id or reader.id}"
        ctx.notify(reader.id, "wish.came", unique=unique, chat_id=chat_id, name=ctx.user.first_name, text=ctx.text)
    ctx.reply("wish.thanks", ctx.bot.home())

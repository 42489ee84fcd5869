"""/taste: a poll in the chat; everybody who answers is told how many agree.

Texts: taste.* in data/texts/<lang>/taste.po.
"""

from collections import Counter

from telebot import types

CHOICES = ("taste.photo", "taste.drawing", "taste.both")


def register(bot):
    """Declare the command and the handler of answers, which Telegram sends only for non-anonymous polls."""
    bot.command("taste", ask, about="taste.about")
    bot.update("poll_answer", count)


def ask(ctx):
    """Send the poll through the library, which has all of the Bot API."""
    options = [types.InputPollOption(ctx.texts.plain(ctx.lang, key)) for key in CHOICES]
    question = ctx.texts.plain(ctx.lang, "taste.which")
    sent = ctx.bot.telebot.send_poll(ctx.chat_id, question, options, is_anonymous=False)
    ctx.store.of(ctx.user.id).put("poll", sent.poll.id)


def count(ctx):
    """Store the answer and say how many people agree; delete a retracted one."""
    mine = ctx.store.of(ctx.user.id) if ctx.user.id else None
    if mine is None or mine.get("poll") != ctx.event.poll_id:
        return ctx.PASS  # another poll, or a stranger
    if not ctx.event.option_ids:
        mine.drop("answer")
        return None
    mine.put("answer", ctx.event.option_ids[0])
    alike = Counter(ctx.store.everybodys("answer").values())[ctx.event.option_ids[0]]
    ctx.reply("taste.thanks", ctx.bot.home(), n=alike)
    return None

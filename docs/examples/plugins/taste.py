"""/taste: a poll in the chat; whoever has answered reads how everybody has.

Texts: taste.* in data/texts/<lang>/taste.po.
"""

from collections import Counter

from telebot import types

CHOICES = ("taste.photo", "taste.drawing", "taste.both")


def register(bot):
    """Declare the command and what becomes of an answer, which Telegram tells of polls with names alone."""
    bot.command("taste", ask, about="taste.about")
    bot.update("poll_answer", count)


def ask(ctx):
    """Send the poll through the library: whatever the Bot API can do is there."""
    options = [types.InputPollOption(ctx.texts.plain(ctx.lang, key)) for key in CHOICES]
    question = ctx.texts.plain(ctx.lang, "taste.which")
    sent = ctx.bot.telebot.send_poll(ctx.chat_id, question, options, is_anonymous=False)
    ctx.store.of(ctx.user.id).put("poll", sent.poll.id)


def count(ctx):
    """Note the answer and say how many have answered likewise; one that was taken back is forgotten."""
    mine = ctx.store.of(ctx.user.id) if ctx.user.id else None
    if mine is None or mine.get("poll") != ctx.event.poll_id:
        return ctx.PASS  # somebody else's poll, or somebody whom the bot does not know
    if not ctx.event.option_ids:
        mine.drop("answer")
        return None
    mine.put("answer", ctx.event.option_ids[0])
    alike = Counter(ctx.store.everybodys("answer").values())[ctx.event.option_ids[0]]
    ctx.reply("taste.thanks", ctx.bot.home(), n=alike)
    return None

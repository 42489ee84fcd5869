"""Inline mode: @bot WORDS in any chat offers models by name, each a link that opens it here.

Inline mode must be enabled at @BotFather (/setinline).
Texts: lookup.* in data/texts/<lang>/lookup.po.
"""

from telebot import types

SHOWN = 8


def register(bot):
    """Declare the handler of inline queries; it also answers people who have never written to the bot."""
    bot.update("inline_query", answer, repeat=True)


def answer(ctx):
    """Offer the models whose name contains the words."""
    words = ctx.event.query.strip().lower()
    found = [card for card in ctx.generation.catalog.cards.values() if words in card.title.lower()][:SHOWN]
    ctx.answer_inline([_article(ctx, card) for card in found], cache_time=60, is_personal=True)


def _article(ctx, card):
    text = ctx.texts.plain(ctx.lang, "lookup.text", title=card.title, bot=ctx.bot.username)
    return types.InlineQueryResultArticle(card.id, card.title, types.InputTextMessageContent(text))

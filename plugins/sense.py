"""What is said to the bot itself leads to its screen: a greeting, thanks, "stop", "how do I top up", in any language.

A message counts only as a whole, so "balance" is the balance, and "a balance of light and shadow" a picture. An open
dialogue that asks for words gets them, except for the card or ladder of something to look at: nobody wants a picture of
"stop". "How much is a video" leads to the prices of what is asked for. The phrases are texts, so an owner can add some in the chat.
Texts: sense.* in data/texts/<lang>/sense.po.
"""

from core.buttons import route
from core.services.generation import CARD, CARD_STEP
from core.services.wording import meant, rest_after

THANKS, POLITE, PRICE = "sense.thanks", "sense.polite", "sense.price_of"
PRICES = route("models:prices", optional=True)
COMMANDS = (  # what leads where; the first one that fits counts
    "cancel topup paysupport balance history support help models ideas language invite promo privacy terms ask start"
).split()
SEEN = ("image", "video")
SPOKEN = "lip-sync"


def register(bot):
    """Declare that every text is looked at before it is taken for an order."""
    bot.repeatable()
    bot.update("text", answer, order=20, beside=True)


def answer(ctx):
    """Open the screen that was asked for; leave everything else to others."""
    if not _may_be_meant(ctx):
        return ctx.PASS
    keys = [THANKS, *(f"sense.{name}" for name in COMMANDS if name in ctx.bot.handlers["command"])]
    key = meant(ctx.texts, keys, POLITE, ctx.text)
    if key is None:
        return _answer_price(ctx)
    ctx.drafts.stop_listening(ctx.user.id)
    if key == THANKS:
        ctx.reply("sense.welcome", ctx.bot.home())
    else:
        ctx.bot.handlers["command"][key.partition(".")[2]].handler(ctx)
    return None


def _answer_price(ctx):
    """Show what the thing costs whose price is asked for."""
    thing = rest_after(ctx.texts, PRICE, POLITE, ctx.text)
    if not thing or PRICES not in ctx.bot.handlers["button"]:
        return ctx.PASS
    ctx.drafts.stop_listening(ctx.user.id)
    ctx.go(PRICES, words=thing)
    return None


def _may_be_meant(ctx):
    """Tell whether words may be for the bot: not if a dialogue asks for them, unless a picture or a clip would be made."""
    if ctx.draft is None:
        return True
    model = ctx.generation.catalog.models.get(ctx.draft.model)
    if ctx.draft.plugin != CARD or (model is None and ctx.draft.step == CARD_STEP):
        return False
    return model is None or (model.output in SEEN and model.type != SPOKEN)

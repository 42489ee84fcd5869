"""Welcome gift: a new person gets a little money on the balance, once, however often they erase themselves and return.

Setting: WELCOME_GIFT, whole units of the currency; 0, the default, turns it off.
Texts: gift.* in data/texts/<lang>/gift.po.
"""


def register(bot):
    """Declare the setting and the listener for new people."""
    if bot.setting("WELCOME_GIFT", int, default=0, minimum=0):
        bot.on("user.created", give)


def give(bot, event, now):
    """Post the gift, unless the person has had it, and tell them."""
    user, amount = event.user, bot.settings["WELCOME_GIFT"] * 100
    if bot.persons.once(user, "gift"):
        bot.ledger.post(user, amount, kind="gift", key=f"gift:{user}", now=now)
        bot.notify(user, "gift.welcome", unique=f"gift:{user}", now=now, amount=amount)

"""Packs: who tops up by a round sum gets more, such as 1,150 for 1,000. The bonus is the payment's and goes back with it.

What a person was shown is what they get: the offer is kept when they choose the sum, and a change of the packs between that
and the payment does not touch it.
Setting: TOPUP_PACKS, such as 1000:150,3000:600 (whole units: sum, bonus); empty, the default, none. It can be set in the chat.
Texts: packs.* in data/texts/<lang>/payments/packs.po.
"""

from plugins.payments._pack_offers import STORE, packs


def register(bot):
    """Declare the setting and what follows a payment."""
    bot.setting("TOPUP_PACKS", packs, default=(), chat=True)
    bot.on("payment.credited", give)


def give(bot, event, now):
    """Promise the bonus of the pack that was shown for this sum; what the staff credits otherwise is no pack."""
    topup, offers = bot.payments.get(event.topup), bot.store(STORE).of(event.user).get("offers", {})
    if event.amount != topup.amount:
        return
    for amount, bonus in offers.items():
        if 0 <= topup.amount - int(amount) <= 999:  # a transfer may have some kopecks more
            key = f"pack:{event.key}"
            made = bot.bonuses.promise(
                event.user, bonus, kind="bonus", key=key, origin=event.key, topup=event.topup, now=now
            )
            if made.state == "posted":
                balance = bot.ledger.balance(event.user)
                bot.notify(event.user, "packs.given", unique=key, now=now, amount=bonus, balance=balance)
            return

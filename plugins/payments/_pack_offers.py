"""Round sums that earn a bonus: the setting parsed, what is offered now, and the offer that a person was shown."""

from typing import NamedTuple

STORE = "payments/packs"
MOST = 10**8  # whole units


class Pack(NamedTuple):
    """What is paid and what comes on top, in whole units of the currency."""

    amount: int
    bonus: int

    def __str__(self):
        """Return the pack as it is set."""
        return f"{self.amount}:{self.bonus}"


def packs(text):
    """Parse `sum:bonus` pairs of whole units, separated by commas."""
    pairs = [pair.split(":") for pair in text.split(",") if pair.strip()]
    if any(len(pair) != len(Pack._fields) for pair in pairs):
        raise ValueError(text)
    found = tuple(Pack(*map(int, pair)) for pair in pairs)
    if any(not 0 < value <= MOST for pack in found for value in pack):
        raise ValueError(text)
    return found


def offered(ctx):
    """Return {sum: bonus} of the packs there are, in minor units."""
    if "TOPUP_PACKS" not in ctx.settings.declared:
        return {}
    return {amount * 100: bonus * 100 for amount, bonus in ctx.settings["TOPUP_PACKS"]}


def keep_offer(ctx, amount):
    """Keep what is offered for a sum, as it is shown now; return its bonus, 0 if there is none."""
    bonus, store = offered(ctx).get(amount, 0), ctx.bot.store(STORE).of(ctx.user.id)
    known = store.get("offers", {})
    if bonus or str(amount) in known:
        others = {name: value for name, value in known.items() if name != str(amount)}
        store.put("offers", others | ({str(amount): bonus} if bonus else {}))
    return bonus

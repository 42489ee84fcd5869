"""What the screens of a top-up share: its limits, the amounts as buttons, the ways to pay, and what to say without one."""

from core.buttons import button, link
from core.services import ways_to_pay
from plugins.payments._pack_offers import offered

FITS = 16  # characters of a label that a phone shows in full, with two in a row
AT_ONCE = 3  # ways to pay on the first screen
FIRST = "stars"  # the way that Telegram wants for digital goods stands before all others


def limits(ctx):
    """Return the least and the most of a top-up, in minor units."""
    return {"least": ctx.settings["TOPUP_MIN"] * 100, "most": ctx.settings["TOPUP_MAX"] * 100}


def amounts_above(ctx, least=0):
    """Return the offered amounts and packs above `least` and within the limits, in minor units."""
    bounds = limits(ctx)
    found = sorted({*(amount * 100 for amount in ctx.settings["TOPUP_AMOUNTS"]), *offered(ctx)})
    return [amount for amount in found if bounds["least"] <= amount <= bounds["most"] and amount > least]


def in_rows(ctx, found):
    """Return the buttons of amounts, two in a row where a phone shows both in full."""
    cells = [_button(ctx, amount) for amount in found]
    per_row = 2 if all(len(ctx.texts.plain(ctx.lang, cell.key, **cell.values)) <= FITS for cell in cells) else 1
    return [cells[i : i + per_row] for i in range(0, len(cells), per_row)]


def _button(ctx, amount):
    """Return the button of an amount, with what comes on top of it and what it is in Stars."""
    bonus, stars = offered(ctx).get(amount), _stars(ctx, amount)
    if bonus:
        key = "payments.pack_stars" if stars else "payments.pack"
    else:
        key = "payments.amount_stars" if stars else "payments.amount"
    return button(key, "payments:amount", amount, amount=amount, bonus=bonus or 0, stars=stars)


def _stars(ctx, amount):
    """Return how many Stars an amount costs; 0 where they are not taken."""
    label, _start = ways(ctx).get(FIRST, (None, None))
    return label(ctx, amount)[1]["stars"] if label else 0


def ways(ctx):
    """Return {name: (label, start)} of the ways to pay that are switched on, Stars first."""
    return dict(sorted(ways_to_pay.switched_on(ctx.bot).items(), key=lambda one: one[0] != FIRST))


def recommended(ctx, found):
    """Return of many ways the few that suit most people: Stars, then the first way of each provider."""
    if len(found) <= AT_ONCE + 1:  # one more takes no more room than the button that would hide it
        return found
    firsts = {}
    for name in found:
        provider = name.split(".")[0]
        if provider in ctx.bot.payment_providers:
            firsts.setdefault(provider, name)
    ranked = [name for name in (FIRST, *firsts.values()) if name in found]
    ranked += [name for name in found if name not in ranked]
    return {name: found[name] for name in ranked[:AT_ONCE]}


def say_no_way(ctx):
    """Say that nothing can be paid here yet, and who can change that."""
    name, contact = (
        _owner(ctx.bot),
        ctx.settings["SUPPORT_CONTACT"] if "SUPPORT_CONTACT" in ctx.settings.declared else "",
    )
    rows = [*([link("payments.ask_owner", contact)] if contact else []), *ctx.bot.trouble()]
    key = "payments.no_method_of" if name else "payments.no_method"
    ctx.edit(key, rows, **({"name": name} if name else {}))


def _owner(bot):
    """Return the name of the first owner who has opened the bot, or None."""
    known = filter(None, map(bot.users.by_telegram_id, bot.settings["ADMIN_IDS"]))
    owner = next(known, None)
    if owner is None:
        return None
    return f"{owner.first_name} (@{owner.username})" if owner.username else owner.first_name

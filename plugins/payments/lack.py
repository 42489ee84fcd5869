"""What an order lacks: the smallest top-up that covers it, and *and create*, with which its payment makes it.

It is made only at the price that was shown, and within a day; otherwise it waits for a tap, as any other.
Texts: lack.* in data/texts/<lang>/payments/lack.po.
"""

from core.buttons import CARD, MENU, button, route
from core.errors import UserError
from core.services import paid_orders
from core.services.generation import CARD as ON_CARD
from core.services.generation import QUESTION, REPLIES, VOICED
from plugins.payments._amounts import amounts_above, in_rows, limits, say_no_way, ways

REPLY = route("replies:show", optional=True)
ASKED = route("ask:waiting", optional=True)
VOICES = route("voiced:show", optional=True)
# The drafts behind the screens of what a payment can order
FORMS = {CARD: ON_CARD, REPLY: REPLIES, ASKED: QUESTION, VOICES: VOICED}


def register(bot):
    """Declare the screen and its switch."""
    bot.repeatable()
    bot.button("payments:lack", show, amount=int)
    bot.button("lack:agree", agree, form=str, version=int, amount=int)


def show(ctx, amount, back=CARD, form=None):
    """Offer the smallest amount that covers what an order lacks, and the usual ones above it.

    `back` is its screen; of a group's ladder, which is elsewhere, there is none, but the `form` of its draft.
    """
    if not ways(ctx):
        say_no_way(ctx)
        return
    least = max(limits(ctx)["least"], -(-amount // 100) * 100)
    rows = in_rows(ctx, (least, *amounts_above(ctx, least)[:3]))
    found, text, values, form = None, "lack.text", {"amount": amount}, form or FORMS.get(back)
    if form is not None:
        found = paid_orders.lacking(ctx.bot, ctx.user.id, form, amount, ctx.now)
    if found is not None:
        kind = "_question" if form == QUESTION else ""
        key, values = f"lack.{'agreed' if found.is_agreed else 'agree'}{kind}", values | {"price": found.price}
        text = f"lack.text_agreed{kind}" if found.is_agreed else text
        rows.append(button(key, "lack:agree", form, found.draft.version, amount, price=found.price))
    last = [*([button("common.to_card", back)] if back else []), button("common.menu", MENU)]
    ctx.edit(text, [*rows, button("lack.other", "payments:other"), last], **values)


def agree(ctx, form, version, amount):
    """Agree, or take it back; the screen shows it."""
    found = paid_orders.lacking(ctx.bot, ctx.user.id, form, amount, ctx.now)
    stands = found is not None and found.draft.version == version
    if not stands or not ctx.drafts.agree(found.draft, found.rung, not found.is_agreed):
        raise UserError("common.old_button")
    show(ctx, amount, {one: screen for screen, one in FORMS.items()}.get(form), form)

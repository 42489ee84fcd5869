"""Rates from the chat: /rate 92.5 sets the price of a dollar, /markup 2 the factor on cost. Effective at once.

A stored rate wins over USD_RATE and MARKUP of the environment; the answer shows three prices read back.
Texts: rates.* in data/texts/<lang>/rates.po.
"""

from decimal import Decimal, InvalidOperation

from core.buttons import way_out
from core.errors import UserError
from kie.pricing import cheapest

BOUNDS = {"USD_RATE": (Decimal("0.01"), Decimal(1_000_000)), "MARKUP": (Decimal(1), Decimal(100))}


def register(bot):
    """Declare the two commands and the admin's button."""
    bot.command("rate", lambda ctx: change(ctx, "USD_RATE"), about="rates.about", admin=True)
    bot.command("markup", lambda ctx: change(ctx, "MARKUP"), about="rates.about_markup", admin=True)
    bot.button("rates:show", show, admin=True)
    bot.admin_menu("rates.menu", "rates:show", row=2)


def show(ctx):
    """Show the rate, the markup and three prices made of them."""
    examples = list(ctx.generation.catalog.models.values())[::40][:3]
    prices = [(model, ctx.generation.price_of_credits(cheapest(model), model)) for model in examples]
    lines = [ctx.say("rates.line", model=model.title, price=price) for model, price in prices if price is not None]
    rate = ctx.generation.usd_rate()
    ctx.edit("rates.text" if rate else "rates.none", [way_out("admin:show")],
             rate=str(rate), markup=str(ctx.generation.markup()), lines=ctx.lines(lines))


def change(ctx, name):
    """Set a rate, or show the present ones when no number is given."""
    if ctx.args:
        least, most = BOUNDS[name]
        try:
            value = Decimal(ctx.args.replace(",", "."))
        except InvalidOperation:
            value = None
        if value is None or not value.is_finite() or not least <= value <= most:
            raise UserError("rates.wrong", least=str(least), most=str(most), found=ctx.args[:40])
        ctx.stored.put(name, value, now=ctx.now, actor=ctx.user.id)
    show(ctx)

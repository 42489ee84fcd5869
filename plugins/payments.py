"""Top up: choose an amount, then a way to pay; every plugin with `bot.payment_method` is one of the ways.

Settings: TOPUP_AMOUNTS, whole units of the currency offered as buttons; TOPUP_MIN and TOPUP_MAX, whole units.
Texts: payments.* in data/texts/<lang>/payments.po.
"""

from decimal import Decimal, InvalidOperation

from core.buttons import button, way_out
from core.errors import UserError
from core.settings import names


def register(bot):
    """Declare the settings, the command, the screens and what happens after a payment."""
    bot.setting("TOPUP_AMOUNTS", names, default=("100", "300", "500", "1000"))
    bot.setting("TOPUP_MIN", int, default=10, minimum=1)
    bot.setting("TOPUP_MAX", int, default=50_000, minimum=1)
    bot.command("topup", show, about="payments.about", order=5)
    bot.command("payments", list_payments, about="payments.about_list", order=8)
    bot.button("payments:show", show)
    bot.button("payments:lack", lack, amount=int)
    bot.button("payments:other", ask_amount)
    bot.button("payments:amount", choose_method, amount=int)
    bot.button("payments:pay", pay, name=str, amount=int)
    bot.button("payments:list", list_payments)
    bot.step("payments:type", take_amount)
    bot.on("payment.credited", tell_credited)


def show(ctx):
    """Offer amounts."""
    ctx.done("payments")
    cells = [button("payments.amount", "payments:amount", int(a) * 100, amount=int(a) * 100)
             for a in ctx.settings["TOPUP_AMOUNTS"]]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    rows += [[button("payments.other", "payments:other"), button("balance.payments", "payments:list")]]
    ctx.edit("payments.choose", [*rows, way_out("balance:show")])


def lack(ctx, amount):
    """Offer the smallest amount that covers what an order lacks, and the usual ones above it."""
    least = max(ctx.settings["TOPUP_MIN"] * 100, -(-amount // 100) * 100)
    larger = [int(a) * 100 for a in ctx.settings["TOPUP_AMOUNTS"] if int(a) * 100 > least][:3]
    cells = [button("payments.amount", "payments:amount", a, amount=a) for a in (least, *larger)]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    back = [button("generate.to_card", "generate:card"), button("common.menu", "start:menu")]
    ctx.edit("payments.lack", [*rows, button("payments.other", "payments:other"), back], amount=amount)


def ask_amount(ctx):
    """Ask for another amount."""
    limits = {"least": ctx.settings["TOPUP_MIN"] * 100, "most": ctx.settings["TOPUP_MAX"] * 100}
    ctx.ask("payments:type", "payments.ask", _back(), **limits)


def take_amount(ctx):
    """Read a typed amount."""
    limits = {"least": ctx.settings["TOPUP_MIN"] * 100, "most": ctx.settings["TOPUP_MAX"] * 100}
    try:  # compared before it is multiplied: 1e999999 is a number, and a hundred times that is none
        amount = Decimal(ctx.text.replace(" ", "").replace("\u00a0", "").replace(",", "."))
    except InvalidOperation:
        raise UserError("payments.not_a_number", buttons=_back(), **limits) from None
    if not amount.is_finite() or not ctx.settings["TOPUP_MIN"] <= amount <= ctx.settings["TOPUP_MAX"]:
        raise UserError("payments.out_of_range", buttons=_back(), **limits)
    ctx.done("payments")
    choose_method(ctx, int(amount * 100))


def _back():
    return [way_out("payments:show")]


def choose_method(ctx, amount):
    """Offer the ways to pay this amount."""
    _check(ctx, amount)
    methods = ctx.bot.payment_methods.items()
    rows = [button(key, "payments:pay", name, amount, amount=amount) for name, (key, _start) in methods]
    ctx.edit("payments.method" if rows else "payments.no_method", [*rows, *_back()], amount=amount)


def _check(ctx, amount):
    if not ctx.settings["TOPUP_MIN"] * 100 <= amount <= ctx.settings["TOPUP_MAX"] * 100:
        raise UserError("common.old_button")


def pay(ctx, name, amount):
    """Start the chosen way to pay."""
    _check(ctx, amount)
    if name not in ctx.bot.payment_methods:
        raise UserError("common.old_button")
    ctx.bot.payment_methods[name][1](ctx, amount)


def list_payments(ctx):
    """Show the person's own payments: waiting, done, refused with the reason."""
    lines = []
    for topup in ctx.payments.of_user(ctx.user.id):
        reason = ctx.say("balance.reason", reason=topup.reason) if topup.reason else ""
        state = ctx.say(f"payments.state_{topup.state}")
        lines.append(ctx.say("payments.line", number=topup.id, when=topup.created_at, amount=topup.credited or topup.amount,
                             state=state, reason=reason))
    rows = [button("balance.top_up", "payments:show"), way_out("balance:show")]
    ctx.edit("payments.list" if lines else "payments.none", rows, lines=ctx.lines(lines))


def tell_credited(bot, fact, now):
    """Tell the payer, with the waiting order at hand."""
    user = bot.users.get(fact.data["user"])
    draft = bot.drafts.get(user.id, "generate", now)
    rows = [[button("generate.to_order", "generate:card")]] if draft and draft.model else []
    rows.append([button("balance.menu", "balance:show"), button("common.menu", "start:fresh")])
    values = {"amount": fact.data["amount"], "balance": bot.ledger.balance(user.id)}
    bot.notify(user.id, "payments.credited", unique=f"credited:{fact.data['key']}", buttons=rows, now=now, **values)

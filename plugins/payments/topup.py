"""Top up: choose an amount, then a way to pay; every plugin with `bot.payment_method` is one of the ways.

Settings, all of which can be changed from the chat: TOPUP_AMOUNTS, whole units of the currency offered as buttons;
TOPUP_MIN and TOPUP_MAX, whole units.
Texts: payments.* in data/texts/<lang>/payments/topup.po.
"""

from core.buttons import FRESH, button, primary, route, way_out
from core.errors import UserError
from core.services import paid_orders
from core.services.input_labels import Labels
from core.settings import whole_numbers
from plugins.payments import _typed
from plugins.payments._amounts import amounts_above, in_rows, limits, recommended, say_no_way, ways
from plugins.payments._pack_offers import keep_offer

BALANCE = route("balance:show", optional=True)
ORDER = route("orders:waiting", optional=True)
WAITING = route("generate:waiting", optional=True)
PERSON = route("users:card", optional=True)


def register(bot):
    """Declare the settings, the command, the screens and what happens after a payment."""
    bot.repeatable()
    bot.setting("TOPUP_AMOUNTS", whole_numbers, default=(100, 300, 500, 1000), chat=True)
    bot.setting("TOPUP_MIN", int, default=10, minimum=1, maximum=10**8, chat=True)
    bot.setting("TOPUP_MAX", int, default=50_000, minimum=1, maximum=10**8, chat=True)
    bot.command("topup", show, about="payments.about", order=5)
    bot.button("payments:show", show)
    bot.button("payments:other", ask_amount)
    bot.button("payments:amount", choose_method, amount=int)
    bot.button("payments:ways", show_ways, amount=int)
    bot.button("payments:pay", pay, name=str, amount=int)
    bot.step("payments:type", take_amount)
    bot.on("payment.credited", tell_credited)
    bot.on("payment.returned", tell_returned)
    bot.on("payment.restored", tell_restored)
    bot.on("bonus.returned", tell_bonus_returned)
    bot.on("bonus.restored", tell_bonus_restored)


def show(ctx):
    """Offer amounts."""
    ctx.done("payments")
    if not ways(ctx):
        say_no_way(ctx)
        return
    last = [button("payments.other", "payments:other"), button("common.payments", "receipts:list")]
    ctx.edit("payments.choose", [*in_rows(ctx, amounts_above(ctx)), last, way_out(BALANCE)])


def ask_amount(ctx):
    """Ask for another amount."""
    ctx.ask("payments:type", "payments.ask", [way_out("payments:show")], **limits(ctx))


def take_amount(ctx):
    """Read a typed amount."""
    bounds, amount = limits(ctx), _typed.read(ctx, ctx.text)
    if amount is None:
        raise UserError("payments.not_a_number", buttons=[way_out("payments:show")], **bounds)
    if not bounds["least"] <= amount <= bounds["most"]:
        raise UserError("payments.out_of_range", buttons=[way_out("payments:show")], **bounds)
    ctx.done("payments")
    choose_method(ctx, amount)


def choose_method(ctx, amount):
    """Offer the ways to pay this amount: of many those that suit most people, the others are a tap away."""
    found = ways(ctx)
    first = recommended(ctx, found)
    rest = [button("payments.more_ways", "payments:ways", amount)] if len(first) < len(found) else []
    _offer(ctx, amount, first, [*rest, way_out("payments:show")])


def show_ways(ctx, amount):
    """Offer every way to pay this amount."""
    _offer(ctx, amount, ways(ctx), [way_out("payments:amount", amount)])


def _offer(ctx, amount, found, last):
    """Show ways to pay an amount, or say that there is none."""
    _check(ctx, amount)
    if not found:
        say_no_way(ctx)
        return
    bonus, rows = keep_offer(ctx, amount), [_way(ctx, name, label, amount) for name, (label, _start) in found.items()]
    more = ctx.say("payments.with_bonus", amount=amount + bonus) if bonus else ""
    ctx.edit("payments.method", [*rows, *last], amount=amount, more=more)


def _way(ctx, name, label, amount):
    """Return the button of a way to pay; `label` is its text key, or gives the key and values for an amount."""
    key, values = label(ctx, amount) if callable(label) else (label, {})
    return button(key, "payments:pay", name, amount, **values)


def _check(ctx, amount):
    if not limits(ctx)["least"] <= amount <= limits(ctx)["most"]:
        raise UserError("common.old_button")


def pay(ctx, name, amount):
    """Start the chosen way to pay."""
    _check(ctx, amount)
    methods = ways(ctx)
    if name not in ctx.bot.payment_methods:
        raise UserError("common.old_button")
    if name not in methods:
        raise UserError("payments.way_closed", buttons=[way_out("payments:show")])
    methods[name][1](ctx, amount)


# what people are told about money that came or went


def tell_credited(bot, event, now):
    """Tell the payer, with a button to the waiting order; one that was to be made by its payment is made here."""
    user = bot.users.get(event.user)
    made = paid_orders.order(bot, user, now)
    rows = [] if made else _waiting(bot, user, now)
    rows.append([button("payments.receipt", "receipts:show", event.topup), button("common.balance", BALANCE)])
    rows.append([button("common.menu", FRESH)])
    price = made.job.price if made else 0  # the order tells its own
    balance = bot.ledger.balance(user.id) + price
    values = {"amount": event.amount, "balance": balance}
    bot.notify(user.id, "payments.credited", unique=f"credited:{event.key}", buttons=rows, now=now, **values)
    if made:
        paid_orders.tell(bot, made, now)


def _waiting(bot, user, now):
    """Return the rows that lead to the order that waits: what was chosen is ordered with one tap, if the money is there."""
    if not bot.generation.waiting(user.id, now):
        return []
    rows, chosen = [[button("common.to_order", WAITING)]], bot.generation.chosen(user.id, now)
    if chosen and chosen[3]["price"] <= bot.ledger.balance(user.id):
        draft, rung, model, quote = chosen
        cost = Labels(bot.texts, bot.lang_of(user)).cost(model, quote)
        place = (draft.id, draft.version, -1 if rung is None else rung)
        rows.insert(0, [primary("payments.order", ORDER, *place, model=model.title, cost=cost)])
    return rows


def tell_returned(bot, event, now):
    """Tell the payer that a payment was taken back; and the staff, if it came from outside or left a loss."""
    user = bot.users.get(event.user)
    values = {"number": event.topup, "amount": event.amount}
    key = "payments.returned_paused" if event.paused else "payments.returned"
    bot.notify(
        user.id,
        key,
        unique=f"returned:{event.id}",
        buttons=bot.trouble(f"pay{event.topup}"),
        now=now,
        balance=bot.ledger.balance(user.id),
        **values,
    )
    if event.paused:
        key = "payments.desk_returned" if event.by else "payments.desk_chargeback"
        _tell_desk(bot, user, key, f"returned:{event.id}", now, loss=event.loss, **values)


def _tell_desk(bot, user, key, unique, now, **values):
    """Tell the staff about a loss somebody has left, with a button to their card."""
    for reader, chat_id in bot.recipients("people"):
        rows = [] if chat_id else [[button("common.user", PERSON, user.id)], *bot.home()]
        bot.notify(
            reader.id,
            key,
            unique=f"{unique}:{chat_id or reader.id}",
            now=now,
            chat_id=chat_id,
            buttons=rows,
            name=user.first_name,
            id=user.telegram_id or 0,
            **values,
        )


def tell_bonus_returned(bot, event, now):
    """Tell somebody that a bonus went back with its payment; and the staff, if it had been spent already."""
    user = bot.users.get(event.user)
    key = "payments.bonus_void"
    if event.posted:
        key = "payments.bonus_paused" if event.loss else "payments.bonus_returned"
    what = bot.texts.plain(bot.lang_of(user), f"entry.{event.what}")
    values = {"amount": event.amount, "what": what, "balance": bot.ledger.balance(user.id)}
    bot.notify(user.id, key, unique=f"returned:{event.id}", buttons=bot.trouble(), now=now, **values)
    if event.loss:
        values = {"number": event.topup, "amount": event.amount, "loss": event.loss}
        _tell_desk(bot, user, "payments.desk_bonus", f"returned:{event.id}", now, **values)


def tell_bonus_restored(bot, event, now):
    """Tell somebody that a bonus counts again, as its payment stays."""
    user = bot.users.get(event.user)
    what = bot.texts.plain(bot.lang_of(user), f"entry.{event.what}")
    values = {"amount": event.amount, "what": what, "balance": bot.ledger.balance(user.id)}
    key = "payments.bonus_restored" if bot.bonuses.get(event.bonus).state == "posted" else "payments.bonus_waits"
    bot.notify(user.id, key, unique=f"restored:{event.id}", buttons=bot.home(), now=now, **values)


def tell_restored(bot, event, now):
    """Tell the payer that a refund was not possible and the money is on the balance again."""
    user_id, number = event.user, event.topup
    bot.notify(
        user_id,
        "payments.restored",
        unique=f"restored:{event.id}",
        buttons=bot.trouble(f"pay{number}"),
        now=now,
        number=number,
        amount=event.amount,
        balance=bot.ledger.balance(user_id),
    )

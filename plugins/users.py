"""Admins find a person and act: credit or debit with a reason, block and unblock. Every act is an entry or a mark.

Texts: users.* in data/texts/<lang>/users.po.
"""

from decimal import Decimal

from core.buttons import button, way_out
from core.errors import NotEnoughMoney, UserError


def register(bot):
    """Declare the search, the card and the acts."""
    bot.command("user", find_command, about="users.about", admin=True)
    bot.button("users:find", ask, admin=True)
    bot.step("users:words", take_words, admin=True)
    bot.button("users:card", card, admin=True, user=int)
    bot.button("users:credit", ask_credit, admin=True, user=int)
    bot.button("users:debit", ask_debit, admin=True, user=int)
    bot.step("users:money", take_money, admin=True)
    bot.button("users:ok", move_money, admin=True, version=int)
    bot.button("users:block", block, admin=True, user=int)
    bot.button("users:unblock", unblock, admin=True, user=int)
    bot.admin_menu("users.menu", "users:find", row=1)


def find_command(ctx):
    """Find by the words after the command, or ask for them."""
    if ctx.args:
        _found(ctx, ctx.args)
    else:
        ask(ctx)


def ask(ctx):
    """Ask whom to find."""
    ctx.ask("users:words", "users.ask", [way_out("admin:show")])


def take_words(ctx):
    """Find a person by what was typed."""
    if not ctx.text:
        raise UserError("users.want_words", buttons=[way_out("admin:show")])
    ctx.done("users")
    _found(ctx, ctx.text)


def _found(ctx, words):
    found = ctx.users.find(words)
    rows = [button("users.row", "users:card", u.id, name=u.first_name[:18], id=u.telegram_id or 0) for u in found]
    ctx.edit("users.found" if found else "users.none", [*rows, way_out("users:find")], words=words[:64])


def card(ctx, user):
    """Show a person: balance, orders, top-ups, inviter."""
    found = _person(ctx, user)
    block = button("users.unblock", "users:unblock", user) if found.banned else button("users.block", "users:block", user)
    rows = [[button("users.credit", "users:credit", user), button("users.debit", "users:debit", user)], [block],
            way_out("users:find")]
    lines = [ctx.say("balance.line", when=e.created_at, amount=e.amount, what=ctx.say(f"entry.{e.kind}", ref=""),
                     reason=ctx.say("balance.reason", reason=e.reason) if e.reason else "")
             for e in ctx.ledger.entries(user, limit=5)]
    ctx.edit("users.card", rows, name=found.first_name, username=f"@{found.username}" if found.username else "",
             id=found.telegram_id or 0, since=found.created_at, balance=ctx.ledger.balance(user),
             held=ctx.jobs.on_hold(user), blocked=ctx.say("users.is_blocked") if found.banned else "", lines=ctx.lines(lines))


def _person(ctx, user):
    found = ctx.users.get(user)
    if found is None:
        raise UserError("common.old_button")
    return found


def ask_credit(ctx, user):
    """Ask for an amount to give, and the reason."""
    _ask_money(ctx, user, 1)


def ask_debit(ctx, user):
    """Ask for an amount to take, and the reason."""
    _ask_money(ctx, user, -1)


def _ask_money(ctx, user, sign):
    _person(ctx, user)
    key = "users.ask_credit" if sign > 0 else "users.ask_debit"
    ctx.ask("users:money", key, [button("common.back", "users:card", user)], data={"user": user, "sign": sign})


def take_money(ctx):
    """Read `amount reason` and ask once whether to do it."""
    data = ctx.draft.data
    words = ctx.text.split(maxsplit=1)
    try:
        amount = Decimal(words[0].replace(",", ".")) * 100 if len(words) == 2 else None
    except ArithmeticError:  # not a number, or one too large to be multiplied
        amount = None
    if amount is None or not amount.is_finite() or not 0 < amount <= 10**10 or amount != int(amount):
        raise UserError("users.want_money", buttons=[button("common.back", "users:card", data["user"])])
    person = _person(ctx, data["user"])
    data |= {"amount": int(amount) * data["sign"], "reason": words[1][:200]}
    draft = ctx.drafts.put(ctx.user.id, "users", ctx.now, data=data, step=None)
    rows = [button("users.confirm", "users:ok", draft.version), button("common.back", "users:card", person.id)]
    ctx.reply("users.check", rows, name=person.first_name, amount=data["amount"], reason=data["reason"])


def move_money(ctx, version):
    """Post the entry the admin confirmed; a second tap finds it posted."""
    draft = ctx.drafts.get(ctx.user.id, "users", ctx.now)
    if draft is None or draft.version != version or "amount" not in draft.data:
        raise UserError("users.done_before")
    data, key = draft.data, f"admin:{draft.id}.{version}"
    try:
        entry, created = ctx.ledger.post(data["user"], data["amount"], kind="admin", key=key, actor=ctx.user.id, reason=data["reason"])
    except NotEnoughMoney as error:
        raise UserError("users.too_little", lacking=error.lacking) from None
    if created:
        ctx.notify(data["user"], "users.told", unique=key, amount=entry.amount, reason=entry.reason,
                   balance=ctx.ledger.balance(data["user"]))
    card(ctx, data["user"])


def block(ctx, user):
    """Block a person (never an admin)."""
    found = _person(ctx, user)
    if found.telegram_id in ctx.settings["ADMIN_IDS"]:
        raise UserError("users.not_admin")
    ctx.users.change(found, banned=True)
    card(ctx, user)


def unblock(ctx, user):
    """Let a person in again."""
    ctx.users.change(_person(ctx, user), banned=False)
    card(ctx, user)

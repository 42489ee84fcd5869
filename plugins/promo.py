"""/promo CODE: an amount at once, or a percentage of the next top-up. Admins make, list, stop and export codes.

    /newpromo SUMMER 100 50          100 units of the currency, 50 uses
    /newpromo SPRING 20% 500 2 14    20 % of the next top-up, 500 uses, 2 a person, for 14 days

Texts: promo.* in data/texts/<lang>/promo.po.
"""

import re
from datetime import timedelta

from core.buttons import button
from core.errors import UserError
from core.limits import count
from core.sheets import sheet

CODE = re.compile(r"[A-Za-z0-9_-]{3,24}")
MOST, SPAN = 10, timedelta(hours=1)  # codes that one person may try: else the short ones could be guessed
SHAPE = re.compile(r"(\S+)\s+(\d{1,7})(%?)\s+(\d{1,6})(?:\s+(\d{1,3}))?(?:\s+(\d{1,4}))?")


def register(bot):
    """Declare the commands, the dialogue and the bonus on a top-up."""
    bot.command("promo", command, about="promo.about", order=11)
    bot.button("promo:ask", ask)
    bot.step("promo:code", take)
    bot.command("newpromo", create, about="promo.about_new", admin=True)
    bot.button("promo:list", show_list, admin=True)
    bot.button("promo:show", show_one, admin=True, code=str)
    bot.button("promo:stop", stop, admin=True, code=str)
    bot.button("promo:export", export, admin=True)
    bot.admin_menu("promo.menu", "promo:list", row=4)
    bot.on("payment.credited", add_percentage)


def command(ctx):
    """Redeem the code after the command, or ask for one."""
    if ctx.args:
        _redeem(ctx, ctx.args)
    else:
        ask(ctx)


def ask(ctx):
    """Ask for a code."""
    ctx.ask("promo:code", "promo.ask", [[button("common.back", "balance:show"), button("common.menu", "start:menu")]])


def take(ctx):
    """Redeem a typed code."""
    if not ctx.text:
        raise UserError("promo.ask")
    ctx.done("promo")
    _redeem(ctx, ctx.text)


def _redeem(ctx, code):
    code = code.strip()
    if not CODE.fullmatch(code):
        raise UserError("promo.unknown", buttons=_again())
    count(ctx, "promo", MOST, SPAN)
    try:
        promo, _use = ctx.promo.redeem(code, ctx.user.id, ctx.now)
    except ctx.promo.NoSuchCode:
        raise UserError("promo.unknown", buttons=_again()) from None
    except ctx.promo.UsedBefore:
        raise UserError("promo.used") from None
    except ctx.promo.OneWaits:
        raise UserError("promo.one_waits", buttons=[button("balance.top_up", "payments:show")]) from None
    if promo.kind == "amount":
        ctx.reply("promo.credited", ctx.bot.home(), amount=promo.value, balance=ctx.ledger.balance(ctx.user.id))
    else:
        ctx.reply("promo.waits", [button("balance.top_up", "payments:show"), *ctx.bot.home()], percent=promo.value)


def _again():
    return [button("promo.again", "promo:ask"), button("common.menu", "start:menu")]


def add_percentage(bot, fact, now):
    """Credit the percentage that waited for this top-up."""
    user = fact.data["user"]
    amount = bot.promo.apply(user, fact.data["amount"], now)
    if amount:
        values = {"amount": amount, "balance": bot.ledger.balance(user)}
        bot.notify(user, "promo.added", unique=f"promo:{fact.data['key']}", now=now, **values)


def create(ctx):
    """Make a code from `CODE VALUE[%] USES [PER PERSON [DAYS]]`."""
    found = SHAPE.fullmatch(ctx.args.strip())
    if found is None or not CODE.fullmatch(found[1]) or not int(found[2]) or not int(found[4]) or found[5] == "0":
        raise UserError("promo.shape")
    kind, value = ("percent", int(found[2])) if found[3] else ("amount", int(found[2]) * 100)
    expires = ctx.now + timedelta(days=int(found[6])) if found[6] else None
    made = ctx.promo.create(
        found[1],
        kind,
        value,
        total_limit=int(found[4]),
        user_limit=int(found[5] or 1),
        author=ctx.user.id,
        now=ctx.now,
        expires_at=expires,
    )
    if not made:
        raise UserError("promo.taken")
    show_list(ctx)


def show_list(ctx):
    """List the newest codes."""
    codes = ctx.promo.every()
    rows = [button("promo.row", "promo:show", p.code, code=p.code, uses=p.uses, limit=p.total_limit) for p in codes[:6]]
    end = [button("promo.export", "promo:export")] if codes else []
    ctx.edit("promo.list", [*rows, *end, [button("common.back", "admin:show"), button("common.menu", "start:menu")]])


def show_one(ctx, code):
    """Show a code, with the button that stops it."""
    promo = next((p for p in ctx.promo.every(limit=1000) if p.code == code), None)
    if promo is None:
        raise UserError("common.old_button")
    key = "promo.worth_amount" if promo.kind == "amount" else "promo.worth_percent"
    until = ctx.say("promo.until", when=promo.expires_at) if promo.expires_at else ""
    rows = [] if promo.stopped else [button("promo.stop", "promo:stop", code)]
    rows.append([button("common.back", "promo:list"), button("common.menu", "start:menu")])
    ctx.edit(
        "promo.card",
        rows,
        code=code,
        worth=ctx.say(key, value=promo.value),
        uses=promo.uses,
        limit=promo.total_limit,
        each=promo.user_limit,
        until=until,
        given=ctx.promo.given(code),
        stopped=ctx.say("promo.is_stopped") if promo.stopped else "",
    )


def stop(ctx, code):
    """Stop a code."""
    ctx.promo.stop(code)
    show_one(ctx, code)


def export(ctx):
    """Send every redemption as a CSV file."""
    rows = [("code", "user", "number", "state", "amount", "time"), *ctx.promo.uses()]
    ctx.send_document("promo.csv", sheet(rows), "text/csv")

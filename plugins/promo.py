"""/promo CODE: an amount at once, or a percentage of the next top-up. Admins make, list, stop and export codes.

    /newpromo SUMMER 100 50          100 units of the currency, 50 uses
    /newpromo SPRING 20% 500 2 14    20 % of the next top-up, 500 uses, 2 a person, for 14 days

A code that may give one person more than PROMO_MAX waits until somebody else has confirmed it, and nobody redeems a
code of their own making; an owner who is alone types the sum. A percentage over 200 needs an owner's confirmation. A
code that is stopped or expires pays nothing more, not even to those who wait.
Setting: PROMO_MAX, whole units of the currency.
Texts: promo.* in data/texts/<lang>/promo.po.
"""

import re
from datetime import timedelta

from core.buttons import MENU, button, danger, primary, route, way_out
from core.errors import OwnCheque, UserError
from core.handling import rights
from core.handling.limits import count
from core.services.csv_files import sheet

ADMIN = route("admin:show", optional=True)
BALANCE = route("balance:show", optional=True)
TOP_UP = route("payments:show", optional=True)

RIGHT = "admin"  # of who makes codes
CODE = re.compile(r"[A-Za-z0-9_-]{3,24}")
MOST, SPAN = 10, timedelta(hours=1)  # codes that one person may try: otherwise short ones could be guessed
LEAST_WORDS, SHOWN = 3, 24
PARTS = {  # of a new code, in the order in which they are written
    "code": CODE,
    "worth": re.compile(r"0*[1-9]\d{0,6}%?"),
    "uses": re.compile(r"0*[1-9]\d{0,5}"),
    "person": re.compile(r"0*[1-9]\d{0,2}"),
    "days": re.compile(r"\d{1,4}"),
}


def register(bot):
    """Declare the commands, the dialogue and the bonus on a top-up."""
    bot.repeatable()
    bot.setting("PROMO_MAX", int, default=1000, minimum=0)
    bot.command("promo", command, about="promo.about", order=11)
    bot.button("promo:ask", ask)
    bot.step("promo:code", take)
    bot.command("newpromo", create, about="promo.about_new", right="admin")
    bot.button("promo:sure", make_generous, right="owner", draft=int, version=int)
    bot.button("promo:list", show_list, right="admin")
    bot.button("promo:show", show_one, right="admin", code=str)
    bot.button("promo:stop", stop, right="admin", code=str)
    bot.button("promo:confirm", confirm, right="admin", code=str)
    bot.step("promo:large", make_large, right="admin")
    bot.step("promo:own", take_own)
    bot.button("promo:export", export, right="admin")
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
    ctx.ask("promo:code", "promo.ask", [[button("common.back", BALANCE), button("common.menu", MENU)]])


def take(ctx):
    """Redeem a typed code."""
    if not ctx.text:
        raise UserError("promo.ask")
    ctx.done("promo")
    _redeem(ctx, ctx.text)


def take_own(ctx):
    """Redeem one's own code, alone in the shop, after its worth was typed."""
    data = rights.read_sum(ctx, RIGHT, way_out(BALANCE))
    ctx.done("promo")
    _redeem(ctx, data["code"], alone=True)


def _redeem(ctx, code, alone=False):
    code = code.strip()
    if not CODE.fullmatch(code):
        raise UserError("promo.unknown", buttons=_again())
    count(ctx, "promo", MOST, SPAN)
    try:
        promo, _use = ctx.promo.redeem(code, ctx.user.id, ctx.now, alone=alone)
    except OwnCheque:
        own = ctx.promo.get(code)
        worth, shown = (own.value, None) if own.kind == "amount" else (own.value * 100, f"{own.value} %")
        rights.ask_sum(ctx, RIGHT, "promo:own", worth, {"code": code}, way_out(BALANCE), shown)
        return
    except ctx.promo.NoSuchCode:
        raise UserError("promo.unknown", buttons=_again()) from None
    except ctx.promo.UsedBefore:
        raise UserError("promo.used") from None
    except ctx.promo.OneWaits:
        raise UserError("promo.one_waits", buttons=[button("common.top_up", TOP_UP)]) from None
    if promo.kind == "amount":
        ctx.reply("promo.credited", ctx.bot.home(), amount=promo.value, balance=ctx.ledger.balance(ctx.user.id))
    else:
        until = ctx.say("promo.waits_until", when=promo.expires_at) if promo.expires_at else ""
        rows = [button("common.top_up", TOP_UP), *ctx.bot.home()]
        ctx.reply("promo.waits", rows, percent=promo.value, until=until)


def _again():
    return [button("promo.again", "promo:ask"), button("common.menu", MENU)]


def add_percentage(bot, event, now):
    """Give the percentage that waited for this top-up, or say that its code has ended."""
    user, key = event.user, event.key
    bonus, lapsed = bot.promo.apply(user, event.amount, topup=event.topup, origin=key, now=now)
    if bonus is not None and bonus.state == "posted":
        values = {"amount": bonus.amount, "balance": bot.ledger.balance(user)}
        bot.notify(user, "promo.added", unique=f"promo:{key}", now=now, **values)
    elif lapsed:
        bot.notify(user, "promo.lapsed", unique=f"promo:{key}", now=now, code=lapsed, buttons=bot.home())


def create(ctx):
    """Make a code from `CODE VALUE[%] USES [PER PERSON [DAYS]]`; a high percentage needs an owner's confirmation."""
    words = ctx.args.split()
    if wrong := _wrong(ctx, words):
        raise UserError("promo.shape", buttons=[way_out("promo:list")], wrong=wrong)
    given = dict(zip(PARTS, words, strict=False))
    is_share, worth = given["worth"].endswith("%"), int(given["worth"].rstrip("%"))
    kind, value = ("percent", worth) if is_share else ("amount", worth * 100)
    code = {"code": given["code"], "kind": kind, "value": value, "total_limit": int(given["uses"])}
    code |= {"user_limit": int(given.get("person", 1)), "days": int(given.get("days", 0))}
    if kind == "percent":
        _create_percent(ctx, code)
        return
    large = value * code["user_limit"] > ctx.settings["PROMO_MAX"] * 100
    if large and rights.is_alone(ctx.bot, ctx.user, RIGHT):
        rights.ask_sum(ctx, RIGHT, "promo:large", value, code, way_out("promo:list"))
        return
    _make(ctx, code, waits=large)
    if large:
        _ask_others(ctx, code)
    else:
        show_list(ctx)


def _wrong(ctx, words):
    """Return what is wrong with the words of a new code, or None; with none at all, how they are written is enough."""
    if not words:
        return ctx.say("promo.wrong_none")
    for name, word in zip(PARTS, words, strict=False):
        if not PARTS[name].fullmatch(word):
            return ctx.say(f"promo.wrong_{name}", word=word[:SHOWN])
    if len(words) < LEAST_WORDS:
        return ctx.say("promo.wrong_missing_worth" if len(words) == 1 else "promo.wrong_missing_uses")
    return ctx.say("promo.wrong_many") if len(words) > len(PARTS) else None


def _create_percent(ctx, code):
    """Make a percentage code; above the limit, only after an owner has confirmed it."""
    percent = code["value"]
    if percent <= ctx.promo.MOST_PERCENT:
        _make(ctx, code)
        show_list(ctx)
    elif ctx.may("owner"):
        draft = ctx.drafts.put(ctx.user.id, "promo", ctx.now, data=code, step=None)
        rows = [button("promo.sure", "promo:sure", draft.id, draft.version, percent=percent), way_out("promo:list")]
        example = {"paid": 100_00, "given": percent * 100}
        ctx.reply("promo.check", rows, code=code["code"].upper(), percent=percent, **example)
    else:
        raise UserError("promo.too_much", buttons=[way_out("promo:list")], most=ctx.promo.MOST_PERCENT)


def make_generous(ctx, draft, version):
    """Make the code of a high percentage that an owner has confirmed."""
    found = ctx.drafts.get(ctx.user.id, "promo", ctx.now)
    if found is None or (found.id, found.version) != (draft, version) or "code" not in found.data:
        raise UserError("common.old_button")
    ctx.done("promo")
    _make(ctx, found.data, confirmed=True)
    show_list(ctx)


def make_large(ctx):
    """Make a code above the limit, alone in the shop, after its amount was typed."""
    data = rights.read_sum(ctx, RIGHT, way_out("promo:list"))
    code = {name: value for name, value in data.items() if name not in ("sum", "shown")}
    ctx.done("promo")
    _make(ctx, code, own=True)
    show_list(ctx)


def _make(ctx, code, **more):
    days = code["days"]
    fields = {name: value for name, value in code.items() if name != "days"}
    expires = ctx.now + timedelta(days=days) if days else None
    if not ctx.promo.create(**fields, author=ctx.user.id, now=ctx.now, expires_at=expires, **more):
        raise UserError("promo.taken")


def _ask_others(ctx, code):
    """Tell those who may confirm a large code that it waits for one of them."""
    name = code["code"].upper()
    for reader, chat_id in ctx.bot.recipients(RIGHT):
        if chat_id or reader.id != ctx.user.id:
            ctx.notify(
                reader.id,
                "promo.wants_another",
                unique=f"promo:{name}:{chat_id or reader.id}",
                chat_id=chat_id,
                buttons=[] if chat_id else [button("promo.look", "promo:show", name), *ctx.bot.home()],
                name=ctx.user.first_name,
                code=name,
                amount=code["value"],
                n=code["total_limit"],
            )
    ctx.reply("promo.waits_for_another", [way_out("promo:list")])


def show_list(ctx):
    """List the newest codes."""
    codes = ctx.promo.every()
    rows = [button("promo.row", "promo:show", p.code, code=p.code, uses=p.uses, limit=p.total_limit) for p in codes[:6]]
    end = [button("promo.export", "promo:export")] if codes else []
    ctx.edit("promo.list", [*rows, *end, [button("common.back", ADMIN), button("common.menu", MENU)]])


def show_one(ctx, code):
    """Show a code, with the button that stops it."""
    promo = ctx.promo.get(code)
    if promo is None:
        raise UserError("common.old_button")
    key = "promo.worth_amount" if promo.kind == "amount" else "promo.worth_percent"
    until = ctx.say("promo.until", when=promo.expires_at) if promo.expires_at else ""
    rows = [] if promo.stopped else [danger("promo.stop", "promo:stop", code)]
    if promo.waits and not promo.stopped and promo.author_id != ctx.user.id:
        rows.insert(0, primary("promo.confirm", "promo:confirm", code))
    rows.append([button("common.back", "promo:list"), button("common.menu", MENU)])
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
        stopped=ctx.say("promo.is_stopped") if promo.stopped else ctx.say("promo.is_waiting") if promo.waits else "",
    )


def stop(ctx, code):
    """Stop a code, and tell those for whose next top-up it waited."""
    for user in ctx.promo.stop(code, ctx.user.id, ctx.now) or ():
        ctx.notify(user, "promo.stopped", unique=f"promo:{code}:stopped:{user}", code=code, buttons=ctx.bot.home())
    show_one(ctx, code)


def confirm(ctx, code):
    """Allow somebody else's large code to be redeemed."""
    try:
        if not ctx.promo.confirm(code, ctx.user.id, ctx.now):
            raise UserError("common.old_button")
    except OwnCheque:
        raise UserError("common.own_cheque") from None
    show_one(ctx, code)


def export(ctx):
    """Send every redemption as a CSV file."""
    rows = [("code", "user", "number", "state", "amount", "time"), *ctx.promo.uses(ctx.user.id, ctx.now)]
    ctx.send_document("promo.csv", sheet(rows), "text/csv")

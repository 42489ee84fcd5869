"""What can be done to a person from their card: money, access, sales, a message, a note.

Every act asks for its reason (or its words), then for confirmation, and is recorded with who did it and why: in the
audit log and, if it is money, in the person's own history. One's own balance is corrected by somebody else; an owner
who is alone types the sum.
Texts: acts.* in data/texts/<lang>/admin/user_actions.po.
"""

from core import amounts
from core.buttons import danger, plain, primary, way_out
from core.errors import NotEnoughMoney, OwnCheque, UserError
from core.handling import rights

RIGHTS = {
    "credit": "money",
    "debit": "money",
    "collect": "money",
    "block": "people",
    "unblock": "people",
    "resume": "people",
    "note": "read",
    "message": "message",
}
TAKES_AWAY = ("debit", "block")
LONGEST = {"message": 1000}
REASON = 200
MOST = 10**10  # minor units


def register(bot):
    """Declare the buttons of the card, the words, and the confirmation."""
    bot.repeatable()
    for act, right in RIGHTS.items():
        bot.button(f"users:{act}", _asks(act), right=right, groups=act == "message", user=int)
    bot.step("users:reason", take_words, right="staff")
    bot.step("users:sum", take_sum, right="money")
    bot.button("users:ok", confirm, right="staff", draft=int, version=int)


def _asks(act):
    """Return the handler that asks for the words of an act."""

    def ask(ctx, user):
        found = _person(ctx, user, act)
        if not ctx.private:
            ctx.toast("acts.in_private")
            ctx.in_private()
        data = {"user": user, "act": act}
        ctx.ask("users:reason", f"acts.ask_{act}", [way_out("users:card", user)], data=data, name=found.first_name)

    return ask


def _person(ctx, user, act):
    found = ctx.users.get(user)
    if found is None:
        raise UserError("common.old_button")
    if not ctx.may(RIGHTS[act]):
        raise UserError("common.not_yours")
    if act == "block" and (found.role or found.telegram_id in ctx.settings["ADMIN_IDS"]):
        raise UserError("acts.not_staff")
    return found


def take_words(ctx):
    """Read the reason, preceded by an amount if money moves, and ask for confirmation."""
    data = ctx.draft.data
    found, words = _person(ctx, data["user"], data["act"]), ctx.text.strip()
    if data["act"] in ("credit", "debit"):
        data |= _money(ctx, data, words)
    elif not words:
        raise UserError("acts.want_words", buttons=[way_out("users:card", found.id)])
    else:
        data |= {"reason": words[: LONGEST.get(data["act"], REASON)]}
    draft = ctx.drafts.put(ctx.user.id, "users", ctx.now, data=data, step=None)
    act = danger if data["act"] in TAKES_AWAY else primary
    rows = [act(f"acts.do_{data['act']}", "users:ok", draft.id, draft.version), way_out("users:card", found.id)]
    ctx.reply(
        f"acts.check_{data['act']}", rows, name=found.first_name, amount=data.get("amount", 0), reason=data["reason"]
    )


def _money(ctx, data, words):
    first, _space, reason = words.partition(" ")
    amount = amounts.read(first)
    if amount is None or amount > MOST or not reason.strip():
        raise UserError("acts.want_money", buttons=[way_out("users:card", data["user"])])
    return {"amount": amount if data["act"] == "credit" else -amount, "reason": reason.strip()[:REASON]}


def confirm(ctx, draft, version):
    """Do what was confirmed; a second tap finds it done already."""
    found = ctx.drafts.get(ctx.user.id, "users", ctx.now)
    if found is None or (found.id, found.version) != (draft, version) or "reason" not in found.data:
        raise UserError("acts.done_before")
    data, key = found.data, f"admin:{draft}.{version}"
    person = _person(ctx, data["user"], data["act"])
    if data["act"] in ("credit", "debit"):
        try:
            _move_money(ctx, data, key)
        except OwnCheque:
            worth = abs(data["amount"])
            rights.ask_sum(ctx, "money", "users:sum", worth, data, way_out("users:card", person.id))
            return
    else:
        _do(ctx, person, data["act"], data["reason"], key)
        ctx.done("users")
    ctx.go("users:card", user=person.id)


def take_sum(ctx):
    """Correct one's own balance, alone in the shop, after the sum was typed."""
    data = rights.read_sum(ctx, "money", way_out("users:card", ctx.draft.data["user"]))
    _move_money(ctx, data, f"admin:{ctx.draft.id}.{ctx.draft.version}", alone=True)
    ctx.done("users")
    ctx.go("users:card", user=data["user"])


def _move_money(ctx, data, key, alone=False):
    """Post the entry under the confirmation's own key."""
    about = (data["user"], data["amount"], data["reason"], ctx.user.id, key, ctx.now)
    try:
        entry, _created = ctx.staff.correct(*about, alone=alone)
    except NotEnoughMoney as error:
        raise UserError("acts.too_little", lacking=error.lacking) from None
    ctx.notify(  # once under its key; repeated if a crash came between the entry and this
        data["user"],
        "acts.told",
        unique=key,
        amount=entry.amount,
        reason=entry.reason,
        buttons=ctx.bot.trouble(),
        balance=ctx.ledger.balance(data["user"]),
    )


def _collect(ctx, found, reason, key):
    """Collect what somebody owes; it may be less by now than the card said."""
    entry, _created = ctx.staff.collect(found.id, reason, ctx.user.id, f"collect:{key.partition(':')[2]}", ctx.now)
    if entry is not None:
        values = {"amount": entry.amount, "reason": reason, "balance": ctx.ledger.balance(found.id)}
        ctx.notify(found.id, "acts.told", unique=key, buttons=ctx.bot.trouble(), **values)


def _do(ctx, found, act, reason, key):
    if act == "collect":
        _collect(ctx, found, reason, key)
    elif act == "message":
        rows = plain(ctx.bot.trouble())
        ctx.staff.write(found.id, "acts.letter", reason, ctx.user.id, key, ctx.now, buttons=rows)
    elif act == "note":
        ctx.staff.remark(found.id, reason, ctx.user.id, ctx.now)
    elif act == "resume":
        ctx.staff.resume_sales(found.id, reason, ctx.user.id, ctx.now)
        ctx.notify(found.id, "acts.sales_again", unique=key, buttons=ctx.bot.home())
    else:
        ctx.staff.block(found.id, act == "block", reason, ctx.user.id, ctx.now)
    ctx.toast(f"acts.done_{act}")

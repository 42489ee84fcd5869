"""People with the right decide on transfers. The first decision wins, and it can be taken back.

A request goes to everybody with the right `topups`, or to the staff's group, with what should be known before: the
payer's earlier payments, the same picture or amount seen before. All copies are updated when one of them is decided.
Requests older than an hour are reminded of once. One's own request is decided by somebody else; an owner who is alone
types the sum. Another amount than was asked for is at most TOPUP_MAX.
Texts: desk.* in data/texts/<lang>/payments/transfer_review.po.
"""

from datetime import timedelta

from core.buttons import FRESH, button, danger, link, primary, route, way_out
from core.errors import OwnCheque, UserError
from core.handling import rights
from plugins.payments import _typed

ADMIN = route("admin:show", optional=True)
PERSON = route("users:card", optional=True)
RESEND = route("transfer:resend", optional=True)

REASONS = ("not_found", "wrong_amount", "unreadable", "duplicate")
SAME_PICTURE = 36  # of 255, where two pictures differ most: see `payments/transfer.py`
PATIENCE = timedelta(hours=1)
MAX_REASON = 200


def register(bot):
    """Declare the decisions, the list, and the messages about new and forgotten requests."""
    bot.repeatable()
    for action, handler in (("approve", approve), ("reject", ask_reason), ("undo", ask_undo), ("back", back)):
        bot.button(f"transfer:{action}", handler, right="topups", groups=True, topup=int)
    for action, handler in (("refuse", refuse), ("take", undo)):
        bot.button(f"transfer:{action}", handler, right="topups", groups=True, topup=int, reason=str)
    bot.button("transfer:other", ask_words, right="topups", groups=True, topup=int, verb=str)
    bot.button("transfer:exact", approve_exact, right="topups", topup=int, amount=int)
    bot.button("transfer:show", show_request, right="topups", topup=int)
    bot.button("transfer:list", waiting, right="topups")
    bot.step("desk:words", take_words, right="topups")
    bot.step("desk:sum", take_sum, right="topups")
    bot.admin_menu("desk.menu", "transfer:list", row=1, values=count)
    bot.on("payment.submitted", tell_desk)
    bot.every(10, "requests", tell_unheard)
    bot.every(60, "reminders", remind)


def count(bot):
    """Fill in the admin menu's label."""
    return {"count": bot.payments.count_waiting()}


# what the staff is shown


def tell_desk(bot, event, now):
    """Send a new request to everybody who may decide on it, unless somebody has: after a kill it was on the list first."""
    topup = bot.payments.get(event.topup)
    if topup.state == "pending":
        _tell(bot, topup, now)


def tell_unheard(bot, now):
    """Send the requests that nobody has heard of to those who can be reached by now."""
    for topup in bot.payments.unheard():
        _tell(bot, topup, now)


def _tell(bot, topup, now):
    """Send everybody a copy; if nobody can be reached, tell the payer, once."""
    readers, ref = bot.recipients("topups"), bot.payments.ref(topup.id)
    lost = bot.outbox.rounds(ref)  # copies to people who had blocked the bot: the next ones get keys of their own
    for reader, chat_id in readers:
        _send_copy(bot, topup, reader, chat_id, f"{ref}:{chat_id or reader.id}{f':r{lost}' if lost else ''}", now)
    if not readers:
        bot.notify(topup.user_id, "desk.nobody", unique=f"{ref}:nobody", now=now, buttons=bot.home(), number=topup.id)


def _send_copy(bot, topup, reader, chat_id, unique, now):
    media = {"kind": topup.proof["kind"], "file_id": topup.proof["file_id"]}
    bot.notify(
        reader.id,
        "desk.request",
        unique=unique,
        now=now,
        chat_id=chat_id,
        media=media,
        ref=bot.payments.ref(topup.id),
        buttons=_decision(bot, topup, chat_id),
        **_facts(bot, topup, bot.lang_of(reader), now),
    )


def _decision(bot, topup, in_group):
    if in_group:
        person = link("common.user", f"https://t.me/{bot.username}?start=u{topup.user_id}")
    else:
        person = button("common.user", PERSON, topup.user_id)
    more = [
        button("desk.other", "transfer:other", topup.id, "amount"),
        danger("desk.reject", "transfer:reject", topup.id),
    ]
    return [primary("desk.approve", "transfer:approve", topup.id, amount=topup.amount), more, [person]]


def _facts(bot, topup, lang, now):
    """Return what an admin should know before deciding."""
    payer, before = topup.user, bot.staff.decided(topup.user_id)
    return {
        "number": topup.id,
        "amount": topup.amount,
        "name": payer.first_name,
        "username": f" @{payer.username}" if payer.username else "",
        "id": payer.telegram_id or 0,
        "days": (now - payer.created_at).days,
        "approved": before["approved"],
        "rejected": before["rejected"] + before["undone"],
        "warning": "\n".join(_warnings(bot, topup, lang)),
    }


def _warnings(bot, topup, lang):
    """Yield hints, never a verdict: the same picture, a similar one, the same amount at about the same time."""
    same = next(iter(bot.payments.same_proof(topup)), None)
    similar = None if same else bot.payments.similar_proof(topup, looks_same)
    hints = {"same_picture": same, "similar_picture": similar, "same_amount": bot.payments.same_amount(topup)}
    for key, other in hints.items():
        if other is not None:
            yield bot.texts.plain(
                lang, f"desk.{key}", number=other.id, id=other.user.telegram_id or 0, when=other.submitted_at
            )


def looks_same(mine, other):
    """Return whether two sketches (squares of grey levels) show the same picture."""
    from PIL import Image, ImageChops

    if len(mine) != len(other):
        return False
    side = int(len(mine) ** 0.5)
    pictures = [Image.frombytes("L", (side, side), pixels) for pixels in (mine, other)]
    return ImageChops.difference(*pictures).getextrema()[1] <= SAME_PICTURE


def waiting(ctx):
    """List the requests that wait."""
    found = ctx.payments.waiting(limit=7)
    rows = [
        button("desk.row", "transfer:show", t.id, number=t.id, amount=t.amount, name=t.user.first_name[:8])
        for t in found
    ]
    ctx.edit("desk.waiting" if found else "desk.none_waiting", [*rows, way_out(ADMIN)])


def show_request(ctx, topup):
    """Send one request again, with its picture."""
    found = _pending(ctx, topup)
    if found is not None:
        _send_copy(ctx.bot, found, ctx.user, None, f"topup:{topup}:{ctx.user.id}:{ctx.update_id}", ctx.now)
        ctx.toast("desk.sent_below")


def _pending(ctx, topup, state="pending"):
    """Return a request that is still in this state; else say what became of it and return None."""
    found = ctx.payments.get(topup)
    if found is None:
        raise UserError("common.old_button")
    if found.state == state:
        return found
    ctx.toast(f"desk.was_{found.state}", alert=True, number=found.id)
    return None


def remind(bot, now):
    """Remind of requests that have waited for an hour, all in one message and each only once."""
    late = bot.payments.overdue(now - PATIENCE)
    if late:
        for reader, chat_id in bot.recipients("topups"):
            numbers = [bot.texts.plain(bot.lang_of(reader), "common.number", number=topup.id) for topup in late]
            rows = [] if chat_id else [button("desk.menu", "transfer:list", **count(bot)), *bot.home()]
            bot.notify(
                reader.id,
                "desk.remind",
                unique=f"remind:{late[-1].id}:{chat_id or reader.id}",
                now=now,
                chat_id=chat_id,
                buttons=rows,
                n=len(late),
                numbers=", ".join(numbers),
            )


# decisions


def approve(ctx, topup):
    """Approve the amount that was asked for."""
    _approve(ctx, topup, None)


def approve_exact(ctx, topup, amount):
    """Approve a different amount than was asked for, as it was confirmed."""
    if not 0 < amount <= _most(ctx):
        raise UserError("desk.too_much", most=_most(ctx))
    if _approve(ctx, topup, amount):
        ctx.done("desk")
        ctx.edit("desk.approved_other", [way_out("transfer:list")], amount=amount, number=topup)


def _approve(ctx, topup, amount, alone=False):
    """Approve: the first decision wins, and the money moves once; return whether it was this one."""
    try:
        decided = ctx.payments.approve(topup, ctx.user.id, ctx.now, amount, alone=alone)
    except OwnCheque:
        worth = amount or ctx.payments.get(topup).amount
        data = {"topup": topup, "amount": worth}
        if not ctx.private and rights.is_alone(ctx.bot, ctx.user, "topups"):
            ctx.toast("desk.in_private")
        rights.ask_sum(ctx, "topups", "desk:sum", worth, data, way_out("transfer:list"))
        return False
    if decided is None:
        _pending(ctx, topup)
        return False
    _update_copies(ctx, decided)
    ctx.toast("desk.approved_toast", amount=decided.credited)
    return True


def take_sum(ctx):
    """Approve one's own request, alone in the shop, after its sum was typed."""
    data = rights.read_sum(ctx, "topups", way_out("transfer:list"))
    if _approve(ctx, data["topup"], data["amount"], alone=True):
        ctx.done("desk")


def ask_reason(ctx, topup):
    """Replace the decision buttons by the reasons for a refusal, and say that one is wanted."""
    if _pending(ctx, topup):
        ctx.edit_buttons(_reasons("refuse", topup))
        ctx.toast("desk.want_why")


def ask_undo(ctx, topup):
    """Offer the reasons for taking an approval back; this is the only question."""
    if _pending(ctx, topup, "approved"):
        ctx.edit_buttons(_reasons("take", topup))
        ctx.toast("desk.want_why")


def _reasons(verb, topup):
    rows = [button(f"desk.reason_{reason}", f"transfer:{verb}", topup, reason) for reason in REASONS]
    own = button("desk.own_words", "transfer:other", topup, verb)
    return [*rows, [own, button("common.back", "transfer:back", topup)]]


def back(ctx, topup):
    """Return from the reasons."""
    found = ctx.payments.get(topup)
    in_group = not ctx.private
    if found is not None and found.state == "approved":
        ctx.edit_buttons(_undo(topup))
    elif _pending(ctx, topup):
        ctx.edit_buttons(_decision(ctx.bot, found, in_group))


def _undo(topup):
    return [[button("desk.undo", "transfer:undo", topup), button("common.menu", FRESH)]]


def refuse(ctx, topup, reason):
    """Refuse with one of the reasons, in the payer's language."""
    _refuse(ctx, topup, _words(ctx, topup, reason))


def undo(ctx, topup, reason):
    """Take an approval back with one of the reasons."""
    _take_back(ctx, topup, _words(ctx, topup, reason))


def _words(ctx, topup, reason):
    found = ctx.payments.get(topup)
    if reason not in REASONS or found is None:
        raise UserError("common.old_button")
    return ctx.texts.plain(ctx.bot.lang_of(found.user), f"desk.reason_{reason}")


def _refuse(ctx, topup, words):
    decided = ctx.payments.reject(topup, ctx.user.id, words, ctx.now)
    found = decided or ctx.payments.get(topup)
    if found is not None and found.state == "rejected":
        _tell_refused(ctx, found)  # once under its key; repeated if a crash came between the decision and this
    if decided is None:
        _pending(ctx, topup)
        return
    _update_copies(ctx, decided)
    ctx.toast("desk.refused_toast")


def _tell_refused(ctx, found):
    """Tell the payer why, what to do about it, and take another screenshot by a tap."""
    lang = ctx.bot.lang_of(ctx.bot.users.get(found.user_id))
    known = next((one for one in REASONS if ctx.texts.plain(lang, f"desk.reason_{one}") == found.reason), "own")
    ctx.notify(
        found.user_id,
        "desk.refused",
        unique=f"topup:{found.id}:refused",
        buttons=[button("desk.resend", RESEND, found.id), *ctx.bot.trouble(f"pay{found.id}")],
        number=found.id,
        amount=found.amount,
        reason=found.reason,
        todo=ctx.texts.plain(lang, f"desk.todo_{known}"),
    )


def _take_back(ctx, topup, words):
    taken = ctx.refunds.undo(topup, ctx.user.id, words, ctx.now)
    if taken is None:
        _pending(ctx, topup, "approved")
        return
    _update_copies(ctx, taken[0])
    ctx.toast("desk.taken_loss" if taken[1] else "desk.taken_toast", alert=bool(taken[1]), loss=taken[1])


def ask_words(ctx, topup, verb):
    """Ask, in private, for a different amount, or for a reason in one's own words."""
    questions = {"amount": "pending", "refuse": "pending", "take": "approved"}
    if verb not in questions:
        raise UserError("common.old_button")
    found = _pending(ctx, topup, questions[verb])
    if found is None:
        return
    if not ctx.private:
        ctx.toast("desk.in_private")
        ctx.in_private()
    data = {"verb": verb, "topup": topup}
    ctx.ask("desk:words", f"desk.ask_{verb}", [way_out("transfer:list")], data=data, number=topup, amount=found.amount)


def take_words(ctx):
    """Read the amount, which then has to be confirmed (another one may be typed until then), or the reason."""
    verb, topup = ctx.draft.data["verb"], ctx.draft.data["topup"]
    if verb == "amount":
        _check_amount(ctx, topup)
        return
    words = ctx.text.strip()[:MAX_REASON]
    if not words:
        raise UserError("desk.want_reason", buttons=[way_out("transfer:list")])
    ctx.done("desk")
    (_refuse if verb == "refuse" else _take_back)(ctx, topup, words)


def _check_amount(ctx, topup):
    amount, found = _typed.read(ctx, ctx.text), ctx.payments.get(topup)
    if amount is None:
        raise UserError("desk.want_amount", buttons=[way_out("transfer:list")])
    if amount > _most(ctx):
        raise UserError("desk.too_much", buttons=[way_out("transfer:list")], most=_most(ctx))
    yes = primary("desk.approve", "transfer:exact", topup, amount, amount=amount)
    ctx.reply("desk.check_amount", [yes, way_out("transfer:list")], number=topup, amount=amount, asked=found.amount)


def _most(ctx):
    """Return the most that may be credited instead of what was asked for, in minor units; without a limit, raise."""
    if "TOPUP_MAX" not in ctx.settings.declared:
        raise UserError("common.old_button")
    return ctx.settings["TOPUP_MAX"] * 100


def _update_copies(ctx, topup):
    """Add the decision to every copy of the request; copies not sent yet are withdrawn."""
    ctx.outbox.withdraw(f"topup:{topup.id}")
    values = {
        "name": ctx.user.first_name,
        "when": ctx.now,
        "amount": topup.credited or topup.amount,
        "reason": topup.reason or "",
    }
    rows = _undo(topup.id) if topup.state == "approved" else None
    for row in ctx.outbox.sent_for(f"topup:{topup.id}"):
        ctx.close_copy(row, f"desk.done_{topup.state}", rows, **values)

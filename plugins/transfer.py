"""Pay by transfer: details to copy, a screenshot to send, and an admin's decision. A picture never credits by itself.

Setting: TRANSFER_DETAILS, what to pay to; empty, the default, turns this way off.
Texts: transfer.* in data/texts/<lang>/transfer.po.
"""

from core.buttons import button, way_out
from core.errors import UserError
from core.forms import file_in

STEP = "transfer:proof"
PROOFS = ("photo", "document")
REASONS = ("not_found", "wrong_amount", "unreadable", "duplicate")


def register(bot):
    """Declare the way to pay and the admins' decision."""
    if bot.setting("TRANSFER_DETAILS", default=""):
        bot.payment_method("transfer", "transfer.button", start)
    bot.step(STEP, take_proof)
    bot.button("transfer:cancel", cancel)
    bot.button("transfer:approve", approve, admin=True, topup=int)
    bot.button("transfer:reject", ask_reason, admin=True, topup=int)
    bot.button("transfer:back", back, admin=True, topup=int)
    bot.button("transfer:refuse", refuse, admin=True, topup=int, reason=str)
    bot.button("transfer:list", waiting, admin=True)
    bot.button("transfer:show", show_request, admin=True, topup=int)
    bot.admin_menu("transfer.menu", "transfer:list", row=1, values=count)


def count(bot):
    """Fill in the admin menu's label."""
    return {"count": bot.payments.count_waiting()}


def start(ctx, amount):
    """Show the details and wait for the screenshot."""
    if (pending := ctx.payments.pending_of(ctx.user.id)) is not None:
        ctx.edit("transfer.already", _home(), number=pending.id, amount=pending.amount)
        return
    ctx.payments.cancel_new(ctx.user.id)
    topup = ctx.payments.create(ctx.user.id, "transfer", amount, now=ctx.now)
    buttons = [button("transfer.cancel", "transfer:cancel"), button("common.menu", "start:menu")]
    ctx.ask(STEP, "transfer.details", buttons, data={"topup": topup.id}, amount=amount, details=ctx.settings["TRANSFER_DETAILS"])


def cancel(ctx):
    """Drop the unfinished request."""
    ctx.done("transfer")
    ctx.payments.cancel_new(ctx.user.id)
    ctx.edit("transfer.cancelled", _home())


def _home():
    return [[button("balance.menu", "balance:show"), button("common.menu", "start:menu")]]


def take_proof(ctx):
    """Take the screenshot: the request waits for an admin from now on."""
    file = file_in(ctx.message)
    if file is None or file["kind"] not in PROOFS:
        raise UserError("transfer.want_picture", buttons=[button("transfer.cancel", "transfer:cancel")])
    proof = {name: file[name] for name in ("file_id", "unique_id", "kind")}
    topup = ctx.payments.submit(ctx.draft.data.get("topup", 0), ctx.user.id, proof)
    ctx.done("transfer")
    if topup is None:
        raise UserError("transfer.not_open", buttons=_home())
    _tell_admins(ctx, topup)
    ctx.reply("transfer.received", _home(), amount=topup.amount, number=topup.id)


def _tell_admins(ctx, topup):
    for admin in ctx.bot.admins():
        ctx.notify(
            admin.id,
            "transfer.request",
            unique=f"topup:{topup.id}:{admin.id}",
            buttons=_decision(topup),
            media={"kind": topup.proof["kind"], "file_id": topup.proof["file_id"]},
            ref=f"topup:{topup.id}",
            **_facts(ctx, topup, admin),
        )


def _decision(topup):
    return [
        button("transfer.approve", "transfer:approve", topup.id, amount=topup.amount),
        [button("transfer.reject", "transfer:reject", topup.id), button("transfer.user", "users:card", topup.user_id)],
    ]


def _facts(ctx, topup, reader):
    """Return what an admin should know before deciding."""
    lang = ctx.bot.lang_of(reader)
    payer = ctx.users.get(topup.user_id)
    earlier = ctx.payments.same_proof(topup)
    approved = sum(1 for t in ctx.payments.of_user(payer.id, limit=100) if t.state in ("approved", "paid"))
    return {
        "number": topup.id,
        "amount": topup.amount,
        "name": payer.first_name,
        "username": f"@{payer.username}" if payer.username else "",
        "id": payer.telegram_id,
        "days": (ctx.now - payer.created_at).days,
        "approved": approved,
        "warning": ctx.texts.plain(lang, "transfer.same_picture", number=earlier[0].id) if earlier else "",
    }


def waiting(ctx):
    """List the requests that wait."""
    found = ctx.payments.waiting()
    rows = [button("transfer.row", "transfer:show", t.id, number=t.id, amount=t.amount, name=t.user.first_name[:12]) for t in found]
    ctx.edit("transfer.waiting" if found else "transfer.none_waiting", [*rows, way_out("admin:show")])


def show_request(ctx, topup):
    """Send one request with its picture again."""
    found = ctx.payments.get(topup)
    if found is None:
        raise UserError("common.old_button")
    if found.state != "pending":
        _show_decided(ctx, found)
        return
    ctx.notify(
        ctx.user.id,
        "transfer.request",
        unique=f"topup:{topup}:{ctx.user.id}:{ctx.update_id}",
        buttons=_decision(found),
        media={"kind": found.proof["kind"], "file_id": found.proof["file_id"]},
        ref=f"topup:{topup}",
        **_facts(ctx, found, ctx.user),
    )
    ctx.toast("transfer.sent_below")


def approve(ctx, topup):
    """Approve: the first admin wins, and the money moves once."""
    decided = ctx.payments.approve(topup, ctx.user.id, ctx.now)
    if decided is None:
        _show_decided(ctx, ctx.payments.get(topup))
        return
    _update_copies(ctx, decided)
    ctx.toast("transfer.approved_toast", amount=decided.credited)


def ask_reason(ctx, topup):
    """Offer the reasons for a refusal."""
    rows = [button(f"transfer.reason_{reason}", "transfer:refuse", topup, reason) for reason in REASONS]
    ctx.edit_buttons([*rows, button("common.back", "transfer:back", topup)])


def back(ctx, topup):
    """Return from the reasons to the decision."""
    found = ctx.payments.get(topup)
    if found is None or found.state != "pending":
        _show_decided(ctx, found)
    else:
        ctx.edit_buttons(_decision(found))


def refuse(ctx, topup, reason):
    """Refuse with a reason the payer reads."""
    if reason not in REASONS:
        raise UserError("common.old_button")
    found = ctx.payments.get(topup)
    words = ctx.texts.plain(ctx.bot.lang_of(found.user), f"transfer.reason_{reason}") if found else ""
    decided = ctx.payments.reject(topup, ctx.user.id, words, ctx.now)
    if decided is None:
        _show_decided(ctx, found)
        return
    ctx.notify(decided.user_id, "transfer.refused", unique=f"topup:{topup}:refused", buttons=_home(),
               number=topup, amount=decided.amount, reason=words)
    _update_copies(ctx, decided)
    ctx.toast("transfer.refused_toast")


def _show_decided(ctx, topup):
    if topup is None:
        raise UserError("common.old_button")
    ctx.toast(f"transfer.was_{topup.state}", alert=True, number=topup.id)


def _update_copies(ctx, topup):
    """Put the decision under every admin's copy of the request."""
    key = "transfer.done_approved" if topup.state == "approved" else "transfer.done_rejected"
    values = {"name": ctx.user.first_name, "when": ctx.now, "amount": topup.credited or topup.amount}
    for row in ctx.outbox.sent_for(f"topup:{topup.id}"):
        ctx.close_copy(row, key, reason=topup.reason or "", **values)

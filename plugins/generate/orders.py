"""Ordering: the confirmed quote becomes a job; cancelling; and ordering again.

Texts: orders.* in data/texts/<lang>/generate/orders.po.
"""

from functools import partial

from core.buttons import CARD, MENU, button, route
from core.errors import UserError
from core.services import paid_orders
from plugins.generate._loose import opened

MODELS = route("models:menu", optional=True)
WAITING = "generate:waiting"

ON_CARD = ("job.stale_quote", "job.price_changed", "job.not_enough")


def register(bot):
    """Declare the confirm button, /cancel, and the buttons under a result."""
    bot.repeatable()
    bot.command("cancel", cancel_all, about="orders.about_cancel", order=10)
    bot.button("orders:go", order, draft=int, version=int)
    bot.button("orders:rung", order, draft=int, version=int, rung=int)
    bot.button("orders:waiting", order_waiting, draft=int, version=int, rung=int)
    bot.button("orders:cancel", cancel_job, job=int)
    bot.button("orders:again", again, job=int)
    bot.button("orders:retry", retry, job=int, price=int)
    bot.button("orders:change", change, job=int)
    bot.under_result(1, under_result)
    bot.on("message.sent", note_shown)


def order_waiting(ctx, draft, version, rung):
    """Order what waited for money, below the message about it; `rung` is -1 for the card."""
    order(ctx, draft, version, None if rung < 0 else rung, screen=WAITING, below=True)


def order(ctx, draft, version, rung=None, screen=CARD, below=False):
    """Turn the shown quote (of the card, or of a ladder's rung) into a job; its screen becomes the progress message.

    `screen` is the route that shows it again where it cannot be ordered as it stands; `below` a message that stays.
    """
    _make(
        ctx,
        partial(ctx.generation.order, ctx.user, draft, version, ctx.now, rung),
        lambda error: _explain(ctx, error, screen),
        ctx.reply if below else ctx.edit,
    )


def _make(ctx, make, explain, show, over=None):
    """Make an order and show that it is under way, in the message that becomes its progress message; once.

    `over` is called where it was made before and has ended.
    """
    try:
        job, model, created = make()
    except UserError as error:
        explain(error)
        return
    if not created and over is not None and job.state not in ctx.jobs.OPEN:
        over()
        return
    if not created and (model is None or job.progress_id or job.state not in ctx.jobs.OPEN):
        ctx.toast("orders.already")
        return  # else the process was killed before it could show that the order is under way
    cancel = button("job.cancel", "orders:cancel", job.id)
    shown = show("job.queued", [cancel], **ctx.generation.in_queue(job, model, ctx.lang))
    ctx.jobs.note_progress(job.id, shown, ctx.now + ctx.jobs.PROGRESS)


def note_shown(bot, event, now):
    """Have an order that was made by its payment show its progress in the message about it."""
    kind, _colon, number = event.ref.partition(":")
    if f"{kind}:" != paid_orders.REF:
        return
    job = bot.jobs.get(int(number))
    for row in bot.outbox.sent_for(event.ref):
        if job.state in bot.jobs.OPEN:
            bot.jobs.note_progress(job.id, row.message_id, now + bot.jobs.PROGRESS)
        else:  # its result was faster
            bot.delete_quietly(bot.users.get(event.user).telegram_id, row.message_id)


def _explain(ctx, error, screen):
    """Show the card or the ladder again if it shows the reason: an old quote, another price, too little money."""
    gone = error.key == "job.gone"
    if gone:
        error.buttons = [button("common.all_models", MODELS)]
    draft = ctx.drafts.get(ctx.user.id, screen.split(":")[0], ctx.now)
    if screen == WAITING:
        draft = ctx.generation.waiting(ctx.user.id, ctx.now)
    is_there = ctx.generation.has_card(ctx.user.id, ctx.now) if screen == CARD else draft is not None
    if not (error.key in ON_CARD or gone and draft and draft.data.get("rungs")) or not is_there:
        raise error
    ctx.toast(error.key, alert=True, **error.values)
    ctx.go(screen)


def cancel_job(ctx, job):
    """Cancel a queued job; a running one cannot be stopped, and the person is told so."""
    cancelled = ctx.generation.cancel(ctx.user, job, ctx.now)
    if cancelled is not None:
        rows = [[button("job.change", "orders:change", job), button("common.menu", MENU)]]
        owed = ctx.bot.ledger.recovered(cancelled.id)
        ctx.edit(
            "orders.cancelled",
            rows,
            amount=cancelled.price,
            balance=ctx.ledger.balance(ctx.user.id),
            owed=ctx.say("job.owed", amount=owed) if owed else "",
        )
        ctx.jobs.note_progress(job, None, None)
        return
    known = ctx.jobs.get(job, ctx.user.id)
    if known is None:
        raise UserError("common.old_button")
    ctx.toast("orders.cannot_stop" if known.state in ctx.jobs.OPEN else "orders.is_over", alert=True)


def cancel_all(ctx):
    """Drop the open card, cancel what is queued, and say what cannot be stopped."""
    dropped = ctx.generation.waiting(ctx.user.id, ctx.now) is not None or opened(ctx) is not None
    ctx.drafts.drop(ctx.user.id)
    jobs = ctx.jobs.of_user(ctx.user.id, limit=20, states=ctx.jobs.OPEN, questions=True)
    cancelled = [job for job in jobs if ctx.generation.cancel(ctx.user, job.id, ctx.now)]
    running = len(jobs) - len(cancelled)
    lines = [ctx.say("orders.cancel_draft")] if dropped else []
    if cancelled:
        lines.append(ctx.say("orders.cancel_jobs", n=len(cancelled), amount=sum(job.price for job in cancelled)))
    if running:
        lines.append(ctx.say("orders.cancel_running", n=running))
    ctx.reply("orders.cancel", ctx.bot.home(), lines=ctx.lines(lines or [ctx.say("orders.cancel_nothing")]))


# going on from a result


def under_result(bot, job):
    """Return the first buttons under a result."""
    if not bot.generation.model(job):
        return []
    again = button("job.again", "orders:again", job.id)  # it was free: what it costs now, the card says
    if job.price:
        again = button("job.again_at", "orders:retry", job.id, job.price, price=job.price)
    return [again, button("job.change", "orders:change", job.id)]


def again(ctx, job):
    """Open a new card with the inputs of an earlier job, below its result, ready to confirm."""
    _reopen(ctx, job, None)


def change(ctx, job):
    """Open the same card, and say that it can be changed."""
    _reopen(ctx, job, "orders.change_it")


def retry(ctx, job, price):
    """Order the same once more, by this one tap; if it is not what was shown, the card shows what it is now.

    A second tap under a result whose next one has come opens the card, too.
    """
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None:
        raise UserError("common.old_button")
    repeat = partial(ctx.generation.repeat, ctx.user, found, price, ctx.now, _parent(ctx, job))
    over = partial(_reopen, ctx, job, None) if found.state == "succeeded" else None
    _make(ctx, repeat, lambda error: _explain_repeated(ctx, error, job), ctx.reply, over)


def _explain_repeated(ctx, error, job):
    """Show the card of an ended order with what it costs now."""
    if error.key not in ON_CARD:
        raise error
    _reopen(ctx, job, None)
    ctx.toast(error.key, alert=True, **error.values)


def _parent(ctx, job):
    """Return the result that an order was made from, or None."""
    version = ctx.revisions.get(job)
    return {"job": version.parent_id, "part": version.part} if version else None


def _reopen(ctx, job, note):
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None:
        raise UserError("common.old_button")
    model = ctx.generation.catalog.models.get(found.model)
    if model is None:
        raise UserError("job.gone", buttons=[button("common.all_models", MODELS)])
    values, trouble = {name: value for name, value in found.inputs.items() if name in model.by_name}, None
    try:
        values = ctx.generation.measured(model, values, ctx.user)
    except UserError as error:  # e.g. its file is gone: the card asks for another one
        trouble = error
    ctx.generation.fill(ctx.user.id, model, values, ctx.now, parent=_parent(ctx, found.id))
    ctx.go("generate:card", below=True, note=note)
    if trouble is not None:
        ctx.toast(trouble.key, alert=True, **trouble.values)

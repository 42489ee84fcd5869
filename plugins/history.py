"""/history: earlier orders; results are sent again by what Telegram stored, so they outlive KIE's addresses.

Texts: history.* in data/texts/<lang>/history.po.
"""

from core.buttons import button, way_out
from core.errors import UserError

PAGE = 6


def register(bot):
    """Declare the command, the pages and what can be done with an entry."""
    bot.command("history", show, about="history.about", order=6)
    bot.button("history:show", show_page, before=int)
    bot.button("history:job", show_job, job=int)
    bot.button("history:send", send, job=int)
    bot.button("history:original", original, job=int)
    bot.menu("history.menu", "history:show:0", row=1)


def show(ctx):
    """Show the newest orders."""
    show_page(ctx, 0)


def show_page(ctx, before):
    """Show a page of orders, older than `before` (0: the newest)."""
    found = ctx.jobs.of_user(ctx.user.id, limit=PAGE + 1, before=before or None)
    rows = [button("history.row", "history:job", job.id, state=ctx.texts.plain(ctx.lang, f"history.mark_{job.state}"),
                   model=ctx.generation.title(job), number=job.id) for job in found[:PAGE]]
    if len(found) > PAGE:
        rows.append(button("balance.older", "history:show", found[PAGE - 1].id))
    ctx.edit("history.list" if found else "history.none", [*rows, *ctx.bot.home()])


def show_job(ctx, job):
    """Show one order and what can be done with it."""
    found = _own(ctx, job)
    rows = []
    if found.sent:
        rows.append(button("history.send", "history:send", job))
    elif found.delivery == "undeliverable":
        rows.append(button("history.send", "history:send", job))
    rows.append([button("job.again", "orders:again", job), button("job.change", "orders:change", job)])
    if found.state == "queued":
        rows.append(button("job.cancel", "orders:cancel", job))
    rows.append(way_out("history:show", 0))
    model = ctx.generation.catalog.models.get(found.model)
    prompt = str(found.inputs.get(model.main_text.name, "")) if model and model.main_text else ""
    reason = ctx.say(f"job.why_{found.reason}") if found.reason and ctx.texts.has(f"job.why_{found.reason}") else ""
    ctx.edit("history.job", rows, number=job, model=ctx.generation.title(found), when=found.created_at, prompt=prompt[:300],
             price=found.price if found.charged is None else found.charged,
             state=ctx.say(f"history.state_{found.state}"), reason=reason)


def _own(ctx, job):
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None:
        raise UserError("common.old_button")
    return found


def send(ctx, job):
    """Send a result again: by what Telegram stored, or once more from KIE."""
    found = _own(ctx, job)
    files = [part for part in found.sent or [] if part.get("file_id")]
    if files:
        for part in files:
            ctx.send_file(part["kind"], part["file_id"])
    elif found.result and found.result.get("text"):
        ctx.reply("history.text", ctx.bot.home(), text=found.result["text"][:3500])
    elif ctx.jobs.redeliver(job, ctx.user.id, ctx.now):
        ctx.toast("history.coming")
    else:
        raise UserError("history.nothing")


def original(ctx, job):
    """Send the files in original quality, as documents: Telegram has recompressed pictures."""
    found = _own(ctx, job)
    if not found.result or not found.result.get("urls"):
        raise UserError("history.nothing")
    trouble = ctx.generation.delivery.send_originals(found, ctx.chat_id)
    if trouble:
        raise UserError(f"history.original_{trouble}")
    ctx.answered = True

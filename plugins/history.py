"""/history: earlier orders with their results, and what can be done with each.

Results are sent again by what Telegram stored, so they outlive KIE's addresses. Who came from another bot has a list of
what they made and paid there.
Texts: history.* in data/texts/<lang>/history.po.
"""

from datetime import datetime, timedelta

from core.buttons import button, route, way_out
from core.errors import UserError

MODELS = route("models:menu", optional=True)
AGAIN = route("orders:again", optional=True)
CANCEL = route("orders:cancel", optional=True)
CHANGE = route("orders:change", optional=True)
VERSIONS = route("versions:show", optional=True)

PAGE, PAST_PAGE = 6, 10
LINK_LIFE = timedelta(days=1)  # how long KIE keeps a result, at least
SHOWN = ("photo", "video", "audio", "document", "animation")  # what a message can be turned into (editMessageMedia)
GIVEN_BACK = ("failed", "cancelled")
LABEL, CAPTION_PROMPT = 36, 300  # characters of a label that a phone shows in full, and of a prompt under a picture


def register(bot):
    """Declare the command, the pages and what can be done with an entry."""
    bot.repeatable()
    bot.command("history", show, about="history.about", order=6)
    bot.button("history:show", show_page, before=int)
    bot.button("history:back", back, before=int)
    bot.button("history:job", show_job, job=int)
    bot.button("history:send", send, job=int)
    bot.button("history:past", show_past, first=int)
    bot.button("history:original", original, job=int)
    bot.menu("history.menu", "history:show:0", row=1)
    bot.under_result(3, under_result)


def under_result(_bot, job):
    """Return the button under a result that fetches the files in original quality."""
    return [button("job.original", "history:original", job.id)] if job.result and job.result["urls"] else []


def show(ctx):
    """Show the newest orders."""
    show_page(ctx, 0)


def back(ctx, before):
    """Return from an entry, which is deleted if it is a picture, to the page it is on."""
    if "text" not in ctx.message:
        ctx.delete(ctx.message["message_id"])
    show_page(ctx, before)


def show_page(ctx, before):
    """Show a page of orders, older than `before` (0: the newest)."""
    found = ctx.jobs.of_user(ctx.user.id, limit=PAGE + 1, before=before or None)
    numbers = ctx.revisions.numbers([job.id for job in found])
    rows = [button("label", "history:job", job.id, label=_label(ctx, job, numbers)) for job in found[:PAGE]]
    turn = [button("history.newest", "history:show", 0)] if before else []
    turn += [button("common.older", "history:show", found[PAGE - 1].id)] if len(found) > PAGE else []
    rows = rows or [button("history.make", MODELS)]
    if not before and ctx.store.of(ctx.user.id).get("past"):
        turn.insert(0, button("history.past", "history:past", 0))
    keyboard = [*rows, turn, *ctx.bot.home()]
    if found:
        ctx.edit("history.list", keyboard, spent=ctx.jobs.spent(ctx.user.id, _month(ctx)))
    else:
        ctx.edit("history.none", keyboard)


def _month(ctx):
    """Return when the month began where the person is."""
    here = ctx.now.astimezone(ctx.bot.zone_of(ctx.user))
    return here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def show_past(ctx, first):
    """Show what somebody made and paid at the bot they came from, as the import has brought it."""
    past = ctx.store.of(ctx.user.id).get("past", [])
    lines = [
        ctx.say(f"history.past_{one['kind']}", **one | {"at": datetime.fromisoformat(one["at"])})
        for one in past[first : first + PAST_PAGE]
    ]
    turn = [button("history.newer", "history:past", first - PAST_PAGE)] if first >= PAST_PAGE else []
    turn += [button("history.older", "history:past", first + PAST_PAGE)] if first + PAST_PAGE < len(past) else []
    ctx.edit("history.past_list", [turn, way_out("history:show", 0)], lines=ctx.lines(lines))


def _label(ctx, job, numbers):
    """Return an order's label, cut to what a phone shows in full."""
    version = numbers.get(job.id)
    label = ctx.texts.plain(
        ctx.lang,
        "history.row",
        version=ctx.texts.plain(ctx.lang, "history.version", n=version) if version else "",
        state=ctx.texts.plain(ctx.lang, f"history.mark_{job.state}"),
        number=job.id,
        price=_price(ctx, job),
        model=ctx.generation.title(job),
        prompt=" ".join(_prompt(ctx, job)[:LABEL].split()),
    ).strip()
    return label if len(label) <= LABEL else label[: LABEL - 1] + "…"


def _price(ctx, job):
    """Return what an order costs, as a part of its label; nothing if the money came back."""
    if job.state in GIVEN_BACK and not job.charged:
        return ""
    price = job.price if job.charged is None else job.charged
    return ctx.texts.plain(ctx.lang, "history.price" if price else "history.free", price=price)


def _prompt(ctx, job):
    return ctx.generation.words(ctx.lang, ctx.generation.model(job), job.inputs)


def show_job(ctx, job):
    """Show one order, with its picture if there is one, and the possible actions."""
    found = _own(ctx, job)
    newer, older = ctx.jobs.neighbours(ctx.user.id, job)
    turn = [button("history.newer", "history:job", newer)] if newer else []
    turn += [button("history.older", "history:job", older)] if older else []
    rows = [*_actions(ctx, found), turn, way_out("history:back", job + PAGE if newer else 0)]
    price = found.price if found.charged is None else found.charged
    reason = ctx.say(f"job.why_{found.reason}") if found.reason and ctx.texts.has(f"job.why_{found.reason}") else ""
    values = {
        "number": job,
        "model": ctx.generation.title(found),
        "when": found.created_at,
        "price": price,
        "prompt": _prompt(ctx, found)[:CAPTION_PROMPT],
        "state": ctx.say(f"history.state_{found.state}"),
        "reason": reason,
    }
    file = next((part for part in found.sent or [] if part["kind"] in SHOWN), None)
    if file is not None:
        shown = ctx.show_file(file["kind"], file["file_id"], "history.job", rows, **values)
        ctx.result_messages.note(ctx.user.id, job, ctx.chat_id, {shown: found.sent.index(file)})
    else:
        if "text" not in ctx.message:
            ctx.delete(ctx.message["message_id"])
        ctx.edit("history.job", rows, **values)


def _actions(ctx, job):
    """Return the rows of possible actions for an order."""
    if job.state == "queued":
        return [button("job.cancel", CANCEL, job.id)]
    many = ctx.revisions.count(job.id)
    tree = [button("history.versions", VERSIONS, job.id, 0, count=many)] if many > 1 else []
    if not job.result:
        return [[button("job.again", AGAIN, job.id), button("job.change", CHANGE, job.id)], tree]
    files = len([part for part in job.sent or [] if part.get("file_id")])
    if files == 1:
        return [*ctx.bot.result_rows(job), tree]
    key = "history.send_all" if files else "history.send"
    return [[button(key, "history:send", job.id, count=files), *tree], *ctx.bot.result_rows(job)]


def _own(ctx, job):
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None:
        raise UserError("common.old_button")
    return found


def send(ctx, job):
    """Send a result again: from Telegram's storage, as the address it was sent as, or once more from KIE."""
    found = _own(ctx, job)
    parts = found.sent or []
    links = [part["url"] for part in parts if "url" in part]
    shown = {
        ctx.send_file(part["kind"], part["file_id"]): place for place, part in enumerate(parts) if part.get("file_id")
    }
    if shown:
        ctx.result_messages.note(ctx.user.id, job, ctx.chat_id, shown)
    if links:
        _send_links(ctx, found, links)
    elif found.result and found.result.get("text") and not found.result["urls"]:
        ctx.reply("history.text", ctx.bot.home(), text=found.result["text"])
    elif not parts and not ctx.jobs.redeliver(job, ctx.user.id, ctx.now):
        raise UserError("history.nothing")
    elif not parts:
        ctx.toast("history.coming")


def _send_links(ctx, job, links):
    until = job.finished_at + LINK_LIFE
    if until < ctx.now:
        raise UserError("history.original_gone")
    ctx.reply("history.links", ctx.bot.home(), links="\n".join(links), until=until)


def original(ctx, job):
    """Send the files in original quality, as documents: Telegram recompresses pictures."""
    found = _own(ctx, job)
    if not found.result or not found.result.get("urls"):
        raise UserError("history.nothing")
    trouble = ctx.generation.delivery.send_originals(found, ctx.chat_id, ctx.lang)
    if trouble:
        raise UserError(f"history.original_{trouble}")
    ctx.answered = True

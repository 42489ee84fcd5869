"""The versions of a result: what grew from what, back to an earlier one, and what a result says of it.

Texts: versions.* in data/texts/<lang>/generate/versions.po.
"""

from core.buttons import button, pager, route, way_out
from core.services.generation import REPLIES
from plugins.generate._follow_up import just_made
from plugins.generate._loose import own

HISTORY = route("history:job", optional=True)
SEND = route("history:send", optional=True)

PAGE, PER_ROW, DEEPEST = 9, 3, 4
PROMPT, CAPTION = 28, 300
STEP_IN = "\N{NO-BREAK SPACE}" * 3


def register(bot):
    """Declare the tree, the way back, and what stands on a result."""
    bot.repeatable()
    bot.button("versions:show", show, beside=True, job=int, page=int)
    bot.button("versions:back", back, beside=True, job=int)
    bot.update("text", undo, order=15, beside=True)  # before what else "back" may mean
    bot.update("text", stay, order=25, beside=True)
    bot.under_result(4, under_result)
    bot.result_line(line, groups=True)


# on a result


def under_result(bot, job):
    """Return the buttons of a later version: another one from where it came from, back to that one, and to the first."""
    row = bot.revisions.of(job)
    if row is None:
        return []
    n = _number(bot, row.parent_id)
    branch = button("common.branch", "replies:edit", row.parent_id, row.part, n=n)
    first = [button("common.back_to", "versions:back", row.root_id, n=bot.revisions.FIRST)]
    back = [button("common.back_to", "versions:back", row.parent_id, n=n)]
    return [branch, *back, *(first if row.root_id != row.parent_id else [])]


def line(bot, job):
    """Say of a later version what it was made from; under a person's first result, that a reply changes it."""
    row = bot.revisions.of(job)
    if row is not None:
        return row.number and ("versions.grown", {"number": row.number, "parent": _number(bot, row.parent_id)})
    if "replies:edit" not in bot.handlers["button"] or bot.result_messages.has_any(job.user_id):
        return None
    model = bot.generation.model(job)
    edits = model and bot.generation.live_catalogue.offers.edits(model)
    return (f"versions.hint_{model.output}", {}) if edits else None


def _number(bot, job):
    return bot.revisions.numbers([job]).get(job, bot.revisions.FIRST)


# what is said


def undo(ctx):
    """Show the version before a result, or the first, to whoever asks for it in words: with a reply, or right after it."""
    which, job = ctx.generation.live_catalogue.offers.phrases.goes_back(ctx.text), None
    if which is not None:
        job = _talked_of(ctx)
    row = job and ctx.revisions.get(job.id)
    if not row:
        return ctx.PASS
    back(ctx, row.root_id if which == "first" else row.parent_id)
    return None


def stay(ctx):
    """Show a result that nothing came before once more: it is as it was, and nobody pays for saying so."""
    if ctx.generation.live_catalogue.offers.phrases.goes_back(ctx.text) is None or (job := _talked_of(ctx)) is None:
        return ctx.PASS
    back(ctx, job.id)
    return None


def _talked_of(ctx):
    """Return the order whose result a text is about: replied to, open to be changed, or just made; None if there is none."""
    draft, target = ctx.drafts.get(ctx.user.id, REPLIES, ctx.now), ctx.message.get("reply_to_message")
    listens = ctx.draft is not None and ctx.draft.plugin == REPLIES
    if draft and "parent" in draft.data and (listens or (target and draft.message_id == target["message_id"])):
        return ctx.jobs.get(draft.data["parent"]["job"], ctx.user.id)
    if target:
        shown = ctx.result_messages.find(ctx.user.id, ctx.chat_id, target["message_id"])
        return shown and shown.job
    return just_made(ctx) if ctx.draft is None else None


# the tree


def show(ctx, job, page):
    """Show a page of the tree that an order is in."""
    own(ctx, job)
    versions = _in_order(ctx.revisions.tree(ctx.user.id, job))
    pages = -(-len(versions) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = versions[page * PAGE :][:PAGE]
    cells = [button("versions.number", HISTORY, version.job.id, n=version.number) for version, _depth in shown]
    rows = [cells[i : i + PER_ROW] for i in range(0, len(cells), PER_ROW)]
    rows += pager(page, pages, "versions:show", job)
    lines = ctx.lines([_line(ctx, version, depth) for version, depth in shown])
    ctx.edit("versions.tree", [*rows, way_out(HISTORY, job)], lines=lines)


def _in_order(versions):
    """Return (version, depth) of a tree, each followed by what grew from it."""
    children = {}
    for version in versions:
        children.setdefault(version.parent, []).append(version)
    found, waiting = [], [(version, 0) for version in reversed(children.get(None, ()))]
    while waiting:
        version, depth = waiting.pop()
        found.append((version, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(version.number, ()))]
    return found


def _line(ctx, version, depth):
    words = _words(ctx, version.job)
    indent = STEP_IN * min(depth, DEEPEST)
    values = {"indent": indent, "n": version.number, "model": ctx.generation.title(version.job)}
    short = words[:PROMPT] + "…" * (len(words) > PROMPT)
    return ctx.say("versions.line", prompt=short, **values) if short else ctx.say("versions.wordless", **values)


def _words(ctx, job):
    return ctx.generation.words(ctx.lang, ctx.generation.model(job), job.inputs)


def back(ctx, job):
    """Show an earlier version once more, with what can be done with it; a ladder it was tapped on goes."""
    found = own(ctx, job)
    draft = ctx.drafts.get(ctx.user.id, REPLIES, ctx.now)
    if draft is not None and draft.message_id == ctx.message["message_id"]:
        ctx.done(REPLIES)
        ctx.delete(draft.message_id)
    files = [(place, part) for place, part in enumerate(found.sent or []) if part.get("file_id")]
    if not files:
        ctx.go(SEND, job=job)
        return
    values = {"n": _number(ctx, job), "model": ctx.generation.title(found), "prompt": _words(ctx, found)[:CAPTION]}
    rows = [*ctx.bot.result_rows(found), *ctx.bot.home()]
    shown = {}
    for place, part in files[:-1]:
        shown[ctx.send_file(part["kind"], part["file_id"])] = place
    place, last = files[-1]
    shown[ctx.send_file(last["kind"], last["file_id"], "versions.caption", rows, **values)] = place
    ctx.result_messages.note(ctx.user.id, job, ctx.chat_id, shown)

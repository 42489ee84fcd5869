"""A reply to a result, in words or with photos, is answered with the ladder of its edits: one tap orders the next version.

The ladder has a draft of its own, so that an open card or ladder stays as it is. What a reply makes of which kind of result
is in `data/offers.json`. Whatever else brings words for a result (a transcribed recording, say) goes to `replies:edit`.
Texts: replies.* in data/texts/<lang>/generate/replies.po.
"""

from markupsafe import Markup

from core.attachments import media_kind
from core.buttons import MENU, button
from core.errors import UserError
from core.services.generation import REPLIES
from plugins.generate._edits import NOTHING, first_fit, is_frame, source_of, works_of
from plugins.generate._loose import is_further, own, sent
from plugins.generate._rungs import LACKING, choose, example_cell, in_rows, quotes, rows

WORDS, FILE = "replies:words", "replies:file"  # the steps: what to change; the result's own file, once more
TAKEN = ("text", "photo", "document", "sticker")
SHOWN, WHICH = 160, 9


def register(bot):
    """Declare what is answered, and the buttons of the ladder."""
    bot.repeatable()
    for kind in TAKEN:
        bot.update(kind, on_reply, order=30, reply_to="any", beside=True)
    bot.step(WORDS, take_words)
    bot.step(FILE, take_file)
    bot.button("replies:edit", edit, beside=True, job=int, part=int)
    bot.button("replies:work", change_work, beside=True, work=str)
    bot.button("replies:rung", order, beside=True, draft=int, version=int, rung=int)
    bot.button("replies:lack", top_up, beside=True, amount=int, rung=int)
    bot.button("replies:show", show, beside=True)
    bot.button("replies:anew", ask_file)
    bot.button("replies:all", all_models)


# what comes in


def on_reply(ctx):
    """Answer a reply to the person's own result, or to its ladder; leave every other reply to others."""
    target, draft = ctx.message["reply_to_message"]["message_id"], _draft(ctx)
    if _is_open(draft) and (draft.message_id == target or _goes_on(ctx, draft)):
        found, part, given = _opened(ctx)
        return _take(ctx, found, part, given)
    shown = ctx.result_messages.find(ctx.user.id, ctx.chat_id, target)
    if shown is None or not shown.job.result:
        return ctx.PASS
    return _take(ctx, shown.job, shown.part, NOTHING)


def _take(ctx, found, part, before):
    """Open the ladder of a result with what the message brings, added to what was there `before`."""
    draft = _draft(ctx)
    came = sent(ctx, draft.data.get("given", {}) if draft else {})
    if any(media_kind(file) != "image" for file in came["files"]) or not works_of(ctx, found):
        return ctx.PASS
    if not is_further(came):
        words, files = came["text"] or before["text"], [*before["files"], *came["files"]]
        came |= {"text": words, "files": files, "instead": before.get("instead")}
    _open(ctx, found, part, came)
    return None


def take_words(ctx):
    """Take what to change, where it was asked for; whatever else comes is a new question."""
    if not ctx.text:
        return ctx.PASS
    found, part, given = _opened(ctx)
    _open(ctx, found, part, _without_album(given) | {"text": ctx.text})
    return None


def edit(ctx, job, part, text=""):
    """Open the ladder of one version: with a `text`, or with the words and photos of the ladder that was tapped.

    Without any it asks what to change, and for part -1 of several which one.
    """
    draft = _draft(ctx)
    given = draft.data.get("given", NOTHING) if _is_tapped(ctx, draft) else NOTHING
    _open(ctx, own(ctx, job), None if part < 0 else part, given | {"text": text or given["text"]})


def change_work(ctx, work):
    """Show the ladder of another kind of work on the same result."""
    found, part, given = _opened(ctx)
    if work not in works_of(ctx, found):
        raise UserError("common.old_button")
    loose = source_of(ctx, found, part, given, work)
    rungs = quotes(ctx, work, loose)
    if not rungs and loose["text"] and not loose.get("lost"):
        raise UserError("replies.not_for_this")
    _put(ctx, found, given, loose, rungs)


def show(ctx, below=False):
    """Show the ladder as it stands now: prices and money may have changed (`below`: under a message that stays)."""
    found, part, given = _opened(ctx)
    draft = _draft(ctx)
    if not below and draft.message_id is None:
        ctx.drafts.note_screen(draft, ctx.message["message_id"])  # back from the payment, which took its message
    loose = source_of(ctx, found, part, given, draft.data["loose"]["work"])
    _put(ctx, found, given, loose, quotes(ctx, loose["work"], loose), below)


# the draft


def _draft(ctx):
    return ctx.drafts.get(ctx.user.id, REPLIES, ctx.now)


def _is_open(draft):
    """Tell whether a draft has a ladder, not the question which result is meant."""
    return draft is not None and "parent" in draft.data


def _goes_on(ctx, draft):
    """Tell whether a message is a further one of the album that the ladder has."""
    album = ctx.message.get("media_group_id")
    return album is not None and draft.data["given"].get("album") == album


def _without_album(given):
    return {name: given.get(name) for name in ("text", "files", "instead")}


def _is_tapped(ctx, draft):
    """Tell whether the screen of the draft was tapped, not a result or an older screen."""
    return bool(draft and ctx.tap and draft.message_id == ctx.message["message_id"])


def _opened(ctx):
    """Return (job, part, what came with the reply) of the open ladder; raise UserError when it is gone."""
    draft = _draft(ctx)
    if not _is_open(draft):
        raise UserError("common.gone", buttons=ctx.bot.home())
    parent = draft.data["parent"]
    return own(ctx, parent["job"]), parent["part"], draft.data["given"]


def _open(ctx, found, part, given):
    """Show the ladder that edits one result, or ask which one of several is meant."""
    many = len(found.result["urls"])
    if part is None and many > 1:
        _ask_which(ctx, found, given, many)
        return
    works = works_of(ctx, found)
    if not works:
        raise UserError("replies.not_for_this")
    loose, rungs = first_fit(ctx, found, part or 0, given, works)
    _put(ctx, found, given, loose, rungs)


def _ask_which(ctx, found, given, many):
    ctx.draft = ctx.generation.put_ladder(ctx.user.id, [], ctx.now, form=REPLIES, given=given)
    cells = [button("label", "replies:edit", found.id, part, label=str(part + 1)) for part in range(min(many, WHICH))]
    _show(ctx, "common.which", [*(cells[i : i + 3] for i in range(0, len(cells), 3)), *ctx.bot.home()])


def _put(ctx, found, given, loose, rungs, below=False):
    """Write the ladder into its draft and draw it. It listens for words only where nothing else listens."""
    before = _draft(ctx)
    free = not ctx.user.in_dialogue or bool(before and before.step)
    step = WORDS if free and not loose["text"] and not loose.get("lost") else None
    data = {"loose": loose, "parent": loose["parent"], "given": given}
    ctx.draft = ctx.generation.put_ladder(ctx.user.id, rungs, ctx.now, step=step, form=REPLIES, **data)
    _show(ctx, "replies.screen", _keyboard(ctx, found, loose), below, lines=ctx.lines(_lines(ctx, found, loose)))


def _show(ctx, key, keyboard, below=False, **values):
    """Put a screen where the ladder is: in place when it was tapped or an album goes on, else below what was sent."""
    live = ctx.draft.message_id
    if not below and (_is_tapped(ctx, ctx.draft) or (ctx.kind == "message" and is_further(ctx.draft.data["given"]))):
        shown = ctx.edit(key, keyboard, message_id=live, **values)
    else:
        ctx.delete(live)
        shown = ctx.reply(key, keyboard, **values)
    if shown != live:
        ctx.drafts.note_screen(ctx.draft, shown)


# the screen


def _lines(ctx, found, loose):
    """Return which version grows from which, the words, the work, and what is in the way or still wanted."""
    text = loose["text"][:SHOWN] + "…" * (len(loose["text"]) > SHOWN)
    first = [ctx.say("replies.version", number=ctx.revisions.next_number(found.id), parent=_number(ctx, found.id))]
    first += [ctx.say("replies.words", text=text)] if text else []
    title, photos = _title(ctx, found, loose["work"]), len(ctx.draft.data["given"]["files"])
    work = ctx.say("replies.work", work=title, n=photos) if photos else ctx.say("replies.alone", work=title)
    lines = [Markup(" · ").join(first), work]
    if loose.get("lost"):
        lines.append(ctx.say(f"replies.{loose['lost']}"))
    elif text and not ctx.draft.data["rungs"]:
        lines.append(ctx.say("replies.not_for_this"))
    elif not text:
        lines.append(ctx.say("replies.write" if ctx.draft.step else "replies.answer"))
    return lines


def _number(ctx, job):
    return ctx.revisions.numbers([job]).get(job, ctx.revisions.FIRST)


def _title(ctx, found, work):
    frame = is_frame(ctx.generation.model(found), work)
    return ctx.texts.plain(ctx.lang, "replies.frame" if frame else f"do.{work}")


def _keyboard(ctx, found, loose):
    """Return the rungs, the other kinds of work, the other versions, and the ways out."""
    others = [work for work in works_of(ctx, found) if work != loose["work"]]
    cells = [button("label", "replies:work", work, label=_title(ctx, found, work)) for work in others]
    cells += example_cell(ctx, ctx.draft)
    keyboard = [*rows(ctx, ctx.draft, "replies:rung", "replies:lack"), *in_rows(ctx, cells)]
    if loose.get("lost"):
        keyboard.append(button("replies.anew", "replies:anew"))
    return [*keyboard, _versions(ctx, found), [button("common.all_models", "replies:all"), button("common.menu", MENU)]]


def _versions(ctx, found):
    """Return the row that goes to other versions: the same words for the one before, and back to the one replied to."""
    back = button("common.back_to", "versions:back", found.id, n=_number(ctx, found.id))
    older = ctx.revisions.get(found.id)
    if older is None:
        return [back]
    return [
        button("common.branch", "replies:edit", older.parent_id, older.part, n=_number(ctx, older.parent_id)),
        back,
    ]


# what the buttons do


def order(ctx, draft, version, rung):
    """Order a rung: its screen becomes the progress message."""
    ctx.go("orders:rung", draft=draft, version=version, rung=rung, screen="replies:show")


def top_up(ctx, amount, rung):
    """Offer to top up what a rung lacks."""
    choose(ctx, REPLIES, rung)
    ctx.go(LACKING, amount=amount, back="replies:show")


def all_models(ctx):
    """Offer every model for the result with these words: what is chosen takes the place of the open card."""
    _opened(ctx)
    loose = _draft(ctx).data["loose"]
    _leave(ctx)
    ctx.drafts.put(ctx.user.id, "generate", ctx.now, model=None, price=None, data={"loose": loose}, step=None)
    ctx.go("uses:works", job=0, part=0)


def _leave(ctx):
    if draft := _draft(ctx):
        ctx.drafts.note_screen(draft, None)


def ask_file(ctx):
    """Ask for the result's own file, which cannot be had any more."""
    _opened(ctx)
    ctx.draft = ctx.drafts.put(ctx.user.id, REPLIES, ctx.now, step=FILE)
    _show(ctx, "replies.send_file", [button("common.back", "replies:show"), *ctx.bot.home()])


def take_file(ctx):
    """Take a file in the place of the result's own; it has to be of the same kind."""
    came = sent(ctx, {})
    found, part, given = _opened(ctx)
    if not came["files"]:
        return ctx.PASS
    if media_kind(came["files"][0]) != ctx.generation.model(found).output:
        raise UserError("replies.wrong_file", buttons=[button("common.back", "replies:show"), *ctx.bot.home()])
    text = given["text"] or came["text"]
    _open(ctx, found, part, _without_album(given) | {"text": text, "instead": came["files"][0]})
    return None

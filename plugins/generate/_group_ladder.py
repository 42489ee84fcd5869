"""The ladder in a group: from what was asked there to its screen. Everybody sees it, so nothing of anybody's money is on it.

What was asked is a dict: "text", "files", and "source": {"job", "part"} if it changes a result that was delivered there.
The draft keeps it as "ask", and as "place" where the result goes; there is a draft for each person and group.
"""

from markupsafe import Markup

from core.buttons import button, link
from core.errors import UserError
from core.registry import PASS
from plugins.generate import _edits
from plugins.generate._loose import kind_of
from plugins.generate._rungs import in_rows, public_rows, quotes, takes_words, works_of

SHOWN = 160


def place_of(message, thread_id):
    """Return where the answer to a group's message goes."""
    return {"chat_id": message["chat"]["id"], "reply_to": message["message_id"], "thread_id": thread_id}


def opened(ctx):
    """Return the person's draft of this group, or None."""
    return ctx.drafts.get(ctx.user.id, _form(ctx), ctx.now)


def goes_on(ctx):
    """Tell whether a message is a further one of the album that the person's ladder has."""
    album, draft = ctx.message.get("media_group_id"), opened(ctx)
    return album is not None and draft is not None and draft.data["ask"].get("album") == album


def _form(ctx):
    return f"group{ctx.chat_id}"


def put(ctx, ask, place, wanted=None, rung=None):
    """Write the ladder of what was asked and return its draft, or PASS if nothing can be made of it.

    It is that of the `wanted` kind of work, or of the one the words ask for, else of the first that can be ordered. `rung`
    is the one that was chosen and lacks money.
    """
    found = _source(ctx, ask)
    works = [wanted] if wanted else _ranked(ctx, ask, _works(ctx, ask, found))
    for work in works:
        loose = _loose(ctx, ask, found, work)
        if not loose.get("lost") and (rungs := quotes(ctx, work, loose, last=False)):
            data = {"loose": loose, "parent": loose.get("parent"), "ask": ask, "place": place, "wanted": rung}
            return ctx.generation.put_ladder(ctx.user.id, rungs, ctx.now, form=_form(ctx), **data)
    return PASS


def _source(ctx, ask):
    """Return the order whose result is to be changed, or None; raise UserError if its result is not kept any more."""
    if ask["source"] is None:
        return None
    found = ctx.jobs.get(ask["source"]["job"])
    if found is None or not found.result:
        raise UserError("groups.gone")
    return found


def _works(ctx, ask, found):
    return works_of(ctx, ask) if found is None else _edits.works_of(ctx, found)


def _ranked(ctx, ask, works):
    guessed = ctx.generation.live_catalogue.offers.guess(ask["text"], works)
    return sorted(works, key=lambda work: (work != guessed, bool(ask["text"]) and not takes_words(ctx, work)))


def _loose(ctx, ask, found, work):
    """Return what goes in; a result of somebody else's begins a tree of one's own."""
    if found is None:
        return ask | {"work": work}
    loose = _edits.source_of(ctx, found, ask["source"]["part"], ask, work)
    if found.user_id != ctx.user.id:
        del loose["parent"]
    return loose


def draw(ctx, draft, short=False, in_place=False):
    """Show the ladder: below what was said, or in place after a tap. `short`: with the way to top up."""
    if ctx.tap or in_place:
        live = draft.message_id if in_place else None
        shown = ctx.edit("groups.screen", _keyboard(ctx, draft, short), message_id=live, lines=_lines(ctx, draft))
    else:
        ctx.delete(draft.message_id)
        shown = ctx.reply("groups.screen", _keyboard(ctx, draft, short), lines=_lines(ctx, draft))
    if shown != draft.message_id:
        ctx.drafts.note_screen(draft, shown)


def _lines(ctx, draft):
    """Return what was said, what came with it, and what will be made of it."""
    ask, work = draft.data["ask"], draft.data["loose"]["work"]
    text = ask["text"][:SHOWN] + "…" * (len(ask["text"]) > SHOWN)
    what = [ctx.say("groups.words", text=text)] if text else []
    if len(ask["files"]) > 1:
        what.append(ctx.say("groups.files", n=len(ask["files"])))
    lines = [Markup(" · ").join(what)] if what else []
    lines.append(ctx.say("groups.work", work=ctx.texts.plain(ctx.lang, f"do.{work}")))
    if kind_of(ask) != "text" and not text:
        lines.append(ctx.say("groups.or_words"))
    return ctx.lines(lines)


def _keyboard(ctx, draft, short):
    """Return the rungs and the other kinds of work; every button names whose it is."""
    ask, current = draft.data["ask"], draft.data["loose"]["work"]
    others = [work for work in _works(ctx, ask, _source(ctx, ask)) if work != current]
    cells = [button(f"do.{work}", "groups:work", ctx.user.id, draft.id, work) for work in others]
    rows = [*public_rows(ctx, draft, "groups:rung", ctx.user.id), *in_rows(ctx, cells)]
    return [*rows, link("groups.top_up", f"https://t.me/{ctx.bot.username}?start=g")] if short else rows

"""Groups: whoever mentions the bot, or replies to a picture it has made there, gets the ladder there; the result follows.

Only the one who asked can tap, and pays from the own balance. Whoever has no account gets one line with the way to the
private chat; after one refusal a group hears no other for an hour. A group's admins turn it off with /bot off.
Texts: groups.* in data/texts/<lang>/generate/groups.po.
"""

from core.attachments import file_in
from core.buttons import button, link, route
from core.errors import UserError
from core.handling.limits import may_refuse
from core.services import paid_orders
from plugins.generate._group_ladder import draw, goes_on, opened, place_of, put
from plugins.generate._loose import is_further, sent

TOP_UP = route("payments:show", optional=True)
LACKING = route("payments:lack", optional=True)

TAKEN = ("text", "photo", "document", "video", "sticker", "voice")
HEARING, MOST = "assistant.hear", 4_000  # how a recording is written down; characters of its words
CHANGED = ("job.stale_quote", "job.price_changed", "job.gone")
ADMINS = ("creator", "administrator")


def register(bot):
    """Declare what is heard in groups, the ladder's buttons, and the switch."""
    bot.repeatable()
    for kind in TAKEN:
        bot.update(kind, on_message, order=10, groups=True)
    bot.update("migrate_to_chat_id", follow, groups=True)
    bot.command("bot", switch, about="groups.about_bot", order=60, groups=True, strangers=True)
    shared = {"groups": True, "strangers": True, "beside": True}
    bot.button("groups:work", change_work, **shared, user=int, draft=int, work=str)
    bot.button("groups:rung", order, **shared, user=int, draft=int, version=int, rung=int)
    bot.button("groups:cancel", cancel, **shared, user=int, job=int)
    bot.deep_link("g", arrive)
    bot.privacy_line(lambda ctx: ctx.say("groups.privacy"))


# what is said


def on_message(ctx):
    """Answer a mention, or a reply to a result, with its ladder."""
    if ctx.private:
        return ctx.PASS
    shown, is_known = _result(ctx), ctx.user.id is not None
    album = opened(ctx) if is_known and goes_on(ctx) else None
    is_spoken = shown is not None and is_known and ctx.generation.assistant.can_hear(file_in(ctx.message))
    if _is_off(ctx) or not (ctx.called.by_name or album or (shown and (ctx.text or is_spoken))):
        return None
    if not is_known:
        _refuse(ctx, "groups.stranger" if ctx.user.telegram_id else "groups.nameless")
    elif not ctx.user.banned:
        _answer(ctx, shown, album)
    return None


def _answer(ctx, shown, album):
    """Show the ladder of what was asked; that of an `album` it is a part of takes this one, too."""
    try:
        ask = _heard(ctx, shown) if "voice" in ctx.message else _asked(ctx, shown, album.data["ask"] if album else {})
        place = album.data["place"] if album else place_of(ctx.message, ctx.thread_id)
        draft = put(ctx, ask, place) if ask["text"] or ask["files"] else ctx.PASS
    except UserError as error:
        _refuse(ctx, error.key, **error.values)
        return
    if draft is ctx.PASS:
        _refuse(ctx, "groups.nothing" if ask["text"] or ask["files"] else "groups.how", name=ctx.bot.username)
    else:
        draw(ctx, draft, in_place=bool(album))


def _result(ctx):
    """Return the result that is replied to, whosever it is: it was delivered in this group."""
    replied = ctx.message.get("reply_to_message")
    return ctx.result_messages.in_group(ctx.chat_id, replied["message_id"]) if replied else None


def _asked(ctx, shown, before):
    """Return what was asked: with a result its source, else what was sent, or what somebody's message has to it."""
    ask = sent(ctx, before)
    if not is_further(ask):
        ask |= {"text": ctx.text}
    if shown is not None:
        return ask | {"source": _source_of(shown)}
    replied = ctx.message.get("reply_to_message") or {}
    if not ask["files"] and not replied.get("from", {}).get("is_bot"):
        file = file_in(replied)
        ask |= {"text": ask["text"] or replied.get("text", ""), "files": [file] if file else []}
    return ask | {"source": None}


def _heard(ctx, shown):
    """Return what was asked aloud of a result; the words are on the ladder, and a tap orders."""
    words = ctx.generation.hear(ctx.user, file_in(ctx.message), ctx.now, ctx.texts.plain(ctx.texts.default, HEARING))
    if words.strip("-—–. ") == "":
        raise UserError("groups.nothing_said")
    return {"text": words[:MOST], "files": [], "source": _source_of(shown)}


def _source_of(shown):
    """Return which result is meant; raise UserError if that is not clear."""
    if shown.part is None and len(shown.job.result["urls"]) > 1:
        raise UserError("groups.which")
    return {"job": shown.job.id, "part": shown.part or 0}


def _refuse(ctx, key, **values):
    if may_refuse(ctx):
        ctx.reply(key, ctx.bot.to_private(), **values)


# what is tapped


def _own_draft(ctx, user, draft):
    """Return the draft behind a screen; raise UserError for anybody but the one who asked, and for an older screen."""
    _refuse_others(ctx, user)
    found = opened(ctx)
    if found is None or found.id != draft or found.message_id != ctx.message["message_id"]:
        raise UserError("groups.old")
    return found


def _refuse_others(ctx, user):
    if ctx.user.id != user:
        raise UserError("groups.not_yours")
    if _is_off(ctx):
        raise UserError("groups.is_off")


def change_work(ctx, user, draft, work):
    """Show the ladder of another kind of work."""
    found = _own_draft(ctx, user, draft)
    fresh = put(ctx, found.data["ask"], found.data["place"], work)
    if fresh is ctx.PASS:
        raise UserError("groups.not_for_this")
    draw(ctx, fresh)


def order(ctx, user, draft, version, rung):
    """Order a rung: the ladder becomes the progress message, and the result goes to this group."""
    _refuse_others(ctx, user)
    try:
        job, model, created = ctx.generation.order(ctx.user, draft, version, ctx.now, rung, group=ctx.chat_id)
    except UserError as error:
        _explain(ctx, error, user, draft, rung)
        return
    if not created and (model is None or job.progress_id or job.state not in ctx.jobs.OPEN):
        ctx.toast("groups.already")
        return  # else the process was killed before it could show that the order is under way
    cancel = button("job.cancel", "groups:cancel", user, job.id)
    shown = ctx.edit("job.queued", [cancel], **ctx.generation.in_queue(job, model, ctx.lang))
    ctx.jobs.note_progress(job.id, shown, ctx.now + ctx.jobs.PROGRESS)


def _explain(ctx, error, user, draft, rung):
    """Say in a toast, which nobody else sees, why a rung cannot be ordered; show the ladder as it is now."""
    is_short = error.key == "job.not_enough"
    if not is_short and error.key not in CHANGED:
        raise error
    found = _own_draft(ctx, user, draft)
    ctx.toast("groups.not_enough" if is_short else error.key, alert=True)
    chosen = rung if is_short else None
    fresh = put(ctx, found.data["ask"], found.data["place"], found.data["loose"]["work"], chosen)
    if fresh is not ctx.PASS:
        draw(ctx, fresh, short=is_short)


def cancel(ctx, user, job):
    """Cancel a queued order; a running one cannot be stopped."""
    _refuse_others(ctx, user)
    if ctx.generation.cancel(ctx.user, job, ctx.now) is None:
        ctx.toast("groups.cannot_stop", alert=True)
        return
    ctx.edit("groups.cancelled")
    ctx.jobs.note_progress(job, None, None)


def arrive(ctx, _rest):
    """Offer to top up what an order in a group lacks to whoever comes from there; without a way to pay, leave it to the menu."""
    if TOP_UP not in ctx.bot.handlers["button"]:
        return False
    chosen = paid_orders.lacking_in_groups(ctx.bot, ctx.user.id, ctx.now)
    if chosen is None or LACKING not in ctx.bot.handlers["button"]:
        ctx.go(TOP_UP)
    else:
        lacking = chosen.price - ctx.ledger.balance(ctx.user.id)
        ctx.go(LACKING, amount=lacking, back=None, form=chosen.draft.plugin)
    return True


# the switch


def switch(ctx):
    """Turn the bot on or off in a group, for its admins; in private, say how groups work."""
    if ctx.private:
        add = link("groups.add", f"https://t.me/{ctx.bot.username}?startgroup=1")
        ctx.reply("groups.about", [add, *ctx.bot.home()], name=ctx.bot.username)
    elif ctx.args.lower() not in ("on", "off"):
        _refuse(ctx, "groups.how", name=ctx.bot.username)
    elif not _is_admin(ctx):
        _refuse(ctx, "groups.admins_only")
    elif ctx.args.lower() == "off":
        ctx.store.put(_switch_of(ctx.chat_id), True)
        ctx.reply("groups.off")
    else:
        ctx.store.drop(_switch_of(ctx.chat_id))
        ctx.reply("groups.on", name=ctx.bot.username)


def _is_admin(ctx):
    """Return whether the sender is an admin of the group; who writes in its name is one."""
    if ctx.message.get("sender_chat", {}).get("id") == ctx.chat_id:
        return True
    members = ctx.bot.sender.call("getChatAdministrators", chat_id=ctx.chat_id)  # needs no rights of the bot's
    return any(one["user"]["id"] == ctx.user.telegram_id and one["status"] in ADMINS for one in members)


def _is_off(ctx):
    return ctx.store.get(_switch_of(ctx.chat_id), False)


def _switch_of(chat_id):
    return f"off {chat_id}"


def follow(ctx):
    """Follow a group that has become a supergroup: its switch, and the results on their way to it."""
    new = ctx.message["migrate_to_chat_id"]
    ctx.jobs.move_chat(ctx.chat_id, new)
    if _is_off(ctx):
        ctx.store.put(_switch_of(new), True)
        ctx.store.drop(_switch_of(ctx.chat_id))

"""💬 Ask: /ask and a button of the main menu talk with a chat model: quick, clever or best, with pictures, topic by topic.

What is written goes to the model until another screen is opened. An answer costs what it took, never more than is shown
(`core/services/talk.py`); what was said in the topic goes with each question, so *New topic* makes it cheap again.
Texts: ask.* in data/texts/<lang>/chat/ask.po, talk.* in core.po.
"""

from core.attachments import HEIC, file_in, media_kind
from core.buttons import MENU, button, route
from core.errors import UserError
from core.services.generation import CARD
from core.services.markdown import length
from core.services.talk import MOST_QUESTION, PICTURES, UNASKED
from kie.catalogue.chat_models import SOLD
from plugins.chat._dialogue import DRAFT, LACKING, NEW, SHOWN, STEP, ask, bound, current, is_whole, keep, wait

LADDER = route("ladder:show", optional=True)

CUT_AT = 3_500  # UTF-16 units from which on a text may be a part: apps cut at 4096, or at a word before that
SAME_S = 5  # seconds within which parts follow one another


def register(bot):
    """Declare the command, the dialogue and its buttons."""
    bot.repeatable()
    bot.command("ask", command, about="ask.about", order=4)
    bot.step(STEP, take)
    bot.button("ask:open", show, below=int)
    bot.button("ask:rank", choose, rank=str)
    bot.button("ask:waiting", show_waiting)
    bot.button("ask:lack", lack, lacking=int)
    bot.button("ask:new", new_topic, below=int)
    bot.button("ask:send", send, version=int)
    bot.button("ask:ladder", ask_ladder, version=int)
    bot.menu("ask.menu", "ask:open:0", row=0)


def command(ctx):
    """Ask what follows the command, else show whom one can ask."""
    if ctx.args:
        _take(ctx, ctx.args, None)
    else:
        _draw(ctx, _open(ctx), ctx.reply)


def ask_ladder(ctx, version):
    """Ask what was written outside, in a topic of its own, at the price that its ladder shows."""
    ladder = ctx.drafts.get(ctx.user.id, CARD, ctx.now)
    shown = ladder.data.get("ask") if ladder is not None and ladder.version == version else None
    if not shown:
        raise UserError("common.old_card")
    words, pictures = ladder.data["loose"]["text"], list(map(_picture, ladder.data["loose"]["files"]))
    data = NEW | {"question": words, "pictures": pictures}
    found = bound(ctx, data)
    if found is None or found.price != shown["price"]:
        ctx.toast("job.price_changed", alert=True)
        ctx.go(LADDER)
        return
    ask(ctx, data, f"ask:{ladder.id}.{version}")
    if ctx.draft.data["question"] == "":
        ctx.edit("ask.asked", question=words[:SHOWN])


def show(ctx, below):
    """Show whom one can ask; `below` a message that stays, such as an answer."""
    _draw(ctx, _open(ctx), ctx.reply if below else ctx.edit)


def lack(ctx, lacking):
    """Offer to top up what the answer may cost; the question waits."""
    ctx.go(LACKING, amount=lacking, back="ask:waiting")


def show_waiting(ctx):
    """Show the question that waits below the message about money that led to it, which stays."""
    data = _open(ctx)
    if is_whole(data):
        wait(ctx, data, "ask.ready", below=True)
    else:
        _draw(ctx, data, ctx.reply)


def _open(ctx):
    """Return the dialogue; pictures whose question never came are not kept for another one."""
    data = current(ctx)
    return data if is_whole(data) else data | UNASKED


def choose(ctx, rank):
    """Go on with another model; the topic stays, and a question that waits can be asked."""
    ctx.generation.talk.model(rank)
    data = _open(ctx) | {"rank": rank}
    if is_whole(data):
        wait(ctx, data, "ask.ready")
    else:
        _draw(ctx, data, ctx.edit)


def new_topic(ctx, below):
    """Begin anew: nothing of what was said goes with the next question."""
    _draw(ctx, NEW | {"rank": current(ctx)["rank"]}, ctx.reply if below else ctx.edit)


def _draw(ctx, data, draw):
    """Show the three models, each with the most that the next answer costs."""
    keep(ctx, data)
    rows = [_rank_button(ctx, data, rank) for rank in SOLD]
    titles = {rank: ctx.generation.talk.model(rank).title for rank in SOLD}
    going_on = data["topic"] is not None
    rows += [button("ask.new", "ask:new", 0)] if going_on else []
    draw("ask.going_on" if going_on else "ask.screen", [*rows, button("common.menu", MENU)], **titles)


def _rank_button(ctx, data, rank):
    found, mark = bound(ctx, data, rank), "✓ " * (rank == data["rank"])
    values = {"mark": mark, "rank": ctx.texts.plain(ctx.lang, f"ask.{rank}"), "price": found.price if found else 0}
    key = "ask.rank" if found and not found.free else "ask.rank_free" if found else "ask.rank_closed"
    return button(key, "ask:rank", rank, **values)


def take(ctx):
    """Take a question, or a picture for one."""
    file = file_in(ctx.message)
    if ctx.generation.assistant.can_hear(file):
        return ctx.PASS  # it comes again as words
    _take(ctx, ctx.text or ctx.message.get("caption", ""), file)
    return None


def _take(ctx, words, file):
    """Ask at once where it is clear what is asked; a picture without words waits for them, a part for the others.

    Parts are the pictures of an album, and those of a text that Telegram has cut.
    """
    data, now = current(ctx), ctx.now.timestamp()
    album = ctx.message.get("media_group_id")
    follows = now - data["part_at"] <= SAME_S and album == data["album"]
    if file is None and not words.strip():
        raise UserError("ask.only_pictures")
    if not follows:
        data["question"] = ""
    is_part = album is not None or length(words) >= CUT_AT or (follows and file is None)
    joined = data["question"] + words if is_part else words.strip() or data["question"]
    data |= {"album": album, "part_at": now if is_part else 0, "question": joined[: MOST_QUESTION + 1]}
    if file is not None:
        data["pictures"] = _with(data["pictures"], _picture(file))
    if is_part or not data["question"]:
        _wait(ctx, data, follows)
    else:
        ask(ctx, data, f"ask:{ctx.user.id}:{ctx.message['message_id']}")


def _wait(ctx, data, in_place):
    """Show what is there of a question so far; further parts change the same screen."""
    draft = ctx.drafts.get(ctx.user.id, DRAFT, ctx.now) if in_place else None
    at = draft and draft.message_id
    if len(data["question"]) > MOST_QUESTION:
        wait(ctx, data, "ask.too_long", message_id=at, limit=MOST_QUESTION)
    else:
        wait(ctx, data, "ask.ready" if data["question"] else "ask.pictures", message_id=at)


def _picture(file):
    """Return a picture as chat models take it; raise UserError for any other file."""
    if media_kind(file) != "image":
        raise UserError("ask.only_pictures")
    return file | {"mime": "image/jpeg", "convert": True} if file["mime"] in HEIC else file


def _with(pictures, file):
    """Return the pictures with one more, which is not taken twice."""
    known = [one for one in pictures if one["unique_id"] != file["unique_id"]]
    if len(known) >= PICTURES:
        raise UserError("ask.too_many_pictures", limit=PICTURES)
    return [*known, file]


def send(ctx, version):
    """Ask what waits, at the price that was shown."""
    draft = ctx.drafts.get(ctx.user.id, DRAFT, ctx.now)
    if draft is None or draft.version != version or not is_whole(draft.data):
        raise UserError("common.old_card")
    found = bound(ctx, draft.data)
    if found is not None and found.price != draft.data["most"]:
        wait(ctx, draft.data, "ask.ready")
        ctx.toast("job.price_changed", alert=True)
        return
    ask(ctx, draft.data, f"ask:{draft.id}.{version}")
    if ctx.draft.data["question"] == "":
        ctx.edit("ask.asked", question=draft.data["question"][:SHOWN])

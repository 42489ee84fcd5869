"""The open dialogue with a chat model, kept in the draft "ask", and how a question in it is asked.

Its data: "rank", "topic" (None for a new one), and what waits to be asked: "question" and "pictures", when the last part of
it came (epoch seconds) and in which album, and the price that was shown for it ("most").
"""

from core.buttons import MENU, button, primary, route
from core.errors import NotEnoughMoney, UserError
from core.services.generation import QUESTION
from core.services.talk import MOST_QUESTION, UNASKED

LACKING = route("payments:lack", optional=True)

DRAFT, STEP = QUESTION, "ask:question"
NEW = {"rank": "quick", "topic": None, **UNASKED}
SHOWN = 160  # characters of a question


def current(ctx):
    """Return the data of the open dialogue, of a new one if there is none."""
    draft = ctx.drafts.get(ctx.user.id, DRAFT, ctx.now)
    return NEW | (draft.data if draft else {})


def keep(ctx, data):
    """Write the dialogue down; it listens for the next question."""
    ctx.draft = ctx.drafts.put(ctx.user.id, DRAFT, ctx.now, step=STEP, data=data)


def bound(ctx, data, rank=None):
    """Return the most that what waits costs, or None while nothing has a price."""
    talk, said = ctx.generation.talk, (data["question"], data["pictures"])
    topic = data["topic"] if talk.owns(ctx.user.id, data["topic"]) else None
    return talk.bound(ctx.user.id, rank or data["rank"], ctx.now, *said, topic)


def is_whole(data):
    """Tell whether there is a question that can be asked."""
    return 0 < len(data["question"]) <= MOST_QUESTION


def ask(ctx, data, name):
    """Ask what waits, once under its `name`; what stands in the way is told, and the question waits for a tap."""
    talk = ctx.generation.talk
    said = data["rank"], data["question"], data["pictures"], data["topic"]
    try:
        job, _created = talk.ask(ctx.user, name, *said, ctx.now)
    except NotEnoughMoney as error:
        wait(ctx, data, "ask.lacking", _without_money(ctx, error.lacking), lacking=error.lacking)
        return
    except UserError as error:
        keep(ctx, data | {"most": _most(ctx, data)})
        error.buttons = [[_send(ctx)], *(error.buttons or ctx.bot.home())]
        raise
    keep(ctx, data | UNASKED | {"topic": job.topic})
    ctx.bot.show_typing(ctx.chat_id)
    ctx.answered = True


def _without_money(ctx, lacking):
    top_up = [button("ask.top_up", "ask:lack", lacking)] if LACKING in ctx.bot.handlers["button"] else []
    return [[*top_up, button("ask.other", "ask:open", 1)]]


def wait(ctx, data, key, rows=(), message_id=None, below=False, **values):
    """Show what waits to be asked, with `rows` before the button that asks it and what it costs at most.

    It is shown in place, or `below` a message that stays.
    """
    keep(ctx, data | {"most": _most(ctx, data)})
    values |= {"n": len(data["pictures"]), "question": data["question"][:SHOWN]}
    send = [_send(ctx)] if is_whole(data) else []
    rows = [*rows, send, button("common.menu", MENU)]
    shown = ctx.reply(key, rows, **values) if below else ctx.edit(key, rows, message_id=message_id, **values)
    ctx.drafts.note_screen(ctx.draft, shown)


def _most(ctx, data):
    found = bound(ctx, data)
    return found.price if found else None


def _send(ctx):
    most = ctx.draft.data["most"]
    return primary("ask.send" if most else "ask.send_free", "ask:send", ctx.draft.version, price=most or 0)

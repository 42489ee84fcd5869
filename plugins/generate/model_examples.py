"""👁 Example, on cards and ladders: a result that a model has made here, in the place of the screen; one tap orders, or leads back.

Which results are shown is up to `plugins/ideas/examples.py`; a model that has none has no button, and no drawing stands in.
Texts: model_examples.* in data/texts/<lang>/generate/model_examples.po.
"""

from core.buttons import CARD, MENU, button, pager
from core.errors import UserError
from core.services import examples
from core.services.generation import CARD as ON_CARD
from core.services.generation import REPLIES
from core.telegram.sender import TelegramError
from plugins.generate._rungs import examples_of, name_of, row_of

LADDERS = {  # the draft of a ladder → what orders a rung, and what tops up for it
    ON_CARD: ("orders:rung", "ladder:lack"),
    REPLIES: ("replies:rung", "replies:lack"),
}
GONE = 400


def register(bot):
    """Declare the buttons."""
    bot.repeatable()
    bot.button("model_examples:card", of_card, beside=True)
    bot.button("model_examples:rung", of_rung, beside=True, form=str, place=int)
    bot.button("model_examples:back", back, beside=True, form=str)
    bot.button("model_examples:order", order, beside=True, form=str, draft=int, version=int, rung=int)
    bot.button("model_examples:lack", top_up, beside=True, form=str, amount=int, rung=int)


def of_card(ctx):
    """Show the example of the open card's model."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    found = examples.by_model(examples.shown(ctx.bot)).get(model.id)
    if found is None:
        ctx.toast("model_examples.gone", alert=True)
    else:
        _draw(ctx, draft, found, model.title, [_way_back(ON_CARD)])


def of_rung(ctx, form, place):
    """Show the example of one rung of a ladder, with the button that orders it; others are a page away."""
    draft = ctx.drafts.get(ctx.user.id, form, ctx.now) if form in LADDERS else None
    if draft is None or not draft.data.get("rungs"):
        raise UserError("common.gone", buttons=ctx.bot.home())
    found = list(examples_of(ctx, draft).items())
    if not found:
        ctx.toast("model_examples.gone", alert=True)
        return
    page = place % len(found)
    rung, example = found[page]
    order_it = row_of(ctx, draft, rung, f"model_examples:order:{form}", f"model_examples:lack:{form}")
    turn = pager(page, len(found), "model_examples:rung", form)
    _draw(ctx, draft, example, name_of(ctx, draft, rung, example), [*order_it, *turn, _way_back(form)])


def _way_back(form):
    return [button("common.back", "model_examples:back", form), button("common.menu", MENU)]


def _draw(ctx, draft, example, name, rows):
    """Turn the screen of a draft into an example; if Telegram does not have it any more, say so."""
    try:
        shown = ctx.show_file(example["kind"], example["file_id"], "model_examples.shown", rows, name=name)
    except TelegramError as error:
        if error.code != GONE or error.is_gone:
            raise
        ctx.toast("model_examples.gone", alert=True)
        return
    if shown != draft.message_id:
        ctx.delete(draft.message_id)
        ctx.drafts.note_screen(draft, shown)


# back to the screen that it stands for


def back(ctx, form):
    """Show the card or the ladder again."""
    _leave(ctx)
    if form == REPLIES:
        ctx.go("replies:show", below=True)
    else:
        ctx.go(CARD)


def _leave(ctx):
    """Take the example away: what follows is a text, which it cannot become."""
    if "text" not in ctx.message:
        ctx.delete(ctx.message["message_id"])


def order(ctx, form, draft, version, rung):
    """Order the rung."""
    order_it, _lack = _leave_for(ctx, form)
    ctx.go(order_it, draft=draft, version=version, rung=rung)


def top_up(ctx, form, amount, rung):
    """Offer to top up what the rung lacks."""
    _order, lack = _leave_for(ctx, form)
    ctx.go(lack, amount=amount, rung=rung)


def _leave_for(ctx, form):
    """Take the example away and return the routes of its ladder."""
    if form not in LADDERS:
        raise UserError("common.old_button")
    _leave(ctx)
    return LADDERS[form]

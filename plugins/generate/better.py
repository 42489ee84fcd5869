"""✨ Better prompt: a chat model writes what stands on the card in richer words; before and after are shown.

Nothing is ordered and nothing is lost: the card takes the new words only by a tap, and goes on without them otherwise.
Texts: better.* in data/texts/<lang>/generate/better.po, assistant.* in core.po.
"""

from core.buttons import button
from core.errors import UserError
from core.services import forms
from kie.catalogue.inputs import present

BETTER = "better"  # where the draft keeps the new words until they are used
SHOWN, MOST = 700, 1500  # characters of each that are shown; of new words where the model sets no limit


def register(bot):
    """Declare the buttons, and what /privacy says of it."""
    bot.repeatable()
    bot.button("better:ask", ask)
    bot.button("better:use", use, version=int)
    bot.privacy_line(told)


def told(ctx):
    """Say who reads the words."""
    assistant = ctx.generation.assistant
    return ctx.say("better.privacy", names=", ".join(assistant.names)) if assistant.is_on else None


def _open(ctx):
    """Return (draft, model, the words on the open card)."""
    ctx.draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    text = model.main_text
    words = ctx.draft.data["values"].get(text.name) if text else None
    if not present(words):
        raise UserError("better.nothing")
    return model, text, str(words)


def ask(ctx):
    """Have the words written better, and show both."""
    model, text, words = _open(ctx)
    ctx.bot.show_typing(ctx.chat_id)
    told = {"kind": ctx.texts.plain(ctx.texts.default, model.mode_title), "limit": text.max_length or MOST}
    instruction = ctx.texts.plain(ctx.texts.default, "better.instruction", **told)
    better = ctx.generation.ask(ctx.user, words, ctx.now, instruction)
    forms.read(text, better)  # what the model would not take is not offered
    ctx.draft = ctx.generation.fill(ctx.user.id, model, ctx.draft.data["values"], ctx.now, **{BETTER: better})
    rows = [
        button("better.use", "better:use", ctx.draft.version),
        [button("better.keep", "generate:card"), button("better.again", "better:ask")],
    ]
    ctx.edit("better.shown", rows, before=words[:SHOWN], after=better[:SHOWN])


def use(ctx, version):
    """Put the new words on the card: those that were shown."""
    model, text, _words = _open(ctx)
    better = ctx.draft.data.get(BETTER)
    if better is None or ctx.draft.version != version:
        raise UserError("common.old_card")
    ctx.draft = ctx.generation.fill(ctx.user.id, model, ctx.draft.data["values"] | {text.name: better}, ctx.now)
    ctx.go("generate:card")

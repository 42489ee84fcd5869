"""✨ Better prompt: a chat model rewrites the words on the card or the ladder more richly; before and after are shown.

Nothing is ordered and nothing is lost: the card takes the new words only after a tap, and otherwise goes on without
them.
Texts: better.* in data/texts/<lang>/generate/better.po, assistant.* in core.po.
"""

from core.buttons import button
from core.errors import UserError
from core.services import forms
from plugins.generate._loose import is_ladder, need

BETTER = "better"  # where the draft keeps the new words until they are used
SHOWN, MOST = 700, 1500  # characters of each that are shown; of new words if the model sets no limit


def register(bot):
    """Declare the buttons, and what /privacy says about it."""
    bot.repeatable()
    bot.button("better:ask", ask)
    bot.button("better:use", use, version=int)
    bot.privacy_line(told)


def told(ctx):
    """Say who reads the words."""
    assistant = ctx.generation.assistant
    return ctx.say("better.privacy", names=", ".join(assistant.names)) if assistant.is_on else None


class OnCard:
    """The words of the open card."""

    back = "generate:card"

    def __init__(self, ctx):
        self.ctx = ctx
        ctx.draft, self.model = ctx.generation.card(ctx.user.id, ctx.now)
        self.spec = self.model.main_text
        self.words = str(ctx.draft.data["values"].get(self.spec.name) or "") if self.spec else ""
        self.limit = (self.spec and self.spec.max_length) or MOST
        self.kind = self.model.mode_title

    def keep(self, better):
        """Keep the new words beside the old ones; raise UserError for what the model would not accept."""
        forms.read(self.spec, better)
        self._fill(self.ctx.draft.data["values"], **{BETTER: better})

    def take(self, better):
        """Replace the old words by the new ones."""
        self._fill(self.ctx.draft.data["values"] | {self.spec.name: better})

    def _fill(self, values, **data):
        self.ctx.draft = self.ctx.generation.fill(self.ctx.user.id, self.model, values, self.ctx.now, **data)


class OnLadder:
    """The words of the open ladder."""

    back, limit = "ladder:show", MOST

    def __init__(self, ctx):
        self.ctx, self.loose = ctx, need(ctx)
        ctx.draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
        self.words, self.kind = self.loose["text"], f"do.{self.loose['work']}"

    def keep(self, better):
        """Keep the new words beside the old ones."""
        self._put(self.loose, **{BETTER: better})

    def take(self, better):
        """Replace the old words by the new ones; the ladder is then made from them."""
        self._put(self.loose | {"text": better})

    def _put(self, loose, **data):
        rungs = self.ctx.draft.data.get("rungs", [])
        data |= {"loose": loose, "parent": loose.get("parent")}
        self.ctx.draft = self.ctx.generation.put_ladder(self.ctx.user.id, rungs, self.ctx.now, **data)


def _open(ctx):
    """Return where the words are; raise UserError if there are none."""
    if not is_ladder(ctx) and not ctx.generation.has_card(ctx.user.id, ctx.now):
        raise UserError("common.gone", buttons=ctx.bot.home())
    place = OnLadder(ctx) if is_ladder(ctx) else OnCard(ctx)
    if not place.words:
        raise UserError("better.nothing")
    return place


def ask(ctx):
    """Have the words improved, and show both versions."""
    place = _open(ctx)
    ctx.bot.show_typing(ctx.chat_id)
    told = {"kind": ctx.texts.plain(ctx.texts.default, place.kind), "limit": place.limit}
    instruction = ctx.texts.plain(ctx.texts.default, "better.instruction", **told)
    better = ctx.generation.ask(ctx.user, place.words, ctx.now, instruction)
    place.keep(better)
    rows = [
        button("better.use", "better:use", ctx.draft.version),
        [button("better.keep", place.back), button("better.again", "better:ask")],
    ]
    ctx.edit("better.shown", rows, before=place.words[:SHOWN], after=better[:SHOWN])


def use(ctx, version):
    """Take the new words, if they are those that were shown."""
    place = _open(ctx)
    better = ctx.draft.data.get(BETTER)
    if better is None or ctx.draft.version != version:
        raise UserError("common.old_card")
    place.take(better)
    ctx.go(place.back)

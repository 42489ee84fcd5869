"""🗣 A voice from words: a model that wants a recording of what is said gets one made of typed words by text-to-speech.

The card waits meanwhile; the ladder of voices is open beside it, in a draft of its own. The finished voice goes onto the
card with *Use as the voice*.
Texts: voiced.* in data/texts/<lang>/generate/voiced.po.
"""

from core.buttons import button, way_out
from core.errors import UserError
from core.services import forms
from core.services.generation import VOICED
from kie.catalogue import pricing
from kie.catalogue.inputs import present
from plugins.generate._loose import lacks_voice, own, result
from plugins.generate._rungs import LACKING, choose, quotes, rows

DRAFT, STEP, WORK = VOICED, "voiced:words", "text-to-speech"
SHOWN = 160


def register(bot):
    """Declare the ladder of voices, and what puts the voice onto the card."""
    bot.repeatable()
    bot.button("voiced:ask", ask)
    bot.button("voiced:show", show, beside=True)
    bot.button("voiced:rung", order, beside=True, draft=int, version=int, rung=int)
    bot.button("voiced:lack", top_up, beside=True, amount=int, rung=int)
    bot.button("voiced:prompt", as_prompt)
    bot.button("voiced:use", use, job=int)
    bot.step(STEP, take)
    bot.under_result(0, under_result)


def under_result(bot, job):
    """Return the button that puts a voice onto the open card, if that waits for one."""
    model = bot.generation.model(job)
    if model is None or model.type != WORK or not job.result["urls"]:
        return []
    draft = bot.drafts.get(job.user_id, "generate", bot.clock.now())
    waiting = bot.generation.catalog.models.get(draft.model) if draft and draft.model else None
    is_wanted = waiting is not None and lacks_voice(waiting, draft.data["values"])
    return [button("voiced.use", "voiced:use", job.id)] if is_wanted else []


def ask(ctx, words=""):
    """Voice these words, else those that are on the card, else ask for them."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    if words := words or model.words_of(draft.data["values"]):
        _open(ctx, words)
    else:
        ctx.ask(STEP, "voiced.ask", [way_out("generate:card")])


def take(ctx):
    """Take the words to be said."""
    if not ctx.text:
        return ctx.PASS
    _open(ctx, ctx.text)
    return None


def show(ctx, below=False):
    """Show the ladder as it is now: prices and balance may have changed (`below`: under a message that stays)."""
    _open(ctx, _words(ctx), below)


def _words(ctx):
    draft = ctx.drafts.get(ctx.user.id, DRAFT, ctx.now)
    if draft is None or "loose" not in draft.data:
        raise UserError("common.gone", buttons=ctx.bot.home())
    return draft.data["loose"]["text"]


def _open(ctx, words, below=False):
    """Show the voices that can say these words, with their prices; other words may follow."""
    loose = {"text": words, "files": [], "work": WORK}
    rungs = quotes(ctx, WORK, loose, last=False)
    if not rungs:
        raise UserError("voiced.not_now", buttons=[way_out("generate:card")])
    ctx.draft = ctx.generation.put_ladder(ctx.user.id, rungs, ctx.now, step=STEP, form=DRAFT, loose=loose)
    keyboard = rows(ctx, ctx.draft, "voiced:rung", "voiced:lack")
    if ctx.generation.card(ctx.user.id, ctx.now)[1].main_text is not None:
        keyboard.append(button("voiced.prompt", "voiced:prompt"))
    shown = words[:SHOWN] + "…" * (len(words) > SHOWN)
    draw = ctx.reply if below else ctx.edit
    screen = draw("voiced.screen", [*keyboard, way_out("generate:card")], words=shown, video=_price_of_video(ctx))
    ctx.drafts.note_screen(ctx.draft, screen)


def _price_of_video(ctx):
    """Return what a second of what follows costs, or an empty text."""
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    try:
        credits, unit = pricing.rate(model, draft.data["values"])
    except pricing.NoPrice:
        return ""
    price = ctx.generation.price_of_credits(credits, model)
    return ctx.say("voiced.video", model=model.title, price=price) if price and unit == "second" else ""


def order(ctx, draft, version, rung):
    """Order a voice: its screen becomes the progress message."""
    ctx.go("orders:rung", draft=draft, version=version, rung=rung, screen="voiced:show")


def top_up(ctx, amount, rung):
    """Offer to top up what a voice lacks."""
    choose(ctx, DRAFT, rung)
    ctx.go(LACKING, amount=amount, back="voiced:show")


def as_prompt(ctx):
    """Put the words onto the card as its text: they were not to be said."""
    words = _words(ctx)
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    if model.main_text is None:
        raise UserError("common.old_card")
    ctx.done(DRAFT)
    values = draft.data["values"] | {model.main_text.name: forms.read(model.main_text, words)}
    ctx.generation.fill(ctx.user.id, model, values, ctx.now)
    ctx.go("generate:card")


def use(ctx, job):
    """Put a finished voice onto the card; what the picture shows is said for whoever has not said it."""
    found = result(own(ctx, job), 0)
    draft, model = ctx.generation.card(ctx.user.id, ctx.now)
    spec, text, values = model.input_for("audio"), model.main_text, draft.data["values"]
    if spec is None or not found["files"]:
        raise UserError("common.old_card")
    values = forms.add_file(spec, values, found["files"][0], ctx.generation.meter(model, spec, ctx.user))
    if text is not None and text.required and not present(values.get(text.name)):
        values |= {text.name: ctx.texts.plain(ctx.lang, "voiced.speaks")}
    ctx.generation.fill(ctx.user.id, model, values, ctx.now)
    ctx.go("generate:card", below=True)

"""A voice message is typing with one's voice: its words are shown, corrected if need be, and go where a text would.

That is the ladder, the open card's text, a question, a reply to a result. Where the sound itself is wanted (a card that asks
for a recording; a long one; the row *Use the sound itself*), it stays what it is.
Texts: voice.* in data/texts/<lang>/generate/voice.po, assistant.* in core.po.
"""

from core.attachments import file_in
from core.buttons import MENU, button
from core.errors import UserError
from core.services.generation import QUESTION
from plugins.generate._loose import AS_IT_IS

DRAFT, STEP = "voice", "voice:words"
KEPT = ("message_id", "date", "chat", "from", "reply_to_message", "voice")  # of the voice message
SHOWN, MOST = 1_000, 4_000  # characters of the words that are shown, and that are taken


def register(bot):
    """Declare what hears, the buttons, and what /privacy says of it."""
    bot.repeatable()
    bot.update("voice", hear, order=30)
    bot.update("voice", hear, order=30, reply_to="any", beside=True)  # a reply is none of an open dialogue's
    bot.step(STEP, take_words)
    bot.button("voice:yes", yes, beside=True, version=int)
    bot.button("voice:make", make, beside=True, version=int)
    bot.button("voice:correct", correct, beside=True, version=int)
    bot.button("voice:sound", sound, beside=True, version=int)
    bot.privacy_line(told)


def told(ctx):
    """Say who hears."""
    assistant = ctx.generation.assistant
    return ctx.say("voice.privacy", names=", ".join(assistant.listeners)) if assistant.is_on else None


def hear(ctx):
    """Write a voice message down and show its words; what cannot be heard is left to others."""
    file = file_in(ctx.message)
    if ctx.message.get(AS_IT_IS) or not ctx.generation.assistant.can_hear(file):
        return ctx.PASS
    _keep(ctx, _to(ctx) | {"message": {name: ctx.message[name] for name in KEPT if name in ctx.message}})
    ctx.bot.show_typing(ctx.chat_id)
    try:
        words = ctx.generation.hear(ctx.user, file, ctx.now, ctx.texts.plain(ctx.texts.default, "assistant.hear"))
        if words.strip("-—–. ") == "":
            raise UserError("voice.nothing")
    except UserError as error:
        error.buttons = [[_sound(ctx)], *ctx.bot.home()]
        raise
    _keep(ctx, ctx.draft.data | {"words": words[:MOST]})
    ctx.reply("voice.heard", _rows(ctx), words=words[:SHOWN])
    return None


def _to(ctx):
    """Return the dialogue that listened when it was spoken; a correction spoken again is for the same one."""
    listening = ctx.draft
    if listening is None:
        return {"plugin": None, "step": None}
    if listening.plugin == DRAFT:
        return {name: listening.data[name] for name in ("plugin", "step")}
    return {"plugin": listening.plugin, "step": listening.step}


def _keep(ctx, data):
    ctx.draft = ctx.drafts.put(ctx.user.id, DRAFT, ctx.now, step=None, data=data)


def _rows(ctx):
    """Return the ways on: in a talk with a chat model the words can be asked, or something made of them."""
    version, is_talk = ctx.draft.version, ctx.draft.data["plugin"] == QUESTION
    correct, menu = button("voice.correct", "voice:correct", version), button("common.menu", MENU)
    if not is_talk:
        return [[button("voice.yes", "voice:yes", version), correct], _sound(ctx), menu]
    ask = button("voice.ask_it", "voice:yes", version, cost=_cost(ctx, ctx.draft.data["words"]))
    return [ask, [button("voice.make", "voice:make", version), correct], _sound(ctx), menu]


def _cost(ctx, words):
    """Return what an answer to the words costs at most in the open talk, as on a button."""
    data, talk = ctx.drafts.get(ctx.user.id, QUESTION, ctx.now).data, ctx.generation.talk
    topic = data["topic"] if talk.owns(ctx.user.id, data["topic"]) else None
    found = talk.bound(ctx.user.id, data["rank"], ctx.now, words, data["pictures"], topic)
    if found is None or found.price == 0:
        return ctx.texts.plain(ctx.lang, "rung.gift")
    return ctx.texts.plain(ctx.lang, "rung.up_to", price=found.price)


def _sound(ctx):
    return button("voice.sound", "voice:sound", ctx.draft.version)


def _own(ctx, version):
    """Return what was said with a screen's version; raise UserError when something else was said since."""
    draft = ctx.drafts.get(ctx.user.id, DRAFT, ctx.now)
    if draft is None or draft.version != version:
        raise UserError("common.old_card")
    return draft.data


def make(ctx, version):
    """Make something of the words, though a talk with a chat model was open: they get the ladder."""
    yes(ctx, version, to={"plugin": None, "step": None})


def yes(ctx, version, to=None):
    """Take the words as they were heard; they go where they were spoken, or to another dialogue (`to`)."""
    data = _own(ctx, version) | (to or {})
    if not data.get("words"):
        raise UserError("common.old_card")
    ctx.edit("voice.said", words=data["words"][:SHOWN])
    _pass_on(ctx, data, {"text": data["words"]})


def correct(ctx, version):
    """Ask for the words as they should be."""
    data = _own(ctx, version)
    rows = [button("voice.sound", "voice:sound", version + 1), button("common.menu", MENU)]  # the draft as it will be
    ctx.ask(STEP, "voice.ask", rows, data=data, words=data.get("words", "")[:SHOWN])


def take_words(ctx):
    """Take the corrected words; spoken ones are heard anew."""
    if not ctx.text:
        return ctx.PASS
    _pass_on(ctx, ctx.draft.data, {"text": ctx.text})
    return None


def sound(ctx, version):
    """Use the recording itself."""
    data = _own(ctx, version)
    ctx.edit("voice.as_sound")
    _pass_on(ctx, data, {"voice": data["message"]["voice"], AS_IT_IS: True})


def _pass_on(ctx, data, content):
    """Hand the message on as it would have come, to the dialogue that listened."""
    ctx.drafts.drop(ctx.user.id, DRAFT)
    message = {name: value for name, value in data["message"].items() if name != "voice"}
    ctx.bot.hand_over(ctx, message | content, data["plugin"], data["step"])

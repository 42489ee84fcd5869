"""An idea as it is now: whether it can be ordered, and for how much."""

from core.errors import UserError
from core.services import forms
from kie.catalogue.ideas import PHOTO
from kie.catalogue.inputs import InputError
from kie.catalogue.offers import settings_of

SAMPLE = {"file_id": "sample", "unique_id": "sample", "kind": "photo", "mime": None, "size": None}
SAMPLE |= {"name": None, "seconds": None, "width": None, "height": None}


def known(bot):
    """Return the ideas that can be ordered and have words in the default language, in the file's order."""
    live, texts = bot.generation.live_catalogue, bot.texts
    return [idea for idea in live.ideas.known if not lacking(texts, idea) and live.offers_of(idea)]


def lacking(texts, idea):
    """Return the keys of the texts that an idea lacks in the default language."""
    keys = [f"ideas.title_{idea.name}", f"ideas.about_{idea.name}", *(f"ideas.ask_{what}" for what in idea.asks)]
    return [key for key in keys if not texts.has(key)]


def named(bot, name):
    """Return (its place, the idea) of a name; raise UserError if it is not there any more."""
    for place, idea in enumerate(known(bot)):
        if idea.name == name:
            return place, idea
    raise UserError("common.old_button")


def title(ctx, idea):
    """Return an idea's title as plain text."""
    return ctx.texts.plain(ctx.lang, f"ideas.title_{idea.name}")


def quote(ctx, idea, words=None, photo=SAMPLE):
    """Return (model, values, quote) of the first offer that can be ordered with what was given, or None.

    Without `words` it is the price that is shown before anything was asked: it depends on none of them.
    """
    given = {what: "…" for what in idea.asks if what != PHOTO} if words is None else words
    for offer, model in ctx.generation.live_catalogue.offers_of(idea):
        try:
            values = _values(idea, offer, model, given, photo)
        except (InputError, KeyError, UserError):
            continue  # a setting the model has lost, or what it does not accept: the next one replaces it
        if found := ctx.generation.rung("idea", ctx.user.id, model, values, ctx.now):
            return model, values, found
    return None


def _values(idea, offer, model, words, photo):
    values = settings_of(model, offer)
    if model.main_text is not None and idea.prompt:
        values |= {model.main_text.name: forms.read(model.main_text, idea.words(words))}
    if PHOTO not in idea.asks:
        return values
    spec = model.input_for("image")
    if spec is None:
        raise UserError("ideas.want_photo")
    return forms.add_file(spec, values, photo)

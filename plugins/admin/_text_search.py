"""Finding a text by the words people see, or by its key (`plugins/admin/texts.py`)."""

import re

from core.buttons import button, mark
from core.texts import untagged

LABEL = 32  # characters of a text in the list
VALUE = re.compile(r"\{[^{}]*\}")


def find(ctx, words):
    """Return (key, language) of the texts with the most of the words, at least half; the reader's language comes first.

    Words copied from a message include names and numbers that are in no text. A text whose key was typed comes first.
    """
    low, languages = words.lower().split(), (str(ctx.lang), *ctx.texts.languages)
    keys = sorted(ctx.texts.keys(ctx.texts.default), key=lambda key: (key != words.lower(), key))
    hits = [max(((_hits(ctx, key, lang, low), lang) for lang in languages), key=lambda hit: hit[0]) for key in keys]
    best = max(count for count, _lang in hits)
    if not best or 2 * best < len(low):
        return []
    return [(key, lang) for key, (count, lang) in zip(keys, hits, strict=True) if count == best]


def _hits(ctx, key, lang, words):
    whole = f"{key} {untagged(' '.join(ctx.texts.forms(lang, key)))}".lower()
    return sum(word in whole for word in words)


def row(ctx, key, lang, own):
    """Return the button of a text: its beginning, marked and with its language if it is the operator's own."""
    words = ctx.texts.forms(lang, key)[0] if own is None else own
    shown = " ".join(untagged(VALUE.sub("…", words)).split())
    shown = shown if len(shown) <= LABEL else f"{shown[: LABEL - 1]}…"
    return button("texts.row", "texts:show", mark(key), lang, mark=f"✏ {lang} " if own else "", words=shown or key)

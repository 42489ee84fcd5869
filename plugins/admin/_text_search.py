"""Finding a text by the words people see, or by its key (`plugins/admin/texts.py`)."""

import re

from core.buttons import button, mark
from core.texts import untagged

LABEL = 32  # characters of a text in the list
VALUE = re.compile(r"\{[^{}]*\}")


def find(ctx, words):
    """Return (key, language) of the texts with all the words: the reader's language if it has them, else another.

    A text whose key is meant stands first.
    """
    low, found = words.lower().split(), []
    for key in sorted(ctx.texts.keys(ctx.texts.default), key=lambda key: (key != words.lower(), key)):
        for lang in (str(ctx.lang), *ctx.texts.languages):
            whole = f"{key} {untagged(' '.join(ctx.texts.forms(lang, key)))}".lower()
            if all(word in whole for word in low):
                found.append((key, lang))
                break
    return found


def row(ctx, key, lang, own):
    """Return the button of a text: its beginning, with a mark and its language if it is the operator's own."""
    words = ctx.texts.forms(lang, key)[0] if own is None else own
    shown = " ".join(untagged(VALUE.sub("…", words)).split())
    shown = shown if len(shown) <= LABEL else f"{shown[: LABEL - 1]}…"
    return button("texts.row", "texts:show", mark(key), lang, mark=f"✏ {lang} " if own else "", words=shown or key)

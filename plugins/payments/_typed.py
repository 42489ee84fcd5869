"""An amount as people type it where money is asked for: with the currency beside the number, or without.

How people write a currency besides its code is in the texts payments.words_<code>, in the words of every language at once.
"""

import re

from core import amounts

AROUND = re.compile(r"(\D*)(\d(?:.*\d)?)(\D*)", re.DOTALL)
LONGEST = 64  # characters of an amount with its currency


def read(ctx, text):
    """Return the minor units of a typed amount (`300 rub`, `300`), or None if it is none, or of another currency."""
    currency = ctx.settings["CURRENCY"]
    return amounts.read(without(text, {currency.casefold(), *_words(ctx.texts, currency)}))


def _words(texts, currency):
    key = f"payments.words_{currency.lower()}"
    said = (texts.plain(lang, key) for lang in texts.languages) if texts.has(key) else ()
    return {word.strip().casefold() for words in said for word in words.split(",")}


def without(text, names):
    """Return an amount without one of the names of its currency; as it is if it has none, or another one."""
    found = AROUND.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        return text
    said = [name for part in (found[1], found[3]) if (name := part.strip().casefold())]
    return found[2] if len(said) == 1 and said[0].removesuffix(".") in names else text

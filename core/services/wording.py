"""What people write, word by word: phrases from the texts that it fits, in any form of the words, and with typos.

A list of phrases is a text with commas between them: a phrase fits if all its words were said, in any order, and `*`
stands for any ending.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.texts import Texts

PARTS = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
UNFINISHED, TYPO = 0.8, 0.7  # how much a word counts that fits only so
MOST_MEANT = 6  # words of a message that may be about the bot itself, and not for a model
SHORTEST_MEANT = 7  # letters of such a word with a typo: a shorter one is another word too often
SHORTEST_PART, SHORTEST_TYPO, SHORTEST_TWO = 3, 5, 8  # letters from which a beginning, one typo, or two are recognized


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text: small letters without accents."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return PARTS.findall(plain)


@dataclass(frozen=True, slots=True)
class Index:
    """The phrases of each key, and the keys in which each of their words stands."""

    phrases: Mapping[str, tuple[tuple[str, ...], ...]]
    keys: Mapping[str, frozenset[str]]  # word, with its `*` → keys
    alone: Mapping[str, frozenset[str]]  # key → its phrases of one word

    def exact(self, said: str) -> dict[str, float]:
        """Return {word: 1.0} of the words that a word that was said is a form of."""
        starts = (said[:end] + "*" for end in range(1, len(said) + 1))
        return {word: 1.0 for word in (said, *starts) if word in self.keys}

    def meaning(self, word: str) -> str:
        """Return the key of the words that mean the same as one, or the word."""
        found = self.exact(word.removesuffix("*"))
        return min(self.keys[next(iter(found))]) if found else word


def index(pairs: Iterable[tuple[str, str]], same: Index | None = None) -> Index:
    """Return the index of phrases; in those of several words, `same` replaces words by what they mean."""
    phrases, keys = dict[str, list[tuple[str, ...]]](), dict[str, set[str]]()
    for key, text in pairs:
        found = [words for phrase in text.split(",") if (words := _phrase(phrase))]
        if same is not None:
            found = [tuple(same.meaning(word) for word in words) if len(words) > 1 else words for words in found]
        phrases.setdefault(key, []).extend(found)
        for word in (word for words in found for word in words):
            keys.setdefault(word, set()).add(key)
    return Index(
        {key: tuple(found) for key, found in phrases.items()},
        {word: frozenset(found) for word, found in keys.items()},
        {key: frozenset(words[0] for words in found if len(words) == 1) for key, found in phrases.items()},
    )


def _phrase(phrase: str) -> tuple[str, ...]:
    """Return the words of a phrase; one with `*` keeps it."""
    return tuple(
        word + "*" * (part.endswith("*") and place == len(words))
        for part in phrase.split()
        for words in [words_of(part)]
        for place, word in enumerate(words, start=1)
    )


def similar(said: str, words: Iterable[str]) -> dict[str, float]:
    """Return {word: how much it counts} of those that are meant by `said`, if it has a typo."""
    if len(said) < SHORTEST_TYPO or not said.isalpha():
        return {}
    most = 2 if len(said) >= SHORTEST_TWO else 1
    return {word: TYPO for word in words if word[0] == said[0] and _is_misspelt(said, word, most)}


def unfinished(said: str, words: Iterable[str]) -> dict[str, float]:
    """Return {word: how much it counts} of those that `said` is the beginning of."""
    return {word: UNFINISHED for word in words if word.startswith(said)} if len(said) >= SHORTEST_PART else {}


def _is_misspelt(said: str, word: str, most: int) -> bool:
    """Tell whether a word is meant by another one with at most so many typos; its `*` stands for any ending.

    A typo is a letter too many, too few, another one, or two of them swapped.
    """
    plain = word.removesuffix("*")
    if len(plain) < SHORTEST_TYPO - 1:
        return False
    most = most if len(plain) >= SHORTEST_TWO - 2 else 1
    ends = {len(plain) + more for more in range(-most, most + 1)} if plain != word else {len(said)}
    osa = _osa()
    return any(osa.distance(said[:end], plain, score_cutoff=most) <= most for end in ends if 0 < end <= len(said))


def likeness(one: str, other: str) -> float:
    """Return how alike two words are, from 0 to 1."""
    return float(_osa().normalized_similarity(one, other))


def _osa() -> Any:
    """Return the library's distance with transpositions; 3 MB that only a search needs."""
    from rapidfuzz.distance import OSA

    return OSA


def places_of(phrase: tuple[str, ...], fits: list[dict[str, float]]) -> dict[int, float]:
    """Return {place of a word that was said: how much it counts} if a phrase was said whole, else nothing."""
    found = dict[int, float]()
    for word in phrase:
        fitting = [(fit[word], at) for at, fit in enumerate(fits) if word in fit]
        if not fitting:
            return {}
        counts, at = max(fitting, key=lambda one: one[0])
        found[at] = counts
    return found


def meant(texts: Texts, keys: Iterable[str], polite: str, said: str) -> str | None:
    """Return which of these keys has a phrase that is all of what was said, but for words of the key `polite`; or None."""
    words = words_of(said)
    if not words or len(words) > MOST_MEANT:
        return None
    known = _index_of(_pairs(texts, (*keys, polite)))
    for at_most in (1, TYPO):  # a word as it is written comes before one with a typo
        fits = [
            known.exact(word) or (similar(word, known.keys) if at_most == TYPO and len(word) >= SHORTEST_MEANT else {})
            for word in words
        ]
        spare = {at for at, fit in enumerate(fits) if any(polite in known.keys[word] for word in fit)}
        for key, phrases in known.phrases.items():
            covered = [set(places_of(phrase, fits)) for phrase in phrases] if key != polite else []
            if any(found and found | spare == set(range(len(words))) for found in covered):
                return key
    return None


def rest_after(texts: Texts, key: str, polite: str, said: str) -> str | None:
    """Return what was said beside a phrase of this key that it begins with, or ends with; None if it does neither.

    At the beginning other words may stand between those of the phrase, and words of the key `polite` before it.
    """
    words, known = words_of(said), _index_of(_pairs(texts, (key, polite)))
    while words and any(polite in known.keys[word] for word in known.exact(words[0])):
        words = words[1:]
    rests = [rest for phrase in known.phrases[key] if (rest := _beside(phrase, words)) is not None]
    return " ".join(min(rests, key=len)) if rests else None


def _beside(phrase: tuple[str, ...], words: list[str]) -> list[str] | None:
    """Return the words beside those of a phrase, or None if it neither begins nor ends them."""
    if len(words) >= len(phrase) and all(map(_is_form, words[-len(phrase) :], phrase)):
        return words[: -len(phrase)]
    if not words or not _is_form(words[0], phrase[0]):
        return None
    rest, wanted = list[str](), list(phrase)
    for word in words:
        if wanted and _is_form(word, wanted[0]):
            del wanted[0]
        else:
            rest.append(word)
    return None if wanted else rest


def _is_form(said: str, word: str) -> bool:
    return said.startswith(word[:-1]) if word.endswith("*") else said == word


def _pairs(texts: Texts, keys: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the (key, text) pairs of every language."""
    return tuple((key, texts.plain(lang, key)) for key in keys for lang in texts.languages if texts.has_in(lang, key))


@lru_cache(maxsize=8)
def _index_of(pairs: tuple[tuple[str, str], ...]) -> Index:
    return index(pairs)

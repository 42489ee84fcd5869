"""The phrases from data/offers.json that tell what a text is about, in every language.

Whether it changes the result that has just come, asks for it in more pixels or as it was before, is a question, wants
somebody in a photo to speak, or asks for an idea of a photo. A wrong guess costs people one tap; docs/models.md describes
the phrases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

KINDS = (
    "edit",  # how a change begins
    "degree",  # how it says "more" or "less", anywhere
    "follow",  # what refers to a result that was just made, anywhere
    "new",  # how something new begins, however short
    "larger",  # what asks for it in more pixels, anywhere
    "only_larger",  # the same, as all that is said
    "undo",  # what asks for the version before, as all that is said
    "first",  # the same for the first version
    "polite",  # what may stand beside these
    "say",  # what asks that somebody in a photo speaks, anywhere
    "written",  # what asks for words to be seen, not heard, anywhere
    "question",  # how a question begins
)
NEVER = "(?!)"
WORD = re.compile(r"\w+")
IDEA = "idea:"
QUESTION_CHARS = 100  # a question shows at its beginning
EDIT_WORDS = 7  # a text with more words describes something new
FEW_WORDS, MOST_WORDS = 3, 12  # right after a result: what is so short is about it; what is longer is not

Lists = Mapping[str, list[str]]  # {language: phrases}


@dataclass(frozen=True, slots=True)
class Phrases:
    """Regular expressions for the phrases of each kind (see KINDS), and for those that ask for an idea of a photo, by its name."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls, kinds: Mapping[str, Lists], captions: Mapping[str, Lists], rejected: list[tuple[str, str]]
    ) -> "Phrases":
        """Return the phrases of the parsed file, and note what is wrong with the others."""
        rejected += [
            (f"phrases of {one}", f"there are only {', '.join(KINDS)}") for one in sorted(set(kinds) - set(KINDS))
        ]
        rejected += [(f"captions of {one}", "no idea") for one in captions if not one.startswith(IDEA)]
        return cls(
            {name: pattern(lists) for name, lists in kinds.items() if name in KINDS},
            {one.removeprefix(IDEA): pattern(lists) for one, lists in captions.items() if one.startswith(IDEA)},
        )

    def is_edit(self, text: str) -> bool:
        """Return whether a text reads like a change of what was made last: short, and of words such as "warmer", "add"."""
        said = words(text)
        is_short = 0 < len(said.split()) <= EDIT_WORDS
        return is_short and (self._begins("edit", said) or self._has("degree", said))

    def refers(self, text: str) -> bool:
        """Return whether a text refers to what was made last, by words such as "the same" or "it"."""
        said = self._said(text)
        return len(said.split()) <= MOST_WORDS and self._has("follow", said)

    def follows(self, text: str) -> bool:
        """Return whether a text that comes right after a result reads like one about it."""
        said = self._said(text)
        is_short = len(said.split()) <= FEW_WORDS and not self._begins("new", said)
        return is_short or self.is_edit(said) or self.refers(said)

    def is_larger(self, text: str) -> bool:
        """Return whether a text asks for the same picture in more pixels."""
        said = self._said(text)
        few = len(said.split()) <= MOST_WORDS
        return (few and self._has("larger", said)) or self._is("only_larger", said)

    def goes_back(self, text: str) -> str | None:
        """Return which version a text asks for, and nothing else: the one before ("undo"), the "first", or None."""
        said = self._said(text)
        return next((name for name in ("first", "undo") if self._is(name, said)), None)

    def is_question(self, text: str) -> bool:
        """Return whether a text reads like a question to somebody who knows things."""
        return text.rstrip().endswith("?") or self._begins("question", words(text[:QUESTION_CHARS]))

    def speaks(self, text: str) -> bool:
        """Return whether a text that comes with a photo asks that who is on it says something."""
        said = words(text)
        asks = self._begins("question", said)  # "what does it say?"
        return self._has("say", said) and not self._has("written", said) and not asks

    def idea_of(self, caption: str) -> str | None:
        """Return the idea that a photo's caption asks for, or None."""
        said = words(caption)
        return next((idea for idea, found in self.captions.items() if _compiled(found).search(said)), None)

    def _said(self, text: str) -> str:
        """Return the words of a text without polite ones."""
        return " ".join(self._pattern("polite").sub("", words(text)).split())

    def _pattern(self, kind: str) -> re.Pattern[str]:
        return _compiled(self.patterns.get(kind, NEVER))

    def _begins(self, kind: str, said: str) -> bool:
        return self._pattern(kind).match(said) is not None

    def _has(self, kind: str, said: str) -> bool:
        return self._pattern(kind).search(said) is not None

    def _is(self, kind: str, said: str) -> bool:
        return self._pattern(kind).fullmatch(said) is not None


def words(text: str) -> str:
    """Return the words of a text in lower case, with single spaces between them."""
    return " ".join(WORD.findall(text.casefold()))


def listed(lists: Lists) -> tuple[tuple[str, ...], ...]:
    """Return the phrases of all languages as their words."""
    return tuple(tuple(phrase.casefold().split()) for some in lists.values() for phrase in some)


def pattern(lists: Lists) -> str:
    """Return a regular expression that finds the phrases of all languages in `words`; `*` stands for any letters."""
    either = "|".join(re.escape(" ".join(phrase)).replace(r"\*", r"\w*") for phrase in listed(lists))
    return rf"(?<!\S)(?:{either or NEVER})(?!\S)"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern once it is asked for: all of them took a thirtieth of a start."""
    return re.compile(pattern)

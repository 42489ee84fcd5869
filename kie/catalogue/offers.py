"""The offers from data/offers.json: a ladder of two or three rungs for each kind of work, words that ask for it, and the
works that a reply to a result asks for.

A rung lists offers (a model's code with settings), best first. The first one that can be sold is on the ladder, so the
next replaces a model that is off sale. Incomplete entries are left out, with the reason in `Offers.rejected`. What
admins choose in the chat comes before the file; docs/models.md describes both.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kie.catalogue.inputs import InputError, Values
from kie.catalogue.model import TYPES, Catalog, CatalogError, Model
from kie.catalogue.overrides import Changes

RUNGS = ("draft", "good", "best")
REPLIED = ("image", "video", "music")  # the kinds of results that a reply edits
MUSIC = "music"  # the row of the main menu: other sounds are no songs
SETTINGS = ("choice", "switch", "number")
FIELDS = {"model", "settings"}
SIGNS = (
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
NEVER = re.compile("(?!)")
IDEA = "idea:"
SPEAKING = "image-to-video"  # the work of a photo that is to speak
QUESTION_CHARS = 100  # a question shows at its beginning
EDIT_WORDS = 7  # a text with more words describes something new
FEW_WORDS, MOST_WORDS = 3, 12  # right after a result: what is so short is about it; what is longer is not
GUESSED_FROM = 6  # the first words of a text say what is wanted, later ones what is in it
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model by its code, with the settings it is offered with."""

    code: str
    settings: Values = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: its name (see RUNGS), and the offers for it, the first choice first."""

    name: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Offers:
    """Every ladder by its kind of work, the phrases that ask for a work, and (entry, reason) of what was left out.

    `replies` has the works that a reply to a result of a kind asks for (see REPLIED), the usual one first, `signs` what
    finds phrases that tell what a text is (see SIGNS), `wordless` what is offered for a file without words: works, and ideas as
    "idea:<name>", `spoken` the ladder for a photo that is to say something,
    `captions` what finds phrases that ask for an idea of a photo.
    """

    works: Mapping[str, tuple[Rung, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    rejected: tuple[tuple[str, str], ...] = ()
    replies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signs: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    wordless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spoken: tuple[Rung, ...] = ()
    captions: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path, catalog: Catalog) -> "Offers":
        """Return the offers in the JSON file `path`, none without a file; raise CatalogError if it is unreadable."""
        try:
            text = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
            return cls.from_data(json.loads(text) if text.strip() else {}, catalog)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CatalogError(f"{path}: {error}") from error

    @classmethod
    def from_data(cls, data: dict[str, Any], catalog: Catalog) -> "Offers":
        """Return the offers of the parsed file; entries that are not valid are in `rejected`."""
        rejected: list[tuple[str, str]] = []
        works = {work: tuple(_rungs(work, raw, catalog, rejected)) for work, raw in data.get("works", {}).items()}
        words: dict[str, tuple[tuple[str, ...], ...]] = {}
        for work, lists in data.get("words", {}).items():
            if work not in TYPES:
                rejected.append((f"words of {work}", "no such kind of work"))
                continue
            words[work] = _phrases(lists)
        strange = sorted(set(data.get("signs", {})) - set(SIGNS))
        rejected += [(f"signs of {name}", f"there are only {', '.join(SIGNS)}") for name in strange]
        signs = {name: _pattern(lists) for name, lists in data.get("signs", {}).items() if name in SIGNS}
        wordless = {kind: tuple(_wordless(kind, raw, rejected)) for kind, raw in data.get("wordless", {}).items()}
        replies = {kind: tuple(_replies(kind, raw, rejected)) for kind, raw in data.get("replies", {}).items()}
        spoken = tuple(_rungs(SPEAKING, data.get("spoken", {}), catalog, rejected))
        asked = data.get("captions", {})
        rejected += [(f"captions of {name}", "no idea") for name in asked if not name.startswith(IDEA)]
        captions = {name.removeprefix(IDEA): _pattern(lists) for name, lists in asked.items() if name.startswith(IDEA)}
        known = {work: rungs for work, rungs in works.items() if rungs}
        return cls(known, words, tuple(rejected), replies, signs, wordless, spoken, captions)

    def edits(self, model: Model) -> tuple[str, ...]:
        """Return the works that a reply to a result of this model asks for, the usual one first; none to a voice."""
        kind = "music" if model.output == "audio" and TYPES[model.type] == MUSIC else model.output
        return self.replies.get(kind, ())

    def rungs(self, work: str, changes: Changes) -> tuple[Rung, ...]:
        """Return the ladder of a work with the admins' changes, lowest rung first.

        A rung that was given another model has that one first and the file's offers after it; one that was switched off
        is left out.
        """
        known, ladder = {rung.name: rung for rung in self.works.get(work, ())}, []
        for name in RUNGS:
            change = changes.get(change_of(work, name)) or {}
            chosen = (Offer(change["model"]),) if change.get("model") else ()
            offers = chosen + (known[name].offers if name in known else ())
            if offers and not change.get("off"):
                ladder.append(Rung(name, offers))
        return tuple(ladder)

    def is_edit(self, text: str) -> bool:
        """Return whether a text reads like a change of what was made last: short, and of words such as "warmer", "add"."""
        said = WORD.findall(text.casefold())
        if not 0 < len(said) <= EDIT_WORDS:
            return False
        words = " ".join(said)
        begins, degree = self.signs.get("edit", NEVER).match(words), self.signs.get("degree", NEVER).search(words)
        return bool(begins or degree)

    def refers(self, text: str) -> bool:
        """Return whether a text refers to what was made last, by words such as "the same" or "it"."""
        said = self._said(text)
        return len(said.split()) <= MOST_WORDS and self._has("follow", said)

    def follows(self, text: str) -> bool:
        """Return whether a text that comes right after a result reads like one about it."""
        said = self._said(text)
        is_short = len(said.split()) <= FEW_WORDS and not self.signs.get("new", NEVER).match(said)
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

    def _said(self, text: str) -> str:
        """Return the words of a text without polite ones."""
        return " ".join(self.signs.get("polite", NEVER).sub("", " ".join(WORD.findall(text.casefold()))).split())

    def _has(self, sign: str, said: str) -> bool:
        return self.signs.get(sign, NEVER).search(said) is not None

    def _is(self, sign: str, said: str) -> bool:
        return self.signs.get(sign, NEVER).fullmatch(said) is not None

    def is_question(self, text: str) -> bool:
        """Return whether a text reads like a question to somebody who knows things."""
        if text.rstrip().endswith("?"):
            return True
        words = " ".join(WORD.findall(text[:QUESTION_CHARS].casefold()))
        return self.signs.get("question", NEVER).match(words) is not None

    def speaks(self, text: str) -> bool:
        """Return whether a text that comes with a photo asks that who is on it says something."""
        said = " ".join(WORD.findall(text.casefold()))
        asks = self.signs.get("question", NEVER).match(said) is not None  # "what does it say?"
        return self._has("say", said) and not self._has("written", said) and not asks

    def idea_of(self, caption: str) -> str | None:
        """Return the idea that a photo's caption asks for, or None."""
        said = " ".join(WORD.findall(caption.casefold()))
        return next((idea for idea, found in self.captions.items() if found.search(said)), None)

    def guess(self, text: str, works: Collection[str]) -> str | None:
        """Return which of these works the beginning of a text asks for, or None; phrases of all languages count."""
        if SPEAKING in works and self.speaks(text):
            return SPEAKING
        said = WORD.findall(text.casefold())[:GUESSED_FROM]
        for place in range(len(said)):
            for work in works:
                if any(_begins(said[place:], phrase) for phrase in self.words.get(work, ())):
                    return work
        return None


def change_of(work: str, name: str) -> tuple[str, str]:
    """Return (scope, field) of an admin's change of a rung: {"model": code}, {"off": true}, or None for the file's."""
    return f"offer:{work}", f"rung_{name}"


def settings_of(model: Model, offer: Offer) -> dict[str, Any]:
    """Return the values that a form of this offer starts with; raise InputError for a setting that does not fit."""
    return model.defaults() | {name: model.input(name).parse(value) for name, value in offer.settings.items()}


def _begins(said: list[str], phrase: tuple[str, ...]) -> bool:
    """Return whether words begin with a phrase; `*` at the end of one of its words stands for any ending."""
    return len(said) >= len(phrase) and all(
        word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
        for word, wanted in zip(said, phrase, strict=False)
    )


def _phrases(lists: Mapping[str, list[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the phrases of all languages as their words."""
    return tuple(tuple(phrase.casefold().split()) for phrases in lists.values() for phrase in phrases)


def _pattern(lists: Mapping[str, list[str]]) -> re.Pattern[str]:
    """Return what finds the phrases of all languages in words with single spaces; `*` stands for any letters."""
    phrases = (" ".join(phrase) for phrase in _phrases(lists))
    either = "|".join(re.escape(phrase).replace(r"\*", r"\w*") for phrase in phrases)
    return re.compile(rf"(?<!\S)(?:{either or '(?!)'})(?!\S)")


def _wordless(kind: str, raw: Any, rejected: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what is offered for a file of a kind without words, and note what is wrong with the others."""
    for entry in raw:
        if entry in TYPES or entry.startswith(IDEA):
            yield entry
        else:
            rejected.append((f"wordless {kind}", f"no such kind of work: {entry}"))


def _rungs(work: str, raw: Any, catalog: Catalog, rejected: list[tuple[str, str]]) -> Iterator[Rung]:
    """Yield the valid rungs of a work in order, and note what is wrong with the others."""
    if work not in TYPES:
        rejected.append((work, "no such kind of work"))
        return
    rejected += [(f"{work} {name}", f"no such rung; there are {', '.join(RUNGS)}") for name in raw if name not in RUNGS]
    for name in RUNGS:
        offers = []
        for place, entry in enumerate(raw.get(name, ()), start=1):
            try:
                offers.append(read_offer(work, entry, catalog))
            except CatalogError as reason:
                rejected.append((f"{work} {name} {place}", str(reason)))
        if offers:
            yield Rung(name, tuple(offers))


def _replies(kind: str, raw: Any, rejected: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the works that a reply to a result of a kind asks for, and note what is wrong with the others."""
    if kind not in REPLIED:
        rejected.append((f"replies to {kind}", f"no such kind of result; there are {', '.join(REPLIED)}"))
        return
    for work in raw:
        if work in TYPES:
            yield work
        else:
            rejected.append((f"replies to {kind}", f"no such kind of work: {work}"))


def read_offer(work: str, raw: Any, catalog: Catalog) -> Offer:
    """Return the Offer of one entry, or raise CatalogError if it is not valid."""
    if not isinstance(raw, dict) or not isinstance(raw.get("model"), str):
        raise CatalogError("model is missing")
    if strange := sorted(set(raw) - FIELDS):
        raise CatalogError(f"unknown field {strange}")
    model = next((model for model in catalog.known.values() if model.code == raw["model"]), None)
    if model is None:
        raise CatalogError(f"no model has the code {raw['model']!r}")
    if work not in {
        *model.modes,
        *(mode for kind in ("text", "image", "video", "audio") for mode in model.works(kind)),
    }:
        raise CatalogError(f"{model.code} does not do {work}")
    offer = Offer(model.code, raw.get("settings", {}))
    for name, value in offer.settings.items():
        _check_setting(model, name, value)
    return offer


def _check_setting(model: Model, name: str, value: Any) -> None:
    spec = model.by_name.get(name)
    if spec is None or spec.kind not in SETTINGS or spec.shown == "hidden":
        raise CatalogError(f"{model.code} has no setting {name!r}")
    try:
        spec.parse(value)
    except InputError as error:
        raise CatalogError(f"{model.code} does not take {value!r} as {name}: {error.key}") from error

"""The offers from data/offers.json: a ladder of two or three rungs for each kind of work, words that ask for it, and the
works that a reply to a result asks for.

A rung lists offers (a model's code with settings), best first. The first one that can be sold is on the ladder, so the
next replaces a model that is off sale. Incomplete entries are left out, with the reason in `Offers.rejected`. What
admins choose in the chat comes before the file; docs/models.md describes both.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from kie.catalogue.inputs import InputError, Values
from kie.catalogue.model import TYPES, Catalog, CatalogError, Model
from kie.catalogue.overrides import Changes
from kie.catalogue.phrases import IDEA, WORD, Phrases, listed

RUNGS = ("draft", "good", "best")
REPLIED = ("image", "video", "music")  # the kinds of results that a reply edits
MUSIC = "music"  # the row of the main menu: other sounds are no songs
SETTINGS = ("choice", "switch", "number")
FIELDS = {"model", "settings"}
SPEAKING = "image-to-video"  # the work of a photo that is to speak
GUESSED_FROM = 6  # the first words of a text say what is wanted, later ones what is in it


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

    `replies` has the works that a reply to a result of a kind asks for (see REPLIED), the usual one first, `phrases` what
    tells what a text is about, `wordless` what is offered for a file without words (works, and ideas as "idea:<name>"),
    `spoken` the ladder for a photo that is to say something.
    """

    works: Mapping[str, tuple[Rung, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    rejected: tuple[tuple[str, str], ...] = ()
    replies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: Phrases = field(default_factory=Phrases)
    wordless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spoken: tuple[Rung, ...] = ()

    @classmethod
    def load(cls, path: str | Path, catalog: Catalog) -> "Offers":
        """Return the offers in the JSON file `path`, none without a file; raise CatalogError if it is unreadable."""
        try:
            return _loaded(Path(path), changed_at(path), catalog)
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
            words[work] = listed(lists)
        phrases = Phrases.read(data.get("phrases", {}), data.get("captions", {}), rejected)
        wordless = {kind: tuple(_wordless(kind, raw, rejected)) for kind, raw in data.get("wordless", {}).items()}
        replies = {kind: tuple(_replies(kind, raw, rejected)) for kind, raw in data.get("replies", {}).items()}
        spoken = tuple(_rungs(SPEAKING, data.get("spoken", {}), catalog, rejected))
        known = {work: rungs for work, rungs in works.items() if rungs}
        return cls(known, words, tuple(rejected), replies, phrases, wordless, spoken)

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

    def guess(self, text: str, works: Collection[str]) -> str | None:
        """Return which of these works the beginning of a text asks for, or None; phrases of all languages count."""
        if SPEAKING in works and self.phrases.speaks(text):
            return SPEAKING
        said = WORD.findall(text.casefold())[:GUESSED_FROM]
        for place in range(len(said)):
            for work in works:
                if any(_begins(said[place:], phrase) for phrase in self.words.get(work, ())):
                    return work
        return None


def changed_at(path: str | Path) -> int:
    """Return the time of a file's last change in nanoseconds, 0 without a file: while it is the same, so is the file."""
    return os.stat(path).st_mtime_ns if os.path.exists(path) else 0


@lru_cache(maxsize=2)
def _loaded(path: Path, _changed_at: int, catalog: Catalog) -> Offers:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return Offers.from_data(json.loads(text) if text.strip() else {}, catalog)


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

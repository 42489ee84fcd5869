"""The ideas from data/ideas.json: ready-made prompts, each with a model, its settings, and what is asked of the person.

Incomplete entries are left out, with the reason in `Ideas.rejected`. Their titles are texts; docs/models.md describes both.
"""

import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from kie.catalogue.model import Catalog, CatalogError
from kie.catalogue.offers import Offer, changed_at, read_offer

PHOTO = "photo"
NAME = re.compile(r"[a-z_]{1,24}")
FIELDS = {"name", "work", "model", "settings", "asks", "prompt"}


@dataclass(frozen=True)
class Idea:
    """A ready-made order.

    `asks` names what the person gives, in this order: `photo`, or the words for a place of the prompt.
    """

    name: str
    work: str
    offer: Offer
    asks: tuple[str, ...]
    prompt: str

    def words(self, given: Mapping[str, str]) -> str:
        """Return the prompt with the words given for its places."""
        return self.prompt.format(**given)

    @cached_property
    def _pieces(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((text, name) for text, name, _spec, _kind in string.Formatter().parse(self.prompt))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = (re.escape(text) + (f"(?P<{name}>.*)" if name else "") for text, name in self._pieces)
        return re.compile("".join(parts), re.DOTALL)

    def given_in(self, prompt: str) -> dict[str, str] | None:
        """Return the words that were given for the places of a prompt, or None if it is not of this idea."""
        if not self.prompt or not prompt.startswith(self._pieces[0][0]):
            return None
        found = self._pattern.fullmatch(prompt)
        return None if found is None else found.groupdict()


@dataclass(frozen=True, slots=True)
class Ideas:
    """The valid ideas in the file's order, (entry, reason) of what was left out, and the folder of their drawings."""

    known: tuple[Idea, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    drawings: Path = Path()

    @classmethod
    def load(cls, path: str | Path, catalog: Catalog) -> "Ideas":
        """Return the ideas in the JSON file `path`, none without a file; raise CatalogError if it is unreadable."""
        try:
            return _loaded(Path(path), changed_at(path), catalog)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CatalogError(f"{path}: {error}") from error

    def made(self, prompt: str) -> tuple[Idea, dict[str, str]] | None:
        """Return (the idea that a prompt was made from, the words given for its places), or None."""
        for idea in self.known:
            given = idea.given_in(prompt)
            if given is not None:
                return idea, given
        return None

    def drawing(self, idea: Idea) -> Path:
        """Return the file of an idea's drawing: its own, one of its kind of work, or the one for any idea."""
        found = (self.drawings / f"{name}.png" for name in (idea.name, idea.work))
        return next((path for path in found if path.exists()), self.drawings / "any.png")

    @classmethod
    def from_data(cls, data: dict[str, Any], catalog: Catalog) -> "Ideas":
        """Return the ideas of the parsed file; entries that are not valid are in `rejected`."""
        known: dict[str, Idea] = {}
        rejected = []
        for place, raw in enumerate(data.get("ideas", []), start=1):
            name = raw.get("name") if isinstance(raw, dict) else None
            try:
                idea = _idea(raw, catalog)
                if idea.name in known:
                    raise CatalogError("there is another one of this name")
                known[idea.name] = idea
            except CatalogError as reason:
                rejected.append((str(name or place), str(reason)))
        return cls(tuple(known.values()), tuple(rejected))


@lru_cache(maxsize=2)
def _loaded(path: Path, _changed_at: int, catalog: Catalog) -> Ideas:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = Ideas.from_data(json.loads(text) if text.strip() else {}, catalog)
    return replace(found, drawings=path.with_suffix(""))


def _idea(raw: Any, catalog: Catalog) -> Idea:
    """Return the Idea of one entry, or raise CatalogError if it is not valid."""
    if not isinstance(raw, dict) or not NAME.fullmatch(str(raw.get("name"))):
        raise CatalogError("name is missing, or has other characters than a-z and _, or more than 24")
    if strange := sorted(set(raw) - FIELDS):
        raise CatalogError(f"unknown field {strange}")
    work, asks, prompt = raw.get("work"), raw.get("asks", []), raw.get("prompt", "")
    if not isinstance(work, str) or not isinstance(prompt, str) or not isinstance(asks, list):
        raise CatalogError("work and prompt are texts, asks is a list")
    offer = read_offer(work, {name: raw[name] for name in ("model", "settings") if name in raw}, catalog)
    _check_asks(asks, prompt)
    model = next(model for model in catalog.known.values() if model.code == offer.code)
    if PHOTO in asks and not model.takes("image"):
        raise CatalogError(f"{offer.code} takes no photo")
    if bool(prompt) != bool(model.main_text):
        raise CatalogError(f"{offer.code} {'needs a' if model.main_text else 'takes no'} prompt")
    return Idea(raw["name"], work, offer, tuple(asks), prompt)


def _check_asks(asks: list[Any], prompt: str) -> None:
    """Raise CatalogError unless what is asked for is what the prompt has places for."""
    try:
        places = [name for _text, name, _spec, _conversion in string.Formatter().parse(prompt) if name is not None]
    except ValueError as error:
        raise CatalogError(f"prompt: {error}") from None
    words = [name for name in asks if name != PHOTO]
    if len(set(map(str, asks))) != len(asks) or not all(NAME.fullmatch(str(name)) for name in asks):
        raise CatalogError("asks names something twice, or with other characters than a-z and _")
    if set(places) != set(words):
        raise CatalogError(f"the places of the prompt are {sorted(set(places))}, what is asked is {sorted(words)}")

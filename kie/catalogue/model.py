"""The catalogue: models and products from data/models.json; checks an order's inputs and builds KIE's request.

Only complete entries are offered: a valid schema, a price for every combination of the inputs that affect it, a kind of
output, a deadline, and a card with words in both languages. Other entries are in `Catalog.rejected` with the reason.
docs/models.md describes the file for operators.
"""

import json
import os
import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kie.catalogue import pricing
from kie.catalogue.inputs import (
    FIELDS,
    KINDS,
    MEDIA,
    TESTS,
    Input,
    InputError,
    Values,
    holds,
    present,
    put,
    sent_fields,
)
from kie.catalogue.pricing import Billing, NoPrice, Price

__all__ = ["Card", "Catalog", "CatalogError", "Input", "InputError", "Model", "NoPrice"]

MALFORMED = (TypeError, ValueError, KeyError, AttributeError, ArithmeticError)
OUTPUTS = ("image", "video", "audio", "text")
CODE = re.compile(r"[a-z0-9-]{1,16}")
PATH = re.compile(r"[A-Za-z_]+(\.(\d|\*)\.[A-Za-z_]+)?")
SAMPLE = re.compile(r"https://[\w./-]*\{\}[\w./-]*")
NAMES_IN_QUANTITY = re.compile(r"(?:input|media_seconds|chars):([\w,]+)")

# The rows of the main menu and the generation types in each. A model that requires an earlier result is a tool, whatever
# its type.
MENU = {
    "picture": ("text-to-image",),
    "edit": (
        "image-to-image",
        "image-edit",
        "image-upscale",
        "background-removal",
        "image-layering",
        "image-segmentation",
    ),
    "video": (
        "text-to-video",
        "image-to-video",
        "reference-to-video",
        "video-to-video",
        "video-edit",
        "motion-transfer",
        "lip-sync",
    ),
    "music": ("text-to-music", "music-edit", "music-cover", "music-extend", "sound-effects", "lyrics"),
    "voice": ("text-to-speech", "audio-isolation", "speech-to-text"),
    "tools": (
        "video-upscale",
        "video-extend",
        "watermark-removal",
        "stem-separation",
        "audio-convert",
        "music-video",
        "voice-persona",
    ),
}
TYPES = {kind: menu for menu, kinds in MENU.items() for kind in kinds}
# What can be done with a text or a file of each kind, most popular first.
WORKS = {
    "text": ("text-to-image", "text-to-video", "text-to-music", "text-to-speech", "sound-effects", "lyrics"),
    "image": (
        "image-edit",
        "image-upscale",
        "image-to-video",
        "background-removal",
        "image-to-image",
        "lip-sync",
        "reference-to-video",
        "motion-transfer",
        "image-layering",
        "image-segmentation",
    ),
    "video": (
        "video-upscale",
        "video-edit",
        "video-extend",
        "video-to-video",
        "motion-transfer",
        "lip-sync",
        "watermark-removal",
    ),
    "audio": (
        "audio-isolation",
        "lip-sync",
        "music-cover",
        "music-extend",
        "music-edit",
        "stem-separation",
        "music-video",
        "audio-convert",
        "voice-persona",
        "speech-to-text",
    ),
}
REFERENCE = "reference-to-video"
FROM_TEXT = ("sound-effects", "lyrics")
# What a text-to-… model does with a file that its form accepts, such as a first frame.
FROM_FILE = {
    ("image", "text-to-image"): "image-to-image",
    ("image", "text-to-video"): "image-to-video",
    ("video", "text-to-video"): "video-to-video",
    ("audio", "text-to-video"): "lip-sync",
}
CONSTRAINTS = ("any_of", "not_together", "needs", "excluded", "required_when", "spans")
MODEL_FIELDS = {
    "id",
    "code",
    "card",
    "variant",
    "type",
    "mode_title",
    "modes",
    "output",
    "usual_s",
    "deadline_s",
    "inputs",
    "constraints",
    "price",
    "billing",
    "needs_callback",
    "source",
    "as_of",
    "left_out",
    "unlisted",
}


class CatalogError(Exception):
    """An entry that cannot be offered; the message says where and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One item that can be ordered; kie/catalogue/inputs.py describes the values of its inputs.

    `title` is a proper name, such as Kling 2.6, `mode_title` the text key of its type, such as mode.text-to-video.
    `main_text` is the input that a plain text is for (None if it takes none), often called prompt. Its type alone does
    not say what it wants: `takes("text")` and `missing(values)` do.
    """

    id: str
    code: str
    card: str
    title: str
    type: str
    mode_title: str
    modes: tuple[str, ...]
    output: str
    usual_s: int
    deadline_s: int
    inputs: tuple[Input, ...]
    prices: tuple[Price, ...]
    billing: Billing
    constraints: Mapping[str, Any]
    needs_callback: bool = False
    source: str = ""
    as_of: str = ""
    by_name: Mapping[str, Input] = field(default_factory=dict, repr=False)
    menus: tuple[str, ...] = ()  # the rows of the main menu it belongs to
    main_text: Input | None = None  # the input a plain text is for: the first text of the card

    @property
    def quantity(self) -> str:
        """Return the expression for the number of units charged (docs/models.md)."""
        return self.billing.quantity

    def input(self, name: str) -> Input:
        """Return the input called `name`, or raise KeyError."""
        return self.by_name[name]

    @property
    def main_inputs(self) -> tuple[Input, ...]:
        """Return the inputs that the card shows at once."""
        return tuple(spec for spec in self.inputs if spec.shown == "main")

    @property
    def more_inputs(self) -> tuple[Input, ...]:
        """Return the inputs behind "More settings"."""
        return tuple(spec for spec in self.inputs if spec.shown == "more")

    def defaults(self) -> dict[str, Any]:
        """Return the values that a new form starts with."""
        return {spec.name: spec.default for spec in self.inputs if spec.shown != "hidden" and spec.default is not None}

    def effective(self, values: Values) -> dict[str, Any]:
        """Return what would be sent for `values`: with defaults and fixed values, without inputs that do not apply."""
        full = {spec.name: spec.send if spec.shown == "hidden" else spec.default for spec in self.inputs}
        full |= {
            name: value
            for name, value in values.items()
            if present(value) and name in full and self.by_name[name].shown != "hidden"
        }
        for spec in self.inputs:
            if spec.when and not holds(spec.when, full):
                full[spec.name] = None
        return {name: value for name, value in full.items() if value is not None}

    def input_for(self, kind: str) -> Input | None:
        """Return the first input that takes files of a kind (image, video, audio), or None."""
        return next((spec for spec in self.inputs if spec.kind == kind and spec.shown != "hidden"), None)

    def takes(self, kind: str) -> bool:
        """Return whether a text or a file of this kind is enough to begin with, without an earlier result."""
        if self.wants_result:
            return False
        return bool(self.main_text and self.works("text")) if kind == "text" else self.input_for(kind) is not None

    def works(self, kind: str) -> tuple[str, ...]:
        """Return its modes that work on a text, or on a file of this kind; the closest one if none does."""
        from_text = tuple(mode for mode in self.modes if mode.startswith("text-to-") or mode in FROM_TEXT)
        if kind == "text":
            return from_text
        from_file = tuple(mode for mode in self.modes if mode not in from_text)
        if about := tuple(mode for mode in from_file if mode in WORKS[kind]):
            return about
        if from_file:  # it accepts the file along with something else, such as a track with a photo
            return (REFERENCE,) if REFERENCE in from_file else from_file[:1]
        return tuple(FROM_FILE.get((kind, mode), mode) for mode in from_text)

    @property
    def wants_result(self) -> bool:
        """Return whether it does nothing without an earlier result."""
        return any(spec.kind == "task" and spec.required for spec in self.inputs)

    @property
    def added_works(self) -> frozenset[str]:
        """Return the works that it is not made for, but does with a file that its form accepts."""
        pairs = FROM_FILE.items()
        return frozenset(work for (kind, mode), work in pairs if mode in self.modes and self.input_for(kind))

    def does(self, works: Collection[str]) -> bool:
        """Return whether it does one of these works."""
        return not {self.type, *self.modes, *self.added_works}.isdisjoint(works)

    def words_of(self, values: Values) -> str:
        """Return what a person wrote as the main text; a default of ours is in English, and nobody's words."""
        text = self.main_text
        said = values.get(text.name) if text else None
        return "" if text is None or said is None or said == text.default else str(said)

    def asks_for(self, values: Values) -> str | None:
        """Return the name of the input that the next message is for: the first missing one, else the main text."""
        told = ("text", "number", *MEDIA)
        missing = [name for name in self.missing(values) if self.by_name[name].kind in told]
        return missing[0] if missing else (self.main_text.name if self.main_text else None)

    def applies(self, name: str, values: Values) -> bool:
        """Return whether the input applies with these values; otherwise it is not asked for."""
        spec = self.by_name[name]
        return not spec.when or holds(spec.when, self.effective(values))

    def missing(self, values: Values) -> list[str]:
        """Return the names of the inputs that are still required; of alternatives, the first ones."""
        full = self.effective(values)
        names = [
            spec.name
            for spec in self.inputs
            if spec.required and not present(full.get(spec.name)) and (not spec.when or holds(spec.when, full))
        ]
        for rule in self.alternatives(full):
            left = [[name for name in group if not present(full.get(name))] for group in rule]
            if all(left):
                names += [name for name in left[0] if name not in names]
        return names

    def alternatives(self, full: Values) -> Iterator[list[list[str]]]:
        """Yield lists of groups of inputs; of each list, one group must be complete. `full` comes from `effective`."""
        if "any_of" in self.constraints:
            yield self.constraints["any_of"]
        for rule in self.constraints.get("required_when", ()):
            if holds(rule["when"], full):
                yield rule["any_of"]

    def excluded(self, full: Values) -> tuple[str, ...]:
        """Return the names in a combination that KIE does not sell, or an empty tuple; `full` comes from `effective`."""
        for rule in self.constraints.get("excluded", ()):
            if holds(rule, full):
                return tuple(rule)
        return ()

    def check(self, values: Values) -> dict[str, Any]:
        """Return `values` parsed, or raise InputError for the first error."""
        for name in values:
            if name not in self.by_name or self.by_name[name].shown == "hidden":
                raise InputError("unknown_input", name=name)
        given = {name: value for name, value in values.items() if present(value) and self.applies(name, values)}
        parsed = {name: self.by_name[name].parse(value) for name, value in given.items()}
        if names := self.missing(parsed):
            raise InputError("missing", name=names[0], names=tuple(names))
        self._check_together(self.effective(parsed))
        return parsed

    def _check_together(self, full: Values) -> None:
        for one, other in self.constraints.get("not_together", ()):
            clash = [next((name for name in group if present(full.get(name))), None) for group in (one, other)]
            if all(clash):
                raise InputError("not_together", name=clash[0], names=tuple(clash))
        for name, needed in self.constraints.get("needs", {}).items():
            if present(full.get(name)) and not present(full.get(needed)):
                raise InputError("needs", name=name, needs=needed)
        if names := self.excluded(full):
            raise InputError("not_together", name=names[0], names=names)
        for rule in self.constraints.get("spans", ()):
            self._check_span(rule, full)

    def _check_span(self, rule: Mapping[str, Any], full: Values) -> None:
        """Check the seconds between two inputs, such as the two ends of a section."""
        start, end = full.get(rule["from"]), full.get(rule["to"])
        if start is None or end is None:
            return
        if end - start < rule["min"]:
            raise InputError("lasts_too_short", name=rule["to"], limit=rule["min"], found=end - start)
        if end - start > rule["max"]:
            raise InputError("lasts_too_long", name=rule["to"], limit=rule["max"], found=end - start)

    def build(self, values: Values, url_of: Callable[[Any], str]) -> dict[str, Any]:
        """Return the dict for KIE's `input`; `url_of(file)` must return the public URL of a file.

        Raise InputError if `values` are not complete and valid.
        """
        full, built = self.effective(self.check(values)), dict[str, Any]()
        full = {spec.name: _drawn(spec) for spec in self.inputs if spec.random} | full
        for spec in self.inputs:
            if spec.name in full:
                for path, value in sent_fields(spec, full[spec.name], url_of):
                    put(built, path, value, spec.each)
        return built


Check = Callable[[list[Model]], dict[str, str]]
Keep = Callable[..., dict[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One product in the menus, and its models in order.

    A line about it is in the texts (`about.<id>`); a card that was put on sale from the chat brings its own in
    `abouts`, {language: line}.
    """

    id: str
    title: str
    abouts: Mapping[str, str]
    models: tuple[Model, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """Everything on offer, read-only and safe to share between threads; made by `Catalog.load`.

    `known` also has the models that are off sale, as their running orders go on, `unlisted` says which of these KIE's own
    list lacked, and on which day. `starts` and `fed` are looked up once, at
    load: {text, image, video or audio: ((model, its works), …)} of what takes one, and (model, input) of what accepts an
    earlier result. `menus` has the cards of each row of the main menu, in its order.
    """

    models: Mapping[str, Model]
    cards: Mapping[str, Card]
    rejected: tuple[tuple[str, str], ...]
    credit_usd: Decimal
    as_of: str
    codes: Mapping[str, Model]
    known: Mapping[str, Model]
    unlisted: Mapping[str, str]
    starts: Mapping[str, tuple[tuple[Model, tuple[str, ...]], ...]]
    fed: tuple[tuple[Model, Input], ...]
    menus: Mapping[str, tuple[Card, ...]] = field(init=False)

    def __post_init__(self) -> None:
        menus = {
            menu: tuple(card for card in self.cards.values() if any(menu in model.menus for model in card.models))
            for menu in MENU
        }
        object.__setattr__(self, "menus", MappingProxyType({menu: cards for menu, cards in menus.items() if cards}))

    @classmethod
    def load(cls, path: str | Path) -> "Catalog":
        """Return the catalogue in the JSON file `path`; raise CatalogError if the file itself is unreadable."""
        return cls.read(path)[0]

    @classmethod
    def read(cls, path: str | Path, keep: Keep | None = None) -> "tuple[Catalog, dict[str, Any]]":
        """Return (catalogue, parsed file, not to be changed) like `load`.

        `keep(name, files, check, models)` may know from an earlier start what `check(models)` returns.
        """
        try:
            return _loaded(path, os.stat(path).st_mtime_ns, keep)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CatalogError(f"{path}: {error}") from error

    @classmethod
    def from_data(cls, data: dict[str, Any], faults_of: Check | None = None) -> "Catalog":
        """Return the catalogue of the parsed file; incomplete entries are in `rejected`.

        `faults_of(models)` says which prices are wrong, {model id: reason}; by default each is worked out.
        """
        words, lists = {card["id"]: card for card in data["cards"]}, data.get("lists", {})
        models, codes, rejected, unlisted = dict[str, Model](), dict[str, Model](), [], dict[str, str]()
        for raw in data["models"]:
            try:
                model = _read_model(raw, words, lists)
                _need(model.id not in models and model.code not in codes, "id or code is used twice")
            except CatalogError as reason:
                rejected.append((_name(raw), str(reason)))
                continue
            except MALFORMED as error:  # one bad entry must not stop the sale of the others
                rejected.append((_name(raw), f"malformed: {error!r}"))
                continue
            models[model.id] = codes[model.code] = model
            unlisted |= {model.id: raw["unlisted"]} if raw.get("unlisted") else {}
        for name, fault in (faults_of or _price_faults)(list(models.values())).items():
            rejected.append((name, fault))
            del codes[models.pop(name).code]
            unlisted.pop(name, None)
        cards = {name: _card(card, models) for name, card in words.items()}
        every = cls(
            models=MappingProxyType(models),
            codes=MappingProxyType(codes),
            rejected=tuple(rejected),
            cards=MappingProxyType({name: card for name, card in cards.items() if card.models}),
            credit_usd=Decimal(data["credit_usd"]),
            as_of=data["as_of"],
            known=MappingProxyType(models),
            unlisted=MappingProxyType(unlisted),
            **_uses(models),
        )
        return every.without(unlisted) if unlisted else every

    def anew(self, data: dict[str, Any], before: dict[str, Any]) -> "Catalog":
        """Return the catalogue of changed data; this one is of `before`, and what is the same object in both fits still."""
        there = {id(raw) for raw in before["models"]}
        same = {raw["id"] for raw in data["models"] if id(raw) in there and isinstance(raw, dict) and "id" in raw}
        known = {name: reason for name, reason in self.rejected if name in same}

        def faults_of(models: list[Model]) -> dict[str, str]:
            kept = {model.id: known[model.id] for model in models if model.id in known}
            return kept | _price_faults(model for model in models if model.id not in same)

        return Catalog.from_data(data, faults_of)

    def without(self, ids: Collection[str]) -> "Catalog":
        """Return this catalogue with some models off sale; they stay `known`."""
        return _without(self, frozenset(ids))

    def by_code(self, code: str) -> Model | None:
        """Return the model with this button code, or None."""
        return self.codes.get(code)

    def types(self) -> list[tuple[str, tuple[Card, ...]]]:
        """Return [(menu, cards)] in the order of the main menu: picture, edit, video, music, voice, tools."""
        return list(self.menus.items())

    def cards_of(self, menu: str) -> tuple[Card, ...]:
        """Return the cards with at least one model in this row of the main menu."""
        return self.menus.get(menu, ())

    def of_type(self, *types: str) -> tuple[Model, ...]:
        """Return the models of these generation types, such as image-upscale, in the file's order."""
        return tuple(model for model in self.models.values() if set(types) & set(model.modes))

    def fed_by(self, result: Values) -> tuple[tuple[Model, Input], ...]:
        """Return (model, input) for each model that accepts this earlier result (see kie/catalogue/inputs.py)."""
        return tuple((model, spec) for model, spec in self.fed if spec.usable(result))

    def works_with(self, kind: str, result: Values | None = None) -> dict[str, tuple[Model, ...]]:
        """Return {generation type: [models]} of what can be made of a text, image, video or audio.

        With `result` (see kie/catalogue/inputs.py), also of what accepts that earlier result itself. A model that does not
        need the file is listed under what it does with one: image-to-video, not text-to-video.
        """
        offers, by_mode = dict(self.starts[kind]), dict[str, list[Model]]()
        if result:
            fed = {model for model, _spec in self.fed_by(result)} | offers.keys()
            offers = {model: model.works(kind) or model.modes for model in self.models.values() if model in fed}
        for model, modes in offers.items():
            for mode in modes:
                by_mode.setdefault(mode, []).append(model)
        order = [*WORKS[kind], *TYPES]
        return {mode: tuple(by_mode[mode]) for mode in sorted(by_mode, key=order.index)}


def _uses(models: Mapping[str, Model]) -> dict[str, Any]:
    starts = {
        kind: tuple((model, model.works(kind) or model.modes) for model in models.values() if model.takes(kind))
        for kind in WORKS
    }
    fed = [(model, spec) for model in models.values() for spec in model.inputs if spec.kind == "task"]
    return {"starts": starts, "fed": tuple(fed)}


def _name(raw: Any) -> str:
    return str(raw.get("id")) if isinstance(raw, dict) else repr(raw)


@lru_cache(maxsize=2)
def _loaded(path: str | Path, _changed_at: int, keep: Keep | None) -> tuple[Catalog, dict[str, Any]]:
    """Read and check a file once until it changes: the check walks every price."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    files = (Path(path), *Path(__file__).parent.glob("*.py"))
    return Catalog.from_data(data, partial(keep, "prices", files, _price_faults) if keep else None), data


@lru_cache(maxsize=2)
def _without(catalog: Catalog, ids: frozenset[str]) -> Catalog:
    models = {name: model for name, model in catalog.models.items() if name not in ids}
    cards = {
        card.id: replace(card, models=tuple(m for m in card.models if m.id not in ids))
        for card in catalog.cards.values()
    }
    return replace(
        catalog,
        models=MappingProxyType(models),
        codes=MappingProxyType({model.code: model for model in models.values()}),
        cards=MappingProxyType({name: card for name, card in cards.items() if card.models}),
        **_uses(models),
    )


def _card(raw: dict[str, Any], models: Mapping[str, Model]) -> Card:
    mine = tuple(model for model in models.values() if model.card == raw["id"])
    return Card(raw["id"], raw["title"], dict(raw.get("about", {})), mine, tuple(raw.get("aliases", ())))


def _read_model(raw: dict[str, Any], cards: Mapping[str, Any], lists: Mapping[str, Any]) -> Model:
    """Return the Model of one entry, or raise CatalogError if it is not complete and valid."""
    _need(set(raw) <= MODEL_FIELDS, f"unknown field {sorted(set(raw) - MODEL_FIELDS)}")
    for name in ("id", "code", "card", "type", "output", "usual_s", "deadline_s", "inputs", "price", "source", "as_of"):
        _need(raw.get(name) not in (None, "", []), f"{name} is missing")
    _need(CODE.fullmatch(raw["code"]), f"code {raw['code']!r} does not fit [a-z0-9-]{{1,16}}")
    _need(raw["output"] in OUTPUTS, f"output {raw['output']!r} is not one of {OUTPUTS}")
    modes = tuple(raw.get("modes") or [raw["type"]])
    for mode in (raw["type"], *modes):
        _need(mode in TYPES, f"type {mode!r} is not known")
    _need(0 < raw["usual_s"] <= raw["deadline_s"], "deadline_s must be at least usual_s, and both above 0")
    card: Any = cards.get(raw["card"])
    _need(card, f"card {raw['card']!r} is not in cards")
    _need(card.get("title"), f"card {card['id']} has no title")
    model = _assemble(raw, card, modes, lists)
    _check_names(model)
    return model


def _assemble(raw: dict[str, Any], card: Mapping[str, Any], modes: tuple[str, ...], lists: Mapping[str, Any]) -> Model:
    prices = tuple(_read_price(row, place) for place, row in enumerate(raw["price"], start=1))
    billing = _read_billing(raw.get("billing", {}))
    drivers = _drivers(prices, billing)
    inputs = [_read_input(entry, drivers, lists) for entry in raw["inputs"]]
    names = [spec.name for spec in inputs]
    _need(len(names) == len(set(names)), "two inputs have the same name")
    title = f"{card['title']} {raw.get('variant', '')}".strip()
    return Model(
        id=raw["id"],
        code=raw["code"],
        card=raw["card"],
        title=title,
        type=raw["type"],
        modes=modes,
        mode_title=f"mode.{raw.get('mode_title', raw['type'])}",
        output=raw["output"],
        usual_s=raw["usual_s"],
        deadline_s=raw["deadline_s"],
        inputs=tuple(inputs),
        prices=prices,
        billing=billing,
        constraints=raw.get("constraints", {}),
        source=raw["source"],
        needs_callback=raw.get("needs_callback", False),
        as_of=raw["as_of"],
        by_name=dict(zip(names, inputs, strict=True)),
        menus=_menus(modes, inputs),
        main_text=next((spec for spec in inputs if spec.shown == "main" and spec.type == "string"), None),
    )


def _drawn(spec: Input) -> int:
    """Return a number for an input whose default at KIE is always the same."""
    return random.randint(int(spec.min or 0), int(spec.max or 0))


def _menus(modes: Iterable[str], inputs: Iterable[Input]) -> tuple[str, ...]:
    if any(spec.kind == "task" and spec.required for spec in inputs):
        return ("tools",)
    return tuple(dict.fromkeys(TYPES[mode] for mode in modes))


def _read_input(raw: dict[str, Any], drivers: Collection[str], lists: Mapping[str, Any]) -> Input:
    name: Any = raw.get("name")
    names = lists.get(raw.get("list", ""), {})
    where = f"input {name!r}"
    _need(name and raw.get("type") in KINDS, f"{where}: name or type is missing or unknown")
    _need(set(raw) <= FIELDS, f"{where}: unknown field {sorted(set(raw) - FIELDS)}")
    _need(raw.get("shown", "more") in ("main", "more", "hidden"), f"{where}: shown is main, more or hidden")
    _need((raw.get("shown") == "hidden") == ("send" in raw), f"{where}: send is for hidden inputs, and they need it")
    _need(raw["type"] != "enum" or raw.get("enum") or names, f"{where}: enum is empty")
    _need(raw["type"] != "json" or "send" in raw, f"{where}: the chat cannot ask for json")
    _need(raw["type"] != "task" or raw.get("from"), f"{where}: from is empty")
    bounds = raw["type"] == "integer" and {"min", "max"} <= set(raw)
    _need(bounds or not raw.get("random"), f"{where}: random is for integers with min and max")
    _need(PATH.fullmatch(raw.get("into", name)), f"{where}: into is not a path")
    _need(SAMPLE.fullmatch(raw.get("sample", "https://{}")), f"{where}: sample is no https address with one {{}} in it")
    plain = {key: value for key, value in raw.items() if key not in ("enum", "accept", "from", "list", "left_out")}
    spec = Input(
        **{"label": name, **plain},
        enum=tuple(raw.get("enum", names)),
        accept=tuple(raw.get("accept", ())),
        choice_names=names,
        sources=tuple(raw.get("from", ())),
        drives_price=name in drivers or (raw["type"] == "task" and "$source_resolution" in drivers),
    )
    if spec.default is not None:
        try:
            spec.parse(spec.default)
        except InputError as error:
            raise CatalogError(f"{where}: default {spec.default!r} is not valid: {error.key}") from error
    return spec


def _read_price(raw: dict[str, Any], place: int) -> Price:
    try:
        price = Price(
            when=raw["when"],
            credits=Decimal(raw["credits"]),
            per=raw.get("per", ""),
            each=tuple(raw.get("each", ())),
            after=raw.get("after", 0),
        )
    except (KeyError, TypeError, InvalidOperation) as error:
        raise CatalogError(f"price {place}: {error!r}") from error
    _need(isinstance(raw["credits"], str), f'price {place}: credits must be text, such as "4.5"')
    _need("then" in raw or "until" not in raw, f"price {place}: until wants then, what it costs from that day on")
    _need(price.credits.is_finite() and price.credits >= 0, f"price {place}: credits {raw['credits']} below 0")
    return price


def _read_billing(raw: dict[str, Any]) -> Billing:
    try:
        lists: dict[str, Any] = {
            key: tuple(value) for key, value in raw.items() if key in ("add_media_seconds", "at_least")
        }
        plain = {key: value for key, value in raw.items() if key not in (*lists, "at_most")}
        return Billing(**plain, **lists, at_most=Decimal(raw["at_most"]) if "at_most" in raw else None)
    except (TypeError, InvalidOperation) as error:
        raise CatalogError(f"billing: {error}") from error


def _drivers(prices: Iterable[Price], billing: Billing) -> set[str]:
    """Return the names of the inputs and $-facts that affect the price."""
    names = {name for row in prices for name in (*row.when, *row.each)}
    words = (billing.quantity, *billing.at_least, *billing.instead.values())
    names |= {name for word in words for listed in NAMES_IN_QUANTITY.findall(word) for name in listed.split(",")}
    names |= {*billing.add_media_seconds, *billing.megapixels, billing.megapixels_of}
    names |= {name for bound in billing.meter.values() for name in bound["of"]}
    return names | ({"upscale_factor", "image_url"} if "$output_size" in names else set())


def _check_names(model: Model) -> None:
    """Refuse rules, price rows and conditions that name an input the model does not have."""
    rules, used = model.constraints, set()
    _need(set(rules) <= set(CONSTRAINTS), f"constraints: unknown {sorted(set(rules) - set(CONSTRAINTS))}")
    conditions = [*rules.get("excluded", ()), *(rule["when"] for rule in rules.get("required_when", ()))]
    conditions += [*(spec.when for spec in model.inputs), *(row.when for row in model.prices)]
    groups = [*rules.get("any_of", ()), *(group for pair in rules.get("not_together", ()) for group in pair)]
    groups += [group for rule in rules.get("required_when", ()) for group in rule["any_of"]]
    for part in (*conditions, *groups):
        used |= set(part)
    used |= {rule[end] for rule in rules.get("spans", ()) for end in ("from", "to")}
    used |= {name for pair in rules.get("needs", {}).items() for name in pair} | _drivers(model.prices, model.billing)
    strange = {name for name in used if name and not name.startswith("$")} - set(model.by_name)
    _need(not strange, f"price, billing or constraints name inputs that are not there: {sorted(strange)}")
    for test in (test for part in conditions for test in part.values() if isinstance(test, dict)):
        _need(len(test) == 1 and set(test) <= set(TESTS), f"condition {test} is not known")


def _price_faults(models: Iterable[Model]) -> dict[str, str]:
    """Return {model id: what is wrong with its prices}."""
    found = {}
    for model in models:
        try:
            _check_prices(model)
        except CatalogError as reason:
            found[model.id] = str(reason)
        except MALFORMED as error:
            found[model.id] = f"malformed: {error!r}"
    return found


def _check_prices(model: Model) -> None:
    """Refuse a model with a combination of inputs that has no price."""
    facts = (
        {name for row in model.prices for name in row.when if name.startswith("$")} - set(pricing.FACTS) - {"$meter"}
    )
    _need(not facts, f"price: unknown fact {sorted(facts)}")
    count = 0
    for values in pricing.combinations(model):
        count += 1
        try:
            pricing.credits(model, values)
        except (NoPrice, KeyError, ArithmeticError, TypeError) as error:
            shown = {name: value for name, value in values.items() if model.by_name[name].kind not in (*MEDIA, "text")}
            raise CatalogError(f"no price for {shown}: {error}") from error
    _need(count, "price: no combination of inputs is possible")


def _need(condition: object, reason: str) -> None:
    if not condition:
        raise CatalogError(reason)

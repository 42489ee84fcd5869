"""What the stub knows of KIE's models: inputs, errors and prices, read from a JSON file.

The file is the project's data/models.json, or a plain list of facts with the same
fields ({"models": [{"id", "inputs", "price", "billing", …}]}). If the catalogue
says how a value is sent (`into`, `send_as`), the stub looks for it there. Prices
are computed here independently of kie/catalogue/pricing.py, so that a mistake there
does not go unnoticed.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

MEDIA = ("image", "video", "audio", "file")
UNKNOWN_MODEL = (
    "The model name you specified is not supported. Please verify your input and use one of the supported models "
    "provided by KIE."
)
REQUIRED = (500, "This field is required")
TOO_LONG = (500, "The text length cannot exceed the maximum limit")
OUT_OF_RANGE = (500, "Value must be within the specified range")
MIXED_FRAMES = "first/last frame content cannot be mixed with reference media content"

FALLBACK_SECONDS = 5  # of a clip or setting of unknown length
FALLBACK_CREDITS = Decimal(5)  # a model without a known price
PICTURES_UNASKED = {"n": 4}  # how many pictures a model makes without that input; others make 1
LAYERS = 3  # how many pictures a layer model makes if it decides itself
TOKENS_PER_CHAR = {"input": Decimal("0.25"), "output": Decimal("1.6")}
SIZES = (("up to 2K", 2048), ("up to 4K", 4096), ("up to 8K", 8192))  # longer side of an upscaled picture, pixels


Spec = dict[str, Any]  # one input in the words of the facts
Sent = dict[str, Any]  # the `input` of a request
Refusal = tuple[int, str]  # code, message


def _complete(spec: Spec) -> Spec:
    """Return an input with the types that its fields omit: text, or a choice if there is a list."""
    fields = [{"type": "enum" if "enum" in field else "string"} | field for field in spec.get("properties", [])]
    return spec | ({"properties": fields} if fields else {})


@dataclass(frozen=True, slots=True)
class Media:
    """One input file of a request: the input's name, its kind and the URL as received."""

    name: str
    kind: str
    url: object


class ModelFacts:
    """One model: what its inputs must be, what a task costs and how many results it gives."""

    def __init__(self, raw: dict[str, Any], lists: Mapping[str, list[Any]], cards: Mapping[str, str]) -> None:
        self.raw = raw
        self.id = raw["id"]
        card = f"{cards.get(raw.get('card', ''), '')} {raw.get('variant', '')}".strip()
        self.title = raw.get("title") or card or self.id
        self.output = raw.get("output", "image")
        self.kind = raw.get("generation_type") or raw.get("type") or ""
        self.inputs = [
            _complete(spec) | ({"enum": lists[spec["list"]]} if "list" in spec else {}) for spec in raw["inputs"]
        ]
        self.rules = raw.get("constraints") or {}
        self.billing = raw.get("billing") or {}
        self.price = [row | {"credits": Decimal(str(row["credits"]))} for row in raw.get("price") or []]

    def given(self, sent: Sent) -> dict[str, Any]:
        """Return {input name: value} of a received `input`, None for those not sent."""
        return {spec["name"]: _at(sent, _path(spec)) for spec in self.inputs}

    def values(self, sent: Sent) -> dict[str, Any]:
        """Return {input name: value} of a received `input`, defaults filled in."""
        given = self.given(sent)
        return {
            spec["name"]: spec.get("default") if given[spec["name"]] is None else given[spec["name"]]
            for spec in self.inputs
        }

    def unknown(self, sent: Sent) -> list[str]:
        """Return the names in a received `input` that the model does not have; KIE ignores them silently."""
        known = {_path(spec).partition(".")[0].strip() for spec in self.inputs}
        known |= {name for spec in self.inputs for name in spec.get("also", {})}
        return sorted(set(sent) - known)

    def media(self, sent: Sent) -> list[Media]:
        """Return the files in a received `input`, including those inside objects."""
        return list(_media(self.inputs, sent))

    def refusal(self, sent: Sent) -> Refusal | None:
        """Return (code, msg) for the first error in a received `input`, or None."""
        values = self.values(sent)
        if wrong := self._rule_broken(self.given(sent), values):
            return wrong
        return next((wrong for spec in self.inputs if (wrong := _input_refusal(spec, sent, values))), None)

    def _rule_broken(self, given: dict[str, Any], values: dict[str, Any]) -> Refusal | None:
        """Return (code, msg) if the inputs break a constraint, or None."""
        needs = [(name, other) for name, other in self.rules.get("needs", {}).items() if _filled(given[name])]
        groups = [rule["any_of"] for rule in self.rules.get("required_when", []) if _holds(rule["when"], values)]
        groups += [self.rules["any_of"]] if "any_of" in self.rules else []
        if any(not any(_all(given, names) for names in group) for group in groups):
            return REQUIRED
        if any(not _filled(given[other]) for _, other in needs):
            return REQUIRED
        excluded = [rule for rule in self.rules.get("excluded", []) if _decidable(rule)]
        return OUT_OF_RANGE if any(_holds(rule, values) for rule in excluded) else None

    def late_failure(self, sent: Sent) -> tuple[str, str] | None:
        """Return (code, msg) if a request is accepted and then fails for its combination of inputs, or None."""
        given = self.given(sent)
        pairs = self.rules.get("not_together", [])
        mixed = any(all(any(_filled(given[name]) for name in group) for group in pair) for pair in pairs)
        return ("500", MIXED_FRAMES) if mixed else None

    def result_count(self, sent: Sent) -> int:
        """Return how many results a task has: as requested; 6 for Grok's pictures and 2 for a song, as seen live."""
        values = self.values(sent)
        if self.id == "grok-imagine/text-to-image":
            return 6
        if self.output == "audio" and self.kind in ("text-to-music", "music-edit"):
            return 2
        if self.billing.get("quantity") == "$output_count":
            return LAYERS
        asked = next((values[name] for name in ("num_images", "max_images", "n") if name in values), 1)
        return min(12, max(1, int(asked or PICTURES_UNASKED.get("n" if "n" in values else "", 1))))

    def credits(self, sent: Sent, seconds: Mapping[Any, float | None], known: dict[str, Any] | None = None) -> Decimal:
        """Return what a task costs.

        `seconds` is {media URL: length in s} of the files that could be measured, `known`
        the $-facts that are known, such as {"$source_resolution": "720p"}.
        """
        bill = _Bill(self, self.values(sent), self.media(sent), seconds, known or {})
        return bill.total().quantize(Decimal("0.01"))


def load(path: str | Path) -> dict[str, ModelFacts]:
    """Return {model id: ModelFacts} of the models that createTask accepts."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    lists = {name: list(choices) for name, choices in data.get("lists", {}).items()}
    cards = {card["id"]: card["title"] for card in data.get("cards", [])}
    models = [ModelFacts(raw, lists, cards) for raw in data["models"] if raw.get("api", "jobs") == "jobs"]
    return {model.id: model for model in models if model.raw.get("status") not in ("delisted", "renamed")}


class _Bill:
    """The price of one request; docs/models.md explains `when`, `$`-keys and `quantity`."""

    def __init__(
        self,
        model: ModelFacts,
        values: dict[str, Any],
        media: list[Media],
        seconds: Mapping[Any, float | None],
        known: dict[str, Any],
    ) -> None:
        self.model, self.values, self.media, self.seconds, self.known = model, values, media, seconds, known

    def total(self) -> Decimal:
        rows = self.model.price
        if not rows:
            return FALLBACK_CREDITS
        if "$meter" in rows[0]["when"]:
            return sum((row["credits"] * self.tokens(row["when"]["$meter"]) for row in rows), Decimal(0)) / 1_000_000
        extras = [row for row in rows if row.get("each") or "$extra" in row["when"]]
        plain = [row for row in rows if row not in extras]
        fitting = next((row for row in plain if self.holds(row["when"])), None)
        base = fitting["credits"] if fitting else max(row["credits"] for row in plain)
        return base * self.quantity() + sum((self.extra(row) for row in extras), Decimal(0))

    def holds(self, when: Mapping[str, Any]) -> bool:
        return _holds(when, {name: self.fact(name, wanted) for name, wanted in when.items()})

    def fact(self, name: str, wanted: Any) -> Any:
        """Return an input's value or a $-fact; an unknown $-fact counts as what is `wanted`."""
        if name.startswith("$"):
            return self.known.get(name, wanted)
        value = self.values.get(name)
        if isinstance(wanted, dict) and "seconds_over" in wanted:
            return max((self.length(item) for item in self.files(name)), default=0)
        return False if value is None and isinstance(wanted, bool) else value

    def extra(self, row: dict[str, Any]) -> Decimal:
        """Return what a row adds for input files beyond the free ones."""
        if "each" in row:
            count, free = sum(len(self.files(name)) for name in row["each"]), row.get("after", 0)
        else:
            count = sum(item.kind == "image" for item in self.media)
            free = 1 if "after the first" in row["when"]["$extra"] else 0
        conditions = {name: wanted for name, wanted in row["when"].items() if name != "$extra"}
        return row["credits"] * max(0, count - free) if self.holds(conditions) else Decimal(0)

    def quantity(self) -> Decimal:
        billing = self.model.billing
        amount = self.expression(str(billing.get("quantity", "1")))
        least = [term for term in billing.get("at_least", ()) if self.given(term)]
        amount = max([amount, *map(self.expression, least)])
        return amount + sum((self.media_seconds(name) for name in billing.get("add_media_seconds", ())), Decimal(0))

    def given(self, expression: str) -> bool:
        return all(_filled(self.values.get(name)) for name in re.findall(r"input:(\w+)", expression))

    def expression(self, text: str) -> Decimal:
        first, *rest = re.split(r"([*/])", text)
        total = self.term(first)
        for operator, word in zip(rest[::2], rest[1::2], strict=True):
            total = total * self.term(word) if operator == "*" else total / self.term(word)
        return total

    def term(self, word: str) -> Decimal:
        kind, _, name = word.partition(":")
        if kind == "input":
            return self.number(name)
        if kind == "media_seconds":
            return self.media_seconds(name) or Decimal(FALLBACK_SECONDS)
        if kind == "media_minutes":
            return (self.media_seconds(name) or Decimal(FALLBACK_SECONDS)) / 60
        if kind == "chars":
            return Decimal(sum(self.chars(part) for part in name.split(","))) / 1000
        if kind == "$output_count":
            return Decimal(LAYERS)
        return Decimal(1) if kind.startswith("$") else Decimal(word)

    def number(self, name: str) -> Decimal:
        value = self.values.get(name)
        instead = self.model.billing.get("instead", {})
        if str(value) in instead:
            return self.expression(instead[str(value)])
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            number = Decimal(0)
        if number > 0:
            return number
        seconds = "duration" in name or "frames" in name
        return Decimal(FALLBACK_SECONDS if seconds else PICTURES_UNASKED.get(name, 1))

    def media_seconds(self, name: str) -> Decimal:
        return Decimal(sum(math.ceil(self.length(item)) for item in self.files(name)))

    def files(self, name: str) -> list[Media]:
        return [item for item in self.media if item.name == name]

    def length(self, item: Media) -> float:
        return self.seconds.get(item.url) or FALLBACK_SECONDS

    def chars(self, name: str) -> int:
        """Return the length of a text input; `dialogue[].text` adds up the texts in a list of objects."""
        outer, _, inner = name.partition("[].")
        value = self.values.get(outer)
        if inner:
            return sum(len(str(row.get(inner, ""))) for row in value or [])
        return len(value or "")

    def tokens(self, meter: str) -> Decimal:
        said = sum(len(text) for value in self.values.values() for text in _texts(value))
        return TOKENS_PER_CHAR["input" if meter.startswith("input") else "output"] * said


def _path(spec: Spec) -> str:
    return spec.get("into") or spec["name"]


def _at(sent: Any, path: str) -> Any:
    """Return the value at a dotted path of a received input; `*` collects it from each object of a list."""
    head, _, rest = path.partition(".")
    if isinstance(sent, list):
        if head == "*":
            return [value for item in sent if (value := _at(item, rest)) is not None] or None
        return _at(sent[int(head)], rest) if head.isdigit() and int(head) < len(sent) else None
    if not isinstance(sent, dict):
        return None
    return _at(sent.get(head), rest) if rest else sent.get(head)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, and those under `text` in a list of objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (str(row["text"]) for row in value if isinstance(row, dict) and "text" in row)


def _filled(value: object) -> bool:
    return value is not None and value != "" and value != []


def _media(specs: Iterable[Spec], sent: Any) -> Iterator[Media]:
    for spec in specs:
        value, kind = _at(sent, _path(spec)), spec["type"].removesuffix("[]")
        if kind in MEDIA and _filled(value):
            for url in value if isinstance(value, list) else [value]:
                yield Media(spec["name"], kind, url)
        elif spec["type"] == "object[]" and isinstance(value, list):
            for row in value:
                yield from _media(spec.get("properties", []), row)


def _all(given: Mapping[str, Any], names: Iterable[str]) -> bool:
    return all(_filled(given[name]) for name in names)


def _input_refusal(spec: Spec, sent: Sent, values: dict[str, Any]) -> Refusal | None:
    idle = not _holds(spec.get("when", {}), values)  # it does not apply with the other values, so it may be missing
    return _refusal(spec | ({"required": False} if idle else {}), _at(sent, _path(spec)))


def _refusal(spec: Spec, value: Any) -> Refusal | None:
    """Return (code, msg) if a received value is missing, of the wrong type or out of bounds, else None."""
    if value is None or value == "" or (value == [] and spec.get("min_items")):
        return REQUIRED if spec.get("required") else None
    if not _right_type(spec, value):
        return 500, f"{spec['name']} is not within the range of allowed options"
    if isinstance(value, str) and spec["type"] == "string":
        if len(value) > (spec.get("max_length") or math.inf):
            return TOO_LONG
        return REQUIRED if len(value) < spec.get("min_length", 0) else None
    if isinstance(value, list):
        return _list_refusal(spec, value)
    if spec["type"] in ("integer", "number"):
        return None if spec.get("min", -math.inf) <= float(value) <= spec.get("max", math.inf) else OUT_OF_RANGE
    return None


def _list_refusal(spec: Spec, items: list[Any]) -> Refusal | None:
    if not spec.get("min_items", 0) <= len(items) <= (spec.get("max_items") or math.inf):
        return OUT_OF_RANGE
    pairs = ((field, row.get(field["name"])) for row in items for field in spec.get("properties", []))
    return next((wrong for field, value in pairs if (wrong := _refusal(field, value))), None)


def _right_type(spec: Spec, value: Any) -> bool:
    """Return whether a value has its JSON type; KIE does not convert "5" to 5 or back."""
    kind, many = spec["type"].removesuffix("[]"), spec["type"].endswith("[]")
    if many:
        single = spec | {"type": kind}
        return isinstance(value, list) and all(_right_type(single, item) for item in value)
    if kind == "enum":
        return any(type(value) is type(choice) and value == choice for choice in spec["enum"])
    if kind in ("integer", "number") and spec.get("send_as") == "string":
        return isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
    types = {"boolean": bool, "object": dict, "json": object}
    return isinstance(value, types.get(kind, str))


def _holds(when: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return all(_fits(wanted, values.get(name)) for name, wanted in when.items())


def _decidable(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule can be checked with the request alone, without a clip's length or an earlier task."""
    tests = [next(iter(wanted)) for wanted in rule.values() if isinstance(wanted, dict)]
    return set(tests) <= {"present", "in", "more_than", "longer_than"}


def _fits(wanted: Any, found: Any) -> bool:
    """Return whether a value meets one entry of `when`: a literal, or a test such as {"present": true}."""
    if not isinstance(wanted, dict):
        if isinstance(wanted, bool) or isinstance(found, bool):
            return wanted is found
        return wanted == found or str(wanted) == str(found)
    ((test, limit),) = wanted.items()
    tests: dict[str, Callable[[], bool]] = {
        "present": lambda: _filled(found) == limit,
        "in": lambda: found in limit,
        "more_than": lambda: (len(found) if isinstance(found, list) else found or 0) > limit,
        "longer_than": lambda: len(found or "") > limit,
        "seconds_over": lambda: found > limit,
    }
    return tests[test]()

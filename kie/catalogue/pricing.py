"""What a task costs in KIE credits, and what the user pays for it.

`credits` is exact if KIE charges by what is ordered. If KIE charges by the output (tokens, layers, megapixels, a length
that it decides itself), it is the most the task can cost: the quote is then shown as "up to" and settled by what KIE
reports. If a fact is missing and no bound is published, there is no price: NoPrice names the fact. All money here is
Decimal or whole minor units, never float.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from kie.catalogue.inputs import MEDIA, Condition, Input, InputError, Values, files_of, holds, present

SIZES = (("up to 2K", 2048), ("up to 4K", 4096), ("up to 8K", 8192))  # longer side of an upscaled picture, pixels
ENLARGED = ("image", "video")
OPERATORS = re.compile(r"([*/])")


class NoPrice(Exception):
    """There is no price; `fact` says what is missing, and is empty if KIE does not sell the combination."""

    def __init__(self, model_id: str, fact: str = "") -> None:
        super().__init__(f"{model_id}: " + (f"unknown {fact}" if fact else "no price for these inputs"))
        self.fact = fact


@dataclass(frozen=True, slots=True)
class Price:
    """One price row: `credits` per unit `per` if `when` holds; with `each`, added for every file in those inputs."""

    when: Condition
    credits: Decimal
    per: str = ""
    each: tuple[str, ...] = ()
    after: int = 0


@dataclass(frozen=True, slots=True)
class Billing:
    """How many units are charged; docs/models.md explains the fields."""

    quantity: str = "1"
    add_media_seconds: tuple[str, ...] = ()
    at_least: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    at_most: Decimal | None = None
    megapixels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    megapixels_of: str = ""
    meter: Mapping[str, Any] = field(default_factory=dict)
    metered: bool | Condition = False


class Priced(Protocol):
    """What prices need to know of a model (`kie/catalogue/model.py`)."""

    @property
    def id(self) -> str: ...

    @property
    def inputs(self) -> tuple[Input, ...]: ...

    @property
    def prices(self) -> tuple[Price, ...]: ...

    @property
    def billing(self) -> Billing: ...

    @property
    def constraints(self) -> Mapping[str, Any]: ...

    def __hash__(self) -> int: ...

    def input(self, name: str) -> Input: ...

    def effective(self, values: Values) -> dict[str, Any]: ...

    def excluded(self, full: Values) -> tuple[str, ...]: ...

    def alternatives(self, full: Values) -> Iterator[list[list[str]]]: ...


class Rate(NamedTuple):
    """Credits for one unit, such as (8, "second")."""

    credits: Decimal
    unit: str


class Option(NamedTuple):
    """A choice, and what the task would cost with it; None while a fact is missing."""

    choice: Any
    credits: Decimal | None


def credits(model: Priced, values: Values) -> Decimal:
    """Return what the task costs at most, in KIE credits; raise NoPrice if that is unknown."""
    full = model.effective(values)
    _refuse_strange(model, full)
    if model.excluded(full):
        raise NoPrice(model.id)
    if model.billing.meter:
        return _metered(model, full)
    return _row(model, full).credits * quantity(model, full) + _extras(model, full)


def rate(model: Priced, values: Values) -> Rate:
    """Return the rate of the row that applies, to show "8 per second" before there is a clip.

    Raise NoPrice if no row applies, or if tokens are counted, which mean nothing to users.
    """
    if model.billing.meter:
        raise NoPrice(model.id)
    row = _row(model, model.effective(values))
    return Rate(row.credits, row.per)


def quantity(model: Priced, values: Values) -> Decimal:
    """Return how many units are charged for `values` (including defaults); raise NoPrice if that is unknown."""
    billing = model.billing
    amount = _evaluate(model, billing.quantity, values)
    others = [term for term in billing.at_least if present(values.get(term.partition(":")[2]))]
    amount = max([amount, *(_evaluate(model, term, values) for term in others)])
    amount += sum(_seconds(model, name, values) for name in billing.add_media_seconds)
    if amount <= 0:
        raise NoPrice(model.id)
    return amount


def price(credits: Decimal, *, usd_rate: Decimal, markup: Decimal, credit_usd: Decimal) -> int:
    """Return the user's price in whole minor units of the balance currency.

    It is cost × markup, rounded up to a whole minor unit, so it is 0 only if credits are 0.
    `usd_rate` is the price of one US dollar in the currency, `credit_usd` of one credit in dollars.
    """
    exact = cost(credits, usd_rate=usd_rate, credit_usd=credit_usd) * markup
    return int(exact.to_integral_value(ROUND_CEILING))


def cost(credits: Decimal, *, usd_rate: Decimal, credit_usd: Decimal) -> Decimal:
    """Return what we pay to KIE, in minor units of the balance currency, unrounded."""
    return credits * credit_usd * usd_rate * 100


def options(model: Priced, values: Values, name: str) -> list[Option]:
    """Return the choices of an input with their credits, without those that do not go with the other values.

    Credits are None while a fact, such as the length of a clip, is not known. Numbers are listed if there are only a few
    (see `steps`); for other inputs the list is empty.
    """
    offered = []
    for choice in steps(model.input(name)):
        try:
            offered.append(Option(choice, credits(model, {**values, name: choice})))
        except NoPrice as missing:
            if missing.fact:
                offered.append(Option(choice, None))
    return offered


def steps(spec: Input) -> list[Any]:
    """Return every value of a choice, a switch, or a whole number with at most 60 values; else an empty list."""
    if spec.kind == "choice":
        return list(spec.enum)
    if spec.kind == "switch":
        return [False, True]
    if spec.type == "integer" and spec.min is not None and spec.max is not None:
        least, most, step = int(spec.min), int(spec.max), int(spec.step or 1)
        return (
            list(range(least, most + 1, step)) if most - least < 60 * step else []
        )  # a seed's range is too long for `len`
    return []


@lru_cache(maxsize=1024)
def cheapest(model: Priced) -> Decimal:
    """Return the lowest price of the model in credits, for "from …" in menus."""
    return min(credits(model, values) for values in combinations(model))


def is_upper_bound(model: Priced, values: Values | None = None) -> bool:
    """Return whether `credits` is only an upper bound, and the true cost is known afterwards.

    Without `values`: whether KIE meters this model at all. With them, also true while a length or size is unknown and
    the published limit is used instead.
    """
    metered = model.billing.metered
    if values is None or metered is True:
        return bool(metered)
    full = model.effective(values)
    unknown = None in _facts(model, full).values() or any(
        not file.get("seconds") for name in _timed(model.billing) for file in files_of(full.get(name))
    )
    return unknown or (isinstance(metered, Mapping) and bool(metered) and holds(metered, full))


@lru_cache(maxsize=1024)
def timed(model: Priced) -> tuple[str, ...]:
    """Return the names of the inputs whose length affects the price, or whether the combination is sold."""
    rules = [row.when for row in model.prices] + list(model.constraints.get("excluded", ()))
    asked = {
        name for rule in rules for name, wanted in rule.items() if isinstance(wanted, dict) and "seconds_over" in wanted
    }
    return tuple(sorted(_timed(model.billing) | asked))


def _timed(billing: Billing) -> set[str]:
    """Return the names of the inputs whose seconds are charged."""
    words = (billing.quantity, *billing.at_least, *billing.instead.values())
    return {name for word in words for name in re.findall(r"media_seconds:(\w+)", word)} | set(
        billing.add_media_seconds
    )


def combinations(model: Priced) -> Iterator[dict[str, Any]]:
    """Yield the values of every combination of the inputs that affect the price.

    Inputs without a finite number of values (texts, clips) are represented by their smallest and largest sizes.
    Combinations that the model refuses are left out.
    """
    drivers = [spec for spec in model.inputs if spec.drives_price and spec.shown != "hidden"]
    names = {spec.name for spec in drivers}
    ranges = [_samples(model, spec) for spec in drivers]
    for picked in itertools.product(*ranges):
        values = {spec.name: value for spec, value in zip(drivers, picked, strict=True) if value is not None}
        full = model.effective(values)
        # If all alternatives affect the price, one must be given; otherwise one that does not can be.
        lacking = any(
            all(set(group) <= names for group in rule) and not any(set(group) <= set(values) for group in rule)
            for rule in model.alternatives(full)
        )
        if not lacking and not model.excluded(full):
            yield values


def _samples(model: Priced, spec: Input) -> list[Any]:
    """Return the values of one input for `combinations`; None stands for "not given"."""
    if spec.kind in MEDIA:
        samples = _media_samples(spec)
    elif spec.kind == "task":
        known = [row.when["$source_resolution"] for row in model.prices if "$source_resolution" in row.when]
        samples = [_earlier(spec, resolution) for resolution in [*dict.fromkeys(known), None]]
    elif spec.kind == "text":
        samples = [
            "x" * length
            for length in sorted({max(spec.min_length, 1), 1000, 1001, spec.max_length or 5000})
            if length <= (spec.max_length or length)
        ]
    else:
        samples = steps(spec)
    return samples if spec.required or present(spec.default) else [None, *samples]


def _media_samples(spec: Input) -> list[Any]:
    file = {"file_id": "sample", "kind": spec.kind, "width": 1000, "height": 1000}
    counts = sorted({max(spec.min_items, 1), spec.max_items or 1}) if spec.many else [1]
    lengths = sorted({spec.min_seconds or 1, spec.max_seconds or 15})
    if spec.total_seconds:
        lengths = [length for length in lengths if length * max(counts) <= spec.total_seconds] or lengths[:1]
        counts = [count for count in counts if lengths[0] * count <= spec.total_seconds]
    clips = [{**file, "seconds": length} for length in lengths] if spec.kind != "image" else [file]
    return [[clip] * count if spec.many else clip for clip in clips for count in counts]


def _earlier(spec: Input, resolution: str | None) -> dict[str, Any]:
    facts = dict.fromkeys((spec.take, *spec.also.values()), "sample")
    return {"model": spec.sources[0], "task_id": "sample", **facts, "resolution": resolution}


def _refuse_strange(model: Priced, values: Values) -> None:
    """Raise NoPrice for a value that the model does not accept, as a wrong value must not get a price."""
    for spec in model.inputs:
        if spec.drives_price and spec.kind in ("choice", "switch", "number") and values.get(spec.name) is not None:
            try:
                spec.parse(values[spec.name])
            except InputError as wrong:
                raise NoPrice(model.id) from wrong


def _row(model: Priced, values: Values) -> Price:
    """Return the first row that applies; if a $-fact is unknown, the most expensive row that may apply."""
    facts = _facts(model, values)
    unknown = {name for name, value in facts.items() if value is None}
    fitting = []
    for row in model.prices:
        known = {name: wanted for name, wanted in row.when.items() if name not in unknown}
        if not row.each and holds(known, {**values, **facts}):
            fitting.append(row)
    if not fitting:
        raise NoPrice(model.id)
    return max(fitting, key=lambda row: row.credits) if unknown else fitting[0]


def _facts(model: Priced, values: Values) -> dict[str, str | None]:
    """Return the $-facts that the rows refer to: {name: value, or None if unknown}."""
    wanted = {name for row in model.prices for name in row.when if name.startswith("$")}
    return {name: FACTS[name](model, values) for name in wanted}


def _source_resolution(model: Priced, values: Values) -> str | None:
    chosen: list[Any] = [values.get(spec.name) for spec in model.inputs if spec.kind == "task"]
    return next((result.get("resolution") for result in chosen if present(result)), None)


def _output_size(model: Priced, values: Values) -> str | None:
    """Return the size class of an upscaled picture, from its longer side times the factor."""
    size = enlarged(model, values)
    return size and next((name for name, limit in SIZES if max(size) <= limit), "above 8K")


def enlarged(model: Priced, values: Values) -> tuple[int, int] | None:
    """Return (width, height) in pixels of what a picture or a clip is enlarged to, or None if that is not known."""
    files = [file for spec in model.inputs if spec.kind in ENLARGED for file in files_of(values.get(spec.name))]
    if "upscale_factor" not in values or not files or not (files[0].get("width") and files[0].get("height")):
        return None
    factor = int(values["upscale_factor"])
    return files[0]["width"] * factor, files[0]["height"] * factor


FACTS = {"$source_resolution": _source_resolution, "$output_size": _output_size}


def _evaluate(model: Priced, expression: str, values: Values) -> Decimal:
    """Return the value of an expression of words, * and /, such as input:num_frames/input:frames_per_second."""
    first, *rest = OPERATORS.split(expression)
    total = _word(model, first, values)
    for operator, word in zip(rest[::2], rest[1::2], strict=True):
        other = _word(model, word, values)
        total = total * other if operator == "*" else (total / other).quantize(Decimal("0.000001"), ROUND_UP)
    return total


def _word(model: Priced, word: str, values: Values) -> Decimal:
    kind, _, name = word.partition(":")
    if kind == "input":
        return _from_input(model, name, values)
    if kind == "media_seconds":
        if not present(values.get(name)):
            raise NoPrice(model.id, name)
        return _seconds(model, name, values)
    if kind == "chars":  # KIE does not say how it rounds: started thousands are an upper bound
        names = name.split(",")
        count = sum(len(values.get(text) or "") for text in names)
        if not count:
            raise NoPrice(model.id, names[0])
        return (Decimal(count) / 1000).to_integral_value(ROUND_CEILING)
    if kind == "$output_count" and model.billing.at_most is not None:
        return model.billing.at_most
    if kind == "$output_megapixels":
        return _megapixels(model, values)
    return Decimal(word)


def _from_input(model: Priced, name: str, values: Values) -> Decimal:
    value = values.get(name)
    if str(value) in model.billing.instead:
        return _evaluate(model, model.billing.instead[str(value)], values)
    if value is None:
        raise NoPrice(model.id, name)
    return Decimal(str(value))


def _seconds(model: Priced, name: str, values: Values) -> Decimal:
    """Return the seconds of all files of an input, each rounded up; the published limit if one is unknown."""
    spec, files = model.input(name), files_of(values.get(name))
    if any(not file.get("seconds") for file in files):
        limit = spec.total_seconds or (spec.max_seconds and spec.max_seconds * len(files))
        if not limit:
            raise NoPrice(model.id, f"{name}.seconds")
        return Decimal(str(limit))
    return sum((Decimal(str(file["seconds"])).to_integral_value(ROUND_CEILING) for file in files), Decimal(0))


def _megapixels(model: Priced, values: Values) -> Decimal:
    """Return the started megapixels of a picture, at least 1, as KIE does not publish how it rounds."""
    billing = model.billing
    for name, sizes in billing.megapixels.items():
        return Decimal(sizes[values[name]])
    files = files_of(values.get(billing.megapixels_of))
    if not files or not (files[0].get("width") and files[0].get("height")):
        raise NoPrice(model.id, f"{billing.megapixels_of}.width")
    area = Decimal(files[0]["width"] * files[0]["height"]) / 1_000_000
    return max(Decimal(1), area.to_integral_value(ROUND_CEILING))


def _extras(model: Priced, values: Values) -> Decimal:
    """Return the credits added for input files, of rows with `each`; the first `after` files are free."""
    total = Decimal(0)
    for row in model.prices:
        if row.each and holds(row.when, values):
            count = sum(len(files_of(values.get(name))) for name in row.each)
            total += row.credits * max(0, count - row.after)
    return total


def _metered(model: Priced, values: Values) -> Decimal:
    """Return the most that a task billed by tokens can cost, derived from the length of its texts."""
    total = Decimal(0)
    for row in model.prices:
        bound = model.billing.meter[row.when["$meter"]]
        count = sum(len(values.get(name) or "") for name in bound["of"])
        if not count:
            raise NoPrice(model.id, bound["of"][0])
        tokens = min(Decimal(bound["fixed"]) + Decimal(bound["per_char"]) * count, Decimal(bound["at_most"]))
        total += row.credits * tokens / 1_000_000
    return total

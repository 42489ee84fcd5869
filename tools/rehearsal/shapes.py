"""Shapes of answers: what a field must be, what an answer lacks or has otherwise, and a record of it without any content.

A wanted shape is a type (`str`, `int`, `float` for any number, `bool`, `dict`, `list`), a literal, a dict of wanted
fields (others may be there too), a list of shapes, or one of the classes below. A recorded shape has type words in place of values; a
field that is missing in some of a list's items ends with a question mark.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kie.api.recording import ADDRESS, shortened

GONE = "–"  # how a missing field is shown
MOST_NAMES = 8  # names of fields that are shown for an object that came, or beside a missing field
WORDS = {str: "string", int: "integer", float: "number", bool: "true/false", dict: "object", list: "array"}
INSIDE = ("resultJson", "param", "paramJson")  # fields that hold JSON as text
DEEPEST = 9
LONGEST = 160  # characters of a value that is shown
CUT = ("openapi", "properties")  # objects whose names of fields are content


@dataclass(frozen=True, slots=True)
class Text:
    """A text in which a regular expression is found."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Maybe:
    """A field that may be missing or null."""

    shape: Any


@dataclass(frozen=True, slots=True)
class Many:
    """A list of at least `least` items, each of this shape."""

    shape: Any
    least: int = 0
    most: int | None = None


class OneOf(tuple):
    """One of these shapes: `OneOf(("success", "fail"))`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Same:
    """The very value that is known from elsewhere, and which is nobody else's business."""

    value: Any


class Absent:
    """A field that must not be there."""


def differences(wanted: Any, came: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (path, what was expected, what came) for each difference."""
    if isinstance(wanted, Maybe):
        if came is not None and came is not Absent:
            yield from differences(wanted.shape, came, path)
    elif isinstance(wanted, OneOf):
        if not any(not list(differences(one, came)) for one in wanted):
            yield path, described(wanted), shown(came, wanted)
    elif isinstance(wanted, dict) and isinstance(came, dict):
        for name, one in wanted.items():
            beside = "" if name in came else names(field for field in came if field not in wanted)
            for place, expected, found in differences(one, came.get(name, Absent), f"{path}.{name}" if path else name):
                yield place, expected, found + beside
    elif isinstance(wanted, Many) and isinstance(came, list) and _is_count(wanted, len(came)):
        for place, item in enumerate(came):
            yield from differences(wanted.shape, item, f"{path}[{place}]")
    elif isinstance(wanted, list) and isinstance(came, list) and len(wanted) == len(came):
        for place, (one, item) in enumerate(zip(wanted, came, strict=True)):
            yield from differences(one, item, f"{path}[{place}]")
    elif not _fits(wanted, came):
        yield path, described(wanted), shown(came, wanted)


def _is_count(wanted: Many, count: int) -> bool:
    return wanted.least <= count <= (count if wanted.most is None else wanted.most)


def _fits(wanted: Any, came: Any) -> bool:
    if came is Absent or wanted is Absent:
        return came is wanted
    if isinstance(wanted, Text):
        return isinstance(came, str) and re.search(wanted.pattern, came) is not None
    if isinstance(wanted, Between):
        return _is_number(came) and wanted.low <= came <= wanted.high
    if isinstance(wanted, Same):
        return type(came) is type(wanted.value) and came == wanted.value
    if isinstance(wanted, (dict, list, Many)):
        return False
    if wanted is float:
        return _is_number(came)
    if isinstance(wanted, type):
        return type(came) is wanted
    return type(came) is type(wanted) and came == wanted


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def described(wanted: Any) -> str:
    """Return a wanted shape in few words."""
    if wanted is Absent:
        return GONE
    if isinstance(wanted, Text):
        return f"string ~ {wanted.pattern}"
    if isinstance(wanted, Between):
        return "…".join(
            f"{end:.0f}" if end == int(end) or abs(end) > 1000 else f"{end:g}" for end in (wanted.low, wanted.high)
        )
    if isinstance(wanted, Same):
        return f"= ({kind(wanted.value)})"
    if isinstance(wanted, OneOf):
        return " | ".join(map(described, wanted))
    if isinstance(wanted, Maybe):
        return f"{described(wanted.shape)} | null"
    if isinstance(wanted, Many):
        return f"array of {wanted.least}…{'' if wanted.most is None else wanted.most}"
    if isinstance(wanted, list):
        return f"array of {len(wanted)}"
    if isinstance(wanted, dict):
        return "object"
    return WORDS[wanted] if isinstance(wanted, type) else json.dumps(wanted, ensure_ascii=False)


def shown(came: Any, wanted: Any) -> str:
    """Return what came: its value where a certain one was expected, else only what kind of value it is."""
    if came is Absent:
        return GONE
    if isinstance(came, list):
        return f"array of {len(came)}"
    if isinstance(wanted, Same):
        return f"≠ ({kind(came)})" if type(came) is type(wanted.value) else kind(came)
    if isinstance(came, dict):
        return kind(came) + names(came)
    is_named = isinstance(wanted, (Text, Between, OneOf)) or not isinstance(wanted, (type, dict, list, Many))
    if is_named and isinstance(came, (str, int, float, bool)):
        return json.dumps(shortened(came)[:LONGEST] if isinstance(came, str) else came, ensure_ascii=False)
    return kind(came)


def names(fields: Iterable[object]) -> str:
    """Return the names of fields, which tell what a field is called now: ` {id, recordId}`; nothing if there are none."""
    found = [str(field)[:LONGEST] for field in fields]
    return f" {{{', '.join([*found[:MOST_NAMES], *['…'][: len(found) > MOST_NAMES]])}}}" if found else ""


def kind(value: Any) -> str:
    """Return the word for a value's type."""
    return "null" if value is None else WORDS.get(type(value), type(value).__name__)


def recorded(value: Any, depth: int = 0) -> Any:
    """Return the shape of an answer, without any of its content."""
    if isinstance(value, dict):
        if depth > DEEPEST:
            return "object"
        return {str(name): _field(str(name), one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [merged([recorded(one, depth + 1) for one in value])] if value else []
    if isinstance(value, str) and ADDRESS.fullmatch(value):
        return "address"
    return kind(value)


def _field(name: str, value: Any, depth: int) -> Any:
    if name in CUT and isinstance(value, dict):
        return "object"
    if name in INSIDE and isinstance(value, str) and value:
        try:
            inside = json.loads(value)
        except ValueError:
            return "string"
        return {"json": recorded(inside, depth)} if name == INSIDE[0] else {"json": "object"}
    return recorded(value, depth)


def merged(shapes: list[Any]) -> Any:
    """Return one recorded shape for several: of objects the fields of all, of others every type, `null|string`."""
    objects = [one for one in shapes if isinstance(one, dict)]
    others = {word for one in shapes if isinstance(one, str) for word in one.split("|")}
    lists = [one for one in shapes if isinstance(one, list)]
    if objects and len(objects) == len(shapes):
        names = dict.fromkeys(name for one in objects for name in one)
        return {_optional(name, objects): merged([one[name] for one in objects if name in one]) for name in names}
    if lists and len(lists) == len(shapes):
        items = [one[0] for one in lists if one]
        return [merged(items)] if items else []
    if objects or lists:
        found = [merged(objects)] * bool(objects) + [merged(lists)] * bool(lists) + sorted(others)
        return {"or": found}
    return "|".join(sorted(others))


def _optional(name: str, objects: list[dict[str, Any]]) -> str:
    return name if all(name in one for one in objects) else f"{name.removesuffix('?')}?"

"""Published facts about KIE's models, and answers that fill in any form, for the catalogue's tests.

Nothing here reads data/models.json: what a request must look like and cost is worked out from the published schema and
price rows alone, so that a mistake in our own file shows up.
"""

import json
import math
from decimal import Decimal
from pathlib import Path

from kie.catalogue.inputs import InputError

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = json.loads((ROOT / "tests/data/kie-models.json").read_text(encoding="utf-8"))
FACTS = {model["id"]: model for model in PUBLISHED["models"]}
SECONDS = 7
TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
MEDIA = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg"}


def url_of(file):
    """Return a URL that carries what the price needs to know about the file."""
    return f"https://files.test/{file['kind']}/{file['seconds']}/{file['width']}"


def sample(spec):
    """Return a valid answer for an input of our form."""
    if spec.kind == "text":
        return [1, 2] if spec.type == "integer[]" else ("a red kite " * 500)[: max(spec.min_length, 12)].strip()
    if spec.kind == "choice":
        return spec.enum[-1]
    if spec.kind == "switch":
        return not spec.default
    if spec.kind == "number":
        least = spec.min if spec.min is not None else 1
        return least if spec.type == "integer" else float(least)
    if spec.kind == "task":
        facts = {"audio_id": "a1", "persona_id": "p1", "index": 0, "resolution": "480p"}
        return {"job": 1, "model": spec.sources[0], "task_id": "t1", **facts}
    file = media(spec.kind)
    return [file] * max(spec.min_items, 1) if spec.many else file


def media(sort, seconds=SECONDS, **facts):
    """Return a file as a form holds it, small enough for every model."""
    found = {
        "file_id": "f",
        "unique_id": "u",
        "kind": sort,
        "mime": MEDIA[sort],
        "size": 1000,
        "name": None,
        "seconds": None if sort == "image" else seconds,
        "width": 1000,
        "height": 800,
    }
    return found | facts


def complete(model, values=None):
    """Return `values` with an answer for every input still missing."""
    values = dict(values or {})
    while names := model.missing(values):
        values |= {name: sample(model.input(name)) for name in names}
    return values


def full(model):
    """Return answers for every input that can be answered together."""
    values = complete(model)
    for spec in model.inputs:
        if spec.shown == "hidden" or spec.name in values:
            continue
        trial = {**values, spec.name: sample(spec)}
        if model.applies(spec.name, values) and not model.missing(trial):
            try:
                values = model.check(trial)
            except InputError:
                continue  # it excludes another answer; that answer stays
    return values


def problems(facts, sent):
    """Return what KIE would object to, or silently ignore, in the `input` of a request."""
    specs, found = {spec["name"]: spec for spec in facts["inputs"]}, []
    found += [f"{name}: not in the schema" for name in sent if name not in specs]
    found += [f"{name}: required" for name, spec in specs.items() if spec.get("required") and name not in sent]
    for name, value in sent.items():
        found += [f"{name}: {problem}" for problem in _value_problems(specs[name], value)] if name in specs else []
    constraints = facts.get("constraints", {})
    if groups := constraints.get("any_of"):
        found += [] if any(set(group) <= set(sent) for group in groups) else [f"none of {groups}"]
    for one, other in constraints.get("not_together", ()):
        found += [f"{one} with {other}"] if set(one) & set(sent) and set(other) & set(sent) else []
    found += [
        f"{name} without {needed}"
        for name, needed in constraints.get("needs", {}).items()
        if name in sent and needed not in sent
    ]
    return found


def _value_problems(spec, value):
    kind = spec["type"]
    if kind == "object[]":
        return _object_problems(spec, value)
    if kind == "enum":
        return (
            [] if any(value == one and type(value) is type(one) for one in spec["enum"]) else [f"{value!r} not in enum"]
        )
    if kind.endswith("[]"):
        return _list_problems(spec, value)
    if kind in MEDIA:
        return (
            [] if isinstance(value, str) and value.startswith(f"https://files.test/{kind}/") else [f"{value!r}: a URL"]
        )
    if spec.get("send_as") == "string":
        return [] if isinstance(value, str) else [f"{value!r} is sent as text"]
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{value!r} is not {kind}"]
    if kind == "string":
        return [] if spec.get("min_length", 0) <= len(value) <= spec.get("max_length", 10**9) else ["length"]
    if kind in ("integer", "number"):
        return [] if spec.get("min", -math.inf) <= value <= spec.get("max", math.inf) else [f"{value!r} out of range"]
    return []


def _object_problems(spec, rows):
    found = [] if isinstance(rows, list) else [f"{rows!r} is not a list"]
    names = {part["name"]: part for part in spec["properties"]}
    for row in rows:
        found += [f".{name}: not in the schema" for name in row if name not in names]
        found += [f".{name}: required" for name, part in names.items() if part.get("required") and name not in row]
        found += [
            f".{name}: {row[name]!r} not in enum"
            for name, part in names.items()
            if name in row and "enum" in part and row[name] not in part["enum"]
        ]
    return found


def _list_problems(spec, value):
    if not isinstance(value, list):
        return [f"{value!r} is not a list"]
    found = [] if spec.get("min_items", 0) <= len(value) <= spec.get("max_items", 10**9) else ["number of items"]
    kind = spec["type"][:-2]
    start = f"https://files.test/{kind}/"
    fits = (
        (lambda item: isinstance(item, str) and item.startswith(start))
        if kind in MEDIA
        else (lambda item: isinstance(item, TYPES[kind]))
    )
    return found + [f"{item!r} is not {kind}" for item in value if not fits(item)]


def seconds_in(value):
    """Return the seconds of the URLs made by `url_of`."""
    urls = value if isinstance(value, list) else [value] if value else []
    return sum(Decimal(url["url"].split("/")[4] if isinstance(url, dict) else url.split("/")[4]) for url in urls)


def expected_credits(facts, sent, given):
    """Return the credits of a request by the published rows: what KIE says it takes for `sent`.

    `given` holds $-facts: source_resolution, output_size, and the counts of what is known only afterwards.
    """
    row = next(row for row in facts["price"] if "$extra" not in row["when"] and _row_fits(row["when"], sent, given))
    total = Decimal(row["credits"]) * _published_quantity(facts, sent, given)
    for extra in (row for row in facts["price"] if "$extra" in row["when"]):
        pictures = sum(
            len(sent[spec["name"]]) if isinstance(sent[spec["name"]], list) else 1
            for spec in facts["inputs"]
            if spec["type"] in ("image", "image[]") and spec["name"] in sent
        )
        total += Decimal(extra["credits"]) * (pictures - (1 if "after the first" in extra["when"]["$extra"] else 0))
    return total


def _row_fits(when, sent, given):
    for name, wanted in when.items():
        if name.startswith("$"):
            fits = given.get(name) == wanted
        elif isinstance(wanted, dict):
            fits = (name in sent) == wanted["present"]
        else:
            fits = str(sent.get(name)) == str(wanted)
        if not fits:
            return False
    return True


def _published_quantity(facts, sent, given):
    amount = Decimal(1)
    for word in facts["billing"]["quantity"].split("*"):
        amount *= _published_word(word, sent, given)
    return amount + sum(seconds_in(sent.get(name)) for name in facts["billing"].get("add_media_seconds", ()))


def _published_word(word, sent, given):
    kind, _, name = word.partition(":")
    if kind == "input" and "/" in name:
        frames, rate = (part.removeprefix("input:") for part in word.split("/"))
        return Decimal(sent[frames]) / Decimal(sent[rate])
    if kind == "input":
        return given["durations"].get(sent[name], Decimal(str(sent[name])))
    if kind == "media_seconds":
        return seconds_in(sent[name])
    if kind == "chars":
        texts = [line["text"] for line in sent["dialogue"]] if name == "dialogue[].text" else [sent[name]]
        return Decimal(sum(map(len, texts))) / 1000
    return Decimal(1) if word == "1" else given[word]

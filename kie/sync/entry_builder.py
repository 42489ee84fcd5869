"""Entries for models that KIE offers and data/models.json lacks, built from their schema and price row.

Only simple prices are supported: one row of the feed, for a run, a picture, or a second if the form has the seconds.
Everything else is NotPriceable or NotAskable and needs an entry written by hand (docs/models.md).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kie.catalogue.model import CODE, TYPES
from kie.sync.discovery import Offer, Row, Rows

DEADLINES = {"video": (180, 3600), "image": (40, 900), "audio": (60, 1800), "text": (30, 900)}
OUTPUTS = (
    ("video", "video"),
    ("lip", "video"),
    ("image", "image"),
    ("music", "audio"),
    ("speech", "audio"),
    ("audio", "audio"),
)
KNOWN_KINDS = {
    "image-editing": "image-edit",
    "video-editing": "video-edit",
    "speech-to-video": "lip-sync",
    "audio-to-audio": "music-edit",
}
MEDIA = re.compile(r"(image|photo|picture|frame|mask|video|clip|audio|voice|sound)s?(_|$)")
MEDIA_KINDS = {
    "photo": "image",
    "picture": "image",
    "frame": "image",
    "mask": "image",
    "clip": "video",
    "voice": "audio",
    "sound": "audio",
}
FILTERS = ("nsfw_checker", "enable_safety_checker")
MAIN = ("prompt", "text")
BOUNDS = {"minimum": "min", "maximum": "max", "maxLength": "max_length", "minLength": "min_length"}


class NotAskable(ValueError):
    """The form requires something that the chat cannot ask for; the text names it."""


class NotPriceable(ValueError):
    """The price cannot be derived from the rows of the feed."""


def entry(offer: Offer, rows: Rows, data: dict[str, Any], as_of: str) -> dict[str, Any]:
    """Return the entry for an Offer, on a card named after its code; raise NotAskable or NotPriceable.

    `rows` is the price feed, `data` the parsed catalogue, whose labels are reused for inputs of the same name.
    """
    labels = _labels(data)
    schemas = offer.inputs or {}
    inputs = [spec for name, schema in schemas.items() if (spec := _input(name, schema, offer, labels))]
    left_out = sorted(set(schemas) - {spec["name"] for spec in inputs})
    kind = _kind(offer)
    output = next(output for word, output in OUTPUTS if word in kind.rpartition("-to-")[2] or word in kind)
    usual_s, deadline_s = DEADLINES[output]
    price, billing = _price(offer, inputs, rows)
    code = _code(offer.id)
    return {
        "id": offer.id,
        "code": code,
        "card": code,
        "type": kind,
        "output": output,
        "usual_s": usual_s,
        "deadline_s": deadline_s,
        "inputs": inputs,
        "price": price,
        "billing": billing,
        "left_out": left_out,
        "source": f"https://kie.ai/market?model={offer.id}",
        "as_of": as_of,
    }


def _labels(data: dict[str, Any]) -> dict[str, str]:
    """Return {input name: its most common label}."""
    seen: dict[str, Counter[str]] = {}
    for raw in data["models"]:
        for spec in raw["inputs"]:
            seen.setdefault(spec["name"], Counter())[spec.get("label", spec["name"])] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in seen.items()}


def _kind(offer: Offer) -> str:
    words = [re.sub(r"[^a-z]+", "-", str(kind).lower()).strip("-") for kind in offer.kinds]
    kinds = [kind for word in words if (kind := KNOWN_KINDS.get(word, word)) in TYPES]
    if not kinds:
        raise NotAskable(", ".join(map(str, offer.kinds)) or "its kind")
    return kinds[0]


def _code(model_id: str) -> str:
    """Return a button code: the id itself, or its beginning with a digest if it is too long."""
    plain = re.sub(r"[^a-z0-9]+", "-", model_id.lower()).strip("-")
    return plain if CODE.fullmatch(plain) else plain[:10] + "-" + hashlib.sha256(model_id.encode()).hexdigest()[:5]


def _input(name: str, schema: dict[str, Any], offer: Offer, labels: Mapping[str, str]) -> dict[str, Any] | None:
    """Return one input of the form, or None for an optional one that the chat cannot ask for."""
    required = name in offer.required
    if name in FILTERS:
        return {"name": name, "type": "boolean", "shown": "hidden", "send": True}
    kind = _type(name, schema)
    if kind is None:
        if required:
            raise NotAskable(name)
        return None
    spec: dict[str, Any] = {"name": name, "type": kind} | ({"required": True} if required else {})
    if labels.get(name, name) != name:
        spec["label"] = labels[name]
    items = schema.get("items", schema) if kind.endswith("[]") else schema
    spec |= {
        ours: items[theirs] for theirs, ours in BOUNDS.items() if theirs in items and kind not in ("enum", "boolean")
    }
    spec |= {"enum": schema["enum"]} if kind == "enum" else {}
    spec |= {"max_items": schema["maxItems"]} if kind.endswith("[]") and "maxItems" in schema else {}
    if schema.get("default") not in (None, "") and kind in ("enum", "boolean", "integer", "number"):
        spec["default"] = schema["default"]
    elif kind == "enum" and required:
        spec["default"] = schema["enum"][0]
    return spec | ({"shown": "main"} if required or name in MAIN else {})


def _type(name: str, schema: dict[str, Any]) -> str | None:
    """Return our type for a JSON schema, or None if we have none."""
    kind, many = schema.get("type", "string"), schema.get("type") == "array"
    single = schema.get("items", {}).get("type", "string") if many else kind
    media = MEDIA.match(name.replace("input_urls", "image_urls")) or re.search(r"(image|video|audio)_urls?$", name)
    if single == "string" and media and re.search(r"urls?$|s$|_input$", name):
        word = MEDIA_KINDS.get(media[1], media[1])
        return word + "[]" * many
    if many:
        return None
    if "enum" in schema:
        return "enum"
    return kind if kind in ("string", "boolean", "integer", "number") else None


def _price(offer: Offer, inputs: list[dict[str, Any]], rows: Rows) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the price rows and the billing: one row of the feed, and the quantity it is multiplied by."""
    slugs = (offer.id, offer.id.replace("/", "-"))
    mine = [(name, row) for name, row in rows.items() if row is not None and row.slug in slugs]
    if len(mine) != 1:
        raise NotPriceable(f"{len(mine)} price rows")
    ((feed, row),) = mine
    if not Decimal(row.credits):
        raise NotPriceable("0")
    names = {spec["name"]: spec for spec in inputs}
    per = row.unit.lower().removeprefix("per ").strip() or "task"
    counted = [name for name in ("n", "num_images", "max_images") if name in names]
    if counted or (per.startswith("second") and "duration" not in names):
        raise NotPriceable(f"{per}, {', '.join(counted)}")
    if per.startswith("second"):
        names["duration"].setdefault("default", names["duration"].get("enum", [names["duration"].get("min", 5)])[0])
        return [_row(feed, row, "second")], {"quantity": "input:duration"}
    if per not in ("image", "video", "task", "run", "request"):
        raise NotPriceable(per)
    return [_row(feed, row, "image" if per == "image" else "task")], {"quantity": "1"}


def _row(feed: str, row: Row, per: str) -> dict[str, Any]:
    return {"when": {}, "credits": row.credits, "per": per, "feed": feed}

"""The differences between KIE's offer and our catalogue: new models, gone ones, changed inputs, changed prices.

`compare` returns Changes. Each has a description as plain data, and `change`: the field and value of the override
(kie/catalogue/overrides.py) that would follow it, None if it cannot be followed from the chat. What looks like a mistake
of KIE's (a price that falls by more than half, a list that loses more than a fifth) is `alone`: it is never followed
together with others.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from kie.sync import entry_builder
from kie.sync.discovery import Listing, Offer, Rows

KINDS = ("gone", "new", "seen", "inputs", "price")
LEAST_LISTED = 0.5  # of what we sell; a shorter list is a mistake of KIE's
FALL = 2  # a price that is divided by more than this is `alone`
LOSS = 5  # so is a list that has lost more than one item in this many
SHOWN, TOLD = 300, 30  # characters of a list of choices, lines of one difference
BOUNDS = {"max": ("maximum", 1), "max_length": ("maxLength", 1), "max_items": ("maxItems", 1), "min": ("minimum", -1)}


class StrangeList(Exception):
    """KIE's list lacks so many of our models that nothing can be concluded from it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `lines` are [text key, values] pairs for people, `change` is [field, value] or None.

    If it is `alone`, it needs a decision of its own.
    """

    model: str
    kind: str
    lines: list[list[Any]]
    change: list[Any] | None
    alone: bool = False

    @property
    def about(self) -> dict[str, Any]:
        lines = self.lines[:TOLD] + ([["more", {"n": len(self.lines) - TOLD}]] if len(self.lines) > TOLD else [])
        return {"lines": lines, "change": self.change, "alone": self.alone}


def compare(data: dict[str, Any], listing: Listing, as_of: str, off: Collection[str] = frozenset()) -> list[Change]:
    """Return the Changes between the parsed catalogue (with its overrides) and KIE's offer of the day `as_of`.

    A model whose entry cannot be compared is noted in `listing.skipped`. Models that are `off` sale are not missed. Raise
    StrangeList if too many are missing at once.
    """
    ours = {raw["id"]: raw for raw in data["models"]}
    public = {name for name, raw in ours.items() if not raw.get("unlisted")}.difference(off)
    gone = sorted(public - listing.listed)
    if len(gone) > len(public) * (1 - LEAST_LISTED):
        raise StrangeList(f"KIE lists {len(public) - len(gone)} of the {len(public)} models we sell")
    changes = [Change(name, "gone", [["gone", {}]], ["off", True]) for name in gone]
    back = sorted(name for name, raw in ours.items() if raw.get("unlisted") and name in listing.listed)
    changes += [Change(name, "seen", [["seen", {"day": ours[name]["unlisted"]}]], ["off", False]) for name in back]
    known = set(ours) | set(data.get("left_out", ()))
    for name, offer in sorted(listing.offers.items()):
        if name not in known and offer.inputs is not None:
            changes += _tried(listing, name, _new_models, offer, data, listing.rows, as_of)
    for name, raw in ours.items():
        if name in listing.offers and listing.offers[name].inputs is not None:
            changes += _tried(listing, name, _inputs, raw, listing.offers[name])
        if listing.rows and name not in gone:
            changes += _tried(listing, name, _prices, raw, listing)
    ending = [change for change in changes if change.change == ["off", True]]
    many = _is_loss(len(ending), len(public))
    return [replace(change, alone=True) if many and change in ending else change for change in changes]


def _tried(listing: Listing, name: str, work: Callable[..., list[Change]], *args: Any) -> list[Change]:
    """Return the Changes of `work(*args)`, or none if what KIE says about this model makes no sense."""
    try:
        return work(*args)
    except Exception as error:  # one entry must not end the comparison of the others
        listing.skipped.note(name, error)
        return []


def _is_loss(gone: int, total: int) -> bool:
    """Return whether so much of a list is gone that it looks like a mistake."""
    return gone * LOSS > total


def _new_models(offer: Offer, data: dict[str, Any], rows: Rows, as_of: str) -> list[Change]:
    """Return a new model as one Change, with its entry if one can be made; an admin chooses its card."""
    words = {
        "title": offer.title,
        "provider": offer.provider,
        "kinds": ", ".join(offer.kinds)[:SHOWN],
        "about": offer.about[:200],
    }
    try:
        entry = entry_builder.entry(offer, rows, data, as_of)
    except entry_builder.NotAskable as error:
        return [Change(offer.id, "new", [["new", words], ["not_askable", {"what": str(error)[:SHOWN]}]], None)]
    except entry_builder.NotPriceable as error:
        return [Change(offer.id, "new", [["new", words], ["not_priceable", {"what": str(error)[:SHOWN]}]], None)]
    price = {"credits": entry["price"][0]["credits"], "per": entry["price"][0]["per"]}
    change = ["entry", {"model": entry, "card": None}]
    return [Change(offer.id, "new", [["new", words], ["new_price", price]], change)]


# inputs


def _inputs(raw: dict[str, Any], offer: Offer) -> list[Change]:
    """Return the changes of a form as one Change or none: KIE must accept what we send, and get what it requires."""
    lines, drop, changed, alone = list[list[Any]](), list[str](), dict[str, Any](), False
    offered = offer.inputs or {}
    for spec in raw["inputs"]:
        name = (spec.get("into") or spec["name"]).partition(".")[0]
        theirs = offered.get(name)
        if theirs is None:
            lines += [] if ["input_gone", {"name": name}] in lines else [["input_gone", {"name": name}]]
            drop.append(spec["name"])
        elif "." not in spec.get("into", ""):
            changed |= _differences(spec, theirs, lines)
            alone = alone or _loses_choices(spec, changed.get(spec["name"], {}))
    known = {(spec.get("into") or spec["name"]).partition(".")[0] for spec in raw["inputs"]}
    known |= {name for spec in raw["inputs"] for name in spec.get("also", ())} | set(raw.get("left_out", ()))
    fresh = sorted(set(offered) - known)
    lines += [["input_needed" if name in offer.required else "input_new", {"name": name[:SHOWN]}] for name in fresh]
    if not lines:
        return []
    stuck = any(name in offer.required for name in fresh) or any(line[0] == "type" for line in lines)
    followed = drop or changed
    change = ["off", True] if stuck else ["inputs", {"drop": drop, "set": changed}] if followed else None
    return [Change(raw["id"], "inputs", lines, change, alone or _is_loss(len(drop), len(raw["inputs"])))]


def _loses_choices(spec: dict[str, Any], changed: dict[str, Any]) -> bool:
    """Return whether too many of an input's choices would be gone at once."""
    lost = set(spec.get("enum", ())) - set(changed["enum"]) if "enum" in changed else ()
    return _is_loss(len(lost), len(spec.get("enum", ())))


def _differences(spec: dict[str, Any], theirs: dict[str, Any], lines: list[Any]) -> dict[str, Any]:
    """Return {name: {field: value}} of what must change in one of our inputs, and describe it in `lines`."""
    items = theirs.get("items", {}) if theirs.get("type") == "array" else theirs
    changed: dict[str, Any] = {}
    if spec["type"] == "enum" and "enum" in spec and items.get("enum"):
        changed |= _choices(spec, items["enum"], lines)
    if "type" in theirs and (theirs["type"] == "array") != spec["type"].endswith("[]") and "send" not in spec:
        lines.append(["type", {"name": spec["name"]}])
    for field, (word, sign) in BOUNDS.items():
        limit = (theirs if field == "max_items" else items).get(word)
        if limit is not None and field in spec and sign * limit < sign * spec[field]:
            lines.append(["bound", {"name": spec["name"], "was": spec[field], "now": limit}])
            changed[field] = limit
    return {spec["name"]: changed} if changed else {}


def _choices(spec: dict[str, Any], theirs: dict[str, Any], lines: list[Any]) -> dict[str, Any]:
    left = [choice for choice in spec["enum"] if choice in theirs]
    lost = [choice for choice in spec["enum"] if choice not in theirs]
    fresh = [choice for choice in theirs if choice not in spec["enum"] and choice not in spec.get("left_out", ())]
    if lost:
        lines.append(["choices_gone", {"name": spec["name"], "choices": ", ".join(map(str, lost))[:SHOWN]}])
    if fresh:
        lines.append(["choices_new", {"name": spec["name"], "choices": ", ".join(map(str, fresh))[:SHOWN]}])
    if not lost and not fresh:
        return {}
    keep: dict[str, Any] = {} if spec.get("default") in (None, *left) else {"default": next(iter(left or fresh))}
    return {"enum": [*left, *fresh]} | keep


# prices


def _prices(raw: dict[str, Any], listing: Listing) -> list[Change]:
    """Return the price changes of a model as one Change or none.

    The feed's figures then and now are compared; if ours is a higher one from another source, the higher of ours and the
    new one is used.
    """
    lines, patch, alone = list[list[Any]](), dict[str, Any](), False
    for row in raw["price"]:
        feed = row.get("feed")
        if feed is None or feed in patch:
            continue
        if feed not in listing.rows:
            lines.append(["row_gone", {"row": feed}])
            continue
        if (theirs := listing.rows[feed]) is None:  # it could not be read
            continue
        was, now = Decimal(row.get("feed_credits", row["credits"])), Decimal(theirs.credits)
        if now == was:
            continue
        if not now:
            listing.skipped.note(feed, "a price of 0")
            continue
        alone = alone or now * FALL < was
        lines.append(["price", {"row": feed, "was": _plain(was), "now": _plain(now)}])
        ours = max(now, Decimal(row["credits"])) if "feed_credits" in row else now
        patch[feed] = {"credits": _plain(ours)} | ({"feed_credits": _plain(now)} if ours != now else {})
    return [Change(raw["id"], "price", lines, ["price", patch] if patch else None, alone)] if lines else []


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")

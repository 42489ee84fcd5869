"""What differs between KIE's offer and ours: new models, gone ones, changed inputs, changed prices.

`compare` returns Changes. Each says what it is about in plain data, for people, and `change`: the field and value for
the overlay (kie/catalogue/overrides.py) that would follow it. A change of None cannot be followed from the chat. What looks more
like a slip of KIE's than like news (a price that falls by more than half, a list that loses more than a fifth) is `alone`:
it is never followed together with others.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from kie.sync import entry_builder
from kie.sync.discovery import Found, Offer, Rows

KINDS = ("gone", "new", "inputs", "price")
LEAST_LISTED = 0.5  # of what we sell; a shorter list is a fault of KIE's, not news
FALL = 2  # a price that is divided by more than this wants a look of its own
LOSS = 5  # so does a list of which more than one in so many is gone
SHOWN, TOLD = 300, 30  # characters of a list of choices, and lines of one difference
BOUNDS = {"max": ("maximum", 1), "max_length": ("maxLength", 1), "max_items": ("maxItems", 1), "min": ("minimum", -1)}


class StrangeList(Exception):
    """KIE's list lacks so much of what we sell that nothing should be concluded from it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `lines` are [key, values] pairs for people, `change` is [field, value] or None.

    One that is `alone` wants a decision of its own.
    """

    model: str
    kind: str
    lines: list[list[Any]]
    change: list[Any] | None
    alone: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """Return it as plain data."""
        lines = self.lines[:TOLD] + ([["more", {"n": len(self.lines) - TOLD}]] if len(self.lines) > TOLD else [])
        return {"lines": lines, "change": self.change, "alone": self.alone}


def compare(data: dict[str, Any], found: Found, as_of: str, off: Collection[str] = frozenset()) -> list[Change]:
    """Return the Changes between the parsed catalogue (with its overlay) and what was found at KIE on `as_of`.

    A model whose entry cannot be compared is named in `found.skipped`. Models that are `off` sale are not looked for.
    Raise StrangeList when too much is missing at once.
    """
    ours = {raw["id"]: raw for raw in data["models"]}
    public = {name for name, raw in ours.items() if not raw.get("unlisted")}.difference(off)
    gone = sorted(public - found.listed)
    if len(gone) > len(public) * (1 - LEAST_LISTED):
        raise StrangeList(f"KIE lists {len(public) - len(gone)} of the {len(public)} models we sell")
    changes = [Change(name, "gone", [["gone", {}]], ["off", True]) for name in gone]
    known = set(ours) | set(data.get("left_out", ()))
    for name, offer in sorted(found.offers.items()):
        if name not in known and offer.inputs is not None:
            changes += _tried(found, name, _new_models, offer, data, found.rows, as_of)
    for name, raw in ours.items():
        if name in found.offers and found.offers[name].inputs is not None:
            changes += _tried(found, name, _inputs, raw, found.offers[name])
        if found.rows and name not in gone:
            changes += _tried(found, name, _prices, raw, found)
    ending = [change for change in changes if change.change == ["off", True]]
    many = _is_loss(len(ending), len(public))
    return [replace(change, alone=True) if many and change in ending else change for change in changes]


def _tried(found: Found, name: str, work: Callable[..., list[Change]], *args: Any) -> list[Change]:
    """Return the Changes that `work(*args)` finds, or none if what KIE says about this model makes no sense."""
    try:
        return work(*args)
    except Exception as error:  # one entry must not end the comparison of the others
        found.skipped.note(name, error)
        return []


def _is_loss(gone: int, total: int) -> bool:
    """Tell whether so much is gone of a list that it looks like a slip."""
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
    """Return what changed in a form, as one Change or none: what we send must still be taken, what is wanted sent."""
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
    """Tell whether too many of an input's choices would be gone at once."""
    lost = set(spec.get("enum", ())) - set(changed["enum"]) if "enum" in changed else ()
    return _is_loss(len(lost), len(spec.get("enum", ())))


def _differences(spec: dict[str, Any], theirs: dict[str, Any], lines: list[Any]) -> dict[str, Any]:
    """Return {name: {field: value}} of what must change in one of our inputs, and tell it in `lines`."""
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


def _prices(raw: dict[str, Any], found: Found) -> list[Change]:
    """Return what changed in the prices of a model, as one Change or none.

    Compared is the feed's figure of the day the price was read; where ours is a dearer one of another source, the
    dearer of ours and the new one counts.
    """
    lines, patch, alone = list[list[Any]](), dict[str, Any](), False
    for row in raw["price"]:
        feed = row.get("feed")
        if feed is None or feed in patch:
            continue
        if feed not in found.rows:
            lines.append(["row_gone", {"row": feed}])
            continue
        if (theirs := found.rows[feed]) is None:  # it could not be read
            continue
        was, now = Decimal(row.get("feed_credits", row["credits"])), Decimal(theirs.credits)
        if now == was:
            continue
        if not now:
            found.skipped.note(feed, "a price of 0")
            continue
        alone = alone or now * FALL < was
        lines.append(["price", {"row": feed, "was": _plain(was), "now": _plain(now)}])
        ours = max(now, Decimal(row["credits"])) if "feed_credits" in row else now
        patch[feed] = {"credits": _plain(ours)} | ({"feed_credits": _plain(now)} if ours != now else {})
    return [Change(raw["id"], "price", lines, ["price", patch] if patch else None, alone)] if lines else []


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")

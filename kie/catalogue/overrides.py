"""Overrides of data/models.json, as plain data: what admins have applied, switched off or priced from the chat.

Changes are {(scope, field): value}. About one model, whose scope is `model:<id>`:

- `off`: true takes it off sale, false puts one on sale that KIE's own list lacked when the file was written;
- `entry`: {"model": …, "card": …}, a model that the file does not have (`card`: null for an existing card);
- `inputs`: {"drop": [names], "set": {name: {field: value}}, "add": [inputs]}, changes to its form;
- `price`: {feed row: fields}, new figures for the price rows that come from those rows of KIE's price feed.

About a ladder, whose scope is `offer:<kind of work>` (`kie/catalogue/offers.py`):

- `rung_<name>`: {"model": code} puts another model on a rung, {"off": true} switches the rung off.

About the user's price, for a model, for `menu:<row of the main menu>` or for `all`; the most specific one counts:

- `markup`: a factor on the cost, as text; `fixed`: a price in minor units, whatever is chosen.
"""

import operator
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from kie.catalogue.model import Model

Changes = Mapping[tuple[str, str], Any]


class Markup(NamedTuple):
    """How a model is priced: a factor on its cost, or a fixed price in minor units; both None for the default factor."""

    factor: Decimal | None
    fixed: int | None


def merged(data: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Return the parsed file with the changes applied, in a copy if any is about a model's form, price or existence.

    What does not change is the same object in both; `Catalog.anew` checks the rest.
    """
    cards, models = list(data["cards"]), [_changed(raw, changes) for raw in data["models"]]
    known = {raw["id"] for raw in data["models"]}
    for (_scope, field), value in changes.items():
        if field == "entry" and value["model"]["id"] not in known:
            models.append(_changed(value["model"], changes))
            if value["card"] and all(card["id"] != value["card"]["id"] for card in cards):
                cards.append(value["card"])
    is_same = len(models) == len(data["models"]) and all(map(operator.is_, models, data["models"]))
    return data if is_same else data | {"cards": cards, "models": models}


def at(data: dict[str, Any], day: date) -> dict[str, Any]:
    """Return the parsed file as it is on a day: prices that have ended are replaced by what comes `then`."""
    if not any(_is_over(row, day) for raw in data["models"] for row in raw["price"]):
        return data
    models = [
        raw | {"price": [_later(row) if _is_over(row, day) else row for row in raw["price"]]} for raw in data["models"]
    ]
    return data | {"models": models}


def ending(data: dict[str, Any]) -> list[tuple[date, str]]:
    """Return (day, model id) of the prices that end, the nearest first; on that day the next ones are in force."""
    days = {
        (date.fromisoformat(row["until"]), raw["id"])
        for raw in data["models"]
        for row in raw["price"]
        if "until" in row
    }
    return sorted(days)


def _is_over(row: dict[str, Any], day: date) -> bool:
    """Tell whether a price has ended: on its last day already, as nobody says in which time zone that ends."""
    return "until" in row and date.fromisoformat(row["until"]) <= day


def _later(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("until", "then")} | {"credits": row["then"]}


def _changed(raw: dict[str, Any], changes: Changes) -> dict[str, Any]:
    scope = f"model:{raw['id']}"
    if changes.get((scope, "off")) is False:
        raw = {name: value for name, value in raw.items() if name != "unlisted"}
    prices, inputs = changes.get((scope, "price")), changes.get((scope, "inputs"))
    if prices:
        raw = raw | {"price": [_priced(row, prices) for row in raw["price"]]}
    if inputs:
        raw = raw | {"inputs": list(_fitted(raw["inputs"], inputs))}
    return raw


def _priced(row: dict[str, Any], prices: Mapping[str, Any]) -> dict[str, Any]:
    if row.get("feed") not in prices:
        return row
    figures: dict[str, Any] = prices[row["feed"]]
    return {name: value for name, value in row.items() if name not in ("feed_credits", "until", "then")} | figures


def _fitted(inputs: Iterable[dict[str, Any]], change: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for spec in inputs:
        if spec["name"] not in change.get("drop", ()):
            yield spec | change.get("set", {}).get(spec["name"], {})
    yield from change.get("add", ())


def switched_off(changes: Changes) -> set[str]:
    """Return the ids of the models that are off sale."""
    return {scope.partition(":")[2] for (scope, field), value in changes.items() if field == "off" and value}


def terms(changes: Changes, model: Model) -> Markup:
    """Return the markup of a model: its own, else its menu's, else the one for all.

    The most specific one wins, whether it is a factor or a fixed price.
    """
    for scope in (f"model:{model.id}", f"menu:{model.menus[0]}", "all"):
        markup, fixed = changes.get((scope, "markup")), changes.get((scope, "fixed"))
        if markup is not None or fixed is not None:
            return Markup(None if markup is None else Decimal(markup), fixed)
    return Markup(None, None)

"""Buttons: their labels and the data behind them, built and parsed only here.

Data is `plugin:action:arg:arg`, ids and short words, never text, at most 64 bytes (Bot API, InlineKeyboardButton).
Anyone can forge it, so every handler that takes an id loads it together with its owner.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_BYTES = 64
MAX_NUMBER = 2**63 - 1  # both databases keep 64-bit numbers
ROUTE_PARTS = 2  # plugin:action
# The screens that every bot has; plugins serve them
MENU, FRESH, HELP, CARD = "start:menu", "start:fresh", "support:open", "generate:card"
PAYMENT = "online:start"  # of a payment by a provider
NEWS = {MENU: {"data": FRESH}}  # under a message that stays, the menu opens as a new message


class BadData(ValueError):
    """Callback data that no button of ours carries (any more)."""


class Route(str):
    """The route of another folder, named once at the top of a plugin's file; the loader checks that it is served."""

    optional: bool

    def __new__(cls, name: str, optional: bool) -> "Route":
        """Remember whether the plugin can do without it."""
        self = super().__new__(cls, name)
        self.optional = optional
        return self


def route(name: str, optional: bool = False) -> Route:
    """Return the route of another folder's button (`plugin:action`), to be used like its name.

    If nobody serves it, the start fails, unless it is `optional`: then its buttons are not drawn, and `ctx.go` refuses.
    """
    return Route(name, optional)


@dataclass(frozen=True, slots=True)
class Button:
    """A label (a text key with its values), and one of: callback data, an address, a text to copy."""

    key: str
    data: str | None = None
    url: str | None = None
    copy: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    style: str | None = None  # "primary" or "danger" (Bot API 9.4); where it is not known it is not shown


# Rows from the top; a lone button, or a (key, data, …) pair, is a row of its own.
Keyboard = Sequence["Button | tuple[Any, ...] | list[Any]"]


def button(key: str, data: str, *args: object, **values: Any) -> Button:
    """Return a button that sends `data` with `args` when it is tapped."""
    return Button(key, data=build(data, *args), values=values)


def primary(key: str, data: str, *args: object, **values: Any) -> Button:
    """Return the button of a screen's main action: one a screen."""
    return Button(key, data=build(data, *args), values=values, style="primary")


def danger(key: str, data: str, *args: object, **values: Any) -> Button:
    """Return a button that takes something away."""
    return Button(key, data=build(data, *args), values=values, style="danger")


def link(key: str, url: str, **values: Any) -> Button:
    """Return a button that opens an address."""
    return Button(key, url=url, values=values)


def copy(key: str, text: str, **values: Any) -> Button:
    """Return a button that copies a text (at most 256 characters, Bot API, CopyTextButton)."""
    return Button(key, copy=text, values=values)


def build(route: str, *args: object) -> str:
    """Return callback data for a route and its arguments."""
    data = ":".join([route, *map(str, args)])
    if len(data.encode()) > MAX_BYTES:
        raise BadData(f"callback data over {MAX_BYTES} bytes: {data}")
    return data


def mark(*values: object) -> str:
    """Return a short digest of what a button confirms; it differs once that has changed."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:8]


def split(data: str) -> tuple[str, list[str]]:
    """Return (route, arguments as texts) of callback data."""
    parts = data.split(":")
    return ":".join(parts[:ROUTE_PARTS]), parts[ROUTE_PARTS:]


def parse(args: list[str], types: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return {name: value} of the arguments by their declared types; raise BadData if they do not fit."""
    if len(args) != len(types):
        raise BadData(f"{len(args)} arguments for {len(types)}")
    try:
        values = {name: kind(text) for (name, kind), text in zip(types.items(), args, strict=True)}
    except (ValueError, ArithmeticError) as error:
        raise BadData(str(error)) from error
    if any(isinstance(value, int) and abs(value) > MAX_NUMBER for value in values.values()):
        raise BadData("a number no row can have")
    return values


def pager(page: int, pages: int, *data: Any) -> list[list[Button]]:
    """Return the row for turning pages, as a list of rows; empty if there is only one page."""
    if pages < 2:
        return []
    before, after = button("form.previous", *data, (page - 1) % pages), button("form.next", *data, (page + 1) % pages)
    return [[before, button("label", *data, page, label=f"{page + 1}/{pages}"), after]]


def way_out(data: str, *args: object) -> list[Button]:
    """Return the last row of a screen: one step back, and the menu."""
    return [button("common.back", data, *args), button("common.menu", MENU)]


def rows(buttons: Keyboard | None) -> list[list[Button]]:
    """Return a keyboard as a list of rows of Buttons; a lone button is a row, a (key, data) pair is a button."""
    result: list[list[Button]] = []
    for row in buttons or []:
        cells: list[Any] = row if isinstance(row, list) else [row]
        if cells:
            result.append(
                [Button(cell[0], data=build(*cell[1:])) if isinstance(cell, tuple) else cell for cell in cells]
            )
    return result


def plain(rows_: Keyboard | None) -> list[list[dict[str, Any]]]:
    """Return a keyboard as plain data for an outbox row; its menu button opens the menu as a new message."""
    return [[asdict(cell) | NEWS.get(cell.data or "", {}) for cell in row] for row in rows(rows_)]


def from_plain(data: list[list[dict[str, Any]]]) -> list[list[Button]]:
    """Return the rows of Buttons of a keyboard kept by `plain`."""
    return [[Button(**cell) for cell in row] for row in data]

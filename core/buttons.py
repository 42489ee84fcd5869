"""Buttons: what they say, and the data behind them, built and parsed in this one place.

Data is `plugin:action:arg:arg`, ids and short words, never text, at most 64 bytes (Bot API, InlineKeyboardButton).
Anyone can forge it, so every handler that takes an id loads it together with its owner.
"""

import hashlib
from dataclasses import dataclass, field

MAX_BYTES = 64
MAX_NUMBER = 2**63 - 1  # both databases keep 64-bit numbers
ROUTE_PARTS = 2  # plugin:action
MENU, FRESH, HELP = "start:menu", "start:fresh", "support:open"  # the screens every house has; plugins serve them
NEWS = {MENU: {"data": FRESH}}  # what changes about a button under a message that stays


class BadData(ValueError):
    """Callback data that no button of ours carries (any more)."""


class Route(str):
    """The route of another folder, named once at the top of a plugin's file; the loader looks whether it is served."""

    def __new__(cls, name, optional):
        """Keep whether the plugin does without it."""
        self = super().__new__(cls, name)
        self.optional = optional
        return self


def route(name, optional=False):
    """Return a button's route of another folder (`plugin:action`), to be used as its name is.

    One that nobody serves ends the start, unless it is `optional`: then its buttons are not drawn, and `ctx.go` refuses.
    """
    return Route(name, optional)


@dataclass(frozen=True, slots=True)
class Button:
    """A text key with the values of its label, and one of: callback data, an address, a text to copy."""

    key: str
    data: str | None = None
    url: str | None = None
    copy: str | None = None
    values: dict = field(default_factory=dict)

    def to_dict(self):
        """Return the button as plain data, to be kept in a row."""
        return {"key": self.key, "data": self.data, "url": self.url, "copy": self.copy, "values": self.values}


def button(key, data, *args, **values):
    """Return a button that sends `data` with `args` when it is tapped."""
    return Button(key, data=build(data, *args), values=values)


def link(key, url, **values):
    """Return a button that opens an address."""
    return Button(key, url=url, values=values)


def copy(key, text, **values):
    """Return a button that copies a text (at most 256 characters, Bot API, CopyTextButton)."""
    return Button(key, copy=text, values=values)


def build(route, *args):
    """Return callback data for a route and its arguments."""
    data = ":".join([route, *map(str, args)])
    if len(data.encode()) > MAX_BYTES:
        raise BadData(f"callback data over {MAX_BYTES} bytes: {data}")
    return data


def mark(*values):
    """Return a short word for what a button confirms: another one when what is confirmed has changed."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:8]


def split(data):
    """Return (route, arguments as texts) of callback data."""
    parts = data.split(":")
    return ":".join(parts[:ROUTE_PARTS]), parts[ROUTE_PARTS:]


def parse(args, types):
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


def pager(page, pages, *data):
    """Return the row that turns between pages, as a list of rows: none where there is one page."""
    if pages < 2:
        return []
    before, after = button("form.previous", *data, (page - 1) % pages), button("form.next", *data, (page + 1) % pages)
    return [[before, button("label", *data, page, label=f"{page + 1}/{pages}"), after]]


def way_out(data, *args):
    """Return the last row of a screen: one step back, and the menu."""
    return [button("common.back", data, *args), button("common.menu", MENU)]


def rows(buttons):
    """Return a keyboard as a list of rows of Buttons; a lone button is a row, a (key, data) pair is a button."""
    result = []
    for row in buttons or []:
        cells = row if isinstance(row, list) else [row]
        cells = [Button(cell[0], data=build(*cell[1:])) if isinstance(cell, tuple) else cell for cell in cells]
        if cells:
            result.append(cells)
    return result


def plain(rows_):
    """Return a keyboard as plain data for an outbox row. Such a message is news: the menu opens below it."""
    return [[cell.to_dict() | NEWS.get(cell.data, {}) for cell in row] for row in rows(rows_)]


def from_plain(data):
    """Return the rows of Buttons of a keyboard kept by `plain`."""
    return [[Button(**cell) for cell in row] for row in data]

"""Checks what plugins register: names, routes, handler signatures; an unknown name is answered with the nearest one."""

import inspect
import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from types import FunctionType
from typing import Any

from storage.base.tables import User

COMMAND = re.compile(r"[a-z0-9_]{1,32}")  # Bot API, BotCommand
TABLE = re.compile(r"plugin_[a-z0-9_]{1,40}")
ROUTE = re.compile(r"[a-z0-9_]+:[a-z0-9_]+")
PREFIX, LETTER = re.compile(r"[a-z0-9_]+[.:]"), re.compile(r"[A-Za-z]")
SETTING, RIGHT = re.compile(r"[A-Z][A-Z0-9_]*"), re.compile(r"[a-z][a-z0-9_]*")
MOST_NAMED = 12  # names that a sentence may list
OWN_PAGES = ("/health", "/telegram", "/kie")  # those of core/process/web.py
CONTENT = """successful_payment refunded_payment photo document video animation audio voice video_note sticker text
    migrate_to_chat_id other""".split()  # of a message in the private chat, the first that fits; `other` is anything else
# Bot API, Update: what may be asked for
UPDATES = """message edited_message channel_post edited_channel_post inline_query chosen_inline_result callback_query
    shipping_query pre_checkout_query purchased_paid_media poll poll_answer my_chat_member chat_member
    chat_join_request message_reaction message_reaction_count chat_boost removed_chat_boost""".split()


class Taken(ValueError):
    """Two plugins want the same name; the text says where."""


def one_of(what: str, name: str, known: Collection[str]) -> None:
    """Raise ValueError with the nearest name, unless `name` is known."""
    if name not in known:
        raise ValueError(f"there is no {what} {name!r}; {nearest(name, known)}")


def nearest(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest known one, or all of them.

    Of names with a prefix (`notes.list`, `notes:tick`), those with the same one come first.
    """
    prefix = PREFIX.match(name)
    known = [one for one in known if prefix and one.startswith(prefix[0])] or known
    near = get_close_matches(name, known, 1)
    there = f"there are {', '.join(sorted(known))}" if len(known) <= MOST_NAMED else "none is like it"
    return f"the nearest is {near[0]}" if near else there


def command(name: str) -> None:
    """Raise ValueError for a name that Telegram does not accept as a command."""
    if not COMMAND.fullmatch(name):
        near = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:32]
        raise ValueError(f"command {name!r}: Telegram takes 1 to 32 of a-z, 0-9 and _; the nearest is {near or 'x'}")


def setting(name: str, kind: object) -> None:
    """Raise ValueError for a name that no environment can set, or a `kind` that cannot parse a text."""
    _spelled("setting", name, SETTING, "A-Z, 0-9 and _", name.upper())
    if not callable(kind) or kind in (list, tuple, dict, set, bytes):
        raise ValueError(
            f"setting {name}: {kind!r} reads no text: want str, int, Decimal, bool or a function of the text"
        )


def right(name: str) -> None:
    """Raise ValueError for a right that is not a lower-case word."""
    _spelled("right", name, RIGHT, "a-z, 0-9 and _", name.lower())


def _spelled(what: str, name: str, right: re.Pattern[str], letters: str, near: str) -> None:
    if not right.fullmatch(name):
        raise ValueError(f"{what} {name!r}: want {letters}, such as {re.sub('[^A-Za-z0-9_]', '_', near)}")


def route(name: str) -> None:
    """Raise ValueError for a route that is not `plugin:action`."""
    if not ROUTE.fullmatch(name):
        raise ValueError(f"route {name!r}: want plugin:action, of a-z, 0-9 and _")


def letter(name: str) -> None:
    """Raise ValueError for a text that is not one letter of a `/start` link."""
    if not LETTER.fullmatch(name):
        raise ValueError(f"deep link {name!r}: want one letter of a-z or A-Z, such as {name[:1] or 'x'}")


def table(name: str, known: list[str]) -> None:
    """Raise ValueError for a table name that is not clearly a plugin's, or is taken."""
    near = f"plugin_{name.lower().removeprefix('plugin_')}"
    _spelled("table", name, TABLE, "plugin_ and a name of a-z, 0-9 and _", near)
    if name in known:
        raise ValueError(f"two plugins want the table {name!r}")


def people_in(model: Any) -> list[str]:
    """Return the columns of a table that name a user."""
    fields = model._meta.sorted_fields
    return [
        f.column_name for f in fields if getattr(f, "rel_model", None) is User or f.column_name in ("user", "user_id")
    ]


def erasure(table: str, people: list[str], erase: object) -> None:
    """Raise ValueError if a table refers to people and does not say what becomes of their rows."""
    if people and erase is None:
        raise ValueError(
            f"the table {table} keeps people ({', '.join(people)}): say what happens to their rows when they ask to be"
            ' forgotten, erase="delete", "keep" or a function'
        )
    if callable(erase):
        takes(erase, "bot", "user_id", "now")
    elif erase is not None:
        one_of("rule of erasure", str(erase), ("delete", "keep"))


def named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a name of its own, by which listeners are told apart, and return it."""
    function.__qualname__ = name
    return function


def page(path: str) -> None:
    """Raise ValueError for a path that cannot be served, or is the core's own."""
    if not path.startswith("/") or path.startswith(OWN_PAGES):
        raise ValueError(f"page {path!r}: want a path that begins with / and with none of {', '.join(OWN_PAGES)}")


def takes(handler: Callable[..., Any], *given: str, **named: Any) -> None:
    """Raise ValueError for a function that cannot be called with these arguments."""
    if _fits(handler, len(given), named):
        return
    try:
        inspect.signature(handler).bind(*given, **named)
    except TypeError as error:
        shown = ", ".join((*given, *(f"{name}=…" for name in named)))
        name = getattr(handler, "__qualname__", repr(handler))
        raise ValueError(f"{name} will be called as {name}({shown}), and cannot be: {error}") from None


def _fits(handler: Callable[..., Any], count: int, names: Collection[str]) -> bool:
    """Return whether a plain function takes `count` arguments and those named; if False, inspect its signature."""
    if not isinstance(handler, FunctionType) or hasattr(handler, "__wrapped__"):
        return False
    code = handler.__code__
    if code.co_kwonlyargcount or code.co_posonlyargcount or count > code.co_argcount:
        return False
    free = code.co_varnames[count : code.co_argcount]
    needed = free[: max(0, len(free) - len(handler.__defaults__ or ()))]
    return set(needed) <= set(names) <= set(free)

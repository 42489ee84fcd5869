"""What a plugin's source names in its calls: texts with the values given to them, routes, and steps of dialogues."""

import ast
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from storage.base import disk_cache

WORDS = {"text": re.compile(r"[a-z_]+\.[\w.-]+"), "route": re.compile(r"[a-z0-9_]+:[a-z0-9_]+")}
WORDS["step"] = WORDS["route"]
SHOWN_FIRST = "reply edit say toast alert UserError button primary danger link copy menu admin_menu".split()
# Calls → the place of a name among their arguments
TEXTS = dict.fromkeys(SHOWN_FIRST, 0) | {"ask": 1, "notify": 1, "post": 1, "close_copy": 1, "payment_method": 1}
TEXTS |= {"send_file": 2, "show_file": 2, "show_media": 2}
ROUTES = {"button": 1, "primary": 1, "danger": 1, "way_out": 0, "go": 0}
FILLED_LATER = ("menu", "admin_menu", "payment_method")
REGISTERS = {"button": "route", "step": "step"}


class Named(NamedTuple):
    """A name in a call. `values` are those given to a text, None if they cannot be told."""

    what: str  # text, route, step
    line: int
    name: str
    values: frozenset[str] | None = None
    serves: bool = False  # it is what the call registers


def names_in(path: Path) -> list[Named]:
    """Return what a file names; it is read again once it has changed."""
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, _changed_at: int) -> list[Named]:
    name = f"names-{path.parent.name}-{path.stem}"
    source = path.read_text(encoding="utf-8")
    return [Named(*one) for one in disk_cache.kept(name, (path, Path(__file__)), _calls_of, source)]


@lru_cache(maxsize=128)  # where nothing is kept on disk, a copy of the same source is not read again
def _calls_of(source: str) -> list[tuple[Any, ...]]:
    tree = ast.parse(source)
    return [tuple(one) for node in ast.walk(tree) if isinstance(node, ast.Call) for one in _of_call(node)]


def _of_call(node: ast.Call) -> Iterator[Named]:
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
    given = {keyword.arg for keyword in node.keywords}
    values = None if None in given or name in FILLED_LATER else frozenset(filter(None, given))
    if what := REGISTERS.get(name):
        yield from (Named(what, node.lineno, one, serves=True) for one in _literals(node, 0, what))
    yield from (Named("text", node.lineno, key, values) for key in _literals(node, TEXTS.get(name), "text"))
    yield from (Named("route", node.lineno, one) for one in _literals(node, ROUTES.get(name), "route"))
    yield from (Named("step", node.lineno, one) for one in _literals(node, 0 if name == "ask" else None, "step"))
    for keyword in node.keywords:
        if keyword.arg in ("about", "what"):
            yield from (Named("text", node.lineno, key) for key in _words(keyword.value, "text"))


def _literals(node: ast.Call, place: int | None, what: str) -> Iterator[str]:
    """Yield the names that a call has at a place, in either branch of a condition."""
    if place is not None and place < len(node.args):
        yield from _words(node.args[place], what)


def _words(value: ast.expr, what: str) -> Iterator[str]:
    for one in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and WORDS[what].fullmatch(one.value):
            yield one.value

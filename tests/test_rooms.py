"""Who may import whom, as data; read from the imports of every file."""

import ast
import re
from pathlib import Path
from types import ModuleType

from core.services import operations
from tests.kit import ROOT

# Each room, from the ground up, with the rooms it may use; its own files it may use always.
STORAGE = {
    "storage.base": "",
    "storage.journal": "storage.base",
    "storage.money": "storage.base storage.journal",
    "storage.orders": "storage.base storage.journal storage.money",
    "storage.people": "storage.base storage.journal storage.money storage.orders",
    "storage.backup": "storage.base storage.journal storage.money storage.orders storage.people",
}
KIE = {
    "kie.api": "",
    "kie.catalogue": "",
    "kie.sync": "kie.api kie.catalogue",
    "kie.poller": "kie.api",
    "kie.stub": "",  # used by nobody but tests, the demo and KIE_STUB
}
MAY_USE = {room: set(others.split()) for room, others in {**STORAGE, **KIE}.items()}
MIGRATIONS = "storage.migrations"  # each stands alone: what it did once must never change


def room_of(module):
    """Return the room a module stands in."""
    return ".".join(module.split(".")[:2])


def modules():
    """Return {module: file} of the floors whose rooms have rules."""
    files = [path for floor in ("storage", "kie") for path in sorted((ROOT / floor).rglob("*.py"))]
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    return {name: path for name, path in found.items() if "." in name and room_of(name) != MIGRATIONS}


def uses(path: Path):
    """Return the rooms a file imports from."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {room_of(name) for name in names if name.split(".")[0] in ("storage", "kie")}


def test_every_file_stands_in_a_room():
    assert {room_of(name) for name in modules()} == set(MAY_USE)


def test_a_room_uses_only_those_below_it():
    wrong = {
        name: strange
        for name, path in modules().items()
        if (strange := uses(path) - {room_of(name)} - MAY_USE[room_of(name)])
    }
    assert not wrong


def test_no_two_rooms_use_each_other():
    order = list(MAY_USE)
    assert not [
        (room, other) for room, others in MAY_USE.items() for other in others if order.index(other) > order.index(room)
    ]


def test_no_module_of_storage_is_handed_out_whole():
    """Nor an operation that no plugin uses: what plugins may do can be read on one page."""
    used = "".join(
        path.read_text() for folder in ("plugins", "docs/examples") for path in (ROOT / folder).rglob("*.py")
    )
    facades = {name: facade for name, facade in vars(operations.Operations).items() if not name.startswith("_")}
    assert len(facades) > 20
    for name, facade in facades.items():
        assert not isinstance(facade, ModuleType), name
        unused = [one for one in vars(facade) if one[0] != "_" and not re.search(rf"\b{name}\.{one}\b", used)]
        assert not unused, name

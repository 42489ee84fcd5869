"""What plugins know of each other: routes, named once at the top of a file, and resolved at the start."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from core.buttons import FRESH, HELP, MENU, Route
from core.process.loader import PluginError, find, module_of
from storage.journal import event_kinds
from tests.house import plugins_with
from tests.kit import ROOT

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEEDS = """\"\"\"Needs a screen.\"\"\"

from core.buttons import route

SCREEN = route("balance:shwo"{optional})


def register(bot):
    \"\"\"Declare a command.\"\"\"
    bot.command("needs", lambda ctx: ctx.go(SCREEN))
"""


def folder_of(path):
    """Return the folder of features a plugin is in; one that stands alone is a folder of its own."""
    return path.parent if path.parent.name != "plugins" else path


def _file_of(handler):
    return Path(getattr(handler, "func", handler).__code__.co_filename)


def strange(path, owners):
    """Yield (line, text) of the routes of other folders that stand in a file, those in `route(…)` at its top aside."""
    tree = ast.parse(path.read_text())
    named = {
        id(node.value.args[0])
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "route"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in named:
            owner = owners.get(":".join(node.value.split(":")[:2]))
            if owner is not None and folder_of(owner) != folder_of(path):
                yield node.lineno, node.value


@SQLITE
def test_a_route_of_another_folder_stands_at_the_top_of_a_file_alone(start_bot):
    plugins, served = find(ROOT / "plugins"), start_bot().bot.handlers["button"]
    owners = {route: _file_of(entry.handler) for route, entry in served.items()}
    assert len(owners) > 100
    assert not {name: found for name, path in plugins.items() if (found := list(strange(path, owners)))}


@SQLITE
def test_every_route_that_is_named_is_served_when_no_plugin_is_off(start_bot):
    import sys

    bot = start_bot()
    named = [
        (name, found)
        for name, path in find(ROOT / "plugins").items()
        for found in vars(sys.modules[module_of(path)]).values()
        if isinstance(found, Route)
    ]
    assert len(named) > 20
    assert not [(name, found) for name, found in named if found not in bot.bot.handlers["button"]]
    assert {MENU, FRESH, HELP} <= bot.bot.handlers["button"].keys()


@SQLITE
def test_a_route_that_nobody_serves_ends_the_start_with_the_nearest_one(start_bot, monkeypatch, tmp_path):
    folder = plugins_with(monkeypatch, tmp_path, needs=NEEDS.format(optional=""))
    with pytest.raises(
        PluginError, match=r"plugins/needs.py: SCREEN: there is no route 'balance:shwo'; the nearest is balance:show"
    ):
        start_bot(plugins=folder)


@SQLITE
def test_an_optional_route_that_nobody_serves_is_refused_with_words(start_bot, monkeypatch, tmp_path):
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, needs=NEEDS.format(optional=", optional=True")))
    alice = bot.user("Alice")
    alice.send("/needs")
    assert "out of date" in alice.last


WANTS = {
    "command": 'bot.command("balance", mine)',
    "button": 'bot.button("balance:show", mine)',
    "page": 'bot.page("/metrics", mine)',
    "check": 'bot.check("models", mine)',
    "deep link": 'bot.deep_link("r", mine)',
    "way to pay": 'bot.payment_method("stars", "payments.stars", mine)',
}


@SQLITE
@pytest.mark.parametrize("what", WANTS)
def test_two_plugins_that_want_the_same_end_the_start_with_both_places(start_bot, monkeypatch, tmp_path, what):
    source = f'"""Wants it, too."""\n\n\ndef mine(*_all):\n    """Do it."""\n\n\ndef register(bot):\n    """Want it."""\n    {WANTS[what]}\n'
    folder = plugins_with(monkeypatch, tmp_path, zzz=source)
    with pytest.raises(PluginError) as error:
        start_bot(plugins=folder)
    places = re.findall(r"(\w+)\.py:\d+", str(error.value).partition("two plugins want")[2])
    assert f"the {what} " in str(error.value) and len(places) == 2 and places[1] == "zzz" != places[0]


def owners_of_texts():
    """Return {text key: the file it belongs to}, as admin/pause; the core's belong to everybody."""
    texts = ROOT / "data" / "texts" / "en"
    return {
        key: path.relative_to(texts).with_suffix("").as_posix()
        for path in texts.rglob("*.po")
        for key in re.findall(r'^msgid "(.+)"', path.read_text(), re.M)
    }


def names_in(path):
    """Yield (line, text) of the plain texts in a file; keys that are put together count by their beginning."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_the_texts_of_a_file_are_named_only_there():
    """Nor does the core name any but its own, so a file goes with its texts and nobody misses them."""
    owners, everybodys = owners_of_texts(), {"core", "catalog", "cards", "search"}
    beginnings = {key.partition(".")[0] + ".": owner for key, owner in owners.items()}
    shared = {key.partition(".")[0] + "." for key, owner in owners.items() if owner in everybodys}
    strange = []
    for path in [*find(ROOT / "plugins").values(), *(ROOT / "core").rglob("*.py"), *(ROOT / "kie").rglob("*.py")]:
        own = path.relative_to(ROOT / "plugins").with_suffix("").as_posix() if "plugins" in path.parts else None
        for line, name in names_in(path):
            owner = owners.get(name) or (beginnings.get(name) if name not in shared else None)
            if owner and owner not in everybodys and owner != own:
                strange.append(f"{path.relative_to(ROOT)}:{line} {name} of {owner}")
    assert not strange


def test_the_drafts_and_settings_of_a_folder_are_named_only_inside():
    declared, used = {}, []
    for path in find(ROOT / "plugins").values():
        text, own = path.read_text(), Path(folder_of(path)).stem
        declared |= dict.fromkeys(re.findall(r'bot\.setting\(\s*"(\w+)"', text), own)
        declared |= dict.fromkeys(re.findall(r'bot\.step\(\s*"(\w+):', text), own)
        used += [(path, own, name) for name in re.findall(r'drafts\.\w+\([^")]*"(\w+)"', text)]
        used += [
            (path, own, name)
            for name in re.findall(r'settings(?:\.declared)?\["(\w+)"\]|"(\w+)" in \w+\.settings', text)
        ]
    pairs = [(path, own, name if isinstance(name, str) else next(filter(None, name))) for path, own, name in used]
    assert len(pairs) > 40
    assert not [
        f"{path.name}: {name} of {declared[name]}" for path, own, name in pairs if declared.get(name, own) != own
    ]


def test_the_page_of_events_says_what_each_carries():
    """Kinds, docstrings and fields stand in docs/plugins.md as they are in the code."""
    page = (ROOT / "docs" / "plugins.md").read_text()
    for kind, event in event_kinds.KINDS.items():
        carried = ", ".join(f"`{one.name}`" for one in fields(event) if one.name != "id")
        assert f"| `{kind}` | {' '.join(event.__doc__.split())} | {carried} |" in page, kind
    assert len(re.findall(r"^\| `\w+\.\w+` \| .* \| `", page, re.M)) == len(event_kinds.KINDS)


def test_an_event_nobody_knows_stops_the_start(start_bot, monkeypatch, tmp_path):
    source = '"""Listens."""\n\n\ndef register(bot):\n    """Listen."""\n    bot.on("job.succeded", print)\n'
    with pytest.raises(PluginError, match=r"zzz.py, line 6.*no event 'job.succeded'; the nearest is job.succeeded"):
        start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=source))

"""One word per concept: no module, class or public function uses a synonym of a glossary term."""

import ast
import re

import pytest

from tests.kit import ROOT
from tests.test_conventions import FILES

# second word → the word of the glossary (docs/architecture.md)
SECOND = {
    "shelf": "live catalogue", "overlay": "override", "newcomer": "entry builder", "mailbox": "outbox worker",
    "lead": "leadership", "library": "telebot bridge", "lanes": "chat executor",
    "board": "JobEvents", "acts": "audit log", "fact": "event", "facts": "event", "troubles": "error report",
    "stored": "runtime setting", "returns": "refund", "signs": "job health", "hush": "stop listening",
    "strangers": "unknown names", "shop": "catalogue", "wallet": "balance", "cash": "balance", "reserve": "hold",
    "freeze": "hold", "cart": "draft", "purchase": "order", "member": "user", "client": "user",
}  # fmt: skip
# where the word means something else
FINE = {
    "kie.api.client", "kie.api.client.Client",  # of KIE's API
    "kie.stub.facts", "kie.stub.facts.ModelFacts",  # what is known of KIE's models
    "kie.stub.tasks.StoredFile", "kie.stub.faults.Troubles",  # the stub's own
    "storage.base.tables.Fact", "storage.base.tables.FactDone",  # tables keep their names: so do backups
    "storage.base.tables.Stored", "storage.base.tables.Overlay",
}  # fmt: skip


def module_name(path):
    """Return a file's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def words(name):
    """Return the words a name is made of."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def names():
    """Yield (where it stands, its own name) of the modules, classes and public functions of the bot."""
    for path in FILES:
        module = module_name(path)
        if module.startswith(("demo", "storage.migrations")):
            continue
        yield module, module.rpartition(".")[2]
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{module}.{node.name}", node.name


def test_no_name_is_a_second_word():
    wrong = {
        place: f"{word}: say {SECOND[word]}"
        for place, name in names()
        for word in words(name) & SECOND.keys()
        if place not in FINE
    }
    assert not wrong


@pytest.mark.parametrize("name", ["LiveShelf", "close_lanes", "Mailbox"])
def test_a_second_word_is_found_inside_a_name(name):
    assert words(name) & SECOND.keys()

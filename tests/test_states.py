"""States and kinds are defined in one place, `storage/base/states.py`, and stay the strings stored in the rows."""

import ast
import inspect
import re
from enum import StrEnum

import pytest

from storage.base import db, states
from storage.base.db import connection
from storage.base.tables import Job
from storage.money import entry_kinds, ledger
from tests.kit import ROOT

ENUMS = [one for one in vars(states).values() if isinstance(one, type) and issubclass(one, StrEnum) and one != StrEnum]
COLUMNS = {"state", "delivery", "refund"}
FILES = [
    path
    for path in sorted((ROOT / "storage").rglob("*.py"))
    if path.parent.name != "migrations" and path.stem != "states"
]


def strings(node):
    """Return the plain words in an expression; a whole condition in SQL is none."""
    texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return [text for text in texts if text.isidentifier()]


def bare(tree):
    """Yield (line, strings) where a state's column meets plain strings: compared, assigned or written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and getattr(node.left, "attr", "") in COLUMNS:
            yield node.lineno, [text for side in node.comparators for text in strings(side)]
        elif isinstance(node, ast.Call):
            yield node.lineno, [text for one in node.keywords if one.arg in COLUMNS for text in strings(one.value)]
            if getattr(node.func, "attr", "") in ("in_", "not_in") and getattr(node.func.value, "attr", "") in COLUMNS:
                yield node.lineno, [text for one in node.args for text in strings(one)]
            for one in node.keywords:
                if one.arg == "kind" and isinstance(one.value, ast.Constant) and one.value.value in ledger.KINDS:
                    yield node.lineno, [one.value.value]


def test_storage_names_its_states():
    wrong = {
        f"{path.relative_to(ROOT)}:{line}": texts
        for path in FILES
        for line, texts in bare(ast.parse(path.read_text()))
        if texts
    }
    assert not wrong


@pytest.mark.parametrize(
    "code",
    [
        'Job.state == "queued"',
        'Job.state.in_(("running", "lost"))',
        'Job.update(delivery="sent")',
        'ledger.post(1, 2, kind="refund")',
    ],
)
def test_a_bare_state_is_noticed(code):
    assert any(texts for _line, texts in bare(ast.parse(code)))


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_each_state_says_what_it_means(enum):
    source = inspect.getsource(enum)
    for member in enum:
        assert re.search(rf'{member.name} = "{member.value}"  # \S', source), member


def test_a_plain_string_is_as_good(ready_url):
    db.connect(ready_url)
    with connection():
        named = Job.select().where(Job.state.in_(states.OPEN_JOBS)).sql()
        plain = Job.select().where(Job.state.in_(("queued", "submitting", "running", "lost"))).sql()
    db.disconnect()
    assert named == plain and {type(value) for value in named[1]} == {str}
    assert states.JobState.QUEUED == "queued" and f"{states.JobState.QUEUED}" == "queued"


def test_every_kind_of_entry_has_its_shape():
    assert {shape.kind for shape in entry_kinds.SHAPES} == set(states.EntryKind)


def test_the_words_of_the_proof_are_states():
    """The proof is written in SQL: each state it names is one the enum has."""
    known = {member.value for enum in ENUMS for member in enum}
    text = " ".join([shape.state for shape in entry_kinds.SHAPES] + list(entry_kinds.OTHERS.values()))
    named = re.findall(r"\b(?:state|refund) (?:=|<>) '(\w+)'", text)
    listed = re.findall(r"\b(?:state|refund(?:, '')?)\)? IN \(([^)]*)\)", text)
    named += [word for words in listed for word in re.findall(r"'(\w+)'", words)]
    assert len(named) > 30 and set(named) <= known

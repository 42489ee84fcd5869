"""docs/payments.md: its table of pitfalls is whole, and every test that it names is there."""

import ast
import re

from tests.kit import ROOT

PAGE = (ROOT / "docs" / "payments.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| .+ \| .+ \| `(test_\w+\.py)::(test_\w+)` \|$", PAGE, re.MULTILINE)


def test_the_table_has_all_pitfalls_and_every_test_is_there():
    assert [int(number) for number, _file, _test in ROWS] == list(range(1, 43))
    for number, file, test in ROWS:
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (number, file, test)


def test_the_page_names_every_function_of_a_provider():
    from core.services.providers import Order, Provider, Seen

    for kind in (Provider, Order, Seen):
        names = [name for name in (*vars(kind), *getattr(kind, "__dataclass_fields__", ())) if not name.startswith("_")]
        assert not [name for name in names if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE)], kind

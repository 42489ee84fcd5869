"""docs/plugins-reference.md says what the code says."""

from tests import reference


def test_the_reference_is_the_codes():
    found = reference.PATH.read_text(encoding="utf-8")
    assert found == reference.text(), "write it anew: python -m tests.reference"


def test_everything_in_it_says_what_it_is_for():
    empty = [line for line in reference.text().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not empty

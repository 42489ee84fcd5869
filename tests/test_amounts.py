"""Amounts as people type them: parsed to minor units, or rejected."""

import pytest

from core import amounts


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("100", 10_000), ("1 000,50", 100_050), ("0.5", 50), ("12,5", 1250), ("007", 700), ("1.500", 150), (" 10 ", 1000),
     ("1\u00a0000", 100_000), ("1000000000", amounts.MOST)],
)  # fmt: skip
def test_an_amount_is_read_in_minor_units(typed, amount):
    assert amounts.read(typed) == amount


@pytest.mark.parametrize(
    "typed",
    ["1e-9999999", "1e-2", "1e3", "1E2", "0", "0.00", "-5", "+5", "0.001", "1.", ".", "", " ", "ten", "NaN", "inf", "1000000000.01",
     "9" * 100_000, "0" * 100_000, "1,000,50", "0x10", "1_000"],
)  # fmt: skip
def test_what_is_no_amount_above_zero_is_refused(typed):
    assert amounts.read(typed) is None


def test_services_amounts_are_read_and_written_exactly():
    assert [amounts.decimal(one) for one in (1, 10, 19_900, 100_000_001)] == ["0.01", "0.10", "199.00", "1000000.01"]
    read = {"199": 19_900, "199.0": 19_900, "199.00": 19_900, "0.01": 1, "199.5": 19_950, "1.230000": 123}
    assert {text: amounts.minor(text) for text in read} == read
    for text in ("", "-1", "1e3", "1,5", "1.999", "0.001", "NaN", " 1", "1.", ".5", "9" * 16, None, 199, 1.5, "١"):
        assert amounts.minor(text) is None, text

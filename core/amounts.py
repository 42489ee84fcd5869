"""Amounts of money as people type them."""

from decimal import Decimal, InvalidOperation

MOST = 10**11  # minor units


def read(text):
    """Return the minor units of a typed amount (`100`, `1 000,50`), or None if it is no amount above zero."""
    try:  # compared before it is multiplied: 1e999999 is a number, and a hundred times that is none
        amount = Decimal(text.replace(" ", "").replace("\u00a0", "").replace(",", "."))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 < amount <= MOST or amount * 100 % 1:
        return None
    return int(amount * 100)

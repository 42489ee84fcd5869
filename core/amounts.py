"""Amounts of money as people type them."""

import re

MOST = 10**11  # minor units
AMOUNT = re.compile(r"0*(\d{1,12})(?:[.,](\d{1,2})0*)?")  # no signs, no exponents: 1e-9999999 is no amount of anything
SERVICE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,2})0{0,16})?")
SPACES = str.maketrans("", "", " \u00a0\u202f")


def decimal(amount: int) -> str:
    """Return minor units in the format of payment services: `199.00`."""
    return f"{amount // 100}.{amount % 100:02}"


def minor(text: object) -> int | None:
    """Return the minor units of a service's amount, exactly (`199`, `199.0`, `199.00`), or None if it is not one."""
    found = SERVICE.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")[:2]) if found else None


def read(text: str) -> int | None:
    """Return the minor units of a typed amount (`100`, `1 000,50`), or None if it is no amount above zero."""
    found = AMOUNT.fullmatch(text.strip().translate(SPACES))
    if found is None:
        return None
    amount = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    return amount if 0 < amount <= MOST else None

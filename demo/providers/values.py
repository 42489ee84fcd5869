"""Money and time as providers write them: decimal strings, and ISO 8601 in UTC with milliseconds."""

import re
from datetime import UTC, datetime
from decimal import Decimal

PLAIN = re.compile(r"\d{1,15}(\.\d{1,18})?")


def money(amount):
    """Return a Decimal with two places, as "199.00"."""
    return f"{amount:.2f}"


def shortest(amount):
    """Return a Decimal without trailing zeros: "199" for 199.00."""
    return f"{amount.normalize():f}"


def decimal(text):
    """Return a plain positive decimal string as Decimal; raise ValueError for anything else."""
    if not isinstance(text, str) or not PLAIN.fullmatch(text) or not Decimal(text):
        raise ValueError(f"no positive decimal: {text!r}")
    return Decimal(text)


def stamp(seconds):
    """Return seconds since 1970 as "2026-11-02T10:00:00.000Z"."""
    return datetime.fromtimestamp(round(seconds, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text):
    """Return an ISO 8601 time as seconds since 1970; raise ValueError for anything else. Without a zone, UTC is meant."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

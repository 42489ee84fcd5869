"""Reports of unexpected errors, under a short code that a user can quote and an admin can look up."""

import secrets
from datetime import datetime

from storage.base.db import connection, transaction
from storage.base.tables import Trouble

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no two look alike
LENGTH = 6
KEPT, LONGEST = 200, 20_000  # reports, and characters of a reason


def keep(reason: str, now: datetime) -> str:
    """Keep a reason (usually a traceback, without secrets) and return its code; only the newest KEPT stay."""
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    with transaction():
        Trouble.insert(code=code, reason=reason[-LONGEST:], created_at=now).execute()
        newest = Trouble.select(Trouble.code).order_by(Trouble.created_at.desc(), Trouble.code).limit(KEPT)
        Trouble.delete().where(Trouble.code.not_in(newest)).execute()
    return code


def find(code: str) -> Trouble | None:
    """Return the report under a code, in any case and with spaces around it, or None."""
    with connection():
        return Trouble.get_or_none(Trouble.code == code.strip().upper())


def recent(limit: int = 5) -> list[Trouble]:
    """Return the newest reports."""
    with connection():
        return list(Trouble.select().order_by(Trouble.created_at.desc()).limit(limit))

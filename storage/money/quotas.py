"""Rate limits in the database: how often a person may do something, across restarts and copies.

A person is a keyed digest of the Telegram id, so that an erasure does not reset the count; rows are deleted when their
span is over.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from storage.base.db import transaction
from storage.base.tables import Quota, Stored
from storage.journal import runtime_settings

KEY = "QUOTA_KEY"  # the runtime setting with the key of the digests


def take(telegram_id: int, kind: str, most: int, span: timedelta, now: datetime) -> datetime | None:
    """Count one more; return None, or the end of the span if there have been `most` of this kind in it already."""
    person = _digest(telegram_id)
    with transaction():
        Quota.delete().where(Quota.until <= now).execute()
        row = Quota.insert(person=person, kind=kind, count=1, until=now + span)
        more = {"update": {Quota.count: Quota.count + 1}, "where": Quota.count < most}
        terms = {"conflict_target": [Quota.person, Quota.kind], **more}
        if list(row.on_conflict(**terms).returning(Quota.count).tuples().execute()):
            return None
        return Quota.select(Quota.until).where(Quota.person == person, Quota.kind == kind).scalar()


def _new_key() -> str:
    """Create the key, unless another copy has just done so, and return it."""
    row = {"name": KEY, "value": secrets.token_hex(16), "updated_at": datetime.now(UTC)}
    with transaction():
        Stored.insert(**row).on_conflict_ignore().execute()
        key: str = Stored.get_by_id(KEY).value
    runtime_settings.forget()
    return key


def _digest(telegram_id: int) -> str:
    key = runtime_settings.get(KEY) or _new_key()
    return hmac.new(key.encode(), str(telegram_id).encode(), hashlib.sha256).hexdigest()

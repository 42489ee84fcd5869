"""How often a person may do something: counted in rows, so that neither a restart nor another copy begins anew.

A person is a keyed digest of the Telegram id, so that somebody who has their data erased and comes back is not another
one; a row goes when its time is over.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from storage.base.db import transaction
from storage.base.tables import Quota, Stored
from storage.journal import runtime_settings

KEY = "QUOTA_KEY"  # the stored row: what the digests are made with


def take(telegram_id, kind, most, span, now):
    """Count one more of a kind; return None, or, when there were `most` in this `span` already, when it is over."""
    person = _digest(telegram_id)
    with transaction():
        Quota.delete().where(Quota.until <= now).execute()
        row = Quota.insert(person=person, kind=kind, count=1, until=now + span)
        more = {"update": {Quota.count: Quota.count + 1}, "where": Quota.count < most}
        terms = {"conflict_target": [Quota.person, Quota.kind], **more}
        if list(row.on_conflict(**terms).returning(Quota.count).tuples().execute()):
            return None
        return Quota.select(Quota.until).where(Quota.person == person, Quota.kind == kind).scalar()


def _digest(telegram_id):
    key = runtime_settings.get(KEY)
    if key is None:
        row = {"name": KEY, "value": secrets.token_hex(16), "updated_at": datetime.now(UTC)}
        with transaction():
            Stored.insert(**row).on_conflict_ignore().execute()
        runtime_settings.forget()
        key = runtime_settings.get(KEY)
    return hmac.new(key.encode(), str(telegram_id).encode(), hashlib.sha256).hexdigest()

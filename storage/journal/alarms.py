"""Alarms: one message for each cause, not one for each event.

A cause is reported when it is new, when it comes back after an hour without events, and once a day while it lasts.
"""

from datetime import datetime, timedelta
from typing import Any

from storage.base.db import connection, transaction
from storage.base.tables import Alarm
from storage.journal import runtime_settings

QUIET = timedelta(hours=1)
AGAIN = timedelta(days=1)
HOURS = "QUIET_HOURS"  # the runtime setting


def ring(cause: str, text: str, values: dict[str, Any], now: datetime) -> bool:
    """Count an event of a cause; return whether it is to be reported."""
    row = dict(cause=cause, text=text, values=values, count=1, since=now, last_at=now)
    quiet, old = Alarm.last_at <= now - QUIET, Alarm.since <= now - AGAIN
    with transaction():
        if Alarm.update(count=Alarm.count + 1, last_at=now).where(Alarm.cause == cause, ~(quiet | old)).execute():
            return False
        fresh = [Alarm.text, Alarm.values, Alarm.count, Alarm.since, Alarm.last_at]
        rung = Alarm.insert(**row).on_conflict(conflict_target=[Alarm.cause], preserve=fresh, where=quiet | old)
        return bool(list(rung.returning(Alarm.cause).tuples().execute()))


def recent(since: datetime, limit: int = 8) -> list[Alarm]:
    """Return the causes with an event since a time, latest first."""
    with connection():
        return list(Alarm.select().where(Alarm.last_at >= since).order_by(Alarm.last_at.desc()).limit(limit))


def audible_at(now: datetime) -> datetime:
    """Return when an alarm may be sent: now, or at the end of the quiet hours.

    QUIET_HOURS is stored as `23 8 180`: from and to (hours of the day), and the offset in minutes east of UTC.
    """
    hours = runtime_settings.get(HOURS)
    if not hours:
        return now
    start, end, offset = map(int, hours.split())
    local = now + timedelta(minutes=offset)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if (local.hour - start) % 24 >= (end - start) % 24:
        return now
    ends = midnight + timedelta(hours=end)
    return (ends if ends > local else ends + timedelta(days=1)) - timedelta(minutes=offset)

"""Cleanup: every hour, rows that are no longer needed are deleted.

Messages that were sent, updates and reasons that were set aside, letters somebody has, alarms that are over, recipients
of broadcasts (the sums stay). Money, orders, people and everything that is open stay.
Setting: DONE_DAYS, for how many days they are kept.
"""

import logging
from datetime import timedelta

log = logging.getLogger(__name__)


def register(bot):
    """Declare the setting and the hourly tidying."""
    bot.setting("DONE_DAYS", int, default=7, minimum=1)
    bot.every(3600, "tidy", tidy)


def tidy(bot, now):
    """Remove what was done DONE_DAYS ago."""
    gone = bot.tidy.sweep(now - timedelta(days=bot.settings["DONE_DAYS"]))
    if gone:
        log.info("done and removed: %s", ", ".join(f"{table} {count}" for table, count in gone.items()))

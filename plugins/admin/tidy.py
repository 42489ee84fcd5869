"""Cleanup: every hour, rows that are no longer needed are deleted.

That is messages sent, updates and reasons set aside, letters that were passed on, past alarms, recipients of broadcasts
(the totals stay). Money, orders, people and everything open stay.
Setting: DONE_DAYS, for how many days they are kept.
"""

import logging
from datetime import timedelta

log = logging.getLogger(__name__)


def register(bot):
    """Declare the setting and the hourly cleanup."""
    bot.setting("DONE_DAYS", int, default=7, minimum=1)
    bot.every(3600, "tidy", tidy)


def tidy(bot, now):
    """Delete what was done more than DONE_DAYS ago."""
    gone = bot.tidy.sweep(now - timedelta(days=bot.settings["DONE_DAYS"]))
    if gone:
        log.info("done and removed: %s", ", ".join(f"{table} {count}" for table, count in gone.items()))

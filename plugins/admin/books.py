"""The books by themselves: every minute what is sealed is summed by the hour, every six hours what is new is proven.

Without this file the figures stay the same, and take longer. A proof that fails is told to the staff at once.
Texts: books.* in data/texts/<lang>/admin/books.po.
"""

import logging

log = logging.getLogger(__name__)


def register(bot):
    """Declare the periodic work."""
    bot.every(60, "closings", lambda bot, now: bot.closings.close(now))
    bot.every(6 * 3600, "proof", prove)


def prove(bot, now):
    """Prove what is new since the last proof, the first time everything; tell the staff what is broken."""
    findings, since = bot.verify.prove(now)
    if findings:
        lines = "\n".join(f"{promise}: {row}" for promise, row in findings[:5])
        bot.alert("books.broken", cause="books", lines=lines)
        log.error("the books do not balance: %s", lines)
    else:
        log.info("the books are right, proven since %s", f"seal {since.id}" if since else "their beginning")

"""Rate limits for a person: a flood of messages (in memory), and what costs the staff time (in rows).

A flood of messages gets one polite warning, then silence for a while: the one exception to "never silent". Taps are
still answered and payments are always handled; only messages are counted here.
Setting: FLOOD_MESSAGES, messages a person may send in ten seconds.

What costs the staff time, or could be found out by guessing, has its own limit in the database (`count`), and so have
refusals in a group (`may_refuse`), where a flood is met with silence.
"""

import collections
import threading
from datetime import timedelta

from core.errors import UserError
from storage.money import quotas

WINDOW_S = 10
SILENCE_S = 30
KEPT = 10_000  # people remembered; beyond this, those silent for longest are forgotten


class Flood:
    """Counts the latest messages of each person."""

    def __init__(self, limit):
        self._limit = limit
        self._seen = collections.OrderedDict()  # person → [start of the window, messages in it, silent until]
        self._guard = threading.Lock()

    def check(self, person, now_s):
        """Count a message; return "ok", "warn" (say so once) or "silent"."""
        with self._guard:
            found = self._seen.setdefault(person, [now_s, 0, 0.0])
            self._seen.move_to_end(person)
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            if now_s < found[2]:
                return "silent"
            if now_s - found[0] >= WINDOW_S:
                found[0], found[1] = now_s, 0
            found[1] += 1
            if found[1] <= self._limit:
                return "ok"
            found[0], found[1], found[2] = now_s + SILENCE_S, 0, now_s + SILENCE_S
            return "warn"


def count(ctx, kind, most, span):
    """Count one more of what a person may do `most` times in a `span`; raise a UserError with the wait beyond that."""
    over = quotas.take(ctx.user.telegram_id, kind, most, span, ctx.now)
    if over is not None:
        minutes = max(1, -(-int((over - ctx.now).total_seconds()) // 60))
        raise UserError("common.too_often", buttons=ctx.bot.home(), minutes=minutes)


def may_refuse(ctx):
    """Return whether a group may be told that something cannot be done there: once an hour, whoever asks."""
    return quotas.take(ctx.chat_id, "refusal", 1, timedelta(hours=1), ctx.now) is None

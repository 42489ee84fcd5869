"""What rehearsals have spent, and what the last one has left to clean up: a file that outlives a kill.

Whatever may cost something is written down before the call, at the most it can cost; what it did cost replaces that
afterwards. So a rehearsal that was killed, and starts again, counts what the earlier one may have spent. Only one
rehearsal at a time runs on a data directory.
"""

import json
import os
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import portalocker

from storage.base.db import private_file, private_folder

CEILING = Decimal(10)  # credits within a day
DAY = timedelta(days=1)
NAME, LOCK = "rehearsal-journal.json", "rehearsal.lock"


class Busy(Exception):
    """A rehearsal is under way."""


class CeilingReached(Exception):
    """The call could cost more than is left below the ceiling; nothing was spent."""


class Journal:
    """The open journal of a data directory; close it at the end."""

    def __init__(self, folder, clock):
        private_folder(folder)
        self._path, self._clock = Path(folder) / NAME, clock
        self._lock = open(Path(folder) / LOCK, "a", opener=private_file)  # noqa: SIM115, open as long as the journal
        try:
            portalocker.lock(self._lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.LockException:
            self._lock.close()
            raise Busy from None
        self._kept = {"spent": [], "messages": [], "webhook": ""}
        with suppress(FileNotFoundError):
            self._kept |= json.loads(self._path.read_text(encoding="utf-8"))
        self.began = len(self._recent())

    def close(self):
        """Let another rehearsal begin."""
        portalocker.unlock(self._lock)
        self._lock.close()

    def intend(self, name, credits):
        """Write down that a call may cost this much; raise CeilingReached if that could pass the ceiling."""
        if self.spent() + credits > CEILING:
            raise CeilingReached
        row = {"at": self._clock.now().isoformat(), "name": name, "credits": str(credits), "known": False}
        self._change(spent=[*self._recent(), row])

    def settle(self, name, credits):
        """Write down what the newest call of this name has cost."""
        rows = [dict(row) for row in self._kept["spent"]]
        row = next((row for row in reversed(rows) if row["name"] == name and not row["known"]), None)
        if row is not None:
            row |= {"credits": str(credits), "known": True}
            self._change(spent=rows)

    def spent(self):
        """Return the credits that rehearsals have spent within a day, or may have spent."""
        return sum((Decimal(row["credits"]) for row in self._recent()), Decimal(0))

    def spent_now(self):
        """Return what this rehearsal has spent, or may have spent."""
        return sum((Decimal(row["credits"]) for row in self._recent()[self.began :]), Decimal(0))

    def _recent(self):
        since = self._clock.now() - DAY
        return [row for row in self._kept["spent"] if datetime.fromisoformat(row["at"]) > since]

    @property
    def messages(self):
        """Return the messages that are still to be deleted, each [chat id, message id]."""
        return list(self._kept["messages"])

    def note_message(self, chat_id, message_id):
        """Write down a message that has to be deleted."""
        self._change(messages=[*self._kept["messages"], [chat_id, message_id]])

    def drop_message(self, chat_id, message_id):
        """Forget a message that was deleted."""
        self._change(messages=[one for one in self._kept["messages"] if one != [chat_id, message_id]])

    @property
    def webhook(self):
        """Return the address that was given to setWebhook, and is still to be taken back."""
        return self._kept["webhook"]

    def note_webhook(self, address):
        """Write down, before the call, that the webhook is being set; with nothing, that it was taken back."""
        self._change(webhook=address)

    def _change(self, **parts):
        self._kept |= parts
        fresh = self._path.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8", opener=private_file) as stream:
            json.dump(self._kept, stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._path)

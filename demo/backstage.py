"""What the page may see and do behind the bot: a person's money, and plugins reloaded when they are saved.

Whoever starts both hands over the bot; nothing here imports it, and the page works without it.
"""

import threading
import time
from datetime import UTC, datetime

ENTRIES = 50  # of a person's ledger, newest first
LOOK_S = 0.3  # between two checks of the plugins' files


class Backstage:
    """The page's access to the bot; `reloader` (see reload.py) exists only with `--reload`."""

    def __init__(self):
        self.runtime = self.reloader = None
        self.clock = MovedClock()
        self.leave = lambda: None  # called when the bot ends, which takes the process and the page's server with it

    @property
    def problems(self):
        """Why plugins do not load, one text each; empty if all is well."""
        return list(self.reloader.problems.values()) if self.reloader else []

    @property
    def bot(self):
        """The bot while it runs, else None."""
        return self.runtime and self.runtime.bot

    def enter(self, runtime, plugins, texts):
        """Take over the running bot; with a reloader, watch the folders of its plugins and texts until it stops."""
        self.runtime = runtime
        runtime.bot.on_stop(lambda bot: self.leave())
        if self.reloader:
            self.reloader.watch(runtime, plugins, texts, self.bot.settings["PLUGINS_OFF"])
            threading.Thread(target=self._watch, name="reload", daemon=True).start()

    def _watch(self):
        known = self._newest_report()
        while not self.bot.status.stopping.wait(LOOK_S):
            self.reloader.step()
            if (newest := self._newest_report()) != known:
                known = newest
                self.reloader.failed(*newest)

    def _newest_report(self):
        """Return (code, last line) of the newest error report, or None."""
        rows = self.bot.error_reports.recent(1)
        return (rows[0].code, rows[0].reason.strip().splitlines()[-1]) if rows else None

    def ledger(self, telegram_id):
        """Return a person's books: `{"currency", "balance", "on_hold", "entries"}`, amounts in minor units."""
        user = self.bot.users.by_telegram_id(telegram_id) if self.bot else None
        if user is None:
            return {"currency": "", "balance": 0, "on_hold": 0, "entries": []}
        funds = self.bot.jobs.funds(user.id)
        return {
            "currency": self.bot.settings["CURRENCY"],
            "balance": funds.balance,
            "on_hold": funds.held,
            "entries": [shown(entry) for entry in self.bot.ledger.entries(user.id, limit=ENTRIES)],
        }


class MovedClock:
    """The bot's clock in the demo: the real time, moved ahead with Telegram's, and never back: its books are in order."""

    def __init__(self):
        self._ahead_s = 0.0

    def move(self, now_s):
        """Be at least at `now_s` (seconds since 1970)."""
        self._ahead_s = max(self._ahead_s, now_s - time.time())

    def now(self):
        """Return the aware UTC time."""
        return datetime.fromtimestamp(time.time() + self._ahead_s, UTC)

    def monotonic(self):
        """Return seconds that never go backwards, nor ahead with the clock."""
        return time.monotonic()

    def sleep(self, seconds):
        """Block the calling thread for some seconds."""
        time.sleep(seconds)


def shown(entry):
    """Return one movement of money as the page shows it; `at` is in seconds since 1970."""
    return {
        "at": entry.created_at.timestamp(),
        "kind": entry.kind,
        "amount": entry.amount,
        "key": entry.key,
        "reason": entry.reason,
    }

"""What the page may look up in the bot behind it: a person's money, and plugins that do not load.

The bot is handed over by whoever starts both; nothing here imports it, and without it the page goes without.
"""

ENTRIES = 50  # of a person's ledger, newest first


class Backstage:
    """The page's window into the bot. `problems` is a list of `{"plugin", "text"}`, empty when all is well."""

    def __init__(self):
        self.bot = None
        self.problems = []

    def ledger(self, telegram_id):
        """Return a person's books: `{"currency", "balance", "on_hold", "entries"}`, amounts in minor units."""
        user = self.bot.users.by_telegram_id(telegram_id) if self.bot else None
        if user is None:
            return {"currency": "", "balance": 0, "on_hold": 0, "entries": []}
        return {
            "currency": self.bot.settings["CURRENCY"],
            "balance": self.bot.ledger.balance(user.id),
            "on_hold": self.bot.jobs.on_hold(user.id),
            "entries": [shown(entry) for entry in self.bot.ledger.entries(user.id, limit=ENTRIES)],
        }


def shown(entry):
    """Return one movement of money as the page shows it; `at` is in seconds since 1970."""
    more = {name: getattr(entry, name) for name in ("id", "kind", "amount", "key", "ref", "reason")}
    return {"at": entry.created_at.timestamp(), **more}

"""Peewee without PostgreSQL's driver, for a bot on SQLite: 12 MB less.

Peewee imports the driver wherever it is installed, so it has to be imported here before anything else imports it; who
imports the driver itself afterwards gets it.
"""

import importlib
import sys
from collections.abc import Iterable


def leave_out_unless_named(words: Iterable[str]) -> None:
    """Import Peewee without the driver, unless one of the words (settings, arguments) is PostgreSQL's address."""
    if any(word.strip().startswith("postgres") for word in words):
        return
    sys.modules["psycopg"] = None  # type: ignore[assignment]  # an import fails then, as if it were not installed
    importlib.import_module("playhouse.migrations")  # which imports all of it
    del sys.modules["psycopg"]

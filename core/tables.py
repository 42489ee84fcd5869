"""What a plugin needs for a table of its own: the base class, the columns, and a transaction."""

from storage.db import IdField, Table, UtcField, transaction
from storage.tables import User

__all__ = ["IdField", "Table", "User", "UtcField", "transaction"]

"""What a plugin needs for a table of its own: the base class, the columns, and blocks to read and write in."""

from storage.base.db import IdField, JSONField, Table, TextField, UtcField, connection, transaction
from storage.base.tables import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, User, fn

__all__ = [
    "BigIntegerField", "BooleanField", "ForeignKeyField", "IdField", "IntegerField", "JSONField", "Table", "TextField",
    "User", "UtcField", "connection", "fn", "transaction",
]  # fmt: skip

"""The first schema."""

from storage.tables import TABLES


def up(migrator, db):
    """Create every table, and the index that allows one waiting request a user."""
    db.create_tables(TABLES)
    db.execute_sql("CREATE UNIQUE INDEX top_up_one_pending ON top_up (user_id) WHERE state = 'pending'")

"""A broadcast may wait for its time: `send_at`."""

from peewee import SqliteDatabase


def up(migrator, db):
    """Add the column, empty: all earlier broadcasts were sent at once."""
    kind = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    db.execute_sql(f"ALTER TABLE broadcast ADD COLUMN send_at {kind}")

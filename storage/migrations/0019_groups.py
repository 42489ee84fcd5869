"""An order may be made in a group: `chat_id` says where its result goes, `reply_to` and `thread_id` where in that chat."""

from peewee import SqliteDatabase

COLUMNS = ("chat_id", "reply_to", "thread_id")


def up(migrator, db):
    """Add the columns, empty: all earlier orders are of private chats."""
    kind = "INTEGER" if isinstance(db, SqliteDatabase) else "BIGINT"
    for column in COLUMNS:
        db.execute_sql(f"ALTER TABLE job ADD COLUMN {column} {kind}")

"""A job may be a question to a chat model: `topic` is the first question of its conversation."""

from peewee import SqliteDatabase

STATEMENTS = (
    "ALTER TABLE job ADD COLUMN topic BIGINT",
    "CREATE INDEX job_topic ON job (topic) WHERE topic IS NOT NULL",
)


def up(migrator, db):
    """Add the column, empty, and its index."""
    for statement in STATEMENTS:
        db.execute_sql(statement.replace("BIGINT", "INTEGER") if isinstance(db, SqliteDatabase) else statement)

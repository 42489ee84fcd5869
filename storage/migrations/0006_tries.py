"""Tries at an order are counted before they are made, and what KIE takes is compared with what it should."""

from peewee import SqliteDatabase

STATEMENTS = (
    "ALTER TABLE job ADD COLUMN refusals SMALLINT NOT NULL DEFAULT 0",
    "ALTER TABLE job ADD COLUMN expected BIGINT",
    "ALTER TABLE job ADD COLUMN overrun BIGINT",
    "UPDATE job SET refusals = tries, tries = 0 WHERE state IN ('queued', 'submitting')",
    "UPDATE job SET deadline_at = submit_at + 7200000000 WHERE state = 'queued' AND deadline_at IS NULL",  # two hours
)


def up(migrator, db):
    """Add the columns; an order that waits has two hours from now on, or from when it may be sent."""
    for statement in STATEMENTS:
        db.execute_sql(
            statement.replace("BIGINT", "INTEGER").replace("SMALLINT", "INTEGER")
            if isinstance(db, SqliteDatabase)
            else statement
        )

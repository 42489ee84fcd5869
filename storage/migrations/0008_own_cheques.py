"""Acts that pay who did them, codes that wait for a second person, and the version a broadcast's button confirms."""

from peewee import SqliteDatabase

STATEMENTS = (
    "ALTER TABLE act ADD COLUMN own BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE promo ADD COLUMN waits BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE broadcast ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
)


def up(migrator, db):
    """Add the columns: no act so far was such a one, no code waits."""
    for statement in STATEMENTS:
        db.execute_sql(statement.replace("BOOLEAN", "INTEGER") if isinstance(db, SqliteDatabase) else statement)

"""Claims, so that several copies can share the work: who has an update or a running order in hand, and until when."""

from peewee import SqliteDatabase

STATEMENTS = (
    "ALTER TABLE inbox ADD COLUMN claimed_by TEXT",
    "ALTER TABLE inbox ADD COLUMN lease_until BIGINT",
    "CREATE INDEX inbox_lane_update_id ON inbox (lane, update_id)",
    "ALTER TABLE job ADD COLUMN claimed_by TEXT",
    "ALTER TABLE job ADD COLUMN lease_until BIGINT",
)


def up(migrator, db):
    """Add the columns, empty: nothing is claimed."""
    for statement in STATEMENTS:
        db.execute_sql(statement.replace("BIGINT", "INTEGER") if isinstance(db, SqliteDatabase) else statement)

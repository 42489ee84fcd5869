"""Free orders are counted for the whole bot, too: a row for each day, and which of them has counted an order."""

STATEMENTS = (
    "CREATE TABLE free_day (day TEXT NOT NULL PRIMARY KEY, runs INTEGER NOT NULL CHECK (runs >= 0))",
    "ALTER TABLE free_run ADD COLUMN counted_on TEXT",
)


def up(migrator, db):
    """Make the table, empty, and the column."""
    for statement in STATEMENTS:
        db.execute_sql(statement)

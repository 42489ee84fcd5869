"""What people write to the staff waits as a row until somebody has it; a broadcast has its buttons and, later, its sums."""

from peewee import SqliteDatabase

IN_SQLITE = {
    "BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "BIGINT": "INTEGER",
    "JSONB": "TEXT",
}
STATEMENTS = (
    """
    CREATE TABLE letter (
        id BIGSERIAL NOT NULL PRIMARY KEY,
        user_id BIGINT NOT NULL,
        about TEXT NOT NULL,
        words TEXT NOT NULL,
        media JSONB,
        state TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        FOREIGN KEY (user_id) REFERENCES "user" (id)
    )""",
    "CREATE INDEX letter_user_id ON letter (user_id)",
    "CREATE INDEX letter_state_created_at ON letter (state, created_at)",
    "ALTER TABLE broadcast ADD COLUMN links JSONB",
    "ALTER TABLE broadcast ADD COLUMN totals JSONB",
)


def up(migrator, db):
    """Make the table and the columns."""
    for statement in STATEMENTS:
        if isinstance(db, SqliteDatabase):
            for word, other in IN_SQLITE.items():
                statement = statement.replace(word, other)
        db.execute_sql(statement)

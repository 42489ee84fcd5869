"""Sales of plugins' own, each with its entry (`storage/money/sales.py`)."""

from peewee import SqliteDatabase

IN_SQLITE = {"BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "BIGINT": "INTEGER"}
SCHEMA = """
CREATE TABLE sale (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    what TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    returned_at BIGINT,
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX sale_user_id ON sale (user_id);
CREATE UNIQUE INDEX sale_key ON sale (key)
"""


def up(migrator, db):
    """Make the table, empty."""
    for statement in SCHEMA.split(";"):
        if isinstance(db, SqliteDatabase):
            for word, theirs in IN_SQLITE.items():
                statement = statement.replace(word, theirs)
        db.execute_sql(statement)

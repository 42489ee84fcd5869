"""The operator's own words, set in the chat (`storage/journal/own_texts.py`)."""

from peewee import SqliteDatabase

TABLE = """CREATE TABLE own_text (
    lang TEXT NOT NULL,
    key TEXT NOT NULL,
    text TEXT,
    former TEXT,
    version INTEGER NOT NULL,
    actor_id BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (lang, key),
    FOREIGN KEY (actor_id) REFERENCES "user" (id)
)"""
INDEX = "CREATE INDEX own_text_actor_id ON own_text (actor_id)"


def up(migrator, db):
    """Make the table, empty."""
    for statement in (TABLE, INDEX):
        db.execute_sql(statement.replace("BIGINT", "INTEGER") if isinstance(db, SqliteDatabase) else statement)

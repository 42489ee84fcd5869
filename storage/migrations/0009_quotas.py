"""Quotas: how often a person has done something in the time that runs (`storage/money/quotas.py`)."""

from peewee import SqliteDatabase

TABLE = """CREATE TABLE quota (
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (person, kind)
)"""
INDEX = "CREATE INDEX quota_until ON quota (until)"


def up(migrator, db):
    """Make the table, empty."""
    for statement in (TABLE, INDEX):
        db.execute_sql(statement.replace("BIGINT", "INTEGER") if isinstance(db, SqliteDatabase) else statement)

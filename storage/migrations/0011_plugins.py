"""What plugins keep: values under a name, and rows of tables whose plugin is not there (`storage/base/plugin_tables.py`)."""

from peewee import SqliteDatabase

IN_SQLITE = {
    "BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "BIGINT": "INTEGER",
    "JSONB": "TEXT",
}
SCHEMA = """
CREATE TABLE kept_value (
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    person BIGINT NOT NULL,
    value JSONB,
    PRIMARY KEY (plugin, name, person)
);
CREATE INDEX kept_value_person ON kept_value (person);

CREATE TABLE parked (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    cells JSONB NOT NULL
);
CREATE INDEX parked_origin ON parked (origin)
"""


def up(migrator, db):
    """Make both, empty."""
    for statement in SCHEMA.split(";"):
        if isinstance(db, SqliteDatabase):
            for word, theirs in IN_SQLITE.items():
                statement = statement.replace(word, theirs)
        db.execute_sql(statement)

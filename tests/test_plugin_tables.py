"""A plugin's own table: created, later migrated, rejected when it is newer than the plugin."""

import pytest
from peewee import DatabaseError, IntegerField, TextField

from storage.base import db, schema
from storage.base.db import IdField, Table


class Note(Table):
    """A table as some plugin has it."""

    id = IdField()
    text = TextField()

    class Meta:
        table_name = "plugin_note"


def colour(migrator):
    """Add a column."""
    return [migrator.add_column("plugin_note", "colour", IntegerField(default=7))]


@pytest.fixture
def opened(ready_url):
    """An empty database with the core's tables."""
    db.connect(ready_url)
    yield
    db.disconnect()


def test_a_plugins_table_is_made_once_and_then_migrated(opened):
    assert schema.adopt(Note) == 1
    with db.connection():
        Note.create(text="kept")
    assert schema.adopt(Note, [colour]) == 2
    assert schema.adopt(Note, [colour]) == 2
    with db.connection() as connection:
        assert connection.execute_sql("SELECT text, colour FROM plugin_note").fetchall() == [("kept", 7)]


def test_a_table_of_a_newer_plugin_is_refused(opened):
    schema.adopt(Note, [colour])
    with pytest.raises(schema.NewerSchema, match="version 2"):
        schema.adopt(Note)


def spoilt(migrator):
    """Add a column, then do what no database can."""
    return [*colour(migrator), migrator.add_column("no_such_table", "x", IntegerField(default=0))]


def test_a_migration_that_fails_leaves_the_table_as_it_was_and_can_be_tried_again(opened):
    schema.adopt(Note)
    with db.connection():
        Note.create(text="kept")
    with pytest.raises(DatabaseError):
        schema.adopt(Note, [spoilt])
    with db.connection() as connection:
        assert [column.name for column in connection.get_columns("plugin_note")] == ["id", "text"]
    assert schema.adopt(Note, [colour]) == 2
    with db.connection() as connection:
        assert connection.execute_sql("SELECT text, colour FROM plugin_note").fetchall() == [("kept", 7)]

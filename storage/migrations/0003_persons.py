"""Persons: what there is once a person is counted under a keyed hash of the Telegram id, which outlives an erasure."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from peewee import SqliteDatabase

IN_SQLITE = {"BIGINT": "INTEGER", "BOOLEAN": "INTEGER"}
STATEMENTS = """
CREATE TABLE person (
    hash TEXT NOT NULL PRIMARY KEY,
    banned BOOLEAN NOT NULL,
    sales_paused BOOLEAN NOT NULL
);
CREATE TABLE once (
    person_id TEXT NOT NULL,
    what TEXT NOT NULL,
    PRIMARY KEY (person_id, what),
    FOREIGN KEY (person_id) REFERENCES person (hash)
);
CREATE INDEX once_person_id ON once (person_id);
ALTER TABLE "user" ADD COLUMN person TEXT REFERENCES person (hash);
CREATE INDEX user_person ON "user" (person);
ALTER TABLE charge ADD COLUMN payer BIGINT
"""
GIFTS = """
INSERT INTO once (person_id, what)
SELECT DISTINCT u.person, 'gift' FROM "user" u JOIN entry e ON e.user_id = u.id
WHERE e.kind = 'gift' AND u.person IS NOT NULL"""


def up(migrator, db):
    """Make the tables and fill them with the people there are; whoever was erased before is nobody's account."""
    for statement in STATEMENTS.split(";\n"):
        for word, ours in IN_SQLITE.items() if isinstance(db, SqliteDatabase) else ():
            statement = statement.replace(word, ours)
        db.execute_sql(statement)
    people = db.execute_sql(
        'SELECT id, telegram_id, banned, sales_paused FROM "user" WHERE telegram_id IS NOT NULL'
    ).fetchall()
    if people:  # an empty database makes its key with the first person, and stays empty until then
        _know(db, people)
        db.execute_sql(GIFTS)


def _know(db, people):
    key, mark, cursor = secrets.token_bytes(32), db.param, db.cursor()
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    db.execute_sql(
        f"INSERT INTO stored (name, value, updated_at) VALUES ({mark}, {mark}, {mark})", ("PERSON_KEY", key.hex(), now)
    )
    hashes = {number: hmac.new(key, str(theirs).encode(), hashlib.sha256).hexdigest() for number, theirs, *_ in people}
    cursor.executemany(
        f"INSERT INTO person (hash, banned, sales_paused) VALUES ({mark}, {mark}, {mark})",
        [(hashes[number], banned, paused) for number, _theirs, banned, paused in people],
    )
    cursor.executemany(
        f'UPDATE "user" SET person = {mark} WHERE id = {mark}', [(hashes[number], number) for number, *_ in people]
    )

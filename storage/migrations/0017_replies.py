"""Which message shows which result, and which order was made from which result.

What was delivered before can be replied to as well: `job.sent` has the messages.
"""

import json

from peewee import SqliteDatabase

SCHEMA = """
CREATE TABLE revision (
    job_id BIGINT NOT NULL PRIMARY KEY,
    root_id BIGINT NOT NULL,
    parent_id BIGINT NOT NULL,
    part SMALLINT NOT NULL,
    number INTEGER CHECK (number > 1),
    FOREIGN KEY (job_id) REFERENCES job (id),
    FOREIGN KEY (root_id) REFERENCES job (id),
    FOREIGN KEY (parent_id) REFERENCES job (id)
);
CREATE INDEX revision_root_id ON revision (root_id);
CREATE INDEX revision_parent_id ON revision (parent_id);
CREATE UNIQUE INDEX revision_root_id_number ON revision (root_id, number);
CREATE TABLE result_message (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    job_id BIGINT NOT NULL,
    part SMALLINT,
    PRIMARY KEY (chat_id, message_id),
    FOREIGN KEY (user_id) REFERENCES "user" (id),
    FOREIGN KEY (job_id) REFERENCES job (id)
);
CREATE INDEX result_message_user_id ON result_message (user_id);
CREATE INDEX result_message_job_id ON result_message (job_id)
"""


SENT = """
    SELECT j.id, j.user_id, u.telegram_id, j.sent, j.result FROM job j JOIN "user" u ON u.id = j.user_id
    WHERE j.sent IS NOT NULL AND j.result IS NOT NULL AND j.delivery IS NOT NULL AND u.telegram_id IS NOT NULL"""
INSERT = "INSERT INTO result_message (chat_id, message_id, user_id, job_id, part) VALUES (?, ?, ?, ?, ?)"
AGAIN = " ON CONFLICT DO NOTHING"


def up(migrator, db):
    """Make the tables, with the messages of earlier deliveries."""
    is_sqlite = isinstance(db, SqliteDatabase)
    for statement in SCHEMA.split(";"):
        if is_sqlite:
            statement = statement.replace("BIGINT", "INTEGER").replace("SMALLINT", "INTEGER")
        db.execute_sql(statement)
    insert = (INSERT if is_sqlite else INSERT.replace("?", "%s")) + AGAIN
    for job, user, chat, sent, result in db.execute_sql(SENT).fetchall():
        count = len(_plain(result).get("urls") or ()) or 1
        for place, message in enumerate(_plain(sent)):
            if "message_id" in message:
                part = place if place < count else None
                db.execute_sql(insert, (chat, message["message_id"], user, job, part))


def _plain(value):
    """Return JSON as a value; the drivers differ in whether they have read it already."""
    return json.loads(value) if isinstance(value, str) else value

"""Closings: sums of the entries and of the orders that ended, by the quarter of an hour (`storage/money/closings.py`); and their indexes.

The tables stay empty: the leader sums what there is already, a piece at a time, while the bot works.
"""

from peewee import SqliteDatabase

IN_SQLITE = {"BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "BIGINT": "INTEGER"}
SCHEMA = """
CREATE TABLE closing (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    entry BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE TABLE entry_sum (
    quarter INTEGER NOT NULL,
    kind TEXT NOT NULL,
    closing_id BIGINT NOT NULL,
    entries INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (quarter, kind, closing_id),
    FOREIGN KEY (closing_id) REFERENCES closing (id)
);
CREATE INDEX entry_sum_closing_id ON entry_sum (closing_id);
CREATE TABLE order_sum (
    quarter INTEGER NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    closing_id BIGINT NOT NULL,
    orders INTEGER NOT NULL,
    charged BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    PRIMARY KEY (quarter, model, state, closing_id),
    FOREIGN KEY (closing_id) REFERENCES closing (id)
);
CREATE INDEX order_sum_closing_id ON order_sum (closing_id);
CREATE TABLE outcome_sum (
    quarter INTEGER NOT NULL,
    closing_id BIGINT NOT NULL,
    ended INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    charged BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    overruns INTEGER NOT NULL,
    overrun BIGINT NOT NULL,
    times TEXT NOT NULL,
    PRIMARY KEY (quarter, closing_id),
    FOREIGN KEY (closing_id) REFERENCES closing (id)
);
CREATE INDEX outcome_sum_closing_id ON outcome_sum (closing_id);
CREATE INDEX entry_credit ON entry (created_at, user_id) WHERE kind IN ('topup', 'stars') AND amount > 0;
CREATE INDEX job_wasted ON job (finished_at) WHERE state <> 'succeeded' AND cost > 0;
CREATE INDEX job_wasted_made ON job (created_at) WHERE state <> 'succeeded' AND cost > 0;
CREATE INDEX user_created_at ON "user" (created_at)
"""


def up(migrator, db):
    """Make the tables, empty, and the indexes."""
    for statement in SCHEMA.split(";"):
        if isinstance(db, SqliteDatabase):
            for word, theirs in IN_SQLITE.items():
                statement = statement.replace(word, theirs)
        db.execute_sql(statement)

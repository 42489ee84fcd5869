"""Payments by providers and their refunds (`storage/money/provider_payments.py`)."""

from peewee import SqliteDatabase

IN_SQLITE = {
    "BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "BIGINT": "INTEGER",
    "BOOLEAN": "INTEGER",
    "JSONB": "TEXT",
}
SCHEMA = """
CREATE TABLE provider_payment (
    topup_id BIGINT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    way TEXT NOT NULL,
    test BOOLEAN NOT NULL,
    currency TEXT NOT NULL,
    tag TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    external_id TEXT,
    url TEXT,
    state TEXT NOT NULL,
    trouble TEXT,
    received BIGINT,
    said TEXT,
    details JSONB,
    listed BOOLEAN NOT NULL,
    screen BIGINT,
    looks INTEGER NOT NULL,
    looked_at BIGINT,
    look_at BIGINT,
    expires_at BIGINT NOT NULL,
    paid_at BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (topup_id) REFERENCES top_up (id)
);
CREATE UNIQUE INDEX provider_payment_key ON provider_payment (key);
CREATE UNIQUE INDEX provider_payment_provider_external_id ON provider_payment (provider, external_id);
CREATE INDEX provider_payment_provider_look_at ON provider_payment (provider, look_at);

CREATE TABLE provider_refund (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    topup_id BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    key TEXT NOT NULL,
    outside BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    external_id TEXT,
    said TEXT,
    looks INTEGER NOT NULL,
    look_at BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (topup_id) REFERENCES top_up (id)
);
CREATE INDEX provider_refund_topup_id ON provider_refund (topup_id);
CREATE UNIQUE INDEX provider_refund_key ON provider_refund (key);
CREATE UNIQUE INDEX provider_refund_one_asked ON provider_refund (topup_id) WHERE state = 'asked'
"""


def up(migrator, db):
    """Make the tables, empty."""
    for statement in SCHEMA.split(";"):
        if isinstance(db, SqliteDatabase):
            for word, theirs in IN_SQLITE.items():
                statement = statement.replace(word, theirs)
        db.execute_sql(statement)

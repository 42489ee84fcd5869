"""Payments answer for what they earned: bonuses with their origin, accepted pre-checkouts, and debts.

Bonuses of payments that stand get their rows, so that they go back with them from now on. What was written off so far
is the debt of whom it was written off for. Of several codes that wait for one person's top-up the first one stays.
"""

from peewee import SqliteDatabase

IN_SQLITE = {
    "BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "BIGINT": "INTEGER",
    "BOOLEAN": "INTEGER",
}
PAYMENT = "kind IN ('topup', 'stars') AND amount > 0"
STANDS = """p.ref LIKE 'topup:%'
    AND NOT EXISTS (SELECT 1 FROM charge c WHERE 'stars:' || c.charge_id = p.key AND c.refund IN ('asked', 'done'))
    AND NOT EXISTS (SELECT 1 FROM top_up t WHERE 'topup:' || t.id = p.key AND t.state = 'undone')"""
COLUMNS = "(user_id, kind, amount, key, origin, topup_id, state, due_at, created_at)"
ROW = """e.user_id, e.kind, e.amount, e.key, p.key, CAST(SUBSTR(p.ref, 7) AS BIGINT), 'posted', e.created_at,
    e.created_at"""
SCHEMA = f"""
ALTER TABLE account ADD COLUMN debt BIGINT NOT NULL DEFAULT 0 CHECK (debt >= 0);
ALTER TABLE charge ADD COLUMN credited BIGINT;
UPDATE charge SET credited = (SELECT amount FROM entry WHERE entry.key = 'stars:' || charge.charge_id);
UPDATE account SET debt = (
    SELECT COALESCE(SUM(amount), 0) FROM entry WHERE entry.user_id = account.user_id AND kind = 'writeoff'
);

CREATE TABLE checkout (
    query_id TEXT NOT NULL PRIMARY KEY,
    topup_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    stars BIGINT NOT NULL,
    answered BOOLEAN NOT NULL,
    charge_id TEXT,
    accepted_at BIGINT NOT NULL,
    FOREIGN KEY (topup_id) REFERENCES top_up (id),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX checkout_topup_id ON checkout (topup_id);
CREATE INDEX checkout_user_id ON checkout (user_id);
CREATE UNIQUE INDEX checkout_charge_id ON checkout (charge_id);
CREATE INDEX checkout_accepted_at ON checkout (accepted_at);

CREATE TABLE bonus (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    key TEXT NOT NULL,
    origin TEXT NOT NULL,
    topup_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id),
    FOREIGN KEY (topup_id) REFERENCES top_up (id)
);
CREATE INDEX bonus_user_id ON bonus (user_id);
CREATE UNIQUE INDEX bonus_key ON bonus (key);
CREATE INDEX bonus_origin ON bonus (origin);
CREATE INDEX bonus_topup_id ON bonus (topup_id);
CREATE INDEX bonus_user_id_kind ON bonus (user_id, kind);
CREATE INDEX bonus_state_due_at ON bonus (state, due_at);

INSERT INTO bonus {COLUMNS}
SELECT {ROW} FROM entry e JOIN entry p ON p.id = (
    SELECT MIN(id) FROM entry WHERE {PAYMENT} AND user_id = CASE
        WHEN e.key LIKE 'referral:%' THEN CAST(SUBSTR(e.key, 10) AS BIGINT) END
)
WHERE e.kind = 'referral' AND e.amount > 0 AND {STANDS};

INSERT INTO bonus {COLUMNS}
SELECT {ROW} FROM promo_use u JOIN promo ON promo.code = u.promo_id AND promo.kind = 'percent'
JOIN entry e ON e.key = 'promo:' || u.id JOIN entry p ON p.id = (
    SELECT MAX(id) FROM entry WHERE {PAYMENT} AND user_id = u.user_id AND id < e.id
)
WHERE e.amount > 0 AND {STANDS};

UPDATE promo_use SET state = 'lapsed'
WHERE state = 'waiting' AND id NOT IN (SELECT MIN(id) FROM promo_use WHERE state = 'waiting' GROUP BY user_id);
CREATE UNIQUE INDEX promo_use_one_waiting ON promo_use (user_id) WHERE state = 'waiting';
"""


def up(migrator, db):
    """Add the column and the tables, and fill them from the entries."""
    schema = SCHEMA
    for word, ours in IN_SQLITE.items() if isinstance(db, SqliteDatabase) else ():
        schema = schema.replace(word, ours)
    for statement in schema.split(";\n"):
        if statement.strip():
            db.execute_sql(statement.replace("%", "%%"))

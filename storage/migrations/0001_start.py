"""The first schema, as it was released: plain SQL, so that no later change of the tables can change it.

Written in PostgreSQL's words; SQLite has others for the types.
"""

from peewee import SqliteDatabase

IN_SQLITE = {
    "BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "BIGINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "BOOLEAN": "INTEGER",
    "JSONB": "TEXT",
    "BYTEA": "BLOB",
}
SCHEMA = """
CREATE TABLE "user" (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    telegram_id BIGINT,
    first_name TEXT NOT NULL,
    username TEXT,
    language_code TEXT,
    lang TEXT,
    utc_offset SMALLINT,
    code TEXT NOT NULL,
    banned BOOLEAN NOT NULL,
    blocked_bot BOOLEAN NOT NULL,
    sales_paused BOOLEAN NOT NULL,
    role TEXT,
    born_of BIGINT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_telegram_id ON "user" (telegram_id);
CREATE INDEX user_username ON "user" (username);
CREATE UNIQUE INDEX user_code ON "user" (code);
CREATE INDEX user_seen_at ON "user" (seen_at);

CREATE TABLE account (
    user_id BIGINT NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL CHECK (balance >= 0),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);

CREATE TABLE entry (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    ref TEXT,
    actor_id BIGINT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id),
    FOREIGN KEY (actor_id) REFERENCES "user" (id)
);
CREATE INDEX entry_user_id ON entry (user_id);
CREATE UNIQUE INDEX entry_key ON entry (key);
CREATE INDEX entry_actor_id ON entry (actor_id);
CREATE INDEX entry_created_at ON entry (created_at);
CREATE INDEX entry_user_id_id ON entry (user_id, id);

CREATE TABLE draft (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    model TEXT,
    data JSONB NOT NULL,
    version INTEGER NOT NULL,
    price BIGINT,
    step TEXT,
    message_id BIGINT,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX draft_user_id ON draft (user_id);
CREATE INDEX draft_expires_at ON draft (expires_at);
CREATE UNIQUE INDEX draft_user_id_plugin ON draft (user_id, plugin);

CREATE TABLE job (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    model TEXT NOT NULL,
    inputs JSONB NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    charged BIGINT,
    cost BIGINT,
    state TEXT NOT NULL,
    quote TEXT NOT NULL,
    secret TEXT NOT NULL,
    task_id TEXT,
    reason TEXT,
    detail TEXT,
    result JSONB,
    tries SMALLINT NOT NULL,
    submit_at BIGINT NOT NULL,
    submitted_at BIGINT,
    deadline_at BIGINT,
    finished_at BIGINT,
    usual_s INTEGER NOT NULL,
    progress_id BIGINT,
    progress_at BIGINT,
    delivery TEXT,
    delivery_tries SMALLINT NOT NULL,
    deliver_at BIGINT,
    sent JSONB,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX job_user_id ON job (user_id);
CREATE UNIQUE INDEX job_quote ON job (quote);
CREATE UNIQUE INDEX job_secret ON job (secret);
CREATE INDEX job_task_id ON job (task_id);
CREATE INDEX job_user_id_id ON job (user_id, id);
CREATE INDEX job_user_id_created_at ON job (user_id, created_at);
CREATE INDEX job_user_id_submitted_at ON job (user_id, submitted_at);
CREATE INDEX job_created_at ON job (created_at);
CREATE INDEX job_state_submit_at ON job (state, submit_at);
CREATE INDEX job_delivery_deliver_at ON job (delivery, deliver_at);
CREATE INDEX job_progress_at ON job (progress_at);

CREATE TABLE top_up (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    method TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    stars BIGINT,
    state TEXT NOT NULL,
    proof JSONB,
    proof_id TEXT,
    credited BIGINT,
    decided_by_id BIGINT,
    reason TEXT,
    submitted_at BIGINT,
    reminded BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    FOREIGN KEY (user_id) REFERENCES "user" (id),
    FOREIGN KEY (decided_by_id) REFERENCES "user" (id)
);
CREATE INDEX top_up_user_id ON top_up (user_id);
CREATE INDEX top_up_proof_id ON top_up (proof_id);
CREATE INDEX top_up_decided_by_id ON top_up (decided_by_id);
CREATE INDEX top_up_user_id_id ON top_up (user_id, id);
CREATE INDEX top_up_state_id ON top_up (state, id);

CREATE TABLE sketch (
    topup_id BIGINT NOT NULL PRIMARY KEY,
    pixels BYTEA NOT NULL,
    FOREIGN KEY (topup_id) REFERENCES top_up (id)
);

CREATE TABLE charge (
    charge_id TEXT NOT NULL PRIMARY KEY,
    topup_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    stars BIGINT NOT NULL,
    refund TEXT,
    listed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (topup_id) REFERENCES top_up (id),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX charge_topup_id ON charge (topup_id);
CREATE INDEX charge_user_id ON charge (user_id);
CREATE INDEX charge_refund ON charge (refund);
CREATE INDEX charge_user_id_created_at ON charge (user_id, created_at);

CREATE TABLE referral (
    invited_id BIGINT NOT NULL PRIMARY KEY,
    inviter_id BIGINT NOT NULL,
    paid BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (invited_id) REFERENCES "user" (id),
    FOREIGN KEY (inviter_id) REFERENCES "user" (id),
    CHECK (invited_id <> inviter_id)
);
CREATE INDEX referral_inviter_id ON referral (inviter_id);

CREATE TABLE inbox (
    update_id BIGINT NOT NULL PRIMARY KEY,
    lane BIGINT NOT NULL,
    body TEXT NOT NULL,
    attempts SMALLINT NOT NULL,
    aside BOOLEAN NOT NULL,
    received_at BIGINT NOT NULL
);

CREATE TABLE outbox (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    key TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    chat_id BIGINT,
    text TEXT NOT NULL,
    "values" JSONB NOT NULL,
    buttons JSONB NOT NULL,
    media JSONB,
    ref TEXT,
    state TEXT NOT NULL,
    message_id BIGINT,
    tries SMALLINT NOT NULL,
    send_at BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE UNIQUE INDEX outbox_key ON outbox (key);
CREATE INDEX outbox_user_id ON outbox (user_id);
CREATE INDEX outbox_ref ON outbox (ref);
CREATE INDEX outbox_state_send_at ON outbox (state, send_at);

CREATE TABLE fact (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    data JSONB NOT NULL,
    tries SMALLINT NOT NULL,
    run_at BIGINT NOT NULL
);
CREATE INDEX fact_run_at ON fact (run_at);

CREATE TABLE fact_done (
    fact_id BIGINT NOT NULL,
    listener TEXT NOT NULL,
    PRIMARY KEY (fact_id, listener)
);

CREATE TABLE stored (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    actor_id BIGINT,
    updated_at BIGINT NOT NULL,
    FOREIGN KEY (actor_id) REFERENCES "user" (id)
);
CREATE INDEX stored_actor_id ON stored (actor_id);

CREATE TABLE act (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    actor_id BIGINT NOT NULL,
    what TEXT NOT NULL,
    user_id BIGINT,
    ref TEXT,
    words TEXT,
    amount BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (actor_id) REFERENCES "user" (id),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX act_actor_id ON act (actor_id);
CREATE INDEX act_user_id ON act (user_id);

CREATE TABLE alarm (
    cause TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL,
    "values" JSONB NOT NULL,
    count INTEGER NOT NULL,
    since BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX alarm_last_at ON alarm (last_at);

CREATE TABLE overlay (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    field TEXT NOT NULL,
    value JSONB,
    actor_id BIGINT,
    created_at BIGINT NOT NULL,
    undone_at BIGINT,
    FOREIGN KEY (actor_id) REFERENCES "user" (id)
);
CREATE INDEX overlay_actor_id ON overlay (actor_id);

CREATE TABLE difference (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    about JSONB NOT NULL,
    print TEXT NOT NULL,
    state TEXT NOT NULL,
    overlay_id BIGINT,
    found_at BIGINT NOT NULL,
    FOREIGN KEY (overlay_id) REFERENCES overlay (id)
);
CREATE UNIQUE INDEX difference_print ON difference (print);
CREATE INDEX difference_state ON difference (state);
CREATE INDEX difference_overlay_id ON difference (overlay_id);

CREATE TABLE promo (
    code TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    value BIGINT NOT NULL CHECK (value > 0),
    uses INTEGER NOT NULL,
    total_limit INTEGER NOT NULL,
    user_limit INTEGER NOT NULL,
    stopped BOOLEAN NOT NULL,
    author_id BIGINT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (author_id) REFERENCES "user" (id)
);
CREATE INDEX promo_author_id ON promo (author_id);

CREATE TABLE promo_use (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    promo_id TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    amount BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (promo_id) REFERENCES promo (code),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX promo_use_promo_id ON promo_use (promo_id);
CREATE INDEX promo_use_user_id ON promo_use (user_id);
CREATE UNIQUE INDEX promo_use_promo_id_user_id_number ON promo_use (promo_id, user_id, number);
CREATE INDEX promo_use_user_id_state ON promo_use (user_id, state);

CREATE TABLE free_run (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    day TEXT NOT NULL,
    number INTEGER NOT NULL,
    job_id BIGINT NOT NULL,
    FOREIGN KEY (user_id) REFERENCES "user" (id),
    FOREIGN KEY (job_id) REFERENCES job (id)
);
CREATE INDEX free_run_user_id ON free_run (user_id);
CREATE UNIQUE INDEX free_run_job_id ON free_run (job_id);
CREATE UNIQUE INDEX free_run_user_id_day_number ON free_run (user_id, day, number);

CREATE TABLE broadcast (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    author_id BIGINT NOT NULL,
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    audience TEXT NOT NULL,
    state TEXT NOT NULL,
    screen_id BIGINT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    FOREIGN KEY (author_id) REFERENCES "user" (id)
);
CREATE INDEX broadcast_author_id ON broadcast (author_id);

CREATE TABLE recipient (
    broadcast_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (broadcast_id, user_id),
    FOREIGN KEY (broadcast_id) REFERENCES broadcast (id),
    FOREIGN KEY (user_id) REFERENCES "user" (id)
);
CREATE INDEX recipient_broadcast_id ON recipient (broadcast_id);
CREATE INDEX recipient_user_id ON recipient (user_id);
CREATE INDEX recipient_broadcast_id_state ON recipient (broadcast_id, state);

CREATE TABLE trouble (
    code TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX trouble_created_at ON trouble (created_at);
CREATE UNIQUE INDEX top_up_one_pending ON top_up (user_id) WHERE state = 'pending';
"""


def up(migrator, db):
    """Make every table and index; the last one allows one waiting request a user."""
    schema = SCHEMA
    for word, ours in IN_SQLITE.items() if isinstance(db, SqliteDatabase) else ():
        schema = schema.replace(word, ours)
    for statement in schema.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)

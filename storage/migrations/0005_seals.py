"""Words in a table of their own, the sources of entries that no other row accounts for, and seals.

`reason` of entries and top-ups and `words` of acts become a digest; the texts go to `words`, each with a salt.
"""

import hashlib
import secrets

from peewee import SqliteDatabase

IN_SQLITE = {"BIGSERIAL NOT NULL PRIMARY KEY": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "BIGINT": "INTEGER"}
STATEMENTS = (
    """CREATE TABLE words (
        digest TEXT NOT NULL PRIMARY KEY, user_id BIGINT, text TEXT NOT NULL, salt TEXT NOT NULL,
        FOREIGN KEY (user_id) REFERENCES "user" (id))""",
    "CREATE INDEX words_user_id ON words (user_id)",
    """CREATE TABLE source (
        key TEXT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, kind TEXT NOT NULL, amount BIGINT NOT NULL,
        created_at BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES "user" (id))""",
    "CREATE INDEX source_user_id ON source (user_id)",
    """CREATE TABLE seal (
        id BIGSERIAL NOT NULL PRIMARY KEY, entry BIGINT NOT NULL, act BIGINT NOT NULL, previous TEXT NOT NULL,
        hash TEXT NOT NULL, made_at BIGINT NOT NULL)""",
    "CREATE UNIQUE INDEX seal_previous ON seal (previous)",
    """INSERT INTO source (key, user_id, kind, amount, created_at)
        SELECT key, user_id, kind, amount, created_at FROM entry
        WHERE kind IN ('gift', 'bonus') OR (kind = 'admin' AND actor_id IS NULL)
            OR (kind = 'topup' AND actor_id IS NULL)""",
    "ALTER TABLE entry RENAME COLUMN reason TO digest",
    "ALTER TABLE top_up RENAME COLUMN reason TO digest",
    "ALTER TABLE act RENAME COLUMN words TO digest",
)
SOME = 500  # rows at once


def up(migrator, db):
    """Make the tables, and move every text into its own; `storage.base.schema` has taken the triggers of `entry` away."""
    in_sqlite = isinstance(db, SqliteDatabase)
    for statement in STATEMENTS:
        for word, ours in IN_SQLITE.items() if in_sqlite else ():
            statement = statement.replace(word, ours)
        db.execute_sql(statement)
    for table in ("entry", "top_up", "act"):
        _move_words(db, table, "?" if in_sqlite else "%s")


def _move_words(db, table, mark):
    last = 0
    select = (
        f"SELECT id, user_id, digest FROM {table} WHERE id > {mark} AND digest IS NOT NULL ORDER BY id LIMIT {SOME}"
    )
    while rows := db.execute_sql(select, (last,)).fetchall():
        for row_id, user_id, text in rows:
            salt = secrets.token_hex(16)
            digest = hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest() if text else None
            if digest:
                values = ", ".join([mark] * 4)
                db.execute_sql(f"INSERT INTO words VALUES ({values})", (digest, user_id, text, salt))
            db.execute_sql(f"UPDATE {table} SET digest = {mark} WHERE id = {mark}", (digest, row_id))
        last = rows[-1][0]

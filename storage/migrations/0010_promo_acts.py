"""Every promo code has the act of its making: those of before the log had it get theirs, by their author, with their terms."""

import hashlib
import secrets

from peewee import SqliteDatabase

LACKING = """
    SELECT code, kind, value, total_limit, user_limit, author_id, created_at FROM promo
    WHERE NOT EXISTS (SELECT 1 FROM act WHERE act.what = 'promo' AND act.ref = 'promo:' || promo.code)
    ORDER BY created_at, code"""


def up(migrator, db):
    """Write the acts; `storage.base.schema` has taken the triggers of `act` away."""
    mark = "?" if isinstance(db, SqliteDatabase) else "%s"

    def insert(table, row):
        names, marks = ", ".join(row), ", ".join([mark] * len(row))
        db.execute_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))

    def keep(kind, value, total, each):
        text = f"× {total}" if kind == "amount" else f"{value} % × {total}"
        text += "" if each == 1 else f" / {each}"
        salt = secrets.token_hex(16)
        digest = hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()
        insert("words", {"digest": digest, "user_id": None, "text": text, "salt": salt})
        return digest

    for code, kind, value, total, each, author, created_at in db.execute_sql(LACKING).fetchall():
        act = {"actor_id": author, "what": "promo", "ref": f"promo:{code}", "own": False, "created_at": created_at}
        act |= {"amount": value if kind == "amount" else None, "digest": keep(kind, value, total, each)}
        insert("act", act)

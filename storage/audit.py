"""Proving the books: every promise about money, asked of the rows themselves.

Each check is one query that returns what breaks it; nothing found means that the promise holds. All of them read;
none writes. Rows stream, so memory does not grow with the tables.
"""

from storage.db import connection

OPEN = "('queued', 'submitting', 'running', 'lost')"
CHECKS = {
    "a balance is the sum of its entries": """
        SELECT a.user_id, a.balance, COALESCE(e.total, 0) FROM account a
        LEFT JOIN (SELECT user_id, SUM(amount) AS total FROM entry GROUP BY user_id) e ON e.user_id = a.user_id
        WHERE a.balance <> COALESCE(e.total, 0)""",
    "every entry belongs to an account": """
        SELECT e.id, e.user_id FROM entry e LEFT JOIN account a ON a.user_id = e.user_id WHERE a.user_id IS NULL""",
    "a job has exactly its hold": """
        SELECT j.id, j.price, e.amount FROM job j LEFT JOIN entry e ON e.key = 'hold:' || j.id
        WHERE e.id IS NULL OR e.amount <> -j.price OR e.user_id <> j.user_id OR e.kind <> 'hold'""",
    "a hold has its job": """
        SELECT e.id, e.key FROM entry e
        LEFT JOIN job j ON j.id = CASE WHEN e.kind = 'hold' THEN CAST(SUBSTR(e.key, 6) AS BIGINT) END
        WHERE e.kind = 'hold' AND (j.id IS NULL OR e.key <> 'hold:' || j.id)""",
    "an open job is not settled": f"""
        SELECT j.id, j.state, e.kind FROM job j JOIN entry e ON e.key = 'settle:' || j.id WHERE j.state IN {OPEN}""",
    "a succeeded job is captured": """
        SELECT j.id, j.charged, e.kind, e.amount FROM job j LEFT JOIN entry e ON e.key = 'settle:' || j.id
        WHERE j.state = 'succeeded' AND (e.id IS NULL OR e.kind <> 'capture' OR j.charged IS NULL
              OR e.amount <> j.price - j.charged OR j.charged > j.price OR j.charged < 0)""",
    "a failed or cancelled job is released": """
        SELECT j.id, j.state, e.kind, e.amount FROM job j LEFT JOIN entry e ON e.key = 'settle:' || j.id
        WHERE j.state IN ('failed', 'cancelled') AND (e.id IS NULL OR e.kind <> 'release' OR e.amount <> j.price)""",
    "a settlement has its job": """
        SELECT e.id, e.key FROM entry e
        LEFT JOIN job j ON j.id = CASE WHEN e.kind IN ('capture', 'release') THEN CAST(SUBSTR(e.key, 8) AS BIGINT) END
        WHERE e.kind IN ('capture', 'release') AND (j.id IS NULL OR e.key <> 'settle:' || j.id)""",
    "a lost or running job has a deadline": """
        SELECT id, state FROM job WHERE state IN ('lost', 'running') AND deadline_at IS NULL""",
    "a finished job has its delivery": """
        SELECT id, state, delivery FROM job WHERE state = 'succeeded' AND delivery IS NULL""",
    "an approved top-up is credited once": """
        SELECT t.id, t.credited, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'topup:' || t.id
        WHERE t.state IN ('approved', 'undone') AND (e.id IS NULL OR e.amount <> t.credited OR e.user_id <> t.user_id)""",
    "an undone top-up is taken back once": """
        SELECT t.id, t.state, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'undo:' || t.id
        WHERE (t.state = 'undone') <> (e.id IS NOT NULL) OR e.amount <> -t.credited OR e.user_id <> t.user_id""",
    "a top-up's credit has its approval": """
        SELECT e.id, e.key FROM entry e LEFT JOIN top_up t
        ON t.id = CASE WHEN SUBSTR(e.ref, 1, 6) = 'topup:' THEN CAST(SUBSTR(e.ref, 7) AS BIGINT) END
           AND t.state IN ('approved', 'undone', 'paid')
        WHERE e.kind = 'topup' AND t.id IS NULL""",
    "a Stars charge is credited once": """
        SELECT c.charge_id, t.amount, e.amount FROM charge c JOIN top_up t ON t.id = c.topup_id
        LEFT JOIN entry e ON e.key = 'stars:' || c.charge_id
        WHERE e.id IS NULL OR e.amount <> t.amount OR e.user_id <> c.user_id""",
    "a Stars credit has its charge": """
        SELECT e.id, e.key FROM entry e LEFT JOIN charge c ON c.charge_id = SUBSTR(e.key, 7)
        WHERE e.kind = 'stars' AND c.charge_id IS NULL""",
    "a refunded charge is taken back once": """
        SELECT c.charge_id, c.refund, r.amount, u.amount, b.amount FROM charge c JOIN top_up t ON t.id = c.topup_id
        LEFT JOIN entry r ON r.key = 'refund:' || c.charge_id
        LEFT JOIN entry u ON u.key = 'unrefund:' || c.charge_id
        LEFT JOIN entry b ON b.key = 'chargeback:' || c.charge_id
        WHERE COALESCE(r.amount, 0) + COALESCE(u.amount, 0) + COALESCE(b.amount, 0)
              <> CASE WHEN c.refund IN ('asked', 'done') THEN -t.amount ELSE 0 END""",
    "a write-off covers a forced debit": """
        SELECT w.id, w.key FROM entry w LEFT JOIN entry e ON e.key = SUBSTR(w.key, 10) AND e.user_id = w.user_id
        WHERE w.kind = 'writeoff' AND (e.id IS NULL OR SUBSTR(w.key, 1, 9) <> 'writeoff:')""",
    "a referral is paid once": """
        SELECT r.invited_id, r.paid, e.amount FROM referral r LEFT JOIN entry e ON e.key = 'referral:' || r.invited_id
        WHERE COALESCE(r.paid, 0) <> COALESCE(e.amount, 0) OR (e.id IS NOT NULL AND e.user_id <> r.inviter_id)""",
    "no balance is below zero": "SELECT user_id, balance FROM account WHERE balance < 0",
}


def verify():
    """Yield (promise, row) for everything that breaks a promise; nothing when the books are right."""
    with connection() as db:
        for promise, query in CHECKS.items():
            for row in db.execute_sql(query):
                yield promise, tuple(row)


def totals():
    """Return (users, entries, sum of balances in minor units) for the report."""
    with connection() as db:
        users, held = db.execute_sql("SELECT COUNT(*), COALESCE(SUM(balance), 0) FROM account").fetchone()
        (entries,) = db.execute_sql("SELECT COUNT(*) FROM entry").fetchone()
        return users, entries, int(held)

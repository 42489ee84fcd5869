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
        SELECT c.charge_id, k.amount, e.amount FROM charge c LEFT JOIN checkout k ON k.charge_id = c.charge_id
        LEFT JOIN entry e ON e.key = 'stars:' || c.charge_id AND e.kind = 'stars'
        WHERE e.id IS NULL OR e.amount <= 0 OR e.amount <> COALESCE(k.amount, e.amount) OR e.user_id <> c.user_id
              OR e.ref IS NULL OR e.ref <> 'topup:' || c.topup_id""",
    "an accepted pre-checkout says what its invoice says": """
        SELECT k.query_id, k.amount, t.amount FROM checkout k JOIN top_up t ON t.id = k.topup_id
        LEFT JOIN charge c ON c.charge_id = k.charge_id
        WHERE k.amount <> t.amount OR t.stars IS NULL OR k.stars <> t.stars OR k.user_id <> t.user_id
              OR (k.charge_id IS NOT NULL AND (c.charge_id IS NULL OR c.topup_id <> k.topup_id))""",
    "a Stars credit has its charge": """
        SELECT e.id, e.key FROM entry e LEFT JOIN charge c ON c.charge_id = SUBSTR(e.key, 7)
        WHERE e.kind = 'stars' AND c.charge_id IS NULL""",
    "a refunded charge is taken back once": """
        SELECT c.charge_id, c.refund, r.amount, u.amount, b.amount FROM charge c
        LEFT JOIN entry e ON e.key = 'stars:' || c.charge_id
        LEFT JOIN entry r ON r.key = 'refund:' || c.charge_id
        LEFT JOIN entry u ON u.key = 'unrefund:' || c.charge_id
        LEFT JOIN entry b ON b.key = 'chargeback:' || c.charge_id
        WHERE COALESCE(r.amount, 0) + COALESCE(u.amount, 0) + COALESCE(b.amount, 0)
              <> CASE WHEN c.refund IN ('asked', 'done') THEN -e.amount ELSE 0 END""",
    "a bonus stands as its row says": """
        SELECT b.id, b.state, b.amount, p.amount, u.amount, r.amount, n.amount, c.amount FROM bonus b
        LEFT JOIN entry p ON p.key = b.key
        LEFT JOIN entry u ON u.key = 'bonus:' || b.id || ':undo'
        LEFT JOIN entry r ON r.key = 'bonus:' || b.id || ':refund'
        LEFT JOIN entry n ON n.key = 'bonus:' || b.id || ':unrefund'
        LEFT JOIN entry c ON c.key = 'bonus:' || b.id || ':chargeback'
        WHERE (p.id IS NOT NULL AND (p.user_id <> b.user_id OR p.amount <> b.amount OR p.kind <> b.kind))
              OR (p.id IS NULL) <> (b.state IN ('waiting', 'void'))
              OR COALESCE(p.amount, 0) + COALESCE(u.amount, 0) + COALESCE(r.amount, 0) + COALESCE(n.amount, 0)
                 + COALESCE(c.amount, 0) <> CASE WHEN b.state = 'posted' THEN b.amount ELSE 0 END""",
    "a bonus goes with its payment": """
        SELECT b.id, b.state, b.origin, c.refund, t.state FROM bonus b JOIN top_up t ON t.id = b.topup_id
        LEFT JOIN entry e ON e.key = b.origin AND e.kind IN ('topup', 'stars') AND e.ref = 'topup:' || b.topup_id
        LEFT JOIN charge c ON 'stars:' || c.charge_id = b.origin
        WHERE e.id IS NULL OR (b.state IN ('taken', 'void'))
              <> (COALESCE(c.refund, '') IN ('asked', 'done') OR (c.charge_id IS NULL AND t.state = 'undone'))""",
    "a bonus of a payment has its row": """
        SELECT e.id, e.kind, e.key FROM entry e LEFT JOIN bonus b ON b.key = e.key
        WHERE e.kind IN ('bonus', 'promo', 'referral') AND SUBSTR(e.ref, 1, 6) = 'topup:'
              AND (b.id IS NULL OR e.ref <> 'topup:' || b.topup_id)""",
    "a bonus taken back has its row": """
        SELECT e.id, e.key FROM entry e LEFT JOIN bonus b ON e.user_id = b.user_id AND e.ref = 'topup:' || b.topup_id
        AND e.key IN ('bonus:' || b.id || ':undo', 'bonus:' || b.id || ':refund', 'bonus:' || b.id || ':unrefund',
                      'bonus:' || b.id || ':chargeback')
        WHERE e.kind = 'takeback' AND b.id IS NULL""",
    "a write-off covers a forced debit": """
        SELECT w.id, w.key FROM entry w LEFT JOIN entry e ON e.key = SUBSTR(w.key, 10) AND e.user_id = w.user_id
        WHERE w.kind = 'writeoff' AND (e.id IS NULL OR SUBSTR(w.key, 1, 9) <> 'writeoff:')""",
    "a debt is what was written off and not recovered": """
        SELECT a.user_id, a.debt, COALESCE(e.total, 0) FROM account a LEFT JOIN (
            SELECT user_id, SUM(amount) AS total FROM entry WHERE kind IN ('writeoff', 'recovery') GROUP BY user_id
        ) e ON e.user_id = a.user_id
        WHERE a.debt <> COALESCE(e.total, 0)""",
    "what is recovered comes from an order's money, or an admin took it": """
        SELECT r.id, r.key, r.amount, s.amount FROM entry r
        LEFT JOIN entry s ON s.key = 'settle:' || SUBSTR(r.key, 10) AND s.user_id = r.user_id AND s.ref = r.ref
        WHERE r.kind = 'recovery' AND (r.amount >= 0 OR NOT COALESCE(
            (SUBSTR(r.key, 1, 9) = 'recovery:' AND s.amount >= -r.amount)
            OR (SUBSTR(r.key, 1, 8) = 'collect:' AND r.actor_id IS NOT NULL), FALSE))""",
    "a referral is paid once": """
        SELECT r.invited_id, r.paid, e.amount, b.amount FROM referral r
        LEFT JOIN entry e ON e.key = 'referral:' || r.invited_id
        LEFT JOIN bonus b ON b.key = 'referral:' || r.invited_id
        WHERE COALESCE(r.paid, 0) <> COALESCE(b.amount, e.amount, 0)
              OR (e.id IS NOT NULL AND e.user_id <> r.inviter_id)""",
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

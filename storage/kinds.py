"""What every entry and every act must be: one place for all kinds, from which `storage/audit.py` makes its proof.

An entry (`e`) is found to be of a shape by its kind and key; a shape then says, in SQL, what row it comes from and what
its user, reference, amount, actor and state must be. Whatever is not proven is wrong: NULL proves nothing, and a kind or a
key without a shape is refused. A new kind, or a new key of one, is a line here (and its word in `storage/ledger.py`).
"""

from typing import NamedTuple

NULL = "NULL"  # must be empty
SOMEBODY = "somebody"  # of the staff: their act is among MONEY_ACTS

# The rows entries come from, joined at most once each: alias → (table, its column, {kind: what that column must be}).
# `{number:…}` is a text as a whole number, NULL where it is none.
ORIGINS = {
    "j": ("job", "id", dict.fromkeys(("hold", "capture", "release"), "{number:SUBSTR(e.ref, 5)}")),
    "t": ("top_up", "id", dict.fromkeys(("topup", "stars", "refund", "chargeback"), "{number:SUBSTR(e.ref, 7)}")),
    "c": ("charge", "charge_id", {
        "stars": "SUBSTR(e.key, 7)",
        "refund": "CASE WHEN SUBSTR(e.key, 1, 2) = 'un' THEN SUBSTR(e.key, 10) ELSE SUBSTR(e.key, 8) END",
        "chargeback": "SUBSTR(e.key, 12)",
    }),
    "d": ("entry", "key", {"writeoff": "SUBSTR(e.key, 10)"}),  # the debit that is written off
    "l": ("entry", "key", {"writeoff": "CASE WHEN SUBSTR(e.key, 1, 18) = 'writeoff:unrefund:'"
                                       " THEN 'writeoff:refund:' || SUBSTR(e.key, 19) END"}),  # the loss it takes back
    "p": ("promo_use", "id", {"promo": "{number:SUBSTR(e.key, 7)}"}),
    "o": ("promo", "code", {"promo": "SUBSTR(e.ref, 7)"}),
    "r": ("referral", "invited_id", {"referral": "{number:SUBSTR(e.key, 10)}"}),
    "s": ("source", "key", dict.fromkeys(("gift", "bonus", "admin", "topup"), "e.key")),
}  # fmt: skip


class Shape(NamedTuple):
    """What an entry must be; every value is SQL, of the rows in ORIGINS."""

    kind: str
    key: str  # the key it must have
    user: str
    amount: str  # what the amount must be
    ref: str = NULL
    actor: str = NULL
    state: str = "TRUE"  # what else must hold
    when: str = ""  # which entries of the kind are of this shape; those that have the key, unless said otherwise


CREDITS = "('topup', 'stars')"
PAID_FOR = (  # the top-up a bonus belongs to: money that came in before it
    "EXISTS (SELECT 1 FROM entry m WHERE m.user_id = {user} AND m.kind IN " + CREDITS + " AND m.id < e.id AND {rule})"
)
SOURCE = {"user": "s.user_id", "amount": "s.amount", "state": "s.kind = e.kind AND s.created_at = e.created_at"}

SHAPES = (
    Shape("hold", "'hold:' || j.id", "j.user_id", "-j.price", ref="'job:' || j.id", state="e.created_at = j.created_at"),
    Shape("capture", "'settle:' || j.id", "j.user_id", "j.price - j.charged", ref="'job:' || j.id",
          state="j.state = 'succeeded' AND j.charged BETWEEN 0 AND j.price AND e.created_at = j.finished_at"),
    Shape("release", "'settle:' || j.id", "j.user_id", "j.price", ref="'job:' || j.id",
          state="j.state IN ('failed', 'cancelled') AND e.created_at = j.finished_at"),
    Shape("topup", "'topup:' || t.id", "t.user_id", "t.credited", ref="'topup:' || t.id", actor="t.decided_by_id",
          state="t.method <> 'stars' AND t.state IN ('approved', 'undone') AND t.credited > 0"
                " AND e.created_at = t.decided_at"),
    Shape("topup", "'undo:' || t.id", "t.user_id", "-t.credited", ref="'topup:' || t.id", actor=SOMEBODY,
          state="t.state = 'undone'"),
    Shape("topup", "s.key", "t.user_id", "t.amount", ref="'topup:' || t.id",  # another way to pay
          state="s.user_id = e.user_id AND s.amount = e.amount AND t.state IN ('paid', 'cancelled')"),
    Shape("stars", "'stars:' || c.charge_id", "c.user_id", "t.amount", ref="'topup:' || c.topup_id",
          state="t.method = 'stars' AND t.stars = c.stars AND t.state IN ('paid', 'cancelled')"
                " AND e.created_at = c.created_at"),
    Shape("refund", "'refund:' || c.charge_id", "c.user_id", "-t.amount", ref="'topup:' || c.topup_id",
          actor=SOMEBODY, state="c.refund IN ('asked', 'done', 'refused')"),
    Shape("refund", "'unrefund:' || c.charge_id", "c.user_id", "t.amount", ref="'topup:' || c.topup_id",
          state="c.refund IN ('refused', 'done')"),
    Shape("chargeback", "'chargeback:' || c.charge_id", "c.user_id", "-t.amount", ref="'topup:' || c.topup_id",
          state="c.refund = 'done'"),
    Shape("writeoff", "'writeoff:' || d.key", "d.user_id", "-l.amount", ref="d.ref",
          state="l.amount > 0 AND d.kind = 'refund' AND e.id > d.id AND e.created_at = d.created_at", when="SUBSTR(e.key, 1, 18) = 'writeoff:unrefund:'"),
    Shape("writeoff", "'writeoff:' || d.key", "d.user_id", "e.amount", ref="d.ref", actor="d.actor_id",
          state="d.kind IN ('topup', 'refund', 'chargeback') AND e.amount BETWEEN 1 AND -d.amount"
                " AND e.id < d.id AND e.created_at = d.created_at"),  # written just before it, never later
    Shape("promo", "'promo:' || p.id", "p.user_id", "p.amount", ref="'promo:' || p.promo_id",
          state="p.state = 'done' AND p.amount > 0 AND (o.kind = 'amount' AND p.amount = o.value OR o.kind = 'percent' AND "
                + PAID_FOR.format(user="p.user_id", rule="m.amount * o.value / 100 = p.amount") + ")"),
    Shape("referral", "'referral:' || r.invited_id", "r.inviter_id", "r.paid", ref="'user:' || r.invited_id",
          state="r.paid > 0 AND " + PAID_FOR.format(user="r.invited_id", rule="m.amount >= r.paid")),
    Shape("gift", "'gift:' || e.user_id", **SOURCE),  # the key allows one a person
    Shape("bonus", "s.key", **SOURCE),
    Shape("admin", "s.key", **SOURCE, when="e.actor_id IS NULL"),  # by the program itself
    Shape("admin", "e.key", "e.user_id", "e.amount", actor=SOMEBODY, when="e.actor_id IS NOT NULL"),
)  # fmt: skip

# Acts whose amount is an entry's, made by the same actor at the same moment: (act, which entries)
MONEY_ACTS = (
    ("approve", "e.kind = 'topup' AND e.amount >= 0"),
    ("undo", "e.kind = 'topup' AND e.amount < 0"),
    ("refund", "e.kind = 'refund'"),
    ("credit", "e.kind = 'admin' AND e.amount > 0"),
    ("debit", "e.kind = 'admin' AND e.amount <= 0"),
)
FOLLOWERS = ("writeoff",)  # kinds that name the actor of the entry they belong to, and need no act of their own
# Acts whose amount stands in another row: act → what must be there. Of any other act an amount is refused.
OTHER_ACTS = {
    "reject": "EXISTS (SELECT 1 FROM top_up t WHERE 'topup:' || t.id = a.ref AND t.id = {number:SUBSTR(a.ref, 7)}"
    " AND t.state = 'rejected' AND t.amount = a.amount AND t.user_id = a.user_id AND t.decided_by_id = a.actor_id)",
}

# The states rows can be in; another one was set by hand.
STATES = {
    ("job", "state"): ("queued", "submitting", "running", "lost", "succeeded", "failed", "cancelled"),
    ("top_up", "state"): ("new", "pending", "approved", "rejected", "undone", "paid", "cancelled"),
    ("charge", "refund"): ("asked", "done", "refused", None),
    ("promo", "kind"): ("amount", "percent"),
    ("promo_use", "state"): ("waiting", "done"),
}

# What the other rows owe: every one of them has its entries. Promise → the query that finds what breaks it.
OPEN = "('queued', 'submitting', 'running', 'lost')"
JOBS = {
    "a job has exactly its hold": """
        SELECT j.id, j.price, e.amount FROM job j LEFT JOIN entry e ON e.key = 'hold:' || j.id
        WHERE e.id IS NULL""",
    "an open job is not settled": f"""
        SELECT j.id, j.state, e.kind FROM job j JOIN entry e ON e.key = 'settle:' || j.id WHERE j.state IN {OPEN}""",
    "a succeeded job is captured": """
        SELECT j.id, j.charged, e.kind, e.amount FROM job j LEFT JOIN entry e ON e.key = 'settle:' || j.id
        WHERE j.state = 'succeeded' AND (e.kind = 'capture') IS NOT TRUE""",
    "a failed or cancelled job is released": """
        SELECT j.id, j.state, e.kind, e.amount FROM job j LEFT JOIN entry e ON e.key = 'settle:' || j.id
        WHERE j.state IN ('failed', 'cancelled') AND (e.kind = 'release') IS NOT TRUE""",
}
OTHERS = {
    "a lost or running job has a deadline": """
        SELECT id, state FROM job WHERE state IN ('lost', 'running') AND deadline_at IS NULL""",
    "a finished job has its delivery": """
        SELECT id, state, delivery FROM job WHERE state = 'succeeded' AND delivery IS NULL""",
    "no price is below zero": """
        SELECT 'job', id, price FROM job WHERE price < 0
        UNION ALL SELECT 'top_up', id, amount FROM top_up WHERE amount <= 0
        UNION ALL SELECT 'promo_use', id, amount FROM promo_use WHERE amount < 0
        UNION ALL SELECT 'promo', uses, value FROM promo WHERE value <= 0""",
    "a job says what it charged": f"""
        SELECT id, state, charged FROM job WHERE CASE WHEN state IN {OPEN} THEN charged IS NULL
            WHEN state = 'succeeded' THEN charged BETWEEN 0 AND price ELSE COALESCE(charged, 0) = 0 END IS NOT TRUE""",
    "an approved top-up is credited once": """
        SELECT t.id, t.credited, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'topup:' || t.id
        WHERE (t.state IN ('approved', 'undone')) <> (e.id IS NOT NULL)""",
    "an undone top-up is taken back once": """
        SELECT t.id, t.state, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'undo:' || t.id
        WHERE (t.state = 'undone') <> (e.id IS NOT NULL)""",
    "a paid top-up has its credit": f"""
        SELECT 'topup:' || id FROM top_up WHERE state = 'paid'
        EXCEPT SELECT ref FROM entry WHERE kind IN {CREDITS}""",
    "a top-up says what was credited and by whom": """
        SELECT id, state, credited, decided_by_id FROM top_up WHERE CASE
            WHEN state IN ('approved', 'undone') THEN credited > 0 AND decided_by_id IS NOT NULL
            WHEN state = 'paid' THEN credited = amount AND decided_by_id IS NULL
            WHEN state = 'rejected' THEN credited IS NULL AND decided_by_id IS NOT NULL
            ELSE credited IS NULL AND decided_by_id IS NULL END IS NOT TRUE""",
    "a rejected top-up has its act": """
        SELECT 'topup:' || id, user_id, decided_by_id, amount, decided_at FROM top_up WHERE state = 'rejected'
        EXCEPT SELECT ref, user_id, actor_id, amount, created_at FROM act WHERE what = 'reject'""",
    "a Stars charge is credited once": """
        SELECT c.charge_id, c.stars, c.user_id FROM charge c LEFT JOIN entry e ON e.key = 'stars:' || c.charge_id
        WHERE e.id IS NULL""",
    "a refunded charge is taken back once": """
        SELECT c.charge_id, c.refund, r.amount, u.amount, b.amount FROM charge c
        LEFT JOIN entry r ON r.key = 'refund:' || c.charge_id
        LEFT JOIN entry u ON u.key = 'unrefund:' || c.charge_id
        LEFT JOIN entry b ON b.key = 'chargeback:' || c.charge_id
        WHERE CASE WHEN c.refund IS NULL THEN r.id IS NULL AND u.id IS NULL AND b.id IS NULL
            WHEN c.refund = 'asked' THEN r.id IS NOT NULL AND u.id IS NULL AND b.id IS NULL
            WHEN c.refund = 'refused' THEN r.id IS NOT NULL AND u.id IS NOT NULL AND b.id IS NULL
            WHEN b.id IS NULL THEN r.id IS NOT NULL AND u.id IS NULL
            ELSE (r.id IS NULL) = (u.id IS NULL) END IS NOT TRUE""",
    "a refusal takes its write-off back": """
        SELECT w.id, w.key FROM entry w JOIN entry u ON u.key = 'unrefund:' || SUBSTR(w.key, 17)
        LEFT JOIN entry b ON b.key = 'writeoff:unrefund:' || SUBSTR(w.key, 17)
        WHERE w.kind = 'writeoff' AND SUBSTR(w.key, 1, 16) = 'writeoff:refund:' AND b.id IS NULL""",
    "a referral is paid once": """
        SELECT r.invited_id, r.paid, e.amount FROM referral r LEFT JOIN entry e ON e.key = 'referral:' || r.invited_id
        WHERE (r.paid IS NOT NULL) <> (e.id IS NOT NULL)""",
    "a redeemed code is credited once": """
        SELECT p.id, p.promo_id, p.state, p.amount, o.kind FROM promo_use p
        LEFT JOIN promo o ON o.code = p.promo_id LEFT JOIN entry e ON e.key = 'promo:' || p.id
        WHERE CASE WHEN p.state = 'waiting' THEN o.kind = 'percent' AND p.amount IS NULL AND e.id IS NULL
            WHEN o.kind = 'percent' AND p.amount = 0 THEN e.id IS NULL ELSE e.id IS NOT NULL END IS NOT TRUE""",
    "a code is used as often as it was redeemed, and as allowed": """
        SELECT o.code, o.uses, o.total_limit, COUNT(p.id) FROM promo o LEFT JOIN promo_use p ON p.promo_id = o.code
        GROUP BY o.code, o.uses, o.total_limit HAVING o.uses <> COUNT(p.id) OR o.uses > o.total_limit""",
    "nobody redeems a code more often than allowed": """
        SELECT p.promo_id, p.user_id, COUNT(*) FROM promo_use p JOIN promo o ON o.code = p.promo_id
        GROUP BY p.promo_id, p.user_id, o.user_limit
        HAVING COUNT(*) > o.user_limit OR MAX(p.number) <> COUNT(*) OR MIN(p.number) < 1""",
    "a role was given by somebody": """
        SELECT u.id, u.role FROM "user" u WHERE u.role IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM act a JOIN words w ON w.digest = a.digest WHERE w.text = u.role
            AND a.id = (SELECT MAX(id) FROM act WHERE user_id = u.id AND what = 'role'))""",
    "every person has an account": """
        SELECT u.id FROM "user" u LEFT JOIN account a ON a.user_id = u.id WHERE a.user_id IS NULL""",
    "a source has its entry": """
        SELECT s.key, s.kind, s.amount FROM source s LEFT JOIN entry e ON e.key = s.key WHERE e.id IS NULL""",
    "no balance is below zero": "SELECT user_id, balance FROM account WHERE balance < 0",
}

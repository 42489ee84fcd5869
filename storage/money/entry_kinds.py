"""What every entry and every act must be, for all kinds in one place; `storage/money/verify.py` builds its proof from it.

The shape of an entry (`e`) is chosen by its kind and key; a shape says, in SQL, which row the entry comes from and what
its user, reference, amount, actor and state must be. What is not proven is wrong: NULL proves nothing, and an entry
without a shape is refused. A new kind, or a new key of one, is a line here (and a member of `EntryKind`).
"""

import re
from typing import NamedTuple

from storage.base.states import (
    OPEN_JOBS,
    BonusState,
    EntryKind,
    JobState,
    PromoKind,
    PromoUseState,
    ProviderState,
    RefundState,
    SaleState,
    TopUpState,
)

NULL = "NULL"  # the column must be empty
SOMEBODY = "somebody"  # any member of the staff, whose act is among MONEY_ACTS

BONUS_ID = "RTRIM(SUBSTR(e.key, 7), '0123456789')"  # of the key bonus:{id}:{cause}, where a cause may be pay{refund}
for _cause in (":unrefund", ":refund", ":undo", ":chargeback", ":unpay", ":pay"):
    BONUS_ID = f"REPLACE({BONUS_ID}, '{_cause}', '')"
BONUS_GIVEN_AGAIN = (
    "SUBSTR(e.key, 1, 15) = 'writeoff:bonus:' AND (SUBSTR(e.key, LENGTH(e.key) - 8) = ':unrefund'"
    " OR REPLACE(e.key, ':unpay', '') <> e.key)"
)

# The rows that entries come from, each joined at most once: alias → (table, its column, {kind: the column's value}).
# `{number:…}` is a text as a whole number, NULL if it is not one.
ORIGINS = {
    "j": ("job", "id", dict.fromkeys(("hold", "capture", "release", "recovery"), "{number:SUBSTR(e.ref, 5)}")),
    "t": ("top_up", "id", dict.fromkeys(("topup", "stars", "refund", "chargeback"), "{number:SUBSTR(e.ref, 7)}")),
    "c": ("charge", "charge_id", {
        "stars": "SUBSTR(e.key, 7)",
        "refund": "CASE WHEN SUBSTR(e.key, 1, 2) = 'un' THEN SUBSTR(e.key, 10) ELSE SUBSTR(e.key, 8) END",
        "chargeback": "SUBSTR(e.key, 12)",
    }),
    "d": ("entry", "key", {"writeoff": "SUBSTR(e.key, 10)"}),  # the debit that was written off
    "l": ("entry", "key", {"writeoff": "CASE WHEN SUBSTR(e.key, 1, 18) = 'writeoff:unrefund:'"
                                       " THEN 'writeoff:refund:' || SUBSTR(e.key, 19) WHEN " + BONUS_GIVEN_AGAIN +
                                       " THEN REPLACE(REPLACE(e.key, ':unrefund', ':refund'), ':unpay', ':pay') END"}),  # the loss it ends
    "b": ("bonus", "id", {"takeback": "{number:" + BONUS_ID + "}"}),
    "w": ("bonus", "key", dict.fromkeys(("promo", "referral", "bonus"), "e.key")),
    "p": ("promo_use", "id", {"promo": "{number:SUBSTR(e.key, 7)}"}),
    "o": ("promo", "code", {"promo": "SUBSTR(e.ref, 7)"}),
    "r": ("referral", "invited_id", {"referral": "{number:SUBSTR(e.key, 10)}"}),
    "v": ("sale", "id", dict.fromkeys(("sale", "unsale", "recovery"), "{number:SUBSTR(e.ref, 6)}")),
    "g": ("provider_payment", "topup_id", {"topup": "{number:SUBSTR(e.key, 5)}"}),
    "f": ("provider_refund", "id", {
        "refund": "{number:CASE WHEN SUBSTR(e.key, 1, 2) = 'un' THEN SUBSTR(e.key, 14) ELSE SUBSTR(e.key, 12) END}",
        "chargeback": "{number:SUBSTR(e.key, 16)}",
    }),
    "s": ("source", "key", dict.fromkeys(("gift", "import", "bonus", "admin", "topup"), "e.key")),
}  # fmt: skip


def spelled(sql: str, postgres: bool) -> str:
    """Return SQL with `{number:…}`, a text as a whole number, replaced by the database's own expression."""
    number = r"CASE WHEN \1 ~ '^[0-9]{1,18}$' THEN (\1)::bigint END" if postgres else r"CAST(\1 AS INTEGER)"
    return re.sub(r"\{number:([^{}]*)\}", number, sql)


class Shape(NamedTuple):
    """What an entry must be; every value is SQL, of the rows in ORIGINS."""

    kind: EntryKind
    key: str  # the key it must have
    user: str
    amount: str  # what the amount must be
    ref: str = NULL
    actor: str = NULL
    state: str = "TRUE"  # what else must hold
    when: str = ""  # which entries of the kind have this shape; by default, those with the key


CREDITS = f"('{EntryKind.TOPUP}', '{EntryKind.STARS}')"
PAID_FOR = (  # the top-up a bonus belongs to: money that came in earlier
    "EXISTS (SELECT 1 FROM entry m WHERE m.user_id = {user} AND m.kind IN " + CREDITS + " AND m.id < e.id AND {rule})"
)
OF_PAYMENT = "SUBSTR(e.ref, 1, 6) = 'topup:'"
EARNED = {  # a bonus earned by a payment: everything is in its row
    "user": "w.user_id",
    "amount": "w.amount",
    "ref": "'topup:' || w.topup_id",
    "when": OF_PAYMENT,
}
EARNED_BY = (
    "w.kind = e.kind AND w.state IN ('posted', 'taken')"
    " AND EXISTS (SELECT 1 FROM entry m WHERE m.key = w.origin AND m.kind IN " + CREDITS + " AND {rule})"
)
TAKEN = {"user": "b.user_id", "amount": "-b.amount", "ref": "'topup:' || b.topup_id"}
BY = "(SELECT m.actor_id FROM entry m WHERE m.key = {key})"  # the actor of the entry it belongs to
SOURCE = {"user": "s.user_id", "amount": "s.amount", "state": "s.kind = e.kind AND s.created_at = e.created_at"}
PROVIDED = (  # credited by what a provider said
    "g.provider = t.method AND g.state IN ('paid', 'refunded') AND g.external_id IS NOT NULL AND t.state = 'paid'"
    " AND t.credited = e.amount AND e.created_at = g.paid_at AND e.created_at = t.decided_at"
)
OF_PROVIDER = "REPLACE(RTRIM(e.key, '0123456789'), 'pay', '') <> RTRIM(e.key, '0123456789')"
PAY_REFUND = (
    "SUBSTR(e.key, LENGTH(RTRIM(e.key, '0123456789')) + 1)"  # the refund a bonus went with: of bonus:{id}:pay{refund}
)
PAY_KEY = f"'bonus:' || b.id || CASE WHEN e.amount < 0 THEN ':pay' ELSE ':unpay' END || {PAY_REFUND}"
PAY_DEBIT = f"'refund:pay:' || {PAY_REFUND}"
OF_REFUND = (
    "EXISTS (SELECT 1 FROM provider_refund back WHERE back.topup_id = b.topup_id AND CAST(back.id AS TEXT) = "
    + PAY_REFUND
    + ")"
)
GIVEN = SOURCE | {"state": f"{SOURCE['state']} AND e.amount > 0"}
IMPORTED = GIVEN | {
    "ref": "e.ref",
    "state": f"{GIVEN['state']} AND SUBSTR(e.ref, 1, 7) = 'import:' AND e.digest IS NOT NULL",
}
TERMS = (  # of a promo code, as the act of its creation states them
    "CASE o.kind WHEN 'amount' THEN '' ELSE o.value || ' % ' END || '× ' || o.total_limit"
    " || CASE o.user_limit WHEN 1 THEN '' ELSE ' / ' || o.user_limit END"
)
PERSON_OF = "COALESCE({0}.person, CAST({0}.id AS TEXT))"
BARRED = f"""
    SELECT DISTINCT {PERSON_OF.format("o")} AS who FROM act a JOIN "user" o ON o.id = a.user_id WHERE a.what = 'block'
    AND NOT EXISTS (SELECT 1 FROM act b JOIN "user" x ON x.id = b.user_id WHERE b.id > a.id
                    AND b.what IN ('block', 'unblock') AND {PERSON_OF.format("x")} = {PERSON_OF.format("o")})"""

SHAPES = (
    Shape(EntryKind.HOLD, "'hold:' || j.id", "j.user_id", "-j.price", ref="'job:' || j.id", state="e.created_at = j.created_at"),
    Shape(EntryKind.CAPTURE, "'settle:' || j.id", "j.user_id", "j.price - j.charged", ref="'job:' || j.id",
          state="j.state = 'succeeded' AND j.charged BETWEEN 0 AND j.price AND e.created_at = j.finished_at"),
    Shape(EntryKind.RELEASE, "'settle:' || j.id", "j.user_id", "j.price", ref="'job:' || j.id",
          state="j.state IN ('failed', 'cancelled') AND e.created_at = j.finished_at"),
    Shape(EntryKind.TOPUP, "'topup:' || t.id", "t.user_id", "t.credited", ref="'topup:' || t.id", actor="t.decided_by_id",
          state="t.method <> 'stars' AND t.state IN ('approved', 'undone') AND t.credited > 0"
                " AND e.created_at = t.decided_at"),
    Shape(EntryKind.TOPUP, "'undo:' || t.id", "t.user_id", "-t.credited", ref="'topup:' || t.id", actor=SOMEBODY,
          state="t.state = 'undone'"),
    Shape(EntryKind.TOPUP, "'pay:' || g.topup_id", "t.user_id", "t.amount", ref="'topup:' || t.id",  # a provider's
          state=PROVIDED + " AND g.trouble IS NULL", when="SUBSTR(e.key, 1, 4) = 'pay:' AND e.actor_id IS NULL"),
    Shape(EntryKind.TOPUP, "'pay:' || g.topup_id", "t.user_id", "g.received", ref="'topup:' || t.id", actor=SOMEBODY,
          state=PROVIDED + " AND g.trouble = 'amount'", when="SUBSTR(e.key, 1, 4) = 'pay:'"),  # the staff took what came
    Shape(EntryKind.TOPUP, "e.key", "t.user_id", "t.amount", ref="'topup:' || t.id", actor=SOMEBODY,  # taken by the staff
          state="t.state IN ('paid', 'cancelled')", when="e.actor_id IS NOT NULL"),
    Shape(EntryKind.TOPUP, "s.key", "t.user_id", "t.amount", ref="'topup:' || t.id",  # another way to pay
          state="s.user_id = e.user_id AND s.amount = e.amount AND t.state IN ('paid', 'cancelled')"),
    Shape(EntryKind.STARS, "'stars:' || c.charge_id", "c.user_id", "c.credited", ref="'topup:' || c.topup_id",
          state="t.method = 'stars' AND t.stars = c.stars AND t.state IN ('paid', 'cancelled')"
                " AND c.credited > 0 AND c.credited = COALESCE("
                "(SELECT agreed.amount FROM checkout agreed WHERE agreed.charge_id = c.charge_id), c.credited)"
                " AND e.created_at = c.created_at"),
    Shape(EntryKind.REFUND, "'refund:' || c.charge_id", "c.user_id", "-c.credited", ref="'topup:' || c.topup_id",
          actor=SOMEBODY, state="c.refund IN ('asked', 'done', 'refused')"),
    Shape(EntryKind.REFUND, "'unrefund:' || c.charge_id", "c.user_id", "c.credited", ref="'topup:' || c.topup_id",
          state="c.refund IN ('refused', 'done')"),
    Shape(EntryKind.CHARGEBACK, "'chargeback:' || c.charge_id", "c.user_id", "-c.credited", ref="'topup:' || c.topup_id",
          state="c.refund = 'done'"),
    Shape(EntryKind.REFUND, "'refund:pay:' || f.id", "t.user_id", "-f.amount", ref="'topup:' || f.topup_id",
          actor=SOMEBODY, state="NOT f.outside AND f.state IN ('asked', 'done', 'refused') AND e.created_at = f.created_at"),
    Shape(EntryKind.REFUND, "'unrefund:pay:' || f.id", "t.user_id", "f.amount", ref="'topup:' || f.topup_id",
          state="NOT f.outside AND f.state = 'refused'"),
    Shape(EntryKind.CHARGEBACK, "'chargeback:pay:' || f.id", "t.user_id", "-f.amount", ref="'topup:' || f.topup_id",
          state="f.outside AND f.state = 'done' AND e.created_at = f.created_at"),
    Shape(EntryKind.TAKEBACK, PAY_KEY, **TAKEN, when=OF_PROVIDER + " AND e.amount < 0", actor=BY.format(key=PAY_DEBIT),
          state="b.state IN ('taken', 'posted') AND " + OF_REFUND),
    Shape(EntryKind.TAKEBACK, PAY_KEY, **TAKEN | {"amount": "b.amount"}, when=OF_PROVIDER,
          state="b.state IN ('taken', 'posted') AND " + OF_REFUND + " AND REPLACE(e.key, ':unpay', '') <> e.key"),
    Shape(EntryKind.TAKEBACK, "'bonus:' || b.id || ':undo'", **TAKEN, state="b.state = 'taken'",
          actor=BY.format(key="'undo:' || b.topup_id")),
    Shape(EntryKind.TAKEBACK, "'bonus:' || b.id || ':refund'", **TAKEN, state="b.state IN ('taken', 'posted')",
          actor=BY.format(key="'refund:' || SUBSTR(b.origin, 7)")),
    Shape(EntryKind.TAKEBACK, "'bonus:' || b.id || ':chargeback'", **TAKEN, state="b.state = 'taken'"),
    Shape(EntryKind.TAKEBACK, "'bonus:' || b.id || ':unrefund'", **TAKEN | {"amount": "b.amount"},
          state="b.state IN ('taken', 'posted')"),
    Shape(EntryKind.WRITEOFF, "'writeoff:' || d.key", "d.user_id", "e.amount", ref="d.ref",
          state="e.amount BETWEEN -l.amount AND -1 AND d.kind IN ('refund', 'takeback') AND e.id > d.id"
                " AND e.created_at = d.created_at",
          when="SUBSTR(e.key, 1, 18) = 'writeoff:unrefund:' OR " + BONUS_GIVEN_AGAIN),
    Shape(EntryKind.WRITEOFF, "'writeoff:' || d.key", "d.user_id", "e.amount", ref="d.ref", actor="d.actor_id",
          state="d.kind IN ('topup', 'refund', 'chargeback', 'takeback') AND e.amount BETWEEN 1 AND -d.amount"
                " AND e.id < d.id AND e.created_at = d.created_at"),  # written just before its debit
    Shape(EntryKind.RECOVERY, "'recovery:' || j.id", "j.user_id", "e.amount", ref="'job:' || j.id",
          state="j.state IN ('succeeded', 'failed', 'cancelled')"
                " AND -e.amount BETWEEN 1 AND j.price - COALESCE(j.charged, 0)"),
    Shape(EntryKind.SALE, "'sale:' || v.id", "v.user_id", "-v.amount", ref="'sale:' || v.id", state="e.created_at = v.created_at"),
    Shape(EntryKind.UNSALE, "'unsale:' || v.id", "v.user_id", "v.amount", ref="'sale:' || v.id",
          state="v.state = 'returned' AND e.created_at = v.returned_at"),
    Shape(EntryKind.RECOVERY, "'recovery:sale:' || v.id", "v.user_id", "e.amount", ref="'sale:' || v.id",
          state="v.state = 'returned' AND -e.amount BETWEEN 1 AND v.amount AND e.created_at = v.returned_at"),
    Shape(EntryKind.RECOVERY, "e.key", "e.user_id", "e.amount", actor=SOMEBODY, state="e.amount < 0",  # taken by the staff
          when="SUBSTR(e.key, 1, 8) = 'collect:'"),
    Shape(EntryKind.PROMO, "'promo:' || p.id", **EARNED, state="p.state = 'done' AND p.amount = w.amount AND p.user_id = w.user_id"
          " AND " + EARNED_BY.format(rule="m.user_id = p.user_id AND EXISTS (SELECT 1 FROM promo q WHERE"
          " q.code = p.promo_id AND q.kind = 'percent' AND m.amount * q.value / 100 = p.amount)")),
    Shape(EntryKind.REFERRAL, "'referral:' || r.invited_id", **EARNED, state="r.inviter_id = w.user_id AND r.paid = w.amount AND "
          + EARNED_BY.format(rule="m.user_id = r.invited_id AND m.amount >= w.amount")),
    Shape(EntryKind.BONUS, "w.key", **EARNED, state=EARNED_BY.format(rule="m.user_id IS NOT NULL")),
    Shape(EntryKind.PROMO, "'promo:' || p.id", "p.user_id", "p.amount", ref="'promo:' || p.promo_id",
          state="p.state = 'done' AND p.amount > 0 AND (o.kind = 'amount' AND p.amount = o.value OR o.kind = 'percent' AND "
                + PAID_FOR.format(user="p.user_id", rule="m.amount * o.value / 100 = p.amount") + ")"),
    Shape(EntryKind.REFERRAL, "'referral:' || r.invited_id", "r.inviter_id", "r.paid", ref="'user:' || r.invited_id",
          state="r.paid > 0 AND " + PAID_FOR.format(user="r.invited_id", rule="m.amount >= r.paid")),
    Shape(EntryKind.GIFT, "'gift:' || e.user_id", **GIVEN),  # the key allows one a person
    Shape(EntryKind.IMPORT, "e.ref || ':' || e.user_id", **IMPORTED),  # of each source once a person
    Shape(EntryKind.BONUS, "s.key", **GIVEN),
    Shape(EntryKind.ADMIN, "s.key", **SOURCE, when="e.actor_id IS NULL"),  # by the program itself
    Shape(EntryKind.ADMIN, "e.key", "e.user_id", "e.amount", actor=SOMEBODY, when="e.actor_id IS NOT NULL"),
)  # fmt: skip

# Acts whose amount is that of an entry by the same actor at the same time: (act, which entries)
MONEY_ACTS = (
    ("approve", "e.kind = 'topup' AND SUBSTR(e.key, 1, 6) = 'topup:'"),
    ("undo", "e.kind = 'topup' AND SUBSTR(e.key, 1, 5) = 'undo:'"),
    ("paid", "e.kind = 'topup'"),
    ("payback", "e.kind = 'refund' AND SUBSTR(e.key, 1, 11) = 'refund:pay:'"),
    ("refund", "e.kind = 'refund'"),
    ("credit", "e.kind = 'admin' AND e.amount > 0"),
    ("debit", "e.kind = 'admin' AND e.amount <= 0"),
    ("collect", "e.kind = 'recovery'"),
)
FOLLOWERS = (
    EntryKind.WRITEOFF,
    EntryKind.TAKEBACK,
)  # kinds that name the actor of the entry they belong to, and need no act of their own
# Acts whose amount is that of another row: act → that row. No other act may have an amount.
OTHER_ACTS = {
    "reject": "EXISTS (SELECT 1 FROM top_up t WHERE 'topup:' || t.id = a.ref AND t.id = {number:SUBSTR(a.ref, 7)}"
    " AND t.state = 'rejected' AND t.amount = a.amount AND t.user_id = a.user_id AND t.decided_by_id = a.actor_id)",
    "fixed": "EXISTS (SELECT 1 FROM overlay o WHERE o.scope = a.ref AND o.field = 'fixed'"
    " AND {number:CAST(o.value AS TEXT)} = a.amount)",
    **dict.fromkeys(
        ("promo", "promo_waits", "promo_confirm", "promo_own"),
        "EXISTS (SELECT 1 FROM promo o WHERE 'promo:' || o.code = a.ref AND o.kind = 'amount' AND o.value = a.amount)",
    ),
}

# The states that rows can be in; any other was set by hand.
STATES = {
    ("job", "state"): tuple(JobState),
    ("top_up", "state"): tuple(TopUpState),
    ("charge", "refund"): (*RefundState, None),
    ("promo", "kind"): tuple(PromoKind),
    ("promo_use", "state"): tuple(PromoUseState),
    ("bonus", "state"): tuple(BonusState),
    ("sale", "state"): tuple(SaleState),
    ("provider_payment", "state"): tuple(ProviderState),
    ("provider_refund", "state"): tuple(RefundState),
}

# What other rows must have, such as their entries: promise → the query that finds rows that break it.
OPEN = "(" + ", ".join(f"'{state}'" for state in OPEN_JOBS) + ")"
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
    "a question belongs to a conversation of its person": """
        SELECT j.id, j.topic, t.user_id, t.topic FROM job j LEFT JOIN job t ON t.id = j.topic
        WHERE j.topic IS NOT NULL AND (t.user_id = j.user_id AND t.topic = t.id AND t.id <= j.id) IS NOT TRUE""",
    "a question is answered in the call that asks it": """
        SELECT id, state, task_id FROM job WHERE topic IS NOT NULL AND (state IN ('running', 'lost') OR task_id IS NOT NULL)""",
    "a person has one open question": f"""
        SELECT user_id, COUNT(*) FROM job WHERE topic IS NOT NULL AND state IN {OPEN} GROUP BY user_id HAVING COUNT(*) > 1""",
    "no price is below zero": """
        SELECT 'job', id, price FROM job WHERE price < 0
        UNION ALL SELECT 'top_up', id, amount FROM top_up WHERE amount <= 0
        UNION ALL SELECT 'promo_use', id, amount FROM promo_use WHERE amount < 0
        UNION ALL SELECT 'sale', id, amount FROM sale WHERE amount <= 0
        UNION ALL SELECT 'provider_refund', id, amount FROM provider_refund WHERE amount <= 0
        UNION ALL SELECT 'promo', uses, value FROM promo WHERE value <= 0""",
    "a job says what it charged": f"""
        SELECT id, state, charged FROM job WHERE CASE WHEN state IN {OPEN} THEN charged IS NULL
            WHEN state = 'succeeded' THEN charged BETWEEN 0 AND price ELSE COALESCE(charged, 0) = 0 END IS NOT TRUE""",
    "a version grows from an earlier order of the same person": """
        SELECT v.job_id, v.parent_id, v.root_id FROM revision v LEFT JOIN job j ON j.id = v.job_id
        LEFT JOIN job p ON p.id = v.parent_id LEFT JOIN job r ON r.id = v.root_id
        LEFT JOIN revision g ON g.job_id = v.parent_id LEFT JOIN revision h ON h.job_id = v.root_id
        WHERE (p.user_id = j.user_id AND r.user_id = j.user_id AND v.parent_id < v.job_id
               AND v.root_id = COALESCE(g.root_id, v.parent_id) AND h.job_id IS NULL) IS NOT TRUE""",
    "a version has its number unless it came to nothing": """
        SELECT v.job_id, v.number, j.state FROM revision v LEFT JOIN job j ON j.id = v.job_id
        WHERE CASE WHEN j.state IN ('failed', 'cancelled') AND j.delivery IS NULL THEN v.number IS NULL
            ELSE v.number > 1 END IS NOT TRUE""",
    "a message shows a result to its owner": """
        SELECT m.message_id, m.job_id, m.user_id, j.user_id FROM result_message m LEFT JOIN job j ON j.id = m.job_id
        WHERE (j.user_id = m.user_id AND j.delivery IS NOT NULL AND COALESCE(m.part, 0) >= 0) IS NOT TRUE""",
    "an approved top-up is credited once": """
        SELECT t.id, t.credited, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'topup:' || t.id
        WHERE (t.state IN ('approved', 'undone')) <> (e.id IS NOT NULL)""",
    "an undone top-up is taken back once": """
        SELECT t.id, t.state, e.amount FROM top_up t LEFT JOIN entry e ON e.key = 'undo:' || t.id
        WHERE (t.state = 'undone') <> (e.id IS NOT NULL)""",
    "a paid top-up has its credit": f"""
        SELECT 'topup:' || id, credited FROM top_up WHERE state = 'paid'
        EXCEPT SELECT ref, amount FROM entry WHERE kind IN {CREDITS}""",
    "a top-up is credited once": """
        SELECT ref, COUNT(*), SUM(amount) FROM entry WHERE kind = 'topup' AND amount > 0 GROUP BY ref HAVING COUNT(*) > 1""",
    "a top-up says what was credited and by whom": """
        SELECT id, state, credited, decided_by_id FROM top_up WHERE CASE
            WHEN state IN ('approved', 'undone') THEN credited > 0 AND decided_by_id IS NOT NULL
            WHEN state = 'paid' THEN credited > 0 AND decided_by_id IS NULL
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
    "a provider's payment is credited once": """
        SELECT g.topup_id, g.state, e.amount FROM provider_payment g LEFT JOIN entry e ON e.key = 'pay:' || g.topup_id
        WHERE (g.state IN ('paid', 'refunded')) <> (e.id IS NOT NULL)""",
    "a provider's payment stands as its top-up does": """
        SELECT g.topup_id, g.provider, g.state, t.method, t.state FROM provider_payment g LEFT JOIN top_up t ON t.id = g.topup_id
        WHERE (g.provider = t.method AND CASE WHEN g.state IN ('paid', 'refunded') THEN t.state = 'paid' AND g.paid_at = t.decided_at
            ELSE t.state IN ('new', 'cancelled') AND g.paid_at IS NULL END
            AND CASE WHEN g.state IN ('created', 'unknown') THEN g.external_id IS NULL
                WHEN g.state = 'cancelled' THEN TRUE ELSE g.external_id IS NOT NULL END) IS NOT TRUE""",
    "a provider's refund is taken back once": """
        SELECT f.id, f.state, r.amount, u.amount, c.amount FROM provider_refund f
        LEFT JOIN entry r ON r.key = 'refund:pay:' || f.id
        LEFT JOIN entry u ON u.key = 'unrefund:pay:' || f.id
        LEFT JOIN entry c ON c.key = 'chargeback:pay:' || f.id
        WHERE CASE WHEN f.outside THEN f.state = 'done' AND r.id IS NULL AND u.id IS NULL AND c.id IS NOT NULL
            WHEN f.state = 'refused' THEN r.id IS NOT NULL AND u.id IS NOT NULL AND c.id IS NULL
            ELSE r.id IS NOT NULL AND u.id IS NULL AND c.id IS NULL END IS NOT TRUE""",
    "of a provider's payment no more goes back than came": """
        SELECT g.topup_id, g.state, t.credited, SUM(CASE WHEN f.state <> 'refused' THEN f.amount ELSE 0 END)
        FROM provider_payment g JOIN top_up t ON t.id = g.topup_id LEFT JOIN provider_refund f ON f.topup_id = g.topup_id
        GROUP BY g.topup_id, g.state, t.credited
        HAVING (SUM(CASE WHEN f.state <> 'refused' THEN f.amount ELSE 0 END) <= COALESCE(t.credited, 0)
            AND (g.state = 'refunded') = (COALESCE(SUM(CASE WHEN f.state = 'done' THEN f.amount ELSE 0 END), 0)
                = COALESCE(t.credited, -1))) IS NOT TRUE""",
    "a refund is of a provider's payment": """
        SELECT f.id, f.topup_id FROM provider_refund f LEFT JOIN provider_payment g ON g.topup_id = f.topup_id
        WHERE g.topup_id IS NULL""",
    "a refusal takes back what its write-off has not been paid of": """
        SELECT w.id, w.key FROM entry w
        JOIN entry u ON u.key = CASE WHEN SUBSTR(w.key, 1, 16) = 'writeoff:refund:'
            THEN 'unrefund:' || SUBSTR(w.key, 17)
            ELSE REPLACE(REPLACE(SUBSTR(w.key, 10), ':refund', ':unrefund'), ':pay', ':unpay') END AND u.key <> SUBSTR(w.key, 10)
        LEFT JOIN entry b ON b.key = 'writeoff:' || u.key
        WHERE w.kind = 'writeoff' AND w.amount > 0 AND w.amount > COALESCE(-b.amount, 0) + COALESCE((
            SELECT -SUM(r.amount) FROM entry r WHERE r.user_id = w.user_id AND r.kind = 'recovery' AND r.id < u.id), 0)""",
    "an accepted pre-checkout says what its invoice says": """
        SELECT k.query_id, k.amount, t.amount FROM checkout k LEFT JOIN top_up t ON t.id = k.topup_id
        LEFT JOIN charge c ON c.charge_id = k.charge_id
        WHERE (k.amount = t.amount AND k.stars = t.stars AND k.user_id = t.user_id
               AND (k.charge_id IS NULL OR c.topup_id = k.topup_id)) IS NOT TRUE""",
    "a sale has its entry": """
        SELECT v.id, v.amount FROM sale v LEFT JOIN entry e ON e.key = 'sale:' || v.id WHERE e.id IS NULL""",
    "a returned sale is given back once": """
        SELECT v.id, v.state, e.amount FROM sale v LEFT JOIN entry e ON e.key = 'unsale:' || v.id
        WHERE ((v.state = 'returned') = (e.id IS NOT NULL) AND (v.state = 'returned') = (v.returned_at IS NOT NULL)) IS NOT TRUE""",
    "a bonus stands as its row says": """
        SELECT b.id, b.state, b.amount, p.amount, u.amount, r.amount, n.amount, c.amount FROM bonus b
        LEFT JOIN entry p ON p.key = b.key
        LEFT JOIN entry u ON u.key = 'bonus:' || b.id || ':undo'
        LEFT JOIN entry r ON r.key = 'bonus:' || b.id || ':refund'
        LEFT JOIN entry n ON n.key = 'bonus:' || b.id || ':unrefund'
        LEFT JOIN entry c ON c.key = 'bonus:' || b.id || ':chargeback'
        WHERE ((p.id IS NULL) = (b.state IN ('waiting', 'void'))
               AND (p.id IS NULL OR p.user_id = b.user_id AND p.amount = b.amount AND p.kind = b.kind)
               AND COALESCE(p.amount, 0) + COALESCE(u.amount, 0) + COALESCE(r.amount, 0) + COALESCE(n.amount, 0)
                   + COALESCE(c.amount, 0) + COALESCE((SELECT SUM(x.amount) FROM provider_refund f JOIN entry x
                       ON x.key IN ('bonus:' || b.id || ':pay' || f.id, 'bonus:' || b.id || ':unpay' || f.id)
                       WHERE f.topup_id = b.topup_id), 0) = CASE WHEN b.state = 'posted' THEN b.amount ELSE 0 END) IS NOT TRUE""",
    "a bonus goes with its payment": """
        SELECT b.id, b.state, b.origin, c.refund, t.state FROM bonus b LEFT JOIN top_up t ON t.id = b.topup_id
        LEFT JOIN entry e ON e.key = b.origin AND e.kind IN ('topup', 'stars') AND e.ref = 'topup:' || b.topup_id
        LEFT JOIN charge c ON 'stars:' || c.charge_id = b.origin
        WHERE (e.id IS NOT NULL AND (b.state IN ('taken', 'void'))
               = (COALESCE(c.refund, '') IN ('asked', 'done') OR EXISTS (SELECT 1 FROM provider_refund f
                   WHERE 'pay:' || f.topup_id = b.origin AND f.state IN ('asked', 'done')) OR (c.charge_id IS NULL AND t.state = 'undone'))) IS NOT TRUE""",
    "a debt is what was written off and not recovered": """
        SELECT user_id, SUM(debt), SUM(total) FROM (
            SELECT user_id, debt, 0 AS total FROM account
            UNION ALL SELECT user_id, 0, amount FROM entry WHERE kind IN ('writeoff', 'recovery')
        ) x GROUP BY user_id HAVING SUM(debt) <> SUM(total)""",
    "who pays themselves was alone": """
        SELECT e.id, e.key, e.amount FROM entry e WHERE e.actor_id = e.user_id AND e.amount > 0 AND e.kind <> 'writeoff'
        AND NOT EXISTS (SELECT 1 FROM act a WHERE a.actor_id = e.actor_id AND a.user_id = e.user_id
                        AND a.created_at = e.created_at AND a.own)""",
    "a referral is paid once": """
        SELECT r.invited_id, r.paid, e.amount, b.amount FROM referral r
        LEFT JOIN entry e ON e.key = 'referral:' || r.invited_id LEFT JOIN bonus b ON b.key = 'referral:' || r.invited_id
        WHERE (COALESCE(r.paid, 0) = COALESCE(b.amount, e.amount, 0)) IS NOT TRUE""",
    "a redeemed code is credited once": """
        SELECT p.id, p.promo_id, p.state, p.amount, o.kind FROM promo_use p
        LEFT JOIN promo o ON o.code = p.promo_id LEFT JOIN entry e ON e.key = 'promo:' || p.id
        WHERE CASE WHEN p.state = 'waiting' THEN o.kind = 'percent' AND p.amount IS NULL AND e.id IS NULL
            WHEN p.state = 'lapsed' THEN o.kind = 'percent' AND p.amount IS NULL AND e.id IS NULL
            WHEN o.kind = 'percent' AND p.amount = 0 THEN e.id IS NULL
            ELSE e.id IS NOT NULL OR EXISTS (
                SELECT 1 FROM bonus b WHERE b.key = 'promo:' || p.id AND b.state IN ('waiting', 'void')) END IS NOT TRUE""",
    "a welcome gift is given once": """
        SELECT u.person, COUNT(*) FROM entry e JOIN "user" u ON u.id = e.user_id
        WHERE e.kind = 'gift' AND u.person IS NOT NULL GROUP BY u.person HAVING COUNT(*) > 1""",
    "a person is imported once from each source, and marked so": """
        SELECT u.person, e.ref, COUNT(*) FROM entry e JOIN "user" u ON u.id = e.user_id
        LEFT JOIN once o ON o.person_id = u.person AND o.what = e.ref
        WHERE e.kind = 'import' AND u.person IS NOT NULL
        GROUP BY u.person, e.ref HAVING COUNT(*) > 1 OR COUNT(o.what) = 0""",
    "a code is used as often as it was redeemed, and as allowed": """
        SELECT o.code, o.uses, o.total_limit, COUNT(p.id) FROM promo o LEFT JOIN promo_use p ON p.promo_id = o.code
        GROUP BY o.code, o.uses, o.total_limit HAVING o.uses <> COUNT(p.id) OR o.uses > o.total_limit""",
    "nobody redeems a code more often than allowed": """
        SELECT p.promo_id, COALESCE(u.person, CAST(u.id AS TEXT)) AS who, COUNT(*) FROM promo_use p
        JOIN promo o ON o.code = p.promo_id JOIN "user" u ON u.id = p.user_id
        GROUP BY p.promo_id, COALESCE(u.person, CAST(u.id AS TEXT)), o.user_limit
        HAVING COUNT(*) > o.user_limit OR MAX(p.number) > o.user_limit OR MAX(p.number) < COUNT(*) OR MIN(p.number) < 1""",
    "a code was made by somebody, on its terms": f"""
        SELECT o.code, o.kind, o.value, o.total_limit, o.user_limit FROM promo o WHERE NOT EXISTS (
            SELECT 1 FROM act a JOIN words w ON w.digest = a.digest
            WHERE a.what IN ('promo', 'promo_waits') AND a.ref = 'promo:' || o.code AND a.actor_id = o.author_id
            AND a.created_at = o.created_at AND w.text = {TERMS}
            AND (o.kind = 'percent' AND a.amount IS NULL OR o.kind = 'amount' AND a.amount = o.value))""",
    "a code waits, or was confirmed": """
        SELECT o.code, o.waits FROM promo o JOIN act a ON a.what = 'promo_waits' AND a.ref = 'promo:' || o.code
        WHERE o.waits = EXISTS (SELECT 1 FROM act b WHERE b.what = 'promo_confirm' AND b.ref = a.ref)
        UNION ALL SELECT o.code, o.waits FROM promo o WHERE o.waits AND NOT EXISTS (
            SELECT 1 FROM act a WHERE a.what = 'promo_waits' AND a.ref = 'promo:' || o.code)""",
    "a code that was stopped is": """
        SELECT o.code FROM promo o JOIN act a ON a.what = 'promo_stop' AND a.ref = 'promo:' || o.code WHERE NOT o.stopped""",
    "a bonus is of its invitation or its redemption": """
        SELECT b.id, b.kind, b.user_id, b.amount FROM bonus b LEFT JOIN referral r ON 'referral:' || r.invited_id = b.key
        LEFT JOIN promo_use p ON 'promo:' || p.id = b.key
        WHERE CASE b.kind WHEN 'referral' THEN r.inviter_id = b.user_id AND r.paid = b.amount
            WHEN 'promo' THEN p.state = 'done' AND p.user_id = b.user_id AND p.amount = b.amount
            ELSE b.kind = 'bonus' END IS NOT TRUE""",
    "an account is as open as its person": """
        SELECT u.id, u.banned, u.sales_paused FROM "user" u JOIN person p ON p.hash = u.person
        WHERE u.banned <> p.banned OR u.sales_paused <> p.sales_paused""",
    "who is barred was barred by somebody": f"""
        SELECT 'barred', x.who FROM (SELECT {PERSON_OF.format("u")} AS who FROM "user" u WHERE u.banned EXCEPT {BARRED}) x
        UNION ALL SELECT 'open', y.who FROM (
            {BARRED} EXCEPT SELECT {PERSON_OF.format("u")} FROM "user" u WHERE u.banned) y""",
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

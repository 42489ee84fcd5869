"""A shop that has grown: people, money and orders of the last ninety days, written by the database itself in its own SQL.

Of ten entries three are holds, three their settlements, one a welcome bonus, one a payment (half of them in Stars), two
small bonuses. One order of twenty fails. The entries are written in the order of their times, as a bot does, and sealed.
"""

from datetime import UTC, datetime

from bench.contest import FIRST

DAYS, MODEL = 90, "z-image"
HOUR = 3_600_000_000
SEALS = 2_000
SERIES = {
    False: "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {0})",
    True: "WITH s(n) AS (SELECT generate_series(1, {0}::bigint))",
}
JOB = """
    SELECT n AS id, 2 + n * 7919 % {users} AS user_id,
        CASE WHEN n % 2 = 0 THEN '{model}' ELSE 'maker/model-' || (n * n % 40) END AS model, n % 20 = 7 AS failed,
        {start} + n * {span} / {jobs} AS created_at, {start} + n * {span} / {jobs} + (20 + n * 31 % 240) * 1000000 AS finished_at
    FROM s"""
STATEMENTS = (
    """INSERT INTO "user" (id, telegram_id, first_name, username, language_code, code, banned, blocked_bot, sales_paused,
        created_at, seen_at)
        {series:users} SELECT n + 1, {first} + n + 1, 'Name' || ((n + 1) % 977), 'name' || (n + 1), 'en', 'c' || (n + 1),
        {false}, {false}, {false}, {start} + n * {span} / {users}, {now} - n % 1000 * 80000000 FROM s""",
    """INSERT INTO job (id, user_id, model, inputs, price, charged, cost, state, quote, secret, task_id, reason, tries,
        submit_at, submitted_at, finished_at, usual_s, delivery, delivery_tries, sent, created_at)
        {series:jobs} SELECT id, user_id, model, CAST('{{"prompt": "a fox ' || id || '"}}' AS {json}), 100,
        CASE WHEN failed THEN 0 ELSE 100 END, CASE WHEN failed THEN NULL ELSE 4000000 END,
        CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, 'q' || id, 's' || id, 't' || id,
        CASE WHEN failed THEN 'server' END, 0, created_at, created_at + 1000000, finished_at, 60,
        CASE WHEN failed THEN NULL ELSE 'sent' END, 0,
        CASE WHEN failed THEN NULL ELSE CAST('[{{"kind": "photo", "file_id": "x"}}]' AS {json}) END, created_at FROM ({job}) j""",
    """INSERT INTO top_up (id, user_id, method, amount, stars, state, credited, reminded, created_at)
        {series:users} SELECT n, n + 1, CASE WHEN n % 2 = 0 THEN 'stars' ELSE 'card' END, 500,
        CASE WHEN n % 2 = 0 THEN 250 END, 'paid', 500, {false}, {start} + n * {span} / {users} FROM s""",
    """INSERT INTO charge (charge_id, topup_id, user_id, stars, listed, created_at, credited)
        SELECT 'x' || id, id, user_id, 250, {true}, created_at, 500 FROM top_up WHERE method = 'stars'""",
    """INSERT INTO source (key, user_id, kind, amount, created_at)
        SELECT 'card:' || id, user_id, 'topup', 500, created_at FROM top_up WHERE method = 'card'
        UNION ALL SELECT 'in' || id, id, 'bonus', 1000, created_at FROM "user" WHERE id > 1""",
    """INSERT INTO source (key, user_id, kind, amount, created_at) {series:others}
        SELECT 'more' || n, n % {users} + 2, 'bonus', 1, {start} + n * {span} / {others} FROM s""",
    """INSERT INTO entry (user_id, amount, kind, key, ref, created_at) SELECT user_id, amount, kind, key, ref, created_at
        FROM (SELECT user_id, -price AS amount, 'hold' AS kind, 'hold:' || id AS key, 'job:' || id AS ref, created_at FROM job
        UNION ALL SELECT user_id, price - charged, CASE state WHEN 'failed' THEN 'release' ELSE 'capture' END,
            'settle:' || id, 'job:' || id, finished_at FROM job
        UNION ALL SELECT user_id, 500, 'stars', 'stars:x' || id, 'topup:' || id, created_at FROM top_up WHERE method = 'stars'
        UNION ALL SELECT user_id, amount, kind, key, CASE kind WHEN 'topup' THEN 'topup:' || SUBSTR(key, 6) END, created_at
            FROM source) x ORDER BY created_at""",
    """INSERT INTO account (user_id, balance, debt) SELECT user_id, SUM(amount), 0 FROM entry GROUP BY user_id""",
)  # fmt: skip


def fill(url, users, entries, jobs, now=None):
    """Write so many people, entries and orders, none before the people's first; the last has just ended."""
    from storage.base import db
    from storage.base.engines import over

    others = entries - 2 * jobs - 2 * users
    now = int((now or datetime.now(UTC)).timestamp() * 1_000_000)
    span = DAYS * 24 * HOUR - 300_000_000
    db.connect(url)
    with db.connection() as real:
        engine = over(real)
        truth = ("FALSE", "TRUE") if engine.postgres else ("0", "1")
        values = {"users": users, "jobs": jobs, "others": others, "span": span, "start": now - DAYS * 24 * HOUR,
                  "now": now, "first": FIRST, "model": MODEL, "false": truth[0], "true": truth[1],
                  "json": "jsonb" if engine.postgres else "TEXT"}  # fmt: skip
        values["job"] = JOB.format(**values)
        if not engine.postgres:
            engine.execute("PRAGMA cache_size = -1000000")
        with db.transaction():
            made = engine.drop_indexes()
            for statement in STATEMENTS:
                for name in ("users", "jobs", "others"):
                    statement = statement.replace(f"{{series:{name}}}", SERIES[engine.postgres].format(values[name]))
                engine.execute(statement.format(**values))
            for statement in made:
                engine.execute(statement)
    seal(entries)
    with db.connection() as real:
        if db.is_postgres():
            real.execute_sql("ANALYZE")  # as its autovacuum does; SQLite has nothing like it
            for table in ("user", "job", "top_up"):
                real.execute_sql(
                    f"""SELECT setval(pg_get_serial_sequence('"{table}"', 'id'), (SELECT MAX(id) FROM "{table}"))"""
                )
    db.disconnect()


def seal(entries):
    """Seal everything, some entries at a time."""
    from storage.money import seals

    last, step = seals.look().entry, max(1, entries // SEALS)
    for end in (*range(step, last, step), last):
        seals.seal(seals.Seen(end, 0, 0, ()), datetime.now(UTC))

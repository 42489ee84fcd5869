"""The predecessor's PostgreSQL: its first tables, the later ones with wallets, and its JSON files kept in a table.

It is read in one snapshot, and nothing is written. Money on hold for the predecessor's orders is added to the balance:
those orders end with it.
"""

import json
from decimal import Decimal

from tools.import_sources import json_folder
from tools.import_sources.collected import Reading, Unreadable, Wrong, moment, person_id, text, username

DOCUMENTS = "storage_json"  # (partner_id, filename, payload)


def read(url, languages, part=None):
    """Return a Reading of a database; `part` is the predecessor's BOT_INSTANCE_ID if several share it."""
    import psycopg

    url = url.replace("postgres://", "postgresql://", 1)
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return Tables(connection, part).read(languages)
    except psycopg.Error as error:
        raise Unreadable(f"the database says: {str(error).strip()}") from None


class Tables:
    """The tables found in one database."""

    def __init__(self, connection, part):
        self._connection, self._part = connection, part
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))"
        self._columns = {}
        for table, column in connection.execute(query):
            self._columns.setdefault(table, set()).add(column)

    def read(self, languages):
        """Return a Reading of whichever tables there are; raise Unreadable if they are not the predecessor's."""
        database = self._connection.info.dbname
        if "users" not in self._columns and DOCUMENTS in self._columns:
            return json_folder.read_texts(self._documents(), languages, f"{database}: {DOCUMENTS}")
        self._id = next((name for name in ("user_id", "id") if name in self._columns.get("users", ())), None)
        if self._id is None or not ("balance" in self._columns["users"] or "wallets" in self._columns):
            raise Unreadable("no table of users with balances; want the tables of the predecessor of this bot")
        found = Reading(f"{database}: users", languages)
        for work in (self._users, self._balances, self._languages, self._referrals, self._payments, self._orders):
            work(found)
        for table, what in (("daily_free_generations", "free generations"), ("admin_limits", "limits of admins")):
            if table in self._columns:
                found.left_out(f"{what} ({table})")
        return found

    def _documents(self):
        rows = self._of_part(f"SELECT filename, payload::text FROM {DOCUMENTS}", DOCUMENTS)
        return {name.rpartition("/")[2]: said for name, said in rows}

    def _of_part(self, query, table):
        """Return the rows of one installation; raise Unreadable if there are several and none is named."""
        if "partner_id" not in self._columns[table]:
            return self._connection.execute(query).fetchall()
        parts = [one for (one,) in self._connection.execute(f"SELECT DISTINCT partner_id FROM {table} ORDER BY 1")]
        if self._part is None and len(parts) > 1:
            raise Unreadable(f"{table} is of several bots: say which with --part: {', '.join(map(str, parts))}")
        return self._connection.execute(f"{query} WHERE partner_id = %s", [self._part or (parts or [""])[0]]).fetchall()

    def _has(self, table, *columns):
        return set(columns) <= self._columns.get(table, set())

    def _each(self, found, table, columns, work):
        """Call `work(person, row)` for each row of a table; the first column is the person's id."""
        names = [name for name in columns if name in self._columns[table]]
        for row in self._connection.execute(f'SELECT {", ".join(names)} FROM "{table}"'):
            one, said = None, dict(zip(names, row, strict=True))
            try:
                one = person_id(row[0])
                work(one, said)
            except (Wrong, KeyError, TypeError, AttributeError) as error:
                found.wrong(f"{table}, {names[0]} {row[0]}", str(error), one)

    def _users(self, found):
        def note(one, row):
            came = {"came_at": moment(row["created_at"])} if row.get("created_at") else {}
            names = {"first_name": text(row.get("first_name")), "username": username(row.get("username"))}
            found.note(one, banned=row.get("role") == "banned", **names, **came, **found.language(row.get("locale")))

        self._each(found, "users", (self._id, "created_at", "first_name", "username", "role", "locale"), note)

    def _balances(self, found):
        """Add up a person's money: the balance, and what is on hold."""
        sums = {}

        def add(one, row):
            sums[one] = sums.get(one, Decimal(0)) + sum(value for value in list(row.values())[1:] if value is not None)

        if "wallets" in self._columns:
            self._each(found, "wallets", ("user_id", "balance_rub", "hold_rub"), add)
        else:
            self._each(found, "users", (self._id, "balance"), add)
            if self._has("balance_reserves", "user_id", "amount", "status"):
                query = "SELECT user_id, SUM(amount) FROM balance_reserves WHERE status = 'reserved' GROUP BY user_id"
                for one, amount in self._connection.execute(query):
                    sums[one] = sums.get(one, Decimal(0)) + amount
        for one, amount in sums.items():
            try:
                found.note(one, balance=found.money(amount))
            except Wrong as error:
                found.wrong(f"the balance of {one}", str(error), one)

    def _languages(self, found):
        def note(one, row):
            found.note(one, had_gift=bool(row.get("gift_claimed")), **found.language(row.get("language")))

        if self._has("user_settings", "user_id"):
            self._each(found, "user_settings", ("user_id", "language", "gift_claimed"), note)

    def _referrals(self, found):
        invited = next((name for name in ("referred_user_id", "user_id") if self._has("referrals", name)), None)
        if invited is None:
            return
        for one, inviter in self._of_part(f"SELECT {invited}, referrer_id FROM referrals", "referrals"):
            try:
                if inviter:
                    found.note(person_id(one), inviter=person_id(inviter))
                    found.note(person_id(inviter))
            except Wrong as error:
                found.wrong(f"referrals, {invited} {one}", str(error))

    def _payments(self, found):
        def note(one, row):
            if str(row["status"]).lower() in json_folder.PAID:
                method = text(row.get("payment_method")) or "payment"
                found.remember(one, moment(row["created_at"]), "payment", method, found.money(row["amount"]))
                found.note(one, paid=True)

        def top_up(one, row):
            if row["kind"] == "topup" and row["status"] == "done":
                found.remember(one, moment(row["created_at"]), "payment", "payment", found.money(row["amount_rub"]))
                found.note(one, paid=True)

        if self._has("payments", "user_id", "amount", "status"):
            self._each(found, "payments", ("user_id", "amount", "payment_method", "status", "created_at"), note)
        if self._has("ledger", "user_id", "kind", "amount_rub"):
            self._each(found, "ledger", ("user_id", "kind", "amount_rub", "status", "created_at"), top_up)

    def _orders(self, found):
        def operation(one, row):
            if row["type"] == "generation":
                amount = found.money(abs(row["amount"]))
                found.remember(
                    one, moment(row["created_at"]), "order", text(row["model"]), amount, _prompt(row["prompt"])
                )

        def job(one, row):
            if row["status"] == "done":
                amount, prompt = found.money(row["price_rub"]), _prompt(row["input_json"])
                found.remember(one, moment(row["created_at"]), "order", text(row["model_id"]), amount, prompt)

        if self._has("operations", "user_id", "type", "amount", "model", "prompt"):
            self._each(found, "operations", ("user_id", "type", "amount", "model", "prompt", "created_at"), operation)
        if self._has("jobs", "user_id", "model_id", "price_rub", "input_json", "status"):
            columns = ("user_id", "model_id", "price_rub", "input_json", "status", "created_at")
            self._each(found, "jobs", columns, job)


def _prompt(said):
    """Return the prompt of an order's inputs, which may have been cut."""
    try:
        inputs = json.loads(said) if isinstance(said, str) else said
    except ValueError:
        return ""
    return text(inputs.get("prompt")) if isinstance(inputs, dict) else ""

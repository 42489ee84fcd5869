"""All data kept about a person, as plain values with readable names: what `/mydata` sends.

It names nobody else: an invitation has only its time, an act of the staff only what was done and why.
"""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from peewee import ForeignKeyField

from storage.base.db import Table, connection
from storage.base.tables import (
    Account,
    Act,
    Bonus,
    Broadcast,
    Charge,
    Checkout,
    Draft,
    Entry,
    FreeRun,
    Inbox,
    Job,
    KeptValue,
    Letter,
    Once,
    Outbox,
    Person,
    Promo,
    PromoUse,
    ProviderPayment,
    ProviderRefund,
    Recipient,
    Referral,
    ResultMessage,
    Revision,
    Sale,
    Sketch,
    TopUp,
    User,
)
from storage.money import persons

PROFILE = (
    "telegram_id first_name username language_code lang utc_offset code role blocked_bot created_at seen_at".split()
)
WORDS = ("reason", "words")  # columns that are stored apart from their rows
MONEY = ("amount", "price", "charged", "credited", "balance", "debt")
COLUMNS: dict[str, tuple[Any, str]] = {  # section: (table, its columns)
    "balance_entries": (Entry, "id kind amount ref reason created_at"),
    "orders": (
        Job,
        "id model inputs price charged state reason result sent delivery created_at submitted_at finished_at",
    ),
    "messages_with_results": (ResultMessage, "message_id job part"),
    "payments": (TopUp, "id method amount stars state proof credited reason created_at submitted_at decided_at"),
    "open_forms": (Draft, "plugin model data price step expires_at"),
    "free_orders": (FreeRun, "day number job"),
    "promo_codes": (PromoUse, "promo number state amount created_at"),
    "messages_to_you": (Outbox, "text values state send_at"),
    "letters": (Letter, "about words created_at"),
    "bonuses": (Bonus, "kind amount state due_at created_at"),
    "bought_otherwise": (Sale, "what amount state created_at returned_at"),
    "agreed_payments": (Checkout, "amount stars accepted_at"),
    "what_the_staff_noted": (Act, "what ref words amount created_at"),
    "broadcasts_to_you": (Recipient, "broadcast state"),
}


def collect(user_id: int, tables: Iterable[type[Table]] = ()) -> dict[str, Any]:
    """Return {section: rows} of a user; `tables` are the plugins', whose rows are selected by foreign keys to users."""
    with connection():
        user = User.get_by_id(user_id)
        data: dict[str, Any] = {
            "profile": _values(user, PROFILE),
            "code_that_stays": _person(user),
            "balance": _money(Account.get_by_id(user_id).balance),
        }
        for section, (table, names) in COLUMNS.items():
            rows = table.select().where(table.user == user_id).order_by(*table._meta.get_primary_keys())
            data[section] = [_values(row, names.split()) for row in rows]
        versions = Revision.select().join(Job, on=Revision.job).where(Job.user == user_id).order_by(Revision.job)
        data["versions"] = [_values(row, ("job", "parent", "part", "number")) for row in versions]
        data |= _payments(user_id) | _invitations(user_id) | _acts(user_id)
        kept = KeptValue.select().where(KeptValue.person == user_id).order_by(KeptValue.plugin, KeptValue.name)
        data["kept_by_plugins"] = [{"plugin": one.plugin, "name": one.name, "value": one.value} for one in kept]
        waiting = Inbox.select(Inbox.body).where(Inbox.lane == user.telegram_id)
        data["messages_being_read"] = [body for (body,) in waiting.tuples().execute()]
        return data | {own._meta.table_name: theirs for own in tables if (theirs := _plugin_rows(own, user_id))}


def _person(user: User) -> dict[str, Any] | None:
    """Return the row that outlives an erasure, with its debt and what was given only once."""
    row = Person.get_or_none(Person.hash == user.person)
    if row is None:
        return None
    had = Once.select(Once.what).where(Once.person == user.person).tuples().execute()
    counted = {"debt": _money(persons.debt(user.id)), "had_once": [what for (what,) in had]}
    return _values(row, ("hash", "banned", "sales_paused")) | counted


def _payments(user_id: int) -> dict[str, Any]:
    charges = Charge.select().where(Charge.user == user_id).order_by(Charge.created_at)
    sketches = Sketch.select().join(TopUp).where(TopUp.user == user_id)
    online = (
        ProviderPayment.select(ProviderPayment).join(TopUp).where(TopUp.user == user_id).order_by(ProviderPayment.topup)
    )
    shown = ("topup", "provider", "way", "currency", "state", "external_id", "url", "created_at", "paid_at")
    back = ProviderRefund.select(ProviderRefund).join(TopUp).where(TopUp.user == user_id).order_by(ProviderRefund.id)
    return {
        "payments_by_providers": [_values(row, shown) for row in online],
        "refunds_by_providers": [_values(row, ("topup", "amount", "state", "created_at")) for row in back],
        "payments_in_stars": [_values(row, ("charge_id", "topup", "stars", "refund", "created_at")) for row in charges],
        "sketches_of_screenshots": [
            {"payment": row.topup_id, "grey_levels": base64.b64encode(bytes(row.pixels)).decode()} for row in sketches
        ],
    }


def _invitations(user_id: int) -> dict[str, Any]:
    own = Referral.get_or_none(Referral.invited == user_id)
    invited = Referral.select().where(Referral.inviter == user_id).order_by(Referral.created_at)
    return {
        "you_were_invited": own and _plain(own.created_at),
        "people_you_invited": [
            {"at": _plain(row.created_at), "paid": row.paid and _money(row.paid)} for row in invited
        ],
    }


def _acts(user_id: int) -> dict[str, Any]:
    """Return what the user did as a member of the staff, without the people concerned."""
    acts = Act.select().where(Act.actor == user_id).order_by(Act.id)
    codes = Promo.select(Promo.code, Promo.created_at).where(Promo.author == user_id)
    sent = Broadcast.select(Broadcast.id, Broadcast.created_at).where(Broadcast.author == user_id)
    return {
        "what_you_did_as_staff": [_values(row, ("what", "created_at")) for row in acts],
        "promo_codes_you_made": [_values(row, ("code", "created_at")) for row in codes],
        "broadcasts_you_wrote": [_values(row, ("id", "created_at")) for row in sent],
    }


def _plugin_rows(table: type[Table], user_id: int) -> list[dict[str, Any]]:
    """Return the rows of a plugin's table that refer to the user, without those columns."""
    columns = table._meta.sorted_fields
    owners = [column for column in columns if isinstance(column, ForeignKeyField) and column.rel_model is User]
    names = [column.name for column in columns if column.name not in {owner.name for owner in owners}]
    return [
        _values(row, names)
        for owner in owners
        for row in table.select().where(owner == user_id).order_by(*table._meta.get_primary_keys())
    ]


def _values(row: Table, names: Iterable[str]) -> dict[str, Any]:
    """Return {name: plain value}; amounts as text in whole units, such as `12.50`."""
    values = {name: getattr(row, name) if name in WORDS else row.__data__.get(name) for name in names}
    return {
        name: _money(value) if name in MONEY and isinstance(value, int) else _plain(value)
        for name, value in values.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def _money(amount: int) -> str:
    sign, units = "-" if amount < 0 else "", abs(amount)
    return f"{sign}{units // 100}.{units % 100:02}"

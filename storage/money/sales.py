"""Plugins' own sales: charged at once from the balance, and given back at most once.

    charged ──▶ returned

Money that comes back first pays what was written off since the sale, as with an order's hold.
"""

from datetime import datetime

from storage.base.db import connection, transaction
from storage.base.states import EntryKind, SaleState
from storage.base.tables import Sale
from storage.money import ledger


def charge(user_id: int, amount: int, *, plugin: str, what: str, key: str, now: datetime) -> Sale:
    """Charge `amount` (minor units, > 0) once under the plugin's own `key`, or raise NotEnoughMoney and charge nothing.

    `what` is the key of the text that names it. A key that was charged before returns that sale as it is; raise KeyReused
    if it was somebody else's, or another amount.
    """
    if amount <= 0:
        raise ValueError(f"a sale costs something: {amount}")
    with transaction():
        row = Sale.insert(
            user=user_id,
            plugin=plugin,
            what=what,
            amount=amount,
            key=f"{plugin}:{key}",
            state=SaleState.CHARGED,
            created_at=now,
        )
        made = next(iter(row.on_conflict_ignore().returning(Sale).execute()), None)
        if made is None:
            sale = Sale.get(Sale.key == f"{plugin}:{key}")
            if (sale.user_id, sale.amount) != (user_id, amount):
                raise ledger.KeyReused(
                    f"{sale.key} was {sale.amount} of user {sale.user_id}, not {amount} of user {user_id}"
                )
            return sale
        ref = f"sale:{made.id}"
        ledger.post(user_id, -amount, kind=EntryKind.SALE, key=ref, ref=ref, now=now)
        return made


def give_back(plugin: str, key: str, now: datetime) -> Sale | None:
    """Give a sale's money back, once; return it, or None if there is none or it has been given back."""
    with transaction():
        charged = Sale.key == f"{plugin}:{key}", Sale.state == SaleState.CHARGED
        moved = Sale.update(state=SaleState.RETURNED, returned_at=now).where(*charged).returning(Sale).execute()
        sale = next(iter(moved), None)
        if sale is not None:
            ledger.balance(sale.user_id, lock=True)
            ref = f"sale:{sale.id}"
            ledger.post(sale.user_id, sale.amount, kind=EntryKind.UNSALE, key=f"un{ref}", ref=ref, now=now)
            ledger.recover(sale.user_id, sale.amount, since=ref, key=f"recovery:{ref}", ref=ref, now=now)
        return sale


def get(sale_id: int) -> Sale | None:
    """Return a sale, or None."""
    with connection():
        return Sale.get_or_none(Sale.id == sale_id)

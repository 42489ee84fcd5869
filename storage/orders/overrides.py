"""Overrides: what admins have changed in the catalogue, and differences to KIE's offer that wait for their decision.

Every change is a row; of a scope and field, the newest row that was not undone counts. Undoing marks a row, so that the
previous one counts again.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from peewee import fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import DifferenceState
from storage.base.tables import Difference, Overlay
from storage.journal import audit_log, events
from storage.journal.event_kinds import CatalogueChanged


def version() -> tuple[int | None, int]:
    """Return a value that differs after every change."""
    return _version.rows()[0]


_version = Prepared[tuple[int | None, int]](lambda: Overlay.select(fn.MAX(Overlay.id), fn.COUNT(Overlay.undone_at)))


def in_force() -> dict[tuple[str, str], Any]:
    """Return {(scope, field): value} of the changes that count."""
    with connection():
        rows = Overlay.select().where(Overlay.undone_at.is_null()).order_by(Overlay.id)
        newest = {(row.scope, row.field): row.value for row in rows}
        return {key: value for key, value in newest.items() if value is not None}


def put(scope: str, field: str, value: Any, *, now: datetime, actor: int | None = None) -> Overlay:
    """Add a change and return its row; None means as in the file. With an `actor`, it is in the audit log."""
    with transaction():
        if actor is not None:
            audit_log.note(actor, _act_name(field, value), now, ref=scope, **_act_details(field, value))
        events.emit(CatalogueChanged(scope=scope), now)
        return Overlay.create(scope=scope, field=field, value=value, actor=actor, created_at=now)


def _act_name(field: str, value: Any) -> str:
    """Return one of model_off, model_on, fixed, fixed_gone, markup, markup_gone, entry, inputs, price, rung."""
    if field.startswith("rung_"):
        return "rung"
    if field == "off":
        return "model_off" if value else "model_on"
    return f"{field}_gone" if value is None and field in ("fixed", "markup") else field


def _act_details(field: str, value: Any) -> dict[str, Any]:
    if field.startswith("rung_"):
        name, change = field.removeprefix("rung_"), value or {}
        return {"words": f"{name} · {change.get('model') or ('−' if change.get('off') else '↺')}"}
    if field == "fixed" and value is not None:
        return {"amount": value}
    return {"words": f"×{value}"} if field == "markup" and value is not None else {}


def undo(overlay_id: int, now: datetime, actor: int) -> Overlay | None:
    """Undo a change and reopen the difference it came from; return the row, or None if it was undone before."""
    with transaction():
        query = Overlay.update(undone_at=now).where(Overlay.id == overlay_id, Overlay.undone_at.is_null())
        row = next(iter(query.returning(Overlay).execute()), None)
        if row is not None:
            Difference.update(state=DifferenceState.OPEN, overlay=None).where(
                Difference.overlay == overlay_id
            ).execute()
            audit_log.note(actor, "undone", now, ref=row.scope)
            events.emit(CatalogueChanged(scope=row.scope), now)
        return row


def changes(limit: int, before: int | None = None) -> list[Overlay]:
    """Return the newest changes that were not undone, at most `limit`, older than id `before` if given."""
    with connection():
        query = Overlay.select().where(Overlay.undone_at.is_null()).order_by(Overlay.id.desc()).limit(limit)
        return list(query if before is None else query.where(Overlay.id < before))


def record(current: Iterable[tuple[str, str, dict[str, Any]]], now: datetime) -> list[int]:
    """Keep the `current` differences, [(model, kind, about)], and delete open ones that no longer exist.

    Return the ids of the new ones, which are to be reported; one that was applied and is back counts as new.
    """
    prints = {_digest(*one): one for one in current}
    with transaction():
        kept = list(Difference.select(Difference.id, Difference.print, Difference.state))
        known = {row.print for row in kept if row.print in prints and row.state != DifferenceState.APPLIED}
        over = [
            row.id
            for row in kept
            if (row.state == (DifferenceState.APPLIED if row.print in prints else DifferenceState.OPEN))
        ]
        Difference.delete().where(Difference.id.in_(over)).execute()
        fresh = [(mark, one) for mark, one in prints.items() if mark not in known]
        return [
            Difference.create(model=model, kind=kind, about=about, print=mark, found_at=now).id
            for mark, (model, kind, about) in fresh
        ]


def _digest(model: str, kind: str, about: dict[str, Any]) -> str:
    text = json.dumps([model, kind, about], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(state: str = "open") -> list[Difference]:
    """Return the differences in a state, oldest first."""
    with connection():
        return list(Difference.select().where(Difference.state == state).order_by(Difference.id))


def difference(difference_id: int) -> Difference | None:
    """Return a difference, or None."""
    with connection():
        return Difference.get_or_none(Difference.id == difference_id)


def _is_open(difference_id: int) -> tuple[Any, Any]:
    return Difference.id == difference_id, Difference.state == DifferenceState.OPEN


def apply(difference_id: int, scope: str, field: str, value: Any, *, now: datetime, actor: int) -> Overlay | None:
    """open → applied, with its change; return the change, or None if it was decided before."""
    with transaction():
        query = Difference.update(state=DifferenceState.APPLIED).where(*_is_open(difference_id))
        if not query.execute():
            return None
        row = put(scope, field, value, now=now, actor=actor)
        Difference.update(overlay=row).where(Difference.id == difference_id).execute()
        return row


def dismiss(difference_id: int, actor: int, now: datetime) -> bool:
    """open → dismissed; return whether it was open."""
    with transaction():
        query = Difference.update(state=DifferenceState.DISMISSED).where(*_is_open(difference_id))
        row = next(iter(query.returning(Difference).execute()), None)
        if row is not None:
            audit_log.note(actor, "dismiss", now, ref=f"model:{row.model}")
        return row is not None

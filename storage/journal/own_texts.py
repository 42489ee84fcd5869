"""The operator's own words, set in the chat: a row for each text and language, with one step of undo.

Every text that is shown is looked up here, so all of them are kept in memory. They are read again when the runtime
setting CHANGED differs: each change sets it anew, so every copy gets new texts as soon as it gets new settings.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.base.db import StorageDown, connection, transaction
from storage.base.tables import OwnText
from storage.journal import audit_log, runtime_settings

log = logging.getLogger(__name__)
CHANGED = "OWN_TEXTS_CHANGED"  # a runtime setting: a new random word after every change
SHOWN = 200  # characters of a text in the audit log
NONE: dict[tuple[str, str], str] = {}

_kept: tuple[str | None, Mapping[tuple[str, str], str]] = (None, NONE)  # (CHANGED, in_force): replaced as a whole


def in_force() -> Mapping[tuple[str, str], str]:
    """Return {(language, key): text} of the texts in force; the same object until something changes.

    While the database is down, it is what was read last: telling people so takes a text, too.
    """
    global _kept
    try:
        changed = runtime_settings.get(CHANGED)
        if changed is None:
            return NONE
        kept = _kept
        if kept[0] != changed:
            with connection():
                rows = OwnText.select(OwnText.lang, OwnText.key, OwnText.text).where(OwnText.text.is_null(False))
                kept = _kept = changed, {(lang, key): text for lang, key, text in rows.tuples().execute()}
    except StorageDown as error:
        log.warning("your own texts are as they were read last: %s", error)
        return _kept[1]
    return kept[1]


def changed() -> list[OwnText]:
    """Return the rows of the texts in force, the latest change first."""
    with connection():
        rows = OwnText.select().where(OwnText.text.is_null(False))
        return list(rows.order_by(OwnText.updated_at.desc(), OwnText.key, OwnText.lang))


def get(lang: str, key: str) -> OwnText | None:
    """Return the row of a text, or None if it was never changed."""
    with connection():
        return OwnText.get_or_none(OwnText.lang == lang, OwnText.key == key)


def put(lang: str, key: str, text: str, seen: int, *, now: datetime, actor: int) -> bool:
    """Set a text if it is still of the `seen` version (0: never changed); return whether it was set."""
    with transaction():
        if seen:
            return _change(lang, key, seen, now, actor, text=text, former=OwnText.text)
        row = OwnText.insert(lang=lang, key=key, text=text, actor=actor, updated_at=now)
        made = list(row.on_conflict_ignore().returning(OwnText.version).tuples().execute())
        return bool(made) and _note(lang, key, text, now, actor)


def put_back(lang: str, key: str, seen: int, *, now: datetime, actor: int) -> bool:
    """Return to the text in the files, if ours is still of the `seen` version; return whether that was done."""
    with transaction():
        return _change(lang, key, seen, now, actor, OwnText.text.is_null(False), text=None, former=OwnText.text)


def step_back(lang: str, key: str, seen: int, *, now: datetime, actor: int) -> bool:
    """Swap a text and the one before it, if it is still of the `seen` version; return whether that was done."""
    with transaction():
        there = OwnText.former.is_null(False)
        return _change(lang, key, seen, now, actor, there, text=OwnText.former, former=OwnText.text)


def _change(lang: str, key: str, seen: int, now: datetime, actor: int, *also: Any, **fields: Any) -> bool:
    query = OwnText.update(**fields, version=OwnText.version + 1, actor=actor, updated_at=now)
    query = query.where(OwnText.lang == lang, OwnText.key == key, OwnText.version == seen, *also)
    row = next(iter(query.returning(OwnText).execute()), None)
    return row is not None and _note(lang, key, row.text, now, actor)


def _note(lang: str, key: str, text: str | None, now: datetime, actor: int) -> bool:
    """Log the act, and make every copy read the texts again."""
    audit_log.note(actor, "text_back" if text is None else "text", now, ref=f"text:{lang}:{key}", words=_short(text))
    runtime_settings.put(CHANGED, secrets.token_hex(8), now=now)
    return True


def _short(text: str | None) -> str | None:
    return text and text[:SHOWN]

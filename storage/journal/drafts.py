"""Open dialogues and order forms: one row per user and plugin.

`step` is the input a draft listens for; at most one of a user's drafts listens. `version` grows with every change, so a
confirm button carries `<draft>.<version>`, and an old screen cannot order something it no longer shows.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from peewee import Expression, Field

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared, column_values, inserted
from storage.base.tables import Draft

_get = Prepared[Draft](
    lambda user, plugin, now: Draft.select().where(Draft.user == user, Draft.plugin == plugin, Draft.expires_at > now)
)
_listening = Prepared[Draft](lambda user, now: Draft.select().where(listens(user, now)))
_find = Prepared[Draft](
    lambda user, draft, now: Draft.select().where(Draft.id == draft, Draft.user == user, Draft.expires_at > now)
)
LIFETIME = timedelta(days=1)


def listens(user: "int | Field[int]", now: datetime) -> Expression:
    """Return the condition that a draft listens for the next input of `user`, an id or a column."""
    return (Draft.user == user) & Draft.step.is_null(False) & (Draft.expires_at > now)


def get(user_id: int, plugin: str, now: datetime) -> Draft | None:
    """Return the user's draft of a plugin unless it has expired, or None."""
    return _get.first(user_id, plugin, now)


def find(user_id: int, draft_id: int, now: datetime) -> Draft | None:
    """Return the user's draft with this id unless it has expired, or None."""
    return _find.first(user_id, draft_id, now)


def all_of(user_id: int, now: datetime) -> list[Draft]:
    """Return the user's drafts that have not expired, the one changed last first."""
    with connection():
        query = Draft.select().where(Draft.user == user_id, Draft.expires_at > now)
        return list(query.order_by(Draft.expires_at.desc(), Draft.id.desc()))


def listening(user_id: int, now: datetime) -> Draft | None:
    """Return the draft that listens for this user's next input, or None."""
    return _listening.first(user_id, now)


def put(user_id: int, plugin: str, now: datetime, **fields: Any) -> Draft:
    """Create or change a draft and return it; with a `step`, the user's other drafts stop listening."""
    fields["expires_at"] = now + LIFETIME
    with transaction():
        if fields.get("step"):
            _stop_others.run(user_id, plugin)
        changed = _change(tuple(fields)).first(user_id, plugin, *column_values(Draft, fields))
        made: Draft = changed or inserted(Draft, {"user": user_id, "plugin": plugin, "data": {}} | fields)
        return made


@Prepared[Draft]
def _stop_others(user_id: int, plugin: str) -> Any:
    return Draft.update(step=None).where(Draft.user == user_id, Draft.plugin != plugin)


@cache
def _change(names: tuple[str, ...]) -> Prepared[Draft]:
    def build(user_id: int, plugin: str, *values: Any) -> Any:
        query = Draft.update(version=Draft.version + 1, **dict(zip(names, values, strict=True)))
        return query.where(Draft.user == user_id, Draft.plugin == plugin).returning(Draft)

    return Prepared(build, 2 + len(names))


def note_screen(draft: Draft, message_id: int | None) -> None:
    """Remember which message shows a draft, or that none does any more; its version stays the same."""
    with transaction():
        Draft.update(message_id=message_id).where(Draft.id == draft.id).execute()


def agree(draft: Draft, rung: int | None, is_on: bool) -> bool:
    """Note whether what a draft shows (its card, or a `rung`) is to be ordered by its payment; return whether it still shows it.

    This is no change of the draft; any change of it forgets the agreement.
    """
    data = {name: value for name, value in draft.data.items() if name != "agreed"}
    data |= {"agreed": {"version": draft.version, "rung": rung}} if is_on else {}
    with transaction():
        shown = Draft.id == draft.id, Draft.version == draft.version
        return bool(Draft.update(data=data).where(*shown).execute())


def stop_listening(user_id: int) -> None:
    """Stop listening for the user's next input; what was filled in stays."""
    with transaction():
        _stop_listening.run(user_id)


@Prepared[Draft]
def _stop_listening(user_id: int) -> Any:
    return Draft.update(step=None).where(Draft.user == user_id, Draft.step.is_null(False))


def drop(user_id: int, plugin: str | None = None) -> int:
    """Delete the user's drafts (of one plugin, if named); return how many there were."""
    with transaction():
        query = Draft.delete().where(Draft.user == user_id)
        return (query if plugin is None else query.where(Draft.plugin == plugin)).execute()


def drop_expired(now: datetime) -> int:
    """Delete expired drafts; return how many there were."""
    with transaction():
        return _expired.run(now)


_expired = Prepared[Draft](lambda now: Draft.delete().where(Draft.expires_at <= now))

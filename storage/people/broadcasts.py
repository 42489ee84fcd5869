"""Broadcasts: one row per recipient, `sending` before Telegram is asked, so that nothing is sent twice after a crash.

pending ──▶ sending ──▶ sent, blocked, failed, doubt (it may have arrived: the bot was killed, or no answer came)
   ▲                              └──────┴── by hand, once more ──┐
   └───────────────────────────────────────────────────────────────┘
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from peewee import ModelSelect, Value, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import BroadcastState, RecipientState
from storage.base.tables import Broadcast, Entry, Recipient, User
from storage.journal import audit_log
from storage.money.payments import CREDITS
from storage.people import users

NOT_BEGUN = (BroadcastState.DRAFT, BroadcastState.SCHEDULED)
ENDED = (BroadcastState.DONE, BroadcastState.STOPPED)


def create(author_id: int, chat_id: int, message_id: int, now: datetime, links: list[Any] | None = None) -> Broadcast:
    """Keep the message to be copied, as a draft to everybody; `links` are rows of its buttons, {"text", "url"}."""
    place = {"author": author_id, "chat_id": chat_id, "message_id": message_id}
    with transaction():
        return Broadcast.create(**place, audience="all", created_at=now, links=links or None)


def get(broadcast_id: int) -> Broadcast | None:
    """Return a broadcast, or None."""
    with connection():
        return Broadcast.get_or_none(Broadcast.id == broadcast_id)


def set_audience(broadcast_id: int, audience: str) -> bool:
    """Change a draft's audience and increase its version; return whether it was still a draft."""
    with transaction():
        query = Broadcast.update(audience=audience, version=Broadcast.version + 1)
        return bool(query.where(Broadcast.id == broadcast_id, Broadcast.state == BroadcastState.DRAFT).execute())


def set_links(broadcast_id: int, links: list[Any]) -> bool:
    """Change the buttons under a draft and increase its version; return whether it was still a draft."""
    with transaction():
        query = Broadcast.update(links=links or None, version=Broadcast.version + 1)
        return bool(query.where(Broadcast.id == broadcast_id, Broadcast.state == BroadcastState.DRAFT).execute())


def schedule(broadcast_id: int, version: int, at: datetime, screen_id: int, now: datetime, actor: int) -> bool:
    """draft → scheduled, in the `version` that was confirmed; return whether it was."""
    with transaction():
        query = Broadcast.update(state=BroadcastState.SCHEDULED, send_at=at, screen_id=screen_id)
        seen = (Broadcast.id == broadcast_id) & (Broadcast.version == version)
        moved = bool(query.where(seen, Broadcast.state == BroadcastState.DRAFT).execute())
        if moved:
            audit_log.note(actor, "broadcast_later", now, ref=f"broadcast:{broadcast_id}")
        return moved


def unschedule(broadcast_id: int, now: datetime, actor: int) -> bool:
    """scheduled → draft; return whether it was."""
    with transaction():
        query = Broadcast.update(state=BroadcastState.DRAFT, send_at=None, version=Broadcast.version + 1)
        scheduled = Broadcast.id == broadcast_id, Broadcast.state == BroadcastState.SCHEDULED
        moved = bool(query.where(*scheduled).execute())
        if moved:
            audit_log.note(actor, "broadcast_draft", now, ref=f"broadcast:{broadcast_id}")
        return moved


def due(now: datetime) -> list[Broadcast]:
    """Return the scheduled broadcasts whose time has come."""
    return _due.rows(now)


@Prepared[Broadcast]
def _due(now: datetime) -> "ModelSelect[Broadcast]":
    scheduled = Broadcast.state == BroadcastState.SCHEDULED
    return Broadcast.select().where(scheduled, Broadcast.send_at <= now).order_by(Broadcast.send_at)


def people(audience: str, now: datetime) -> "ModelSelect[User]":
    """Return the query of an audience's users: all, active:N (days), paid, unpaid, lang:…, ids:1,2 (Telegram ids).

    lang:ru:ru,uk are those who chose ru, or nothing and whose Telegram speaks one of these; lang:en:!ru,uk, or none of these.
    """
    query = User.select(User.id).where(User.telegram_id.is_null(False), ~User.blocked_bot, ~User.banned)
    kind, _colon, rest = audience.partition(":")
    payers = Entry.select(Entry.user).where(Entry.kind.in_(CREDITS), Entry.amount > 0)
    if kind == "active":
        return query.where(User.seen_at > now - timedelta(days=int(rest)))
    if kind == "paid":
        return query.where(User.id.in_(payers))
    if kind == "unpaid":
        return query.where(User.id.not_in(payers))
    if kind == "lang":
        lang, _colon, codes = rest.partition(":")
        known, others = (codes or lang).removeprefix("!").split(","), codes.startswith("!")
        hint = fn.COALESCE(fn.SUBSTR(User.language_code, 1, 2), "")
        hinted = hint.not_in(known) if others else hint.in_(known)
        return query.where((User.lang == lang) | (User.lang.is_null() & hinted))
    if kind == "ids":
        return query.where(User.telegram_id.in_([int(one) for one in rest.split(",")]))
    if kind == "all":
        return query
    raise ValueError(f"unknown audience {audience!r}")


def count(audience: str, now: datetime) -> int:
    """Return how many people an audience has."""
    with connection():
        return people(audience, now).count()


def start(broadcast_id: int, version: int, screen_id: int | None, now: datetime, actor: int) -> int | None:
    """draft or scheduled → running, with a row for each recipient; return how many there are.

    None if it is neither, or no longer in the `version` that was confirmed.
    """
    with transaction():
        query = Broadcast.update(state=BroadcastState.RUNNING, started_at=now, screen_id=screen_id)
        seen = (Broadcast.id == broadcast_id) & (Broadcast.version == version)
        if not query.where(seen, Broadcast.state.in_(NOT_BEGUN)).execute():
            return None
        audience = Broadcast.get_by_id(broadcast_id).audience
        audit_log.note(actor, "broadcast", now, ref=f"broadcast:{broadcast_id}", words=_without_ids(audience))
        chosen = people(audience, now).select(Value(broadcast_id), User.id, Value(RecipientState.PENDING))
        Recipient.insert_from(chosen, [Recipient.broadcast, Recipient.user, Recipient.state]).execute()
        return Recipient.select().where(Recipient.broadcast == broadcast_id).count()


def _without_ids(audience: str) -> str:
    """Return an audience for the audit log, where people chosen by id are only counted."""
    kind, _colon, rest = audience.partition(":")
    return f"ids:{len(rest.split(','))}" if kind == "ids" else audience


def move(broadcast_id: int, states: Collection[str], state: str, now: datetime, actor: int | None = None) -> bool:
    """Change a broadcast's state if it is in one of `states`; return whether it was. An `actor` makes it an act."""
    ended = {"ended_at": now} if state in ENDED else {}
    with transaction():
        query = Broadcast.update(state=state, **ended)
        moved = bool(query.where(Broadcast.id == broadcast_id, Broadcast.state.in_(states)).execute())
        if moved and actor is not None:
            audit_log.note(actor, f"broadcast_{state}", now, ref=f"broadcast:{broadcast_id}")
        return moved


def running() -> Broadcast | None:
    """Return the oldest running broadcast, or None."""
    return _running.first()


@Prepared[Broadcast]
def _running() -> "ModelSelect[Broadcast]":
    return Broadcast.select().where(Broadcast.state == BroadcastState.RUNNING).order_by(Broadcast.id).limit(1)


def claim(broadcast_id: int, limit: int) -> list[tuple[int, int]]:
    """Take the next recipients (pending → sending) and return their (user id, Telegram id)."""
    with transaction():
        query = Recipient.select(Recipient.user).where(
            Recipient.broadcast == broadcast_id, Recipient.state == RecipientState.PENDING
        )
        ids = [i for (i,) in query.order_by(Recipient.user).limit(limit).tuples().execute()]
        if not ids:
            return []
        Recipient.update(state=RecipientState.SENDING).where(
            Recipient.broadcast == broadcast_id, Recipient.user.in_(ids), Recipient.state == RecipientState.PENDING
        ).execute()
        return list(User.select(User.id, User.telegram_id).where(User.id.in_(ids)).order_by(User.id).tuples().execute())


def mark(broadcast_id: int, outcomes: Mapping[int, str], now: datetime) -> None:
    """Record what became of copies, {user id: RecipientState}; PENDING: not sent, to be tried again."""
    with transaction():
        for state in set(outcomes.values()):
            ids = [user_id for user_id, outcome in outcomes.items() if outcome == state]
            Recipient.update(state=state).where(
                Recipient.broadcast == broadcast_id, Recipient.user.in_(ids), Recipient.state == RecipientState.SENDING
            ).execute()
            if state == RecipientState.BLOCKED:
                users.mark_blocked(ids, True, now)


def doubt() -> int:
    """sending → doubt for what a previous run has left, as it may have arrived; return how many."""
    with transaction():
        sending = Recipient.state == RecipientState.SENDING
        return Recipient.update(state=RecipientState.DOUBT).where(sending).execute()


def again(broadcast_id: int, states: Collection[str], now: datetime, actor: int) -> int:
    """Send a broadcast that has ended once more to the recipients in some `states` (doubt, failed); return how many."""
    with transaction():
        chosen = Recipient.broadcast == broadcast_id, Recipient.state.in_(states)
        ended = Broadcast.id == broadcast_id, Broadcast.state.in_(ENDED)
        some = fn.EXISTS(Recipient.select(Recipient.user).where(*chosen))
        if not Broadcast.update(state=BroadcastState.RUNNING, ended_at=None).where(*ended, some).execute():
            return 0
        audit_log.note(actor, "broadcast", now, ref=f"broadcast:{broadcast_id}", words=", ".join(states))
        return Recipient.update(state=RecipientState.PENDING).where(*chosen).execute()


def recipients(broadcast_id: int, state: str, limit: int, skip: int = 0) -> list[User]:
    """Return the users whose copy is in a state, in the order of their ids."""
    with connection():
        query = User.select().join(Recipient, on=Recipient.user)
        query = query.where(Recipient.broadcast == broadcast_id, Recipient.state == state)
        return list(query.order_by(User.id).offset(skip).limit(limit))


def progress(broadcast_id: int) -> dict[str, int]:
    """Return {state: recipients}."""
    with connection():
        kept = Broadcast.select(Broadcast.totals).where(Broadcast.id == broadcast_id).scalar()
        return kept or _counts(broadcast_id)


def _counts(broadcast_id: int) -> dict[str, int]:
    query = Recipient.select(Recipient.state, fn.COUNT(Recipient.user)).where(Recipient.broadcast == broadcast_id)
    return dict(query.group_by(Recipient.state).tuples().execute())


def sum_up(before: datetime) -> int:
    """Replace the recipients of broadcasts that ended before a time by their totals; return how many rows were deleted."""
    gone = 0
    for (broadcast_id,) in _to_sum_up.rows(before):
        with transaction():
            ended = Broadcast.id == broadcast_id, Broadcast.state.in_(ENDED)
            if Broadcast.update(totals=_counts(broadcast_id)).where(*ended).execute():
                gone += Recipient.delete().where(Recipient.broadcast == broadcast_id).execute()
    return gone


@Prepared[tuple[int]]
def _to_sum_up(before: datetime) -> "ModelSelect[Broadcast]":
    old = Broadcast.state.in_(ENDED), Broadcast.ended_at < before, Broadcast.totals.is_null()
    return Broadcast.select(Broadcast.id).where(*old)


def newest(limit: int = 6) -> list[Broadcast]:
    """Return the newest broadcasts."""
    with connection():
        return list(Broadcast.select().order_by(Broadcast.id.desc()).limit(limit))

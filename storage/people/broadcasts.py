"""Broadcasts: one row a recipient, `sending` before Telegram is asked. A crash resumes and sends nothing twice.

pending ──▶ sending ──▶ sent, blocked, failed, doubt (it may have arrived: a kill, or an answer that did not come)
   ▲                              └──────┴── by hand, once more ──┐
   └───────────────────────────────────────────────────────────────┘
"""

from datetime import timedelta

from peewee import Value, fn

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.tables import Broadcast, Entry, Recipient, User
from storage.journal import audit_log

PAID = ("topup", "stars")


def create(author_id, chat_id, message_id, now, links=None):
    """Keep the message to be copied, as a draft for everybody; `links` are its rows of buttons, {"text", "url"} each."""
    place = {"author": author_id, "chat_id": chat_id, "message_id": message_id}
    with transaction():
        return Broadcast.create(**place, audience="all", created_at=now, links=links or None)


def get(broadcast_id):
    """Return a broadcast, or None."""
    with connection():
        return Broadcast.get_or_none(Broadcast.id == broadcast_id)


def set_audience(broadcast_id, audience):
    """Change a draft's audience, and with it its version; return whether it was still a draft."""
    with transaction():
        query = Broadcast.update(audience=audience, version=Broadcast.version + 1)
        return bool(query.where(Broadcast.id == broadcast_id, Broadcast.state == "draft").execute())


def people(audience, now):
    """Return the query of the users an audience means: all, active:N (days), paid, unpaid, lang:xx, ids:1,2."""
    query = User.select(User.id).where(User.telegram_id.is_null(False), ~User.blocked_bot, ~User.banned)
    kind, _colon, rest = audience.partition(":")
    payers = Entry.select(Entry.user).where(Entry.kind.in_(PAID), Entry.amount > 0)
    if kind == "active":
        return query.where(User.seen_at > now - timedelta(days=int(rest)))
    if kind == "paid":
        return query.where(User.id.in_(payers))
    if kind == "unpaid":
        return query.where(User.id.not_in(payers))
    if kind == "lang":
        return query.where(fn.COALESCE(User.lang, fn.SUBSTR(User.language_code, 1, 2)) == rest)
    if kind == "ids":
        return query.where(User.telegram_id.in_([int(one) for one in rest.split(",")]))
    if kind == "all":
        return query
    raise ValueError(f"unknown audience {audience!r}")


def count(audience, now):
    """Return how many people an audience has."""
    with connection():
        return people(audience, now).count()


def start(broadcast_id, version, screen_id, now, actor):
    """draft → running, with a row for each recipient; return how many there are.

    None if it was no draft, or not in the `version` that was confirmed any more.
    """
    with transaction():
        query = Broadcast.update(state="running", started_at=now, screen_id=screen_id)
        seen = (Broadcast.id == broadcast_id) & (Broadcast.version == version)
        if not query.where(seen, Broadcast.state == "draft").execute():
            return None
        found = get(broadcast_id)
        audit_log.note(actor, "broadcast", now, ref=f"broadcast:{broadcast_id}", words=_told(found.audience))
        chosen = people(found.audience, now).select(Value(broadcast_id), User.id, Value("pending"))
        Recipient.insert_from(chosen, [Recipient.broadcast, Recipient.user, Recipient.state]).execute()
        return Recipient.select().where(Recipient.broadcast == broadcast_id).count()


def _told(audience):
    """Return an audience for the log: people chosen by their ids are counted, not named."""
    kind, _colon, rest = audience.partition(":")
    return f"ids:{len(rest.split(','))}" if kind == "ids" else audience


def move(broadcast_id, states, state, now, actor=None):
    """Change a broadcast's state if it is in one of `states`; return whether it was. An `actor` stands in the log."""
    ended = {"ended_at": now} if state in ("done", "stopped") else {}
    with transaction():
        query = Broadcast.update(state=state, **ended)
        moved = bool(query.where(Broadcast.id == broadcast_id, Broadcast.state.in_(states)).execute())
        if moved and actor is not None:
            audit_log.note(actor, f"broadcast_{state}", now, ref=f"broadcast:{broadcast_id}")
        return moved


def running():
    """Return the oldest running broadcast, or None."""
    return _running.first()


@Prepared
def _running():
    return Broadcast.select().where(Broadcast.state == "running").order_by(Broadcast.id).limit(1)


def claim(broadcast_id, limit):
    """Take the next recipients (pending → sending) and return their (user id, Telegram id)."""
    with transaction():
        query = Recipient.select(Recipient.user).where(
            Recipient.broadcast == broadcast_id, Recipient.state == "pending"
        )
        ids = [i for (i,) in query.order_by(Recipient.user).limit(limit).tuples()]
        if not ids:
            return []
        Recipient.update(state="sending").where(
            Recipient.broadcast == broadcast_id, Recipient.user.in_(ids), Recipient.state == "pending"
        ).execute()
        return list(User.select(User.id, User.telegram_id).where(User.id.in_(ids)).order_by(User.id).tuples())


def mark(broadcast_id, outcomes):
    """Write down what became of copies: {user id: sent, blocked, failed, doubt or pending (not sent, try again)}."""
    with transaction():
        for state in set(outcomes.values()):
            ids = [user_id for user_id, outcome in outcomes.items() if outcome == state]
            Recipient.update(state=state).where(
                Recipient.broadcast == broadcast_id, Recipient.user.in_(ids), Recipient.state == "sending"
            ).execute()
            if state == "blocked":
                User.update(blocked_bot=True).where(User.id.in_(ids)).execute()


def doubt():
    """sending → doubt, for what a former run has left: nobody knows whether it arrived; return how many there are."""
    with transaction():
        return Recipient.update(state="doubt").where(Recipient.state == "sending").execute()


def again(broadcast_id, states, now, actor):
    """Send once more to the recipients in some of `states` (doubt, failed), of a broadcast that has ended; return how many."""
    with transaction():
        chosen = Recipient.broadcast == broadcast_id, Recipient.state.in_(states)
        ended = Broadcast.id == broadcast_id, Broadcast.state.in_(("done", "stopped"))
        some = fn.EXISTS(Recipient.select(Recipient.user).where(*chosen))
        if not Broadcast.update(state="running", ended_at=None).where(*ended, some).execute():
            return 0
        audit_log.note(actor, "broadcast", now, ref=f"broadcast:{broadcast_id}", words=", ".join(states))
        return Recipient.update(state="pending").where(*chosen).execute()


def recipients(broadcast_id, state, limit, skip=0):
    """Return users whose copy is in a state, by their numbers."""
    with connection():
        query = User.select().join(Recipient, on=Recipient.user)
        query = query.where(Recipient.broadcast == broadcast_id, Recipient.state == state)
        return list(query.order_by(User.id).offset(skip).limit(limit))


def progress(broadcast_id):
    """Return {state: recipients}."""
    with connection():
        kept = Broadcast.select(Broadcast.totals).where(Broadcast.id == broadcast_id).scalar()
        return kept or _counts(broadcast_id)


def _counts(broadcast_id):
    query = Recipient.select(Recipient.state, fn.COUNT(Recipient.user)).where(Recipient.broadcast == broadcast_id)
    return dict(query.group_by(Recipient.state).tuples())


def sum_up(before):
    """Keep only the sums of broadcasts that ended before a time; return how many recipients' rows went."""
    with connection():
        old = Broadcast.state.in_(("done", "stopped")), Broadcast.ended_at < before, Broadcast.totals.is_null()
        found = [broadcast_id for (broadcast_id,) in Broadcast.select(Broadcast.id).where(*old).tuples()]
    gone = 0
    for broadcast_id in found:
        with transaction():
            ended = Broadcast.id == broadcast_id, Broadcast.state.in_(("done", "stopped"))
            if Broadcast.update(totals=_counts(broadcast_id)).where(*ended).execute():
                gone += Recipient.delete().where(Recipient.broadcast == broadcast_id).execute()
    return gone


def newest(limit=6):
    """Return the newest broadcasts."""
    with connection():
        return list(Broadcast.select().order_by(Broadcast.id.desc()).limit(limit))

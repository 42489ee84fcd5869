"""Messages that must arrive: written with their cause, kept until Telegram has answered.

Delivery is at least once: a send whose outcome is unknown is made again.
"""

from datetime import timedelta

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.tables import Outbox
from storage.journal import events
from storage.journal.event_kinds import MessageLost, MessageSent

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)


def put(key, user_id, text, *, now, values=None, buttons=None, media=None, ref=None, chat_id=None):
    """Queue a message under a unique key; `ref` keeps the row to edit it later. Return False for a repeat.

    With `chat_id` it goes to that group, in the user's language.
    """
    row = dict(key=key, user=user_id, chat_id=chat_id, text=text, values=values or {}, buttons=buttons or [])
    with transaction():
        made = Outbox.insert(**row, media=media, ref=ref, send_at=now).on_conflict_ignore()
        return bool(list(made.returning(Outbox.id).tuples().execute()))


def due(now, limit=20):
    """Return messages whose time has come, oldest first."""
    return _due.rows(now, limit)


@Prepared
def _due(now, limit):
    query = Outbox.select().where(Outbox.state == "pending", Outbox.send_at <= now)
    return query.order_by(Outbox.send_at, Outbox.id).limit(limit)


def sent(row, message_id, now, as_text=False):
    """Close a message Telegram has taken; without a `ref` nobody needs its words any more.

    `as_text`: the words are a message of their own, below the picture or without it.
    """
    gone = {"values": {}, "buttons": []} if row.ref is None else {}
    alone = {"media": None} if as_text else {}
    _close(row, now, "sent", message_id=message_id, **gone, **alone)


def dropped(row, now):
    """Close a message that can never arrive (blocked, no such chat)."""
    _close(row, now, "dropped")


def set_aside(row, now):
    """Take a message that cannot be sent as it is out of the others' way, until the next start."""
    _close(row, now, "aside")


def _close(row, now, state, **fields):
    """End a pending message; with a `ref`, others hear of it: `message.sent` or `message.lost`."""
    with transaction():
        query = Outbox.update(state=state, **fields).where(Outbox.id == row.id, Outbox.state == "pending")
        if query.execute() and row.ref is not None:
            ended = MessageSent if state == "sent" else MessageLost
            events.emit(ended(ref=row.ref, user=row.user_id), now)


def postponed(row, now, at_least_s=0):
    """Try a message again later, each time after a longer wait."""
    wait = max(timedelta(seconds=at_least_s), min(LONGEST_WAIT, FIRST_WAIT * 2**row.tries))
    with transaction():
        Outbox.update(tries=Outbox.tries + 1, send_at=now + wait).where(Outbox.id == row.id).execute()


def held(row, until):
    """Have a message wait for its chat; that is no try."""
    with transaction():
        Outbox.update(send_at=until).where(Outbox.id == row.id).execute()


def again(now):
    """Try once more what was set aside, e.g. before an upgrade; return how many there are."""
    with transaction():
        return Outbox.update(state="pending", send_at=now, tries=0).where(Outbox.state == "aside").execute()


def alive(refs):
    """Return those of the `refs` that have a message on its way, sent or set aside: one that was not just dropped."""
    with connection():
        found = Outbox.select(Outbox.ref).where(Outbox.ref.in_(refs), Outbox.state != "dropped") if refs else []
        return {row.ref for row in found}


def states(ref):
    """Return the states of the messages under a `ref`."""
    with connection():
        return {row.state for row in Outbox.select(Outbox.state).where(Outbox.ref == ref).distinct()}


def rounds(ref):
    """Return how many messages under a `ref` were dropped: the next copies have other keys than those."""
    with connection():
        return Outbox.select().where(Outbox.ref == ref, Outbox.state == "dropped").count()


def to_person(row):
    """Send what a group does not take to the user it would be in the language of."""
    with transaction():
        Outbox.update(chat_id=None).where(Outbox.id == row.id).execute()


def readdress(old, new):
    """Send what waits for a group to its new chat, or with None to the people themselves."""
    with transaction():
        Outbox.update(chat_id=new).where(Outbox.chat_id == old, Outbox.state == "pending").execute()


def withdraw(ref):
    """Drop the messages under a `ref` that have not been sent yet."""
    with transaction():
        Outbox.update(state="dropped").where(Outbox.ref == ref, Outbox.state == "pending").execute()


def sent_for(ref):
    """Return the messages sent under a `ref`, e.g. every admin's copy of a request."""
    with connection():
        return list(Outbox.select().where(Outbox.ref == ref, Outbox.state == "sent"))

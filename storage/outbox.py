"""Messages that must arrive: written with their cause, kept until Telegram has answered.

Delivery is at least once: a send whose outcome is unknown is made again.
"""

from datetime import timedelta

from storage.db import connection, transaction
from storage.prepared import Prepared
from storage.tables import Outbox

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


def sent(row, message_id):
    """Close a message Telegram has taken; without a `ref` nobody needs the row any more."""
    with transaction():
        if row.ref is None:
            Outbox.update(state="sent", message_id=message_id, values={}, buttons=[]).where(
                Outbox.id == row.id
            ).execute()
        else:
            Outbox.update(state="sent", message_id=message_id).where(Outbox.id == row.id).execute()


def dropped(row):
    """Close a message that can never arrive (blocked, no such chat)."""
    with transaction():
        Outbox.update(state="dropped").where(Outbox.id == row.id).execute()


def postponed(row, now):
    """Try a message again later, each time after a longer wait."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2**row.tries)
    with transaction():
        Outbox.update(tries=Outbox.tries + 1, send_at=now + wait).where(Outbox.id == row.id).execute()


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


def forget_sent(before):
    """Remove closed rows older than a time."""
    with transaction():
        return Outbox.delete().where(Outbox.state != "pending", Outbox.send_at < before).execute()

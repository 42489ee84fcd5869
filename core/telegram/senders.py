"""Who an update comes from, and whether it makes them a user."""

from storage.people.users import Sender


def sender_of(body):
    """Return the person an update's body comes from, or None: another bot, or nobody who is named."""
    person = body.get("from") or body.get("user")
    if person is None or person.get("is_bot") or body.get("is_automatic_forward"):
        return None
    return Sender(person["id"], person.get("first_name", ""), person.get("username"), person.get("language_code"))


def makes_user(kind, body):
    """Return whether an update makes its sender a user: a message or a tap in the private chat does.

    A message about refunded money does not, whether the payer or the bot itself sent it: the payer may have been erased.
    """
    chat = (body if kind == "message" else body.get("message") or {}).get("chat", {})
    is_private = kind in ("message", "callback_query") and chat.get("type") == "private"
    return is_private and "refunded_payment" not in body


def newcomers(updates):
    """Return [(Sender, update id)] of those whom raw updates would make users, each with their first update."""
    found = {}
    for update in updates:
        kind = next((key for key in update if key != "update_id"), None)
        body = update.get(kind)
        if isinstance(body, dict) and makes_user(kind, body) and (sender := sender_of(body)) is not None:
            found.setdefault(sender.telegram_id, (sender, update["update_id"]))
    return list(found.values())

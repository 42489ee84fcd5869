"""The world behind the server: the bot's profile, people, groups, chats and their messages.

Messages are the Bot API's Message objects and are never changed in place: an edit replaces the object, so that whoever
holds one (the list of calls, an update) keeps what was true then.
"""

import re
import secrets
from collections import deque
from dataclasses import asdict, dataclass, field

from demo.calls import Calls, Limits, Trouble
from demo.clock import Clock
from demo.files import Files
from demo.rules import ApiError, bad
from demo.updates import Updates

FIRST_PERSON = 5_000_000_001  # above 2**32: a 32-bit column breaks at once (Bot API, User: up to 52 bits)
FIRST_GROUP = {"supergroup": -1_002_000_000_001, "group": -4_000_000_001}
KEPT_MESSAGES = 10_000  # of one chat; older ones are forgotten
MEDIA = ("photo", "video", "audio", "voice", "document", "animation", "sticker", "video_note")


@dataclass
class Person:
    """Somebody who can talk to the bot."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    blocked: bool = False
    role: str = "user"

    def user(self):
        """Return the Bot API's User object."""
        user = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        more = {"last_name": self.last_name, "username": self.username, "language_code": self.language_code}
        return user | {key: value for key, value in more.items() if value}

    def chat(self):
        """Return the Bot API's Chat object of the private chat."""
        chat = {"id": self.id, "type": "private", "first_name": self.first_name}
        more = {"last_name": self.last_name, "username": self.username}
        return chat | {key: value for key, value in more.items() if value}


@dataclass
class Group:
    """A group or supergroup with the bot in it, in privacy mode; the first of its admins has created it."""

    id: int
    title: str
    members: list
    admins: list = field(default_factory=list)
    type: str = "supergroup"
    has_bot: bool = True
    moved_to: int = 0  # the supergroup that a group has become
    refuses: str = ""  # files: with these words of Telegram's

    def chat(self):
        """Return the Bot API's Chat object."""
        return {"id": self.id, "type": self.type, "title": self.title}

    def status(self, person_id):
        """Return what somebody is there, in the words of ChatMember."""
        if person_id not in self.members:
            return "left"
        return (
            "member" if person_id not in self.admins else "creator" if person_id == self.admins[0] else "administrator"
        )


@dataclass
class Chat:
    """The messages of one chat by message_id, and what the Bot API's objects do not say about them."""

    messages: dict = field(default_factory=dict)
    keyboards: dict = field(default_factory=dict)  # reply keyboards by message_id
    invoices: dict = field(default_factory=dict)  # payload and prices behind an invoice, by message_id
    deleted: dict = field(default_factory=dict)  # message_ids of deleted messages
    cleared: int = 0  # the person does not see messages up to this one
    pinned: int = 0


class World:
    """Everything the server knows."""

    def __init__(self, token, admin_ids=(), folder=None):
        self.token = token
        self.admin_ids = tuple(int(one) for one in admin_ids)
        self.clock = Clock()
        self.files = Files(folder)
        self.listeners = set()  # open streams of server-sent events
        self.changed = lambda: None  # called after each change that the state file must keep
        self.forget()

    def forget(self):
        """Start afresh: nobody has ever written."""
        self.clock.run_real()
        self.files.forget()
        self.bot = {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": "Fox Studio",
            "username": "demo_bot",
        }
        self.profile = {name: {} for name in ("commands", "menu_buttons", "description", "short_description", "name")}
        self.profile["photo"] = []  # sizes, as PhotoSize
        self.people, self.groups, self.chats = {}, {}, {}
        self.taps, self.checkouts, self.links, self.payments, self.polls = {}, {}, {}, [], {}
        self.waiting_taps = {}  # events for those who wait for an answer, by callback_query_id
        self.last_message_id = 0
        self.updates = Updates(self.clock)
        self.calls, self.trouble, self.limits = Calls(), Trouble(), Limits(self.clock)
        self.chat_instance = str(secrets.randbits(62))
        for admin_id in self.admin_ids:
            self.add_person("Admin", id=admin_id, username=f"admin{admin_id}")

    def add_person(self, first_name, id=None, **fields):
        """Add a person, or change the one with this id; return the Person."""
        if id is None:
            id = max((FIRST_PERSON - 1, *self.people)) + 1
        if id in self.people:
            person = self.people[id]
            for name, value in {"first_name": first_name, **fields}.items():
                setattr(person, name, value)
        else:
            role = "admin" if id in self.admin_ids else "user"
            person = self.people[id] = Person(id, first_name, role=role, **fields)
        self.announce_person(person)
        return person

    def add_group(self, title, members, type="supergroup", **fields):
        """Create a group of people (ids) and the bot; the first of them is its creator."""
        members = list(members)
        group = Group(FIRST_GROUP[type] - len(self.groups), title, members, members[:1], type, **fields)
        self.groups[group.id] = group
        self.announce_group(group)
        return group

    def peer(self, chat_id):
        """Return the Person or Group that `chat_id` (a number or its text) names; raise as Telegram does.

        People cannot be named by @username (Bot API, sendMessage: that is for channels and supergroups).
        """
        if chat_id is None or chat_id == "":
            raise bad("chat_id is empty")
        if isinstance(chat_id, str):
            chat_id = int(chat_id) if re.fullmatch(r"-?[0-9]{1,20}", chat_id) else 0
        peer = self.people.get(chat_id) or self.groups.get(chat_id) if isinstance(chat_id, int) else None
        if peer is None:
            raise bad("chat not found")
        return peer

    def reachable(self, chat_id):
        """Return the Person or Group; raise 403 if the bot cannot write there."""
        peer = self.peer(chat_id)
        if isinstance(peer, Person):
            if peer.blocked:
                raise ApiError(403, "Forbidden: bot was blocked by the user")
        elif peer.moved_to:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, text, migrate_to_chat_id=peer.moved_to)
        elif not peer.has_bot:
            raise ApiError(403, f"Forbidden: bot was kicked from the {peer.type} chat")
        return peer

    def chat(self, chat_id):
        """Return the Chat of an existing peer."""
        chat = self.chats.get(chat_id)
        if chat is None:
            chat = self.chats[chat_id] = Chat()
        return chat

    def new_message(self, peer, sender, content, keyboard=None):
        """Add a new message of `sender` (a User object) to the chat of `peer`; return it.

        `keyboard` is a reply keyboard (or its removal), which the Bot API does not show in the message.
        """
        self.last_message_id += 1
        message = {"message_id": self.last_message_id, "from": sender, "chat": peer.chat(), "date": self.clock.date()}
        message.update(content)
        chat = self.chat(peer.id)
        chat.messages[self.last_message_id] = message
        if len(chat.messages) > KEPT_MESSAGES:
            del chat.messages[next(iter(chat.messages))]
        if keyboard:
            chat.keyboards[self.last_message_id] = keyboard
        self.announce_message("message", message)
        return message

    def replace(self, message):
        """Replace an edited message."""
        chat_id, message_id = message["chat"]["id"], message["message_id"]
        self.chat(chat_id).messages[message_id] = message
        self.announce_message("edited", message)
        return message

    def mark_paid(self, chat_id, invoice):
        """Show an invoice as paid."""
        invoice["paid"], chat = True, self.chat(chat_id)
        for message_id in [one for one, known in chat.invoices.items() if known is invoice]:
            if message_id in chat.messages:
                self.announce_message("edited", chat.messages[message_id])

    def remove(self, chat_id, message_id):
        """Delete a message."""
        chat = self.chat(chat_id)
        del chat.messages[message_id]
        chat.keyboards.pop(message_id, None)
        chat.deleted[message_id] = self.clock.date()
        self.announce("deleted", {"chat_id": chat_id, "message_id": message_id})

    def announce_message(self, event, message):
        """Announce a new or edited message, as the page shows it."""
        if self.listeners:  # decorating takes time that a benchmark can save
            self.announce(event, {"chat_id": message["chat"]["id"], "message": self.decorated(message)})
        else:
            self.changed()

    def announce_person(self, person):
        """Announce a new or changed person."""
        self.announce("person", {"chat_id": person.id, "person": asdict(person)})

    def announce_group(self, group):
        """Announce a new or changed group."""
        self.announce("group", {"chat_id": group.id, "group": asdict(group)})

    def announce(self, event, data):
        """Tell the chat page what happened, and the state file that there is something to save."""
        self.changed()
        for listener in self.listeners:
            listener.append_event(event, data)

    def tell(self, kind, content):
        """Queue an update of `kind` for the bot."""
        self.updates.push(kind, content)
        self.changed()

    def answered(self, tap):
        """Release those who wait for the answer to a tap."""
        tap_id = tap["id"]
        if tap_id in self.waiting_taps:
            self.waiting_taps[tap_id].set()
        shown = {key: tap[key] for key in ("chat_id", "answered", "text", "show_alert", "url")}
        self.announce("answer", shown | {"callback_query_id": tap_id})

    def payment(self, charge_id):
        """Return the payment with this charge id, or None."""
        return next((one for one in self.payments if one["charge_id"] == charge_id), None)

    def refund(self, payment):
        """Refund a payment and add the service message about it to the chat."""
        payment["refunded_at"] = self.clock.date()
        person = self.people[payment["user_id"]]
        message = self.new_message(person, person.user(), {"refunded_payment": payment_object(payment)})
        self.tell("message", message)

    def shown(self, chat_id, after=0):
        """Return the messages a person sees, oldest first, with the fields the chat page needs."""
        chat = self.chat(chat_id)
        start = max(after, chat.cleared)
        return [self.decorated(one, chat) for number, one in list(chat.messages.items()) if number > start]

    def decorated(self, message, chat=None):
        """Return a message with what only the page and the kit are shown.

        That is `_from_bot`, `_url` of files, `_keyboard` (reply keyboard), `_votes` and `_hides` of a poll, and `_paid` of
        an invoice.
        """
        shown, chat = (
            message | {"_from_bot": message["from"]["id"] == self.bot["id"]},
            chat or self.chat(message["chat"]["id"]),
        )
        keyboard = chat.keyboards.get(message["message_id"])
        if keyboard:
            shown["_keyboard"] = keyboard
        if chat.invoices.get(message["message_id"], {}).get("paid"):
            shown["_paid"] = True
        if "poll" in shown:
            record = self.polls.get(shown["poll"]["id"], {})  # none yet while it is being sent
            shown |= {"_votes": record.get("votes", {}), "_hides": record.get("hides", False)}
        for kind in MEDIA:
            if kind in shown:
                content = shown[kind]
                shown[kind] = [_with_url(one) for one in content] if kind == "photo" else _with_url(content)
        return shown


def payment_object(payment):
    """Return the fields that SuccessfulPayment and RefundedPayment share."""
    return {
        "currency": "XTR",
        "total_amount": payment["amount"],
        "invoice_payload": payment["payload"],
        "telegram_payment_charge_id": payment["charge_id"],
        "provider_payment_charge_id": "",
    }


def _with_url(file):
    return file | {"_url": f"/demo/files/{file['file_unique_id']}"}


class Listener:
    """One open stream of server-sent events: announcements not written yet."""

    def __init__(self, wake):
        self.events, self.wake = deque(maxlen=10_000), wake

    def append_event(self, event, data):
        """Keep an event until the stream is written."""
        self.events.append((event, data))
        self.wake.set()

"""What people do: write, send files, edit, tap, pay, block. Each act puts the update into the bot's queue."""

import asyncio
import secrets

from demo import groups, polls
from demo.chats import payment_object
from demo.entities import found, read_given, tidy
from demo.files import Upload
from demo.methods.media import content_of
from demo.rules import CAPTION_MAX, CHECKOUT_S, TEXT_MAX, utf16

USER_UPLOAD_MAX = 100_000_000  # bytes; real people send up to 2 GB, which a browser tab does not need
KEPT_TAPS = 10_000
ANONYMOUS = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}  # Bot API, Message


class Refused(Exception):
    """Something that Telegram's apps would not let a person do; the text says why."""

    status = 409


class Missing(Refused):
    """An act on something that does not exist."""

    status = 404


def person_of(world, person_id):
    """Return a Person by id."""
    if person_id not in world.people:
        raise Missing(f"no person {person_id}")
    return world.people[person_id]


def place(world, person, chat_id=None):
    """Return where a person writes: the private chat, or a group the person is in."""
    if chat_id is None or chat_id == person.id:
        return person
    group = world.groups.get(chat_id)
    if group is None or person.id not in group.members:
        raise Missing(f"{person.first_name} is in no group {chat_id}")
    return group


def say(world, person, content, chat_id=None, reply_to=None, as_group=False, thread_id=0):
    """Put a person's message into a chat, and tell the bot if it may see it.

    An admin may write as the group itself (`as_group`); `thread_id` is a topic of a forum.
    """
    peer = place(world, person, chat_id)
    if person.blocked and peer is person:
        if not content.get("text", "").startswith("/start"):
            raise Refused(f"{person.first_name} has blocked the bot; /start unblocks it")
        block(world, person, False)
    if reply_to:
        replied = world.chat(peer.id).messages.get(reply_to)
        if replied is None:
            raise Missing(f"no message {reply_to} to reply to")
        content = {"reply_to_message": {k: v for k, v in replied.items() if k != "reply_to_message"}, **content}
    if thread_id:
        content = content | {"message_thread_id": thread_id, "is_topic_message": True}
    sender = person.user()
    if as_group:
        if person.id not in peer.admins:
            raise Refused(f"{person.first_name} is no admin of {peer.title}")
        sender, content = ANONYMOUS, content | {"sender_chat": peer.chat()}
    message = world.new_message(peer, sender, content)
    if peer is person or groups.reaches_bot(world, peer, message):
        world.tell("message", message)
    return message


def write(world, person, text, chat_id=None, reply_to=None, entities=None, **more):
    """Send text, in several messages if it is too long for Telegram, as the apps do; return the messages."""
    text = text.strip()
    if not text:
        raise Refused("text is empty")
    given = [read_given(entity) for entity in entities or ()]
    contents = []
    for part in split(text):
        marked = tidy(given + found(part, given))
        contents.append({"text": part, "entities": marked} if marked else {"text": part})
    return [say(world, person, content, chat_id, reply_to, **more) for content in contents]


def split(text):
    """Return a text in parts of at most 4096 UTF-16 units."""
    parts = [""]
    for char in text if utf16(text) > TEXT_MAX else (text,):
        if parts[-1] and utf16(parts[-1]) + utf16(char) > TEXT_MAX:
            parts.append("")
        parts[-1] += char
    return parts


async def send_files(world, person, kind, uploads, fields):
    """Send files of one `kind`, as an album if `fields` say so; return the messages."""
    extra = caption_of(fields)
    if fields.flag("forward"):
        origin = {"type": "hidden_user", "sender_user_name": "Somebody", "date": world.clock.date()}
        extra |= {"forward_origin": origin, "forward_sender_name": "Somebody", "forward_date": world.clock.date()}
    if fields.flag("media_group") and len(uploads) > 1:
        extra["media_group_id"] = str(13_000_000_000_000_000 + secrets.randbits(48))
    contents = [await content_of(world, kind, checked(upload), fields, limited=False) for upload in uploads]
    messages = []
    chat_id, reply_to = fields.number("chat_id") or None, fields.number("reply_to")
    for content in contents:
        messages.append(say(world, person, content | extra, chat_id, reply_to, thread_id=fields.number("thread_id")))
        extra = {key: value for key, value in extra.items() if not key.startswith("caption")}
    return messages


def caption_of(fields):
    """Return the caption of a person's files as content."""
    caption = fields.text("caption").strip()
    if utf16(caption) > CAPTION_MAX:
        raise Refused("the caption is too long")
    entities = found(caption, [])
    content = {"caption": caption} if caption else {}
    return content | {"caption_entities": entities} if entities else content


def checked(upload):
    """Return a person's upload if its size is one this server accepts."""
    if not isinstance(upload, Upload) or not 0 < len(upload.data) <= USER_UPLOAD_MAX:
        raise Refused(f"a file has 1 to {USER_UPLOAD_MAX} bytes")
    return upload


def send_contact(world, person):
    """Send the person's own contact, as a reply keyboard's button does; the number is invented."""
    contact = {"phone_number": f"+888{person.id % 10**8:08}", "first_name": person.first_name, "user_id": person.id}
    return say(world, person, {"contact": contact | ({"last_name": person.last_name} if person.last_name else {})})


def send_location(world, person, latitude, longitude):
    """Send a place, in degrees."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Refused("a place lies at a latitude of -90 to 90 and a longitude of -180 to 180 degrees")
    return say(world, person, {"location": {"latitude": latitude, "longitude": longitude}})


def edit(world, person, message_id, text, chat_id=None):
    """Change the text of a person's own message."""
    peer = place(world, person, chat_id)
    message = world.chat(peer.id).messages.get(message_id)
    if message is None or message["from"]["id"] != person.id or "text" not in message:
        raise Refused(f"message {message_id} is no text of {person.first_name}")
    if not text.strip() or utf16(text) > TEXT_MAX:
        raise Refused(f"a text has 1 to {TEXT_MAX} characters")
    entities = found(text, [])
    fresh = {key: value for key, value in message.items() if key != "entities"}
    fresh |= {"text": text, "edit_date": world.clock.date()} | ({"entities": entities} if entities else {})
    world.replace(fresh)
    if peer is person or groups.reaches_bot(world, peer, fresh):
        world.tell("edited_message", fresh)
    return fresh


def delete(world, person, message_id, chat_id=None):
    """Delete a person's own message for everybody."""
    peer = place(world, person, chat_id)
    message = world.chat(peer.id).messages.get(message_id)
    if message is None or message["from"]["id"] != person.id:
        raise Missing(f"message {message_id} is none of {person.first_name}")
    world.remove(peer.id, message_id)


def tap(world, person, message_id, data, chat_id=None):
    """Tap a button, or send any data as if a button had been tapped; return the tap's record."""
    peer = place(world, person, chat_id)
    chat = world.chat(peer.id)
    message = chat.messages.get(message_id)
    if message is None:
        if message_id not in chat.deleted:
            raise Missing(f"no message {message_id}")
        message = {"chat": peer.chat(), "message_id": message_id, "date": 0}  # InaccessibleMessage
    tap_id = str(secrets.randbits(60) + 1)
    record = {"id": tap_id, "at": world.clock.now(), "chat_id": peer.id, "answered": False}
    world.taps[tap_id] = record | {"text": "", "show_alert": False, "url": None}
    if len(world.taps) > KEPT_TAPS:
        del world.taps[next(iter(world.taps))]
    query = {"id": tap_id, "from": person.user(), "message": message, "chat_instance": world.chat_instance}
    if peer is person or peer.has_bot:
        world.tell("callback_query", query | {"data": data})
    return world.taps[tap_id]


def vote(world, person, message_id, options, chat_id=None):
    """Vote for options (0-based) of the poll in a message, or retract the vote with none; return the Poll."""
    message = world.chat(place(world, person, chat_id).id).messages.get(message_id)
    record = polls.of(world, message) if message else None
    if record is None:
        raise Missing(f"no poll in message {message_id}")
    polls.close_due(world)
    poll, former = record["poll"], record["votes"].get(str(person.id))
    if poll["is_closed"]:
        raise Refused("the poll is closed")
    if any(not isinstance(one, int) or not 0 <= one < len(poll["options"]) for one in options):
        raise Refused(f"the options of this poll are 0 to {len(poll['options']) - 1}")
    if len(options) > 1 and not poll["allows_multiple_answers"]:
        raise Refused("this poll takes one answer")
    if former and not poll["allows_revoting"]:
        raise Refused("this poll takes no second vote, and none back")
    chosen = sorted(set(options))
    if chosen != (former or []):
        polls.vote(world, record, person, chosen)
    return polls.shown(record)


async def wait_for_answer(world, tap_id, seconds):
    """Wait at most `seconds` until a tap is answered; return whether it is."""
    if not world.taps[tap_id]["answered"]:
        event = world.waiting_taps.setdefault(tap_id, asyncio.Event())
        await world.clock.wait(event, seconds)
        world.waiting_taps.pop(tap_id, None)
    return world.taps[tap_id]["answered"]


def invoice_of(world, person, message_id=None, link=None):
    """Return the invoice behind a message or a link."""
    invoice = world.links.get(link) if link else world.chat(person.id).invoices.get(message_id)
    if invoice is None:
        raise Missing(f"no invoice {link or message_id}")
    return invoice


async def pay(world, person, invoice, times=1, cancel=False):
    """Pay an invoice, several times if asked; return `{state, error, charge_ids}`. `cancel` stops after the check."""
    outcome = {"state": "cancelled" if cancel else "paid", "error": "", "charge_ids": []}
    for _ in range(times):
        answer = await check_out(world, person, invoice)
        if answer is None:
            return outcome | {"state": "timeout", "error": "the bot did not answer the pre-checkout query"}
        if not answer["ok"]:
            return outcome | {"state": "refused", "error": answer["error"]}
        if not cancel:
            outcome["charge_ids"].append(settle(world, person, invoice))
    return outcome


async def check_out(world, person, invoice):
    """Send a pre-checkout query and wait up to 10 s; return `{ok, error}`, or None if no answer came."""
    query_id = str(secrets.randbits(60) + 1)
    checkout = world.checkouts[query_id] = {"at": world.clock.now(), "answer": None, "done": asyncio.Event()}
    query = {"id": query_id, "from": person.user(), "currency": "XTR"}
    query |= {"total_amount": invoice["total_amount"], "invoice_payload": invoice["payload"]}
    world.tell("pre_checkout_query", query)
    await world.clock.wait(checkout["done"], CHECKOUT_S)
    del world.checkouts[query_id]
    return checkout["answer"]


def settle(world, person, invoice, renewal=False):
    """Book a payment and tell the bot; return the charge id. Of a subscription, it is the first one or a `renewal`."""
    period_s = invoice.get("period_s", 0)
    payment = {
        "charge_id": f"stx{secrets.token_urlsafe(24)}",
        "user_id": person.id,
        "amount": invoice["total_amount"],
        "payload": invoice["payload"],
        "date": world.clock.date(),
        "refunded_at": None,
    }
    world.payments.append(payment)
    content = {"successful_payment": payment_object(payment)}
    if period_s:
        payment |= {"period_s": period_s, "stopped": False}
        if not renewal:
            payment["until"] = world.clock.date() + period_s
        until = world.clock.date() + period_s
        terms = {"subscription_expiration_date": until, "is_recurring": True, "is_first_recurring": not renewal}
        content["successful_payment"] |= {name: value for name, value in terms.items() if value}
    world.tell("message", world.new_message(person, person.user(), content))
    return payment["charge_id"]


def renew(world, person, charge_id):
    """Let a month pass of a subscription, as Telegram does; return the new charge id, or None if it was stopped."""
    first = world.payment(charge_id)
    if first is None or first["user_id"] != person.id or not first.get("until"):
        raise Missing(f"no subscription {charge_id}")
    if first["stopped"]:
        return None
    first["until"] += first["period_s"]
    names = {"total_amount": first["amount"], "payload": first["payload"], "period_s": first["period_s"]}
    return settle(world, person, names, renewal=True)


def charge_back(world, person, charge_id):
    """Take a payment back without the bot, as a shop or a bank can."""
    payment = world.payment(charge_id)
    if payment is None or payment["user_id"] != person.id or payment["refunded_at"]:
        raise Missing(f"no payment {charge_id} to give back")
    world.refund(payment)


def block(world, person, blocked):
    """Block or unblock the bot, which learns of it by `my_chat_member`."""
    if person.blocked == blocked:
        return
    person.blocked = blocked
    member, gone = {"user": world.bot, "status": "member"}, {"user": world.bot, "status": "kicked", "until_date": 0}
    change = {"chat": person.chat(), "from": person.user(), "date": world.clock.date()}
    change |= {"old_chat_member": member if blocked else gone, "new_chat_member": gone if blocked else member}
    world.tell("my_chat_member", change)
    world.announce_person(person)

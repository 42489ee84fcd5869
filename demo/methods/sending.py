"""Methods by which the bot sends messages other than files: text, copies, forwards, places, contacts."""

from demo import polls
from demo.chats import MEDIA, Group
from demo.entities import formatted
from demo.params import Params
from demo.rules import ACTIONS, CAPTION_MAX, TEXT_MAX, bad, utf16

CONTENT = ("text", "entities", "caption", "caption_entities", "has_media_spoiler", "location", "contact", *MEDIA)


def send_message(world, params):
    """Send text."""
    return post(world, params, text_content(params))


def text_content(params):
    """Return the content of a text message, checked."""
    raw = params.text("text")
    if not raw:
        raise bad("message text is empty")
    text, entities = formatted(raw, params.text("parse_mode"), params.objects("entities"))
    if not text:
        raise bad("text must be non-empty")
    if utf16(text) > TEXT_MAX:
        raise bad("message is too long")
    return {"text": text, "entities": entities} if entities else {"text": text}


def caption_content(params):
    """Return the caption of a file as content, checked; nothing if there is none."""
    raw = params.text("caption")
    if not raw:
        return {}
    text, entities = formatted(raw, params.text("parse_mode"), params.objects("caption_entities"))
    if utf16(text) > CAPTION_MAX:
        raise bad("message caption is too long")
    content = {"caption": text} if text else {}
    return content | {"caption_entities": entities} if entities else content


def post(world, params, content):
    """Send a message with `content` to the chat of the call, with its keyboard and what it replies to."""
    markup = params.markup()
    peer = world.reachable(params.get("chat_id"))
    check_pay(markup, content)
    if isinstance(peer, Group) and peer.refuses and "text" not in content:
        raise bad(peer.refuses)
    replied = reply_to(world, peer, params)
    if replied:
        content = {"reply_to_message": replied, **content}
    if isinstance(peer, Group) and (thread_id := params.number("message_thread_id")):
        content = content | {"message_thread_id": thread_id, "is_topic_message": True}
    if params.flag("protect_content"):
        content = content | {"has_protected_content": True}
    if markup and "inline_keyboard" in markup:
        content = content | {"reply_markup": markup}
        markup = None
    return world.new_message(peer, world.bot, content, keyboard=markup)


def check_pay(markup, content):
    """Raise if a Pay button is where there is nothing to pay, or an invoice's keyboard lacks it."""
    rows = (markup or {}).get("inline_keyboard") or [[{}]]
    pays = "pay" in rows[0][0]
    if pays and "invoice" not in content:
        raise bad("BUTTON_TYPE_INVALID")
    if markup and "invoice" in content and not pays:
        raise bad("REPLY_MARKUP_BUY_EMPTY")


def reply_to(world, peer, params):
    """Return the message that the call replies to, or None."""
    wanted = Params(params.json("reply_parameters", dict, {}))
    message_id = wanted.number("message_id") or params.number("reply_to_message_id")
    if not message_id:
        return None
    replied = world.chat(wanted.number("chat_id", peer.id)).messages.get(message_id)
    if replied:
        return {key: value for key, value in replied.items() if key != "reply_to_message"}
    if wanted.flag("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def source(world, params, verb):
    """Return the messages that a copy or forward names; missing ones are left out, unless there is only one."""
    single = "message_ids" not in params
    ids = [params.number("message_id")] if single else params.ids("message_ids")
    messages = world.chat(world.peer(params.get("from_chat_id")).id).messages
    kept = [messages[one] for one in ids if one in messages]
    if not kept:
        raise bad(f"message to {verb} not found" if single else f"there are no messages to {verb}")
    return kept


def copied(message, params):
    """Return the content of a copy, with the caption of the call if it has one."""
    content = {key: message[key] for key in CONTENT if key in message}
    if not content:
        raise bad("message can't be copied")
    if "caption" in params and "text" not in content:
        content = {key: value for key, value in content.items() if not key.startswith("caption")}
        content |= caption_content(params)
    return content


def copy_message(world, params):
    """Copy one message."""
    return copy(world, params, source(world, params, "copy")[0])


def copy_messages(world, params):
    """Copy up to 100 messages."""
    messages = source(world, params, "copy")
    return [copy(world, params, message) for message in messages]


def copy(world, params, message):
    """Put a copy of `message` into the chat of the call; a poll starts again there, without votes."""
    if "poll" in message:
        record = polls.again(polls.of(world, message))
        content = {"poll": polls.shown(record)}
    else:
        record, content = None, copied(message, params)
    sent = post(world, params, content)
    if record:
        polls.place(world, record, sent)
    return {"message_id": sent["message_id"]}


def forwarded(world, params, message):
    """Send a forwarded copy of `message` to the chat of the call."""
    peer = world.reachable(params.get("chat_id"))
    if message.get("has_protected_content"):
        raise bad("message can't be forwarded")
    origin = {"type": "user", "sender_user": message["from"], "date": message["date"]}
    kept = {key: message[key] for key in (*CONTENT, "poll", "invoice", "reply_markup") if key in message}
    content = {"forward_origin": origin, "forward_from": message["from"], "forward_date": message["date"], **kept}
    result = world.new_message(peer, world.bot, content)
    if "poll" in content:
        polls.place(world, polls.of(world, message), result)
    invoice = world.chat(message["chat"]["id"]).invoices.get(message["message_id"])
    if invoice:
        world.chat(peer.id).invoices[result["message_id"]] = invoice
    return result


def forward_message(world, params):
    """Forward one message."""
    return forwarded(world, params, source(world, params, "forward")[0])


def forward_messages(world, params):
    """Forward up to 100 messages."""
    messages = [forwarded(world, params, message) for message in source(world, params, "forward")]
    return [{"message_id": message["message_id"]} for message in messages]


def send_location(world, params):
    """Send a place on the map."""
    try:
        place = {name: float(params.need(name)) for name in ("latitude", "longitude")}
    except ValueError:
        raise bad("wrong latitude or longitude specified") from None
    return post(world, params, {"location": place})


def send_contact(world, params):
    """Send a phone number."""
    contact = {"phone_number": params.need("phone_number"), "first_name": params.need("first_name")}
    return post(world, params, {"contact": contact})


def send_chat_action(world, params):
    """Show for 5 seconds that the bot is typing or uploading."""
    action = params.text("action")
    if action not in ACTIONS:
        raise bad("wrong parameter action in request")
    peer = world.reachable(params.get("chat_id"))
    world.announce("action", {"chat_id": peer.id, "action": action})
    return True


METHODS = {
    "sendMessage": send_message,
    "copyMessage": copy_message,
    "copyMessages": copy_messages,
    "forwardMessage": forward_message,
    "forwardMessages": forward_messages,
    "sendLocation": send_location,
    "sendContact": send_contact,
    "sendChatAction": send_chat_action,
}

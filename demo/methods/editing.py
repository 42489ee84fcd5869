"""Methods that change messages in a chat: edits, deletions, pins; and the answer to a tap."""

from demo.chats import MEDIA
from demo.methods.media import content_of, given
from demo.methods.sending import caption_content, text_content
from demo.params import Params
from demo.rules import DELETE_S, NOT_MODIFIED, TAP_ANSWER_S, TOAST_MAX, TOO_OLD, bad


def target(world, params):
    """Return the message of the bot that an edit names."""
    if params.get("inline_message_id"):
        raise bad("MESSAGE_ID_INVALID")
    if not params.number("message_id"):
        raise bad("message identifier is not specified")
    peer = world.reachable(params.get("chat_id"))
    message = world.chat(peer.id).messages.get(params.number("message_id"))
    if message is None:
        raise bad("message to edit not found")
    if message["from"]["id"] != world.bot["id"] or "forward_origin" in message:
        raise bad("message can't be edited")
    return message


def edited(world, params, message, dropped, content):
    """Replace the message: without the fields `dropped`, with `content` and the keyboard of the call."""
    fresh = {key: value for key, value in message.items() if key not in dropped and key != "reply_markup"} | content
    markup = params.markup()
    if markup:
        if "inline_keyboard" not in markup:
            raise bad("inline keyboard expected")
        fresh["reply_markup"] = markup
    if fresh == message:
        raise bad(NOT_MODIFIED)
    return world.replace(fresh | {"edit_date": world.clock.date()})


def edit_message_text(world, params):
    """Replace the text and the keyboard."""
    content = text_content(params)
    message = target(world, params)
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return edited(world, params, message, ("text", "entities"), content)


def edit_message_caption(world, params):
    """Replace the caption and the keyboard."""
    content = caption_content(params)
    message = target(world, params)
    if not any(kind in message for kind in MEDIA):
        raise bad("there is no caption in the message to edit")
    return edited(world, params, message, ("caption", "caption_entities"), content)


def edit_message_reply_markup(world, params):
    """Replace the keyboard."""
    return edited(world, params, target(world, params), (), {})


async def edit_message_media(world, params):
    """Replace the file, its caption and the keyboard."""
    item = params.json("media", dict, {})
    message = target(world, params)
    if item.get("type") not in MEDIA:
        raise bad("can't parse InputMedia: type must be specified")
    own = Params(item)
    content = await content_of(world, item["type"], given(params, "media", item.get("media")), own)
    dropped = ("text", "entities", "caption", "caption_entities", "has_media_spoiler", *MEDIA)
    return edited(world, params, message, dropped, content | caption_content(own))


def delete_message(world, params):
    """Delete one message, of the bot or of the person, within 48 hours."""
    peer = world.peer(params.get("chat_id"))
    message_id = params.number("message_id")
    message = world.chat(peer.id).messages.get(message_id)
    if message is None:
        raise bad("message to delete not found")
    if not deletable(world, message):
        raise bad("message can't be deleted for everyone")
    world.remove(peer.id, message_id)
    return True


def delete_messages(world, params):
    """Delete up to 100 messages; missing or too old ones are skipped."""
    ids = params.ids("message_ids")
    peer = world.peer(params.get("chat_id"))
    messages = world.chat(peer.id).messages
    for message_id in set(ids) & set(messages):
        if deletable(world, messages[message_id]):
            world.remove(peer.id, message_id)
    return True


def deletable(world, message):
    """Return whether the bot may delete a message now; other people's only in private chats."""
    own = message["from"]["id"] == world.bot["id"] or message["chat"]["type"] == "private"
    return own and world.clock.now() - message["date"] <= DELETE_S


def pin_chat_message(world, params):
    """Pin a message."""
    peer = world.peer(params.get("chat_id"))
    if params.number("message_id") not in world.chat(peer.id).messages:
        raise bad("message to pin not found")
    world.chat(peer.id).pinned = params.number("message_id")
    return True


def unpin_chat_message(world, params):
    """Unpin the pinned message."""
    world.chat(world.peer(params.get("chat_id")).id).pinned = 0
    return True


def answer_callback_query(world, params):
    """Answer a tap, once and in time: a toast, an alert, an address, or just the end of the spinner."""
    if len(params.text("text")) > TOAST_MAX:
        raise bad("MESSAGE_TOO_LONG")
    tap = world.taps.get(params.text("callback_query_id"))
    if tap is None or tap["answered"] or world.clock.now() - tap["at"] > TAP_ANSWER_S:
        raise bad(TOO_OLD)
    tap.update(
        answered=True, text=params.text("text"), show_alert=params.flag("show_alert"), url=params.text("url") or None
    )
    world.answered(tap)
    return True


def answer_inline_query(world, params):
    """Accept the results of an inline query; nobody here sees them, but the list of calls has them."""
    params.need("inline_query_id")
    if params.json("results", list) is None:
        raise bad("can't parse inline query results: Expected an Array")
    return True


METHODS = {
    "answerInlineQuery": answer_inline_query,
    "editMessageText": edit_message_text,
    "editMessageCaption": edit_message_caption,
    "editMessageReplyMarkup": edit_message_reply_markup,
    "editMessageMedia": edit_message_media,
    "deleteMessage": delete_message,
    "deleteMessages": delete_messages,
    "pinChatMessage": pin_chat_message,
    "unpinChatMessage": unpin_chat_message,
    "unpinAllChatMessages": unpin_chat_message,
    "answerCallbackQuery": answer_callback_query,
}

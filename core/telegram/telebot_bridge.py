"""pyTelegramBotAPI's handlers: those registered through `bot.telebot` run in the same lanes and the same wrapper.

They get the updates that no handler of a plugin's `register` takes, so they add to the bot and never shadow it; a step
they wait for (`register_next_step_handler`) comes first. Their calls go out through `core.telegram.sender`.
"""

from typing import Any

from telebot import TeleBot, types

LISTS = {  # update kind → the library's list of its handlers
    "message": "message_handlers",
    "edited_message": "edited_message_handlers",
    "channel_post": "channel_post_handlers",
    "edited_channel_post": "edited_channel_post_handlers",
    "inline_query": "inline_handlers",
    "chosen_inline_result": "chosen_inline_handlers",
    "callback_query": "callback_query_handlers",
    "shipping_query": "shipping_query_handlers",
    "pre_checkout_query": "pre_checkout_query_handlers",
    "purchased_paid_media": "purchased_paid_media_handlers",
    "poll": "poll_handlers",
    "poll_answer": "poll_answer_handlers",
    "my_chat_member": "my_chat_member_handlers",
    "chat_member": "chat_member_handlers",
    "chat_join_request": "chat_join_request_handlers",
    "message_reaction": "message_reaction_handlers",
    "message_reaction_count": "message_reaction_count_handlers",
    "chat_boost": "chat_boost_handlers",
    "removed_chat_boost": "removed_chat_boost_handlers",
}


def kinds(telebot: TeleBot) -> list[str]:
    """Return the update kinds the library has handlers for."""
    return [kind for kind, name in LISTS.items() if getattr(telebot, name)]


def event(update_id: int, kind: str, body: dict[str, Any]) -> Any:
    """Return an update's content as the library's own type, such as `types.Message` or `types.InlineQuery`."""
    update: Any = types.Update.de_json({"update_id": update_id, kind: body})  # type: ignore[no-untyped-call]
    return getattr(update, kind)


def awaits(telebot: Any, message: dict[str, Any]) -> bool:
    """Return whether a handler of the library's waits for the next message of a chat, or for a reply to a message."""
    replied = (message.get("reply_to_message") or {}).get("message_id")
    return message["chat"]["id"] in telebot.next_step_backend.handlers or replied in telebot.reply_backend.handlers


def takes(telebot: Any, update_id: int, kind: str, body: dict[str, Any]) -> bool:
    """Pass an update to the library's first matching handler; return whether there was one."""
    if kind not in LISTS:
        return False
    handlers, waits = getattr(telebot, LISTS[kind]), kind == "message" and awaits(telebot, body)
    if not handlers and not waits:
        return False
    update: Any = types.Update.de_json({"update_id": update_id, kind: body})  # type: ignore[no-untyped-call]
    brought = getattr(update, kind)
    if not waits and not any(telebot._test_message_handler(handler, brought) for handler in handlers):
        return False
    telebot.process_new_updates([update])
    return True

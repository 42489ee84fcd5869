"""Handlers registered with pyTelegramBotAPI itself, through `bot.telebot`: they run in the same lane and wrapper.

They are asked where no handler of a plugin's `register` takes an update, so they add to the bot and never shadow it.
"""

from typing import Any

from telebot import TeleBot, types

KINDS = {  # update kind → the library's list of its handlers
    "inline_query": "inline_handlers",
    "chosen_inline_result": "chosen_inline_handlers",
    "poll": "poll_handlers",
    "poll_answer": "poll_answer_handlers",
    "chat_member": "chat_member_handlers",
    "chat_join_request": "chat_join_request_handlers",
    "message_reaction": "message_reaction_handlers",
}


def kinds(telebot: TeleBot) -> list[str]:
    """Return the update kinds the library has handlers for, beyond messages and taps."""
    return [kind for kind, name in KINDS.items() if getattr(telebot, name)]


def takes(telebot: Any, update_id: int, kind: str, body: dict[str, Any]) -> bool:
    """Let the library's first fitting handler have an update; tell whether there was one."""
    update: Any = types.Update.de_json({"update_id": update_id, kind: body})  # type: ignore[no-untyped-call]
    if kind in KINDS:
        found = bool(getattr(telebot, KINDS[kind]))
    else:
        name = "callback_query_handlers" if kind == "callback_query" else "message_handlers"
        event = update.callback_query if kind == "callback_query" else update.message
        found = any(telebot._test_message_handler(handler, event) for handler in getattr(telebot, name))
    if found:
        telebot.process_new_updates([update])
    return found

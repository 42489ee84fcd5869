"""The operator's people: who may do what, and who hears of what.

Owners are the ADMIN_IDS of the settings; an owner gives the other roles from the chat. A handler declares the right it
wants (`bot.command("rate", …, right="settings")`), and the wrapper checks it against the user's row at every update.
An admin has every right but the owners' own, so a plugin may name a right of its own; a cashier and a support have
only the ones listed here. `staff` is the right of everybody who has a role at all.

Requests and alarms go to each person with the right, or, once an owner has said /here in a group, to that group.
"""

import logging

from core.sender import TelegramError
from storage import alarms, outbox, staff, stored, users

log = logging.getLogger(__name__)
OWNERS_ONLY = frozenset({"roles", "backup"})
ROLES = {"cashier": frozenset({"staff", "topups"}), "support": frozenset({"staff", "read", "message"})}
GROUP = "STAFF_CHAT"  # the stored setting: chat id and the owner's internal id


def may(settings, user, right):
    """Tell whether a user has a right; everybody has the right None."""
    if right is None or user.telegram_id in settings["ADMIN_IDS"]:
        return True
    return right not in OWNERS_ONLY if user.role == "admin" else right in ROLES.get(user.role, ())


def with_right(bot, right):
    """Return the users with a right who have started the bot: owners first."""
    owners = [user for i in bot.settings["ADMIN_IDS"] if (user := users.by_telegram_id(i)) is not None]
    others = [user for user in staff.members() if user not in owners and not user.banned]
    return [user for user in owners + others if may(bot.settings, user, right)]


def desk(bot, right):
    """Return whom to tell as (user, chat id): the staff's group in its owner's language, or each person (None)."""
    group = stored.get(GROUP)
    if group:
        chat_id, owner = map(int, group.split())
        return [(users.get(owner), chat_id)]
    return [(user, None) for user in with_right(bot, right)]


def alert(bot, key, cause, values, buttons=None):
    """Tell the staff of a cause of alarm, once a cause and not once an event, outside the quiet hours."""
    now = bot.clock.now()
    if alarms.ring(cause, key, values, now):
        for user, chat_id in desk(bot, "alerts"):
            unique = f"alert:{cause}:{now.timestamp():.0f}:{chat_id or user.id}"
            at = alarms.audible_at(now)
            bot.notify(user.id, key, unique=unique, now=at, chat_id=chat_id, buttons=buttons, **values)


def move_group(bot, old, new=None):
    """Go on in a group's new chat, or, when the group can't be reached, with the people themselves."""
    now = bot.clock.now()
    owner = (stored.get(GROUP) or "").partition(" ")[2]
    if owner and stored.get(GROUP) == f"{old} {owner}":
        stored.put(GROUP, f"{new} {owner}" if new else "", now=now)
    outbox.readdress(old, new)
    if new is None:
        alert(bot, "common.alert_group", "group", {})


def show_commands(bot, telegram_id, user=None):
    """Give somebody's command menu the commands of their rights; without a user, all of them (an owner's)."""
    scope = {"type": "chat", "chat_id": telegram_id}
    for lang in (None, "ru"):
        try:
            commands = bot.commands_in(lang or "en", lambda right: user is None or may(bot.settings, user, right))
            bot.sender.call("setMyCommands", commands=commands, language_code=lang, scope=scope)
        except TelegramError as error:  # somebody who has not opened the chat yet has no scope
            log.info("no command menu for %s yet: %s", telegram_id, error)

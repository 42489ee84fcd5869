"""The operator's staff: who may do what, and who is told what.

Owners are the ADMIN_IDS of the settings; an owner gives the other roles in the chat. A handler declares the right it
needs (`bot.command("rate", …, right="settings")`), and the wrapper checks it against the user's row at every update. An
admin has every right except the owners' own, including those that plugins declare (`bot.right`); a cashier and a
support member have only the ones listed here. Everybody with a role has the right `staff`.

Nobody signs their own cheque: an act that would pay the person who does it is left to somebody else. An owner who is
alone in the shop may do it, after typing the sum.

Requests and alarms go to each person with the right or, once an owner has said /here in a group, to that group.
"""

import logging
from collections.abc import Callable
from typing import Any

from core import amounts
from core.errors import UserError
from core.telegram.sender import TelegramError
from storage.base.tables import User
from storage.journal import alarms, outbox, runtime_settings
from storage.people import staff, users

log = logging.getLogger(__name__)
RIGHTS = frozenset(
    "admin alerts audit backup broadcast message money owner people read roles settings staff stats topups".split()
)
OWNERS_ONLY = frozenset({"roles", "backup", "owner"})
ROLES = {"cashier": frozenset({"staff", "topups"}), "support": frozenset({"staff", "read", "message"})}
GROUP = "STAFF_CHAT"  # the stored setting: chat id and the owner's internal id


def may(settings: Any, user: User, right: str | None) -> bool:
    """Return whether a user has a right; everybody has the right None."""
    if right is None or user.telegram_id in settings["ADMIN_IDS"]:
        return True
    return right not in OWNERS_ONLY if user.role == "admin" else right in ROLES.get(user.role or "", ())


def is_alone(bot: Any, user: User, right: str) -> bool:
    """Return whether a user is the only owner, and nobody else on the staff has the right."""
    ids, others = set(bot.settings["ADMIN_IDS"]), [one for one in staff.members() if one.id != user.id]
    return ids == {user.telegram_id} and not any(may(bot.settings, one, right) for one in others if not one.banned)


def ask_sum(
    ctx: Any, right: str, step: str, amount: int, data: dict[str, Any], back: Any, shown: str | None = None
) -> None:
    """Ask an owner who is alone to type the sum of an act that pays them; refuse the act to everybody else."""
    _refuse_company(ctx, right)
    ctx.in_private()
    data = data | {"sum": amount, "shown": shown or ctx.texts.money(ctx.lang, amount)}
    ctx.ask(step, "common.own_sum", [back], data=data, sum=data["shown"])


def read_sum(ctx: Any, right: str, back: Any) -> dict[str, Any]:
    """Return the draft's data if its sum was typed by somebody who is still alone; else raise UserError."""
    _refuse_company(ctx, right)
    data = ctx.draft.data
    if amounts.read(ctx.text) != data["sum"]:
        raise UserError("common.own_sum_wrong", buttons=[back], sum=data["shown"])
    return data


def _refuse_company(ctx: Any, right: str) -> None:
    if not is_alone(ctx.bot, ctx.user, right):
        raise UserError("common.own_cheque")


def with_right(bot: Any, right: str) -> list[User]:
    """Return the users with a right who have started the bot and can be written to: owners first."""
    owners = [user for i in bot.settings["ADMIN_IDS"] if (user := users.by_telegram_id(i)) is not None]
    others = [user for user in staff.members() if user not in owners and not user.banned]
    return [user for user in owners + others if not user.blocked_bot and may(bot.settings, user, right)]


def recipients(bot: Any, right: str) -> list[tuple[User, int | None]]:
    """Return whom to tell, as (user, chat id): the staff's group in its owner's language, or each person (None)."""
    group = runtime_settings.get(GROUP)
    if group:
        chat_id, owner = map(int, group.split())
        if (reader := users.get(owner)) is not None:
            return [(reader, chat_id)]
    return [(user, None) for user in with_right(bot, right)]


def alert(bot: Any, key: str, cause: str, values: dict[str, Any], buttons: Any = None) -> None:
    """Alert the staff, once per cause and not per event, outside the quiet hours."""
    now = bot.clock.now()
    if alarms.ring(cause, key, values, now):
        for user, chat_id in recipients(bot, "alerts"):
            unique = f"alert:{cause}:{now.timestamp():.0f}:{chat_id or user.id}"
            at = alarms.audible_at(now)
            bot.notify(user.id, key, unique=unique, now=at, chat_id=chat_id, buttons=buttons, **values)


def move_group(bot: Any, old: int, new: int | None = None) -> None:
    """Continue in a group's new chat or, if the group cannot be reached, with each person directly."""
    now = bot.clock.now()
    owner = (runtime_settings.get(GROUP) or "").partition(" ")[2]
    if owner and runtime_settings.get(GROUP) == f"{old} {owner}":
        runtime_settings.put(GROUP, f"{new} {owner}" if new else "", now=now)
    outbox.readdress(old, new)
    if new is None:
        alert(bot, "common.alert_group", "group", {})


def commands_in(bot: Any, lang: str, may: Callable[[str], bool] | None = None) -> list[dict[str, str]]:
    """Return the commands in the form of Telegram's command menu."""
    commands = bot.commands(may)
    return [{"command": name, "description": bot.texts.plain(lang, about)} for name, about in commands]


def publish_commands(bot: Any) -> None:
    """Publish the command menus: everybody's with the commands that need no right, the owners' with all of them."""
    for code, lang in _menus(bot):
        bot.sender.call("setMyCommands", commands=commands_in(bot, lang), language_code=code)
    for owner in bot.settings["ADMIN_IDS"]:
        show_commands(bot, owner)


def publish_staff_commands(bot: Any) -> None:
    """Publish each staff member's command menu, with the commands of their rights."""
    for member in staff.members():
        if member.telegram_id:
            show_commands(bot, member.telegram_id, member)


def _menus(bot: Any) -> list[tuple[str | None, str]]:
    """Return (Telegram's language_code, or None for everybody else; the language of their menu)."""
    default, *others = bot.texts.languages
    return [(None, default), *((lang, lang) for lang in others)]


def show_commands(bot: Any, telegram_id: int, user: User | None = None) -> None:
    """Publish somebody's command menu, with the commands of their rights; without a user, all of them (an owner's)."""
    scope = {"type": "chat", "chat_id": telegram_id}
    for code, lang in _menus(bot):
        try:
            commands = commands_in(bot, lang, lambda right: user is None or may(bot.settings, user, right))
            bot.sender.call("setMyCommands", commands=commands, language_code=code, scope=scope)
        except TelegramError as error:  # somebody who has not opened the chat yet has no scope
            log.info("no command menu for %s yet: %s", telegram_id, error)

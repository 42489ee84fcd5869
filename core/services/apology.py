"""What somebody reads whose update could not be handled: a tap can be repeated by a button, words have to be sent again."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.buttons import Button
from storage.base.tables import User

if TYPE_CHECKING:
    from core.bot import Bot


def send(bot: "Bot", user: User, update: dict[str, Any], *, unique: str, now: datetime, code: str) -> None:
    """Queue the apology for an update, with the code that the staff can look up."""
    tap = update.get("callback_query") or {}
    if tap.get("data") and tap.get("message", {}).get("chat", {}).get("type") == "private":
        rows = [Button("common.again", data=tap["data"]), *bot.trouble()]
        bot.notify(user.id, "common.sorry", unique=unique, now=now, buttons=rows, code=code)
    else:
        bot.notify(user.id, "common.sorry_sent", unique=unique, now=now, buttons=bot.trouble(), code=code)

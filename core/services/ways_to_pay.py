"""The ways to pay that are switched on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.bot import Bot

Way = tuple[Any, Callable[..., Any]]  # its label (a text key, or a function that returns one), and what starts it


def switched_on(bot: "Bot") -> dict[str, Way]:
    """Return {name: way} of those whose setting is set, or that need none, in the order of their registration."""
    methods = bot.payment_methods.items()
    return {name: (label, start) for name, (label, start, when) in methods if when is None or bot.settings[when]}

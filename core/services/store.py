"""`ctx.store`, `bot.store(plugin)`: small values that a plugin keeps, where a table would be too much."""

from collections.abc import Callable
from typing import Any

from storage.journal import kept_values


class Store:
    """One plugin's values by name: for nobody in particular or, with `of(user_id)`, for a person, erased with them."""

    def __init__(self, plugin: str, person: int = kept_values.NOBODY) -> None:
        self._plugin, self._person = plugin, person

    def of(self, user_id: int) -> "Store":
        """Return the store of a person."""
        return Store(self._plugin, user_id)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or `default`."""
        value = kept_values.get(self._plugin, name, self._person)
        return default if value is None else value

    def put(self, name: str, value: Any, act: dict[str, Any] | None = None) -> None:
        """Keep a value: anything that JSON can hold.

        What the staff does is an `act`, {"actor_id", "what", "now"} and perhaps "words": a row in the audit log, which reads
        as the text `act.<what>`.
        """
        kept_values.put(self._plugin, name, value, self._person, act)

    def change(self, name: str, work: Callable[[Any], Any], act: dict[str, Any] | None = None) -> Any:
        """Replace a value by `work(value or None)` and return the new one; nobody else can change it in between.

        An `act`, as of `put`, is logged if the value is another one then.
        """
        return kept_values.change(self._plugin, name, work, self._person, act)

    def drop(self, name: str) -> bool:
        """Delete a value; return whether there was one."""
        return kept_values.drop(self._plugin, name, self._person)

    def everybodys(self, name: str) -> dict[int, Any]:
        """Return {user id: value} of everybody with a value under this name."""
        return kept_values.everybodys(self._plugin, name)

"""Examples: results of the bot's own that show what an idea or a model makes, with their owners' consent.

They are kept in the store of the person whose result it is, and so erased with them, in one value beside what they have
answered: {"answers": {order: {"answer", "by", "models"}}, "shown": {name: example}}. A name is that of an idea, or one that
`name_of(model)` gives. An example is {"job", "part", "kind", "file_id", "model": its title, "of", "at"}; "of" is the id of the
model whose work it shows wherever that is offered, None where its owner has agreed to 💡 Ideas alone.
"""

from typing import TYPE_CHECKING, Any

from core.buttons import route
from core.services.store import Store

if TYPE_CHECKING:
    from core.bot import Bot

STORE, RESULTS = "ideas/examples", "results"
NOTHING: dict[str, dict[str, Any]] = {"answers": {}, "shown": {}}
MADE = route("examples:put", optional=True)  # whoever may make them can also take them away

Example = dict[str, Any]


def name_of(model_id: str) -> str:
    """Return the name of the example that was made for a model; no idea is called like that."""
    return f"@{model_id}"


def shown(bot: "Bot") -> dict[str, Example]:
    """Return {name: example}, of each the newest; none while nothing can be made an example, nor taken away."""
    found: dict[str, Example] = {}
    for kept in Store(STORE).everybodys(RESULTS).values() if MADE in bot.handlers["button"] else ():
        for name, example in kept["shown"].items():
            if name not in found or example["at"] > found[name]["at"]:
                found[name] = example
    return found


def by_model(found: dict[str, Example]) -> dict[str, Example]:
    """Return {model id: example} of what `shown` returns: the one made for it, else the newest that an idea has of it."""
    ranked = sorted(found.items(), key=lambda one: (one[0].startswith("@"), one[1]["at"]))
    return {example["of"]: example for _name, example in ranked if example.get("of")}

"""Write docs/plugins-reference.md from the typed contract: `python -m tests.reference`; a test compares it with the code."""

import inspect
import re
from pathlib import Path

from core import buttons, errors, registration_checks
from core.bot import Bot
from core.ctx import BoundLedger, Ctx
from core.handling.rights import OWNERS_ONLY, RIGHTS
from core.process.web import Call, Visit
from core.registry import Registry
from core.services.generation import Generation
from core.services.http import Answer, Http
from core.services.operations import Operations
from core.services.store import Store
from core.texts import Texts
from demo.kit import Person, Telegram
from storage.journal import event_kinds
from tests.kit import ROOT, Running

PATH = ROOT / "docs" / "plugins-reference.md"
GENERATION = ("catalog", "model", "price", "price_of_credits", "usual_s", "title", "popularity", "ask", "card", "fill")
TEXTS = ("plain", "html", "has", "money", "languages", "name_of")
SHORT = {
    "Callable[..., Any]": "function",
    "Sequence[Button | tuple[Any, ...] | list[Any]]": "Keyboard",
    "<class 'str'>": "str",
}
HEAD = """# Plugins: the reference

Made from the code by `python -m tests.reference`; the tutorial is [plugins.md](plugins.md).
"""


def signature(function):
    """Return a call's arguments without `self`, and without the words that only a type checker wants."""
    text = str(inspect.signature(function)).replace("collections.abc.", "").replace("typing.", "")
    text = re.sub(r"\bself(, )?|\b(core|storage|telebot|datetime|kie)\.(\w+\.)*(?=\w)", "", text)
    text = re.sub(r"(: |-> |\| )'([^']+)'", r"\1\2", text)  # annotations that are written as texts
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return text.replace("NoneType", "None").replace(" -> None", "").replace("|", "\\|")


def about(thing):
    """Return a docstring as one paragraph of Markdown."""
    lines = inspect.getdoc(thing) or ""
    return " ".join(lines.split()).replace("|", "\\|")


def public(cls, own=True):
    """Return (name, member) of a class's public members, in the order of their definition."""
    members = vars(cls) if own else {name: getattr(cls, name) for name in dir(cls)}
    return [(name, member) for name, member in members.items() if name[0] != "_"]


def calls(name, cls, only=None):
    """Return a section of a class's calls and properties, or of those in `only`."""
    lines = [f"\n## {name}\n", "| Call | |", "| --- | --- |"]
    for key, member in public(cls):
        if only and key not in only:
            continue
        if isinstance(member, property) or hasattr(member, "func"):
            lines.append(f"| `{key}` | {about(getattr(member, 'func', member))} |")
        elif inspect.isfunction(member):
            lines.append(f"| `{key}{signature(member)}` | {about(member)} |".replace("\n", " "))
    return lines


def facades():
    """Return a section of what plugins may do with the rows."""
    lines = [
        "\n## Operations on the rows\n",
        "On `ctx` in handlers, on `bot` in listeners and periodic work.\n",
        "| Call | |",
        "| --- | --- |",
    ]
    for name, facade in sorted(public(Operations)):
        for key, member in sorted(public(facade)):
            if callable(member) and not inspect.isclass(member):
                lines.append(f"| `{name}.{key}{signature(member)}` | {about(member)} |")
    return lines


def events():
    """Return a section of the events."""
    lines = [
        "\n## Events\n",
        "`bot.on(kind, listener)`; every event also has an `id`.\n",
        "| Event | What | Fields |",
        "| --- | --- | --- |",
    ]
    for kind, cls in event_kinds.KINDS.items():
        fields = ", ".join(f"`{name}`" for name in cls.__dataclass_fields__ if name not in ("id", "kind"))
        lines.append(f"| `{kind}` | {about(cls)} | {fields} |")
    return lines


def words():
    """Return a section of the names that are checked at the start."""
    rights = ", ".join(f"`{right}`" + (" (owners)" if right in OWNERS_ONLY else "") for right in sorted(RIGHTS))
    return [
        "\n## Names\n",
        f"- Rights: {rights}",
        "- Contents of a message: " + ", ".join(f"`{one}`" for one in registration_checks.CONTENT),
        "- Kinds of updates: " + ", ".join(f"`{one}`" for one in registration_checks.UPDATES),
        f"- Screens that always exist: `MENU`, `FRESH`, `HELP`, `CARD` of `{buttons.__name__}`",
        "- Errors: " + ", ".join(f"`{errors.__name__}.{name}`" for name in errors.__all__),
    ]


def text():
    """Return the whole reference."""
    parts = [
        *calls("`bot` in `register(bot)`", Registry),
        *calls("`bot`, everywhere", Bot),
        *calls("`ctx`, in handlers", Ctx),
        *calls("`ctx.ledger`", BoundLedger),
        *calls("`ctx.generation`", Generation, GENERATION),
        *calls("`bot.texts`, `ctx.texts`", Texts, TEXTS),
        *calls("`ctx.store`, `bot.store(plugin)`", Store),
        *calls("`bot.http(base)`", Http),
        *calls("Its answers", Answer),
        *(
            line
            for name, cls in (("A page's `visit`", Visit), ("An endpoint's `call`", Call))
            for line in fields(name, cls)
        ),
        *facades(),
        *events(),
        *words(),
        *calls("In tests: what `start_bot(…)` returns", Running),
        *calls("In tests: a person", Person),
        *calls("In tests: `bot.telegram`", Telegram),
    ]
    return HEAD + "\n".join(parts) + "\n"


def fields(name, cls):
    """Return a section of a dataclass's fields."""
    shown = ", ".join(f"`{one}`" for one in cls.__dataclass_fields__)
    return [f"\n## {name}\n", f"{about(cls)} {shown}"]


if __name__ == "__main__":
    Path(PATH).write_text(text(), encoding="utf-8")

"""Write docs/plugins-reference.md from the typed contract: `python -m tests.reference`; a test compares it with the code."""

import inspect
import re
from pathlib import Path

import bot as main
from core import amounts, buttons, errors, registration_checks, tables, texts
from core.bot import Bot
from core.ctx import BoundLedger, Ctx
from core.handling.rights import OWNERS_ONLY, RIGHTS
from core.process.loops import Clock
from core.process.web import Call, Visit
from core.registry import Registry
from core.services.generation import Generation
from core.services.http import Answer, Http
from core.services.operations import Operations
from core.services.store import Store
from core.texts import Texts
from demo.kit import Chat, Group, Person, Telegram
from kie.catalogue.inputs import Input
from kie.catalogue.model import Card, Catalog, Model
from kie.stub import faults
from kie.stub.control import Control
from storage.base.states import EntryKind
from storage.journal import event_kinds
from tests import conftest, shop
from tests.kit import ROOT, Running, png

PATH = ROOT / "docs" / "plugins-reference.md"
GENERATION = ("catalog", "model", "price", "price_of_credits", "usual_s", "title", "popularity", "ask", "card", "fill")
CATALOG = ("types",)
MODEL = ("defaults", "missing", "takes", "input", "input_for", "applies", "check", "main_inputs", "more_inputs")
BUTTONS = ("button", "primary", "danger", "link", "copy", "route", "way_out", "pager", "mark", "rows")
AMOUNTS = ("read", "minor", "decimal")
SHOP = ("order", "card", "picture", "jobs_of", "texts", "assert_books_are_right")
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


def functions(name, module, only):
    """Return a section of a module's functions."""
    found = [(one, getattr(module, one)) for one in only]
    lines = [f"| `{one}{signature(function)}` | {about(function)} |" for one, function in found]
    return [f"\n## {name}\n", "| Call | |", "| --- | --- |", *lines]


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
        "`bot.on(kind, listener)`; every event also has an `id`. `job`, `user`, `topup`, `bonus`, `act` and `letter` are ids:"
        " `bot.jobs.get(event.job)` returns the row. Amounts are minor units.\n",
        "| Event | What | Fields |",
        "| --- | --- | --- |",
    ]
    for kind, cls in event_kinds.KINDS.items():
        fields = ", ".join(
            f"`{name}: {kind_of(field.type)}`"
            for name, field in cls.__dataclass_fields__.items()
            if name not in ("id", "kind")
        )
        lines.append(f"| `{kind}` | {about(cls)} | {fields} |")
    return lines


def kind_of(annotation):
    """Return a field's type in the words of Python."""
    return (annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))).replace(
        "|", "\\|"
    )


def house():
    """Return the bot as its own plugins make it: without a database, nothing is started."""
    return main.assemble({"TELEGRAM_BOT_TOKEN": "1:reference"}, Clock())


def orders(bot):
    """Return a section of the built-in handlers of updates, in the order in which they are tried."""
    lines = [
        "\n## Built-in handlers of updates\n",
        "Each takes what reaches it, unless it is only for some: a handler of yours is called if its `order` is lower."
        " (`beside`: it comes before an open dialogue.)\n",
        "| Update | Tried in this order |",
        "| --- | --- |",
    ]
    for kind, chain in sorted(bot.handlers["update"].items()):
        tried = (
            f"{entry.order} {entry.plugin}" + " (some)" * bool(entry.when) + " (beside)" * entry.beside
            for entry in chain
        )
        lines.append(f"| `{kind}` | {', '.join(tried)} |")
    return lines


def entry_kinds():
    """Return (kind, what it is) of the ledger's entries, as `EntryKind` says."""
    return re.findall(r'= "(\w+)"  # (.+)', inspect.getsource(EntryKind))


def words(bot):
    """Return a section of the names that are checked at the start."""
    taken = {letter: handler.__module__.removeprefix("plugins.") for letter, handler in bot.deep_links.items()}
    rights = ", ".join(f"`{right}`" + (" (owners)" if right in OWNERS_ONLY else "") for right in sorted(RIGHTS))
    return [
        "\n## Names\n",
        f"- Rights: {rights}",
        "- Contents of a message: " + ", ".join(f"`{one}`" for one in registration_checks.CONTENT),
        "- Kinds of updates: " + ", ".join(f"`{one}`" for one in registration_checks.UPDATES),
        f"- Screens that always exist: `MENU`, `FRESH`, `HELP`, `CARD` of `{buttons.__name__}`",
        "- Letters of deep links that are taken: "
        + ", ".join(f"`{letter}` ({plugin.replace('.', '/')})" for letter, plugin in sorted(taken.items())),
        "- Formats of values in texts: " + ", ".join(f"`{{name:{one}}}`" for one in texts.FORMATS),
        f"- Names of `{tables.__name__}`: " + ", ".join(f"`{name}`" for name in tables.__all__),
        "- Kinds of entries (`ctx.ledger.post(…, kind=…)`; what a plugin gives is a `bonus`): "
        + "; ".join(f"`{kind}` {what}" for kind, what in entry_kinds()),
        "\n## Errors\n",
        f"Of `{errors.__name__}`.\n",
        "| Error | |",
        "| --- | --- |",
        *(f"| `{name}` | {about(getattr(errors, name))} |" for name in errors.__all__),
    ]


def troubles():
    """Return a section of what KIE's stand-in can be told to do wrong."""
    lines = ["\n## In tests: the troubles of `bot.kie.trouble(at, kind)`\n", "| At | Kinds |", "| --- | --- |"]
    return lines + [
        f"| `{at}` | {', '.join(f'`{kind}`' for kind in sorted(kinds))} |" for at, kinds in faults.KINDS.items()
    ]


def in_tests():
    """Return the sections of the test kit."""
    start = f"`start_bot(**settings)`, a fixture: {about(conftest.start_bot)} `tests.kit.png(text)`: {about(png)}"
    return [
        *calls("In tests: what `start_bot(…)` returns", Running),
        f"\n{start}",
        *calls("In tests: a person's chat and a group", Chat),
        f"\n{about(Chat)}",
        *calls("In tests: a person", Person),
        f"\n{about(Person)}",
        *calls("In tests: a group", Group),
        f"\n{about(Group)}",
        *calls("In tests: `bot.telegram`", Telegram),
        *calls("In tests: `bot.kie`", Control),
        *troubles(),
        *functions("In tests: `tests.shop`", shop, SHOP),
    ]


def text():
    """Return the whole reference."""
    bot = house()
    parts = [
        *calls("`bot` in `register(bot)`", Registry),
        *calls("`bot`, everywhere", Bot),
        *calls("`ctx`, in handlers", Ctx),
        *calls("`ctx.ledger`", BoundLedger),
        *calls("`ctx.generation`", Generation, GENERATION),
        *fields("`ctx.generation.catalog`", Catalog),
        *calls("Its calls", Catalog, CATALOG),
        *fields("A card of it", Card),
        *calls("A model of it", Model, MODEL),
        *fields("A model's fields", Model),
        *fields("An input's fields (`model.inputs`)", Input),
        *functions("`core.buttons`", buttons, BUTTONS),
        *functions("`core.amounts`", amounts, AMOUNTS),
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
        *orders(bot),
        *words(bot),
        *in_tests(),
    ]
    return HEAD + "\n".join(parts) + "\n"


def fields(name, cls):
    """Return a section of a dataclass's fields."""
    shown = ", ".join(f"`{one}`" for one in cls.__dataclass_fields__)
    return [f"\n## {name}\n", f"{about(cls)} {shown}"]


if __name__ == "__main__":
    Path(PATH).write_text(text(), encoding="utf-8")

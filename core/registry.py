"""The plugin contract: everything `register(bot)` may call, and what of it the rest of the house reads.

A name that two plugins want stops the start and names both places.
"""

from dataclasses import dataclass, field
from difflib import get_close_matches

from core import buttons as keyboards
from core.telegram import telebot_bridge
from storage.journal import event_kinds

BASE_KINDS = ["message", "edited_message", "callback_query", "pre_checkout_query", "my_chat_member"]


@dataclass(slots=True)
class Entry:
    """One registered handler and what it takes to be called."""

    handler: object
    right: str | None = None
    groups: bool = False
    about: str | None = None
    order: int = 50
    types: dict = field(default_factory=dict)
    blocked: bool = False


@dataclass(slots=True)
class MenuItem:
    """A button of the main menu or the admin menu."""

    key: str
    data: str
    row: int
    values: object = None


class Registry:
    """What plugins register."""

    def __init__(self, settings, telebot):
        self.settings = settings
        self.telebot = telebot
        self.handlers = {"command": {}, "button": {}, "step": {}, "update": {}}
        self.menus = {"main": [], "admin": []}
        self.listeners = {}
        self.payment_methods = {}
        self.deep_links = {}
        self.under_results = []
        self.tables = []
        self.free_offers = []
        self.headlines = []
        self.privacy_lines = []
        self.gates = []
        self.periodic = []
        self.checks = {}
        self.pages = {}

    def setting(self, name, kind=str, **rules):
        """Declare a setting and return its value."""
        return self.settings.declare(name, kind, **rules)

    # answers to people

    def command(self, name, handler, about=None, right=None, groups=False, order=50, blocked=False):
        """Handle `/name`; with `about` (a text key) it stands in /help and in Telegram's command menu, by `order`.

        With a `right` (`core/handling/rights.py`) only for those who have it; `blocked` people reach it too.
        """
        self._put(
            "command", self.handlers["command"], name, Entry(handler, right, groups, about, order, blocked=blocked)
        )

    def button(self, route, handler, right=None, groups=False, blocked=False, **arguments):
        """Handle taps on `plugin:action` buttons; `arguments` names and types what follows in the data.

        A button whose handler wants a right is drawn only for those who have it.
        """
        entry = Entry(handler, right, groups, types=arguments, blocked=blocked)
        self._put("button", self.handlers["button"], route, entry)

    def step(self, name, handler, right=None, blocked=False):
        """Handle the next input of a dialogue opened with `ctx.ask(name, …)`."""
        self._put("step", self.handlers["step"], name, Entry(handler, right, blocked=blocked))

    def update(self, kind, handler):
        """Handle another kind of update (`pre_checkout_query`), or content nobody asked for (`photo`, `text`)."""
        self._put("update", self.handlers["update"], kind, handler)

    def deep_link(self, letter, handler):
        """Call `handler(ctx, rest)` for `/start` links whose payload begins with this letter.

        When it returns something true it has shown what the link is for, and the main menu is not.
        """
        self._put("links", self.deep_links, letter, handler)

    # places on the screens of others

    def menu(self, key, data, row):
        """Add a button to the main menu, in the given row."""
        self.menus["main"].append(MenuItem(key, data, row))

    def admin_menu(self, key, data, row, values=None):
        """Add a button to the admin menu, for those with its handler's right; `values(bot)` fills in its label."""
        self.menus["admin"].append(MenuItem(key, data, row, values))

    def headline(self, line):
        """Add what `line(ctx)` returns (a text from `ctx.say`, or nothing) to the main menu's text."""
        self.headlines.append(line)

    def under_result(self, row, buttons):
        """Put buttons under every result: `buttons(bot, job)` returns the list for the given row."""
        self.under_results.append((row, buttons))

    def privacy_line(self, line):
        """Add what `line(ctx)` returns (a text from `ctx.say`) to /privacy: what the plugin keeps, and for how long."""
        self.privacy_lines.append(line)

    # sales

    def gate(self, check):
        """Call `check(bot, user, now)` before every order; it raises UserError to refuse one."""
        self.gates.append(check)

    def free_offer(self, offer):
        """Ask `offer(bot, user_id, model, now)` for each quote: {"day", "limit", "left"} makes the order free."""
        self.free_offers.append(offer)

    def payment_method(self, name, key, start, when=None):
        """Add a way to pay: `key` is its button's text, or `key(ctx, amount)` returns it with its values (minor units).

        `start(ctx, amount)` is called once an amount is chosen.
        With `when`, the name of a setting, it is offered while that setting is something.
        """
        self._put("way to pay", self.payment_methods, name, (key, start, when))

    # beside people

    def table(self, model, migrations=()):
        """Have a table of the plugin's own, made and migrated at start (`core.tables.Table` is its base)."""
        self.tables.append((model, migrations))

    def on(self, kind, listener):
        """Call `listener(bot, event, now)` after an event, at least once, inside a transaction of its own.

        What there is and what it carries: `storage/journal/event_kinds.py`.
        """
        if kind not in event_kinds.KINDS:
            near = get_close_matches(kind, event_kinds.KINDS, 1) or ["none like it"]
            raise ValueError(f"there is no event {kind!r}; the nearest is {near[0]}")
        self.listeners.setdefault(kind, []).append(listener)

    def every(self, seconds, name, work):
        """Call `work(bot, now)` periodically."""
        self.periodic.append((seconds, name, work))

    def check(self, name, work):
        """Add a line to `doctor`: `work(bot)` returns None when all is well, else a text key or (text key, values)."""
        self._put("check", self.checks, name, work)

    def page(self, path, view):
        """Serve GET `path` on PORT: `view(bot, leads, visit)` returns what Flask answers, also while standing by.

        `visit` is a `core.process.web.Visit`: who asks.
        """
        self._put("page", self.pages, path, view)

    @staticmethod
    def _put(what, table, name, value):
        if name in table:
            places = " and ".join(map(_place, (table[name], value)))
            raise ValueError(f"two plugins want the {what} {name!r}: {places}")
        table[name] = value

    # what was registered

    def kinds(self):
        """Return the update kinds to ask Telegram for: the core's own and what plugins handle."""
        own = [kind for kind in self.handlers["update"] if kind.endswith(("_query", "_member"))]
        return sorted({*BASE_KINDS, *own, *telebot_bridge.kinds(self.telebot)})

    def commands(self, may=None):
        """Return (name, text key) of everybody's commands and those whose right is `may(right)`, everyday ones first."""
        entries = [(e.right or "", e.order, name, e.about) for name, e in self.handlers["command"].items() if e.about]
        entries.sort(key=lambda entry: (bool(entry[0]), *entry[1:]))
        return [(name, about) for right, _order, name, about in entries if not right or (may and may(right))]

    def menu_rows(self, name="main"):
        """Return a menu's keyboard."""
        items = sorted(self.menus[name], key=lambda item: item.row)
        numbers = sorted({item.row for item in items})
        return [
            [keyboards.button(i.key, i.data, **(i.values(self) if i.values else {})) for i in items if i.row == number]
            for number in numbers
        ]

    def result_rows(self, job):
        """Return the keyboard under a result, two a row: a phone cuts labels of three."""
        rows = {}
        for row, buttons in self.under_results:
            rows.setdefault(row, []).extend(buttons(self, job))
        cells = [cell for row in sorted(rows) for cell in rows[row]]
        return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def _place(registered):
    """Return the file and line of the function in what a plugin has registered."""
    found = getattr(registered, "handler", registered)
    found = found[1] if isinstance(found, tuple) else found
    code = getattr(found, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(found)

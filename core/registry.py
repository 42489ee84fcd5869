"""The plugin contract: everything `register(bot)` may call, and how the core reads what was registered.

If two plugins want the same name, the start fails and names both places.
"""

import sys
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from telebot import TeleBot

from core import buttons as keyboards
from core import filters
from core import registration_checks as checks
from core.handling.rights import RIGHTS
from core.services.providers import check_provider, daily_list, payments
from core.settings import RULES, Settings
from core.telegram import telebot_bridge
from storage.base.plugin_tables import Owned
from storage.base.schema import PluginTable
from storage.journal import event_kinds

OWN = "plugins/"  # how the places of the bot's own plugins begin: those from elsewhere are named first
PASS = object()  # a handler returns it to leave an update to the next one (`ctx.PASS`)
BASE_KINDS = ["message", "edited_message", "callback_query", "pre_checkout_query", "my_chat_member"]
Handler = Callable[..., Any]


@dataclass(slots=True)
class Entry:
    """One registered handler, and the conditions for calling it."""

    handler: Handler
    right: str | None = None
    plugin: str = ""
    groups: bool = False
    about: str | None = None
    order: int = 50
    types: dict[str, Callable[[str], Any]] = field(default_factory=dict)
    blocked: bool = False
    repeat: bool = False  # whether it may run again for one update, after it has sent something
    when: Callable[[Any], bool] | None = None
    beside: bool = False  # an open dialogue stays open
    strangers: bool = False  # in a group also for people without an account: `ctx.user.id` is None

    def fits(self, ctx: Any) -> bool:
        """Return whether it wants an update of its kind."""
        return self.when is None or self.when(ctx)


@dataclass(slots=True)
class MenuItem:
    """A button of the main menu or the admin menu."""

    key: str
    data: str
    row: int
    values: Callable[[Any], dict[str, Any] | None] | None = None


class Registry:
    """What plugins register."""

    def __init__(self, settings: Settings, telebot: TeleBot) -> None:
        self.settings = settings
        self.telebot = telebot
        self.sources: dict[str, Any] = {}  # every plugin, and where it comes from (`core/process/loader.py`)
        self.switched_off: set[str] = set()  # the plugins that PLUGINS_OFF leaves out
        self.loading = ""  # the plugin whose `register` runs
        self.registered: dict[str, list[tuple[str, str]]] = {}  # plugin → (what, name) of what it has registered
        self.places: dict[tuple[str, str], tuple[str, int]] = {}  # (what, name) → file and line of the registration
        self.repeatable_plugins: set[str] = set()
        self.rights = set(RIGHTS)
        self.handlers: dict[str, dict[str, Any]] = {"command": {}, "button": {}, "step": {}, "update": {}}
        self.menus: dict[str, list[MenuItem]] = {"main": [], "admin": []}
        self.listeners: dict[str, list[Handler]] = {}
        self.payment_methods: dict[str, tuple[Any, Handler, str | None]] = {}
        self.payment_providers: dict[str, Any] = {}
        self.woken: set[str] = set()  # periodic work that is also done at once when an update has written something
        self.deep_links: dict[str, Handler] = {}
        self.under_results: list[tuple[int, Handler]] = []
        self.result_lines: list[tuple[bool, Handler]] = []  # whether also in groups
        self.tables: list[PluginTable] = []
        self.free_offers: list[Handler] = []
        self.welcome_runs = 0  # orders that each new person has free
        self.headlines: list[Handler] = []
        self.admin_lines: list[Handler] = []
        self.privacy_lines: list[Handler] = []
        self.gates: list[Handler] = []
        self.periodic: list[tuple[float, str, Handler]] = []
        self.checks: dict[str, Handler] = {}
        self.pages: dict[str, Handler] = {}
        self.endpoints: dict[str, tuple[tuple[str, ...], Handler]] = {}
        self.starts: list[Handler] = []
        self.stops: list[Handler] = []

    def setting(self, name: str, kind: Callable[[str], Any] = str, **rules: Any) -> Any:
        """Declare a setting and return its value; `kind(text)` reads it, `bool` is a switch.

        Rules: `default`, `minimum`, `maximum`, `choices`, `secret` (hidden everywhere), `chat` (can be set in the chat).
        """
        checks.setting(name, kind)
        for rule in rules:
            checks.one_of("rule of settings", rule, RULES)
        if name in self.settings.declared and self.settings.owners.get(name) != self.loading:
            raise ValueError(f"the setting {name} is declared already: read it as settings[{name!r}], or rename yours")
        self.settings.owners[name] = self.loading
        self._note("setting", name)
        return self.settings.declare(name, kind, **rules)

    def right(self, name: str) -> None:
        """Declare a right of the plugin's own, which admins have; `core/handling/rights.py` has the built-in ones."""
        checks.right(name)
        self.rights.add(name)

    # answers to people

    def repeatable(self) -> None:
        """Declare that every handler of this plugin may run again for an update that failed or was interrupted.

        Its effects are keyed, so at worst a message is sent twice. Without this (or `repeat` for one handler), an
        update whose handler fails after it has sent something is not retried.
        """
        self.repeatable_plugins.add(self.loading)

    def command(
        self,
        name: str,
        handler: Handler,
        about: str | None = None,
        right: str | None = None,
        groups: bool = False,
        order: int = 50,
        blocked: bool = False,
        repeat: bool = False,
        strangers: bool = False,
    ) -> None:
        """Handle a command; with `about` (a text key) it is listed in /help and in Telegram's command menu, by `order`.

        With a `right` (`core/handling/rights.py`) it is only for those who have it; with `blocked`, banned people can
        use it too; with `groups`, it is also answered in groups, with `strangers` there even for people without an
        account. `repeat`: see `repeatable`.
        """
        checks.command(name)
        checks.takes(handler, "ctx")
        more = dict(about=about, order=order, blocked=blocked, repeat=repeat, groups=groups, strangers=strangers)
        self._put("command", self.handlers["command"], name, self._entry(handler, right, **more))

    def button(
        self,
        route: str,
        handler: Handler,
        right: str | None = None,
        groups: bool = False,
        blocked: bool = False,
        repeat: bool = False,
        beside: bool = False,
        strangers: bool = False,
        **arguments: Callable[[str], Any],
    ) -> None:
        """Handle taps on `plugin:action` buttons; `arguments` names and types what follows in the data.

        A button whose handler wants a right is drawn only for those who have it. A tap closes another plugin's open
        dialogue, unless the button is `beside` it. `groups`, `strangers`: as of `command`.
        """
        checks.route(route)
        checks.takes(handler, "ctx", **arguments)
        more = dict(types=arguments, blocked=blocked, repeat=repeat, beside=beside, groups=groups, strangers=strangers)
        self._put("button", self.handlers["button"], route, self._entry(handler, right, **more))

    def step(
        self, name: str, handler: Handler, right: str | None = None, blocked: bool = False, repeat: bool = False
    ) -> None:
        """Handle the next input of a dialogue opened with `ctx.ask(name, …)`."""
        checks.route(name)
        checks.takes(handler, "ctx")
        self._put("step", self.handlers["step"], name, self._entry(handler, right, blocked=blocked, repeat=repeat))

    def update(
        self,
        kind: str,
        handler: Handler,
        order: int = 50,
        pattern: str | None = None,
        reply_to: str | None = None,
        repeat: bool = False,
        beside: bool = False,
        groups: bool = False,
    ) -> None:
        """Handle another kind of update (`pre_checkout_query`), or content nobody asked for (`photo`, `text`).

        Several may handle the same kind: they are called by `order`, and one that returns `ctx.PASS` leaves it to the
        next. `pattern` (a regular expression) restricts it to texts and captions that contain a match, `reply_to` to
        replies to a message with that content (`photo`, `text` …, or `any`). The built-in ones take what reaches them:
        to come before them, have a lower order than they (a table below lists them). With `beside` it is called before
        an open dialogue, which stays open. With `groups` it also gets the messages of groups that mention the bot or
        reply to it: `ctx.text` is what they say without its name, `ctx.user.id` is None for people without an account.
        """
        checks.one_of("kind of update or content", kind, (*checks.CONTENT, *checks.UPDATES))
        checks.takes(handler, "ctx")
        if reply_to is not None:
            checks.one_of("kind of content", reply_to, ("any", *checks.CONTENT))
        when = filters.both(pattern, reply_to)
        entry = self._entry(handler, None, order=order, repeat=repeat, when=when, beside=beside, groups=groups)
        insort(self.handlers["update"].setdefault(kind, []), entry, key=lambda one: one.order)
        self._note("update", kind)

    def deep_link(self, letter: str, handler: Handler) -> None:
        """Call `handler(ctx, rest)` for `/start` links whose payload begins with this letter.

        If it returns something true, it has shown what the link is for, and the main menu is not shown.
        """
        checks.letter(letter)
        checks.takes(handler, "ctx", "rest")
        self._put("deep link", self.deep_links, letter, handler)

    # places on the screens of others

    def menu(self, key: str, data: str, row: int) -> None:
        """Add a button to the main menu, in the given row."""
        self._add_to("main", MenuItem(key, data, row))

    def admin_menu(
        self, key: str, data: str, row: int, values: Callable[[Any], dict[str, Any] | None] | None = None
    ) -> None:
        """Add a button to the admin menu, for those with its handler's right; `values(bot)` fills in its label.

        While `values` returns None, the button is left out.
        """
        self._add_to("admin", MenuItem(key, data, row, values))

    def _add_to(self, menu: str, item: MenuItem) -> None:
        self.menus[menu].append(item)
        self._note("menu", item.data)  # the loader checks that somebody serves it

    def headline(self, line: Handler) -> None:
        """Add what `line(ctx)` returns (a text from `ctx.say`, or nothing) to the main menu's text."""
        checks.takes(line, "ctx")
        self.headlines.append(line)
        self._note("headline", "")

    def admin_line(self, line: Handler) -> None:
        """Add what `line(ctx)` returns (a text from `ctx.say`, or nothing) to the admin menu's text."""
        checks.takes(line, "ctx")
        self.admin_lines.append(line)
        self._note("line of /admin", "")

    def under_result(self, row: int, buttons: Handler) -> None:
        """Put buttons under every result: `buttons(bot, job)` returns the list for the given row."""
        checks.takes(buttons, "bot", "job")
        self.under_results.append((row, buttons))
        self._note("result button", "")

    def result_line(self, line: Handler, groups: bool = False) -> None:
        """Add what `line(bot, job)` returns (a text key with its values, or None) to a result's caption.

        With `groups` also to the captions that others see.
        """
        checks.takes(line, "bot", "job")
        self.result_lines.append((groups, line))
        self._note("result line", "")

    def privacy_line(self, line: Handler) -> None:
        """Add what `line(ctx)` returns (a text from `ctx.say`) to /privacy: what the plugin keeps, and for how long."""
        checks.takes(line, "ctx")
        self.privacy_lines.append(line)
        self._note("line of /privacy", "")

    # sales

    def gate(self, check: Handler) -> None:
        """Call `check(bot, user, now)` before every order; it raises UserError to refuse one."""
        checks.takes(check, "bot", "user", "now")
        self.gates.append(check)
        self._note("gate", "")

    def free_offer(self, offer: Handler, welcome: int = 0) -> None:
        """Ask `offer(bot, user_id, model, values, now)` for each quote; a `storage.money.free.Offer` makes it free.

        Of a question to a chat model, `model` is that model and `values` have only its `rank`. `welcome` is how many
        orders it makes free for each new person: the bot's description says so.
        """
        checks.takes(offer, "bot", "user_id", "model", "values", "now")
        self.free_offers.append(offer)
        self._note("free offer", "")
        self.welcome_runs += welcome

    def payment_method(self, name: str, key: Any, start: Handler, when: str | None = None) -> None:
        """Add a way to pay: `key` is its button's text, or `key(ctx, amount)` returns it with its values (minor units).

        `start(ctx, amount)` is called once an amount is chosen. With `when`, the name of a setting, it is offered only
        while that setting has a value.
        """
        checks.takes(start, "ctx", "amount")
        self._put("way to pay", self.payment_methods, name, (key, start, when))

    def payment_provider(self, provider: Any, ways: dict[str, str]) -> None:
        """Take payments by a provider (a `core.services.providers.Provider`); `ways` are its buttons, {way: text key}.

        Its payments are polled, and compared daily with its list, even while `ways` is empty. Its callbacks go to
        /pay/NAME on PORT.
        """
        check_provider(provider)
        name = provider.name
        self._put("payment provider", self.payment_providers, name, provider)
        for way, key in ways.items():
            self.payment_method(".".join(filter(None, (name, way))), key, _start(name, way))
        self.every(payments.EVERY_S, f"pay {name}", lambda bot, now: payments.look(bot, provider, now))
        self.woken.add(f"pay {name}")
        self.every(600, f"list of {name}", lambda bot, now: daily_list.reconcile(bot, provider, now))
        self.endpoint(f"/pay/{name}", lambda bot, call: payments.take_call(provider, call))
        self.check(f"payments by {name}", lambda bot: payments.examine(provider, bot.clock.now()))

    # beside people

    def table(self, model: Any, migrations: Sequence[Any] = (), erase: str | Handler | None = None) -> None:
        """Add a table of the plugin's own, created and migrated at start (`core.tables.Table` is its base).

        Its name begins with `plugin_`, so that it cannot clash with the core's. If it refers to people, `erase` says
        what happens to the rows of somebody who asks to be forgotten: "delete", "keep" (nothing in them identifies the
        person), or a function `erase(bot, user_id, now)` that takes care of it.
        """
        name, people = model._meta.table_name, checks.people_in(model)
        checks.table(name, [known.model._meta.table_name for known in self.tables])
        checks.erasure(name, people, erase)
        rule = "call" if callable(erase) else erase or "keep"
        self.tables.append(PluginTable(model, migrations, Owned(self.loading, people, rule)))
        self._note("table", name)
        if callable(erase):
            self.on("user.erased", checks.named(f"erase {name}", lambda bot, event, now: erase(bot, event.user, now)))

    def on(self, kind: str, listener: Handler) -> None:
        """Call `listener(bot, event, now)` after an event, at least once, inside a transaction of its own.

        The events and their fields: `storage/journal/event_kinds.py`.
        """
        checks.one_of("event", kind, event_kinds.KINDS)
        checks.takes(listener, "bot", "event", "now")
        self.listeners.setdefault(kind, []).append(listener)
        self._note("listener", kind)

    def every(self, seconds: float, name: str, work: Handler) -> None:
        """Call `work(bot, now)` at each start and then every `seconds`."""
        checks.takes(work, "bot", "now")
        if not seconds > 0:
            raise ValueError(f"every {seconds} seconds: want more than 0")
        self.periodic.append((seconds, name, work))
        self._note("loop", name)

    def on_start(self, work: Handler) -> None:
        """Call `work(bot)` when this copy of the bot starts to work; an error is logged and stops nothing."""
        checks.takes(work, "bot")
        self.starts.append(work)
        self._note("start", "")

    def on_stop(self, work: Handler) -> None:
        """Call `work(bot)` when this copy shuts down normally: a few seconds are left."""
        checks.takes(work, "bot")
        self.stops.append(work)
        self._note("stop", "")

    def endpoint(self, path: str, handler: Handler, methods: Sequence[str] = ("POST",)) -> None:
        """Let another service call `path` on PORT: `handler(bot, call)` returns a response for Flask.

        `call` is a `core.process.web.Call`: raw body, headers, the caller. It runs in a transaction, on every copy, and
        is answered once that is committed; an error rolls it back and is answered with 500, so that the caller tries
        again.
        """
        checks.page(path)
        checks.takes(handler, "bot", "call")
        for method in methods:
            checks.one_of("HTTP method", method, ("GET", "POST", "PUT", "DELETE"))
        self._put("endpoint", self.endpoints, path, (tuple(methods), handler))

    def check(self, name: str, work: Handler) -> None:
        """Add a line to `doctor`: `work(bot)` returns None when all is well, else a text key or (text key, values)."""
        checks.takes(work, "bot")
        self._put("check", self.checks, name, work)

    def page(self, path: str, view: Handler) -> None:
        """Serve GET `path` on PORT: `view(bot, leads, visit)` returns a response for Flask, even while standing by.

        `visit` is a `core.process.web.Visit`: who asks.
        """
        checks.page(path)
        checks.takes(view, "bot", "leads", "visit")
        self._put("page", self.pages, path, view)

    def _entry(self, handler: Handler, right: str | None, **more: Any) -> Entry:
        if right is not None:
            checks.one_of("right", right, self.rights)
        return Entry(handler, right, self.loading, **more)

    def _note(self, what: str, name: str) -> None:
        self.registered.setdefault(self.loading, []).append((what, name))
        self.places[what, name] = self._place()

    def _place(self) -> tuple[str, int]:
        """Return the line of the plugin that registers now; with line 0 if it does so from elsewhere."""
        source, frame = self.sources.get(self.loading), sys._getframe()
        file = str(source.path) if source else ""
        while source and (back := frame.f_back) is not None:
            frame = back
            if frame.f_code.co_filename == file:
                return source.shown, frame.f_lineno
        return self.loading, 0

    def _put(self, what: str, table: dict[str, Any], name: str, value: Any) -> None:
        before = self.places.get((what, name))
        self._note(what, name)
        if name in table:
            both = sorted(filter(None, (before, self.places[what, name])), key=lambda place: place[0].startswith(OWN))
            places = " and ".join(f"{file}:{line}" for file, line in both)
            raise checks.Taken(f"two plugins want the {what} {name!r}: {places}")
        table[name] = value

    # what was registered

    def kinds(self) -> list[str]:
        """Return the update kinds to ask Telegram for: the core's own and what plugins handle."""
        own = [kind for kind, chain in self.handlers["update"].items() if chain and kind in checks.UPDATES]
        return sorted({*BASE_KINDS, *own, *telebot_bridge.kinds(self.telebot)})

    def asleep(self, plugin: str) -> list[str]:
        """Return the first two empty settings of a plugin that registers nothing while they are empty."""
        noted = self.registered.get(plugin, ())
        empty = [name for what, name in noted if what == "setting" and self.settings[name] in (None, "", 0)]
        missing = [name for name in empty if self.settings[name] is not False] or empty  # not a switch that is off
        return missing[:2] if all(what == "setting" for what, _name in noted) else []

    def commands(self, may: Callable[[str], bool] | None = None) -> list[tuple[str, str]]:
        """Return (name, text key) of the commands without a right, then of those for which `may(right)` is true."""
        entries = [(e.right or "", e.order, name, e.about) for name, e in self.handlers["command"].items() if e.about]
        entries.sort(key=lambda entry: (bool(entry[0]), *entry[1:]))
        return [(name, about) for right, _order, name, about in entries if not right or (may and may(right))]

    def menu_rows(self, name: str = "main") -> list[list[keyboards.Button]]:
        """Return a menu's keyboard."""
        items = sorted(self.menus[name], key=lambda item: item.row)
        rows: dict[int, list[keyboards.Button]] = {}
        for item in items:
            values = item.values(self) if item.values else {}
            if values is not None:
                rows.setdefault(item.row, []).append(keyboards.button(item.key, item.data, **values))
        return list(rows.values())

    def result_rows(self, job: Any) -> list[list[keyboards.Button]]:
        """Return the keyboard under a result, two buttons a row: with three, a phone cuts the labels."""
        rows: dict[int, list[keyboards.Button]] = {}
        for row, buttons in self.under_results:
            rows.setdefault(row, []).extend(buttons(self, job))
        cells = [cell for row in sorted(rows) for cell in rows[row]]
        return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def _start(name: str, way: str) -> Handler:
    """Return the handler that starts a provider's payment."""
    return lambda ctx, amount: ctx.go(keyboards.PAYMENT, name=name, way=way, amount=amount)

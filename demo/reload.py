"""Reloads a plugin while the bot runs, for `bot.py --demo --reload`.

Whatever a plugin registers ends up in lists and dicts of the bot (and in the handler lists of `bot.telebot`). What was
added to them while its `register` ran belongs to the plugin: to reload it, that is taken out, and the file's new
content registers again in the old place. If a file does not load, what was there is put back. Other plugins, open
dialogues and the database are not touched. In between, a button may be missing for an instant, which is why this is for
development only.
"""

import linecache
import logging
import sys
from importlib.util import cache_from_source
from pathlib import Path

from core.process.loader import find, is_off, module_of, sources

log = logging.getLogger(__name__)
ERROR = "error"  # the key in `problems` for an error of a running handler


class Reloader:
    """Watches the folders of plugins and texts; `step()` checks whether a file was saved and reloads it.

    `load_one(bot, name, source)` loads one plugin, or raises an error that says where it is wrong; `adopt(model,
    migrations)` creates or migrates a plugin's table; `told(loaded, problems)` is called with the outcome.
    """

    def __init__(self, load_one, adopt, told, threads=True):
        self._load_one, self._adopt, self._told, self._threads = load_one, adopt, told, threads
        self._own = {}  # plugin → what it registered, as (list or dict, key or None, value)
        self.problems = {}  # plugin, or "texts" → why it does not load

    def load_one(self, bot, name, source):
        """Load a plugin and remember what it registered."""
        before = marks(bot)
        self._load_one(bot, name, source)
        self._own[name] = [place for place in places(bot) if mark(place) not in before]

    def watch(self, runtime, plugins, texts, off=()):
        """Start to watch the folder of plugins, except those that are `off`, and the folder of texts."""
        bot = self._bot = runtime.bot
        self._runtime, self._plugins, self._texts, self._off = runtime, Path(plugins), Path(texts), off
        self._known = {}  # path → (name, source) of every plugin, present or past
        self._packaged = {source.path: (name, source) for name, source in self._installed() if not is_off(name, off)}
        self._stamps = self._look()
        self._loops = list(zip(bot.periodic, runtime.loops[len(runtime.loops) - len(bot.periodic) :], strict=True))

    def _installed(self):
        """Return (name, source) of the plugins of installed packages; which there are is looked up once."""
        own = self._bot.settings["PLUGINS_DIR"]
        here = sources(self._plugins, own, packages=False)
        return [(name, source) for name, source in sources(self._plugins, own).items() if name not in here]

    def _look(self):
        """Return what distinguishes the versions of each file."""
        own = self._bot.settings["PLUGINS_DIR"]
        found = sources(self._plugins, own, packages=False)
        here = {source.path: (name, source) for name, source in found.items() if not is_off(name, self._off)}
        here |= {path: about for path, about in self._packaged.items() if path.exists()}
        self._known |= here
        shared = [path for path in self._plugins.glob("*/_*.py") if path.stem != "__init__"]
        elsewhere = [Path(one) / "texts" for one in own]
        elsewhere += [source.texts for _name, source in self._packaged.values()]
        texts = [path for folder in (self._texts, *elsewhere) for path in folder.rglob("*.po")]
        return {path: stamp(path) for path in [*here, *shared, *texts]}

    def step(self, _now=None):
        """Reload what was saved since the last call, and what did not load before; texts first."""
        stamps = self._look()
        changed = {path for path in {*stamps, *self._stamps} if stamps.get(path) != self._stamps.get(path)}
        self._stamps = stamps
        if not changed:
            return
        changed |= self._affected(changed)
        self.problems.pop(ERROR, None)
        plugins = sorted(path for path in {*stamps, *changed} if self._is_due(path, changed))
        tried = [self._name(path) for path in plugins]
        if any(path.suffix == ".po" for path in changed):
            tried.append("texts")
            self._try("texts", self._bot.texts.reload)
        for path in plugins:
            self._try(self._name(path), lambda path=path: self._again(path))
        self._try("commands", self._publish)
        self._told([name for name in tried if name not in self.problems], self.problems)

    @staticmethod
    def _affected(changed):
        """Return the plugins of folders whose shared modules have changed, after dropping those modules."""
        shared = [path for path in changed if path.suffix == ".py" and path.stem.startswith("_")]
        for path in shared:
            sys.modules.pop(module_of(path), None)
            Path(cache_from_source(str(path))).unlink(missing_ok=True)
        return {plugin for path in shared for plugin in find(path.parent).values()}

    def failed(self, code, line):
        """Show an error that a handler has raised, until a plugin is saved again; `/error CODE` shows all of it."""
        self.problems[ERROR] = f"{line} (/error {code})"
        self._told([], self.problems)

    def _publish(self):
        """Publish the commands to Telegram as they are now."""
        self._runtime.introduce()
        self._runtime.introduce_staff()

    def _is_due(self, path, changed):
        return path in self._known and (path in changed or self._name(path) in self.problems)

    def _name(self, path):
        return self._known[path][0]

    def _try(self, name, act):
        """Do what a half-written file may make fail in any way, and note the outcome."""
        try:
            act()
        except Exception as error:  # whatever it is, it is the file's own: shown to its author
            named = str(error).startswith("plugins/")  # the loader has already said where
            self.problems[name] = str(error) if named else f"{name}: {type(error).__name__}: {error}"
            log.warning("not loaded: %s", self.problems[name])
        else:
            self.problems.pop(name, None)
            if name != "commands":
                log.info("loaded again: %s", name)

    def _again(self, path):
        """Take a plugin out and register its file again; if that fails, put back what was there."""
        old = self._own.pop(self._name(path), [])
        take_out(old)
        others = marks(self._bot)
        try:
            if path.exists():
                self._register(path)
        except BaseException:  # even a bare exit in the file: what was there stays
            take_out([place for place in places(self._bot) if mark(place) not in others])
            put_in(old)
            self._own[self._name(path)] = old
            raise
        finally:
            self._arrange()
            self._follow_periodic()
            self._runtime.follow_plugins()

    def _register(self, path):
        """Load a file's newest content and take care of what a start would."""
        Path(cache_from_source(str(path))).unlink(missing_ok=True)  # it tells saves of one second apart only by size
        linecache.checkcache(str(path))
        self.load_one(self._bot, *self._known[path])
        problems = list(self._bot.settings.problems)
        self._bot.settings.problems.clear()
        texts = self._bot.texts
        problems += [f"no text {key} in {texts.default}" for key in self._named() - texts.keys(texts.default)]
        if problems:
            raise ValueError("; ".join(problems))
        for place, _key, value in self._own[self._name(path)]:
            if place is self._bot.tables:
                self._adopt(value.model, value.migrations)

    def _named(self):
        """Return the keys of texts that everybody would miss: those of commands and menus."""
        items = [item.key for items in self._bot.menus.values() for item in items]
        return {about for _name, about in self._bot.commands(lambda _right: True)} | set(items)

    def _arrange(self):
        """Put the lists and dicts into the order in which a start fills them: by the plugins' names."""
        turns = {id(value): at for at, name in enumerate(sorted(self._own)) for _place, _key, value in self._own[name]}
        for place in {id(place): place for place, _key, _value in places(self._bot)}.values():
            if isinstance(place, list):
                place[:] = sorted(place, key=lambda value: turns.get(id(value), -1))
                continue
            keys = sorted(place, key=lambda key, place=place: turns.get(id(place[key]), -1))
            for key in keys if keys != list(place) else ():
                place[key] = place.pop(key)
        for chain in self._bot.handlers["update"].values():
            chain.sort(key=lambda entry: entry.order)

    def _follow_periodic(self):
        """Stop the loops of periodic work that is gone, and start those of new work."""
        bot, kept = self._bot, []
        for work, loop in self._loops:
            if work in bot.periodic:
                kept.append((work, loop))
            else:
                loop.stop()
                self._runtime.loops.remove(loop)
        for work in bot.periodic:
            if work not in [one for one, _loop in kept]:
                kept.append((work, self._runtime.periodic_loop(*work)))
                self._runtime.loops.append(kept[-1][1])
                if self._threads:
                    kept[-1][1].start()
        self._loops = kept


def stamp(path):
    """Return what distinguishes two versions of a file; None for one that has just disappeared."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_mtime_ns, facts.st_size


def places(bot):
    """Yield everything that is registered, as (list or dict, key or None, value)."""
    for value in vars(bot).values():
        if isinstance(value, (list, dict)):
            yield from _inside(value)
    for name, value in vars(bot.telebot).items():
        if name.endswith("_handlers") and isinstance(value, list):
            yield from ((value, None, handler) for handler in value)


def _inside(registry):
    for key, value in registry.items() if isinstance(registry, dict) else ((None, one) for one in registry):
        if isinstance(registry, dict) and isinstance(value, (list, dict)):
            yield from _inside(value)
        else:
            yield registry, key, value


def mark(place):
    """Return what distinguishes one registration from another."""
    registry, key, value = place
    return id(registry), key, id(value)


def marks(bot):
    """Return the marks of everything that is registered."""
    return {mark(place) for place in places(bot)}


def take_out(registered):
    """Remove what a plugin registered from where it is."""
    for registry, key, value in registered:
        if isinstance(registry, list):
            registry[:] = [one for one in registry if one is not value]
        elif registry.get(key) is value:
            del registry[key]


def put_in(registered):
    """Add what `take_out` removed."""
    for registry, key, value in registered:
        if isinstance(registry, list):
            registry.append(value)
        else:
            registry[key] = value

"""Loads the plugins: those of a folder, those of the operator's own folders, and those of installed packages.

`register(bot)` is called for each, in the order of their names. A plugin that cannot be loaded stops the start, naming
file and line: this bot moves money, and a plugin can do anything the bot can.
"""

import inspect
import pkgutil
import sys
import traceback
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from core.buttons import Route, split
from core.process import plugin_source
from core.registration_checks import Taken, nearest, one_of
from core.registry import Registry

PACKAGES = "telegram_shop.plugins"  # the group of entry points by which an installed package offers its plugins


class PluginError(Exception):
    """A plugin could not be loaded or registered."""


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from."""

    path: Path
    module: str  # its full name
    origin: str = ""  # "" for the bot's own, else a folder, or a package with its version

    @property
    def texts(self):
        """The folder of its texts, if it comes from elsewhere."""
        return self.path.parent / "texts"

    @cached_property
    def shown(self):
        """What its file is called in messages."""
        return str(self.path) if self.origin else f"plugins/{name_of(self.path)}.py"


def find(folder):
    """Return {name: path} of the plugins in a folder and in its feature folders, sorted by name."""
    folder = Path(folder)
    paths = [path for path in (*folder.glob("*.py"), *folder.glob("*/*.py")) if path.stem[0] != "_"]
    return {name_of(path): path for path in sorted(paths, key=name_of)}


def name_of(path):
    """Return a plugin's name: its place in the outermost package around it."""
    return module_of(path).partition(".")[2].replace(".", "/") or path.stem


@cache
def module_of(path):
    """Return the full module name of a file (a Path), from the packages around it."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").exists():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts)


def sources(folder, more=(), packages=True):
    """Return {name: Source} of every plugin, sorted by name; raise PluginError if two have the same name.

    `more` are the operator's own folders: each `*.py` in one is a plugin, and what they need may be in its `lib`.
    """
    found = {name: Source(path, module_of(path)) for name, path in find(folder).items()}
    for own in map(Path, more):
        if not own.is_dir():
            raise PluginError(f"PLUGINS_DIR: there is no folder {own}")
        if (own / "lib").is_dir() and str(own / "lib") not in sys.path:
            sys.path.append(str(own / "lib"))
        for path in sorted(own.glob("[!_]*.py")):
            if path.stem != "conftest":
                _add(found, path.stem, Source(path, f"plugins_of_{own.name}.{path.stem}", str(own)))
    for name, source in _packaged() if packages else ():
        _add(found, name, source)
    return dict(sorted(found.items()))


def texts_of(sources):
    """Return the folders of texts beside external plugins."""
    return sorted({source.texts for source in sources.values() if source.origin and source.texts.is_dir()})


def _add(found, name, source):
    if name in found:
        raise PluginError(f"two plugins are called {name!r}: {found[name].path} and {source.path}")
    found[name] = source


def _packaged():
    """Yield (name, Source) of the plugins that installed packages offer."""
    for entry in entry_points(group=PACKAGES):
        spec = _spec_of(entry)
        yield entry.name, Source(Path(spec.origin), entry.module, f"{entry.dist.name} {entry.dist.version}")


def _spec_of(entry):
    from importlib.util import find_spec

    try:
        spec = find_spec(entry.module)
    except ImportError as error:
        raise PluginError(f"{entry.dist.name}: the plugin {entry.name} cannot be imported: {error}") from None
    if spec is None or spec.origin is None:
        raise PluginError(f"{entry.dist.name}: the plugin {entry.name} is to be in {entry.module}, which is not there")
    return spec


def is_off(name, off):
    """Return whether a plugin is switched off: by its name, the last part of it, or its folder."""
    return any(word in (name, *name.split("/")) for word in off)


def load_one(bot, name, source):
    """Run a plugin's file as a module and let it register; raise PluginError with its file and line."""
    spec = spec_from_file_location(source.module, source.path)
    module = module_from_spec(spec)
    before, bot.loading = sys.modules.get(spec.name), name
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
        module.register(bot)
    except (Exception, SystemExit) as error:  # any error of a plugin stops the start, by name and line
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
        raise PluginError(_said(source, error)) from error


def _said(source, error):
    """Return a plugin's error in one sentence: where, what, and how to mend it."""
    if isinstance(error, Taken):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(source.path)]
    line = frames[-1].lineno if frames else getattr(error, "lineno", "?")
    folder, mend = source.path.parent, _mend(error)
    if source.origin and not mend and isinstance(error, ImportError) and (folder / "requirements.txt").exists():
        mend = f"; install what it needs: pip install --target {folder / 'lib'} -r {folder / 'requirements.txt'}"
    return f"{source.shown}, line {line}: {type(error).__name__}: {error}{mend}"


def _mend(error):
    """Return the end of the sentence: the nearest name for a misspelt one, what a call takes for a wrong argument."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = [frame.name for frame in frames if frame.filename == inspect.getfile(Registry)]
    if isinstance(error, TypeError) and calls:
        return f"; bot.{calls[0]} takes {', '.join([*inspect.signature(getattr(Registry, calls[0])).parameters][1:])}"
    name, known = getattr(error, "name", None), ()
    if isinstance(error, AttributeError) and error.obj is not None:
        known = dir(error.obj)
    elif isinstance(error, ModuleNotFoundError) and name:
        folder, _dot, name = name.rpartition(".")
        known = [one.name for one in pkgutil.iter_modules(getattr(sys.modules.get(folder), "__path__", ()))]
    elif isinstance(error, ImportError):
        known, name = dir(sys.modules[name]) if name in sys.modules else (), str(error).split("'")[1]
    return f"; {nearest(name, [one for one in known if one[0] != '_'])}" if name and known else ""


def load(bot, known, off=(), load_one=load_one):
    """Load every plugin of `known` (see `sources`) that is not `off`, in the order of their names; return the names."""
    for word in off:
        if not any(is_off(name, [word]) for name in known):
            bot.settings.refuse("PLUGINS_OFF", repr(word), "names of plugins or their folders: " + ", ".join(known))
    loaded = {name: source for name, source in known.items() if not is_off(name, off)}
    bot.sources, bot.switched_off = known, set(known) - set(loaded)
    for name, source in loaded.items():
        load_one(bot, name, source)
    bot.texts.check()
    served = _served(bot, known.values()) | {"text": bot.texts.keys(bot.texts.default)}
    for name, source in loaded.items():
        _check_names(bot.texts, name, source, served)
        _check_routes(bot, name, source.shown, sys.modules[source.module])
    for name, (key, _start, _when) in bot.payment_methods.items():
        if isinstance(key, str):
            _check("{}, line {}".format(*bot.places["way to pay", name]), "text", key, served["text"])
    return list(loaded)


def _served(bot, sources):
    """Return the routes and steps that are registered, or would be if some plugin's setting were set."""
    named = [one for source in sources for one in plugin_source.names_in(source.path) if one.serves]
    return {
        what: {*bot.handlers[kind], *(one.name for one in named if one.what == what)}
        for kind, what in plugin_source.REGISTERS.items()
    }


def _check_names(texts, name, source, served):
    """Raise PluginError for a text that no file has or that lacks a value, and for a route or step that nobody serves.

    Of the bot's own files any may be missing, so there only what a file serves itself is sure.
    """
    named = plugin_source.names_in(source.path)
    sure = "" if source.origin else f"{name}:"  # files of one folder share names
    for one in named:
        if one.what != "text" and not one.name.startswith(sure):
            continue
        place = f"{source.shown}, line {one.line}"
        _check(place, one.what, one.name, served[one.what])
        if one.values is not None and (lacking := texts.needs(one.name) - one.values):
            raise PluginError(f"{place}: the text {one.name!r} fills in {', '.join(sorted(lacking))}: give it here")


def _check(place, what, name, known):
    try:
        one_of(what, name, known)
    except ValueError as error:
        raise PluginError(f"{place}: {error}") from None


def _check_routes(bot, plugin, file, module):
    """Raise PluginError if nobody serves a route that the plugin needs: a screen it names, or its menu button's."""
    needed = {name: value for name, value in vars(module).items() if isinstance(value, Route)}
    needed |= {f"menu {data}": data for what, data in bot.registered.get(plugin, ()) if what == "menu"}
    for name, value in needed.items():
        if not getattr(value, "optional", False):
            try:
                one_of("route", split(value)[0], bot.handlers["button"])
            except ValueError as error:
                raise PluginError(f"{file}: {name}: {error}") from None

"""Loads the plugins: those of a folder, those of the operator's own folders, and those of installed packages.

`register(bot)` is called for each, in the order of their names. A plugin that cannot be loaded stops the start, naming
file and line: this bot moves money, and a plugin can do anything the bot can.
"""

import re
import sys
import traceback
from functools import cache
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NamedTuple

from core.buttons import Route, split
from core.registration_checks import nearest, one_of

PACKAGES = "telegram_shop.plugins"  # the group of entry points by which an installed package offers its plugins
# Calls that show a text, and its key: the first argument, in some the second
SHOWN = re.compile(
    r"""\b(?:(?:reply|edit|say|toast|menu|admin_menu|alert|UserError|button|link|copy)\(\s*
    |(?:ask|notify|payment_method)\(\s*[^,"]*(?:"[^"]*")?,\s*|about=|what=)"([a-z_]+\.[\w.-]+)"(?=\s*[,)])""",
    re.VERBOSE,
)


class PluginError(Exception):
    """A plugin could not be loaded or registered."""


class Source(NamedTuple):
    """Where a plugin comes from."""

    path: Path
    module: str  # its full name
    origin: str = ""  # "" for the bot's own, else a folder, or a package with its version

    @property
    def texts(self):
        """The folder of its texts, if it comes from elsewhere."""
        return self.path.parent / "texts"

    @property
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
    """Return a plugin's error in one sentence: where, what, and how to install a missing module."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(source.path)]
    line = frames[-1].lineno if frames else getattr(error, "lineno", "?")
    folder, mend = source.path.parent, ""
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        mend = f"; {nearest(error.name, [name for name in dir(error.obj) if name[0] != '_'])}"
    if source.origin and isinstance(error, ImportError) and (folder / "requirements.txt").exists():
        mend = f"; install what it needs: pip install --target {folder / 'lib'} -r {folder / 'requirements.txt'}"
    return f"{source.shown}, line {line}: {type(error).__name__}: {error}{mend}"


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
    for name, source in loaded.items():
        _check_texts(bot.texts, source.shown, source.path)
        _check_routes(bot, name, source.shown, sys.modules[source.module])
    return list(loaded)


def _check_texts(texts, file, path):
    """Raise PluginError for a text that a plugin shows and no file has."""
    known = texts.keys(texts.default)
    for line, key in _keys(path, path.stat().st_mtime_ns):
        try:
            one_of("text", key, known)
        except ValueError as error:
            raise PluginError(f"{file}, line {line}: {error}") from None


@cache
def _keys(path, _changed_at):
    """Return (line, key) of the texts a plugin shows."""
    source = path.read_text(encoding="utf-8")
    return [(source.count("\n", 0, match.start(1)) + 1, match[1]) for match in SHOWN.finditer(source)]


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

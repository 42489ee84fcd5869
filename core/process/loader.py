"""Loading plugins: every file in `plugins/` and its folders is a module with `register(bot)`.

A plugin is named by its place, such as `help` or `payments/stars`. One that does not load stops the start with its
file and line: this bot moves money.
"""

import re
import sys
import traceback
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from core.buttons import Route
from core.registration_checks import one_of

# What shows a text, and the key of it: the first argument, of some the second
SHOWN = re.compile(
    r"""\b(?:(?:reply|edit|say|toast|menu|admin_menu|alert|UserError|button|link|copy)\(\s*
    |(?:ask|notify|payment_method)\(\s*[^,"]*(?:"[^"]*")?,\s*|about=)"([a-z_]+\.[\w.-]+)"(?=\s*[,)])""",
    re.VERBOSE,
)


class PluginError(Exception):
    """A plugin could not be loaded or registered."""


def find(folder):
    """Return {name: path} of the plugins in a folder and in the folders of features in it, by name."""
    folder = Path(folder)
    paths = [path for path in (*folder.glob("*.py"), *folder.glob("*/*.py")) if path.stem[0] != "_"]
    return {name_of(path): path for path in sorted(paths, key=name_of)}


def name_of(path):
    """Return a plugin's name: its place in the outermost package around it."""
    return module_of(path).partition(".")[2].replace(".", "/")


@cache
def module_of(path):
    """Return the full name of the module a file (a Path) is, by the packages around it."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").exists():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts)


def is_off(name, off):
    """Tell whether a plugin is left out: by its name, the last part of it, or the folder it is in."""
    return any(word in (name, *name.split("/")) for word in off)


def load_one(bot, path):
    """Run a plugin's file as a module of its own and have it register; raise PluginError with its file and line."""
    spec = spec_from_file_location(module_of(path), path)
    module = module_from_spec(spec)
    before, bot.loading = sys.modules.get(spec.name), name_of(path)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
        module.register(bot)
    except Exception as error:  # any error of a plugin stops the start, by name and line
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = frames[-1].lineno if frames else getattr(error, "lineno", "?")
        raise PluginError(f"plugins/{name_of(path)}.py, line {line}: {type(error).__name__}: {error}") from error


def load(bot, folder, off=(), load_one=load_one):
    """Load every plugin of a folder in the order of their names; return the names."""
    known = find(folder)
    for word in off:
        if not any(is_off(name, [word]) for name in known):
            bot.settings.refuse("PLUGINS_OFF", repr(word), "names of plugins or their folders: " + ", ".join(known))
    loaded = {name: path for name, path in known.items() if not is_off(name, off)}
    bot.switched_off = set(known) - set(loaded)
    for path in loaded.values():
        load_one(bot, path)
    bot.texts.check()
    for name, path in loaded.items():
        _check_routes(bot, f"plugins/{name}.py", sys.modules[module_of(path)])
        _check_texts(bot.texts, f"plugins/{name}.py", path)
    return list(loaded)


def _check_texts(texts, file, path):
    """Raise PluginError for a text that a plugin names, where it is to be shown, and nobody has written."""
    known = texts.keys(texts.default)
    for line, key in _keys(path, path.stat().st_mtime_ns):
        try:
            one_of("text", key, known)
        except ValueError as error:
            raise PluginError(f"{file}, line {line}: {error}") from None


@cache
def _keys(path, _changed_at):
    """Return (line, key) of the plain keys in a file that are shown as texts."""
    text = path.read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start(1)) + 1, found[1]) for found in SHOWN.finditer(text)]


def _check_routes(bot, file, module):
    """Raise PluginError when a plugin needs a route that nobody serves."""
    for name, value in vars(module).items():
        if isinstance(value, Route) and not value.optional:
            try:
                one_of("route", value, bot.handlers["button"])
            except ValueError as error:
                raise PluginError(f"{file}: {name}: {error}") from None

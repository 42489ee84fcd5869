"""Loading plugins: every file in `plugins/` is a module with `register(bot)`.

One that does not load stops the start with its name and line: this bot moves money.
"""

import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


class PluginError(Exception):
    """A plugin could not be loaded or registered."""


def load_one(bot, path):
    """Run a plugin's file as a module of its own and have it register; raise PluginError with its name and line."""
    path = Path(path)
    spec = spec_from_file_location(f"{path.parent.name}.{path.stem}", path)
    module = module_from_spec(spec)
    before = sys.modules.get(spec.name)
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
        raise PluginError(f"plugins/{path.name}, line {line}: {type(error).__name__}: {error}") from error


def load(bot, folder, off=(), load_one=load_one):
    """Load every plugin of a folder in the order of their names; return the names."""
    known = sorted(path.stem for path in Path(folder).glob("*.py") if not path.stem.startswith("_"))
    for name in off:
        if name not in known:
            bot.settings.refuse("PLUGINS_OFF", repr(name), "names of files in plugins/: " + ", ".join(known))
    loaded = [name for name in known if name not in off]
    for name in loaded:
        load_one(bot, Path(folder) / f"{name}.py")
    return loaded

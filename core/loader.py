"""Loading plugins: every file in `plugins/` is a module with `register(bot)`.

One that does not load stops the start with its name and line: this bot moves money.
"""

import importlib
import traceback
from pathlib import Path


class PluginError(Exception):
    """A plugin could not be loaded or registered."""


def load(bot, folder, off=()):
    """Import and register every plugin of a folder in the order of their names; return the names."""
    known = sorted(path.stem for path in Path(folder).glob("*.py") if not path.stem.startswith("_"))
    for name in off:
        if name not in known:
            bot.settings.refuse("PLUGINS_OFF", repr(name), "names of files in plugins/: " + ", ".join(known))
    loaded = [name for name in known if name not in off]
    for name in loaded:
        try:
            importlib.import_module(f"{Path(folder).name}.{name}").register(bot)
        except Exception as error:  # any error of a plugin stops the start, by name and line
            frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).stem == name]
            line = frames[-1].lineno if frames else getattr(error, "lineno", "?")
            raise PluginError(f"plugins/{name}.py, line {line}: {type(error).__name__}: {error}") from error
    return loaded

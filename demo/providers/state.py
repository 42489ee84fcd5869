"""What a stand-in keeps over a restart of the demo: a JSON file, written whole and put in place at once."""

import asyncio
import json
from pathlib import Path

from demo.files import private, private_folder

PAUSE_S = 0.5  # between a change and its writing


class StateFile:
    """Loads a World from `path` and keeps the file up to date."""

    def __init__(self, path, world):
        self.path, self.world, self._due = Path(path), world, None

    def load(self):
        """Take the world's content from the file, if there is one; an unreadable file raises ValueError and stays."""
        if self.path.exists():
            try:
                self.world.load(json.loads(self.path.read_text(encoding="utf-8")))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path} is no state file: {error}") from None
        self.world.changed = self.changed

    def changed(self):
        """Have the file written soon."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(PAUSE_S, self.save)

    def save(self):
        """Write the file now."""
        if self._due:
            self._due.cancel()
            self._due = None
        private_folder(self.path.parent)
        partial = self.path.with_name(self.path.name + ".part")
        with open(partial, "w", encoding="utf-8", opener=private) as file:
            file.write(json.dumps(self.world.dump()))
        partial.replace(self.path)

"""A stand-in's state as a file, so that a restart of the demo keeps it: JSON, replaced atomically."""

import asyncio
import json
from pathlib import Path

from demo.files import private, private_folder

PAUSE_S = 0.1  # between a change and its writing


class StateFile:
    """Loads a World from `path` and keeps the file up to date."""

    def __init__(self, path, world):
        self.path, self.world, self._due = Path(path), world, None

    def port(self):
        """Return the port that was used last, or None."""
        return self._read().get("port")

    def load(self):
        """Take the world's content from the file, if there is one; an unreadable file raises ValueError and is left alone."""
        if saved := self._read():
            try:
                self.world.load(saved["world"])
            except (KeyError, TypeError) as error:
                raise ValueError(f"{self.path} is no state file: {error!r}") from None
        self.world.changed = self.changed

    def _read(self):
        if not self.path.exists():
            return {}
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.path} is no state file: {error}") from None

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
            port = int(self.world.origin.rpartition(":")[2])
            file.write(json.dumps({"port": port, "world": self.world.dump()}))
        partial.replace(self.path)

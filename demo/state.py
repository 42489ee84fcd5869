"""The state as a file, so that a restart keeps the chats: JSON, and a folder beside it for the files' bytes.

It is written completely and replaced at once, a moment after the last change and on stop.
"""

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path

from demo.chats import Chat, Group, Person
from demo.files import private, private_folder

PAUSE_S = 1.0  # between a change and its writing; ten times as long as the last writing took, if that is more


class StateFile:
    """Loads a World from `path` and keeps the file up to date."""

    def __init__(self, path, world):
        self.path, self.world = Path(path), world
        self._due = None
        self._took_s = 0.0

    def load(self):
        """Read the world's content from the file, if there is one, and watch the world from now on.

        An unreadable file raises ValueError and stays as it is.
        """
        if self.path.exists():
            try:
                saved = json.loads(self.path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{self.path} is no state file: {error}") from None
            load(self.world, saved)
        self.world.changed = self.changed

    def changed(self):
        """Have the file written soon."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(max(PAUSE_S, 10 * self._took_s), self.save)

    def save(self):
        """Write the file now."""
        if self._due:
            self._due.cancel()
            self._due = None
        started = time.monotonic()
        private_folder(self.path.parent)
        partial = self.path.with_name(self.path.name + ".part")
        with open(partial, "w", encoding="utf-8", opener=private) as file:
            file.write(json.dumps(dump(self.world)))
        partial.replace(self.path)
        self._took_s = time.monotonic() - started


def dump(world):
    """Return everything in the world that outlives a restart, as JSON data."""
    return {
        "profile": world.profile,
        "people": [asdict(person) for person in world.people.values()],
        "groups": [asdict(group) for group in world.groups.values()],
        "chats": [[chat_id, dump_chat(chat)] for chat_id, chat in world.chats.items()],
        "taps": world.taps,
        "links": world.links,
        "payments": world.payments,
        "polls": world.polls,
        "last_message_id": world.last_message_id,
        "updates": world.updates.dump(),
        "files": world.files.dump(),
        "clock": world.clock.dump(),
    }


def dump_chat(chat):
    """Return a chat with its numbered parts as lists of pairs: JSON has no numeric keys."""
    return {name: list(value.items()) if isinstance(value, dict) else value for name, value in vars(chat).items()}


def load_chat(saved):
    """Return the Chat that `dump_chat` described."""
    return Chat(**{name: dict(value) if isinstance(value, list) else value for name, value in saved.items()})


def load(world, saved):
    """Fill the world with what `dump` returned."""
    world.profile |= saved["profile"]  # an older file lacks what is new
    world.taps, world.links = saved["taps"], saved["links"]
    world.people |= {one["id"]: Person(**one) for one in saved["people"]}
    world.groups = {one["id"]: Group(**one) for one in saved["groups"]}
    world.chats = {chat_id: load_chat(chat) for chat_id, chat in saved["chats"]}
    world.payments, world.last_message_id = saved["payments"], saved["last_message_id"]
    world.polls = saved.get("polls", {})  # none in older files
    world.files.load(saved["files"])
    world.clock.load(saved["clock"])
    world.updates.load(saved["updates"])

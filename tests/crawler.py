"""A crawler that presses every button, checks every screen it reaches and records broken rules as complaints.

Buttons are identified by their data with ids normalized (`signature`). Each screen is remembered with the path that led
to it, so that a button that is gone by now can be reached again the way a person would.
"""

import json
import re
from collections import deque
from dataclasses import dataclass, field

MARKUP_BYTES = 10_000  # of a whole keyboard: tginfo/Telegram-Limits
DATA_BYTES = 64  # Bot API, InlineKeyboardButton
ROWS, PER_ROW, LABEL, LONE_LABEL = 8, 3, 24, 36  # our own rules for a menu
PLACEHOLDER = re.compile(r"\{[a-z_]*(:[a-z]+)?\}")
KEY = re.compile(r"\b[a-z_]+\.[a-z0-9_-]+\b")
NOTHING = re.compile(r"\b(None|nan|NaN|Undefined)\b")
WAY_OUT = ("start:menu", "start:fresh")
STATEFUL = (
    "generate",
    "inputs",
    "ladder",
    "modes",
    "orders",
    "suggest",
    "uses",
    "users",
    "transfer",
    "history",
    "language",
)  # what they do depends on the way there
PLACED = ("inputs:set", "inputs:page", "inputs:nudge", "inputs:clear")  # data is code:place…


@dataclass(frozen=True)
class Label:
    """A button as it is drawn."""

    text: str
    data: str | None
    message_id: int


@dataclass
class Screen:
    """A message of the bot: its words and its keyboard."""

    message_id: int
    text: str
    rows: list = field(default_factory=list)
    mains: int = 0  # buttons that are shown as the main action

    @classmethod
    def of(cls, message):
        """Return the screen a Message shows."""
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        number = message["message_id"]
        labels = [[Label(cell["text"], cell.get("callback_data"), number) for cell in row] for row in rows]
        words = message.get("text") or message.get("caption") or message.get("invoice", {}).get("title", "")
        return cls(number, words, labels, sum(cell.get("style") == "primary" for row in rows for cell in row))

    @property
    def labels(self):
        """All buttons, row by row."""
        return [label for row in self.rows for label in row]

    def __str__(self):
        head = self.text.split("\n")[0][:60]
        return f"«{head}» " + " / ".join(" | ".join(label.text for label in row) for row in self.rows)


def faults(screen, keys):
    """Return what is wrong with a screen, whoever drew it; `keys` are all text keys."""
    found = []
    words = [("text", screen.text), *(("label", label.text) for label in screen.labels)]
    for place, text in words:
        if hit := PLACEHOLDER.search(text) or NOTHING.search(text):
            found.append(f"{place} shows {hit[0]!r}: {text!r}")
        if raw := {word for word in KEY.findall(text) if word in keys}:
            found.append(f"{place} shows a text key {raw}: {text!r}")
        if not text.strip():
            found.append(f"an empty {place}")
    texts = [label.text for label in screen.labels]
    if twice := {text for text in texts if texts.count(text) > 1}:
        found.append(f"two buttons have the same label {twice}")
    data = [label.data for label in screen.labels if label.data]
    if long := [one for one in data if len(one.encode()) > DATA_BYTES]:
        found.append(f"data over {DATA_BYTES} bytes: {long}")
    markup = json.dumps([[(label.text, label.data) for label in row] for row in screen.rows], ensure_ascii=False)
    if len(markup.encode()) > MARKUP_BYTES:
        found.append(f"a keyboard of {len(markup.encode())} bytes")
    return found


def leads_out(screen, back):
    """Tell whether the last row leads on: to the menu, or one step back (`back` is the word on that button)."""
    last = screen.rows[-1] if screen.rows else []
    return any(label.data in WAY_OUT or label.text == back for label in last)


def style(screen):
    """Return which rules of thumb for a menu the screen breaks."""
    found = []
    if screen.mains > 1:
        found.append(f"{screen.mains} main actions")
    if len(screen.rows) > ROWS:
        found.append(f"{len(screen.rows)} rows")
    if wide := [len(row) for row in screen.rows if len(row) > PER_ROW]:
        found.append(f"{max(wide)} buttons in a row")
    long = [
        label.text for row in screen.rows for label in row if len(label.text) > (LABEL if len(row) > 1 else LONE_LABEL)
    ]
    if long:
        found.append(f"labels too long: {long}")
    return found


class Crawl:
    """Presses everything `person` can see; afterwards `pressed`, `complaints` and `screens` tell what was met.

    `stale` are the words of an outdated button, `kinds` what the model of each code does, `undo` data to tap after a
    button that would change what the rest of the walk sees.
    """

    def __init__(self, person, keys, stale, kinds, undo):
        self.person, self.keys, self.stale, self.kinds, self.undo = person, keys, stale, kinds, undo
        self.pressed = {}  # signature → path of signatures
        self.complaints = []
        self.screens = {}  # what a screen offers → the screen
        self._queue = deque()
        self._known = set()
        self._shown = {}

    def signature(self, data):
        """Return the data with model codes turned into what the model does, and numbers made alike but for places."""
        plugin, action, *args = data.split(":")
        alike = [self.kinds.get(arg, "#" if re.fullmatch(r"-?\d+", arg) else arg) for arg in args]
        if f"{plugin}:{action}" in PLACED:
            alike[1] = args[1]  # the place of an input on a card: each opens a screen of its own
        return ":".join([plugin, action, *alike])

    def start(self, act, path):
        """Do something as the person, and put what the bot answers into the queue."""
        self._shown = self._snapshot()
        act()
        fresh = self._fresh()
        if not fresh:
            self.complaints.append(f"{path}: silence")
        self._meet(fresh, [path])

    def run(self, roots):
        """Press every button there is; `roots` are (name, act) by which paths begin."""
        self._roots = dict(roots)
        for name, act in roots:
            self.start(act, name)
        while self._queue:
            path, label = self._queue.popleft()
            self._press(path, label)
        return self

    def _press(self, path, label):
        name = self.signature(label.data)
        where = " › ".join([*path, f"[{label.text}] {name}"])
        self.pressed[name] = path
        again = self._walk_to(path, label.data) if label.data.split(":")[0] in STATEFUL else label.data
        fresh, toast = self._tap(again or label.data)
        if toast is None:
            self.complaints.append(f"{where}: the tap was not answered")
        elif not fresh and not toast:
            self.complaints.append(f"{where}: nothing happened")
        elif toast in self.stale and again:
            self.complaints.append(f"{where}: {toast!r}")
        self._meet(fresh, [*path, label.data])
        if name in self.undo:
            self.person.forge(self.undo[name])

    def _tap(self, data):
        """Tap on the newest message; return what it changed, and the toast."""
        self._shown = self._snapshot()
        self.person.forge(data)
        return self._fresh(), self.person.toast

    def _walk_to(self, path, data):
        """Go a path again from its root; return the data of the button at its end as it is now, or None."""
        self.person.change(clear=True)
        self.person.send("/cancel")  # what an earlier press has filled in would change the way
        self._shown = self._snapshot()
        self._roots[path[0]]()
        for step in path[1:]:
            self._tap(self._offered(step) or step)
        return self._offered(data)

    def _offered(self, data):
        """Return the data of the button that is there now and does the same, or None."""
        offered = [label.data for message in self._fresh() for label in Screen.of(message).labels if label.data]
        alike = [one for one in offered if self.signature(one) == self.signature(data)]
        return data if data in offered else next(iter(alike), None)

    def _snapshot(self):
        return {message["message_id"]: message for message in self.person.received}

    def _fresh(self):
        """Return the messages that are new or look different since the snapshot."""
        return [m for number, m in self._snapshot().items() if self._shown.get(number) != m]

    def _meet(self, messages, path):
        for screen in map(Screen.of, messages):
            if screen.labels or screen.text:
                self.complaints += [f"{' › '.join(path)}: {fault}" for fault in faults(screen, self.keys)]
            offers = tuple(self.signature(label.data) for label in screen.labels if label.data)
            self.screens.setdefault(offers, (path, screen))
            for label, name in zip([label for label in screen.labels if label.data], offers, strict=True):
                if name not in self._known:
                    self._known.add(name)
                    self._queue.append((path, label))

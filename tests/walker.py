"""Fills in a model's card as a person does: look at the main button, do what it says, look again."""

import re

from tests.crawler import Screen
from tests.kit import png
from tests.media import clip, wav

PRICE = re.compile(r"(\d[\d,]*(?:\.\d\d)?) ₽")
STEPS = 15  # more questions than any card has


def money(text):
    """Return the amount in minor units that a text shows."""
    return int(PRICE.search(text)[1].replace(",", "").replace(".", "") + ("" if "." in PRICE.search(text)[1] else "00"))


class Form:
    """The card of one model in the chat of one person."""

    def __init__(self, person, model):
        self.person, self.model = person, model
        self.asked = []

    def open(self):
        """Open the card with nothing filled in."""
        self.person.send("/cancel")
        self.person.forge(f"generate:open:{self.model.code}")
        return self

    @property
    def screen(self):
        """The newest message with a keyboard."""
        return next(
            Screen.of(m) for m in reversed(self.person.received) if "inline_keyboard" in m.get("reply_markup", {})
        )

    @property
    def main(self):
        """The one main button: the first row."""
        return self.screen.rows[0][0]

    def complete(self):
        """Do what the main button asks for until it offers to create; `asked` lists the inputs in order."""
        for _ in range(STEPS):
            route, *args = self.main.data.split(":")[:2], *self.main.data.split(":")[2:]
            if route != ["inputs", "set"]:
                return self
            self.answer(self.model.inputs[int(args[1])])
        raise AssertionError(f"{self.model.code} asks and asks: {self.asked}")

    def answer(self, spec):
        """Tap the main button and answer as plainly as possible."""
        self.asked.append(spec.name)
        self.person.forge(self.main.data)
        if spec.kind == "text":
            self.person.send(
                "1 2" if spec.type == "integer[]" else ("a fox in the snow " * 300)[: max(spec.min_length, 18)]
            )
        elif spec.kind in ("choice", "switch", "task"):
            self._tap_first()
        elif spec.kind == "number":
            self.person.send(str(spec.min if spec.min is not None else 1))
        else:
            self.send_file(spec.kind, max(spec.min_seconds or 0, 5))

    def _tap_first(self):
        offered = [label for label in self.screen.labels if label.data.startswith(("inputs:pick", "inputs:result"))]
        assert offered, f"{self.model.code}: nothing to choose from on {self.screen}"
        self.person.forge(offered[0].data)

    def send_file(self, kind, seconds):
        """Send a file of a kind, in a form that every model takes."""
        if kind == "image":
            self.person.photo(png(size=(1024, 768)))
        elif kind == "video":
            self.person.video(clip(seconds), duration=int(seconds), width=1280, height=720)
        else:
            self.person.audio(("tune.wav", wav(seconds)), duration=int(seconds))

    def create(self):
        """Tap the main button, which must offer to create; return the price it shows."""
        assert self.main.data.startswith("orders:go:"), f"{self.model.code}: {self.screen}"
        shown = money(self.main.text)
        self.person.forge(self.main.data)
        return shown

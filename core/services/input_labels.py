"""The names of a model's inputs, their values and what they cost, for people: on cards, in price tables, on buttons."""

import re
from typing import Any

from babel.numbers import format_decimal

from core.texts import Lang, Texts
from kie.catalogue.inputs import MEDIA, Input, files_of
from kie.catalogue.model import Card, Model
from kie.catalogue.pricing import is_upper_bound

DECIMAL = re.compile(r"-?\d{1,9}\.\d{1,6}")
SHOWN_TEXT = 160  # characters of what somebody wrote


def slug(value: object) -> str:
    """Return the part of a text key that stands for a choice."""
    return re.sub(r"[^a-z0-9]+", "-", str(value).lower()).strip("-")


class Labels:
    """The names of inputs and values in one language."""

    def __init__(self, texts: Texts, lang: Lang) -> None:
        self._texts, self._lang = texts, lang

    def word(self, key: str, **values: Any) -> str:
        """Return a plain text."""
        return self._texts.plain(self._lang, key, **values)

    def about(self, card: Card) -> str:
        """Return the line about a card; one that was put on sale from the chat brings its own."""
        key = f"about.{card.id}"
        if self._texts.has(key):
            return self.word(key)
        return card.abouts.get(self._lang) or card.abouts.get(self._texts.default, "")

    def label(self, spec: Input) -> str:
        """Return an input's name as on its button."""
        key = f"input.{spec.label}"
        return self.word(key) if self._texts.has(key) else spec.label.replace("_", " ").capitalize()

    def shown(self, spec: Input, value: Any) -> str:
        """Return a value for people."""
        if spec.kind == "switch":
            return self.word("switch.on" if value else "switch.off")
        if spec.kind == "choice":
            name = spec.choice_name(value)
            keys = (f"choice.{spec.label}.{slug(value)}", f"choice.{slug(value)}")
            return name or next((self.word(key) for key in keys if self._texts.has(key)), str(value))
        if spec.kind in MEDIA:
            return str(len(files_of(value)))
        if spec.kind == "task":
            place = f" · {value['index'] + 1}" if value.get("index") else ""
            return self.word("common.number", number=value.get("job")) + place
        text = str(value)
        if spec.kind == "number" and DECIMAL.fullmatch(text):
            return format_decimal(text, "0.######", locale=str(self._lang))
        return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"

    def seconds(self, spec: Input, value: Any) -> str:
        """Return a choice, with its unit if it is a length of time."""
        shown = self.shown(spec, value)
        return self.word("form.seconds", value=shown) if spec.label == "duration" and shown.isdecimal() else shown

    def cost(self, model: Model, quote: dict[str, Any], public: bool = False) -> str:
        """Return what a quote of `Generation.rung` costs, as on the button that orders it.

        If it is `public`, others see it: how many free orders somebody has left is not their business.
        """
        if quote["free"]:
            if public:
                return self.word("rung.gift")
            return self.word("rung.free", n=quote["free"]["left"])
        key = "rung.up_to" if is_upper_bound(model, quote["values"]) else "rung.price"
        return self.word(key, price=quote["price"])

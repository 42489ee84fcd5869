"""A chat form from any schema: what a model's inputs look like on a card, as buttons, and how answers are read.

The card is one live message; what stands on it comes from the draft alone.
"""

import math
import re
from decimal import Decimal

from markupsafe import Markup, escape

from core.attachments import HEIC
from core.buttons import button
from core.errors import UserError
from core.texts import Ref
from kie.catalogue.inputs import MEDIA, MIME_TWINS, clean_mime, files_of, present
from kie.catalogue.model import InputError

DECODED = (*HEIC, "image/webp", "image/png")  # made a JPEG where KIE does not take them; no other picture is opened
PER_ROW, FRONT_ROWS = 3, 4  # of inputs on a card: with the order, more settings, the mode and the way out, eight rows
FITS = {1: 36, 2: 16, 3: 9}  # characters of a label that a phone shows whole, by the number of buttons in the row
SHOWN_TEXT = 160


def slug(value):
    """Return the part of a text key that stands for a choice."""
    return re.sub(r"[^a-z0-9]+", "-", str(value).lower()).strip("-")


def fitted(spec, file):
    """Return the file as this input takes it: a picture in a format KIE does not read is to be sent as JPEG."""
    if spec.kind == "image" and clean_mime(file) in DECODED:
        mime, accepted = clean_mime(file), {MIME_TWINS.get(known, known) for known in spec.accept}
        if mime in HEIC if not accepted else mime not in accepted:
            return file | {"mime": "image/jpeg", "convert": True}
    return file


def add_file(spec, values, file, measure=lambda file: file):
    """Return `values` with one more file; where only one fits it takes the place of the former.

    `measure(file)` returns it with its length counted; before that, what its message says of the rest is checked.
    """
    file = fitted(spec, file)
    _read_alone(spec, file | {"seconds": None})
    file = measure(file)
    _read_alone(spec, file)
    if not spec.many:
        return values | {spec.name: file}
    files = [file] if spec.max_items == 1 else [*files_of(values.get(spec.name)), file]
    if spec.max_items and len(files) > spec.max_items:
        raise user_error(spec.error("too_many_files", limit=spec.max_items, found=len(files)))
    return values | {spec.name: files}


def _read_alone(spec, file):
    """Check a file by itself, whatever number of them is wanted."""
    read(spec, [file] * max(1, spec.min_items) if spec.many else file)


def read(spec, value):
    """Return an answer as the input's own type, or raise UserError with what is wrong."""
    try:
        return spec.parse(value)
    except InputError as error:
        raise user_error(error) from None


def user_error(error, model=None):
    """Return the UserError that tells a person about an InputError (with `model`, inputs go by their labels)."""
    values = {name: _told(value) for name, value in error.values.items() if name != "names"}
    if isinstance(values.get("limit"), int):
        values["n"] = values["limit"]
    for name in ("name", "needs"):
        if model is not None and name in values:
            values[name] = Ref(f"input.{model.input(values[name]).label}")
    return UserError(f"error.{error.key}", **values)


def _told(value):
    """Return a value of an InputError as a short text or a plain number."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        return int(value) if value == int(value) else round(float(value), 2)
    return str(value)[:SHOWN_TEXT]


def problem(model, values):
    """Return the UserError that says why complete values can't be ordered together, or None."""
    try:
        model.check(values)
    except InputError as error:
        return user_error(error, model)
    return None


class Card:
    """The form of one model with its values, as one person sees it."""

    def __init__(self, ctx, model, values):
        self.ctx, self.texts, self.lang, self.model, self.values = ctx, ctx.texts, ctx.lang, model, values

    def draw(self, rows, question="", below=False):
        """Put the card with these rows where its live message is.

        In place after a tap; below the person's message (or a result that stays) otherwise, and the old one goes.
        """
        ctx, live = self.ctx, self.ctx.draft.message_id
        texts, settings = self.lines()
        lines = [ctx.say("form.line", label=label, value=value) for label, value in texts]
        lines += [escape(settings)] if settings else []
        values = {
            "title": self.model.title,
            "mode": self.word(self.model.mode_title),
            "about": ctx.generation.catalog.cards[self.model.card].about(self.lang),
            "rest": Markup("\n\n").join(part for part in (ctx.lines(lines), question) if part),
        }
        if below or (ctx.kind == "message" and not self._within_album()):
            ctx.delete(live)
            shown = ctx.reply("form.card", rows, **values)
        else:
            shown = ctx.edit("form.card", rows, message_id=None if ctx.tap else live, **values)
        if shown != live:
            ctx.drafts.note_screen(ctx.draft, shown)

    def _within_album(self):
        """Tell whether this is the second or a later picture of an album: the card is below the first already."""
        album, data = self.ctx.message.get("media_group_id"), self.ctx.draft.data
        return album is not None and data.get("album") == album and data.get("album_count", 0) > 1

    def word(self, key, **values):
        """Return a plain text."""
        return self.texts.plain(self.lang, key, **values)

    def label(self, spec):
        """Return an input's name as on its button."""
        key = f"input.{spec.label}"
        return self.word(key) if self.texts.has(key) else spec.label.replace("_", " ").capitalize()

    def mode_name(self, catalog):
        """Return what tells this model from the others of its product."""
        variant = self.model.title.removeprefix(catalog.cards[self.model.card].title).strip()
        mode = self.word(self.model.mode_title)
        return f"{mode} · {variant}" if variant else mode

    def shown(self, spec, value):
        """Return a value for people."""
        if spec.kind == "switch":
            return self.word("switch.on" if value else "switch.off")
        if spec.kind == "choice":
            name = spec.choice_name(value)
            keys = (f"choice.{spec.label}.{slug(value)}", f"choice.{slug(value)}")
            return name or next((self.word(key) for key in keys if self.texts.has(key)), str(value))
        if spec.kind in MEDIA:
            return str(len(files_of(value)))
        if spec.kind == "task":
            return f"№{value.get('job')}" + (f" · {value['index'] + 1}" if value.get("index") else "")
        text = str(value)
        return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"

    def seconds(self, spec, value):
        """Return a choice with its unit where it is a length of time."""
        shown = self.shown(spec, value)
        return self.word("form.seconds", value=shown) if spec.label == "duration" and shown.isdecimal() else shown

    def lines(self):
        """Return [(label, value)] of what was written or sent, and one line of the settings that are set."""
        full = self.model.effective(self.values)
        texts, settings = [], []
        for spec in self.model.inputs:
            value = full.get(spec.name)
            if not self._worth_showing(spec, value):
                continue
            if spec.kind in ("text", *MEDIA, "task"):
                texts.append((self.label(spec), self._with_limit(spec, value)))
            elif spec.kind == "switch":
                settings.append(f"{self.label(spec)}: {self.shown(spec, value)}")
            else:
                settings.append(self._setting(spec, value))
        return texts, " · ".join(settings)

    def _setting(self, spec, value):
        """Return a setting with its name, unless it says itself what it is, as 5 s and 16:9 do."""
        shown = self.seconds(spec, value)
        return shown if re.search(r"\d\D|\D\d", shown) else f"{self.label(spec)}: {shown}"

    def _worth_showing(self, spec, value):
        """Tell whether the card names a value: what is set, save for settings behind *More* that stand as they do."""
        if spec.shown == "hidden" or not present(value) or not self.model.applies(spec.name, self.values):
            return False
        return spec.shown == "main" or value != spec.default

    def _with_limit(self, spec, value):
        if spec.many and spec.max_items and spec.max_items > 1:
            return self.word("form.of", n=len(files_of(value)), limit=spec.max_items)
        return self.shown(spec, value)

    def front(self):
        """Return the rows of the inputs that stand on the card itself, and the inputs left for *More settings*."""
        all_of = (self.model.main_inputs, self.model.more_inputs)
        main, more = ([spec for spec in some if self.model.applies(spec.name, self.values)] for some in all_of)
        rows = self.input_rows(main)[:FRONT_ROWS]
        return rows, main[sum(map(len, rows)) :] + more

    def input_rows(self, specs):
        """Return buttons that open the given inputs, as many a row as a phone shows whole."""
        rows = []
        for cell in map(self._input_button, specs):
            rows = [*rows[:-1], [*rows[-1], cell]] if rows and self._fits([*rows[-1], cell]) else [*rows, [cell]]
        return rows

    def _fits(self, row):
        return len(row) <= PER_ROW and all(len(self.word(c.key, **c.values)) <= FITS[len(row)] for c in row)

    def _input_button(self, spec):
        value = self.model.effective(self.values).get(spec.name)
        data = ("inputs:set", self.model.code, self.model.inputs.index(spec))
        if spec.kind == "switch":
            return button("form.setting", *data, name=self.label(spec), value=self.shown(spec, bool(value)))
        if spec.kind in ("choice", "number") and present(value):
            icon = self.label(spec).rpartition(" ")[0]
            if icon and not icon[0].isalnum():
                return button("label", *data, label=f"{icon} {self.seconds(spec, value)}")  # the icon names it
            return button("form.setting", *data, name=self.label(spec), value=self.seconds(spec, value))
        return button("label", *data, label=self.label(spec))

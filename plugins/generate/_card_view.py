"""Draws the card: one live message with a model's inputs as buttons, from the draft alone."""

import re

from markupsafe import Markup, escape

from core.buttons import button
from core.services.input_labels import Labels
from kie.catalogue.inputs import MEDIA, files_of, present
from plugins.generate._loose import lacks_voice

PER_ROW, FRONT_ROWS = 3, 4  # of inputs on a card: with the order, more settings, the mode and the way back, eight rows
BARE = re.compile(r"[-−]?\d+(?:[.,]\d+)?")  # a number that does not say what it counts
FITS = {1: 36, 2: 16, 3: 9}  # characters of a label that a phone shows in full, by the number of buttons in the row


class Card(Labels):
    """The form of one model with its values, as one person sees it."""

    def __init__(self, ctx, model, values):
        super().__init__(ctx.texts, ctx.lang)
        self.ctx, self.model, self.values = ctx, model, values

    def draw(self, rows, question="", below=False):
        """Show the card with these rows in its live message.

        After a tap it is edited in place; otherwise it is sent below the person's message (or a result that stays), and
        the old one is deleted.
        """
        ctx, live = self.ctx, self.ctx.draft.message_id
        texts, settings = self.lines()
        lines = [ctx.say("form.line", label=label, value=value) for label, value in texts]
        lines += [escape(settings)] if settings else []
        values = {
            "title": self.model.title,
            "mode": self.word(self.model.mode_title),
            "about": self.about(ctx.generation.catalog.cards[self.model.card]),
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
        """Return whether this is a later picture of an album: the card is below its first one already."""
        album, data = self.ctx.message.get("media_group_id"), self.ctx.draft.data
        return album is not None and data.get("album") == album and data.get("album_count", 0) > 1

    def mode_name(self, catalog):
        """Return what tells this model apart from the others of its product."""
        variant = self.model.title.removeprefix(catalog.cards[self.model.card].title).strip()
        mode = self.word(self.model.mode_title)
        return f"{mode} · {variant}" if variant else mode

    def lines(self):
        """Return [(label, value)] of what was written or sent, and one line with the settings that are set."""
        full = self.model.effective(self.values)
        texts, settings = [], []
        for spec in self.model.inputs:
            value = full.get(spec.name)
            if not self._worth_showing(spec, value):
                continue
            if spec is self.model.main_text:
                value = self.ctx.generation.words(self.ctx.lang, self.model, self.values) or value
            if spec.kind in ("text", *MEDIA, "task"):
                texts.append((self.label(spec), self._with_limit(spec, value)))
            elif spec.kind == "switch":
                settings.append(f"{self.label(spec)}: {self.shown(spec, value)}")
            else:
                settings.append(self._setting(spec, value))
        return texts, " · ".join(settings)

    def _setting(self, spec, value):
        """Return a setting with its name, unless the value speaks for itself, as 5 s and 16:9 do."""
        shown = self.seconds(spec, value)
        speaks = re.search(r"\d\D|\D\d", shown) and not BARE.fullmatch(shown)
        return shown if speaks else f"{self.label(spec)}: {shown}"

    def _worth_showing(self, spec, value):
        """Return whether the card shows a value: it is set and, if it is a text or behind *More*, not the default."""
        if spec.shown == "hidden" or not present(value) or not self.model.applies(spec.name, self.values):
            return False
        return (spec.shown == "main" and spec.kind != "text") or value != spec.default

    def _with_limit(self, spec, value):
        if spec.many and spec.max_items and spec.max_items > 1:
            return self.word("form.of", n=len(files_of(value)), limit=spec.max_items)
        return self.shown(spec, value)

    def front(self, is_tall=False):
        """Return the rows of the inputs that are on the card itself, and the inputs left for *More settings*.

        Below a card that `is_tall` there is one more row.
        """
        all_of = (self.model.main_inputs, self.model.more_inputs)
        main, more = ([spec for spec in some if self.model.applies(spec.name, self.values)] for some in all_of)
        taken = bool(self.ctx.draft.data.get("brought")) + lacks_voice(self.model, self.values) + is_tall
        rows = self.input_rows(main)[: FRONT_ROWS - taken]
        return rows, main[sum(map(len, rows)) :] + more

    def input_rows(self, specs):
        """Return buttons that open the given inputs, as many in a row as a phone shows in full."""
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
                return button("label", *data, label=f"{icon} {self.seconds(spec, value)}")  # the icon tells what it is
            return button("form.setting", *data, name=self.label(spec), value=self.seconds(spec, value))
        return button("label", *data, label=self.label(spec))

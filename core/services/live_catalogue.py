"""The live catalogue, the one in use: data/models.json with the admins' changes.

It is read again after a change: at once in this process, within 300 s in another one.
"""

import threading
from typing import NamedTuple

from kie.catalogue import overrides as layers
from kie.catalogue.ideas import Ideas
from kie.catalogue.model import Catalog, CatalogError
from kie.catalogue.offers import Offers
from kie.sync import catalogue_diff, discovery
from storage.base import disk_cache
from storage.base.cached import Cached
from storage.orders import overrides

MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, CatalogError)


class Comparison(NamedTuple):
    """The result of a comparison with KIE: all Changes, the ids of the unreported ones, and {what was skipped: why}."""

    differences: list
    fresh: list
    skipped: dict


class LiveCatalogue:
    """Provides the catalogue; `callbacks` says whether KIE can call us, which some models require.

    `rows` is where the admins' changes are read, `offers` the file of the ladders, `ideas` that of the ideas. The
    `clock` says which prices have ended.
    """

    def __init__(self, path, clock, callbacks, rows=overrides, offers=None, ideas=None):
        self.path, self._rows, self._clock = path, rows, clock
        self._plain, self._file = Catalog.read(path, disk_cache.kept)  # a file that can't be read stops the start
        self.offers = Offers.load(offers, self._plain) if offers else Offers()
        self.ideas = Ideas.load(ideas, self._plain) if ideas else Ideas()
        self._callbacks = callbacks
        self._guard = threading.Lock()
        self._version = self._made = None
        self._kept = Cached(self._look, clock.monotonic)
        self.forget = self._kept.forget  # check for changes at the next access

    def current(self):
        """Return (the changes in force, the catalogue in use)."""
        if self._version is not None and self._version[1] != self._clock.now().date():
            self.forget()  # a price may have ended
        return self._kept.get()

    def catalog(self):
        """Return the catalogue in use."""
        return self.current()[1]

    def rungs(self, work):
        """Return the ladder of a kind of work as it is now: [(rung, [(offer, its model), …])] of what is on sale."""
        return self._on_sale(self.offers.rungs(work, self.current()[0]))

    def spoken(self):
        """Return the same of the ladder for a photo that is to say something."""
        return self._on_sale(self.offers.spoken)

    def _on_sale(self, rungs):
        catalog, found = self.catalog(), []
        for rung in rungs:
            models = [(offer, catalog.by_code(offer.code)) for offer in rung.offers]
            found.append((rung.name, [(offer, model) for offer, model in models if model is not None]))
        return [(name, offers) for name, offers in found if offers]

    def offers_of(self, idea):
        """Return [(offer, its model), …] of an idea as it is now: its own, then those of its work's ladder, best last.

        What is off sale is left out; only the own offer has the settings that were chosen for the idea.
        """
        own = self.catalog().by_code(idea.offer.code)
        found = [(idea.offer, own)] if own is not None else []
        return found + [pair for _name, offers in self.rungs(idea.work) for pair in offers]

    def _changes(self):
        return self.current()[0]

    def _look(self):
        """Return (changes in force, the catalogue with them), rebuilt only if they have changed."""
        version = self._rows.version(), self._clock.now().date()
        with self._guard:
            if version != self._version:
                changes = self._rows.in_force()
                self._made = changes, self._read(changes)
                self._version = version
            return self._made

    def _read(self, changes):
        data = self._data(changes)
        full = self._plain if data is self._file else self._plain.anew(data, self._file)
        deaf = {name for name, model in full.models.items() if model.needs_callback and not self._callbacks}
        return full.without(layers.switched_off(changes) | deaf)

    def data(self):
        """Return the parsed file with the changes in force, as it is today."""
        return self._data(self._changes())

    def _data(self, changes):
        return layers.at(layers.merged(self._file, changes) if changes else self._file, self._clock.now().date())

    def ending(self):
        """Return [(day, model id), …] of the prices that end, the nearest first."""
        return layers.ending(self.data())

    def check(self, client, clock, tell=lambda done, total: None):
        """Compare with KIE's offer of today, store the differences and return the Comparison.

        Takes about four minutes; raises KieError or StrangeList.
        """
        found = discovery.look(client, clock.sleep, tell)
        data, off = self.data(), layers.switched_off(self._changes())
        differences = catalogue_diff.compare(data, found, f"{clock.now():%Y-%m-%d}", off)
        rows = [(change.model, change.kind, change.about) for change in differences]
        return Comparison(differences, overrides.record(rows, clock.now()), found.skipped)

    def trial(self, scope, field, value):
        """Return why the model of a change could not be sold with it, or None."""
        try:
            found = self._plain.anew(self._data(self._changes() | {(scope, field): value}), self._file)
        except MALFORMED as error:
            return f"malformed: {error!r}"
        return dict(found.rejected).get(scope.partition(":")[2])

    def terms(self, model):
        """Return (markup or None, fixed price or None) that admins have set for a model."""
        return layers.terms(self._changes(), model)

    def value(self, scope, field):
        """Return the value of a change in force, or None."""
        return self._changes().get((scope, field))

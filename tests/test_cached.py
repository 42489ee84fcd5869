"""The in-memory cache of rows: a change wins over every read that began before it, in every thread."""

import threading

import pytest

from core.process.loops import Clock
from core.services.live_catalogue import LiveCatalogue
from storage.base import db, schema
from storage.base.cached import CACHE_S, Cached
from storage.journal import runtime_settings
from storage.orders import overrides
from tests.kit import ROOT
from tests.test_storage import NOW


@pytest.fixture
def url(database_url):
    """The address of an open, migrated database of each kind."""
    db.connect(database_url)
    schema.migrate()
    runtime_settings.forget()
    yield database_url
    db.disconnect()


class Rows:
    """Something to read that others change; `meanwhile` is called in the middle of the next read."""

    def __init__(self, value):
        self.value, self.reads, self.meanwhile = value, 0, None

    def read(self):
        """Return the value there was when the read began, as a database does."""
        found, self.reads = self.value, self.reads + 1
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return found


def test_a_read_that_a_change_overtakes_is_not_kept():
    rows = Rows("on")
    kept = Cached(rows.read)

    def change():
        rows.value = "off"
        kept.forget()

    rows.meanwhile = change
    assert kept.get() == "on", "it began before the change"
    assert kept.get() == "off" and rows.reads == 2
    assert kept.get() == "off" and rows.reads == 2


def test_a_slow_read_does_not_win_over_a_quick_one_that_began_later():
    rows = Rows("on")
    kept = Cached(rows.read)

    def change():
        rows.value = "off"
        kept.forget()
        assert kept.get() == "off"

    rows.meanwhile = change
    kept.get()
    assert kept.get() == "off"


def test_it_is_read_again_after_its_time():
    rows, now = Rows(1), [0]
    kept = Cached(rows.read, lambda: now[0])
    assert [kept.get(), kept.get()] == [1, 1] and rows.reads == 1
    rows.value, now[0] = 2, CACHE_S + 1
    assert kept.get() == 2


def in_another_thread(work):
    """Return what `work()` returns in a thread of its own."""
    found = []

    def run():
        found.append(work())
        db.leave()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return found[0]


def test_a_setting_read_before_its_change_is_committed_is_forgotten_with_the_commit(url):
    runtime_settings.put("PAUSED", "no", now=NOW)
    with db.transaction():
        runtime_settings.put("PAUSED", "yes", now=NOW)
        assert in_another_thread(lambda: runtime_settings.get("PAUSED")) == "no", "nothing is committed yet"
    assert in_another_thread(lambda: runtime_settings.get("PAUSED")) == "yes"


def test_a_setting_that_was_not_kept_after_all_is_forgotten_too(url):
    runtime_settings.put("PAUSED", "no", now=NOW)
    with pytest.raises(ZeroDivisionError), db.transaction():
        runtime_settings.put("PAUSED", "yes", now=NOW)
        assert runtime_settings.get("PAUSED") == "yes"
        raise ZeroDivisionError
    assert runtime_settings.get("PAUSED") == "no"


class Interrupted:
    """The admins' changes, with something happening in the middle of the next look at them."""

    version = staticmethod(overrides.version)
    meanwhile = None

    def in_force(self):
        """Return what counts when the look begins."""
        found, meanwhile, self.meanwhile = overrides.in_force(), self.meanwhile, None
        if meanwhile:
            meanwhile()
        return found


def test_a_model_switched_off_while_the_catalogue_is_read_is_off_at_the_next_question(url):
    rows = Interrupted()
    live_catalogue = LiveCatalogue(ROOT / "data" / "models.json", Clock(), callbacks=False, rows=rows)
    name = next(iter(live_catalogue.catalog().models))

    def switch_off():
        overrides.put(f"model:{name}", "off", True, now=NOW)
        live_catalogue.forget()

    overrides.put("all", "markup", "2.5", now=NOW)  # so that the catalogue is made anew …
    live_catalogue.forget()
    rows.meanwhile = switch_off  # … and the model is switched off while it is
    assert name in live_catalogue.catalog().models
    assert name not in live_catalogue.catalog().models

"""A bot in this process between the local Telegram and the KIE stub, driven step by step with a given clock.

Everything goes over HTTP; nothing inside is patched. `pump()` does the work of the bot's threads in this thread until
nothing is left to do.
"""

import logging
import random
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import requests  # noqa: E402

import bot as main  # noqa: E402
from core.process.loops import Clock  # noqa: E402
from core.process.web import Web  # noqa: E402
from core.registration_checks import one_of  # noqa: E402
from demo import kit  # noqa: E402
from storage.base import db  # noqa: E402

TOKEN = "1:DEMO-token-of-no-use-anywhere"
BOSS = 5000000900  # the id in ADMIN_IDS
NOON = "2026-11-22 12:00"
# Periodic work that a test has to ask for: many calls at a first start, a warning of databases in memory, all the books
NOT_BY_ITSELF = {"profile", "disk", "proof"}
LAST = ("events", "outbox")  # the loops that tell what the others have caused
# How the log says that a handler, a listener or a queued message of a plugin's has failed
FAILED = {
    "update": re.compile(r"update (\d+) (?:could not be handled|was set aside|\(\w+\) ended in silence)"),
    "listener": re.compile(r"listener (\S+) failed on event \d+"),
    "message": re.compile(r"message (\d+) \(\S+\) cannot be sent as it is"),
}


class FrozenClock(Clock):
    """A clock that moves only when it is told to, and takes the two servers with it."""

    def __init__(self, telegram, kie, start=NOON):
        self._servers, self._followers = (telegram, kie), []
        self._now = datetime.fromisoformat(start).replace(tzinfo=UTC)
        self._tell()

    def now(self):
        """Return the time."""
        return self._now

    def monotonic(self):
        """Return the time as seconds."""
        return self._now.timestamp()

    def sleep(self, seconds):
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._tell()

    forward = sleep

    def follow(self, control, ahead_s=0):
        """Set another server's clock together with this one: `control` has `freeze(seconds)`, as payment providers' have.

        A clock that is wrong is `ahead_s` seconds ahead.
        """
        self._followers.append((control, ahead_s))
        control.freeze(self._now.timestamp() + ahead_s)

    def _tell(self):
        telegram, kie = self._servers
        telegram.set_time(self._now.timestamp())
        kie.freeze(self._now.timestamp())
        for control, ahead_s in self._followers:
            control.freeze(self._now.timestamp() + ahead_s)


class Failures(logging.Handler):
    """Notes what the log says has failed, an update once: a person reads at most that something went wrong."""

    def __init__(self, failures):
        super().__init__(logging.ERROR)
        self._failures, self._updates = failures, set()

    def emit(self, record):
        """Note a record that says so, as (kind, error)."""
        words = record.getMessage()
        for kind, said in FAILED.items():
            found = said.match(words)
            if found and (kind, found[1]) not in self._updates:
                self._updates |= {(kind, found[1])} if kind == "update" else set()
                self._failures.append((kind, record.exc_info[1] if record.exc_info else AssertionError(words)))


@contextmanager
def untold():
    """Leave out of the log what is not translated: to publish the commands is to show all of them."""

    def is_told(record):
        """Return whether a record is about anything else."""
        return not record.getMessage().startswith("no text ")

    logging.getLogger("core.texts").addFilter(is_told)
    try:
        yield
    finally:
        logging.getLogger("core.texts").removeFilter(is_told)


class Running:
    """A started bot with its people.

    Names in capitals are settings; `plugins`, `texts` and `models` are folders or files to use in place of the house's.
    """

    def __init__(self, telegram, kie, url, *, now=NOON, **more):
        self.telegram, self.kie, self.url = telegram, kie, url
        self.clock = FrozenClock(telegram, kie, now)
        self.environ = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": telegram.url,
            "KIE_STUB": "1",
            "KIE_API_URL": kie.url,
            "KIE_UPLOAD_URL": f"{kie.url}/upload",
            "KIE_API_KEY": "stub-key",
            "ADMIN_IDS": str(BOSS),
            "DATABASE_URL": url,
            "USD_RATE": "90",
            "TIME_ZONE": "UTC",
            "TRANSFER_DETAILS": "Test Bank 0000 1111",
            "WELCOME_RUNS": "0",  # what orders cost is what most tests are about
        } | {name: value for name, value in more.items() if name.isupper()}
        self._parts = {name: value for name, value in more.items() if name.islower()}
        self.left_out = set(NOT_BY_ITSELF)  # periodic work that a test has to ask for: `bot.left_out.clear()`
        self.failures, self._resting = [], {}  # (kind, error), see `failed`; work → the time before which it pauses
        self._failures = Failures(self.failures)
        self._asked = {name for name in more if name.isupper()}
        self.start()

    def start(self):
        """Build the bot on the existing database, as a new process would."""
        self.runtime = main.build(self.environ, self.clock, threads=0, rng=random.Random(1), **self._parts)
        self.bot = self.runtime.bot
        for name in self._asked:
            one_of("setting", name, self.bot.settings.declared)
        self._asked = set()  # a later start may be without a plugin
        logging.getLogger("core").addHandler(self._failures)
        main.open_storage(self.bot.settings, self.bot.tables, self.bot.texts)
        with untold():
            self.runtime.introduce()
            self.runtime.introduce_staff()
        self.runtime.recover()
        self.telegram.pump = self.pump

    def restart(self, **settings):
        """Kill the bot (nothing in memory survives) and start it again, with these settings changed."""
        self.stop()
        self.environ |= settings
        self._asked = set(settings)
        self.start()

    def stop(self):
        """Abandon the bot, as a kill would."""
        self.telegram.pump = lambda: None
        logging.getLogger("core").removeHandler(self._failures)
        self.bot.sender.transport.close()
        self.bot.generation.client.close()
        db.disconnect()

    def user(self, name="Alice", **fields):
        """Return a person."""
        return self.telegram.person(name, **{"language_code": "en"} | fields)

    def admin(self):
        """Return the admin, who has opened the bot."""
        boss = self.telegram.person("Boss", id=BOSS, language_code="en")
        boss.send("/start")
        return boss

    def rich(self, name="Alice", amount="1000", **fields):
        """Return a person with money, credited by the admin."""
        person = self.user(name, **fields)
        person.send("/start")
        user = self.bot.users.by_telegram_id(person.id)
        now = self.clock.now()
        key = f"test:{user.id}:{amount}"
        self.bot.ledger.post(user.id, int(amount) * 100, kind="admin", key=key, now=now, reason="test money")
        return person

    def balance(self, person):
        """Return a person's balance in kopecks, as the ledger has it."""
        user = self.bot.users.by_telegram_id(person.id)
        return self.bot.ledger.balance(user.id) if user else 0

    def call(self, path, body=b"", method="POST", **headers):
        """Call an endpoint of the port as another service does; return the response (of `requests`)."""
        web = Web("127.0.0.1", 0, self.clock, "test")
        web.runtime = self.runtime
        try:
            return requests.request(
                method, f"http://127.0.0.1:{web.port}{path}", data=body, headers=headers, timeout=10
            )
        finally:
            web.close()

    def pump(self):
        """Do everything that is due now, until nothing is left."""
        periodic = {name for _seconds, name, _work in self.bot.periodic}
        for number in range(50):
            self._handle_updates(is_first=number == 0)
            before = self.telegram.call_count
            for loop in sorted(self.runtime.loops, key=lambda loop: loop.name in LAST and 1 + LAST.index(loop.name)):
                if loop.name in periodic:
                    self._attempt(loop)
                elif loop.name not in ("fetch", "inbox"):
                    loop.step(self.clock.now())
            if self.telegram.call_count == before:
                return
        raise AssertionError("the bot finds no rest")

    def _handle_updates(self, is_first):
        """Fetch and handle until nothing comes; the last fetch tells Telegram what has been taken."""
        updates = self.runtime.updates
        for number in range(50):
            came = (is_first or number > 0 or self.telegram.pending) and updates.fetch(wait_s=0)
            done = updates.express.run_waiting() + updates.executor.run_waiting()
            updates.forget_finished()
            if not (came or done):
                return
        raise AssertionError("updates do not end")

    def _attempt(self, loop):
        """Do a plugin's periodic work as the running bot does: what it raises is logged and told, and it pauses then."""
        if loop.name not in self.left_out and self.clock.monotonic() >= self._resting.get(loop.name, 0):
            failures = loop.failures
            loop.attempt()
            if loop.failures > failures:
                self.failures.append((loop.name, loop.error))
            self._resting[loop.name] = self.clock.monotonic() + loop.pause_s

    def failed(self, what):
        """Return the errors of `what`, oldest first, and forget them; errors that are not asked for fail the test.

        `what` is "update" (its handler raised, or said nothing), "listener", "message" (queued by `notify`, and cannot
        be sent as it is), or the name of periodic work.
        """
        one_of("kind of failure or periodic work", what, {*FAILED, *(name for _s, name, _work in self.bot.periodic)})
        errors = [error for each, error in self.failures if each == what]
        self.failures[:] = [one for one in self.failures if one[0] != what]
        return errors

    def forward(self, seconds, step=5):
        """Let time pass in steps, with the bot working meanwhile."""
        while seconds > 0:
            self.clock.forward(min(step, seconds))
            seconds -= step
            self.pump()

    def days_pass(self, days, step=86400):
        """Let days pass without what has no part in most tests, the weekly comparison with KIE; `step` in seconds."""
        self.left_out.add("supply")
        self.forward(days * 86400, step)


def png(text="test", size=(320, 240)):
    """Return a small PNG whose pixels depend on `text`."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", size, tuple(random.Random(text).randbytes(3))).save(stream, "PNG")
    return stream.getvalue()


__all__ = ["BOSS", "FrozenClock", "NOON", "ROOT", "Running", "TOKEN", "kit", "png"]

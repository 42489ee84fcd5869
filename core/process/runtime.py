"""The running bot: the intake of updates and every loop, started together and stopped within a platform's limits."""

import logging
import time
import traceback

from core.handling import rights
from core.handling.dispatch import Dispatcher
from core.log import hide
from core.process import clustered_intake, outbox_worker
from core.process.loops import Loop, Paced
from core.services import apology
from core.telegram import webhook
from core.telegram.intake import Updates
from storage.base.db import StorageDown
from storage.journal import drafts, events, inbox, outbox, own_texts, runtime_settings
from storage.money import seals
from storage.orders import claims, health
from storage.people import users

log = logging.getLogger(__name__)
GOODBYE_S, DRAIN_S, CLOSE_S = 1, 4, 3  # of the 10 s a platform leaves between SIGTERM and SIGKILL
WEBHOOK_LOOK_S = 60
FAILURES_TOLD = 3  # in a row, until the staff is told; the work is still retried
WOKEN = {"outbox", "events", "poller", "talk", "delivery"}  # when an update has written something


class Runtime:
    """Runs one bot once; a later term of leadership gets another."""

    def __init__(self, bot, threads=128):
        self.bot = bot
        self.status = bot.status
        self.status.threaded = bool(threads)
        self.shares = bot.settings["BOT_MODE"] == "webhook" and not bot.settings["DATABASE_URL"].startswith("sqlite")
        dispatcher = Dispatcher(bot)
        bot.hand_over = dispatcher.hand_over
        self.updates = (clustered_intake.Shared if self.shares else Updates)(
            bot.sender,
            dispatcher.dispatch,
            bot.clock,
            self.status,
            threads=threads,
            kinds=bot.kinds(),
            set_aside=self._apologise,
            done=lambda: self._inbox.wake(),
            can_write=self.can_write,
        )
        self.status.claims_as = self.updates.name if self.shares else None
        self.follow_plugins()
        self.loops = self._make_loops()
        self._inbox = next(loop for loop in self.loops if loop.name == "inbox")
        woken = [loop for loop in self.loops if loop.name in WOKEN | bot.woken]
        bot.wake = lambda: [loop.wake() for loop in woken]

    def follow_plugins(self):
        """Ask Telegram for the updates that plugins handle now, and record the events that they listen to."""
        self.updates.kinds = self.bot.kinds()
        events.hear(self.bot.listeners)

    def periodic_loop(self, seconds, name, work):
        """Return a loop, not yet started, for periodic work."""
        step = (lambda now: work(self.bot, now)) if seconds < 60 else Paced(lambda now: work(self.bot, now), seconds)
        return Loop(name, step, seconds, self.bot.clock, failed=self._tell_of_failure)

    def _tell_of_failure(self, loop):
        """Tell the staff of periodic work that keeps failing, unless the database is down."""
        if loop.failures == FAILURES_TOLD and not isinstance(loop.error, StorageDown):
            reason = hide("".join(traceback.format_exception(loop.error)), self.bot.settings.secrets())
            code = self.bot.error_reports.keep(reason, self.bot.clock.now())
            self.bot.alert("common.alert_work", cause=f"work:{loop.name}", name=loop.name, code=code)

    def _make_loops(self):
        bot, generation = self.bot, self.bot.generation

        def loop(name, step, every_s, rest_s=0):
            return Loop(name, step, every_s, bot.clock, rest_s)

        adopt = (lambda now: clustered_intake.look(self, now)) if self.shares else self.updates.adopt
        loops = [
            loop("webhook", self.ensure_webhook, WEBHOOK_LOOK_S),
            loop("inbox", self.updates.tidy, 0.5, rest_s=0.05),
            loop("adopt", adopt, clustered_intake.LOOK_S if self.shares else 2),
            loop("write test", Paced(lambda now: self.can_write(now) and None, 15), 15),
            loop("hanging", self.updates.unstick, 15),
            loop("outbox", outbox_worker.OutboxWorker(bot).step, 1),
            loop("events", lambda now: outbox_worker.run_events(bot, now), 1),
            loop("poller", generation.poller.step, 0.25),
            loop("talk", generation.talk.step, 0.5),
            loop("delivery", generation.delivery.step, 0.5),
            loop("watchdog", generation.settle_overdue, 10),
            loop("pause", generation.check_pause, 30),
            loop("seals", Paced(seals.Sealer().step, 60), 60),
            loop("drafts", Paced(lambda now: drafts.drop_expired(now) and None, 600), 600),
        ]
        if self.shares:
            loops.append(loop("claims", lambda now: clustered_intake.renew(self, now), clustered_intake.RENEW_S))
        if bot.settings["BOT_MODE"] == "polling":
            loops[0] = loop("fetch", self.updates.fetch, 0)
        return loops + [self.periodic_loop(*each) for each in bot.periodic]

    def ensure_webhook(self, now):
        """Make Telegram send updates as BOT_MODE says."""
        webhook.ensure(self.bot, self.updates.kinds, now)

    def can_write(self, now=None):
        """Return whether a row can be written now, and remember it for /health."""
        now = now or self.bot.clock.now()
        try:
            health.try_write(now)
        except StorageDown as error:
            log.error("the database cannot be written: %s", error)
            self.status.unwritable = True
            return False
        self.status.wrote_at, self.status.unwritable = now, False
        return True

    def _apologise(self, update, reason):
        """Apologise for an update that was set aside, with a code for its `reason`, and alert the staff."""
        bot, now = self.bot, self.bot.clock.now()
        code = bot.error_reports.keep(hide(reason, bot.settings.secrets()), now)
        log.error("update %s was set aside; /error %s shows why", update["update_id"], code)
        body = next((value for value in update.values() if isinstance(value, dict)), {})
        user = users.by_telegram_id(body["from"]["id"]) if "from" in body else None
        unique = f"aside:{update['update_id']}"
        if "callback_query" in update and "id" in body:
            bot.call_quietly("answerCallbackQuery", callback_query_id=body["id"])
        if user is not None:
            apology.send(bot, user, update, unique=unique, now=now, code=code)
        bot.alert("common.alert_aside", cause="aside", update=update["update_id"], code=code)

    def _call(self, works):
        """Call what plugins have registered for the start or the end; an error in one does not affect the others."""
        for work in works:
            try:
                work(self.bot)
            except Exception:  # whatever it is, the others are called, and the bot goes on
                log.exception("%s of %s failed", work.__qualname__, work.__module__)

    def introduce(self):
        """Learn the bot's name from Telegram, and publish the commands in every language, and the owners'."""
        self.bot.username = self.bot.sender.call("getMe")["username"]
        rights.publish_commands(self.bot)

    def introduce_staff(self):
        """Publish the staff's commands, and those in the operator's own words: both are in the database."""
        if self.bot.texts.words():
            rights.publish_commands(self.bot)
        rights.publish_staff_commands(self.bot)

    def recover(self):
        """Pick up what a previous run has left: updates, then jobs."""
        left = self.updates.recover()
        outbox.again(self.bot.clock.now())
        jobs = self.bot.generation.recover()
        log.info("recovered %d updates and %d jobs", left, jobs)

    def start(self, leads=True):
        """Start every loop or, unless it `leads`, those of a copy that works beside the leader (`clustered_intake`)."""
        self.bot.settings.stored, self.bot.texts.words = runtime_settings.get, own_texts.in_force
        self.status.leads, self.status.works = leads, True
        self.status.leads_since = self.status.wrote_at = self.bot.clock.now()
        self._call(self.bot.starts)
        for loop in self.loops:
            if leads or loop.name in clustered_intake.LOOPS:
                loop.start()

    def stop(self, leads=True):
        """Stop fetching, let what was accepted finish, and end within the time a platform allows.

        A copy that has lost the lead says nothing to Telegram: another one may be fetching already.
        """
        self.status.stopping.set()
        for loop in self.loops:
            loop.stop()
        self.updates.end()
        if leads:
            self.updates.say_goodbye()
            self.loops[0].join(GOODBYE_S)
            self.updates.say_goodbye()
        end = time.monotonic() + DRAIN_S
        self.updates.executor.drain(DRAIN_S)
        loops = self.loops if leads else self.loops[1:]  # nobody has ended its long poll, which may take a while
        cut = [loop.name for loop in loops if not loop.join(max(0, end - time.monotonic()))]
        if cut:
            log.warning("ended in the middle of: %s", ", ".join(cut))
        self.updates.executor.close()
        self.updates.express.close()
        self._call(self.bot.stops)
        self.bot.generation.close(CLOSE_S)
        try:
            self.updates.forget_finished()
            if self.shares:
                claims.release(self.updates.name)
            left = inbox.oldest_wait()
        except StorageDown as error:
            log.warning("stopped without the database: %s", error)
        else:
            log.info("stopped; %s", "updates are left for the next start" if left else "nothing is left to do")

"""The intake: updates are fetched or received, written to the inbox, and only then handed to the lanes.

The next offset is requested only after the rows are committed, so Telegram forgets an update only once we have it; a
webhook's post is answered only after its row is written. What a previous run has left is handled first, with its
attempts counted, so that an update that kills the process is found and set aside after three. While the bot runs, rows
that another process wrote (a standby copy that received a webhook's post, or one that ended) are picked up too.
"""

import collections
import json
import logging
import threading
import traceback

from core.errors import SaidAlready
from core.telegram import senders, update_validation
from core.telegram.chat_executor import ChatExecutor
from core.telegram.transport import TelegramFailed, UnknownOutcome
from core.telegram.update_validation import EXPRESS, lane_of
from storage.base.db import StorageDown, leave
from storage.journal import inbox
from storage.people import users

log = logging.getLogger(__name__)
LONG_POLL_S = 50  # the server caps the wait at 50 s (tdlib/telegram-bot-api, LONG_POLL_MAX_TIMEOUT)
CONFLICT_WAITS_S = (1, 2, 5, 10, 20, 30)
RETRY_WAITS_S = (0.3, 1.0)
HANGING_S = 300  # longer than a handler can ever wait for Telegram
EXPRESS_THREADS = 4  # for pre-checkouts alone, which must be answered within 10 s
REMEMBERED = 10_000  # handled updates; Telegram repeats one whose confirmation it did not get
DATABASE_WAITS_S = (1, 2, 5, 10, 20)  # at least this long, and until a row can be written
GOODBYE_S = 2  # for telling Telegram what we hold before the process ends


class Updates:
    """The intake of all updates, polled or by webhook."""

    def __init__(self, sender, dispatch, clock, status, *, threads, kinds, set_aside, done, can_write):
        self._sender = sender
        self._dispatch = dispatch
        self.executor = ChatExecutor(self.process, threads, clock.monotonic, lambda: sender.transport.pause_s, leave)
        self.express = ChatExecutor(self.process, min(threads, EXPRESS_THREADS), clock.monotonic, leave=leave)
        self._clock = clock
        self._status = status
        self.kinds = kinds
        self._set_aside = set_aside
        self._threads = threads
        self._offset = self._told = None  # the offset to ask for next, and the one Telegram was told as a goodbye
        self._finished = []
        self._done = done  # called after each update: its row can go
        self._can_write = can_write  # tells whether a row can be written now
        self._in_hand = set()  # ids of updates in the lanes
        self._handled = collections.OrderedDict()  # ids of the last ones handled
        self._guard = threading.Lock()
        self._troubles = 0
        self._ending = False

    def fetch(self, _now=None, wait_s=LONG_POLL_S):
        """Ask Telegram for updates once and take them in; return False if there were none."""
        self.forget_finished()
        try:
            updates = self._sender.call(
                "getUpdates", offset=self._offset, limit=100, timeout_s=wait_s, allowed_updates=self.kinds, wait=False
            )
        except TelegramFailed as error:
            self._trouble(error)
            return True
        self._troubles = 0
        self._status.fetched_at, self._status.refused = self._clock.now(), False
        self.accept(updates)
        ids = [each["update_id"] for each in updates if isinstance(each, dict) and type(each.get("update_id")) is int]
        if ids:
            self._offset = ids[-1] + 1
        elif updates:
            self._trouble(UnknownOutcome("updates without a number"))
        return bool(updates)

    def _trouble(self, error):
        """Wait before the next try: conflicts, flood limits and broken networks pass by themselves."""
        if self._ending:  # our own goodbye ends the poll under way
            return
        wait = CONFLICT_WAITS_S[min(self._troubles, len(CONFLICT_WAITS_S) - 1)]
        wait = max(wait, getattr(error, "retry_after", None) or 0)
        self._troubles += 1
        if getattr(error, "code", None) == 409:
            self._status.conflict_at = self._clock.now()
            taken = "a webhook was set" if "webhook" in error.description else "updates are fetched"
            log.warning(
                "%s with this token by another program; give it a token of its own, or stop it. Trying again in %s s",
                taken,
                wait,
            )
        elif getattr(error, "code", None) == 401:
            self._status.refused = True
            log.error("Telegram refuses this bot token; trying again in %s s", wait)
        else:
            log.warning("updates could not be fetched (%s); trying again in %s s", error, wait)
        self._clock.sleep(wait)

    def accept(self, updates):
        """Write raw updates to the inbox, then hand them to their lanes; already seen updates are ignored."""
        admitted = update_validation.admit(updates, self._refused)
        fresh = self._take([update for update, _lane, _body in admitted])
        if not fresh:
            return
        try:
            store(admitted, self._clock.now())
        except BaseException:  # whatever it was, it is raised again: Telegram will send them again
            self._let_go(fresh)
            raise
        if self._ending:
            self._let_go(fresh)
        else:
            self._meet(fresh)
            self._enqueue(fresh)

    def _meet(self, updates):
        """Make users of all newcomers at once: one by one, each would wait for the disk."""
        try:
            users.meet(senders.newcomers(updates) if len(updates) > 1 else [], self._clock.now())
        except Exception as error:  # whatever it is, it meets each of them again in their own update
            log.warning("newcomers could not be stored together: %r", error)

    def _refused(self):
        self._status.outcomes["unreadable"] += 1

    def _take(self, updates):
        """Return the updates that are new to this process, and note them as in hand."""
        with self._guard:
            fresh = [update for update in updates if not self._is_known(update["update_id"])]
            self._in_hand.update(update["update_id"] for update in fresh)
            return fresh

    def _opened(self, update_id, body):
        """Return a row's update; set an unreadable one aside and return None, so that it cannot stop a start."""
        try:
            return update_validation.read(json.loads(body))[0]
        except (ValueError, RecursionError) as error:
            self._put_aside(update_id, {"update_id": update_id}, f"It cannot be read: {error}")
            return None

    def _is_known(self, update_id):
        return update_id in self._in_hand or update_id in self._handled

    def _let_go(self, updates):
        with self._guard:
            self._in_hand.difference_update(update["update_id"] for update in updates)

    def _enqueue(self, updates):
        for update in updates:
            self._put(lane_of(update), (update["update_id"], update))

    def _put(self, lane, item):
        (self.express if lane >= EXPRESS else self.executor).put(lane, item)

    def adopt(self, _now=None):
        """Pick up the rows that another process has left in the inbox."""
        waiting = inbox.ids()
        with self._guard:
            foreign = [update_id for update_id in waiting if not self._is_known(update_id)]
        if foreign and not self._ending:
            found = [self._opened(row.update_id, row.body) for row in inbox.get(foreign[:100])]
            self._enqueue(self._take([update for update in found if update is not None]))

    def process(self, item):
        """Handle one update in its lane; an error is tried again twice, then the update is set aside."""
        try:
            self._until_handled(*item)
        except StorageDown as error:  # not the update's fault: its row stays, and is picked up when rows can be read
            log.warning("update %s is left for later: %s", item[0], error)
            self._let_go([item[1]])

    def _until_handled(self, update_id, update):
        waits, patience, said = iter(RETRY_WAITS_S), iter(DATABASE_WAITS_S), None
        while True:
            try:
                self._dispatch(update)
            except StorageDown as error:
                self._wait_for_storage(update_id, error, next(patience, DATABASE_WAITS_S[-1]))
            except Exception as error:  # whatever a handler raises past its wrapper; the update stays
                same, said = said == repr(error), repr(error)
                # one traceback per error
                log.error("update %s could not be handled: %s", update_id, said, exc_info=not same)
                wait_s = None if isinstance(error, SaidAlready) else next(waits, None)
                if not self._wait_after_failure(update_id, update, traceback.format_exc(), wait_s):
                    return
            else:
                self._finish(update_id)
                return

    def _wait_after_failure(self, update_id, update, reason, wait_s):
        """Count a failed attempt; wait for the next one, or set the update aside and return False."""
        if inbox.attempt(update_id) >= inbox.MAX_ATTEMPTS or wait_s is None:
            self._put_aside(update_id, update, reason)
            return False
        with self.executor.aside():
            self._clock.sleep(wait_s)
        return True

    def _finish(self, update_id):
        """Queue the row of a handled update to be deleted soon, together with others."""
        with self._guard:
            self._finished.append(update_id)
        self._done()

    def _wait_for_storage(self, update_id, error, at_least_s):
        """Hold an update's chat until a row can be written: it is not the update's fault that the database is down.

        So a handler does not repeat every second what it sent before its failed write. If the bot ends meanwhile, raise
        the error.
        """
        log.warning("update %s waits for the database: %s", update_id, error)
        waited_s = 0
        with self.executor.aside():
            while not self._ending and (waited_s < at_least_s or not self._can_write()):
                self._clock.sleep(1)
                waited_s += 1
        if self._ending:
            raise error

    def unstick(self, _now=None):
        """Free the chats whose update hangs; it is tried again, and set aside after the third time."""
        for pool in (self.executor, self.express):
            for lane, (update_id, update) in pool.give_up(HANGING_S):
                log.error("update %s has hung for over %s s", update_id, HANGING_S)
                if inbox.attempt(update_id) >= inbox.MAX_ATTEMPTS:
                    self._put_aside(update_id, update, f"It hung for over {HANGING_S} s, three times.")
                else:
                    pool.put(lane, (update_id, update))

    def recover(self):
        """Handle what a previous run has left; return how many updates there were.

        Updates that were interrupted for the first time go to the lanes, so that a new leader is soon at work. If one
        of them kills the process, the next start handles those that are left one at a time, and so finds it.
        """
        found = [(row, self._opened(row.update_id, row.body)) for row in inbox.left()]
        left = [(row, update) for row, update in found if update is not None]
        self._take([update for _row, update in left])  # Telegram may send them again: it was not told that we have them
        for row, update in left:
            if row.attempts == 0:
                continue
            if inbox.attempt(row.update_id) > inbox.MAX_ATTEMPTS:
                self._put_aside(row.update_id, update, "The process ended while this update was handled, three times.")
            else:
                self.process((row.update_id, update))
        fresh = [update for row, update in left if row.attempts == 0]
        inbox.attempt_all([update["update_id"] for update in fresh])
        self._enqueue(fresh)
        if not self._threads:
            self.executor.run_waiting()
        self.forget_finished()
        return len(left)

    def _put_aside(self, update_id, update, reason):
        """Tell the people concerned, then set the row aside; in the other order, a crash could keep it a secret."""
        try:
            self._set_aside(update, reason)
        except StorageDown:
            raise
        except Exception:  # whatever an odd update raises here, its row must go out of the way
            log.exception("nobody could be told that update %s is set aside", update_id)
        inbox.set_aside(update_id)
        self._note_handled([update_id])

    def tidy(self, _now=None):
        """Delete the rows of handled updates, and make sure that the lanes have the threads they need."""
        self.executor.grow()
        self.forget_finished()

    def forget_finished(self):
        """Delete the rows of handled updates, many at once."""
        with self._guard:
            finished, self._finished = self._finished, []
        if not finished:
            return
        try:
            inbox.done(finished)
        except BaseException:  # whatever it was, it is raised again: the rows are deleted the next time
            with self._guard:
                self._finished += finished
            raise
        self._note_handled(finished)

    def _note_handled(self, update_ids):
        with self._guard:
            self._in_hand.difference_update(update_ids)
            self._handled.update(dict.fromkeys(update_ids))
            while len(self._handled) > REMEMBERED:
                self._handled.popitem(last=False)

    def end(self):
        """Stop waiting for the database or Telegram: what is not done is left for the next start."""
        self._ending = True

    def say_goodbye(self):
        """Tell Telegram what we have, so that the next copy does not get it again; this also ends a running poll."""
        if self._offset in (None, self._told):
            return
        asking = threading.Thread(target=self._confirm, name="goodbye", daemon=True)
        asking.start()
        asking.join(GOODBYE_S)

    def _confirm(self):
        try:
            offset = self._offset
            self._sender.call("getUpdates", offset=offset, limit=1, timeout_s=0, wait=False)
            self._told = offset
        except TelegramFailed as error:
            log.info("Telegram could not be told what was handled: %s", error)


def keep(updates, now):
    """Write raw updates to the inbox, as a standby copy does with a webhook's posts."""
    store(update_validation.admit(updates), now)


def store(admitted, now):
    """Write updates from `update_validation.admit` to the inbox, in one transaction."""
    rows = [(update["update_id"], lane, body) for update, lane, body in admitted]
    if rows:
        inbox.store(rows, now)

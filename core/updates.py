"""Updates on their way in: fetched or received, written to the inbox, and only then handed to the lanes.

The next offset is asked for after the rows are committed, so Telegram forgets an update only when we keep it.
What a former run left is handled first, one at a time and with its attempts counted, so that an update that kills
the process is found and set aside after three.
"""

import json
import logging
import threading

from core.lanes import Lanes
from core.sender import TelegramError
from core.transport import NotSent, UnknownOutcome
from storage import inbox

log = logging.getLogger(__name__)
LONG_POLL_S = 50  # the server caps the wait at 50 s (tdlib/telegram-bot-api, LONG_POLL_MAX_TIMEOUT)
CONFLICT_WAITS_S = (1, 2, 5, 10, 20, 30)
RETRY_WAITS_S = (0.3, 1.0)
HANGING_S = 300  # longer than the longest wait a handler can have for Telegram
EXPRESS_THREADS = 4  # for pre-checkouts alone, which must be answered within 10 s


class Updates:
    """The one door for updates, polled or by webhook."""

    def __init__(self, sender, handle, clock, *, threads, kinds, set_aside):
        self._sender = sender
        self._handle = handle
        self.lanes = Lanes(self.work, threads, clock.monotonic)
        self.express = Lanes(self.work, min(threads, EXPRESS_THREADS), clock.monotonic)
        self._clock = clock
        self._kinds = kinds
        self._set_aside = set_aside
        self._offset = None
        self._finished = []
        self._recovered = set()
        self._guard = threading.Lock()
        self._troubles = 0
        self.fetched_at = None

    def fetch(self, _now=None, wait_s=LONG_POLL_S):
        """Ask Telegram for updates once and take them in; return whether there were any."""
        self.forget_finished()
        try:
            updates = self._sender.call(
                "getUpdates",
                offset=self._offset,
                limit=100,
                timeout_s=wait_s,
                allowed_updates=self._kinds,
                wait=False,
            )
        except (TelegramError, NotSent, UnknownOutcome) as error:
            self._trouble(error)
            return True
        self._troubles = 0
        self.fetched_at = self._clock.now()
        self.accept(updates)
        if updates:
            self._offset = updates[-1]["update_id"] + 1
        return bool(updates)

    def _trouble(self, error):
        """Wait before the next try: a conflict, a flood limit and a broken network pass by themselves."""
        wait = CONFLICT_WAITS_S[min(self._troubles, len(CONFLICT_WAITS_S) - 1)]
        wait = max(wait, getattr(error, "retry_after", None) or 0)
        self._troubles += 1
        if getattr(error, "code", None) == 409:
            log.warning("another program fetches updates with this token (or a webhook is set); trying again in %s s", wait)
        elif getattr(error, "code", None) == 401:
            log.error("Telegram refuses this bot token; trying again in %s s", wait)
        else:
            log.warning("updates could not be fetched (%s); trying again in %s s", error, wait)
        self._clock.sleep(wait)

    def accept(self, updates):
        """Write raw updates to the inbox, then hand them to their lanes."""
        fresh = [update for update in updates if update["update_id"] not in self._recovered]
        if not fresh:
            return
        rows = [(update["update_id"], lane_of(update), json.dumps(update, ensure_ascii=False)) for update in fresh]
        inbox.store(rows, self._clock.now())
        for update, (update_id, lane, _body) in zip(fresh, rows, strict=True):
            pool = self.express if "pre_checkout_query" in update else self.lanes
            pool.put(lane, (update_id, update))

    def work(self, item):
        """Handle one update in its lane; an error is tried again twice, then the update is set aside."""
        update_id, update = item
        for wait in (*RETRY_WAITS_S, None):
            try:
                self._handle(update)
            except Exception:  # whatever a handler raises past its wrapper; the traceback tells, the update stays
                log.exception("update %s could not be handled", update_id)
                if inbox.attempt(update_id) >= inbox.MAX_ATTEMPTS or wait is None:
                    self._put_aside(update_id, update)
                    return
                self._clock.sleep(wait)
            else:
                with self._guard:
                    self._finished.append(update_id)
                return

    def unstick(self, _now=None):
        """Free the chats whose update hangs; it is tried again, and set aside after the third time."""
        for pool in (self.lanes, self.express):
            for lane, (update_id, update) in pool.give_up(HANGING_S):
                log.error("update %s has hung for over %s s", update_id, HANGING_S)
                if inbox.attempt(update_id) >= inbox.MAX_ATTEMPTS:
                    self._put_aside(update_id, update)
                else:
                    pool.put(lane, (update_id, update))

    def recover(self):
        """Handle what a former run left, one at a time; return how many there were."""
        left = inbox.left()
        for row in left:
            self._recovered.add(row.update_id)  # Telegram may send it once more: it did not hear that we have it
            update = json.loads(row.body)
            if inbox.attempt(row.update_id) > inbox.MAX_ATTEMPTS:
                self._put_aside(row.update_id, update)
            else:
                self.work((row.update_id, update))
        self.forget_finished()
        return len(left)

    def _put_aside(self, update_id, update):
        inbox.set_aside(update_id)
        self._set_aside(update)

    def forget_finished(self, _now=None):
        """Delete the rows of handled updates, many at once."""
        with self._guard:
            finished, self._finished = self._finished, []
        if finished:
            inbox.done(finished)


def lane_of(update):
    """Return the lane of an update: its chat, or its sender."""
    for value in update.values():
        if isinstance(value, dict):
            if "chat" in value:
                return value["chat"]["id"]
            if "message" in value and "chat" in value["message"]:
                return value["message"]["chat"]["id"]
            if "from" in value:
                return value["from"]["id"]
    return 0

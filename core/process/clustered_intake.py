"""Several copies at work: in webhook mode on PostgreSQL every running copy handles updates and polls running orders.

A chat's oldest update, and each running order, belongs to the copy that has claimed it (`storage/orders/claims.py`). A
claim lasts LEASE and is renewed by a loop, never by the handler; a copy that dies, or cannot reach the database, loses
it to another. A handler that outlives its claim is not stopped: what it does is keyed and conditional, so money moves
once, but a message may be sent twice. In the end it finds that the update is no longer its own, and leaves the chat
alone.
"""

import logging
from datetime import timedelta

from core.telegram import update_validation
from core.telegram.intake import EXPRESS, HANGING_S, Updates, store
from storage.base.db import StorageDown
from storage.journal import inbox, runtime_settings
from storage.orders import claims

log = logging.getLogger(__name__)
# So that another copy can still answer a tap (Telegram allows about 15 s), or a pre-checkout (10 s; its claim is not renewed)
LEASE, RENEW_S, LOOK_S = timedelta(seconds=5), 1, 1
LOOPS = ("inbox", "adopt", "claims", "hanging", "poller", "write test")  # of a copy that is not the leader


class Shared(Updates):
    """The intake of a copy that shares the work; an item in a lane only says that there is something to claim."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.name = claims.new_name()
        self._called = set()  # lanes that wait for a thread
        self._held = {}  # lane → id of the update that is being handled
        self._left = set()  # ids of updates that wait for the database: released once it is back

    def accept(self, updates):
        """Write raw updates to the inbox, and queue their chats to be claimed by this copy."""
        fresh = [
            one for one in update_validation.admit(updates, self._refused) if one[0]["update_id"] not in self._handled
        ]
        store(fresh, self._clock.now())
        for lane in {lane for _update, lane, _body in fresh}:
            self._call(lane)

    def _call(self, lane):
        if lane not in self._called and not self._ending:
            self._called.add(lane)
            self._put(lane, lane)

    def adopt(self, now):
        """Queue the chats whose oldest update is unclaimed: it is new, or its copy has died."""
        if self._left and not self._can_write():
            return  # or a handler would repeat at every look what it sent before its failed write
        self._give_back()
        for lane in claims.waiting(now):
            self._call(lane)

    def recover(self):
        """Return how many updates wait; `adopt` queues them."""
        return len(inbox.ids())

    def renew(self, until):
        """Renew the claims in hand (but not pre-checkouts'), and release what had to wait for the database."""
        self._give_back()
        held = self._in_work()
        if held:
            claims.keep(self.name, held, until)

    def _in_work(self):
        return [*(held for lane, held in self._held.copy().items() if lane < EXPRESS), *self._finished]

    def _give_back(self):
        if left := self._left.difference(self._in_work()):
            claims.give_back(self.name, left)
            self._left -= left

    def process(self, lane):
        """Claim the oldest update of a lane and handle it; then queue the lane again, until it is empty."""
        self._called.discard(lane)
        update_id = None
        try:
            now = self._clock.now()
            found = None if self._ending else claims.claim(lane, self.name, now, now + LEASE)
            if found is not None:
                update_id = self._held[lane] = found.update_id
                self._left.discard(update_id)
                self._handle_claimed(found)
                self._call(lane)
        except StorageDown as error:  # not the update's fault: its row stays
            log.warning("update %s is left for later: %s", update_id, error)
            self._left.update({update_id} - {None, *self._finished})
        finally:
            if self._held.get(lane) == update_id:
                self._held.pop(lane, None)

    def _handle_claimed(self, found):
        update = self._opened(found.update_id, found.body)
        if update is None:
            return
        if found.update_id in self._handled:  # Telegram sent it again, having missed our first answer
            claims.done(found.update_id, self.name)
        elif found.attempts >= inbox.MAX_ATTEMPTS:
            self._put_aside(found.update_id, update, "It was cut three times: the process ended, or it hung.")
        else:
            self._until_handled(found.update_id, update)

    def _wait_for_storage(self, update_id, error, at_least_s):
        """Do not wait: while the database is down, our claim of the update may run out."""
        raise error

    def _finish(self, update_id):
        """Delete a handled update at once: until then nobody can handle the next one of its chat."""
        self._note_handled([update_id])
        try:
            if not claims.done(update_id, self.name):
                log.warning("update %s was taken over by another copy meanwhile", update_id)
        except StorageDown:
            with self._guard:
                self._finished.append(update_id)  # ours until `tidy` can delete it
            raise

    def unstick(self, _now=None):
        """Free the chats whose update hangs: its claim runs out, which counts as an attempt, and any copy may try."""
        for pool in (self.executor, self.express):
            for lane, _word in pool.give_up(HANGING_S):
                log.error("update %s has hung for over %s s", self._held.pop(lane, None), HANGING_S)


def look(runtime, now):
    """Pick up what other copies have left or changed; return whether there may be more.

    That is updates, orders, and everything cached from the rows.
    """
    runtime_settings.forget()
    runtime.bot.generation.look_again()
    runtime.updates.adopt(now)
    return runtime.bot.generation.take_over(now, now + LEASE)


def renew(runtime, now):
    """Renew all claims of this copy."""
    runtime.updates.renew(now + LEASE)
    runtime.bot.generation.keep(now + LEASE)

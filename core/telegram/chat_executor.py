"""The chat executor: a thread pool that works in order within a lane (a chat) and in parallel across lanes.

There are as many threads as can wait for the network at the same time: while one waits, that many others can compute,
one after the other; more threads would only contend for the GIL. They end after half a minute without work.
"""

import collections
import logging
import threading
import time
from contextlib import contextmanager

log = logging.getLogger(__name__)
IDLE_S = 30
STEADY = 4  # threads that are started in any case
STUCK_S = 0.5  # without any thread taking a new item
COMPUTE_S = 0.0005  # interpreter time that handling an update takes, roughly


class ChatExecutor:
    """A pool of threads that calls `handle(item)`, one item per lane at a time.

    `pause()` returns the recent minimum latency of a call, in seconds; a thread that ends calls `leave()`. With
    `threads=0` nothing runs by itself: `run_waiting()` handles what is queued in the calling thread.
    """

    def __init__(self, handle, threads=128, monotonic=time.monotonic, pause=lambda: 0, leave=lambda: None):
        self._handle = handle
        self._monotonic = monotonic
        self._running = {}  # a mark for each item being handled → (lane, item, since when)
        self._limit = threads
        self._lanes = {}  # lane → deque of items; there while the lane has work or is being worked on
        self._ready = collections.deque()  # lanes with work that no thread holds
        self._idle = 0
        self._count = 0
        self._aside = 0  # threads that wait for something other than Telegram
        self._pause, self._leave = pause, leave
        self._moved_at = monotonic()  # when a thread last took an item, or there was none
        self._closed = False
        lock = threading.Lock()
        self._work_came = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    def put(self, lane, item):
        """Add an item at the end of its lane."""
        with self._work_came:
            waiting = self._lanes.get(lane)
            if waiting is not None:
                waiting.append(item)
                return
            if not self._lanes:
                self._moved_at = self._monotonic()  # there was nothing to take
            self._lanes[lane] = collections.deque([item])
            self._ready.append(lane)
            self._employ()

    def _employ(self):
        """Wake an idle thread for the new work, or start one if the idle ones already have work waiting."""
        if len(self._ready) <= self._idle:
            self._work_came.notify()
        elif self._count < min(self._limit, STEADY + self._aside + self._pause() / COMPUTE_S):
            self._start()

    def _start(self):
        self._count += 1
        threading.Thread(target=self._serve_lanes, name=f"lane-{self._count}", daemon=True).start()

    @contextmanager
    def aside(self):
        """Allow one more thread during the block, in which the calling one only waits."""
        with self._work_came:
            self._aside += 1
            if self._ready and self._limit:
                self._employ()
        try:
            yield
        finally:
            with self._work_came:
                self._aside -= 1

    def grow(self):
        """If the threads are stuck in something other than calls to Telegram, start one for each waiting chat."""
        with self._work_came:
            if self._monotonic() - self._moved_at > STUCK_S:
                for _ in range(min(len(self._ready) - self._idle, self._limit - self._count)):
                    self._start()

    def run_waiting(self):
        """Handle everything queued, in this thread (for a pool without threads); return the number of items."""
        done = 0
        while self._ready:
            lane = self._ready.popleft()
            self._handle(self._lanes[lane].popleft())
            self._give_back(lane)
            done += 1
        return done

    def drain(self, timeout_s):
        """Wait until all work is done; return False if time ran out."""
        with self._emptied:
            return self._emptied.wait_for(lambda: not self._lanes, timeout_s)

    def close(self):
        """Let every thread end once it has nothing to do."""
        with self._work_came:
            self._closed = True
            self._work_came.notify_all()

    def _serve_lanes(self):
        while (found := self._take()) is not None:
            mark, lane, item = found
            try:
                self._handle(item)
            except Exception:  # handling has its own error wrapper; this keeps the thread alive if that fails
                log.exception("an item in lane %s failed outside its wrapper", lane)
            with self._work_came:
                if self._running.pop(mark, None) is None:  # it was given up as hanging: the lane has another thread
                    self._count -= 1
                    break
                self._give_back(lane)
        self._leave()

    def give_up(self, after_s):
        """Free the lanes of items that have been handled for over `after_s` seconds, and return those items.

        A thread can't be killed: it stays stuck, and another one takes over its lane.
        """
        with self._work_came:
            since = self._monotonic() - after_s
            hanging = [(mark, lane, item) for mark, (lane, item, at) in self._running.items() if at < since]
            for mark, lane, _item in hanging:
                del self._running[mark]
                self._give_back(lane)
            return [(lane, item) for _mark, lane, item in hanging]

    def _take(self):
        """Wait for work and return (mark, lane, item), or None if the thread is no longer needed."""
        with self._work_came:
            while not self._ready:
                self._idle += 1
                woken = not self._closed and self._work_came.wait(IDLE_S)
                self._idle -= 1
                if not woken and not self._ready:
                    self._count -= 1
                    return None
            lane = self._ready.popleft()
            mark, item = object(), self._lanes[lane].popleft()
            self._moved_at = self._monotonic()
            self._running[mark] = (lane, item, self._moved_at)
            if self._ready:
                self._employ()
            return mark, lane, item

    def _give_back(self, lane):
        """Queue a lane again behind the others, or forget it when it is empty."""
        if self._lanes[lane]:
            self._ready.append(lane)
            if self._limit:
                self._employ()
            return
        del self._lanes[lane]
        if self._limit and not self._lanes:
            self._emptied.notify_all()

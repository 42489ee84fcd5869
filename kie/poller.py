"""The poller: sends queued jobs to KIE and polls the running ones, with a few threads for any number of jobs.

It knows KIE and the clock, but not the database: it passes what it learns to `JobEvents`, which changes the rows
(`core/services/generation.py`). One heap decides which task is polled next; a job has neither a thread nor a sleep of its
own. Creates pass a sliding window of 20 per 10 s, KIE's limit (docs.kie.ai, Getting Started).
"""

import collections
import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Protocol

from kie.api.client import Client
from kie.api.errors import KieError, NotSent, Refused
from kie.api.task_response import Record, TaskState

log = logging.getLogger(__name__)
CREATES, WINDOW = 20, timedelta(seconds=10)
EARLY = 0.25  # of the usual time: one poll for an early failure
LEAD, LEAD_S = 0.105, 12  # polls are frequent from this long before the usual time (a share, but at least seconds) …
OVERTIME = 1.25  # … until this multiple of it; then they become rarer
SHORTEST_S, LONGEST_S = 3.5, 15
LATE_EVERY_S = 3600  # between polls for a result after the hold was released
EMPTY_GRACE_S = 60  # how long a success without a result is read again


class Job(Protocol):
    """What the poller reads from a job's row."""

    id: int
    user_id: int
    model: str
    usual_s: int  # the usual time from create to result


class Watch:
    """A task that is being polled."""

    __slots__ = ("due", "empty_since", "errors", "job_id", "late", "started", "task_id", "usual_s")

    def __init__(self, job_id: int, task_id: str, usual_s: float, started: datetime, late: bool = False) -> None:
        self.job_id = job_id
        self.task_id = task_id
        self.usual_s = usual_s
        self.started = started
        self.late = late
        self.due: datetime | None = None  # of its next poll; other heap items of this watch are void
        self.errors = 0
        self.empty_since: datetime | None = None


class JobEvents(Protocol):
    """The owner of the jobs: it provides those to be sent, and is told what became of them."""

    def now(self) -> datetime:
        """Return the time (UTC)."""

    def queued(self, now: datetime, limit: int) -> Sequence[Job]:
        """Return at most `limit` jobs to be sent now, in order."""

    def prepare(self, job: Job, now: datetime) -> dict[str, Any] | None:
        """Return the job's input for KIE, with its files uploaded, or None if it is not to be sent."""

    def begin(self, job: Job, now: datetime) -> bool:
        """Record that the create is about to be made; return whether it may be made."""

    def callback_url(self, job: Job) -> str | None:
        """Return the address KIE calls when the job is done, or None."""

    def started(self, job: Job, task_id: str, now: datetime) -> bool:
        """KIE has accepted the job; return whether its task is to be polled here."""

    def refused(self, job: Job, error: Refused, now: datetime) -> None:
        """KIE has refused the job."""

    def not_sent(self, job: Job, error: NotSent, now: datetime) -> None:
        """The create has not reached KIE."""

    def lost(self, job: Job, error: KieError, now: datetime) -> None:
        """The create may have reached KIE."""

    def poll_failed(self, watch: Watch, error: KieError, now: datetime) -> None:
        """A poll has failed."""

    def on_record(self, watch: Watch, record: Record, now: datetime) -> bool:
        """A poll has returned the task's state; return whether to stop polling it."""


class Poller:
    """Runs creates and polls; `step(now)` starts those that are due. With `workers=0` they run in the calling thread."""

    def __init__(self, client: Client, events: JobEvents, workers: int = 16, rng: random.Random | None = None) -> None:
        self._client = client
        self._events = events
        self._rng = rng or random.Random()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="kie") if workers else None
        self._workers = workers
        self._slots = threading.Semaphore(workers or 1)
        self._heap: list[tuple[datetime, int, Watch]] = []
        self._number = itertools.count()
        self._watches: dict[str, Watch] = {}  # by task id
        self._creating: dict[int, int] = {}  # job id → user id
        # How many orders of one person may be sent at once, so that others get a turn.
        self._of_one = max(1, workers // 4) if workers else CREATES
        self._created_at: collections.deque[datetime] = collections.deque(maxlen=CREATES)
        self._guard = threading.Lock()

    def step(self, now: datetime) -> None:
        """Send waiting jobs and poll the tasks that are due."""
        for job in self._to_create(now):
            self._run(self._create, job, now)
        while (watch := self._next_due(now)) is not None:
            self._run(self._poll, watch, now)

    def watch(
        self,
        job_id: int,
        task_id: str,
        usual_s: float,
        now: datetime,
        *,
        since: datetime | None = None,
        late: bool = False,
        first_s: float | None = None,
    ) -> None:
        """Poll a task from now on, mostly around its usual time; it was sent at `since`, by default now."""
        watch = Watch(job_id, task_id, usual_s, since or now, late)
        with self._guard:
            self._watches[task_id] = watch
        self._schedule(watch, now, first_s or self._pause(watch, now))

    def wake(self, task_id: str, now: datetime) -> bool:
        """Poll a task at once, as its callback came; return whether it is being polled."""
        with self._guard:
            watch = self._watches.get(task_id)
        if watch is not None:
            self._schedule(watch, now, 0)
        return watch is not None

    def watched(self) -> int:
        """Return the number of tasks being polled."""
        return len(self._watches)

    def watching(self) -> dict[int, str]:
        """Return {job id: task id} of the running jobs being polled, without late ones."""
        with self._guard:
            return {watch.job_id: watch.task_id for watch in self._watches.values() if not watch.late}

    def forget(self, task_ids: Iterable[str]) -> None:
        """Stop polling these tasks."""
        with self._guard:
            for task_id in task_ids:
                self._watches.pop(task_id, None)

    def close(self, wait_s: float) -> None:
        """Start no further calls, and give the running ones `wait_s` seconds to finish."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False)  # submitted work runs to its end, or its slot would never be released
        deadline = time.monotonic() + wait_s
        for _slot in range(self._workers):
            self._slots.acquire(timeout=max(0, deadline - time.monotonic()))

    def _run(self, work: Callable[..., object], *args: Any) -> None:
        if self._pool is None:
            work(*args)
            return
        self._slots.acquire()
        self._pool.submit(self._guarded, work, *args)

    def _guarded(self, work: Callable[..., object], *args: Any) -> None:
        try:
            work(*args)
        except Exception:  # an error with one job, such as a lost database, must not end the poller
            log.exception("%s failed", work.__name__)
        finally:
            self._slots.release()

    # creating

    def _to_create(self, now: datetime) -> list[Job]:
        while self._created_at and now - self._created_at[0] >= WINDOW:
            self._created_at.popleft()
        room = CREATES - len(self._created_at) - len(self._creating)
        if room <= 0:
            return []
        waiting = self._events.queued(now, room + len(self._creating))
        with self._guard:
            busy, chosen = collections.Counter(self._creating.values()), list[Job]()
            for job in waiting:
                if len(chosen) < room and job.id not in self._creating and busy[job.user_id] < self._of_one:
                    busy[job.user_id] += 1
                    chosen.append(job)
            self._creating.update((job.id, job.user_id) for job in chosen)
        return chosen

    def _create(self, job: Job, now: datetime) -> None:
        try:
            inputs = self._events.prepare(job, now)
            if inputs is None or not self._events.begin(job, now):
                return
            try:
                self._send(job, inputs, now)
            finally:  # counted on arrival, where KIE's window starts, after the uploads
                self._created_at.append(self._events.now())
        finally:
            with self._guard:
                self._creating.pop(job.id, None)

    def _send(self, job: Job, inputs: dict[str, Any], now: datetime) -> None:
        try:
            task_id = self._client.create(job.model, inputs, self._events.callback_url(job))
        except Refused as error:
            self._events.refused(job, error, now)
        except NotSent as error:
            self._events.not_sent(job, error, now)
        except KieError as error:
            self._events.lost(job, error, now)
        else:
            if self._events.started(job, task_id, now):
                self.watch(job.id, task_id, job.usual_s, now)

    # polling

    def _next_due(self, now: datetime) -> Watch | None:
        with self._guard:
            while self._heap and self._heap[0][0] <= now:
                at, _number, watch = heapq.heappop(self._heap)
                if at == watch.due and self._watches.get(watch.task_id) is watch:
                    watch.due = None
                    return watch
        return None

    def _poll(self, watch: Watch, now: datetime) -> None:
        pause_s: float | None = SHORTEST_S
        try:
            pause_s = self._poll_once(watch, now)
        finally:  # whatever fails, such as the database, an unfinished task is polled again
            if pause_s is not None:
                self._schedule(watch, now, pause_s)

    def _poll_once(self, watch: Watch, now: datetime) -> float | None:
        """Poll a task once and pass on the answer; return the seconds until the next poll, None to stop polling."""
        try:
            record = self._client.record(watch.task_id)
        except KieError as error:
            watch.errors += 1
            self._events.poll_failed(watch, error, now)
            return min(60, SHORTEST_S * float(2 ** min(watch.errors, 5)))
        watch.errors = 0
        if self._is_empty(watch, record, now):
            return SHORTEST_S
        if not self._events.on_record(watch, record, now):
            return self._pause(watch, now)
        with self._guard:
            self._watches.pop(watch.task_id, None)
        return None

    def _is_empty(self, watch: Watch, record: Record, now: datetime) -> bool:
        """Return whether to poll a success again that has no result yet."""
        if record.state != TaskState.SUCCEEDED or record.urls or record.text:
            return False
        watch.empty_since = watch.empty_since or now
        return (now - watch.empty_since).total_seconds() < EMPTY_GRACE_S

    def _schedule(self, watch: Watch, now: datetime, pause_s: float) -> None:
        due = now + timedelta(seconds=pause_s)
        with self._guard:
            if watch.due is None or due < watch.due:  # a wake during a poll is not postponed by the end of that poll
                watch.due = due
                heapq.heappush(self._heap, (due, next(self._number), watch))

    def _pause(self, watch: Watch, now: datetime) -> float:
        """Return the seconds until the next poll: short around the usual time, longer before and after, with jitter."""
        if watch.late:
            return LATE_EVERY_S
        elapsed, usual = (now - watch.started).total_seconds(), watch.usual_s
        likely = usual - min(0.4 * usual, max(LEAD_S, LEAD * usual))
        ahead = [at - elapsed for at in (EARLY * usual, likely) if at - elapsed > SHORTEST_S]
        over = 0.15 * (elapsed - OVERTIME * usual)
        pause = min(ahead) if ahead else min(LONGEST_S, max(SHORTEST_S, over))
        return pause + self._rng.uniform(-1, 1) * min(0.1 * pause, 2)

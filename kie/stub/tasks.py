"""The stub's world: its clock, its account and its tasks, without HTTP.

Credits are taken when a task is created and given back in full if it fails, as KIE
does. A task ends when the clock reaches its time, or when a test says so.
"""

import hashlib
import heapq
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from kie.stub.facts import ModelFacts
from kie.stub.faults import Troubles

START_CREDITS = Decimal(100_000)
CREATES, CREATES_WINDOW_S = 20, 10  # docs.kie.ai, Getting Started: 20 creates in 10 s, excess is rejected
FILE_LIFE_S = 24 * 3600  # the shorter of the two figures in KIE's documentation
REQUESTS_KEPT = 20_000

# Model families that are `generating` from the first poll, and those that are `waiting` to the end, as seen live.
GENERATING_AT_ONCE = ("kling", "gpt-image-2-text", "seedream")
WAITING_TO_THE_END = ("bytedance/seedance", "wan/", "happyhorse", "grok", "gpt-image-2-image")


class Clock:
    """The stub's time in epoch seconds; it can be moved forward, stopped and sped up."""

    def __init__(self, source: Callable[[], float | datetime] | None = None) -> None:
        self._source = source or time.time
        self.real()

    def real(self) -> None:
        """Return to the time and speed of the source."""
        self.speed, self._base, self._at = 1.0, self._read(), self._read()

    def now(self) -> float:
        """Return the stub's time."""
        return self._base + (self._read() - self._at) * self.speed

    def forward(self, seconds: float) -> None:
        """Jump ahead."""
        self._base += seconds

    def set(self, now: float, speed: float = 0.0) -> None:
        """Set the time; the clock then stands still, or runs at `speed`."""
        self._base, self._at, self.speed = now, self._read(), speed

    def _read(self) -> float:
        value = self._source()
        return value.timestamp() if isinstance(value, datetime) else float(value)


Fate = tuple[str, str]  # failCode, failMsg
Content = bytes | Callable[[], bytes]


@dataclass
class Task:
    """One task; times are epoch seconds of the stub's clock. With `due` None it ends only by an order."""

    id: str
    model: ModelFacts
    inputs: dict[str, Any]
    callback_url: str | None
    credits: Decimal
    created: float
    due: float | None
    queuing: bool = False
    state: str = "running"
    ended: float = 0.0  # 0 while it runs
    fail_code: str | None = None
    fail_msg: str | None = None
    fate: Fate | None = None
    paths: list[str] = field(default_factory=list)
    picture: bytes | None = None
    fetched: list[dict[str, Any]] = field(default_factory=list)
    unknown_inputs: list[str] = field(default_factory=list)
    looks: int = 0  # how often its state was requested
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    def word(self, now: float) -> str:
        """Return KIE's word for the state at `now`; the words on the way depend on the model, as seen live."""
        if self.state != "running":
            return "success" if self.state == "succeeded" else "fail"
        if self.model.id.startswith(GENERATING_AT_ONCE):
            return "generating"
        if self.model.id.startswith(WAITING_TO_THE_END) or self.due is None:
            return "waiting"
        done = (now - self.created) / max(self.due - self.created, 0.001)
        if done < 0.2:
            return "waiting"
        return "queuing" if self.queuing and done < 0.4 else "generating"

    @property
    def blank(self) -> bool:
        """Return whether upstream refused at once: such a failure has no times (seen with code 422)."""
        return self.fail_code == "422" and "blank" in (self.fail_msg or "")


@dataclass
class StoredFile:
    """One file of the file host, available until `expires` (the stub's epoch seconds)."""

    content: Content
    mime: str
    expires: float

    def read(self) -> bytes:
        """Return the bytes. Results are made at each call: most are read once, and memory matters more."""
        return self.content() if callable(self.content) else self.content


class World:
    """The stub's state; only its event loop uses it, so nothing is locked."""

    def __init__(
        self,
        facts: dict[str, ModelFacts],
        *,
        chat_models: dict[str, dict[str, Any]] | None = None,
        clock: Callable[[], float | datetime] | None = None,
        key: str = "stub-key",
        seconds: Sequence[float] = (3, 8),
        callback_key: str | None = None,
        side: int = 1024,
    ) -> None:
        self.facts, self.clock, self.key, self.side = facts, Clock(clock), key, side
        self.chat_models = chat_models or {}
        self._defaults: dict[str, Any] = {"seconds": tuple(seconds), "callback_key": callback_key}
        self.random = random.Random(0)
        self.reset()

    def reset(self) -> None:
        """Reset everything but the facts, the API key and the clock's source."""
        self.clock.real()
        self.credits = START_CREDITS
        self.settings: dict[str, Any] = self._defaults | {
            "hold": False,
            "queuing": False,
            "create_limit": CREATES,
            "chat_hidden_tokens": 0,
            "unreachable": "451",
            "file_life_s": FILE_LIFE_S,
            "callback_timeout_s": 15.0,
        }
        self.tasks: dict[str, Task] = {}
        self.files: dict[str, StoredFile] = {}
        self.refunded = Decimal(0)
        self.chats, self.chat_credits = 0, Decimal(0)
        self.troubles, self.requests = Troubles(), deque[dict[str, Any]](maxlen=REQUESTS_KEPT)
        self._due: list[tuple[float, str]] = []
        self._creates, self._looked_up = deque[float](), float("-inf")

    def may_create(self) -> bool:
        """Count a create in the sliding window; False if the window is full."""
        now, limit = self.clock.now(), self.settings["create_limit"]
        while self._creates and self._creates[0] <= now - CREATES_WINDOW_S:
            self._creates.popleft()
        if limit and len(self._creates) >= limit:
            return False
        self._creates.append(now)
        return True

    def may_look_up(self) -> bool:
        """Count a call of the discovery API; False if the last one was less than a second ago."""
        now = self.clock.now()
        if now - self._looked_up < 1:
            return False
        self._looked_up = now
        return True

    def create(self, model: ModelFacts, inputs: dict[str, Any], callback_url: str | None, credits: Decimal) -> Task:
        """Take the credits (the caller has checked that there are enough) and return the new task."""
        now = self.clock.now()
        due = None if self.settings["hold"] else now + self.random.uniform(*self.settings["seconds"])
        queuing = self.settings["queuing"]
        task = Task(uuid.uuid4().hex, model, inputs, callback_url, credits, now, due, queuing=queuing)
        task.unknown_inputs = model.unknown(inputs)
        self.credits -= credits
        self.tasks[task.id] = task
        if due is not None:
            heapq.heappush(self._due, (due, task.id))
        return task

    def charge_chat(self, credits: Decimal) -> None:
        """Take the credits of an answer (the caller has checked that there are enough)."""
        self.credits -= credits
        self.chats, self.chat_credits = self.chats + 1, self.chat_credits + credits

    def settle(self) -> list[Task]:
        """End the tasks that are due and return them."""
        ended, now = [], self.clock.now()
        while self._due and self._due[0][0] <= now:
            due, task_id = heapq.heappop(self._due)
            task = self.tasks.get(task_id)
            if task and task.due == due and self.end(task, at=due):
                ended.append(task)
        return ended

    def end(self, task: Task, *, at: float | None = None, failure: Fate | None = None) -> bool:
        """End a task as it was decided, or with `failure` (code, msg); False if it had ended before."""
        if task.state != "running":
            return False
        failure = failure or task.fate
        task.ended = self.clock.now() if at is None else at
        if failure:
            task.state, (task.fail_code, task.fail_msg) = "failed", failure
            self.credits += task.credits
            self.refunded += task.credits
        else:
            task.state, task.paths = "succeeded", self._publish(task)
        return True

    def stall(self, task: Task) -> None:
        """Make a task run for ever."""
        task.due = None

    def lose_files(self, task: Task) -> None:
        """Delete a task's results from the file host: their URLs answer 404 from now on."""
        for path in task.paths:
            self.files.pop(path, None)

    def add_file(self, path: str, content: Content, mime: str, *, life_s: float | None = None) -> None:
        """Store a file at a path of the file host; `content` is bytes, or a function that makes them when requested."""
        now = self.clock.now()
        while self.files and (oldest := next(iter(self.files))) and self.files[oldest].expires <= now:
            del self.files[oldest]
        self.files[path] = StoredFile(content, mime, now + (life_s or self.settings["file_life_s"]))

    def file(self, path: str) -> StoredFile | None:
        """Return the StoredFile at a path, or None if there is none or it has expired."""
        stored = self.files.get(path)
        if stored and stored.expires <= self.clock.now():
            del self.files[path]
            return None
        return stored

    def bill(self) -> dict[str, Any]:
        """Return what KIE's own log would say: credits charged for tasks that have not failed, given back, for chat."""
        states = [task.state for task in self.tasks.values()]
        kept = sum((task.credits for task in self.tasks.values() if task.state != "failed"), Decimal(0))
        return {
            "tasks": len(states),
            "running": states.count("running"),
            "succeeded": states.count("succeeded"),
            "failed": states.count("failed"),
            "billed_credits": float(kept),
            "refunded_credits": float(self.refunded),
            "chats": self.chats,
            "chat_credits": float(self.chat_credits),
            "credits": float(self.credits),
        }

    def _publish(self, task: Task) -> list[str]:
        """Publish a task's results and return their paths; the files themselves are made when requested."""
        from kie.stub import media as stub_media

        paths = []
        for number, made in enumerate(stub_media.results(task, self.side)):
            digest = hashlib.sha256(f"{task.id}{number}".encode()).hexdigest()[:32]
            path = f"r/{digest}_{int(task.ended)}_{number}.{made.ending}"
            self.add_file(path, made.content, made.mime)
            paths.append(path)
        task.picture = None  # the result keeps it now
        return paths


def echo(task: Task) -> str:
    """Return `param` as KIE sends it: the request as JSON, with the input as JSON text in it, its keys sorted."""
    request = {"input": json.dumps(task.inputs, ensure_ascii=False, sort_keys=True), "model": task.model.id}
    if task.callback_url:
        request["callBackUrl"] = task.callback_url
    return json.dumps(request, ensure_ascii=False)

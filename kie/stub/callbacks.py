"""The stub's callbacks: what KIE posts to `callBackUrl` when a task ends, signed, with retries.

Signature (docs.kie.ai, common-api/webhook-verification): base64 of HMAC-SHA256 over
"<taskId>.<timestamp>" with the callback key. The body itself is not signed. A
receiver that does not answer 2xx within 15 s is tried 3 more times; the interval
is not published, so it is RETRY_S of the stub's clock here.
"""

import asyncio
import base64
import hashlib
import heapq
import hmac
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp

from kie.stub.http import is_local
from kie.stub.tasks import Task, World, echo

RETRIES, RETRY_S = 3, 15
LATE_S = 60  # the delay of a callback with the trouble "late", in the stub's seconds
STALE_S = 600


def signature(key: str, task_id: str, timestamp: str) -> str:
    """Return the value of X-Webhook-Signature."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def body(task: Task, result_json: str) -> dict[str, Any]:
    """Return the callback's body; its keys are in another order than recordInfo's, as in real ones."""
    failed = task.state == "failed"
    data = {
        "taskId": task.id,
        "model": task.model.id,
        "state": "fail" if failed else "success",
        "param": echo(task),
        "resultJson": None if failed else result_json,
        "failCode": task.fail_code,
        "failMsg": task.fail_msg,
    }
    if not failed:
        data |= {
            "costTime": round(task.ended - task.created),
            "completeTime": round(task.ended * 1000),
            "createTime": round(task.created * 1000),
            "updateTime": round(task.ended * 1000),
            "creditsConsumed": float(task.credits),
        }
    words = (501, "Playground task failed.") if failed else (200, "Playground task completed successfully.")
    return {"code": words[0], "data": data, "msg": words[1]}


Message = tuple[bytes, dict[str, str]]  # body, headers


class Courier:
    """Delivers callbacks when the stub's clock says so."""

    def __init__(self, world: World, http: aiohttp.ClientSession, result_json: Callable[[Task], str]) -> None:
        self._world, self._http, self._result_json = world, http, result_json
        self._queue: list[tuple[float, int, Task, Message, int]] = []  # when, number, …, tries left
        self._count = itertools.count()
        self._running: set[asyncio.Future[None]] = set()

    def announce(self, task: Task) -> None:
        """Schedule the callback of a task that has ended, with any trouble ordered for it."""
        if not task.callback_url:
            return
        order = self._world.troubles.take("callback", model=task.model.id)
        kind = order.kind if order else ""
        if kind == "never":
            return
        message = self._message(task, kind)
        delay = (order.delay_s if order and order.delay_s is not None else LATE_S) if kind == "late" else 0
        for _ in range(2 if kind == "twice" else 1):
            self._plan(self._world.clock.now() + delay, task, message, RETRIES)

    def deliver_due(self) -> None:
        """Start the deliveries that are due."""
        while self._queue and self._queue[0][0] <= self._world.clock.now():
            _, _, task, message, tries_left = heapq.heappop(self._queue)
            job = asyncio.ensure_future(self._deliver(task, message, tries_left))
            self._running.add(job)
            job.add_done_callback(self._running.discard)

    async def drain(self) -> None:
        """Wait until the deliveries under way have been answered."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def forget(self) -> None:
        """Cancel the scheduled deliveries."""
        self._queue.clear()

    def _plan(self, at: float, task: Task, message: Message, tries_left: int) -> None:
        heapq.heappush(self._queue, (at, next(self._count), task, message, tries_left))

    def _message(self, task: Task, kind: str) -> Message:
        """Return (body, headers) of a callback, spoilt as `kind` says."""
        payload = body(task, self._result_json(task))
        if kind == "consume-credits" and "creditsConsumed" in payload["data"]:
            payload["data"]["consumeCredits"] = payload["data"].pop("creditsConsumed")
        if kind == "unknown-task":
            payload["data"]["taskId"] = uuid.uuid4().hex
        headers, key = {"Content-Type": "application/json"}, self._world.settings["callback_key"]
        if key:
            stamp = str(int(self._world.clock.now()) - (STALE_S if kind == "stale" else 0))
            signed = signature(key + ("x" if kind == "bad-signature" else ""), payload["data"]["taskId"], stamp)
            headers |= {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signed}
        return json.dumps(payload, ensure_ascii=False).encode(), headers

    async def _deliver(self, task: Task, message: Message, tries_left: int) -> None:
        status = await self._post(task.callback_url or "", *message)
        task.callbacks.append({"at": self._world.clock.now(), "status": status})
        if tries_left and not (status and 200 <= status < 300):
            self._plan(self._world.clock.now() + RETRY_S, task, message, tries_left - 1)

    async def _post(self, url: str, content: bytes, headers: dict[str, str]) -> int | None:
        """Return the receiver's HTTP status, or None if there was none in time."""
        if not is_local(url):
            return None
        limit = aiohttp.ClientTimeout(total=self._world.settings["callback_timeout_s"])
        try:
            async with self._http.post(url, data=content, headers=headers, timeout=limit) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

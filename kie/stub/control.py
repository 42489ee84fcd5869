"""A client for the stub's control address, for tests."""

from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from kie.stub.server import Stub

TIMEOUT_S = 10


class Control:
    """The remote control of one stub; `url` is its api_url.

    `server` is given where it runs in this process: its clock is then stopped without a call.
    """

    def __init__(self, url: str, server: "Stub | None" = None) -> None:
        self.url, self._stub, self._server = url.rstrip("/"), f"{url.rstrip('/')}/stub", server
        self._pool = urllib3.PoolManager(maxsize=8, timeout=TIMEOUT_S, retries=False)

    def tasks(self) -> list[dict[str, Any]]:
        """Return all tasks, oldest first, as dicts with task_id, model, state, credits, inputs, fetched, callbacks …"""
        return self._get("tasks")

    def task(self, task_id: str | None = None) -> dict[str, Any]:
        """Return one task, the newest by default."""
        return next(task for task in reversed(self.tasks()) if task_id in (None, task["task_id"]))

    def finish(self, task_id: str | None = None) -> str:
        """Make a running task succeed, by default the newest; return its id."""
        return self._order("finish", task_id)

    def fail(
        self, task_id: str | None = None, *, code: str = "500", msg: str = "Internal Error, Please try again later."
    ) -> str:
        """Make a running task fail, by default the newest; return its id."""
        return self._order("fail", task_id, code=code, msg=msg)

    def stall(self, task_id: str | None = None) -> str:
        """Make a running task run for ever, by default the newest; return its id."""
        return self._order("stall", task_id)

    def spoil(self, task_id: str | None = None) -> str:
        """Make a running task succeed with results that cannot be fetched, by default the newest; return its id."""
        return self._order("break", task_id)

    def fail_next(self, kind: str = "500-internal", times: int = 1) -> None:
        """Make the next created task fail when it is due, in a way such as "400-moderation"; for the chat: `trouble`."""
        self.trouble("create", kind, times)

    def trouble(self, at: str, kind: str, times: int = 1, **more: Any) -> None:
        """Order a trouble at a place ("create", "chat", "poll" …), of a kind ("500" …); 0 `times` means until `calm`.

        The error for an unknown place or kind lists those there are. More: model, delay_s.
        """
        self._post("trouble", at=at, kind=kind, times=times, **more)

    def calm(self) -> None:
        """Cancel all troubles."""
        self._send("DELETE", "trouble")

    def forward(self, seconds: float) -> None:
        """Move the stub's clock ahead."""
        self._post("clock", forward_s=seconds)

    def freeze(self, now: float | None = None) -> None:
        """Stop the clock, at `now` (epoch seconds) or at its current time."""
        if now is not None and self._server is not None:
            self._server.freeze(now)
        else:
            self._post("clock", **({"speed": 0} if now is None else {"now": now}))

    def speed(self, factor: float) -> None:
        """Run the clock at a multiple of real time."""
        self._post("clock", speed=factor)

    def now(self) -> float:
        """Return the stub's time in epoch seconds."""
        return self._get("clock")["now"]

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings such as hold, seconds, credits, callback_key; return them all."""
        return self._post("settings", **changes)

    def requests(self, path: str = "") -> list[dict[str, Any]]:
        """Return the received requests, oldest first, whose paths contain `path`."""
        return [entry for entry in self._get("requests") if path in entry["path"]]

    def bill(self) -> dict[str, Any]:
        """Return {tasks, running, succeeded, failed, billed_credits, refunded_credits, chats, …}, see `World.bill`."""
        return self._get("bill")

    def unknown_inputs(self) -> dict[str, set[str]]:
        """Return {model: names} of the fields sent in `input` that the model does not have."""
        unknown: dict[str, set[str]] = {}
        for task in self.tasks():
            if task["unknown_inputs"]:
                unknown.setdefault(task["model"], set()).update(task["unknown_inputs"])
        return unknown

    def reset(self) -> None:
        """Reset everything."""
        self._post("reset")

    def _order(self, order: str, task_id: str | None, **body: Any) -> str:
        if task_id is None:
            running = [task for task in self.tasks() if task["state"] not in ("success", "fail")]
            if not running:
                raise LookupError("no task is running")
            task_id = running[-1]["task_id"]
        self._post(f"tasks/{task_id}/{order}", **body)
        return task_id

    def _get(self, path: str) -> Any:
        return self._send("GET", path)

    def _post(self, path: str, **body: Any) -> Any:
        return self._send("POST", path, json=body)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        answer = self._pool.request(method, f"{self._stub}/{path}", **options)
        if answer.status >= 400:
            raise ValueError(f"{method} {path}: {answer.data.decode()}")
        return answer.json()

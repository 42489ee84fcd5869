"""Fault injection for the stub: which failures can be ordered, and how many times each.

A trouble has a place (`at`), a short word (`kind`, see KINDS) and a number of `times`;
0 means until it is cancelled. `model` limits it to one model, `delay_s` (real
seconds) is how long a reply is delayed, `for_s` (the stub's seconds) is the age
up to which a task is affected.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

CREDITS_TEXT = (
    "Credits insufficient : Your current balance isn't enough to run this request. Please top up to continue."
)
TOO_OFTEN = "Your call frequency is too high. Please try again later."
UNAUTHORIZED = (
    "Unauthorized – Authentication failed. Please check that your Authorization and Content-Type headers are "
    "correctly set."
)

# Envelopes that refuse a call: word → (code, message, HTTP status).
REFUSALS = {
    "400": (400, "The request was malformed", 200),
    "401": (401, UNAUTHORIZED, 200),
    "402": (402, CREDITS_TEXT, 200),
    "403": (403, "You do not have access permissions", 200),
    "404": (404, "The model name you specified is not supported.", 200),
    "413": (413, "The uploaded audio matches a protected work", 200),
    "422": (422, "size error", 200),
    "422-model": (422, "The model name you specified is not supported.", 200),
    "429": (429, TOO_OFTEN, 200),
    "429-http": (429, TOO_OFTEN, 429),
    "433": (433, "The credit limit of this API key has been reached", 200),
    "451": (451, "Failed to fetch the file. Please check that the URL is public", 200),
    "455": (455, "The service is under maintenance", 200),
    "500": (500, "Server exception, please try again later", 200),
    "500-credits": (500, CREDITS_TEXT, 200),
    "500-moderation": (500, "Your prompt was caught by our AI moderator. Please change it.", 200),
    "500-validation": (500, "This field is required", 200),
    "505": (505, "This feature is switched off", 200),
    "550": (550, "The task was rejected: the queue is full", 200),
}
# Envelopes of the chat paths alone, with HTTP 200: word → (code, message).
CHAT_REFUSALS = {
    "internal": (500, "Internal error, please try again later"),
    "maintained": (500, "The server is currently being maintained, please try again later"),
    "no-page": (404, "The page does not exist"),
    "retired": (422, "The model is not supported"),
    "upstream-timeout": (408, "No result from upstream"),
}
# How an accepted task can fail: word → (failCode, failMsg).
FATES = {
    "400-moderation": ("400", "Sorry, but the image we created may violate OpenAI's content policies"),
    "400-file": ("400", "No valid characters detected in the video"),
    "402-credits": ("402", CREDITS_TEXT),
    "408-timeout": ("408", "No result from upstream for over 10 minutes"),
    "422-blank": ("422", "generate playground failed, task id is blank"),
    "451-file": ("451", "Failed to fetch the file"),
    "500-busy": ("500", "the server is busy"),
    "500-copyright": ("500", "the output video may be related to copyright restrictions"),
    "500-internal": ("500", "Internal Error, Please try again later."),
    "500-sensitive": ("500", "The input or output was flagged as sensitive."),
    "500-upload": ("500", "Upload failed: Server internal error."),
    "501-failed": ("501", "Generation failed"),
}
SILENT = {"502", "empty", "hang", "drop"}  # no usable answer
SLOW = {"slow"}  # correct, but delayed
CREATE_REPLIES = {
    "502-created",
    "hang-unseen",
    "drop-unseen",
    "no-task-id",
    "null-data",
    "no-record-id",
    "message",
}
POLL_REPLIES = {
    "null",
    "501",
    "408",
    "waiting",
    "unknown-state",
    "bad-json",
    "empty-urls",
    "result-as-object",
    "result-object",
    "consume-credits",
    "message",
}
CHAT_REPLIES = {
    "blank-text",
    "credits-as-text",
    "credits-odd",
    "credits-zero",
    "drip",
    "drip-headers",
    "empty-text",
    "no-credits",
    "no-output",
    "no-usage",
    "null-output",
    "null-text",
    "only-reasoning",
    "over-cap",
    "plain-type",
    "stream",
    "stream-cut",
    "vendor-busy",
    "vendor-error",
    "vendor-request",
}
KINDS = {
    "chat": set(REFUSALS) | set(CHAT_REFUSALS) | SILENT | SLOW | CHAT_REPLIES,
    "create": set(REFUSALS) | SILENT - {"empty"} | SLOW | CREATE_REPLIES | set(FATES) | {"stall"},
    "poll": {"401", "403", "429", "429-http", "433", "455", "500"} | SILENT | SLOW | POLL_REPLIES | set(FATES),
    "credit": {"401", "429", "429-http", "500", "null"} | SILENT | SLOW,
    "upload": {"400", "401", "500", "no-url"} | SILENT | SLOW,
    "download": {
        "403",
        "404",
        "410",
        "502",
        "truncated",
        "wrong-type",
        "no-length",
        "redirect",
        "hang",
        "hang-body",
        "drop",
        "slow",
    },
    "callback": {
        "twice",
        "late",
        "early",
        "never",
        "bad-signature",
        "stale",
        "unknown-task",
        "consume-credits",
    },
}


class BadTrouble(ValueError):
    """An unknown trouble; the message lists the known ones."""


@dataclass
class Trouble:
    """One ordered trouble; `left` counts down, None is endless."""

    at: str
    kind: str
    left: int | None
    delay_s: float | None = None
    model: str | None = None
    for_s: float | None = None


class Troubles:
    """The ordered troubles, oldest first."""

    def __init__(self) -> None:
        self.orders: list[Trouble] = []

    def add(
        self,
        at: str,
        kind: str,
        times: int = 1,
        delay_s: float | None = None,
        model: str | None = None,
        for_s: float | None = None,
    ) -> None:
        """Order a trouble, or raise BadTrouble. With `for_s` it lasts until it is cancelled."""
        if kind not in KINDS.get(at, ()):
            raise BadTrouble(f"at {at!r} there is no {kind!r}; known: {sorted(KINDS.get(at, KINDS))}")
        left = None if for_s is not None or not times else int(times)
        self.orders.append(Trouble(at, kind, left, delay_s, model, for_s))

    def take(
        self, at: str, kinds: Collection[str] | None = None, *, model: str | None = None, age_s: float | None = None
    ) -> Trouble | None:
        """Return the first order for this place (of these kinds) and count it down; None if there is none."""
        for order in self.orders:
            if order.at != at or (kinds is not None and order.kind not in kinds):
                continue
            if (order.model and order.model != model) or (order.for_s is not None and (age_s or 0) >= order.for_s):
                continue
            if order.left is not None:
                order.left -= 1
                if order.left <= 0:
                    self.orders.remove(order)
            return order
        return None

    def clear(self) -> None:
        """Cancel every order."""
        self.orders.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return the orders as plain dicts."""
        return [asdict(order) for order in self.orders]

"""Around every call of the bot: the list of calls, errors made on purpose, and Telegram's flood limits."""

import time
from collections import defaultdict, deque
from itertools import islice

from demo.rules import ApiError, too_many

KEPT_CALLS = 5_000
KINDS = ("400", "429", "500", "502", "401", "403", "409", "drop", "drop_before", "slow", "garbage")
SENDS = ("send", "copy", "forward")  # prefixes of the methods that the flood limits count


class Calls:
    """The newest 5,000 calls, oldest first. Uploads are shown by name and size; the token is never among the data."""

    def __init__(self):
        self.n = 0
        self.kept = deque(maxlen=KEPT_CALLS)

    def add(self, at, method, params, answer, started):
        """Keep one call: `answer` is the JSON object the bot got, `started` a value of `time.perf_counter`."""
        self.n += 1
        self.kept.append((self.n, at, method, params, answer, time.perf_counter() - started))

    def since(self, after=0, method=""):
        """Return the calls after number `after` as the control plane shows them."""
        newest = reversed(list(islice(reversed(self.kept), max(0, self.n - after))))
        return [self.shown(*one) for one in newest if method.lower() in ("", one[2].lower())]

    def shown(self, n, at, method, params, answer, took_s):
        """Return one call as JSON data."""
        params = {key: value.shown() if hasattr(value, "shown") else value for key, value in params.items()}
        outcome = {"result": answer["result"]} if answer["ok"] else {"description": answer["description"]}
        return {
            "n": n, "at": at, "method": method, "params": params, "ok": answer["ok"], **outcome,
            "ms": round(took_s * 1000, 2),
        }  # fmt: skip


class Trouble:
    """Errors to come, in the order in which they were ordered."""

    def __init__(self):
        self.rules = []

    def add(self, method="*", kind="500", times=1, retry_after=1, delay_s=0, chat_id=None):
        """Make the next `times` calls of `method` (to `chat_id`, if given) fail with `kind`."""
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, wanted one of {', '.join(KINDS)}")
        self.rules.append(
            {"method": method.lower(), "kind": kind, "times": times, "retry_after": retry_after,
             "delay_s": delay_s, "chat_id": chat_id}
        )  # fmt: skip

    def take(self, method, params):
        """Return the error for this call, or None."""
        for rule in self.rules:
            same_chat = rule["chat_id"] is None or str(rule["chat_id"]) == str(params.get("chat_id"))
            if rule["method"] in ("*", method) and same_chat:
                rule["times"] -= 1
                if rule["times"] <= 0:
                    self.rules.remove(rule)
                return rule
        return None


ERRORS = {
    "500": ApiError(500, "Internal Server Error"),
    "401": ApiError(401, "Unauthorized"),
    "400": ApiError(400, "Bad Request: not enough rights to send it to the chat"),
    "403": ApiError(403, "Forbidden: bot was blocked by the user"),
    "409": ApiError(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    ),
}


class Limits:
    """Telegram's flood limits: a number of messages a second in total, and in one chat. Off until switched on."""

    def __init__(self, clock):
        self.clock = clock
        self.set()

    def set(self, flood=False, per_second=30, per_chat=1):
        """Switch the limits on or off; the default numbers are those of Telegram's FAQ (core.telegram.org/bots/faq)."""
        self.flood, self.per_second, self.per_chat = bool(flood), int(per_second), int(per_chat)
        self._all, self._chats = deque(), defaultdict(deque)

    def check(self, method, params):
        """Raise 429 if this call sends faster than allowed."""
        if not self.flood or not method.startswith(SENDS) or method == "sendchataction":
            return
        now, chat = self.clock.now(), self._chats[str(params.get("chat_id"))]
        for sent, most in ((self._all, self.per_second), (chat, self.per_chat)):
            while sent and sent[0] <= now - 1:
                sent.popleft()
            if len(sent) >= most:
                raise too_many(1)
        self._all.append(now)
        chat.append(now)

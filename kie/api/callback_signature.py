"""The signature of KIE's callbacks: is a post really from KIE, and recent?

Facts (docs.kie.ai, common-api/webhook-verification): once a key is made at kie.ai/settings, each callback carries
X-Webhook-Timestamp (Unix seconds) and X-Webhook-Signature = base64(HMAC-SHA256(key, "<taskId>.<timestamp>")). The body
itself is not signed, so even a genuine callback is only a hint to look at the task.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

WINDOW_S = 300  # ours, as KIE names no limit: allows for clocks that differ, and refuses replays


def signature(key: str, task_id: str, timestamp: str) -> str:
    """Return the expected X-Webhook-Signature."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def is_genuine(key: str, task_id: str | None, headers: Mapping[str, str], now: datetime) -> bool:
    """Return whether a callback about `task_id` is signed with `key` and its time within WINDOW_S of `now`."""
    timestamp, given = headers.get("X-Webhook-Timestamp", ""), headers.get("X-Webhook-Signature", "")
    if task_id is None or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    fresh = abs(now.timestamp() - int(timestamp)) <= WINDOW_S
    return hmac.compare_digest(signature(key, task_id, timestamp).encode(), given.encode()) and fresh

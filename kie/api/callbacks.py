"""KIE's callbacks: is a post really KIE's, and fresh?

Facts (docs.kie.ai, common-api/webhook-verification): once a key is made at kie.ai/settings, each callback carries
X-Webhook-Timestamp (Unix seconds) and X-Webhook-Signature = base64(HMAC-SHA256(key, "<taskId>.<timestamp>")). The body
itself is not signed, so even a genuine callback is only a hint to look at the task.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

WINDOW_S = 300  # KIE names no limit; its clock and ours may differ by this much, and an older post is a replay


def signature(key: str, task_id: str, timestamp: str) -> str:
    """Return what X-Webhook-Signature must be."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def is_genuine(key: str, task_id: str | None, headers: Mapping[str, str], now: datetime) -> bool:
    """Tell whether a callback about `task_id` is signed with `key` and at most WINDOW_S away from `now` (aware)."""
    timestamp, given = headers.get("X-Webhook-Timestamp", ""), headers.get("X-Webhook-Signature", "")
    if task_id is None or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    fresh = abs(now.timestamp() - int(timestamp)) <= WINDOW_S
    return hmac.compare_digest(signature(key, task_id, timestamp).encode(), given.encode()) and fresh

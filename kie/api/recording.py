"""A record of KIE's last answers, for whoever looks into a problem: how they looked, without what people wrote.

Texts are replaced by their length, addresses are shortened, and the key is hidden wherever it might stand. What stays is
what KIE says about itself: codes, messages, states, models, numbers.
"""

import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
ANSWERS = "kie-answers.jsonl"  # in DATA_DIR
KEPT = 200  # answers
LONGEST = 300  # characters of a message
WIDEST, DEEPEST = 3, 12  # items of a list that are kept, and levels
HIDDEN = "•••"
PLAIN = frozenset(
    """code msg message state status failCode failMsg model error type object role finish_reason stop_reason taskId
    recordId operationType interfaceType creditPrice creditUnit mimeType provider taskType path""".split()
)
INSIDE = "resultJson"  # holds JSON as text
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.I)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer: `sent` is the JSON that was sent, or the parameters of the address; `text` the body."""

    method: str
    path: str
    sent: Any
    status: int
    content_type: str
    text: str
    seconds: float


def shortened(text: str) -> str:
    """Return a text whose addresses are cut to their scheme and ending: `https://….png`."""
    return ADDRESS.sub(lambda found: f"{found[0].partition('://')[0]}://…{_ending(found[0])}", text)


def _ending(address: str) -> str:
    found = re.search(r"/[^/]*[^/.](\.\w{1,5})$", address.partition("://")[2].partition("?")[0])
    return found[1] if found else ""


def redacted(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return JSON data without what people wrote, and without the addresses of their files."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {str(key): redacted(one, str(key), depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        more = [f"… {len(value) - WIDEST} more"] if len(value) > WIDEST else []
        return [redacted(one, name, depth + 1) for one in value[:WIDEST]] + more
    if not isinstance(value, str):
        return value
    if name == INSIDE and value:
        try:
            return {"json": redacted(json.loads(value), depth=depth + 1)}
        except ValueError:
            return f"string of {len(value)}, no JSON"
    if name in PLAIN:
        return shortened(value)[:LONGEST]
    return shortened(value) if ADDRESS.fullmatch(value) else f"string of {len(value)}"


class Recording:
    """Keeps the last answers in a file of its owner's alone, a line each, whatever happens to the process."""

    def __init__(self, path: str | Path, secrets: Iterable[str] = (), most: int = KEPT) -> None:
        self._path, self._most = Path(path), most
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._guard = threading.Lock()
        self._count = len(self._path.read_bytes().splitlines()) if self._path.is_file() else 0

    def __call__(self, exchange: Exchange) -> None:
        """Add an answer; a full disk must not fail the call that it is about."""
        try:
            self._add(exchange)
        except OSError as error:
            log.warning("KIE's answer could not be kept: %s", error)

    def _add(self, exchange: Exchange) -> None:
        line = json.dumps(self._row(exchange), ensure_ascii=False, separators=(",", ":"))
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        with self._guard:
            self._count += 1
            if self._count > 2 * self._most:
                kept = [*self.lines(), line][-self._most :]
                self._count = len(kept)
                self._write(self._path.with_suffix(".new"), os.O_TRUNC, kept)
                self._path.with_suffix(".new").replace(self._path)
            else:
                self._write(self._path, os.O_APPEND, [line])

    def lines(self) -> list[str]:
        """Return the last answers, oldest first, each as a line of JSON."""
        if not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8") as stream:
            return list(deque((line.rstrip("\n") for line in stream), self._most))

    def _row(self, exchange: Exchange) -> dict[str, Any]:
        try:
            answer = redacted(json.loads(exchange.text))
        except (ValueError, RecursionError):
            answer = f"no JSON, string of {len(exchange.text)}"
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "call": f"{exchange.method} {exchange.path}",
            "seconds": round(exchange.seconds, 3),
            "sent": redacted(exchange.sent),
            "status": exchange.status,
            "type": exchange.content_type,
            "answer": answer,
        }

    def _write(self, path: Path, flag: int, lines: list[str]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)

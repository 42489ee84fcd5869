"""Reading KIE's answer about a task (`recordInfo`), in whatever shape it comes.

The pure function `parse_record` turns a body's text into a `Record`. Shapes differ between models and over time, so each
field is looked up under every name it has been seen with. Oddities never fail a job: an unknown state counts as running,
and an unreadable body raises `Unknown`, after which the poller asks again.
"""

import functools
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from kie.api.errors import Reason, Refused, Unknown, failure_reason

log = logging.getLogger(__name__)

_SUCCEEDED = {"success", "succeeded", "completed"}
_FAILED = {"fail", "failed", "error"}
_RUNNING = {"waiting", "wait", "queuing", "queueing", "generating"}
_PLAIN_ID = re.compile(r"[!-~]{1,200}")  # anybody can post to the callback address
_TERMINAL_CODES = {408, 501}  # in the envelope of a poll they end the task; other codes do not

# A body seen in September 2026 had `param` and `paramJson` with one backslash too few, which breaks the JSON. Neither is
# needed: they are cut out, up to the next key that no model has as an input (so that no prompt can imitate it).
_BROKEN_ECHO = re.compile(
    r'"param(?:Json)?"\s*:\s*".*?(?=,\s*"(?:resultJson|failCode|failMsg|costTime|completeTime|createTime|updateTime'
    r'|creditsConsumed|operationType|parentMusicId|successFlag|response|paramJson)"\s*:|\}\s*\}\s*$)',
    re.S,
)


class TaskState(StrEnum):
    """The state of a task, whatever KIE calls it."""

    RUNNING = "running"  # waiting, being made, or in a state that we do not know
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """One task as KIE sees it; `credits` is what KIE took, if it says so, and `raw_state` KIE's own word.

    `facts` is what later tasks and the delivery need to know about a result: "tracks" of music in the order of `urls`
    ({"id", "title", "seconds"}), and "persona_id".
    """

    state: TaskState
    raw_state: str
    urls: tuple[str, ...] = ()
    text: str | None = None
    fail_code: str | None = None
    fail_msg: str | None = None
    reason: Reason | None = None
    credits: Decimal | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def parse_record(body_text: str) -> Record:
    """Return the Record in a recordInfo reply.

    Raise Refused for an envelope with a refusal (MISSING if KIE has no record yet), and Unknown for an unreadable body.
    """
    envelope = read_envelope(body_text)
    code, msg = envelope["code"], message_of(envelope)
    if code in _TERMINAL_CODES:
        return _failed(str(code), str(code), msg, credits=None)
    if code == 404 or (code == 422 and "null" in msg.lower()):
        raise Refused(msg, code, Reason.MISSING)
    if code != 200:
        raise Refused(msg, code)
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise Refused("the reply has no record", code, Reason.MISSING)
    return _record(data)


def read_envelope(body_text: str) -> dict[str, Any]:
    """Return the reply's outer object with an int `code`, or raise Unknown if there is none."""
    envelope = loads(body_text)
    if envelope is None:
        envelope = loads(_BROKEN_ECHO.sub('"cut":null', body_text))
    if not isinstance(envelope, dict):
        raise Unknown("the reply is not a JSON object")
    try:
        return envelope | {"code": int(envelope["code"])}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Unknown("the reply has no code") from None


def task_of(callback: object) -> str | None:
    """Return the task id in the body of a callback, or None; its place differs between products."""
    data = callback.get("data") if isinstance(callback, dict) else None
    places = ((data, "taskId"), (data, "task_id"), (callback, "taskId"))
    ids = (place.get(name) for place, name in places if isinstance(place, dict))
    return next((value for value in ids if isinstance(value, str) and _PLAIN_ID.fullmatch(value)), None)


def message_of(envelope: dict[str, Any]) -> str:
    """Return the message of a reply, `msg` or `message`."""
    return str(envelope.get("msg") or envelope.get("message") or "")


def loads(text: str) -> Any:
    """Return the value of a JSON text, or None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # broken, or nested too deeply
        return None


def _record(data: dict[str, Any]) -> Record:
    raw = str(data.get("state") or "")
    word = raw.lower()
    credits = credits_of(data.get("creditsConsumed", data.get("consumeCredits")))
    if word in _FAILED:
        code = data.get("failCode")
        return _failed(raw, None if code is None else str(code), str(data.get("failMsg") or ""), credits)
    if word in _SUCCEEDED:
        result = _result(data)
        facts = _facts(result)
        return Record(
            TaskState.SUCCEEDED, raw, urls=tuple(_urls(result)), text=_text(result), credits=credits, facts=facts
        )
    if word not in _RUNNING:
        _report_unknown_state(raw)
    return Record(TaskState.RUNNING, raw, credits=credits)


def _failed(raw: str, code: str | None, msg: str, credits: Decimal | None) -> Record:
    reason = failure_reason(code, msg)
    return Record(TaskState.FAILED, raw, fail_code=code, fail_msg=msg or None, reason=reason, credits=credits)


@functools.lru_cache(maxsize=64)  # so that each unknown state is reported once, and not at every poll
def _report_unknown_state(raw: str) -> None:
    log.warning("unknown task state %r, taken as still running", raw[:40])


def credits_of(value: object) -> Decimal | None:
    """Return a number of credits, or None if there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _result(data: dict[str, Any]) -> Any:
    """Return the result object: `response` if filled, else `resultJson`; each may be an object or JSON text."""
    results = (data.get("response"), data.get("resultJson"))
    read = (loads(value) if isinstance(value, str) else value for value in results)
    return next((value for value in read if value), {})


def _urls(result: Any) -> list[str]:
    """Return the result's links: resultUrls, else the audio of each track, else every link in it."""
    if not isinstance(result, dict):
        return list(_links(result))
    for name in ("resultUrls", "result_urls", "resultUrl"):
        if name in result:
            value = result[name]
            listed = loads(value) if isinstance(value, str) and value.startswith("[") else value
            return list(_links(listed))
    if tracks := _tracks(result):
        return list(_links([_audio_of(track) for track in tracks]))
    if "resultObject" in result:
        made = result["resultObject"]
        return list(_links(made.get("mask_urls") or made.get("maskUrls"))) if isinstance(made, dict) else []
    return list(_links(result))


def _tracks(result: dict[str, Any]) -> list[Any]:
    tracks = result.get("data") or result.get("sunoData")
    return tracks if isinstance(tracks, list) else []


def _audio_of(track: Any) -> str | None:
    return track.get("audio_url") or track.get("audioUrl") if isinstance(track, dict) else None


def _facts(result: Any) -> dict[str, Any]:
    """Return the ids and titles of tracks, and the id of a persona (docs.kie.ai, suno-api/generate-persona)."""
    if not isinstance(result, dict):
        return {}
    heard = [track for track in _tracks(result) if _audio_of(track)]
    tracks = [{"id": track.get("id"), "title": track.get("title"), "seconds": track.get("duration")} for track in heard]
    persona = _persona(result)
    return ({"tracks": tracks} if tracks else {}) | ({"persona_id": persona} if persona else {})


def _persona(result: dict[str, Any]) -> str | None:
    made = result.get("resultObject")
    places = [place for place in (made, result.get("data"), result) if isinstance(place, dict)]
    return next((place[name] for place in places for name in ("personaId", "persona_id") if place.get(name)), None)


def _links(value: Any) -> Iterator[str]:
    """Yield each http(s) link in a value, depth first."""
    if isinstance(value, str):
        if re.match(r"https?://\S+$", value):
            yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _links(item)


def _text(result: Any) -> str | None:
    """Return a text result: the lyrics or transcript in `resultObject`, else that object as readable JSON."""
    made = result.get("resultObject") if isinstance(result, dict) else None
    if isinstance(made, str):
        return made or None
    if not made:
        return None
    if isinstance(made, dict):
        if isinstance(made.get("text"), str):
            return str(made["text"])
        if _urls(result):
            return None
        if _persona(result):
            return "\n".join(str(made[name]) for name in ("name", "description") if made.get(name)) or _persona(result)
        lyrics = made.get("lyricsData") or made.get("lyrics_data")
        if isinstance(lyrics, list):
            return "\n\n".join(str(item["text"]) for item in lyrics if isinstance(item, dict) and item.get("text"))
    return json.dumps(made, ensure_ascii=False, indent=2)

"""Reading the answer of a chat model, in whatever shape it comes.

The pure function `parse_answer` turns an HTTP status and a body's text into a `Reply`. The three vendors' shapes are
recognised by their content: the content type is missing or wrong at times, an error of KIE's comes with HTTP 200, and
an event stream can come although none was asked for.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from kie.api.client import raise_for_status
from kie.api.errors import KieError, Reason, Refused, Unknown, refusal_reason
from kie.api.task_response import credits_of, loads, message_of

MOST_CREDITS, MOST_TOKENS = 10_000, 100_000_000  # a larger figure is a mistake; the dearest answers cost about 600
# The model was asked and gave no answer in time, so it may have been charged.
_UNDECIDED_CODES, _UNDECIDED_TYPES = {408, 502, 504, 524}, {"timeout_error"}
# `type` or `code` of a vendor's error (Anthropic: docs.anthropic.com/en/api/errors; OpenAI: its error codes).
_VENDOR_REASONS = {
    "authentication_error": Reason.KEY,
    "invalid_api_key": Reason.KEY,
    "permission_error": Reason.KEY,
    "billing_error": Reason.CREDITS,
    "insufficient_quota": Reason.CREDITS,
    "rate_limit_error": Reason.BUSY,
    "rate_limit_exceeded": Reason.BUSY,
    "overloaded_error": Reason.BUSY,
    "not_found_error": Reason.MODEL,
    "model_not_found": Reason.MODEL,
    "request_too_large": Reason.VALIDATION,
    "context_length_exceeded": Reason.VALIDATION,
    "invalid_request_error": Reason.VALIDATION,
    "api_error": Reason.SERVER,
    "server_error": Reason.SERVER,
}


class Reply(NamedTuple):
    """What an answer says; a figure that is missing or cannot be true is None."""

    text: str
    tokens_in: int | None
    tokens_out: int | None
    credits: Decimal | None


def parse_answer(status: int, body_text: str) -> Reply:
    """Return the Reply in an answer.

    Raise Refused for an error that the body states, whatever the HTTP status; a filtered answer is MODERATION. Raise
    Unknown for anything else that is not an answer: it may have been charged, as answers without text are.
    """
    body = _body(body_text)
    usage = body.get("usage")
    reply = Reply(
        text=_plain("".join(_texts(body))),
        tokens_in=_count(usage, "prompt_tokens", "input_tokens"),
        tokens_out=_count(usage, "completion_tokens", "output_tokens"),
        credits=_charge(body.get("credits_consumed")),
    )
    if status == 200 and reply.text:
        return reply
    _raise_if_refused(status, body)
    raise_for_status(status, body_text)
    if _is_filtered(body):
        raise Refused("the answer was filtered by content policy", status, Reason.MODERATION)
    raise Unknown(f"the answer has no text, credits consumed: {reply.credits}", status)


def _body(text: str) -> dict[str, Any]:
    """Return the answer's JSON object, {} if there is none."""
    whole = loads(text)
    if whole is None and (events := list(_events(text))):
        return _merged(events)
    return whole if isinstance(whole, dict) else {}


def _raise_if_refused(status: int, body: dict[str, Any]) -> None:
    """Raise what a body without an answer states: a vendor's error object, or KIE's envelope."""
    match body:
        case {"error": dict(error)} if error:
            raise _vendors_error(status, error)
        case {"code": code} if (code := _number(code, 200)) != 200:
            raise Unknown(message_of(body), code) if code in _UNDECIDED_CODES else Refused(message_of(body), code)


def _vendors_error(status: int, error: dict[str, Any]) -> KieError:
    """Return the error for a vendor's error object; its message tells more than its type, its type more than a code."""
    code, msg = status if status != 200 else _number(error.get("code"), 500), message_of(error)
    words = [word for word in (error.get("code"), error.get("type")) if isinstance(word, str)]
    if code in _UNDECIDED_CODES or _UNDECIDED_TYPES & set(words):
        return Unknown(msg, code)
    by_words, by_type = refusal_reason(0, msg), next(filter(None, map(_VENDOR_REASONS.get, words)), None)
    return Refused(msg, code, by_words if by_words != Reason.OTHER else by_type)


def _texts(body: dict[str, Any]) -> Iterator[str]:
    """Yield the pieces of an answer's text, without the model's reasoning."""
    match body:
        case {"choices": [{"message": {"content": content}}, *_]}:
            yield from _parts(content)
        case {"output": [*items]}:
            for item in items:
                if isinstance(item, dict) and item.get("type") == "message":
                    yield from _parts(item.get("content"))
        case {"content": content}:
            yield from _parts(content)


def _parts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            match part:
                case {"type": "text" | "output_text", "text": str(text)}:
                    yield text


def _is_filtered(body: dict[str, Any]) -> bool:
    match body:
        case {"choices": [{"finish_reason": "content_filter"}, *_]} | {"stop_reason": "refusal"}:
            return True
        case {"incomplete_details": {"reason": "content_filter"}}:
            return True
    return False


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.split("\n"):  # not splitlines: U+2028 may stand inside a JSON text
        if line.startswith("data:") and isinstance(event := loads(line.removeprefix("data:")), dict):
            yield event


def _merged(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the body that an event stream amounts to; raise Unknown if its end is missing.

    An error in place of the first piece of text is returned as the body. After it, the answer may have been charged.
    """
    whole, usage, pieces, is_ended = dict[str, Any](), dict[str, Any](), list[str](), False
    for event in events:
        match event:
            case {"type": "response.completed" | "response.incomplete", "response": dict(response)}:
                charged = event.get("credits_consumed", response.get("credits_consumed"))
                return response | {"credits_consumed": charged}
            case {"error": dict(error)} if error:
                whole["error"] = error
            case {"code": code} if _number(code, 200) != 200:
                whole |= {"code": code, "msg": message_of(event)}
        whole |= {name: event[name] for name in ("credits_consumed", "stop_reason") if name in event}
        pieces.append(_piece(event))
        usage |= _usage(event)
        is_ended = is_ended or _is_last(event)
    is_refused = "error" in whole or "code" in whole
    if is_refused and not any(pieces):
        return whole
    if is_refused or not is_ended:
        raise Unknown("the event stream is cut off", 200)
    return whole | {"content": "".join(pieces), "usage": usage}


def _piece(event: dict[str, Any]) -> str:
    match event:
        case {"choices": [{"delta": {"content": str(text)}}, *_]}:
            return text
        case {"type": "content_block_delta", "delta": {"text": str(text)}}:
            return text
    return ""


def _usage(event: dict[str, Any]) -> dict[str, Any]:
    match event:
        case {"usage": dict(usage)} | {"message": {"usage": dict(usage)}}:
            return usage
    return {}


def _is_last(event: dict[str, Any]) -> bool:
    match event:
        case {"choices": [{"finish_reason": str()}, *_]} | {"type": "message_stop"}:
            return True
    return False


def _plain(text: str) -> str:
    """Return a text that can be stored and sent: without NUL and without lone surrogates."""
    return text.replace("\0", "").encode(errors="replace").decode().strip()


def _number(value: object, default: int) -> int:
    number = credits_of(value)
    return int(number) if number is not None and abs(number) < MOST_TOKENS else default


def _count(usage: object, *names: str) -> int | None:
    """Return a number of tokens, from the first of these names that is present."""
    found = next((usage[name] for name in names if name in usage), None) if isinstance(usage, dict) else None
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST_TOKENS
    return found if is_count else None


def _charge(value: object) -> Decimal | None:
    """Return what KIE says it took; None for 0 too, as no recorded answer cost less than 0.01."""
    credits = credits_of(value)
    return credits if credits is not None and 0 < credits <= MOST_CREDITS else None

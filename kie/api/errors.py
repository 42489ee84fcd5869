"""The errors of the KIE client, sorted by what may be done next.

What matters after a failed call: did KIE refuse it (`Refused`), did nothing reach KIE (`NotSent`), or is the outcome
unknown (`Unknown`)? Only a call that was not sent may always be repeated: KIE has no idempotency key, so a repeated
create can cost twice. These three are the same as Telegram's (`kie/api/call_errors.py`). Their texts contain no key and
are shortened, so they are safe to log.
"""

import re
from enum import StrEnum

from kie.api import call_errors

MSG_LIMIT = 300  # characters of KIE's message that are kept; longer messages quote the request


class Reason(StrEnum):
    """Why KIE refused a call, or why an accepted task failed."""

    BUSY = "busy"  # too many requests, or a full queue
    MAINTENANCE = "maintenance"
    CREDITS = "credits"  # our account has too few
    KEY = "key"  # our API key is wrong, or may not do this
    MODEL = "model"  # unknown to KIE, or switched off
    FILE = "file"  # an input file cannot be fetched or used
    MODERATION = "moderation"
    VALIDATION = "validation"  # the input is wrong
    SERVER = "server"  # KIE's own error: another attempt may succeed
    TIMEOUT = "timeout"  # of a task: upstream did not answer
    MISSING = "missing"  # the task has no record (yet)
    OTHER = "other"


# Codes whose meaning does not depend on the text. 500, 501, 531, 400 and 422 need the text as well.
_REASON_BY_CODE = {
    401: Reason.KEY,
    402: Reason.CREDITS,
    403: Reason.KEY,
    404: Reason.MODEL,
    413: Reason.FILE,
    429: Reason.BUSY,
    433: Reason.CREDITS,
    451: Reason.FILE,
    455: Reason.MAINTENANCE,
    505: Reason.MODEL,
    550: Reason.BUSY,
}
_CREDITS = re.compile(r"credits? insufficient|insufficient credits?|balance isn.t enough", re.I)
_MODERATION = re.compile(
    r"flagged|sensitive|violat|polic(?:y|ies)|moderat|copyright|safety|nsfw|was rejected|rejected by", re.I
)
_MODEL = re.compile(r"model.{0,40}not supported|page does not exist", re.I)  # the second for a chat path
_MAINTENANCE = re.compile(r"being maintained|under maintenance", re.I)
# Validation errors that KIE also sends with code 500, so that they look like server errors.
_VALIDATION = re.compile(
    r"is required|cannot be null|not within the range|length cannot exceed|must be (?:within|between)|size error"
    r"|cannot be mixed|please enter",
    re.I,
)
_BUSY_SERVER = re.compile(
    r"internal|busy|server (?:error|exception)|try again|generation failed|playground task failed", re.I
)


class KieError(call_errors.CallFailed):
    """A call to KIE failed; `code` is KIE's code or the HTTP status, if there is one."""

    def __init__(self, msg: object, code: int | None = None) -> None:
        self.code = code
        words = " ".join(str(msg).split())[:MSG_LIMIT]
        self.msg = "".join(filter(str.isprintable, words))  # no NUL and no lone surrogate, as it may be stored
        super().__init__(f"{code}: {self.msg}" if code is not None else self.msg)


class Refused(KieError, call_errors.Refused):
    """KIE refused the call, so nothing was made and nothing is charged."""

    def __init__(self, msg: object, code: int, reason: Reason | None = None) -> None:
        super().__init__(msg, code)
        self.reason = reason or refusal_reason(code, self.msg)


class NotSent(KieError, call_errors.NotSent):
    """Nothing reached KIE; the call may be repeated."""


class Unknown(KieError, call_errors.UnknownOutcome):
    """The call may have reached KIE; its outcome is unknown."""


class TooLarge(KieError):
    """A file is larger than the caller allowed."""


class NotPublic(KieError):
    """A file's URL leads into our own network, from which nothing is fetched."""


class Expired(KieError):
    """A file is gone or no longer accessible (HTTP 403, 404, 410)."""


def refusal_reason(code: int, msg: str) -> Reason:
    """Return why KIE refused a call, from the code and message of its reply."""
    if code in _REASON_BY_CODE:
        return _REASON_BY_CODE[code]
    if _CREDITS.search(msg):
        return Reason.CREDITS
    if _MODEL.search(msg):
        return Reason.MODEL
    if _MAINTENANCE.search(msg):
        return Reason.MAINTENANCE
    if _MODERATION.search(msg):
        return Reason.MODERATION
    if _VALIDATION.search(msg) or code in (400, 422):
        return Reason.VALIDATION
    return Reason.SERVER if code in (500, 501, 531) else Reason.OTHER


def failure_reason(code: str | None, msg: str) -> Reason:
    """Return why an accepted task failed; `code` is its failCode.

    Moderation is recognised by words, never by code. SERVER means that another attempt is worthwhile, so a 500 needs
    a text that says busy or internal; "task id is blank" (422) stays OTHER.
    """
    if code == "550":  # "rejected", but by a full queue
        return Reason.SERVER
    if _CREDITS.search(msg) or code in ("402", "433"):
        return Reason.CREDITS
    if _MODERATION.search(msg):
        return Reason.MODERATION
    if code in ("451", "413"):
        return Reason.FILE
    if code == "408":
        return Reason.TIMEOUT
    if _VALIDATION.search(msg) or code == "400":
        return Reason.VALIDATION
    if code == "422":
        return Reason.OTHER if "task id is blank" in msg else Reason.VALIDATION
    is_server = _BUSY_SERVER.search(msg) and code in ("500", "501", "531", "GENERATION_FAILED")
    return Reason.SERVER if is_server else Reason.OTHER

"""The errors of the KIE client, sorted by what may be done next.

Three questions matter after a failed call: did KIE say no (`Refused`), did
nothing reach it (`NotSent`), or is the outcome open (`Unknown`)? Only the second
may be repeated blindly: KIE has no idempotency key, so a repeated create can
cost twice. Texts of these errors hold no key and are cut, so they are safe to log.
"""

import re

MSG_LIMIT = 300  # characters of KIE's message that are kept; longer ones echo the request

# Codes whose meaning does not depend on the text. 500, 501, 531, 400 and 422 need the text as well.
_REASON_BY_CODE = {
    401: "key",
    402: "credits",
    403: "key",
    404: "model",
    413: "file",
    429: "busy",
    433: "credits",
    451: "file",
    455: "maintenance",
    505: "model",
    550: "busy",
}
_CREDITS = re.compile(r"credits? insufficient|insufficient credits?|balance isn.t enough", re.I)
_MODERATION = re.compile(
    r"flagged|sensitive|violat|polic(?:y|ies)|moderat|copyright|safety|nsfw|was rejected|rejected by", re.I
)
_MODEL = re.compile(r"model.{0,40}not supported", re.I)
# Validation sentences KIE sends as code 500 as well as 400 and 422; they look like a server error and are none.
_VALIDATION = re.compile(
    r"is required|cannot be null|not within the range|length cannot exceed|must be (?:within|between)|size error"
    r"|cannot be mixed|please enter",
    re.I,
)
_BUSY_SERVER = re.compile(
    r"internal|busy|server (?:error|exception)|try again|generation failed|playground task failed", re.I
)


class KieError(Exception):
    """Something went wrong with KIE; `code` is its code (or the HTTP status) when there is one."""

    def __init__(self, msg, code=None):
        self.code = code
        words = " ".join(str(msg).split())[:MSG_LIMIT]
        self.msg = "".join(filter(str.isprintable, words))  # no NUL and no half surrogate: it may go into a row
        super().__init__(f"{code}: {self.msg}" if code is not None else self.msg)


class Refused(KieError):
    """KIE answered no, so nothing was made and nothing is charged.

    `reason` is one of busy, maintenance, credits, key, model, file, moderation,
    validation, server, other; and `missing` when a task's record is not there (yet).
    """

    def __init__(self, msg, code, reason=None):
        super().__init__(msg, code)
        self.reason = reason or refusal_reason(code, self.msg)


class NotSent(KieError):
    """The connection was never made: nothing reached KIE, the call may be repeated."""


class Unknown(KieError):
    """The call may have reached KIE, and nobody can tell what came of it."""


class TooLarge(KieError):
    """A file is larger than the caller allowed."""


class NotPublic(KieError):
    """A file's address leads into our own network, where nothing is fetched."""


class Expired(KieError):
    """A file is gone or no longer open to us (HTTP 403, 404, 410)."""


def refusal_reason(code, msg):
    """Return the reason word for an envelope with `code` and `msg` that refuses a call."""
    if code in _REASON_BY_CODE:
        return _REASON_BY_CODE[code]
    if _CREDITS.search(msg):
        return "credits"
    if _MODEL.search(msg):
        return "model"
    if _MODERATION.search(msg):
        return "moderation"
    if _VALIDATION.search(msg) or code in (400, 422):
        return "validation"
    return "server" if code in (500, 501, 531) else "other"


def failure_reason(code, msg):
    """Return why an accepted task failed: moderation, file, server, credits, timeout, validation or other.

    `code` is the task's failCode as text, or None. Moderation is told by words,
    never by code. `server` means that a new attempt is worth while, so a 500 needs
    a text that says busy or internal; "task id is blank" (422) stays `other`.
    """
    if code == "550":  # "rejected", but by a full queue
        return "server"
    if _CREDITS.search(msg) or code in ("402", "433"):
        return "credits"
    if _MODERATION.search(msg):
        return "moderation"
    if code in ("451", "413"):
        return "file"
    if code == "408":
        return "timeout"
    if _VALIDATION.search(msg) or code == "400":
        return "validation"
    if code == "422":
        return "other" if "task id is blank" in msg else "validation"
    return "server" if _BUSY_SERVER.search(msg) and code in ("500", "501", "531", "GENERATION_FAILED") else "other"

"""How a call to a service can fail, the same for KIE (`kie/api/errors.py`) and Telegram (`core/telegram/`).

The class says what may be done next. It lives here because `kie` imports nothing from `core`, so both can use it.
"""


class CallFailed(Exception):
    """A call to a service has failed."""


class NotSent(CallFailed):
    """Nothing reached the service; the call may be repeated."""


class UnknownOutcome(CallFailed):
    """The service was asked, but no answer came: the call may or may not have been carried out."""


class Refused(CallFailed):
    """The service answered no, so nothing was done."""

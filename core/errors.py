"""The errors that people meet, by name."""

from typing import Any

from core.buttons import Keyboard
from core.services.http import ServiceFailed
from storage.journal.audit_log import OwnCheque
from storage.money.ledger import NotEnoughMoney

__all__ = ["NotEnoughMoney", "OwnCheque", "SaidAlready", "ServiceFailed", "UserError"]


class UserError(Exception):
    """Something a person can cause or fix: the wrapper replies with the text of `key`.

    `buttons` lead on from there; without any, a tap is answered with an alert, and its screen stays as it is.
    """

    def __init__(self, key: str, buttons: Keyboard | None = None, **values: Any) -> None:
        super().__init__(key)
        self.key = key
        self.buttons = buttons
        self.values = values


class SaidAlready(Exception):
    """A handler that must not run twice has failed after it had sent something: its update is not retried."""

"""What goes wrong for a person, by name."""

from typing import Any

from core.buttons import Keyboard
from core.services.http import ServiceFailed
from storage.journal.audit_log import OwnCheque
from storage.money.ledger import NotEnoughMoney

__all__ = ["NotEnoughMoney", "OwnCheque", "SaidAlready", "ServiceFailed", "UserError"]


class UserError(Exception):
    """Something a person can cause or mend: the wrapper replies with the text of `key`.

    `buttons` lead on from there; an `alert` is for a tap whose screen stays as it is.
    """

    def __init__(self, key: str, buttons: Keyboard | None = None, **values: Any) -> None:
        super().__init__(key)
        self.key = key
        self.buttons = buttons
        self.values = values


class SaidAlready(Exception):
    """A handler that may not run twice has failed after it had said something: its update is not tried again."""

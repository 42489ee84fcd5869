"""The assistant: a chat model of KIE's that helps people write, at the operator's cost, within limits.

Settings: HELPER_DAILY, questions a person may ask a day; HELPER_CEILING, questions a day of all people together. 0
switches it off. A voice message that is written down counts as a question. Questions and answers are not logged.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.errors import UserError
from core.services.media import Busy, Unreadable
from core.telegram.sender import TooBig
from kie.api.call_errors import CallFailed
from kie.api.chat import Message, ask_first
from kie.api.client import Client
from kie.catalogue.chat_models import ChatModel, ChatModels
from storage.base.tables import User
from storage.money import quotas

log = logging.getLogger(__name__)
DAY = timedelta(days=1)
LIMIT_S = 30.0  # for the whole answer: somebody waits for it
SPOKEN_S, SPOKEN_BYTES = 120, 2 * 1024 * 1024  # of a voice message; its length is what Telegram says, its size is true
EVERYBODY = 0, "assistant of all"  # whom and what is counted: all people together


class Assistant:
    """Asks the models that serve as helpers, in order, until one answers."""

    def __init__(self, settings: Any, client: Client, models: ChatModels) -> None:
        self._settings, self._client, self._models = settings, client, models

    @property
    def is_on(self) -> bool:
        """Return whether the operator offers it."""
        return bool(self._settings["HELPER_DAILY"] and self._settings["HELPER_CEILING"])

    @property
    def names(self) -> list[str]:
        """Return the names of the models that may be asked, for /privacy."""
        return list(dict.fromkeys(model.title for model in self._models.helper))

    @property
    def listeners(self) -> list[str]:
        """Return the names of the models that may be given a voice message, for /privacy."""
        return list(dict.fromkeys(model.title for model in self._models.transcribe))

    def can_hear(self, file: dict[str, Any] | None) -> bool:
        """Return whether a file is a voice message that can be written down."""
        is_voice = file is not None and file["kind"] == "voice"
        return self.is_on and is_voice and (file["seconds"] or 0) <= SPOKEN_S and (file["size"] or 0) <= SPOKEN_BYTES

    def ask(self, user: User, question: str, now: datetime, instruction: str = "", files: Sequence[str] = ()) -> str:
        """Return the answer to a person's question; `files` are addresses of pictures.

        Raise UserError if it is switched off, if the person or all together have asked enough today, or if no model
        answers: the caller goes on without it.
        """
        self._take(user, now)
        return self._answer(self._models.helper, instruction, Message("user", question, pictures=tuple(files)))

    def hear(self, user: User, bring: Callable[[], str], now: datetime, instruction: str) -> str:
        """Return the words of a voice message; `bring()` returns its address at KIE. Raise UserError as `ask` does."""
        self._take(user, now)
        try:
            url = bring()
        except (CallFailed, Busy, Unreadable, TooBig) as error:
            log.warning("a voice message could not be brought to KIE: %s", error)
            raise UserError("assistant.deaf") from None
        return self._answer(self._models.transcribe, instruction, Message("user", "", sounds=(url,)), "assistant.deaf")

    def _take(self, user: User, now: datetime) -> None:
        if not self.is_on:
            raise UserError("assistant.off")
        self._count(user.telegram_id, "assistant", self._settings["HELPER_DAILY"], now)
        self._count(*EVERYBODY, self._settings["HELPER_CEILING"], now)

    def _answer(
        self, models: Sequence[ChatModel], instruction: str, question: Message, away: str = "assistant.away"
    ) -> str:
        messages = [Message("system", instruction), question] if instruction else [question]
        try:
            return ask_first(self._client, models, messages, limit_s=LIMIT_S).text.strip()
        except CallFailed as error:
            log.warning("the assistant has not answered: %s", error)
            raise UserError(away) from None

    @staticmethod
    def _count(telegram_id: int, kind: str, most: int, now: datetime) -> None:
        if quotas.take(telegram_id, kind, most, DAY, now) is not None:
            raise UserError("assistant.enough")

"""Asking KIE's chat models: a question and its answer in one call.

There is no task to look up afterwards and no idempotency key: a call whose outcome is unknown may have been charged and
is never repeated here. Facts (docs.kie.ai, market/{chat,claude,grok,codex}): the answer has the vendor's own format and
`credits_consumed`; the default of `stream` differs between models, so it is always sent. Questions and answers are not
logged.
"""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any, Literal, Protocol

from kie.api.chat_response import parse_answer
from kie.api.client import Client
from kie.api.errors import NotSent, Reason, Refused

log = logging.getLogger(__name__)

READ_TIMEOUT_S = LIMIT_S = 60.0
REPEAT_AFTER_S = 2.0
ANSWER_TOKENS = 4096  # `max_tokens` if the caller sets none: Anthropic's format needs one
# For estimates. Letters per token are on the safe side; Gemini counts 32 tokens a second of sound (ai.google.dev,
# "Understand and count tokens"), and five minutes are assumed.
TOKENS_PER_PICTURE, TOKENS_PER_SOUND = 1_500, 9_600
SMALLEST_CHARGE = Decimal("0.01")  # credits; charges have two decimals
_ACCOUNT = (Reason.KEY, Reason.CREDITS)  # reasons that would refuse every model
_CYRILLIC, _LATIN = re.compile("[\u0400-\u052f]"), re.compile("[\0-\u024f]")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.S)


class Model(Protocol):
    """What this module needs to know about a chat model (`kie/catalogue/chat_models.py`)."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def format(self) -> str: ...

    @property
    def takes(self) -> frozenset[str]: ...

    @property
    def send(self) -> Mapping[str, Any]: ...

    @property
    def credits_in(self) -> Decimal: ...

    @property
    def credits_out(self) -> Decimal: ...

    @property
    def hidden_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; pictures and sounds are public https URLs or base64 data URLs."""

    role: Literal["system", "user", "assistant"]
    text: str = field(repr=False)
    pictures: tuple[str, ...] = field(default=(), repr=False)
    sounds: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer: never empty, and what KIE counted and took for it, None if it did not say so."""

    text: str = field(repr=False)
    model: Model
    tokens_in: int | None
    tokens_out: int | None
    credits: Decimal | None


def ask(
    client: Client,
    model: Model,
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
    limit_s: float = LIMIT_S,
) -> Answer:
    """Ask a model once and return its Answer; raise Refused, NotSent or Unknown.

    `limit_s` is for the whole call, `read_timeout_s` for each silence in it. `max_tokens` limits the answer where the
    format has such a field (anthropic), and models do not always obey it.
    """
    _check(model, messages)
    if limit_s <= 0:
        raise NotSent("no time is left to ask")
    body = {**_BODIES[model.format](model, messages, max_tokens or ANSWER_TOKENS), **model.send, "stream": False}
    reply = parse_answer(*client.post(model.path, body, read_timeout_s=read_timeout_s, limit_s=limit_s))
    log.info("%s answered for %s credits, tokens %s + %s", model.id, reply.credits, reply.tokens_in, reply.tokens_out)
    return Answer(reply.text, model, reply.tokens_in, reply.tokens_out, reply.credits)


def ask_first(
    client: Client,
    models: Sequence[Model],
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
    limit_s: float = LIMIT_S,
    repeat_after_s: float = REPEAT_AFTER_S,
) -> Answer:
    """Return the Answer of the first of `models` (not empty) that gives one; raise the last error if none does.

    A refusal leads to the next model, unless its reason is KEY or CREDITS, which hold for all. The first refusal with
    reason SERVER ("Server exception, please try again later") is repeated once, after `repeat_after_s`. NotSent and
    Unknown are raised at once: such a call may have been charged. `limit_s` is for all calls together.
    """
    ends, waiting, is_repeated = time.monotonic() + limit_s, list(models), False
    while True:
        model, left_s = waiting.pop(0), ends - time.monotonic()
        try:
            return ask(client, model, messages, max_tokens=max_tokens, read_timeout_s=read_timeout_s, limit_s=left_s)
        except Refused as refusal:
            log.info("%s refused to answer: %s", model.id, refusal.reason)
            repeats = refusal.reason == Reason.SERVER and not is_repeated
            if repeats:
                is_repeated, waiting = True, [model, *waiting]
            pause_s = repeat_after_s if repeats else 0
            if refusal.reason in _ACCOUNT or not waiting or time.monotonic() + pause_s >= ends:
                raise
        time.sleep(pause_s)


def estimate(model: Model, messages: Sequence[Message], reply_tokens: int) -> Decimal:
    """Return the credits to hold for an answer of `reply_tokens`: tokens are estimated high, the sum is rounded up."""
    tokens = model.hidden_tokens + sum(map(count_tokens, messages))
    return max(SMALLEST_CHARGE, _list_price(model, tokens, reply_tokens).quantize(SMALLEST_CHARGE, ROUND_CEILING))


def cost_of(answer: Answer) -> Decimal | None:
    """Return the credits an answer cost: what KIE says it took, else tokens at list price, else None."""
    if answer.credits is not None or answer.tokens_in is None or answer.tokens_out is None:
        return answer.credits
    exact = _list_price(answer.model, answer.tokens_in, answer.tokens_out)
    return max(SMALLEST_CHARGE, exact.quantize(SMALLEST_CHARGE, ROUND_HALF_UP))  # as recorded charges are rounded


def _list_price(model: Model, tokens_in: int, tokens_out: int) -> Decimal:
    return (model.credits_in * tokens_in + model.credits_out * tokens_out) / 1_000_000


def count_tokens(message: Message) -> int:
    """Return the tokens of a message: one for 2 Cyrillic characters, for 3 Latin ones, for 1 of any other script."""
    cyrillic, latin = len(_CYRILLIC.findall(message.text)), len(_LATIN.findall(message.text))
    others = len(message.text) - cyrillic - latin
    files = TOKENS_PER_PICTURE * len(message.pictures) + TOKENS_PER_SOUND * len(message.sounds)
    return math.ceil(cyrillic / 2 + latin / 3) + others + files


def _check(model: Model, messages: Sequence[Message]) -> None:
    """Raise Refused for a file that the model does not take."""
    for kind, is_sent in (
        ("picture", any(message.pictures for message in messages)),
        ("sound", any(message.sounds for message in messages)),
    ):
        if is_sent and kind not in model.takes:
            raise Refused(f"{model.id} takes no {kind}", 400, Reason.VALIDATION)


def _openai_chat(model: Model, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
    """Return the body of /<model>/v1/chat/completions; files of every kind go as `image_url`, as KIE's pages say."""
    return {
        "messages": [
            {
                "role": message.role,
                "content": [
                    *([{"type": "text", "text": message.text}] if message.text else []),
                    *({"type": "image_url", "image_url": {"url": url}} for url in _files(message)),
                ],
            }
            for message in messages
        ]
    }


def _responses(model: Model, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
    """Return the body of …/v1/responses; an earlier answer is plain text, as OpenAI refuses `input_text` in it."""
    return {
        "model": model.id,
        "input": [
            {
                "role": message.role,
                "content": message.text
                if message.role == "assistant"
                else [
                    *([{"type": "input_text", "text": message.text}] if message.text else []),
                    *({"type": "input_image", "image_url": url} for url in _files(message)),
                ],
            }
            for message in messages
        ],
    }


def _anthropic(model: Model, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
    """Return the body of /claude/v1/messages; Anthropic's format has the instructions apart from the conversation."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    turns = [
        {
            "role": message.role,
            "content": [
                *({"type": "image", "source": _source(url)} for url in _files(message)),
                *([{"type": "text", "text": message.text}] if message.text else []),
            ],
        }
        for message in messages
        if message.role != "system"
    ]
    return {"model": model.id, "max_tokens": max_tokens, "messages": turns} | ({"system": system} if system else {})


_BODIES: dict[str, Callable[[Model, Sequence[Message], int], dict[str, Any]]] = {
    "openai-chat": _openai_chat,
    "responses": _responses,
    "anthropic": _anthropic,
}


def _files(message: Message) -> tuple[str, ...]:
    return (*message.pictures, *message.sounds)


def _source(url: str) -> dict[str, str]:
    """Return Anthropic's source of a picture."""
    if data := _DATA_URL.fullmatch(url):
        return {"type": "base64", "media_type": data[1], "data": data[2]}
    return {"type": "url", "url": url}

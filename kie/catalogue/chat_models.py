"""The chat models from data/chat_models.json: the path, accepted files and price of each, and the roles they serve in.

The file is for operators, one entry a model, prices in KIE credits per 1,000,000 tokens. A mistake in it is a
CatalogError that names the entry and the field: these models are few, and a wrong price must not be sold.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kie.catalogue.model import CatalogError

FORMATS = ("openai-chat", "responses", "anthropic")
TAKES = ("picture", "sound")
SOLD = ("quick", "clever", "best")
ROLES = ("helper", "transcribe", *SOLD)
FIELDS = {
    "id",
    "title",
    "path",
    "format",
    "in",
    "cached",
    "out",
    "takes",
    "hidden_tokens",
    "context",
    "send",
    "until",
    "source",
    "note",
}


@dataclass(frozen=True, slots=True)
class ChatModel:
    """One chat model; credits are KIE's, for 1,000,000 tokens.

    `takes` has the files it can be asked about (see TAKES), `send` fixed fields of its requests. `hidden_tokens` is a
    reserve for instructions that KIE adds to each question. After `until` (aware) the price may change.
    """

    id: str
    title: str
    path: str
    format: str
    credits_in: Decimal
    credits_out: Decimal
    credits_cached: Decimal | None = None
    takes: frozenset[str] = frozenset()
    hidden_tokens: int = 0
    context_tokens: int | None = None
    send: Mapping[str, Any] = field(default_factory=dict, hash=False)
    until: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class ChatModels:
    """All chat models by id, and those that serve: `helper` and `transcribe` in the order in which they are tried."""

    models: Mapping[str, ChatModel]
    helper: tuple[ChatModel, ...]
    transcribe: tuple[ChatModel, ...]
    quick: ChatModel
    clever: ChatModel
    best: ChatModel
    as_of: str

    @classmethod
    def load(cls, path: str | Path) -> "ChatModels":
        """Return the chat models in the JSON file `path`, or raise CatalogError."""
        try:
            return _loaded(Path(path), os.stat(path).st_mtime_ns)
        except (OSError, ValueError) as error:
            raise CatalogError(f"{path}: {error}") from error

    @classmethod
    def from_data(cls, data: Any) -> "ChatModels":
        """Return the chat models of the parsed file, or raise CatalogError."""
        _need(isinstance(data, dict), "the file", "it is not a JSON object")
        entries, models = data.get("models"), dict[str, ChatModel]()
        _need(isinstance(entries, list), "the file", "models is not a list")
        for place, raw in enumerate(entries, start=1):
            model = _read(raw, place)
            _need(model.id not in models, model.id, "id is used twice")
            models[model.id] = model
        as_of = data.get("as_of")
        _need(isinstance(as_of, str) and as_of, "the file", "as_of is missing")
        serving = {role: _serving(data.get("serve"), role, models) for role in ROLES}
        sold = {role: serving[role][0] for role in SOLD}
        return cls(MappingProxyType(models), serving["helper"], serving["transcribe"], **sold, as_of=as_of)


@lru_cache(maxsize=2)
def _loaded(path: Path, _changed_at: int) -> ChatModels:
    return ChatModels.from_data(json.loads(path.read_text(encoding="utf-8")))


def _read(raw: Any, place: int) -> ChatModel:
    """Return the ChatModel of one entry, the `place`-th, or raise CatalogError."""
    _need(isinstance(raw, dict), f"model {place}", "it is not a JSON object")
    where = str(raw.get("id") or f"model {place}")
    _need(set(raw) <= FIELDS, where, f"unknown field {sorted(set(raw) - FIELDS)}")
    for name in ("id", "title", "path", "format", "in", "out", "source"):
        _need(isinstance(raw.get(name), str) and raw[name], where, f"{name} is missing or no text")
    _need(raw["format"] in FORMATS, where, f"format {raw['format']!r} is not one of {FORMATS}")
    _need(raw["path"].startswith("/"), where, f"path {raw['path']!r} does not begin with /")
    takes, send = raw.get("takes", []), raw.get("send", {})
    _need(isinstance(takes, list) and all(kind in TAKES for kind in takes), where, f"takes is a list of {TAKES}")
    _need("sound" not in takes or raw["format"] == "openai-chat", where, "takes: only openai-chat can send sound")
    _need(isinstance(send, dict) and "stream" not in send, where, "send is an object without stream")
    return ChatModel(
        id=raw["id"],
        title=raw["title"],
        path=raw["path"],
        format=raw["format"],
        credits_in=_credits(raw, "in", where),
        credits_out=_credits(raw, "out", where),
        credits_cached=_credits(raw, "cached", where) if "cached" in raw else None,
        takes=frozenset(takes),
        hidden_tokens=_tokens(raw, "hidden_tokens", where) or 0,
        context_tokens=_tokens(raw, "context", where),
        send=send,
        until=_time(raw, "until", where),
        source=raw["source"],
    )


def _credits(raw: Mapping[str, Any], name: str, where: str) -> Decimal:
    value = raw[name]
    _need(isinstance(value, str), where, f'{name} must be text, such as "4.5"')
    try:
        credits = Decimal(value)
    except InvalidOperation:
        credits = Decimal("nan")
    _need(credits.is_finite() and credits > 0, where, f"{name} {value!r} is no price above 0")
    return credits


def _tokens(raw: Mapping[str, Any], name: str, where: str) -> int | None:
    value = raw.get(name)
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    _need(value is None or is_count, where, f"{name} {value!r} is no number of tokens")
    return value


def _time(raw: Mapping[str, Any], name: str, where: str) -> datetime | None:
    if name not in raw:
        return None
    try:
        time = datetime.fromisoformat(raw[name])
    except (TypeError, ValueError) as error:
        raise CatalogError(f"{where}: {name} {raw[name]!r} is no time") from error
    _need(time.tzinfo, where, f"{name} {raw[name]!r} has no time zone")
    return time


def _serving(serve: Any, role: str, models: Mapping[str, ChatModel]) -> tuple[ChatModel, ...]:
    """Return the models of a role, in order; a role that is sold has one, as its price is agreed on beforehand."""
    where, found = f"serve.{role}", serve.get(role) if isinstance(serve, dict) else None
    ids: Any = [found] if role in SOLD else found
    _need(isinstance(ids, list) and ids, where, "one model's id" if role in SOLD else "a list of ids is wanted")
    for name in ids:
        _need(isinstance(name, str) and name in models, where, f"{name!r} is not in models")
        _need(role != "transcribe" or "sound" in models[name].takes, where, f"{name} takes no sound")
    return tuple(models[name] for name in ids)


def _need(condition: object, where: str, text: str) -> None:
    if not condition:
        raise CatalogError(f"{where}: {text}")

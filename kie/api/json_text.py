"""JSON of Telegram's and KIE's calls and answers, by orjson: to read and write it was a tenth of an update's time.

What orjson refuses is left to the standard library: lone surrogates, which Telegram sends where it cuts a text in the
middle of an emoji, very deep data, NaN, and large integers in what is written.
"""

import json
from collections.abc import Callable
from typing import Any

import orjson

AS_JSON = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME  # what the standard library knows, no more


def parse(text: bytes | str) -> Any:
    """Return the data in a JSON text (bytes or str); raise ValueError, or RecursionError if it is too deep."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def written(data: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return data as JSON, in bytes; `default(value)` returns what stands for a value that JSON does not know.

    Raise TypeError, ValueError or RecursionError.
    """

    def other(value: Any) -> Any:
        if isinstance(value, tuple):  # a named one
            return list(value)
        if default is None:
            raise TypeError
        return default(value)

    try:
        return orjson.dumps(data, other, AS_JSON)
    except TypeError:
        return json.dumps(data, default=default).encode()

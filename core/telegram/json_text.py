"""JSON of calls, answers and updates, by orjson: to read and write it was a tenth of an update's time.

What orjson refuses is left to the standard library: lone surrogates, which Telegram sends where it cuts a text in the
middle of an emoji, very deep data, NaN, and large integers in what is written. What only orjson knows, such as dates,
is left to `default`.
"""

import json
from typing import Any

import orjson


def parse(text: bytes | str) -> Any:
    """Return the data in a JSON text (bytes or str); raise ValueError, or RecursionError if it is too deep."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def written(data: Any, default: Any = None) -> bytes:
    """Return data as JSON, in bytes; `default(value)` returns what stands for a value that JSON does not know.

    Raise TypeError, ValueError or RecursionError.
    """
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    try:  # a named tuple is a list, as in the standard library
        return orjson.dumps(data, lambda value: list(value) if isinstance(value, tuple) else default(value), options)
    except TypeError:
        return json.dumps(data, default=default).encode()

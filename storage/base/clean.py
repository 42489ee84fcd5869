"""Text that both databases and Telegram accept: no NUL characters, no lone surrogates."""

from typing import Any


def clean(data: Any) -> Any:
    """Return plain data (texts, numbers, lists, dicts) with every text cleaned; lone surrogates become U+FFFD."""
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, dict):
        return {clean(name): clean(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [clean(value) for value in data]
    return data


def _text(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(text)

"""Text as both databases, and Telegram, can take it: without NUL and without halves of surrogate pairs."""


def clean(data):
    """Return plain data (texts, numbers, lists, dicts) with every text in it cleaned; halves of pairs become U+FFFD."""
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, dict):
        return {clean(name): clean(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [clean(value) for value in data]
    return data


def _text(text):
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(text)

"""The parameters of a call: read from JSON, a form, a query string or multipart, and typed on use."""

import json
from urllib.parse import parse_qsl

from demo.files import Upload
from demo.rules import ApiError, bad, read_markup

BODY_MAX = 60_000_000  # bytes: the largest upload (50 MB) and the fields around it
TRUE = {"true", "1", "yes"}


class Params(dict):
    """The raw values by name; text if the call came as a form, JSON values if it came as JSON."""

    def text(self, name, default=""):
        """Return a text; numbers are converted, as the real server does."""
        value = self.get(name)
        if value is None:
            return default
        return value if isinstance(value, str) else json.dumps(value)

    def need(self, name):
        """Return a required text."""
        value = self.text(name)
        if not value:
            raise bad(f'parameter "{name}" is required')
        return value

    def number(self, name, default=0):
        """Return a whole number; text that is not one counts as 0, as in the real server."""
        value = self.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            return 0

    def flag(self, name):
        """Return a Boolean."""
        value = self.get(name)
        return value.lower() in TRUE if isinstance(value, str) else bool(value)

    def json(self, name, kind, default=None):
        """Return an object or array (`kind` is dict or list), whether it came parsed or as text."""
        value = self.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise bad(f"can't parse {name} JSON object") from None
        if not isinstance(value, kind):
            raise bad(f"expected {'an Object' if kind is dict else 'an Array'} in {name}")
        return value

    def objects(self, name):
        """Return an array of objects; a missing one counts as empty."""
        items = self.json(name, list, [])
        if not all(isinstance(item, dict) for item in items):
            raise bad(f"expected an Object in {name}")
        return items

    def ids(self, name, most=100):
        """Return an array of 1 to `most` message identifiers."""
        ids = self.json(name, list, [])
        if not 1 <= len(ids) <= most or not all(isinstance(one, int) for one in ids):
            raise bad("wrong number of message identifiers specified")
        return ids

    def markup(self):
        """Return the checked reply_markup, or None."""
        value = self.get("reply_markup")
        return None if value is None else read_markup(value)


async def read_params(request, lists=()):
    """Return the Params of a request: the query string, overridden by the body.

    Files of a name in `lists` are always a list; otherwise the last one of a name counts.
    """
    params = Params(request.query)
    if request.method in ("POST", "PATCH"):
        kind = request.content_type
        if kind == "multipart/form-data":
            await read_multipart(request, params, lists)
        elif request.body_exists:
            params.update(parse_body(kind, await request.read()))
    return params


def parse_body(kind, body):
    """Return the parameters in a JSON or form body."""
    if not body:
        return {}
    if kind == "application/json":
        try:
            parsed = json.loads(body)
        except ValueError:
            raise bad("can't parse JSON encoded parameters") from None
        if not isinstance(parsed, dict):
            raise bad("expected an Object in JSON encoded parameters")
        return parsed
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


async def read_multipart(request, params, lists):
    """Add the fields and files of a multipart body to `params`."""
    size = 0
    async for part in await request.multipart():
        chunks = []
        while chunk := await part.read_chunk(1 << 18):
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_MAX:
                raise ApiError(413, "Request Entity Too Large")
        data = b"".join(chunks)
        if part.filename is None:
            params[part.name] = data.decode(errors="replace")
            continue
        upload = Upload(data, part.filename, part.headers.get("Content-Type", ""))
        params[part.name] = [*params.get(part.name, ()), upload] if part.name in lists else upload

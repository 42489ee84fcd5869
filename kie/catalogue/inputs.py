"""One input of a model: what a user may give, and the form in which KIE expects it.

A value is plain JSON, so that a draft can be stored as it is: text, a number, true or false, and

- for a file a dict {"file_id", "unique_id", "kind", "mime", "size", "name", "seconds", "width",
  "height"} with None for what Telegram did not say, or {"url": …}; a list of them if several
  are accepted;
- for an earlier result a dict {"job", "model", "task_id"} plus what is known of that result:
  "resolution", "index", "audio_id", "persona_id".

Everything is checked by what the dict says, before anything is downloaded.
"""

import mimetypes
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

KINDS = {
    "string": "text",
    "enum": "choice",
    "boolean": "switch",
    "integer": "number",
    "number": "number",
    "integer[]": "text",
    "image": "image",
    "image[]": "image",
    "video": "video",
    "video[]": "video",
    "audio": "audio",
    "audio[]": "audio",
    "task": "task",
    "json": "fixed",
}
MEDIA = ("image", "video", "audio")
MB = 1024 * 1024

# One spelling for each type of file: Telegram, phones and KIE's schemas use different names for the same type.
MIME_TWINS = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/mp3": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/mp4a-latm": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "audio/opus": "audio/ogg",
    "audio/x-flac": "audio/flac",
    "video/x-m4v": "video/mp4",
}
TELEGRAM_KINDS = {"photo": "image", "video_note": "video", "animation": "video", "voice": "audio"}


Values = Mapping[str, Any]  # the values of a form, by input name
Condition = Mapping[str, Any]  # what `holds` tests


class InputError(Exception):
    """A value that the model does not accept; `key` names the text for the user, `values` are its values.

    Keys: too_long, too_short (characters), not_a_choice, not_a_number, wrong_step, too_small, too_large,
    too_many_files, too_few_files, wrong_file_type, file_too_big (MB), lasts_too_long, lasts_too_short
    (seconds), not_usable (an earlier result), unknown_input, missing, needs, not_together.
    `values` always has "name", the input's name, and usually "limit" and "found".
    """

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(f"{key} {values}")
        self.key, self.values = key, values


def present(value: object) -> bool:
    """Return whether `value` counts as given: not None, not empty text, not an empty list."""
    return value is not None and value != "" and value != [] and value != {}


def holds(condition: Condition, values: Values) -> bool:
    """Return whether `values` meet every entry of `condition`.

    An entry is a literal the value must equal, or one test: {"present": true}, {"in": […]},
    {"more_than": n} (a number, or how many files), {"longer_than": characters}, {"seconds_over": s},
    {"resolution": …} (of an earlier result).
    """
    return all(_fits(wanted, values.get(name)) for name, wanted in condition.items())


def _fits(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        ((test, limit),) = wanted.items()
        return TESTS[test](found, limit)
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def _more_than(found: Any, limit: float) -> bool:
    amount = len(found) if isinstance(found, list) else found
    return isinstance(amount, int | float) and amount > limit


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "present": lambda found, wanted: present(found) == wanted,
    "in": lambda found, wanted: found in wanted,
    "more_than": _more_than,
    "resolution": lambda found, wanted: isinstance(found, dict) and found.get("resolution") == wanted,
    "longer_than": lambda found, limit: isinstance(found, str) and len(found) > limit,
    "seconds_over": lambda found, limit: any((file.get("seconds") or 0) > limit for file in files_of(found)),
}


def files_of(value: Any) -> list[Any]:
    """Return the files in a value of a media input, as a list."""
    if not present(value):
        return []
    return value if isinstance(value, list) else [value]


def earlier_result(job: Any, part: int = 0) -> dict[str, Any]:
    """Return a finished job (an object with id, model, task_id, inputs, result) as the value of a task input.

    `part` is the index of one of its results: a picture of a run, a track of a song.
    """
    known = {"resolution": job.inputs["resolution"]} if "resolution" in job.inputs else {}
    tracks = job.result.get("tracks", [])
    if part < len(tracks):
        known["audio_id"] = tracks[part]["id"]
    if "persona_id" in job.result:
        known["persona_id"] = job.result["persona_id"]
    return {"job": job.id, "model": job.model, "task_id": job.task_id, "index": part, **known}


def clean_mime(file: Mapping[str, Any]) -> str | None:
    """Return the file's type in our spelling, or None if it is unknown."""
    mime = file.get("mime") or mimetypes.guess_type(file.get("name") or "")[0]
    if not mime and file.get("kind") == "photo":
        mime = "image/jpeg"  # photos are always JPEG (Bot API, Sending files)
    mime = (mime or "").lower().split(";")[0].strip()
    return MIME_TWINS.get(mime, mime) or None


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One input; docs/models.md explains every field."""

    name: str
    type: str
    label: str = ""
    required: bool = False
    default: object = None
    enum: tuple[Any, ...] = ()
    choice_names: Mapping[Any, str] = field(default_factory=dict)
    min: float | None = None
    max: float | None = None
    step: float | None = None
    min_length: int = 0
    max_length: int | None = None
    min_items: int = 0
    max_items: int | None = None
    max_mb: float | None = None
    accept: tuple[str, ...] = ()
    min_seconds: float | None = None
    max_seconds: float | None = None
    total_seconds: float | None = None
    send_as: str = ""
    shown: str = "more"
    send: object = None
    into: str = ""
    each: Mapping[str, str] = field(default_factory=dict)
    when: Condition = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    unless: Mapping[str, Any] = field(default_factory=dict)
    take: str = "task_id"
    also: Mapping[str, str] = field(default_factory=dict)
    drives_price: bool = False
    sample: str = ""  # of a list of voices: the address at which one can be heard, with {} for the choice
    random: bool = False  # a number that is drawn for each request, if none is given

    @property
    def kind(self) -> str:
        """Return how to ask for it: text, choice, switch, number, image, video, audio, task, or fixed (not asked for)."""
        return KINDS[self.type]

    @property
    def many(self) -> bool:
        """Return whether several files are accepted (the value is then a list)."""
        return self.kind in MEDIA and self.type.endswith("[]")

    @property
    def choices(self) -> tuple[Any, ...]:
        """Return the values to choose from, in order; empty unless the kind is choice."""
        return self.enum

    @property
    def path(self) -> str:
        """Return where the value goes in KIE's `input`, such as `prompt` or `dialogue.0.text`."""
        return self.into or self.name

    def choice_name(self, choice: Any) -> str | None:
        """Return the display name of a choice that is an id, such as a voice; else None."""
        return self.choice_names.get(choice)

    def parse(self, value: Any) -> Any:
        """Return `value` (text or JSON) converted to this input's type, or raise InputError."""
        return PARSERS[self.kind](self, value)

    def usable(self, result: Values) -> bool:
        """Return whether an earlier result (a task value) can be used here."""
        known = all(present(result.get(fact)) for fact in (self.take, *self.also.values()) if fact != "index")
        spoilt = any(result.get(fact) in values for fact, values in self.unless.items())
        return result.get("model") in self.sources and known and not spoilt

    def error(self, key: str, **values: Any) -> InputError:
        """Return an InputError about this input."""
        return InputError(key, name=self.name, **values)


FIELDS = {item.name for item in fields(Input)} - {"sources", "drives_price", "choice_names"} | {
    "from",
    "list",
    "left_out",
}


def _parse_text(spec: Input, value: Any) -> Any:
    if spec.type == "integer[]":
        return _parse_integers(spec, value)
    if not isinstance(value, str):
        raise spec.error("too_short", limit=max(spec.min_length, 1), found=0)
    text = "" if _is_blank(value) else value.strip()
    if len(text) < max(spec.min_length, 1):
        raise spec.error("too_short", limit=max(spec.min_length, 1), found=len(text))
    if spec.max_length and len(text) > spec.max_length:
        raise spec.error("too_long", limit=spec.max_length, found=len(text))
    return text


def _is_blank(text: str) -> bool:
    """Return whether a text has only invisible characters: spaces, zero-width marks and the like (Unicode C and Z)."""
    return all(unicodedata.category(char)[0] in "CZ" for char in text)


def _parse_integers(spec: Input, value: Any) -> list[int]:
    """Return a list of whole numbers from a list, or from text such as "1, 3"."""
    parts = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise spec.error("not_a_number", found=value)
    numbers = [_number(spec, part, whole=True) for part in parts]
    for number in numbers:
        _check_range(spec, number)
    return [int(number) for number in numbers]


def _parse_choice(spec: Input, value: Any) -> Any:
    for choice in spec.enum:
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    if isinstance(value, str):
        for choice in spec.enum:
            if str(choice).casefold() == value.strip().casefold():
                return choice
    raise spec.error("not_a_choice", found=value, choices=spec.enum)


def _parse_switch(spec: Input, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise spec.error("not_a_choice", found=value, choices=(True, False))


def _number(spec: Input, value: Any, whole: bool) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise spec.error("not_a_number", found=value)
    try:
        number = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        raise spec.error("not_a_number", found=value) from None
    if not number.is_finite() or (whole and number != number.to_integral_value()):
        raise spec.error("not_a_number", found=value)
    return number


def _check_range(spec: Input, number: Decimal) -> None:
    if spec.min is not None and number < Decimal(str(spec.min)):
        raise spec.error("too_small", limit=spec.min, found=number)
    if spec.max is not None and number > Decimal(str(spec.max)):
        raise spec.error("too_large", limit=spec.max, found=number)


def _parse_number(spec: Input, value: Any) -> float:
    whole = spec.type == "integer"
    number = _number(spec, value, whole)
    _check_range(spec, number)
    if spec.step and (number - Decimal(str(spec.min or 0))) % Decimal(str(spec.step)):
        raise spec.error("wrong_step", limit=spec.step, found=number)
    return int(number) if whole else float(number)


def _parse_media(spec: Input, value: Any) -> Any:
    if isinstance(value, list) and not spec.many:
        if len(value) > 1:
            raise spec.error("too_many_files", limit=1, found=len(value))
        value = value[0] if value else None
    files = files_of(value)
    least = max(spec.min_items, 1)
    if len(files) < least:
        raise spec.error("too_few_files", limit=least, found=len(files))
    if spec.max_items and len(files) > spec.max_items:
        raise spec.error("too_many_files", limit=spec.max_items, found=len(files))
    for file in files:
        _check_file(spec, file)
    _check_total(spec, files)
    return files if spec.many else files[0]


def _check_file(spec: Input, file: Any) -> None:
    if not isinstance(file, dict) or not (file.get("file_id") or file.get("url")):
        raise spec.error("wrong_file_type", found=None, accept=spec.accept)
    mime, kind = clean_mime(file), file.get("kind")
    allowed = {MIME_TWINS.get(mime, mime) for mime in spec.accept}
    fits = (
        mime in allowed
        if allowed and mime
        else (mime or TELEGRAM_KINDS.get(kind or "", kind) or "").startswith(spec.kind)
    )
    if not fits and (mime or kind):
        raise spec.error("wrong_file_type", found=mime or kind, accept=spec.accept)
    size, seconds = file.get("size"), file.get("seconds")
    if spec.max_mb and size and size > spec.max_mb * MB:
        raise spec.error("file_too_big", limit=spec.max_mb, found=round(size / MB, 1))
    if spec.max_seconds and seconds and seconds > spec.max_seconds:
        raise spec.error("lasts_too_long", limit=spec.max_seconds, found=seconds)
    if spec.min_seconds and seconds is not None and seconds < spec.min_seconds:
        raise spec.error("lasts_too_short", limit=spec.min_seconds, found=seconds)


def _check_total(spec: Input, files: list[Any]) -> None:
    total = sum(file.get("seconds") or 0 for file in files)
    if spec.total_seconds and total > spec.total_seconds:
        raise spec.error("lasts_too_long", limit=spec.total_seconds, found=total)


def _parse_task(spec: Input, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not spec.usable(value):
        raise spec.error("not_usable", found=value.get("model") if isinstance(value, dict) else None)
    return value


PARSERS: dict[str, Callable[[Input, Any], Any]] = {
    "text": _parse_text,
    "choice": _parse_choice,
    "switch": _parse_switch,
    "number": _parse_number,
    "image": _parse_media,
    "video": _parse_media,
    "audio": _parse_media,
    "task": _parse_task,
}


def sent_fields(spec: Input, value: Any, url_of: Callable[[Any], str]) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) pairs for KIE: files as URLs from `url_of`, an earlier result as its ids."""
    if spec.kind == "task":
        yield spec.path, value[spec.take]
        for name, fact in spec.also.items():
            if value.get(fact) is not None:
                yield name, value[fact]
    elif spec.kind in MEDIA:
        yield spec.path, [url_of(file) for file in value] if spec.many else url_of(value)
    else:
        yield spec.path, str(value) if spec.send_as == "string" else value


def put(target: dict[str, Any], path: str, value: Any, each: Mapping[str, str] | None = None) -> None:
    """Set `value` at `path` in the nested dict `target`.

    A number in the path is an index in a list; `*` spreads a list over a list of objects, each with the extra fields of
    `each`, where {n} counts from 1.
    """
    head, _, rest = path.partition(".")
    if not rest:
        target[head] = value
        return
    place, _, leaf = rest.partition(".")
    rows = target.setdefault(head, [])
    count = len(value) if place == "*" else int(place) + 1
    rows.extend({} for _ in range(count - len(rows)))
    if place != "*":
        rows[int(place)][leaf] = value
        return
    for number, (row, item) in enumerate(zip(rows, value, strict=True), start=1):
        row[leaf] = item
        row.update({name: text.format(n=number) for name, text in (each or {}).items()})

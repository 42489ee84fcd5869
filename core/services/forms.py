"""Answers to a model's inputs: parsed, checked and added to its values, with errors in words for people."""

import logging
import math
from decimal import Decimal

from core.attachments import HEIC
from core.errors import UserError
from core.registration_checks import nearest
from core.services.input_labels import SHOWN_TEXT
from core.texts import Ref
from kie.catalogue.inputs import MIME_TWINS, clean_mime, files_of, present
from kie.catalogue.model import InputError

log = logging.getLogger(__name__)
DECODED = (*HEIC, "image/webp", "image/png")  # converted to JPEG where KIE refuses them; no other picture is opened


def fitted(spec, file):
    """Return the file as this input accepts it: a picture in a format that KIE cannot read is marked for conversion."""
    if spec.kind == "image" and clean_mime(file) in DECODED:
        mime, accepted = clean_mime(file), {MIME_TWINS.get(known, known) for known in spec.accept}
        if mime in HEIC if not accepted else mime not in accepted:
            return file | {"mime": "image/jpeg", "convert": True}
    return file


def add_file(spec, values, file, measure=lambda file: file):
    """Return `values` with one more file; if only one is allowed, it replaces the previous one.

    `measure(file)` returns it with its length measured; before that, everything else is checked, by what its message
    says.
    """
    file = fitted(spec, file)
    _read_alone(spec, file | {"seconds": None})
    file = measure(file)
    _read_alone(spec, file)
    if not spec.many:
        return values | {spec.name: file}
    files = [file] if spec.max_items == 1 else [*files_of(values.get(spec.name)), file]
    if spec.max_items and len(files) > spec.max_items:
        raise user_error(spec.error("too_many_files", limit=spec.max_items, found=len(files)))
    return values | {spec.name: files}


def _read_alone(spec, file):
    """Check a single file, however many are wanted."""
    read(spec, [file] * max(1, spec.min_items) if spec.many else file)


def with_words_moved(model, before, after):
    """Return `after` with words that have lost their input, because a setting has changed, in the first empty one instead.

    A song's idea becomes its lyrics, say, and lyrics its idea. What does not fit there stays where it was written.
    """
    texts = [spec for spec in model.inputs if spec.kind == "text" and spec.shown != "hidden"]
    fresh = [spec for spec in texts if model.applies(spec.name, after) and not model.applies(spec.name, before)]
    place = next((spec for spec in fresh if spec.required and not present(after.get(spec.name))), None)
    for spec in texts if place else ():
        words = after.get(spec.name)
        if not present(words) or model.applies(spec.name, after) or not model.applies(spec.name, before):
            continue
        try:
            return {name: value for name, value in after.items() if name != spec.name} | {
                place.name: place.parse(words)
            }
        except InputError:
            return after
    return after


def input_of(model, name):
    """Return a model's input by its name; log an unknown one, whose name a plugin has misspelt, and raise UserError."""
    spec = model.by_name.get(name)
    if spec is None or spec.shown == "hidden":
        shown = [one.name for one in model.inputs if one.shown != "hidden"]
        log.error("%s has no input %r; %s", model.id, name, nearest(name, shown))
        raise user_error(InputError("unknown_input", name=name))
    return spec


def read(spec, value):
    """Return an answer as the input's own type, or raise UserError with what is wrong."""
    try:
        return spec.parse(value)
    except InputError as error:
        raise user_error(error) from None


def user_error(error, model=None):
    """Return the UserError that tells a person about an InputError (with `model`, it names inputs by their labels)."""
    values = {name: _told(value) for name, value in error.values.items() if name != "names"}
    if isinstance(values.get("limit"), int):
        values["n"] = values["limit"]
    for name in ("name", "needs"):
        if model is not None and name in values:
            values[name] = Ref(f"input.{model.input(values[name]).label}")
    return UserError(f"error.{error.key}", **values)


def _told(value):
    """Return a value of an InputError as a short text or a plain number."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        return int(value) if value == int(value) else round(float(value), 2)
    return str(value)[:SHOWN_TEXT]


def problem(model, values):
    """Return the UserError that says why complete values cannot be ordered together, or None."""
    try:
        model.check(values)
    except InputError as error:
        return user_error(error, model)
    return None

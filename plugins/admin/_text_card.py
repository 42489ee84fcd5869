"""What the screen of one text is made of (`plugins/admin/texts.py`): its lines, its buttons, and how it will look."""

from core.buttons import button, mark

BY_FORMAT = {"money": 12_300, "signed": 12_300, "number": 1_234, "span": 100}
ID, NUMBER = 1042, 5
TAGS = {"bold": "b", "italic": "i", "code": "code", "pre": "pre", "blockquote": "blockquote"}  # Bot API, MessageEntity
IDS = ("number", "job", "id", "ref")
NUMBERS = (
    "n", "count", "left", "limit", "percent", "minutes", "hours", "days", "stars", "most", "least", "total", "sent", "failed",
    "blocked", "doubt", "orders", "uses", "place", "credits", "free", "paid", "held", "waiting", "stuck", "models",
)  # fmt: skip


def lines(ctx, key, lang, own):
    """Return what is said about a text: its wording now, ours below, the values it can use, how to change it."""
    if not ctx.texts.has(key):
        return [ctx.say("texts.written", text=own or "–"), ctx.say("texts.gone")]
    ours = "\n".join(ctx.texts.forms(lang, key, original=True))
    found = [ctx.say("texts.written", text=own or ours)]
    if own:
        found.append(ctx.say("texts.misfit" if ctx.texts.misfit(lang, key, own) else "texts.ours", text=ours))
    if values := given(ctx, key):
        found.append(ctx.say("texts.values", names=values))
    plural = ctx.texts.is_plural(key)
    return [*found, ctx.say("texts.in_file", folder=lang) if plural else ctx.say("texts.send")]


def given(ctx, key):
    """Return the values that a text may use, as they are written in it."""
    return " ".join(f"{{{name}}}" for name in ctx.texts.given(key))


def languages(ctx, key, lang):
    """Return the rows that lead to the same text in other languages."""
    if not ctx.texts.has(key):
        return []
    cells = [
        button("texts.language", "texts:show", mark(key), one, name=ctx.texts.name_of(one), mark=" ✓" * (one == lang))
        for one in ctx.texts.languages
    ]
    return [cells[i : i + 3] for i in range(0, len(cells), 3)]


def ways_back(key, lang, row):
    """Return the row that leads back to our text, or to the operator's previous one."""
    where = (mark(key), lang, row.version) if row else ()
    back = [button("texts.back", "texts:back", *where)] if row and row.text is not None else []
    return back + ([button("texts.former", "texts:former", *where)] if row and row.former is not None else [])


def written(message):
    """Return the text of a message, with its formatting as the tags that our texts use.

    Tags are inserted from the end: in one place, closing tags come before opening ones, and inner tags stay inside
    outer ones.
    """
    raw, marks = (message.get("text") or "").encode("utf-16-le"), []
    for number, one in enumerate(message.get("entities", [])):
        if tag := TAGS.get(one["type"]):
            start, end = one["offset"], one["offset"] + one["length"]
            marks += [(start, 1, -end, number, f"<{tag}>"), (end, 0, -start, -number, f"</{tag}>")]
    for at, *_order, tag in sorted(marks, reverse=True):
        raw = raw[: 2 * at] + tag.encode("utf-16-le") + raw[2 * at :]
    return raw.decode("utf-16-le")


def sample(ctx, key, lang, template=None):
    """Return a text (or `template` in its place) as HTML, with sample values for each format and name."""
    template = ctx.texts.forms(lang, key)[0] if template is None else template
    return ctx.texts.fill(lang, template, **{n: _value(ctx, n, spec) for n, spec in map(_parts, ctx.texts.given(key))})


def _parts(value):
    name, _colon, spec = value.partition(":")
    return name, spec


def _value(ctx, name, spec):
    if spec in ("date", "when"):
        return ctx.now
    if spec in BY_FORMAT:
        return BY_FORMAT[spec]
    if name in IDS or name in NUMBERS:
        return ID if name in IDS else NUMBER
    if name in ("name", "username"):
        return ctx.user.first_name
    if name in ("model", "title"):
        return next(iter(ctx.generation.catalog.models.values())).title
    return f"‹{name}›"

"""Texts: every sentence a person reads, from `data/texts/<lang>/<plugin>.po`, filled in and escaped.

A text is a template: `{name}` puts in a value with HTML escaped, `{amount:money}` minor units with the currency's
sign, `{n}` in a text with plural forms picks the form. Tags stand in the texts alone. Further formats: `number`,
`date` and `when` (aware times; with the zone's city for a reader who has not chosen a zone), `span` (seconds as 1:05).
"""

import gettext
import io
import logging
import re
import string
from collections.abc import Iterator
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal, get_currency_symbol
from markupsafe import Markup, escape

log = logging.getLogger(__name__)
LANGS = ("en", "ru")
LINE = re.compile(r'(#.*|((msgid|msgid_plural|msgstr|msgstr\[\d\])\s+)?"([^"\\]|\\.)*"|)')  # of a .po file
TAGS = ("<b>", "</b>", "<i>", "</i>", "<code>", "</code>", "<pre>", "</pre>", "<blockquote>", "</blockquote>")


class MissingText(KeyError):
    """No plugin's text file has this key: a bug, found by the tests that draw every screen."""


class TextError(Exception):
    """The files of texts cannot be used; the message names file, line or key, and what is wrong."""


class Lang(str):
    """A language code that knows its reader's time zone, and whether that is a guess."""

    __slots__ = ("zone", "guessed")
    zone: tzinfo
    guessed: bool

    def __new__(cls, code: str, zone: tzinfo, guessed: bool = False) -> "Lang":
        """Return the code `code` for a reader in `zone` (a tzinfo)."""
        made = super().__new__(cls, code)
        made.zone, made.guessed = zone, guessed
        return made


class Ref(str):
    """The key of a text that stands as a value in another one: shown in the reader's language."""

    __slots__ = ()


class Texts:
    """All texts of all plugins in every language."""

    def __init__(self, folder: str | Path, currency: str = "RUB", zone: tzinfo = UTC) -> None:
        self.currency = currency
        self.zone = zone
        self._folder = Path(folder)
        self.untranslated: set[tuple[str, str]] = set()  # (language, key) of what was shown in English instead
        self.reload()

    def reload(self) -> None:
        """Read all files again; raise for one that is wrong, and keep the texts there were."""
        self._catalogs = {lang: _load(self._folder / lang, _stamps(self._folder / lang)) for lang in LANGS}

    def html(self, lang: str, key: str, **values: Any) -> str:
        """Return a text as Telegram HTML, with every value escaped."""
        return str(self._fill(lang, key, values, Markup))

    def plain(self, lang: str, key: str, **values: Any) -> str:
        """Return a text without tags and escaping: button labels, toasts, commands."""
        return self._fill(lang, key, values, _bare)

    def has(self, key: str) -> bool:
        """Tell whether a key exists."""
        return key in self._catalogs[LANGS[0]]

    def keys(self, lang: str) -> set[str]:
        """Return every key of a language."""
        return set(self._catalogs[lang])

    def template(self, lang: str, key: str, n: int | None = None) -> str:
        """Return the unfilled text of a key, in the plural form for `n`."""
        catalog = self._catalogs[lang]
        if key not in catalog:
            catalog = self._fall_back(lang, key)
        if key not in catalog.plurals:
            return catalog.gettext(key)
        if n is None:
            raise ValueError(f"the text {key} has plural forms and is given no n")
        return catalog.ngettext(key, key, n)

    def _fall_back(self, lang: str, key: str) -> "_Catalog":
        """Return the catalogue of English for a text that is not translated; say so once."""
        if not self.has(key):
            raise MissingText(f"{lang}: {key}")
        if (str(lang), key) not in self.untranslated:
            self.untranslated.add((str(lang), key))
            log.error("no text %s in %s: shown in English", key, lang)
        return self._catalogs[LANGS[0]]

    def check(self) -> None:
        """Raise TextError for a translation that fills in other values than the English text does."""
        english = self._catalogs[LANGS[0]]
        for lang in LANGS[1:]:
            for key in sorted(set(english) & set(self._catalogs[lang])):
                here, there = _placeholders(english, key), _placeholders(self._catalogs[lang], key)
                if here != there:
                    raise TextError(f"the text {key} fills in {_shown(there)} in {lang}, and {_shown(here)} in English")

    def money(self, lang: str, amount: int) -> str:
        """Return an amount in minor units for people: `12 ₽`, `12.50 ₽`, `−3 ₽`."""
        return f"{'−' if amount < 0 else ''}{_units(str(lang), abs(amount))} {_sign(self.currency)}"

    def _fill(self, lang: str, key: str, values: dict[str, Any], wrap: Any) -> str:
        template = self.template(lang, key, values.get("n"))
        parts = []
        for literal, name, spec in _parse(template):
            parts.append(wrap(literal))
            if name is not None:
                shown = self._format(lang, values[name], spec)
                parts.append(escape(shown) if wrap is Markup else _bare(shown) if isinstance(shown, Markup) else shown)
        return wrap("").join(parts)

    def _format(self, lang: str, value: Any, spec: str | None) -> str:
        if isinstance(value, Ref):
            return self.plain(lang, value)
        if spec == "":
            return value if isinstance(value, str) else str(value)
        if spec == "money":
            return self.money(lang, value)
        if spec == "signed":
            return ("+" if value > 0 else "") + self.money(lang, value)
        if spec == "number":
            return format_decimal(value, locale=lang)
        if spec == "date":
            return format_date(value.astimezone(getattr(lang, "zone", self.zone)), "d MMM", locale=str(lang))
        if spec == "when":
            pattern = "d MMM, HH:mm (VVV)" if getattr(lang, "guessed", False) else "d MMM, HH:mm"
            return format_datetime(value, pattern, getattr(lang, "zone", self.zone), locale=str(lang))
        if spec == "span":
            return f"{int(value) // 60}:{int(value) % 60:02}"
        raise ValueError(f"unknown format {spec!r}")


class _Catalog(gettext.GNUTranslations):
    """gettext's translations of one language, plus which keys there are and which have plural forms."""

    def __init__(self, fp: Any, plurals: set[str], keys: set[str]) -> None:
        super().__init__(fp)
        self.plurals = plurals
        self.keys = keys

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)


def _stamps(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return the files of a folder with the time of their last change: while that is the same, so are the texts."""
    return tuple((str(path), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.po")))


@lru_cache(maxsize=4)
def _load(folder: Path, _stamps: tuple[tuple[str, int], ...]) -> _Catalog:
    """Read all .po files of a language into one catalogue; a key in two files is a mistake."""
    merged = None
    for path in sorted(folder.rglob("*.po")):
        part = _read(path, folder.name)
        if merged is None:
            merged = part
            continue
        for message in part:
            if message.id and message.id in merged:
                raise TextError(f"{path}: {message.id} stands in another file too")
            if message.id:
                merged[message.id] = message
    if merged is None:
        raise TextError(f"no texts in {folder}")
    stream = io.BytesIO()
    write_mo(stream, merged)
    stream.seek(0)
    ids = [m.id for m in merged if m.id and m.string]
    plurals = {i[0] for i in ids if isinstance(i, tuple)}
    return _Catalog(stream, plurals, {i[0] if isinstance(i, tuple) else i for i in ids})


def _read(path: Path, lang: str) -> Any:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):  # Babel passes over what it cannot read
        if not LINE.fullmatch(line.strip()):
            raise TextError(f'{path}, line {number}: want msgid "…", msgstr "…" or "…", with both quotes: {line}')
    try:
        return read_po(lines, locale=lang, abort_invalid=True)
    except PoFileError as error:
        raise TextError(f"{path}, line {error.lineno}: {error}") from None


def untagged(html: str) -> str:
    """Return HTML of ours as the text that people see."""
    return _bare(Markup(html))


def _bare(text: str) -> str:
    """Return a text of ours without its tags; what a person wrote keeps its angle brackets."""
    for tag in TAGS:
        text = text.replace(tag, "")
    return str(text.unescape()) if isinstance(text, Markup) else text


def _placeholders(catalog: _Catalog, key: str) -> set[str]:
    """Return the names of the values a text fills in, in any of its plural forms."""
    forms = [catalog.ngettext(key, key, n) for n in (1, 2, 5)] if key in catalog.plurals else [catalog.gettext(key)]
    return {name for form in forms for _literal, name, _spec in _parse(form) if name} - {"n"}


def _shown(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


@lru_cache(maxsize=4096)
def _parse(template: str) -> tuple[tuple[str, str | None, str | None], ...]:
    return tuple((literal, name, spec) for literal, name, spec, _conv in string.Formatter().parse(template))


@lru_cache(maxsize=4096)
def _units(lang: str, amount: int) -> str:
    """Return an amount in minor units as a person writes it; Babel takes its time, and amounts come again."""
    pattern = "#,##0" if amount % 100 == 0 else "#,##0.00"
    return format_decimal(amount / 100, format=pattern, locale=lang)


@cache
def _sign(currency: str) -> str:
    """Return the sign a currency has at home; Russian locale data has the signs of the whole region."""
    return get_currency_symbol(currency, locale="ru")

"""Texts: every sentence a person reads, from `data/texts/<lang>/<plugin>.po`, filled in and escaped.

A language is a folder; `data/texts/languages.json` says which is the default and what is guessed from a person's Telegram.
Texts of plugins from elsewhere lie beside them; the operator's own words lie over all of them.

A text is a template: `{name}` puts in a value with HTML escaped, `{amount:money}` minor units with the currency's
sign, `{n}` in a text with plural forms picks the form. Tags stand in the texts alone. Further formats: `number`,
`date` and `when` (aware times; with the zone's city for a reader who has not chosen a zone), `span` (seconds as 1:05).
"""

import gettext
import io
import json
import logging
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog as Messages
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal, get_currency_symbol
from markupsafe import Markup, escape

log = logging.getLogger(__name__)
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

    def __init__(
        self,
        folder: str | Path,
        currency: str = "RUB",
        zone: tzinfo = UTC,
        more: Sequence[Path] = (),
        own: Path | None = None,
    ) -> None:
        """Read the texts of `folder`, of the folders in `more` (plugins' from elsewhere), and the operator's in `own`."""
        self.currency = currency
        self.zone = zone
        self._folder, self._more, self._own = Path(folder), [*more], own
        self._about: dict[str, Any] = json.loads((self._folder / "languages.json").read_text(encoding="utf-8"))
        self.default: str = self._about["default"]
        self.untranslated: set[tuple[str, str]] = set()  # (language, key) of what was shown in the default language
        self.words: Callable[[], Mapping[tuple[str, str], str]] = dict  # {(language, key): text} set in the chat
        self.reload()

    def reload(self) -> None:
        """Read all files again; raise for one that is wrong, and keep the texts there were."""
        found = sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        languages = [self.default, *(lang for lang in found if lang != self.default)]
        self._catalogs = {lang: self._read(lang) for lang in languages}
        self.languages = languages

    def _read(self, lang: str) -> "_Catalog":
        folders = tuple(folder / lang for folder in (self._folder, *self._more))
        own = self._own / lang if self._own and (self._own / lang).is_dir() else None
        return _load(folders, own, tuple(map(_stamps, [*folders, *([own] if own else [])])))

    def guess(self, code: str | None) -> str:
        """Return the language for Telegram's `language_code`: that one, a related one, or the default."""
        short = (code or "").split("-")[0]
        known = short if short in self._catalogs else self._about["guess"].get(short)
        return known if known in self._catalogs else self.default

    def name_of(self, lang: str) -> str:
        """Return a language's own name for itself."""
        name = Locale.parse(lang).get_display_name(lang) or lang
        return name[:1].upper() + name[1:]

    def codes_of(self, lang: str) -> list[str]:
        """Return the language codes of Telegram's for which a language is guessed; not the default's, which is the rest."""
        return [lang, *(code for code, guessed in self._about["guess"].items() if guessed == lang)]

    def plugin_of(self, key: str) -> str | None:
        """Return the plugin whose file has a text, None for a text there is not; `core` for those of nobody alone."""
        return self._catalogs[self.default].files.get(key)

    def has_any(self, prefix: str) -> bool:
        """Tell whether there is any text whose key begins with a plugin's word."""
        return any(key.startswith(f"{prefix}.") for key in self._catalogs[self.default])

    def html(self, lang: str, key: str, **values: Any) -> str:
        """Return a text as Telegram HTML, with every value escaped."""
        return str(self._fill(lang, key, values, Markup))

    def plain(self, lang: str, key: str, **values: Any) -> str:
        """Return a text without tags and escaping: button labels, toasts, commands."""
        return self._fill(lang, key, values, _bare)

    def has(self, key: str) -> bool:
        """Tell whether a key exists."""
        return key in self._catalogs[self.default]

    def has_in(self, lang: str, key: str) -> bool:
        """Tell whether a key exists in this very language."""
        return key in self._catalogs[lang]

    def keys(self, lang: str) -> set[str]:
        """Return every key of a language."""
        return set(self._catalogs[lang])

    def template(self, lang: str, key: str, n: int | None = None) -> str:
        """Return the unfilled text of a key, in the plural form for `n`."""
        if (own := self.words().get((str(lang), key))) is not None:
            return own
        catalog = self._catalogs[lang]
        if key not in catalog:
            catalog = self._fall_back(lang, key)
        if key not in catalog.plurals:
            return catalog.gettext(key)
        if n is None:
            raise ValueError(f"the text {key} has plural forms and is given no n")
        return catalog.ngettext(key, key, n)

    def _fall_back(self, lang: str, key: str) -> "_Catalog":
        """Return the default language's catalogue for a text that is not translated; say so once."""
        if not self.has(key):
            raise MissingText(f"{lang}: {key}")
        if (str(lang), key) not in self.untranslated:
            self.untranslated.add((str(lang), key))
            log.error("no text %s in %s: shown in %s", key, lang, self.default)
        return self._catalogs[self.default]

    def check(self) -> None:
        """Raise TextError for a translation that fills in other values than the default language's text does."""
        for lang in self.languages[1:]:
            for key, there, here in self.mismatched(lang):
                raise TextError(
                    f"the text {key} fills in {_shown(there)} in {lang}, and {_shown(here)} in {self.default}"
                )

    def mismatched(self, lang: str) -> Iterator[tuple[str, set[str], set[str]]]:
        """Yield (key, its placeholders, the default language's) where a language's text fills in other values."""
        ours, theirs = self._catalogs[self.default], self._catalogs[lang]
        for key in sorted(set(ours) & set(theirs)):
            here, there = _placeholders(ours, key), _placeholders(theirs, key)
            if here != there:
                yield key, there, here

    def money(self, lang: str, amount: int) -> str:
        """Return an amount in minor units for people: `12 ₽`, `12.50 ₽`, `−3 ₽`."""
        return f"{'−' if amount < 0 else ''}{_units(str(lang), abs(amount))} {_sign(self.currency, self._about['currency_signs'])}"

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

    def __init__(self, fp: Any, plurals: set[str], files: dict[str, str]) -> None:
        super().__init__(fp)
        self.plurals = plurals
        self.files = files  # {key: the plugin whose file it is in}

    def __contains__(self, key: str) -> bool:
        return key in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)


def _stamps(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return the files of a folder with the time of their last change: while that is the same, so are the texts."""
    return tuple((str(path), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.po")))


@lru_cache(maxsize=8)
def _load(folders: tuple[Path, ...], own: Path | None, _stamps: tuple[Any, ...]) -> _Catalog:
    """Read all .po files of a language into one catalogue; a key in two files is a mistake, but for the operator's own."""
    merged, files = None, {}
    for folder in folders:
        for path in sorted(folder.rglob("*.po")):
            part = _read(path, folder.name)
            merged = Messages(part.locale) if merged is None else merged
            for message in filter(_is_written, part):
                if message.id in merged:
                    raise TextError(f"{path}: {_key(message)} stands in another file too")
                merged[message.id] = message
                files[_key(message)] = path.relative_to(folder).with_suffix("").as_posix()
    if merged is None:
        raise TextError(f"no texts in {folders[0]}")
    for path in sorted(own.rglob("*.po")) if own else ():
        _lay_over(merged, path)
    stream = io.BytesIO()
    write_mo(stream, merged)
    stream.seek(0)
    return _Catalog(stream, {message.id[0] for message in merged if isinstance(message.id, tuple)}, files)


def _lay_over(merged: Any, path: Path) -> None:
    """Put the operator's own words in the place of ours; raise TextError for what is not there, or fills in other values."""
    for message in filter(_is_written, _read(path, path.parent.name)):
        if message.id not in merged:
            near = get_close_matches(_key(message), [_key(one) for one in merged if one.id], 1) or ["none like it"]
            raise TextError(f"{path}: there is no text {_key(message)!r}; the nearest is {near[0]}")
        ours, theirs = _names(merged[message.id].string), _names(message.string)
        if theirs - ours:
            raise TextError(f"{path}: {_key(message)} fills in {_shown(theirs)}; it is given {_shown(ours)}")
        merged[message.id] = message


def _is_written(message: Any) -> bool:
    return bool(message.id and message.string)


def _key(message: Any) -> str:
    return message.id[0] if isinstance(message.id, tuple) else message.id


def _names(templates: Any) -> set[str]:
    """Return the names of the values that a text fills in, in any of its forms."""
    forms = [templates] if isinstance(templates, str) else templates
    return {name for form in forms for _literal, name, _spec in _parse(form) if name} - {"n"}


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


def check_own(given: str, own: str) -> str | None:
    """Return what is wrong with the operator's own text for a given one, in a word, or None.

    "braces": it cannot be read; "values": it fills in what it is not given; "tags": Telegram could not show it.
    """
    try:
        if _names(own) - _names(given):
            return "values"
    except ValueError:
        return "braces"
    return None if _nests(own) else "tags"


def _nests(text: str) -> bool:
    """Tell whether the tags of a text are ours and nested well, and nothing else looks like one."""
    open_tags: list[str] = []
    for tag in re.findall(r"<[^>]*>?", text):
        if tag not in TAGS:
            return False
        if tag[1] != "/":
            open_tags.append(tag[1:])
        elif not open_tags or open_tags.pop() != tag[2:]:
            return False
    return not open_tags


def _placeholders(catalog: _Catalog, key: str) -> set[str]:
    """Return the names of the values a text fills in, in any of its plural forms."""
    return _names(
        [catalog.ngettext(key, key, n) for n in (1, 2, 5)] if key in catalog.plurals else catalog.gettext(key)
    )


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
def _sign(currency: str, locale: str) -> str:
    """Return a currency's sign as the data of a locale have it: some know the signs of a whole region."""
    return get_currency_symbol(currency, locale=locale)

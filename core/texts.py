"""Texts: every sentence a person reads, from `data/texts/<lang>/<plugin>.po`, filled in and escaped.

A language is a folder; `data/texts/languages.json` names the default one and what is guessed from a person's Telegram.
Plugins from elsewhere bring their own texts. The operator's own words override all of them, and those set in the chat
override those in files.

A text is a template: `{name}` inserts a value with HTML escaped, `{amount:money}` minor units with the currency's sign,
`{n}` in a text with plural forms picks the form. Only the texts contain tags. Further formats: `number`, `date` and
`when` (aware times; with the zone's city for a reader who has not chosen a zone), `span` (seconds as 1:05).
"""

import gettext
import io
import json
import logging
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

from storage.base import disk_cache

log = logging.getLogger(__name__)
LINE = re.compile(r'(#.*|((msgid|msgid_plural|msgstr|msgstr\[\d\])\s+)?"([^"\\]|\\.)*"|)')  # of a .po file
TAGS = ("<b>", "</b>", "<i>", "</i>", "<code>", "</code>", "<pre>", "</pre>", "<blockquote>", "</blockquote>")
FORMATS = ("money", "signed", "number", "date", "when", "span")
COUNTED = {"n", "n:number"}  # what any form of a plural text may fill in or leave out
WRONG = {  # check_own's words, for an operator at the command line
    "braces": "has a lone brace: want {name} for a value, {{ and }} for braces",
    "tags": "has a tag that is not closed, or that Telegram does not know; want <b>, <i>, <code>, <pre> or <blockquote>",
}


class MissingText(KeyError):
    """No plugin's text file has this key: a bug, found by the tests that draw every screen."""


class MissingValue(KeyError):
    """A text fills in a value that it is not given."""


class TextError(Exception):
    """The text files cannot be used; the message names file, line or key, and what is wrong."""


class Lang(str):
    """A language code that knows its reader's time zone, and whether that is a guess."""

    __slots__ = ("zone", "guessed")
    zone: tzinfo
    guessed: bool

    def __new__(cls, code: str, zone: tzinfo, guessed: bool = False) -> "Lang":
        """Return the language `code` for a reader in `zone` (a tzinfo)."""
        made = super().__new__(cls, code)
        made.zone, made.guessed = zone, guessed
        return made


class Ref(str):
    """The key of a text that is a value in another one: shown in the reader's language."""


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
        self._fitting: tuple[Any, dict[tuple[str, str], str]] = (None, {})  # `words` as returned, and what of it fits
        self._misfits: set[tuple[str, str, str]] = set()  # those already logged
        self.reload()

    def reload(self) -> None:
        """Read all files again; if one is wrong, raise TextError and keep the texts as they were."""
        found = sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        languages = [self.default, *(lang for lang in found if lang != self.default)]
        for path in sorted(self._own.iterdir()) if self._own and self._own.is_dir() else ():
            if path.is_dir() and path.name not in languages:
                raise TextError(f"{path}: there is no language {path.name!r}; there are {', '.join(languages)}")
        default = self._read(self.default, None)
        others = {lang: self._read(lang, default) for lang in languages[1:]}
        self._catalogs, self.languages = {self.default: default, **others}, languages
        self._fitting = (None, {})

    def _read(self, lang: str, default: "_Catalog | None") -> "_Catalog":
        folders = tuple(folder / lang for folder in (self._folder, *self._more))
        own = self._own / lang if self._own and (self._own / lang).is_dir() else None
        return _load(folders, own, default, tuple(map(_stamps, [*folders, *([own] if own else [])])))

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
        """Return the Telegram language codes for which a language is guessed; the default gets all others."""
        return [lang, *(code for code, guessed in self._about["guess"].items() if guessed == lang)]

    def plugin_of(self, key: str) -> str | None:
        """Return the plugin whose file has a text, `core` for shared texts, None for a text that does not exist."""
        return self._catalogs[self.default].files.get(key)

    def has_any(self, prefix: str) -> bool:
        """Return whether any text's key begins with a plugin's word."""
        return any(key.startswith(f"{prefix}.") for key in self._catalogs[self.default])

    def html(self, lang: str, key: str, **values: Any) -> str:
        """Return a text as Telegram HTML, with every value escaped."""
        return str(self._fill(lang, key, values, True))

    def plain(self, lang: str, key: str, **values: Any) -> str:
        """Return a text without tags and escaping: button labels, toasts, commands."""
        return self._fill(lang, key, values, False)

    def has(self, key: str) -> bool:
        """Return whether a key exists."""
        return key in self._catalogs[self.default]

    def has_in(self, lang: str, key: str) -> bool:
        """Return whether a key exists in this language itself."""
        return key in self._catalogs[lang]

    def keys(self, lang: str) -> set[str]:
        """Return every key of a language."""
        return set(self._catalogs[lang])

    def template(self, lang: str, key: str, n: int | None = None) -> str:
        """Return the unfilled text of a key, in the plural form for `n`."""
        if (own := self._own_words().get((str(lang), key))) is not None:
            return own
        catalog = self._catalogs[lang]
        if key not in catalog:
            catalog = self._fall_back(lang, key)
        if key not in catalog.plurals:
            return catalog.gettext(key)
        if n is None:
            raise ValueError(f"the text {key} has plural forms and is given no n")
        return catalog.ngettext(key, key, n)

    def forms(self, lang: str, key: str, original: bool = False) -> list[str]:
        """Return a key's unfilled text in each of its plural forms; `original`: without what was set in the chat."""
        own = None if original else self._own_words().get((str(lang), key))
        catalog = self._catalogs[lang if self.has_in(lang, key) else self.default]
        return list(catalog.forms[key]) if own is None else [own]

    def is_plural(self, key: str) -> bool:
        """Return whether a text has plural forms."""
        return key in self._catalogs[self.default].plurals

    def given(self, key: str) -> list[str]:
        """Return the values that a text fills in, each with its format, as `amount:money`."""
        return sorted(_names(self._catalogs[self.default].given[key]))

    def needs(self, key: str) -> set[str]:
        """Return the names of the values that a text must be given."""
        names = {one.partition(":")[0] for one in self.given(key)}
        return names | {"n"} if self.is_plural(key) else names

    def misfit(self, lang: str, key: str, text: str) -> str | None:
        """Return why a text set in the chat cannot be shown, or None: "gone", "forms", or what `check_own` says."""
        if lang not in self._catalogs or not self.has(key):
            return "gone"
        return "forms" if self.is_plural(key) else check_own(self._catalogs[self.default].given[key], [text])

    def _own_words(self) -> Mapping[tuple[str, str], str]:
        """Return what was set in the chat and fits; what no longer does, after an upgrade, is logged once."""
        words = self.words()
        if words and words is not self._fitting[0]:
            self._fitting = words, {place: text for place, text in words.items() if self._fits(*place, text)}
        return self._fitting[1] if words else words

    def _fits(self, lang: str, key: str, text: str) -> bool:
        wrong = self.misfit(lang, key, text)
        if wrong and (lang, key, text) not in self._misfits:
            self._misfits.add((lang, key, text))
            log.error("your own text %s in %s does not fit any more (%s): ours is shown", key, lang, wrong)
        return wrong is None

    def _fall_back(self, lang: str, key: str) -> "_Catalog":
        """Return the default language's catalogue for an untranslated text, and log that once."""
        if not self.has(key):
            raise MissingText(f"{lang}: {key}")
        if (str(lang), key) not in self.untranslated:
            self.untranslated.add((str(lang), key))
            log.error("no text %s in %s: shown in %s", key, lang, self.default)
        return self._catalogs[self.default]

    def check(self) -> None:
        """Raise TextError for a text that cannot be shown, or fills in other values than the default language's text."""
        for lang in self.languages:
            for key in self.with_wrong_tags(lang):
                raise TextError(f"{self.file_of(lang, key)}: the text {key} {WRONG['tags']}")
            for key, spec in self.with_wrong_formats(lang):
                known = ", ".join(FORMATS)
                raise TextError(f"{self.file_of(lang, key)}: the text {key} has the format {spec!r}; there are {known}")
            for key, there, here in self.mismatched(lang):
                raise TextError(
                    f"the text {key} fills in {_shown(there)} in {lang}, and {_shown(here)} in {self.default}"
                )

    def mismatched(self, lang: str) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
        """Yield (key, its placeholders, the default language's) where a language's text fills in other values."""
        yield from _mismatches(self._catalogs[self.default], self._catalogs[lang])

    def with_wrong_tags(self, lang: str) -> Iterator[str]:
        """Yield the keys of a language whose texts Telegram could not show because of their tags."""
        yield from self._catalogs[lang].wrong_tags

    def with_wrong_formats(self, lang: str) -> Iterator[tuple[str, str]]:
        """Yield (key, format) of a language's texts with formats that there are not."""
        yield from self._catalogs[lang].wrong_formats

    def file_of(self, lang: str, key: str) -> Path:
        """Return the file that a text is in, or to which a missing one belongs."""
        catalog = self._catalogs[lang if self.has_in(lang, key) else self.default]
        return Path(catalog.homes[key]) / lang / f"{catalog.files[key]}.po"

    def money(self, lang: str, amount: int) -> str:
        """Return an amount in minor units for people: `12 ₽`, `12.50 ₽`, `−3 ₽`."""
        return f"{'−' if amount < 0 else ''}{_units(str(lang), abs(amount))} {_sign(self.currency, self._about['currency_signs'])}"

    def fill(self, lang: str, template: str, **values: Any) -> Markup:
        """Return an unfilled text as `html` would show it."""
        return Markup(self._fill_in(lang, template, values, True))

    def _fill(self, lang: str, key: str, values: dict[str, Any], as_html: bool) -> str:
        try:
            return self._fill_in(lang, self.template(lang, key, values.get("n")), values, as_html)
        except KeyError as error:
            if type(error) is not KeyError:  # it is about the text itself, or about one that is a value in it
                raise
            given = ", ".join(sorted(values)) or "nothing"
            raise MissingValue(f"the text {key} fills in {error}, and is given {given}") from None

    def _fill_in(self, lang: str, template: str, values: dict[str, Any], as_html: bool) -> str:
        parts = []
        for literal, name, spec in _parse(template, as_html):
            parts.append(literal)
            if name is not None:
                shown = self._format(lang, values[name], spec)
                parts.append(escape(shown) if as_html else _bare(shown) if isinstance(shown, Markup) else shown)
        return "".join(parts)

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
    """gettext's translations of one language, and what they were made of."""

    def __init__(self, parts: "_Parts", read_from: Sequence[Path] = ()) -> None:
        super().__init__(io.BytesIO(parts[0]))
        # `files`: {key: the plugin whose file it is in}; `homes`: {key: the folder of texts in all languages in which
        # that file is}; `given`: the forms without the operator's own words: they define `values`, {key: its values}
        _compiled, self.forms, self.plurals, self.files, self.homes, self.given, *found = parts
        self.wrong_tags, self.wrong_formats, self.values = found
        self.read_from = read_from

    def __contains__(self, key: str) -> bool:
        return key in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)


_Forms = dict[str, tuple[str, ...]]  # {key: its plural forms, or its one form}
_Parts = tuple[Any, ...]  # what a _Catalog is made of


def _stamps(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return a folder's files with the times of their last changes: if those are the same, so are the texts."""
    return tuple((str(path), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.po")))


@lru_cache(maxsize=8)
def _load(folders: tuple[Path, ...], own: Path | None, default: _Catalog | None, stamps: tuple[Any, ...]) -> _Catalog:
    """Return the catalogue of a language, as it was read last unless a file has changed."""
    files = [Path(__file__), *(Path(path) for folder in stamps for path, _changed_at in folder)]
    files += default.read_from if own and default else ()
    return _Catalog(disk_cache.kept(f"texts-{folders[0].name}", files, _read_all, folders, own, default), files)


def _read_all(folders: tuple[Path, ...], own: Path | None, default: _Catalog | None) -> "_Parts":
    """Read all .po files of a language into one catalogue; a key in two files is an error, except for own ones."""
    merged, files, homes = None, dict[str, str](), dict[str, str]()
    for folder in folders:
        for path in sorted(folder.rglob("*.po")):
            part = _read(path, folder.name)
            file = path.relative_to(folder).with_suffix("").as_posix()
            merged = Messages(part.locale) if merged is None else merged
            for message in filter(_is_translated, part):
                if message.id in merged:
                    raise TextError(f"{path}: {_key(message)} stands in another file too")
                merged[message.id] = message
                files[_key(message)], homes[_key(message)] = file, str(folder.parent)
    if merged is None:
        raise TextError(f"no texts in {folders[0]}")
    given = {_key(message): _forms(message) for message in merged if message.id}
    if own is None:
        return _compiled(merged, files, homes, given)
    known = default or _Catalog(_compiled(merged, files, homes, given))
    for message in (message for path in sorted(own.rglob("*.po")) for message in _own_in(path, own.name, known)):
        key = _key(message)
        merged.delete(key)  # of two messages Babel keeps the first
        merged[message.id] = message
        files.setdefault(key, known.files[key])
        homes.setdefault(key, known.homes[key])
        given.setdefault(key, known.given[key])
    return _compiled(merged, files, homes, given)


def _compiled(messages: Any, files: dict[str, str], homes: dict[str, str], given: _Forms) -> "_Parts":
    stream, named = io.BytesIO(), [message for message in messages if message.id]
    write_mo(stream, messages)
    forms = {_key(message): _forms(message) for message in named}
    plurals = frozenset(_key(message) for message in named if message.pluralizable)
    wrong_tags = [key for key in sorted(given) if not all(map(_nests, given[key]))]
    parts = ((key, spec) for key in sorted(given) for form in given[key] for *_, spec in _parse(form))
    wrong_formats = [(key, spec) for key, spec in parts if spec and spec not in FORMATS]
    values = {key: _names(given[key]) - COUNTED for key in given}
    return stream.getvalue(), forms, plurals, files, homes, given, wrong_tags, wrong_formats, values


def _own_in(path: Path, lang: str, known: _Catalog) -> Iterator[Any]:
    """Yield the operator's own texts in a file; raise TextError for an unknown key, or a text that does not fit it."""
    for message in _read(path, lang):
        key, place = _key(message), f"{path}, line {message.lineno}"
        if not message.id or not any(_forms(message)):
            continue
        if key not in known:
            near = get_close_matches(key, known, 1) or ["none like it"]
            raise TextError(f"{place}: there is no text {key!r}; the nearest is {near[0]}")
        if message.pluralizable != (key in known.plurals):
            want = "want msgid_plural, and a msgstr[…] for each" if key in known.plurals else "it has one msgstr alone"
            raise TextError(f"{place}: {key} has other forms; {want}")
        if not _is_translated(message):
            raise TextError(f"{place}: {key} lacks a form; want a text in each msgstr[…]")
        if wrong := check_own(known.given[key], _forms(message)):
            ours, theirs = _names(known.given[key]), _names(_forms(message))
            values = f"fills in {_shown(theirs - ours)}; it is given {_shown(ours)}"
            raise TextError(f"{place}: {key} {WRONG.get(wrong, values)}")
        yield message


def _is_translated(message: Any) -> bool:
    """Return whether a message is translated in every form; otherwise the default language is shown."""
    return bool(message.id) and all(_forms(message))


def _key(message: Any) -> str:
    return message.id[0] if isinstance(message.id, tuple) else message.id


def _forms(message: Any) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


@lru_cache(maxsize=4096)
def _names(forms: tuple[str, ...]) -> frozenset[str]:
    """Return the values that a text fills in, in any of its forms, each with its format: `name`, `amount:money`."""
    parts = {(name, spec) for form in forms for _literal, name, spec in _parse(form) if name is not None}
    return frozenset(f"{name}:{spec}" if spec else str(name) for name, spec in parts)


@lru_cache(maxsize=16)
def _mismatches(ours: _Catalog, theirs: _Catalog) -> list[tuple[str, frozenset[str], frozenset[str]]]:
    """Return (key, their placeholders, ours) of the texts that fill in other values; catalogues do not change."""
    pairs = ((key, theirs.values[key], ours.values[key]) for key in sorted(set(ours) & set(theirs)))
    return [(key, there, here) for key, there, here in pairs if there != here]


def _read(path: Path, lang: str) -> Any:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise TextError(f"{path}: want UTF-8: {error}") from None
    for number, line in enumerate(lines, start=1):  # Babel skips what it cannot read
        if not LINE.fullmatch(line.strip()):
            raise TextError(f'{path}, line {number}: want msgid "…", msgstr "…" or "…", with both quotes: {line}')
    try:
        found = read_po(lines, locale=lang, abort_invalid=True)
    except PoFileError as error:
        raise TextError(f"{path}, line {error.lineno}: {error}") from None
    for message in found:
        try:
            _names(_forms(message) if message.id else ())
        except ValueError:
            raise TextError(f"{path}, line {message.lineno}: {_key(message)} {WRONG['braces']}") from None
    return found


def untagged(html: str) -> str:
    """Return our HTML as the text that people see."""
    return _bare(Markup(html))


def _bare(text: str) -> str:
    """Return one of our texts without its tags; what a person wrote keeps its angle brackets."""
    for tag in TAGS if "<" in text else ():
        text = text.replace(tag, "")
    return str(text.unescape()) if isinstance(text, Markup) else text


def check_own(given: Sequence[str], own: Sequence[str]) -> str | None:
    """Return in one word what is wrong with the operator's own text for a `given` one (both as their forms), or None.

    "braces": it cannot be parsed; "values": it fills in a value that it is not given, or in another format; "tags":
    Telegram could not show it.
    """
    try:
        if _names(tuple(own)) - _names(tuple(given)) - (COUNTED if len(given) > 1 else set()):
            return "values"
    except ValueError:
        return "braces"
    return None if all(map(_nests, own)) else "tags"


def _nests(text: str) -> bool:
    """Return whether a text's tags are ours and properly nested, and nothing else looks like a tag."""
    open_tags: list[str] = []
    for tag in re.findall(r"<[^>]*>?", text):
        if tag not in TAGS:
            return False
        if tag[1] != "/":
            open_tags.append(tag[1:])
        elif not open_tags or open_tags.pop() != tag[2:]:
            return False
    return not open_tags


def _shown(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


@lru_cache(maxsize=4096)
def _parse(template: str, as_html: bool = True) -> tuple[tuple[str, str | None, str | None], ...]:
    parsed = string.Formatter().parse(template)
    return tuple((text if as_html else _bare(text), name, spec) for text, name, spec, _conv in parsed)


@lru_cache(maxsize=4096)
def _units(lang: str, amount: int) -> str:
    """Return an amount in minor units as a person writes it; kept, as Babel is slow and amounts recur."""
    pattern = "#,##0" if amount % 100 == 0 else "#,##0.00"
    return format_decimal(amount / 100, format=pattern, locale=lang)


@cache
def _sign(currency: str, locale: str) -> str:
    """Return a currency's sign from the data of a locale: some know the signs of a whole region."""
    return get_currency_symbol(currency, locale=locale)

"""`python bot.py texts check` and `texts new LANG`: report what translations lack, and start a new one."""

import re
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.plurals import get_plural

from core.texts import Texts

LANG = re.compile("[a-z]{2}")  # as Telegram spells them (Bot API, User, setMyCommands)
QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
HEADER = """# {about}
msgid ""
msgstr ""
"Language: {lang}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"
"""


class Failed(Exception):
    """A language cannot be started, or there is something to fix; the text is the last line."""


def check(folder, own, more=()):
    """Yield a line for each text that is missing, unused, or has other values or wrong tags; raise Failed if any.

    `more` are the folders of texts of plugins from elsewhere.
    """
    texts = Texts(folder, more=more, own=own)
    found = list(_findings(texts))
    yield from found
    summary = f"{len(found)} findings in {', '.join(texts.languages)}"
    if found:
        raise Failed(summary)
    yield summary


def _findings(texts):
    default = texts.keys(texts.default)
    for lang in texts.languages:
        theirs = texts.keys(lang)
        yield from (f"{lang}: missing     {key}{_in(texts, lang, key)}" for key in sorted(default - theirs))
        yield from (f"{lang}: unused      {key}{_in(texts, lang, key)}" for key in sorted(theirs - default))
        for key, there, here in texts.mismatched(lang):
            fills = f"fills in {_braces(there)}; {texts.default} fills in {_braces(here)}"
            yield f"{lang}: mismatched  {key} {fills}{_in(texts, lang, key)}"
        yield from (f"{lang}: wrong tags  {key}{_in(texts, lang, key)}" for key in texts.with_wrong_tags(lang))


def _in(texts, lang, key):
    """Return the end of a line: the file that the text is in, or belongs to."""
    return f"  in {texts.file_of(lang, key)}"


def _braces(names):
    return " ".join(f"{{{name}}}" for name in sorted(names)) or "nothing"


def begin(folder, lang):
    """Create a language's folder with every file and every key, still without texts; yield what to do next."""
    if not LANG.fullmatch(lang):
        raise Failed(f"{lang!r} is no language code; want two letters, such as de")
    try:
        Locale.parse(lang)
    except UnknownLocaleError:
        raise Failed(f"{lang!r} is no language that is known; want its two letters (ISO 639-1), such as de") from None
    texts, target = Texts(folder), Path(folder) / lang
    if target.exists():
        raise Failed(f"{target} is there already; nothing was written")
    files = {}
    for key in sorted(texts.keys(texts.default)):
        files.setdefault(texts.plugin_of(key), []).append(key)
    for name, keys in sorted(files.items()):
        path = target / f"{name}.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_empty(texts, lang, name, keys), encoding="utf-8")
    yield f"wrote {len(files)} files in {target}"
    yield "Fill in what you like: what is empty is shown in the default language. Then: python bot.py texts check"


def _empty(texts, lang, name, keys):
    """Return a file of a new language, with the default language's text above each key."""
    plurals = get_plural(lang)
    header = HEADER.format(about=f"{name}: {texts.name_of(lang)}", lang=lang, plurals=plurals.plural_forms)
    return "\n".join([header, *(_message(texts, key, plurals.num_plurals) for key in keys)])


def _message(texts, key, plurals):
    shown = "".join(f"#. {line}\n" for form in texts.forms(texts.default, key) for line in form.split("\n"))
    quoted = key.translate(QUOTED)
    if not texts.is_plural(key):
        return f'{shown}msgid "{quoted}"\nmsgstr ""\n'
    forms = "".join(f'msgstr[{number}] ""\n' for number in range(plurals))
    return f'{shown}msgid "{quoted}"\nmsgid_plural "{quoted}"\n{forms}'

"""Texts: every key the code uses exists in every language, with the same placeholders, in markup Telegram accepts."""

import ast
import re
import shutil
import string
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from markupsafe import escape

from core.process.loader import find
from core.texts import TAGS, Texts
from tests.kit import ROOT

FOLDER = ROOT / "data" / "texts"
LANGS = Texts(FOLDER).languages
TRANSLATIONS = LANGS[1:]
PLUGINS = find(ROOT / "plugins")  # name → file
CODE = [
    ROOT / "bot.py",
    *sorted(ROOT.glob("core/**/*.py")),
    *sorted(ROOT.glob("plugins/**/*.py")),
    *sorted(ROOT.glob("tools/**/*.py")),
]
KEY = re.compile(r"[a-z_]+(\.[a-z0-9_-]+)+(?<!_)")
CYRILLIC = re.compile(r"[Ѐ-ӿ]")
FORMATS = ("", "money", "signed", "number", "date", "when", "span")
LABEL = 24  # characters of a label: our own rule
LONE_LABEL = 40  # of one that has its row to itself: an entry of a list, the main button
LONE = re.compile(r".*\.(row|offer)|generate\.create.*")


@pytest.fixture(scope="module")
def texts():
    """The texts of all plugins."""
    return Texts(FOLDER)


def catalogs(lang):
    """Return {file name: [message]} of a language."""
    found = {}
    for path in sorted((FOLDER / lang).rglob("*.po")):
        with path.open("rb") as stream:
            found[str(path.relative_to(FOLDER / lang))] = [
                message for message in read_po(stream, locale=lang) if message.id
            ]
    return found


def messages(lang):
    """Return {key: message} of a language."""
    return {_key(message): message for group in catalogs(lang).values() for message in group}


def _key(message):
    return message.id[0] if message.pluralizable else message.id


def _forms(message):
    return list(message.string) if message.pluralizable else [message.string]


def gaps(text):
    """Return the {names} a text is filled with, each with its format."""
    return {(name, spec) for _literal, name, spec, _conv in string.Formatter().parse(text) if name is not None}


def literals(path):
    """Return (line, text) of every string in a file that is no docstring."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def patterns(path):
    """Return regular expressions of the keys that a file puts together, such as `menu.` and anything."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            found.append(re.escape(node.left.value) + ".+")
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else None for p in node.values]
            if isinstance(parts[0], str) and re.match(r"[a-z_]+\.[a-z_-]*$", parts[0]):
                found.append("".join(".+" if part is None else re.escape(part) for part in parts))
    return found


def key_arguments(path):
    """Return (line, key) of the texts that calls name: `ctx.reply("balance.text")`, `about="help.about"` …"""
    takers = {
        "reply",
        "edit",
        "toast",
        "say",
        "word",
        "ask",
        "button",
        "link",
        "copy",
        "plain",
        "html",
        "notify",
        "alert",
        "UserError",
        "menu",
        "admin_menu",
        "edit_quietly",
        "close_copy",
        "answer_checkout",
        "payment_method",
    }
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            values = [
                *(node.args if name in takers else []),
                *(k.value for k in node.keywords if k.arg in ("about", "key")),
            ]
            values = [value for value in values if not isinstance(value, ast.JoinedStr)]
            consts = [v for value in values for v in ast.walk(value) if isinstance(v, ast.Constant)]
            found += [(v.lineno, v.value) for v in consts if isinstance(v.value, str) and KEY.fullmatch(v.value)]
    return found


def test_every_text_the_code_names_exists_in_every_language(texts):
    missing = [
        f"{path.name}:{line} {key} ({lang})"
        for path in CODE
        for line, key in key_arguments(path)
        for lang in LANGS
        if key not in texts.keys(lang)
    ]
    assert not missing


def test_every_text_is_used_by_some_code(texts):
    named = {text for path in CODE for _line, text in literals(path)}
    made = [re.compile(pattern) for path in CODE for pattern in patterns(path)]
    named |= {f"error.{word}" for word in _input_errors()}
    unused = [
        key
        for key in texts.keys("en")
        if key not in named and not any(one.fullmatch(key) for one in made) and not _of_the_catalogue(key)
    ]
    assert not sorted(unused)


def _input_errors():
    """Return the names of what can be wrong with an input (kie/catalogue/inputs.py, InputError)."""
    return {
        text
        for path in (ROOT / "kie/catalogue/inputs.py", ROOT / "kie/catalogue/model.py")
        for _line, text in literals(path)
    }


def _of_the_catalogue(key):
    return key.split(".")[0] in ("input", "choice", "mode", "menu", "ask", "kind", "switch", "about", "search")


def test_every_language_has_the_same_files_with_the_same_keys():
    found = [{name: {_key(m) for m in group} for name, group in catalogs(lang).items()} for lang in LANGS]
    assert len(found) >= 3 and all(one == found[0] for one in found)


def test_every_plugin_with_texts_has_a_file_of_its_own_and_no_file_is_an_orphan():
    files = {str(path.relative_to(FOLDER / "en").with_suffix("")) for path in (FOLDER / "en").rglob("*.po")}
    assert files - set(PLUGINS) <= {"core", "catalog", "cards", "search", "rehearsal"}
    without = {name for name in set(PLUGINS) - files if PLUGINS[name].read_text().count("ctx.reply")}
    assert not without


def test_a_plugin_says_in_its_docstring_which_texts_are_its_own():
    for name, path in PLUGINS.items():
        if (FOLDER / "en" / f"{name}.po").exists():
            assert f"{name}.po" in ast.get_docstring(ast.parse(path.read_text())), name


@pytest.mark.parametrize("lang", LANGS)
def test_no_text_is_empty_or_left_in_another_language(lang):
    english = messages("en")
    for key, message in messages(lang).items():
        assert all(form.strip() for form in _forms(message)), key
        if lang != "ru":
            assert not any(map(CYRILLIC.search, _forms(message))), key
        if lang != "en" and len(re.sub(r"\{[^}]*\}|<[^>]*>", "", _forms(message)[0])) > 30:
            assert _forms(message) != _forms(english[key]), key


@pytest.mark.parametrize("lang", TRANSLATIONS)
def test_every_language_fills_the_same_gaps_in_the_same_way(lang):
    english, theirs = messages("en"), messages(lang)
    for key, message in english.items():
        wanted = set().union(*map(gaps, _forms(message)))
        assert set().union(*map(gaps, _forms(theirs[key]))) == wanted, key
        assert {spec for _name, spec in wanted} <= set(FORMATS), key
        if message.pluralizable:
            assert ("n", "") in wanted or ("n", "number") in wanted or "n" not in dict(wanted), key


@pytest.mark.parametrize(("lang", "count"), [("en", 2), ("ru", 3), ("es", 2)])
def test_plural_texts_have_every_form_of_their_language(lang, count):
    wanted = {_key(m) for m in messages("en").values() if m.pluralizable}
    assert {_key(m) for m in messages(lang).values() if m.pluralizable} == wanted
    for key, message in messages(lang).items():
        if message.pluralizable:
            assert len(_forms(message)) == count, key
            assert len({frozenset(gaps(form)) for form in _forms(message)}) == 1, key


def test_russian_numbers_take_the_right_form(texts):
    shown = {n: texts.plain("ru", "job.too_many", n=n) for n in (1, 2, 5, 11, 21, 22, 111)}
    assert "1 заказ." in shown[1] and "21 заказ." in shown[21]
    assert "2 заказа." in shown[2] and "22 заказа." in shown[22]
    assert all(f"{n} заказов." in shown[n] for n in (5, 11, 111))


def test_tags_are_those_of_telegram_and_closed_in_order():
    for lang in LANGS:
        for key, message in messages(lang).items():
            for form in _forms(message):
                _check_tags(f"{lang} {key}", form)


def _check_tags(where, text):
    open_tags = []
    for tag in re.findall(r"<[^>]*>", text):
        assert tag in TAGS, f"{where}: {tag}"
        if tag.startswith("</"):
            assert open_tags and open_tags.pop() == tag.replace("/", ""), f"{where}: {tag} is not open"
        else:
            open_tags.append(tag)
    assert not open_tags, f"{where}: {open_tags} stay open"
    assert "<" not in re.sub(r"<[^>]*>", "", text), where
    assert "&" not in re.sub(r"&(lt|gt|amp|quot);", "", text), f"{where}: & begins no entity"


def test_labels_and_toasts_carry_no_tags(texts):
    keys = {key for path in CODE for key in _label_keys(path)}
    for lang in LANGS:
        for key in sorted(keys & texts.keys(lang)):
            assert "<" not in texts.template(lang, key, 1), f"{lang} {key}"


def _label_keys(path):
    """Return the keys that a file puts on buttons."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "button",
            "link",
            "copy",
        ):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and KEY.fullmatch(first.value):
                found.add(first.value)
    return found


def test_labels_fit_a_button_when_they_are_filled(texts):
    keys = {key for path in CODE for key in _label_keys(path)} | {
        key for key in texts.keys("en") if key.split(".")[0] in ("menu", "do") and not key.endswith(".title")
    }
    long = {}
    for lang in LANGS:
        for key in sorted(keys & texts.keys(lang)):
            shown = _typical(texts, lang, key)
            if len(shown) > (LONE_LABEL if LONE.fullmatch(key) else LABEL):
                long[f"{lang} {key}"] = shown
    assert long == {}


def _typical(texts, lang, key):
    """Return a label with values as they mostly are."""
    from datetime import UTC, datetime

    by_format = {
        "money": 30_000,
        "signed": 30_000,
        "number": 12,
        "date": datetime(2026, 11, 22, tzinfo=UTC),
        "when": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "span": 100,
    }
    values = {"n": 5}
    for name, spec in gaps(texts.template(lang, key, 5)):
        values[name] = by_format.get(spec) or TYPICAL.get(name, "720p")
    return texts.plain(lang, key, **values)


TYPICAL = {
    "count": 4,
    "number": 1042,
    "title": "Kling",
    "model": "Nano Banana",
    "name": "Anna",
    "mode": "🔍 Enlarge",
    "value": "720p",
    "label": "16:9",
    "id": 5000000001,
    "state": "✓",
    "mark": "✓ ",
    "n": 5,
    "place": 2,
    "left": 3,
}


def test_money_has_its_sign_and_kopecks_only_when_there_are_any(texts):
    assert [texts.money("en", amount) for amount in (1200, 1250, -300, 0, 123_456_700)] == [
        "12 ₽",
        "12.50 ₽",
        "−3 ₽",
        "0 ₽",
        "1,234,567 ₽",
    ]
    assert texts.money("ru", 1250) == "12,50 ₽"


HELLO = """msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

msgid "x.hello"
msgstr "<b>Hi, {name}</b> & co"
"""


@pytest.mark.parametrize("name", ["Alice <3", "<b>&_*[", "a & b", "</i>", '"quoted"', "{name}", "{0}", "&lt;"])
def test_a_value_is_escaped_in_messages_and_plain_on_labels(tmp_path, name):
    shutil.copy(FOLDER / "languages.json", tmp_path)
    for lang in LANGS:
        (tmp_path / lang).mkdir()
        (tmp_path / lang / "x.po").write_text(HELLO)
    texts = Texts(tmp_path)
    assert texts.html("en", "x.hello", name=name) == f"<b>Hi, {escape(name)}</b> & co"
    assert texts.plain("en", "x.hello", name=name) == f"Hi, {name} & co"


def test_no_russian_letter_stands_in_python():
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _python()
        for number, line in _lines(path)
        if CYRILLIC.search(line)
    ]
    assert not places


def _python():
    folders = ("core", "plugins", "storage", "kie", "bench")
    return [ROOT / "bot.py", *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]


def _lines(path):
    return enumerate(Path(path).read_text().splitlines(), start=1)


# A language that there is, alone or in a path, a locale, a list: "xx", "data/texts/xx/", "lang:xx:"
NAMED = re.compile(rf"(?:.*[^\w\s])?(?:{'|'.join(LANGS)})(?:[^\w\s].*)?")
IN_SCRIPTS = re.compile(rf"[\"'](?:{'|'.join(LANGS)})[\"']")
OF_PEOPLE = "people are made up here, and the Telegram of each has some language: it need not be one of the bot's"
NAMING = {  # who may name a language, and why
    "bench/broadcast.py": OF_PEOPLE,
    "bench/contest.py": OF_PEOPLE,
    "bench/fuzz_updates.py": OF_PEOPLE,
    "bench/latency.py": OF_PEOPLE,
    "bench/load.py": OF_PEOPLE,
    "bench/orders.py": OF_PEOPLE,
    "bench/scale.py": OF_PEOPLE,
    "demo/chats.py": OF_PEOPLE,
    "demo/control.py": OF_PEOPLE,
    "demo/entities.py": "what a link may end with, as Telegram finds them: a country, not a language",
    "demo/page/js/chat.js": OF_PEOPLE,
    "demo/page/js/people.js": OF_PEOPLE,
    "plugins/payments/yookassa.py": "the address of its API ends with a country",
}


def test_no_key_stands_twice_in_a_file():
    """Babel keeps one of them and says nothing."""
    for path in sorted((ROOT / "data" / "texts").rglob("*.po")):
        keys = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("msgid ")]
        assert [key for key in set(keys) if keys.count(key) > 1] == [], path


def test_no_code_names_a_language():
    """A language is a folder of data/texts; the default and what is guessed are languages.json."""
    python = [*_python(), *sorted((ROOT / "demo").rglob("*.py"))]
    found = {str(path.relative_to(ROOT)) for path in python if any(NAMED.fullmatch(text) for _, text in literals(path))}
    scripts = sorted((ROOT / "demo" / "page").rglob("*.js"))
    found |= {str(path.relative_to(ROOT)) for path in scripts if IN_SCRIPTS.search(path.read_text())}
    assert found == NAMING.keys()


def test_a_language_that_code_names_is_found():
    said = ("ru", "data/texts/es/x.po", "ru-RU", "lang:en:", "/en")
    assert all(map(NAMED.fullmatch, said))
    assert not any(map(NAMED.fullmatch, ("entry", "rules", "token", "is there", "of it, en route")))


SENTENCE = re.compile(r"[A-Z][a-z]+ [a-z’']+ [a-z’' ]+[.!?]$")


def test_no_sentence_for_people_stands_in_a_plugin():
    found = [
        f"{path.name}:{line} {text!r}"
        for path in PLUGINS.values()
        for line, text in literals(path)
        if SENTENCE.match(text.strip())
    ]
    assert not found

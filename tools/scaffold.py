"""A new plugin to start from: `python bot.py new-plugin NAME` writes its file, its texts and its test.

No existing file is changed, so a plugin comes and goes with its own files. It gets texts in every language of
`data/texts`, from `data/samples/plugin.json`. With `--dir` the files are written to a folder outside the repository, for
PLUGINS_DIR.
"""

import json
import keyword
import re
import shlex
from pathlib import Path

from babel.messages.plurals import get_plural

from core.texts import Texts
from tools.translations import HEADER

NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")  # a command is 1 to 32 of a-z, 0-9, _ (Bot API, BotCommand)

PLUGIN = '''"""/NAME: greets whoever writes it, and waves back.

Texts: NAME.* in data/texts/<lang>/NAME.po.
"""

from core.buttons import MENU, button


def register(bot):
    """Declare the command and the button; called once at start."""
    bot.command("NAME", greet, about="NAME.about")
    bot.button("NAME:wave", wave)


def greet(ctx):
    """Say hello, with a button to wave and one that leads out."""
    rows = [button("NAME.wave", "NAME:wave"), button("common.menu", MENU)]
    ctx.reply("NAME.hello", rows, name=ctx.user.first_name)


def wave(ctx):
    """Wave back, in a line above the chat."""
    ctx.toast("NAME.waved", name=ctx.user.first_name)
'''

TEST = '''"""/NAME: a greeting and a wave."""
PATHS
import pytest

WHEREGREETINGS = [
WORDS]


def test_it_greets_by_name_and_waves_back(start_bot):
    alice = start_bot(HOUSE).user("Alice <3")
    alice.send("/NAME")
    assert "Alice <3" in alice.last
    alice.tap("NAME:wave")
    assert alice.toast == "👋 Alice <3"


@pytest.mark.parametrize(("lang", "words"), GREETINGS)
def test_it_greets_in_the_language_of_who_writes(start_bot, lang, words):
    alice = start_bot(HOUSE).user("Alice <3", language_code=lang)
    alice.send("/NAME")
    assert words in alice.last


def test_it_stands_in_help(start_bot):
    alice = start_bot(HOUSE).user()
    alice.send("/help")
    assert "/NAME" in alice.last
'''

# In a folder of its own the test needs the bot's kit, and says where the plugin is
CONFTEST = '''"""Lets the tests use the bot's own kit: its fixtures, the local Telegram and the stand-in of KIE."""

import sys

sys.path.insert(0, BOT)
pytest_plugins = ["tests.conftest"]
'''
PATHS = """
from pathlib import Path

"""
WHERE = """HERE = str(Path(__file__).parents[1])
"""


def run(root, name, folder=None):
    """Yield what `python bot.py new-plugin` says: the files it has written, and how to see and test the plugin."""
    for path in write(root, name, folder):
        yield f"wrote {path.relative_to(root) if folder is None else path}"
    see = "python bot.py --demo --reload"
    if folder is None:
        yield f"\nSee it with `{see}` (/{name}), test it with `pytest tests/test_{name}.py`."
        return
    place, needed = shlex.quote(str(folder)), shlex.quote(str(root / "requirements-dev.txt"))
    yield f"\nSee it with `PLUGINS_DIR={place} {see}` (/{name})."
    yield f"Test it with `pip install -r {needed}`, then `cd {place} && pytest`."


def write(root, name, folder=None):
    """Write the files of a new plugin below `root`, or into a `folder` of its own, and return their paths.

    Raise ValueError and write nothing for a name that is invalid or taken.
    """
    root = Path(root)
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no name for a plugin; want 2 to 32 of a-z, 0-9 and _, such as daily_bonus")
    files = _beside_us(root, name) if folder is None else _apart(root, Path(folder), name)
    _refuse_taken(root, name, files)
    made = []
    for path, content in files.items():
        if not path.exists():  # a second plugin finds the folder's conftest.py
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("NAME", name), encoding="utf-8")
            made.append(path)
    return made


def _beside_us(root, name):
    return {
        **_texts(root, root / "data" / "texts", name),
        root / "plugins" / f"{name}.py": PLUGIN,
        root / "tests" / f"test_{name}.py": _test(root, "\n", "", ""),
    }


def _apart(root, folder, name):
    return {
        **_texts(root, folder / "texts", name),
        folder / f"{name}.py": PLUGIN.replace("data/texts", "texts"),
        folder / "tests" / f"test_{name}.py": _test(root, PATHS, WHERE, "PLUGINS_DIR=HERE"),
        folder / "conftest.py": CONFTEST.replace("BOT", repr(str(root.resolve()))),
    }


def _texts(root, folder, name):
    """Return {path: content} of the texts in every language; those without a sample are left empty."""
    return {
        folder / lang / f"{name}.po": _po(lang, _samples(root)) for lang in Texts(root / "data" / "texts").languages
    }


def _samples(root):
    return json.loads((root / "data" / "samples" / "plugin.json").read_text(encoding="utf-8"))


def _po(lang, samples):
    texts = {f"NAME.{key}": words.get(lang, "") for key, words in samples.items()}
    header = HEADER.format(about="NAME: the texts of NAME.py.", lang=lang, plurals=get_plural(lang).plural_forms)
    return "\n".join([header, *(f'msgid "{key}"\nmsgstr "{text}"\n' for key, text in texts.items())])


def _test(root, paths, where, house):
    """Return the test, which greets in each language that has a sample."""
    hello, languages = _samples(root)["hello"], Texts(root / "data" / "texts").languages
    words = [f'    ("{lang}", "{hello[lang].format(name="Alice <3")}"),\n' for lang in languages if lang in hello]
    test = TEST.replace("PATHS\n", paths).replace("WHERE", where).replace("HOUSE", house)
    return test.replace("WORDS", "".join(words))


def _refuse_taken(root, name, files):
    for path in files:
        if path.exists() and path.name != "conftest.py":
            raise ValueError(f"{path} is there already; nothing was written")
    for path in (root / "plugins").rglob("*.py"):
        if f'.command("{name}"' in path.read_text(encoding="utf-8"):
            raise ValueError(f"/{name} is a command of {path.relative_to(root)} already; nothing was written")

"""A new plugin to start from: `python bot.py new-plugin NAME` writes its file, its texts and its test.

No existing file is changed, so a plugin comes and goes with its own files. With `--dir` they are written into a folder
outside the repository, for PLUGINS_DIR.
"""

import keyword
import re
from pathlib import Path

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
WHERE

def test_it_greets_by_name_and_waves_back(start_bot):
    alice = start_bot(HOUSE).user("Alice <3")
    alice.send("/NAME")
    assert "Hello, Alice <3!" in alice.last
    alice.tap("NAME:wave")
    assert alice.toast == "👋 Alice <3"


def test_it_speaks_russian(start_bot):
    anna = start_bot(HOUSE).user("Анна", language_code="ru")
    anna.send("/NAME")
    assert "Здравствуйте, Анна!" in anna.last


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
WHERE = """
from pathlib import Path

HERE = str(Path(__file__).parents[1])

"""

PO = """# NAME: the texts of NAME.py.
msgid ""
msgstr ""
"Language: {lang}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

msgid "NAME.about"
msgstr "{about}"

msgid "NAME.hello"
msgstr "{hello}"

msgid "NAME.wave"
msgstr "{wave}"

msgid "NAME.waved"
msgstr "👋 {{name}}"
"""

EN = {
    "lang": "en", "plurals": "nplurals=2; plural=(n != 1);", "about": "Say hello", "hello": "Hello, {name}!",
    "wave": "Wave",
}  # fmt: skip
RU = {
    "lang": "ru",
    "plurals": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
    "about": "Поздороваться", "hello": "Здравствуйте, {name}!", "wave": "Помахать",
}  # fmt: skip


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
    test = TEST.replace("WHERE", "").replace("HOUSE", "")
    return {
        root / "data" / "texts" / "en" / f"{name}.po": PO.format(**EN),
        root / "data" / "texts" / "ru" / f"{name}.po": PO.format(**RU),
        root / "plugins" / f"{name}.py": PLUGIN,
        root / "tests" / f"test_{name}.py": test,
    }


def _apart(root, folder, name):
    test = TEST.replace("WHERE", WHERE.rstrip("\n") + "\n").replace("HOUSE", "PLUGINS_DIR=HERE")
    return {
        folder / "texts" / "en" / f"{name}.po": PO.format(**EN),
        folder / "texts" / "ru" / f"{name}.po": PO.format(**RU),
        folder / f"{name}.py": PLUGIN.replace("data/texts", "texts"),
        folder / "tests" / f"test_{name}.py": test,
        folder / "conftest.py": CONFTEST.replace("BOT", repr(str(root.resolve()))),
    }


def _refuse_taken(root, name, files):
    for path in files:
        if path.exists() and path.name != "conftest.py":
            raise ValueError(f"{path} is there already; nothing was written")
    for path in (root / "plugins").rglob("*.py"):
        if f'.command("{name}"' in path.read_text(encoding="utf-8"):
            raise ValueError(f"/{name} is a command of {path.relative_to(root)} already; nothing was written")

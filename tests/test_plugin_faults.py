"""A faulty plugin stops the start with its file, its line and the fix; at run time it harms only itself."""

import re
import shutil
import subprocess
import sys

import pytest

import bot as main
from core.process.loader import PluginError
from core.process.loops import Clock
from core.texts import TextError
from storage.base import schema
from tests.house import plugins_with
from tests.kit import ROOT
from tests.process import environment

PARTS = ("bot.py", "core", "data", "kie", "plugins", "storage", "tools")
ENVIRON = {"TELEGRAM_BOT_TOKEN": "1:abc"}
SOURCE = '''"""A plugin."""

from core.buttons import button
from core.errors import UserError
from core.tables import BigIntegerField, IdField, Table


class Row(Table):
    """A row."""

    id = IdField()
    amount = BigIntegerField()

    class Meta:
        table_name = "{table}"


def show(ctx):
    """Answer."""
    ctx.reply("common.menu")


def register(bot):
    """Declare."""
    {line}
'''
FAULTS = {
    'bot.command("Send-It", show)': "command 'Send-It': .*; the nearest is send_it",
    'bot.command("x" * 33, show)': "Telegram takes 1 to 32",
    'bot.on("job.succeded", lambda bot, event, now: None)': "no event 'job.succeded'; the nearest is job.succeeded",
    'bot.update("voise", show)': "no kind of update or content 'voise'; the nearest is voice",
    'bot.command("z", show, right="setings")': "no right 'setings'; the nearest is settings",
    'bot.button("zzz", show)': "route 'zzz': want plugin:action",
    'bot.button("zzz:go", show, number=int)': r"show will be called as show\(ctx, number=…\), and cannot be",
    'bot.step("zzz:answer", lambda: None)': "cannot be: too many positional arguments",
    'bot.page("/health", lambda bot, leads, visit: "")': "page '/health': want a path",
    'bot.page("mine", lambda bot, leads, visit: "")': "page 'mine': want a path that begins with /",
    'bot.table(Row)': "table 'job': want plugin_ and a name",
    'bot.every(0, "z", lambda bot, now: None)': "every 0 seconds: want more than 0",
    'bot.setting("zzz", default="")': "setting 'zzz': want A-Z, 0-9 and _, such as ZZZ",
    'bot.setting("ZZZ", list, default=[])': "setting ZZZ: .*list.* reads no text: want str, int, Decimal, bool",
    'bot.right("Take It")': "right 'Take It': want a-z, 0-9 and _, such as take_it",
    'bot.commnd("z", show)': "AttributeError: .*; the nearest is command",
    'bot.table(Row, erase="drop")': "table 'job': want plugin_ and a name of a-z, 0-9 and _, such as plugin_job",
    'exit(3)': "SystemExit: 3",
    'bot.every(60, "z", show)': r"show will be called as show\(bot, now\)",
    'bot.check("z", lambda: None)': r"will be called as .*\(bot\)",
    'bot.command("z", show, about="commn.menu")': "no text 'commn.menu'; the nearest is common.menu",
    'bot.menu("zzz.menu", "zzz:go", row=1)': "no text 'zzz.menu'",
    'bot.command("z", lambda ctx: ctx.edit("common.nothere"))': "no text 'common.nothere'",
}  # fmt: skip


@pytest.mark.parametrize("line", FAULTS)
def test_what_is_wrong_with_a_registration_is_said_at_the_start(monkeypatch, tmp_path, line):
    folder = plugins_with(monkeypatch, tmp_path, zzz=SOURCE.replace("{table}", "job").replace("{line}", line))
    with pytest.raises(PluginError, match=rf"(?s)^plugins/zzz.py, line {place_of(line)}: .*{FAULTS[line]}"):
        main.assemble(ENVIRON, Clock(), plugins=folder)


def place_of(line):
    """Return the number of the line that is at fault."""
    return SOURCE.replace("{line}", line).splitlines().index(f"    {line}") + 1


def test_a_button_of_a_menu_that_nobody_serves_is_said_at_the_start(monkeypatch, tmp_path):
    line = 'bot.admin_menu("common.menu", "balence:show:1", row=1)'
    folder = plugins_with(monkeypatch, tmp_path, zzz=SOURCE.replace("{line}", line))
    said = "^plugins/zzz.py: menu balence:show:1: there is no route 'balence:show'; the nearest is balance:show"
    with pytest.raises(PluginError, match=said):
        main.assemble(ENVIRON, Clock(), plugins=folder)


KEEPS = {  # erase= → what is said of a table with people in it
    "": "the table plugin_zzz keeps people (user_id): say what happens to their rows",
    ', erase="drop"': "there is no rule of erasure 'drop'; there are delete, keep",
    ", erase=lambda bot: None": "will be called as .*(bot, user_id, now)",
}


@pytest.mark.parametrize("erase", KEEPS)
def test_a_table_with_people_says_what_happens_to_them(monkeypatch, tmp_path, erase):
    source = SOURCE.replace("{table}", "plugin_zzz").replace("{line}", f"bot.table(Row{erase})")
    source = source.replace("amount = BigIntegerField()", "user = ForeignKeyField(User)")
    source = source.replace("import BigIntegerField,", "import BigIntegerField, ForeignKeyField, User,")
    folder = plugins_with(monkeypatch, tmp_path, zzz=source)
    with pytest.raises(PluginError, match=KEEPS[erase].replace("(", r"\(").replace(")", r"\)")):
        main.assemble(ENVIRON, Clock(), plugins=folder)


def test_a_switch_is_on_or_off(monkeypatch, tmp_path):
    folder = plugins_with(
        monkeypatch, tmp_path, zzz=SOURCE.replace("{line}", 'bot.setting("Z_ON", bool, default=True)')
    )
    for text, value in (("0", False), ("no", False), ("1", True)):
        assert main.assemble(ENVIRON | {"Z_ON": text}, Clock(), plugins=folder).settings["Z_ON"] is value
    bot = main.assemble(ENVIRON | {"Z_ON": "perhaps"}, Clock(), plugins=folder)
    assert "Z_ON: found 'perhaps'; want 1 or 0" in bot.settings.problems


# texts

GOOD = 'msgid "zzz.hello"\nmsgstr "Hello, {name}"\n'
TEXTS = {
    "a quote is missing": ('msgid "zzz.hello\nmsgstr "Hello"\n', GOOD, r"en/zzz\.po, line \d+"),
    "another value": (GOOD, GOOD.replace("{name}", "{nome}"), "zzz.hello fills in nome in ru, and name in en"),
    "a key twice": (GOOD.replace("zzz.hello", "common.menu"), GOOD, "stands in another file too"),
}


@pytest.mark.parametrize("fault", TEXTS)
def test_what_is_wrong_with_texts_is_said_at_the_start(tmp_path, fault):
    english, russian, said = TEXTS[fault]
    with pytest.raises(TextError, match=said):
        main.assemble(ENVIRON, Clock(), texts=texts_with(tmp_path, en=english, ru=russian))


def texts_with(tmp_path, **files):
    """Return the folder of texts with one more file in each language that is named."""
    folder = tmp_path / "texts"
    shutil.copytree(ROOT / "data" / "texts", folder)
    for lang, text in files.items():
        (folder / lang / "zzz.po").write_text(text)
    return folder


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_text_that_is_not_translated_is_shown_in_english_and_told_once(start_bot, tmp_path, monkeypatch, caplog):
    source = SOURCE.replace("{line}", 'bot.command("z", lambda ctx: ctx.reply("zzz.hello", name="Anna"))')
    folders = {"plugins": plugins_with(monkeypatch, tmp_path, zzz=source), "texts": texts_with(tmp_path, en=GOOD)}
    bot = start_bot(**folders)
    anna = bot.user("Anna", language_code="ru")
    anna.send("/z")
    anna.send("/z")
    assert anna.last == "Hello, Anna"
    assert len([record for record in caplog.records if "no text zzz.hello in ru" in record.getMessage()]) == 1
    assert {name: key for name, key, _values in bot.bot.examine()}["texts"] == "doctor.texts"


# tables


def test_a_column_without_a_migration_is_named(start_bot, monkeypatch, tmp_path):
    source = SOURCE.replace("{table}", "plugin_zzz").replace("{line}", "bot.table(Row)")
    start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=source)).stop()
    wider = source.replace("    class Meta", "    more = BigIntegerField(default=0)\n\n    class Meta")
    with pytest.raises(schema.TableDiffers, match="plugin_zzz is without more; want a migration"):
        start_bot(plugins=plugins_with(monkeypatch, tmp_path, zzz=wider))


def test_a_start_that_cannot_be_ends_with_2_and_one_sentence(tmp_path):
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    (tmp_path / "plugins" / "zzz.py").write_text(SOURCE.replace("{line}", 'bot.command("Send-It", show)'))
    for command in ([], ["verify"]):
        done = subprocess.run(
            [sys.executable, "bot.py", *command],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert re.search(r"^The bot cannot start: plugins/zzz.py, line \d+: .*Send-It", done.stderr, re.M), done.stderr

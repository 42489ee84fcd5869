"""A faulty plugin stops the start with its file, its line and the fix; at run time it harms only itself."""

import re
import shutil
import subprocess
import sys

import pytest

import bot as main
from core.process.loader import PluginError
from core.process.loops import Clock
from core.registration_checks import nearest
from core.texts import MissingValue, Ref, TextError, Texts
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
    'bot.every("loop", 10, lambda bot, now: None)': "TypeError: .*; bot.every takes seconds, name, work",
    'bot.command(show, "z")': "TypeError: .*; bot.command takes name, handler, about",
    'bot.setting("MARKUP", int)': "the setting MARKUP is declared already: read it as settings",
    'bot.deep_link("zz", lambda ctx, rest: None)': "deep link 'zz': want one letter of a-z or A-Z, such as z",
    'bot.deep_link("é", lambda ctx, rest: None)': "deep link 'é': want one letter",
    'from core.buttons import buton': "ImportError: .*; the nearest is button",
    'from core.tables import User, trasnaction': "ImportError: .*; the nearest is transaction",
    'import core.buttns': "ModuleNotFoundError: .*; the nearest is buttons",
    'button("common.menu", "zzz:goo"), bot.button("zzz:go", show)': "no route 'zzz:goo'; the nearest is zzz:go",
    'bot.command("z", lambda ctx: ctx.ask("zzz:word", "common.menu"))': "no step 'zzz:word'",
    'bot.command("z", lambda ctx: ctx.toast("common.sorry", kode=1))': "text 'common.sorry' fills in code: give it here",
    'bot.command("z", lambda ctx: ctx.reply("doctor.clock" if ctx.args else "common.menu"))': "fills in n: give it here",
    'bot.payment_method("zzz", "pamyents.stars", lambda ctx, amount: None)': "no text 'pamyents.stars'",
}  # fmt: skip


@pytest.mark.parametrize("line", FAULTS)
def test_what_is_wrong_with_a_registration_is_said_at_the_start(monkeypatch, tmp_path, line):
    folder = plugins_with(monkeypatch, tmp_path, zzz=SOURCE.replace("{table}", "job").replace("{line}", line))
    with pytest.raises(PluginError, match=rf"(?s)^plugins/zzz.py, line {place_of(line)}: .*{FAULTS[line]}"):
        main.assemble(ENVIRON, Clock(), plugins=folder)


def test_a_button_that_a_setting_would_bring_may_be_named(monkeypatch, tmp_path):
    line = 'bot.setting("Z_ON", bool, default=False) and bot.button("zzz:go", show); button("common.menu", "zzz:go")'
    folder = plugins_with(monkeypatch, tmp_path, zzz=SOURCE.replace("{line}", line))
    bot = main.assemble(ENVIRON, Clock(), plugins=folder)
    assert "zzz:go" not in bot.handlers["button"] and bot.asleep("zzz") == ["Z_ON"]
    assert "zzz:go" in main.assemble(ENVIRON | {"Z_ON": "1"}, Clock(), plugins=folder).handlers["button"]


def test_of_names_with_a_prefix_those_with_the_same_one_are_the_nearest(monkeypatch, tmp_path):
    known = ["team.about", "terms.none", "m.about", "m.hello", "m:go", "a:going"]
    assert nearest("m.abuot", known) == "the nearest is m.about"
    assert nearest("m.nope", known) == "there are m.about, m.hello"
    assert nearest("m:goo", known) == "the nearest is m:go" and nearest("b:goin", known) == "the nearest is a:going"
    folder = plugins_with(
        monkeypatch, tmp_path, zzz=SOURCE.replace("{line}", 'bot.command("z", show, about="start.abuot")')
    )
    with pytest.raises(PluginError, match="no text 'start.abuot'; the nearest is start.about"):
        main.assemble(ENVIRON, Clock(), plugins=folder)


@pytest.mark.parametrize("call", ['bot.command(\n        "start", show)', 'bot.deep_link("r", lambda ctx, rest: None)'])
def test_of_two_that_want_the_same_the_one_from_elsewhere_is_named_first_at_its_registration(tmp_path, call):
    (tmp_path / "mis.py").write_text(SOURCE.replace("{line}", call))
    with pytest.raises(PluginError) as error:
        main.assemble(ENVIRON | {"PLUGINS_DIR": str(tmp_path)}, Clock())
    line = place_of(call.split("\n")[0])
    said = rf"two plugins want the [a-z ]+ '\w+': {re.escape(str(tmp_path / 'mis.py'))}:{line} and plugins/\w+\.py:\d+"
    assert re.fullmatch(said, str(error.value))


def test_a_plugin_from_elsewhere_says_of_a_route_of_others_that_it_needs(tmp_path):
    line = 'bot.command("z", lambda ctx: ctx.go("balence:show"))'
    (tmp_path / "zzz.py").write_text(SOURCE.replace("{line}", line))
    with pytest.raises(
        PluginError, match=f"zzz.py, line {place_of(line)}: .*'balence:show'; the nearest is balance:show"
    ):
        main.assemble(ENVIRON | {"PLUGINS_DIR": str(tmp_path)}, Clock())


PROVIDER = '''"""A way to pay."""

from core.services.providers import Provider


class Pay(Provider):
    """It has what every provider needs."""

    name = "zzz"

    def body(self, order):
        """What is sent."""

    def create(self, order):
        """Make it."""

    def fetch(self, ids):
        """Tell what became of them."""

    def recent(self, since):
        """Tell what there is."""


def register(bot):
    """Declare."""
    bot.payment_provider(Pay(), {"": "common.menu"})
'''
PROVIDERS = {  # what stands there, and what stands there instead → what is said
    ('"common.menu"', '"m.x"'): "plugins/zzz.py, line 26: there is no text 'm.x'",
    ("def create(self, order)", "def create(self)"): "Pay.create will be called as Pay.create.order., and cannot be",
    ("def recent", "def recents"): "line 26: ValueError: Pay lacks recent.since.",
    ("def fetch", "def fetches"): "Pay lacks fetch.ids",
    ('name = "zzz"', 'name = "Z z"'): "Pay: want a subclass of core.services.providers.Provider, its name of a-z, 0-9",
    ("class Pay(Provider)", "class Pay"): "Pay: want a subclass of core.services.providers.Provider",
}


@pytest.mark.parametrize("change", PROVIDERS)
def test_what_a_payment_provider_lacks_is_said_at_the_start(monkeypatch, tmp_path, change):
    whole = plugins_with(monkeypatch, tmp_path, zzz=PROVIDER)
    assert main.assemble(ENVIRON, Clock(), plugins=whole).payment_providers["zzz"].name == "zzz"
    folder = plugins_with(monkeypatch, tmp_path, zzz=PROVIDER.replace(*change))
    with pytest.raises(PluginError, match=PROVIDERS[change]):
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
    "a format": (
        GOOD.replace("{name}", "{name:monney}"),
        GOOD,
        r"en/zzz.po: the text zzz.hello has the format 'monney'; there are money",
    ),
    "a format of a translation": (GOOD, GOOD.replace("{name}", "{name:monney}"), "ru/zzz.po: .*'monney'"),
    "an open tag": (
        GOOD.replace("{name}", "<b>{name}"),
        GOOD,
        "en/zzz.po: the text zzz.hello has a tag that is not closed",
    ),
    "a tag of a translation": (
        GOOD,
        GOOD.replace("{name}", "<u>{name}</u>"),
        "ru/zzz.po: .* that Telegram does not know",
    ),
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


def test_a_value_that_a_text_is_not_given_is_said_with_its_key(tmp_path):
    texts = Texts(texts_with(tmp_path, en=GOOD + '\nmsgid "zzz.outer"\nmsgstr "<b>{inner}</b>"\n', ru=GOOD))
    with pytest.raises(MissingValue, match="the text zzz.hello fills in 'name', and is given nome, other"):
        texts.html("en", "zzz.hello", nome=1, other=2)
    with pytest.raises(MissingValue, match="the text zzz.hello fills in 'name', and is given nothing"):
        texts.html("en", "zzz.outer", inner=Ref("zzz.hello"))


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
    key, values = {name: (key, values) for name, key, values in bot.bot.examine()}["texts"]
    assert key == "doctor.texts" and str(tmp_path / "texts" / "ru" / "zzz.po") in values["files"]


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

"""Plugins from elsewhere: from the operator's own folder, and from an installed package."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bot as main
from core.process.loader import PluginError, load_one
from demo.reload import Reloader
from storage.base import db, schema
from tests.kit import ROOT
from tests.process import environment
from tests.shop import user_of

PLUGIN = '''"""/coin: throws a coin, and counts."""

from core.tables import ForeignKeyField, IdField, Table, User, transaction


class Throw(Table):
    """A throw."""

    id = IdField()
    user = ForeignKeyField(User)

    class Meta:
        table_name = "plugin_coin"


def register(bot):
    """Declare the command and its table."""
    bot.table(Throw, erase="delete")
    bot.command("coin", throw, about="coin.about")


def throw(ctx):
    """Throw it."""
    with transaction():
        Throw.create(user=ctx.user.id)
        count = Throw.select().where(Throw.user == ctx.user.id).count()
    ctx.reply("coin.side", ctx.bot.home(), n=count)
'''
PO = """msgid ""
msgstr ""
"Language: {lang}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "coin.about"
msgstr "{about}"

msgid "coin.side"
msgstr "{side}"
"""
EN, RU = {"about": "Throw a coin", "side": "Heads, throw {n}"}, {"about": "Бросить монету", "side": "Орёл, бросок {n}"}


def write(folder, **more):
    """Write the plugin into a folder with its texts in two of the languages."""
    folder.mkdir(exist_ok=True)
    (folder / "coin.py").write_text(more.pop("source", PLUGIN))
    for lang, words in {"en": EN, "ru": RU}.items():
        (folder / "texts" / lang).mkdir(parents=True, exist_ok=True)
        (folder / "texts" / lang / "coin.po").write_text(PO.format(lang=lang, **words))
    return folder


def install(folder, monkeypatch):
    """Install a package with the plugin, as pip would leave it."""
    package = folder / "shop_coin"
    package.mkdir(parents=True)
    write(package)
    (package / "__init__.py").touch()
    about = folder / "telegram_shop_coin-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: telegram-shop-coin\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[telegram_shop.plugins]\ncoin = shop_coin.coin\n")
    monkeypatch.syspath_prepend(str(folder))
    for module in ("shop_coin", "shop_coin.coin"):  # of another test, in another folder
        monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.fixture(params=["folder", "package"])
def elsewhere(request, tmp_path, monkeypatch):
    """The settings with which the plugin is found, in either place."""
    if request.param == "package":
        install(tmp_path / "site", monkeypatch)
        return {}
    return {"PLUGINS_DIR": str(write(tmp_path / "own"))}


def test_it_is_as_good_as_one_of_ours(start_bot, elsewhere):
    bot = start_bot(**elsewhere)
    alice, anna, ana = bot.user(), bot.user("Анна", language_code="ru"), bot.user("Ana", language_code="es")
    for person, words in ((alice, "Heads, throw 1"), (anna, "Орёл, бросок 1"), (ana, "Heads, throw 1")):
        person.send("/coin")
        assert person.last == words
        person.send("/help")
        assert "/coin" in person.last
    bot.restart()
    alice.send("/coin")
    assert alice.last == "Heads, throw 2"


def test_the_staff_hear_once_of_what_nobody_has_translated(start_bot, elsewhere):
    bot = start_bot(**elsewhere)
    boss, ana = bot.admin(), bot.user("Ana", language_code="es")
    boss.send("/start")
    for _ in range(2):  # a restart does not make it news
        ana.send("/coin")
        bot.forward(400)
        told = "".join(one["text"] for one in boss.messages if "Not translated" in one.get("text", ""))
        assert told.count("coin.about (es)") == told.count("coin.side (es)") == 1
        bot.restart()
        bot.clock.forward(25 * 3600)


def test_what_it_keeps_of_somebody_goes_with_them(start_bot, elsewhere):
    bot = start_bot(**elsewhere)
    alice = bot.user()
    alice.send("/coin")
    user = user_of(bot, alice)
    bot.bot.privacy.erase(user.id, bot.clock.now())
    assert bot.bot.plugin_tables.away(set(), {"admin/doctor"}) == {"coin": ["plugin_coin"]}
    model = next(table.model for table in bot.bot.tables)
    with db.connection():
        assert model.select().where(model.user == user.id).count() == 0


def test_it_is_switched_off_by_its_name(start_bot, elsewhere):
    bot = start_bot(**elsewhere, PLUGINS_OFF="coin")
    alice = bot.user()
    alice.send("/coin")
    assert "Heads" not in alice.last


def test_two_of_one_name_end_the_start_with_both_places(start_bot, tmp_path):
    folder = write(tmp_path / "own")
    (folder / "coin.py").rename(folder / "help.py")
    with pytest.raises(PluginError, match=rf"called 'help': {ROOT}/plugins/help.py and {folder}/help.py"):
        start_bot(PLUGINS_DIR=str(folder))


def test_a_folder_that_is_not_there_ends_the_start(start_bot, tmp_path):
    with pytest.raises(PluginError, match=f"PLUGINS_DIR: there is no folder {tmp_path}/nowhere"):
        start_bot(PLUGINS_DIR=f"{tmp_path}/nowhere")


def test_what_it_needs_is_named_with_the_command_that_installs_it(start_bot, tmp_path):
    folder = write(tmp_path / "own", source="import no_such_module\n" + PLUGIN)
    (folder / "requirements.txt").write_text("no-such-module\n")
    with pytest.raises(
        PluginError,
        match=rf"coin.py, line 1: ModuleNotFoundError.*pip install --target {folder}/lib -r {folder}/requirements.txt",
    ):
        start_bot(PLUGINS_DIR=str(folder))


def test_what_lies_in_its_lib_is_found(start_bot, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = write(tmp_path / "own", source="from lucky import SIDE\n" + PLUGIN)
    (folder / "lib").mkdir()
    (folder / "lib" / "lucky.py").write_text('SIDE = "heads"\n')
    bot = start_bot(PLUGINS_DIR=str(folder))
    alice = bot.user()
    alice.send("/coin")
    assert "Heads" in alice.last


GROW = '''def grow(migrator):
    """Version 2: it remembers the side."""
    return [migrator.add_column("plugin_coin", "side", TextField(default="heads"))]


'''
GROWN = PLUGIN.replace("IdField, Table,", "IdField, Table, TextField,")
GROWN = GROWN.replace("ForeignKeyField(User)\n", 'ForeignKeyField(User)\n    side = TextField(default="heads")\n')
GROWN = GROWN.replace("def register(bot):", f"{GROW}def register(bot):")
GROWN = GROWN.replace("bot.table(Throw,", "bot.table(Throw, [grow],")


def place_of(elsewhere, tmp_path):
    """Return the plugin's file."""
    return Path(elsewhere.get("PLUGINS_DIR", tmp_path / "site" / "shop_coin")) / "coin.py"


def test_it_survives_an_upgrade_its_removal_and_a_backup(start_bot, elsewhere, tmp_path, monkeypatch, request, capsys):
    bot = start_bot(**elsewhere)
    alice, file = bot.user(), place_of(elsewhere, tmp_path)
    alice.send("/coin")
    bot.stop()
    file.write_text(GROWN)
    bot.start()
    alice.send("/coin")
    assert alice.last == "Heads, throw 2"
    settings = bot.environ | {"DATA_DIR": str(tmp_path / "data")}
    bot.stop()
    assert main.command("backup", str(tmp_path / "b.gz"), settings) == 0
    away = {name: value for name, value in settings.items() if name != "PLUGINS_DIR"}
    entries = tmp_path / "site" / "telegram_shop_coin-1.2.dist-info" / "entry_points.txt"
    if entries.exists():
        entries.rename(entries.with_suffix(".off"))
    url = request.getfixturevalue("postgres")() if bot.url.startswith("sqlite") else f"sqlite:///{tmp_path}/other.db"
    assert main.command("restore", str(tmp_path / "b.gz"), away | {"DATABASE_URL": url}) == 0, capsys.readouterr()
    bot.environ = {name: value for name, value in bot.environ.items() if name != "PLUGINS_DIR"} | {"DATABASE_URL": url}
    bot.start()
    alice.send("/coin")
    assert "Heads" not in alice.last
    assert dict(bot.bot.plugin_tables.away(set(), {"admin/doctor"})) == {"coin": ["plugin_coin"]}
    bot.stop()
    if entries.with_suffix(".off").exists():
        entries.with_suffix(".off").rename(entries)
    bot.environ |= elsewhere
    bot.start()
    alice.send("/coin")
    assert alice.last == "Heads, throw 3"


def test_it_is_loaded_again_when_it_is_saved(start_bot, tmp_path):
    reloader = Reloader(load_one, lambda model, migrations: None, lambda loaded, problems: None, threads=False)
    folder = write(tmp_path / "own")
    bot = start_bot(PLUGINS_DIR=str(folder), load_one=reloader.load_one)
    reloader.watch(bot.runtime, ROOT / "plugins", ROOT / "data" / "texts")
    (folder / "coin.py").write_text(PLUGIN.replace('"coin", throw', '"toss", throw'))
    reloader.step()
    alice = bot.user()
    alice.send("/toss")
    assert reloader.problems == {} and alice.last == "Heads, throw 1"
    po = folder / "texts" / "en" / "coin.po"
    po.write_text(po.read_text().replace("Heads, throw", "It is heads,"))
    reloader.step()
    alice.send("/toss")
    assert alice.last == "It is heads, 2"


def test_what_a_translation_of_it_lacks_is_listed(tmp_path):
    own = write(tmp_path / "own")
    (own / "texts" / "ru" / "coin.po").write_text(PO.format(lang="ru", about="Монета", side=""))
    said = subprocess.run(
        [sys.executable, "bot.py", "texts", "check"],
        cwd=ROOT, env=environment(PLUGINS_DIR=str(own)), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said.returncode == 1
    lacking = [line.split() for line in said.stdout.splitlines()]
    assert lacking == [
        ["es:", "missing", "coin.about", "in", str(own / "texts" / "es" / "coin.po")],
        ["es:", "missing", "coin.side", "in", str(own / "texts" / "es" / "coin.po")],
        ["ru:", "missing", "coin.side", "in", str(own / "texts" / "ru" / "coin.po")],
    ]


# new ones


def run(*command, cwd):
    """Run a command as somebody would who has just opened a terminal there; return what it made."""
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120)


def run_tests(folder, *more):
    """Run `pytest` as it is printed, which puts no folder on the path by itself; return what it said."""
    pytest_itself = str(Path(sys.executable).with_name("pytest"))
    return run(pytest_itself, "-p", "no:cacheprovider", "-k", "sqlite", *more, cwd=folder)


@pytest.fixture
def checkout(tmp_path):
    """A copy of what a contributor has cloned."""
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "var", "images")
    return shutil.copytree(ROOT, tmp_path / "clone", ignore=left_out)


@pytest.mark.parametrize("outside", [False, True])
def test_a_new_ones_test_runs_as_printed_and_fails_of_a_broken_import(checkout, tmp_path, outside):
    own, more = tmp_path / "my plugins", ["--dir", str(tmp_path / "my plugins")] if outside else []
    done = run(sys.executable, "bot.py", "new-plugin", "greet", *more, cwd=checkout)
    printed = f"cd '{own}' && pytest" if outside else "pytest tests/test_greet.py"
    assert done.returncode == 0 and printed in done.stdout, done.stderr
    place, arguments = (own, []) if outside else (checkout, ["tests/test_greet.py"])
    done = run_tests(place, *arguments)
    assert done.returncode == 0 and "5 passed" in done.stdout, done.stdout + done.stderr
    plugin = (own if outside else checkout / "plugins") / "greet.py"
    plugin.write_text(f"import no_such_module\n{plugin.read_text()}")
    done = run_tests(place, *arguments)
    assert done.returncode == 1 and "5 failed" in done.stdout and "skipped" not in done.stdout, done.stdout
    assert "greet.py, line 1: ModuleNotFoundError: No module named 'no_such_module'" in done.stdout


def test_a_new_one_speaks_every_language_there_is_and_leaves_the_others_to_be_filled_in(checkout):
    assert run(sys.executable, "bot.py", "texts", "new", "de", cwd=checkout).returncode == 0
    done = run(sys.executable, "bot.py", "new-plugin", "greet", cwd=checkout)
    written = {line.removeprefix("wrote data/texts/") for line in done.stdout.splitlines() if "data/texts" in line}
    assert written == {f"{lang}/greet.po" for lang in ("de", "en", "es", "ru")}
    said = {lang: (checkout / "data" / "texts" / lang / "greet.po").read_text() for lang in ("de", "es", "ru")}
    assert "¡Hola, {name}!" in said["es"] and "Здравствуйте, {name}!" in said["ru"]
    assert 'msgid "greet.hello"\nmsgstr ""' in said["de"]


def test_it_is_loaded_again_when_its_file_or_its_texts_are_saved(start_bot, elsewhere, tmp_path):
    reloader = Reloader(load_one, schema.adopt, lambda loaded, problems: None, threads=False)
    bot = start_bot(load_one=reloader.load_one, **elsewhere)
    reloader.watch(bot.runtime, ROOT / "plugins", ROOT / "data" / "texts")
    folder = next(tmp_path.rglob("coin.py")).parent
    code, words = folder / "coin.py", folder / "texts" / "en" / "coin.po"
    code.write_text(code.read_text().replace('bot.command("coin", throw', 'bot.command("flip", throw'))
    words.write_text(words.read_text().replace("Heads, throw", "Tails, throw"))
    reloader.step()
    assert reloader.problems == {}
    alice = bot.user()
    alice.send("/flip")
    assert alice.last == "Tails, throw 1"
    alice.send("/coin")
    assert "Tails" not in alice.last

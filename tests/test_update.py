"""A newer version is looked at before it is taken; the script takes it, and the way back, with the rows where it must."""

import os
import py_compile
import subprocess
import sys
from importlib.util import cache_from_source

import pytest

from tests.kit import ROOT, TOKEN
from tests.process import environment, run

GIT = {
    "GIT_AUTHOR_NAME": "T",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "T",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}
PARTS = """bot.py core kie plugins storage tools data deploy CHANGELOG.md requirements.txt docs/plugins-reference.md
    .gitignore""".split()
STEP = "def up(migrator, db):\n    db.execute_sql('CREATE TABLE extra (id INTEGER)')\n"


def git(folder, *arguments):
    """Run git in a folder; return what it says."""
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=environment(**GIT),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def names():
    """Return the names of the files of an installation."""
    return git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", *PARTS).splitlines()


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory):
    """{name of its file: bytecode}, good for a source of the same content anywhere: to compile it anew takes seconds."""
    folder, made = tmp_path_factory.mktemp("bytecode"), {}
    for number, name in enumerate(name for name in names() if name.endswith(".py")):
        path = folder / f"{number}.pyc"
        py_compile.compile(str(ROOT / name), str(path), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        made[cache_from_source(name)] = path
    return made


@pytest.fixture
def origin(tmp_path, bytecode):
    """A repository with these files as they stand, and an installation that follows it in `install`."""
    there = tmp_path / "origin"
    there.mkdir()
    for name in names():
        if (ROOT / name).is_file():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).write_bytes((ROOT / name).read_bytes())
            (there / name).chmod((ROOT / name).stat().st_mode)
    git(there, "init", "--quiet")
    commit(there, "the first")
    git(tmp_path, "clone", "--quiet", "origin", "install")
    for name, path in bytecode.items():
        place = tmp_path / "install" / name
        place.parent.mkdir(exist_ok=True)
        os.link(path, place)
    return there


def commit(there, words):
    """Commit everything in a repository."""
    git(there, "add", "--all")
    git(there, "commit", "--quiet", "--message", words)


def release(there, schema=True):
    """Have the origin bring a newer version."""
    bot = (there / "bot.py").read_text()
    bot = bot.replace('VERSION = "0.1.0"', 'VERSION = "0.2.0"').replace(
        'found.declare("USER_STARTS"', 'found.declare("USER_ORDERS"'
    )
    (there / "bot.py").write_text(bot + "\n# newer\n")
    changes = (there / "CHANGELOG.md").read_text()
    (there / "CHANGELOG.md").write_text(changes + "- Everything is better now.\n")
    (there / "plugins" / "better.py").write_text('"""Better."""\n\n\ndef register(bot):\n    """Do nothing."""\n')
    if schema:
        (there / "storage" / "migrations" / "0999_better.py").write_text(STEP)
    commit(there, "better")


def check(install, **settings):
    """Run `update --check` of an installation; return (exit code, what it said)."""
    done = subprocess.run(
        [sys.executable, "bot.py", "update", "--check"],
        cwd=install,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_a_newer_version_brings_and_wants_is_told_before_it_is_taken(origin, tmp_path):
    install = tmp_path / "install"
    assert check(install) == (0, "version 0.1.0: nothing newer at the origin\n")
    git(origin, "tag", "v0.1.0")  # where this one is; the update takes what came after it
    release(origin)
    code, said = check(install, USER_STARTS="5")
    assert code == 0, said
    assert "version 0.1.0 here, 0.2.0 there (origin/main): 1 change\n" in said and "Everything is better now." in said
    assert "database: 0999_better, applied by the first start" in said
    assert "settings: new are USER_ORDERS" in said and "gone are USER_STARTS; you have set USER_STARTS" in said
    assert "plugins: new are better" in said and "nothing was changed" in said
    assert git(install, "log", "--oneline").count("\n") == 0
    git(origin, "tag", "v0.2.0")
    assert "(v0.2.0)" in check(install)[1]


def test_an_origin_that_is_away_is_said(origin, tmp_path):
    origin.rename(tmp_path / "elsewhere")
    code, said = check(tmp_path / "install")
    assert code == 1 and said.startswith("git fetch: ") and "Traceback" not in said


def test_without_check_it_says_what_updates():
    code, said = run("update")
    assert code == 2 and "deploy/update.sh" in said


class Machine:
    """An installation on a machine whose systemctl writes down what it is told."""

    def __init__(self, tmp_path, telegram):
        self.install, self.data, self.calls = tmp_path / "install", tmp_path / "data", tmp_path / "calls"
        tools = tmp_path / "bin"
        tools.mkdir()
        self.data.mkdir()
        (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {self.calls}\n')
        (tools / "python").write_text(
            f'#!/bin/sh\n[ "$2" = pip ] && exit 0\n[ -n "$2" ] && [ "$2" = "$BROKEN" ] && exit 9\nexec {sys.executable} "$@"\n'
        )
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.environ = environment(
            BOT_DIR=str(self.install), BOT_DATA=str(self.data), BOT_USER="", BOT_PYTHON=str(tools / "python"),
            DATA_DIR=str(self.data), TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_URL=telegram.url, KIE_STUB="1", USD_RATE="90",
            BOT_WAIT="0", **GIT,
        )  # fmt: skip
        self.environ["PATH"] = f"{tools}:{os.environ['PATH']}"

    def run(self, *command):
        """Run a command in the installation; return (exit code, what it said)."""
        done = subprocess.run(command, cwd=self.install, env=self.environ, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def bot(self, *arguments):
        """Run a command of the bot there."""
        return self.run(sys.executable, "bot.py", *arguments)

    def migrate(self):
        """Do what the service's start does with the database."""
        code, said = self.run(
            sys.executable,
            "-c",
            "import bot; from storage.base import db, schema; found = bot.command_line.environment(bot.ROOT);"
            "db.connect(found.get('DATABASE_URL') or f'sqlite:///{found[\"DATA_DIR\"]}/bot.db'); schema.migrate(); db.flatten()",
        )
        assert code == 0, said


START = """#!/bin/sh
nohup {python} bot.py > {data}/log 2>&1 < /dev/null &
echo $! > {data}/pid
"""
STOP = """#!{python}
import os, signal, sys, time
sys.path.insert(0, "{install}")
from core.process import leader_lock
try:
    os.kill(int(open("{data}/pid").read()), signal.SIGTERM)
except (OSError, ValueError):
    pass
while not leader_lock.FileLock("{data}").acquire():
    time.sleep(0.05)
"""


@pytest.fixture
def live(machine, tmp_path):
    """The machine without systemd: commands of its own start the bot and stop it."""
    for name, text in (("start", START), ("stop", STOP)):
        path = tmp_path / "bin" / name
        path.write_text(text.format(python=sys.executable, install=machine.install, data=machine.data))
        path.chmod(0o755)
        machine.environ[f"BOT_{name.upper()}"] = str(path)
    assert machine.run(machine.environ["BOT_START"])[0] == 0
    yield machine
    machine.run(machine.environ["BOT_STOP"])


@pytest.fixture
def machine(origin, tmp_path, telegram_server):
    """A machine with an installation that has a person with money."""
    found = Machine(tmp_path, telegram_server)
    (tmp_path / "people.csv").write_text("telegram_id,balance\n111,5\n")
    code, said = found.bot("import", str(tmp_path / "people.csv"))
    assert code == 0, said
    return found


def test_the_script_updates_and_the_way_back_keeps_the_rows_of_an_unchanged_schema(origin, machine):
    release(origin, schema=False)
    code, said = machine.run("deploy/update.sh")
    assert "updated from" in said and "doctor" not in said.splitlines()[0] and "ok      database" in said, said
    assert machine.calls.read_text().split() == ["stop", "bot", "start", "bot"]
    assert 'VERSION = "0.2.0"' in (machine.install / "bot.py").read_text()
    code, said = machine.run("deploy/update.sh", "back")
    assert "nothing is lost" in said and 'VERSION = "0.1.0"' in (machine.install / "bot.py").read_text(), said
    assert "1 accounts, 1 entries, 5.00 in balances: 0 differences" in machine.bot("verify")[1]


def test_the_way_back_of_a_changed_schema_brings_the_rows_of_before_and_says_what_is_lost(origin, machine, tmp_path):
    release(origin)
    assert "updated from" in machine.run("deploy/update.sh")[1]
    machine.migrate()
    (tmp_path / "people.csv").write_text("telegram_id,balance\n222,7\n")
    assert machine.bot("import", str(tmp_path / "people.csv"))[0] == 0
    _code, said = machine.run("deploy/update.sh", "back")
    assert "now:    2 accounts, 2 entries, 12.00 in balances" in said, said
    assert "before: 1 accounts, 1 entries, 5.00 in balances" in said and "is lost" in said and "Stars" in said
    assert list((machine.data / "update").glob("newer-*/bot.db")), "the newer rows are kept"
    assert "1 accounts, 1 entries, 5.00 in balances: 0 differences" in machine.bot("verify")[1]


def test_an_update_that_breaks_off_says_the_way_back(origin, machine):
    release(origin)
    git(machine.install, "commit", "--quiet", "--allow-empty", "--message", "of one's own")
    code, said = machine.run("deploy/update.sh")
    assert code != 0 and "it broke off. The way back: deploy/update.sh back" in said
    code, said = machine.run("deploy/update.sh", "back")
    assert "nothing is lost" in said, said


def test_changed_files_are_not_run_over(machine):
    (machine.install / "bot.py").write_text("mine")
    code, said = machine.run("deploy/update.sh")
    assert code == 1 and "files are changed here" in said and not machine.calls.exists()


def test_what_breaks_before_anything_is_changed_leaves_the_bot_running(origin, machine):
    release(origin)
    machine.environ["BROKEN"] = "backup"
    code, said = machine.run("deploy/update.sh")
    assert code == 9 and "before anything was changed; the bot is started again" in said
    assert machine.calls.read_text().split() == ["stop", "bot", "start", "bot"]
    assert "there is no update to take back" in machine.run("deploy/update.sh", "back")[1]
    assert machine.calls.read_text().split() == ["stop", "bot", "start", "bot"]


def test_without_systemd_it_asks_for_the_two_commands(machine, tmp_path):
    (tmp_path / "nothing").mkdir()
    machine.environ["PATH"] = str(tmp_path / "nothing")
    for words in ((), ("back",)):
        code, said = machine.run("/bin/sh", "deploy/update.sh", *words)
        assert code == 1 and "BOT_STOP='…' BOT_START='…'" in said


def test_a_version_that_does_not_begin_its_work_is_told_and_not_taken_again_until_it_is_mended(origin, live):
    works = git(live.install, "rev-parse", "HEAD")
    runtime = origin / "core" / "process" / "runtime.py"
    text = runtime.read_text()
    runtime.write_text(
        text.replace("    def start(self", "    def start(self, leads=True):\n        1 / 0\n\n    def went(self")
    )
    commit(origin, "broken")
    live.environ["BOT_WAIT"] = "2"
    code, said = live.run("deploy/update.sh")
    assert code == 1 and "PROBLEM running: no copy of the bot was at work within 2 s" in said, said
    live.environ["BOT_WAIT"] = "60"
    assert "If they are not yours to mend: deploy/update.sh back" in said
    _code, said = live.run("deploy/update.sh", "back")
    assert "nothing is lost" in said and "PROBLEM running" not in said, said
    assert git(live.install, "rev-parse", "HEAD") == works
    assert "0.1.0 there (origin/main): 1 change\n" in check(live.install)[1]
    code, said = live.run("deploy/update.sh")
    assert code == 1 and "nothing newer than the version that was taken back; the bot runs on" in said
    runtime.write_text(text)
    commit(origin, "mended")
    _code, said = live.run("deploy/update.sh")
    assert f"updated from {works}" in said and "PROBLEM running" not in said and "PROBLEM migrations" not in said, said
    assert git(live.install, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    live.environ["BOT_WAIT"] = "0"
    _code, said = live.run("deploy/update.sh", "back")
    assert f"back at {works}" in said, "not at the one that was taken back before"


def test_the_way_back_on_postgresql_wants_an_empty_database_and_writes_it_down(origin, machine, tmp_path, postgres):
    newer, before = postgres(), postgres()
    (machine.data / "bot.db").unlink()
    (machine.install / ".env").write_text(f"PORT=\n\nDATABASE_URL={newer}\nMARKUP=3\n")
    assert machine.bot("import", str(tmp_path / "people.csv"))[0] == 0
    release(origin)
    machine.run("deploy/update.sh")
    machine.migrate()
    (tmp_path / "people.csv").write_text("telegram_id,balance\n222,7\n")
    assert machine.bot("import", str(tmp_path / "people.csv"))[0] == 0
    calls = machine.calls.read_text()
    code, said = machine.run("deploy/update.sh", "back")
    assert code == 1 and "want EMPTY_DATABASE_URL" in said and "Nothing was done" in said
    assert machine.calls.read_text() == calls and 'VERSION = "0.2.0"' in (machine.install / "bot.py").read_text()
    machine.environ["EMPTY_DATABASE_URL"] = before
    _code, said = machine.run("deploy/update.sh", "back")
    assert "now:    2 accounts, 2 entries, 12.00 in balances" in said, said
    assert "before: 1 accounts, 1 entries, 5.00 in balances: 0 differences" in said
    wanted = f"PORT=\n\n# the newer rows: DATABASE_URL={newer}\nMARKUP=3\nDATABASE_URL={before}\n"
    assert (machine.install / ".env").read_text() == wanted
    assert "1 accounts, 1 entries, 5.00 in balances: 0 differences" in machine.bot("verify")[1]


def test_a_changed_point_of_the_changelog_is_shown_whole(origin, tmp_path):
    changes = origin / "CHANGELOG.md"
    first, *rest = changes.read_text().splitlines(keepends=True)
    changes.write_text("".join([first, *rest, "- A point of two lines, of which\n  the second one changes.\n"]))
    commit(origin, "before")
    git(tmp_path / "install", "pull", "--quiet")
    changes.write_text(changes.read_text().replace("one changes", "one has changed"))
    commit(origin, "after")
    said = check(tmp_path / "install")[1]
    assert "  - A point of two lines, of which\n    the second one has changed.\ndatabase: " in said, said


def test_a_folder_of_roots_is_named_with_the_command_that_works(origin, tmp_path):
    code, said = check(tmp_path / "install", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert code == 1 and "sudo .venv/bin/python bot.py update --check" in said and "safe.directory" not in said

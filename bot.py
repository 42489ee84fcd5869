"""Start the bot: settings → plugins → lock → database → updates.

    python bot.py            run it
    python bot.py --demo     run it against the local Telegram and KIE of the demo, in the browser
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from decimal import Decimal
from pathlib import Path

from core import loader, lock, log, settings
from core.app import Bot
from core.loops import Clock
from core.sender import Sender
from core.texts import Texts
from kie.catalog import Catalog
from kie.client import Client

ROOT = Path(__file__).parent
VERSION = "0.1.0"
STANDBY_S = 1
logger = logging.getLogger("bot")


def declare(found):
    """Declare the core's settings; plugins add theirs."""
    stub = found.declare("KIE_STUB", settings.switch, default=False, advanced=False)
    found.declare("TELEGRAM_BOT_TOKEN", settings.telegram_token, secret=True, advanced=False)
    key = {"default": "stub-key"} if stub else {}
    found.declare("KIE_API_KEY", secret=True, advanced=False, **key)
    found.declare("ADMIN_IDS", settings.ids, default=(), advanced=False)
    found.declare("USD_RATE", Decimal, default=None, minimum=Decimal("0.01"), advanced=False)
    found.declare("MARKUP", Decimal, default=Decimal("2.0"), minimum=Decimal(1), advanced=False)
    found.declare("CURRENCY", default="RUB", advanced=False)
    declare_storage(found)
    found.declare("PORT", int, default=0, minimum=1, advanced=False)
    found.declare("PUBLIC_URL", settings.url, default="")
    found.declare("LOG_FORMAT", default="text", choices=("text", "json"))
    found.declare("LOG_LEVEL", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    found.declare("USER_JOBS", int, default=5, minimum=1)
    found.declare("USER_STARTS", int, default=20, minimum=1)
    found.declare("FLOOD_MESSAGES", int, default=30, minimum=1)
    found.declare("DAILY_CREDITS", int, default=0, minimum=1)
    found.declare("PLUGINS_OFF", settings.names, default=())
    found.declare("TELEGRAM_API_URL", settings.url, default="https://api.telegram.org")
    found.declare("KIE_API_URL", settings.url, default="https://api.kie.ai")
    found.declare("KIE_UPLOAD_URL", settings.url, default="https://kieai.redpandaai.co")


def declare_storage(found):
    """Declare where the rows are; the commands that only read the database need no more."""
    data_dir = found.declare("DATA_DIR", default="var", advanced=False)
    database = found.declare("DATABASE_URL", default=f"sqlite:///{data_dir}/bot.db", secret=True, advanced=False)
    if not database.startswith(("sqlite:///", "postgres://", "postgresql://")):
        found.refuse("DATABASE_URL", "(hidden)", "sqlite:///path or postgresql://user:password@host/name")


def build(environ, clock, *, threads=128, rng=None, plugins=ROOT / "plugins"):
    """Return a bot with its plugins registered and its settings checked; raise SettingsError or PluginError."""
    found = settings.Settings(environ)
    declare(found)
    texts = Texts(ROOT / "data" / "texts", found["CURRENCY"])
    token = found["TELEGRAM_BOT_TOKEN"] or "0:not-set"  # `check` below refuses it, together with all other problems
    bot = Bot(found, texts, Sender(token, found["TELEGRAM_API_URL"], clock), clock)
    loader.load(bot, plugins, off=found["PLUGINS_OFF"])
    found.check()
    from core.services.generation import Generation

    client = Client(found["KIE_API_URL"], found["KIE_UPLOAD_URL"], found["KIE_API_KEY"])
    catalog = Catalog.load(ROOT / "data" / "models.json")
    bot.generation = Generation(bot, catalog, client, workers=16 if threads else 0, rng=rng)
    bot.prepare(threads)
    return bot


def open_storage(found, tables=()):
    """Open the database and bring it, and the plugins' tables, to this version's schema."""
    from storage import db, schema, stored

    db.connect(found["DATABASE_URL"])
    stored.forget()
    applied = schema.migrate()
    if applied:
        logger.info("migrated the database: %s", ", ".join(applied))
    for model, migrations in tables:
        schema.adopt(model, migrations)


def run(environ):
    """Run the bot until it is told to stop; return the exit code."""
    clock = Clock()
    bot = build(environ, clock)
    found = bot.settings
    log.setup(found["LOG_LEVEL"], found["LOG_FORMAT"] == "json", found.secrets())
    for stranger, ours in found.strangers():
        logger.warning("%s is not a setting of this bot; did you mean %s?", stranger, ours)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    web = _serve_web(found, clock)
    leader = lock.make(found["DATABASE_URL"], found["DATA_DIR"])
    if not _wait_for_lead(leader, stop):
        return 0
    open_storage(found, bot.tables)
    _introduce(bot, stop)
    if not stop.is_set():
        bot.recover()
        bot.start()
        if web:
            web.bot = bot
        logger.info("@%s is ready: %d models, %d plugins' commands", bot.username, len(bot.generation.catalog.models),
                    len(bot.handlers["command"]))
        _wait_for_end(leader, stop)
    bot.stop()
    leader.release()
    return 0


def _serve_web(found, clock):
    if not found["PORT"]:
        return None
    from core.web import Web

    return Web("0.0.0.0", found["PORT"], clock, VERSION)


def _wait_for_lead(leader, stop):
    """Stand by until the lock is ours; tell whether it is."""
    waiting = False
    while not stop.is_set():
        if leader.acquire():
            return True
        if not waiting:
            logger.info("another copy of this bot is running; standing by to take over")
        waiting = True
        stop.wait(STANDBY_S)
    return False


def _introduce(bot, stop):
    """Say hello to Telegram, however long the network takes; a refused token ends the start."""
    from core.sender import TelegramError
    from core.transport import NotSent, UnknownOutcome

    while not stop.is_set():
        try:
            bot.introduce()
            return
        except TelegramError as error:
            if error.code in (401, 404):
                raise settings.SettingsError(["TELEGRAM_BOT_TOKEN: Telegram refuses it; want the one @BotFather shows"]) from None
            logger.warning("Telegram: %s; trying again", error)
        except (NotSent, UnknownOutcome) as error:
            logger.warning("Telegram cannot be reached (%s); trying again", error)
        stop.wait(3)


def _wait_for_end(leader, stop):
    """Wait for a signal, or for the loss of the leader's lock."""
    while not stop.wait(1):
        try:
            leader.check()
        except lock.LockLost as error:
            logger.error("the leader's lock is lost (%s); stopping, so that another copy may lead", error)
            return


def verify(environ):
    """Prove the books and print what differs; return 1 when something does. May run beside the bot."""
    from storage import audit

    found = settings.Settings(environ)
    declare_storage(found)
    found.check()
    open_storage(found)
    problems = 0
    for promise, row in audit.verify():
        problems += 1
        print(f"broken: {promise}: {row}")
    users, entries, held = audit.totals()
    print(f"{users} accounts, {entries} entries, {held / 100:.2f} in balances: {problems} differences")
    return 1 if problems else 0


def start_stub():
    """Start the KIE stub in this process and return the settings that point at it."""
    from kie import stub

    running = stub.start(facts=ROOT / "data" / "models.json")
    return {"KIE_STUB": "1", "KIE_API_URL": running.api_url, "KIE_UPLOAD_URL": running.upload_url}


def demo_folder(environ):
    """Return where the demo keeps its rows and its chat."""
    return Path(environ.get("DATA_DIR", "var")) / "demo"


def demo_settings(environ):
    """Start the local Telegram of the demo and the KIE stub; return the settings of a bot between them."""
    if environ.get("TELEGRAM_BOT_TOKEN"):
        raise settings.SettingsError(["TELEGRAM_BOT_TOKEN: found a token; want none with --demo, which never leaves this machine"])
    from demo import server
    from kie import stub

    folder = demo_folder(environ)
    kie = stub.start(facts=ROOT / "data" / "models.json")
    telegram = server.start(
        port=int(environ.get("DEMO_PORT", "8081")), state_path=folder / "chat.json", token=DEMO_TOKEN, kie_url=kie.api_url,
        admin_ids=(DEMO_ADMIN,), people=("Anna",),
    )
    print(f"\n  Open {telegram.url} in your browser: a chat with the bot, as a user and as an admin.\n", flush=True)
    defaults = {"USD_RATE": "90", "TRANSFER_DETAILS": "Demo Bank · 0000 1111 2222 3333", "STARS_RATE": "1.6"}
    port = environ.get("PORT") or _free_port()
    fixed = {
        "PORT": port,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",  # the stub calls back, so that its quick results come at once
        "TELEGRAM_BOT_TOKEN": DEMO_TOKEN,
        "TELEGRAM_API_URL": telegram.url,
        "KIE_STUB": "1",
        "KIE_API_URL": kie.api_url,
        "KIE_UPLOAD_URL": kie.upload_url,
        "ADMIN_IDS": str(DEMO_ADMIN),
        "DATA_DIR": str(folder),
    }
    return defaults | environ | fixed


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def main(arguments=None):
    """Read the command line and the environment, and run."""
    parser = argparse.ArgumentParser(prog="bot.py", description="A Telegram bot that sells AI generation.")
    parser.add_argument("command", nargs="?", default="run", choices=("run", "verify"), help="verify proves the books")
    parser.add_argument("--demo", action="store_true", help="run with a local Telegram in the browser; no token needed")
    options = parser.parse_args(arguments)
    log.setup("INFO", False, [])
    try:
        environ = environment()
        if options.command == "verify":
            return verify(environ | {"DATA_DIR": str(demo_folder(environ))} if options.demo else environ)
        if options.demo:
            environ = demo_settings(environ)
        elif environ.get("KIE_STUB") in ("1", "true", "yes", "on") and not environ.get("KIE_API_URL"):
            environ |= start_stub()
        return run(environ)
    except settings.SettingsError as error:
        print("The bot cannot start:", *error.problems, sep="\n  ", file=sys.stderr)
        print(FIRST_STEPS, file=sys.stderr)
    except loader.PluginError as error:
        print(f"The bot cannot start: {error}", file=sys.stderr)
    return 2


def environment():
    """Return the environment, with `.env` below it."""
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None} | dict(os.environ)


DEMO_TOKEN = "1:DEMO-token-of-no-use-anywhere"
DEMO_ADMIN = 5000000002
FIRST_STEPS = """
To begin, put these four lines into a file named .env (or try `python bot.py --demo`, which needs none):
  TELEGRAM_BOT_TOKEN=   # from @BotFather
  KIE_API_KEY=          # from kie.ai/api-key; or KIE_STUB=1 to try without
  ADMIN_IDS=            # your Telegram id
  USD_RATE=             # price of one US dollar in your currency
"""

if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # a thread may still wait for the network; what it was doing stands in the rows

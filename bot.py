"""Start the bot: settings → plugins → lock → database → updates.

python bot.py            run it
python bot.py init       ask for the settings it needs, check them, and write .env
python bot.py rehearse   check with the real keys that Telegram and KIE behave as expected
python bot.py --demo     run it against the local Telegram and KIE of the demo, in the browser;
                         with --reload, a plugin that is saved is loaded again at once
python bot.py new-plugin NAME      write a plugin to begin with, its texts and its test
python bot.py texts check          say what translations lack; texts new LANG begins one
"""

import logging
import os
import signal
import sys
import threading
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

if __name__ == "__main__":  # first, as what follows imports Peewee
    from storage.base import driver
    from tools.command_line import environment

    driver.leave_out_unless_named([*sys.argv, environment(Path(__file__).parent).get("DATABASE_URL", "")])

from core import log, settings
from core.bot import Bot
from core.process import leader_lock, leadership, loader
from core.process.loops import Clock
from core.status import Status
from core.telegram.sender import Sender
from core.texts import TextError, Texts
from kie.api.client import Client
from kie.api.recording import ANSWERS, Recording
from storage.base.schema import SchemaError
from tools import command_line, old_settings

ROOT = Path(__file__).parent
PLUGINS, TEXTS, MODELS = ROOT / "plugins", ROOT / "data" / "texts", ROOT / "data" / "models.json"
OFFERS, IDEAS = ROOT / "data" / "offers.json", ROOT / "data" / "ideas.json"
VERSION = "0.1.0"
KEPT_IN = "CURRENCY: found {found!r}; want {kept!r}: every amount in this database is in it, and stays in it"
OPEN = "\n  Open {page} in your browser: a chat with the bot, as a user and as an admin.\n"
logger = logging.getLogger("bot")


def declare(found):
    """Declare the core's settings; plugins add theirs."""
    stub = found.declare("KIE_STUB", settings.switch, default=False, advanced=False)
    found.declare("TELEGRAM_BOT_TOKEN", settings.telegram_token, secret=True, advanced=False)
    key = {"default": "stub-key"} if stub else {}
    found.declare("KIE_API_KEY", secret=True, advanced=False, **key)
    found.declare("ADMIN_IDS", settings.ids, default=(), advanced=False)
    rate = {"minimum": Decimal("0.01"), "maximum": Decimal(1_000_000)}
    found.declare("USD_RATE", Decimal, default=None, advanced=False, chat=True, **rate)
    factor = {"minimum": Decimal(1), "maximum": Decimal(100)}
    found.declare("MARKUP", Decimal, default=Decimal("2.0"), advanced=False, chat=True, **factor)
    found.declare("CURRENCY", default="RUB", advanced=False)
    found.declare("TIME_ZONE", settings.zone, default=ZoneInfo("Europe/Moscow"))
    declare_storage(found)
    found.declare("PORT", int, default=0, minimum=0, maximum=65535, advanced=False)
    found.declare("BIND", settings.address, default="0.0.0.0")
    found.declare("TRUSTED_PROXIES", settings.networks, default=())
    found.declare("PUBLIC_URL", settings.url, default="")
    found.declare("WEBHOOK_CERTIFICATE", settings.certificate, default="")
    found.declare("BOT_MODE", default="polling", choices=("polling", "webhook"))
    found.declare("KIE_WEBHOOK_KEY", default="", secret=True)
    found.declare("LOG_FORMAT", default="text", choices=("text", "json"))
    found.declare("LOG_LEVEL", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    found.declare("USER_JOBS", int, default=5, minimum=1)
    found.declare("USER_STARTS", int, default=20, minimum=1)
    found.declare("FLOOD_MESSAGES", int, default=30, minimum=1)
    found.declare("DAILY_CREDITS", int, default=0, minimum=1)
    found.declare("HELPER_DAILY", int, default=20, minimum=0)
    found.declare("HELPER_CEILING", int, default=500, minimum=0)
    found.declare("PLUGINS_OFF", settings.names, default=())
    found.declare("PLUGINS_DIR", settings.names, default=())
    found.declare("TELEGRAM_API_URL", settings.url, default="https://api.telegram.org")
    found.declare("KIE_API_URL", settings.url, default="https://api.kie.ai")
    found.declare("KIE_UPLOAD_URL", settings.url, default="https://kieai.redpandaai.co")
    found.declare("KIE_RECORD", settings.switch, default=False)


def declare_storage(found):
    """Declare where the data is; commands that only read the database need no more."""
    data_dir = found.declare("DATA_DIR", default="var", advanced=False)
    database = found.declare("DATABASE_URL", default=f"sqlite:///{data_dir}/bot.db", secret=True, advanced=False)
    if not database.startswith(("sqlite:///", "postgres://", "postgresql://")):
        found.refuse("DATABASE_URL", "(hidden)", "sqlite:///path or postgresql://user:password@host/name")


def build(
    environ,
    clock,
    *,
    threads=128,
    rng=None,
    plugins=PLUGINS,
    texts=TEXTS,
    models=MODELS,
    offers=OFFERS,
    ideas=IDEAS,
    load_one=loader.load_one,
):
    """Return a runtime with its bot, its settings checked; raise SettingsError or PluginError."""
    bot = assemble(environ, clock, plugins=plugins, texts=texts, load_one=load_one)
    found = bot.settings
    settings.check_together(found)
    old_settings.refuse_spending(environ, found)
    found.check()
    from core.process.runtime import Runtime
    from core.services.generation import Generation
    from core.services.live_catalogue import LiveCatalogue
    from tools.rehearsal.rehearsing import Rehearsal

    heard = Recording(Path(found["DATA_DIR"]) / ANSWERS, found.secrets()) if found["KIE_RECORD"] else None
    more = {"also_from": (found["TELEGRAM_API_URL"],), "heard": heard}
    client = Client(found["KIE_API_URL"], found["KIE_UPLOAD_URL"], found["KIE_API_KEY"], **more)
    live_catalogue = LiveCatalogue(models, clock, callbacks=bool(found["PUBLIC_URL"]), offers=offers, ideas=ideas)
    bot.generation = Generation(bot, live_catalogue, client, workers=16 if threads else 0, rng=rng)
    bot.rehearsal = Rehearsal(bot)
    return Runtime(bot, threads)


def assemble(environ, clock, *, plugins=PLUGINS, texts=TEXTS, load_one=loader.load_one):
    """Return a bot with its plugins registered, its settings not yet checked; raise PluginError."""
    found = settings.Settings(environ)
    declare(found)
    sources = loader.sources(plugins, found["PLUGINS_DIR"])
    texts = Texts(texts, found["CURRENCY"], found["TIME_ZONE"], loader.texts_of(sources), own_texts(found))
    token = found["TELEGRAM_BOT_TOKEN"] or "0:not-set"  # `check` refuses it, together with all other problems
    now = clock.now()
    bot = Bot(found, texts, Sender(token, found["TELEGRAM_API_URL"], clock), clock, Status(now, now, VERSION))
    loader.load(bot, sources, found["PLUGINS_OFF"], load_one)
    return bot


def own_texts(found):
    """Return the folder of the operator's own words, which no upgrade touches."""
    return Path(found["DATA_DIR"]) / "texts"


def open_storage(found, tables, texts):
    """Open the database, bring it and the plugins' tables to this version's schema, and read what was set in the chat."""
    from storage.base import db, plugin_tables, schema
    from storage.journal import own_texts, runtime_settings

    db.connect(found["DATABASE_URL"])
    runtime_settings.forget()
    found.stored = runtime_settings.get
    applied = schema.migrate()
    texts.words = own_texts.in_force
    if applied:
        logger.info("migrated the database: %s", ", ".join(applied))
    for table in tables:
        schema.adopt(table.model, table.migrations)
        plugin_tables.describe(table.model._meta.table_name, table.owned)
    kept = runtime_settings.currency(found["CURRENCY"], Clock().now())
    if kept != found["CURRENCY"]:
        raise settings.SettingsError([KEPT_IN.format(found=found["CURRENCY"], kept=kept)])


def run(environ, stage=None):
    """Run the bot until it is told to stop; return the exit code. `stage` connects the demo to it."""
    from storage.base import db

    clock = stage.clock if stage else Clock()
    load_one = stage.reloader.load_one if stage and stage.reloader else loader.load_one
    runtime = build(environ, clock, load_one=load_one)
    found = runtime.bot.settings
    log.setup(found["LOG_LEVEL"], found["LOG_FORMAT"] == "json", found.secrets())
    for line in old_settings.answers(environ):
        logger.warning(line)
    for stranger, ours in found.unknown_names(old_settings.NAMES):
        logger.warning("%s is not a setting of this bot; did you mean %s?", stranger, ours)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    db.use(found["DATABASE_URL"])
    web = _serve_web(found, clock)
    leader = leader_lock.make(found["DATABASE_URL"], found["DATA_DIR"])

    def ready(runtime):
        bot = runtime.bot
        if stage:
            stage.enter(runtime, PLUGINS, TEXTS)
            print(OPEN.format(page=found["TELEGRAM_API_URL"]), flush=True)
        counts = len(bot.generation.catalog.models), len(bot.handlers["command"])
        logger.info("@%s is ready: %d models, %d plugins' commands", bot.username, *counts)

    leadership.serve(runtime, lambda: build(environ, clock, load_one=load_one), open_storage, leader, stop, web, ready)
    db.flatten()
    return 0


def _serve_web(found, clock):
    if not found["PORT"]:
        return None
    from core.process.web import Web

    try:
        return Web(found["BIND"], found["PORT"], clock, VERSION, found["TRUSTED_PROXIES"])
    except (OSError, OverflowError) as error:
        place = f"{found['PORT']} on {found['BIND']}"
        raise settings.SettingsError([f"PORT: found {place} ({error}); want a free port of this machine"]) from None


def command(name, argument, environ, clock=None):
    """Do one of `command_line.COMMANDS` and print what it yields; return the exit code."""
    from tools import database_commands as commands

    whole = name in ("doctor", "bundle", "catalog", "rehearse")  # these look at everything, the others only at the rows
    if whole and wants_stub(environ):
        environ = environ | start_stub()
    clock = clock or Clock()
    bot = build(environ, clock, threads=0).bot if whole else assemble(environ, clock)
    bot.settings.check(only=None if whole else commands.STORAGE + commands.MORE.get(name, ()))
    log.setup("WARNING", False, bot.settings.secrets())
    try:
        return _printed(_of_command(name)(bot, argument))
    finally:
        commands.db.disconnect()


def _of_command(name):
    from tools import bundle, importing
    from tools import database_commands as commands
    from tools.rehearsal import command as rehearsing

    others = {"import": importing, "bundle": bundle, "rehearse": rehearsing}
    return others[name].run if name in others else getattr(commands, name)


def start_stub():
    """Start the KIE stub in this process and return the settings that point at it."""
    from kie.stub import server as stub

    running = stub.start(facts=MODELS)
    return {"KIE_STUB": "1", "KIE_API_URL": running.api_url, "KIE_UPLOAD_URL": running.upload_url}


def wants_stub(environ):
    """Return whether a stub is wanted and none runs yet; a value that is neither on nor off is refused later."""
    try:
        return settings.switch((environ.get("KIE_STUB") or "0").strip()) and not environ.get("KIE_API_URL")
    except ValueError:
        return False


def demo_folder(environ):
    """Return where the demo keeps its database and its chat."""
    return Path(environ.get("DATA_DIR", "var")) / "demo"


def open_demo(environ, reload):
    """Start the demo's local Telegram and the KIE stub; return the settings of a bot that uses them, and its stage."""
    from demo import opening
    from kie.stub import server as stub
    from storage.base import schema

    parts = (loader.load_one, schema.adopt) if reload else None
    try:
        found, stage = opening.begin(environ, demo_folder(environ), lambda: stub.start(facts=MODELS), parts)
    except opening.CannotOpen as error:
        raise settings.SettingsError([str(error)]) from None
    return found, stage


def main(arguments=None):
    """Read the command line and the environment, and run."""
    options = command_line.read(arguments)
    argument = options.value
    log.setup("INFO", False, [])
    environ = command_line.environment(ROOT)
    try:
        if options.command == "new-plugin":
            return new_plugin(argument, options.dir)
        if options.command == "init":
            return set_up(environ, options.to)
        if options.command == "update":
            return look_for_update(environ)
        if options.command == "texts":
            return translate(*options.argument[1:], environ=environ)
        os.umask(0o077)  # files written from here on are for their owner alone
        if options.command != "run":
            own = {"DATA_DIR": str(demo_folder(environ)), "DATABASE_URL": ""} if options.demo else {}
            return command(options.work, argument, environ | own)
        if options.demo:
            return run(*open_demo(environ, options.reload))
        if wants_stub(environ):
            environ |= start_stub()
        return run(environ)
    except settings.SettingsError as error:
        print("The bot cannot start:", *error.problems, *old_settings.answers(environ), sep="\n  ", file=sys.stderr)
        if not all(environ.get(name) for name in FIRST):
            print(FIRST_STEPS, file=sys.stderr)
    except (loader.PluginError, TextError, SchemaError) as error:
        print(f"The bot cannot start: {error}", file=sys.stderr)
    return 2


def new_plugin(name, folder):
    """Write the files of a new plugin, here or in a folder of its own, and list them; return the exit code."""
    from tools import scaffold

    try:
        print(*scaffold.run(ROOT, name, folder), sep="\n")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def set_up(environ, path):
    """Ask for the settings and write them; return the exit code."""
    from tools import first_setup

    return _printed(first_setup.run(first_setup.Terms(environ, Path(path or ROOT / ".env"), Clock())))


def look_for_update(environ):
    """Say what a newer version would bring; return the exit code."""
    from tools import updating

    return _printed(updating.check(ROOT, environ))


def _printed(lines):
    from tools import database_commands as commands

    try:
        for line in lines:
            print(line, flush=True)
    except (*commands.FAILURES, KeyboardInterrupt) as error:
        print(str(error) or "Stopped.", file=sys.stderr)
        return 1
    return 0


def translate(lang=None, *, environ):
    """Start a translation, or report what the existing ones lack; return the exit code."""
    from tools import translations

    found = settings.Settings(environ)
    declare(found)
    more = loader.texts_of(loader.sources(PLUGINS, found["PLUGINS_DIR"]))
    try:
        for line in translations.begin(TEXTS, lang) if lang else translations.check(TEXTS, own_texts(found), more):
            print(line)
    except (translations.Failed, TextError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


FIRST = ("TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "ADMIN_IDS", "USD_RATE")
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
    sys.stdout.flush()
    os._exit(code)  # a thread may still wait for the network; what it was doing is in the rows

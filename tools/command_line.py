"""The command line of `python bot.py`: its commands, their options, and what goes with what; and its environment."""

import argparse
import os

COMMANDS = {
    "verify": "proves the books, --new only what came since the bot's last own proof; --head names the newest seal, and"
    " verify SEAL proves that one is in its place (beside the bot)",
    "doctor": "says what is wrong and how to mend it; --bundle puts what a helper needs to know into one file, without"
    " secrets (beside the bot)",
    "rehearse": "checks with your own keys that Telegram and KIE behave as this bot expects; it says what that costs and"
    " asks first; --yes, --free, --only, --webhook (beside the bot)",
    "catalog": "refresh compares the models and prices with KIE's (beside the bot)",
    "backup": "[FILE] writes everything into one file (beside the bot)",
    "restore": "FILE fills an empty database from one (takes the bot's lock: it must not run)",
    "move": "--to URL copies everything into another database (takes the lock of both: the bot must not run)",
    "import": "SOURCE takes people and balances from another bot: a CSV file, a folder, a postgresql:// address;"
    " --dry-run says what it would do (the bot must not run)",
    "plugins": "lists them; purge NAME removes what one that is away has kept, after a backup (the bot must not run)",
    "init": "asks for what the bot needs, checks it, and writes .env (never needed; the bot must not run)",
    "update": "--check says what a newer version would bring and want (beside the bot)",
    "new-plugin": "NAME writes a plugin to begin with, its texts and its test",
    "texts": "check says what translations lack; new LANG begins one, such as de",
}


def read(arguments=None):
    """Return the options, with the command's argument as `value`; end with exit code 2 for what does not go together."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.work = _work(options)
    if options.command == "update" and not options.check:
        parser.error("update wants --check; to update: deploy/update.sh")
    if options.reload and not options.demo:
        parser.error("--reload is for --demo: elsewhere a plugin may move money")
    options.value = options.to if options.command == "move" else " ".join(options.argument) or None
    if options.value is None and options.command in ("new-plugin", "restore", "move", "import"):
        parser.error(f"{options.command} {COMMANDS[options.command]}")
    if options.command == "texts":
        if options.argument != ["check"] and (options.argument[:1] != ["new"] or len(options.argument) != 2):
            parser.error(f"texts {COMMANDS['texts']}")
    elif len(options.argument) > 1 and options.command != "plugins":
        parser.error(f"{options.command} wants no {options.argument[1]!r}")
    if options.command == "doctor":
        options.value = options.wait
    if options.command == "import":
        from tools.importing import Wish

        options.value = Wish(options.value, options.dry_run, options.skip, options.name, options.part)
    if options.command == "rehearse":
        from tools.rehearsal.command import Wish as Rehearsal

        options.value = Rehearsal(options.yes, options.free, options.webhook, options.only)
    return options


def _work(options):
    """Return the command that is meant: some have an option that makes another one of them."""
    of = {"verify": ("head", "new"), "doctor": ("bundle",)}.get(options.command, ())
    return next((name for name in of if getattr(options, name)), options.command)


def _parser():
    parser = argparse.ArgumentParser(prog="bot.py", description="A Telegram bot that sells AI generation.")
    about = "; ".join(f"{name} {does}" for name, does in COMMANDS.items())
    parser.add_argument("command", nargs="?", default="run", choices=("run", *COMMANDS), help=about)
    parser.add_argument("argument", nargs="*", help="the FILE, NAME or SEAL of the command")
    parser.add_argument("--head", action="store_true", help="with verify: the newest seal, to be kept elsewhere")
    parser.add_argument("--new", action="store_true", help="with verify: only what came since the bot's last own proof")
    parser.add_argument("--to", metavar="URL", help="with move: the database to move to; with init: the file to write")
    parser.add_argument(
        "--dir", metavar="PATH", help="with new-plugin: a folder outside the repository, for PLUGINS_DIR"
    )
    parser.add_argument("--check", action="store_true", help="with update, which it needs: deploy/update.sh updates")
    parser.add_argument("--dry-run", action="store_true", help="with import: only say what would be done")
    parser.add_argument(
        "--skip", action="store_true", help="with import: leave out who cannot be read, take the others"
    )
    parser.add_argument("--name", default="before", help="with import: of the other bot, when people come from several")
    parser.add_argument("--part", help="with import: the BOT_INSTANCE_ID, when several bots share the other database")
    parser.add_argument("--bundle", action="store_true", help="with doctor: write one file for whoever helps")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=int, default=0, help="with doctor: how long the bot has to begin its work"
    )
    parser.add_argument("--yes", action="store_true", help="with rehearse: begin without asking")
    parser.add_argument("--free", action="store_true", help="with rehearse: leave out what can cost credits")
    parser.add_argument("--only", choices=("telegram", "kie"), help="with rehearse: only this service")
    parser.add_argument("--webhook", action="store_true", help="with rehearse: set a webhook and take it back, too")
    parser.add_argument(
        "--demo",
        action="store_true",
        help="run with a local Telegram in the browser, on DEMO_PORT (8081); no token needed",
    )
    parser.add_argument("--reload", action="store_true", help="with --demo: load a plugin again when it is saved")
    return parser


def environment(root):
    """Return the environment; `.env` in the folder `root` supplies what it lacks."""
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(root / ".env").items() if value is not None} | dict(os.environ)

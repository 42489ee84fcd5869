"""verify, doctor, catalog, backup, restore, move, plugins: the commands on the database and the catalogue.

Each yields lines to print; `Failed` ends it with exit code 1.
"""

import logging
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

from core.process import leader_lock
from kie.api.errors import KieError
from kie.sync.catalogue_diff import StrangeList
from storage.backup import dump
from storage.base import db, engines, plugin_tables, schema
from storage.money import proof, seals
from storage.money import verify as books

PLURALS = {"way to pay": "ways to pay", "line of /admin": "lines of /admin", "line of /privacy": "lines of /privacy"}
STORAGE = ("DATA_DIR", "DATABASE_URL")  # the settings these commands need
FIRST_START = ("migrations", "backup", "webhook")  # what a database without tables is no finding about
STEADY_S = 5  # that a copy leads before it counts as at work
MORE = {"import": ("ADMIN_IDS", "CURRENCY")}  # others that a command needs


class Failed(Exception):
    """The command could not do its work, or found something wrong; the text is its last line."""


FAILURES = (
    Failed, dump.DumpError, engines.UnknownDatabase, schema.NewerSchema, db.StorageDown, db.DatabaseError,
    leader_lock.LockLost, KieError, StrangeList, OSError,
)  # fmt: skip


def verify(bot, kept):
    """Prove the books and list what differs; `kept` is a seal of `verify --head`. Only reads; the bot may run."""
    _open(bot)
    problems = 0
    for promise, row in books.verify():
        problems += 1
        yield f"broken: {promise}: {row}"
    if kept:
        held = seals.holds(kept)
        problems += not held
        yield (
            f"the seal you kept is in its place: {kept}" if held else f"broken: the seal you kept is not there: {kept}"
        )
    users, entries, held = books.totals()
    yield f"{users} accounts, {entries} entries, {held / 100:.2f} in balances: {problems} differences"
    if problems:
        raise Failed("the books do not balance")


def new(bot, _argument):
    """Prove what is new since the running bot's last proof, or everything before its first. Only reads; the bot may run."""
    _open(bot)
    findings, since = proof.prove()
    yield from (f"broken: {promise}: {row}" for promise, row in findings)
    if since is None:
        yield f"everything, as nothing was proven before: {len(findings)} differences"
    else:
        yield f"what is new since seal {since.id} of {since.made_at:%Y-%m-%d %H:%M} UTC: {len(findings)} differences"
        yield "that nothing older has changed, only `verify` proves"
    if findings:
        raise Failed("the books do not balance")


def head(bot, _argument):
    """Show the newest seal, for an operator to keep elsewhere. Only reads; may run beside the bot."""
    _open(bot)
    seal = seals.newest()
    if seal is None:
        raise Failed("nothing has been sealed yet: the running bot does so once a minute")
    yield f"{seals.name(seal)}  {seal.made_at:%Y-%m-%d %H:%M} UTC"


def backup(bot, path):
    """Write everything into one file. Reads one snapshot; may run beside the bot."""
    _open(bot)
    now = bot.clock.now()
    path = Path(path or Path(bot.settings["DATA_DIR"]) / "backups" / dump.name(now))
    header = dump.write(bot.settings["DATABASE_URL"], path, now)
    yield f"{path}: {sum(header['tables'].values())} rows of {len(header['tables'])} tables, {path.stat().st_size} bytes"


def restore(bot, path):
    """Fill the empty database of the settings from a file. Takes the leader's lock: the bot must not run."""
    with alone(bot, bot.settings["DATABASE_URL"]):
        header = dump.restore(path, bot.settings["DATABASE_URL"], bot.tables)
    yield from _restored(header)


def move(bot, url):
    """Copy the installation into the empty database `url`. Takes both locks: the bot must not run."""
    here = bot.settings["DATABASE_URL"]
    engines.check_address(url)
    _open(bot)
    copy = Path(bot.settings["DATA_DIR"]) / "backups" / f"move-{dump.name(bot.clock.now())}"
    with alone(bot, here):
        if url.startswith("sqlite") and here.startswith("sqlite"):
            raise Failed("both are SQLite: stop the bot and copy the file, or use backup and restore")
        dump.write(here, copy, bot.clock.now())
        with alone(bot, url):
            header = dump.restore(copy, url, bot.tables)
    yield from _restored(header)
    yield f"the copy it went through stays at {copy}"
    yield "now set DATABASE_URL to the new address, and start the bot"


def plugins(bot, argument):
    """List the plugins, or with `purge NAME` delete what an absent one has kept; that takes the leader's lock."""
    if argument:
        yield from _purge(bot, argument)
        return
    for name, source in bot.sources.items():
        yield f"{name:25} {source.origin or 'ours':27} {_adds(bot, name)}"


def _adds(bot, name):
    """Return what a plugin adds, in words; why it adds nothing."""
    if name in bot.switched_off:
        return "off"
    if empty := bot.asleep(name):
        return f"off: {' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} not set"
    own = Counter(what for what, _name in bot.registered.get(name, ()) if what != "setting")
    return ", ".join(f"{n} {PLURALS.get(what, what + 's') if n > 1 else what}" for what, n in own.items()) or "on"


def _purge(bot, argument):
    verb, _space, name = argument.partition(" ")
    if verb != "purge" or not name:
        raise Failed("say: plugins, or plugins purge NAME")
    if name in bot.sources and name not in bot.switched_off:
        raise Failed(f"{name} is there and on: take it away, or put it into PLUGINS_OFF, before its rows are removed")
    _open(bot)
    here = set(bot.sources) - bot.switched_off
    kept = plugin_tables.away({table.model._meta.table_name for table in bot.tables}, here)
    if name not in kept:
        raise Failed(f"nothing is kept for {name}; for these there is: {', '.join(sorted(kept)) or 'none'}")
    with alone(bot, bot.settings["DATABASE_URL"]):
        yield from backup(bot, None)
        yield f"removed what {name} has kept: {', '.join(plugin_tables.purge(name)) or 'values'}"


def doctor(bot, wait_s):
    """Report what is wrong and how to fix it, a line each; with `wait_s`, wait first for the bot to begin its work.

    Only reads; may run beside the bot.
    """
    db.connect(bot.settings["DATABASE_URL"])
    wrong = 0
    if wait_s and not _begins(bot, wait_s):
        wrong += 1
        yield f"PROBLEM running: no copy of the bot was at work within {wait_s} s; its log says why"
    behind = schema.pending()
    first = FIRST_START if set(behind) == schema.known() else ()
    with _hushed(logging.getLogger("core.bot")) if behind else nullcontext():
        for name, key, values in bot.examine():
            if (behind and key == "common.check_failed") or (key and name in first):
                yield f"later   {name}: the next start of the bot sees to it"
                continue
            wrong += key is not None
            yield f"PROBLEM {name}: {bot.texts.plain(bot.texts.default, key, **values)}" if key else f"ok      {name}"
    if wrong:
        raise Failed(f"{wrong} of {len(bot.checks) + bool(wait_s)} checks found something")


@contextmanager
def _hushed(logger):
    """Keep back a log's tracebacks, of checks that ask tables which are still to be made."""
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _begins(bot, wait_s):
    """Wait for a copy to lead on a migrated database, and to go on leading for a while: one that fails lets go."""
    lock = leader_lock.make(bot.settings["DATABASE_URL"], bot.settings["DATA_DIR"])
    now, led_s = bot.clock.monotonic(), 0
    end = now + wait_s
    while led_s < STEADY_S and now < end:
        bot.clock.sleep(1)
        led_s = led_s + 1 if _is_taken(lock) and not schema.pending() else 0
        now = bot.clock.monotonic()
    return led_s >= STEADY_S


def _is_taken(lock):
    """Return whether a copy has the lock. One that wants it at this very moment tries again within seconds."""
    taken = not lock.acquire()
    lock.release()
    return taken


def catalog(bot, argument):
    """Compare the catalogue with KIE's offer and report the differences; it stays as it is. May run beside the bot."""
    if argument != "refresh":
        raise Failed("say: catalog refresh")
    _open(bot)
    yield "asking KIE, one request a second: this takes about four minutes"
    found = bot.generation.live_catalogue.check(bot.generation.client, bot.clock)
    differences = found.differences
    yield from (f"skipped {name}: {why}" for name, why in found.skipped.items())
    for change in differences:
        yield f"{change.kind:7}{change.model}"
        yield from (
            f"       {key}: " + ", ".join(f"{name} {value}" for name, value in values.items() if value)
            for key, values in change.lines
        )
    skipped = f", {found.skipped.count} entries could not be read" if found.skipped else ""
    yield f"{len(differences)} differences{skipped}" + (": apply them in the chat, /catalog" if differences else "")


def _restored(header):
    yield f"{sum(header['tables'].values())} rows of {len(header['tables'])} tables restored, as of {header['made_at']}"
    users, entries, held = books.totals()
    yield f"proved: {users} accounts, {entries} entries, {held / 100:.2f} in balances, 0 differences"


def _open(bot):
    """Open the database as it is: a command that only reads must not migrate it."""
    db.connect(bot.settings["DATABASE_URL"])
    missing = schema.pending()
    if missing:
        raise Failed(f"the database lacks {', '.join(missing)}: start the bot of this version once, then try again")


@contextmanager
def alone(bot, url):
    """Hold the leader's lock of a database for the block."""
    leader = leader_lock.make(url, bot.settings["DATA_DIR"])
    if not leader.acquire():
        raise Failed("the bot is running on this database: stop it first")
    try:
        yield
    finally:
        leader.release()

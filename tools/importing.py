"""`python bot.py import SOURCE`: import people of another bot, with balances, languages, invitations, bans, history.

SOURCE is a CSV file, a predecessor's folder of JSON files, or the address of its PostgreSQL. Everything is read before
anything is written. It takes the leader's lock, so no bot runs on the database meanwhile. Each person is imported and
marked in one transaction, so an import that was killed, or is run twice, ends with the same sums.
"""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from storage.base import db, schema
from storage.journal import runtime_settings
from storage.money import verify as books
from storage.people import arrivals
from storage.people.arrivals import Came
from tools.database_commands import Failed, alone
from tools.import_sources import csv_file, json_folder, postgres
from tools.import_sources.collected import Unreadable

SOURCE = "before"  # the name of the bot that people come from
BATCH = 100  # people per transaction
TOLD = 1000  # people between two progress lines
SHOWN = 50  # problems


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of the command line."""

    source: str
    dry_run: bool = False
    skip: bool = False
    name: str = SOURCE
    part: str | None = None


def run(bot, wish):
    """Read the source, describe it and, unless it is a dry run, import it; yield lines to print."""
    if not re.fullmatch(r"[a-z0-9_-]{1,40}", wish.name):
        raise Failed(f"--name: found {wish.name!r}; want letters, digits, - and _")
    found = _read(bot, wish)
    people = found.arrivals()
    yield from _problems(found, wish)
    actor = _who_bans(bot, people)
    words = f"{wish.name}: {found.name}"[:200]
    if wish.dry_run:
        yield from _forecast(bot, found, people, wish)
    if found.problems and not wish.skip:
        raise Failed("nothing is taken like this: mend these places, or add --skip to take everybody else")
    if wish.dry_run:
        return
    with alone(bot, bot.settings["DATABASE_URL"]):
        _open(bot)
        yield from _told(found, people)
        yield from _take(bot, people, wish.name, words, actor)


def _read(bot, wish):
    languages = set(bot.texts.languages)
    if wish.source.startswith(("postgres://", "postgresql://")):
        reader = (postgres.read, wish.source, languages, wish.part)
    elif (path := Path(wish.source)).is_dir():
        reader = (json_folder.read, path, languages)
    elif path.is_file():
        reader = (csv_file.read, path, languages)
    else:
        raise Failed(f"{wish.source}: no file, no folder and no postgresql:// address")
    try:
        return reader[0](*reader[1:])
    except Unreadable as error:
        raise Failed(str(error)) from None


def _problems(found, wish):
    yield from (f"cannot be read: {line}" for line in found.problems[:SHOWN])
    if len(found.problems) > SHOWN:
        yield f"and {len(found.problems) - SHOWN} more"
    yield from (f"has no place here, left out: {line}" for line in found.remarks)


def _who_bans(bot, people):
    """Return the Telegram id of the owner in whose name bans are recorded; None if nobody is banned."""
    owners = bot.settings["ADMIN_IDS"]
    if banned := [one.telegram_id for one in people if one.banned]:
        if not owners:
            raise Failed(f"{len(banned)} people are banned there; want ADMIN_IDS: a ban is noted as an owner's act")
        if set(banned) & set(owners):
            raise Failed(
                f"{min(set(banned) & set(owners))} is banned there, and in ADMIN_IDS here: take them out of one"
            )
    return owners[0] if banned else None


def _open(bot):
    """Open the database, created or migrated as at a start, and fix its currency."""
    db.connect(bot.settings["DATABASE_URL"])
    schema.migrate()
    runtime_settings.forget()
    want = bot.settings["CURRENCY"]
    if (kept := runtime_settings.currency(want, bot.clock.now())) != want:
        raise Failed(f"CURRENCY is {want}, the amounts in this database are in {kept}")


def _forecast(bot, found, people, wish):
    """Yield what an import would do. Only reads; may run while the bot is running."""
    db.connect(bot.settings["DATABASE_URL"])
    missing = schema.pending()
    with db.connection() as real:
        fresh = not real.table_exists("user")
    if missing and not fresh:
        raise Failed(f"the database lacks {', '.join(missing)}: start the bot of this version once, then try again")
    yield from _told(found, people)
    ids = [one.telegram_id for one in people]
    here, before = (set(), {}) if fresh else (arrivals.known(ids), arrivals.taken(wish.name, ids))
    coming = [one for one in people if one.telegram_id not in before]
    new = sum(one.telegram_id not in here for one in coming)
    yield from _alien(people, set() if fresh else _inviters(people))
    yield from _changed(people, before)
    if not fresh:
        yield _state("before")
    yield f"would be taken: {len(coming)} people ({new} of them new here), {_money(sum(one.balance for one in coming))}"
    yield "nothing was changed: this was a dry run"


def _told(found, people):
    invited, paid = sum(one.inviter is not None for one in people), sum(one.paid for one in people)
    spoken, banned = sum(bool(one.lang) for one in people), sum(one.banned for one in people)
    yield f"source: {found.name}: {len(people)} people, {_money(sum(one.balance for one in people))} in balances"
    yield f"        {spoken} languages, {invited} invitations, {banned} bans, {paid} who have paid, "\
          f"{sum(len(one.past) for one in people)} entries of history"  # fmt: skip
    if found.rounded:
        yield f"        {found.rounded} amounts had more than two decimals and are rounded"


def _alien(people, here):
    """Report invitations that cannot be imported: inviters found nowhere, and people who invited themselves."""
    ids = {one.telegram_id for one in people} | here
    lost = [one for one in people if one.inviter and (one.inviter not in ids or one.inviter == one.telegram_id)]
    if lost:
        yield f"        {len(lost)} invitations are left out, such as that of {lost[0].telegram_id}: by nobody known, or by themselves"


def _changed(people, before):
    other = [one for one in people if before.get(one.telegram_id, one.balance) != one.balance]
    if before:
        yield f"taken by an earlier run, and left as they are: {len(before)} people"
    if other:
        yield f"        of these {len(other)} have another balance in the source now, such as {other[0].telegram_id}"


def _take(bot, people, name, words, actor):
    now = bot.clock.now()
    yield from _alien(people, _inviters(people))
    yield from _changed(people, arrivals.taken(name, [one.telegram_id for one in people]))
    yield _state("before")
    sums, already = books.totals().balances, arrivals.total(name).amount
    actor = actor and arrivals.owner(actor, now)
    came = dict.fromkeys(Came, 0)
    for number, some in enumerate(_batches(people), start=1):
        with db.transaction():
            ways = [arrivals.take(one, name, words, actor, now) for one in some]
        for way in ways:
            came[way] += 1
        if number * BATCH % TOLD == 0:
            yield f"        {number * BATCH} of {len(people)}"
    invitations = 0
    for some in _batches([one for one in people if one.inviter]):
        with db.transaction():
            invitations += sum(arrivals.join(one, now) for one in some)
    moved = arrivals.total(name).amount - already
    yield f"taken:  {came[Came.NEW]} new people, {came[Came.JOINED]} who were here, {invitations} invitations, {_money(moved)}"
    yield _state("after")
    if books.totals().balances - sums != moved:
        raise Failed("the sums differ: restore the backup you made before, and report this")
    broken = list(itertools.islice(books.verify(), 5))
    yield from (f"broken: {promise}: {row}" for promise, row in broken)
    if broken:
        raise Failed("the books do not balance")
    yield "proved: the books balance"


def _inviters(people):
    return arrivals.known(sorted({one.inviter for one in people if one.inviter}))


def _batches(things):
    return [things[i : i + BATCH] for i in range(0, len(things), BATCH)]


def _state(when):
    users, entries, held = books.totals()
    return f"{when + ':':8}{users} accounts, {entries} entries, {_money(held)} in balances"


def _money(amount):
    return f"{amount // 100}.{amount % 100:02}"

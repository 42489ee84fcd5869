"""`python bot.py rehearse`: say what it does and costs, ask, try every assumption, and write rehearsal.json.

It needs no database, so it can be the first thing that is done with new keys. Its language is the terminal's (LANG).
"""

import os
import sys
from dataclasses import dataclass

from tools.database_commands import Failed
from tools.rehearsal.assumption import DIFFERS, HOLDS, NOT_TRIED, PARTS
from tools.rehearsal.journal import CEILING, Busy, Journal

INDENT = " " * 14
SERVICES = {"telegram": "Telegram", "kie": "KIE"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: to begin without asking, to leave out what costs, to try the webhook, only one service."""

    yes: bool = False
    free: bool = False
    webhook: bool = False
    only: str | None = None
    ask: object = input


def run(bot, wish):
    """Rehearse; yield lines to print. Raise Failed if something differs, or there was no yes."""
    lang = bot.texts.guess(os.environ.get("LANG", "").replace("_", "-"))

    def say(key, **values):
        return bot.texts.plain(lang, f"rehearsal.{key}", **values)

    yield from _terms(bot, wish, say)
    if not wish.yes and not _agreed(wish.ask, say("begin")):
        raise Failed(say("not_begun"))
    owners = bot.settings["ADMIN_IDS"]
    how = {"webhook": wish.webhook, "free": wish.free, "only": wish.only}
    try:
        rehearsal = bot.rehearsal.begin(owners[0] if owners else None, **how)
    except Busy:
        raise Failed(say("busy")) from None
    service = ""
    try:
        for finding in rehearsal:
            if not finding.name.startswith(f"{service.lower()}_"):
                service = SERVICES[finding.name.partition("_")[0]]
                yield f"\n{service}"
            yield from _lines(bot, lang, finding, say)
    except KeyboardInterrupt:
        raise Failed(say("stopped")) from None
    finally:
        rehearsal.close()
    yield from _outcome(rehearsal, say)


def _terms(bot, wish, say):
    """Say what it does and what it costs."""
    try:
        journal = Journal(bot.settings["DATA_DIR"], bot.clock)
    except Busy:
        raise Failed(say("busy")) from None
    spent = journal.spent()
    journal.close()
    yield say("intro", n=bot.rehearsal.COUNT)
    costs = {"credits": str(bot.rehearsal.cost()), "ceiling": str(CEILING), "spent": str(spent)}
    yield say("cost_free") if wish.free or wish.only == "telegram" else say("cost", **costs)
    if wish.only != "kie":
        yield say("does")
    if wish.webhook:
        yield say("webhook_asked")


def _agreed(ask, question):
    if ask is input and not sys.stdin.isatty():
        return False
    try:
        return ask(question).strip().lower() in ("y", "yes")  # as the question says in every language
    except EOFError:
        return False


def _lines(bot, lang, finding, say):
    """Return the lines of one finding."""
    what, part, why = bot.rehearsal.describe(lang, finding)
    word = say(f"word_{finding.verdict}")
    if finding.verdict == NOT_TRIED:
        return [f"{word:13} {what}: {why[0]}"]
    if finding.verdict == HOLDS:
        return [f"{word:13} {what}"]
    rests = say("rests", part=part, module=PARTS[finding.part])
    return [f"{word:13} {what}", *(f"{INDENT}{line}" for line in (*why, rests))]


def _outcome(rehearsal, say):
    counts = rehearsal.counts()
    yield ""
    yield say("result", n=rehearsal.count, spent=str(rehearsal.spent), **counts)
    yield say("written", path=rehearsal.path)
    if counts[DIFFERS]:
        raise Failed(say("ill"))
    yield say("well")

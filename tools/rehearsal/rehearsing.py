"""A rehearsal from its beginning to its file: every assumption in turn, whatever becomes of the others.

It may run beside the bot. The file says what was found and how answers looked; it has no token, no key, no address and
nothing of what anybody wrote, so that it can be attached to an issue.
"""

import json
import platform
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from kie.api.callback_signature import is_genuine
from kie.api.task_response import loads, task_of
from storage.base.db import private_file
from tools.rehearsal import kie, marks, shapes, telegram
from tools.rehearsal.assumption import DIFFERS, HOLDS, NOT_TRIED, PARTS, Finding, Stage
from tools.rehearsal.journal import CEILING, Busy, Journal

ASSUMPTIONS = (*telegram.ASSUMPTIONS, *kie.ASSUMPTIONS)
FORMAT = 1
NAME = "rehearsal.json"
AWAY, GONE = 2, "rehearsal.away"
REAL = {"telegram": "https://api.telegram.org", "kie": "https://api.kie.ai"}


class Rehearsal:
    """What a rehearsal is for the bot: `bot.rehearsal`."""

    Busy, HOLDS, DIFFERS, NOT_TRIED, CEILING = Busy, HOLDS, DIFFERS, NOT_TRIED, CEILING
    COUNT, NAME, PATH = len(ASSUMPTIONS), NAME, marks.PATH

    def __init__(self, bot):
        self._bot = bot

    def cost(self):
        """Return the most credits that one costs if everything holds."""
        stage = SimpleNamespace(bot=self._bot)
        return kie.task_price(stage) + kie.chat_price(stage) + kie.claude_price(stage)

    def begin(self, owner, *, webhook=False, free=False, only=None):
        """Return a Run, ready to begin, of one service if it is named; raise Busy while another one runs here."""
        return Run(self._bot, owner, webhook=webhook, free=free, only=only)

    def path(self):
        """Return where the file is."""
        return Path(self._bot.settings["DATA_DIR"]) / NAME

    def describe(self, lang, finding):
        """Return a finding as text: (its sentence, the part that rests on it, [why or what differs])."""
        plain = self._bot.texts.plain
        what, part = plain(lang, f"rehearsal.{finding.name}"), plain(lang, f"rehearsal.part_{finding.part}")
        if finding.verdict == NOT_TRIED:
            values = dict(finding.values)
            if "name" in values:
                values["name"] = plain(lang, f"rehearsal.{values['name']}")
            return what, part, [plain(lang, finding.reason, **values)]
        lines = [
            plain(lang, "rehearsal.difference", path=path or "…", expected=expected, came=came)
            for path, expected, came in finding.differences
        ]
        return what, part, lines

    def is_ours(self, mark):
        """Return whether a callback's mark was made by a rehearsal with this token."""
        return marks.is_ours(self._bot.settings["TELEGRAM_BOT_TOKEN"], mark)

    def seen(self, body, headers, now):
        """Return what a rehearsal wants to know of a callback: data that JSON can hold, none of it secret."""
        found = loads(body.decode("utf-8", "replace"))
        found = found if isinstance(found, dict) else {}
        data = found.get("data") if isinstance(found.get("data"), dict) else {}
        task = task_of(found)
        signed = is_genuine(self._bot.settings["KIE_WEBHOOK_KEY"] or "-", task, headers, now)
        known = {"code": found.get("code"), "state": data.get("state"), "task": task}
        return known | {"signed": signed, "shape": shapes.recorded(found)}


class Run:
    """One rehearsal: iterate over it for its Findings, each as soon as it is there; then it has written its file.

    Close it, also if it was not finished: what it has sent is deleted then.
    """

    def __init__(self, bot, owner, *, webhook, free, only):
        self._bot, self._free = bot, free
        self._journal = Journal(bot.settings["DATA_DIR"], bot.clock)
        self._stage = Stage(bot, self._journal, owner, webhook=webhook, free=free)
        self._assumptions = [one for one in ASSUMPTIONS if only is None or one.name.startswith(f"{only}_")]
        self.findings, self.path = [], Path(bot.settings["DATA_DIR"]) / NAME
        self.count = len(self._assumptions)

    def __iter__(self):
        began = self._bot.clock.now()
        telegram.clean_up(self._stage)  # what a killed one has left
        for assumption in self._assumptions:
            self.findings.append(self._finding(assumption))
            yield self.findings[-1]
        telegram.clean_up(self._stage)
        self._write(began)

    def _finding(self, assumption):
        """Try an assumption, unless its service has been away twice in a row."""
        service = assumption.name.partition("_")[0]
        last = self.findings[-AWAY:]
        if len(last) == AWAY and all(one.reason == GONE and one.name.startswith(service) for one in last):
            return Finding(assumption.name, assumption.part, NOT_TRIED, [], GONE, last[-1].values)
        return self._stage.try_one(assumption)

    def close(self):
        """Clean up, and let another rehearsal begin."""
        telegram.clean_up(self._stage)
        self._stage.close()
        self._journal.close()

    @property
    def spent(self):
        """Return the credits this rehearsal has taken, or may have taken."""
        return self._journal.spent_now()

    def counts(self):
        """Return {verdict: how many}."""
        return {HOLDS: 0, DIFFERS: 0, NOT_TRIED: 0} | Counter(one.verdict for one in self.findings)

    def _write(self, began):
        """Write the file: readable by its owner alone, and never half."""
        text = self._stage.hide(json.dumps(self._report(began), ensure_ascii=False, indent=1))
        fresh = self.path.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8", opener=private_file) as stream:
            stream.write(f"{text}\n")
        fresh.replace(self.path)

    def _report(self, began):
        found = self._bot.settings
        urls = {"telegram": found["TELEGRAM_API_URL"], "kie": found["KIE_API_URL"]}
        return {
            "format": FORMAT,
            "made_at": began.isoformat(timespec="seconds"),
            "version": self._bot.status.version,
            "python": platform.python_version(),
            "services": {name: "real" if urls[name] == real else "other" for name, real in REAL.items()},
            "free_only": self._free,
            "counts": self.counts(),
            "credits_spent": str(self.spent.normalize() if self.spent else Decimal(0)),
            "assumptions": [_row(finding) for finding in self.findings],
        }


def _row(finding):
    row = {"name": finding.name, "verdict": finding.verdict, "rests_on_it": PARTS[finding.part], "ms": finding.ms}
    if finding.differences:
        names = ("field", "expected", "came")
        row["differences"] = [dict(zip(names, one, strict=True)) for one in finding.differences]
    if finding.reason:
        row["reason"] = finding.reason.partition(".")[2]
    return row | {"answers": finding.answers}

"""A rehearsal between proxies in front of the local servers, and the shapes that rehearsals have recorded.

rehearsing = Rehearsing(telegram, kie, tmp_path)
rehearsing.telegram.alter("getMe", lambda answer: answer.body["result"].pop("username"))
assert rehearsing.run()["telegram_me"].verdict == "differs"
"""

import json
import random
import time

from tests.altering import Altering
from tests.kit import BOSS, ROOT, TOKEN, FrozenClock, main

FILES = ROOT / "tests" / "data" / "rehearsals"
NUMBERS = {"integer": {"integer", "number"}, "number": {"integer", "number"}}  # 5 and 5.0 are one balance
TEXTS = {"address": {"address", "string"}, "string": {"string", "address"}}


class Rehearsing:
    """A bot without a database between two proxies: `telegram` and `kie`; `run()` rehearses."""

    def __init__(self, telegram, kie, folder, **more):
        self.telegram, self.kie, self.folder = Altering(telegram.url), Altering(kie.url), folder
        self.control, self.bot = kie, None
        self.clock = FrozenClock(telegram, kie, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
        self.environ = {
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": self.telegram.url, "KIE_STUB": "1",
            "KIE_API_URL": self.kie.url, "KIE_UPLOAD_URL": f"{self.kie.url}/upload", "KIE_API_KEY": "stub-key",
            "ADMIN_IDS": str(BOSS), "DATA_DIR": str(folder), "USD_RATE": "90",
        } | more  # fmt: skip

    def begin(self, **how):
        """Build a bot and begin a rehearsal; return its Run."""
        if self.bot is not None:
            self.bot.sender.transport.close()
        self.bot = main.build(self.environ, self.clock, threads=0, rng=random.Random(1)).bot
        owner = how.pop("owner", BOSS)
        return self.bot.rehearsal.begin(owner, **how)

    def run(self, **how):
        """Rehearse to the end and return {name: Finding}."""
        self.last = self.begin(**how)
        try:
            return {finding.name: finding for finding in self.last}
        finally:
            self.last.close()

    def report(self):
        """Return what the file says."""
        return json.loads(self.last.path.read_text(encoding="utf-8"))

    def stop(self):
        """Close the connections and end the proxies."""
        if self.bot is not None:
            self.bot.sender.transport.close()
            self.bot.generation.client.close()
        self.telegram.stop()
        self.kie.stop()


def answers(report):
    """Return {(assumption, call): [shape]} of a rehearsal's file; a call is named by its last word."""
    found = {}
    for row in report["assumptions"]:
        for answer in row["answers"]:
            call = answer["call"].rpartition("/")[2].split()[-1] if answer["call"].split() else ""
            if answer.get("shape") is not None and call not in ("file", "HEAD"):
                found.setdefault((row["name"], call), []).append(answer["shape"])
    return found


def recordings():
    """Return the files that operators have sent, and the one made from documentation."""
    return sorted(FILES.glob("*.json"))


def differences(recorded, ours, types, path=""):
    """Yield what `ours`, a shape, lacks or invents compared with a recorded one; `types` are the recording's."""
    recorded = _resolved(recorded, types)
    if recorded == "any":
        return
    for wanted in recorded["or"] if isinstance(recorded, dict) and "or" in recorded else [recorded]:
        found = list(_compared(_resolved(wanted, types), ours, types, path))
        if not found:
            return
    yield from found


def _compared(recorded, ours, types, path):
    if isinstance(ours, dict) and "or" in ours:
        for one in ours["or"]:
            yield from differences(recorded, one, types, path)
    elif isinstance(recorded, dict) and isinstance(ours, dict):
        yield from _fields(recorded, ours, types, path)
    elif isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from differences(recorded[0], ours[0], types, f"{path}[]")
    elif isinstance(recorded, str) and isinstance(ours, str):
        known = {one for word in recorded.split("|") for one in (NUMBERS | TEXTS).get(word, {word})}
        if strange := set(ours.split("|")) - known:
            yield f"{path}: {'|'.join(sorted(strange))} in place of {recorded}"
    else:
        yield f"{path}: {_word(ours)} in place of {_word(recorded)}"


def _fields(recorded, ours, types, path):
    theirs = {name.removesuffix("?"): (shape, name.endswith("?")) for name, shape in recorded.items()}
    own = {name.removesuffix("?"): shape for name, shape in ours.items()}
    for name, (shape, is_optional) in theirs.items():
        if name in own:
            yield from differences(shape, own[name], types, f"{path}.{name}")
        elif not is_optional:
            yield f"{path}.{name} is lacking"
    yield from (f"{path}.{name} is invented" for name in own if name not in theirs)


def _resolved(shape, types):
    """Return a shape with its type looked up, and what it extends filled in."""
    if isinstance(shape, str) and shape.startswith("@"):
        return _resolved(types[shape[1:]], types)
    if isinstance(shape, dict) and "is" in shape:
        own = {name: one for name, one in shape.items() if name != "is"}
        base = _resolved(types[shape["is"]], types)
        names = {name.removesuffix("?") for name in own}
        return {name: one for name, one in base.items() if name.removesuffix("?") not in names} | own
    return shape


def _word(shape):
    return shape if isinstance(shape, str) else "array" if isinstance(shape, list) else "object"

"""A broadcast to many with Telegram's flood limits on, killed half-way: the pace, violations, copies per person.

    python bench/broadcast.py                     10,000 people, SQLite; about six minutes
    python bench/broadcast.py --people 300 --database postgresql

People keep writing /balance meanwhile, and the time to their answer is measured too. What was being sent when the
process was killed is in doubt and not repeated, so at most two seconds' worth may be missing, and nobody may get it
twice.
"""

import argparse
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import FIRST, Server, databases, machine, ours, wait_until  # noqa: E402
from bench.process import Process  # noqa: E402
from demo.kit import Telegram  # noqa: E402

ADMIN = 5_900_000_000
WRITES_EVERY_S = 0.5  # somebody asks for their balance
IN_DOUBT = 14  # copies that may be going out at the moment of a kill


class Watch(threading.Thread):
    """Reads the server's log of calls as it grows, as it keeps only the newest 5,000."""

    def __init__(self, telegram, after=0):
        super().__init__(daemon=True)
        self.copies, self.times, self.refused, self.asked, self.waits = Counter(), [], Counter(), {}, []
        self._telegram, self._seen, self._ended = telegram, after, threading.Event()

    def run(self):
        while not self._ended.wait(1):
            self.read()

    def read(self):
        """Read the new calls."""
        for call in self._telegram.calls(after=self._seen):
            self._seen, chat = call["n"], int(call["params"].get("chat_id") or 0)
            if not call["ok"]:
                self.refused[f"{call['method']}: {call['description']}"] += 1
            elif call["method"] == "copyMessage":
                self.copies[chat] += 1
                self.times.append(call["at"])
            elif call["method"] == "sendMessage" and chat in self.asked:
                self.waits.append(call["at"] - self.asked.pop(chat))

    def end(self):
        """Read the rest and stop."""
        self._ended.set()
        self.join()
        self.read()


class Writers(threading.Thread):
    """People who write meanwhile, each once."""

    def __init__(self, telegram, watch, people):
        super().__init__(daemon=True)
        self._telegram, self._watch = telegram, watch
        self._order = random.Random(1).sample(range(people), people)
        self.ended = threading.Event()

    def run(self):
        for number in self._order:
            if self.ended.wait(WRITES_EVERY_S):
                return
            self._watch.asked[FIRST + number] = self._telegram.now
            self._telegram.person(f"Person {number}", id=FIRST + number).send("/balance")


def send_to_all(kind, people):
    """Run a broadcast to so many people with a kill in the middle; return the Watch and the downtime in seconds."""
    with databases(kind, people) as (addresses, folder):
        server = Server(people=people, admin=ADMIN)
        process = None
        try:
            telegram = Telegram(server.url)
            _command, environ = ours(server, addresses["ours"], folder)
            process = Process(environ | {"ADMIN_IDS": str(ADMIN)}, folder / "bot.log")
            process.start()
            boss = telegram.person("Boss", id=ADMIN, language_code="en")
            boss.send("/start")
            boss.wait_for("Boss", 30)
            last = order(boss)
            telegram.flood_limits()
            watch = Watch(telegram, after=last)
            watch.start()
            writers = Writers(telegram, watch, people)
            writers.start()
            wait_until(lambda: len(watch.times) >= people // 2, "half of the copies", people)
            process.kill()
            killed = telegram.now
            process.start()
            wait_until(lambda: any("is done" in one.get("text", "") for one in boss.messages), "the end", people)
            writers.ended.set()
            writers.join()
            time.sleep(1)
            watch.end()
            down = min(at for at in watch.times if at > killed + 0.2) - killed
            return watch, down
        finally:
            if process:
                process.end()
            server.stop()


def order(boss):
    """Send a message to everybody, as an admin does; return the number of the call that copied it for the admin."""
    message = boss.send("<b>News</b>")
    boss.send("/broadcast", reply_to=message["message_id"])
    boss.wait_for("Broadcast", 30)
    boss.tap("Send to")
    boss.wait_for("Send to", 30)
    boss.telegram.wait(lambda: any(label.startswith("✓") for label in boss.buttons), 30, "the question")
    own = boss.telegram.calls("copyMessage")[-1]["n"]
    boss.tap("✓ Send to")
    return own


def report(watch, down, people):
    """Return the lines of the table and the number of failures."""
    took = watch.times[-1] - watch.times[0] - down
    twice = sum(1 for count in watch.copies.values() if count > 1)
    missing = people + 1 - len(watch.copies)  # the admin is one of them
    floods = sum(count for words, count in watch.refused.items() if "Too Many" in words)
    waits = sorted(watch.waits) or [0.0]
    lines = [
        f"copies             {len(watch.times)} to {len(watch.copies)} of {people + 1} people",
        f"messages a second  {(len(watch.times) + len(watch.waits)) / took:.1f}, of them copies {len(watch.times) / took:.1f}"
        f" (without the {down:.1f} s of the kill and the new start)",
        f"got it twice       {twice}",
        f"in doubt, not sent {missing} (at most {IN_DOUBT})",
        f"limits violated    {floods}",
        *(f"    {words} ({count} times)" for words, count in watch.refused.items()),
        f"answers meanwhile  {len(waits)}, median {statistics.median(waits) * 1000:.0f} ms, "
        f"p99 {waits[int(len(waits) * 0.99)] * 1000:.0f} ms",
    ]
    return lines, twice + floods + (missing > IN_DOUBT)


def main():
    """Run and print the table; exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    lines, failures = report(*send_to_all(options.database, options.people), options.people)
    print("\n".join([machine(), f"a broadcast to {options.people} people, {options.database}", *lines]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

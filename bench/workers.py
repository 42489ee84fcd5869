"""Three copies of the bot at work on one PostgreSQL, behind a load balancer: order in a chat, and the sums under kills.

    python bench/workers.py                         10 kills, alternately the leader and another one, 20 users
    python bench/workers.py --turns 0 --people 20   no kills: the order of the answers, and how much each has handled

Telegram posts every update to the balancer, which passes each to the next copy; so does KIE with its callbacks. The
books are compared with what Telegram, KIE and the people saw, as in `bench/crash.py`.
"""

import argparse
import contextlib
import logging
import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.crash import databases  # noqa: E402
from bench.failover import Copy  # noqa: E402
from bench.load import Human, NoAnswer, Servers, Town  # noqa: E402
from bench.proxy import Balancer  # noqa: E402
from bench.settle import finish  # noqa: E402

COPIES = 3
HANDLED = re.compile(r" core\.handling\.dispatch: \[u\d+\] ")
GAP_S = 1.0  # between a copy's return and the next kill


class Fleet:
    """Copies of the bot behind one address."""

    def __init__(self, servers, url, folder, count=COPIES):
        self.copies = [Copy(servers, url, folder, f"copy{number}") for number in range(count)]
        self.balancer = Balancer([f"http://127.0.0.1:{copy.port}" for copy in self.copies])
        for copy in self.copies:
            copy.environ |= {"BOT_MODE": "webhook", "PUBLIC_URL": self.balancer.url}

    def start(self):
        """Start all at once, and wait until each of them works."""
        for copy in self.copies:
            copy.start()
        for copy in self.copies:
            copy.wait_for("ok")

    def leading(self, leads=True):
        """Return a copy that leads, or one that does not."""
        return next(copy for copy in self.copies if copy.health().get("leader") is leads)

    def kill(self, copy):
        """Kill a copy, start it again, and wait until it works; return the seconds that took."""
        copy.kill()
        copy.start()
        return copy.wait_for("ok")

    def stop_but_one(self):
        """Stop all but the last one, regularly, and return that one; raise if one does not end well."""
        *others, last = self.copies
        codes = [copy.stop() for copy in others]
        if any(codes):
            raise AssertionError(f"the copies ended with {codes}")
        return last

    def handled(self):
        """Return how many updates each copy has handled."""
        return [len(HANDLED.findall(copy.log_path.read_text(errors="replace"))) for copy in self.copies]

    def end(self):
        """Kill what is still running."""
        for copy in self.copies:
            if copy.starts:
                copy.kill()
        self.balancer.stop()


class Talker(Human):
    """Writes without waiting, and notes the order in which the answers come."""

    def talk(self, count):
        """Send so many numbered messages at once."""
        for number in range(count):
            self.say(f"word {number}.")

    def heard(self):
        """Return the numbers in the answers so far, in order; the chat itself keeps only the newest screen."""
        sent = [call["params"] for call in self.telegram.calls("sendMessage")]
        answers = [str(one["text"]) for one in sent if str(one["chat_id"]) == str(self.id)]
        return [int(found[1]) for found in (re.search(r"word (\d+)\.", answer) for answer in answers) if found]


def in_order(servers, notes, rng, *, people=4, messages=30, kill=None):
    """Make people write faster than they are answered; return (seconds to the last answer, what was out of order).

    `kill` is called once some are answered. Then the update its copy had in hand may be answered again, before the next
    one; without a kill each message is answered once.
    """
    talkers = [Talker(servers, notes, f"Tom{number}", rng) for number in range(people)]
    began = time.monotonic()
    threads = [threading.Thread(target=one.talk, args=(messages,)) for one in talkers]
    for thread in threads:
        thread.start()
    if kill:
        talkers[0].until(lambda: sum(len(one.heard()) for one in talkers) >= messages or None, "some answers")
        kill()
    for thread in threads:
        thread.join()
    wrong = []
    for one in talkers:
        with contextlib.suppress(NoAnswer):  # what is missing shows in the result
            one.until(lambda one=one: messages - 1 in one.heard() or None, "an answer to the last message")
        heard = one.heard()
        if sorted(set(heard) if kill else heard) != list(range(messages)) or heard != sorted(heard):
            wrong.append(heard)
    return time.monotonic() - began, wrong


def share(url, folder, *, turns, users, people=4, talks=1, gap_s=GAP_S, pause_s=2.0, seed=1, write=print):
    """Kill a copy `turns` times under load; return (differences, people answered out of order, updates by copy).

    `people` write fast before the kills, and during the first `talks` of them.
    """
    servers = Servers()
    fleet = Fleet(servers, url, folder)
    try:
        fleet.start()
        town = Town(servers, users, seed=seed, pause_s=pause_s)
        wrong = talk(servers, fleet, town, people, write)
        town.start()
        for turn in range(turns):
            time.sleep(gap_s)
            victim = fleet.leading(turn % 2 == 0)
            write(f"killing {('the leader', 'a worker')[turn % 2]}")
            if turn < talks:
                wrong += talk(servers, fleet, town, people, write, lambda victim=victim: fleet.kill(victim))
            else:
                fleet.kill(victim)
        town.stop()
        handled = fleet.handled()
        title = f"{COPIES} copies, {turns} kills, {users} users, updates handled by each: {handled}"
        differences = finish(servers, town, fleet.stop_but_one(), url, title, write)
        for copy in fleet.copies[:-1]:
            for message, count in copy.complaints().items():
                write(f"  in another log {count} times: {message}")
        return differences, wrong, handled
    finally:
        fleet.end()
        servers.stop()


def talk(servers, fleet, town, people, write, kill=None):
    """Check the order of answers, write the findings, and return what was out of order."""
    seconds, wrong = in_order(servers, town.notes, random.Random(people), people=people, kill=kill)
    write(
        f"{people} people, 30 messages each, in {seconds:.1f} s; updates so far {fleet.handled()}; wrong: {len(wrong)}"
    )
    for numbers in wrong:
        write(f"  {numbers}")
    return wrong


def main():
    """Read the command line and run; exit with 1 if anything differs or is out of order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--people", type=int, default=4, help="who write 30 messages each for the check of the order")
    options = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with databases("postgresql") as (make,), tempfile.TemporaryDirectory() as folder:
        load = {"turns": options.turns, "talks": options.turns, "users": options.users, "people": options.people}
        differences, wrong, _handled = share(make("workers"), folder, **load)
    return 1 if differences or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

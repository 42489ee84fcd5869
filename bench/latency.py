"""How long people wait at a steady hundred updates a second, from update to reply: ours beside three peers.

    python bench/latency.py [--rate 100] [--seconds 20] [--rounds 3] [--database postgresql] [--only ours,aiogram]

People write one after another, at even intervals; every reply is matched with the update of its chat. The last lines
are ours alone: the same while one person's results of 21 MB are fetched and uploaded, and while one person's chat takes
2 s for each reply; then how soon a pre-checkout is answered while 1,000 people write at once (Telegram waits 10 s).
"""

import argparse
import collections
import contextlib
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import FIRST, PEERS, Server, contestant, databases, machine, wait_until  # noqa: E402
from bench.endurance import deliver, web  # noqa: E402

WARM_UP = 50
CHECKOUTS = 60
SIZE = 21 * 1024 * 1024  # bytes of a result: Telegram fetches only up to 20 MB itself
SLOW_S, SLOW_TIMES = 2, 8


def steady(server, rate, seconds, first):
    """Make people write at even intervals; return {chat id: when}."""
    asked, start = {}, time.time()
    for number in range(int(rate * seconds)):
        pause = start + number / rate - time.time()
        if pause > 0:
            time.sleep(pause)
        asked[first + number] = time.time()
        server.everyone_says("/balance", 1, first + number)
    return asked


def waits(server, asked):
    """Return how long each person waited for the reply, in seconds, shortest first."""
    wait_until(lambda: set(asked) <= set(answered(server)), "the replies")
    times = answered(server)
    return sorted(times[chat] - at for chat, at in asked.items())


def answered(server):
    """Return {chat id: when it was last answered}."""
    return {int(call["params"]["chat_id"]): call["at"] for call in server.log("sendMessage")}


@contextlib.contextmanager
def nothing(_server, _address):
    """Let nothing else happen during the block."""
    yield


@contextlib.contextmanager
def uploads(_server, address):
    """Have one person's results fetched and uploaded during the block, one after another."""
    over = threading.Event()

    def work():
        while not over.wait(1):  # a chat may get one a second
            deliver(address, url, 1, SIZE)

    with web() as url, ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        finally:
            over.set()
        working.result()  # an upload that failed ends the measurement


@contextlib.contextmanager
def slow_chat(server, _address):
    """Make one person write during the block whose chat is slow to accept replies."""
    server.post("trouble", method="sendMessage", chat_id=FIRST, kind="slow", times=10**9, delay_s=SLOW_S)
    for _ in range(SLOW_TIMES):
        server.everyone_says("/balance", 1)
    yield

    def replies():
        return sum(int(call["params"]["chat_id"]) == FIRST for call in server.log("sendMessage"))

    wait_until(lambda: replies() > SLOW_TIMES, "the slow replies")  # or they wait in the next bot's inbox


def run(name, addresses, folder, rate, seconds, beside=nothing):
    """Measure one contestant once; return its waits."""
    server = Server()
    try:
        with contestant(name, server, addresses, folder):
            server.everyone_says("/balance", WARM_UP)
            wait_until(lambda: len(server.log("sendMessage")) >= WARM_UP, f"{name}'s first replies")
            with beside(server, addresses["ours"]):
                asked = steady(server, rate, seconds, FIRST + WARM_UP)
            return waits(server, asked)
    finally:
        server.stop()


def checkouts(addresses, folder):
    """Return how long pre-checkouts wait for their answer while 1,000 people write at once, in seconds."""
    server = Server()
    try:
        with contestant("ours", server, addresses, folder):
            server.everyone_says("/balance", WARM_UP)
            wait_until(lambda: len(server.log("sendMessage")) >= WARM_UP, "the first replies")
            server.everyone_says("/balance", 1000)
            asked = {}
            for number in range(CHECKOUTS):
                asked[f"query{number}"] = time.time()
                who = {"id": FIRST + number, "is_bot": False, "first_name": "Payer", "language_code": "en"}
                query = {"id": f"query{number}", "from": who, "currency": "XTR", "total_amount": 1}
                server.post("updates", pre_checkout_query=query | {"invoice_payload": "stars:0"})
                time.sleep(0.02)
            wait_until(lambda: len(server.log("answerPreCheckoutQuery")) >= CHECKOUTS, "the answers")
            times = {
                call["params"]["pre_checkout_query_id"]: call["at"] for call in server.log("answerPreCheckoutQuery")
            }
            return sorted(times[key] - at for key, at in asked.items())
    finally:
        server.stop()


def line(name, found):
    """Return one line of the table."""
    p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
    return f"{name:28}{statistics.median(found) * 1000:9.1f}{p99 * 1000:9.1f}{found[-1] * 1000:9.1f}"


def main():
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(("ours", *PEERS)))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    names, people = options.only.split(","), WARM_UP + int(options.rate * options.seconds)
    with databases(options.database, max(people, 1000)) as (addresses, folder):
        found = collections.defaultdict(list)
        for _round in range(options.rounds):
            for name in names:
                found[name].append(run(name, addresses, folder, options.rate, options.seconds))
            for name, beside in (("ours, beside uploads", uploads), ("ours, beside a slow chat", slow_chat)):
                found[name].append(run("ours", addresses, folder, options.rate, options.seconds, beside))
        paid = checkouts(addresses, folder)
    print(machine())
    print(
        f"{options.rate:g} updates a second for {options.seconds:g} s, {options.database}, median of {options.rounds}"
    )
    print(f"{'milliseconds':28}{'p50':>9}{'p99':>9}{'longest':>9}")
    for name, rounds in found.items():
        print(line(name, sorted(rounds, key=lambda one: one[int(len(one) * 0.99)])[len(rounds) // 2]))
    print(line("ours, pre-checkouts in a rush", paid))


if __name__ == "__main__":
    main()

"""Replies per second and CPU per update: ours beside three frameworks that do the same work.

    python bench/updates.py                              SQLite, 2,000 /balance from 2,000 people, five rounds
    python bench/updates.py --database postgresql
    python bench/updates.py --round-trip 50              with 50 ms on every call to Telegram
    python bench/updates.py --newcomers /start           2,000 people whom nobody knows yet, each first storing them
    python bench/updates.py --newcomers /balance --people 200

A contestant is warmed up with a few updates; then everybody writes at once, and the clock runs from its first reply to
its last. Rounds alternate between the contestants; the table shows medians and ratios to the best peer.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import FIRST, PEERS, Server, contestant, databases, machine, wait_until  # noqa: E402

WARM_UP = 20  # updates before the clock runs


def run(name, addresses, folder, updates, people, round_trip_s=0.0, says="/balance", first=FIRST):
    """Measure one contestant once; return (replies per second, CPU seconds per 1,000 updates, RSS in MB).

    From the id `first` on, so many people say the same.
    """
    server = Server(round_trip_s)
    try:
        with contestant(name, server, addresses, folder) as bot:
            server.everyone_says("/balance", WARM_UP)
            wait_until(lambda: len(server.replies()) >= WARM_UP, f"{name}'s first replies")
            cpu_before, _rss = bot.usage()
            before = server.calls()
            for at in range(0, updates, people):
                server.everyone_says(says, min(people, updates - at), first)
            wait_until(lambda: server.calls() >= before + updates, f"{name}'s replies")
            wait_until(lambda: len(server.replies()) >= WARM_UP + updates, f"{name}'s last reply")
            cpu, rss = bot.usage()
            at = server.replies()[-updates:]
            return (updates - 1) / (at[-1] - at[0]), (cpu - cpu_before) / updates * 1000, rss
    finally:
        server.stop()


def contest(names, kind, *, updates, people, rounds, round_trip_s=0.0, newcomers=None):
    """Return {name: (replies per second, CPU seconds per 1,000 updates, RSS in MB)}, the medians of the rounds.

    With `newcomers`, what they say, each round has people of its own, whom no contestant knows.
    """
    results, known = {name: [] for name in names}, WARM_UP if newcomers else max(people, WARM_UP)
    with databases(kind, known) as (addresses, folder):
        for number in range(rounds):
            first = FIRST + known + number * people if newcomers else FIRST
            for name in names:
                how = {"says": newcomers or "/balance", "first": first}
                results[name].append(run(name, addresses, folder, updates, people, round_trip_s, **how))
    return {
        name: tuple(statistics.median(column) for column in zip(*rows, strict=True)) for name, rows in results.items()
    }


def table(middle, title):
    """Return the lines of the table."""
    lines = [title, f"{'':10}{'replies/s':>10}{'CPU s/1000':>12}{'RSS MB':>8}"]
    lines += [f"{name:10}{rate:10.0f}{cpu:12.2f}{rss:8.0f}" for name, (rate, cpu, rss) in middle.items()]
    peers = [name for name in middle if name != "ours"]
    if "ours" in middle and peers:
        best = max(peers, key=lambda name: middle[name][0])
        rate, cpu, rss = (ours / theirs for ours, theirs in zip(middle["ours"], middle[best], strict=True))
        lines.append(f"ours / {best}: {rate:.2f} × the replies, {cpu:.2f} × the CPU, {rss:.2f} × the memory")
    return lines


def main():
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="contestants, with commas; all, or those that store newcomers")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--newcomers", choices=("/start", "/balance"), help="what people say whom nobody knows")
    parser.add_argument("--round-trip", type=float, default=0, metavar="MS", help="added to every call to Telegram")
    options = parser.parse_args()
    names = ("ours", "aiogram") if options.newcomers else ("ours", *PEERS)
    found = contest(
        options.only.split(",") if options.only else names, options.database, updates=options.updates, people=options.people,
        rounds=options.rounds, round_trip_s=options.round_trip / 1000, newcomers=options.newcomers,
    )  # fmt: skip
    trip = f", {options.round_trip:g} ms on every call" if options.round_trip else ""
    who = (
        f"{options.newcomers} of {options.people} new people"
        if options.newcomers
        else f"/balance of {options.people} people"
    )
    title = f"{options.updates} {who}, {options.rounds} rounds, {options.database}{trip}"
    print("\n".join([machine(), *table(found, title)]))


if __name__ == "__main__":
    main()

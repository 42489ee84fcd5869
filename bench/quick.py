"""The few ratios that show a regression, in under three minutes; `make bench` has them all.

    python bench/quick.py

One round of each, so that a single figure means little; several that are worse at once mean something. Exits with 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import orders, start, updates  # noqa: E402
from bench.contest import ROOT, machine  # noqa: E402

UPDATES, ORDERS = 1000, 60
NAMES = ("ours", "aiogram")


def ratio(**how):
    """Return (our replies, our CPU) of a contest as multiples of aiogram's."""
    found = updates.contest(NAMES, "sqlite", updates=UPDATES, rounds=1, **how)
    ours, theirs = (found[name] for name in NAMES)
    return ours[0] / theirs[0], ours[1] / theirs[1]


def rows():
    """Yield (what, figure, what it should be), as texts."""
    known, new = ratio(people=UPDATES), ratio(people=UPDATES, newcomers="/start")
    yield "/balance, beside aiogram: replies", f"{known[0]:.2f} ×", "2 × or more"
    yield "/balance, beside aiogram: CPU", f"{known[1]:.2f} ×", "0.45 × or less"
    yield "first /start, beside aiogram: replies", f"{new[0]:.2f} ×", "1.2 × or more"
    yield "first /start, beside aiogram: CPU", f"{new[1]:.2f} ×", "0.7 × or less"
    yield "an order, tap to picture: CPU", f"{orders.once(ROOT, 'sqlite', ORDERS):.0f} ms", "30 ms or less"
    took_s, mb = start.measure(1, skip_peers=True)["the bot, SQLite"]
    yield "start to the first getUpdates", f"{took_s:.2f} s", "1.5 s or less"
    yield "idle memory", f"{mb:.0f} MB", "80 MB or less"


def main():
    """Print the table."""
    print(machine())
    print(f"{'':40}{'now':>10}   wanted, on a quiet machine")
    for what, figure, wanted in rows():
        print(f"{what:40}{figure:>10}   {wanted}", flush=True)


if __name__ == "__main__":
    main()
